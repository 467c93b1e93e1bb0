#pragma once
/*
 * Proofs from NSEC3 records (RFC 5155 §8, RFC 9276). For denial.c, which has checked who signed
 * what: a record in here belongs to ZONE. All records of one proof share hash, iterations and salt.
 */
#include "dns/rdata.h"
#include "dnssec/denial.h"

struct nsec3 {
	uint8_t owner[NSEC3_HASH_SIZE];
	const uint8_t *next; /* NSEC3_HASH_SIZE bytes */
	bool opt_out;
	struct span bitmap;
};

struct nsec3_records { /* borrowed, one call */
	const uint8_t *zone;
	struct denial_budget *budget;
	struct denial_memo *memo; /* or NULL */
	bool iterations_exceeded; /* a record was left out for its iterations */
	unsigned count;
	uint16_t iterations; /* of all records, as is the salt */
	struct span salt;
	struct nsec3 at[DENIAL_SETS_MAX];
};

/* Take SET if its hash, flags and owner are usable and its parameters are those of the first. */
void nsec3_add(struct nsec3_records *r, const struct rrset *set);

/* As their namesakes in denial.h, but for DENIAL_ITERATIONS. */
enum denial_result nsec3_nxdomain(const struct nsec3_records *r, const uint8_t *qname);
enum denial_result nsec3_nodata(const struct nsec3_records *r, const uint8_t *qname,
				uint16_t qtype);
enum denial_result nsec3_wildcard(const struct nsec3_records *r, const uint8_t *qname,
				  unsigned encloser_labels);
enum denial_result nsec3_no_ds(const struct nsec3_records *r, const uint8_t *cut);
unsigned nsec3_closest_encloser(const struct nsec3_records *r, const uint8_t *qname);
