#include "cache/shard.h"

#include <malloc.h>
#include <stdlib.h>

#include "cache/cache.h"

enum {
	ENTRY_SHARE = 16,      /* one entry may take this part of the shard */
	RESERVE_SHARE = 32,    /* kept free for entries that wait for readers */
	RESERVE_MIN = 4096,    /* in small shards: some 30 entries, or a segment and 20 */
	RECLAIM_STEP = 8,      /* freed per put: more than a put can retire on average */
	RECLAIM_FLUSH = 1024,  /* freed per step of a flush */
	EVICT_STEPS = 4096,    /* the largest entry in place of the smallest ones */
	SIEVE_STEPS = 1024,    /* marks cleared for one eviction; bounds the time under the lock */
	SWEEP_BUCKETS = 4,     /* looked at for expired entries per eviction */
	SPLITS_PER_INSERT = 2, /* one keeps up; two catch up */
	VISIT_BUCKETS = 256,   /* per hold of the lock: some tens of microseconds */
	MALLOC_OVERHEAD = sizeof(size_t),
	MALLOC_SLACK = 32,	  /* rounding up, and a rest too small to be split off */
	MALLOC_LARGE = 64 * 1024, /* from here on malloc may round up to pages */
	MALLOC_PAGE = 8192,
};

struct popularity { /* what a name keeps when its entry is replaced */
	uint32_t hits, last_hit_s, gap_ms;
	uint8_t visited;
};

size_t shard_cost(void *p)
{
	return p ? malloc_usable_size(p) + MALLOC_OVERHEAD : 0;
}

/* The most that malloc(SIZE) will cost. */
static size_t cost_bound(size_t size_bytes)
{
	return size_bytes + MALLOC_OVERHEAD + MALLOC_SLACK +
	       (size_bytes >= MALLOC_LARGE ? MALLOC_PAGE : 0);
}

static struct shard_node *node_at(const struct shard *s, uint32_t n)
{
	uint32_t i = n - 1;
	return &s->segments[i / SHARD_SEGMENT_NODES]->nodes[i % SHARD_SEGMENT_NODES];
}

static _Atomic uint32_t *head_at(const struct shard *s, uint32_t bucket)
{
	return &s->segments[bucket / SHARD_SEGMENT_NODES]->heads[bucket % SHARD_SEGMENT_NODES];
}

static struct entry *node_entry(const struct shard_node *node)
{
	return atomic_load_explicit(&node->entry, memory_order_acquire);
}

static unsigned level_of(uint32_t bucket_count)
{
	return 31 - (unsigned)__builtin_clz(bucket_count);
}

/* Linear hashing: one bit more for the buckets that have been split in this round. */
static uint32_t bucket_of(uint32_t hash, uint32_t bucket_count)
{
	uint32_t round = UINT32_C(1) << level_of(bucket_count);
	uint32_t bucket = hash & (2 * round - 1);
	return bucket < bucket_count ? bucket : bucket & (round - 1);
}

static bool entry_has_key(const struct entry *e, const struct shard_key *key)
{
	return e->type == key->type && e->kind == key->kind && e->name_len == key->name_len &&
	       memcmp(entry_name(e), key->name, key->name_len) == 0;
}

/* The node of KEY, 0 if there is none. With or without the lock. In place, for the sake of hits: for all
 * others there is find_node(). */
static inline __attribute__((always_inline)) uint32_t look(const struct shard *s,
							   const struct shard_key *key,
							   struct entry **entry)
{
	uint32_t count = atomic_load_explicit(&s->bucket_count, memory_order_acquire);
	_Atomic uint32_t *link = head_at(s, bucket_of(key->hash, count));
	uint32_t n;
	/* Chains have no cycles at any moment, see split_bucket(). */
	while ((n = atomic_load_explicit(link, memory_order_acquire)) != 0) {
		struct shard_node *node = node_at(s, n);
		if (node->hash == key->hash) {
			*entry = node_entry(node);
			if (entry_has_key(*entry, key))
				return n;
		}
		link = &node->next;
	}
	return 0;
}

static __attribute__((noinline)) uint32_t find_node(const struct shard *s,
						    const struct shard_key *key,
						    struct entry **entry)
{
	return look(s, key, entry);
}

static void mark_visited(struct entry *e)
{
	if (!__atomic_load_n(&e->visited, __ATOMIC_RELAXED))
		__atomic_store_n(&e->visited, 1, __ATOMIC_RELAXED);
}

