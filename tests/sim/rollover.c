#include "sim/rollover.h"

#include "sim/sim.h"

enum { ASKED_A_STAGE = 14, SLACK_S = 30, SPARE_KEY = 2 };

static const uint64_t second_us = 1000000;

static struct rrset *apex_set(const struct zone *z, const struct zone *side, uint16_t type)
{
	struct rrset *set = node_set(zone_node(side, z->apex), type);
	REQUIRE(set);
	return set;
}

/* How long a cache may hold anything of Z, or what Z's parent says of it. */
static uint64_t longest_ttl_s(const struct zone *z)
{
	uint32_t ttl_s = z->parent ? apex_set(z, z->parent, TYPE_DS)->ttl_s : 0;
	for (size_t i = 0; i < z->node_count; i++)
		for (unsigned k = 0; k < z->nodes[i].set_count; k++)
			ttl_s = MAX(ttl_s, z->nodes[i].sets[k].ttl_s);
	return ttl_s + SLACK_S;
}

/* SET has other records from now on; caches may hold those of before. */
static void set_records(struct sim *s, struct rrset *set, const struct span *rdatas, size_t count)
{
	struct world *w = &s->world;
	struct rrset now;
	REQUIRE(w->change_count < WORLD_CHANGES_MAX);
	w->changes[w->change_count++] = (struct change){
		.set = set,
		.other = *set,
		.limbo_until_us =
			s->now_us + s->life.slack_us + set->ttl_s * second_us + SIM_LATE_US,
	};
	REQUIRE(rrset_from_rdatas(set->owner, set->type, set->ttl_s, rdatas, count, &s->world.arena,
				  &now) == OK);
	*set = now;
}

/* The zone's keys, NULL for none, from now on. */
static void set_keys(struct sim *s, const struct signer_key *const keys[4])
{
	struct span rdatas[4];
	size_t count = 0;
	for (size_t i = 0; i < 4; i++)
		if (keys[i])
			rdatas[count++] = signer_dnskey(keys[i]);
	set_records(s, apex_set(s->rollover.zone, s->rollover.zone, TYPE_DNSKEY), rdatas, count);
}

static void set_ds(struct sim *s, const struct signer_key *first, const struct signer_key *second)
{
	const struct zone *z = s->rollover.zone;
	uint8_t ds[2][SIGNER_DS_MAX];
	struct span rdatas[2] = {span_of(ds[0], signer_ds(first, z->apex, 2, ds[0]))};
	if (second)
		rdatas[1] = span_of(ds[1], signer_ds(second, z->apex, 2, ds[1]));
	set_records(s, apex_set(z, z->parent, TYPE_DS), rdatas, second ? 2 : 1);
}

static void roll_zsk(struct sim *s, unsigned stage)
{
	struct rollover *r = &s->rollover;
	struct security *x = r->zone->security;
	if (stage == 1) {
		set_keys(s, (const struct signer_key *const[4]){x->ksk, x->zsk, r->new_zsk});
	} else if (stage == 2) {
		x->zsk = r->new_zsk;
		secure_forget_all(r->zone);
	} else if (stage == 3) {
		set_keys(s, (const struct signer_key *const[4]){x->ksk, x->zsk});
	}
}

static void roll_ksk(struct sim *s, unsigned stage)
{
	struct rollover *r = &s->rollover;
	struct security *x = r->zone->security;
	if (stage == 1) {
		set_ds(s, x->ksk, r->new_ksk);
	} else if (stage == 2) {
		x->ksk = r->new_ksk;
		set_keys(s, (const struct signer_key *const[4]){x->ksk, x->zsk});
	} else if (stage == 3) {
		set_ds(s, x->ksk, NULL);
	}
}

static void roll_algorithm(struct sim *s, unsigned stage)
{
	struct rollover *r = &s->rollover;
	struct security *x = r->zone->security;
	switch (stage) {
	case 1: /* signatures first: a validator that sees the new key wants them */
		x->second_zsk = r->new_zsk;
		secure_forget_all(r->zone);
		break;
	case 2:
		x->second_ksk = r->new_ksk;
		set_keys(s, (const struct signer_key *const[4]){x->ksk, x->zsk, r->new_ksk,
								r->new_zsk});
		break;
	case 3:
		set_ds(s, r->new_ksk, NULL);
		break;
	case 4:
		x->ksk = r->new_ksk;
		x->second_ksk = NULL;
		set_keys(s, (const struct signer_key *const[4]){r->new_ksk, r->new_zsk});
		break;
	case 5:
		x->zsk = r->new_zsk;
		x->second_zsk = NULL;
		secure_forget_all(r->zone);
		break;
	}
}

