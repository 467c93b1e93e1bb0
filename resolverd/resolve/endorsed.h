#pragma once
/*
 * Is what was validated once, and has expired, still endorsed by its signatures? Its zone would tell it
 * with them until they end, so until then it may be told with AD (RFC 8767 §5 leaves it open, RFC 4035
 * §3.2.3 asks for authentic data). What is fresh needs no look: its TTL ends with its signatures.
 */
#include "cache/cache.h"

/* E, which is secure, has signatures, be it in the twin for DO clients that R finds, and none of them has
 * ended by NOW. */
bool endorsed_still(struct cache_reader *r, const struct entry *e, struct now now);
