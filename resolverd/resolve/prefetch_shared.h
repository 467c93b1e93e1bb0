#pragma once
/*
 * What all resolvers have of prefetch in common, without locks: who keeps which name fresh (one worker for
 * each: base/claims.h), how many are kept, and the pace of refreshes. A claim also tells the other
 * workers that an expired answer is being refreshed, so that they may serve it at once (RFC 8767 §5).
 */
#include "base/claims.h"
#include "base/err.h"

enum {
	PREFETCH_UPSTREAM_SLOTS = 1024,
	/* Of max-rate, what goes to the servers of one zone at most: one over this. */
	PREFETCH_ZONE_SHARE = 2,
};

struct prefetch_shared {	     /* any thread */
	_Atomic uint32_t kept;	     /* names, by all of them */
	_Atomic uint64_t arrival_us; /* of refreshes: resolve/throttle.h */
	_Atomic uint64_t upstream_us[PREFETCH_UPSTREAM_SLOTS]; /* of their packets, by address */
	_Atomic uint64_t zone_us[PREFETCH_UPSTREAM_SLOTS];     /* ... and by zone */
	struct claims claims; /* of names, in seconds of cache_ms */
};

/* ERR_NO_MEMORY: half a megabyte. */
MUST_USE enum err prefetch_shared_new(struct prefetch_shared **out);
void prefetch_shared_free(struct prefetch_shared *s);
