/*
 * The iterator: a table of states and the function of each (enum query_state in query.h).
 *
 * LEG    what does the cache know of the leg's name? If nothing, find out who does.
 * CUT    take the deepest zone cut known (servers.c); the root is primed once (RFC 9609).
 * ASK    ask one server after another, minimised (RFC 9156), until a reply says something.
 * CHECK  validate (validate.c), then append to the answer: done, or the next leg of the chain.
 */
#include "resolve/query.h"

#include "cache/entry.h"
#include "dns/rdata.h"
#include "resolve/synthesise.h"

/* --- QNAME minimisation ------------------------------------------------------------------- */

/* The cache knows that the name of LABELS labels exists and is no zone cut below the one asked. */
static bool known_inside(struct query *q, unsigned labels)
{
	const uint8_t *name = dname_skip(q->name, dname_label_count(q->name) - labels);
	const struct entry *e = answer_find(q->resolver->client_context.reader, name,
					    dname_len(name), TYPE_A, false, q->resolver->now);
	return e && entry_is_fresh(e, q->resolver->now) && e->rcode == RCODE_NOERROR;
}

/* How many labels to show next (RFC 9156 §2.3: one at a time at first, then in larger strides). */
static unsigned next_labels(const struct query *q, unsigned shown, unsigned all)
{
	enum { ONE_BY_ONE = 4 };
	unsigned steps = q->minimize.steps;
	if (steps < ONE_BY_ONE)
		return shown + 1;
	if (steps >= LIMIT_MINIMISE_STEPS)
		return all;
	unsigned left = LIMIT_MINIMISE_STEPS - steps;
	return shown + MAX((all - shown) / left, 1u);
}

/* Decide what the servers of q->zone are asked now: a minimised question or the full one. */
static void minimize_question(struct query *q)
{
	unsigned all = dname_label_count(q->name), cut = dname_label_count(q->zone.name);
	const struct settings_zone *zone = q->zone.configured;
	q->minimize.active = false;
	if (q->settings->minimization == MINIMIZE_OFF || q->minimize.off || (zone && zone->forward))
		return;
	unsigned shown = MAX(q->minimize.labels, cut);
	unsigned next = next_labels(q, shown, all);
	while (next < all && known_inside(q, next))
		next++;
	if (next >= all)
		return;
	dname_copy(dname_skip(q->name, all - next), q->minimize.name);
	q->minimize.type = TYPE_A; /* RFC 9156 §2.1: indistinguishable from ordinary questions */
	q->minimize.labels = next;
	q->minimize.active = true;
}

/* --- the chain ---------------------------------------------------------------------------- */

static enum verdict weaker(enum verdict a, enum verdict b)
{
	static const int strength[] = {[VERDICT_BOGUS] = 0,
				       [VERDICT_UNCHECKED] = 1,
				       [VERDICT_INDETERMINATE] = 2,
				       [VERDICT_INSECURE] = 3,
				       [VERDICT_SECURE] = 4};
	return strength[a] < strength[b] ? a : b;
}

static bool chain_has(const struct query *q, const uint8_t *owner)
{
	for (uint32_t i = 0; i < q->answer.answer_count; i++)
		if (q->answer.answer[i].type == TYPE_CNAME &&
		    dname_equal(q->answer.answer[i].owner, owner))
			return true;
	return false;
}

static bool append_set(struct query *q, const struct rrset *set)
{
	struct answer *a = &q->answer;
	for (uint32_t i = 0; i < a->answer_count; i++)
		if (set->type == TYPE_DNAME && a->answer[i].type == TYPE_DNAME &&
		    dname_equal(a->answer[i].owner, set->owner))
			return true; /* it may redirect twice: it stands there once */
	if (a->answer_count == ARRAY_LEN(a->answer))
		return false;
	a->answer[a->answer_count++] = *set;
	a->ttl_s = MIN(a->ttl_s, set->ttl_s);
	return true;
}

static void append_authority(struct query *q, const struct rrset *set)
{
	struct answer *a = &q->answer;
	for (uint32_t i = 0; i < a->authority_count; i++)
		if (a->authority[i].type == set->type &&
		    dname_equal(a->authority[i].owner, set->owner))
			return;
	if (a->authority_count < ARRAY_LEN(a->authority))
		a->authority[a->authority_count++] = *set;
}

