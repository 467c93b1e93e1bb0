#pragma once
/*
 * The memory tier: a hash table of immutable entries shared by all workers.
 *
 * Readers take no lock and write nothing but the entry's visited mark (once). A pointer from
 * cache_find() stays valid until the same reader calls cache_reader_pass(): replaced and evicted
 * entries are freed only after every registered reader has passed (quiescent-state reclamation).
 * Writers lock one shard. Bytes are counted exactly, overheads included, and never exceed the
 * configured size; eviction resists scans (SIEVE: a new entry must be asked for again to survive
 * the hand).
 */
#include "base/hash.h"
#include "cache/entry.h"

struct cache;
struct cache_reader; /* one thread's registration */

/* Below this cache_new() returns ERR_LIMIT: its own tables would be most of it. */
enum { CACHE_MEMORY_MIN = 128 * 1024 };

/*
 * Who is told what changes, so that it can be kept elsewhere: E has just been stored, popularity
 * and all, or what stood under a key is out of date and was removed; SEEN: it stood here, else only the
 * sink itself may know of it. In the order of the changes to each key, for a shard is locked meanwhile:
 * quick, waits for nothing, calls nothing of the cache. Not told are evictions, which are for want of
 * room only, flushes, and what cache_restore() brings.
 */
struct cache_sink {
	void (*put)(void *context, const struct entry *e, struct now now);
	void (*remove)(void *context, enum entry_kind kind, const uint8_t *name, uint16_t type,
		       bool seen);
	void *context;
};

struct cache_settings {
	size_t memory_bytes; /* hard ceiling for everything the cache allocates, table included */
	const struct cache_sink *sink; /* NULL, or outlives the cache */
};

struct cache_stats {
	size_t used_bytes, limit_bytes;
	uint64_t entries, inserts, replacements, evictions, expired_evictions, rejected;
};

MUST_USE enum err cache_new(const struct cache_settings *settings, struct cache **out);
/* No reader may be registered any more. */
void cache_free(struct cache *c);

/* A registration for the calling thread; its pointers live until cache_reader_pass(). */
MUST_USE enum err cache_reader_new(struct cache *c, struct cache_reader **out);
void cache_reader_free(struct cache_reader *r);
/* "I hold no pointer any more": call between batches. Cheap: one store. */
void cache_reader_pass(struct cache_reader *r);
/* The thread is about to sleep / has woken up: while idle it holds up nobody. */
void cache_reader_idle(struct cache_reader *r);
void cache_reader_wake(struct cache_reader *r);

/*
 * The entry of KIND for (NAME, TYPE), or NULL. NAME must be in lower case, NAME_LEN its length.
 * Expired entries are returned too: the caller looks at entry_is_fresh() and decides about stale.
 */
const struct entry *cache_find(struct cache_reader *r, enum entry_kind kind, const uint8_t *name,
			       size_t name_len, uint16_t type);
/* The same in two steps, for whoever looks for several entries of a name: hashing it is most of the
 * work. NAME stays borrowed. */
struct cache_name {
	struct span bytes;
	uint64_t hash;
};
struct cache_name cache_name(const struct cache_reader *r, const uint8_t *name, size_t name_len);
const struct entry *cache_find_of(struct cache_reader *r, const struct cache_name *name,
				  enum entry_kind kind, uint16_t type);

/*
 * Store a copy of E. A fresh entry of higher rank under the same key stays (the call then returns
 * ERR_EXISTS); otherwise E replaces it; popularity is carried over. A bogus E never replaces a fresh
 * entry that is not, and a bogus entry is replaced whatever the ranks. ERR_LIMIT if E alone is larger
 * than a sixteenth of a shard's share, ERR_NO_MEMORY (also if the room for it is still held by
 * readers that have not passed).
 */
MUST_USE enum err cache_put(struct cache *c, const struct entry *e, struct now now);

/* Store a copy of E, which comes from where the sink keeps it. What is there under its key, fresh or
 * expired, is newer and stays: ERR_EXISTS. Else as cache_put(). */
MUST_USE enum err cache_restore(struct cache *c, const struct entry *e, struct now now);

/*
 * A point in time between flushes. What was learned before a flush must not enter after it: whoever
 * begins to learn takes one, and puts what it has learned through it.
 */
struct cache_since {
	struct cache *cache;
	uint64_t flushes;
};
struct cache_since cache_since(struct cache *c);
/* As cache_put(); ERR_CLOSED if there was a flush, of whatever, since. */
MUST_USE enum err cache_put_since(const struct cache_since *since, const struct entry *e,
				  struct now now);
bool cache_flushed_since(const struct cache_since *since);

/* Remove one key. Returns whether it was there. */
bool cache_remove(struct cache *c, enum entry_kind kind, const uint8_t *name, uint16_t type);
/* The same where the sink may keep what was never here, or is here no more: it is told in any case. */
bool cache_remove_below(struct cache *c, enum entry_kind kind, const uint8_t *name, uint16_t type);
/* Remove every entry of NAME with TYPE (0: any type), all kinds, and the answer that NAME does not
 * exist; with SUBTREE also everything below NAME; and the answers to other questions whose aliases
 * lead there. Returns how many. Walks the whole table in steps, holding one shard's lock at a
 * time. */
uint64_t cache_flush(struct cache *c, const uint8_t *name, uint16_t type, bool subtree);
uint64_t cache_flush_all(struct cache *c);

/* Call FN for entries, shard by shard, bounded by the table; stop when it returns false. For dumps
 * and statistics. The entry is valid during the call only; FN runs under a shard's lock and must not
 * put, remove or flush. An entry that was there all the time is seen at least once. */
void cache_walk(struct cache *c, bool (*fn)(void *context, const struct entry *e), void *context);

/* The same in small steps, each a few hundred buckets of one shard, for walks that others should not
 * have to wait for: from *AT on, zero-initialised at first. False at the end. FN may not stop it. */
struct cache_cursor {
	uint32_t shard, position;
};
bool cache_walk_some(struct cache *c, struct cache_cursor *at,
		     bool (*fn)(void *context, const struct entry *e), void *context);
/* A step of cache_flush() with a walk; REMOVED is added to. */
bool cache_flush_some(struct cache *c, struct cache_cursor *at, const uint8_t *name, uint16_t type,
		      bool subtree, uint64_t *removed);
/* How far a walk has come. */
unsigned cache_cursor_percent(const struct cache *c, const struct cache_cursor *at);

void cache_read_stats(struct cache *c, struct cache_stats *out);
