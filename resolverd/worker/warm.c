#include "worker/warm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "config/memory_available.h"
#include "disk/lookup.h"
#include "dns/types.h"

enum {
	/* Of the memory that the cache has, the part that is filled ahead of demand. */
	LOAD_DIVISOR = 2,
	/* Of the memory that there is for the daemon, the part that its file may take if it is memory: the
	 * cache takes a quarter by itself. */
	MEMORY_DIVISOR = 8,
	/* The loading thread stops after the record at hand, unless the disk hangs. */
	LOADER_WAIT_S = 1,
	/* Of the names above one that is looked for, those with few labels: where cuts are. */
	CUT_LABELS_MAX = 8,
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
	atomic_bool taken;  /* the disk is there, and may be read */
	atomic_bool loaded; /* what is popular is in memory: from now on memory knows best */
	struct now now;	    /* the loader's, from here on */
	warm_keep_fn *keep;
	void *keep_context;
	size_t restored;
};

/* What comes back for a worker. Reader threads may hold it longer than the worker lives. */
struct letter {
	struct letter *next;
	struct disk_job job;
	struct mailbox *box;
	uint64_t token;
	struct now now;
	bool found;
	uint8_t name[DNAME_MAX];
};

struct mailbox {
	pthread_mutex_t lock;
	/* lock */
	unsigned references;
	warm_wake_fn *wake; /* NULL: nobody reads any more */
	void *wake_context;
	struct cache *cache;
	struct letter *first, **last;
	atomic_bool has_mail;
};

/* One look-up on disk. */
struct look {
	struct cache *cache;
	struct now now;
	size_t count; /* that are in the cache now, and were not */
	size_t seen_count;
	struct seen {
		int64_t fetched_ms;
		enum entry_kind kind;
		uint16_t type;
		bool is_answer, denies, is_restored;
	} seen[DISK_NAME_ENTRIES_MAX];
};

struct warm_reader { /* one thread */
	struct warm *warm;
	struct disk_reader *reader;
	struct mailbox *box;
};

/* ---- to the disk ---- */

static void sink_put(void *context, const struct entry *e, struct now now)
{
	disk_put(context, e, now);
}

static void sink_remove(void *context, enum entry_kind kind, const uint8_t *name, uint16_t type,
			bool seen)
{
	disk_remove(context, kind, name, type, seen);
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
	disk_tick(w->disk);
	if (!w->is_on || now.mono_us < w->save_us)
		return;
	w->save_us = now.mono_us + WARM_SAVE_S * 1000000ULL;
	save(w, now);
}

/* ---- and back ---- */

static void restore_servers(struct warm *w, struct now now)
{
	uint8_t *bytes = malloc(DISK_BLOB_MAX);
	if (!bytes)
		return;
	struct writer to = writer_of(bytes, DISK_BLOB_MAX);
	if (disk_recall_blob(w->disk, servers_blob, &to) == OK)
		infra_read(w->infra, writer_span(&to), now);
	free(bytes);
}

void warm_begin(struct warm *w, struct cache *cache, struct infra *infra, struct now now)
{
	w->cache = cache;
	w->infra = infra;
	w->save_us = now.mono_us + WARM_SAVE_S * 1000000ULL;
}

void warm_take(struct warm *w, struct now now)
{
	if (w->is_on)
		restore_servers(w, now);
	disk_forget_blobs(w->disk);
	atomic_store(&w->taken, true);
}

bool warm_is_taken(const struct warm *w)
{
	return atomic_load_explicit(&w->taken, memory_order_acquire);
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
	struct timespec until;
	atomic_store(&w->stop, true);
	if (!w->loading)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until); /* no event loop's: how long a thread may take */
	until.tv_sec += LOADER_WAIT_S;
	if (pthread_clockjoin_np(w->loader, NULL, CLOCK_MONOTONIC, &until) == 0)
		w->loading = false;
}

/* ---- one look-up ---- */

/* What tells whether the name exists. */
static bool is_answer(const struct entry *e)
{
	return (e->kind == ENTRY_RRSET && e->rank >= RANK_FORWARDED) || e->kind == ENTRY_ANSWER ||
	       e->kind == ENTRY_ANSWER_DO;
}

static bool denies_name(const struct entry *e)
{
	struct answer_view view;
	return is_answer(e) && e->rcode == RCODE_NXDOMAIN && entry_answer(e, &view) == OK &&
	       view.counts[0] == 0;
}

