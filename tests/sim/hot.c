/*
 * Hot names behind bad servers: what prefetching promises.
 *
 * The zone hot.com has a chain (CNAME and A, TTL 5) per name and two servers that lose packets, take
 * six seconds now and then, or go away for a while. Clients come in one of several patterns. Whoever
 * asks for a name that is hot must be served at once, from data that is not older than the bound.
 *
 *   hot             steady and random arrivals, gaps below and above the TTL; loss, spikes of 6 s
 *   hot-outage      all servers silent or refusing for a while
 *   hot-dying       servers go away one by one, until the last
 *   hot-flip        one server has lost its data and denies everything: the flip guard
 *   hot-signed      keys, their DS and delegations end while the name is hot
 *   hot-downstream  a cache that asks exactly at expiry, one or two hundred in phase
 *   hot-restart     the daemon ends and begins again
 *   hot-crowd       flash crowds
 *   hot-budget      more names than the rate allows
 *   hot-attack      a flood of names; 1500 of them where 10 are kept, as a million where 10,000 are
 *   hot-forward     a forwarder that drops what passes its rate, and a search list before it
 */
#include "sim/hot.h"

#include "resolve/answer.h"
#include "sim/bricks.h"
#include "sim/sim.h"

enum {
	TTL_S = 5,
	HOLD_S = 10,
	WINDOW_S = 120,
	RATE = 20,
	NAMES_MAX = 40,
	RECOVERY_S = 8, /* after a long outage: questions of before are still in progress */
	PHASED_CLIENTS = 200,
	COUNTED_RATE = 40,
	GUARD_S = 20,
	ATTACK_NAMES = 1500,
};

static const uint64_t second_us = 1000000;

/* ---- the world ------------------------------------------------------------------------------- */

static struct zone *add_zone(struct sim *s, const char *apex, struct zone *parent, unsigned servers)
{
	struct world *w = &s->world;
	struct zone *z = world_zone(w, world_name(w, apex), parent);
	zone_add_soa(w, z, 3600, 60);
	for (unsigned i = 0; i < servers; i++) {
		const uint8_t *name =
			world_label(w, parent ? z->apex : world_name(w, "rootsrv."), "ns%u", i);
		world_serve(world_host(w, name, z, 1, 0, 3600), z);
	}
	return z;
}

/* db0 to dbN in hot.com, each an alias for a name with an address. */
static void add_names(struct sim *s, struct zone *z, unsigned count)
{
	struct world *w = &s->world;
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *name = world_label(w, z->apex, "db%u", i);
		const uint8_t *target = world_label(w, z->apex, "instance%u", i);
		const uint8_t address[4] = {10, 1, (uint8_t)(i >> 8), (uint8_t)i};
		zone_add_name(w, z, name, TYPE_CNAME, TTL_S, target);
		zone_add(w, z, target, TYPE_A, TTL_S, span_of(address, sizeof(address)));
		if (i < WORLD_NAMES_MAX)
			w->names[i] = name;
	}
	w->name_count = MIN(count, (unsigned)WORLD_NAMES_MAX);
}

static void set_rules(struct sim *s, unsigned min_hits)
{
	struct prefetch_settings *p = &s->settings.prefetch;
	p->enabled = s->settings.stale_enabled = true;
	s->settings.stale_max_age_s = 3600;
	p->all.min_hits = min_hits;
	p->all.window_s = WINDOW_S;
	p->all.min_yield_permille = 0;
	p->all.hold_ms = HOLD_S * 1000;
	p->all.remaining_percent = prng_percent(&s->dice, 30) ? 80 : 0;
	s->quiet_us = (WINDOW_S + 40) * second_us;
}

