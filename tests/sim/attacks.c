#include "sim/attacks.h"

#include <stdio.h>

#include "base/cursor.h"
#include "sim/bricks.h"
#include "sim/seeded.h"

enum {
	CHEAP = 15,
	ALGORITHM = 14,	     /* P-384: the slowest signature to verify that is in use */
	BAD_SIGNATURES = 30, /* RRSET_SIGS_MAX is 32 */
	DS_RECORDS = 60,
	QUESTIONS = 8,
	QUESTIONS_DEAR = 3, /* where the server itself has much to hash */
	LABELS = 116,	    /* "a." before evil.com. up to 255 bytes */
	PARAMETER_SETS = 14,
};

static const uint64_t second_us = 1000000, apart_us = 20000000;

/* ---- keys whose tags collide ----------------------------------------------------------------- */

/* Change the flag bits that nobody looks at (RFC 4034 §2.1.1) until the tag is TAG. */
static bool bend_tag(struct signer_key *key, uint16_t tag)
{
	const uint16_t meaningful = DNSKEY_ZONE | DNSKEY_REVOKE | DNSKEY_SEP;
	uint32_t distance = (tag + 65535u - key->tag) % 65535u;
	uint16_t flags = (uint16_t)(DNSKEY_ZONE + distance);
	if ((flags & meaningful) != DNSKEY_ZONE)
		return false;
	signer_key_set_flags(key, flags);
	return key->tag == tag;
}

/* KEYRING_COLLIDING keys with one tag; made once per process. */
static const struct signer_key *colliding_keys(struct keyring *k)
{
	unsigned count = 0;
	if (k->colliding[0].pkey)
		return k->colliding;
	seeded_begin(KEYRING_COLLIDING);
	signer_key_init(&k->colliding[count++], ALGORITHM, DNSKEY_ZONE, 0);
	while (count < KEYRING_COLLIDING) {
		struct signer_key *key = &k->colliding[count];
		signer_key_init(key, ALGORITHM, DNSKEY_ZONE, 0);
		if (bend_tag(key, k->colliding[0].tag))
			count++;
		else
			signer_key_deinit(key);
	}
	return k->colliding;
}

static void add_keys(struct sim *s, struct zone *z, bool parsable)
{
	const struct signer_key *keys = colliding_keys(s->keyring);
	for (unsigned i = 0; i < KEYRING_COLLIDING; i++) {
		struct signer_key key = keys[i];
		/* Two words of the key swapped: the tag, a sum, stays; the point leaves the curve. */
		for (unsigned at = 10; !parsable && at < 12; at++) {
			uint8_t byte = key.dnskey[at];
			key.dnskey[at] = key.dnskey[at + 20];
			key.dnskey[at + 20] = byte;
		}
		zone_add(&s->world, z, z->apex, TYPE_DNSKEY, 3600, signer_dnskey(&key));
	}
}

static void add_ds(struct sim *s, struct zone *z, unsigned count, bool matching)
{
	const struct signer_key *keys = colliding_keys(s->keyring);
	for (unsigned i = 0; i < count; i++) {
		uint8_t ds[SIGNER_DS_MAX];
		size_t len = signer_ds(&keys[i % KEYRING_COLLIDING], z->apex, 2, ds);
		if (!matching)
			ds[len - 1] ^= (uint8_t)(i + 1);
		zone_add(&s->world, z->parent, z->apex, TYPE_DS, 3600, span_of(ds, len));
	}
}

bool attack_signs(struct world *w, const struct zone *z, struct rrset *set,
		  const struct signature *signature)
{
	const struct security *x = z->security;
	const struct trap *trap = x->trap;
	uint8_t rdata[SIGNER_RDATA_MAX];
	if (!trap->sig_count || !(set->type == TYPE_DNSKEY ? trap->on_keys : trap->on_data))
		return false;
	struct signature bad = *signature;
	struct writer out;
	size_t size = (size_t)trap->sig_count * (SIGNER_RDATA_MAX / 4);
	uint8_t *bytes = world_alloc(w, size);
	size_t len = signer_sign(x->stranger, set, &bad, rdata);
	out = writer_of(bytes, size);
	for (unsigned i = 0; i < trap->sig_count; i++) { /* each another one by its expiration */
		uint16_t packed = (uint16_t)len;
		rdata[11] = (uint8_t)(rdata[11] + 1);
		rdata[16] = (uint8_t)(trap->tag >> 8);
		rdata[17] = (uint8_t)trap->tag;
		rdata[3] = trap->unfit ? UINT8_MAX : rdata[3];
		writer_bytes(&out, span_of(&packed, sizeof(packed)));
		writer_bytes(&out, span_of(rdata, len));
	}
	REQUIRE(!out.failed);
	set->sigs = writer_span(&out);
	set->sig_count = (uint16_t)trap->sig_count;
	return true;
}

