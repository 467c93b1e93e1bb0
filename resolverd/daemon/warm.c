#include "daemon/warm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"

enum {
	/* Of the memory that the cache has, the part that is filled ahead of demand. */
	LOAD_DIVISOR = 2,
};
static const char servers_blob[] = "servers";

struct warm { /* main thread */
	struct disk *disk;
	struct cache_sink sink;
	bool is_on;
	struct cache *cache;
	struct infra *infra;
	uint64_t save_us; /* when to do it next */

	pthread_t loader;
	bool loading;
	atomic_bool stop;
	atomic_bool loaded; /* what is popular is in memory: from now on memory knows best */
	struct now now;	    /* the loader's, from here on */
	warm_keep_fn *keep;
	void *keep_context;
	size_t restored;
};

struct warm_reader { /* one thread */
	struct disk_reader *reader;
	struct cache *cache;
	struct now now;
	/* of a recall */
	int64_t denied_ms, answered_ms; /* when the name was last denied, and answered; 0: never */
	size_t count;
	struct restored {
		int64_t fetched_ms;
		enum entry_kind kind;
		uint16_t type;
	} restored[DISK_NAME_ENTRIES_MAX];
};

/* ---- to the disk ---- */

static void sink_put(void *context, const struct entry *e, struct now now)
{
	disk_put(context, e, now);
}

static void sink_remove(void *context, enum entry_kind kind, const uint8_t *name, uint16_t type)
{
	disk_remove(context, kind, name, type);
}

const struct cache_sink *warm_sink(const struct warm *w)
{
	return w->is_on ? &w->sink : NULL;
}

static void save_servers(struct warm *w, struct now now)
{
	uint8_t *bytes = malloc(DISK_BLOB_MAX);
	if (!bytes)
		return;
	struct writer to = writer_of(bytes, DISK_BLOB_MAX);
	infra_write(w->infra, now, &to);
	/* What waits already is not much older. */
	(void)!disk_put_blob(w->disk, servers_blob, writer_span(&to));
	free(bytes);
}

struct gathering {
	struct disk_hot *hot;
	struct now now;
};

static bool gather(void *context, const struct entry *e)
{
	struct gathering *g = context;
	disk_hot_add(g->hot, e, g->now);
	return true;
}

static void save_hot(struct warm *w, struct now now)
{
	struct gathering g = {.now = now};
	if (disk_hot_new(&g.hot) != OK)
		return;
	cache_walk(w->cache, gather, &g);
	disk_hot_store(w->disk, g.hot, now);
}

static void save(struct warm *w, struct now now)
{
	if (!atomic_load(&w->loaded))
		return;
	save_servers(w, now);
	save_hot(w, now);
}

void warm_tick(struct warm *w, struct now now)
{
	if (!w->is_on || now.mono_us < w->save_us)
		return;
	w->save_us = now.mono_us + WARM_SAVE_S * 1000000ULL;
	save(w, now);
}

/* ---- and back ---- */

static void restore_servers(struct warm *w, struct now now)
{
	struct disk_reader *reader;
	uint8_t *bytes = malloc(DISK_BLOB_MAX);
	if (!bytes || disk_reader_new(w->disk, &reader) != OK) {
		free(bytes);
		return;
	}
	struct writer to = writer_of(bytes, DISK_BLOB_MAX);
	if (disk_get_blob(reader, servers_blob, &to) == OK)
		infra_read(w->infra, writer_span(&to), now);
	disk_reader_free(reader);
	free(bytes);
}

void warm_begin(struct warm *w, struct cache *cache, struct infra *infra, struct now now)
{
	w->cache = cache;
	w->infra = infra;
	w->save_us = now.mono_us + WARM_SAVE_S * 1000000ULL;
	if (w->is_on)
		restore_servers(w, now);
}

static bool load_one(void *context, const struct entry *e)
{
	struct warm *w = context;
	if (atomic_load_explicit(&w->stop, memory_order_relaxed))
		return false;
	/* Who asked for it in the meantime has brought it here, which is as good. */
	enum err err = cache_restore(w->cache, e, w->now);
	if (err == OK)
		w->restored++;
	if (err == OK || err == ERR_EXISTS)
		w->keep(w->keep_context, e);
	return true;
}

static void *load(void *context)
{
	struct warm *w = context;
	struct disk_reader *reader;
	struct cache_stats stats;
	if (disk_reader_new(w->disk, &reader) != OK)
		return NULL;
	cache_read_stats(w->cache, &stats);
	size_t count = disk_load_hot(reader, stats.limit_bytes / LOAD_DIVISOR, w->now, load_one, w);
	disk_reader_free(reader);
	if (!atomic_load(&w->stop))
		atomic_store(&w->loaded, true);
	log_info("popular names loaded from disk: found=%zu restored=%zu", count, w->restored);
	return NULL;
}