/* What was not found since splits numbered BEFORE; a chain may have been taken apart meanwhile. */
static __attribute__((noinline)) struct entry *find_again(struct shard *s,
							  const struct shard_key *key,
							  uint32_t before)
{
	struct entry *e = NULL;
	uint32_t after = atomic_load_explicit(&s->splits, memory_order_acquire);
	if (LIKELY(before == after && before % 2 == 0))
		return NULL;
	pthread_mutex_lock(&s->lock);
	uint32_t n = find_node(s, key, &e);
	pthread_mutex_unlock(&s->lock);
	return n ? e : NULL;
}

const struct entry *shard_find(struct shard *s, const struct shard_key *key)
{
	uint32_t before = atomic_load_explicit(&s->splits, memory_order_acquire);
	struct entry *e = NULL;
	if (UNLIKELY(look(s, key, &e) == 0)) {
		e = find_again(s, key, before);
		if (!e)
			return NULL;
	}
	mark_visited(e);
	return e;
}

/* ---- under the lock from here on ---- */

static void free_node(struct shard *s, uint32_t n)
{
	struct shard_node *node = node_at(s, n);
	atomic_store_explicit(&node->entry, NULL, memory_order_relaxed);
	node->newer = s->free_node;
	s->free_node = n;
}

static uint32_t take_node(struct shard *s)
{
	uint32_t n = s->free_node;
	REQUIRE(n != 0);
	s->free_node = node_at(s, n)->newer;
	return n;
}

static bool add_segment(struct shard *s)
{
	if (s->segment_count == s->segment_max ||
	    s->used_bytes + cost_bound(sizeof(struct shard_segment)) > s->limit_bytes)
		return false;
	struct shard_segment *segment = calloc(1, sizeof(*segment));
	if (!segment)
		return false;
	s->segments[s->segment_count++] = segment;
	s->used_bytes += shard_cost(segment);
	uint32_t end = s->segment_count * SHARD_SEGMENT_NODES;
	for (uint32_t n = end; n > end - SHARD_SEGMENT_NODES; n--)
		free_node(s, n);
	return true;
}

/*
 * Divide the chain of the next bucket in turn between it and the new last bucket. A node's link is
 * only ever set to a node further on in the old chain, so that readers under way come to an end.
 */
static void split_bucket(struct shard *s)
{
	uint32_t count = atomic_load_explicit(&s->bucket_count, memory_order_relaxed);
	if (count == s->segment_count * SHARD_SEGMENT_NODES)
		return;
	unsigned level = level_of(count);
	uint32_t splits = atomic_load_explicit(&s->splits, memory_order_relaxed);
	atomic_store_explicit(&s->splits, splits + 1, memory_order_relaxed);

	_Atomic uint32_t *low = head_at(s, count - (UINT32_C(1) << level));
	_Atomic uint32_t *high = head_at(s, count);
	uint32_t n = atomic_load_explicit(low, memory_order_relaxed);
	while (n != 0) {
		struct shard_node *node = node_at(s, n);
		_Atomic uint32_t **tail = node->hash >> level & 1 ? &high : &low;
		atomic_store_explicit(*tail, n, memory_order_release);
		*tail = &node->next;
		n = atomic_load_explicit(&node->next, memory_order_relaxed);
	}
	atomic_store_explicit(low, 0, memory_order_release);
	atomic_store_explicit(high, 0, memory_order_release);
	atomic_store_explicit(&s->bucket_count, count + 1, memory_order_release);
	atomic_store_explicit(&s->splits, splits + 2, memory_order_release);
}

static void queue_push(struct shard *s, uint32_t n)
{
	struct shard_node *node = node_at(s, n);
	node->older = s->newest;
	node->newer = 0;
	if (s->newest != 0)
		node_at(s, s->newest)->newer = n;
	else
		s->oldest = n;
	s->newest = n;
}

static void queue_unlink(struct shard *s, uint32_t n)
{
	struct shard_node *node = node_at(s, n);
	if (s->hand == n)
		s->hand = node->newer;
	*(node->older != 0 ? &node_at(s, node->older)->newer : &s->oldest) = node->newer;
	*(node->newer != 0 ? &node_at(s, node->newer)->older : &s->newest) = node->older;
}

/* N's entry cannot be found any more; free it once all readers have passed. */
static void retire(struct shard *s, uint32_t n)
{
	struct shard_node *node = node_at(s, n);
	s->dead_bytes += shard_cost(node_entry(node));
	node->older = (uint32_t)epoch_retire(s->epoch);
	node->newer = 0;
	*(s->dead_last != 0 ? &node_at(s, s->dead_last)->newer : &s->dead_first) = n;
	s->dead_last = n;
}