/* Begin the leg for TARGET, or end the question if the chain loops or is too long. */
static enum step next_leg(struct query *q, const uint8_t *target, unsigned hops)
{
	char text[DNAME_TEXT_MAX];
	uint8_t *name = arena_alloc(&q->arena, DNAME_MAX);
	q->alias_count += hops;
	if (!name || q->alias_count > LIMIT_ALIASES || chain_has(q, target)) {
		metrics_add(q->resolver->metrics, METRIC_limits_hit_total, 1);
		query_trouble(q, EDE_OTHER, "CNAME chain %s at %s",
			      q->alias_count > LIMIT_ALIASES ? "is too long" : "loops",
			      dname_text(target, text));
		query_fail(q);
		return STEP_WAIT;
	}
	dname_lower(target, name);
	q->name = name;
	q->zone.ready = false;
	q->skip_forward = false;
	q->minimize.off = false;
	q->minimize.steps = 0;
	q->referral_count = 0;
	q->reply = q->doubtful_reply = q->bogus_reply = NULL;
	q->state = QUERY_LEG;
	return STEP_AGAIN;
}

static enum step finish(struct query *q)
{
	query_finish(q);
	return STEP_WAIT;
}

/* --- LEG ---------------------------------------------------------------------------------- */

/* Sets from an unchecked entry (a referral's DS or its denial) go through validation first. */
static bool load_unchecked(struct query *q, const struct answer *a)
{
	struct reply *reply = arena_alloc(&q->arena, sizeof(*reply));
	if (!reply || a->answer_count > 1)
		return false;
	reply->target = q->name;
	reply->rcode = a->rcode;
	reply->kind = a->answer_count > 0	   ? REPLY_ANSWER
		      : a->rcode == RCODE_NXDOMAIN ? REPLY_NXDOMAIN
						   : REPLY_NODATA;
	reply->set_count = a->answer_count;
	memcpy(reply->sets, a->answer, a->answer_count * sizeof(a->answer[0]));
	reply->authority_count = a->authority_count;
	memcpy(reply->authority, a->authority, a->authority_count * sizeof(a->authority[0]));
	reply->negative_ttl_s = a->ttl_s;
	q->reply = reply;
	q->reply_cached = true;
	q->reply_ms = q->resolver->now.cache_ms;
	memset(q->set_checks, 0, sizeof(q->set_checks));
	memset(q->authority_checks, 0, sizeof(q->authority_checks));
	q->state = QUERY_CHECK;
	return true;
}

/* Take over what the cache says about the leg's name in full. */
static enum step take_answer(struct query *q, const struct answer *a)
{
	for (uint32_t i = 0; i < a->answer_count; i++)
		if (!append_set(q, &a->answer[i])) {
			query_trouble(q, EDE_OTHER, "CNAME chain is too long");
			query_fail(q);
			return STEP_WAIT;
		}
	for (uint32_t i = 0; i < a->authority_count; i++)
		append_authority(q, &a->authority[i]);
	q->answer.verdict = weaker(q->answer.verdict, a->verdict);
	q->answer.rank = MIN(q->answer.rank, a->rank);
	q->answer.rcode = a->rcode;
	q->answer.ttl_s = MIN(q->answer.ttl_s, a->ttl_s);
	q->answer.wildcard |= a->wildcard;
	q->answer.from_cache = q->alias_count == 0;
	if (a->ede != EDE_NONE) {
		q->answer.ede = a->ede;
		q->answer.text = a->text;
	}
	return finish(q);
}

/* The entry answers the leg: true, and *STEP says how to go on. */
static bool leg_from_entry(struct query *q, const struct entry *e, enum step *step)
{
	struct resolver *r = q->resolver;
	struct answer *a;
	if (!e || !entry_is_fresh(e, r->now) || e->rank < RANK_REFERRAL)
		return false;
	bool unchecked = q->settings->dnssec && e->verdict == VERDICT_UNCHECKED;
	if ((unchecked || e->rank < RANK_FORWARDED) && !q->internal)
		return false;
	a = arena_alloc(&q->arena, sizeof(*a));
	if (!a || answer_from_entry(e, q->name, q->qtype, r->now, &q->arena, a) != OK)
		return false;
	if (unchecked) {
		*step = STEP_AGAIN;
		return load_unchecked(q, a);
	}
	*step = take_answer(q, a);
	return true;
}

