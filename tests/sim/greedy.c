#include "sim/greedy.h"

#include "sim/bricks.h"
#include "sim/sim.h"

enum {
	RATE = 40, /* packets a second that the forwarder takes */
	SECONDS = 6,
	GREEDY_MAX = 4, /* clients that each ask for several times that */
	GREEDY_QUESTIONS = 3000,
	MODEST_QUESTIONS = 30, /* less than a share of the rate, whoever else there is */
	GREEDY_HOST = 240,     /* 10.0.0.240 and up */
	MODEST_HOST = 251,
};

static const uint64_t second_us = 1000000;

static void ask_from(struct sim *s, uint8_t host, uint64_t at_us, const char *prefix)
{
	struct world *w = &s->world;
	const uint8_t *name = world_label(w, w->zones[2]->apex, "%s%u", prefix, s->stubs.count);
	stub_plan(s, at_us, name, TYPE_A)->from.addr[3] = host;
}

/* A forwarder whose rate is limited, clients that ask it for many times that, and one that asks five times
 * a second. All their networks are trusted alike. */
void build_greedy(struct sim *s)
{
	struct world *w = &s->world;
	struct zone *z = brick_zone(s, "busy.com.", brick_top(s));
	struct settings_zone *f = world_alloc(w, sizeof(*f));
	struct host *h = world_host(w, world_name(w, "provider.test."), NULL, 1, 0, 0);
	unsigned greedy = 1 + prng_below(&s->dice, GREEDY_MAX);
	w->mood = MOOD_ROUGH; /* somebody fails */
	h->quirks =
		(struct quirks){.is_recursive = true, .follows_aliases = true, .delay_us = 2000};
	*f = (struct settings_zone){
		.forward = true, .insecure = true, .rate_limit = RATE, .server_count = 1};
	dname_copy(z->apex, f->name);
	f->servers[0] = h->addresses[0];
	s->settings.zones = f;
	s->settings.zone_count = 1;
	s->life.worker_count = 1;
	brick_finish(s, 3600, 3600);
	for (unsigned i = 0; i < GREEDY_QUESTIONS; i++)
		ask_from(s, (uint8_t)(GREEDY_HOST + i % greedy),
			 i * (SECONDS * second_us / GREEDY_QUESTIONS), "g");
	for (unsigned i = 0; i < MODEST_QUESTIONS; i++)
		ask_from(s, MODEST_HOST, i * (SECONDS * second_us / MODEST_QUESTIONS) + 500, "m");
}

void finish_greedy(struct sim *s)
{
	unsigned failed = 0;
	for (unsigned i = 0; i < s->stubs.count; i++) {
		const struct stub *c = s->stubs.list[i];
		bool is_modest = c->from.addr[3] == MODEST_HOST;
		failed += !is_modest && c->rcode == RCODE_SERVFAIL;
		if (is_modest && c->rcode == RCODE_SERVFAIL)
			sim_fail(s, "who is modest does not fail because another is greedy",
				 "client %llu: %s", (unsigned long long)c->token, c->reason);
	}
	if (failed < GREEDY_QUESTIONS / 2)
		sim_fail(s, "somebody was greedy", "%u failed", failed);
}
