#pragma once
/*
 * What one NSEC or NSEC3 record says about the order of names (RFC 4034 §4, RFC 5155 §3): where a
 * range of names that do not exist begins and ends. Pure functions, of cache/ranges.h.
 *
 * The order is that of memcmp over keys: dname_key() for NSEC, the hash for NSEC3.
 */
#include "cache/ranges.h"
#include "dns/rdata.h"

struct range_parsed { /* a record that has passed all checks */
	const struct rrset *set;
	struct span rdata;
	size_t key_len;
	bool to_end;			   /* the range goes on to the end of the order */
	size_t next_key_len;		   /* unless it does */
	struct ranges_nsec3_params params; /* all zero for NSEC */
	uint8_t key[DNAME_KEY_MAX], next_key[DNAME_KEY_MAX];
};

/* Check that SET (NSEC or NSEC3) is one well-formed record inside ZONE. False if it is not. */
bool range_parse(const uint8_t *zone, const struct rrset *set, struct range_parsed *out);

/* KEY lies before the end of the range. */
bool range_begins_inside(const struct range_parsed *p, struct span key);

/* RFC 5155 §4: one set of parameters makes one chain. */
bool range_same_params(const struct ranges_nsec3_params *a, const struct ranges_nsec3_params *b);

/* RDATA is the last NSEC of ZONE whose OWNER key is at most KEY: does it match or cover KEY? */
bool range_nsec_holds(struct span rdata, struct span owner, struct span key, const uint8_t *zone);

/* The same for the NSEC3 whose OWNER hash is the last one at most HASH, or the last of all if there
 * is none: hashes go round (RFC 5155 §3.1.7). */
bool range_nsec3_holds(struct span rdata, struct span owner, struct span hash);