static struct zone *begin_world(struct sim *s, unsigned names, unsigned min_hits)
{
	struct world *w = &s->world;
	w->mood = MOOD_ROUGH;
	s->life.worker_count = prng_percent(&s->dice, 30) ? 2 : 1;
	struct zone *root = add_zone(s, ".", NULL, 1), *com = add_zone(s, "com.", root, 1);
	struct zone *z = add_zone(s, "hot.com.", com, 2 + prng_below(&s->dice, 3));
	add_names(s, z, names);
	brick_delegate(s, 86400, 86400);
	for (unsigned i = 0; i < w->zone_count && s->settings.dnssec; i++) {
		struct secure_options o = {
			.algorithm = 15, .with_ds = true, .unix_s = sim_now(s).unix_s};
		secure_zone(w, s->keyring, w->zones[i], &o);
	}
	brick_seal(s);
	set_rules(s, min_hits);
	for (unsigned i = 0; i < z->host_count; i++)
		z->hosts[i]->quirks.delay_us = prng_between(&s->dice, 1000, 30000);
	return z;
}

static void make_rough(struct sim *s, struct zone *z)
{
	for (unsigned i = 0; i < z->host_count; i++) {
		struct quirks *q = &z->hosts[i]->quirks;
		q->loss_percent = (uint8_t)prng_below(&s->dice, 21);
		q->slow_percent = (uint8_t)prng_below(&s->dice, 6);
	}
}

void hot_turn(struct sim *s, struct host *host)
{
	struct quirks *q = &host->quirks;
	if (s->hot.outage == OUTAGE_SILENT)
		q->dead = !q->dead;
	else if (q->lame == LAME_NOT)
		q->lame = s->hot.outage == OUTAGE_DENIES ? LAME_DENIES : LAME_REFUSED;
	else
		q->lame = LAME_NOT;
	sim_tell(s, "host %u %s", host->number,
		 q->dead || q->lame != LAME_NOT ? "goes away" : "is back");
}

/* All servers of the zone are away for LENGTH_S. */
static void plan_outage(struct sim *s, struct zone *z, uint64_t at_s, uint64_t length_s)
{
	for (unsigned i = 0; i < z->host_count; i++) {
		struct sim_event turn = {.kind = HAPPEN_OUTAGE, .token = z->hosts[i]->number};
		sim_schedule(s, at_s * second_us, &turn);
		sim_schedule(s, (at_s + length_s) * second_us, &turn);
	}
	s->hot.outage = prng_percent(&s->dice, 40) ? OUTAGE_REFUSES : OUTAGE_SILENT;
	s->hot.outage_from_us = at_s * second_us;
	s->hot.outage_until_us = (at_s + length_s) * second_us;
}

/* ---- who asks -------------------------------------------------------------------------------- */

/* From an exponential distribution with MEAN_MS, cut at 100 s, so that the window is never passed. */
static uint64_t poisson_us(struct sim *s, unsigned mean_ms)
{
	double u = 1.0 - (double)prng_below(&s->dice, 1000000) / 1000000;
	double gap_ms = 0, left = u;
	/* -ln(u) by halving: enough for arrivals, and no need for libm. */
	while (left < 0.5) {
		left *= 2;
		gap_ms += 0.6931472;
	}
	double x = 1 - left;
	gap_ms += x + x * x / 2 + x * x * x / 3 + x * x * x * x / 4;
	uint64_t us = (uint64_t)(gap_ms * mean_ms * 1000);
	return MIN(us, 100 * second_us) + 1000;
}

static void plan_arrivals(struct sim *s, const uint8_t *name, unsigned mean_ms, unsigned count)
{
	bool steady = prng_percent(&s->dice, 40);
	uint64_t at_us = prng_below(&s->dice, 1000000);
	for (unsigned i = 0; i < count; i++) {
		stub_plan(s, at_us, name, TYPE_A);
		at_us += steady ? mean_ms * 1000ull : poisson_us(s, mean_ms);
	}
	s->hot.end_us = MAX(s->hot.end_us, at_us);
}

