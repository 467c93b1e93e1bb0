#include "resolve/chain.h"

#include "dns/rdata.h"
#include "resolve/blame.h"
#include "resolve/verify.h"

const struct anchor *chain_anchor(const struct query *q, const uint8_t *name)
{
	const struct anchor *best = NULL;
	for (size_t i = 0; i < q->settings->anchor_count; i++) {
		const struct anchor *a = &q->settings->anchors[i];
		if (dname_is_within(name, a->zone) &&
		    (!best || dname_label_count(a->zone) > dname_label_count(best->zone)))
			best = a;
	}
	return best;
}

bool chain_may_sign(const struct query *q, const uint8_t *signer, const uint8_t *name, bool for_ds)
{
	if (for_ds && name[0] != 0)
		name = dname_skip(name, 1); /* DS is the parent's data */
	const struct anchor *anchor = chain_anchor(q, name);
	return !anchor || !dname_is_below(anchor->zone, signer);
}

/* --- rollovers ---------------------------------------------------------------------------- */

/* Verifications spent on revoked keys each time: a zone revokes one, two in an emergency. */
enum { OBSERVE_CHECKS_MAX = 4 };

/* RFC 5011 §2.1: KEY, which is revoked, signs SET itself. Counts down *LEFT. */
static bool signs_itself(struct query *q, const struct rrset *set, struct span key, unsigned *left)
{
	struct crypto_check check = {.set = set,
				     .key = key,
				     .key_owner = set->owner,
				     .unix_s = q->resolver->now.unix_s,
				     .allow_revoked = true,
				     .accept_sha1 = q->settings->accept_sha1};
	struct rrset_iter it = rrset_sigs(set);
	unsigned labels;
	for (unsigned n = 0; n < RRSET_SIGS_MAX && rrset_next(&it, &check.sig); n++) {
		if (crypto_precheck(&check) != CRYPTO_GOOD)
			continue;
		if (*left == 0 || q->budget->signature_checks >= LIMIT_SIGNATURE_CHECKS)
			return false;
		(*left)--;
		verify_charge(q, crypto_cost_us(&check));
		q->budget->signature_checks++;
		metrics_add(q->resolver->metrics, METRIC_dnssec_signature_checks_total, 1);
		if (crypto_verify(q->resolver->keys, &check, &labels) == CRYPTO_GOOD)
			return true;
	}
	return false;
}

void chain_observe(struct query *q, const struct anchor *anchor, const struct proven *proven)
{
	const struct rrset *set = &proven->set;
	struct resolver *r = q->resolver;
	size_t index = (size_t)(anchor - q->settings->anchors);
	bool self_signed[RRSET_RECORDS_MAX] = {false};
	unsigned left = OBSERVE_CHECKS_MAX;
	if (!r->observe_keys || !anchor->managed || index >= SETTINGS_ANCHORS_MAX)
		return;
	uint64_t now_ms = now_mono_ms(r->now), last_ms = r->observed_ms[index];
	if (last_ms != 0 && now_ms - last_ms < RESOLVER_OBSERVE_MS)
		return;
	r->observed_ms[index] = now_ms;
	struct rrset_iter it = rrset_records(set);
	struct span rdata;
	struct dnskey_view key;
	for (unsigned n = 0; n < RRSET_RECORDS_MAX && rrset_next(&it, &rdata); n++)
		if (rdata_dnskey(rdata, &key) == OK && (key.flags & DNSKEY_REVOKE))
			self_signed[n] = signs_itself(q, set, rdata, &left);
	r->observe_keys(r->observe_context, anchor->zone, set, self_signed);
}

/* --- DS and DNSKEY ------------------------------------------------------------------------ */

/* Keys of hot names' zones do not run out under them: a refresh that sees E near its end has it asked
 * for anew beside itself, and goes on with what is there. */
static void renew(struct query *q, const struct entry *e, const uint8_t *zone, uint16_t type)
{
	struct resolver *r = q->resolver;
	if (q->budget->refresh && entry_ends_soon(e, r->now) && r->query_count < LIMIT_QUERIES / 2)
		(void)query_open_refresh(r, zone, type); /* NULL: it is under way */
}

/* Copy the cached, validated set (ZONE, TYPE). */
static bool cached_secure(struct query *q, const uint8_t *zone, uint16_t type, struct proven *out)
{
	struct resolver *r = q->resolver;
	const struct entry *e =
		cache_find(r->client_context.reader, ENTRY_RRSET, zone, dname_len(zone), type);
	if (!e || answer_proven_entry(e, r->now, &q->arena, out) != OK)
		return false;
	renew(q, e, zone, type);
	return true;
}

/* The set (ZONE, TYPE), which B->server sent or is unanswered, is of no use. */
static void blame_zone(struct query *q, uint16_t ede, const uint8_t *zone, uint16_t type,
		       struct blame b)
{
	b.owner = b.zone = zone;
	b.type = type;
	blame_note(q, ede, &b);
}

