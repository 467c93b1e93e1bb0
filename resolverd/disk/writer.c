#include "disk/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "disk/recover.h"

enum {
	BATCH_MIN = 16,
	ROOM_STEPS_MAX = 64, /* commits that only remove, in a row: then others get their turn */
	ROOM_REMOVALS_FIRST =
		512, /* a removal copies a few pages, for which there is little room */
	ROOM_REMOVALS_MIN = 8,
	FORCED_BATCHES_MAX =
		4096, /* 16 MB of pending entries need a handful, unless room is short */
	CROWDED_BATCHES_MAX = 200, /* a second, while they must be small: if the disk can do that */
	CROWDED_KEEP = 512,	   /* what may wait for the next round at least */
	PAGES_MIN = 8,
	REMOVALS_PER_PAGE = 4, /* they come in key order: a page has a dozen records */
	GOAL_MORE = 32,	       /* of a region, beside as many as are written */
	NO_SPACE_MAX = 10,     /* batches in a row */
	NO_SPACE_STEP = 5,     /* percent */
	CLOCK_STEP_MS = 5000,
	SOME_PERCENT = 80, /* usage from which room is short */
	FULL_PERCENT = 97,
	/* The fuller the file, the smaller its commits: where it is small for what comes, it is kept
	 * emptier, so that more of that gets there. */
	LIMIT_PERCENT_MOST = 85,
	LIMIT_PERCENT_LEAST = 60,
	LIMIT_OVER_PERCENT = 50, /* below this the file is not at its limit any more */
	MAKE_ROOM_PERCENT = 85,
};

static uint64_t now_us(const struct disk_writer *w)
{
	return (uint64_t)w->disk->io->mono_us();
}

/* What comes now may take as long as the disk likes. */
static void begin_waiting(struct disk_writer *w)
{
	atomic_store(&w->disk->writer_since_us, MAX(w->disk->io->mono_us(), INT64_C(1)));
}

static void end_waiting(struct disk_writer *w)
{
	atomic_store(&w->disk->writer_since_us, INT64_C(0));
}

/* ---- how full, and what time is it ---------------------------------------------------------- */

static unsigned used_percent(struct disk_writer *w)
{
	struct disk *d = w->disk;
	pthread_mutex_lock(&d->lock);
	uint64_t used = d->used_bytes;
	pthread_mutex_unlock(&d->lock);
	return (unsigned)MIN(used * 100 / MIN(w->file.limit_bytes, w->file.map_bytes), 1000U);
}

/*
 * How many pages a commit may touch. Each is written to a new place, and the old places of this and
 * of the last commit are not free before the next: a third of what is free leaves room for all.
 */
static size_t page_budget(struct disk_writer *w)
{
	struct disk *d = w->disk;
	pthread_mutex_lock(&d->lock);
	size_t used = d->used_bytes;
	pthread_mutex_unlock(&d->lock);
	size_t left = w->file.map_bytes - MIN(used, w->file.map_bytes);
	return MAX(left / w->view.page_bytes / 3, (size_t)PAGES_MIN);
}

static enum disk_pressure pressure(struct disk_writer *w)
{
	unsigned percent = used_percent(w);
	if (percent >= FULL_PERCENT)
		return PRESSURE_FULL;
	if (percent >= w->limit_percent)
		return PRESSURE_HIGH;
	return percent >= SOME_PERCENT ? PRESSURE_SOME : PRESSURE_NONE;
}

/* After a step of the wall clock nothing is collected for being old: it may be stepped back. */
static void watch_clock(struct disk_writer *w)
{
	int64_t gap_ms = w->disk->io->unix_ms() - w->disk->io->mono_us() / 1000;
	int64_t step_ms = gap_ms - w->clock_gap_ms;
	if (step_ms > CLOCK_STEP_MS || step_ms < -CLOCK_STEP_MS)
		w->quiet_us = now_us(w) + (uint64_t)w->disk->tuning.quiet_ms * 1000;
	w->clock_gap_ms = gap_ms;
}

