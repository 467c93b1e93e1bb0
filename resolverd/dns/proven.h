#pragma once
/*
 * A set that was proven to be its zone's: the proof travels with the data. What makes a proof, a key or
 * an entry that calls itself secure takes this type, so that a set which nobody has verified cannot get
 * there. It is made in few places, which tests/layers/table names: where a signature was verified just
 * now, where a trust anchor or a DS vouches for keys, and where something is read back that was stored
 * as proven.
 */
#include "base/arena.h"
#include "dns/rrset.h"

struct proven {
	/* Its signatures are of SIGNER and tell the same labels: others cannot be good (RFC 4035 §2.2),
	 * and are not kept. Not all of those that are left were verified. */
	struct rrset set;
	const uint8_t *signer;	  /* the zone whose key vouches for it */
	uint32_t most_s;	  /* to be kept or told from now on, whatever its TTL is made */
	unsigned encloser_labels; /* of the closest encloser, if SET was expanded from the wildcard
				     below it; else of the owner */
};

/* The set answers at a name where it does not stand in its zone. */
static inline bool proven_is_expanded(const struct proven *p)
{
	return p->encloser_labels < dname_label_count(p->set.owner);
}

/* SIG, one of SET's, was verified, and is good for MOST_S more. SET is borrowed, and so are its signatures, unless some have to go:
 * then they are copied to ARENA. ERR_NO_MEMORY, ERR_MALFORMED. */
MUST_USE enum err proven_by_signature(const struct rrset *set, struct span sig, uint32_t most_s,
				      struct arena *arena, struct proven *out);

/* SET holds only keys of its owner that are trusted by other means. */
struct proven proven_by_trust(const struct rrset *set);

/* SET was stored as proven, with its signatures as proven_by_signature() has left them, for as long as it
 * may be. ERR_NOT_FOUND if it has none. */
MUST_USE enum err proven_again(const struct rrset *set, struct proven *out);
