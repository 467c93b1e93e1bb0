#include "dnssec/nsec.h"

/* BITMAP is that of a zone's apex: of ZONE itself, or of one below whose records got mixed in. */
static bool is_apex(struct span bitmap, const uint8_t *name, const uint8_t *zone)
{
	return dname_equal(name, zone) || rdata_bitmap_has(bitmap, TYPE_SOA);
}

bool bitmap_proves_nodata(struct span bitmap, const uint8_t *name, const uint8_t *zone,
			  uint16_t qtype)
{
	/* ANY and its like are no types that a bitmap could lack: only an empty name has none. */
	if (type_is_meta(qtype))
		return bitmap.len == 0;
	if (rdata_bitmap_has(bitmap, qtype) || rdata_bitmap_has(bitmap, TYPE_CNAME))
		return false;
	/* The root has no parent that would know better. */
	if (qtype == TYPE_DS && dname_len(name) > 1)
		return !is_apex(bitmap, name, zone);
	return !bitmap_is_delegation(bitmap);
}

bool bitmap_proves_no_ds(struct span bitmap, const uint8_t *cut, const uint8_t *zone)
{
	return !is_apex(bitmap, cut, zone) && rdata_bitmap_has(bitmap, TYPE_NS) &&
	       !rdata_bitmap_has(bitmap, TYPE_DS);
}

void nsec_add(struct nsec_records *r, const struct rrset *set)
{
	struct span rdata;
	struct nsec_view view;
	struct rrset_iter it = rrset_records(set);
	if (r->count >= DENIAL_SETS_MAX || !rrset_next(&it, &rdata) ||
	    rdata_nsec(rdata, &view) != OK)
		return;
	/* A next name outside the zone would deny its neighbours; one that is not behind the owner
	 * is no gap, unless the chain closes at the apex (RFC 4034 §4.1.1). */
	if (!dname_is_within(view.next, r->zone))
		return;
	if (!dname_equal(view.next, r->zone) && dname_compare(set->owner, view.next) >= 0)
		return;
	r->at[r->count++] = (struct nsec){set->owner, view.next, view.bitmap};
}

/* NAME lies in the gap behind the owner. The apex as next name is the end of the zone. */
static bool covers(const struct nsec_records *r, const struct nsec *n, const uint8_t *name)
{
	if (dname_compare(n->owner, name) >= 0)
		return false;
	if (!dname_equal(n->next, r->zone) && dname_compare(name, n->next) >= 0)
		return false;
	return !(dname_is_below(name, n->owner) && bitmap_is_end_of_zone(n->bitmap));
}

static const struct nsec *find_match(const struct nsec_records *r, const uint8_t *name)
{
	for (unsigned i = 0; i < r->count; i++) {
		if (dname_equal(r->at[i].owner, name))
			return &r->at[i];
	}
	return NULL;
}

/* NAME does not exist: it lies in a gap, and nothing lies below it. */
static const struct nsec *find_denial(const struct nsec_records *r, const uint8_t *name)
{
	for (unsigned i = 0; i < r->count; i++) {
		if (covers(r, &r->at[i], name) && !dname_is_below(r->at[i].next, name))
			return &r->at[i];
	}
	return NULL;
}

/* NAME owns nothing but has names below it (RFC 4592 §2.2.2): they follow its place in the gap. */
static bool is_empty_non_terminal(const struct nsec_records *r, const uint8_t *name)
{
	for (unsigned i = 0; i < r->count; i++) {
		if (covers(r, &r->at[i], name) && dname_is_below(r->at[i].next, name))
			return true;
	}
	return false;
}

/* Both ends of the gap exist, and so do their ancestors; nothing between them does. */
static unsigned encloser_of(const struct nsec *denial, const uint8_t *qname)
{
	unsigned by_owner = dname_common_labels(qname, denial->owner);
	unsigned by_next = dname_common_labels(qname, denial->next);
	return MAX(by_owner, by_next);
}

/* The wildcard that would answer for QNAME, which DENIAL denies. False if the name is too long to
 * exist. */
static bool source_of_synthesis(const struct nsec *denial, const uint8_t *qname,
				uint8_t out[static DNAME_MAX])
{
	unsigned skip = dname_label_count(qname) - encloser_of(denial, qname);
	return dname_wildcard(dname_skip(qname, skip), out) == OK;
}

static enum denial_result proven_if(bool condition)
{
	return condition ? DENIAL_PROVEN : DENIAL_NONE;
}

enum denial_result nsec_nxdomain(const struct nsec_records *r, const uint8_t *qname)
{
	uint8_t wildcard[DNAME_MAX];
	const struct nsec *denial = find_denial(r, qname);
	if (!denial || !source_of_synthesis(denial, qname, wildcard))
		return DENIAL_NONE;
	return proven_if(find_denial(r, wildcard) != NULL);
}

/* RFC 4035 §3.1.3.4: QNAME matches a wildcard that lacks QTYPE. */
static enum denial_result wildcard_nodata(const struct nsec_records *r, const uint8_t *qname,
					  uint16_t qtype)
{
	uint8_t wildcard[DNAME_MAX];
	const struct nsec *denial = find_denial(r, qname);
	if (!denial || !source_of_synthesis(denial, qname, wildcard))
		return DENIAL_NONE;
	const struct nsec *match = find_match(r, wildcard);
	if (match)
		return proven_if(bitmap_proves_nodata(match->bitmap, wildcard, r->zone, qtype));
	return proven_if(is_empty_non_terminal(r, wildcard));
}

enum denial_result nsec_nodata(const struct nsec_records *r, const uint8_t *qname, uint16_t qtype)
{
	const struct nsec *match = find_match(r, qname);
	if (match)
		return proven_if(bitmap_proves_nodata(match->bitmap, qname, r->zone, qtype));
	if (is_empty_non_terminal(r, qname))
		return DENIAL_PROVEN;
	return wildcard_nodata(r, qname, qtype);
}

enum denial_result nsec_wildcard(const struct nsec_records *r, const uint8_t *qname,
				 unsigned encloser_labels)
{
	unsigned labels = dname_label_count(qname);
	if (encloser_labels >= labels)
		return DENIAL_NONE;
	/* A gap around the next closer name is a gap around all that lies below it. */
	const uint8_t *next_closer = dname_skip(qname, labels - encloser_labels - 1);
	return proven_if(find_denial(r, next_closer) != NULL);
}

enum denial_result nsec_no_ds(const struct nsec_records *r, const uint8_t *cut)
{
	const struct nsec *match = find_match(r, cut);
	return proven_if(match && bitmap_proves_no_ds(match->bitmap, cut, r->zone));
}

unsigned nsec_closest_encloser(const struct nsec_records *r, const uint8_t *qname)
{
	if (find_match(r, qname) || is_empty_non_terminal(r, qname))
		return dname_label_count(qname);
	const struct nsec *denial = find_denial(r, qname);
	return denial ? encloser_of(denial, qname) : DENIAL_ENCLOSER_UNKNOWN;
}
