#pragma once
/*
 * Queries to other servers and what comes back. Each UDP query has a socket of its own, bound to an
 * unpredictable port and connected to its server (RFC 5452 §9.2, §10), and everything that arrives
 * on it is reported until the query is cancelled: which reply is good, and how long to wait for a
 * better one, is not decided here. TCP queries share connections (net/pool.h).
 *
 * No datagram of ours is fragmented, whatever ICMP messages say of a path. One that came in fragments is
 * reported as such where that can be seen: since Linux 4.10, and where this machine put them together.
 * What a network card, a tunnel or a firewall on the way has put together looks whole.
 *
 * A query is out from outbound_send() until it is cancelled or reported lost. Losses are what the
 * system tells: no route, connection refused or closed, no descriptor left; whose doing that is goes
 * with it. They are never reported from within outbound_send(), always from the loop. What an ICMP
 * message says is told too, as a hint: anybody can write one who guesses a port out of 64,512, so the
 * query stays out.
 */
#include "base/endpoint.h"
#include "base/err.h"
#include "base/loss.h"
#include "base/rng.h"
#include "base/span.h"
#include "net/loop.h"
#include "net/pool.h"

enum {
	/* Ports that are tried before the system may choose one: with a thousand in use of 64,512
	 * each is free with a probability of 98 %. */
	OUTBOUND_PORT_TRIES = 8,
	OUTBOUND_PORT_MIN = 1024,
	/* Datagrams read from one socket per turn: a flood to one port must not hold up others. */
	OUTBOUND_READS_PER_TURN = 16,
	/* Nobody waits this long for a reply; whatever is still out then was forgotten. */
	OUTBOUND_FORGOTTEN_MS = 60000,
	OUTBOUND_TICK_MS = 1000,
};

struct outbound_reply {
	uint64_t token;
	struct span packet; /* borrowed */
	struct endpoint peer;
	bool tcp;
	bool fragmented; /* came in pieces, only the first of which bears port and id */
};
typedef void outbound_reply_fn(void *context, const struct outbound_reply *reply);
/* TOKEN is not out any more; but with LOSS_HINT, which comes once at most, it is. */
typedef void outbound_lost_fn(void *context, uint64_t token, enum loss loss);

struct outbound_query;
TAILQ_HEAD(outbound_queries, outbound_query);

struct outbound_settings {
	unsigned udp_sockets; /* open at a time; what would need more is lost */
	size_t input_bytes;   /* of replies over TCP that have begun; 0: POOL_READ_TOTAL_MAX */
	outbound_reply_fn *reply;
	outbound_lost_fn *lost;
	void *context;
};

struct outbound { /* one thread */
	struct loop *loop;
	struct outbound_settings settings;
	struct rng rng; /* ports */
	struct pool pool;
	struct outbound_queries queries; /* oldest first */
	struct outbound_queries doomed;	 /* to be reported lost */
	struct outbound_query **buckets; /* by token */
	size_t bucket_mask;
	unsigned udp_count;
	struct loop_timer tick, attention;
	uint8_t *scratch;
	uint64_t lost_count; /* hints are none */
};

/* LOOP outlives it; RNG is copied. ERR_NO_MEMORY. */
MUST_USE enum err outbound_init(struct outbound *o, struct loop *loop, const struct rng *rng,
				const struct outbound_settings *settings);
/* Closes everything; nothing is reported any more. */
void outbound_deinit(struct outbound *o);

/* The machine's memory may have been copied: choose other ports than the copy does. */
void outbound_renew(struct outbound *o);

struct outbound_packet {
	struct span bytes;
	struct endpoint peer;
	bool tcp;
	uint32_t zone; /* of the question: pool_send() */
};
/* Send PACKET. TOKEN is not out. */
void outbound_send(struct outbound *o, uint64_t token, const struct outbound_packet *packet);
/* No reply is wanted for TOKEN any more. Nothing happens if it is not out. */
void outbound_cancel(struct outbound *o, uint64_t token);
