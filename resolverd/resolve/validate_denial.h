#pragma once
/*
 * What a leg says is not there must be proven by the zone that says so (RFC 4035 §5.4, RFC 5155 §8): a
 * denial, and that nothing closer exists than the wildcard from which a set was made. The records of the
 * proof come in the authority section and are checked like any others (validate_set.h), together with
 * the SOA beside them. Those that are good are kept for later questions too (RFC 8198).
 *
 * Whether records prove a denial is a pure question of dnssec/denial.h; here is whose records count,
 * what they need to be taken, and when a denial needs none, as it comes from an unsigned zone.
 *
 * May stop as validate.h says: for DS and DNSKEY, or for a turn to compute NSEC3 hashes.
 */
#include "resolve/query.h"

/* What the denial in Q's reply is worth; SECURITY_SECURE also if there is none. An NXDOMAIN whose records
 * prove that the name exists without data becomes REPLY_NODATA. *ZONE: as of struct checked; untouched if
 * there is no denial. */
enum security validate_denial(struct query *q, const uint8_t **zone);
/* SET is secure by itself, as MEMO has it. If it was made from a wildcard it needs the proof that nothing
 * closer exists (RFC 4035 §5.3.4): what it is worth with that. */
enum security validate_denial_wildcard(struct query *q, const struct rrset *set,
				       struct checked *memo);
