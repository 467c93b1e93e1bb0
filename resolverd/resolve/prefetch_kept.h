#pragma once
/*
 * Inside of the prefetch engine: a name that is kept, shared by prefetch.c, which decides when it is
 * refreshed, and prefetch_end.c, which decides what a refresh that has come in means for it.
 */
#include "resolve/prefetch.h"
#include "resolve/query.h"

enum {
	/* A forwarder's cache counts in seconds; ours expires a bit early. */
	KEPT_FORWARD_RETRY_MS = 500,
	KEPT_REST_MS = 5000, /* an outage is over seconds after it has ended, whoever asks */
};

struct kept {		       /* one thread */
	struct heap_node node; /* in p->due by time, or in p->waiting by yield */
	struct kept *next;     /* of the bucket */
	uint64_t hash;
	struct query *query; /* the refresh in progress */
	struct popularity popularity;
	int64_t expires_ms; /* of the answer that is being kept fresh; cache_ms */
	int64_t revived_ms; /* when it was found expired, as after a restart; 0: never */
	int64_t retry_ms;   /* not before; cache_ms */
	uint32_t ttl_s, chain_ms, jitter_ms;
	uint32_t refreshed_s; /* when the last refresh came in; 0: none */
	uint16_t qtype;
	uint8_t failures;
	/* The flip guard: when a denial was first told and not believed (cache_ms; 0: none is in
	 * doubt), and by whom. */
	int64_t doubt_ms;
	struct endpoint denier;
	/* The last change: when it was told (cache_ms; 0: never), by whom, and what it replaced. */
	int64_t changed_ms;
	uint32_t tellers[TELLERS_MAX]; /* hashes of their addresses: there may be many names */
	uint64_t replaced;	       /* a hash of that */
	/* A refresh would have gone back to it, and is repeated; since when there are such, and who said so. */
	bool return_doubted;
	int64_t return_ms; /* 0: there are none */
	uint32_t returners[TELLERS_MAX];
	bool rotates; /* changes are the rule: nobody is followed or doubted */
	bool waiting; /* for the token bucket */
	bool forwarded;
	uint8_t qname[];
};

struct prefetch {
	struct resolver *resolver;
	struct prefetch_shared *shared, *own;
	struct kept **buckets;
	struct rotations *rotations; /* of names whose data changes often */
	struct heap due, waiting;
	size_t count, running;
	uint64_t token_ms; /* when the bucket may have a token again */
	uint8_t owner;
};

static inline const struct prefetch_settings *kept_settings_of(const struct prefetch *p)
{
	return &p->resolver->settings->prefetch;
}

static inline uint32_t kept_seconds_of(struct now now)
{
	return (uint32_t)((uint64_t)now.cache_ms / 1000);
}

/* The entry that answers K, for clients WITH_SIGS or without. */
const struct entry *kept_find(const struct prefetch *p, const struct kept *k, bool with_sigs);
/* Take in what clients have counted since, and put back what a new entry does not know. Returns the
 * entry. */
const struct entry *kept_absorb(struct prefetch *p, struct kept *k);
/* The last refresh of K was of use, or not. */
void kept_count_use(struct prefetch *p, struct kept *k);
/* Until when K is refreshed, if that does not succeed. */
int64_t kept_hold_until_ms(const struct kept *k, const struct prefetch_rule *rule);
/* Find the time when something has to be done for K, which is not waiting and has no refresh in
 * progress. May let it go. */
void kept_plan(struct prefetch *p, struct kept *k);

/* ---- failovers that have come to some servers ---- */

/* Servers may disagree about the change of K: refreshes follow those that told it. */
static inline bool kept_has_changed(const struct kept *k, struct now now)
{
	return k->changed_ms > 0 && !k->rotates && now.cache_ms < k->changed_ms + LIMIT_CHANGED_MS;
}

/* ---- the flip guard -------------------------------------------------------------------------- */

/* K's next refresh is to confirm a denial: asked of others than K's denier, over TCP. */
static inline bool kept_is_in_doubt(const struct kept *k, const struct prefetch_rule *rule,
				    struct now now)
{
	return k->doubt_ms > 0 && now.cache_ms < k->doubt_ms + (int64_t)rule->flip_guard_ms;
}
