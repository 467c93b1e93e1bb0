#include "cache/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "cache/disk_hot.h"
#include "cache/disk_writer.h"

const struct disk_tuning disk_tuning_usual = {
	.commit_ms = 1000,
	.coalesce_ms = 30 * 1000,
	.retry_ms = 5000,
	.wait_ms = DISK_FLUSH_WAIT_S * 1000,
	.quiet_ms = 10 * 60 * 1000,
	.short_ttl_s = 60,
	.pending_bytes = 16 * 1024 * 1024,
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
	disk_hot_free(d->hot);
	disk_pending_deinit(&d->pending);
	disk_rules_deinit(&d->rules);
	deinit_locks(d);
	free(d->path);
	free(d);
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
	d->trouble.state = DISK_OFF;
	init_locks(d);
	disk_pending_init(&d->pending, tuning->pending_bytes);
	disk_rules_init(&d->rules);
	bool on = settings->path && settings->path[0] != '\0';
	if (on)
		d->path = strdup(settings->path);
	if ((on && !d->path) || (on && disk_writer_start(d) != OK)) {
		free_disk(d);
		return ERR_NO_MEMORY;
	}
	*out = d;
	return OK;
}

enum err disk_open(const struct disk_settings *settings, struct disk **out)
{
	return disk_open_with(settings, &disk_io_real, &disk_tuning_usual, out);
}

void disk_close(struct disk *d)
{
	if (!d)
		return;
	REQUIRE(!d->readers);
	disk_writer_stop(d);
	free_disk(d);
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
	}
	return "unknown";
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
	if (!item || disk_pending_add(&d->pending, item, &replaced) != OK)
		disk_count(&d->counters.dropped, 1);
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
		disk_record_of_entry(item->record, e, atomic_load(&d->rules.generation), clock);
		if (e->ttl_s < d->tuning.short_ttl_s)
			item->due_us = (uint64_t)(d->io->mono_us() + d->tuning.coalesce_ms * 1000);
	}
	disk_queue(d, item);
}

void disk_remove_key(struct disk *d, struct span key)
{
	struct disk_key copy = {.len = key.len};
	REQUIRE(key.len <= DISK_KEY_MAX);
	memcpy(copy.bytes, key.at, key.len);
	struct disk_item *item = disk_item_new(&copy, 0);
	if (item)
		item->removal = true;
	disk_queue(d, item);
}

void disk_remove(struct disk *d, enum entry_kind kind, const uint8_t *name, uint16_t type)
{
	struct disk_key key;
	if (is_mute(d))
		return;
	disk_key_entry(&key, kind, name, type);
	disk_remove_key(d, disk_key_span(&key));
}

enum err disk_wait(struct disk *d)
{
	struct timespec until;
	if (!disk_writer_runs(d))
		return ERR_SYSTEM;
	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t until_ns = until.tv_nsec + d->tuning.wait_ms % 1000 * 1000000;
	until.tv_sec += d->tuning.wait_ms / 1000 + until_ns / 1000000000;
	until.tv_nsec = until_ns % 1000000000;
	pthread_mutex_lock(&d->lock);
	uint64_t ticket = ++d->tickets_taken;
	/* Who does many things in a row does not wait in vain for each. */
	bool expired = d->ticket_given_up > d->tickets_served;
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

enum err disk_put_blob(struct disk *d, const char *name, struct span blob)
{
	size_t name_len = strlen(name);
	if (name_len == 0 || name_len > DISK_BLOB_NAME_MAX || blob.len > DISK_BLOB_MAX)
		return ERR_LIMIT;
	if (!d->path)
		return ERR_CLOSED;
	struct disk_key key;
	struct disk_record head = {.format = DISK_FORMAT};
	disk_key_blob(&key, name);
	struct disk_item *item = disk_item_new(&key, sizeof(head) + blob.len);
	if (!item)
		return ERR_NO_MEMORY;
	memcpy(item->record, &head, sizeof(head));
	if (blob.len > 0)
		memcpy(item->record + sizeof(head), blob.at, blob.len);
	bool replaced;
	return disk_pending_add(&d->pending, item, &replaced);
}