static bool restore(void *context, const struct entry *e)
{
	struct look *l = context;
	struct seen *seen = &l->seen[l->seen_count++];
	*seen = (struct seen){
		.fetched_ms = entry_fetched_ms(e),
		.kind = (enum entry_kind)e->kind,
		.type = e->type,
		.is_answer = is_answer(e),
		.denies = denies_name(e),
		.is_restored = cache_restore(l->cache, e, l->now) == OK,
	};
	l->count += seen->is_restored;
	return l->seen_count < ARRAY_LEN(l->seen);
}

/* NEWS, had it been learned while OLD was in memory, would have outdated it: an answer of another kind to the
 * same question, that there is no such name or that there is, and that what was an alias is none. */
static bool supersedes(const struct seen *news, const struct seen *old)
{
	bool was_alias = old->kind == ENTRY_RRSET && old->type == TYPE_CNAME;
	if (!news->is_answer || !old->is_answer || news->fetched_ms <= old->fetched_ms)
		return false;
	if (news->type == old->type)
		return news->kind != old->kind;
	if (news->type == 0 || old->type == 0)
		return true;
	/* ... without proof, of another type than it has */
	if (old->denies && news->kind == ENTRY_RRSET && news->type != TYPE_DS)
		return true;
	/* DS is the parent's, and what speaks of names beside them may stand at an alias. */
	return was_alias && news->kind == ENTRY_RRSET && news->type != TYPE_DS &&
	       news->type != TYPE_NSEC && news->type != TYPE_NSEC3;
}

/* An answer in place of another is removed from disk only if memory still knew the old one, so an
 * answer may stand there beside the later news that there is no such name, and would outlive that.
 * Returns how many. */
static size_t remove_superseded(const struct look *l, const uint8_t *name)
{
	size_t count = 0;

	for (size_t i = 0; i < l->seen_count; i++) {
		const struct seen *old = &l->seen[i];
		bool superseded = false;
		for (size_t k = 0; k < l->seen_count && !superseded && old->is_restored; k++)
			superseded = supersedes(&l->seen[k], old);
		if (superseded)
			count += cache_remove(l->cache, old->kind, name, old->type);
	}
	return count;
}

/* What is kept under NAME goes into the cache: L->count of it. Without WAIT, ERR_BUSY: some of it would
 * have to be waited for. */
static enum err look_for(struct look *l, struct disk_reader *reader, const uint8_t *name, bool wait)
{
	const struct disk_load what = {.name = name, .now = l->now, .fn = restore, .context = l};
	size_t count;
	enum err err = OK;
	l->count = l->seen_count = 0;
	if (wait)
		(void)disk_load_name(reader, name, l->now, restore, l);
	else
		err = disk_load_resident(reader, &what, &count);
	if (err == OK)
		l->count -= remove_superseded(l, name);
	return err;
}

/* The names above NAME too: whoever asks for it will ask next for the deepest cut that is known. */
static bool look_for_path(struct look *l, struct disk_reader *reader, const uint8_t *name)
{
	(void)!look_for(l, reader, name, true);
	bool found = l->count > 0;
	for (unsigned labels = dname_label_count(name); labels-- > 1;) {
		name = dname_skip(name, 1);
		if (labels <= CUT_LABELS_MAX)
			(void)!look_for(l, reader, name, true);
		found |= l->count > 0;
	}
	return found;
}

/* ---- letters ---- */

static enum err mailbox_new(struct cache *cache, warm_wake_fn *wake, void *context,
			    struct mailbox **out)
{
	struct mailbox *box = calloc(1, sizeof(*box));
	if (!box)
		return ERR_NO_MEMORY;
	pthread_mutex_init(&box->lock, NULL);
	box->references = 1;
	box->wake = wake;
	box->wake_context = context;
	box->cache = cache;
	box->last = &box->first;
	*out = box;
	return OK;
}

static void free_letters(struct letter *first)
{
	for (struct letter *next; first; first = next) {
		next = first->next;
		free(first);
	}
}

/* Lock held, and released. */
static void release_mailbox(struct mailbox *box)
{
	bool last = --box->references == 0;
	pthread_mutex_unlock(&box->lock);
	if (!last)
		return;
	free_letters(box->first);
	pthread_mutex_destroy(&box->lock);
	free(box);
}

static void deliver(struct letter *l)
{
	struct mailbox *box = l->box;
	pthread_mutex_lock(&box->lock);
	if (box->wake) {
		l->next = NULL;
		*box->last = l;
		box->last = &l->next;
		atomic_store_explicit(&box->has_mail, true, memory_order_release);
		box->wake(box->wake_context);
	} else {
		free(l);
	}
	release_mailbox(box);
}

