#include "disk/recover.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "disk/check.h"

enum {
	PASS_PAUSE_US = 200,  /* until readers are looked at again: each takes microseconds */
	REPLACE_RETRIES = 12, /* attempts at writing between two new files: a minute */
	RECHECK_S = 60,	      /* a page that readers find damaged but the check does not */
	CHECK_FAILURES_MAX =
		3, /* a file that cannot be read time and again is as good as damaged */
};
static const char meta_magic[16] = "resolverd cache";

struct meta_body {
	char magic[16];
	uint32_t generation;
	uint32_t zero;
};

void disk_report(struct disk *d, const struct disk_trouble *t)
{
	pthread_mutex_lock(&d->lock);
	bool news = d->trouble.state != t->state || strcmp(d->trouble.reason, t->reason) != 0;
	d->trouble = *t;
	pthread_mutex_unlock(&d->lock);
	atomic_store(&d->mute, t->state == DISK_LOCKED);
	if (!news)
		return;
	const char *state = disk_state_text(t->state);
	if (t->state == DISK_GOOD)
		log_notice("cache on disk: state=%s path=%s reason=\"%s\"", state, d->path,
			   t->reason);
	else
		log_warning("cache on disk: state=%s path=%s reason=\"%s\"", state, d->path,
			    t->reason);
}

/* Has every reader let go of its view since PUBLICATION? One that waits for the disk is not waited for
 * with the list locked. */
static bool have_passed(struct disk *d, uint64_t publication)
{
	bool all = true;
	pthread_mutex_lock(&d->readers_lock);
	for (struct disk_reader *r = d->readers; r; r = r->next) {
		if (r->passed < publication && pthread_mutex_trylock(&r->lock) == 0) {
			pthread_mutex_unlock(&r->lock);
			r->passed = publication;
		}
		all &= r->passed >= publication;
	}
	pthread_mutex_unlock(&d->readers_lock);
	return all;
}

/* After this no reader holds a view that was taken before. */
static void pass_readers(struct disk *d)
{
	const struct timespec pause = {.tv_nsec = PASS_PAUSE_US * 1000};
	pthread_mutex_lock(&d->readers_lock);
	uint64_t publication = ++d->publications;
	pthread_mutex_unlock(&d->readers_lock);
	while (!have_passed(d, publication))
		nanosleep(&pause, NULL);
}

void disk_publish(struct disk *d, const struct disk_view *v)
{
	pthread_mutex_lock(&d->view_lock);
	d->readable = v != NULL;
	if (v)
		d->view = *v;
	pthread_mutex_unlock(&d->view_lock);
	pass_readers(d);
	if (!v)
		return;
	const struct disk_tree *f = &v->free_tree, *m = &v->main_tree;
	uint64_t pages = 2 + f->branch_pages + f->leaf_pages + f->overflow_pages + m->branch_pages +
			 m->leaf_pages + m->overflow_pages;
	pthread_mutex_lock(&d->lock);
	d->used_bytes = pages * v->page_bytes;
	d->entries = m->entries;
	pthread_mutex_unlock(&d->lock);
}

void disk_recover_later(struct disk_writer *w, enum err err)
{
	w->last_error = err;
	w->retry_us = (uint64_t)(w->disk->io->mono_us() + w->disk->tuning.retry_ms * 1000);
}

void disk_recover_close(struct disk_writer *w)
{
	disk_publish(w->disk, NULL);
	disk_file_close(&w->file);
	w->is_open = w->is_checked = false;
}

/* The record under the cursor into OUT; ERR_UNSUPPORTED leaves it there too. */
static enum err read_record(struct disk_cursor *c, struct disk_buffer *out)
{
	if (c->node.value_size > out->size)
		return ERR_CORRUPT;
	out->len = c->node.value_size;
	enum err err = disk_cursor_value(c, out->at, out->len);
	return err == OK ? disk_record_check(c->node.key, span_of(out->at, out->len)) : err;
}

typedef void blob_fn(struct disk_writer *w, struct disk_buffer *record);

static void rescue_blob(struct disk_writer *w, struct disk_buffer *record)
{
	struct disk_cursor *c = &w->collect.cursor;
	struct disk_key key = {.len = c->node.key.len};
	enum err err = read_record(c, record);
	/* Blobs look the same in all formats; what is in them is for their owner to judge. */
	if ((err != OK && err != ERR_UNSUPPORTED) || key.len > 1 + DISK_BLOB_NAME_MAX)
		return;
	memcpy(key.bytes, c->node.key.at, key.len);
	struct disk_item *newer;
	if (disk_pending_find(&w->disk->pending, &key, false, &newer, 1) == 1) {
		disk_item_drop(newer);
		return;
	}
	struct disk_item *item = disk_item_new(&key, record->len);
	struct disk_record head = {.format = DISK_FORMAT};
	if (item) {
		memcpy(item->record, record->at, record->len);
		memcpy(item->record, &head, sizeof(head));
		item->precious = true;
	}
	disk_queue(w->disk, item);
}

