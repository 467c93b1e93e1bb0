#pragma once
/*
 * TCP connections to upstream servers (RFC 7766 as client): opened when needed, shared by the
 * queries to one server, which are pipelined and may be answered in any order. Queries on one
 * connection differ in their DNS id, by which replies are told apart; where two would be equal the
 * second goes to another connection.
 *
 * A connection without queries is kept for POOL_IDLE_MS. One that its server closes while queries
 * are out had perhaps been closed before they came: if it has served others, they are sent again
 * over a new one; else they are lost. Some servers close after each answer: from then on they get a
 * query at a time on each connection, as far as there are connections for it, and the others are
 * sent again as long as each connection brings an answer to somebody. One that leaves queries
 * unanswered gets no more.
 *
 * Connections are few, and a server that accepts and falls silent holds one for as long as somebody
 * waits. So once half of them are in use no server gets another while it has one, nor a zone while
 * POOL_ZONE_SHARE of those that were opened for it have brought nothing; and when all are, the one gives
 * way that has been idle longest, else the one that has waited longest, if longer than a server needs
 * that is there. What was out on it has yielded, which says nothing of its server.
 */
#include <sys/queue.h>

#include "base/endpoint.h"
#include "base/err.h"
#include "base/loss.h"
#include "base/span.h"
#include "net/loop.h"
#include "net/stream.h"

enum {
	/* In all, per thread: far more than there are servers that need TCP at one time. */
	POOL_CONNECTIONS = 256,
	/* To one server. Servers limit clients: NSD to 100 connections for everybody. */
	POOL_PER_SERVER = 4,
	/* Queries in flight on one connection before another is opened, and at most. */
	POOL_SPREAD = 8,
	POOL_PIPELINE = 64,
	/* RFC 7766 §6.2.3: few seconds; RFC 7828 servers commonly say 10 or 20. */
	POOL_IDLE_MS = 10000,
	/* A handshake that takes longer comes too late for the client. */
	POOL_CONNECT_MS = 2000,
	/* Nothing heard for so long, not even that the connection is made: it may have to give way. As
	 * long as a round trip around the world. */
	POOL_WAITED_MS = 400,
	POOL_ZONE_SHARE = 16,
	/* Times that a query is sent again, as others were answered: with four connections that bring
	 * one answer each it takes so many until a pipeline is empty. */
	POOL_AGAIN_MAX = POOL_PIPELINE / POOL_PER_SERVER,
	/* Servers that closed with queries out, and for how long that is remembered. */
	POOL_CLOSERS = 32,
	POOL_CLOSER_MS = 60000,
	/* Queries given up in a row, after at least so long, before a connection gets no more. */
	POOL_UNANSWERED = 2,
	POOL_ANSWER_MS = 500,
	/* Messages in a row that answer nothing. Cancelled queries leave late replies behind; a
	 * server that sends more than this is not worth reading. */
	POOL_STRANGERS = 2 * POOL_PIPELINE,
	/* Bytes that a server has not taken: all queries of a connection, at 4 kB each. */
	POOL_WRITE_MAX = 256 * 1024,
	/* Replies that have not come to their end, of all connections together: each may be 64 kB. */
	POOL_READ_TOTAL_MAX = 16 * 1024 * 1024,
	POOL_TICK_MS = 250,
};

struct pool_connection;
TAILQ_HEAD(pool_connections, pool_connection);

struct pool_query { /* inside its owner; not copied while it is out */
	TAILQ_ENTRY(pool_query) in_connection;
	struct pool_connection *connection; /* NULL: not out */
	struct stream_queue copy;	    /* framed, to be sent again */
	uint64_t sent_us;
	unsigned again; /* times that it has been */
	bool answered;
	uint16_t id;
};
TAILQ_HEAD(pool_queries, pool_query);

/* A message came for QUERY, which stays out until it is cancelled: the owner may wait for a better
 * one. MESSAGE is borrowed. */
typedef void pool_reply_fn(void *context, struct pool_query *query, struct span message);
/* QUERY is not out any more and will have no reply. Never called from within pool_send(). */
typedef void pool_lost_fn(void *context, struct pool_query *query, enum loss loss);

struct pool_closer {
	struct endpoint server;
	uint64_t until_us;
};

struct pool { /* one thread */
	struct loop *loop;
	pool_reply_fn *reply;
	pool_lost_fn *lost;
	void *context;
	struct pool_connections connections; /* longest without a query first */
	unsigned count;			     /* of those that have a descriptor */
	struct loop_timer tick, attention;
	struct pool_closer closers[POOL_CLOSERS]; /* the one that ends first goes */
	uint8_t *scratch;
	/* Held of replies that have begun, and the most that it may be (the owner may lower it): past
	 * that the connection which holds most is closed. */
	size_t unread_bytes, unread_limit;
	uint64_t shed_input; /* how many were */
};

/* LOOP outlives it. ERR_NO_MEMORY. */
MUST_USE enum err pool_init(struct pool *p, struct loop *loop, pool_reply_fn *reply,
			    pool_lost_fn *lost, void *context);
/* Closes all connections; lost() is not called for queries that are out. */
void pool_deinit(struct pool *p);

struct pool_target {
	struct endpoint server;
	uint32_t zone; /* any number that is the same for all questions of one zone */
};
/* Send PACKET (12 bytes at least) to TARGET. QUERY is zero or was out before. ERR_LIMIT,
 * ERR_NO_MEMORY: there is no room here; ERR_SYSTEM: no way there. It is not out then. */
MUST_USE enum err pool_send(struct pool *p, struct pool_query *query, struct span packet,
			    const struct pool_target *target);
/* No reply is wanted any more. Nothing happens if QUERY is not out. */
void pool_cancel(struct pool *p, struct pool_query *query);
