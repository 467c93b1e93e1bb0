#include "resolve/validate_denial.h"

#include <stdio.h>

#include "resolve/blame.h"
#include "resolve/chain.h"
#include "resolve/validate_set.h"
#include "resolve/verify.h"

static bool is_denial(const struct rrset *set)
{
	return set->type == TYPE_NSEC || set->type == TYPE_NSEC3;
}

static bool is_negative(const struct reply *reply)
{
	return reply->kind == REPLY_NODATA || reply->kind == REPLY_NXDOMAIN;
}

/* SIGNER's own SOA, beside its denial: without a good signature it would be told as authentic (RFC 4035
 * §3.2.3). It is as bogus as a bogus answer then, and another server may have better. */
static enum security check_soa(struct query *q, const uint8_t *signer, struct rrset *soa,
			       struct checked *memo)
{
	const uint8_t *own = validate_set_signer(q, soa);
	if (own && dname_equal(own, signer)) {
		enum security v = validate_set(q, soa, memo);
		/* its TTL is that of the signature by now, not what anybody may write on the wire */
		q->reply->negative_ttl_s = MIN(q->reply->negative_ttl_s, soa->ttl_s);
		return v;
	}
	blame_set(q, EDE_RRSIGS_MISSING, soa, signer, "no signature although its zone is signed");
	return SECURITY_BOGUS;
}

/* Verify what SIGNER has said in the authority section: its denial records, of which the good ones go
 * into OUT and the others are left out, and beside a denial its SOA. SECURITY_BOGUS: because of the SOA;
 * SECURITY_SECURE also if no record was good. */
static enum security check_authority(struct query *q, const uint8_t *signer, struct proven *out,
				     size_t *count)
{
	struct reply *reply = q->reply;
	enum security all = SECURITY_SECURE;
	*count = 0;
	for (uint32_t i = 0; i < reply->authority_count; i++) {
		struct rrset *set = &reply->authority[i];
		struct checked *memo = &q->authority_checks[i];
		const uint8_t *own = validate_set_signer(q, set);
		enum security v = SECURITY_BOGUS;
		if (set->type == TYPE_SOA && is_negative(reply) && dname_equal(set->owner, signer))
			all = v = check_soa(q, signer, set, memo);
		else if (is_denial(set) && own && dname_equal(own, signer))
			v = validate_set(q, set, memo);
		if (v == SECURITY_PENDING || v == SECURITY_UNPROVEN)
			return v;
		if (v == SECURITY_SECURE && is_denial(set) && memo->proven)
			out[(*count)++] = *memo->proven;
	}
	return all;
}

/* The denial is that of an unsigned zone. Verify what claims to be from anywhere else: its SOA, and what
 * bears signatures. */
static enum security check_beside_unsigned(struct query *q)
{
	struct reply *reply = q->reply;
	const struct trouble noted = q->trouble;
	for (uint32_t i = 0; i < reply->authority_count; i++) {
		struct rrset *set = &reply->authority[i];
		if (set->type != TYPE_SOA && set->sig_count == 0)
			continue;
		if (validate_set(q, set, &q->authority_checks[i]) == SECURITY_PENDING)
			return SECURITY_PENDING;
	}
	q->trouble = noted; /* what does not verify is left out, and so is what it was */
	return SECURITY_INSECURE;
}

/* Good denial records may answer later questions (RFC 8198). */
static void keep_ranges(struct query *q, const uint8_t *zone, const struct proven *sets,
			size_t count)
{
	struct resolver *r = q->resolver;
	const struct settings_zone *configured = q->zone.configured;
	if (!r->ranges || !q->settings->aggressive_nsec || cache_flushed_since(&q->since))
		return;
	if (configured && !dname_is_within(zone, configured->name))
		return; /* never across a forward or stub zone's boundary */
	for (uint32_t i = 0; i < q->reply->authority_count; i++) {
		if (q->reply->authority[i].type != TYPE_SOA || !q->authority_checks[i].proven)
			continue;
		struct proven soa = *q->authority_checks[i].proven;
		soa.set.ttl_s = MIN(soa.set.ttl_s,
				    MIN(q->reply->negative_ttl_s, q->settings->max_negative_ttl_s));
		const struct entry *known = cache_find(r->client_context.reader, ENTRY_RRSET, zone,
						       dname_len(zone), TYPE_SOA);
		if (known && entry_ttl_left_s(known, r->now) >= soa.set.ttl_s &&
		    known->verdict == VERDICT_SECURE)
			continue;
		answer_store_proven(&soa, &q->since, r->now, &r->turn_arena);
	}
	for (size_t i = 0; i < count; i++) {
		uint32_t ttl_s = MIN(sets[i].set.ttl_s, q->settings->max_negative_ttl_s);
		if (q->reply->has_soa)
			ttl_s = MIN(ttl_s, q->reply->negative_ttl_s);
		ranges_put(r->ranges, &sets[i], r->now.cache_ms + (int64_t)ttl_s * 1000, r->now);
	}
}

