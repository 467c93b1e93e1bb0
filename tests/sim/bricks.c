#include "sim/bricks.h"

struct zone *brick_zone(struct sim *s, const char *apex, struct zone *parent)
{
	struct world *w = &s->world;
	struct zone *z = world_zone(w, world_name(w, apex), parent);
	const uint8_t *name = parent ? world_label(w, z->apex, "ns") : world_name(w, "a.rootsrv.");
	zone_add_soa(w, z, 3600, 60);
	world_serve(world_host(w, name, z, 1, 0, 3600), z);
	return z;
}

struct zone *brick_top(struct sim *s)
{
	return brick_zone(s, "com.", brick_zone(s, ".", NULL));
}

void brick_delegate(struct sim *s, uint32_t parent_ttl_s, uint32_t child_ttl_s)
{
	struct world *w = &s->world;
	for (unsigned i = 0; i < w->zone_count; i++)
		zone_delegate(w, w->zones[i], parent_ttl_s, child_ttl_s, true);
}

void brick_seal(struct sim *s)
{
	struct world *w = &s->world;
	for (unsigned i = 0; i < w->zone_count; i++) {
		zone_seal(w, w->zones[i]);
		secure_seal(w, w->zones[i]);
	}
	if (s->settings.dnssec)
		generate_anchors(s);
	generate_hints(s);
}

void brick_finish(struct sim *s, uint32_t parent_ttl_s, uint32_t child_ttl_s)
{
	brick_delegate(s, parent_ttl_s, child_ttl_s);
	brick_seal(s);
}

void brick_a(struct sim *s, struct zone *z, const uint8_t *owner, uint32_t ttl_s)
{
	const uint8_t address[4] = {10, 1, 2, (uint8_t)prng_u64(&s->dice)};
	zone_add(&s->world, z, owner, TYPE_A, ttl_s, span_of(address, sizeof(address)));
}

void brick_ask(struct sim *s, uint64_t at_us, const char *name)
{
	stub_plan(s, at_us, world_name(&s->world, name), TYPE_A);
}
