#pragma once
/*
 * The SOA of a denial that came with a proof and without one: of DS with a referral (RFC 4035 §3.1.4), and from
 * servers that leave it out. A denial that is told has one (RFC 2308 §2.2): BIND's validator takes one without
 * for a malformed reply, and fails every name below that. So the zone is asked for it, once in its TTL, and it
 * goes with the denial, validated as the rest. Who has none to give loses nothing: then the denial is told as
 * it came, at once or after LIMIT_SOA_MS.
 */
#include "resolve/query.h"

/* Q's reply is about to be checked. STEP_WAIT: its SOA is asked for; again when Q is woken. */
enum step denial_soa_step(struct query *q);
