#include "resolve/prefetch.h"

#include <stdlib.h>

#include "resolve/lead.h"
#include "resolve/prefetch_kept.h"
#include "resolve/prefetch_rotation.h"
#include "resolve/servers.h"

enum {
	BUCKETS = 8192,
	MARK_KEPT = 2,	   /* in entry->visited: known to be kept, the table need not be searched */
	PUSH_MS = 750,	   /* a refresh without an answer for so long is pushed */
	RUNNING_MAX = 512, /* refreshes at a time: an eighth of LIMIT_QUERIES */
	BUSY_RETRY_MS = 20,
	SAMPLES = 8,	     /* names looked at for the least worthy when there are too many */
	HITS_COUNTED = 1000, /* no name is so popular that it is kept for that alone */
	WAKE_MIN_MS = 1,
	LAST_TRY_MS = LIMIT_FAILURE_MIN_MS,
	CLAIM_SLACK_MS = 1000, /* claims count seconds, and a refresh takes its time */
};

#define KEPT_OF(heap_node) ((struct kept *)((char *)(heap_node)-offsetof(struct kept, node)))

/* A time in cache_ms on the scale of the timers. */
static uint64_t mono_of(struct now now, int64_t cache_ms)
{
	uint64_t at_ms = now_mono_ms(now);
	return cache_ms > now.cache_ms ? at_ms + (uint64_t)(cache_ms - now.cache_ms) : at_ms;
}

/* ---- life ------------------------------------------------------------------------------------ */

enum err prefetch_new(struct resolver *r, struct prefetch_shared *shared, struct prefetch **out)
{
	struct prefetch *p = calloc(1, sizeof(*p));
	if (!p)
		return ERR_NO_MEMORY;
	p->resolver = r;
	heap_init(&p->due);
	heap_init(&p->waiting);
	p->buckets = calloc(BUCKETS, sizeof(*p->buckets));
	if (!shared && prefetch_shared_new(&p->own) == OK) {
		shared = p->own; /* its key from the seed, so that a run can be repeated */
		rng_bytes(&r->rng, shared->claims.key.bytes, sizeof(shared->claims.key.bytes));
	}
	if (!p->buckets || !shared || rotations_new(&p->rotations) != OK) {
		prefetch_free(p);
		return ERR_NO_MEMORY;
	}
	p->shared = shared;
	p->owner = claims_owner(&shared->claims);
	*out = p;
	return OK;
}

static struct kept **find_slot(const struct prefetch *p, uint64_t hash, const uint8_t *name,
			       uint16_t type)
{
	struct kept **at = &p->buckets[(hash >> 13) % BUCKETS];
	while (*at &&
	       !((*at)->hash == hash && (*at)->qtype == type && dname_equal((*at)->qname, name)))
		at = &(*at)->next;
	return at;
}

void prefetch_free(struct prefetch *p)
{
	if (!p)
		return;
	for (size_t i = 0; p->buckets && i < BUCKETS; i++) {
		while (p->buckets[i]) {
			struct kept *k = p->buckets[i];
			p->buckets[i] = k->next;
			free(k);
		}
	}
	heap_deinit(&p->due);
	heap_deinit(&p->waiting);
	free(p->buckets);
	rotations_free(p->rotations);
	prefetch_shared_free(p->own);
	free(p);
}

/* ---- entries --------------------------------------------------------------------------------- */

static void set_mark(const struct entry *e, bool kept)
{
	uint8_t *visited = &((struct entry *)(uintptr_t)e)->visited;
	__atomic_store_n(visited, kept ? MARK_KEPT : 1, __ATOMIC_RELAXED);
}

static bool has_mark(const struct entry *e)
{
	return __atomic_load_n(&e->visited, __ATOMIC_RELAXED) == MARK_KEPT;
}

const struct entry *kept_find(const struct prefetch *p, const struct kept *k, bool with_sigs)
{
	const struct resolver *r = p->resolver;
	const struct entry *e = answer_find(r->client_context.reader, k->qname, dname_len(k->qname),
					    k->qtype, with_sigs, r->now);
	return e && e->rank >= RANK_FORWARDED && e->verdict != VERDICT_BOGUS ? e : NULL;
}

