#pragma once
/*
 * The core: a full resolver without sockets, threads, files or clock. It is driven by events and
 * answers with actions; time comes in with each event, randomness from the seed it was made with.
 *
 *   struct actions out;
 *   resolver_step(r, now, &event, &out);
 *   for (i = 0; i < out.count; i++) perform(&out.list[i]);
 *   sleep until resolver_deadline_ms(r) or the next packet
 *
 * A step that comes half a second or more after the deadline means that the machine stood still: the
 * core's timers then stand still for as long (not its TTLs), so that a pause fails nobody.
 *
 * One thread each. Several resolvers share a cache and the knowledge of servers (infra, ranges).
 */
#include "base/endpoint.h"
#include "base/loss.h"
#include "base/metrics.h"
#include "base/now.h"
#include "base/rng.h"
#include "base/shares.h"
#include "cache/cache.h"
#include "cache/infra.h"
#include "cache/ranges.h"
#include "resolve/prefetch_change.h"
#include "resolve/settings.h"
#include "resolve/trace.h"

struct asking_shared;
struct own_addresses;
struct resolver;
struct prefetch_shared;
struct throttle;

enum transport { TRANSPORT_UDP, TRANSPORT_TCP };

enum event_kind {
	EV_QUERY, /* a client asks: token is the caller's handle for this client query */
	EV_REPLY, /* bytes came back for a send: token of the ACT_SEND. Several may come for one
			token: what does not match is waited out */
	EV_LOST,  /* a send can have no reply any more, and whose doing that is. Not with LOSS_HINT:
			then it goes on, and may be told lost again */
	EV_DEADLINE, /* resolver_deadline_ms() has passed */
	EV_NETWORK,  /* address families of the machine: see family fields */
	EV_GONE,     /* the client of this token went away (connection closed): answer nothing */
	EV_REFRESH,  /* ask for name and type anew, whatever the cache holds; nobody waits */
	EV_WATCH, /* the same for an operator, who is told by a report that is marked as watched */
	EV_RECALLED, /* what was to come later (RECALL_LATER) has come, or will not: token, found. May be
			late, or never come */
};

struct event {
	enum event_kind kind;
	uint64_t token;
	struct span packet;	     /* borrowed until resolver_step() returns */
	const struct endpoint *peer; /* EV_QUERY: the client; EV_REPLY: who it came from */
	enum transport transport;    /* of the packet */
	bool fragmented;	     /* EV_REPLY: the packet came in pieces */
	enum loss loss;		     /* EV_LOST */
	bool has_ipv4, has_ipv6;     /* EV_NETWORK: a route exists */
	const uint8_t *name;	     /* EV_REFRESH, EV_WATCH */
	uint16_t type;		     /* EV_REFRESH, EV_WATCH */
	bool cached;		     /* EV_WATCH: what is cached will do, as for a client */
	bool from_root;		     /* EV_WATCH: nor take delegations from the cache */
	bool refresh;		     /* EV_WATCH: as EV_REFRESH, with the room of refreshes */
	bool found;		     /* EV_RECALLED: something is in the cache that was not */
};

enum action_kind {
	ACT_SEND, /* packet to peer over transport; a fresh random port for each UDP send; on TCP an
		       open connection to peer may be reused and pipelined */
	ACT_CANCEL, /* no reply is wanted for this token any more */
	ACT_ANSWER, /* packet to the client of this token; ends the token */
	ACT_DROP,   /* the client of this token gets nothing; ends the token */
};

struct action {
	enum action_kind kind;
	uint64_t token;
	struct span packet; /* valid until the next resolver_step() */
	struct endpoint peer;
	enum transport transport;
	uint32_t
		zone; /* ACT_SEND: the same for all that is asked for one zone, so that zones can have
			  equal shares of what is short */
};

struct actions { /* owned by the resolver; valid until the next resolver_step() */
	const struct action *list;
	size_t count;
};

/*
 * The validated DNSKEY set of ZONE, which has a managed trust anchor, for anchor_observe(): told when
 * it has been asked for, at most once in RESOLVER_OBSERVE_MS for each zone and resolver. Borrowed for
 * the call.
 */
enum { RESOLVER_OBSERVE_MS = 3600 * 1000 };
typedef void resolver_observe_fn(void *context, const uint8_t *zone, const struct rrset *dnskeys,
				 const bool *self_signed);

/* A reply of the forward zone ZONE about NAME, from SERVER, has been validated, or could not be: then
 * without any signature, although NAME lies in a signed zone. Borrowed for the call. */
struct resolver_forwarded {
	const uint8_t *zone, *name;
	const struct endpoint *server;
	bool has_signatures;
};
typedef void resolver_forwarded_fn(void *context, const struct resolver_forwarded *f,
				   struct now now);

/*
 * Memory does not know: bring what a slower tier keeps under NAME (lower case) into the cache, by
 * cache_restore(). Called within a step, so it waits for nothing and nobody: what cannot be had at once
 * is asked for, with what is kept under the names above, and EV_RECALLED with TOKEN is told when it is
 * there. TOKEN 0: it is not to be asked for. RECALL_UNKNOWN is nothing for now: it cannot be asked, and may
 * yet keep something.
 */
