/*
 * A table of states and the function of each (enum query_state in query.h).
 *
 * LEG    what does the cache know of the leg's name? (leg.c) If nothing, find out who does.
 * CUT    take the deepest zone cut known (servers.c); the root is primed once (RFC 9609).
 * ASK    ask one server after another, minimised (minimize.c), until a reply says something.
 * CHECK  validate (validate.c), then append to the answer: done, or the next leg of the chain.
 */
#include "resolve/iterate.h"

#include "cache/entry.h"
#include "dns/rdata.h"
#include "resolve/appeal.h"
#include "resolve/cut.h"
#include "resolve/denial_soa.h"
#include "resolve/family.h"
#include "resolve/habit.h"
#include "resolve/leg.h"
#include "resolve/minimize.h"
#include "resolve/no_ds.h"
#include "resolve/recall.h"
#include "resolve/servers.h"
#include "resolve/upstream.h"
#include "resolve/validate.h"
#include "resolve/witness.h"

/* --- CUT ---------------------------------------------------------------------------------- */

static bool only_allows(const struct query *q)
{
	const struct settings_zone *zone = q->zone.configured;
	return !zone || settings_zone_only_allows(zone, q->name);
}

/* The root's servers are asked for first (RFC 9609), but for what that question itself waits for. */
static bool needs_priming(const struct query *q)
{
	bool root_keys = q->name[0] == 0 && q->qtype == TYPE_DNSKEY;
	return q->zone.from_hints && q->settings->prime && !q->priming && !root_keys && !q->primed;
}

static enum step cut_step(struct query *q)
{
	const struct answer *primed;
	enum err err = servers_find_cut(q);
	if (err == ERR_BUSY)
		return STEP_WAIT;
	if (err != OK) {
		query_fail(q);
		return STEP_WAIT;
	}
	if (!only_allows(q)) {
		metrics_add(q->resolver->metrics, METRIC_forward_filtered_total, 1);
		q->answer.rcode = RCODE_NXDOMAIN;
		leg_weaken(q, VERDICT_INSECURE);
		q->answer.ttl_s = MIN(q->answer.ttl_s, 60u); /* a reload may allow it any time */
		servers_note_zone(q, TRACE_SOURCE_FORWARD);
		query_trouble(q, EDE_FILTERED,
			      "no name of the shapes that the forward zone's only list takes");
		query_remark(q);
		query_finish(q);
		return STEP_WAIT;
	}
	if (needs_priming(q)) {
		q->primed = true;
		if (query_need(q, (const uint8_t *)"", TYPE_NS, true, &primed) == ERR_BUSY)
			return STEP_WAIT; /* comes back here, primed or not */
	}
	q->state = QUERY_ASK;
	return STEP_AGAIN;
}

/* --- ASK ---------------------------------------------------------------------------------- */

static bool may_fall_back(const struct query *q)
{
	const struct settings_zone *zone = q->zone.configured;
	return zone && zone->forward && zone->fallback;
}

static void begin_check(struct query *q, unsigned index, struct reply *reply)
{
	if (q->refresh)
		q->chain_ms += servers_bad_case_ms(q, index);
	q->reply_server = index;
	leg_check(q, reply, false);
}

/* Q's zone has no server that could be asked. */
static void blame_addresses(struct query *q)
{
	const struct zone_context *z = &q->zone;
	char zone[DNAME_TEXT_MAX];
	char address[ENDPOINT_TEXT_SIZE];
	dname_text(z->name, zone);
	if (z->refused != ASKABLE_YES)
		query_trouble(q, EDE_NO_REACHABLE_AUTHORITY,
			      "a server of %.120s is said to be at %s, which is %s and not asked",
			      zone, endpoint_text(&z->refused_one, address),
			      askable_text(z->refused));
	else if (z->unroutable4 || z->unroutable6)
		query_trouble(q, EDE_NO_REACHABLE_AUTHORITY,
			      "the servers of %.150s have %s addresses only, to which there is no "
			      "route",
			      zone,
			      !z->unroutable6  ? "IPv4"
			      : z->unroutable4 ? "IPv4 and IPv6"
					       : "IPv6");
	else
		query_trouble(q, EDE_NO_REACHABLE_AUTHORITY,
			      "no usable address for a name server of %.150s", zone);
}