/* What is damaged is shelved as such. */
static void shelve_blob(struct disk_writer *w, struct disk_buffer *record)
{
	struct disk_cursor *c = &w->collect.cursor;
	struct disk_key key = {.len = c->node.key.len};
	bool good = read_record(c, record) == OK;
	if (key.len > 1 + DISK_BLOB_NAME_MAX)
		return;
	memcpy(key.bytes, c->node.key.at, key.len);
	struct disk_item *item = disk_item_new(&key, good ? record->len : 0);
	if (!item)
		return;
	item->removal = !good;
	if (good)
		memcpy(item->record, record->at, record->len);
	disk_shelve(w->disk, item);
}

static void each_blob(struct disk_writer *w, blob_fn *fn)
{
	struct disk_cursor *c = &w->collect.cursor;
	struct disk_buffer record = {.at = malloc(DISK_RECORD_MAX), .size = DISK_RECORD_MAX};
	uint8_t first = SPACE_BLOB;
	if (!record.at || w->view.page_bytes == 0) {
		free(record.at);
		return;
	}
	enum err err = disk_cursor_seek(c, &w->view, span_of(&first, 1));
	for (unsigned i = 0; err == OK && i < DISK_BLOBS_MAX; i++) {
		if (c->node.key.len < 2 || c->node.key.at[0] != SPACE_BLOB)
			break;
		fn(w, &record);
		err = disk_cursor_next(c);
	}
	free(record.at);
}

static enum err set_aside(struct disk_writer *w, const char *reason)
{
	struct disk *d = w->disk;
	each_blob(w, rescue_blob); /* queued for the new file, as far as they can still be read */
	disk_publish(d, NULL);
	w->is_open = w->is_checked = false;
	enum err err = disk_file_set_aside(&w->file, d->io->unix_ms() / 1000);
	if (err == OK) {
		disk_count(&d->counters.moved_aside, 1);
		log_warning("cache file moved aside, a new one begun: path=%s reason=\"%s\"",
			    d->path, reason);
		return OK;
	}
	struct disk_trouble t = {.state = DISK_FAILED};
	snprintf(t.reason, sizeof(t.reason), "%s (%s) and cannot be moved aside", d->path, reason);
	disk_report(d, &t);
	return err;
}

/* The meta record. ERR_UNSUPPORTED for a file that is not ours or of another format. */
static enum err read_meta(struct disk_writer *w)
{
	struct disk_cursor *c = &w->collect.cursor;
	struct disk_buffer record = {.at = w->record, .size = sizeof(w->record)};
	struct disk_key key;
	struct meta_body body;
	w->meta_generation = 0;
	if (w->view.main_tree.root == DISK_NO_PAGE)
		return OK; /* new */
	disk_key_number(&key, SPACE_META, 0);
	enum err err = disk_cursor_seek(c, &w->view, disk_key_span(&key));
	if (err == ERR_NOT_FOUND || (err == OK && !span_equal(c->node.key, disk_key_span(&key))))
		return ERR_UNSUPPORTED;
	if (err == OK)
		err = read_record(c, &record);
	if (err != OK)
		return err;
	if (record.len != sizeof(struct disk_record) + sizeof(body))
		return ERR_UNSUPPORTED;
	memcpy(&body, w->record + sizeof(struct disk_record), sizeof(body));
	if (memcmp(body.magic, meta_magic, sizeof(meta_magic)) != 0)
		return ERR_UNSUPPORTED;
	w->meta_generation = body.generation;
	return OK;
}

/* The log of flushes, which stands among the blobs. */
static enum err read_log(struct disk_writer *w)
{
	struct disk_cursor *c = &w->collect.cursor;
	struct disk_buffer record = {.size = sizeof(struct disk_record) + DISK_LOG_BYTES_MAX};
	struct disk_key key;
	disk_key_blob(&key, DISK_LOG_BLOB);
	enum err err = disk_cursor_seek(c, &w->view, disk_key_span(&key));
	if (err == ERR_NOT_FOUND || (err == OK && !span_equal(c->node.key, disk_key_span(&key))))
		return OK;
	if (err != OK)
		return err;
	record.at = malloc(record.size);
	err = record.at ? read_record(c, &record) : ERR_SYSTEM;
	if (err == OK)
		disk_rules_read_log(&w->disk->rules,
				    span_of(record.at + sizeof(struct disk_record),
					    record.len - sizeof(struct disk_record)));
	free(record.at);
	return err;
}

static enum err read_rules(struct disk_writer *w)
{
	struct disk_cursor *c = &w->collect.cursor;
	struct disk_buffer record = {.at = w->record, .size = sizeof(w->record)};
	struct disk_rule rule;
	uint8_t first = SPACE_RULE;
	disk_rules_restart(&w->disk->rules, w->meta_generation);
	enum err err = disk_cursor_seek(c, &w->view, span_of(&first, 1));
	while (err == OK && c->node.key.at[0] == SPACE_RULE) {
		err = read_record(c, &record);
		if (err == OK)
			err = disk_rule_decode(span_of(record.at, record.len), &rule);
		/* A flush that cannot be read must not be forgotten: rather lose the file. */
		if (err != OK)
			return err == ERR_SYSTEM ? err : ERR_CORRUPT;
		disk_rules_restore(&w->disk->rules, &rule);
		err = disk_cursor_next(c);
	}
	return err == OK || err == ERR_NOT_FOUND ? read_log(w) : err;
}

