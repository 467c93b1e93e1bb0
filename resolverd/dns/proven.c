#include "dns/proven.h"

#include "dns/rdata.h"

/* RFC 4034 §3.1.3: a leading asterisk does not count, so a set that stands at a wildcard is not expanded
 * from it. */
static unsigned encloser_labels(const uint8_t *owner, unsigned signed_labels)
{
	unsigned labels = dname_label_count(owner);
	return signed_labels < labels - (dname_is_wildcard(owner) ? 1 : 0) ? signed_labels : labels;
}

static bool agrees(struct span sig, const struct rrsig_view *with)
{
	struct rrsig_view view;
	return rdata_rrsig(sig, &view) == OK && view.labels == with->labels &&
	       dname_equal(view.signer, with->signer);
}

/* Leave out the signatures of SET that do not agree with the GOOD one. */
static enum err trim(struct rrset *set, const struct rrsig_view *good, struct arena *arena)
{
	struct rrset_iter it = rrset_sigs(set);
	struct span sig;
	unsigned count = 0;
	while (rrset_next(&it, &sig))
		count += agrees(sig, good);
	if (count == set->sig_count)
		return OK;
	uint8_t *kept = arena_alloc(arena, set->sigs.len);
	size_t len = 0;
	if (!kept)
		return ERR_NO_MEMORY;
	for (it = rrset_sigs(set); rrset_next(&it, &sig);) {
		uint16_t sig_len = (uint16_t)sig.len;
		if (!agrees(sig, good))
			continue;
		memcpy(kept + len, &sig_len, sizeof(sig_len));
		memcpy(kept + len + sizeof(sig_len), sig.at, sig.len);
		len += sizeof(sig_len) + sig.len;
	}
	set->sigs = span_of(kept, len);
	set->sig_count = (uint16_t)count;
	return OK;
}

enum err proven_by_signature(const struct rrset *set, struct span sig, uint32_t most_s,
			     struct arena *arena, struct proven *out)
{
	struct rrsig_view good;
	if (rdata_rrsig(sig, &good) != OK)
		return ERR_MALFORMED;
	*out = (struct proven){.set = *set,
			       .signer = good.signer,
			       .most_s = most_s,
			       .encloser_labels = encloser_labels(set->owner, good.labels)};
	return trim(&out->set, &good, arena);
}

struct proven proven_by_trust(const struct rrset *set)
{
	return (struct proven){.set = *set,
			       .signer = set->owner,
			       .most_s = set->ttl_s,
			       .encloser_labels = dname_label_count(set->owner)};
}

enum err proven_again(const struct rrset *set, struct proven *out)
{
	struct rrset_iter it = rrset_sigs(set);
	struct rrsig_view sig;
	struct span rdata;
	if (!rrset_next(&it, &rdata) || rdata_rrsig(rdata, &sig) != OK)
		return ERR_NOT_FOUND;
	*out = (struct proven){.set = *set,
			       .signer = sig.signer,
			       .most_s = set->ttl_s,
			       .encloser_labels = encloser_labels(set->owner, sig.labels)};
	return OK;
}