/* Nobody has contradicted the doubtful reply: it is believed. */
static void settle_doubt(struct query *q)
{
	struct reply *reply = q->doubtful_reply;
	q->doubtful_reply = NULL;
	upstream_cancel_all(q);
	begin_check(q, q->doubtful_server, reply);
}

/* All servers are done with. */
static enum step out_of_servers(struct query *q)
{
	if (witness_begin(q) || habit_begin_small(q))
		return STEP_AGAIN;
	if (q->doubtful_reply) {
		settle_doubt(q);
		return STEP_AGAIN;
	}
	if (may_fall_back(q)) {
		q->fallen_from = q->zone.configured;
		q->state = QUERY_CUT;
		return STEP_AGAIN;
	}
	if (q->bogus_reply) { /* no other server had better data */
		q->reply = q->bogus_reply;
		q->trouble = q->bogus_why;
		return validate_conclude_bogus(q);
	}
	if (q->zone.server_count == 0)
		blame_addresses(q);
	if (q->appeal.open ? appeal_lose(q) : appeal_begin(q, true))
		return STEP_AGAIN;
	if (leg_begin_anew(q))
		return STEP_AGAIN;
	query_fail(q);
	return STEP_WAIT;
}

/* Servers are silent that may yet answer: the one way to go on is given up for the other. What the parent
 * has told just now it need not be asked for. */
static bool takes_other_way(struct query *q)
{
	if (!q->appeal.open)
		return q->zone.told_by.family == 0 && servers_seem_dead(q) &&
		       appeal_begin(q, false);
	for (unsigned i = 0; i < q->zone.server_count; i++)
		if (q->zone.servers[i].losses > 0 && !q->appeal.spent)
			return appeal_lose(q);
	return false;
}

/* Server INDEX, the best that is left, is not thought to be dead or lame: it may have a better answer
 * than the doubtful one. */
static bool is_worth_asking(struct query *q, unsigned index)
{
	const struct resolver *r = q->resolver;
	const struct endpoint *address = &q->zone.servers[index].address;
	struct infra_server known;
	infra_get(r->infra, address, r->now, &known);
	return known.backoff_until_ms <= r->now.cache_ms && !family_is_lost(q, address) &&
	       (q->zone.configured || !infra_is_lame(r->infra, address, q->zone.name, r->now));
}

/* Others have had their time to answer. */
static bool has_waited_enough(const struct query *q, uint64_t now_ms)
{
	if (q->doubtful_reply && now_ms >= q->doubt_until_ms)
		return true;
	return may_fall_back(q) && now_ms >= q->zone.since_ms + LIMIT_FALLBACK_MS;
}

