#include "resolve/leg.h"

#include "base/log.h"
#include "cache/entry.h"
#include "dns/rdata.h"
#include "resolve/cut.h"
#include "resolve/outdate.h"
#include "resolve/recall.h"
#include "resolve/synthesise.h"

/* --- the chain ------------------------------------------------------------------------------ */

static enum verdict weaker(enum verdict a, enum verdict b)
{
	static const int strength[] = {[VERDICT_BOGUS] = 0,
				       [VERDICT_UNCHECKED] = 1,
				       [VERDICT_INDETERMINATE] = 2,
				       [VERDICT_INSECURE] = 3,
				       [VERDICT_SECURE] = 4};
	return strength[a] < strength[b] ? a : b;
}

void leg_weaken(struct query *q, enum verdict verdict)
{
	q->answer.verdict = weaker(q->answer.verdict, verdict);
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

static void begin_leg(struct query *q, const uint8_t *name)
{
	q->name = name;
	q->zone.ready = false;
	q->fallen_from = NULL;
	q->minimize.off = false;
	q->minimize.steps = 0;
	q->minimize.denial = NULL;
	q->minimize.is_tried = false;
	q->referral_count = 0;
	q->reply = q->doubtful_reply = q->bogus_reply = NULL;
	q->end_denied = false;
	q->state = QUERY_LEG;
	recall_next_leg(q);
}

/* Begin the leg for TARGET, or end the question if the chain loops or is too long. */
static enum step next_leg(struct query *q, const uint8_t *target, unsigned hops)
{
	char text[DNAME_TEXT_MAX];
	uint8_t *name = arena_alloc(&q->arena, DNAME_MAX);
	q->alias_count += hops;
	if (!name || q->alias_count > LIMIT_ALIASES || chain_has(q, target)) {
		query_limit(q, EDE_OTHER, "CNAME chain %s at %s",
			    q->alias_count > LIMIT_ALIASES ? "is too long" : "loops",
			    dname_text(target, text));
		query_fail_chain(q);
		return STEP_WAIT;
	}
	dname_lower(target, name);
	query_note(q, (struct trace_step){.kind = TRACE_ALIAS, .name = name});
	begin_leg(q, name);
	return STEP_AGAIN;
}

bool leg_begin_anew(struct query *q)
{
	if (!q->alias_cached || q->aliases_anew || q->sends >= LIMIT_SENDS_PER_QUERY)
		return false;
	query_note(q, (struct trace_step){.kind = TRACE_ELSEWHERE});
	q->aliases_anew = true;
	q->answer = answer_of_nothing(q->qname, q->qtype);
	q->alias_count = 0;
	q->legs_told = 0;
	q->reply = NULL;
	begin_leg(q, q->qname);
	return true;
}

static enum step finish(struct query *q)
{
	if (cut_alias_begin_anew(q))
		return STEP_AGAIN;
	query_finish(q);
	return STEP_WAIT;
}

/* --- from the cache ------------------------------------------------------------------------- */

void leg_check(struct query *q, struct reply *reply, bool cached)
{
	q->reply = reply;
	q->reply_cached = cached;
	q->appeal.open = false;
	q->answer.unproven = false;
	memset(q->set_checks, 0, sizeof(q->set_checks));
	memset(q->authority_checks, 0, sizeof(q->authority_checks));
	q->state = QUERY_CHECK;
}

/* E (NULL: none) of the cache decides the leg. */
static void note_cache(struct query *q, enum trace_cache what, const struct entry *e)
{
	int64_t age_ms = e ? q->resolver->now.cache_ms - entry_fetched_ms(e) : 0;
	query_note(q, (struct trace_step){.kind = TRACE_CACHE,
					  .code = what,
					  .value = (uint32_t)MAX(age_ms, (int64_t)0)});
}

void leg_reply_of(const struct answer *a, struct reply *out)
{
	out->rcode = a->rcode;
	out->kind = a->answer_count > 0		 ? REPLY_ANSWER
		    : a->rcode == RCODE_NXDOMAIN ? REPLY_NXDOMAIN
						 : REPLY_NODATA;
	out->set_count = a->answer_count;
	memcpy(out->sets, a->answer, a->answer_count * sizeof(a->answer[0]));
	out->authority_count = a->authority_count;
	memcpy(out->authority, a->authority, a->authority_count * sizeof(a->authority[0]));
	out->has_soa = false;
	for (uint32_t i = 0; i < a->authority_count; i++)
		out->has_soa |= a->authority[i].type == TYPE_SOA;
	out->negative_ttl_s = a->ttl_s;
}

/* Sets from an unchecked entry (a referral's DS or its denial) go through validation first. */
static bool load_unchecked(struct query *q, const struct answer *a)
{
	struct reply *reply = arena_alloc(&q->arena, sizeof(*reply));
	if (!reply || a->answer_count > 1)
		return false;
	reply->target = q->name;
	leg_reply_of(a, reply);
	leg_check(q, reply, true);
	return true;
}

/* Take over what the cache says about the leg's name in full. */
static enum step take_answer(struct query *q, const struct answer *a)
{
	for (uint32_t i = 0; i < a->answer_count; i++)
		if (!append_set(q, &a->answer[i])) {
			query_trouble(q, EDE_OTHER, "CNAME chain is too long");
			query_fail_chain(q);
			return STEP_WAIT;
		}
	for (uint32_t i = 0; i < a->authority_count; i++)
		append_authority(q, &a->authority[i]);
	leg_weaken(q, a->verdict);
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
	if ((unchecked || e->rank < RANK_FORWARDED) && (!q->internal || q->waiters))
		return false;
	a = arena_alloc(&r->turn_arena, sizeof(*a));
	if (!a || answer_from_entry(e, q->name, q->qtype, r->now, &q->arena, a) != OK)
		return false;
	note_cache(q, unchecked ? TRACE_CACHE_UNCHECKED : TRACE_CACHE_ANSWER, e);
	if (unchecked) {
		*step = STEP_AGAIN;
		return load_unchecked(q, a);
	}
	*step = take_answer(q, a);
	return true;
}

/* What the cache has of aliases does not count at Q's leg. */
static bool asks_anew(const struct query *q)
{
	return q->aliases_anew && (!q->first_anew || q->alias_count == 0);
}

/* An alias in the cache whose target may be known or not. */
static bool leg_from_alias(struct query *q, enum step *step)
{
	struct resolver *r = q->resolver;
	struct rrset cname;
	struct span target;
	/* DS is the parent's, which may know of no alias that the zone below tells of. */
	if (q->qtype == TYPE_CNAME || q->qtype == TYPE_DS || asks_anew(q))
		return false;
	const struct entry *e = cache_find(r->client_context.reader, ENTRY_RRSET, q->name,
					   dname_len(q->name), TYPE_CNAME);
	if (!e || !entry_is_fresh(e, r->now) || e->rank < RANK_FORWARDED ||
	    (e->flags & ENTRY_WILDCARD))
		return false;
	if (q->settings->dnssec && (e->verdict == VERDICT_UNCHECKED || e->verdict == VERDICT_BOGUS))
		return false;
	if (cut_has_beside_alias(q, q->name) || cut_alias_is_other(q, e))
		return false;
	entry_rrset(e, &cname);
	cname.ttl_s = entry_ttl_left_s(e, r->now);
	if (rrset_copy(&cname, &q->arena, &cname) != OK || !append_set(q, &cname))
		return false;
	struct rrset_iter it = rrset_records(&cname);
	if (!rrset_next(&it, &target))
		return false;
	leg_weaken(q, e->verdict);
	q->answer.rank = MIN(q->answer.rank, e->rank);
	note_cache(q, TRACE_CACHE_ALIAS, e);
	cut_alias_note(q, e);
	q->alias_cached = true;
	*step = next_leg(q, target.at, 1);
	return true;
}

/* The DNAME at OWNER, which is validated, tells of NAME too: nothing else exists below it
 * (RFC 6672 §2.4), but for what the operator has configured there, and a zone that is still thought to
 * be there. */
static bool dname_reaches(const struct query *q, const uint8_t *name, const uint8_t *owner)
{
	const struct settings_zone *zone = settings_zone_for(q->settings, name, q->qtype);
	if (!q->settings->dnssec || settings_is_insecure(q->settings, name))
		return false;
	return !(zone && dname_is_below(zone->name, owner)) && !cut_below(q, name, owner);
}

/* Only what is validated answers for other names than that with which it came (RFC 6672 §3.4): else
 * who forges one name would forge all below the owner that he puts beside it. */
const struct entry *leg_find_dname(const struct query *q, const uint8_t *name)
{
	struct resolver *r = q->resolver;
	for (const uint8_t *at = name; at[0] != 0;) {
		at = dname_skip(at, 1);
		const struct entry *e = cache_find(r->client_context.reader, ENTRY_RRSET, at,
						   dname_len(at), TYPE_DNAME);
		if (!e || !entry_is_fresh(e, r->now) || e->verdict != VERDICT_SECURE ||
		    (e->flags & ENTRY_WILDCARD))
			continue;
		return dname_reaches(q, name, at) ? e : NULL;
	}
	return NULL;
}

/* A DNAME in the cache above the leg's name. */
static bool leg_from_dname(struct query *q, enum step *step)
{
	struct resolver *r = q->resolver;
	struct rrset dname, cname;
	struct span target;
	bool unwanted = (q->qtype == TYPE_DS && q->internal) || asks_anew(q);
	const struct entry *e = unwanted ? NULL : leg_find_dname(q, q->name);
	if (!e || q->answer.answer_count + 2 > ARRAY_LEN(q->answer.answer))
		return false;
	entry_rrset(e, &dname);
	dname.ttl_s = entry_ttl_left_s(e, r->now);
	if (rrset_copy(&dname, &q->arena, &dname) != OK)
		return false;
	enum err err = scrub_make_cname(q->name, &dname, &q->arena, &cname);
	if (err != OK && err != ERR_NO_SPACE)
		return false;
	note_cache(q, TRACE_CACHE_ALIAS, e);
	q->answer.rank = MIN(q->answer.rank, e->rank);
	REQUIRE(append_set(q, &dname));
	if (err == ERR_NO_SPACE) { /* RFC 6672 §2.2 */
		q->answer.rcode = RCODE_YXDOMAIN;
		*step = finish(q);
		return true;
	}
	REQUIRE(append_set(q, &cname));
	q->alias_cached = true;
	struct rrset_iter it = rrset_records(&cname);
	REQUIRE(rrset_next(&it, &target));
	*step = q->qtype == TYPE_CNAME ? finish(q) : next_leg(q, target.at, 1);
	return true;
}

/* Resolution of exactly this failed a moment ago (RFC 9520), and is answered *RCODE. */
static bool leg_failed_lately(struct query *q, uint8_t *rcode)
{
	struct resolver *r = q->resolver;
	char text[sizeof(q->trouble.text)];
	if (q->alias_count == 0 && !q->internal && q->asking == ASKING_NOT_YET)
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
	note_cache(q, TRACE_CACHE_FAILURE, e);
	*rcode = e->rcode;
	return true;
}

/* What that comes to. */
static enum step take_failure(struct query *q, uint8_t rcode)
{
	if (leg_begin_anew(q))
		return STEP_AGAIN;
	if (rcode == RCODE_SERVFAIL) {
		query_fail(q);
		return STEP_WAIT;
	}
	q->answer.rcode = rcode;
	q->answer.no_store = true;
	leg_weaken(q, VERDICT_INSECURE);
	query_remark(q);
	return finish(q);
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
	q->answer.wildcard = q->alias_cached = true;
	q->answer.ttl_s = MIN(q->answer.ttl_s, a->ttl_s);
	if (append_set(q, set))
		return next_leg(q, target.at, 1);
	query_trouble(q, EDE_OTHER, "CNAME chain is too long");
	query_fail_chain(q);
	return STEP_WAIT;
}

static bool leg_from_cache(struct query *q, enum step *step)
{
	struct resolver *r = q->resolver;
	const struct entry *e = answer_find(r->client_context.reader, q->name, dname_len(q->name),
					    q->qtype, q->settings->dnssec, r->now);
	return leg_from_entry(q, e, step) || leg_from_alias(q, step) || leg_from_dname(q, step);
}

bool leg_is_known(const struct query *q)
{
	const struct resolver *r = q->resolver;
	const struct entry *e = answer_find(r->client_context.reader, q->name, dname_len(q->name),
					    q->qtype, q->settings->dnssec, r->now);
	if (q->fresh_only && q->alias_count == 0)
		return false;
	return e && entry_is_fresh(e, r->now) && e->rank >= RANK_FORWARDED &&
	       e->verdict != VERDICT_UNCHECKED;
}

/* The client's side has looked already for the name it was asked for. */
static enum recall leg_recalled(struct query *q)
{
	return q->internal || q->alias_count > 0 ? recall_leg(q) : RECALL_NOTHING;
}

enum step leg_step(struct query *q)
{
	struct resolver *r = q->resolver;
	enum step step;
	if (asking_waits(q))
		return STEP_WAIT;
	if (!q->anew && (!q->fresh_only || q->alias_count > 0)) {
		if (leg_from_cache(q, &step))
			return step;
		enum recall recalled = leg_recalled(q);
		if (recalled == RECALL_LATER)
			return STEP_WAIT;
		if (recalled == RECALL_FOUND && leg_from_cache(q, &step))
			return step;
		const struct answer *made = asks_anew(q) ? NULL : synthesise_answer(q);
		if (made) {
			metrics_add(r->metrics, METRIC_dnssec_synthesised_total, 1);
			note_cache(q, TRACE_CACHE_MADE, NULL);
			return take_synthesised(q, made);
		}
		uint8_t rcode;
		if (leg_failed_lately(q, &rcode))
			return take_failure(q, rcode);
	}
	if (asking_begin(q))
		return STEP_WAIT;
	q->state = QUERY_CUT;
	return STEP_AGAIN;
}

/* --- from servers, validated ---------------------------------------------------------------- */

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

static bool is_expanded(const struct checked *check)
{
	return check->proven && proven_is_expanded(check->proven);
}

/* PROVEN as it stands in its zone: at the wildcard that it was expanded from, whose name goes to OWNER. */
static bool at_its_source(struct proven *proven, uint8_t owner[static DNAME_MAX])
{
	const uint8_t *name = proven->set.owner;
	unsigned skip = dname_label_count(name) - proven->encloser_labels;
	if (!proven_is_expanded(proven))
		return true;
	if (dname_wildcard(dname_skip(name, skip), owner) != OK)
		return false;
	proven->set.owner = owner;
	proven->encloser_labels = dname_label_count(owner);
	return true;
}

/* For how long SET is kept. What is proven stays no longer than its signature is good, however long the
 * operator means all to stay (RFC 4035 §5.3.3). */
static uint32_t kept_ttl_s(const struct query *q, const struct rrset *set,
			   const struct checked *check)
{
	uint32_t ttl_s = resolver_clamp_ttl(q->resolver, set->ttl_s);
	return check->proven ? MIN(ttl_s, check->proven->most_s) : ttl_s;
}

/* A set that is not proven may be stored as what it is. */
static void store_set(struct query *q, const struct checked *check, struct rrset set,
		      enum verdict verdict)
{
	struct resolver *r = q->resolver;
	uint8_t wildcard[DNAME_MAX];
	set.ttl_s = kept_ttl_s(q, &set, check);
	if (set.ttl_s == 0)
		return;
	if (verdict != VERDICT_SECURE) {
		answer_store_rrset(&set, rank_of(q, verdict), verdict, 0, &q->since, r->now,
				   &r->turn_arena);
		return;
	}
	if (!check->proven)
		return;
	/* A wildcard's set is kept under the wildcard's name, where it was signed (RFC 8198 §5.3). */
	struct proven proven = *check->proven;
	proven.set.ttl_s = set.ttl_s;
	if (at_its_source(&proven, wildcard))
		answer_store_proven(&proven, &q->since, r->now, &r->turn_arena);
}

/* Keep the leg's sets on their own: the first always, those behind it only if validated, so that a
 * forger of one name gains no other. The last is left to query_finish() where it is the answer. */
static void store_sets(struct query *q, const struct reply *reply, enum verdict verdict)
{
	bool plain =
		reply->kind == REPLY_ANSWER && reply->set_count == 1 && q->answer.answer_count == 0;
	if (verdict == VERDICT_BOGUS)
		return;
	for (uint32_t i = 0; i < reply->set_count; i++) {
		const struct checked *check = &q->set_checks[i];
		/* VERDICT is that of the weakest: where the end of a chain is insecure, and told with
		 * its beginning by a forwarder, the alias need not be. */
		enum verdict own = check->proven ? VERDICT_SECURE : verdict;
		bool expanded = is_expanded(check);
		if ((i > 0 && own != VERDICT_SECURE) || (plain && !expanded))
			continue;
		if (i > 0 && scrub_made_by_dname(reply, i))
			continue;
		if (expanded && verdict != VERDICT_SECURE)
			continue;
		/* told in place of DS by the zone above, which may be of a lesser kind */
		if (q->qtype == TYPE_DS && reply->sets[i].type == TYPE_CNAME &&
		    own != VERDICT_SECURE)
			continue;
		store_set(q, check, reply->sets[i], own);
	}
}

static uint32_t negative_ttl(const struct query *q, const struct reply *reply)
{
	return MIN(reply->negative_ttl_s, q->settings->max_negative_ttl_s);
}

/* The TTL of set INDEX of the answer. The child's own NS set must not outlive what its parent says (to
 * the second: the delegation itself ends to the millisecond). */
static uint32_t set_ttl(const struct query *q, uint32_t index)
{
	const struct resolver *r = q->resolver;
	const struct rrset *set = &q->reply->sets[index];
	uint32_t ttl_s = kept_ttl_s(q, set, &q->set_checks[index]);
	int64_t left_ms = q->zone.expires_ms - r->now.cache_ms;
	if (set->type == TYPE_NS && q->zone.ready && dname_equal(set->owner, q->zone.name))
		ttl_s = (uint32_t)MIN((int64_t)ttl_s, (MAX(left_ms, (int64_t)0) + 999) / 1000);
	return ttl_s;
}

static bool append_leg(struct query *q, const struct reply *reply)
{
	uint32_t most_s = q->answer.verdict == VERDICT_BOGUS ? LIMIT_BOGUS_S : UINT32_MAX;
	uint32_t dname_s = UINT32_MAX;
	for (uint32_t i = 0; i < reply->set_count; i++) {
		struct rrset set = reply->sets[i];
		set.ttl_s = MIN(set_ttl(q, i), most_s);
		if (set.type == TYPE_DNAME)
			dname_s = set.ttl_s;
		if (scrub_made_by_dname(reply, i)) /* lives no longer than what it was made of */
			set.ttl_s = MIN(set.ttl_s, dname_s);
		if (set.type == TYPE_CNAME && chain_has(q, set.owner))
			return false;
		if (!append_set(q, &set))
			return false;
		q->answer.wildcard |= is_expanded(&q->set_checks[i]);
	}
	bool negative = reply->kind == REPLY_NODATA || reply->kind == REPLY_NXDOMAIN;
	for (uint32_t i = 0; i < reply->authority_count; i++) {
		struct rrset set = reply->authority[i];
		if (!negative && (!q->answer.wildcard || set.type == TYPE_SOA))
			continue;
		set.ttl_s = MIN(kept_ttl_s(q, &set, &q->authority_checks[i]), most_s);
		if (negative) /* RFC 2308 §5: the whole answer lives no longer */
			set.ttl_s = MIN(set.ttl_s, negative_ttl(q, reply));
		append_authority(q, &set);
		q->answer.ttl_s = MIN(q->answer.ttl_s, set.ttl_s);
	}
	return true;
}

enum step leg_ask_in_full(struct query *q)
{
	q->reply_cached = false;
	q->reply = q->doubtful_reply = NULL; /* hearsay, of servers that may be others than now */
	q->state = QUERY_CUT;
	return STEP_AGAIN;
}

/* Each set of the leg bears its proof, but for a CNAME whose DNAME does (RFC 6672 §5.3.1). */
static bool is_proven(const struct query *q)
{
	const struct reply *reply = q->reply;
	for (uint32_t i = 0; i < reply->set_count; i++)
		if (!q->set_checks[i].proven && !scrub_made_by_dname(reply, i))
			return false;
	for (uint32_t i = 0; i < reply->authority_count; i++)
		if (!q->authority_checks[i].proven)
			return false;
	return true;
}

static enum step next_leg_of_reply(struct query *q)
{
	enum step step = next_leg(q, q->reply->target, q->reply->alias_count);
	if (step == STEP_AGAIN)
		cut_end_begin_leg(q);
	return step;
}

enum step leg_checked(struct query *q, enum verdict verdict)
{
	struct reply *reply = q->reply;
	/* Nothing is told or kept as secure that comes past here without its proof: whatever has gone
	 * wrong before, the question fails. */
	if (verdict == VERDICT_SECURE && !is_proven(q)) {
		log_error("leg called secure without proof");
		query_trouble(q, EDE_OTHER, "validation went wrong");
		verdict = VERDICT_BOGUS;
	}
	struct answer *a = &q->answer;
	/* A client has joined a question of our own, which a referral could answer: him it cannot. */
	if (q->waiters && rank_of(q, verdict) < RANK_FORWARDED)
		return leg_ask_in_full(q);
	if (!q->reply_cached)
		outdate_begin_leg(q);
	cut_end_note(q, verdict);
	store_sets(q, reply, verdict);
	leg_weaken(q, verdict);
	a->rank = MIN(a->rank, rank_of(q, verdict));
	if (!append_leg(q, reply)) {
		query_trouble(q, EDE_OTHER, "CNAME chain loops or is too long");
		query_fail_chain(q);
		return STEP_WAIT;
	}
	switch (reply->kind) {
	case REPLY_ALIAS:
		if (q->qtype == TYPE_DS && q->internal && !q->waiters) {
			a->no_store =
				true; /* an alias is no cut: nobody here wants its target's DS */
			return finish(q);
		}
		return next_leg_of_reply(q);
	case REPLY_NXDOMAIN:
	case REPLY_NODATA:
		a->rcode = reply->kind == REPLY_NXDOMAIN ? RCODE_NXDOMAIN : RCODE_NOERROR;
		a->ttl_s = MIN(a->ttl_s, negative_ttl(q, reply));
		/* That the tree around it lacks a private zone's name says nothing about it: it
		 * must not outlive the failure of the zone's servers. */
		a->no_store |= q->fallen_from != NULL;
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
