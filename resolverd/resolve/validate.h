#pragma once
/*
 * Validation of a leg's sets (RFC 4035 §5, RFC 6840): every RRset of the chain must be signed by a
 * zone that the chain of trust reaches, or lie in a zone that is proven to be unsigned
 * (validate_set.h); every denial must be proven by records of the zone that denies
 * (validate_denial.h). Here is what follows for the leg: of a chain that is good only at its beginning,
 * that is kept, and the rest is asked for anew; of what is bad, other servers are asked before it is
 * called bogus.
 *
 * May stop to wait for DS and DNSKEY and run again; what has been verified is not verified twice.
 * Verifications are counted as attempts, over all questions of one client query (KeyTrap).
 */
#include "resolve/query.h"

/* State QUERY_CHECK. */
enum step validate_step(struct query *q);
/* Every server's data was bogus: end the question so, unless a name above is denied with proof, or an alias
 * from the cache has led here. */
enum step validate_conclude_bogus(struct query *q);
