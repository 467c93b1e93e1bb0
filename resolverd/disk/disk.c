#include "disk/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "disk/hot.h"
#include "disk/writer.h"

enum { CLOSE_HUNG_MS = 1000 };

const struct disk_tuning disk_tuning_usual = {
	.commit_ms = 1000,
	.coalesce_ms = 30 * 1000,
	.retry_ms = 5000,
	.wait_ms = DISK_FLUSH_WAIT_S * 1000,
	.open_ms = 300,
	.close_ms = 20 * 1000,
	.quiet_ms = 10 * 60 * 1000,
	.short_ttl_s = 60,
	.pending_bytes = DISK_PENDING_BYTES,
	.batch_bytes = 8 * 1024 * 1024,
};

static void init_locks(struct disk *d)
{
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&d->view_lock, NULL);
	pthread_mutex_init(&d->readers_lock, NULL);
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->wake, &monotonic);
	pthread_cond_init(&d->served, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

static void deinit_locks(struct disk *d)
{
	pthread_cond_destroy(&d->served);
	pthread_cond_destroy(&d->wake);
	pthread_mutex_destroy(&d->lock);
	pthread_mutex_destroy(&d->readers_lock);
	pthread_mutex_destroy(&d->view_lock);
}

static void free_disk(struct disk *d)
{
	disk_forget_blobs(d);
	disk_lookups_deinit(&d->lookups);
	disk_hot_free(d->hot);
	disk_pending_deinit(&d->pending);
	disk_rules_deinit(&d->rules);
	deinit_locks(d);
	free(d->path);
	free(d);
}

struct timespec disk_after_ms(int64_t ms)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	int64_t ns = t.tv_nsec + ms % 1000 * 1000000;
	t.tv_sec += ms / 1000 + ns / 1000000000;
	t.tv_nsec = ns % 1000000000;
	return t;
}

static void wait_for_opening(struct disk *d, int64_t ms)
{
	struct timespec until = disk_after_ms(ms);
	bool expired = false;
	pthread_mutex_lock(&d->lock);
	while (!d->opened && !expired)
		expired = pthread_cond_timedwait(&d->served, &d->lock, &until) == ETIMEDOUT;
	pthread_mutex_unlock(&d->lock);
}

bool disk_is_opened(struct disk *d)
{
	pthread_mutex_lock(&d->lock);
	bool opened = d->opened || !d->path;
	pthread_mutex_unlock(&d->lock);
	return opened;
}

void disk_await_opened(struct disk *d)
{
	while (!disk_is_opened(d))
		wait_for_opening(d, 1000);
}

enum err disk_open_with(const struct disk_settings *settings, const struct disk_io *io,
			const struct disk_tuning *tuning, struct disk **out)
{
	struct disk *d = calloc(1, sizeof(*d));
	if (!d)
		return ERR_NO_MEMORY;
	d->io = io;
	d->tuning = *tuning;
	d->limit_bytes = settings->size_bytes;
	d->in_memory_bytes = settings->in_memory_bytes;
	d->trouble.state = DISK_OFF;
	init_locks(d);
	disk_lookups_init(&d->lookups);
	disk_pending_init(&d->pending, tuning->pending_bytes);
	disk_rules_init(&d->rules);
	bool on = settings->path && settings->path[0] != '\0';
	if (on)
		d->path = strdup(settings->path);
	if ((on && !d->path) || (on && disk_writer_start(d) != OK)) {
		free_disk(d);
		return ERR_NO_MEMORY;
	}
	if (on)
		wait_for_opening(d, tuning->open_ms);
	*out = d;
	return OK;
}

void disk_limit_pending(struct disk *d, size_t bytes)
{
	d->pending.limit_bytes = bytes;
}

enum err disk_open(const struct disk_settings *settings, struct disk **out)
{
	return disk_open_with(settings, &disk_io_real, &disk_tuning_usual, out);
}

enum err disk_close(struct disk *d)
{
	char reason[DISK_REASON_MAX];
	if (!d)
		return OK;
	/* What hangs already is not waited for much longer. */
	bool hangs = d->path && disk_check_hang(d, reason) != OK;
	struct timespec until = disk_after_ms(
		hangs ? MIN(d->tuning.close_ms, (int64_t)CLOSE_HUNG_MS) : d->tuning.close_ms);
	enum err err = disk_lookups_stop(d, &until);
	enum err stopped = disk_writer_stop(d, &until);
	if (err == OK)
		err = stopped;
	if (err != OK) {
		log_warning("cache on disk: left behind, as it does not answer: path=%s", d->path);
		return err;
	}
	REQUIRE(!d->readers);
	free_disk(d);
	return OK;
}

