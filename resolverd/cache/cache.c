#include "cache/cache.h"

#include <stdlib.h>

#include "cache/epoch.h"
#include "cache/shard.h"

enum {
	SHARDS_MAX = 64,	    /* writers of 64 cores seldom meet: they lock on misses only */
	SHARE_MIN = 16 * ENTRY_MAX, /* in each of several shards the largest entry finds room */
	SHARD_SHIFT = 48,	    /* the shard is chosen by bits the shard does not use */
	TYPES_TOGETHER = 16,	    /* types of a name in one bucket */
	KIND_BITS = 4,		    /* of an entry's kind in its hash, above them 4 of its type */
	BUCKET_BITS = 24,	    /* the rest of the 32, for more buckets than a shard has */
	BUCKET_MASK = (1 << BUCKET_BITS) - 1,
};

/* 2^64 divided by the golden ratio: neighbours are spread over all bits. */
#define TYPES_FACTOR UINT64_C(0x9e3779b97f4a7c15)

struct cache_reader { /* its own thread */
	struct cache *cache;
	struct epoch_reader *epoch;
};

struct cache {
	struct epoch epoch;
	struct cache_reader readers[EPOCH_READERS_MAX]; /* beside those of the epoch */
	struct hash_key hash_key;
	struct shard *shards;
	uint32_t shard_count; /* a power of two */
	size_t limit_bytes, base_bytes;
	_Atomic uint64_t flushes; /* begun so far */
};

/*
 * Where an entry stands follows from the secret hash of its name. All kinds and neighbouring types of
 * a name share a bucket, because who looks for one of them mostly looks for others next; they are told
 * apart by the highest bits of the hash. No more than 16 types do, so that asking for all types of a
 * name makes no long chain.
 */
static struct shard *shard_by_hash(const struct cache *c, uint64_t hash, struct shard_key *key)
{
	uint32_t set = (key->type % TYPES_TOGETHER) << KIND_BITS | key->kind;
	static_assert(ENTRY_KIND_COUNT <= 1 << KIND_BITS, "a kind fits its bits");
	hash ^= key->type / TYPES_TOGETHER * TYPES_FACTOR;
	key->hash = ((uint32_t)hash & BUCKET_MASK) | set << BUCKET_BITS;
	return &c->shards[(hash >> SHARD_SHIFT) & (c->shard_count - 1)];
}

static struct shard *shard_of(const struct cache *c, struct shard_key *key)
{
	uint64_t hash = hash_bytes(&c->hash_key, span_of(key->name, key->name_len));
	return shard_by_hash(c, hash, key);
}

static uint32_t choose_shard_count(size_t memory_bytes)
{
	uint32_t count = 1;
	while (count < SHARDS_MAX && memory_bytes / (2 * count) >= SHARE_MIN)
		count *= 2;
	return count;
}

static enum err init_shards(struct cache *c, const struct cache_sink *sink)
{
	size_t share = (c->limit_bytes - c->base_bytes) / c->shard_count;
	for (uint32_t i = 0; i < c->shard_count; i++) {
		enum err err = shard_init(&c->shards[i], &c->epoch, sink, share);
		if (err == OK)
			continue;
		while (i > 0)
			shard_deinit(&c->shards[--i]);
		return err;
	}
	return OK;
}

enum err cache_new(const struct cache_settings *settings, struct cache **out)
{
	if (settings->memory_bytes < CACHE_MEMORY_MIN)
		return ERR_LIMIT;
	struct cache *c = aligned_alloc(_Alignof(struct cache), sizeof(*c));
	if (!c)
		return ERR_NO_MEMORY;
	memset(c, 0, sizeof(*c));
	c->limit_bytes = settings->memory_bytes;
	c->shard_count = choose_shard_count(settings->memory_bytes);
	c->shards = aligned_alloc(_Alignof(struct shard), c->shard_count * sizeof(struct shard));
	if (!c->shards)
		goto free_cache;
	c->base_bytes = shard_cost(c) + shard_cost(c->shards);
	epoch_init(&c->epoch);
	hash_key_init(&c->hash_key);
	if (init_shards(c, settings->sink) != OK)
		goto free_shards;
	*out = c;
	return OK;

free_shards:
	epoch_deinit(&c->epoch);
	free(c->shards);
free_cache:
	free(c);
	return ERR_NO_MEMORY;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	for (uint32_t i = 0; i < c->shard_count; i++)
		shard_deinit(&c->shards[i]);
	epoch_deinit(&c->epoch);
	free(c->shards);
	free(c);
}