static enum err plan_removals(struct disk_writer *w, enum disk_pressure level, size_t max)
{
	struct disk_collect_job job = {
		.view = &w->view,
		.pressure = level,
		.unix_ms = w->disk->io->unix_ms(),
		.clock_is_doubtful = now_us(w) < w->quiet_us,
		.max_removals = max,
		.goal = w->item_count * (used_percent(w) > w->limit_percent + 2 ? 2 : 1) +
			GOAL_MORE,
	};
	return disk_collect(&w->collect, &job);
}

/* ---- one transaction ------------------------------------------------------------------------- */

static enum err put_record(struct disk_writer *w, const struct disk_key *key, uint8_t *record,
			   size_t len, struct disk_trouble *t)
{
	disk_record_seal(disk_key_span(key), record, len);
	return disk_file_put(&w->file, disk_key_span(key), span_of(record, len), t);
}

static enum err put_meta(struct disk_writer *w, uint32_t generation, struct disk_trouble *t)
{
	struct {
		struct disk_record head;
		char magic[16];
		uint32_t generation, zero;
	} meta = {{.format = DISK_FORMAT}, "resolverd cache", generation, 0};
	struct disk_key key;
	if (generation == w->meta_generation)
		return OK;
	disk_key_number(&key, SPACE_META, 0);
	return put_record(w, &key, (uint8_t *)&meta, sizeof(meta), t);
}

/* Flushes: those finished with this commit leave no trace, the others are written down. */
static enum err put_rules(struct disk_writer *w, struct disk_trouble *t)
{
	struct disk_collect *c = &w->collect;
	enum err err = OK;
	for (unsigned i = 0; i < c->rule_count && err == OK; i++) {
		struct disk_key key;
		uint8_t record[DISK_RULE_RECORD_MAX];
		disk_key_number(&key, SPACE_RULE, c->rules[i].generation);
		if (!c->finished[i] && !c->rules[i].durable)
			err = put_record(w, &key, record, disk_rule_encode(&c->rules[i], record),
					 t);
		else if (c->finished[i])
			err = disk_file_remove(&w->file, disk_key_span(&key), t);
	}
	return err;
}

static enum err put_removals(struct disk_writer *w, struct disk_trouble *t)
{
	size_t at = 0;
	enum err err = OK;
	for (struct span key;
	     err == OK && (key = disk_removals_next(&w->collect.removals, &at)).len > 0;)
		err = disk_file_remove(&w->file, key, t);
	return err;
}

static enum err put_hot(struct disk_writer *w, struct disk_trouble *t)
{
	enum err err = OK;
	size_t len;
	for (uint32_t i = 0;
	     w->hot && err == OK && (len = disk_hot_encode(w->hot, i, w->record)) > 0; i++) {
		struct disk_key key;
		disk_key_number(&key, SPACE_HOT, i);
		err = put_record(w, &key, w->record, len, t);
	}
	return err;
}

static enum err put_items(struct disk_writer *w, struct disk_trouble *t)
{
	enum err err = OK;
	for (size_t i = 0; i < w->item_count && err == OK; i++) {
		struct disk_item *item = w->items[i];
		struct span key = disk_key_span(item->key);
		if (item->removal) {
			err = disk_file_remove(&w->file, key, t);
			continue;
		}
		/* Flushed between the plan and now: the rule may end with this very commit. */
		if (disk_rules_hide(&w->disk->rules, key, disk_record_generation(item->record)))
			continue;
		/* A copy is sealed: readers look at the item meanwhile. */
		uint8_t *copy = item->size <= sizeof(w->record) ? w->record : malloc(item->size);
		if (!copy)
			return ERR_NO_MEMORY;
		memcpy(copy, item->record, item->size);
		err = put_record(w, item->key, copy, item->size, t);
		if (copy != w->record)
			free(copy);
	}
	return err;
}

