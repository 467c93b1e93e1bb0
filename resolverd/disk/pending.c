#include "disk/pending.h"

#include <stdlib.h>

void disk_pending_init(struct disk_pending *p, size_t limit_bytes)
{
	memset(p, 0, sizeof(*p));
	p->limit_bytes = limit_bytes;
	hash_key_init(&p->hash_key);
	for (size_t i = 0; i < DISK_PENDING_SHARDS; i++)
		pthread_mutex_init(&p->shards[i].lock, NULL);
}

void disk_pending_deinit(struct disk_pending *p)
{
	for (size_t i = 0; i < DISK_PENDING_SHARDS; i++) {
		struct disk_pending_shard *s = &p->shards[i];
		for (size_t b = 0; b < DISK_PENDING_BUCKETS; b++) {
			for (struct disk_item *item = s->buckets[b], *next; item; item = next) {
				next = item->next;
				disk_item_drop(item);
			}
		}
		pthread_mutex_destroy(&s->lock);
	}
}

struct disk_item *disk_item_new(const struct disk_key *key, size_t size)
{
	size_t rounded = (size + 7) / 8 * 8;
	size_t head = offsetof(struct disk_key, bytes);
	struct disk_item *item = malloc(sizeof(*item) + rounded + head + key->len);
	if (!item)
		return NULL;
	*item = (struct disk_item){.size = size};
	atomic_init(&item->references, 1);
	/* Only as much of the key as there is. */
	item->key = (struct disk_key *)(void *)(item->record + rounded);
	memcpy(item->key, key, head + key->len);
	return item;
}

void disk_item_drop(struct disk_item *item)
{
	if (atomic_fetch_sub_explicit(&item->references, 1, memory_order_acq_rel) == 1)
		free(item);
}

static struct disk_item *take_reference(struct disk_item *item)
{
	atomic_fetch_add_explicit(&item->references, 1, memory_order_relaxed);
	return item;
}

static size_t cost(const struct disk_item *item)
{
	return sizeof(*item) + item->size + item->key->len +
	       32; /* malloc's and the key's overhead */
}

/* All entries of a name share a bucket: the hash leaves out kind and type. */
static struct disk_item **bucket_of(struct disk_pending *p, struct span key,
				    struct disk_pending_shard **shard)
{
	uint64_t hash = hash_bytes(&p->hash_key, key);
	*shard = &p->shards[hash % DISK_PENDING_SHARDS];
	return &(*shard)->buckets[hash / DISK_PENDING_SHARDS % DISK_PENDING_BUCKETS];
}

static struct span hashed_part(const struct disk_key *key)
{
	size_t tail = key->bytes[0] == SPACE_ENTRY ? DISK_KEY_TAIL : 0;
	return span_of(key->bytes, key->len - tail);
}

/* Shard lock held. */
static void unlink_item(struct disk_pending *p, struct disk_pending_shard *s, struct disk_item **at)
{
	struct disk_item *item = *at;
	*at = item->next;
	*(item->older ? &item->older->newer : &s->oldest) = item->newer;
	*(item->newer ? &item->newer->older : &s->newest) = item->older;
	item->linked = false;
	atomic_fetch_sub(&p->used_bytes, cost(item));
	atomic_fetch_sub(&p->count, 1);
	disk_item_drop(item);
}

static struct disk_item **find_equal(struct disk_item **at, struct span key)
{
	while (*at && !span_equal(disk_key_span((*at)->key), key))
		at = &(*at)->next;
	return at;
}

/* Shard lock held. The oldest of S that may go, from *ITEM on; false: there is none. */
static bool drop_oldest(struct disk_pending *p, struct disk_pending_shard *s,
			struct disk_item **item)
{
	while (*item && (*item)->precious)
		*item = (*item)->newer;
	if (!*item)
		return false;
	struct disk_item *gone = *item;
	*item = gone->newer;
	struct disk_pending_shard *same;
	struct disk_item **at = bucket_of(p, hashed_part(gone->key), &same);
	while (*at != gone)
		at = &(*at)->next;
	unlink_item(p, s, at);
	return true;
}

/* Shard lock held. */
static void link_item(struct disk_pending_shard *s, struct disk_item **bucket,
		      struct disk_item *item)
{
	item->linked = true;
	item->next = *bucket;
	*bucket = item;
	item->newer = NULL;
	item->older = s->newest;
	*(s->newest ? &s->newest->newer : &s->oldest) = item;
	s->newest = item;
}

/* A removal of what stands on disk: without it, that comes back. */
static bool is_must(const struct disk_item *item)
{
	return item->removal && item->precious;
}

/* Shard lock held. Is there room for ITEM, once the oldest have gone, *DROPPED of them? Those of other shards
 * stay: they are as many there. The last part of all room is for what must not be lost. */
static bool make_room(struct disk_pending *p, struct disk_pending_shard *s,
		      const struct disk_item *item, size_t *dropped)
{
	size_t reserve = is_must(item) ? 0 : p->limit_bytes / DISK_PENDING_RESERVE;
	size_t most = p->limit_bytes - reserve;
	struct disk_item *oldest = s->oldest;
	*dropped = 0;
	while (atomic_load(&p->used_bytes) + cost(item) > most && drop_oldest(p, s, &oldest))
		++*dropped;
	return atomic_load(&p->used_bytes) + cost(item) <= most;
}