static enum step ask_step(struct query *q)
{
	uint64_t now_ms = now_mono_ms(q->resolver->now);
	bool waiting;
	if (q->zone.witness_asked)
		return witness_step(q);
	if (has_waited_enough(q, now_ms))
		return out_of_servers(q);
	if (upstream_has_live(q) || q->throttled_until_ms > now_ms)
		return STEP_WAIT;
	if (no_ds_gives_up(q))
		return out_of_servers(q);
	if (!q->doubtful_reply && !q->bogus_reply && takes_other_way(q))
		return STEP_AGAIN;
	minimize_question(q);
	/* Whoever is left may be silent for long. */
	if (!q->doubtful_reply && servers_none_is_well(q))
		(void)habit_begin_small(q);
	int index = servers_choose(q, &waiting);
	if (index >= 0 && q->doubtful_reply && !is_worth_asking(q, (unsigned)index))
		return waiting ? STEP_WAIT : out_of_servers(q);
	if (index >= 0) {
		if (upstream_send(q, (unsigned)index) || q->throttled_until_ms > now_ms)
			return STEP_WAIT;
		return out_of_servers(q);
	}
	bool may_probe = q->retry_ms > now_ms && !q->doubtful_reply;
	if (!waiting)
		no_ds_learn(q);
	if (waiting || q->open_count > 0 || may_probe)
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
	if (delegation_pack(&reply->delegation, &r->turn_arena, &packed) != OK)
		return;
	dname_lower(reply->cut, cut);
	uint32_t ttl_s = (uint32_t)((expires_ms - r->now.cache_ms) / 1000);
	if (!cut_store(q, cut, packed, expires_ms))
		return; /* the query goes on with what it has in hand */
	if (!q->settings->dnssec || q->zone.configured)
		return;
	if (reply->ds.rr_count > 0) {
		struct rrset ds = reply->ds;
		ds.ttl_s = MIN(ds.ttl_s, ttl_s);
		answer_store_rrset(&ds, RANK_REFERRAL, VERDICT_UNCHECKED, 0, &q->since, r->now,
				   &r->turn_arena);
		return;
	}
	struct answer *none = arena_alloc(&r->turn_arena, sizeof(*none));
	if (!none)
		return;
	*none = (struct answer){.qname = cut,
				.qtype = TYPE_DS,
				.verdict = VERDICT_UNCHECKED,
				.rank = RANK_REFERRAL,
				.ede = EDE_NONE,
				.ttl_s = ttl_s,
				.fetched_ms = r->now.cache_ms};
	for (uint32_t i = 0; i < reply->authority_count; i++) {
		if (reply->authority[i].type == TYPE_SOA)
			continue;
		none->authority[none->authority_count++] = reply->authority[i];
		none->ttl_s = MIN(none->ttl_s, reply->authority[i].ttl_s);
	}
	if (none->authority_count > 0)
		answer_store(none, &q->since, r->now, &r->turn_arena);
}