static enum err write_transaction(struct disk_writer *w, struct disk_trouble *t)
{
	uint32_t generation = atomic_load(&w->disk->rules.generation);
	enum err err = disk_file_begin(&w->file, t);
	if (err == OK)
		err = put_meta(w, generation, t);
	if (err == OK)
		err = put_rules(w, t);
	if (err == OK)
		err = put_removals(w, t);
	if (err == OK)
		err = put_hot(w, t);
	if (err == OK)
		err = put_items(w, t);
	if (err == OK)
		err = disk_file_commit(&w->file, t);
	else
		disk_file_abort(&w->file);
	if (err == OK)
		w->meta_generation = generation;
	return err;
}

/* ---- a batch --------------------------------------------------------------------------------- */

static int item_order(const void *a, const void *b)
{
	struct span x = disk_key_span((*(struct disk_item *const *)a)->key);
	struct span y = disk_key_span((*(struct disk_item *const *)b)->key);
	int order = memcmp(x.at, y.at, MIN(x.len, y.len));
	return order ? order : (x.len > y.len) - (x.len < y.len);
}

/* In key order neighbours share pages while they are at hand. Names come in no order, so each record may
 * need a page of its own to be copied, but never more than there are. */
static void take_items(struct disk_writer *w, uint64_t due_us, bool *more)
{
	const struct disk_tree *t = &w->view.main_tree;
	size_t pages = page_budget(w), all = t->leaf_pages + t->branch_pages;
	bool fits = 2 * all <= pages;
	size_t bytes =
		fits ? (pages - all) * w->view.page_bytes / 2 : pages * w->view.page_bytes / 4;
	struct disk_due job = {
		.now_us = due_us,
		.max = fits ? w->batch_max : MIN(w->batch_max, pages * 3 / 4),
		.max_bytes = MIN(w->disk->tuning.batch_bytes, bytes),
		.shard = w->shard,
	};
	w->is_crowded = job.max < w->batch_max || job.max_bytes < w->disk->tuning.batch_bytes;
	w->item_count = disk_pending_due(&w->disk->pending, &job, w->items);
	w->shard = job.shard;
	*more = job.more;
	qsort(w->items, w->item_count, sizeof(struct disk_item *), item_order);
}

static void take_hot(struct disk_writer *w)
{
	pthread_mutex_lock(&w->disk->lock);
	w->hot = w->disk->hot;
	w->disk->hot = NULL;
	pthread_mutex_unlock(&w->disk->lock);
}

/* Done with the batch; written or not. */
static void release_batch(struct disk_writer *w, bool written)
{
	struct disk *d = w->disk;
	w->written = written ? w->item_count : 0;
	for (size_t i = 0; i < w->item_count; i++) {
		if (written)
			disk_pending_done(&d->pending, w->items[i]);
		disk_item_drop(w->items[i]);
	}
	w->item_count = 0;
	pthread_mutex_lock(&d->lock);
	if (!written && !d->hot) {
		d->hot = w->hot;
		w->hot = NULL;
	}
	pthread_mutex_unlock(&d->lock);
	disk_hot_free(w->hot);
	w->hot = NULL;
}

static void count_commit(struct disk_writer *w, uint64_t began_us)
{
	struct disk *d = w->disk;
	const struct disk_collect *c = &w->collect;
	size_t removals = 0;
	for (size_t i = 0; i < w->item_count; i++)
		removals += w->items[i]->removal;
	disk_count(&d->counters.written, w->item_count - removals);
	disk_count(&d->counters.removed, removals + c->by_rule);
	disk_count(&d->counters.collected, c->removals.count - c->by_rule);
	disk_count(&d->counters.commits, 1);
	pthread_mutex_lock(&d->lock);
	d->commit_us_last = now_us(w) - began_us;
	d->commit_us_max = MAX(d->commit_us_max, d->commit_us_last);
	d->last_commit_unix_s = d->io->unix_ms() / 1000;
	pthread_mutex_unlock(&d->lock);
}

