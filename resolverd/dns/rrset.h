#pragma once
/*
 * Packed RRsets: the RDATA of all records in canonical order without duplicates (RFC 4034 §6.3,
 * RFC 2181 §5.5), and beside them the RRSIG records that cover them. A flat form that the cache
 * stores as it is.
 *
 *   rdata   rr_count  times { length u16 host order, bytes }
 *   sigs    sig_count times { length u16 host order, RRSIG rdata }
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "dns/message.h"

struct rrset {
	const uint8_t *owner; /* wire name, case as received */
	uint16_t type, rclass;
	uint32_t ttl_s; /* the smallest of its records and of the signatures' TTLs */
	uint16_t rr_count, sig_count;
	struct span rdata;
	struct span sigs;
};

enum {
	RRSET_RECORDS_MAX = 512, /* peers stop at 100 (BIND) to 256; larger sets are attacks */
	RRSET_SIGS_MAX = 32,	 /* more than any rollover needs; checked ones are fewer still */
	RRSET_BYTES_MAX = 65535,
};

/* Walk a packed list. */
struct rrset_iter {
	struct span rest;
};
static inline struct rrset_iter rrset_records(const struct rrset *s)
{
	return (struct rrset_iter){s->rdata};
}
static inline struct rrset_iter rrset_sigs(const struct rrset *s)
{
	return (struct rrset_iter){s->sigs};
}
static inline bool rrset_next(struct rrset_iter *it, struct span *rdata)
{
	uint16_t len;
	if (it->rest.len < sizeof(len))
		return false;
	memcpy(&len, it->rest.at, sizeof(len));
	if (it->rest.len < sizeof(len) + len)
		return false;
	*rdata = span_of(it->rest.at + sizeof(len), len);
	it->rest.at += sizeof(len) + len;
	it->rest.len -= sizeof(len) + len;
	return true;
}

/* Lists as they may come from disk: lengths agree and each record is valid for TYPE. */
bool rrset_is_valid(const struct rrset *s);

/*
 * Gather the RRset (OWNER, TYPE, class IN) and its RRSIGs from SECTION of a checked message into
 * ARENA. Sorts; duplicates are dropped before they take memory. TYPE may be TYPE_RRSIG to gather
 * signatures as data. ERR_NOT_FOUND if there is no such record, ERR_LIMIT past the limits above,
 * ERR_NO_MEMORY,
 * ERR_MALFORMED.
 */
MUST_USE enum err rrset_gather(const struct message *m, enum section section, const uint8_t *owner,
			       uint16_t type, struct arena *arena, struct rrset *out);

/* Build from COUNT loose RDATAs (owner borrowed). Sorts, drops duplicates. */
MUST_USE enum err rrset_from_rdatas(const uint8_t *owner, uint16_t type, uint32_t ttl_s,
				    const struct span *rdatas, size_t count, struct arena *arena,
				    struct rrset *out);

/* Deep copy into ARENA. */
MUST_USE enum err rrset_copy(const struct rrset *s, struct arena *arena, struct rrset *out);

/* Leave S, which has records, the first of them, whatever signatures say. */
void rrset_keep_first(struct rrset *s);

/* Same type and same records in the same order (RDATA compared canonically); TTLs, signatures and
 * the owner's case do not count. */
bool rrset_same_data(const struct rrset *a, const struct rrset *b);