const struct entry *kept_absorb(struct prefetch *p, struct kept *k)
{
	const struct entry *plain = kept_find(p, k, false), *signed_one = kept_find(p, k, true);
	uint32_t window_s = prefetch_rule_for(kept_settings_of(p), k->qname)->window_s;
	const struct entry *entries[] = {plain, signed_one == plain ? NULL : signed_one};
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		if (!entries[i])
			continue;
		struct popularity here = popularity_read(entries[i]), *known = &k->popularity;
		if (here.last_hit_s >= known->last_hit_s && here.hits >= known->hits) {
			*known = here;
		} else {
			if (here.last_hit_s > known->last_hit_s)
				*known = popularity_add(*known, here.last_hit_s, window_s);
			popularity_write(entries[i], *known);
		}
		set_mark(entries[i], true);
	}
	return plain ? plain : signed_one;
}

/* ---- keeping and letting go ------------------------------------------------------------------ */

/* Was the last refresh worth it? */
void kept_count_use(struct prefetch *p, struct kept *k)
{
	struct metrics *m = p->resolver->metrics;
	if (k->refreshed_s == 0)
		return;
	bool used = k->popularity.last_hit_s >= k->refreshed_s;
	metrics_add(m, used ? METRIC_prefetch_useful_total : METRIC_prefetch_wasted_total, 1);
	k->refreshed_s = 0;
}

static void let_go(struct prefetch *p, struct kept *k)
{
	struct kept **at = find_slot(p, k->hash, k->qname, k->qtype);
	REQUIRE(*at == k);
	for (unsigned with_sigs = 0; with_sigs < 2; with_sigs++) {
		const struct entry *e = kept_find(p, k, with_sigs);
		if (e && has_mark(e))
			set_mark(e, false);
	}
	kept_count_use(p, k);
	*at = k->next;
	heap_remove(k->waiting ? &p->waiting : &p->due, &k->node);
	if (k->query) {
		k->query->kept = NULL;
		p->running--;
	}
	claims_release(&p->shared->claims, k->hash, p->owner);
	atomic_fetch_sub_explicit(&p->shared->kept, 1, memory_order_relaxed);
	p->count--;
	free(k);
}

/* How much K deserves its place: how often it is asked for, and how long that has been so. What a
 * stranger could choose, such as the TTL, does not count, and each hit takes him a second. */
static uint64_t worth_of(const struct kept *k, struct now now)
{
	uint64_t hits = MIN(k->popularity.hits, (uint32_t)HITS_COUNTED);
	return hits * 1000000 / MAX(prefetch_gap_ms(&k->popularity, k->ttl_s, now), 1u);
}

/* There are too many names: the least worthy of a few chosen at random makes room for NEWCOMER. */
static bool make_room(struct prefetch *p, const struct kept *newcomer)
{
	struct now now = p->resolver->now;
	struct kept *least = NULL;
	for (unsigned i = 0; i < SAMPLES && p->due.count > 0; i++) {
		struct kept *k =
			KEPT_OF(p->due.nodes[rng_below(&p->resolver->rng, (uint32_t)p->due.count)]);
		if (!k->query && (!least || worth_of(k, now) < worth_of(least, now)))
			least = k;
	}
	if (!least || worth_of(least, now) >= worth_of(newcomer, now))
		return false;
	let_go(p, least);
	return true;
}

static void set_wake(struct prefetch *p, struct kept *k, uint64_t at_ms)
{
	uint64_t soonest = now_mono_ms(p->resolver->now) + WAKE_MIN_MS;
	if (heap_set(&p->due, &k->node, MAX(at_ms, soonest)) != OK)
		let_go(p, k);
}

int64_t kept_hold_until_ms(const struct kept *k, const struct prefetch_rule *rule)
{
	int64_t slack_ms = k->forwarded ? KEPT_FORWARD_RETRY_MS : 0;
	return MAX(k->expires_ms, k->revived_ms) + rule->hold_ms + slack_ms;
}

/* When K's next refresh is due, in cache_ms. */
static int64_t due_of(struct prefetch *p, const struct kept *k, const struct prefetch_rule *rule,
		      int64_t hold_until_ms)
{
	if (k->doubt_ms > 0) /* asked again at once, or as soon as may be */
		return MAX(k->retry_ms, p->resolver->now.cache_ms);
	uint32_t lead_ms = prefetch_lead_ms(rule, k->forwarded, k->ttl_s, k->chain_ms);
	uint32_t jitter_ms = prefetch_jitter_ms(k->ttl_s, lead_ms);
	int64_t due_ms = k->expires_ms - lead_ms - rng_below(&p->resolver->rng, jitter_ms + 1);
	due_ms = MAX(due_ms, k->retry_ms);
	/* However long the pause after failures has become: a last try when the hold ends. */
	bool last =
		due_ms > hold_until_ms && p->resolver->now.cache_ms + LAST_TRY_MS < hold_until_ms;
	return last ? hold_until_ms : due_ms;
}