/* Write what was planned. On success readers see it and nothing older. */
static enum err commit_batch(struct disk_writer *w, struct disk_trouble *t)
{
	struct disk *d = w->disk;
	uint64_t began_us = now_us(w);
	enum err err = disk_file_verify(&w->file, &w->view);
	if (err != OK)
		snprintf(t->reason, sizeof(t->reason),
			 "%s/data.mdb was deleted, truncated, or cannot be read", d->path);
	if (err == OK)
		err = write_transaction(w, t);
	if (err == OK) {
		err = disk_view_read(d->io, w->file.fd, &w->view);
		/* What was committed is not there: whatever it is, that is not our file any
		 * more. */
		if (err != OK) {
			snprintf(t->reason, sizeof(t->reason),
				 "%s/data.mdb is not what was written", d->path);
			err = ERR_CLOSED;
		}
	}
	if (err != OK) {
		disk_count(&d->counters.commit_failures, 1);
		return err;
	}
	disk_publish(d, &w->view);
	for (unsigned i = 0; i < w->collect.rule_count; i++)
		disk_rules_commit(&d->rules, &w->collect.rules[i], w->collect.finished[i]);
	count_commit(w, began_us);
	return OK;
}

/* ---- what to do about failures
 * ---------------------------------------------------------------- */

/* The map is full: remove whatever comes next until PERCENT are in use. */
static enum err make_room(struct disk_writer *w, unsigned percent)
{
	size_t max = ROOM_REMOVALS_FIRST;
	enum disk_pressure level = PRESSURE_FULL;
	for (unsigned i = 0; i < ROOM_STEPS_MAX && used_percent(w) >= percent; i++) {
		struct disk_trouble t = {.state = DISK_FAILED};
		enum err err = plan_removals(w, level, max);
		level = w->collect.removals.count == 0 ? PRESSURE_LAST : PRESSURE_FULL;
		if (err == OK)
			err = commit_batch(w, &t);
		if (err == ERR_NO_SPACE && max / 2 >= ROOM_REMOVALS_MIN)
			max /= 2;
		else if (err == ERR_NO_SPACE)
			return disk_recover_replace(w, "the file is too full to remove anything");
		else if (err != OK)
			return err;
	}
	return OK;
}

static enum err handle_failure(struct disk_writer *w, enum err err, struct disk_trouble *t)
{
	if (err == ERR_NO_SPACE) {
		w->at_limit = true;
		/* Each record may copy a page of its own: perhaps it was just too much at once. */
		bool smaller = w->batch_max > BATCH_MIN;
		w->batch_max = MAX(w->batch_max / 4, (size_t)BATCH_MIN);
		if (smaller && used_percent(w) < MAKE_ROOM_PERCENT)
			return OK;
		disk_report(w->disk, t);
		if (++w->no_space == NO_SPACE_MAX)
			return disk_recover_replace(w, "there is no room however much is removed");
		/* What is left may be scattered, or held back for a commit: each time some more. */
		err = make_room(w, MAKE_ROOM_PERCENT - NO_SPACE_STEP * w->no_space);
		if (err == OK)
			return OK;
		/* Why it failed stands in the status already, or is an error of reading. */
	} else if (err == ERR_CORRUPT) {
		return disk_recover_replace(w, t->reason);
	} else {
		disk_report(w->disk, t);
	}
	if (err == ERR_CLOSED || err == ERR_NOT_FOUND || err == ERR_CORRUPT)
		disk_recover_close(w);
	if (err == ERR_NOT_FOUND)
		disk_file_unlock(&w->file); /* the lock may have been deleted with it */
	disk_recover_later(w, err);
	return err;
}

/* All is well, but for what there is to say. */
static void report_good(struct disk_writer *w)
{
	struct disk_trouble t = w->remark;
	unsigned percent = used_percent(w);
	w->at_limit = percent >= (w->at_limit ? (unsigned)LIMIT_OVER_PERCENT : w->limit_percent);
	if (w->at_limit)
		snprintf(
			t.reason, sizeof(t.reason),
			"the cache file is at its limit of %zu bytes (cache.disk): the oldest that "
			"are not popular make room",
			w->file.limit_bytes);
	disk_report(w->disk, &t);
}

