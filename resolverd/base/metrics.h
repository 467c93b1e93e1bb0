#pragma once
/*
 * One list of counters. Each worker owns a struct metrics and is the only writer; readers sum over
 * workers. A counter is a 64-bit word written and read with relaxed atomics: no locks, and never a
 * torn value.
 */
#include <stdatomic.h>
#include <stdint.h>

/* X(name, help): name becomes resolverd_<name> in the exposition; all are counters. */
#define METRIC_LIST(X)                                                                             \
	X(queries_udp_total, "queries received over UDP")                                          \
	X(queries_tcp_total, "queries received over TCP")                                          \
	X(answers_total, "answers sent to clients")                                                \
	X(answers_truncated_total, "answers sent with TC set")                                     \
	X(cache_hits_total, "answers from the memory cache")                                       \
	X(cache_misses_total, "queries that had to be resolved")                                   \
	X(queries_coalesced_total, "queries that joined an equal pending one")                     \
	X(queries_refused_total, "queries refused by the access list")                             \
	X(queries_malformed_total, "queries that could not be parsed")                             \
	X(queries_dropped_total, "queries dropped without an answer")                              \
	X(answers_servfail_total, "answers with rcode SERVFAIL")                                   \
	X(answers_nxdomain_total, "answers with rcode NXDOMAIN")                                   \
	X(answers_late_total, "clients answered because their budget of time ran out")             \
	X(local_answers_total, "answers from built-in or configured local zones")                  \
	X(upstream_udp_sent_total, "queries sent upstream over UDP")                               \
	X(upstream_tcp_sent_total, "queries sent upstream over TCP")                               \
	X(upstream_replies_total, "replies received from upstream")                                \
	X(upstream_timeouts_total, "upstream queries that timed out")                              \
	X(upstream_hedges_total, "second servers asked before the first timed out")                \
	X(upstream_mismatch_total, "upstream replies that did not match and were waited out")      \
	X(upstream_malformed_total, "upstream replies that could not be parsed")                   \
	X(upstream_throttled_total, "upstream queries held back by a zone's rate limit")           \
	X(upstream_failures_total, "upstream sends that failed or connections that were lost")     \
	X(limits_hit_total, "queries ended by a limit of resolve/limits.h")                        \
	X(forward_filtered_total, "queries to a forward zone answered locally by its only list")   \
	X(dnssec_secure_total, "resolutions validated as secure")                                  \
	X(dnssec_insecure_total, "resolutions proven insecure")                                    \
	X(dnssec_bogus_total, "resolutions found bogus")                                           \
	X(dnssec_root_not_yet_valid_total,                                                         \
	  "signatures of the root that were not valid yet: is the clock right?")                   \
	X(dnssec_anchor_mismatch_total, "DNSKEY sets in which no key matched the trust anchor")    \
	X(dnssec_signature_checks_total, "signatures verified")                                    \
	X(dnssec_nsec3_hashes_total, "NSEC3 hash iterations computed")                             \
	X(dnssec_synthesised_total, "negative or wildcard answers synthesised (RFC 8198)")         \
	X(prefetch_sent_total, "refreshes of hot names begun")                                     \
	X(prefetch_useful_total, "refreshed answers that a client got")                            \
	X(prefetch_wasted_total, "refreshed answers that nobody asked for")                        \
	X(prefetch_late_total, "refreshes that came in after the old answer had expired")          \
	X(prefetch_failed_total, "refreshes that failed")                                          \
	X(prefetch_changed_total, "refreshes that brought other data")                             \
	X(prefetch_throttled_total, "times that due refreshes waited for the rate limit")          \
	X(prefetch_held_total, "expired answers served at once while being refreshed")             \
	X(stale_1s_total, "stale answers expired for at most 1 s")                                 \
	X(stale_10s_total, "stale answers expired for 1 s to 10 s")                                \
	X(stale_60s_total, "stale answers expired for 10 s to 60 s")                               \
	X(stale_older_total, "stale answers expired for more than 60 s")                           \
	X(tcp_accepted_total, "TCP connections accepted")                                          \
	X(tcp_rejected_total, "TCP connections closed by a limit")

#define METRIC_ENUM(name, help) METRIC_##name,
enum metric { METRIC_LIST(METRIC_ENUM) METRIC_COUNT };
#undef METRIC_ENUM

struct metrics { /* one worker writes, anybody reads */
	_Atomic uint64_t value[METRIC_COUNT];
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