void kept_plan(struct prefetch *p, struct kept *k)
{
	struct now now = p->resolver->now;
	const struct prefetch_rule *rule = prefetch_rule_for(kept_settings_of(p), k->qname);
	const struct entry *e = kept_absorb(p, k);
	if (e && e->expires_ms != k->expires_ms) {
		k->expires_ms = e->expires_ms;
		k->ttl_s = e->ttl_s;
		k->failures = 0;
		k->retry_ms = 0;
		k->doubt_ms = 0;
		k->forwarded = e->rank == RANK_FORWARDED;
	}
	int64_t until_ms = kept_hold_until_ms(k, rule), due_ms = due_of(p, k, rule, until_ms);
	int64_t silent_ms = ((int64_t)k->popularity.last_hit_s + 1) * 1000 +
			    (int64_t)prefetch_patience_ms(&k->popularity, rule, k->ttl_s);
	int64_t claim_ms = MAX(MAX(until_ms, due_ms), now.cache_ms) + CLAIM_SLACK_MS;
	if (!prefetch_is_hot(&k->popularity, rule, k->ttl_s, now) ||
	    !claims_take(&p->shared->claims, k->hash, p->owner, (uint32_t)(claim_ms / 1000),
			 kept_seconds_of(now))) {
		let_go(p, k);
		return;
	}
	set_wake(p, k, mono_of(now, MIN(due_ms, silent_ms)));
}

static void keep(struct prefetch *p, const struct entry *e, const uint8_t *qname, uint16_t qtype,
		 uint64_t hash)
{
	size_t len = dname_len(qname);
	struct kept *k = calloc(1, sizeof(*k) + len);
	if (!k)
		return;
	memcpy(k->qname, qname, len);
	k->qtype = qtype;
	k->hash = hash;
	k->popularity = popularity_read(e);
	k->expires_ms = e->expires_ms;
	k->ttl_s = e->ttl_s;
	k->forwarded = e->rank == RANK_FORWARDED;
	if (!entry_is_fresh(e, p->resolver->now))
		k->revived_ms = p->resolver->now.cache_ms;
	bool full = atomic_load_explicit(&p->shared->kept, memory_order_relaxed) >=
		    kept_settings_of(p)->max_names;
	if (full && !make_room(p, k)) {
		free(k);
		return;
	}
	*find_slot(p, hash, qname, qtype) = k;
	atomic_fetch_add_explicit(&p->shared->kept, 1, memory_order_relaxed);
	p->count++;
	kept_plan(p, k);
}

/* ---- counting -------------------------------------------------------------------------------- */

/* E can be refreshed by asking its question again. */
static bool can_be_kept(const struct prefetch *p, const struct entry *e)
{
	if (e->kind == ENTRY_FAILURE || e->kind == ENTRY_DELEGATION || e->verdict == VERDICT_BOGUS)
		return false;
	if (e->verdict == VERDICT_UNCHECKED && p->resolver->settings->dnssec)
		return false;
	return e->rank >= RANK_FORWARDED && !(e->flags & ENTRY_SYNTHESISED);
}

/* One question stands for all types of a name that does not exist. */
static uint16_t kept_type(const struct entry *e, uint16_t qtype)
{
	return e->type == 0 ? TYPE_A : qtype;
}

static void consider(struct prefetch *p, const struct entry *e, const uint8_t *qname,
		     uint16_t qtype, struct now now)
{
	const struct prefetch_rule *rule = prefetch_rule_for(kept_settings_of(p), qname);
	struct popularity popularity = popularity_read(e);
	qtype = kept_type(e, qtype);
	if (!can_be_kept(p, e) || !prefetch_is_hot(&popularity, rule, e->ttl_s, now))
		return;
	uint64_t hash = claims_hash(&p->shared->claims, qname, dname_len(qname), qtype);
	struct kept *k = *find_slot(p, hash, qname, qtype);
	p->resolver->now = now;
	if (k) {
		set_mark(e, true);
		if (!k->query && !k->waiting && e->expires_ms > k->expires_ms)
			kept_plan(p, k); /* a client brought it back */
		return;
	}
	uint32_t now_s = kept_seconds_of(now);
	if (claims_is_taken(&p->shared->claims, hash, now_s))
		set_mark(e, true);
	else
		keep(p, e, qname, qtype, hash);
}