/* Write what is due by DUE_US. *MORE: there is more. */
static enum err write_batch(struct disk_writer *w, uint64_t due_us, bool *more)
{
	struct disk_trouble t = {.state = DISK_FAILED};
	take_items(w, due_us, more);
	enum err err = plan_removals(w, pressure(w), page_budget(w) * REMOVALS_PER_PAGE);
	if (err != OK) {
		snprintf(t.reason, sizeof(t.reason), "%s/data.mdb cannot be read", w->disk->path);
		w->is_checked = false;
	}
	take_hot(w);
	bool work = w->item_count > 0 || w->hot || w->collect.removals.count > 0 ||
		    w->collect.rule_count > 0 || w->meta_generation == 0;
	if (err == OK && work)
		err = commit_batch(w, &t);
	release_batch(w, err == OK);
	if (err == OK) {
		w->batch_max = MIN(w->batch_max + w->batch_max / 8, (size_t)DISK_BATCH_RECORDS);
		w->no_space = 0;
		report_good(w);
		return OK;
	}
	*more = true;
	return handle_failure(w, err, &t);
}

/* ---- the thread
 * ------------------------------------------------------------------------------- */

/* There is a file that may be written to. */
static enum err be_ready(struct disk_writer *w, bool at_once)
{
	if (!at_once && now_us(w) < w->retry_us)
		return w->last_error;
	if (w->is_open && w->file.read_only)
		disk_recover_close(w);
	begin_waiting(w);
	enum err err = w->is_open ? OK : disk_recover_open(w);
	end_waiting(w);
	if (err == OK && w->file.read_only)
		err = ERR_DENIED;
	return err == OK ? disk_recover_check(w) : err;
}

static void serve(struct disk *d, uint64_t ticket, enum err err)
{
	/* Whatever the reason, its name is in the status. */
	enum err result = err == OK || err == ERR_BUSY ? err : ERR_SYSTEM;
	pthread_mutex_lock(&d->lock);
	if (ticket > d->tickets_served) {
		d->tickets_served = ticket;
		d->ticket_result = result;
		pthread_cond_broadcast(&d->served);
	}
	pthread_mutex_unlock(&d->lock);
}

/* More comes than there is room to write: what would wait in vain goes now, the oldest first. What a
 * round can do may wait for the next. */
static void drop_early(struct disk_writer *w, size_t written)
{
	struct disk *d = w->disk;
	size_t keep = MAX(written, (size_t)CROWDED_KEEP);
	if (atomic_load(&d->pending.count) <= keep)
		return;
	w->limit_percent = MAX(w->limit_percent - 1, (unsigned)LIMIT_PERCENT_LEAST);
	disk_count(&d->counters.dropped, disk_pending_trim(&d->pending, keep));
}

/* All that waits at the time of TICKET (FORCE), or what is due. */
static void run_round(struct disk_writer *w, uint64_t ticket, bool force)
{
	bool more = true;
	watch_clock(w);
	enum err err = be_ready(w, force);
	unsigned max = force ? FORCED_BATCHES_MAX : CROWDED_BATCHES_MAX;
	uint64_t end_us = now_us(w) + (uint64_t)w->disk->tuning.commit_ms * 1000;
	size_t written = 0;
	for (unsigned i = 0; err == OK && more && i < max; i++) {
		if (i > 0 && !force && now_us(w) >= end_us)
			break;
		begin_waiting(w);
		err = write_batch(w, force ? UINT64_MAX : now_us(w), &more);
		end_waiting(w);
		written += w->written;
	}
	if (err == OK && more && !force && w->is_crowded)
		drop_early(w, written);
	else if (err == OK && !more)
		w->limit_percent = MIN(w->limit_percent + 1, (unsigned)LIMIT_PERCENT_MOST);
	serve(w->disk, ticket, err == OK && more && force ? ERR_BUSY : err);
}