enum recall { RECALL_NOTHING, RECALL_FOUND, RECALL_LATER, RECALL_UNKNOWN };
typedef enum recall resolver_recall_fn(void *context, const uint8_t *name, uint64_t token,
				       struct now now);

struct resolver_parts { /* what a resolver is made of; all borrowed and outliving it */
	const struct settings *settings;
	struct cache *cache;
	struct cache_reader *reader;
	struct infra *infra;
	struct ranges *ranges; /* NULL: no aggressive use of NSEC */
	struct metrics *metrics;
	struct throttle
		*throttle; /* rate limits of zones, shared by all resolvers; NULL: an own one */
	const struct own_addresses
		*own_addresses; /* of the machine, which are not asked; NULL: none known */
	struct prefetch_shared
		*prefetch;	      /* which resolver keeps which name fresh; NULL: an own one */
	struct asking_shared *asking; /* which resolver asks what; NULL: nobody waits for others */
	struct rng rng;		      /* copied */
	/* Sends over UDP that may be open at a time, as each takes a socket; 0: without end. */
	unsigned udp_sockets;
	const struct hash_key
		*cookie_secret; /* shared by all resolvers, so a client's cookie is good
						 at each */
	/* That all questions in progress may hold; 0: LIMIT_QUESTION_BYTES. */
	size_t question_bytes;
	resolver_recall_fn *recall; /* NULL: memory is all there is */
	void *recall_context;
	/* NULL: nobody follows rollovers. */
	resolver_observe_fn *observe_keys;
	void *observe_context;
	resolver_forwarded_fn *forwarded; /* NULL: nobody is told */
	void *forwarded_context;
	/* Told of every question that a client, the prefetch engine or an operator asked, when it ends.
	 * NULL: nothing is traced. */
	trace_report_fn *report;
	void *report_context;
	/* Told of every refresh that brought other data. NULL: nobody. */
	prefetch_change_fn *changed;
	void *changed_context;
};

MUST_USE enum err resolver_new(const struct resolver_parts *parts, struct resolver **out);
/* Open queries are dropped without an answer. */
void resolver_free(struct resolver *r);

void resolver_step(struct resolver *r, struct now now, const struct event *ev, struct actions *out);

/* When EV_DEADLINE is due next, in milliseconds of now.mono_us / 1000; UINT64_MAX: never. */
uint64_t resolver_deadline_ms(const struct resolver *r);

/*
 * The hit path: answer PACKET at once if that needs no resolution - from the cache, local zones,
 * or as an error. Writes the reply into OUT (65,535 bytes for TCP; at least 1,232 for UDP) and
 * returns its length; 0 means that the query must go through resolver_step(EV_QUERY);
 * RESOLVER_IGNORE that it deserves no answer at all (too short, or itself a response).
 * No allocation, no lock, no system call.
 */
enum { RESOLVER_IGNORE = -1 };
ptrdiff_t resolver_answer_now(struct resolver *r, struct now now, const struct event *query,
			      uint8_t *out, size_t size_bytes);

/* E, popular before a restart, has just been put into the cache: keep it fresh if it is worth it, at
 * once where it has expired. Between steps, and not out of cache_walk(). */
void resolver_keep(struct resolver *r, struct now now, const struct entry *e);

/* The machine's memory may have been copied: go on with other random numbers than the copy does. Between
 * steps. */
void resolver_renew(struct resolver *r);
/* ... and with another secret for cookies, which clients and servers then have to learn. */
void resolver_set_cookie_secret(struct resolver *r, const struct hash_key *secret);

/* Adopt new settings; queries in progress keep the old ones, which must live until
 * resolver_settings_in_use(old) is false. */
void resolver_set_settings(struct resolver *r, const struct settings *settings);
bool resolver_settings_in_use(const struct resolver *r, const struct settings *settings);

/* As whom CLIENT counts where something is short. */
struct shares_holder resolver_holder_of(const struct resolver *r, const struct endpoint *client);

/* Invariants and figures for tests and status. */
struct resolver_stats {
	size_t open_queries, open_sends, waiting_clients;
	size_t kept_names, open_refreshes, waiting_refreshes;
	/* Of all questions in progress: now, the most so far, and what it may be; what one turn of one
	 * question takes may come on top. */
	size_t question_bytes, max_question_bytes, question_bytes_limit;
	uint64_t shed_questions; /* given up for want of that, or of LIMIT_QUERIES */
	/* the most that any client query has cost: upstream packets, signatures, NSEC3 hashes */
	unsigned max_sends_per_client, max_signature_checks_per_client, max_nsec3_hashes_per_client;
	/* of validation, by estimate: LIMIT_TURN_WORK_US, and what is too small to be put off */
	uint64_t max_step_work_us, total_work_us;
};
void resolver_read_stats(const struct resolver *r, struct resolver_stats *out);
