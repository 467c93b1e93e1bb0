#include "cache/ranges.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash.h"
#include "cache/range.h"
#include "cache/skiplist.h"

enum {
	SHARDS = 16,
	SHARD_SHIFT = 48,      /* the shard is chosen by bits the buckets do not use */
	BUCKETS_MIN = 16,      /* per shard, and a power of two */
	BUCKET_SHARE = 4096,   /* a bucket for so many bytes: 0.2 % of the memory */
	CONTRADICTED_MAX = 64, /* a new range drops so many old ones inside it; the rest expires */
	TRIM_STEP = 64,	       /* ranges dropped at once when memory is short */
	TRIM_FULL = 8,	       /* and when a zone has too many */
	ROOM_STEPS = 256,      /* attempts to find room before a range is not kept */
	MALLOC_OVERHEAD = sizeof(size_t),
	MALLOC_SLACK = 32,
};

struct range {			   /* zone's lock; next pointers, key, owner, rdata, sigs follow */
	struct skiplist_node node; /* first: a node is its range */
	int64_t expires_ms;
	const uint8_t *owner;
	struct span rdata, sigs;
	uint16_t sig_count;
};
static_assert(offsetof(struct range, node) == 0, "a node is its range");

struct zone { /* shard's lock */
	struct zone *chain, *newer, *older;
	uint64_t hash;
	int64_t used_ms;
	struct skiplist list;
	struct skiplist_node *sweep; /* the next to go when room is needed; NULL: the first */
	uint16_t type;
	struct ranges_nsec3_params params;
	uint8_t name_len;
	uint8_t name[DNAME_MAX];
};

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	struct zone **buckets;
	struct zone *newest, *oldest;
};

struct ranges {
	struct hash_key key;
	size_t limit_bytes;
	uint32_t bucket_count; /* per shard */
	_Atomic size_t used_bytes;
	struct shard shards[SHARDS];
};

static size_t cost_of(void *p)
{
	return malloc_usable_size(p) + MALLOC_OVERHEAD;
}

enum err ranges_new(size_t memory_bytes, struct ranges **out)
{
	if (memory_bytes < RANGES_MEMORY_MIN)
		return ERR_LIMIT;
	struct ranges *r = aligned_alloc(_Alignof(struct ranges), sizeof(*r));
	if (!r)
		return ERR_NO_MEMORY;
	memset(r, 0, sizeof(*r));
	hash_key_init(&r->key);
	r->limit_bytes = memory_bytes;
	r->bucket_count = BUCKETS_MIN;
	while ((size_t)r->bucket_count * SHARDS * BUCKET_SHARE < memory_bytes)
		r->bucket_count *= 2;
	size_t used = cost_of(r);
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &r->shards[i];
		REQUIRE(pthread_mutex_init(&shard->lock, NULL) == 0);
		shard->buckets = calloc(r->bucket_count, sizeof(struct zone *));
		if (!shard->buckets) {
			ranges_free(r);
			return ERR_NO_MEMORY;
		}
		used += cost_of(shard->buckets);
	}
	atomic_init(&r->used_bytes, used);
	*out = r;
	return OK;
}

static void release(struct ranges *r, void *p)
{
	atomic_fetch_sub(&r->used_bytes, cost_of(p));
	free(p);
}

/* Free all ranges from NODE on, which no zone has any more. */
/* How many there were. */
static size_t release_list(struct ranges *r, struct skiplist_node *node)
{
	size_t count = 0;

	for (; node; count++) {
		struct skiplist_node *next = skiplist_next(node);
		release(r, node);
		node = next;
	}
	return count;
}

void ranges_free(struct ranges *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < SHARDS; i++) {
		struct zone *z;
		while ((z = r->shards[i].newest) != NULL) {
			r->shards[i].newest = z->older;
			release_list(r, z->list.first[0]);
			free(z);
		}
		free(r->shards[i].buckets);
		/* Shards that ranges_new() did not get to are zero, which is as good as initialised. */
		pthread_mutex_destroy(&r->shards[i].lock);
	}
	free(r);
}

/* ---- zones, under their shard's lock ---- */

static struct shard *shard_of(struct ranges *r, uint64_t hash)
{
	return &r->shards[(hash >> SHARD_SHIFT) % SHARDS];
}

static struct zone **bucket_at(const struct ranges *r, const struct shard *shard, uint64_t hash)
{
	return &shard->buckets[hash & (r->bucket_count - 1)];
}

static void queue_unlink(struct shard *shard, struct zone *z)
{
	*(z->newer ? &z->newer->older : &shard->newest) = z->older;
	*(z->older ? &z->older->newer : &shard->oldest) = z->newer;
}