/* An alias in the cache whose target may be known or not. */
static bool leg_from_alias(struct query *q, enum step *step)
{
	struct resolver *r = q->resolver;
	struct rrset cname;
	struct span target;
	if (q->qtype == TYPE_CNAME || (q->qtype == TYPE_DS && q->internal))
		return false;
	const struct entry *e = cache_find(r->client_context.reader, ENTRY_RRSET, q->name,
					   dname_len(q->name), TYPE_CNAME);
	if (!e || !entry_is_fresh(e, r->now) || e->rank < RANK_FORWARDED ||
	    (e->flags & ENTRY_WILDCARD))
		return false;
	if (q->settings->dnssec && (e->verdict == VERDICT_UNCHECKED || e->verdict == VERDICT_BOGUS))
		return false;
	entry_rrset(e, &cname);
	cname.ttl_s = entry_ttl_left_s(e, r->now);
	if (rrset_copy(&cname, &q->arena, &cname) != OK || !append_set(q, &cname))
		return false;
	struct rrset_iter it = rrset_records(&cname);
	if (!rrset_next(&it, &target))
		return false;
	q->answer.verdict = weaker(q->answer.verdict, e->verdict);
	q->answer.rank = MIN(q->answer.rank, e->rank);
	*step = next_leg(q, target.at, 1);
	return true;
}

/* Resolution of exactly this failed a moment ago (RFC 9520). */
static bool leg_failed_lately(struct query *q)
{
	struct resolver *r = q->resolver;
	char text[200];
	if (q->alias_count == 0 && !q->internal)
		return false; /* the client's side has looked already */
	const struct entry *e = cache_find(r->client_context.reader, ENTRY_FAILURE, q->name,
					   dname_len(q->name), q->qtype);
	if (!e || !entry_is_fresh(e, r->now))
		return false;
	struct span words = entry_text(e);
	size_t len = MIN(words.len, sizeof(text) - 1);
	memcpy(text, words.at, len);
	text[len] = '\0';
	query_trouble(q, e->ede == EDE_NONE ? EDE_CACHED_ERROR : e->ede, "%s", text);
	return true;
}

/* What was made may be the alias that a wildcard holds: then the chain goes on. */
static enum step take_synthesised(struct query *q, const struct answer *a)
{
	const struct rrset *set = &a->answer[0];
	struct span target;
	if (a->answer_count == 0 || set->type == q->qtype)
		return take_answer(q, a);
	struct rrset_iter it = rrset_records(set);
	REQUIRE(set->type == TYPE_CNAME && rrset_next(&it, &target));
	for (uint32_t i = 0; i < a->authority_count; i++)
		append_authority(q, &a->authority[i]);
	q->answer.wildcard = true;
	q->answer.ttl_s = MIN(q->answer.ttl_s, a->ttl_s);
	if (append_set(q, set))
		return next_leg(q, target.at, 1);
	query_trouble(q, EDE_OTHER, "CNAME chain is too long");
	query_fail(q);
	return STEP_WAIT;
}

static enum step leg_step(struct query *q)
{
	struct resolver *r = q->resolver;
	enum step step;
	if (!q->refresh && (!q->fresh_only || q->alias_count > 0)) {
		const struct entry *e =
			answer_find(r->client_context.reader, q->name, dname_len(q->name), q->qtype,
				    q->settings->dnssec, r->now);
		if (leg_from_entry(q, e, &step) || leg_from_alias(q, &step))
			return step;
		struct answer *made = arena_alloc(&q->arena, sizeof(*made));
		if (made && synthesise_answer(q, made)) {
			metrics_add(r->metrics, METRIC_dnssec_synthesised_total, 1);
			return take_synthesised(q, made);
		}
		if (leg_failed_lately(q)) {
			query_fail(q);
			return STEP_WAIT;
		}
	}
	q->state = QUERY_CUT;
	return STEP_AGAIN;
}

/* --- CUT ---------------------------------------------------------------------------------- */

static bool only_allows(const struct query *q)
{
	const struct settings_zone *zone = q->zone.configured;
	return !zone || settings_zone_only_allows(zone, q->name);
}