void prefetch_count(struct prefetch *p, const struct entry *e, const uint8_t *qname, uint16_t qtype,
		    struct now now)
{
	const struct prefetch_settings *s = kept_settings_of(p);
	struct popularity popularity = popularity_read(e);
	uint32_t now_s = kept_seconds_of(now), window_s = s->window_min_s;
	if (now_s > popularity.last_hit_s + window_s && popularity.hits > 0)
		window_s = prefetch_rule_for(s, qname)->window_s;
	popularity = popularity_add(popularity, now_s, window_s);
	popularity_write(e, popularity);
	if (popularity.hits >= s->min_hits_min && !has_mark(e))
		consider(p, e, qname, qtype, now);
}

void prefetch_answered(struct prefetch *p, const struct query *q)
{
	const struct resolver *r = p->resolver;
	if (!kept_settings_of(p)->enabled)
		return;
	for (unsigned with_sigs = 0; with_sigs < 2; with_sigs++) {
		const struct entry *e =
			answer_find(r->client_context.reader, q->qname, dname_len(q->qname),
				    q->qtype, with_sigs, r->now);
		if (e && entry_is_fresh(e, r->now) && e->rank >= RANK_FORWARDED)
			prefetch_hit(p, e, q->qname, q->qtype, r->now);
	}
}

void prefetch_keep(struct prefetch *p, const struct entry *e, struct now now)
{
	consider(p, e, entry_name(e), e->type, now);
}

bool prefetch_holds(const struct prefetch *p, const struct entry *stale, const uint8_t *qname,
		    uint16_t qtype, struct now now)
{
	const struct prefetch_settings *s = kept_settings_of(p);
	const struct prefetch_rule *rule = prefetch_rule_for(s, qname);
	if (!s->enabled || now.cache_ms - stale->expires_ms > (int64_t)rule->hold_ms)
		return false;
	uint64_t hash =
		claims_hash(&p->shared->claims, qname, dname_len(qname), kept_type(stale, qtype));
	return claims_is_taken(&p->shared->claims, hash, kept_seconds_of(now));
}

/* ---- refreshing ------------------------------------------------------------------------------ */

static void wait_for_token(struct prefetch *p, struct kept *k)
{
	struct now now = p->resolver->now;
	uint64_t per_refresh = prefetch_yield_permille(&k->popularity, k->ttl_s, now);
	heap_remove(&p->due, &k->node);
	k->waiting = true;
	if (heap_set(&p->waiting, &k->node, UINT64_MAX - per_refresh) != OK) {
		k->waiting = false;
		let_go(p, k);
	}
}

/* K's time has come: for a refresh, for pushing one, or only for looking at it again. */
static void wake(struct prefetch *p, struct kept *k)
{
	struct now now = p->resolver->now;
	const struct prefetch_rule *rule = prefetch_rule_for(kept_settings_of(p), k->qname);
	if (k->query) {
		servers_allow_probe(k->query);
		if (now.cache_ms >= k->expires_ms) /* what is held meanwhile ends as it does now */
			(void)lead_from(p->resolver, k->qname, k->qtype, k->query->name);
		set_wake(p, k, now_mono_ms(now) + PUSH_MS);
		return;
	}
	const struct entry *e = kept_absorb(p, k);
	uint32_t lead_ms = prefetch_lead_ms(rule, k->forwarded, k->ttl_s, k->chain_ms);
	lead_ms += prefetch_jitter_ms(k->ttl_s, lead_ms) + WAKE_MIN_MS;
	bool replaced = e && e->expires_ms != k->expires_ms; /* by a client or another worker */
	bool early = (now.cache_ms + lead_ms < k->expires_ms && k->doubt_ms == 0) ||
		     now.cache_ms < k->retry_ms;
	if (replaced || early || !prefetch_is_hot(&k->popularity, rule, k->ttl_s, now)) {
		kept_plan(p, k);
		return;
	}
	wait_for_token(p, k);
}

static void start(struct prefetch *p, struct kept *k)
{
	struct resolver *r = p->resolver;
	heap_remove(&p->waiting, &k->node);
	k->waiting = false;
	k->query = query_open_refresh(r, k->qname, k->qtype);
	if (!k->query) { /* memory is out, or a client asks for it at the moment */
		k->retry_ms = r->now.cache_ms + PUSH_MS;
		kept_plan(p, k);
		return;
	}
	k->query->kept = k;
	if (kept_is_in_doubt(k, prefetch_rule_for(kept_settings_of(p), k->qname), r->now))
		query_confirm(k->query, &k->denier);
	p->running++;
	metrics_add(r->metrics, METRIC_prefetch_sent_total, 1);
	set_wake(p, k, now_mono_ms(r->now) + PUSH_MS);
}

