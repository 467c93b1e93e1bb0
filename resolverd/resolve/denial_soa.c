#include "resolve/denial_soa.h"

#include "dns/rdata.h"

/* A denial that a client may be told; what the cache has kept of a referral is not (RANK_REFERRAL). */
static bool lacks_soa(const struct query *q)
{
	const struct reply *r = q->reply;
	return q->qtype == TYPE_DS && !q->reply_cached && r->kind == REPLY_NODATA && !r->has_soa &&
	       r->authority_count > 0 && r->authority_count < ANSWER_AUTHORITY_MAX &&
	       !q->zone.configured;
}

static const struct rrset *soa_of(const struct answer *a, const uint8_t *zone)
{
	for (uint32_t i = 0; a->verdict == VERDICT_SECURE && i < a->answer_count; i++)
		if (a->answer[i].type == TYPE_SOA && dname_equal(a->answer[i].owner, zone))
			return &a->answer[i];
	return NULL;
}

static void add_soa(struct reply *r, const struct rrset *soa)
{
	struct rrset_iter it = rrset_records(soa);
	struct span rdata;
	struct soa_view view;
	if (!rrset_next(&it, &rdata) || rdata_soa(rdata, &view) != OK)
		return;
	r->authority[r->authority_count++] = *soa;
	r->has_soa = true;
	r->negative_ttl_s = MIN(r->negative_ttl_s, MIN(soa->ttl_s, view.minimum_s));
}

enum step denial_soa_step(struct query *q)
{
	const struct answer *a = NULL;
	if (!lacks_soa(q))
		return STEP_AGAIN;
	enum err err = query_need(q, q->zone.name, TYPE_SOA, false, &a);
	if (err == ERR_BUSY)
		return STEP_WAIT;
	const struct rrset *soa = err == OK ? soa_of(a, q->zone.name) : NULL;
	if (soa)
		add_soa(q->reply, soa);
	return STEP_AGAIN;
}
