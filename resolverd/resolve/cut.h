#pragma once
/*
 * Who is to be asked about a name that somebody else has just told of: what lies below a zone cut that
 * is known, or in a zone that the operator configured, is not for the zone above to tell.
 */
#include "resolve/query.h"

/* The deepest zone cut strictly below ZONE, at or above NAME (lower case), whose delegation is in
 * memory: a suffix of NAME. NULL: none is known. */
const uint8_t *cut_below(const struct query *q, const uint8_t *name, const uint8_t *zone);
/* Keep PACKED as the delegation of NAME, told now. It ends at EXPIRES_MS to the millisecond: rounding would
 * add up from zone to zone. False: it is not kept. */
bool cut_store(struct query *q, const uint8_t *name, struct span packed, int64_t expires_ms);
/* NAME (any case), to which an alias leads, is for others to tell than the servers that Q asks now. */
bool cut_is_elsewhere(const struct query *q, const uint8_t *name);
/* NAME (any case) lies below the zone that Q asks, and is known to be delegated itself. */
bool cut_is_known(const struct query *q, const uint8_t *name);
/* What Q asks for may stand beside an alias at NAME (lower case), which does not speak for it: NAME is known to be
 * the top of a zone, where SOA and NS are and an alias must not be (RFC 1034 §3.6.2). Who puts one there all the
 * same wants addresses, and services that go with them, to be found elsewhere, not his mail. */
bool cut_has_beside_alias(const struct query *q, const uint8_t *name);