void build_hot(struct sim *s)
{
	static const unsigned gaps_ms[] = {300, 1000, 2000, 4000, 5000, 8000, 30000};
	unsigned names = prng_between(&s->dice, 1, 5);
	struct zone *z = begin_world(s, names, prng_between(&s->dice, 1, 2));
	make_rough(s, z);
	for (unsigned i = 0; i < names; i++)
		plan_arrivals(s, s->world.names[i], PRNG_PICK(&s->dice, gaps_ms), 300);
}

void build_hot_outage(struct sim *s)
{
	static const unsigned gaps_ms[] = {1000, 2000, 4000, 8000};
	struct zone *z = begin_world(s, 2, 1);
	for (unsigned i = 0; i < 2; i++)
		plan_arrivals(s, s->world.names[i], PRNG_PICK(&s->dice, gaps_ms), 300);
	plan_outage(s, z, 60 + prng_below(&s->dice, 20), prng_between(&s->dice, 2, 40));
}

/* A cache downstream asks the moment its copy has run out: one of them, or many in phase. */
void build_hot_downstream(struct sim *s)
{
	struct zone *z = begin_world(s, 1, prng_between(&s->dice, 1, 2));
	unsigned clients = prng_percent(&s->dice, 50) ? 1 : PHASED_CLIENTS;
	make_rough(s, z);
	s->hot.follow_until_us = clients == 1 ? 1200 * second_us : 60 * second_us;
	for (unsigned i = 0; i < clients; i++)
		stub_plan(s, 1000 + i, s->world.names[0], TYPE_A);
}

/* More names than the rate allows to refresh. */
void build_hot_budget(struct sim *s)
{
	struct zone *z = begin_world(s, NAMES_MAX, 1);
	s->settings.prefetch.max_rate = prng_between(&s->dice, 3, RATE);
	s->hot.overloaded = true;
	make_rough(s, z);
	for (unsigned i = 0; i < NAMES_MAX; i++)
		plan_arrivals(s, s->world.names[i], prng_between(&s->dice, 1000, 6000), 50);
}

/* One name that clients want, and a flood of others, asked for once or as often as it takes. */
void build_hot_attack(struct sim *s)
{
	struct world *w = &s->world;
	bool twice = prng_percent(&s->dice, 50);
	struct zone *z = begin_world(s, 1, 2);
	s->settings.prefetch.max_names = 10;
	s->settings.prefetch.max_rate = RATE;
	plan_arrivals(s, w->names[0], 2000, 300);
	for (unsigned i = 0; i < ATTACK_NAMES; i++) {
		const uint8_t *name = world_label(w, z->apex, "flood%u", i);
		uint64_t at_us = 120 * second_us + i * 100000ull;
		stub_plan(s, at_us, name, TYPE_A);
		if (twice)
			stub_plan(s, at_us + 1100000, name, TYPE_A);
	}
}

/* Keys live for an hour: long enough to see them end. */
void build_hot_signed(struct sim *s)
{
	s->settings.dnssec = true;
	begin_world(s, 1, 1);
	plan_arrivals(s, s->world.names[0], 3000, 1500);
}

static void plan_turn(struct sim *s, const struct host *host, uint64_t at_s)
{
	struct sim_event turn = {.kind = HAPPEN_OUTAGE, .token = host->number};
	sim_schedule(s, at_s * second_us, &turn);
}

/* One of several servers denies everything for a while, over and over. */
void build_hot_flip(struct sim *s)
{
	struct zone *z = begin_world(s, 2, 1);
	s->settings.prefetch.all.flip_guard_ms = GUARD_S * 1000;
	s->hot.outage = OUTAGE_DENIES;
	for (unsigned i = 0; i < 2; i++)
		plan_arrivals(s, s->world.names[i], prng_between(&s->dice, 1000, 4000), 200);
	const struct host *host = z->hosts[prng_below(&s->dice, z->host_count)];
	for (uint64_t at_s = 30; at_s < 180; at_s += 60) {
		plan_turn(s, host, at_s);
		plan_turn(s, host, at_s + prng_between(&s->dice, 5, 40));
	}
}

