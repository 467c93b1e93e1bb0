#pragma once
/*
 * The client's side of the core: reads a client's query, applies the rules that need no resolving
 * (access, opcodes, classes, EDNS, cookies, CHAOS, local zones), answers from the cache, and writes
 * every reply that clients get. No allocation, no lock.
 */
#include "base/endpoint.h"
#include "base/hash.h"
#include "base/metrics.h"
#include "dns/cookie.h"
#include "dns/edns.h"
#include "resolve/answer.h"
#include "resolve/limiter.h"
#include "resolve/resolver.h"
#include "resolve/settings.h"

struct client { /* what must be remembered of a query to answer it later */
	uint64_t token;
	struct endpoint peer;
	enum transport transport;
	uint16_t id, flags; /* as received */
	uint16_t qtype, qclass;
	uint16_t size_limit;	  /* largest reply: 512..1232 over UDP, 65535 over TCP */
	uint8_t qname[DNAME_MAX]; /* case as received, to be echoed */
	uint8_t qname_len;
	bool trusted; /* its network is */
	bool is_real; /* nobody asks in its name: answers are not limited */
	bool has_question, has_edns, dnssec_ok, wants_nsid, wants_keepalive;
	bool authentic_wanted; /* AD or DO was set: AD may be told (RFC 6840 §5.7) */
	uint8_t cookie[COOKIE_CLIENT_SIZE +
		       COOKIE_SERVER_SIZE]; /* the COOKIE option for the reply */
	uint8_t cookie_len;		    /* 0: none */
	uint64_t arrived_ms;		    /* mono */
};

static inline bool client_checking_disabled(const struct client *c)
{
	return (c->flags & FLAG_CD) != 0;
}
static inline bool client_recursion_desired(const struct client *c)
{
	return (c->flags & FLAG_RD) != 0;
}

struct client_context { /* one resolver's */
	const struct settings *settings;
	struct cache_reader *reader;
	struct metrics *metrics;
	struct prefetch *prefetch; /* NULL: off */
	const struct hash_key *cookie_secret;
	struct limiter *limiter; /* NULL: answers are not limited */
	uint64_t now_us;	 /* mono, of the step in progress or the answer at once */
	uint32_t rotation;	 /* turns A/AAAA sets answer by answer */
	uint32_t spread;	 /* moves on with each TTL that is told shorter */
	uint16_t
		keepalive_100ms; /* told to TCP clients that ask (RFC 7828); CLIENT_KEEPALIVE_100MS */
};

enum { CLIENT_KEEPALIVE_100MS = 300 }; /* 30 s: twice what TCP connections are kept idle at least */

enum client_step {
	CLIENT_IGNORE,	/* no reply: shorter than a header, or a response */
	CLIENT_ERROR,	/* reply with *RCODE, *EDE */
	CLIENT_RESOLVE, /* a proper question */
};

struct client_error {
	uint16_t rcode, ede;
	const char *text;
};

/* Parse and check EV (EV_QUERY) into OUT: FORMERR, NOTIMP, BADVERS, REFUSED by access list (EDE
 * 18), BADCOOKIE is not used. RFC 1035, 6891, 7873, 8482, 8906. */
enum client_step client_view(const struct client_context *ctx, struct now now,
			     const struct event *ev, struct client *out,
			     struct client_error *error);

/* Each writes a whole reply into OUT (at least 512 bytes, else most become SERVFAIL) and returns its
 * length. What does not fit the client's limit is cut with TC (RFC 2181 §9). A bug of ours that shows
 * on the way makes SERVFAIL of it, counted and told in the log; 0 if even that has no room.
 * Past the rate of answers of C's network (resolve/limiter.h) each is cut to nothing, with TC; to who may
 * not ask nothing is said at all then: 0. */
size_t client_reply_error(struct client_context *ctx, const struct client *c,
			  const struct client_error *error, uint8_t *out, size_t size_bytes);
size_t client_reply_answer(struct client_context *ctx, const struct client *c,
			   const struct answer *a, uint8_t *out, size_t size_bytes);

enum client_age {
	CLIENT_FRESH,
	CLIENT_STALE, /* expired: TTLs become the settings' stale TTL, or the original if smaller */
	CLIENT_HELD,  /* expired, and being refreshed: TTLs of a second, as its successor is near */
};

/* From a cached entry: patches id, flags, case, TTLs, EDNS. Expired ones are told with EDE 3 or 19. */
size_t client_reply_entry(struct client_context *ctx, const struct client *c, const struct entry *e,
			  struct now now, enum client_age age, uint8_t *out, size_t size_bytes);

/* E, once expired, may answer C: stale answers are on, it is not too old, and it was good (RFC
 * 8767). */
bool client_may_use_stale(const struct client_context *ctx, const struct client *c,
			  const struct entry *e, struct now now);

/*
 * Everything that can be answered without resolving: errors, CHAOS, ANY (RFC 8482), local names,
 * `. NS` and every other fresh entry of the cache. RD=0 gets what the cache
 * holds, else what it deserves: SERVFAIL is wrong, REFUSED if the settings say so, else an empty
 * NOERROR without RA-data. (0 where that is stale: it is told at once, but only while it is being
 * resolved.) Fills CLIENT. Returns the reply's length, 0 if it must be resolved, RESOLVER_IGNORE. See
 * resolver_answer_now(). A fresh VERDICT_UNCHECKED or, without CD, VERDICT_BOGUS entry: unchecked
 * must be resolved (0); bogus is SERVFAIL with the entry's EDE and text; CD=1 gets the data. A fresh
 * ENTRY_FAILURE: SERVFAIL with its EDE, text and EDE 13 beside it - unless stale data may be served.
 */
ptrdiff_t client_answer_now(struct client_context *ctx, struct now now, const struct event *ev,
			    struct client *client, uint8_t *out, size_t size_bytes);

/* For CLIENT, which has been told 0 before: is there an answer in the cache meanwhile? 0: no. */
size_t client_answer_again(struct client_context *ctx, struct now now, const struct client *client,
			   uint8_t *out, size_t size_bytes);