static void queue_push(struct shard *shard, struct zone *z)
{
	z->newer = NULL;
	z->older = shard->newest;
	*(shard->newest ? &shard->newest->newer : &shard->oldest) = z;
	shard->newest = z;
}

static void touch(struct shard *shard, struct zone *z, struct now now)
{
	z->used_ms = now.cache_ms;
	if (shard->newest != z) {
		queue_unlink(shard, z);
		queue_push(shard, z);
	}
}

static struct zone *find_zone(const struct ranges *r, const struct shard *shard, uint64_t hash,
			      struct span name)
{
	struct zone *z = *bucket_at(r, shard, hash);
	while (z && (z->hash != hash || !span_equal(span_of(z->name, z->name_len), name)))
		z = z->chain;
	return z;
}

/* Z goes; its ranges are the caller's to release. */
static struct skiplist_node *remove_zone(struct ranges *r, struct shard *shard, struct zone *z)
{
	struct skiplist_node *ranges = z->list.first[0];
	struct zone **link = bucket_at(r, shard, z->hash);
	while (*link != z)
		link = &(*link)->chain;
	*link = z->chain;
	queue_unlink(shard, z);
	release(r, z);
	return ranges;
}

static void remove_range(struct ranges *r, struct zone *z, struct skiplist_node *node)
{
	if (z->sweep == node)
		z->sweep = skiplist_next(node);
	skiplist_remove(&z->list, node);
	release(r, node);
}

/* Drop COUNT ranges of Z in turn, expired or not. */
static void trim_zone(struct ranges *r, struct zone *z, unsigned count)
{
	for (unsigned i = 0; i < count && z->list.count > 0; i++) {
		if (!z->sweep)
			z->sweep = z->list.first[0];
		remove_range(r, z, z->sweep);
	}
}

/* ---- memory ---- */

static struct shard *shard_of_oldest(struct ranges *r)
{
	struct shard *found = NULL;
	int64_t oldest_ms = INT64_MAX;
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &r->shards[i];
		pthread_mutex_lock(&shard->lock);
		if (shard->oldest && shard->oldest->used_ms < oldest_ms) {
			oldest_ms = shard->oldest->used_ms;
			found = shard;
		}
		pthread_mutex_unlock(&shard->lock);
	}
	return found;
}

/* Take some of the zone that was not used for longest. False if there is none. */
static bool drop_oldest(struct ranges *r)
{
	struct shard *shard = shard_of_oldest(r);
	if (!shard)
		return false;
	pthread_mutex_lock(&shard->lock);
	struct zone *z = shard->oldest;
	if (z) {
		trim_zone(r, z, TRIM_STEP);
		if (z->list.count == 0)
			remove_zone(r, shard, z);
	}
	pthread_mutex_unlock(&shard->lock);
	return true;
}

/* SIZE bytes, counted; NULL if they cannot be had. No lock is held. */
static void *obtain(struct ranges *r, size_t size_bytes)
{
	size_t bound = size_bytes + MALLOC_OVERHEAD + MALLOC_SLACK;
	for (unsigned i = 0; i < ROOM_STEPS; i++) {
		if (atomic_fetch_add(&r->used_bytes, bound) + bound <= r->limit_bytes) {
			void *p = calloc(1, size_bytes);
			atomic_fetch_sub(&r->used_bytes, bound - (p ? cost_of(p) : 0));
			return p;
		}
		atomic_fetch_sub(&r->used_bytes, bound);
		if (!drop_oldest(r))
			break;
	}
	return NULL;
}

/* ---- putting ---- */

static const uint8_t *append(uint8_t **to, const void *from, size_t len)
{
	uint8_t *at = *to;
	memcpy(at, from, len);
	*to += len;
	return at;
}

static struct range *make_range(struct ranges *r, const struct range_parsed *p, int64_t expires_ms)
{
	const struct rrset *set = p->set;
	size_t owner_len = dname_len(set->owner);
	uint8_t levels = skiplist_levels(&r->key, span_of(p->key, p->key_len));
	size_t links = levels * sizeof(struct skiplist_node *);
	struct range *range = obtain(r, sizeof(*range) + links + p->key_len + owner_len +
						set->rdata.len + set->sigs.len);
	if (!range)
		return NULL;
	uint8_t *at = (uint8_t *)(range + 1);
	range->node.next = (struct skiplist_node **)(void *)at;
	range->node.level_count = levels;
	at += links;
	range->node.key = span_of(append(&at, p->key, p->key_len), p->key_len);
	range->owner = append(&at, set->owner, owner_len);
	range->rdata = span_of(append(&at, set->rdata.at, set->rdata.len), set->rdata.len);
	if (set->sigs.len > 0)
		range->sigs = span_of(append(&at, set->sigs.at, set->sigs.len), set->sigs.len);
	range->sig_count = set->sig_count;
	range->expires_ms = expires_ms;
	return range;
}