/* Free up to COUNT entries that no reader can hold; how many it was. */
static unsigned reclaim(struct shard *s, unsigned count)
{
	if (s->dead_first == 0)
		return 0;
	uint32_t safe = (uint32_t)epoch_safe(s->epoch);
	unsigned done = 0;
	while (done < count && s->dead_first != 0) {
		uint32_t n = s->dead_first;
		struct shard_node *node = node_at(s, n);
		/* Stamps wrap; 2^31 retired entries never wait at once. */
		if ((int32_t)(safe - node->older) < 0)
			break;
		struct entry *e = node_entry(node);
		size_t cost = shard_cost(e);
		s->used_bytes -= cost;
		s->dead_bytes -= cost;
		s->dead_first = node->newer;
		if (s->dead_first == 0)
			s->dead_last = 0;
		free(e);
		free_node(s, n);
		done++;
	}
	return done;
}

/* Take N, which LINK leads to, out of its chain and the queue. */
static void remove_at(struct shard *s, _Atomic uint32_t *link, uint32_t n)
{
	uint32_t next = atomic_load_explicit(&node_at(s, n)->next, memory_order_relaxed);
	atomic_store_explicit(link, next, memory_order_release);
	queue_unlink(s, n);
	s->live_count--;
	retire(s, n);
}

static void remove_node(struct shard *s, uint32_t n)
{
	uint32_t count = atomic_load_explicit(&s->bucket_count, memory_order_relaxed);
	_Atomic uint32_t *link = head_at(s, bucket_of(node_at(s, n)->hash, count));
	uint32_t at;
	while ((at = atomic_load_explicit(link, memory_order_relaxed)) != n) {
		REQUIRE(at != 0);
		link = &node_at(s, at)->next;
	}
	remove_at(s, link, n);
}

static bool was_visited(const struct entry *e)
{
	return __atomic_load_n(&e->visited, __ATOMIC_RELAXED);
}

static void count_eviction(struct shard *s, const struct entry *e, struct now now)
{
	s->stats.evictions++;
	if (!entry_is_fresh(e, now))
		s->stats.expired_evictions++;
}

/* Look into a few buckets in turn for expired entries that nobody asks for; remove the first. Those
 * that are asked for are being served stale (RFC 8767). */
static bool evict_expired(struct shard *s, struct now now)
{
	uint32_t count = atomic_load_explicit(&s->bucket_count, memory_order_relaxed);
	for (unsigned i = 0; i < SWEEP_BUCKETS; i++) {
		if (s->sweep_bucket >= count)
			s->sweep_bucket = 0;
		_Atomic uint32_t *link = head_at(s, s->sweep_bucket++);
		uint32_t n;
		while ((n = atomic_load_explicit(link, memory_order_relaxed)) != 0) {
			struct shard_node *node = node_at(s, n);
			struct entry *e = node_entry(node);
			if (!entry_is_fresh(e, now) && !was_visited(e)) {
				count_eviction(s, e, now);
				remove_at(s, link, n);
				return true;
			}
			link = &node->next;
		}
	}
	return false;
}

/* SIEVE: the hand goes from old to new; what was asked for since it last came by stays in place and
 * loses its mark, the first other one goes. */
static bool evict(struct shard *s, struct now now)
{
	if (s->live_count == 0)
		return false;
	if (evict_expired(s, now))
		return true;
	uint32_t n = s->hand != 0 ? s->hand : s->oldest;
	for (unsigned i = 0; i < SIEVE_STEPS; i++) {
		struct entry *e = node_entry(node_at(s, n));
		if (!was_visited(e))
			break;
		__atomic_store_n(&e->visited, 0, __ATOMIC_RELAXED);
		n = node_at(s, n)->newer;
		if (n == 0)
			n = s->oldest;
	}
	s->hand = n;
	count_eviction(s, node_entry(node_at(s, n)), now);
	remove_node(s, n);
	return true;
}

/*
 * See to it that an entry of COST bytes and a node can be had without passing the limit. Evicted
 * entries count until the readers have passed, so what is live is kept below the limit by a reserve
 * and putting need not wait for readers; if it must, it is refused.
 */