/* At least one DS could be used here; otherwise the zone counts as unsigned (RFC 4035 §5.2). */
static bool ds_is_usable(struct query *q, const struct proven *ds, const struct endpoint *server)
{
	struct rrset_iter it = rrset_records(&ds->set);
	struct span rdata;
	struct ds_view view;
	bool digest_known = false;
	for (unsigned n = 0; n < LIMIT_DS_PER_ZONE && rrset_next(&it, &rdata); n++) {
		if (rdata_ds(rdata, &view) != OK)
			continue;
		bool digest =
			crypto_digest_is_supported(view.digest_type, q->settings->accept_sha1);
		digest_known |= digest;
		if (digest &&
		    crypto_algorithm_is_supported(view.algorithm, q->settings->accept_sha1))
			return true;
	}
	blame_zone(q, digest_known ? EDE_UNSUPPORTED_DNSKEY_ALGORITHM : EDE_UNSUPPORTED_DS_DIGEST,
		   ds->set.owner, TYPE_DS,
		   (struct blame){.server = server,
				  .why = digest_known ? "no algorithm that is validated here"
						      : "no digest that is validated here"});
	query_remark(q);
	return false;
}

/* A was validated: only then its verdict says something, be it that nothing is signed. */
static bool is_checked(const struct answer *a)
{
	return a->verdict == VERDICT_SECURE || a->verdict == VERDICT_INSECURE;
}

/* Why the sub-question's answer, of TYPE, is of no use: it is bogus, or was not to be had. */
static enum security blame_answer(struct query *q, const struct answer *a, const uint8_t *zone,
				  uint16_t type)
{
	bool bogus = a->verdict == VERDICT_BOGUS && !a->unproven;
	if (a->ede != EDE_NONE && a->text)
		query_trouble(q, a->ede, "%s", a->text);
	else
		blame_zone(q, EDE_DNSSEC_INDETERMINATE, zone, type,
			   (struct blame){.unanswered = true, .why = "could not be resolved"});
	return bogus ? SECURITY_BOGUS : SECURITY_UNPROVEN;
}

/* A denies that ZONE has a DS: is it a delegation for all that? What proved the denial tells. */
static enum security read_ds_denial(struct query *q, const uint8_t *zone, const struct answer *a)
{
	struct proven sets[ANSWER_AUTHORITY_MAX];
	size_t count = 0;
	const uint8_t *signer = NULL;
	for (uint32_t i = 0; i < a->authority_count; i++) {
		if (answer_proven(a, &a->authority[i], &sets[count]) != OK)
			continue;
		if (!signer && sets[count].set.type != TYPE_SOA)
			signer = sets[count].signer;
		count++;
	}
	if (!signer || a->rcode == RCODE_NXDOMAIN)
		return SECURITY_NO_CUT;
	struct denial_records proof = {
		.zone = signer, .sets = sets, .count = count, .budget = &q->budget->denial};
	unsigned hashes_left = q->budget->denial.hashes_left;
	enum denial_result result = denial_no_ds(&proof, zone);
	verify_charge_hashes(q, hashes_left);
	return result == DENIAL_PROVEN || result == DENIAL_OPT_OUT ? SECURITY_INSECURE
								   : SECURITY_NO_CUT;
}

/* What the answer to (ZONE, DS) says. */
static enum security read_ds_answer(struct query *q, const uint8_t *zone, const struct answer *a,
				    struct proven *ds)
{
	if (a->rcode == RCODE_SERVFAIL || !is_checked(a))
		return blame_answer(q, a, zone, TYPE_DS);
	/* The verdict is that of a whole chain. Whoever tells its first alias is the zone around
	 * it, which is known to be signed; an insecure target must not make it, and what is below
	 * it, insecure. */
	for (uint32_t i = 0; i < a->answer_count; i++)
		if (a->answer[i].type == TYPE_CNAME || a->answer[i].type == TYPE_DNAME)
			return SECURITY_NO_CUT;
	if (a->verdict != VERDICT_SECURE)
		return SECURITY_INSECURE;
	for (uint32_t i = 0; i < a->answer_count; i++)
		if (a->answer[i].type == TYPE_DS && answer_proven(a, &a->answer[i], ds) == OK)
			return ds_is_usable(q, ds, &a->source) ? SECURITY_SECURE
							       : SECURITY_INSECURE;
	return read_ds_denial(q, zone, a);
}

enum security chain_ds(struct query *q, const uint8_t *zone, struct proven *ds)
{
	const struct answer *a;
	if (cached_secure(q, zone, TYPE_DS, ds))
		return ds_is_usable(q, ds, NULL) ? SECURITY_SECURE : SECURITY_INSECURE;
	/* An alias is no cut, but for one that a zone has at its own top (against RFC 1034 §3.6.2). */
	if (cached_secure(q, zone, TYPE_CNAME, ds) && !dname_equal(ds->signer, zone))
		return SECURITY_NO_CUT;
	switch (query_need(q, zone, TYPE_DS, false, &a)) {
	case OK:
		return read_ds_answer(q, zone, a, ds);
	case ERR_BUSY:
		return SECURITY_PENDING;
	default:
		blame_zone(q, EDE_DNSSEC_INDETERMINATE, zone, TYPE_DS,
			   (struct blame){.unanswered = true, .why = "out of reach (limit)"});
		return SECURITY_BOGUS;
	}
}