/* Begin refreshes as far as the budget goes. */
static void start_waiting(struct prefetch *p)
{
	struct resolver *r = p->resolver;
	struct throttle_limit limit = throttle_limit_of(kept_settings_of(p)->max_rate, 1);
	struct heap_node *node;
	uint64_t now_ms = now_mono_ms(r->now);
	for (unsigned i = 0; (node = heap_min(&p->waiting)); i++) {
		if (i == LIMIT_STEP_DUE) {
			p->token_ms = now_ms;
			return;
		}
		if (p->running >= RUNNING_MAX || r->query_count > LIMIT_QUERIES / 2) {
			p->token_ms = now_ms + BUSY_RETRY_MS; /* clients first */
			return;
		}
		uint32_t wait_ms =
			throttle_pass(&p->shared->arrival_us, &limit, resolver_shared_now(r));
		if (wait_ms > 0) {
			metrics_add(r->metrics, METRIC_prefetch_throttled_total, 1);
			p->token_ms = now_ms + wait_ms;
			return;
		}
		start(p, KEPT_OF(node));
	}
	p->token_ms = UINT64_MAX;
}

void prefetch_deadline(struct prefetch *p)
{
	uint64_t now_ms = now_mono_ms(p->resolver->now);
	struct heap_node *node;
	if (p->count == 0)
		return;
	for (unsigned i = 0; i < LIMIT_STEP_DUE; i++) {
		node = heap_min(&p->due);
		if (!node || node->key > now_ms)
			break;
		wake(p, KEPT_OF(node));
	}
	if (p->waiting.count > 0 && (p->token_ms == UINT64_MAX || p->token_ms <= now_ms))
		start_waiting(p);
}

uint64_t prefetch_next_ms(const struct prefetch *p)
{
	const struct heap_node *due = heap_min(&p->due);
	uint64_t at = due ? due->key : UINT64_MAX;
	return p->waiting.count > 0 ? MIN(at, p->token_ms) : at;
}

/* ---- the rest -------------------------------------------------------------------------------- */

void prefetch_settings_changed(struct prefetch *p)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct kept *k = p->buckets[i], *next; k; k = next) {
			next = k->next;
			const struct prefetch_rule *rule =
				prefetch_rule_for(kept_settings_of(p), k->qname);
			if (!kept_settings_of(p)->enabled || k->popularity.hits < rule->min_hits)
				let_go(p, k);
		}
	}
}

bool prefetch_is_pressed(const struct prefetch *p, const struct query *q)
{
	const struct kept *k = q->kept;
	if (!k)
		return false;
	const struct prefetch_rule *rule = prefetch_rule_for(kept_settings_of(p), k->qname);
	int64_t since_ms = MAX(k->expires_ms, k->revived_ms);
	return p->resolver->now.cache_ms >= since_ms + rule->hold_ms / 2;
}

/* Take one of RATE packets a second from where the bucket of KEY is among BUCKETS. */
static uint32_t take_packet(struct prefetch *p, _Atomic uint64_t *buckets, struct span key,
			    uint32_t rate)
{
	uint64_t hash = hash_bytes(&p->shared->claims.key, key);
	struct throttle_limit limit = throttle_limit_of(MAX(rate, 1u), 1);
	return throttle_pass(&buckets[hash % PREFETCH_UPSTREAM_SLOTS], &limit,
			     resolver_shared_now(p->resolver));
}

uint32_t prefetch_upstream_wait_ms(struct prefetch *p, const struct endpoint *address,
				   const uint8_t *zone)
{
	uint32_t rate = kept_settings_of(p)->max_rate, wait_ms = 0;
	if (zone)
		wait_ms = take_packet(p, p->shared->zone_us, span_of(zone, dname_len(zone)),
				      rate / PREFETCH_ZONE_SHARE);
	if (wait_ms > 0)
		return wait_ms;
	return take_packet(p, p->shared->upstream_us, span_of(address->addr, sizeof(address->addr)),
			   rate);
}

void prefetch_read_stats(const struct prefetch *p, struct prefetch_stats *out)
{
	*out = (struct prefetch_stats){
		.kept = p->count, .running = p->running, .waiting = p->waiting.count};
}
