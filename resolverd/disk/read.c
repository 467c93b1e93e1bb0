#include <stdlib.h>

#include "base/log.h"
#include "disk/private.h"

enum { FOUND_BYTES_MAX = 1024 * 1024 }; /* of a name: an honest one has a few kilobytes */

enum err disk_reader_new(struct disk *d, struct disk_reader **out)
{
	struct disk_reader *r = malloc(sizeof(*r));
	if (!r)
		return ERR_NO_MEMORY;
	r->disk = d;
	r->resident = false;
	r->found = (struct disk_found){0};
	pthread_mutex_init(&r->lock, NULL);
	pthread_mutex_lock(&d->readers_lock);
	r->passed = d->publications;
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
	free(r->found.at);
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
	r->view.resident = r->resident;
	return readable;
}

/* A page that cannot be right, or cannot be read. */
static void page_failed(struct disk *d, enum err err)
{
	if (err == ERR_BUSY)
		return; /* it is only not in memory */
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

/* The record of KEY that waits to be written, or ERR_NOT_FOUND if it is to be removed. False: none does. */
static bool fetch_pending(struct disk *d, const struct disk_key *key, struct disk_buffer *out,
			  enum err *err)
{
	struct disk_item *item;
	if (disk_pending_find(&d->pending, key, false, &item, 1) == 0)
		return false;
	*err = item->removal ? ERR_NOT_FOUND : item->size > out->size ? ERR_NO_SPACE : OK;
	out->len = item->size;
	if (*err == OK && is_flushed(d, disk_key_span(key), item->record))
		*err = ERR_NOT_FOUND;
	if (*err == OK)
		memcpy(out->at, item->record, item->size);
	disk_item_drop(item);
	return true;
}

static enum err fetch_committed(struct disk_reader *r, const struct disk_key *key,
				struct disk_buffer *out)
{
	struct disk *d = r->disk;
	struct span own = disk_key_span(key);
	enum err err = disk_cursor_seek(&r->cursor, &r->view, own);
	if (err != OK && err != ERR_NOT_FOUND)
		page_failed(d, err);
	if (err != OK || !span_equal(r->cursor.node.key, own))
		return err != OK ? err : ERR_NOT_FOUND;
	err = read_record(r, out);
	if (err == ERR_CORRUPT || err == ERR_UNSUPPORTED)
		record_failed(d, own, err);
	return err;
}

enum err disk_fetch(struct disk_reader *r, const struct disk_key *key, struct disk_buffer *out)
{
	struct disk *d = r->disk;
	enum err err, newer;
	if (fetch_pending(d, key, out, &err))
		return err;
	if (!take_view(r))
		return ERR_NOT_FOUND;
	err = fetch_committed(r, key, out);
	/* The disk took its time, and others have gone on. */
	if (err == OK && fetch_pending(d, key, out, &newer))
		return newer;
	if (err == OK && is_flushed(d, disk_key_span(key), out->at))
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

/* A record of NODE's key and LEN bytes behind those found so far; false if they are too many. */
static bool keep_found(struct disk_reader *r, struct span key, size_t len)
{
	struct disk_found *f = &r->found;
	uint32_t head[2] = {(uint32_t)key.len, (uint32_t)len};
	size_t more = sizeof(head) + key.len + len;
	if (more > FOUND_BYTES_MAX - f->len)
		return false;
	if (f->len + more > f->size) {
		uint8_t *grown = realloc(f->at, 2 * (f->len + more));
		if (!grown)
			return false;
		f->at = grown;
		f->size = 2 * (f->len + more);
	}
	memcpy(f->at + f->len, head, sizeof(head));
	memcpy(f->at + f->len + sizeof(head), key.at, key.len);
	memcpy(f->at + f->len + sizeof(head) + key.len, r->record, len);
	f->len += more;
	return true;
}

/* The record where the cursor stands. ERR_BUSY: not in memory. */
static enum err read_found(struct disk_reader *r, bool *go_on)
{
	struct span key = r->cursor.node.key;
	struct disk_buffer to = {.at = r->record, .size = sizeof(r->record)};
	enum err err = read_record(r, &to);
	if (err == OK)
		*go_on = keep_found(r, key, to.len);
	else if (err == ERR_SYSTEM)
		page_failed(r->disk, err);
	else if (err != ERR_BUSY)
		record_failed(r->disk, key, err == ERR_UNSUPPORTED ? err : ERR_CORRUPT);
	return err == ERR_BUSY ? err : OK;
}

/* All that may wait for the disk. ERR_BUSY: not all of it is in memory. */
static enum err read_committed(struct disk_reader *r, const struct disk_key *prefix)
{
	/* Damaged records and those hidden by a flush count too. */
	unsigned seen = 0;
	bool go_on = true;
	enum err err = disk_cursor_seek(&r->cursor, &r->view, disk_key_span(prefix));
	while (err == OK && go_on && seen++ < 4 * DISK_NAME_ENTRIES_MAX) {
		struct span key = r->cursor.node.key;
		if (!disk_key_starts(key, disk_key_span(prefix)) ||
		    key.len != prefix->len + DISK_KEY_TAIL)
			return OK;
		err = read_found(r, &go_on);
		if (err == OK)
			err = disk_cursor_next(&r->cursor);
	}
	if (err != OK && err != ERR_NOT_FOUND)
		page_failed(r->disk, err);
	return err == ERR_BUSY ? err : OK;
}

/* Hand over a record that was read, if nothing has come in its place meanwhile. */
static void load_record(struct load *l, struct span key, struct span record)
{
	struct disk_reader *r = l->reader;
	if (is_pending(l, key))
		return; /* newer, or on its way out */
	if (is_flushed(r->disk, key, record.at))
		return;
	memcpy(r->record, record.at, record.len);
	enum err err = hand_over(l, key, record.len);
	if (err != OK && err != ERR_NOT_FOUND)
		record_failed(r->disk, key, err == ERR_UNSUPPORTED ? err : ERR_CORRUPT);
}

static void load_found(struct load *l)
{
	const struct disk_found *f = &l->reader->found;
	for (size_t at = 0; at < f->len && l->go_on;) {
		uint32_t head[2];
		memcpy(head, f->at + at, sizeof(head));
		struct span key = span_of(f->at + at + sizeof(head), head[0]);
		load_record(l, key, span_of(key.at + key.len, head[1]));
		at += sizeof(head) + head[0] + head[1];
	}
}

/*
 * First all is read that may wait for the disk, then, waiting for nothing, it is judged by what is known
 * by now: what was put, removed or flushed in between counts. What is not pending any more when asked
 * is in the view taken before, for the writer publishes none while the lock is held.
 */
static enum err load_name(struct load *l, const struct disk_key *prefix)
{
	struct disk_reader *r = l->reader;
	r->found.len = 0;
	enum err err = take_view(r) ? read_committed(r, prefix) : OK;
	if (err != OK)
		return err;
	l->item_count =
		disk_pending_find(&r->disk->pending, prefix, true, l->items, ARRAY_LEN(l->items));
	load_pending(l);
	load_found(l);
	for (size_t i = 0; i < l->item_count; i++)
		disk_item_drop(l->items[i]);
	return OK;
}

static enum err load(struct disk_reader *r, const struct disk_load *what, bool resident,
		     size_t *count)
{
	struct disk *d = r->disk;
	struct disk_key prefix;
	struct load l = {.reader = r,
			 .clock = disk_clock(d, what->now),
			 .fn = what->fn,
			 .context = what->context,
			 .go_on = true};
	disk_key_name(&prefix, what->name);
	pthread_mutex_lock(&r->lock);
	r->resident = resident;
	enum err err = load_name(&l, &prefix);
	r->resident = false;
	pthread_mutex_unlock(&r->lock);
	disk_count(&d->counters.reads, err == OK);
	disk_count(&d->counters.hits, l.count > 0);
	*count = l.count;
	return err;
}

size_t disk_load_name(struct disk_reader *r, const uint8_t *name, struct now now, disk_entry_fn *fn,
		      void *context)
{
	const struct disk_load what = {.name = name, .now = now, .fn = fn, .context = context};
	size_t count;
	/* Whatever fails has been told. */
	(void)!load(r, &what, false, &count);
	return count;
}

enum err disk_load_resident(struct disk_reader *r, const struct disk_load *what, size_t *count)
{
	return load(r, what, true, count);
}
