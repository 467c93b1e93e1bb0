#include "disk/hot.h"

#include <stdlib.h>

#include "base/heap.h"

enum {
	ITEM_HEAD = 2 + 3 * 4,
	PARTS_MAX = 1024, /* 20,000 longest keys need 160 */
	/* Asked for once: as if every ten minutes, the usual window of prefetching. */
	GAP_UNKNOWN_MS = 10 * 60 * 1000,
};

struct hot_item {
	struct heap_node node; /* key: UINT32_MAX less the mean time between hits in ms */
	uint32_t hits, last_hit_unix_s, gap_ms;
	uint16_t key_len;
	uint8_t key[];
};

struct disk_hot {
	struct heap heap;	  /* least popular first */
	struct hot_item **sorted; /* most popular first; NULL until encoding */
	size_t sorted_count, encoded_count;
	uint32_t part_count;
};

enum err disk_hot_new(struct disk_hot **out)
{
	struct disk_hot *h = calloc(1, sizeof(*h));
	if (!h)
		return ERR_NO_MEMORY;
	heap_init(&h->heap);
	*out = h;
	return OK;
}

static struct hot_item *item_of(struct heap_node *node)
{
	return (struct hot_item *)(void *)((uint8_t *)node - offsetof(struct hot_item, node));
}

void disk_hot_free(struct disk_hot *h)
{
	if (!h)
		return;
	for (struct heap_node *node; (node = heap_min(&h->heap));) {
		heap_remove(&h->heap, node);
		free(item_of(node));
	}
	for (size_t i = 0; i < h->sorted_count; i++)
		free(h->sorted[i]);
	free(h->sorted);
	heap_deinit(&h->heap);
	free(h);
}

/* The mean gap between questions as it stands now: what has fallen silent grows unpopular. */
static uint64_t score_of(uint32_t last_hit_s, uint32_t gap_ms, struct now now)
{
	int64_t idle_ms = MAX(now.cache_ms - (int64_t)last_hit_s * 1000, 0);
	uint64_t mean_ms = gap_ms ? gap_ms : GAP_UNKNOWN_MS;
	return UINT32_MAX - MIN(MAX(mean_ms, (uint64_t)idle_ms), UINT32_MAX);
}

/* Others may be counting at this moment. */
static uint32_t counter(const uint32_t *of)
{
	return __atomic_load_n(of, __ATOMIC_RELAXED);
}

void disk_hot_add(struct disk_hot *h, const struct entry *e, struct now now)
{
	uint32_t hits = counter(&e->hits), last_hit_s = counter(&e->last_hit_s);
	uint32_t gap_ms = counter(&e->gap_ms);
	if (hits == 0 || e->kind == ENTRY_FAILURE)
		return;
	uint64_t score = score_of(last_hit_s, gap_ms, now);
	struct heap_node *least = heap_min(&h->heap);
	if (h->heap.count >= DISK_HOT_MAX) {
		if (score <= least->key)
			return;
		heap_remove(&h->heap, least);
		free(item_of(least));
	}
	struct disk_key key;
	disk_key_entry(&key, (enum entry_kind)e->kind, entry_name(e), e->type);
	struct hot_item *item = malloc(sizeof(*item) + key.len);
	if (!item)
		return; /* one name less to start with */
	struct disk_clock clock = disk_clock_of(now, now.cache_ms);
	*item = (struct hot_item){
		.hits = hits,
		.last_hit_unix_s = (uint32_t)(last_hit_s + clock.offset_ms / 1000),
		.gap_ms = gap_ms,
		.key_len = (uint16_t)key.len,
	};
	memcpy(item->key, key.bytes, key.len);
	if (heap_set(&h->heap, &item->node, score) != OK)
		free(item);
}

void disk_hot_store(struct disk *d, struct disk_hot *h, struct now now)
{
	(void)disk_clock(d, now);
	pthread_mutex_lock(&d->lock);
	struct disk_hot *old = d->hot;
	d->hot = h;
	pthread_mutex_unlock(&d->lock);
	disk_hot_free(old);
}

/* Empty the heap, which yields the least popular first, and count the records it takes. */
static bool sort_items(struct disk_hot *h)
{
	size_t count = h->heap.count, room = 0;
	h->sorted = calloc(count + 1, sizeof(struct hot_item *));
	if (!h->sorted)
		return false;
	for (size_t i = count; i > 0; i--) {
		struct heap_node *node = heap_min(&h->heap);
		heap_remove(&h->heap, node);
		h->sorted[i - 1] = item_of(node);
	}
	h->sorted_count = count;
	h->part_count = 1;
	room = DISK_HOT_RECORD_MAX - sizeof(struct disk_record) - sizeof(uint32_t);
	for (size_t i = 0; i < count; i++) {
		size_t size = ITEM_HEAD + h->sorted[i]->key_len;
		if (size > room) {
			h->part_count++;
			room = DISK_HOT_RECORD_MAX - sizeof(struct disk_record);
		}
		room -= size;
	}
	return true;
}

