#include <stdlib.h>

#include "base/log.h"
#include "cache/disk_private.h"

enum err disk_reader_new(struct disk *d, struct disk_reader **out)
{
	struct disk_reader *r = malloc(sizeof(*r));
	if (!r)
		return ERR_NO_MEMORY;
	r->disk = d;
	pthread_mutex_init(&r->lock, NULL);
	pthread_mutex_lock(&d->readers_lock);
	r->next = d->readers;
	d->readers = r;
	pthread_mutex_unlock(&d->readers_lock);
	*out = r;
	return OK;
}

void disk_reader_free(struct disk_reader *r)
{
	if (!r)
		return;
	struct disk *d = r->disk;
	pthread_mutex_lock(&d->readers_lock);
	struct disk_reader **at = &d->readers;
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	pthread_mutex_unlock(&d->readers_lock);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* The view to read from until R's lock is released. */
static bool take_view(struct disk_reader *r)
{
	struct disk *d = r->disk;
	pthread_mutex_lock(&d->view_lock);
	bool readable = d->readable;
	r->view = d->view;
	pthread_mutex_unlock(&d->view_lock);
	return readable;
}

/* A page that cannot be right, or cannot be read. */
static void page_failed(struct disk *d, enum err err)
{
	disk_count(&d->counters.damaged, 1);
	log_warning("cache file: page %s: path=%s", err == ERR_CORRUPT ? "damaged" : "unreadable",
		    d->path);
	if (err == ERR_CORRUPT)
		atomic_store(&d->suspect, true);
}

/* A record that is not what was written: never served, and removed. */
static void record_failed(struct disk *d, struct span key, enum err err)
{
	bool foreign = err == ERR_UNSUPPORTED;
	disk_count(foreign ? &d->counters.foreign : &d->counters.damaged, 1);
	log_warning("cache file: %s record dropped: path=%s", foreign ? "foreign" : "damaged",
		    d->path);
	disk_remove_key(d, key);
}

/* The record where the cursor stands into OUT, with its checksum checked. */
static enum err read_record(struct disk_reader *r, struct disk_buffer *out)
{
	const struct disk_node *node = &r->cursor.node;
	if (node->value_size > DISK_RECORD_MAX)
		return ERR_CORRUPT;
	if (node->value_size > out->size)
		return ERR_NO_SPACE;
	out->len = node->value_size;
	enum err err = disk_cursor_value(&r->cursor, out->at, out->len);
	return err == OK ? disk_record_check(node->key, span_of(out->at, out->len)) : err;
}

static bool is_flushed(struct disk *d, struct span key, const uint8_t *record)
{
	return disk_rules_hide(&d->rules, key, disk_record_generation(record));
}

enum err disk_fetch(struct disk_reader *r, const struct disk_key *key, struct disk_buffer *out)
{
	struct disk *d = r->disk;
	struct span own = disk_key_span(key);
	struct disk_item *item;
	if (disk_pending_find(&d->pending, key, false, &item, 1) == 1) {
		enum err err = item->removal		? ERR_NOT_FOUND
			       : item->size > out->size ? ERR_NO_SPACE
							: OK;
		out->len = item->size;
		if (err == OK && is_flushed(d, own, item->record))
			err = ERR_NOT_FOUND;
		if (err == OK)
			memcpy(out->at, item->record, item->size);
		disk_item_drop(item);
		return err;
	}
	if (!take_view(r))
		return ERR_NOT_FOUND;
	enum err err = disk_cursor_seek(&r->cursor, &r->view, own);
	if (err != OK && err != ERR_NOT_FOUND)
		page_failed(d, err);
	if (err != OK || !span_equal(r->cursor.node.key, own))
		return err != OK ? err : ERR_NOT_FOUND;
	err = read_record(r, out);
	if (err == ERR_CORRUPT || err == ERR_UNSUPPORTED)
		record_failed(d, own, err);
	if (err == OK && is_flushed(d, own, out->at))
		return ERR_NOT_FOUND;
	return err;
}

struct load { /* one call of disk_load_name() */
	struct disk_reader *reader;
	struct disk_clock clock;
	disk_entry_fn *fn;
	void *context;
	size_t count;
	bool go_on;
	struct disk_item *items[DISK_NAME_ENTRIES_MAX];
	size_t item_count;
};

enum err disk_record_view(struct disk_reader *r, struct span key, size_t len,
			  struct disk_clock clock, struct entry **out)
{
	uint32_t generation = disk_record_generation(r->record);
	bool future;
	enum err err = disk_record_entry(key, r->record, len, clock, out, &future);
	if (err != OK)
		return err;
	disk_count(&r->disk->counters.future, future);
	return disk_rules_hide_entry(&r->disk->rules, *out, generation) ? ERR_NOT_FOUND : OK;
}

/* Hand over the entry in the reader's record. ERR_NOT_FOUND if it is hidden, ERR_CORRUPT. */
static enum err hand_over(struct load *l, struct span key, size_t len)
{
	struct entry *e;
	enum err err = disk_record_view(l->reader, key, len, l->clock, &e);
	if (err != OK)
		return err;
	l->count++;
	l->go_on = l->fn(l->context, e) && l->count < DISK_NAME_ENTRIES_MAX;
	return OK;
}

static void load_pending(struct load *l)
{
	for (size_t i = 0; i < l->item_count && l->go_on; i++) {
		const struct disk_item *item = l->items[i];
		struct span key = disk_key_span(item->key);
		if (item->removal || is_flushed(l->reader->disk, key, item->record))
			continue;
		memcpy(l->reader->record, item->record, item->size);
		/* It never left memory: it is whole, and at most hidden. */
		(void)!hand_over(l, key, item->size);
	}
}

static bool is_pending(const struct load *l, struct span key)
{
	for (size_t i = 0; i < l->item_count; i++) {
		if (span_equal(disk_key_span(l->items[i]->key), key))
			return true;
	}
	return false;
}

/* The record where the cursor stands. */
static void load_record(struct load *l)
{
	struct disk_reader *r = l->reader;
	struct span key = r->cursor.node.key;
	if (is_pending(l, key))
		return; /* newer, or on its way out */
	struct disk_buffer to = {.at = r->record, .size = sizeof(r->record)};
	enum err err = read_record(r, &to);
	if (err == OK && is_flushed(r->disk, key, to.at))
		return;
	if (err == OK)
		err = hand_over(l, key, to.len);
	if (err == ERR_SYSTEM)
		page_failed(r->disk, err);
	else if (err != OK && err != ERR_NOT_FOUND)
		record_failed(r->disk, key, err == ERR_UNSUPPORTED ? err : ERR_CORRUPT);
}

static void load_committed(struct load *l, const struct disk_key *prefix)
{
	struct disk_reader *r = l->reader;
	/* Damaged records and those hidden by a flush count too. */
	unsigned seen = 0;
	enum err err = disk_cursor_seek(&r->cursor, &r->view, disk_key_span(prefix));
	while (err == OK && l->go_on && seen++ < 4 * DISK_NAME_ENTRIES_MAX) {
		struct span key = r->cursor.node.key;
		if (!disk_key_starts(key, disk_key_span(prefix)) ||
		    key.len != prefix->len + DISK_KEY_TAIL)
			return;
		load_record(l);
		err = disk_cursor_next(&r->cursor);
	}
	if (err != OK && err != ERR_NOT_FOUND)
		page_failed(r->disk, err);
}

size_t disk_load_name(struct disk_reader *r, const uint8_t *name, struct now now, disk_entry_fn *fn,
		      void *context)
{
	struct disk *d = r->disk;
	struct disk_key prefix;
	struct load l = {.reader = r,
			 .clock = disk_clock(d, now),
			 .fn = fn,
			 .context = context,
			 .go_on = true};
	disk_key_name(&prefix, name);
	disk_count(&d->counters.reads, 1);

	pthread_mutex_lock(&r->lock);
	/* Pending first: what is not there any more when asked is in the view taken afterwards. */
	l.item_count = disk_pending_find(&d->pending, &prefix, true, l.items, ARRAY_LEN(l.items));
	load_pending(&l);
	if (l.go_on && take_view(r))
		load_committed(&l, &prefix);
	pthread_mutex_unlock(&r->lock);

	for (size_t i = 0; i < l.item_count; i++)
		disk_item_drop(l.items[i]);
	disk_count(&d->counters.hits, l.count > 0);
	return l.count;
}

enum err disk_get_blob(struct disk_reader *r, const char *name, struct writer *out)
{
	struct disk_key key;
	struct disk_buffer buffer = {.at = malloc(DISK_RECORD_MAX), .size = DISK_RECORD_MAX};
	if (!buffer.at)
		return ERR_NO_MEMORY;
	disk_key_blob(&key, name);
	pthread_mutex_lock(&r->lock);
	enum err err = disk_fetch(r, &key, &buffer);
	pthread_mutex_unlock(&r->lock);
	if (err == OK) {
		writer_bytes(out, span_of(buffer.at + sizeof(struct disk_record),
					  buffer.len - sizeof(struct disk_record)));
		err = out->failed ? ERR_NO_SPACE : OK;
	}
	free(buffer.at);
	return err;
}
