#include "sim/newest.h"

#include "sim/bricks.h"
#include "sim/sim.h"

enum {
	NAMES = 4,
	VERSIONS = 10,
	CHANGES_S = 150, /* in which they change */
	END_S = 400,	 /* when all that was kept has ended */
	IN_FLIGHT_MS =
		100, /* a question to a server that takes 30 at most, and who waits for that */
	SILENCE_S = 20,
	WINDOW_S = 60,
};

static const uint64_t second_us = 1000000;

enum how {
	HOW_KEPT,	/* an address with a TTL */
	HOW_PASSING,	/* ... of 0 */
	HOW_DENIED,	/* NXDOMAIN with an SOA */
	HOW_DENIED_NOW, /* ... that holds for no time */
	HOW_BARE,	/* ... with none */
	HOW_EMPTY,	/* NODATA with none */
	HOW_COUNT
};

struct version {
	uint64_t from_us;
	enum how how;
	uint32_t ttl_s;
};

struct changing {
	const uint8_t *name;
	struct version versions[VERSIONS];
	unsigned told; /* the newest that somebody was told */
	uint64_t told_us;
};

struct newest {
	const uint8_t *apex;
	struct changing names[NAMES];
	uint64_t silent_from_us, silent_until_us;
};

/* ---- the server ------------------------------------------------------------------------------ */

static unsigned version_at(const struct changing *c, uint64_t now_us)
{
	unsigned v = 0;
	while (v + 1 < VERSIONS && c->versions[v + 1].from_us <= now_us)
		v++;
	return v;
}

/* Two names of the root, five numbers: all 0 but the last (RFC 2308 §4), a byte of it. */
static bool put_soa(const struct newest *n, struct builder *b, uint32_t ttl_s)
{
	uint8_t rdata[2 + 5 * sizeof(uint32_t)] = {0};
	rdata[sizeof(rdata) - 1] = (uint8_t)ttl_s;
	return builder_record(b, SECTION_AUTHORITY, n->apex, TYPE_SOA, CLASS_IN, ttl_s,
			      span_of(rdata, sizeof(rdata)));
}

static unsigned number_of(const struct newest *n, const uint8_t *name)
{
	unsigned i = 0;
	while (i < NAMES && !dname_equal(n->names[i].name, name))
		i++;
	return i;
}

bool newest_answer(const struct newest *n, const uint8_t *name, uint16_t type, uint64_t now_us,
		   struct builder *b, uint16_t *flags)
{
	unsigned number = number_of(n, name);
	if (number == NAMES || type != TYPE_A)
		return false;
	const struct changing *c = &n->names[number];
	unsigned v = version_at(c, now_us);
	const uint8_t address[4] = {10, 77, (uint8_t)number, (uint8_t)v};
	const struct version *version = &c->versions[v];
	switch (version->how) {
	case HOW_KEPT:
	case HOW_PASSING:
		REQUIRE(builder_record(b, SECTION_ANSWER, name, TYPE_A, CLASS_IN, version->ttl_s,
				       span_of(address, sizeof(address))));
		break;
	case HOW_DENIED:
	case HOW_DENIED_NOW:
		*flags |= RCODE_NXDOMAIN;
		REQUIRE(put_soa(n, b, version->ttl_s));
		break;
	case HOW_BARE:
		*flags |= RCODE_NXDOMAIN;
		break;
	case HOW_EMPTY:
	case HOW_COUNT:
		break;
	}
	return true;
}

bool newest_is_silent(const struct newest *n, uint64_t now_us)
{
	return now_us >= n->silent_from_us && now_us < n->silent_until_us;
}

/* ---- the clients ----------------------------------------------------------------------------- */

static void plan_versions(struct sim *s, struct changing *c)
{
	static const uint32_t ttls_s[] = {1, 5, 5, 30, 60};
	for (unsigned v = 0; v < VERSIONS; v++) {
		struct version *version = &c->versions[v];
		bool is_first = v == 0;
		version->how = is_first ? HOW_KEPT : (enum how)prng_below(&s->dice, HOW_COUNT);
		bool is_kept = version->how == HOW_KEPT || version->how == HOW_DENIED;
		version->ttl_s = is_kept ? PRNG_PICK(&s->dice, ttls_s) : 0;
		uint64_t share_us = CHANGES_S * second_us / VERSIONS;
		version->from_us =
			is_first ? 0 : v * share_us + prng_below(&s->dice, (unsigned)share_us);
	}
}

/* A hot name, one that is asked for now and then, or both in turn. */
static void plan_clients(struct sim *s, const struct changing *c)
{
	static const unsigned gaps_ms[] = {300, 1500, 7000, 20000};
	unsigned gap_ms = PRNG_PICK(&s->dice, gaps_ms);
	for (uint64_t at_us = second_us; at_us < (CHANGES_S + 30) * second_us;) {
		stub_plan(s, at_us, c->name, TYPE_A);
		at_us += 1000ull * prng_between(&s->dice, 1, 2 * gap_ms);
		if (prng_percent(&s->dice, 2))
			gap_ms = PRNG_PICK(&s->dice, gaps_ms);
	}
	stub_plan(s, END_S * second_us, c->name, TYPE_A);
}