size_t disk_hot_encode(struct disk_hot *h, uint32_t number, uint8_t out[static DISK_HOT_RECORD_MAX])
{
	if (number == 0)
		h->encoded_count = 0; /* once more, after a commit that failed */
	if ((!h->sorted && !sort_items(h)) || number >= h->part_count)
		return 0;
	struct disk_record head = {.format = DISK_FORMAT};
	struct writer w = writer_of(out, DISK_HOT_RECORD_MAX);
	writer_bytes(&w, span_of(&head, sizeof(head)));
	if (number == 0)
		writer_u32(&w, h->part_count);
	for (; h->encoded_count < h->sorted_count; h->encoded_count++) {
		const struct hot_item *item = h->sorted[h->encoded_count];
		if (writer_left(&w) < ITEM_HEAD + (size_t)item->key_len)
			break;
		writer_u16(&w, item->key_len);
		writer_u32(&w, item->hits);
		writer_u32(&w, item->last_hit_unix_s);
		writer_u32(&w, item->gap_ms);
		writer_bytes(&w, span_of(item->key, item->key_len));
	}
	return writer_len(&w);
}

struct hot_load { /* one call of disk_load_hot() */
	struct disk_reader *reader;
	struct disk_clock clock;
	disk_entry_fn *fn;
	void *context;
	size_t max_bytes, bytes, count;
	bool go_on;
	uint8_t part[DISK_HOT_RECORD_MAX];
};

/* The entry may have been written before most of its questions came. */
static void merge_popularity(struct entry *e, uint32_t hits, uint32_t last_hit_s, uint32_t gap_ms)
{
	if (last_hit_s < e->last_hit_s)
		return;
	e->hits = MAX(hits, e->hits);
	e->last_hit_s = last_hit_s;
	e->gap_ms = gap_ms;
}

/* The next item of a part: find its entry and hand it over. The lock is not kept from one to the
 * next, or the writer would wait for all. */
static void load_item(struct hot_load *l, struct reader *from)
{
	struct disk_reader *r = l->reader;
	struct disk_key key = {.len = reader_u16(from)};
	uint32_t hits = reader_u32(from);
	int64_t last_hit_s = (int64_t)reader_u32(from) - l->clock.offset_ms / 1000;
	uint32_t gap_ms = reader_u32(from);
	struct span bytes = reader_bytes(from, key.len);
	if (from->failed || key.len > DISK_KEY_MAX || key.len < 1 + 1 + DISK_KEY_TAIL ||
	    bytes.at[0] != SPACE_ENTRY)
		return;
	memcpy(key.bytes, bytes.at, key.len);

	struct disk_buffer to = {.at = r->record, .size = sizeof(r->record)};
	struct entry *e;
	pthread_mutex_lock(&r->lock);
	enum err err = disk_fetch(r, &key, &to);
	if (err == OK)
		err = disk_record_view(r, bytes, to.len, l->clock, &e);
	if (err == OK && e->size_bytes > l->max_bytes - l->bytes) {
		l->go_on = false;
	} else if (err == OK) {
		last_hit_s = MAX(MIN(last_hit_s, l->clock.now_ms / 1000), 0);
		merge_popularity(e, hits, (uint32_t)last_hit_s, gap_ms);
		l->bytes += e->size_bytes;
		l->count++;
		l->go_on = l->fn(l->context, e);
	}
	pthread_mutex_unlock(&r->lock);
}

static enum err fetch_part(struct hot_load *l, uint32_t number, struct reader *out)
{
	struct disk_key key;
	struct disk_buffer to = {.at = l->part, .size = sizeof(l->part)};
	disk_key_number(&key, SPACE_HOT, number);
	pthread_mutex_lock(&l->reader->lock);
	enum err err = disk_fetch(l->reader, &key, &to);
	pthread_mutex_unlock(&l->reader->lock);
	if (err == OK)
		*out = reader_of(span_of(to.at + sizeof(struct disk_record),
					 to.len - sizeof(struct disk_record)));
	return err;
}

size_t disk_load_hot(struct disk_reader *r, size_t max_bytes, struct now now, disk_entry_fn *fn,
		     void *context)
{
	struct hot_load *l = malloc(sizeof(*l));
	if (!l)
		return 0;
	l->reader = r;
	l->clock = disk_clock(r->disk, now);
	l->fn = fn;
	l->context = context;
	l->max_bytes = max_bytes;
	l->bytes = l->count = 0;
	l->go_on = true;
	struct reader from;
	uint32_t parts = 1;
	for (uint32_t i = 0; i < parts && i < PARTS_MAX && l->go_on; i++) {
		if (fetch_part(l, i, &from) != OK)
			break;
		if (i == 0)
			parts = reader_u32(&from);
		while (l->go_on && reader_left(&from) > 0)
			load_item(l, &from);
	}
	size_t count = l->count;
	free(l);
	return count;
}
