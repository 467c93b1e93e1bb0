#pragma once
/*
 * Proofs from NSEC records (RFC 4035 §5.4, RFC 6840 §4), and the rules about type bitmaps that
 * they share with NSEC3. For denial.c, which has checked who signed what: a record in here belongs
 * to ZONE with its owner and its next name.
 */
#include "dns/rdata.h"
#include "dnssec/denial.h"

struct nsec {
	const uint8_t *owner, *next;
	struct span bitmap;
};

struct nsec_records { /* borrowed, one call */
	const uint8_t *zone;
	unsigned count;
	struct nsec at[DENIAL_SETS_MAX];
};

/* A cut below whose owner the zone has no authority (RFC 6840 §4.1). */
static inline bool bitmap_is_delegation(struct span bitmap)
{
	return rdata_bitmap_has(bitmap, TYPE_NS) && !rdata_bitmap_has(bitmap, TYPE_SOA);
}

/* Nothing can be said about names below this owner: they are another zone's, or redirected by a
 * DNAME (RFC 6840 §4.1, RFC 5155 §8.3). */
static inline bool bitmap_is_end_of_zone(struct span bitmap)
{
	return bitmap_is_delegation(bitmap) || rdata_bitmap_has(bitmap, TYPE_DNAME);
}

/* NAME, whose BITMAP this is, has neither QTYPE nor CNAME, and ZONE is the one to know: for DS the
 * zone above a cut, for all else the one below (RFC 4035 §3.1.4.1). */
bool bitmap_proves_nodata(struct span bitmap, const uint8_t *name, const uint8_t *zone,
			  uint16_t qtype);

/* BITMAP is that of CUT, seen from its parent ZONE, and has no DS (RFC 4035 §5.2). */
bool bitmap_proves_no_ds(struct span bitmap, const uint8_t *cut, const uint8_t *zone);

/* Take SET if its next name lies in the zone and behind its owner. */
void nsec_add(struct nsec_records *r, const struct rrset *set);

/* As their namesakes in denial.h; DENIAL_PROVEN or DENIAL_NONE. */
enum denial_result nsec_nxdomain(const struct nsec_records *r, const uint8_t *qname);
enum denial_result nsec_nodata(const struct nsec_records *r, const uint8_t *qname, uint16_t qtype);
enum denial_result nsec_wildcard(const struct nsec_records *r, const uint8_t *qname,
				 unsigned encloser_labels);
enum denial_result nsec_no_ds(const struct nsec_records *r, const uint8_t *cut);
unsigned nsec_closest_encloser(const struct nsec_records *r, const uint8_t *qname);