static void run_letter(struct disk_job *job, struct disk_reader *reader)
{
	struct letter *l = CONTAINER_OF(job, struct letter, job);
	struct look look = {.cache = l->box->cache, .now = l->now};
	l->found = reader && look_for_path(&look, reader, l->name);
	deliver(l);
}

static enum recall send_letter(struct warm_reader *r, const uint8_t *name, uint64_t token,
			       struct now now)
{
	struct mailbox *box = r->box;
	struct letter *l = calloc(1, sizeof(*l));
	if (!l)
		return RECALL_UNKNOWN;
	l->job.run = run_letter;
	l->box = box;
	l->token = token;
	l->now = now;
	dname_copy(name, l->name);
	pthread_mutex_lock(&box->lock);
	box->references++;
	pthread_mutex_unlock(&box->lock);
	if (disk_post(r->warm->disk, &l->job) == OK)
		return RECALL_LATER;
	pthread_mutex_lock(&box->lock);
	release_mailbox(box);
	free(l);
	return RECALL_UNKNOWN;
}

bool warm_next_letter(struct warm_reader *r, uint64_t *token, bool *found)
{
	struct mailbox *box = r->box;
	if (LIKELY(!atomic_load_explicit(&box->has_mail, memory_order_acquire)))
		return false;
	pthread_mutex_lock(&box->lock);
	struct letter *l = box->first;
	if (l)
		box->first = l->next;
	if (!box->first) {
		box->last = &box->first;
		atomic_store_explicit(&box->has_mail, false, memory_order_relaxed);
	}
	pthread_mutex_unlock(&box->lock);
	if (!l)
		return false;
	*token = l->token;
	*found = l->found;
	free(l);
	return true;
}

/* ---- a worker's own ---- */

enum err warm_reader_new(struct warm *w, warm_wake_fn *wake, void *context,
			 struct warm_reader **out)
{
	*out = NULL;
	if (!w->is_on)
		return OK;
	struct warm_reader *r = calloc(1, sizeof(*r));
	if (!r)
		return ERR_NO_MEMORY;
	r->warm = w;
	if (mailbox_new(w->cache, wake, context, &r->box) != OK)
		goto free_reader;
	if (disk_reader_new(w->disk, &r->reader) != OK)
		goto free_mailbox;
	*out = r;
	return OK;

free_mailbox:
	pthread_mutex_lock(&r->box->lock);
	release_mailbox(r->box);
free_reader:
	free(r);
	return ERR_NO_MEMORY;
}

void warm_reader_free(struct warm_reader *r)
{
	if (!r)
		return;
	disk_reader_free(r->reader);
	pthread_mutex_lock(&r->box->lock);
	r->box->wake = NULL;
	release_mailbox(r->box);
	free(r);
}

enum recall warm_recall(void *reader, const uint8_t *name, uint64_t token, struct now now)
{
	struct warm_reader *r = reader;
	struct look l = {.cache = r->box->cache, .now = now};
	if (!warm_is_taken(r->warm))
		return RECALL_UNKNOWN;
	if (look_for(&l, r->reader, name, false) == OK)
		return l.count > 0 ? RECALL_FOUND : RECALL_NOTHING;
	return token ? send_letter(r, name, token, now) : RECALL_LATER;
}

bool warm_fetch(struct warm_reader *r, const uint8_t *name, struct now now)
{
	struct look l = {.cache = r->box->cache, .now = now};
	(void)!look_for(&l, r->reader, name, true);
	return l.count > 0;
}

/* ---- life ---- */

enum err warm_open(const char *path, size_t size_bytes, struct warm **out)
{
	struct warm *w = calloc(1, sizeof(*w));
	struct disk_settings settings = {.path = size_bytes > 0 ? path : NULL,
					 .size_bytes = size_bytes,
					 .in_memory_bytes = memory_available("") / MEMORY_DIVISOR};
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

enum err warm_close(struct warm *w, struct now now)
{
	if (!w)
		return OK;
	warm_load_stop(w);
	if (w->loading)
		return ERR_BUSY; /* it cannot be told to let go */
	if (w->is_on && w->cache)
		save(w, now);
	enum err err = disk_close(w->disk);
	if (err == OK)
		free(w);
	return err;
}

struct disk *warm_disk(struct warm *w)
{
	return w->disk;
}
