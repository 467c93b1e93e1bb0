#pragma once
/*
 * Names answered without asking anybody: special-use domains (RFC 6761, RFC 7686, RFC 8375,
 * RFC 9462), the empty reverse zones of RFC 6303, localhost, and configured local zones.
 */
#include "resolve/answer.h"
#include "resolve/settings.h"

/* Make Z (its name and action are set) hold COUNT SETS: sorted copies in ARENA, and for actions that
 * deny names an SOA and NS of RFC 6303 §3 if the sets bring none. ERR_NO_MEMORY. */
MUST_USE enum err local_zone_fill(struct local_zone *z, const struct rrset *sets, size_t count,
				  struct arena *arena);

/* The built-in zones, allocated in ARENA. */
MUST_USE enum err local_builtin_zones(struct arena *arena, const struct local_zone **out,
				      size_t *count);

enum local_result {
	LOCAL_MISS,    /* not a local name: resolve it */
	LOCAL_ANSWER,  /* OUT is the answer (its RRsets borrowed from the settings, or static) */
	LOCAL_REFUSED, /* REFUSED with EDE 15 and OUT->text */
};

/* Does a local zone answer (QNAME lower case, QTYPE)? The deepest zone decides; a forward or stub
 * zone configured at or below a built-in zone's name wins over it. Wildcards in its data work as in
 * any zone (RFC 4592). Follows no aliases out of its data. No allocation; OUT is untouched on a
 * miss. */
enum local_result local_find(const struct settings *s, const uint8_t *qname, uint16_t qtype,
			     struct answer *out);