/* The new range knows better than older ones whose owner it has, or that begin inside it. */
static void drop_contradicted(struct ranges *r, struct zone *z, const struct range_parsed *p)
{
	struct span key = span_of(p->key, p->key_len);
	struct skiplist_node *node = skiplist_floor(&z->list, key);
	if (node && !span_equal(node->key, key))
		node = skiplist_next(node);
	else if (!node)
		node = z->list.first[0];
	for (unsigned i = 0; node && i < CONTRADICTED_MAX; i++) {
		if (!range_begins_inside(p, node->key))
			break;
		struct skiplist_node *next = skiplist_next(node);
		remove_range(r, z, node);
		node = next;
	}
}

/* Put RANGE into Z. The ranges of another chain that was there come back, to be released once the
 * lock is gone. */
static struct skiplist_node *store(struct ranges *r, struct zone *z, const struct range_parsed *p,
				   struct range *range)
{
	struct skiplist_node *dropped = NULL;
	if (z->type != p->set->type || !range_same_params(&z->params, &p->params)) {
		dropped = z->list.first[0];
		memset(&z->list, 0, sizeof(z->list));
		z->sweep = NULL;
		z->type = p->set->type;
		z->params = p->params;
	}
	drop_contradicted(r, z, p);
	if (z->list.count >= RANGES_PER_ZONE_MAX)
		trim_zone(r, z, TRIM_FULL);
	skiplist_insert(&z->list, &range->node);
	return dropped;
}

void ranges_put(struct ranges *r, const struct proven *set, int64_t expires_ms, struct now now)
{
	const uint8_t *zone = set->signer;
	struct range_parsed p;
	if (expires_ms <= now.cache_ms || proven_is_expanded(set) ||
	    !range_parse(zone, &set->set, &p))
		return;
	struct range *range = make_range(r, &p, expires_ms);
	struct zone *fresh = range ? obtain(r, sizeof(*fresh)) : NULL;
	if (!fresh) {
		if (range)
			release(r, range);
		return;
	}
	fresh->name_len = (uint8_t)dname_lower(zone, fresh->name);
	struct span name = span_of(fresh->name, fresh->name_len);
	fresh->hash = hash_bytes(&r->key, name);

	struct shard *shard = shard_of(r, fresh->hash);
	pthread_mutex_lock(&shard->lock);
	struct zone *z = find_zone(r, shard, fresh->hash, name);
	if (!z) {
		struct zone **head = bucket_at(r, shard, fresh->hash);
		fresh->chain = *head;
		*head = fresh;
		queue_push(shard, fresh);
		z = fresh;
		fresh = NULL;
	}
	touch(shard, z, now);
	struct skiplist_node *dropped = store(r, z, &p, range);
	pthread_mutex_unlock(&shard->lock);

	release_list(r, dropped);
	if (fresh)
		release(r, fresh);
}

/* ---- finding ---- */

/* A zone with its shard locked, or NULL and no lock. ZONE is in lower case. */
static struct zone *enter(struct ranges *r, struct span zone, struct shard **shard)
{
	uint64_t hash = hash_bytes(&r->key, zone);
	*shard = shard_of(r, hash);
	pthread_mutex_lock(&(*shard)->lock);
	struct zone *z = find_zone(r, *shard, hash, zone);
	if (!z)
		pthread_mutex_unlock(&(*shard)->lock);
	return z;
}

size_t ranges_zone(struct ranges *r, const uint8_t *name, struct now now,
		   uint8_t zone[static DNAME_MAX], uint16_t *type)
{
	uint8_t lower[DNAME_MAX];
	size_t len = dname_lower(name, lower), skip = 0;
	for (unsigned i = 0; i <= DNAME_LABELS_MAX; i++) {
		struct shard *shard;
		struct zone *z = enter(r, span_of(lower + skip, len - skip), &shard);
		if (z) {
			touch(shard, z, now);
			*type = z->type;
			memcpy(zone, z->name, z->name_len);
			pthread_mutex_unlock(&shard->lock);
			return len - skip;
		}
		if (lower[skip] == 0)
			break;
		skip += 1 + (size_t)lower[skip];
	}
	return 0;
}

