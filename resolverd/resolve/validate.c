#include "resolve/validate.h"

#include <stdio.h>

#include "base/log.h"
#include "dns/rdata.h"
#include "resolve/blame.h"
#include "resolve/chain.h"
#include "resolve/cut.h"
#include "resolve/leg.h"
#include "resolve/upstream.h"
#include "resolve/verify.h"

enum { BOGUS_RETRIES = 2 }; /* other servers asked before data is called bogus */

/* --- one set ------------------------------------------------------------------------------ */

static bool is_forwarded(const struct query *q)
{
	return q->zone.configured && q->zone.configured->forward;
}

/* SIGNER lies above the zone whose own servers were asked: not the zone that contains the data (RFC
 * 4035 §5.3.1). Below it, it may be a zone that the same servers hold without ever referring to it. */
static bool is_above_cut(const struct query *q, const uint8_t *signer)
{
	if (!q->zone.ready || q->reply_cached || is_forwarded(q))
		return false;
	return dname_is_below(q->zone.name, signer);
}

/* SET is the parent's where its owner is a zone cut: DS is (RFC 4035 §2.4), and so is an alias that is told
 * in its place. */
static bool is_of_parent(const struct query *q, const struct rrset *set)
{
	return set->type == TYPE_DS || (set->type == TYPE_CNAME && q->qtype == TYPE_DS);
}

/* The zone that claims to have signed SET; NULL if nobody in the right place does. */
static const uint8_t *find_signer(const struct query *q, const struct rrset *set)
{
	struct rrset_iter it = rrset_sigs(set);
	struct span rdata;
	struct rrsig_view sig;
	const uint8_t *best = NULL;
	while (rrset_next(&it, &rdata)) {
		if (rdata_rrsig(rdata, &sig) != OK || !dname_is_within(set->owner, sig.signer))
			continue;
		if (is_above_cut(q, sig.signer))
			continue;
		if (is_of_parent(q, set) && dname_equal(set->owner, sig.signer) &&
		    sig.signer[0] != 0)
			continue;
		if (!best || dname_label_count(sig.signer) > dname_label_count(best))
			best = sig.signer;
	}
	return best;
}

/* What chain_unsigned() says of NAME, and of ZONE: that is signed, and so should NAME be. */
static bool lacks_signature(enum security s, const uint8_t *zone)
{
	return s == SECURITY_SECURE || (s == SECURITY_UNPROVEN && zone);
}

/* *ZONE: as of chain_unsigned(). */
static enum security unsigned_set(struct query *q, const struct rrset *set, const uint8_t **zone)
{
	enum security s = chain_unsigned(q, set->owner, is_of_parent(q, set), zone);
	if (!lacks_signature(s, *zone))
		return s;
	blame_set(q, EDE_RRSIGS_MISSING, set, *zone, "no signature although its zone is signed");
	return s == SECURITY_UNPROVEN ? s : SECURITY_BOGUS;
}

/* Try the signatures of SET with MEMO's keys, those of its signer. *FITS: some fit a key. */
static enum security verify(struct query *q, struct rrset *set, struct checked *memo, bool *fits)
{
	enum crypto_result result = CRYPTO_GOOD;
	*fits = true;
	switch (verify_set(q, set, memo, &result)) {
	case OK:
		break;
	case ERR_BUSY:
		return SECURITY_PENDING;
	default:
		blame_set(q, EDE_DNSSEC_BOGUS, set, memo->keys->set.owner,
			  "limit of signature checks reached");
		return SECURITY_BOGUS;
	}
	if (result == CRYPTO_GOOD)
		return SECURITY_SECURE;
	*fits = result != CRYPTO_MISMATCH;
	blame_signature(q, set, memo->keys->set.owner, result);
	return SECURITY_BOGUS;
}

/* KEY is trusted by the zone's anchor or DS. */
static bool key_is_trusted(const struct query *q, const struct anchor *anchor,
			   const struct rrset *ds, struct span key)
{
	struct rrset_iter it;
	struct ds_view view;
	struct span rdata;
	if (anchor)
		return anchor_trusts_key(anchor, key);
	it = rrset_records(ds);
	for (unsigned n = 0; n < LIMIT_DS_PER_ZONE && rrset_next(&it, &rdata); n++)
		if (rdata_ds(rdata, &view) == OK &&
		    crypto_digest_is_supported(view.digest_type, q->settings->accept_sha1) &&
		    crypto_ds_matches(ds->owner, rdata, key))
			return true;
	return false;
}

