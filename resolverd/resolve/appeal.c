#include "resolve/appeal.h"

#include "resolve/cut.h"

/* The address of a name server is asked for whose own zone has no server with an address: the parent, which
 * should have told it with the delegation, may tell it to who asks for it. */
static bool lacks_glue(const struct query *q)
{
	bool is_address = q->qtype == TYPE_A || q->qtype == TYPE_AAAA;
	return q->internal && is_address && q->zone.server_count == 0;
}

static bool may_appeal(const struct query *q)
{
	const struct zone_context *z = &q->zone;
	int64_t age_ms = q->resolver->now.cache_ms - z->told_ms;
	if (z->configured || z->name[0] == 0 || q->appeal.open || q->appeal.count == LIMIT_APPEALS)
		return false;
	if (q->sends >= LIMIT_SENDS_PER_QUERY || q->budget->sends >= LIMIT_SENDS)
		return false;
	return z->told_by.family != 0 || lacks_glue(q) || age_ms >= (int64_t)LIMIT_APPEAL_S * 1000;
}

/* The delegation that is cached counts as told now: nobody else appeals against it for a while. */
static void mark_delegation(struct query *q)
{
	const uint8_t *name = q->zone.name;
	const struct entry *e = cache_find(q->resolver->client_context.reader, ENTRY_DELEGATION,
					   name, dname_len(name), 0);
	if (e && entry_is_fresh(e, q->resolver->now))
		(void)cut_store(q, name, entry_payload(e), e->expires_ms);
}

bool appeal_begin(struct query *q, bool spent)
{
	struct appeal *a = &q->appeal;
	if (!may_appeal(q))
		return false;
	struct span zone = arena_copy(&q->arena, span_of(q->zone.name, dname_len(q->zone.name)));
	if (!zone.at)
		return false;
	if (q->zone.told_by.family == 0)
		mark_delegation(q);
	a->open = true;
	a->spent = spent;
	a->zone = zone.at;
	a->delegation = q->zone.delegation;
	a->told[a->count++] = q->zone.told_by;
	a->why = q->trouble;
	query_note(q, (struct trace_step){.kind = TRACE_APPEAL, .name = a->zone});
	q->state = QUERY_CUT;
	return true;
}

bool appeal_ignores(const struct query *q, const uint8_t *name)
{
	return q->appeal.open && dname_is_within(name, q->appeal.zone);
}

bool appeal_knows(const struct query *q, const struct endpoint *e)
{
	for (unsigned i = 0; q->appeal.open && i < q->appeal.count; i++)
		if (endpoint_equal(&q->appeal.told[i], e))
			return true;
	return false;
}

bool appeal_hear(struct query *q, unsigned index, const struct reply *reply)
{
	struct appeal *a = &q->appeal;
	if (!a->open || !dname_is_within(reply->cut, a->zone))
		return false;
	bool same = dname_equal(reply->cut, a->zone) &&
		    a->delegation ==
			    delegation_fingerprint(&reply->delegation, &q->resolver->table_key);
	if (!same || !a->spent) {
		a->open = false;
		return false;
	}
	q->zone.servers[index].bad = true;
	if (a->count < LIMIT_APPEALS) {
		a->told[a->count++] = q->zone.servers[index].address;
		query_wake(q);
	} else {
		(void)appeal_lose(q);
		query_fail(q);
	}
	return true;
}

bool appeal_lose(struct query *q)
{
	struct appeal *a = &q->appeal;
	a->open = false;
	if (a->spent)
		q->trouble = a->why;
	else
		q->state = QUERY_CUT;
	return !a->spent;
}
