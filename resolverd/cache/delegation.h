#pragma once
/*
 * A zone cut as its parent tells it: name servers with their glue. Kept apart from RRsets, so that
 * nothing from a referral can ever answer a client, and a child can never lengthen it.
 *
 * Packed form: repeated { u8 address_count (top bit: doubtful), name (wire), address_count x { u8
 * family, 4|16 bytes } }.
 */
#include "base/arena.h"
#include "base/endpoint.h"
#include "base/err.h"
#include "base/hash.h"
#include "dns/dname.h"

enum {
	DELEGATION_SERVERS_MAX = 20,  /* BIND looks at 20 NS, PowerDNS at 13; NXNSAttack used 135 */
	DELEGATION_ADDRESSES_MAX = 6, /* per name server and family-mixed; more is fan-out */
};

struct delegation_server {
	const uint8_t *name;
	bool doubtful; /* the addresses came from a zone that has no say in the name */
	uint8_t address_count;
	struct endpoint addresses[DELEGATION_ADDRESSES_MAX]; /* port as of the delegation: 53 */
};

struct delegation {
	uint8_t count;
	struct delegation_server servers[DELEGATION_SERVERS_MAX];
};

/* Pack D into ARENA. */
MUST_USE enum err delegation_pack(const struct delegation *d, struct arena *arena,
				  struct span *out);
/* Unpack; names are borrowed from PACKED. ERR_MALFORMED if it does not parse to the last byte. */
MUST_USE enum err delegation_unpack(struct span packed, struct delegation *out);
/* The same for all that name the same servers with the same addresses, in whatever order. */
uint64_t delegation_fingerprint(const struct delegation *d, const struct hash_key *key);