static bool make_room(struct shard *s, size_t cost, struct now now)
{
	reclaim(s, RECLAIM_STEP);
	if (s->free_node == 0)
		add_segment(s);
	size_t target = s->limit_bytes - s->reserve_bytes;
	for (unsigned i = 0; i < EVICT_STEPS; i++) {
		bool node = s->free_node != 0 || s->dead_first != 0;
		if (node && s->used_bytes - s->dead_bytes + cost <= target)
			break;
		if (!evict(s, now))
			break;
		reclaim(s, RECLAIM_STEP);
	}
	for (unsigned i = 0; i < EVICT_STEPS; i++) {
		if (s->free_node != 0 && s->used_bytes + cost <= s->limit_bytes)
			return true;
		if (reclaim(s, RECLAIM_STEP) == 0)
			break;
	}
	return false;
}

/* RFC 2181 §5.4.1, and: what failed validation neither displaces good data nor protects itself. */
static bool may_replace(const struct entry *old, const struct entry *e, struct now now)
{
	if (!entry_is_fresh(old, now))
		return true;
	bool old_bogus = old->verdict == VERDICT_BOGUS, new_bogus = e->verdict == VERDICT_BOGUS;
	if (old_bogus != new_bogus)
		return old_bogus;
	return e->rank >= old->rank;
}

static void read_popularity(const struct entry *e, struct popularity *out)
{
	out->hits = __atomic_load_n(&e->hits, __ATOMIC_RELAXED);
	out->last_hit_s = __atomic_load_n(&e->last_hit_s, __ATOMIC_RELAXED);
	out->gap_ms = __atomic_load_n(&e->gap_ms, __ATOMIC_RELAXED);
	out->visited = was_visited(e);
}

/* All but what others may be writing to, for E may be in the cache itself. */
static void copy_entry(struct entry *out, const struct entry *e, const struct popularity *p)
{
	memcpy(out, e, offsetof(struct entry, visited));
	out->visited = p->visited;
	out->rr_count = e->rr_count;
	out->sig_count = e->sig_count;
	out->hits = p->hits;
	out->last_hit_s = p->last_hit_s;
	out->gap_ms = p->gap_ms;
	memcpy(out->bytes, e->bytes, e->size_bytes - ENTRY_HEADER_SIZE);
}

static void insert(struct shard *s, uint32_t hash, struct entry *e)
{
	uint32_t n = take_node(s);
	struct shard_node *node = node_at(s, n);
	uint32_t count = atomic_load_explicit(&s->bucket_count, memory_order_relaxed);
	_Atomic uint32_t *head = head_at(s, bucket_of(hash, count));
	uint32_t next = atomic_load_explicit(head, memory_order_relaxed);
	node->hash = hash;
	atomic_store_explicit(&node->entry, e, memory_order_relaxed);
	atomic_store_explicit(&node->next, next, memory_order_relaxed);
	atomic_store_explicit(head, n, memory_order_release);
	queue_push(s, n);
	s->live_count++;
	s->stats.inserts++;
	for (unsigned i = 0; i < SPLITS_PER_INSERT; i++) {
		if (s->live_count > atomic_load_explicit(&s->bucket_count, memory_order_relaxed))
			split_bucket(s);
	}
}

/* One store swaps the entries, so readers find the one or the other. The node keeps its place in
 * the queue; the old entry waits for the readers in a node of its own. */
static void replace(struct shard *s, uint32_t n, struct entry *e)
{
	struct entry *old =
		atomic_exchange_explicit(&node_at(s, n)->entry, e, memory_order_acq_rel);
	uint32_t grave = take_node(s);
	atomic_store_explicit(&node_at(s, grave)->entry, old, memory_order_relaxed);
	atomic_store_explicit(&node_at(s, grave)->next, 0, memory_order_relaxed);
	retire(s, grave);
	s->stats.replacements++;
}

static enum err put_locked(struct shard *s, const struct shard_key *key, const struct entry *e,
			   struct now now, bool restore)
{
	struct entry *old = NULL;
	struct popularity kept;
	read_popularity(e, &kept);
	kept.visited = 0; /* to survive the hand it must be asked for again */
	if (find_node(s, key, &old) != 0) {
		if (restore || !may_replace(old, e, now))
			return ERR_EXISTS;
		read_popularity(old, &kept);
	}
	if (!make_room(s, cost_bound(e->size_bytes), now))
		return ERR_NO_MEMORY;
	struct entry *copy = malloc(e->size_bytes);
	if (!copy)
		return ERR_NO_MEMORY;
	s->used_bytes += shard_cost(copy);
	copy_entry(copy, e, &kept);
	if (s->sink && !restore) /* before others see the copy, and count its hits */
		s->sink->put(s->sink->context, copy, now);
	uint32_t n = find_node(s, key, &old); /* again: it may just have been evicted */
	if (n != 0)
		replace(s, n, copy);
	else
		insert(s, key->hash, copy);
	return OK;
}