/* Open the file once and see whether it is ours. */
static enum err try_open(struct disk_writer *w)
{
	struct disk_trouble t = {0};
	enum err err = disk_file_open(&w->file, &w->view, &t);
	if (err == OK) {
		err = read_meta(w);
		if (err == OK)
			err = read_rules(w);
		if (err != OK)
			snprintf(t.reason, sizeof(t.reason), "%s/data.mdb %s", w->disk->path,
				 err == ERR_CORRUPT	  ? "is damaged"
				 : err == ERR_UNSUPPORTED ? "is of another format"
							  : "cannot be read");
	}
	bool unusable = err == ERR_CORRUPT || err == ERR_UNSUPPORTED;
	if (err != OK && t.state == DISK_GOOD)
		t.state = DISK_FAILED;
	if (err != OK && !(unusable && !w->file.read_only))
		disk_file_close(&w->file);
	if (err != OK)
		disk_report(w->disk, &t);
	w->remark = t;
	return err;
}

enum err disk_recover_open(struct disk_writer *w)
{
	struct disk *d = w->disk;
	enum err err = try_open(w);
	if ((err == ERR_CORRUPT || err == ERR_UNSUPPORTED) && !w->file.read_only) {
		char reason[DISK_REASON_MAX];
		memcpy(reason, w->remark.reason, sizeof(reason));
		err = set_aside(w, reason);
		if (err == OK)
			err = try_open(w);
	}
	if (err != OK) {
		disk_file_close(&w->file);
		disk_recover_later(w, err);
		return err;
	}
	w->is_open = true;
	if (!disk_is_opened(d))
		each_blob(w, shelve_blob);
	w->is_checked =
		w->view.main_tree.root == DISK_NO_PAGE && w->view.free_tree.root == DISK_NO_PAGE;
	pthread_mutex_lock(&d->lock);
	d->map_bytes = w->file.read_only ? 0 : w->file.map_bytes;
	d->checking = !w->is_checked && !w->file.read_only;
	pthread_mutex_unlock(&d->lock);
	disk_publish(d, &w->view);
	disk_report(d, &w->remark);
	if (w->file.read_only)
		disk_recover_later(w, ERR_DENIED);
	return OK;
}

/* The file was begun anew a moment ago, and something is wrong with it again. */
static enum err give_up_for_now(struct disk_writer *w, const char *reason)
{
	struct disk_trouble t = {.state = DISK_FAILED};
	snprintf(t.reason, sizeof(t.reason), "%s", reason);
	disk_recover_close(w);
	disk_report(w->disk, &t);
	disk_recover_later(w, ERR_CORRUPT);
	return ERR_CORRUPT;
}

enum err disk_recover_replace(struct disk_writer *w, const char *reason)
{
	uint64_t now_us = (uint64_t)w->disk->io->mono_us();
	uint64_t pause_us = (uint64_t)w->disk->tuning.retry_ms * 1000 * REPLACE_RETRIES;
	if (w->replaced_us != 0 && now_us - w->replaced_us < pause_us)
		return give_up_for_now(w, reason);
	w->replaced_us = now_us;
	enum err err = set_aside(w, reason);
	if (err == OK)
		return disk_recover_open(w);
	disk_recover_later(w, err);
	return err;
}

enum err disk_recover_check(struct disk_writer *w)
{
	struct disk *d = w->disk;
	uint64_t now_us = (uint64_t)d->io->mono_us();
	bool suspect = atomic_exchange(&d->suspect, false);
	if (suspect && now_us - w->checked_us > RECHECK_S * UINT64_C(1000000))
		w->is_checked = false;
	if (w->is_checked)
		return OK;
	enum err err = disk_check(&w->view);
	w->checked_us = now_us;
	pthread_mutex_lock(&d->lock);
	d->checking = false;
	pthread_mutex_unlock(&d->lock);
	w->check_failures = err == ERR_SYSTEM ? w->check_failures + 1 : 0;
	if (err == ERR_CORRUPT)
		return disk_recover_replace(w, "the structure of the file is damaged");
	if (w->check_failures >= CHECK_FAILURES_MAX)
		return disk_recover_replace(w, "the file cannot be read");
	w->is_checked = err == OK;
	if (err != OK) {
		struct disk_trouble t = {.state = DISK_FAILED};
		snprintf(t.reason, sizeof(t.reason), "%s/data.mdb cannot be checked: %s", d->path,
			 err_text(err));
		disk_report(d, &t);
		disk_recover_later(w, err);
	}
	return err;
}