enum err cache_reader_new(struct cache *c, struct cache_reader **out)
{
	struct epoch_reader *epoch;
	enum err err = epoch_join(&c->epoch, &epoch);
	if (err != OK)
		return err;
	struct cache_reader *r = &c->readers[epoch - c->epoch.readers];
	*r = (struct cache_reader){.cache = c, .epoch = epoch};
	*out = r;
	return OK;
}

void cache_reader_free(struct cache_reader *r)
{
	if (r)
		epoch_leave(&r->cache->epoch, r->epoch);
}

void cache_reader_pass(struct cache_reader *r)
{
	epoch_pass(&r->cache->epoch, r->epoch);
}

void cache_reader_idle(struct cache_reader *r)
{
	epoch_idle(r->epoch);
}

void cache_reader_wake(struct cache_reader *r)
{
	epoch_wake(&r->cache->epoch, r->epoch);
}

struct cache_name cache_name(const struct cache_reader *r, const uint8_t *name, size_t name_len)
{
	REQUIRE(name_len <= DNAME_MAX);
	struct span bytes = span_of(name, name_len);
	return (struct cache_name){.bytes = bytes, .hash = hash_bytes(&r->cache->hash_key, bytes)};
}

const struct entry *cache_find_of(struct cache_reader *r, const struct cache_name *name,
				  enum entry_kind kind, uint16_t type)
{
	struct shard_key key = {.name = name->bytes.at,
				.name_len = name->bytes.len,
				.type = type,
				.kind = (uint8_t)kind};
	return shard_find(shard_by_hash(r->cache, name->hash, &key), &key);
}

const struct entry *cache_find(struct cache_reader *r, enum entry_kind kind, const uint8_t *name,
			       size_t name_len, uint16_t type)
{
	struct cache_name n = cache_name(r, name, name_len);
	return cache_find_of(r, &n, kind, type);
}

static struct shard_key key_of(const struct entry *e)
{
	return (struct shard_key){
		.name = entry_name(e), .name_len = e->name_len, .type = e->type, .kind = e->kind};
}

enum err cache_put(struct cache *c, const struct entry *e, struct now now)
{
	struct shard_key key = key_of(e);
	return shard_put(shard_of(c, &key), &key, e, now, NULL);
}

struct cache_since cache_since(struct cache *c)
{
	return (struct cache_since){.cache = c, .flushes = atomic_load(&c->flushes)};
}

bool cache_flushed_since(const struct cache_since *since)
{
	return atomic_load(&since->cache->flushes) != since->flushes;
}

enum err cache_put_since(const struct cache_since *since, const struct entry *e, struct now now)
{
	struct shard_key key = key_of(e);
	return shard_put(shard_of(since->cache, &key), &key, e, now, since);
}

enum err cache_restore(struct cache *c, const struct entry *e, struct now now)
{
	struct shard_key key = key_of(e);
	return shard_restore(shard_of(c, &key), &key, e, now);
}

static bool remove_key(struct cache *c, enum entry_kind kind, const uint8_t *name, uint16_t type,
		       bool below)
{
	uint8_t lower[DNAME_MAX];
	struct shard_key key = {.name = lower,
				.name_len = dname_lower(name, lower),
				.type = type,
				.kind = (uint8_t)kind};
	return shard_remove(shard_of(c, &key), &key, below);
}

bool cache_remove(struct cache *c, enum entry_kind kind, const uint8_t *name, uint16_t type)
{
	return remove_key(c, kind, name, type, false);
}

bool cache_remove_below(struct cache *c, enum entry_kind kind, const uint8_t *name, uint16_t type)
{
	return remove_key(c, kind, name, type, true);
}

struct flush {
	const uint8_t *name;
	size_t name_len;
	uint16_t type;
	bool subtree;
	uint64_t removed;
};

static bool is_flushed(const struct flush *f, const struct entry *e)
{
	/* A type of 0 stands for all types of a name that does not exist. */
	if (f->type != 0 && e->type != 0 && e->type != f->type)
		return false;
	return f->subtree ? dname_is_within(entry_name(e), f->name)
			  : span_equal(span_of(entry_name(e), e->name_len),
				       span_of(f->name, f->name_len));
}