void warm_load(struct warm *w, struct now now, warm_keep_fn *keep, void *context)
{
	if (!w->is_on)
		return;
	w->now = now;
	w->keep = keep;
	w->keep_context = context;
	w->loading = pthread_create(&w->loader, NULL, load, w) == 0;
	if (w->loading)
		(void)pthread_setname_np(w->loader, "disk/load");
	else
		log_warning("popular names not loaded ahead: cannot start a thread");
}

void warm_load_wait(struct warm *w)
{
	if (!w->loading)
		return;
	REQUIRE(pthread_join(w->loader, NULL) == 0);
	w->loading = false;
}

void warm_load_stop(struct warm *w)
{
	atomic_store(&w->stop, true);
	warm_load_wait(w);
}

/* ---- a worker's own ---- */

enum err warm_reader_new(struct warm *w, struct warm_reader **out)
{
	*out = NULL;
	if (!w->is_on)
		return OK;
	struct warm_reader *r = calloc(1, sizeof(*r));
	if (!r)
		return ERR_NO_MEMORY;
	r->cache = w->cache;
	if (disk_reader_new(w->disk, &r->reader) != OK) {
		free(r);
		return ERR_NO_MEMORY;
	}
	*out = r;
	return OK;
}

void warm_reader_free(struct warm_reader *r)
{
	if (!r)
		return;
	disk_reader_free(r->reader);
	free(r);
}

/* What tells whether the name exists. */
static bool is_answer(const struct entry *e)
{
	return (e->kind == ENTRY_RRSET && e->rank >= RANK_FORWARDED) || e->kind == ENTRY_ANSWER ||
	       e->kind == ENTRY_ANSWER_DO;
}

static bool restore(void *context, const struct entry *e)
{
	struct warm_reader *r = context;
	int64_t fetched_ms = e->expires_ms - (int64_t)e->ttl_s * 1000;
	int64_t *latest_ms = e->type == 0 ? &r->denied_ms : &r->answered_ms;

	if (is_answer(e))
		*latest_ms = MAX(*latest_ms, fetched_ms);
	if (cache_restore(r->cache, e, r->now) == OK)
		r->restored[r->count++] = (struct restored){
			.fetched_ms = is_answer(e) ? fetched_ms : INT64_MAX,
			.kind = (enum entry_kind)e->kind,
			.type = e->type,
		};
	return r->count < ARRAY_LEN(r->restored);
}

/* An answer in place of another is removed from disk only if memory still knew the old one, so an
 * answer may stand there beside the later news that there is no such name, and would outlive that.
 * Returns how many. */
static size_t remove_superseded(const struct warm_reader *r, const uint8_t *name)
{
	size_t count = 0;

	for (size_t i = 0; i < r->count; i++) {
		const struct restored *e = &r->restored[i];
		if (e->fetched_ms < (e->type == 0 ? r->answered_ms : r->denied_ms))
			count += cache_remove(r->cache, e->kind, name, e->type);
	}
	return count;
}

bool warm_recall(void *reader, const uint8_t *name, struct now now)
{
	struct warm_reader *r = reader;

	r->now = now;
	r->count = 0;
	r->denied_ms = r->answered_ms = 0;
	disk_load_name(r->reader, name, now, restore, r);
	return r->count > remove_superseded(r, name);
}

/* ---- life ---- */

enum err warm_open(const char *path, size_t size_bytes, struct warm **out)
{
	struct warm *w = calloc(1, sizeof(*w));
	struct disk_settings settings = {.path = size_bytes > 0 ? path : NULL,
					 .size_bytes = size_bytes};
	if (!w)
		return ERR_NO_MEMORY;
	w->is_on = size_bytes > 0;
	enum err err = disk_open(&settings, &w->disk);
	if (err != OK) {
		free(w);
		return err;
	}
	w->sink = (struct cache_sink){.put = sink_put, .remove = sink_remove, .context = w->disk};
	*out = w;
	return OK;
}

void warm_close(struct warm *w, struct now now)
{
	if (!w)
		return;
	warm_load_stop(w);
	if (w->is_on && w->cache)
		save(w, now);
	disk_close(w->disk);
	free(w);
}

struct disk *warm_disk(struct warm *w)
{
	return w->disk;
}