const char *disk_state_text(enum disk_state state)
{
	switch (state) {
	case DISK_OFF:
		return "off";
	case DISK_GOOD:
		return "good";
	case DISK_FULL:
		return "full";
	case DISK_READ_ONLY:
		return "read-only";
	case DISK_FAILED:
		return "failed";
	case DISK_LOCKED:
		return "locked";
	case DISK_HUNG:
		return "hung";
	}
	return "unknown";
}

enum err disk_check_hang(struct disk *d, char reason[static DISK_REASON_MAX])
{
	int64_t since_us = atomic_load(&d->writer_since_us), now_us = d->io->mono_us();
	int64_t write_us = since_us ? now_us - since_us : 0;
	int64_t read_us = disk_lookups_slowest_us(d);
	bool opened = disk_is_opened(d);
	if (read_us > DISK_HANG_MS * INT64_C(1000))
		snprintf(reason, DISK_REASON_MAX, "%s: a read has not come back for %.1f s",
			 d->path, (double)read_us / 1e6);
	else if (!opened && write_us > DISK_HANG_MS * INT64_C(1000))
		snprintf(reason, DISK_REASON_MAX, "%s: opening it has not come back for %.1f s",
			 d->path, (double)write_us / 1e6);
	else if (opened && write_us > DISK_STUCK_MS * INT64_C(1000))
		snprintf(reason, DISK_REASON_MAX, "%s: a write has not come back for %.1f s",
			 d->path, (double)write_us / 1e6);
	else
		return OK;
	return ERR_BUSY;
}

void disk_tick(struct disk *d)
{
	char reason[DISK_REASON_MAX] = "";
	bool hung = d->path && disk_check_hang(d, reason) != OK;
	pthread_mutex_lock(&d->lock);
	bool news = hung != d->told_hung;
	d->told_hung = hung;
	pthread_mutex_unlock(&d->lock);
	if (news && hung)
		log_warning("cache on disk: state=%s path=%s reason=\"%s\"",
			    disk_state_text(DISK_HUNG), d->path, reason);
	else if (news)
		log_notice("cache on disk: it answers again: path=%s", d->path);
}

void disk_read_status(struct disk *d, struct disk_status *out)
{
	*out = (struct disk_status){0};
	pthread_mutex_lock(&d->lock);
	out->state = d->trouble.state;
	memcpy(out->reason, d->trouble.reason, sizeof(out->reason));
	out->checking = d->checking;
	out->used_bytes = d->used_bytes;
	out->map_bytes = d->map_bytes;
	out->entries = d->entries;
	out->commit_us_last = d->commit_us_last;
	out->commit_us_max = d->commit_us_max;
	out->last_commit_unix_s = d->last_commit_unix_s;
	pthread_mutex_unlock(&d->lock);
	if (d->path && disk_check_hang(d, out->reason) != OK)
		out->state = DISK_HUNG;
	out->limit_bytes = d->limit_bytes;
	out->pending_entries = atomic_load(&d->pending.count);
	out->pending_bytes = atomic_load(&d->pending.used_bytes);
#define DISK_FIELD(name, help)                                                                     \
	out->name = atomic_load_explicit(&d->counters.name, memory_order_relaxed);
	DISK_COUNTER_LIST(DISK_FIELD)
#undef DISK_FIELD
}

struct disk_clock disk_clock(struct disk *d, struct now now)
{
	int64_t start_ms = 0;
	if (atomic_compare_exchange_strong(&d->start_ms, &start_ms, now.cache_ms))
		start_ms = now.cache_ms;
	return disk_clock_of(now, start_ms);
}

/* Nothing will be written: no disk tier, or another daemon's. */
static bool is_mute(struct disk *d)
{
	return !d->path || atomic_load_explicit(&d->mute, memory_order_relaxed);
}

void disk_queue(struct disk *d, struct disk_item *item)
{
	bool replaced = false;
	size_t dropped = 0;
	if (!item || disk_pending_add(&d->pending, item, &replaced, &dropped) != OK)
		dropped++;
	disk_count(&d->counters.dropped, dropped);
	disk_count(&d->counters.coalesced, replaced);
}