static enum err put_counted(struct shard *s, const struct shard_key *key, const struct entry *e,
			    struct now now, bool restore)
{
	enum err err = ERR_LIMIT;
	if (e->size_bytes <= s->limit_bytes / ENTRY_SHARE)
		err = put_locked(s, key, e, now, restore);
	if (err == ERR_LIMIT || err == ERR_NO_MEMORY)
		s->stats.rejected++;
	return err;
}

enum err shard_put(struct shard *s, const struct shard_key *key, const struct entry *e,
		   struct now now, const struct cache_since *since)
{
	pthread_mutex_lock(&s->lock);
	enum err err = since && cache_flushed_since(since) ? ERR_CLOSED
							   : put_counted(s, key, e, now, false);
	pthread_mutex_unlock(&s->lock);
	return err;
}

enum err shard_restore(struct shard *s, const struct shard_key *key, const struct entry *e,
		       struct now now)
{
	pthread_mutex_lock(&s->lock);
	enum err err = put_counted(s, key, e, now, true);
	pthread_mutex_unlock(&s->lock);
	return err;
}

bool shard_remove(struct shard *s, const struct shard_key *key, bool below)
{
	struct entry *e;
	pthread_mutex_lock(&s->lock);
	uint32_t n = find_node(s, key, &e);
	if (n != 0)
		remove_node(s, n);
	if ((n != 0 || below) && s->sink)
		s->sink->remove(s->sink->context, (enum entry_kind)key->kind, key->name, key->type,
				n != 0);
	reclaim(s, RECLAIM_STEP);
	pthread_mutex_unlock(&s->lock);
	return n != 0;
}

/* One chain of a walk. */
static enum shard_visit visit_bucket(struct shard *s, uint32_t bucket, shard_visit_fn *fn,
				     void *context)
{
	_Atomic uint32_t *link = head_at(s, bucket);
	uint32_t n;
	while ((n = atomic_load_explicit(link, memory_order_relaxed)) != 0) {
		switch (fn(context, node_entry(node_at(s, n)))) {
		case SHARD_KEEP:
			link = &node_at(s, n)->next;
			break;
		case SHARD_REMOVE:
			remove_at(s, link, n);
			break;
		case SHARD_STOP:
			return SHARD_STOP;
		}
	}
	return SHARD_KEEP;
}

/* A bucket that is split between two steps moves entries only to a later bucket. */
bool shard_visit(struct shard *s, uint32_t *position, shard_visit_fn *fn, void *context)
{
	bool more = true;
	pthread_mutex_lock(&s->lock);
	uint32_t count = atomic_load_explicit(&s->bucket_count, memory_order_relaxed);
	uint32_t end = MIN(count, *position + VISIT_BUCKETS);
	for (; more && *position < end; (*position)++)
		more = visit_bucket(s, *position, fn, context) != SHARD_STOP;
	reclaim(s, RECLAIM_FLUSH);
	pthread_mutex_unlock(&s->lock);
	return more && end < count;
}

enum err shard_init(struct shard *s, struct epoch *epoch, const struct cache_sink *sink,
		    size_t limit_bytes)
{
	REQUIRE(limit_bytes >= SHARD_LIMIT_MIN);
	memset(s, 0, sizeof(*s));
	s->epoch = epoch;
	s->sink = sink;
	s->limit_bytes = limit_bytes;
	s->reserve_bytes = MAX(limit_bytes / RESERVE_SHARE, RESERVE_MIN);
	/* No entry is smaller than its header: so many nodes there can be. */
	s->segment_max = (uint32_t)(limit_bytes / (sizeof(struct shard_segment) +
						   SHARD_SEGMENT_NODES * ENTRY_HEADER_SIZE)) +
			 1;
	s->segments = calloc(s->segment_max, sizeof(struct shard_segment *));
	if (!s->segments)
		return ERR_NO_MEMORY;
	s->used_bytes = shard_cost(s->segments);
	if (!add_segment(s)) {
		free(s->segments);
		return ERR_NO_MEMORY;
	}
	atomic_init(&s->bucket_count, 1);
	REQUIRE(pthread_mutex_init(&s->lock, NULL) == 0);
	return OK;
}

void shard_deinit(struct shard *s)
{
	for (uint32_t i = 0; i < s->segment_count; i++) {
		for (size_t k = 0; k < SHARD_SEGMENT_NODES; k++)
			free(node_entry(&s->segments[i]->nodes[k]));
		free(s->segments[i]);
	}
	free(s->segments);
	pthread_mutex_destroy(&s->lock);
}