/* They go away one after the other and stay away, but for the last. */
void build_hot_dying(struct sim *s)
{
	struct zone *z = begin_world(s, 3, 1);
	make_rough(s, z);
	for (unsigned i = 0; i < 3; i++)
		plan_arrivals(s, s->world.names[i], prng_between(&s->dice, 1000, 8000), 150);
	s->hot.outage = prng_percent(&s->dice, 50) ? OUTAGE_REFUSES : OUTAGE_SILENT;
	for (unsigned i = 1; i < z->host_count; i++)
		plan_turn(s, z->hosts[i], 20 + 30 * i + prng_below(&s->dice, 10));
}

/* Nobody for minutes, then hundreds within a few milliseconds. */
void build_hot_crowd(struct sim *s)
{
	enum { CROWDS = 12, PEOPLE = 250 };
	struct zone *z = begin_world(s, 1, 1);
	make_rough(s, z);
	uint64_t at_us = second_us;
	for (unsigned i = 0; i < CROWDS; i++) {
		for (unsigned k = 0; k < PEOPLE; k++)
			stub_plan(s, at_us + prng_below(&s->dice, 20000), s->world.names[0],
				  TYPE_A);
		at_us += prng_between(&s->dice, 3, WINDOW_S - 10) * second_us;
	}
}

/* The daemon is restarted, twice: names are as hot as before, and are served at once by the next
 * one. */
void build_hot_restart(struct sim *s)
{
	static const unsigned gaps_ms[] = {300, 1000, 2000, 4000};
	unsigned names = prng_between(&s->dice, 1, 5);
	struct zone *z = begin_world(s, names, prng_between(&s->dice, 1, 2));
	make_rough(s, z);
	s->life.loads_late = prng_percent(&s->dice, 50);
	for (unsigned i = 0; i < names; i++)
		plan_arrivals(s, s->world.names[i], PRNG_PICK(&s->dice, gaps_ms), 300);
	for (uint64_t at_s = 40; at_s < 120; at_s += 40)
		life_plan_restart(s, at_s * second_us + prng_below(&s->dice, 20000000),
				  prng_between(&s->dice, 10000, 4000000));
}

/* The provider's resolver, which drops what passes its rate. Hot names live there, others are asked
 * for once, and a search list puts its suffix behind public names. */
void build_hot_forward(struct sim *s)
{
	enum { NAMES = 20, ONCE = 400, AT_ONCE = 50, SEARCHED = 800 };
	struct world *w = &s->world;
	struct zone *z = begin_world(s, NAMES, 1);
	struct settings_zone *f = world_alloc(w, sizeof(*f));
	struct host *h = world_host(w, world_name(w, "provider.test."), NULL, 1, 0, 0);
	h->quirks = (struct quirks){.is_recursive = true,
				    .follows_aliases = true,
				    .delay_us = 2000,
				    .slow_percent = (uint8_t)prng_below(&s->dice, 4)};
	dname_copy(z->apex, f->name);
	*f = (struct settings_zone){.forward = true, .insecure = true, .rate_limit = COUNTED_RATE};
	dname_copy(z->apex, f->name);
	f->servers[f->server_count++] = h->addresses[0];
	f->only[f->only_count++] = "db?";
	f->only[f->only_count++] = "db??";
	f->only[f->only_count++] = "once*";
	s->settings.zones = f;
	s->settings.zone_count = 1;
	s->hot.counting = h;
	if (h->quirks.slow_percent == 0)
		s->hot.patience_us = 1500000; /* AT_ONCE at that rate, and some more */
	for (unsigned i = 0; i < NAMES; i++)
		plan_arrivals(s, w->names[i], prng_between(&s->dice, 1000, 6000), 60);
	for (unsigned i = 0; i < ONCE; i++)
		stub_plan(s, 20 * second_us + i * 60000ull, world_label(w, z->apex, "once%u", i),
			  TYPE_A);
	for (unsigned i = 0; i < AT_ONCE; i++)
		stub_plan(s, 15 * second_us, world_label(w, z->apex, "once-%u", i), TYPE_A);
	for (unsigned i = 0; i < SEARCHED; i++)
		stub_plan(s, 20 * second_us + i * 20000ull,
			  world_label(w, world_label(w, z->apex, "com"), "name%u", i % 50), TYPE_A);
}