void rollover_step(struct sim *s, unsigned stage)
{
	static const char *const kinds[] = {"ZSK", "KSK", "algorithm"};
	const struct rollover *r = &s->rollover;
	char name[DNAME_TEXT_MAX];
	sim_tell(s, "%s rolls its %s, stage %u", dname_text(r->zone->apex, name), kinds[r->kind],
		 stage);
	switch (r->kind) {
	case ROLL_ZSK:
		roll_zsk(s, stage);
		break;
	case ROLL_KSK:
		roll_ksk(s, stage);
		break;
	case ROLL_ALGORITHM:
		roll_algorithm(s, stage);
		break;
	}
}

/* A zone that is secure, below the root: nobody here follows the root's own keys. */
static struct zone *choose_zone(struct sim *s)
{
	struct world *w = &s->world;
	unsigned start = prng_below(&s->dice, w->zone_count);
	for (unsigned i = 0; i < w->zone_count; i++) {
		struct zone *z = w->zones[(start + i) % w->zone_count];
		if (z->parent && secure_verdict(z) == SIM_SECURE)
			return z;
	}
	return NULL;
}

static void choose_keys(struct sim *s)
{
	static const uint8_t algorithms[] = {8, 10, 13, 14, 15, 16};
	struct rollover *r = &s->rollover;
	uint8_t algorithm = r->zone->security->zsk->algorithm;
	r->kind = (enum roll)prng_below(&s->dice, ROLL_ALGORITHM + 1);
	if (r->kind != ROLL_ALGORITHM) {
		r->new_ksk = r->new_zsk = keyring_key(s->keyring, algorithm, SPARE_KEY);
		return;
	}
	uint8_t other = algorithm;
	while (other == algorithm)
		other = PRNG_PICK(&s->dice, algorithms);
	r->new_ksk = keyring_key(s->keyring, other, 0);
	r->new_zsk = keyring_key(s->keyring, other, 1);
}

static const uint8_t *random_name(struct sim *s)
{
	const struct zone *z = s->rollover.zone;
	if (prng_percent(&s->dice, 30))
		return world_label(&s->world, z->apex, "no%u", prng_below(&s->dice, 1000));
	return z->nodes[prng_below(&s->dice, (unsigned)z->node_count)].owner;
}

/* Questions around AT_US, and some later. */
static void plan_questions(struct sim *s, uint64_t at_us, uint64_t wait_s)
{
	static const int64_t around_s[] = {-20, -1, 0, 0, 1, 2, 5, 20};
	static const uint16_t types[] = {TYPE_A,   TYPE_A,  TYPE_AAAA,	 TYPE_TXT,
					 TYPE_SOA, TYPE_NS, TYPE_DNSKEY, TYPE_DS};
	for (unsigned i = 0; i < ASKED_A_STAGE; i++) {
		uint64_t when_us = at_us + prng_below(&s->dice, (unsigned)wait_s) * second_us;
		if (i < ARRAY_LEN(around_s))
			when_us = at_us + (uint64_t)((around_s[i] + 60) * (int64_t)second_us) -
				  60 * second_us + prng_below(&s->dice, 1000000);
		struct stub *c = stub_plan(s, when_us, random_name(s), PRNG_PICK(&s->dice, types));
		c->dnssec_ok = prng_percent(&s->dice, 60);
	}
}

void rollover_plan(struct sim *s)
{
	struct rollover *r = &s->rollover;
	r->zone = choose_zone(s);
	if (!r->zone)
		return;
	choose_keys(s);
	uint64_t wait_s = longest_ttl_s(r->zone), at_us = 100 * second_us;
	for (unsigned stage = 1; stage <= (r->kind == ROLL_ALGORITHM ? 5 : 3); stage++) {
		struct sim_event roll = {.kind = HAPPEN_ROLL, .token = stage};
		sim_schedule(s, at_us, &roll);
		plan_questions(s, at_us, wait_s);
		at_us += wait_s * second_us;
	}
}
