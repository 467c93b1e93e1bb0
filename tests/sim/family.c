#include "sim/family.h"

#include <stdlib.h>

#include "sim/bricks.h"

enum { ZONES = 60, BEGIN_US = 2000000, EACH_US = 300000, P95_MS = 100 };
static_assert(ZONES + 2 <= WORLD_ZONES_MAX, "beside the root and com.");

static void add_server(struct sim *s, struct zone *z, const char *label)
{
	struct world *w = &s->world;
	const uint8_t *name =
		z->apex[0] ? world_label(w, z->apex, "%s", label) : world_name(w, "dual.rootsrv.");
	world_serve(world_host(w, name, z, 1, 1, 3600), z);
}

static struct zone *dual_zone(struct sim *s, const char *apex, struct zone *parent)
{
	struct zone *z = world_zone(&s->world, world_name(&s->world, apex), parent);
	zone_add_soa(&s->world, z, 3600, 60);
	add_server(s, z, "a");
	if (parent)
		add_server(s, z, "b");
	return z;
}

void build_lost_family(struct sim *s)
{
	struct world *w = &s->world;
	struct zone *root = dual_zone(s, ".", NULL), *com = dual_zone(s, "com.", root);
	char apex[16];
	w->mood = MOOD_ROUGH;
	s->net.lost_family = 6;
	s->has_ipv6 = true;
	stub_plan(s, 1000, com->apex, TYPE_SOA); /* the root is primed, whoever waits for that */
	for (unsigned i = 0; i < ZONES; i++) {
		snprintf(apex, sizeof(apex), "z%u.com.", i);
		struct zone *z = dual_zone(s, apex, com);
		const uint8_t *www = world_label(w, z->apex, "www");
		brick_a(s, z, www, 300);
		stub_plan(s, BEGIN_US + (uint64_t)i * EACH_US, www, TYPE_A);
	}
	brick_finish(s, 3600, 3600);
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

void finish_lost_family(struct sim *s)
{
	uint64_t took_us[ZONES];
	for (unsigned i = 0; i < ZONES; i++) {
		const struct stub *c = s->stubs.list[i + 1];
		took_us[i] = c->answered_us - c->asked_us;
		if (c->rcode != RCODE_NOERROR)
			sim_fail(s, "a family that is lost loses no name", "rcode %u", c->rcode);
	}
	qsort(took_us, ZONES, sizeof(took_us[0]), by_time);
	uint64_t p95_ms = took_us[ZONES * 95 / 100] / 1000;
	sim_tell(s, "p95 %llu ms", (unsigned long long)p95_ms);
	if (p95_ms > P95_MS)
		sim_fail(s, "a family that leads nowhere is found out once", "p95 %llu ms",
			 (unsigned long long)p95_ms);
}
