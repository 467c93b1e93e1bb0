/*
 * The end of a refresh: whether what came may replace what is there, and what it means for the name.
 */
#include "resolve/lead.h"
#include "resolve/prefetch_change.h"
#include "resolve/prefetch_kept.h"
#include "resolve/prefetch_rotation.h"

static bool is_good(const struct answer *a)
{
	return (a->rcode == RCODE_NOERROR || a->rcode == RCODE_NXDOMAIN) &&
	       a->verdict != VERDICT_BOGUS && !a->no_store;
}

/* What is about to be replaced by Q's answer, in memory of the turn; NULL if there is nothing. */
static struct answer *load_old(struct prefetch *p, const struct query *q)
{
	struct resolver *r = p->resolver;
	struct arena *turn = &r->turn_arena;
	const struct entry *e = kept_find(p, q->kept, false);
	struct answer *old = e ? arena_alloc(turn, sizeof(*old)) : NULL;
	if (!old || answer_from_entry(e, q->qname, q->qtype, r->now, turn, old) != OK)
		return NULL;
	return old;
}

/* A's data, told apart from other data with a key that nobody knows. */
static uint64_t data_hash(const struct prefetch *p, const struct answer *a)
{
	const struct hash_key *key = &p->resolver->table_key;
	uint64_t sum = a->rcode;
	for (uint32_t i = 0; i < a->answer_count; i++) {
		const struct rrset *set = &a->answer[i];
		sum = sum * 31 + hash_bytes(key, span_of(set->owner, dname_len(set->owner)));
		sum = sum * 31 + hash_bytes(key, set->rdata) + set->type;
	}
	return sum;
}

/* Never 0, which is nobody's. */
static uint32_t address_hash(const struct resolver *r, const struct endpoint *address)
{
	return (uint32_t)hash_bytes(&r->table_key, span_of(address, sizeof(*address))) | 1;
}

static void note_tellers(const struct query *q, uint32_t out[TELLERS_MAX])
{
	for (unsigned i = 0; i < TELLERS_MAX; i++)
		out[i] = i < q->teller_count ? address_hash(q->resolver, &q->tellers[i]) : 0;
}

/* Its tellers are followed from now on. Not who only goes back later: that may be all that it knows. */
static void remember_change(const struct prefetch *p, const struct query *q,
			    const struct answer *old)
{
	struct kept *k = q->kept;
	bool follows = kept_has_changed(k, p->resolver->now);
	bool returns = k->changed_ms > 0 && data_hash(p, &q->answer) == k->replaced;
	k->replaced = data_hash(p, old);
	k->return_ms = 0;
	if (returns && !follows)
		return;
	k->changed_ms = p->resolver->now.cache_ms;
	note_tellers(q, k->tellers);
}

static bool is_among(const struct query *q, const uint32_t tellers[TELLERS_MAX],
		     const struct endpoint *address)
{
	uint32_t hash = address_hash(q->resolver, address);
	for (unsigned i = 0; i < TELLERS_MAX; i++)
		if (tellers[i] == hash)
			return true;
	return false;
}

bool prefetch_prefers(const struct query *q, const struct endpoint *address)
{
	const struct kept *k = q->kept;
	return k && kept_has_changed(k, q->resolver->now) && is_among(q, k->tellers, address);
}

bool prefetch_avoids(const struct query *q, const struct endpoint *address)
{
	const struct kept *k = q->kept;
	return k && k->return_doubted && !kept_has_changed(k, q->resolver->now) &&
	       is_among(q, k->returners, address);
}

/* Q goes back to what was replaced, and nobody says so of those who told the change: once more, if no client
 * waits for it. Later, when they are not followed any more, it is one that has never heard of the change, or
 * one that tells the newest: another is asked, as long as such returns have not gone on for long. */
static bool is_doubtful_return(const struct prefetch *p, const struct query *q,
			       const struct answer *old)
{
	const struct kept *k = q->kept;
	struct now now = p->resolver->now;
	if (q->waiters || k->return_doubted || k->changed_ms == 0 || k->rotates ||
	    prefetch_same_data(old, &q->answer) || data_hash(p, &q->answer) != k->replaced)
		return false;
	if (!kept_has_changed(k, now))
		return k->return_ms == 0 || now.cache_ms < k->return_ms + LIMIT_RETURNS_MS;
	for (unsigned i = 0; i < MIN(q->teller_count, (unsigned)TELLERS_MAX); i++)
		if (prefetch_prefers(q, &q->tellers[i]))
			return false;
	return true;
}

static void note_change(struct prefetch *p, struct query *q, const struct answer *old)
{
	const struct resolver *r = p->resolver;
	struct metrics *m = r->metrics;
	const struct prefetch_settings *s = kept_settings_of(p);
	const struct prefetch_rule *rule = prefetch_rule_for(s, q->qname);
	struct prefetch_change change;
	struct rotation rotation;
	if (prefetch_same_data(old, &q->answer))
		return;
	metrics_add(m, METRIC_prefetch_changed_total, 1);
	metrics_count_key(m, FAMILY_prefetch_changed_by_zone_total,
			  rule == &s->all ? (struct span){0}
					  : span_of(rule->name, dname_len(rule->name)));
	prefetch_describe_change(old, &q->answer, &change);
	rotation_note(p->rotations, q->kept->hash ^ q->qtype, old, &q->answer, r->now, &rotation);
	q->kept->rotates = rotation.rotates;
	remember_change(p, q, old);
	prefetch_log_change(&change, &rotation);
	if (r->changed)
		r->changed(r->changed_context, &change);
}