void attack_proves(struct world *w, const struct zone *z, struct proof *out)
{
	const struct security *x = z->security;
	for (unsigned i = 0; i < x->trap->parameter_sets && out->count < ARRAY_LEN(out->sets);
	     i++) {
		uint8_t rdata[64];
		struct writer to = writer_of(rdata, sizeof(rdata));
		writer_u8(&to, 1);
		writer_u8(&to, 0);
		writer_u16(&to, x->iterations);
		writer_u8(&to, 1);
		writer_u8(&to, (uint8_t)(i + 100)); /* the salt */
		writer_u8(&to, 20);
		for (unsigned n = 0; n < 20; n++) /* next: covers but a sliver */
			writer_u8(&to, (uint8_t)(n == 19));
		struct span one = arena_copy(&w->arena, writer_span(&to));
		struct rrset *set = world_alloc(w, sizeof(*set));
		REQUIRE(one.at);
		REQUIRE(rrset_from_rdatas(world_label(w, z->apex, "%032u", i % 10), TYPE_NSEC3, 60,
					  &one, 1, &w->arena, set) == OK);
		out->sets[out->count++] = set;
	}
}

/* ---- worlds ---------------------------------------------------------------------------------- */

/* One with many labels costs hashes: then signatures shall be cheap, to show it. */
static struct zone *attack_zone(struct sim *s, const char *apex, struct zone *parent, bool nsec3)
{
	struct zone *z = brick_zone(s, apex, parent);
	struct secure_options o = {.algorithm = nsec3 ? CHEAP : ALGORITHM,
				   .with_ds = true,
				   .nsec3 = nsec3,
				   .unix_s = sim_now(s).unix_s};
	secure_zone(&s->world, s->keyring, z, &o);
	return z;
}

/* Root, com. and good.com., all signed. */
static struct zone *attack_top(struct sim *s)
{
	struct zone *root = attack_zone(s, ".", NULL, false);
	struct zone *com = attack_zone(s, "com.", root, false);
	struct zone *good = attack_zone(s, "good.com.", com, false);
	s->settings.dnssec = true;
	s->settings.aggressive_nsec = prng_percent(&s->dice, 50);
	for (unsigned i = 0; i < QUESTIONS; i++)
		brick_a(s, good, world_label(&s->world, good->apex, "www%u", i), 1);
	return com;
}

static struct trap *add_trap(struct sim *s, struct zone *z)
{
	struct trap *trap = world_alloc(&s->world, sizeof(*trap));
	trap->tag = colliding_keys(s->keyring)[0].tag;
	trap->algorithm = ALGORITHM;
	z->security->trap = trap;
	z->tainted = true; /* whatever is said of it is right */
	return trap;
}

/* Attack after attack, and somebody innocent after each. */
static void ask_names(struct sim *s, unsigned count, const uint8_t *below)
{
	struct world *w = &s->world;
	for (unsigned i = 0; i < count; i++) {
		stub_plan(s, 1000 + i * apart_us, world_label(w, below, "x%u", i), TYPE_A);
		stub_plan(s, 1000 + i * apart_us + 5000,
			  world_label(w, world_name(w, "good.com."), "www%u", i), TYPE_A);
	}
}

/* Bad signatures over data, denials or the keys themselves, in one zone or in several whose names
 * must be looked up; by keys that verify something, or by none. */
