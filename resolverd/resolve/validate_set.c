#include "resolve/validate_set.h"

#include "base/log.h"
#include "dns/rdata.h"
#include "resolve/blame.h"
#include "resolve/chain.h"
#include "resolve/verify.h"

/* SIGNER lies above the zone whose own servers were asked: not the zone that contains the data (RFC
 * 4035 §5.3.1). Below it, it may be a zone that the same servers hold without ever referring to it. */
static bool is_above_cut(const struct query *q, const uint8_t *signer)
{
	if (!q->zone.ready || q->reply_cached || query_is_forwarded(q))
		return false;
	return dname_is_below(q->zone.name, signer);
}

/* SET is of a zone above its owner, be that a zone cut: DS is (RFC 4035 §2.4), and so is an alias that is
 * told in its place. The owner of an NSEC3 is a hash below its zone and no name of it, so it is no cut
 * either, whatever an opt-out span leaves open (RFC 5155 §3). */
static bool is_of_parent(const struct query *q, const struct rrset *set)
{
	return set->type == TYPE_DS || (set->type == TYPE_CNAME && q->qtype == TYPE_DS) ||
	       (set->type == TYPE_NSEC3 && set->owner[0] == NSEC3_LABEL_LEN);
}

const uint8_t *validate_set_signer(const struct query *q, const struct rrset *set)
{
	struct rrset_iter it = rrset_sigs(set);
	struct span rdata;
	struct rrsig_view sig;
	const uint8_t *best = NULL;
	while (rrset_next(&it, &rdata)) {
		if (rdata_rrsig(rdata, &sig) != OK || !dname_is_within(set->owner, sig.signer))
			continue;
		if (is_above_cut(q, sig.signer) ||
		    !chain_may_sign(q, sig.signer, set->owner, is_of_parent(q, set)))
			continue;
		if (is_of_parent(q, set) && dname_equal(set->owner, sig.signer) &&
		    sig.signer[0] != 0)
			continue;
		if (!best || dname_label_count(sig.signer) > dname_label_count(best))
			best = sig.signer;
	}
	return best;
}

/* *ZONE: as of chain_unsigned(). */
static enum security unsigned_set(struct query *q, const struct rrset *set, const uint8_t **zone)
{
	enum security s = chain_unsigned(q, set->owner, is_of_parent(q, set), zone);
	if (!chain_lacks_signature(s, *zone))
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
		blame_set(q, EDE_DNSSEC_BOGUS, set, memo->keys->proven.set.owner,
			  "limit of signature checks reached");
		return SECURITY_BOGUS;
	}
	if (result == CRYPTO_GOOD)
		return SECURITY_SECURE;
	*fits = result != CRYPTO_MISMATCH;
	blame_signature(q, set, memo->keys->proven.set.owner, result);
	return SECURITY_BOGUS;
}

struct vouching { /* who vouches for the keys of a zone: its anchor, or the DS of its parent */
	const struct anchor *anchor;
	const struct rrset *ds;
	uint8_t digested[LIMIT_DS_PER_ZONE]; /* keys of each DS's tag */
};

/* KEY is trusted by the zone's anchor or DS. All its keys may have the tag of all its DS: few of them are
 * digested. */
static bool key_is_trusted(struct query *q, struct vouching *v, struct span key)
{
	struct rrset_iter it;
	struct ds_view view;
	struct span rdata;
	if (v->anchor)
		return anchor_trusts_key(v->anchor, key);
	uint16_t tag = rdata_dnskey_tag(key);
	it = rrset_records(v->ds);
	for (unsigned n = 0; n < LIMIT_DS_PER_ZONE && rrset_next(&it, &rdata); n++) {
		if (rdata_ds(rdata, &view) != OK || view.key_tag != tag ||
		    !crypto_digest_is_supported(view.digest_type, q->settings->accept_sha1) ||
		    v->digested[n] >= LIMIT_KEYS_PER_TAG)
			continue;
		v->digested[n]++;
		verify_charge(q, LIMIT_DS_DIGEST_US);
		if (crypto_ds_matches(v->ds->owner, rdata, key))
			return true;
	}
	return false;
}

/* DS names a key of SET that must not sign: it lacks the zone bit (RFC 4034 §2.1.1). */
static bool ds_names_no_zone_key(struct query *q, const struct rrset *ds, const struct rrset *set)
{
	unsigned left = LIMIT_DS_PER_ZONE * LIMIT_KEYS_PER_TAG; /* looked at */
	struct rrset_iter keys = rrset_records(set);
	struct span key, rdata;
	struct dnskey_view view;
	for (unsigned n = 0; n < LIMIT_DNSKEYS && rrset_next(&keys, &key); n++) {
		if (rdata_dnskey(key, &view) != OK || (view.flags & DNSKEY_ZONE))
			continue;
		struct rrset_iter it = rrset_records(ds);
		for (unsigned i = 0; i < LIMIT_DS_PER_ZONE && rrset_next(&it, &rdata); i++) {
			if (left-- == 0)
				return false;
			verify_charge(q, LIMIT_DS_DIGEST_US);
			if (crypto_ds_names(ds->owner, rdata, key))
				return true;
		}
	}
	return false;
}