/* DS names a key of SET that must not sign: it lacks the zone bit (RFC 4034 §2.1.1). */
static bool ds_names_no_zone_key(const struct rrset *ds, const struct rrset *set)
{
	struct rrset_iter keys = rrset_records(set);
	struct span key, rdata;
	struct dnskey_view view;
	for (unsigned n = 0; n < LIMIT_DNSKEYS && rrset_next(&keys, &key); n++) {
		if (rdata_dnskey(key, &view) != OK || (view.flags & DNSKEY_ZONE))
			continue;
		struct rrset_iter it = rrset_records(ds);
		for (unsigned i = 0; i < LIMIT_DS_PER_ZONE && rrset_next(&it, &rdata); i++)
			if (crypto_ds_names(ds->owner, rdata, key))
				return true;
	}
	return false;
}

static void blame_keys(struct query *q, const struct anchor *anchor, const struct rrset *ds,
		       const struct rrset *set)
{
	char text[DNAME_TEXT_MAX];
	if (!anchor && ds_names_no_zone_key(ds, set)) {
		blame_set(q, EDE_NO_ZONE_KEY_BIT, set, set->owner,
			  "the key that DS names lacks the zone bit");
		return;
	}
	blame_set(q, EDE_DNSKEY_MISSING, set, set->owner,
		  anchor ? "no key matches the trust anchor" : "no key matches DS");
	if (!anchor)
		return;
	metrics_add(q->resolver->metrics, METRIC_dnssec_anchor_mismatch_total, 1);
	log_error("dnssec: no key of zone=%s matches its trust anchor; root hints and trust "
		  "anchors may belong to different trees",
		  dname_text(set->owner, text));
}

/* Those keys of SET, the DNSKEY set of its zone, that the parent's DS or an ANCHOR vouches for. */
static enum security trusted_keys(struct query *q, const struct anchor *anchor,
				  const struct rrset *set, struct proven *out)
{
	struct proven ds = {0};
	struct rrset trusted;
	struct span keys[LIMIT_DS_PER_ZONE], key;
	unsigned count = 0;
	if (!anchor) { /* the set may stand at the end of a chain: its owner counts, not what was asked */
		uint8_t zone[DNAME_MAX];
		const uint8_t *cut;
		dname_lower(set->owner, zone);
		enum security s = chain_ds(q, zone, &ds);
		if (s != SECURITY_SECURE)
			return s == SECURITY_NO_CUT ? unsigned_set(q, set, &cut) : s;
	}
	struct rrset_iter it = rrset_records(set);
	for (unsigned n = 0; n < LIMIT_DNSKEYS && count < ARRAY_LEN(keys) && rrset_next(&it, &key);
	     n++)
		if (key_is_trusted(q, anchor, &ds.set, key))
			keys[count++] = key;
	if (count == 0) {
		blame_keys(q, anchor, &ds.set, set);
		return SECURITY_BOGUS;
	}
	if (rrset_from_rdatas(set->owner, TYPE_DNSKEY, set->ttl_s, keys, count, &q->arena,
			      &trusted) != OK)
		return SECURITY_UNPROVEN;
	*out = proven_by_trust(&trusted);
	return SECURITY_SECURE;
}

/* Keep KEYS for the next run. */
static bool remember_keys(struct query *q, const struct proven *keys, struct checked *memo)
{
	struct proven *copy = arena_alloc(&q->arena, sizeof(*copy));
	if (!copy)
		return false;
	*copy = *keys;
	memo->keys = copy;
	memo->attempts = 0;
	return true;
}