static void follow_referral(struct query *q, unsigned index, const struct reply *reply)
{
	struct resolver *r = q->resolver;
	struct endpoint told_by = q->zone.servers[index].address;
	char text[DNAME_TEXT_MAX];
	if (appeal_hear(q, index, reply))
		return;
	q->doubtful_reply = NULL; /* this is the better one, whatever comes of it */
	if (++q->referral_count > LIMIT_REFERRALS) {
		query_limit(q, EDE_OTHER, "limit of %u referrals reached at %s", LIMIT_REFERRALS,
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
	q->zone.told_by = told_by;
	servers_note_zone(q, TRACE_SOURCE_REFERRAL);
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
	server->lame = lame;
	server->fails = !lame;
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

/* The zone wants its NS set to be kept for less time than its parent says: so be it. Never longer. */
static void shorten_delegation(struct query *q, const struct reply *reply)
{
	struct resolver *r = q->resolver;
	uint32_t ttl_s = MAX(reply->zone_ns_ttl_s, (uint32_t)LIMIT_DELEGATION_MIN_S);
	int64_t expires_ms = r->now.cache_ms + (int64_t)ttl_s * 1000;
	if (q->zone.configured || q->zone.name[0] == 0 || expires_ms >= q->zone.expires_ms)
		return;
	q->zone.expires_ms = expires_ms;
	const struct entry *e = cache_find(r->client_context.reader, ENTRY_DELEGATION, q->zone.name,
					   dname_len(q->zone.name), 0);
	if (!e || e->expires_ms <= expires_ms)
		return;
	cut_store(q, q->zone.name, entry_payload(e), expires_ms);
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
	struct reply *copy = arena_alloc(&q->resolver->turn_arena, sizeof(*copy));
	if (!copy)
		return;
	*copy = *reply;
	copy->authority_count = 0;
	int64_t ttl_s = MIN(resolver_clamp_ttl(q->resolver, reply->cut_ttl_s),
			    (uint32_t)LIMIT_DELEGATION_S);
	store_referral(q, copy, q->resolver->now.cache_ms + ttl_s * 1000);
}

/* From a recursive server where an authoritative one should be (it offers recursion and claims no
 * authority), or one that answers past the question. A mere lack of AA beside data is forgiven: servers
 * behind load balancers forget it. */
static bool is_hearsay(const struct query *q, const struct reply *reply, uint16_t flags)
{
	const struct settings_zone *zone = q->zone.configured;
	if ((zone && zone->forward) || reply->authoritative)
		return false;
	bool data = reply->kind == REPLY_ANSWER || reply->kind == REPLY_ALIAS ||
		    reply->kind == REPLY_NXDOMAIN || reply->kind == REPLY_NODATA;
	return data && (reply->doubtful || (flags & FLAG_RA));
}

uint64_t iterate_doubt_end_ms(const struct query *q)
{
	uint64_t now_ms = now_mono_ms(q->resolver->now), end_ms = now_ms + LIMIT_DOUBT_MS;
	uint64_t client_ms = q->started_us / 1000 + q->settings->client_ms * 3 / 4;
	return q->budget->refresh ? end_ms : MIN(end_ms, MAX(client_ms, now_ms));
}

/* Keep a doubtful reply for the case that nobody has a better one. */
static void set_aside(struct query *q, unsigned index, struct reply *reply, bool hearsay)
{
	char address[ENDPOINT_TEXT_SIZE], zone[DNAME_TEXT_MAX];
	query_trouble(q, EDE_NO_REACHABLE_AUTHORITY,
		      hearsay || reply->mute ? "%s is not authoritative for %s (lame)"
					     : "%s of %s denies without an SOA",
		      endpoint_text(&q->zone.servers[index].address, address),
		      dname_text(q->zone.name, zone));
	q->zone.servers[index].bad = q->zone.servers[index].lame = true;
	if (!q->doubtful_reply)
		q->doubt_until_ms = iterate_doubt_end_ms(q);
	if (!q->doubtful_reply || (q->doubtful_reply->mute && !reply->mute)) {
		q->doubtful_reply = reply;
		q->doubtful_server = index;
	}
	query_wake(q);
}

static void note_reply(struct query *q, const struct send *s, const struct message *m,
		       const struct reply *reply, bool hearsay)
{
	static_assert((int)TRACE_REPLY_ANSWER == (int)REPLY_ANSWER &&
			      (int)TRACE_REPLY_BROKEN == (int)REPLY_BROKEN,
		      "the same order");
	const uint8_t *name = reply->kind == REPLY_REFERRAL ? reply->cut
			      : reply->kind == REPLY_ALIAS  ? reply->target
							    : NULL;
	query_note(q, (struct trace_step){.kind = TRACE_REPLY,
					  .number = s->number,
					  .code = hearsay ? TRACE_REPLY_LAME : (uint8_t)reply->kind,
					  .type = reply->rcode,
					  .value = (uint32_t)m->wire.len,
					  .name = name});
}

static bool is_elsewhere(const void *context, const uint8_t *name)
{
	return cut_is_elsewhere(context, name);
}

static bool is_delegated(const void *context, const uint8_t *name)
{
	return cut_is_known(context, name);
}

/* DS was answered with what the zone below has. What the referral to that has told of its DS holds yet, be it
 * that no client could be told it. */
static void recall_ds(struct query *q, struct reply *reply)
{
	struct resolver *r = q->resolver;
	struct answer *a = arena_alloc(&r->turn_arena, sizeof(*a));
	const struct entry *e = answer_find(r->client_context.reader, q->name, dname_len(q->name),
					    TYPE_DS, true, r->now);
	if (a && e && entry_is_fresh(e, r->now) && e->rank == RANK_REFERRAL &&
	    answer_from_entry(e, q->name, TYPE_DS, r->now, &r->turn_arena, a) == OK &&
	    a->answer_count <= 1)
		leg_reply_of(a, reply);
}

static void out_of_memory(struct query *q)
{
	query_trouble(q, EDE_OTHER, "memory of the question is used up");
	query_fail(q);
}

/* Q goes on with REPLY of server INDEX, or keeps it; DOUBTED: if others have nothing better. */
static void keep_reply(struct query *q, unsigned index, struct reply *reply, bool doubted,
		       bool hearsay)
{
	if (!doubted) {
		witness_blame(q);
		take_priming(q, reply);
		shorten_delegation(q, reply);
	}
	reply = scrub_keep(reply, &q->arena);
	if (!reply) {
		out_of_memory(q);
		return;
	}
	if (doubted) {
		set_aside(q, index, reply, hearsay);
		return;
	}
	begin_check(q, index, reply);
	query_wake(q);
}

static void take_reply(struct query *q, unsigned index, struct reply *reply, bool minimized,
		       bool hearsay)
{
	bool useless = reply->kind == REPLY_LAME || reply->kind == REPLY_ERROR ||
		       reply->kind == REPLY_BROKEN;
	if (reply->kind == REPLY_REFERRAL) {
		witness_blame(q);
		follow_referral(q, index, reply);
		return;
	}
	if (minimized && minimize_reply(q, reply))
		return;
	reply->mute &= witness_may_ask(q, index);
	if (useless && !reply->mute) {
		give_up_server(q, index, reply);
		query_wake(q);
		return;
	}
	if (reply->mute)
		witness_note(q, index, reply->unsigned_ok);
	bool doubted = hearsay || reply->mute || (reply->doubtful && !servers_are_counted(q));
	keep_reply(q, index, reply, doubted, hearsay);
}

static void take_witness(struct query *q, unsigned index, const struct reply *reply)
{
	switch (witness_hear(q, index, reply)) {
	case WITNESS_KNOWS:
		settle_doubt(q);
		break;
	case WITNESS_REFERS:
		follow_referral(q, index, reply);
		break;
	case WITNESS_LAME:
		break;
	}
	query_wake(q);
}

/* What the reply says is judged in memory of the turn: of a referral nothing stays but what goes into
 * the cache and the list of servers, of all else only what is checked. */
void iterate_reply(struct query *q, struct send *s, const struct message *m)
{
	unsigned index = s->server;
	bool minimized = s->minimized, witness = s->witness;
	const struct settings_zone *zone = q->zone.configured;
	uint8_t asked[DNAME_MAX];
	if (q->state != QUERY_ASK || (minimized && !q->minimize.active) ||
	    (witness && !witness_is_asked(q, index)))
		return;
	dname_lower(s->qname, asked);
	struct arena *turn = &q->resolver->turn_arena;
	struct reply *reply = arena_alloc(turn, sizeof(*reply));
	struct scrub_input in = {.message = m,
				 .qname = asked,
				 .qtype = s->qtype,
				 .zone = q->zone.name,
				 .forward = zone && zone->forward,
				 .priming = q->priming,
				 .is_elsewhere = is_elsewhere,
				 .is_delegated = is_delegated,
				 .context = q};
	if (!reply || scrub_reply(&in, turn, reply) != OK) {
		out_of_memory(q);
		return;
	}
	reply->unsigned_ok = s->form == FORM_PLAIN || m->opt_offset == 0;
	if (reply->of_child && !witness)
		recall_ds(q, reply);
	bool hearsay = is_hearsay(q, reply, m->flags);
	note_reply(q, s, m, reply, hearsay);
	habit_learn(q, s, m, reply, hearsay || reply->doubtful);
	upstream_cancel_all(q);
	if (witness)
		take_witness(q, index, reply);
	else
		take_reply(q, index, reply, minimized, hearsay);
}

/* --- the states --------------------------------------------------------------------------- */

static enum step check_step(struct query *q)
{
	return denial_soa_step(q) == STEP_WAIT ? STEP_WAIT : validate_step(q);
}

static enum step done_step(struct query *q)
{
	(void)q;
	return STEP_WAIT;
}

static enum step (*const state_step[])(struct query *q) = {
	[QUERY_LEG] = leg_step,	    [QUERY_CUT] = cut_step,   [QUERY_ASK] = ask_step,
	[QUERY_CHECK] = check_step, [QUERY_DONE] = done_step,
};
static_assert(ARRAY_LEN(state_step) == QUERY_STATE_COUNT, "a step per state");

enum step iterate_step(struct query *q)
{
	if (recall_is_waited_for(q))
		return STEP_WAIT;
	return state_step[q->state](q);
}