static enum shard_visit flush_visit(void *context, const struct entry *e)
{
	struct flush *f = context;
	if (!is_flushed(f, e) && !entry_passes(e, f->name, f->subtree))
		return SHARD_KEEP;
	f->removed++;
	return SHARD_REMOVE;
}

uint64_t cache_flush(struct cache *c, const uint8_t *name, uint16_t type, bool subtree)
{
	uint8_t lower[DNAME_MAX];
	struct flush f = {.name = lower,
			  .name_len = dname_lower(name, lower),
			  .type = type,
			  .subtree = subtree};
	atomic_fetch_add(&c->flushes, 1);
	for (uint32_t i = 0; i < c->shard_count; i++) {
		uint32_t position = 0;
		while (shard_visit(&c->shards[i], &position, flush_visit, &f))
			;
	}
	return f.removed;
}

uint64_t cache_flush_all(struct cache *c)
{
	static const uint8_t root[] = {0};
	return cache_flush(c, root, 0, true);
}

struct walk {
	bool (*fn)(void *context, const struct entry *e);
	void *context;
	bool stopped;
};

static enum shard_visit walk_visit(void *context, const struct entry *e)
{
	struct walk *w = context;
	w->stopped = !w->fn(w->context, e);
	return w->stopped ? SHARD_STOP : SHARD_KEEP;
}

void cache_walk(struct cache *c, bool (*fn)(void *context, const struct entry *e), void *context)
{
	struct walk w = {.fn = fn, .context = context};
	for (uint32_t i = 0; i < c->shard_count && !w.stopped; i++) {
		uint32_t position = 0;
		while (shard_visit(&c->shards[i], &position, walk_visit, &w))
			;
	}
}

/* One step of a walk over all shards. */
static bool visit_some(struct cache *c, struct cache_cursor *at, shard_visit_fn *fn, void *context)
{
	if (at->shard == c->shard_count)
		return false;
	if (!shard_visit(&c->shards[at->shard], &at->position, fn, context))
		*at = (struct cache_cursor){.shard = at->shard + 1};
	return at->shard < c->shard_count;
}

bool cache_walk_some(struct cache *c, struct cache_cursor *at,
		     bool (*fn)(void *context, const struct entry *e), void *context)
{
	struct walk w = {.fn = fn, .context = context};
	bool more = visit_some(c, at, walk_visit, &w);
	REQUIRE(!w.stopped);
	return more;
}

bool cache_flush_some(struct cache *c, struct cache_cursor *at, const uint8_t *name, uint16_t type,
		      bool subtree, uint64_t *removed)
{
	uint8_t lower[DNAME_MAX];
	struct flush f = {.name = lower,
			  .name_len = dname_lower(name, lower),
			  .type = type,
			  .subtree = subtree};
	bool more = visit_some(c, at, flush_visit, &f);
	*removed += f.removed;
	return more;
}

unsigned cache_cursor_percent(const struct cache *c, const struct cache_cursor *at)
{
	if (at->shard == c->shard_count)
		return 100;
	const struct shard *s = &c->shards[at->shard];
	uint32_t buckets = atomic_load_explicit(&s->bucket_count, memory_order_relaxed);
	uint64_t within = 100ULL * MIN(at->position, buckets) / MAX(buckets, 1u);
	return (unsigned)((100ULL * at->shard + within) / c->shard_count);
}

void cache_read_stats(struct cache *c, struct cache_stats *out)
{
	*out = (struct cache_stats){.used_bytes = c->base_bytes, .limit_bytes = c->limit_bytes};
	for (uint32_t i = 0; i < c->shard_count; i++) {
		struct shard *s = &c->shards[i];
		pthread_mutex_lock(&s->lock);
		out->used_bytes += s->used_bytes;
		out->entries += s->live_count;
		out->inserts += s->stats.inserts;
		out->replacements += s->stats.replacements;
		out->evictions += s->stats.evictions;
		out->expired_evictions += s->stats.expired_evictions;
		out->rejected += s->stats.rejected;
		pthread_mutex_unlock(&s->lock);
	}
}