static enum step cut_step(struct query *q)
{
	const struct answer *primed;
	if (servers_find_cut(q) != OK) {
		query_fail(q);
		return STEP_WAIT;
	}
	if (!only_allows(q)) {
		metrics_add(q->resolver->metrics, METRIC_forward_filtered_total, 1);
		q->answer.rcode = RCODE_NXDOMAIN;
		q->answer.verdict = weaker(q->answer.verdict, VERDICT_INSECURE);
		q->answer.ttl_s = MIN(q->answer.ttl_s, 60u); /* a reload may allow it any time */
		query_trouble(q, EDE_FILTERED,
			      "no name of the shapes that the forward zone's only list takes");
		q->answer.ede = q->trouble.ede;
		q->answer.text = q->trouble.text;
		return finish(q);
	}
	if (q->zone.from_hints && q->settings->prime && !q->priming && !q->primed) {
		q->primed = true;
		if (query_need(q, (const uint8_t *)"", TYPE_NS, true, &primed) == ERR_BUSY)
			return STEP_WAIT; /* comes back here, primed or not */
	}
	q->state = QUERY_ASK;
	return STEP_AGAIN;
}

static void begin_check(struct query *q, unsigned index, struct reply *reply);

/* --- ASK ---------------------------------------------------------------------------------- */

static bool may_fall_back(const struct query *q)
{
	const struct settings_zone *zone = q->zone.configured;
	return zone && zone->forward && zone->fallback && !q->skip_forward;
}

/* All servers are done with. */
static enum step out_of_servers(struct query *q)
{
	char text[DNAME_TEXT_MAX];
	if (may_fall_back(q)) {
		q->skip_forward = true;
		q->state = QUERY_CUT;
		return STEP_AGAIN;
	}
	if (q->doubtful_reply) { /* better than nothing */
		struct reply *reply = q->doubtful_reply;
		q->doubtful_reply = NULL;
		begin_check(q, q->doubtful_server, reply);
		return STEP_AGAIN;
	}
	if (q->bogus_reply) { /* no other server had better data */
		q->reply = q->bogus_reply;
		return validate_conclude_bogus(q);
	}
	if (q->zone.server_count == 0)
		query_trouble(q, EDE_NO_REACHABLE_AUTHORITY,
			      "no usable address for a name server of %s",
			      dname_text(q->zone.name, text));
	query_fail(q);
	return STEP_WAIT;
}

static bool has_live_send(const struct query *q)
{
	for (unsigned i = 0; i < q->open_count; i++)
		if (!upstream_is_late(q, q->open[i]))
			return true;
	return false;
}

static enum step ask_step(struct query *q)
{
	uint64_t now_ms = now_mono_ms(q->resolver->now);
	bool waiting;
	if (may_fall_back(q) && now_ms >= q->zone.since_ms + LIMIT_FALLBACK_MS)
		return out_of_servers(q);
	if (has_live_send(q) || q->throttled_until_ms > now_ms)
		return STEP_WAIT;
	minimize_question(q);
	int index = servers_choose(q, &waiting);
	if (index >= 0) {
		if (upstream_send(q, (unsigned)index) || q->throttled_until_ms > now_ms)
			return STEP_WAIT;
		return out_of_servers(q);
	}
	if (waiting || q->open_count > 0 || q->retry_ms > now_ms)
		return STEP_WAIT; /* addresses, a reply that is only late, or a probe */
	return out_of_servers(q);
}

