#include "resolve/cut.h"

#include "resolve/iterate.h"
#include "resolve/leg.h"
#include "resolve/recall.h"
#include "resolve/servers.h"

static const struct entry *find_delegation(const struct resolver *r, const uint8_t *name)
{
	return cache_find(r->client_context.reader, ENTRY_DELEGATION, name, dname_len(name), 0);
}

/* RECALL: what is known may be on disk, from where whoever asks for NAME next will take it. What cannot
 * be told at once counts as not known: the reply in hand does not wait. */
static const uint8_t *deepest_cut(const struct query *q, const uint8_t *name, const uint8_t *zone,
				  bool recall)
{
	const struct resolver *r = q->resolver;
	unsigned stop = dname_label_count(zone);
	bool later;
	for (unsigned labels = dname_label_count(name); labels > stop; labels--) {
		const struct entry *e = find_delegation(r, name);
		if (!e && recall && recall_at_once(r, name, &later))
			e = find_delegation(r, name);
		if (e && entry_is_fresh(e, r->now))
			return name;
		name = dname_skip(name, 1);
	}
	return NULL;
}

const uint8_t *cut_below(const struct query *q, const uint8_t *name, const uint8_t *zone)
{
	return deepest_cut(q, name, zone, false);
}

/* NAME belongs to a zone that the operator configured, and neither to that in which the question's name
 * lies nor to one around it, be it that its servers have failed. */
static bool is_configured_elsewhere(const struct query *q, const uint8_t *name)
{
	const struct settings_zone *asked = settings_zone_for(q->settings, q->name, q->qtype);
	const struct settings_zone *own = settings_zone_for(q->settings, name, q->qtype);
	if (!own || own == asked)
		return false;
	return !asked || !dname_is_within(asked->name, own->name);
}

bool cut_is_elsewhere(const struct query *q, const uint8_t *name)
{
	uint8_t lower[DNAME_MAX];
	const uint8_t *at = lower;
	dname_lower(name, lower);
	if (is_configured_elsewhere(q, lower))
		return true;
	if (query_is_forwarded(q))
		return false; /* it tells of all names */
	if (q->qtype == TYPE_DS && at[0] != 0)
		at = dname_skip(at, 1); /* DS is the parent's data */
	if (!dname_is_within(at, q->zone.name))
		return false;
	const uint8_t *cut = deepest_cut(q, at, q->zone.name, true);
	return cut && !dname_is_within(q->name, cut);
}

bool cut_has_been_below(const struct query *q, const uint8_t *name)
{
	for (unsigned left = dname_label_count(name) - dname_label_count(q->zone.name); left > 0;
	     left--, name = dname_skip(name, 1))
		if (find_delegation(q->resolver, name))
			return true;
	return false;
}

bool cut_is_known(const struct query *q, const uint8_t *name)
{
	uint8_t lower[DNAME_MAX];
	dname_lower(name, lower);
	return !query_is_forwarded(q) && dname_is_below(lower, q->zone.name) &&
	       deepest_cut(q, lower, dname_skip(lower, 1), false);
}

static bool is_top(const struct query *q, const uint8_t *name)
{
	const struct settings_zone *zone = settings_zone_for(q->settings, name, q->qtype);
	if (zone && (zone->forward || dname_equal(zone->name, name)))
		return !zone->forward;
	return find_delegation(q->resolver, name) != NULL; /* an expired one says so too */
}

bool cut_has_beside_alias(const struct query *q, const uint8_t *name)
{
	bool is_led = q->qtype == TYPE_A || q->qtype == TYPE_AAAA || q->qtype == TYPE_HTTPS;
	return !is_led && is_top(q, name);
}

static uint32_t seconds_until(const struct query *q, int64_t expires_ms)
{
	return (uint32_t)((expires_ms - q->resolver->now.cache_ms + 999) / 1000);
}

bool cut_store(struct query *q, const uint8_t *name, struct span packed, int64_t expires_ms)
{
	struct resolver *r = q->resolver;
	uint32_t ttl_s = seconds_until(q, expires_ms);
	struct entry_parts parts = {
		.kind = ENTRY_DELEGATION,
		.name = name,
		.rank = RANK_REFERRAL,
		.verdict = VERDICT_UNCHECKED,
		.ede = EDE_NONE,
		.fetched_ms = expires_ms - (int64_t)ttl_s * 1000,
		.ttl_s = ttl_s,
		.payload = {packed},
	};
	void *room = arena_alloc(&r->turn_arena, entry_size(&parts));
	return room && cache_put_since(&q->since, entry_make(&parts, room), r->now) == OK;
}

/* --- the end of an alias -------------------------------------------------------------------- */

/* NAME was asked for itself lately, and those in charge of it have denied what Q asks for. */
static bool end_is_told(const struct query *q, const uint8_t *name)
{
	const struct resolver *r = q->resolver;
	struct answer_view view;
	uint8_t lower[DNAME_MAX];
	dname_lower(name, lower);
	const struct entry *e = answer_find(r->client_context.reader, lower, dname_len(lower),
					    q->qtype, q->settings->dnssec, r->now);
	if (!e || e->kind == ENTRY_RRSET || e->rank < RANK_ANSWER || e->verdict == VERDICT_BOGUS ||
	    entry_answer(e, &view) != OK || view.counts[SECTION_ANSWER] > 0)
		return false;
	if (dname_is_within(lower, q->zone.name) && cut_has_been_below(q, lower))
		return false; /* by servers that are not asked now */
	return r->now.cache_ms - entry_fetched_ms(e) < LIMIT_ALIAS_END_S * INT64_C(1000);
}

