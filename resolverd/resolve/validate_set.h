#pragma once
/*
 * Validation of one set of the leg, from whichever section of the reply: is it signed as it has to be
 * (RFC 4035 §5.3)? It names the zone that has signed it; that zone must contain the data, its keys must
 * be reached by the chain of trust (chain.h), and one of them must make a signature good (verify.h). The
 * DNSKEY set of a zone is signed by itself: by a key that the parent's DS, or an anchor, vouches for (RFC
 * 4035 §5.2). A set without signatures must lie in a zone that is proven to be unsigned.
 *
 * Each set is judged by itself. What must be proven beside it is in validate_denial.h, what becomes of
 * the leg in validate.h; nothing here knows of either.
 */
#include "resolve/query.h"

/* What SET is worth; MEMO is its own and remembers that. SECURITY_PENDING: Q waits, and then calls again
 * with the same. If it is SECURITY_SECURE, MEMO holds the proof, and SET is what that proves. */
enum security validate_set(struct query *q, struct rrset *set, struct checked *memo);
/* The zone that claims to have signed SET; NULL if nobody in the right place does. */
const uint8_t *validate_set_signer(const struct query *q, const struct rrset *set);
/* Note for the trace that SET is worth SECURITY; SET NULL: the denial of what was asked for. */
void validate_set_note(struct query *q, enum trace_kind kind, enum security security,
		       const struct rrset *set);