static void blame_keys(struct query *q, const struct anchor *anchor, const struct rrset *ds,
		       const struct rrset *set)
{
	char text[DNAME_TEXT_MAX];
	if (!anchor && ds_names_no_zone_key(q, ds, set)) {
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
	struct vouching vouching = {.anchor = anchor, .ds = &ds.set};
	verify_charge(q, 1 + (unsigned)(set->rdata.len / LIMIT_TAG_BYTES_PER_US));
	for (unsigned n = 0; n < LIMIT_DNSKEYS && count < ARRAY_LEN(keys) && rrset_next(&it, &key);
	     n++)
		if (key_is_trusted(q, &vouching, key))
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

/* MEMO's set is tried with KEYS, from its first signature on. */
static void begin_with(struct checked *memo, const struct keyset *keys)
{
	memo->keys = keys;
	memo->attempts = memo->sigs_done = memo->sigs_tried = 0;
}

/* The keys of ZONE that another set of this reply is tried with, or NULL. */
static const struct keyset *keys_at_hand(const struct query *q, const uint8_t *zone)
{
	for (uint32_t i = 0; i < q->reply->set_count + q->reply->authority_count; i++) {
		const struct checked *other =
			i < q->reply->set_count ? &q->set_checks[i]
						: &q->authority_checks[i - q->reply->set_count];
		const struct keyset *keys = other->keys;
		if (keys && keys->whole && keys->refetched == q->keys_refetched &&
		    dname_equal(keys->proven.set.owner, zone))
			return keys;
	}
	return NULL;
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
		begin_with(memo, verify_keyset(q, &trusted, false));
		if (!memo->keys)
			return SECURITY_UNPROVEN;
	}
	enum security v = verify(q, set, memo, &fits);
	if (v == SECURITY_SECURE && anchor)
		chain_observe(q, anchor, memo->proven);
	return v;
}

/* Verify with the keys of the signer; a tag that no cached key has means that the keys rolled. */
static enum security verify_with_zone(struct query *q, struct rrset *set, struct checked *memo)
{
	struct proven keys;
	bool fits;
	const struct keyset *at_hand = memo->keys ? NULL : keys_at_hand(q, memo->signer);
	if (at_hand)
		begin_with(memo, at_hand);
	if (!memo->keys) {
		enum security s = chain_zone(q, memo->signer, q->keys_refetched, &keys);
		if (s == SECURITY_NO_CUT) {
			blame_set(q, EDE_DNSSEC_BOGUS, set, memo->signer, "its signer is no zone");
			return chain_unless_unsigned(q, set->owner, is_of_parent(q, set),
						     &memo->zone);
		}
		if (s != SECURITY_SECURE)
			return s;
		begin_with(memo, verify_keyset(q, &keys, true));
		if (!memo->keys)
			return SECURITY_UNPROVEN;
	}
	enum security v = verify(q, set, memo, &fits);
	if (v != SECURITY_BOGUS || fits)
		return v;
	if (q->keys_refetched) /* a forwarder shows no cuts: there may be one below the signer */
		return query_is_forwarded(q)
			       ? chain_unless_unsigned(q, set->owner, is_of_parent(q, set),
						       &memo->zone)
			       : v;
	q->keys_refetched = true;
	memo->keys = NULL;
	return verify_with_zone(q, set, memo);
}

void validate_set_note(struct query *q, enum trace_kind kind, enum security security,
		       const struct rrset *set)
{
	const char *why = security_is_bad(security) ? q->trouble.text : "";
	query_note(q, (struct trace_step){.kind = kind,
					  .code = (uint8_t)security_verdict(security),
					  .name = set ? set->owner : q->reply->target,
					  .type = set ? set->type : 0,
					  .text = span_of(why, strlen(why))});
}

enum security validate_set(struct query *q, struct rrset *set, struct checked *memo)
{
	if (memo->security != SECURITY_PENDING)
		return memo->security;
	if (set->type == TYPE_RRSIG) /* signatures are not signed (RFC 4035 §2.2) */
		return memo->security = SECURITY_INSECURE;
	if (!memo->signer) {
		memo->signer = validate_set_signer(q, set);
		verify_charge(q, set->sig_count * verify_look_us(set->owner));
	}
	memo->zone = memo->signer;
	if (!memo->signer)
		memo->security = unsigned_set(q, set, &memo->zone);
	else if (set->type == TYPE_DNSKEY)
		memo->security = check_dnskey(q, set, memo);
	else
		memo->security = verify_with_zone(q, set, memo);
	if (memo->security != SECURITY_PENDING)
		validate_set_note(q, TRACE_CHECK, memo->security, set);
	return memo->security;
}