bool cut_end_is_doubtful(struct query *q, enum verdict verdict)
{
	const struct reply *reply = q->reply;
	bool denies = reply->kind == REPLY_NODATA && reply->set_count > 0;
	q->end_reply = NULL;
	if (!denies || q->reply_cached || verdict == VERDICT_SECURE || q->qtype == TYPE_DS)
		return false;
	if (query_is_forwarded(q) || servers_are_counted(q) || end_is_told(q, reply->target))
		return false;
	q->end_reply = arena_alloc(&q->arena, sizeof(*q->end_reply));
	if (q->end_reply) {
		*q->end_reply = *reply;
		q->end_reply->set_count = q->end_reply->alias_count = 0;
		q->end_reply->doubtful = true;
	}
	return true;
}

void cut_end_begin_leg(struct query *q)
{
	if (!q->end_reply)
		return;
	q->doubtful_reply = q->end_reply;
	q->doubtful_server = 0; /* one of the leg before, whose order is gone */
	q->doubt_until_ms = iterate_doubt_end_ms(q);
	q->end_reply = NULL;
}

void cut_end_note(struct query *q, enum verdict verdict)
{
	const struct reply *reply = q->reply;
	bool denies = reply->kind == REPLY_NODATA || reply->kind == REPLY_NXDOMAIN;
	bool unproven = verdict == VERDICT_INSECURE || verdict == VERDICT_INDETERMINATE;
	q->end_denied = denies && !reply->doubtful && reply->set_count == 0 && q->alias_count > 0 &&
			unproven && !q->reply_cached && !query_is_forwarded(q) && !q->fallen_from &&
			q->qtype != TYPE_DS;
}

void cut_end_keep(struct query *q)
{
	struct resolver *r = q->resolver;
	const struct reply *reply = q->reply;
	struct answer *a;
	if (!q->end_denied || !(a = arena_alloc(&r->turn_arena, sizeof(*a))))
		return;
	*a = answer_of_nothing(q->name, q->qtype);
	a->rcode = q->answer.rcode;
	a->verdict = q->settings->dnssec ? VERDICT_INSECURE : VERDICT_INDETERMINATE;
	a->rank = RANK_ANSWER;
	a->fetched_ms = r->now.cache_ms;
	a->ttl_s = MIN(reply->negative_ttl_s, q->settings->max_negative_ttl_s);
	a->authority_count = reply->authority_count;
	for (uint32_t i = 0; i < reply->authority_count; i++) {
		a->authority[i] = reply->authority[i];
		a->authority[i].ttl_s = MIN(reply->authority[i].ttl_s, a->ttl_s);
	}
	(void)answer_store(a, &q->since, r->now, &r->turn_arena);
}

/* --- an alias of another type --------------------------------------------------------------- */

/* What Q's type was told to be at the name of its leg, fresh or not; NULL: nothing is known. */
static const struct entry *own_answer(const struct query *q)
{
	const struct resolver *r = q->resolver;
	const struct entry *e = answer_find(r->client_context.reader, q->name, dname_len(q->name),
					    q->qtype, q->settings->dnssec, r->now);
	bool told = e && e->rank >= RANK_FORWARDED && e->verdict != VERDICT_UNCHECKED &&
		    e->verdict != VERDICT_BOGUS;
	return told ? e : NULL;
}

bool cut_alias_is_other(const struct query *q, const struct entry *e)
{
	struct resolver *r = q->resolver;
	const struct entry *own = e->verdict == VERDICT_SECURE ? NULL : own_answer(q);
	struct answer *a = own ? arena_alloc(&r->turn_arena, sizeof(*a)) : NULL;
	struct rrset alias;
	if (!a || answer_from_entry(own, q->name, q->qtype, r->now, &r->turn_arena, a) != OK)
		return false;
	entry_rrset(e, &alias);
	for (uint32_t i = 0; i < a->answer_count; i++)
		if (a->answer[i].type == TYPE_CNAME && dname_equal(a->answer[i].owner, q->name))
			return !rrset_same_data(&a->answer[i], &alias);
	return true;
}

void cut_alias_note(struct query *q, const struct entry *e)
{
	bool counts = q->qtype == TYPE_A || q->alias_count == 0;
	if (counts && e->verdict != VERDICT_SECURE && e->rank >= RANK_ANSWER && !own_answer(q))
		q->alias_untold = true;
}

/* NXDOMAIN, unproven, of a name that has an alias for other types: at most it says that of this type. */
static bool is_denied_by_name(const struct query *q)
{
	const struct answer *a = &q->answer;
	return a->rcode == RCODE_NXDOMAIN && a->answer_count == 0 && a->verdict != VERDICT_SECURE;
}

bool cut_alias_begin_anew(struct query *q)
{
	const struct answer *a = &q->answer;
	bool led = a->answer_count > 0 && a->answer[a->answer_count - 1].type == TYPE_CNAME;
	if (q->denial && is_denied_by_name(q))
		(void)cut_alias_fall_back(q);
	if (!q->alias_untold || !led || q->qtype == TYPE_CNAME || a->verdict == VERDICT_BOGUS)
		return false;
	struct answer *denial = arena_alloc(&q->arena, sizeof(*denial));
	if (!denial)
		return false;
	*denial = *a;
	if (q->settings == q->resolver->settings)
		cut_end_keep(q);
	if (!leg_begin_anew(q))
		return false;
	q->alias_untold = false;
	q->first_anew = q->qtype != TYPE_A;
	q->denial = denial;
	q->give_up_ms = MIN(q->give_up_ms, iterate_doubt_end_ms(q));
	return true;
}

bool cut_alias_fall_back(struct query *q)
{
	if (!q->denial || q->state == QUERY_DONE)
		return false;
	q->answer = *q->denial;
	q->denial = NULL;
	q->legs_told = 0; /* those of another chain */
	return true;
}