static void set_rules(struct sim *s)
{
	struct prefetch_settings *p = &s->settings.prefetch;
	s->settings.stale_enabled = prng_percent(&s->dice, 80);
	s->settings.stale_max_age_s = 3600;
	p->enabled = prng_percent(&s->dice, 60);
	p->all.min_hits = prng_between(&s->dice, 1, 2);
	p->all.window_s = WINDOW_S;
	p->all.min_yield_permille = 0;
	p->all.hold_ms = prng_between(&s->dice, 0, 30) * 1000;
	p->all.remaining_percent = prng_percent(&s->dice, 30) ? 80 : 0;
	s->quiet_us = (WINDOW_S + 40) * second_us;
}

void build_newest(struct sim *s)
{
	struct world *w = &s->world;
	struct newest *n = world_alloc(w, sizeof(*n));
	s->newest = n;
	s->settings.dnssec = false;
	s->world.mood = MOOD_ROUGH;
	s->life.worker_count = prng_percent(&s->dice, 30) ? 2 : 1;
	struct zone *z = brick_zone(s, "new.com.", brick_top(s));
	n->apex = z->apex;
	for (unsigned i = 0; i < NAMES; i++) {
		n->names[i].name = world_label(w, z->apex, "n%u", i);
		plan_versions(s, &n->names[i]);
		plan_clients(s, &n->names[i]);
	}
	if (prng_percent(&s->dice, 70)) {
		n->silent_from_us = prng_between(&s->dice, 20, CHANGES_S - SILENCE_S) * second_us;
		n->silent_until_us =
			n->silent_from_us + prng_between(&s->dice, 1, SILENCE_S) * second_us;
	}
	if (prng_percent(&s->dice, 50))
		world_serve(world_host(w, world_label(w, z->apex, "ns2"), z, 1, 0, 3600), z);
	brick_finish(s, 86400, 86400);
	for (unsigned i = 0; i < z->host_count; i++) {
		struct quirks *q = &z->hosts[i]->quirks;
		q->newest = n;
		q->delay_us = prng_between(&s->dice, 1000, 20000);
		q->spread_us = prng_below(&s->dice, 10000);
	}
	set_rules(s);
	if (prng_percent(&s->dice, 30))
		life_plan_restart(s, prng_between(&s->dice, 20, CHANGES_S) * second_us,
				  prng_between(&s->dice, 10000, 4000000));
}

/* ---- what must hold -------------------------------------------------------------------------- */

/* The version that RCODE and M tell: of denials, which all look alike, the newest that can be. VERSIONS: none
 * that there has been. */
static unsigned told_version(const struct changing *c, unsigned number, const struct message *m,
			     uint16_t rcode, uint64_t now_us)
{
	struct record_iter it = record_iter_of(m);
	struct record r;
	unsigned now = version_at(c, now_us);
	while (record_next(&it, &r) && r.section == SECTION_ANSWER) {
		const uint8_t *at = m->wire.at + r.rdata_offset;
		bool is_one = r.type == TYPE_A && r.rdata_len == 4 && at[0] == 10 && at[1] == 77 &&
			      at[2] == number && at[3] <= now;
		return is_one ? at[3] : VERSIONS;
	}
	for (unsigned v = now + 1; v > 0; v--) {
		enum how how = c->versions[v - 1].how;
		bool is_denial = how != HOW_KEPT && how != HOW_PASSING;
		if (is_denial && (how == HOW_EMPTY) == (rcode == RCODE_NOERROR))
			return v - 1;
	}
	return VERSIONS;
}

bool newest_judges(struct sim *s, const struct stub *stub, const struct message *m, uint16_t rcode)
{
	struct newest *n = s->newest;
	unsigned number = n ? number_of(n, stub->qname) : NAMES;
	if (number == NAMES)
		return false;
	struct changing *c = &n->names[number];
	if (rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN)
		return true; /* says nothing */
	unsigned v = told_version(c, number, m, rcode, s->now_us);
	if (v == VERSIONS) {
		sim_fail(s, "what is told was so once", "client %llu",
			 (unsigned long long)stub->token);
		return true;
	}
	sim_tell(s, "client %llu is told version %u of %u", (unsigned long long)stub->token, v,
		 version_at(c, s->now_us));
	if (v < c->told && s->now_us > c->told_us + IN_FLIGHT_MS * 1000)
		sim_fail(s, "nobody is told older data than somebody was told before",
			 "client %llu: version %u, %llu ms after version %u",
			 (unsigned long long)stub->token, v,
			 (unsigned long long)(s->now_us - c->told_us) / 1000, c->told);
	if (v > c->told) {
		c->told = v;
		c->told_us = s->now_us;
	}
	return true;
}

void finish_newest(struct sim *s)
{
	for (unsigned i = 0; i < NAMES; i++) {
		const struct changing *c = &s->newest->names[i];
		if (c->told != VERSIONS - 1)
			sim_fail(s, "in the end all is told as it is", "n%u: version %u of %u", i,
				 c->told, VERSIONS - 1);
	}
}
