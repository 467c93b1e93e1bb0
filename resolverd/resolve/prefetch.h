#pragma once
/*
 * The prefetch engine: hot names are kept fresh, so that nobody waits for them.
 *
 * Every answer from the cache is counted (prefetch_hit()). A name that is popular enough and worth
 * it is kept: from then on time drives it, not queries. Before its answer expires the question is
 * asked again as a whole chain, past the cache (query->kept), and what comes replaces the old answer
 * at once. A refresh that is late is pushed - other servers, then TCP - while late replies stay
 * welcome; one that fails is repeated, and until HOLD past expiry the expired answer is served at
 * once (RFC 8767 §5: resolving has been tried). After that clients are served as ever, and the name
 * is tried every few seconds only. It is let go when nobody has asked for several times as long as people
 * did before (prefetch_patience_ms()), at the latest after WINDOW.
 *
 * What a forwarder tells has the TTL that is left in its cache: such names are asked for again when
 * they expire, never before, and the hold bridges the time until the answer comes.
 *
 * Where a zone's rule has a flip guard, a refresh that turns data into a denial (NXDOMAIN or NODATA)
 * is not believed at once: the question goes to another server over TCP, and until somebody confirms
 * it or the guard's time is over, the data stays. A denial that is validated needs no confirming.
 *
 * While a change comes to the servers of a zone, some tell what was before. So for LIMIT_CHANGED_MS after a
 * change refreshes go first to the servers that told it, and one that would go back to what was just
 * replaced, on the word of others, is asked once more. A real return is told by those servers too, or they
 * are silent: it is seen with the next refresh.
 *
 * A refresh is an ordinary question with a budget of its own. All refreshes pass a token bucket, the highest
 * yield first when it runs dry, and others for each upstream and each zone, in packets, so that whoever makes
 * names of one zone hot does not take the rate from all others; they leave the bursts of rate-limited zones
 * to clients and never take more than their share of questions in progress. One worker keeps each name
 * (prefetch_shared.h).
 *
 * One thread each, as the resolver it belongs to.
 */
#include "resolve/prefetch_plan.h"
#include "resolve/prefetch_shared.h"

struct prefetch;
struct query;
struct resolver;

/* SHARED is borrowed; NULL: one of its own. ERR_NO_MEMORY. */
MUST_USE enum err prefetch_new(struct resolver *r, struct prefetch_shared *shared,
			       struct prefetch **out);
void prefetch_free(struct prefetch *p);

/* The first hit of E in this second: see prefetch_hit(). */
void prefetch_count(struct prefetch *p, const struct entry *e, const uint8_t *qname, uint16_t qtype,
		    struct now now);

/* A client's question (QNAME lower case, QTYPE) was answered from E. Nearly free: at most once a
 * second for each entry is there more to do than to compare. P may be NULL. */
static inline void prefetch_hit(struct prefetch *p, const struct entry *e, const uint8_t *qname,
				uint16_t qtype, struct now now)
{
	uint32_t now_s = (uint32_t)((uint64_t)now.cache_ms / 1000);
	if (p && __atomic_load_n(&e->last_hit_s, __ATOMIC_RELAXED) != now_s)
		prefetch_count(p, e, qname, qtype, now);
}

/* STALE, the expired answer to (QNAME, QTYPE), may be served at once: it is being refreshed. */
bool prefetch_holds(const struct prefetch *p, const struct entry *stale, const uint8_t *qname,
		    uint16_t qtype, struct now now);

/* E was popular before: consider it for keeping. */
void prefetch_keep(struct prefetch *p, const struct entry *e, struct now now);

/* Clients of Q have just been answered with what is now in the cache. */
void prefetch_answered(struct prefetch *p, const struct query *q);

/* Q, a refresh, has come to an end; Q's answer is not stored yet. Returns whether it may be. */
bool prefetch_accept(struct prefetch *p, struct query *q);
/* ... and now it is, or was not good enough. */
void prefetch_finished(struct prefetch *p, struct query *q);

/* ADDRESS told the change of Q's name that others may not know of yet. Q is a refresh, or any question. */
struct endpoint;
bool prefetch_prefers(const struct query *q, const struct endpoint *address);
/* ... or would have gone back to what was replaced, which Q asks others about. */
bool prefetch_avoids(const struct query *q, const struct endpoint *address);

/* Time has passed: begin what is due. */
void prefetch_deadline(struct prefetch *p);
/* When to call that next, in milliseconds of mono time; UINT64_MAX: never. */
uint64_t prefetch_next_ms(const struct prefetch *p);

/* Settings have changed: names that are no longer to be kept are let go. */
void prefetch_settings_changed(struct prefetch *p);

/* Q, a refresh, has been held back for half of its name's hold: when that is over, a client would wait
 * for the same question, and it would go first. */
bool prefetch_is_pressed(const struct prefetch *p, const struct query *q);

/* May a refresh send a packet to ADDRESS, a server of ZONE (NULL: where no zone is told apart), now? 0, or
 * the milliseconds to wait. */
uint32_t prefetch_upstream_wait_ms(struct prefetch *p, const struct endpoint *address,
				   const uint8_t *zone);

struct prefetch_stats {
	size_t kept, running, waiting;
};
void prefetch_read_stats(const struct prefetch *p, struct prefetch_stats *out);
