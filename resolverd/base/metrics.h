#pragma once
/*
 * One list of counters, one of histograms, and one of families: counters that are told apart by a
 * name. Each worker owns a struct metrics and is the only writer; readers sum over workers. A counter
 * is a 64-bit word written and read with relaxed atomics: no locks, and never a torn value.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* X(name, help): name becomes resolverd_<name> in the exposition; all are counters. */
#define METRIC_LIST(X)                                                                             \
	X(queries_udp_total, "queries received over UDP")                                          \
	X(queries_tcp_total, "queries received over TCP")                                          \
	X(answers_total, "answers sent to clients")                                                \
	X(answers_truncated_total, "answers sent with TC set")                                     \
	X(answers_limited_total,                                                                   \
	  "answers cut to nothing or not given: too many for strangers (access.response-rate)")    \
	X(cache_hits_total, "answers from the cache")                                              \
	X(cache_recalled_total, "of those, answers that memory had to get from disk")              \
	X(cache_misses_total, "queries that had to be resolved")                                   \
	X(recalls_slow_total,                                                                      \
	  "questions for which the disk took so long that servers were asked beside it")           \
	X(recalls_late_total, "answers from disk that came when their question was over")          \
	X(queries_coalesced_total, "queries that joined an equal pending one")                     \
	X(queries_awaited_total,                                                                   \
	  "questions that waited for another worker, which was asking already")                    \
	X(queries_refused_total, "queries refused by the access list")                             \
	X(queries_malformed_total, "queries that could not be parsed")                             \
	X(queries_dropped_total, "queries dropped without an answer")                              \
	X(answers_servfail_total, "answers with rcode SERVFAIL")                                   \
	X(answers_nxdomain_total, "answers with rcode NXDOMAIN")                                   \
	X(answers_broken_total,                                                                    \
	  "answers that a fault of our own made SERVFAIL: the log has the query")                  \
	X(answers_late_total, "clients answered because their budget of time ran out")             \
	X(local_answers_total, "answers from built-in or configured local zones")                  \
	X(upstream_udp_sent_total, "queries sent upstream over UDP")                               \
	X(upstream_tcp_sent_total, "queries sent upstream over TCP")                               \
	X(upstream_replies_total, "replies received from upstream")                                \
	X(upstream_timeouts_total, "upstream queries that timed out")                              \
	X(upstream_hedges_total, "second servers asked before the first timed out")                \
	X(upstream_mismatch_total, "upstream replies that did not match and were waited out")      \
	X(upstream_malformed_total, "upstream replies that could not be parsed")                   \
	X(upstream_fragments_total,                                                                \
	  "upstream replies that came in fragments and were not believed")                         \
	X(upstream_oversized_total, "upstream replies larger than was offered, and not believed")  \
	X(upstream_throttled_total, "upstream queries held back by a zone's rate limit")           \
	X(upstream_addresses_refused_total,                                                        \
	  "addresses of name servers that were not asked, as they are internal or forbidden")      \
	X(upstream_failures_total, "upstream sends that failed or connections that were lost")     \
	X(upstream_hints_total,                                                                    \
	  "ICMP messages that servers are unreachable: anybody can write them")                    \
	X(upstream_families_lost_total, "times that an address family was found to lead nowhere")  \
	X(upstream_no_room_total,                                                                  \
	  "upstream queries put off as no socket or connection was free here")                     \
	X(upstream_yielded_total, "upstream queries whose late replies were given up for others")  \
	X(limits_hit_total, "queries ended by a limit of resolve/limits.h")                        \
	X(questions_shed_total,                                                                    \
	  "questions given up for want of room: the largest, or the oldest of too many")           \
	X(forward_filtered_total, "queries to a forward zone answered locally by its only list")   \
	X(dnssec_secure_total, "resolutions validated as secure")                                  \
	X(dnssec_insecure_total, "resolutions proven insecure")                                    \
	X(dnssec_bogus_total, "resolutions found bogus")                                           \
	X(dnssec_root_not_yet_valid_total,                                                         \
	  "signatures of the root that were not valid yet: is the clock right?")                   \
	X(dnssec_anchor_mismatch_total, "DNSKEY sets in which no key matched the trust anchor")    \
	X(dnssec_signature_checks_total, "signatures verified")                                    \
	X(dnssec_pauses_total, "times that validation let others go first")                        \
	X(dnssec_nsec3_hashes_total, "NSEC3 hashes computed")                                      \
	X(dnssec_synthesised_total, "negative or wildcard answers synthesised (RFC 8198)")         \
	X(prefetch_sent_total, "refreshes of hot names begun")                                     \
	X(prefetch_useful_total, "refreshed answers that a client got")                            \
	X(prefetch_wasted_total, "refreshed answers that nobody asked for")                        \
	X(prefetch_late_total, "refreshes that came in after the old answer had expired")          \
	X(prefetch_failed_total, "refreshes that failed")                                          \
	X(prefetch_changed_total, "refreshes that brought other data")                             \
	X(prefetch_flips_doubted_total, "refreshes that denied what was there, to be confirmed")   \
	X(prefetch_flips_averted_total, "of these, those that another server did not confirm")     \
	X(prefetch_returns_doubted_total,                                                          \
	  "refreshes that would have gone back to what was just replaced, asked once more")        \
	X(prefetch_throttled_total, "times that due refreshes waited for the rate limit")          \
	X(prefetch_held_total, "expired answers served at once while being refreshed")             \
	X(network_changes_total,                                                                   \
	  "times that the machine gained or lost its route to the world over IPv4 or IPv6")        \
	X(listen_changes_total,                                                                    \
	  "addresses that came to be served, or ceased to be, since the start")                    \
	X(stalls_total, "times that a worker stood still for half a second while work waited")     \
	X(tcp_accepted_total, "TCP connections accepted")                                          \
	X(tcp_rejected_total, "TCP connections closed by a limit")                                 \
	X(shares_tcp_total,                                                                        \
	  "TCP connections that clients had to give up, or did not get, having had their share")   \
	X(shares_clients_total,                                                                    \
	  "queries that too many waited beside for an answer, dropped by the clients' shares")     \
	X(shares_questions_total,                                                                  \
	  "questions in progress that were given up for others, by the clients' shares")           \
	X(shares_line_total,                                                                       \
	  "questions that found no place, or not another one, in line for a rate-limited server")  \
	X(udp_receive_drops_total, "queries that the system dropped: no room in the socket")       \
	X(tcp_accept_drops_total, "TCP connections that the system dropped: no room to wait")