/* Keep a referral: the delegation, and what it says of DS, to be validated when it is needed. */
static void store_referral(struct query *q, const struct reply *reply, int64_t expires_ms)
{
	struct resolver *r = q->resolver;
	uint8_t cut[DNAME_MAX];
	struct span packed;
	if (expires_ms <= r->now.cache_ms)
		return; /* the delegation it came through ran out meanwhile: for this question only */
	if (delegation_pack(&reply->delegation, &q->arena, &packed) != OK)
		return;
	dname_lower(reply->cut, cut);
	struct entry_parts parts = {
		.kind = ENTRY_DELEGATION,
		.name = cut,
		.rank = RANK_REFERRAL,
		.verdict = VERDICT_UNCHECKED,
		.ede = EDE_NONE,
		.fetched_ms = r->now.cache_ms,
		.ttl_s = (uint32_t)((expires_ms - r->now.cache_ms) / 1000),
		.payload = {packed},
	};
	void *room = arena_alloc(&q->arena, entry_size(&parts));
	if (!room || cache_put(r->cache, entry_make(&parts, room), r->now) != OK)
		return; /* the query goes on with what it has in hand */
	if (!q->settings->dnssec || q->zone.configured)
		return;
	if (reply->ds.rr_count > 0) {
		struct rrset ds = reply->ds;
		ds.ttl_s = MIN(ds.ttl_s, parts.ttl_s);
		answer_store_rrset(&ds, RANK_REFERRAL, VERDICT_UNCHECKED, 0, r->cache, r->now,
				   &q->arena);
		return;
	}
	struct answer *none = arena_alloc(&q->arena, sizeof(*none));
	if (!none)
		return;
	*none = (struct answer){.qname = arena_copy(&q->arena, span_of(cut, dname_len(cut))).at,
				.qtype = TYPE_DS,
				.verdict = VERDICT_UNCHECKED,
				.rank = RANK_REFERRAL,
				.ede = EDE_NONE,
				.ttl_s = parts.ttl_s,
				.fetched_ms = r->now.cache_ms};
	for (uint32_t i = 0; i < reply->authority_count; i++) {
		if (reply->authority[i].type == TYPE_SOA)
			continue;
		none->authority[none->authority_count++] = reply->authority[i];
		none->ttl_s = MIN(none->ttl_s, reply->authority[i].ttl_s);
	}
	if (none->authority_count > 0 && none->qname)
		answer_store(none, r->cache, r->now, &q->arena);
}

static void follow_referral(struct query *q, const struct reply *reply)
{
	struct resolver *r = q->resolver;
	char text[DNAME_TEXT_MAX];
	if (++q->referral_count > LIMIT_REFERRALS) {
		metrics_add(r->metrics, METRIC_limits_hit_total, 1);
		query_trouble(q, EDE_OTHER, "limit of %u referrals reached at %s", LIMIT_REFERRALS,
			      dname_text(reply->cut, text));
		query_fail(q);
		return;
	}
	/* Never past the delegation it came through: a revoked parent takes its children along. */
	int64_t expires_ms = r->now.cache_ms + (int64_t)MIN(resolver_clamp_ttl(r, reply->cut_ttl_s),
							    (uint32_t)LIMIT_DELEGATION_S) *
						       1000;
	expires_ms = MIN(expires_ms, q->zone.expires_ms);
	store_referral(q, reply, expires_ms);
	servers_use_delegation(q, reply->cut, &reply->delegation, expires_ms);
	query_wake(q);
}

/* A server that is of no use for this zone: note why and go on to the next. */
static void give_up_server(struct query *q, unsigned index, const struct reply *reply)
{
	struct resolver *r = q->resolver;
	struct server *server = &q->zone.servers[index];
	char address[ENDPOINT_TEXT_SIZE], zone[DNAME_TEXT_MAX], rcode[TYPE_TEXT_SIZE];
	endpoint_text(&server->address, address);
	dname_text(q->zone.name, zone);
	server->bad = true;
	bool lame = reply->kind == REPLY_LAME || reply->rcode == RCODE_REFUSED;
	if (lame && !q->zone.configured)
		infra_set_lame(r->infra, &server->address, q->zone.name, r->now);
	if (reply->kind == REPLY_ERROR)
		query_trouble(q, EDE_NO_REACHABLE_AUTHORITY, "%s for %s answered %s", address, zone,
			      rcode_text(reply->rcode, rcode));
	else if (reply->kind == REPLY_LAME)
		query_trouble(q, EDE_NO_REACHABLE_AUTHORITY,
			      "%s is not authoritative for %s (lame)", address, zone);
	else
		query_trouble(q, EDE_INVALID_DATA, "%s for %s sent contradicting or oversized data",
			      address, zone);
}

