#include "resolve/denial_soa.h"

#include "dns/rdata.h"

/* A denial that a client may be told; what the cache has kept of a referral is not (RANK_REFERRAL). */
static bool lacks_soa(const struct query *q)
{
	const struct reply *r = q->reply;
	bool denies = r->kind == REPLY_NODATA || r->kind == REPLY_NXDOMAIN;
	return denies && !q->reply_cached && !r->has_soa && r->authority_count > 0 &&
	       r->authority_count < ANSWER_AUTHORITY_MAX && !q->zone.configured;
}

/* Whose denial it is, as the first signature on its proof says, which is yet to be checked. NULL: nobody's of
 * those that were asked, or below. */
static const uint8_t *denier(const struct query *q)
{
	struct rrset_iter it = rrset_sigs(&q->reply->authority[0]);
	struct rrsig_view sig;
	struct span rdata;
	if (!rrset_next(&it, &rdata) || rdata_rrsig(rdata, &sig) != OK ||
	    !dname_is_within(q->reply->target, sig.signer) ||
	    !dname_is_within(sig.signer, q->zone.name))
		return NULL;
	if (q->qtype == TYPE_DS && dname_equal(sig.signer, q->reply->target))
		return NULL; /* the zone below speaks, which proves nothing */
	return sig.signer;
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
	const uint8_t *zone = lacks_soa(q) ? denier(q) : NULL;
	if (!zone)
		return STEP_AGAIN;
	enum err err = query_need(q, zone, TYPE_SOA, false, &a);
	uint64_t now_ms = now_mono_ms(q->resolver->now);
	if (err == ERR_BUSY && q->soa_until_ms == 0)
		q->soa_until_ms = now_ms + LIMIT_SOA_MS;
	if (err == ERR_BUSY && now_ms < q->soa_until_ms)
		return STEP_WAIT;
	const struct rrset *soa = err == OK ? soa_of(a, zone) : NULL;
	if (soa)
		add_soa(q->reply, soa);
	return STEP_AGAIN;
}