#define METRIC_ENUM(name, help) METRIC_##name,
enum metric { METRIC_LIST(METRIC_ENUM) METRIC_COUNT };
#undef METRIC_ENUM

/* X(name, unit, help, bounds): name becomes resolverd_<name>, with _bucket, _sum and _count. What is
 * observed, and the bounds, are in UNIT: microseconds (told in seconds) or bytes. The bounds are the
 * upper ends of the buckets, rising; what is above all falls into one more. */
#define HISTOGRAM_LIST(X)                                                                          \
	X(hit_latency_seconds, HISTOGRAM_MICROSECONDS,                                             \
	  "from waking up for a query to its answer's sending, if it was at hand; a sample",       \
	  HISTOGRAM_BOUNDS(10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000, 250000))     \
	X(miss_latency_seconds, HISTOGRAM_MICROSECONDS,                                            \
	  "the same for every query whose answer was not at hand",                                 \
	  HISTOGRAM_BOUNDS(1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000, \
			   1800000, 5000000, 10000000))                                            \
	X(upstream_rtt_seconds, HISTOGRAM_MICROSECONDS,                                            \
	  "from sending a query upstream over UDP to its reply",                                   \
	  HISTOGRAM_BOUNDS(500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000,     \
			   1000000, 2000000, 5000000))                                             \
	X(udp_answer_bytes, HISTOGRAM_BYTES, "sizes of the answers of hit_latency_seconds",        \
	  HISTOGRAM_BOUNDS(64, 128, 256, 512, 1024, 1231))                                         \
	X(tcp_answer_bytes, HISTOGRAM_BYTES, "sizes of all answers over TCP",                      \
	  HISTOGRAM_BOUNDS(64, 128, 256, 512, 1024, 1232, 4096, 16384))                            \
	X(stale_age_seconds, HISTOGRAM_MICROSECONDS, "how long ago stale answers had expired",     \
	  HISTOGRAM_BOUNDS(100000, 1000000, 2000000, 5000000, 10000000, 30000000, 60000000,        \
			   300000000, 3600000000))