enum err disk_pending_add(struct disk_pending *p, struct disk_item *item, bool *replaced,
			  size_t *dropped)
{
	struct disk_pending_shard *s;
	struct disk_item **bucket = bucket_of(p, hashed_part(item->key), &s);

	pthread_mutex_lock(&s->lock);
	struct disk_item **old = find_equal(bucket, disk_key_span(item->key));
	bool heir = *old && is_must(*old);
	*replaced = *old != NULL;
	item->precious |= heir;
	/* Before the old one is taken out: who finds the count 0 does not look further. */
	atomic_fetch_add(&p->count, 1);
	/* Or else one that changes every second would be put off for ever. */
	if (*old && !(*old)->tried)
		item->due_us = MIN(item->due_us, (*old)->due_us);
	if (*old && !heir)
		unlink_item(p, s, old);
	bool fits = make_room(p, s, item, dropped);
	old = find_equal(bucket, disk_key_span(item->key)); /* others of its bucket may have gone */
	if (fits && heir && *old)
		unlink_item(p, s, old);
	if (fits) {
		atomic_fetch_add(&p->used_bytes, cost(item));
		link_item(s, bucket, item);
	} else {
		atomic_fetch_sub(&p->count, 1);
	}
	pthread_mutex_unlock(&s->lock);
	if (!fits)
		disk_item_drop(item);
	return fits ? OK : ERR_LIMIT;
}

size_t disk_pending_find(struct disk_pending *p, const struct disk_key *key, bool all_kinds,
			 struct disk_item **out, size_t max)
{
	struct disk_pending_shard *s;
	struct span prefix = disk_key_span(key);
	struct disk_item **bucket = bucket_of(p, all_kinds ? prefix : hashed_part(key), &s);
	size_t tail = all_kinds ? DISK_KEY_TAIL : 0;
	size_t count = 0;

	if (atomic_load_explicit(&p->count, memory_order_acquire) == 0)
		return 0;
	pthread_mutex_lock(&s->lock);
	for (struct disk_item *item = *bucket; item && count < max; item = item->next) {
		struct span own = disk_key_span(item->key);
		if (own.len == prefix.len + tail && disk_key_starts(own, prefix))
			out[count++] = take_reference(item);
	}
	pthread_mutex_unlock(&s->lock);
	return count;
}

/* What is due in one shard, the oldest first. False when a limit is reached. */
static bool take_due(struct disk_pending_shard *s, const struct disk_due *job,
		     struct disk_item **out, size_t *count, size_t *bytes)
{
	for (struct disk_item *item = s->oldest; item; item = item->newer) {
		if (item->due_us > job->now_us)
			continue;
		if (*count == job->max || *bytes > job->max_bytes)
			return false;
		item->tried = true;
		*bytes += item->size;
		out[(*count)++] = take_reference(item);
	}
	return true;
}

size_t disk_pending_due(struct disk_pending *p, struct disk_due *job, struct disk_item **out)
{
	size_t count = 0, bytes = 0;
	job->more = false;
	for (unsigned i = 0; i < DISK_PENDING_SHARDS && !job->more; i++) {
		struct disk_pending_shard *s = &p->shards[job->shard];
		pthread_mutex_lock(&s->lock);
		job->more = !take_due(s, job, out, &count, &bytes);
		pthread_mutex_unlock(&s->lock);
		if (!job->more)
			job->shard = (job->shard + 1) % DISK_PENDING_SHARDS;
	}
	return count;
}

void disk_pending_done(struct disk_pending *p, struct disk_item *item)
{
	struct disk_pending_shard *s;
	struct disk_item **at = bucket_of(p, hashed_part(item->key), &s);
	pthread_mutex_lock(&s->lock);
	while (item->linked && *at != item)
		at = &(*at)->next;
	if (item->linked)
		unlink_item(p, s, at);
	pthread_mutex_unlock(&s->lock);
}

size_t disk_pending_trim(struct disk_pending *p, size_t keep)
{
	size_t dropped = 0, each = keep / DISK_PENDING_SHARDS;
	for (size_t i = 0; i < DISK_PENDING_SHARDS; i++) {
		struct disk_pending_shard *s = &p->shards[i];
		size_t count = 0;
		pthread_mutex_lock(&s->lock);
		for (struct disk_item *item = s->newest; item; item = item->older)
			count++;
		struct disk_item *item = s->oldest;
		for (; count > each && drop_oldest(p, s, &item); count--)
			dropped++;
		pthread_mutex_unlock(&s->lock);
	}
	return dropped;
}

size_t disk_pending_purge(struct disk_pending *p,
			  bool (*fn)(const void *context, const struct disk_item *item),
			  const void *context)
{
	size_t count = 0;
	for (size_t i = 0; i < (size_t)DISK_PENDING_SHARDS * DISK_PENDING_BUCKETS; i++) {
		struct disk_pending_shard *s = &p->shards[i / DISK_PENDING_BUCKETS];
		struct disk_item **at = &s->buckets[i % DISK_PENDING_BUCKETS];
		pthread_mutex_lock(&s->lock);
		while (*at) {
			if (fn(context, *at)) {
				unlink_item(p, s, at);
				count++;
			} else {
				at = &(*at)->next;
			}
		}
		pthread_mutex_unlock(&s->lock);
	}
	return count;
}