/* Until it is time for a round, somebody asks for one, or all is over. */
static bool wait_for_round(struct disk_writer *w, uint64_t round_us, uint64_t *ticket, bool *force)
{
	struct disk *d = w->disk;
	struct timespec until = {
		.tv_sec = (time_t)(round_us / 1000000),
		.tv_nsec = (long)(round_us % 1000000) * 1000,
	};
	int timed_out = 0;
	pthread_mutex_lock(&d->lock);
	while (!d->stop && d->tickets_taken == d->tickets_served && timed_out == 0)
		timed_out = pthread_cond_timedwait(&d->wake, &d->lock, &until);
	*ticket = d->tickets_taken;
	*force = d->stop || d->tickets_taken != d->tickets_served;
	bool go_on = !d->stop;
	pthread_mutex_unlock(&d->lock);
	return go_on;
}

/* Its failure is a state; there will be other tries. */
static void open_first(struct disk_writer *w)
{
	struct disk *d = w->disk;
	begin_waiting(w);
	enum err err = disk_recover_open(w);
	end_waiting(w);
	log_debug("cache on disk: opened: path=%s result=%s", d->path, err_text(err));
	pthread_mutex_lock(&d->lock);
	d->opened = true;
	pthread_cond_broadcast(&d->served);
	pthread_mutex_unlock(&d->lock);
}

static void *writer_main(void *context)
{
	struct disk_writer *w = context;
	bool go_on = true;
	(void)pthread_setname_np(pthread_self(), "disk/write");
	open_first(w);
	while (go_on) {
		uint64_t ticket;
		bool force;
		uint64_t round_us = now_us(w) + (uint64_t)w->disk->tuning.commit_ms * 1000;
		go_on = wait_for_round(w, round_us, &ticket, &force);
		run_round(w, ticket, force);
	}
	pthread_mutex_lock(&w->disk->lock);
	w->disk->ended = true;
	pthread_cond_broadcast(&w->disk->served);
	pthread_mutex_unlock(&w->disk->lock);
	return NULL;
}

static void free_writer(struct disk_writer *w)
{
	disk_file_close(&w->file);
	disk_file_unlock(&w->file);
	free(w->items);
	free(w);
}

enum err disk_writer_start(struct disk *d)
{
	struct disk_writer *w = calloc(1, sizeof(*w));
	if (!w)
		return ERR_NO_MEMORY;
	w->disk = w->collect.disk = d;
	w->batch_max = DISK_BATCH_RECORDS;
	w->limit_percent = LIMIT_PERCENT_MOST;
	disk_file_init(&w->file, d->io, d->path, d->limit_bytes);
	d->limit_bytes = w->file.limit_bytes;
	if (d->in_memory_bytes > 0)
		w->file.in_memory_bytes = MAX(d->in_memory_bytes, (size_t)DISK_SIZE_MIN);
	w->items = calloc(DISK_BATCH_RECORDS, sizeof(struct disk_item *));
	if (!w->items) {
		free(w);
		return ERR_NO_MEMORY;
	}
	w->clock_gap_ms = d->io->unix_ms() - d->io->mono_us() / 1000;
	w->quiet_us = now_us(w) + (uint64_t)d->tuning.quiet_ms * 1000;
	d->writer = w;
	w->has_thread = pthread_create(&w->thread, NULL, writer_main, w) == 0;
	if (!w->has_thread) {
		struct disk_trouble t = {DISK_FAILED, "cannot start the writer thread"};
		disk_report(d, &t);
		atomic_store(&d->mute, true);
		d->opened = true;
	}
	return OK;
}

bool disk_writer_runs(const struct disk *d)
{
	return d->writer && d->writer->has_thread;
}

enum err disk_writer_stop(struct disk *d, const struct timespec *until)
{
	struct disk_writer *w = d->writer;
	if (!w)
		return OK;
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_signal(&d->wake);
	/* Only what has ended is joined, as nothing portable joins in a bounded time. */
	for (int error = 0; w->has_thread && !d->ended && error == 0;)
		error = pthread_cond_timedwait(&d->served, &d->lock, until);
	bool over = !w->has_thread || d->ended;
	pthread_mutex_unlock(&d->lock);
	if (!over)
		return ERR_BUSY;
	if (w->has_thread)
		pthread_join(w->thread, NULL);
	free_writer(w);
	d->writer = NULL;
	return OK;
}
