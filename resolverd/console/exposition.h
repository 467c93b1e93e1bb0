#pragma once
/*
 * What Prometheus gets: every counter of base/metrics.h summed over the workers, those of
 * disk/disk.h (NAME becomes resolverd_disk_NAME_total), and figures that are read at that moment;
 * in base units. Labels are few and bounded: those of the families, which stop at FAMILY_KEYS_MAX,
 * accounts of memory (base/ledger.h), network interfaces with a driver that counts (net/allowance.h), and the one of build_info.
 * docs/metrics.md is written from the same lists (make docs).
 */
#include <stdio.h>

#include "base/metrics.h"
#include "cache/cache.h"
#include "cache/ranges.h"
#include "disk/disk.h"
#include "machine/allowances.h"
#include "machine/listen.h"
#include "worker/worker.h"

/* X(name, type, help): name becomes resolverd_<name>. */
#define EXPOSITION_LIST(X)                                                                         \
	X(memory_limit_bytes, gauge, "memory that the process may take: memory.limit")             \
	X(memory_resident_bytes, gauge, "what of it is resident, without pages of files")          \
	X(cache_used_bytes, gauge, "memory that the cache takes, overheads included")              \
	X(cache_limit_bytes, gauge, "memory that the cache may take")                              \
	X(cache_entries, gauge, "entries in the memory cache")                                     \
	X(cache_inserts_total, counter, "entries added to the memory cache")                       \
	X(cache_replacements_total, counter, "entries replaced by newer ones")                     \
	X(cache_evictions_total, counter, "entries that had to make room")                         \
	X(cache_expired_evictions_total, counter, "of those, entries that had expired")            \
	X(cache_rejected_total, counter, "entries that found no room")                             \
	X(denial_used_bytes, gauge, "memory of validated denials (RFC 8198)")                      \
	X(disk_up, gauge, "1 if the cache on disk can be written to, 0 if not or if it is off")    \
	X(disk_used_bytes, gauge, "of the cache file, what is in use")                             \
	X(disk_limit_bytes, gauge, "what the cache file may take")                                 \
	X(disk_entries, gauge, "records in the cache file")                                        \
	X(disk_pending_entries, gauge, "entries that wait to be written")                          \
	X(disk_pending_bytes, gauge, "what they take in memory")                                   \
	X(listen_addresses, gauge, "addresses that are served: bound, and of this machine")        \
	X(workers, gauge, "threads that answer")                                                   \
	X(workers_turning, gauge, "of those, threads that go through their loop")                  \
	X(open_queries, gauge, "questions being resolved")                                         \
	X(open_sends, gauge, "upstream queries that may still get a reply")                        \
	X(waiting_clients, gauge, "client queries that wait for an answer")                        \
	X(prefetch_kept_names, gauge, "hot names that are kept fresh")                             \
	X(prefetch_waiting, gauge, "of those, names whose refresh waits for the rate limit")       \
	X(log_waiting_bytes, gauge, "lines of the log that wait to be written")                    \
	X(log_dropped_total, counter,                                                              \
	  "lines of the log that were dropped: nobody took them in time, or they could not be "    \
	  "written")                                                                               \
	X(shares_http_total, counter,                                                              \
	  "HTTP connections that clients had to give up, or did not get, having had their share")  \
	X(sandbox_refused_total, counter, "system calls that the sandbox refused; must be 0")      \
	X(start_time_seconds, gauge, "when the daemon started, in seconds since 1970")

#define EXPOSITION_ENUM(name, type, help) EXPOSITION_##name,
enum exposition_figure { EXPOSITION_LIST(EXPOSITION_ENUM) EXPOSITION_COUNT };
#undef EXPOSITION_ENUM

struct families;
struct holdings;
struct http;

struct exposition {			 /* what is read; all borrowed, any thread may read it */
	const struct holdings *holdings; /* NULL: nobody keeps them */
	struct cache *cache;
	struct ranges *ranges;
	struct disk *disk;
	struct allowances *allowances;
	const struct throttle *throttle;
	struct strippers *strippers;
	struct families *families;
	struct worker *const *workers;
	unsigned worker_count;
	struct listen *listen; /* NULL: nothing is served */
	struct http *http;     /* NULL: the same */
	int64_t started_unix_s;
};

/* Prometheus's text format 0.0.4. MONO_US: now. Errors of OUT are the caller's to look at. */
void exposition_write(const struct exposition *e, uint64_t mono_us, FILE *out);

/* Call FN for each counter that is not a worker's (base/metrics.h) and has no label. */
typedef void exposition_counter_fn(void *context, const char *name, uint64_t value);
void exposition_counters(const struct exposition *e, exposition_counter_fn *fn, void *context);

/* docs/metrics.md. */
void exposition_write_markdown(FILE *out);
