#pragma once
/*
 * What the operator can ask and tell the daemon: the verbs of the interface io.resolverd
 * (control/io.resolverd.varlink, which is their specification). They run on the main thread and read
 * what the workers share; what changes something goes through the functions that the server gives.
 *
 *   commands.c          the table, status, counters, servers, log
 *   commands_cache.c    what is cached, shown and flushed
 *   commands_config.c   configuration, trust anchors and negative ones
 *   commands_dump.c     all that is cached, told and asked for again; flushing much
 *   commands_prefetch.c which names are kept fresh
 *   commands_walk.c     the whole cache in steps
 *   commands_forward.c  forward and stub zones
 *   commands_watch.c    failures and changes as they happen
 *   commands_top.c      the busiest names and clients
 *   commands_explain*.c why a name is answered as it is
 *   commands_trace.c    a question asked now, and what was done for it
 *   commands_words.c    entries, servers and errors as JSON and as words
 */
#include "cache/cache.h"
#include "cache/infra.h"
#include "cache/ranges.h"
#include "config/forwards.h"
#include "config/negative.h"
#include "config/snapshot.h"
#include "console/http.h"
#include "console/rates.h"
#include "control/session.h"
#include "disk/disk.h"
#include "machine/allowances.h"
#include "worker/feed.h"
#include "worker/worker.h"

struct flushes;
struct holdings;
struct listen;

struct commands { /* main thread; all borrowed */
	const struct holdings *holdings;
	struct cache *cache;
	struct cache_reader *reader; /* the main thread's */
	struct infra *infra;
	struct ranges *ranges;
	struct disk *disk;
	struct allowances *allowances;
	const struct throttle *throttle;
	struct strippers *strippers;
	uint64_t descriptors;	/* that the system allows */
	struct allotment share; /* each worker's, of those */
	struct listen *listen;
	struct http *http; /* NULL: none */
	struct prefetch_shared *prefetch;
	struct worker *const *workers;
	const unsigned *worker_count;
	struct snapshot *const *snapshot; /* what is in effect */
	const struct negative *negative;
	const struct forwards *forwards; /* changed at run time */
	const struct rates *rates;
	struct feeds *feeds;	 /* of all workers */
	const char *path;	 /* of the configuration; NULL: defaults */
	struct flushes *flushes; /* the last ones */
	uint64_t started_us;
	/* Keys that the last reload would have changed but could not. Static texts. */
	const char *const *restart;
	size_t restart_count;

	/* Read the configuration again; ERROR says why not. */
	enum err (*reload)(void *context, struct config_error *error);
	void *reload_context;
	/* Add NAME for so long, 0: remove it. ERR_NOT_FOUND, ERR_LIMIT, ERR_NO_MEMORY. */
	enum err (*set_negative)(void *context, const uint8_t *name, uint32_t seconds);
	void *negative_context;
	/* Use a copy of FRESH. ERR_NO_MEMORY. */
	enum err (*set_forwards)(void *context, const struct forwards *fresh);
	void *forwards_context;
	/* Log the queries that F lets through, until the next reload. ERR_NO_MEMORY. */
	enum err (*set_queries)(void *context, const struct query_filter *f);
	void *queries_context;
};

/* The verbs; their context is a struct commands. COUNT: how many. */
const struct verb *commands_table(size_t *count);

struct flushed {
	uint64_t removed;		   /* entries in memory, and denials */
	char not_on_disk[DISK_REASON_MAX]; /* why it is not durable there; "" if it is */
};
/* Forget NAME with all that could answer for it: the cache in memory and on disk, and denials of its
 * zone. It holds as long as the daemon runs, and beyond unless OUT says why not. */
void commands_flush(const struct commands *c, const uint8_t *name, uint16_t type, bool subtree,
		    struct now now, struct flushed *out);
/* As reply to the verbs that flush. */
json_t *commands_flushed(const struct flushed *f);
