#pragma once
/*
 * Who keeps which name fresh: one worker for each. Shared by all resolvers, without locks: a table
 * of claims that run out by themselves. A claim also tells the other workers that an expired answer
 * is being refreshed, so that they may serve it at once (RFC 8767 §5).
 *
 * A claim that finds no room is denied to nobody: then two workers keep the name, which costs
 * packets and nothing else.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

enum {
	CLAIM_BUCKETS = 8192, /* eight each: six times as many as names kept by default */
	CLAIM_WAYS = 8,	      /* one line of a processor's cache */
	CLAIM_OWNERS_MAX = 256,
	PREFETCH_UPSTREAM_SLOTS = 1024,
	/* Of max-rate, what goes to the servers of one zone at most: one over this. */
	PREFETCH_ZONE_SHARE = 2,
};

struct prefetch_shared { /* any thread */
	struct hash_key key;
	_Atomic uint32_t owners;     /* handed out to resolvers */
	_Atomic uint32_t kept;	     /* names, by all of them */
	_Atomic uint64_t arrival_us; /* of refreshes: resolve/throttle.h */
	_Atomic uint64_t upstream_us[PREFETCH_UPSTREAM_SLOTS]; /* of their packets, by address */
	_Atomic uint64_t zone_us[PREFETCH_UPSTREAM_SLOTS];     /* ... and by zone */
	_Alignas(64) _Atomic uint64_t claims[CLAIM_BUCKETS][CLAIM_WAYS];
};

/* ERR_NO_MEMORY: half a megabyte. */
MUST_USE enum err prefetch_shared_new(struct prefetch_shared **out);
void prefetch_shared_free(struct prefetch_shared *s);

/* The name's hash, the same for all resolvers. */
uint64_t claim_hash(const struct prefetch_shared *s, const uint8_t *name, size_t len,
		    uint16_t type);

/* OWNER keeps the name until UNTIL_S (seconds of cache_ms). False if somebody else does at NOW_S. */
bool claim_take(struct prefetch_shared *s, uint64_t hash, uint8_t owner, uint32_t until_s,
		uint32_t now_s);
/* OWNER keeps it no more. */
void claim_release(struct prefetch_shared *s, uint64_t hash, uint8_t owner);
/* Somebody keeps the name at NOW_S. */
bool claim_is_taken(const struct prefetch_shared *s, uint64_t hash, uint32_t now_s);