/* ---- what must hold -------------------------------------------------------------------------- */

bool hot_is_watched(const struct sim *s)
{
	return s->profile->finish == finish_hot;
}

static bool is_watched(const struct sim *s, const uint8_t *name)
{
	for (unsigned i = 0; i < s->world.name_count; i++)
		if (dname_equal(s->world.names[i], name))
			return true;
	return false;
}

/* An outage that lasted longer than the hold: names rest until a client brings them back. */
static bool is_long(const struct hot *h)
{
	return h->outage_until_us - h->outage_from_us > HOLD_S * second_us;
}

/* The seconds in which somebody was answered before C asked, without a window of silence: enough of
 * them make the name hot. */
static bool is_hot(const struct sim *s, const struct stub *c)
{
	unsigned hits = 0;
	uint64_t last_s = 0, since_us = 0;
	if (is_long(&s->hot) && s->now_us > s->hot.outage_from_us + HOLD_S * second_us)
		since_us = s->hot.outage_until_us + RECOVERY_S * second_us;
	for (unsigned i = 0; i < s->stubs.count; i++) {
		const struct stub *o = s->stubs.list[i];
		if (o == c || o->state != STUB_ANSWERED || o->rcode != RCODE_NOERROR ||
		    o->answered_us >= c->asked_us || o->answered_us < since_us ||
		    !dname_equal(o->qname, c->qname))
			continue;
		uint64_t at_s = o->answered_us / second_us + 1;
		hits += at_s != last_s;
		last_s = at_s;
	}
	return hits > s->settings.prefetch.all.min_hits;
}

static bool is_excused(const struct sim *s)
{
	const struct hot *h = &s->hot;
	return h->overloaded || (is_long(h) && s->now_us > h->outage_from_us + HOLD_S * second_us &&
				 s->now_us < h->outage_until_us + RECOVERY_S * second_us);
}

/* What is served at once though it has expired is not older than the hold, and is about to be
 * replaced. In an outage serve-stale goes on behind the hold. */
static void check_staleness(struct sim *s, const struct stub *c)
{
	const struct entry *e = answer_find(s->life.workers[0].reader, c->qname,
					    dname_len(c->qname), c->qtype, false, sim_now(s));
	if (!e || !c->was_hit)
		return;
	int64_t stale_ms = sim_now(s).cache_ms - e->expires_ms;
	bool held = stale_ms > 0 && stale_ms <= HOLD_S * 1000;
	if (stale_ms > HOLD_S * 1000 && s->hot.outage_until_us == 0)
		sim_fail(s, "no answer is staler than its hold", "client %llu: %lld ms",
			 (unsigned long long)c->token, (long long)stale_ms);
	if (held && c->fresh_until_us > s->now_us + second_us)
		sim_fail(s, "what is about to be replaced is told for a second at most",
			 "client %llu: for %llu ms", (unsigned long long)c->token,
			 (unsigned long long)(c->fresh_until_us - s->now_us) / 1000);
	s->hot.asked++;
	s->hot.stale += stale_ms > 0;
}

/* The keys that hot names are validated with are renewed before they end. */
static void check_keys(struct sim *s)
{
	static const uint16_t types[] = {TYPE_DNSKEY, TYPE_DS};
	struct zone *z = s->world.zones[2];
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const struct entry *e = cache_find(s->life.workers[0].reader, ENTRY_RRSET, z->apex,
						   dname_len(z->apex), types[i]);
		if (!e || !entry_is_fresh(e, sim_now(s)))
			sim_fail(s, "keys of hot names are renewed in time", "type %u", types[i]);
	}
}

