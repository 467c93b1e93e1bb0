#pragma once
/*
 * One shard of the memory tier: a hash table with chains that readers walk without a lock, a SIEVE
 * queue, and the list of entries that wait for the readers to pass.
 *
 * Nodes and bucket heads live in segments that never move, so a reader needs no table pointer and
 * links are 32 bits: number + 1, 0 for none. Linear hashing splits one bucket with each insert that
 * makes the table full: there is no moment when everything is rehashed. While a bucket is split a
 * reader may lose its way; it notices by the counter `splits` and looks again under the lock.
 *
 * Price of an entry: its allocation, 24 bytes of node and 4 of bucket head.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "cache/entry.h"
#include "cache/epoch.h"

enum { SHARD_SEGMENT_NODES = 64 };

struct shard_node {
	_Atomic(struct entry *) entry; /* NULL: free */
	_Atomic uint32_t next;	       /* in the bucket's chain; kept when removed, for readers */
	uint32_t hash;
	uint32_t older; /* SIEVE queue; when removed: the stamp's lower half */
	uint32_t newer; /* SIEVE queue; when removed or free: the next one such */
};
static_assert(sizeof(struct shard_node) == 24, "part of each name's price");

struct shard_segment {
	_Atomic uint32_t heads[SHARD_SEGMENT_NODES];
	struct shard_node nodes[SHARD_SEGMENT_NODES];
};

struct shard_stats {
	uint64_t inserts, replacements, evictions, expired_evictions, rejected;
};

struct shard {
	/* readers */
	_Alignas(EPOCH_LINE) struct shard_segment **segments;
	_Atomic uint32_t bucket_count; /* at least 1; grows by one */
	_Atomic uint32_t splits;       /* odd while a bucket is split */

	/* lock */
	_Alignas(EPOCH_LINE) pthread_mutex_t lock;
	struct epoch *epoch;
	const struct cache_sink *sink; /* may be NULL */
	uint32_t segment_count, segment_max;
	uint32_t free_node;
	uint32_t newest, oldest, hand; /* SIEVE; hand 0: begin at the oldest */
	uint32_t dead_first, dead_last;
	uint32_t sweep_bucket; /* where the search for expired entries goes on */
	uint32_t live_count;
	size_t limit_bytes, reserve_bytes;
	size_t used_bytes, dead_bytes; /* all there is; what of it waits for readers */
	struct shard_stats stats;
};

struct shard_key {
	const uint8_t *name; /* lower case */
	size_t name_len;
	uint32_t hash;
	uint16_t type;
	uint8_t kind;
};

enum { SHARD_LIMIT_MIN = 32 * 1024 };

/* Bytes that malloc() really spends on P. */
size_t shard_cost(void *p);

/* Everything the shard allocates, its first segment included, stays within LIMIT_BYTES
 * (>= SHARD_LIMIT_MIN). ERR_NO_MEMORY. */
MUST_USE enum err shard_init(struct shard *s, struct epoch *epoch, const struct cache_sink *sink,
			     size_t limit_bytes);
void shard_deinit(struct shard *s);

/* The entry of KEY or NULL. Takes no lock but to look again when a bucket was just being split. */
const struct entry *shard_find(struct shard *s, const struct shard_key *key);

/* The others take the lock. */
/* SINCE may be NULL: asked with the lock held, so that a flush, which takes each shard's lock, finds
 * either what was put or nobody who still may. */
struct cache_since;
MUST_USE enum err shard_put(struct shard *s, const struct shard_key *key, const struct entry *e,
			    struct now now, const struct cache_since *since);
/* Unless there is an entry; the sink is not told. */
MUST_USE enum err shard_restore(struct shard *s, const struct shard_key *key, const struct entry *e,
				struct now now);
/* BELOW: the sink is told though nothing is there. */
bool shard_remove(struct shard *s, const struct shard_key *key, bool below);

/*
 * Call FN for the entries in some buckets, from *POSITION (0 at first) on, with the lock held;
 * remove those for which it says so. Returns false at the end of the table or when FN says stop.
 * An entry that was there all the time is seen at least once.
 */
enum shard_visit { SHARD_KEEP, SHARD_REMOVE, SHARD_STOP };
typedef enum shard_visit shard_visit_fn(void *context, const struct entry *e);
bool shard_visit(struct shard *s, uint32_t *position, shard_visit_fn *fn, void *context);