/* Q turns the data of OLD into a denial that nobody but the last server has told, and clients need
 * not wait for the truth: they have OLD. */
static bool is_doubtful(struct prefetch *p, const struct query *q, const struct answer *old)
{
	const struct kept *k = q->kept;
	const struct prefetch_rule *rule = prefetch_rule_for(kept_settings_of(p), k->qname);
	bool first = k->doubt_ms == 0;
	if (rule->flip_guard_ms == 0 || q->confirming || q->waiters)
		return false;
	if (!prefetch_has_data(old) || prefetch_has_data(&q->answer))
		return false;
	if (q->answer.verdict == VERDICT_SECURE || q->reply_server >= q->zone.server_count)
		return false;
	return first || kept_is_in_doubt(k, rule, p->resolver->now);
}

bool prefetch_accept(struct prefetch *p, struct query *q)
{
	struct kept *k = q->kept;
	if (!is_good(&q->answer))
		return false; /* what is there is better, fresh or expired */
	const struct answer *old = k ? load_old(p, q) : NULL;
	if (!old)
		return true;
	if (is_doubtful_return(p, q, old)) {
		q->doubted = k->return_doubted = true;
		k->return_ms = k->return_ms ? k->return_ms : p->resolver->now.cache_ms;
		note_tellers(q, k->returners);
		metrics_add(p->resolver->metrics, METRIC_prefetch_returns_doubted_total, 1);
		return false;
	}
	k->return_doubted = false;
	if (!is_doubtful(p, q, old)) {
		note_change(p, q, old);
		return true;
	}
	k->denier = q->zone.servers[q->reply_server].address;
	if (k->doubt_ms == 0) {
		k->doubt_ms = p->resolver->now.cache_ms;
		metrics_add(p->resolver->metrics, METRIC_prefetch_flips_doubted_total, 1);
		prefetch_tell_doubt(old, &q->answer, &k->denier);
	}
	q->doubted = true;
	return false;
}

static void fail(struct prefetch *p, struct kept *k, const struct query *q)
{
	struct resolver *r = p->resolver;
	const struct prefetch_rule *rule = prefetch_rule_for(kept_settings_of(p), k->qname);
	bool held = r->now.cache_ms < kept_hold_until_ms(k, rule);
	uint32_t left_ms = (uint32_t)MAX(k->expires_ms - r->now.cache_ms, (int64_t)0);
	uint32_t pause_ms =
		held ? prefetch_retry_ms(k->failures, left_ms, rule->hold_ms) : KEPT_REST_MS;
	metrics_add(r->metrics, METRIC_prefetch_failed_total, 1);
	k->retry_ms = r->now.cache_ms + pause_ms + rng_below(&r->rng, pause_ms / 4 + 1);
	if (k->failures < UINT8_MAX)
		k->failures++;
	if (!q->shortage)
		(void)lead_from(r, k->qname, k->qtype, q->name);
}

static void succeed(struct prefetch *p, struct kept *k, const struct query *q)
{
	struct now now = p->resolver->now;
	const struct entry *e = kept_absorb(p, k);
	if (now.cache_ms > k->expires_ms)
		metrics_add(p->resolver->metrics, METRIC_prefetch_late_total, 1);
	kept_count_use(p, k);
	k->refreshed_s = kept_seconds_of(now) + 1; /* hits of this second were of the old answer */
	k->chain_ms = k->chain_ms ? (3 * k->chain_ms + q->chain_ms) / 4 : q->chain_ms;
	k->failures = 0;
	k->retry_ms = 0;
	if (k->doubt_ms > 0 && prefetch_has_data(&q->answer))
		metrics_add(p->resolver->metrics, METRIC_prefetch_flips_averted_total, 1);
	k->doubt_ms = 0;
	if (e && e->expires_ms != k->expires_ms)
		return;
	/* Not stored: a better one that is fresh is in its place (RFC 2181 §5.4.1) until it expires,
	 * or the TTL was 0: a forwarder's cache is about to ask anew. */
	const struct prefetch_rule *rule = prefetch_rule_for(kept_settings_of(p), k->qname);
	bool held = now.cache_ms < kept_hold_until_ms(k, rule);
	k->retry_ms =
		MAX(now.cache_ms + (held ? KEPT_FORWARD_RETRY_MS : KEPT_REST_MS), k->expires_ms);
	if ((q->answer.ttl_s == 0 || !e) && !k->forwarded)
		k->ttl_s = 0; /* cannot be kept: kept_plan() lets it go */
}

void prefetch_finished(struct prefetch *p, struct query *q)
{
	struct kept *k = q->kept;
	if (!k)
		return;
	q->kept = NULL;
	k->query = NULL;
	p->running--;
	if (q->doubted)
		k->retry_ms = 0; /* confirmed at once */
	else if (is_good(&q->answer))
		succeed(p, k, q);
	else
		fail(p, k, q);
	kept_plan(p, k);
}