static bool has_denial(const struct reply *reply)
{
	for (uint32_t i = 0; i < reply->authority_count; i++)
		if (is_denial(&reply->authority[i]))
			return true;
	return false;
}

/* COUNT good SETS of ZONE, for a proof that is made in pieces. */
static struct denial_records records_for(struct query *q, const uint8_t *zone,
					 const struct proven *sets, size_t count)
{
	if (!q->memo) /* NULL where memory is out: then it is made in one piece */
		q->memo = arena_alloc(&q->arena, sizeof(*q->memo));
	if (q->memo)
		q->memo->left = verify_hashes_now(q);
	return (struct denial_records){.zone = zone,
				       .sets = sets,
				       .count = count,
				       .budget = &q->budget->denial,
				       .memo = q->memo};
}

/* The proof has come to RESULT for now; HASHES_LEFT were left before. True: Q waits to go on. */
static bool has_to_pause(struct query *q, enum denial_result *result, unsigned hashes_left)
{
	verify_charge_hashes(q, hashes_left);
	if (*result != DENIAL_BUSY)
		return false;
	if (verify_pause(q))
		return true;
	*result = DENIAL_LIMIT; /* memory is out */
	return false;
}

static enum security from_denial(struct query *q, enum denial_result result, const uint8_t *zone)
{
	char why[64];
	switch (result) {
	case DENIAL_PROVEN:
		return SECURITY_SECURE;
	case DENIAL_OPT_OUT:
		return SECURITY_INSECURE;
	case DENIAL_ITERATIONS:
		(void)snprintf(why, sizeof(why), "NSEC3 with more than %u iterations",
			       DENIAL_ITERATIONS_MAX);
		blame_denial(q, EDE_UNSUPPORTED_NSEC3_ITERATIONS, zone, why);
		query_remark(q);
		return SECURITY_INSECURE;
	case DENIAL_BUSY:
	case DENIAL_LIMIT:
		query_count_limit(q, "limit of NSEC3 hashes reached");
		blame_denial(q, EDE_DNSSEC_BOGUS, zone, "limit of NSEC3 hashes reached");
		return SECURITY_BOGUS;
	case DENIAL_NONE:
		if (has_denial(q->reply))
			blame_denial(q, EDE_DNSSEC_BOGUS, zone,
				     "its denial is not proven by the records with it");
		else
			blame_denial(q, EDE_NSEC_MISSING, zone, "its denial comes without proof");
		return SECURITY_BOGUS;
	}
	return SECURITY_BOGUS;
}

/* What is denied is DS, of which the zone above tells. A minimised question is for another type, and for a
 * name above the one in question. */
static bool denies_ds(const struct query *q)
{
	const struct reply *reply = q->reply;
	return q->qtype == TYPE_DS && (reply->set_count > 0 || dname_equal(reply->target, q->name));
}

static const uint8_t *find_denial_signer(const struct query *q)
{
	const struct reply *reply = q->reply;
	const uint8_t *soa_signer = NULL;
	for (uint32_t i = 0; i < reply->authority_count; i++) {
		const uint8_t *signer = validate_set_signer(q, &reply->authority[i]);
		if (!signer || !dname_is_within(reply->target, signer) ||
		    !chain_may_sign(q, signer, reply->target, denies_ds(q)))
			continue;
		/* The child knows nothing of its DS (RFC 4035 §3.1.4.1). */
		if (denies_ds(q) && dname_equal(reply->target, signer) && signer[0] != 0)
			continue;
		if (is_denial(&reply->authority[i]))
			return signer;
		soa_signer = signer;
	}
	return soa_signer;
}

static enum security unsigned_denial(struct query *q, const uint8_t **zone)
{
	enum security s = chain_unsigned(q, q->reply->target, denies_ds(q), zone);
	if (s == SECURITY_INSECURE)
		return check_beside_unsigned(q);
	if (!chain_lacks_signature(s, *zone))
		return s;
	blame_denial(q, EDE_NSEC_MISSING, *zone,
		     "its denial is unsigned although its zone is signed");
	return s == SECURITY_UNPROVEN ? s : SECURITY_BOGUS;
}

