#include "sim/balancers.h"

#include "sim/bricks.h"

enum { ZONES = 12, QUESTIONS = 30, BEGIN_US = 1000000, SPAN_US = 40000000 };

/* Of the names in the zones, those with an address of IPv6 instead. */
static bool is_v6(unsigned number)
{
	return number % 4 == 3;
}

static void add_names(struct sim *s, struct zone *z, unsigned number)
{
	static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	struct world *w = &s->world;
	const uint8_t *www = world_label(w, z->apex, "www");
	struct span target = span_of(www, dname_len(www));
	if (is_v6(number))
		zone_add(w, z, www, TYPE_AAAA, 5, span_of(v6, sizeof(v6)));
	else
		brick_a(s, z, www, 5);
	zone_add(w, z, world_label(w, z->apex, "alias"), TYPE_CNAME, 20, target);
}

static void plan_questions(struct sim *s, struct zone *z)
{
	static const char *const labels[] = {"www", "alias"};
	for (unsigned i = 0; i < QUESTIONS; i++) {
		const uint8_t *name = world_label(&s->world, z->apex, "%s",
						  labels[prng_below(&s->dice, ARRAY_LEN(labels))]);
		uint64_t at_us = BEGIN_US + prng_below(&s->dice, SPAN_US);
		stub_plan(s, at_us, name, prng_percent(&s->dice, 50) ? TYPE_A : TYPE_AAAA);
	}
}

void build_balancers(struct sim *s)
{
	struct zone *com = brick_top(s);
	char apex[16];
	for (unsigned i = 0; i < ZONES; i++) {
		snprintf(apex, sizeof(apex), "z%u.com.", i);
		struct zone *z = brick_zone(s, apex, com);
		z->tainted = true; /* what it denies is judged at the end */
		z->hosts[0]->quirks.denies_types = true;
		z->hosts[0]->quirks.ends = (enum ends)prng_below(&s->dice, ENDS_NODATA + 1);
		z->hosts[0]->quirks.omits_soa = prng_percent(&s->dice, 25);
		add_names(s, z, i);
		plan_questions(s, z);
	}
	brick_finish(s, 3600, 3600);
}

/* C asked for the family of which its name, or the end of that, has an address. */
static bool asked_for_address(struct sim *s, const struct stub *c)
{
	const struct zone *z = world_zone_for(&s->world, c->qname, c->qtype);
	return node_set(zone_node(z, world_label(&s->world, z->apex, "www")), c->qtype) != NULL;
}

void finish_balancers(struct sim *s)
{
	unsigned count = 0;
	for (unsigned i = 0; i < s->stubs.count; i++) {
		const struct stub *c = s->stubs.list[i];
		if (c->state != STUB_ANSWERED || !asked_for_address(s, c))
			continue;
		count++;
		if (c->rcode != RCODE_NOERROR || !c->has_data)
			sim_fail(s, "an address that a name has is told, whatever else it lacks",
				 "question %u: rcode %u", i, c->rcode);
	}
	if (count == 0)
		sim_fail(s, "somebody asks for an address", "nobody did");
}