/* The apex DNSKEY set: signed by a key that the parent's DS, or an anchor, vouches for. */
static enum security check_dnskey(struct query *q, struct rrset *set, struct checked *memo)
{
	const struct anchor *anchor = chain_anchor(q, set->owner);
	struct proven trusted;
	bool fits;
	if (!anchor || settings_is_insecure(q->settings, set->owner))
		return SECURITY_INSECURE;
	if (!dname_equal(anchor->zone, set->owner))
		anchor = NULL;
	if (!memo->keys) {
		enum security v = trusted_keys(q, anchor, set, &trusted);
		if (v != SECURITY_SECURE)
			return v;
		if (!remember_keys(q, &trusted, memo))
			return SECURITY_UNPROVEN;
	}
	enum security v = verify(q, set, memo, &fits);
	if (v == SECURITY_SECURE && anchor)
		chain_observe(q, anchor, memo->proven);
	return v;
}

/* No signature is by a key of its signer's, so they are as good as none: NAME may lie in an unsigned
 * zone, *ZONE. Else it is bogus, as noted. */
static enum security unless_unsigned(struct query *q, const uint8_t *name, bool for_ds,
				     const uint8_t **zone)
{
	struct trouble noted = q->trouble;
	enum security s = chain_unsigned(q, name, for_ds, zone);
	if (s == SECURITY_PENDING || s == SECURITY_INSECURE)
		return s;
	q->trouble = noted;
	return s == SECURITY_UNPROVEN ? s : SECURITY_BOGUS;
}

/* Verify with the keys of the signer; a tag that no cached key has means that the keys rolled. */
static enum security verify_with_zone(struct query *q, struct rrset *set, struct checked *memo)
{
	struct proven keys;
	bool fits;
	if (!memo->keys) {
		enum security s = chain_zone(q, memo->signer, q->keys_refetched, &keys);
		if (s == SECURITY_NO_CUT) {
			blame_set(q, EDE_DNSSEC_BOGUS, set, memo->signer, "its signer is no zone");
			return unless_unsigned(q, set->owner, is_of_parent(q, set), &memo->zone);
		}
		if (s != SECURITY_SECURE)
			return s;
		if (!remember_keys(q, &keys, memo))
			return SECURITY_UNPROVEN;
	}
	enum security v = verify(q, set, memo, &fits);
	if (v != SECURITY_BOGUS || fits)
		return v;
	if (q->keys_refetched) /* a forwarder shows no cuts: there may be one below the signer */
		return is_forwarded(q)
			       ? unless_unsigned(q, set->owner, is_of_parent(q, set), &memo->zone)
			       : v;
	q->keys_refetched = true;
	memo->keys = NULL;
	return verify_with_zone(q, set, memo);
}

static bool is_bad(enum security s)
{
	return s == SECURITY_BOGUS || s == SECURITY_UNPROVEN || s == SECURITY_NO_CUT;
}

static enum verdict verdict_of(enum security s)
{
	if (is_bad(s))
		return VERDICT_BOGUS;
	return s == SECURITY_SECURE	? VERDICT_SECURE
	       : s == SECURITY_INSECURE ? VERDICT_INSECURE
					: VERDICT_UNCHECKED;
}

/* SET NULL: the denial of what was asked for. */
static void note_check(struct query *q, enum trace_kind kind, enum security security,
		       const struct rrset *set)
{
	const char *why = is_bad(security) ? q->trouble.text : "";
	query_note(q, (struct trace_step){.kind = kind,
					  .code = (uint8_t)verdict_of(security),
					  .name = set ? set->owner : q->reply->target,
					  .type = set ? set->type : 0,
					  .text = span_of(why, strlen(why))});
}

static enum security check_set(struct query *q, struct rrset *set, struct checked *memo)
{
	if (memo->security != SECURITY_PENDING)
		return memo->security;
	if (set->type == TYPE_RRSIG) /* signatures are not signed (RFC 4035 §2.2) */
		return memo->security = SECURITY_INSECURE;
	memo->zone = memo->signer = find_signer(q, set);
	if (!memo->signer)
		memo->security = unsigned_set(q, set, &memo->zone);
	else if (set->type == TYPE_DNSKEY)
		memo->security = check_dnskey(q, set, memo);
	else
		memo->security = verify_with_zone(q, set, memo);
	if (memo->security != SECURITY_PENDING)
		note_check(q, TRACE_CHECK, memo->security, set);
	return memo->security;
}