/* A reply to a minimised question. */
static void minimized_reply(struct query *q, const struct reply *reply)
{
	/* NXDOMAIN behind an alias is said of the alias' target: the name itself exists. */
	bool exists = reply->kind == REPLY_NODATA || reply->kind == REPLY_ANSWER ||
		      reply->kind == REPLY_ALIAS ||
		      (reply->kind == REPLY_NXDOMAIN && reply->set_count > 0);
	q->minimize.steps++;
	for (unsigned i = 0; i < q->zone.server_count; i++)
		q->zone.servers[i].sends = 0; /* the next question is another one */
	if (exists) {
		struct answer *a = arena_alloc(&q->arena, sizeof(*a));
		if (a && reply->kind == REPLY_NODATA && reply->has_soa) {
			/* Remembered unchecked: it saves the step next time, and serves nobody. */
			*a = (struct answer){
				.qname = arena_copy(&q->arena, span_of(q->minimize.name,
								       dname_len(q->minimize.name)))
						 .at,
				.qtype = q->minimize.type,
				.verdict = VERDICT_UNCHECKED,
				.rank = RANK_REFERRAL,
				.ede = EDE_NONE,
				.ttl_s =
					MIN(reply->negative_ttl_s, q->settings->max_negative_ttl_s),
				.fetched_ms = q->resolver->now.cache_ms};
			if (a->qname && q->settings->dnssec)
				answer_store(a, q->resolver->cache, q->resolver->now, &q->arena);
		}
		query_wake(q);
		return;
	}
	if (reply->kind == REPLY_NXDOMAIN && q->settings->minimization == MINIMIZE_STRICT) {
		q->minimize.active = false; /* RFC 8020: nothing exists below it either */
		return;
	}
	/* Relaxed (RFC 9156 §2.3): servers that mistreat empty non-terminals get the full question. */
	q->minimize.off = true;
	query_wake(q);
}

static void take_priming(struct query *q, struct reply *reply)
{
	struct delegation *d = &reply->delegation;
	const struct delegation *hints = &q->settings->hints;
	if (!q->priming || reply->kind != REPLY_ANSWER || !reply->cut)
		return;
	bool any = false;
	for (unsigned i = 0; i < d->count; i++) {
		struct delegation_server *server = &d->servers[i];
		for (unsigned k = 0; k < hints->count && server->address_count == 0; k++)
			if (dname_equal(hints->servers[k].name, server->name)) {
				const uint8_t *name = server->name;
				*server = hints->servers[k];
				server->name = name;
			}
		any |= server->address_count > 0;
	}
	struct settings_zone const *zone = q->zone.configured;
	if (!any || zone)
		return;
	reply->ds = (struct rrset){0};
	struct reply *copy = arena_alloc(&q->arena, sizeof(*copy));
	if (!copy)
		return;
	*copy = *reply;
	copy->authority_count = 0;
	int64_t ttl_s = MIN(resolver_clamp_ttl(q->resolver, reply->cut_ttl_s),
			    (uint32_t)LIMIT_DELEGATION_S);
	store_referral(q, copy, q->resolver->now.cache_ms + ttl_s * 1000);
}

/* A recursive server where an authoritative one should be (it offers recursion and claims no
 * authority): others first. A mere lack of AA beside data is forgiven: servers behind load balancers
 * forget it. */
static bool is_doubtful(const struct query *q, const struct reply *reply, uint16_t flags)
{
	const struct settings_zone *zone = q->zone.configured;
	if ((zone && zone->forward) || reply->authoritative)
		return false;
	bool data = reply->kind == REPLY_ANSWER || reply->kind == REPLY_ALIAS ||
		    reply->kind == REPLY_NXDOMAIN || reply->kind == REPLY_NODATA;
	return data && (flags & FLAG_RA);
}

/* Keep a doubtful reply for the case that nobody has a better one. */
static void set_aside(struct query *q, unsigned index, struct reply *reply)
{
	char address[ENDPOINT_TEXT_SIZE], zone[DNAME_TEXT_MAX];
	query_trouble(q, EDE_NO_REACHABLE_AUTHORITY, "%s is not authoritative for %s (lame)",
		      endpoint_text(&q->zone.servers[index].address, address),
		      dname_text(q->zone.name, zone));
	q->zone.servers[index].bad = true;
	if (!q->doubtful_reply) {
		q->doubtful_reply = reply;
		q->doubtful_server = index;
	}
	query_wake(q);
}