static bool is_worth_keeping(const struct entry *e)
{
	return e->kind != ENTRY_FAILURE && e->verdict != VERDICT_BOGUS && e->ttl_s > 0;
}

void disk_put(struct disk *d, const struct entry *e, struct now now)
{
	struct disk_clock clock = disk_clock(d, now);
	disk_count(&d->counters.puts, 1);
	if (!is_worth_keeping(e) || is_mute(d)) {
		disk_count(&d->counters.skipped, 1);
		return;
	}
	struct disk_key key;
	disk_key_entry(&key, (enum entry_kind)e->kind, entry_name(e), e->type);
	struct disk_item *item = disk_item_new(&key, sizeof(struct disk_record) + e->size_bytes);
	if (item) {
		item->precious = e->hits >= DISK_HITS_POPULAR;
		disk_record_of_entry(item->record, e, atomic_load(&d->rules.generation), clock);
		if (e->ttl_s < d->tuning.short_ttl_s)
			item->due_us = (uint64_t)(d->io->mono_us() + d->tuning.coalesce_ms * 1000);
	}
	disk_queue(d, item);
}

static void queue_removal(struct disk *d, const struct disk_key *key, bool seen)
{
	struct disk_item *item = disk_item_new(key, 0);
	if (item) {
		item->removal = true;
		item->precious = seen;
	}
	disk_queue(d, item);
}

void disk_remove_key(struct disk *d, struct span key)
{
	struct disk_key copy = {.len = key.len};
	REQUIRE(key.len <= DISK_KEY_MAX);
	memcpy(copy.bytes, key.at, key.len);
	queue_removal(d, &copy, true);
}

void disk_remove(struct disk *d, enum entry_kind kind, const uint8_t *name, uint16_t type,
		 bool seen)
{
	struct disk_key key;
	if (is_mute(d))
		return;
	disk_key_entry(&key, kind, name, type);
	queue_removal(d, &key, seen);
}

enum err disk_wait(struct disk *d)
{
	char reason[DISK_REASON_MAX];
	if (!disk_writer_runs(d))
		return ERR_SYSTEM;
	bool hangs = disk_check_hang(d, reason) != OK;
	struct timespec until = disk_after_ms(d->tuning.wait_ms);
	pthread_mutex_lock(&d->lock);
	uint64_t ticket = ++d->tickets_taken;
	/* Who does many things in a row does not wait in vain for each. */
	bool expired = hangs || d->ticket_given_up > d->tickets_served;
	pthread_cond_signal(&d->wake);
	while (d->tickets_served < ticket && !expired)
		expired = pthread_cond_timedwait(&d->served, &d->lock, &until) == ETIMEDOUT;
	bool served = d->tickets_served >= ticket;
	if (!served)
		d->ticket_given_up = ticket;
	enum err err = served ? d->ticket_result : ERR_BUSY;
	pthread_mutex_unlock(&d->lock);
	return err;
}

enum err disk_sync(struct disk *d)
{
	return d->path ? disk_wait(d) : OK;
}

/* Not what was put since the rule was made: an older item of the same key may just be written, and
 * would be what is found then. */
static bool is_covered(const void *context, const struct disk_item *item)
{
	const struct disk_rule *rule = context;
	return !item->removal && disk_rule_covers(rule, disk_key_span(item->key)) &&
	       disk_record_generation(item->record) < rule->generation;
}

static void keep_log(struct disk *d)
{
	uint8_t log[DISK_LOG_BYTES_MAX];
	size_t len = disk_rules_write_log(&d->rules, log);
	if (disk_put_blob(d, DISK_LOG_BLOB, span_of(log, len)) != OK)
		log_debug("log of flushes not kept: path=%s", d->path);
}

void disk_flush_begin(struct disk *d, const uint8_t *name, uint16_t type, bool subtree)
{
	struct disk_rule rule;
	if (!d->path)
		return;
	disk_rules_add(&d->rules, name, type, subtree, &rule);
	/* A batch that is being written now is of an older generation, so the rule covers it. */
	disk_count(&d->counters.removed, disk_pending_purge(&d->pending, is_covered, &rule));
	keep_log(d);
}

enum err disk_flush(struct disk *d, const uint8_t *name, uint16_t type, bool subtree)
{
	disk_flush_begin(d, name, type, subtree);
	return d->path ? disk_wait(d) : OK;
}

enum err disk_flush_all(struct disk *d)
{
	static const uint8_t root[] = {0};
	return disk_flush(d, root, 0, true);
}