static enum err copy_range(const struct zone *z, const struct range *range, struct now now,
			   struct arena *arena, struct proven *out)
{
	struct rrset set = {
		.owner = range->owner,
		.type = z->type,
		.rclass = CLASS_IN,
		.ttl_s = (uint32_t)MIN((range->expires_ms - now.cache_ms) / 1000, INT32_MAX),
		.rr_count = 1,
		.sig_count = range->sig_count,
		.rdata = range->rdata,
		.sigs = range->sigs,
	};
	enum err err = rrset_copy(&set, arena, &set);
	return err ? err : proven_again(&set, out);
}

/* NODE of Z has expired; Z goes with its last range. */
static void drop_expired(struct ranges *r, struct shard *shard, struct zone *z,
			 struct skiplist_node *node)
{
	remove_range(r, z, node);
	if (z->list.count == 0)
		remove_zone(r, shard, z);
}

struct wanted {
	uint16_t type;
	struct span key;
};

static bool range_holds(const struct range *range, const struct wanted *wanted,
			const struct zone *z)
{
	struct rrset_iter it = {range->rdata};
	struct span rdata;
	if (!rrset_next(&it, &rdata))
		return false;
	if (wanted->type == TYPE_NSEC3)
		return range_nsec3_holds(rdata, range->node.key, wanted->key);
	return range_nsec_holds(rdata, range->node.key, wanted->key, z->name);
}

static enum err find(struct ranges *r, const uint8_t *zone, const struct wanted *wanted,
		     struct now now, struct arena *arena, struct proven *out)
{
	uint8_t lower[DNAME_MAX];
	size_t len = dname_lower(zone, lower);
	struct shard *shard;
	struct zone *z = enter(r, span_of(lower, len), &shard);
	if (!z)
		return ERR_NOT_FOUND;
	enum err err = ERR_NOT_FOUND;
	struct skiplist_node *node = NULL;
	if (z->type == wanted->type) {
		node = skiplist_floor(&z->list, wanted->key);
		if (!node && z->type == TYPE_NSEC3)
			node = skiplist_last(&z->list);
	}
	struct range *range = (struct range *)(void *)node;
	if (range && range->expires_ms <= now.cache_ms) {
		drop_expired(r, shard, z, node);
	} else if (range && range_holds(range, wanted, z)) {
		touch(shard, z, now);
		err = copy_range(z, range, now, arena, out);
	}
	pthread_mutex_unlock(&shard->lock);
	return err;
}

enum err ranges_find_nsec(struct ranges *r, const uint8_t *zone, const uint8_t *name,
			  struct now now, struct arena *arena, struct proven *out)
{
	if (!dname_is_within(name, zone))
		return ERR_NOT_FOUND;
	uint8_t key[DNAME_KEY_MAX];
	struct wanted wanted = {.type = TYPE_NSEC, .key = span_of(key, dname_key(name, key))};
	return find(r, zone, &wanted, now, arena, out);
}

enum err ranges_nsec3_params(struct ranges *r, const uint8_t *zone, struct ranges_nsec3_params *out)
{
	uint8_t lower[DNAME_MAX];
	size_t len = dname_lower(zone, lower);
	struct shard *shard;
	struct zone *z = enter(r, span_of(lower, len), &shard);
	if (!z)
		return ERR_NOT_FOUND;
	bool found = z->type == TYPE_NSEC3;
	if (found)
		*out = z->params;
	pthread_mutex_unlock(&shard->lock);
	return found ? OK : ERR_NOT_FOUND;
}

enum err ranges_find_nsec3(struct ranges *r, const uint8_t *zone, const uint8_t hash[static 20],
			   struct now now, struct arena *arena, struct proven *out)
{
	struct wanted wanted = {.type = TYPE_NSEC3, .key = span_of(hash, NSEC3_HASH_SIZE)};
	return find(r, zone, &wanted, now, arena, out);
}

size_t ranges_flush(struct ranges *r, const uint8_t *name)
{
	size_t count = 0;

	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &r->shards[i];
		pthread_mutex_lock(&shard->lock);
		struct zone *z = shard->newest;
		while (z) {
			struct zone *older = z->older;
			if (dname_is_within(z->name, name))
				count += release_list(r, remove_zone(r, shard, z));
			z = older;
		}
		pthread_mutex_unlock(&shard->lock);
	}
	return count;
}

size_t ranges_flush_zone(struct ranges *r, const uint8_t *zone)
{
	uint8_t lower[DNAME_MAX];
	struct shard *shard;
	struct zone *z = enter(r, span_of(lower, dname_lower(zone, lower)), &shard);

	if (!z)
		return 0;
	size_t count = release_list(r, remove_zone(r, shard, z));
	pthread_mutex_unlock(&shard->lock);
	return count;
}

size_t ranges_used_bytes(const struct ranges *r)
{
	return atomic_load(&r->used_bytes);
}
