#pragma once
/*
 * The arithmetic of prefetching, without state: which rule a name falls under, how often it is asked
 * for, whether keeping it fresh is worth it, and when to begin.
 *
 * Popularity is counted in the cache's entry itself (cache/entry.h), so that it is shared by all
 * workers and outlives refreshes and restarts. To keep an entry that is asked for a hundred thousand
 * times a second from bouncing between cores, the questions of one second count as one.
 */
#include "cache/entry.h"
#include "resolve/settings.h"

/* The rule for NAME (lower case): of the deepest zone of P that covers it, else P's defaults. */
const struct prefetch_rule *prefetch_rule_for(const struct prefetch_settings *p,
					      const uint8_t *name);

struct popularity {
	uint32_t hits; /* seconds with a question, none further than the window from the next */
	uint32_t last_hit_s; /* cache_ms / 1000; 0: never */
	uint32_t gap_ms;     /* mean time between them, smoothed; 0: not known yet */
};

/* One more hit at NOW_S: P with it counted in. After more than WINDOW_S of silence it begins anew. */
struct popularity popularity_add(struct popularity p, uint32_t now_s, uint32_t window_s);
/* Relaxed copies from and to an entry that others read and write at the same time. */
struct popularity popularity_read(const struct entry *e);
void popularity_write(const struct entry *e, struct popularity p);

/* Mean time to expect between hits, the silence since the last one taken into account; a name asked
 * for once only is given the benefit of one TTL. */
uint64_t prefetch_gap_ms(const struct popularity *p, uint32_t ttl_s, struct now now);
/* Client questions that one refresh is expected to serve, in thousandths. */
uint64_t prefetch_yield_permille(const struct popularity *p, uint32_t ttl_s, struct now now);

/* For how long a name with a TTL of TTL_S may be silent before it is let go: several of its mean gaps, or
 * as long as it had been asked for before, at most the window of RULE. Who asks a few times and goes away
 * has us ask in vain for a few TTLs; what has been asked for all day is kept over a pause. The window
 * alone where the operator wants names kept whatever they yield. */
uint64_t prefetch_patience_ms(const struct popularity *p, const struct prefetch_rule *rule,
			      uint32_t ttl_s);
/* Popular enough to be kept fresh, and worth it. */
bool prefetch_is_hot(const struct popularity *p, const struct prefetch_rule *rule, uint32_t ttl_s,
		     struct now now);

/* How long before expiry a refresh has to begin, if the servers of the chain need CHAIN_MS for the
 * bad case (0: not known yet): so that the answer is replaced before its last second. What a
 * forwarder told has only what was left of its TTL there: asking before its end gains nothing. */
uint32_t prefetch_lead_ms(const struct prefetch_rule *rule, bool forwarded, uint32_t ttl_s,
			  uint32_t chain_ms);
/* What is left of the TTL may vary by this much, so that names learned together are not refreshed
 * together for ever. */
uint32_t prefetch_jitter_ms(uint32_t ttl_s, uint32_t lead_ms);
/* The pause after a refresh that failed, as FAILURES in a row had before: twice as long each time, so
 * that several tries fit into the LEFT_MS for which the answer is fresh, and into HOLD_MS when it is
 * not; a second at least (RFC 9520 §3.2). */
uint32_t prefetch_retry_ms(unsigned failures, uint32_t left_ms, uint32_t hold_ms);