static void begin_check(struct query *q, unsigned index, struct reply *reply)
{
	if (q->refresh)
		q->chain_ms += servers_bad_case_ms(q, index);
	q->reply = reply;
	q->reply_server = index;
	q->reply_cached = false;
	q->reply_ms = q->resolver->now.cache_ms;
	memset(q->set_checks, 0, sizeof(q->set_checks));
	memset(q->authority_checks, 0, sizeof(q->authority_checks));
	q->state = QUERY_CHECK;
}

void iterate_reply(struct query *q, struct send *s, const struct message *m)
{
	unsigned index = s->server;
	bool minimized = s->minimized;
	const struct settings_zone *zone = q->zone.configured;
	uint8_t asked[DNAME_MAX];
	if (q->state != QUERY_ASK || (minimized && !q->minimize.active))
		return;
	dname_lower(s->qname, asked);
	struct span name = arena_copy(&q->arena, span_of(asked, dname_len(asked)));
	struct reply *reply = arena_alloc(&q->arena, sizeof(*reply));
	struct scrub_input in = {.message = m,
				 .qname = name.at,
				 .qtype = s->qtype,
				 .zone = q->zone.name,
				 .forward = zone && zone->forward,
				 .priming = q->priming};
	if (!name.at || !reply || scrub_reply(&in, &q->arena, reply) != OK) {
		query_trouble(q, EDE_OTHER, "memory of the question is used up");
		query_fail(q);
		return;
	}
	upstream_cancel_all(q);
	bool useless = reply->kind == REPLY_LAME || reply->kind == REPLY_ERROR ||
		       reply->kind == REPLY_BROKEN;
	if (reply->kind == REPLY_REFERRAL) {
		follow_referral(q, reply);
		return;
	}
	if (minimized)
		minimized_reply(q, reply);
	if (minimized && (q->minimize.active || q->minimize.off))
		return;
	if (useless) {
		give_up_server(q, index, reply);
		query_wake(q);
		return;
	}
	if (is_doubtful(q, reply, m->flags)) {
		set_aside(q, index, reply);
		return;
	}
	take_priming(q, reply);
	begin_check(q, index, reply);
	query_wake(q);
}

/* --- after CHECK -------------------------------------------------------------------------- */

static enum rank rank_of(const struct query *q, enum verdict verdict)
{
	const struct settings_zone *zone = q->zone.configured;
	if (q->reply_cached && q->reply->set_count == 0)
		return RANK_REFERRAL; /* lacks the SOA that a client's answer must have */
	if (verdict == VERDICT_SECURE)
		return RANK_SECURE;
	if (q->reply_cached)
		return RANK_REFERRAL;
	return zone && zone->forward ? RANK_FORWARDED : RANK_ANSWER;
}

static bool is_expanded(const struct checked *check, const struct rrset *set)
{
	return check->done && check->wildcard_labels < dname_label_count(set->owner);
}

/* The wildcard that SET was made from. */
static bool wildcard_of(const struct checked *check, const struct rrset *set,
			uint8_t out[static DNAME_MAX])
{
	unsigned skip = dname_label_count(set->owner) - check->wildcard_labels;
	return dname_wildcard(dname_skip(set->owner, skip), out) == OK;
}

/* Keep the leg's sets on their own: the first always, those behind it only if validated, so that a
 * forger of one name gains no other. The last is left to query_finish() where it is the answer. */
static void store_sets(struct query *q, const struct reply *reply, enum verdict verdict)
{
	struct resolver *r = q->resolver;
	bool plain =
		reply->kind == REPLY_ANSWER && reply->set_count == 1 && q->answer.answer_count == 0;
	if (verdict == VERDICT_BOGUS)
		return;
	for (uint32_t i = 0; i < reply->set_count; i++) {
		struct rrset set = reply->sets[i];
		uint8_t wildcard[DNAME_MAX];
		bool expanded = is_expanded(&q->set_checks[i], &set);
		if ((i > 0 && verdict != VERDICT_SECURE) || (plain && !expanded))
			continue;
		if (i > 0 && scrub_made_by_dname(reply, i))
			continue;
		/* A wildcard's set is kept under the wildcard's name, where it was signed (RFC 8198 §5.3). */
		if (expanded &&
		    (verdict != VERDICT_SECURE || !wildcard_of(&q->set_checks[i], &set, wildcard)))
			continue;
		if (expanded)
			set.owner = wildcard;
		set.ttl_s = resolver_clamp_ttl(r, set.ttl_s);
		if (set.ttl_s > 0)
			answer_store_rrset(&set, rank_of(q, verdict), verdict, 0, r->cache, r->now,
					   &q->arena);
	}
}