/* *ZONE: as of struct checked. */
static enum security check_negative(struct query *q, const uint8_t **zone)
{
	struct reply *reply = q->reply;
	struct proven good[ANSWER_AUTHORITY_MAX], keys;
	size_t count;
	const uint8_t *signer = *zone = find_denial_signer(q);
	if (!signer)
		return unsigned_denial(q, zone);
	enum security s = chain_zone(q, signer, q->keys_refetched, &keys);
	if (s == SECURITY_NO_CUT)
		return unsigned_denial(q, zone);
	if (s == SECURITY_INSECURE)
		return check_beside_unsigned(q);
	if (s != SECURITY_SECURE)
		return s;
	enum security v = check_authority(q, signer, good, &count);
	if (v != SECURITY_SECURE)
		return v;
	unsigned hashes_left = q->budget->denial.hashes_left;
	if (!verify_has_turn(q, 0))
		return SECURITY_PENDING;
	struct denial_records records = records_for(q, signer, good, count);
	enum denial_result result = reply->kind == REPLY_NXDOMAIN
					    ? denial_nxdomain(&records, reply->target)
					    : denial_nodata(&records, reply->target, q->qtype);
	/* What a minimised question's name lacks says nothing of the names below it. */
	bool is_whole = reply->set_count > 0 || dname_equal(reply->target, q->name);
	if (result == DENIAL_NONE && reply->kind == REPLY_NXDOMAIN && is_whole) {
		/* An empty non-terminal that its server denies: the signed proof is right, the
		 * rcode is not. */
		enum denial_result nodata = denial_nodata(&records, reply->target, q->qtype);
		if (nodata == DENIAL_PROVEN)
			reply->kind = REPLY_NODATA;
		if (nodata == DENIAL_PROVEN || nodata == DENIAL_BUSY)
			result = nodata;
	}
	if (has_to_pause(q, &result, hashes_left))
		return SECURITY_PENDING;
	v = from_denial(q, result, signer);
	if (v == SECURITY_SECURE)
		keep_ranges(q, signer, good, count);
	if (result == DENIAL_NONE && count == 0 && query_is_forwarded(q)) {
		v = chain_unless_unsigned(q, reply->target, denies_ds(q), zone);
		if (v == SECURITY_INSECURE)
			return check_beside_unsigned(q);
	}
	return v;
}

/* The answer to a minimised question denies a name above an anchor of what was asked for. */
static bool denies_anchor(const struct query *q)
{
	const struct reply *reply = q->reply;
	return reply->set_count == 0 &&
	       !chain_may_sign(q, reply->target, q->name, q->qtype == TYPE_DS);
}

enum security validate_denial(struct query *q, const uint8_t **zone)
{
	if (!is_negative(q->reply))
		return SECURITY_SECURE;
	enum security v = check_negative(q, zone);
	if (v == SECURITY_INSECURE && denies_anchor(q)) {
		blame_denial(q, EDE_NSEC_MISSING, q->reply->target,
			     "it denies, without proof, a name above a trust anchor");
		v = SECURITY_BOGUS;
	}
	if (v != SECURITY_PENDING)
		validate_set_note(q, TRACE_DENIAL, v, NULL);
	return v;
}

enum security validate_denial_wildcard(struct query *q, const struct rrset *set,
				       struct checked *memo)
{
	struct proven good[ANSWER_AUTHORITY_MAX];
	size_t count;
	const struct proven *proven = memo->proven;
	if (!proven || !proven_is_expanded(proven) || memo->wildcard_proven)
		return SECURITY_SECURE;
	enum security v = check_authority(q, memo->signer, good, &count);
	if (v != SECURITY_SECURE)
		return v;
	unsigned hashes_left = q->budget->denial.hashes_left;
	if (!verify_has_turn(q, 0))
		return SECURITY_PENDING;
	struct denial_records records = records_for(q, memo->signer, good, count);
	enum denial_result result = denial_wildcard(&records, set->owner, proven->encloser_labels);
	if (has_to_pause(q, &result, hashes_left))
		return SECURITY_PENDING;
	v = from_denial(q, result, memo->signer);
	memo->wildcard_proven = v == SECURITY_SECURE;
	if (v == SECURITY_SECURE)
		keep_ranges(q, memo->signer, good, count);
	return v;
}