#define HISTOGRAM_ENUM(name, unit, help, bounds) HISTOGRAM_##name,
enum histogram { HISTOGRAM_LIST(HISTOGRAM_ENUM) HISTOGRAM_COUNT };
#undef HISTOGRAM_ENUM

/* X(name, label, help): resolverd_<name>{<label>="..."}. Keys are names in wire format. */
#define FAMILY_LIST(X)                                                                             \
	X(prefetch_changed_by_zone_total, zone,                                                    \
	  "refreshes that brought other data, by zone of prefetch.zones; the rest as \"other\"")   \
	X(search_expansions_total, suffix,                                                         \
	  "denied names that a search list made of a public name and an internal suffix")

#define FAMILY_ENUM(name, label, help) FAMILY_##name,
enum family { FAMILY_LIST(FAMILY_ENUM) FAMILY_COUNT };
#undef FAMILY_ENUM

enum histogram_unit { HISTOGRAM_MICROSECONDS, HISTOGRAM_BYTES };

enum {
	HISTOGRAM_BOUNDS_MAX = 16,
	/* Keys of a family: what comes later is counted together. A label costs whoever scrapes. */
	FAMILY_KEYS_MAX = 32,
	FAMILY_KEY_SIZE = 255,
};

struct histogram_cells {
	_Atomic uint64_t bucket[HISTOGRAM_BOUNDS_MAX + 1]; /* each by itself, not summed up */
	_Atomic uint64_t sum;
};

struct family_cells {
	_Atomic uint32_t used; /* keys, written before this says so, and never again */
	uint8_t key_len[FAMILY_KEYS_MAX];
	uint8_t key[FAMILY_KEYS_MAX][FAMILY_KEY_SIZE];
	_Atomic uint64_t value[FAMILY_KEYS_MAX], other;
};

struct metrics { /* one worker writes, anybody reads; zero-initialised */
	_Atomic uint64_t value[METRIC_COUNT];
	struct histogram_cells histogram[HISTOGRAM_COUNT];
	struct family_cells family[FAMILY_COUNT];
};

static inline void metrics_add(struct metrics *m, enum metric which, uint64_t n)
{
	uint64_t old = atomic_load_explicit(&m->value[which], memory_order_relaxed);
	atomic_store_explicit(&m->value[which], old + n, memory_order_relaxed);
}

static inline uint64_t metrics_get(const struct metrics *m, enum metric which)
{
	return atomic_load_explicit(&m->value[which], memory_order_relaxed);
}

/* "queries_udp_total" and its help text. */
const char *metrics_name(enum metric which);
const char *metrics_help(enum metric which);

/* ---- histograms ---- */

/* VALUE in the unit of WHICH. */
void metrics_observe(struct metrics *m, enum histogram which, uint64_t value);

struct histogram_view {
	const char *name, *help;
	enum histogram_unit unit;
	const uint64_t *bounds;
	size_t bound_count;
	/* Up to each bound, and last of all, lower buckets included, as Prometheus wants them. */
	uint64_t up_to[HISTOGRAM_BOUNDS_MAX + 1];
	uint64_t sum;
};
/* The sum over LIST's COUNT metrics. */
void metrics_read_histogram(const struct metrics *const *list, size_t count, enum histogram which,
			    struct histogram_view *out);

/* ---- families ---- */

/* One more for KEY (at most FAMILY_KEY_SIZE bytes); an empty key, and one that finds no room, are
 * "other". */
void metrics_count_key(struct metrics *m, enum family which, struct span key);

struct family_view {
	const char *name, *label, *help;
	size_t key_count;
	struct span keys[FAMILY_KEYS_MAX]; /* borrowed from the metrics */
	uint64_t values[FAMILY_KEYS_MAX], other;
};
/* The sum over LIST's COUNT metrics. */
void metrics_read_family(const struct metrics *const *list, size_t count, enum family which,
			 struct family_view *out);
