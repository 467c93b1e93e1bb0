#pragma once
/*
 * What keeps the daemon warm over a restart: the disk tier (disk/disk.h) beside the memory of the
 * cache, and with it what is known of servers and which names are popular.
 *
 *   - What enters the cache is written (warm_sink()); what memory does not know is looked for on
 *     disk by the worker that needs it (warm_recall()) and put back into memory. A worker reads what
 *     the system has in memory, and nothing else: the rest is done by a reader thread
 *     (disk/lookup.h) and comes back as a letter, which wakes the worker.
 *   - The start waits for no disk. One that does not answer then is taken when it does, by
 *     warm_take(), after whoever has to see to what is on it first.
 *   - At the start round-trip times are restored before the first query; a thread of its own then
 *     loads the popular names, most popular first, and each is handed to the worker that is to keep
 *     it fresh. Nobody waits for that: what is asked for before its turn is recalled like any other.
 *   - Every WARM_SAVE_S and at the end the list of popular names and what is known of servers are
 *     written anew.
 *
 * Failures, bogus data, losses and back-offs never get there: see disk/disk.h and infra_write().
 */
#include "cache/cache.h"
#include "cache/infra.h"
#include "disk/disk.h"
#include "resolve/resolver.h"

struct warm; /* main thread, but for what says otherwise */

enum { WARM_SAVE_S = 30 };

/* PATH and SIZE as in struct disk_settings; SIZE 0: no disk tier, and nothing below does anything.
 * ERR_NO_MEMORY; what is wrong with the disk is a state of it. */
MUST_USE enum err warm_open(const char *path, size_t size_bytes, struct warm **out);
/* Save, write all that waits, and close. The workers, their readers and the cache are gone, but for
 * the cache and INFRA of warm_begin(). ERR_BUSY: the disk hangs, and threads that wait for it are left
 * behind, for which the cache must stay. */
enum err warm_close(struct warm *w, struct now now);

/* For cache_new(); NULL without a disk tier. */
const struct cache_sink *warm_sink(const struct warm *w);
/* For flushes and status. */
struct disk *warm_disk(struct warm *w);

/* The tiers above are there. Borrowed until warm_close(). */
void warm_begin(struct warm *w, struct cache *cache, struct infra *infra, struct now now);
/* The disk has come (disk_is_opened()), and what must not be found on it is flushed: restore what is known
 * of servers, and let readers have the rest from now on. */
void warm_take(struct warm *w, struct now now);
bool warm_is_taken(const struct warm *w);

/* E, popular before the restart, is back in the cache. On the loading thread. */
typedef void warm_keep_fn(void *context, const struct entry *e);
/* The workers run: begin to load what is popular. */
void warm_load(struct warm *w, struct now now, warm_keep_fn *keep, void *context);
/* Until all that is popular is loaded, or it is told to stop; no call of KEEP comes any more. */
void warm_load_wait(struct warm *w);
void warm_load_stop(struct warm *w);

/* Once a second or so. */
void warm_tick(struct warm *w, struct now now);

/* A worker's own. WAKE is called on any thread when there is a letter, until warm_reader_free(). *OUT is
 * NULL without a disk tier. ERR_NO_MEMORY. */
struct warm_reader;
typedef void warm_wake_fn(void *context);
MUST_USE enum err warm_reader_new(struct warm *w, warm_wake_fn *wake, void *context,
				  struct warm_reader **out);
void warm_reader_free(struct warm_reader *r); /* NULL is fine */
/* As resolver_recall_fn, READER being a struct warm_reader. */
enum recall warm_recall(void *reader, const uint8_t *name, uint64_t token, struct now now);
/* The next letter: for EV_RECALLED. False: there is none. */
bool warm_next_letter(struct warm_reader *r, uint64_t *token, bool *found);
/* The same look-up for whoever may wait for the disk: whether anything came of it. */
bool warm_fetch(struct warm_reader *r, const uint8_t *name, struct now now);