void asked_hot(struct sim *s, const struct stub *c)
{
	if (!is_watched(s, c->qname))
		return;
	check_staleness(s, c);
	if (s->settings.dnssec && c->was_hit)
		check_keys(s);
	if (c->state == STUB_WAITING && !is_excused(s) && is_hot(s, c))
		sim_fail(s, "nobody waits for a hot name", "client %llu",
			 (unsigned long long)c->token);
}

/* C, a cache, comes back when its copy has run out. */
void answered_hot(struct sim *s, const struct stub *c)
{
	if (s->hot.patience_us && s->now_us - c->asked_us > s->hot.patience_us)
		sim_fail(s, "no miss waits for refreshes", "client %llu waited %llu ms",
			 (unsigned long long)c->token,
			 (unsigned long long)(s->now_us - c->asked_us) / 1000);
	if (s->now_us >= s->hot.follow_until_us || s->stubs.count == STUBS_MAX)
		return;
	/* CoreDNS keeps everything for a second at least. */
	uint64_t next_us = MAX(c->fresh_until_us, s->now_us + second_us);
	stub_plan(s, next_us + 1000, c->qname, c->qtype);
}

/* The provider's resolver counts packets, a TCP exchange as five, and drops what is too many: its rate
 * must never be passed in any second. */
void hot_counts(struct sim *s, const struct host *host, bool tcp)
{
	struct hot *h = &s->hot;
	if (!h->counting || host != h->counting)
		return;
	for (unsigned i = 0; i < (tcp ? 5 : 1); i++) {
		uint64_t *slot = &h->counted_us[h->counted % COUNTED_RATE];
		if (h->counted >= COUNTED_RATE && s->now_us - *slot < second_us)
			sim_fail(s, "a counted server gets no more than its rate",
				 "%u packets in %llu ms", COUNTED_RATE + 1,
				 (unsigned long long)(s->now_us - *slot) / 1000);
		*slot = s->now_us;
		h->counted++;
	}
}

void stepped_hot(struct sim *s)
{
	struct hot *h = &s->hot;
	struct resolver_stats stats;
	const struct prefetch_settings *p = &s->settings.prefetch;
	uint64_t sent = metrics_get(&s->metrics, METRIC_prefetch_sent_total);
	for (; h->sent < sent; h->sent++) {
		uint64_t *slot = &h->sent_us[h->sent % p->max_rate];
		if (h->sent >= p->max_rate && s->now_us - *slot < second_us)
			sim_fail(s, "refreshes keep to their rate", "more than %u in %llu ms",
				 p->max_rate, (unsigned long long)(s->now_us - *slot) / 1000);
		*slot = s->now_us;
	}
	life_read_stats(s, &stats);
	if (stats.kept_names > p->max_names)
		sim_fail(s, "names kept are bounded", "%zu of %u", stats.kept_names, p->max_names);
}

void finish_hot(struct sim *s)
{
	struct resolver_stats stats;
	life_read_stats(s, &stats);
	if (stats.kept_names > 0)
		sim_fail(s, "no name is kept after its window", "%zu left", stats.kept_names);
	if (!metrics_get(&s->metrics, METRIC_prefetch_sent_total))
		sim_fail(s, "hot names are refreshed", "none was");
	sim_tell(s, "%llu asked, %llu of them stale; refreshes: %llu sent, %llu late, %llu failed",
		 (unsigned long long)s->hot.asked, (unsigned long long)s->hot.stale,
		 (unsigned long long)metrics_get(&s->metrics, METRIC_prefetch_sent_total),
		 (unsigned long long)metrics_get(&s->metrics, METRIC_prefetch_late_total),
		 (unsigned long long)metrics_get(&s->metrics, METRIC_prefetch_failed_total));
}