void build_keytrap(struct sim *s)
{
	struct world *w = &s->world;
	struct zone *com = attack_top(s),
		    *evil = attack_zone(s, "evil.com.", com, prng_percent(&s->dice, 50));
	bool on_keys = prng_percent(&s->dice, 40), by_names = prng_percent(&s->dice, 40);
	for (unsigned i = 0; i < QUESTIONS && prng_percent(&s->dice, 70); i++)
		brick_a(s, evil, world_label(w, evil->apex, "x%u", i), 300);
	struct zone *zones[4] = {evil};
	for (unsigned i = 1; i < ARRAY_LEN(zones); i++) {
		char apex[20];
		snprintf(apex, sizeof(apex), "evil%u.com.", i);
		zones[i] = attack_zone(s, apex, com, false);
		if (by_names) { /* evil's servers are called by names in trapped zones */
			struct host *h = world_host(w, world_label(w, zones[i]->apex, "host"),
						    zones[i], 1, 0, 300);
			evil->host_count = i == 1 ? 0 : evil->host_count;
			world_serve(h, evil);
		}
	}
	for (unsigned i = 0; i < ARRAY_LEN(zones); i++) {
		struct trap *trap = add_trap(s, zones[i]);
		*trap = (struct trap){.on_keys = on_keys,
				      .on_data = !on_keys,
				      .sig_count = BAD_SIGNATURES,
				      .tag = trap->tag};
		add_keys(s, zones[i], prng_percent(&s->dice, 70));
		if (on_keys)
			add_ds(s, zones[i], KEYRING_COLLIDING, true);
	}
	brick_finish(s, 3600, 3600);
	ask_names(s, QUESTIONS, evil->apex);
}

/* Signatures that no key can have made, but whose tag all keys have: nothing is to be verified, and
 * looking for a key is all the work. */
void build_tag_search(struct sim *s)
{
	struct zone *evil = attack_zone(s, "evil.com.", attack_top(s), false);
	struct trap *trap = add_trap(s, evil);
	trap->on_data = trap->unfit = true;
	trap->sig_count = BAD_SIGNATURES;
	add_keys(s, evil, true);
	brick_finish(s, 3600, 3600);
	ask_names(s, QUESTIONS, evil->apex);
}

void finish_tag_search(struct sim *s)
{
	/* Of each question two sets at least are denied, and a check of P-384 is 760 us by estimate. */
	uint64_t checks_us = 760 * metrics_get(&s->metrics, METRIC_dnssec_signature_checks_total);
	uint64_t search_us = (uint64_t)QUESTIONS * 2 * BAD_SIGNATURES * LIMIT_KEYS_LOOKED_AT;
	struct resolver_stats stats;
	finish_attack(s);
	life_read_stats(s, &stats);
	if (stats.total_work_us < checks_us + search_us)
		sim_fail(s, "looking for keys is charged like checks", "%llu us, %llu of checks",
			 (unsigned long long)stats.total_work_us, (unsigned long long)checks_us);
}

void build_nsec3_flood(struct sim *s)
{
	static const uint16_t iterations[] = {0, 50, 50, 51, 2500};
	struct world *w = &s->world;
	struct zone *evil = attack_zone(s, "evil.com.", attack_top(s), true);
	const uint8_t *below = evil->apex;
	for (unsigned i = 0; i < LABELS && prng_percent(&s->dice, 99); i++)
		below = world_label(w, below, "a");
	evil->security->iterations = PRNG_PICK(&s->dice, iterations);
	struct trap *trap = add_trap(s, evil);
	trap->parameter_sets = prng_percent(&s->dice, 60) ? PARAMETER_SETS : 0;
	if (prng_percent(&s->dice, 30))
		evil->security->flaw = FLAW_OTHER_PROOF;
	for (unsigned i = 0; i < 5; i++)
		brick_a(s, evil, world_label(w, evil->apex, "n%u", i), 60);
	brick_finish(s, 3600, 3600);
	ask_names(s, evil->security->iterations > 51 ? QUESTIONS_DEAR : QUESTIONS, below);
}

void build_ds_flood(struct sim *s)
{
	struct world *w = &s->world;
	struct zone *evil = attack_zone(s, "evil.com.", attack_top(s), false);
	for (unsigned i = 0; i < QUESTIONS; i++)
		brick_a(s, evil, world_label(w, evil->apex, "x%u", i), 300);
	add_trap(s, evil);
	add_keys(s, evil, prng_percent(&s->dice, 50));
	add_ds(s, evil, DS_RECORDS, false);
	brick_finish(s, 3600, 3600);
	ask_names(s, QUESTIONS, evil->apex);
}

/* ---- what must hold -------------------------------------------------------------------------- */

void finish_attack(struct sim *s)
{
	const uint8_t *good = world_name(&s->world, "good.com.");
	for (unsigned i = 0; i < s->stubs.count; i++) {
		const struct stub *c = s->stubs.list[i];
		if (!dname_is_within(c->qname, good))
			continue;
		if (c->rcode != RCODE_NOERROR || c->answered_us - c->asked_us > second_us)
			sim_fail(s, "the innocent are served beside an attack",
				 "rcode %u after %llu us", c->rcode,
				 (unsigned long long)(c->answered_us - c->asked_us));
	}
}