static uint32_t negative_ttl(const struct query *q, const struct reply *reply)
{
	return MIN(reply->negative_ttl_s, q->settings->max_negative_ttl_s);
}

/* The TTL of a set of the answer. The child's own NS set must not outlive what its parent says. */
static uint32_t set_ttl(const struct query *q, const struct rrset *set)
{
	const struct resolver *r = q->resolver;
	uint32_t ttl_s = resolver_clamp_ttl(r, set->ttl_s);
	int64_t left_ms = q->zone.expires_ms - r->now.cache_ms;
	if (set->type == TYPE_NS && q->zone.ready && dname_equal(set->owner, q->zone.name))
		ttl_s = (uint32_t)MIN((int64_t)ttl_s, MAX(left_ms, (int64_t)0) / 1000);
	return ttl_s;
}

static bool append_leg(struct query *q, const struct reply *reply)
{
	for (uint32_t i = 0; i < reply->set_count; i++) {
		struct rrset set = reply->sets[i];
		set.ttl_s = set_ttl(q, &set);
		if (set.type == TYPE_CNAME && chain_has(q, set.owner))
			return false;
		if (!append_set(q, &set))
			return false;
		q->answer.wildcard |= is_expanded(&q->set_checks[i], &set);
	}
	bool negative = reply->kind == REPLY_NODATA || reply->kind == REPLY_NXDOMAIN;
	for (uint32_t i = 0; i < reply->authority_count; i++) {
		struct rrset set = reply->authority[i];
		if (!negative && (!q->answer.wildcard || set.type == TYPE_SOA))
			continue;
		set.ttl_s = resolver_clamp_ttl(q->resolver, set.ttl_s);
		if (negative) /* RFC 2308 §5: the whole answer lives no longer */
			set.ttl_s = MIN(set.ttl_s, negative_ttl(q, reply));
		append_authority(q, &set);
		q->answer.ttl_s = MIN(q->answer.ttl_s, set.ttl_s);
	}
	return true;
}

enum step iterate_checked(struct query *q, enum verdict verdict)
{
	struct reply *reply = q->reply;
	struct answer *a = &q->answer;
	store_sets(q, reply, verdict);
	a->verdict = weaker(a->verdict, verdict);
	a->rank = MIN(a->rank, rank_of(q, verdict));
	if (!append_leg(q, reply)) {
		query_trouble(q, EDE_OTHER, "CNAME chain loops or is too long");
		query_fail(q);
		return STEP_WAIT;
	}
	switch (reply->kind) {
	case REPLY_ALIAS:
		if (q->qtype == TYPE_DS && q->internal)
			return finish(
				q); /* an alias is no zone cut; nobody wants its target's DS */
		return next_leg(q, reply->target, reply->alias_count);
	case REPLY_NXDOMAIN:
	case REPLY_NODATA:
		a->rcode = reply->kind == REPLY_NXDOMAIN ? RCODE_NXDOMAIN : RCODE_NOERROR;
		a->ttl_s = MIN(a->ttl_s, negative_ttl(q, reply));
		return finish(q);
	case REPLY_TOO_LONG:
		a->rcode = RCODE_YXDOMAIN;
		return finish(q);
	case REPLY_ANSWER:
	case REPLY_REFERRAL:
	case REPLY_LAME:
	case REPLY_ERROR:
	case REPLY_BROKEN:
		return finish(q);
	}
	return finish(q);
}

static enum step done_step(struct query *q)
{
	(void)q;
	return STEP_WAIT;
}

enum step (*const query_steps[QUERY_STATE_COUNT])(struct query *q) = {
	[QUERY_LEG] = leg_step,	       [QUERY_CUT] = cut_step,	 [QUERY_ASK] = ask_step,
	[QUERY_CHECK] = validate_step, [QUERY_DONE] = done_step,
};
static_assert(ARRAY_LEN(query_steps) == QUERY_STATE_COUNT, "a step per state");