/* --- denial ------------------------------------------------------------------------------- */

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
	const uint8_t *own = find_signer(q, soa);
	if (own && dname_equal(own, signer)) {
		enum security v = check_set(q, soa, memo);
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
		const uint8_t *own = find_signer(q, set);
		enum security v = SECURITY_BOGUS;
		if (set->type == TYPE_SOA && is_negative(reply) && dname_equal(set->owner, signer))
			all = v = check_soa(q, signer, set, memo);
		else if (is_denial(set) && own && dname_equal(own, signer))
			v = check_set(q, set, memo);
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
		if (check_set(q, set, &q->authority_checks[i]) == SECURITY_PENDING)
			return SECURITY_PENDING;
	}
	q->trouble = noted; /* what does not verify is left out, and so is what it was */
	return SECURITY_INSECURE;
}

/*
 * What goes with the leg's sets, which are WHOLE: to clients, into the cache, and into the proof that a
 * name is or is no delegation (chain.c). Only sets that were checked, of which each is as good as the
 * whole; all else stood in the reply without saying anything. In a bogus leg it stays, for who sets CD.
 */
static void keep_checked(struct query *q, enum security whole)
{
	struct reply *reply = q->reply;
	uint32_t count = reply->authority_count;
	bool had_soa = reply->has_soa;
	reply->authority_count = 0;
	reply->has_soa = false;
	for (uint32_t i = 0; i < count; i++) {
		const struct rrset set = reply->authority[i];
		const struct checked memo = q->authority_checks[i];
		bool good = memo.proven ||
			    (memo.security == SECURITY_INSECURE && whole == SECURITY_INSECURE);
		if (!good)
			continue;
		reply->has_soa |= set.type == TYPE_SOA;
		reply->authority[reply->authority_count] = set;
		q->authority_checks[reply->authority_count++] = memo;
	}
	if (had_soa && !reply->has_soa && whole == SECURITY_SECURE)
		reply->negative_ttl_s = 0; /* nobody in the right place has said it */
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
		answer_store_proven(&soa, &q->since, r->now, &q->arena);
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

static const uint8_t *find_denial_signer(const struct query *q)
{
	const struct reply *reply = q->reply;
	const uint8_t *soa_signer = NULL;
	for (uint32_t i = 0; i < reply->authority_count; i++) {
		const uint8_t *signer = find_signer(q, &reply->authority[i]);
		if (!signer || !dname_is_within(reply->target, signer))
			continue;
		/* The child knows nothing of its DS (RFC 4035 §3.1.4.1). */
		if (q->qtype == TYPE_DS && dname_equal(reply->target, signer) && signer[0] != 0)
			continue;
		if (is_denial(&reply->authority[i]))
			return signer;
		soa_signer = signer;
	}
	return soa_signer;
}

static enum security unsigned_denial(struct query *q, const uint8_t **zone)
{
	enum security s = chain_unsigned(q, q->reply->target, q->qtype == TYPE_DS, zone);
	if (s == SECURITY_INSECURE)
		return check_beside_unsigned(q);
	if (!lacks_signature(s, *zone))
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
	if (result == DENIAL_NONE && count == 0 && is_forwarded(q)) {
		v = unless_unsigned(q, reply->target, q->qtype == TYPE_DS, zone);
		if (v == SECURITY_INSECURE)
			return check_beside_unsigned(q);
	}
	return v;
}

/* A set made from a wildcard needs the proof that nothing closer exists (RFC 4035 §5.3.4). */
static enum security check_wildcard(struct query *q, const struct rrset *set, struct checked *memo)
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

/* --- the leg ------------------------------------------------------------------------------ */

/* Set INDEX was made from a DNAME before it: it needs no signature of its own (RFC 6672 §5.3.1), and
 * lives no longer than that, whose TTL is by now what was signed (§3.1). */
static void follow_dname(struct reply *reply, uint32_t index)
{
	struct rrset *set = &reply->sets[index];
	for (uint32_t i = 0; i < index; i++)
		if (reply->sets[i].type == TYPE_DNAME &&
		    dname_is_below(set->owner, reply->sets[i].owner))
			set->ttl_s = MIN(set->ttl_s, reply->sets[i].ttl_s);
}

/*
 * What comes behind set number INDEX - 1 of the chain, an alias, is V, and lies in ZONE: is it to be
 * used? Not if it is bad, nor if it lies in an unsigned zone other than the alias does: once that cut
 * is known, it is not for the servers of the zone above to tell (resolve/cut.h). A forwarder tells of
 * all zones.
 */
static bool is_usable(const struct query *q, uint32_t index, enum security v, const uint8_t *zone)
{
	if (index == 0 || q->reply->sets[index - 1].type != TYPE_CNAME)
		return true;
	if (v != SECURITY_INSECURE || is_forwarded(q))
		return !is_bad(v);
	while (--index > 0 && scrub_made_by_dname(q->reply, index))
		; /* its DNAME was checked in its stead */
	const uint8_t *before = q->set_checks[index].zone;
	return !zone || !before || dname_equal(zone, before);
}

/* Go on with the first COUNT sets of the chain, which are good, as an alias: its target is asked for
 * itself. What was NOTED before is what the trouble is. */
static void keep_alias(struct query *q, uint32_t count, const struct trouble *noted)
{
	struct reply *reply = q->reply;
	struct rrset_iter it = rrset_records(&reply->sets[count - 1]);
	struct span target;
	REQUIRE(rrset_next(&it, &target));
	reply->kind = REPLY_ALIAS;
	reply->rcode = RCODE_NOERROR;
	reply->target = target.at;
	reply->set_count = count;
	reply->alias_count = 0;
	for (uint32_t i = 0; i < count; i++)
		reply->alias_count += reply->sets[i].type == TYPE_CNAME;
	q->trouble = *noted;
}

static enum security check_chain(struct query *q)
{
	struct reply *reply = q->reply;
	struct trouble noted = q->trouble;
	enum security all = SECURITY_SECURE;
	for (uint32_t i = 0; i < reply->set_count; i++) {
		if (scrub_made_by_dname(reply, i)) {
			follow_dname(reply, i);
			continue;
		}
		struct checked *memo = &q->set_checks[i];
		enum security v = check_set(q, &reply->sets[i], memo);
		if (v == SECURITY_SECURE)
			v = check_wildcard(q, &reply->sets[i], memo);
		if (v == SECURITY_PENDING)
			return v;
		if (!is_usable(q, i, v, memo->zone)) {
			keep_alias(q, i, &noted);
			return all;
		}
		if (is_bad(v))
			return v;
		if (v != SECURITY_SECURE)
			all = v;
	}
	return all;
}

/* What the denial at the end of a chain that is ALL is worth, if Q's reply is one. */
static enum security check_end(struct query *q, enum security all)
{
	struct reply *reply = q->reply;
	struct trouble noted = q->trouble;
	const uint8_t *zone;
	if (!is_negative(reply))
		return all;
	enum security v = check_negative(q, &zone);
	if (v != SECURITY_PENDING)
		note_check(q, TRACE_DENIAL, v, NULL);
	if (v == SECURITY_SECURE)
		return all;
	if (v == SECURITY_PENDING || is_usable(q, reply->set_count, v, zone))
		return v;
	keep_alias(q, reply->set_count, &noted);
	return all;
}

static bool has_other_server(const struct query *q)
{
	for (unsigned i = 0; i < q->zone.server_count; i++)
		if (i != q->reply_server && !q->zone.servers[i].bad &&
		    q->zone.servers[i].sends < LIMIT_SENDS_PER_SERVER)
			return true;
	for (unsigned i = 0; i < q->zone.ns_name_count; i++) {
		const struct ns_name *n = &q->zone.ns_names[i];
		if (!n->asked_a && !n->asked_aaaa && !n->in_zone &&
		    q->zone.ns_lookups < LIMIT_NS_LOOKUPS)
			return true;
	}
	return false;
}

/* Q's reply lacks signatures, and says nothing by that. */
static void blame_edns(struct query *q)
{
	const struct reply *reply = q->reply;
	blame_note(q, EDE_DNSSEC_INDETERMINATE,
		   &(struct blame){.owner = reply->target,
				   .type = q->qtype,
				   .server = blame_server(q),
				   .zone = q->zone.name,
				   .why = "answered without EDNS, so without signatures"});
}

static enum step conclude_unproven(struct query *q)
{
	q->answer.unproven = true;
	query_remark(q);
	return leg_checked(q, VERDICT_BOGUS);
}

enum step validate_conclude_bogus(struct query *q)
{
	if (q->reply->unsigned_ok) /* nobody has sent signatures: that shows nothing to be bad */
		return conclude_unproven(q);
	metrics_add(q->resolver->metrics, METRIC_dnssec_bogus_total, 1);
	if (q->trouble.ede == EDE_NONE)
		q->trouble.ede = EDE_DNSSEC_BOGUS;
	query_remark(q);
	return leg_checked(q, VERDICT_BOGUS);
}

/* Unless better comes, it stays with what has come and with what is wrong with that. */
static enum step ask_again(struct query *q)
{
	q->bogus_reply = q->reply;
	q->bogus_why = q->trouble;
	query_note(q, (struct trace_step){.kind = TRACE_ELSEWHERE});
	q->reply = NULL;
	q->state = QUERY_ASK;
	return STEP_AGAIN;
}

/* While it was found out that the reply is bad, a cut below the zone asked has come to be known: what
 * lies there is for its own servers to tell, whatever those above have left of it. */
static bool has_deeper_cut(const struct query *q)
{
	const uint8_t *name = q->name;
	if (q->reply_cached || q->from_root || is_forwarded(q))
		return false;
	if (q->qtype == TYPE_DS && name[0] != 0)
		name = dname_skip(name, 1); /* DS is the parent's data */
	return dname_is_within(name, q->zone.name) && cut_below(q, name, q->zone.name);
}

/* What came is bogus, or UNPROVEN. Ask elsewhere before anything is called bogus; with EDNS, if the
 * reply came without it. */
static enum step on_bogus(struct query *q, bool unproven)
{
	char text[DNAME_TEXT_MAX];
	log_debug("bogus name=%s type=%u reason=\"%s\"", dname_text(q->name, text), q->qtype,
		  q->trouble.text);
	bool worth_it = q->budget->signature_checks < LIMIT_SIGNATURE_CHECKS &&
			q->budget->failed_checks < LIMIT_FAILED_CHECKS &&
			q->budget->denial.hashes_left > 0;
	if (q->reply_cached && worth_it)
		return leg_ask_in_full(q);
	if (q->reply->unsigned_ok && !q->reply_cached) {
		blame_edns(q);
		upstream_ask_signed(q, q->reply_server);
		return ask_again(q);
	}
	if (worth_it && q->bogus_retries < BOGUS_RETRIES && has_deeper_cut(q)) {
		q->bogus_retries++;
		query_note(q, (struct trace_step){.kind = TRACE_ELSEWHERE});
		return leg_ask_in_full(q);
	}
	if (unproven) /* by whatever server */
		return conclude_unproven(q);
	if (!worth_it || q->bogus_retries >= BOGUS_RETRIES || !has_other_server(q) ||
	    q->reply_cached)
		return validate_conclude_bogus(q);
	q->bogus_retries++;
	q->zone.servers[q->reply_server].bad = true;
	return ask_again(q);
}

enum step validate_step(struct query *q)
{
	const struct settings *settings = q->settings;
	struct metrics *metrics = q->resolver->metrics;
	const struct endpoint *source = blame_server(q);
	q->answer.source = source ? *source : (struct endpoint){0};
	verify_end_wait(q);
	if (!settings->dnssec)
		return leg_checked(q, VERDICT_INDETERMINATE);
	/* The rest of a chain in the same reply goes with its first name: who can forge what is
	 * behind the alias could as well forge the alias. It is kept for this answer only. */
	if (settings_is_insecure(settings, q->name) ||
	    (q->zone.configured && q->zone.configured->insecure))
		return leg_checked(q, VERDICT_INSECURE);
	enum security v = check_chain(q);
	if (v != SECURITY_PENDING && !is_bad(v))
		v = check_end(q, v);
	if (v == SECURITY_PENDING)
		return STEP_WAIT;
	if (is_bad(v))
		return on_bogus(q, v == SECURITY_UNPROVEN);
	keep_checked(q, v);
	metrics_add(metrics,
		    v == SECURITY_SECURE ? METRIC_dnssec_secure_total
					 : METRIC_dnssec_insecure_total,
		    1);
	return leg_checked(q, verdict_of(v));
}