static enum security read_key_answer(struct query *q, const uint8_t *zone, const struct answer *a,
				     struct proven *keys)
{
	if (a->rcode == RCODE_SERVFAIL || !is_checked(a))
		return blame_answer(q, a, zone, TYPE_DNSKEY);
	if (a->verdict != VERDICT_SECURE)
		return SECURITY_INSECURE;
	for (uint32_t i = 0; i < a->answer_count; i++)
		if (a->answer[i].type == TYPE_DNSKEY && dname_equal(a->answer[i].owner, zone) &&
		    answer_proven(a, &a->answer[i], keys) == OK)
			return SECURITY_SECURE;
	blame_zone(q, EDE_DNSKEY_MISSING, zone, TYPE_DNSKEY,
		   (struct blame){.server = &a->source, .why = "none although the zone has DS"});
	return SECURITY_BOGUS;
}

enum security chain_zone(struct query *q, const uint8_t *zone, bool refetch, struct proven *keys)
{
	const struct anchor *anchor = chain_anchor(q, zone);
	const struct answer *a;
	struct proven ds;
	uint8_t lower[DNAME_MAX];
	dname_lower(zone, lower);
	if (!anchor || settings_is_insecure(q->settings, lower))
		return SECURITY_INSECURE;
	if (!refetch && cached_secure(q, lower, TYPE_DNSKEY, keys))
		return SECURITY_SECURE;
	if (!dname_equal(anchor->zone, lower)) {
		enum security parent = chain_ds(q, lower, &ds);
		if (parent != SECURITY_SECURE)
			return parent;
	}
	switch (query_need(q, lower, TYPE_DNSKEY, refetch, &a)) {
	case OK:
		return read_key_answer(q, lower, a, keys);
	case ERR_BUSY:
		return SECURITY_PENDING;
	default:
		blame_zone(q, EDE_DNSKEY_MISSING, lower, TYPE_DNSKEY,
			   (struct blame){.unanswered = true, .why = "out of reach (limit)"});
		return SECURITY_BOGUS;
	}
}

static bool is_bare(uint16_t ede)
{
	return ede == EDE_RRSIGS_MISSING || ede == EDE_NSEC_MISSING;
}

enum security chain_unsigned(struct query *q, const uint8_t *name, bool for_ds,
			     const uint8_t **zone)
{
	uint8_t lower[DNAME_MAX];
	struct proven keys, ds;
	enum security found = SECURITY_SECURE;
	*zone = NULL;
	if (for_ds && name[0] != 0)
		name = dname_skip(name, 1); /* DS is the parent's data */
	const struct anchor *anchor = chain_anchor(q, name);
	dname_lower(name, lower);
	if (!anchor || settings_is_insecure(q->settings, lower))
		return SECURITY_INSECURE;
	unsigned all = dname_label_count(lower);
	unsigned from = dname_label_count(anchor->zone), deepest = from;
	unsigned cut = dname_label_count(q->zone.name);
	bool cut_known = q->zone.ready && !q->zone.configured &&
			 dname_is_within(lower, q->zone.name) &&
			 dname_is_within(q->zone.name, anchor->zone) && cut <= all;
	if (cut_known && cut > from) { /* most unsigned zones end here */
		enum security s = chain_zone(q, q->zone.name, false, &keys);
		if (s == SECURITY_INSECURE)
			*zone = q->zone.name;
		if (s != SECURITY_SECURE && s != SECURITY_NO_CUT)
			return s;
		from = cut;
		deepest = s == SECURITY_SECURE ? cut : deepest;
	}
	/* Signed as far as known: is there an unsigned zone in between that was never referred to? */
	for (unsigned labels = from + 1; labels <= all; labels++) {
		enum security s = chain_ds(q, dname_skip(lower, all - labels), &ds);
		bool failed = s == SECURITY_BOGUS || s == SECURITY_UNPROVEN;
		if (failed && is_bare(q->trouble.ede)) {
			/* signatures are gone here too: NAME's own is what to tell of */
			found = s == SECURITY_UNPROVEN ? s : found;
			break;
		}
		if (s == SECURITY_INSECURE)
			*zone = dname_skip(name, all - labels);
		if (failed || s == SECURITY_PENDING || s == SECURITY_INSECURE)
			return s;
		deepest = s == SECURITY_SECURE ? labels : deepest;
	}
	*zone = dname_skip(name, all - deepest);
	return found;
}

bool chain_lacks_signature(enum security s, const uint8_t *zone)
{
	return s == SECURITY_SECURE || (s == SECURITY_UNPROVEN && zone);
}

enum security chain_unless_unsigned(struct query *q, const uint8_t *name, bool for_ds,
				    const uint8_t **zone)
{
	struct trouble noted = q->trouble;
	enum security s = chain_unsigned(q, name, for_ds, zone);
	if (s == SECURITY_PENDING || s == SECURITY_INSECURE)
		return s;
	q->trouble = noted;
	return s == SECURITY_UNPROVEN ? s : SECURITY_BOGUS;
}
