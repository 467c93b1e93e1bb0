#pragma once
/*
 * Proofs of non-existence from validated NSEC (RFC 4035 §5.4, RFC 6840 §4) and NSEC3 (RFC 5155 §8,
 * RFC 9276) records. Pure functions over the records of one authority section, each of which is proven
 * to be some zone's; these functions check everything else: owner, next name and hash labels inside
 * ZONE, bitmaps that belong to the right side of a zone cut, and that ancestor delegations (NS without
 * SOA, DNAME) prove nothing below themselves. A set of another zone, or one that was expanded from a
 * wildcard, says nothing about the place where it stands and is ignored. A proof is made from NSEC or
 * from NSEC3 records, never from both together.
 */
#include "base/err.h"
#include "dns/dname.h"
#include "dns/proven.h"

enum denial_result {
	DENIAL_NONE,   /* the records do not prove what was asked */
	DENIAL_PROVEN, /* they do */
	DENIAL_OPT_OUT, /* they do, but for an opt-out span: the answer is insecure (RFC 5155 §9.2...) */
	DENIAL_ITERATIONS, /* NSEC3 iterations above DENIAL_ITERATIONS_MAX: insecure (RFC 9276) */
	DENIAL_LIMIT,	   /* out of hashes: see struct denial_budget */
	DENIAL_BUSY,	   /* out of hashes for now: see struct denial_memo */
};

enum { DENIAL_ITERATIONS_MAX = 50, DENIAL_SETS_MAX = 32 };

struct denial_budget {	      /* work left for the whole client query; counted in attempts */
	unsigned hashes_left; /* NSEC3 hash computations, one per name and parameter set */
};

/* A proof with NSEC3 can take a hash for each label of the name, and those of 50 iterations take their
 * time. So it may be made in pieces: when LEFT is used up, the answer is DENIAL_BUSY, and whoever asks
 * the same again, with the same records, goes on from there. Zeroed at first. */
struct denial_memo {
	unsigned left; /* hash computations before the next pause; set by the caller */
	/* what is known: of QNAME, the names above it by their labels, and one wildcard */
	uint8_t qname[DNAME_MAX];
	uint16_t iterations;
	uint8_t salt_len, salt[255];
	bool known[DNAME_LABELS_MAX + 1], wildcard_known;
	unsigned wildcard_labels; /* of the name above the asterisk */
	uint8_t hashes[DNAME_LABELS_MAX + 1][20], wildcard[20];
};

struct denial_records {
	const uint8_t *zone;	   /* whose denial it is */
	const struct proven *sets; /* NSEC and NSEC3 RRsets (the first DENIAL_SETS_MAX of them),
					 anything else is ignored */
	size_t count;
	struct denial_budget *budget;
	struct denial_memo *memo; /* NULL: no pauses, and nothing is remembered */
};

/* QNAME does not exist (and no wildcard could answer it): NXDOMAIN. */
enum denial_result denial_nxdomain(const struct denial_records *d, const uint8_t *qname);

/* QNAME exists (or is an empty non-terminal, or matches a wildcard) but has no QTYPE and no CNAME:
 * NODATA. For QTYPE DS the parent's side of the cut is required, else the child's. */
enum denial_result denial_nodata(const struct denial_records *d, const uint8_t *qname,
				 uint16_t qtype);

/* A positive answer at QNAME was expanded from the wildcard below the closest encloser that has
 * ENCLOSER_LABELS labels: no closer name may exist (RFC 4035 §5.3.4, RFC 5155 §8.8). */
enum denial_result denial_wildcard(const struct denial_records *d, const uint8_t *qname,
				   unsigned encloser_labels);

/* The delegation CUT has no DS (RFC 4035 §5.2, RFC 5155 §8.9): NS set, DS and SOA clear, or opt-out.
 * Where NSEC records prove that there is no DS, whatever NSEC3 records say beside them does not make it
 * a delegation. */
enum denial_result denial_no_ds(const struct denial_records *d, const uint8_t *cut);

/* Deepest name known to exist at or above QNAME, by labels, according to the records (for
 * synthesis); DENIAL_ENCLOSER_UNKNOWN if they do not show it. */
enum { DENIAL_ENCLOSER_UNKNOWN = 0xffff };
unsigned denial_closest_encloser(const struct denial_records *d, const uint8_t *qname);
