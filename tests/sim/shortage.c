#include "sim/shortage.h"

#include "sim/bricks.h"

enum {
	/* A 32nd of what a worker has, and of the questions that were seen to fill it: 700 a second
	 * over UDP, 200 over TCP. */
	UDP_ROOM = 128,
	UDP_FLOOD_PER_S = 24,
	TCP_ROOM = 16,
	TCP_FLOOD_PER_S = 14,
	FLOOD_S = 40,
	INNOCENT_EVERY_MS = 400,
	SILENT_ZONES_MAX = 6,
	SILENT_HOSTS_MAX = 12, /* a zone's, over TCP: all that goes to one shares a connection */
	WELL_ZONES = 8,
};

static void add_hosts(struct sim *s, struct zone *z, unsigned more)
{
	struct world *w = &s->world;
	for (unsigned i = 0; i < more; i++)
		world_serve(world_host(w, world_label(w, z->apex, "ns%u", i), z, 1, 0, 3600), z);
}

/* Names of zones whose servers do not answer, at random times. */
static void plan_flood(struct sim *s, struct zone *const *zones, unsigned zone_count,
		       unsigned per_s)
{
	for (unsigned i = 0; i < FLOOD_S * per_s; i++) {
		const struct zone *z = zones[prng_below(&s->dice, zone_count)];
		uint64_t at_us = prng_below(&s->dice, FLOOD_S * 1000) * UINT64_C(1000);
		stub_plan(s, at_us, world_label(&s->world, z->apex, "x%u", i), TYPE_A);
	}
}

/* Cold names of zones that are well, some of which are asked for the first time. */
static void plan_innocents(struct sim *s, struct zone *const *zones)
{
	struct world *w = &s->world;
	unsigned number = 0;
	for (uint64_t at_ms = 1000; at_ms < FLOOD_S * 1000; at_ms += INNOCENT_EVERY_MS) {
		struct zone *z = zones[prng_below(&s->dice, WELL_ZONES)];
		const uint8_t *name = world_label(w, z->apex, "n%u", number++);
		brick_a(s, z, name, 60);
		stub_plan(s, at_ms * 1000, name, TYPE_A);
	}
}

static void build(struct sim *s, unsigned per_s)
{
	struct world *w = &s->world;
	struct zone *com = brick_top(s), *silent[SILENT_ZONES_MAX], *well[WELL_ZONES];
	unsigned silent_count = prng_between(&s->dice, 1, SILENT_ZONES_MAX);
	bool tcp = s->net.tcp_room > 0;
	w->mood = MOOD_ROUGH;
	for (unsigned i = 0; i < silent_count; i++) {
		char apex[32];
		snprintf(apex, sizeof(apex), "silent%u.com.", i);
		silent[i] = brick_zone(s, apex, com);
		add_hosts(s, silent[i], prng_below(&s->dice, tcp ? SILENT_HOSTS_MAX : 3));
		for (unsigned k = 0; k < silent[i]->host_count; k++) {
			struct quirks *q = &silent[i]->hosts[k]->quirks;
			q->dead = !tcp;
			q->truncates = tcp;
			q->tcp = tcp ? TCP_MODE_SILENT : TCP_MODE_OK;
		}
	}
	for (unsigned i = 0; i < WELL_ZONES; i++) {
		char apex[32];
		snprintf(apex, sizeof(apex), "well%u.com.", i);
		well[i] = brick_zone(s, apex, com);
		well[i]->hosts[0]->quirks.truncates = tcp;
	}
	plan_flood(s, silent, silent_count, per_s);
	plan_innocents(s, well);
	brick_finish(s, 3600, 3600);
}

static bool is_innocent(const struct sim *s, const struct stub *c)
{
	return world_zone_for(&s->world, c->qname, TYPE_A)->hosts[0]->quirks.dead == false &&
	       world_zone_for(&s->world, c->qname, TYPE_A)->hosts[0]->quirks.tcp == TCP_MODE_OK;
}

static void check_innocents(struct sim *s)
{
	char name[DNAME_TEXT_MAX];
	for (unsigned i = 0; i < s->stubs.count; i++) {
		const struct stub *c = s->stubs.list[i];
		if (is_innocent(s, c) && c->rcode != RCODE_NOERROR)
			sim_fail(s, "an innocent cold name is answered", "%s: %s",
				 dname_text(c->qname, name), c->reason);
	}
}

static void check_blame(struct sim *s)
{
	char text[ENDPOINT_TEXT_SIZE];
	for (unsigned i = 0; i < s->world.host_count; i++) {
		const struct host *h = s->world.hosts[i];
		struct infra_server known;
		infra_get(s->life.infra, &h->addresses[0], sim_now(s), &known);
		if (!h->quirks.dead && (known.losses_in_row || known.loss_permille))
			sim_fail(s, "our own shortage is not held against a server", "%s: %u",
				 endpoint_text(&h->addresses[0], text), known.loss_permille);
	}
}

void build_short_udp(struct sim *s)
{
	s->net.udp_room = UDP_ROOM;
	s->net.room_is_told = prng_percent(&s->dice, 70);
	build(s, UDP_FLOOD_PER_S);
}

void finish_short_udp(struct sim *s)
{
	check_innocents(s);
	check_blame(s);
	if (metrics_get(&s->metrics, METRIC_upstream_yielded_total) == 0)
		sim_fail(s, "the room was short", "%s", "nobody had to give way");
}

void build_short_tcp(struct sim *s)
{
	s->net.tcp_room = TCP_ROOM;
	build(s, TCP_FLOOD_PER_S);
}

void finish_short_tcp(struct sim *s)
{
	check_innocents(s);
	check_blame(s);
}
