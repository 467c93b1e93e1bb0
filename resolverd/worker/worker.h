#pragma once
/*
 * A worker: one thread with its own loop, sockets, resolver and counters. It joins the network to
 * the core: packets become events, actions become packets. It shares with other workers the cache
 * and what is known of servers, and answers every client that it has taken.
 *
 * A new configuration comes by a mailbox of one and is adopted between two batches.
 */
#include "anchors/anchors.h"
#include "base/ledger.h"
#include "base/metrics.h"
#include "cache/cache.h"
#include "cache/infra.h"
#include "cache/ranges.h"
#include "config/snapshot.h"
#include "net/loop.h"
#include "net/socket.h"
#include "resolve/askable.h"
#include "resolve/asking.h"
#include "resolve/prefetch_shared.h"
#include "resolve/throttle.h"
#include "worker/allotment.h"
#include "worker/feed.h"
#include "worker/recorder.h"
#include "worker/strippers.h"
#include "worker/tracing.h"
#include "worker/warm.h"

struct worker;

struct worker_shared { /* borrowed by all workers; outlives them */
	struct cache *cache;
	struct infra *infra;
	struct ranges *ranges;
	struct warm *warm;
	struct throttle *throttle;
	const struct own_addresses *own_addresses;
	struct prefetch_shared *prefetch;
	struct strippers *strippers;
	struct asking_shared *asking;
	struct anchors *anchors; /* NULL: nobody follows rollovers */
	struct hash_key cookie_secret;
	struct loop_epoch epoch;
	uint64_t descriptors;	/* that the system allows */
	struct allotment share; /* each worker's, of those */
	size_t recorder_bytes;	/* each worker's share */
	struct ledger *ledger;
	size_t question_bytes, input_bytes, output_bytes; /* each worker's shares of its accounts */
};

/* Made, but neither listening nor running. SHARED is borrowed, SNAPSHOT used. ERR_NO_MEMORY or
 * ERR_SYSTEM. */
MUST_USE enum err worker_new(const struct worker_shared *shared, struct snapshot *snapshot,
			     unsigned index, struct worker **out);
/* The worker does not run. NULL is fine. */
void worker_free(struct worker *w);

/* Serve ADDRESS over UDP or TCP on FD, which is bound to it and taken over, whatever comes of it. From
 * the main thread; a worker that runs does so soon. OWNER: whose it is. ERR_SYSTEM with errno,
 * ERR_LIMIT or ERR_NO_MEMORY. */
MUST_USE enum err worker_listen(struct worker *w, const struct endpoint *address, bool tcp, int fd,
				enum socket_owner owner);
/* Serve ADDRESS no more (traffic_unlisten()). From the main thread. ERR_NO_MEMORY: it goes on. */
MUST_USE enum err worker_unlisten(struct worker *w, const struct endpoint *address, bool tcp);
/* Whether there is a route to the world over IPv4 and IPv6. From the main thread. */
void worker_set_routes(struct worker *w, bool ipv4, bool ipv6);

/* Make cookies with SECRET from now on. From any thread. */
void worker_set_cookie_secret(struct worker *w, const struct hash_key *secret);

/* Begin to serve in a thread of its own. ERR_SYSTEM. */
MUST_USE enum err worker_start(struct worker *w);
/* End the thread and wait for that. */
void worker_stop(struct worker *w);

/* Take no question any more but those that wait in sockets of ours, and those of TCP connections
 * that it has. From any thread. */
void worker_drain(struct worker *w);
/* That is so, and everybody who had asked before is answered. From any thread. */
bool worker_is_drained(const struct worker *w);

/* Use SNAPSHOT from now on. From any thread. */
void worker_adopt(struct worker *w, struct snapshot *snapshot);

/* Have NAME and TYPE asked for anew, whatever the cache holds. From any thread. */
void worker_refresh(struct worker *w, const uint8_t *name, uint16_t type);

/* Have T asked. From any thread; T is looked at for the outcome. */
void worker_trace(struct worker *w, struct tracing *t);

/* What the worker has recorded. From any thread. */
struct recorder *worker_recorder(const struct worker *w);

/* E, popular before the last restart, is in the cache: keep it fresh if it is worth it. From any
 * thread. */
void worker_keep(struct worker *w, const struct entry *e);

/* What it tells those who watch; the main thread reads. */
struct feed *worker_feed(struct worker *w);

/* From any thread. */
const struct metrics *worker_metrics(const struct worker *w);

/* As of the last time that the worker went through its loop, which it does at least every five
 * seconds. From any thread. */
struct worker_figures {
	uint64_t passed_us; /* when that was, in now.mono_us; 0: not yet */
	size_t open_queries, open_sends, waiting_clients;
	size_t kept_names, waiting_refreshes;
	/* When it last saw signatures of the root that were not valid yet, and no key that fits an
	 * anchor, in now.mono_us; 0: never. */
	uint64_t not_yet_valid_us, anchor_mismatch_us;
};
void worker_read_figures(const struct worker *w, struct worker_figures *out);
/* It went through its loop not long before MONO_US. */
bool worker_is_turning(const struct worker *w, uint64_t mono_us);
