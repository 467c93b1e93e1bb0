#pragma once
/*
 * What waits to be written: a hash table by key, in which the latest put wins and which readers ask
 * before they ask the file.
 *
 * A queue would have to be searched by readers and by flushes; the table answers both, merges
 * repeated puts for nothing, and is bounded in bytes just as well. A lock of one of 16 shards is
 * held for a look-up or an insertion, never while anybody waits for the disk.
 *
 * Items are immutable and counted: the writer, readers and the table each hold a reference, so that
 * a put or a flush may replace an item that is just being written or read.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "disk/record.h"

struct disk_item {			 /* immutable, but for what is marked */
	struct disk_item *next;		 /* shard lock */
	struct disk_item *older, *newer; /* shard lock */
	atomic_uint references;
	bool linked;	      /* shard lock: still in the table */
	bool removal;	      /* the key is to be removed: no record */
	bool tried;	      /* the writer: is or was part of a batch */
	bool precious;	      /* popular, no entry, or in place of what must go: not dropped */
	uint64_t due_us;      /* monotonic: not to be written before */
	struct disk_key *key; /* behind the record */
	size_t size;	      /* of the record */
	_Alignas(8) uint8_t record[]; /* unsealed */
};

enum {
	DISK_PENDING_SHARDS = 16,
	DISK_PENDING_BUCKETS = 1024,
	DISK_PENDING_RESERVE = 8, /* one in so many bytes is for removals of what stands on disk */
};

struct disk_pending {
	struct hash_key hash_key;
	size_t limit_bytes;
	_Atomic size_t used_bytes, count;
	struct disk_pending_shard {
		pthread_mutex_t lock;
		struct disk_item *buckets[DISK_PENDING_BUCKETS];
		struct disk_item *oldest, *newest;
	} shards[DISK_PENDING_SHARDS];
};

void disk_pending_init(struct disk_pending *p, size_t limit_bytes);
void disk_pending_deinit(struct disk_pending *p);

/* An item with room for a record of SIZE bytes, the caller's until disk_pending_add(). NULL: no
 * memory. */
struct disk_item *disk_item_new(const struct disk_key *key, size_t size);
void disk_item_drop(struct disk_item *item); /* one reference */

/*
 * Add ITEM in place of what waits under its key; takes the caller's reference. *REPLACED tells
 * whether there was one. An entry of short TTL keeps the due time of the one it replaces. Where too
 * much waits the oldest make room that are not precious, *DROPPED of them. ERR_LIMIT if that is not
 * enough: what was there under its key is gone too, for it is out of date; but a removal of what stands on
 * disk stays, and goes only when something that must not be dropped either has taken its place.
 */
MUST_USE enum err disk_pending_add(struct disk_pending *p, struct disk_item *item, bool *replaced,
				   size_t *dropped);
/* Drop the oldest that are not precious, until no more than KEEP wait. Returns how many. */
size_t disk_pending_trim(struct disk_pending *p, size_t keep);

/* Up to MAX items whose key is KEY, or with ALL_KINDS a name's entries (KEY from disk_key_name()),
 * each with a reference for the caller. */
size_t disk_pending_find(struct disk_pending *p, const struct disk_key *key, bool all_kinds,
			 struct disk_item **out, size_t max);

/* Items that are due, with references, into OUT. Begins with JOB's shard and moves it on, so that
 * no shard waits for ever. */
struct disk_due {
	uint64_t now_us;
	size_t max, max_bytes;
	unsigned shard;
	bool more; /* out: a limit was reached */
};
size_t disk_pending_due(struct disk_pending *p, struct disk_due *job, struct disk_item **out);
/* ITEM is written: take it out, unless a newer one has come. */
void disk_pending_done(struct disk_pending *p, struct disk_item *item);

/* Take out all items that FN chooses. Returns how many. */
size_t disk_pending_purge(struct disk_pending *p,
			  bool (*fn)(const void *context, const struct disk_item *item),
			  const void *context);
