#pragma once
/*
 * The chain of trust, from an anchor down to a zone's keys (RFC 4035 §5, RFC 6840).
 *
 * Nothing here walks top-down on its own: each zone asks for its DS (which lies with its parent, and
 * is validated by the same code as any other data) and for its DNSKEY. Both are sub-questions of the
 * one resolver, answered from the cache when it holds them validated.
 */
#include "resolve/query.h"

/* How far ZONE can be trusted, from the closest anchor down; its validated DNSKEY set into KEYS.
 * REFETCH: do not take keys from the cache (they may have rolled). */
enum security chain_zone(struct query *q, const uint8_t *zone, bool refetch, struct proven *keys);
/* The DS set of ZONE, validated: SECURITY_SECURE with DS holding at least one usable record. */
enum security chain_ds(struct query *q, const uint8_t *zone, struct proven *ds);
/* NAME came without signatures: SECURITY_INSECURE if it lies in an insecure zone, at or below the cut
 * *ZONE (NULL: it is called insecure whatever zone it lies in); SECURITY_SECURE if it lies in *ZONE
 * (within NAME), which is signed. SECURITY_UNPROVEN either with that *ZONE, where signatures are missing
 * that were perhaps not asked for, or with NULL. FOR_DS: the zone above NAME counts. */
enum security chain_unsigned(struct query *q, const uint8_t *name, bool for_ds,
			     const uint8_t **zone);
/* By what chain_unsigned() says of NAME, S and ZONE: that is signed, and so should NAME be. */
bool chain_lacks_signature(enum security s, const uint8_t *zone);
/* No signature is by a key of its signer's, so they are as good as none: NAME may lie in an unsigned
 * zone, *ZONE. Else it is bogus, as noted. The rest as of chain_unsigned(). */
enum security chain_unless_unsigned(struct query *q, const uint8_t *name, bool for_ds,
				    const uint8_t **zone);
/* SIGNER, which contains NAME, can speak for it: it is not above the closest anchor of NAME, or an unsigned
 * zone up there would make insecure what the anchor vouches for. FOR_DS: the zone above NAME counts. */
bool chain_may_sign(const struct query *q, const uint8_t *signer, const uint8_t *name, bool for_ds);
/* SET is the DNSKEY set of ANCHOR's zone, validated just now: tell who follows rollovers. */
void chain_observe(struct query *q, const struct anchor *anchor, const struct proven *set);
/* The deepest anchor at or above NAME, or NULL. */
const struct anchor *chain_anchor(const struct query *q, const uint8_t *name);
