#pragma once
/*
 * TCP towards clients, RFC 7766: many connections, many queries on each, answered in whatever order
 * the answers come. Whole messages go to a handler that answers at once or promises to answer later
 * by handle; a handle outlives its connection harmlessly.
 *
 * A connection is in one state at a time, and each state has its patience:
 *
 *   IDLE     nothing under way. Closed after idle_ms, sooner when connections run short; first with
 *            a FIN, so that a query that crosses it is not answered with a reset.
 *   PARTIAL  a message has begun. It gets TCP_MESSAGE_MS to arrive, however slowly it trickles.
 *   BUSY     queries are pending: not closed, also if the client has sent its FIN, unless its
 *            client holds more connections than its share and others need room.
 *   WRITING  answers wait for the client to read; TCP_WRITE_MS without any progress end it.
 *   CLOSING  our FIN is out; what still comes is thrown away until the client's FIN.
 *   DOOMED   broken; closed as soon as nobody stands on it.
 *
 * A query is TCP_QUERY_MAX bytes at most, as over UDP. Of a longer one the header is handed over alone,
 * which makes the answer FORMERR, and the rest is read past: those behind it are answered.
 *
 * What all connections hold, of messages begun and of answers not read, has a sum each. Past the first the
 * connections that have been in PARTIAL for longest are closed, past the second those that would write.
 *
 * Reading stops while too many queries are pending or too many bytes wait to be written. Where to
 * listen, and an end without loss, are the acceptor's: acceptor_listen(&server.acceptor, ...).
 *
 * One client may hold all connections while nobody else wants any. When they have run out, who holds
 * most for its weight (base/shares.h) makes room for who holds less: with one that is not busy, if it
 * can, else with the one that has done nothing for longest. Who holds most itself closes an idle one of
 * its own for a new one, or is turned away.
 */
#include <sys/queue.h>

#include "base/endpoint.h"
#include "base/err.h"
#include "base/shares.h"
#include "base/span.h"
#include "net/acceptor.h"
#include "net/loop.h"
#include "net/stream.h"

enum {
	/* Queries pending on one connection; more stay unread. Unbound and Knot: 32 and 100. */
	TCP_PENDING = 128,
	/* RFC 7766 §6.2.3 wants seconds; CoreDNS keeps connections for 10 s and must not find them
	 * closed. */
	TCP_IDLE_MS = 30000,
	/* A message may be long and the path lossy, but nobody needs this long for one. */
	TCP_MESSAGE_MS = 10000,
	TCP_WRITE_MS = 10000,
	TCP_CLOSING_MS = 2000,
	/* No query is longer: UDP_QUERY_MAX. */
	TCP_QUERY_MAX = 4096,
	/* Read at a time: what is behind the last query that may be pending waits in memory. */
	TCP_READ_MAX = 16 * 1024,
	/* Bytes of messages that have not come to their end, of all connections of one thread. */
	TCP_READ_TOTAL_MAX = 16 * 1024 * 1024,
	/* Below this many unwritten bytes reading goes on: one full answer. */
	TCP_WRITE_PAUSE = 65536,
	/* A connection whose client does not read is closed past this: answers to all that may be
	 * pending, at 4 kB each. */
	TCP_WRITE_MAX = 512 * 1024,
	/* The same for all connections of one thread. */
	TCP_WRITE_TOTAL_MAX = 64 * 1024 * 1024,
	/* Idle for at least this long before it makes room for another: a client that opens
	 * connections in a loop does not drive out those that are in use. */
	TCP_EVICT_MS = 1000,
	/* Connections of a client that are looked at for one that is not busy, when it has to give one. */
	TCP_EVICT_LOOK = 16,
	/* How often patience is looked at. */
	TCP_TICK_MS = 250,
};

enum tcp_state {
	TCP_STATE_IDLE,
	TCP_STATE_PARTIAL,
	TCP_STATE_BUSY,
	TCP_STATE_WRITING,
	TCP_STATE_CLOSING,
	TCP_STATE_DOOMED,
	TCP_STATE_COUNT
};

struct tcp_handle {    /* a value */
	uint32_t slot; /* below the limit on connections */
	uint32_t generation;
};

struct tcp_client {
	struct tcp_handle handle;
	struct endpoint peer;
};

/*
 * One message: write the answer into OUT (SIZE bytes, 65,535) and return its length; TCP_LATER if
 * tcp_answer() or tcp_drop() will be called for it (perhaps it has been, from within the handler);
 * TCP_NEVER if there will be no answer. PACKET is borrowed.
 */
enum { TCP_LATER = 0, TCP_NEVER = -1 };
typedef ptrdiff_t tcp_handler_fn(void *context, struct span packet, const struct tcp_client *client,
				 uint8_t *out, size_t size_bytes);
/* A connection ended with queries pending: nobody waits for their answers any more. Never called
 * from within tcp_answer() or tcp_drop(). */
typedef void tcp_gone_fn(void *context, struct tcp_handle handle);
/* As whom PEER counts where connections are short. */
typedef struct shares_holder tcp_holder_fn(void *context, const struct endpoint *peer);

struct tcp_settings {
	unsigned connections; /* in all */
	unsigned pending;     /* TCP_PENDING */
	uint32_t idle_ms;     /* TCP_IDLE_MS */
	size_t input_bytes;   /* TCP_READ_TOTAL_MAX */
	size_t output_bytes;  /* TCP_WRITE_TOTAL_MAX */
	tcp_handler_fn *handler;
	tcp_gone_fn *gone;
	tcp_holder_fn *holder;
	void *context;
};

struct tcp_connection;
TAILQ_HEAD(tcp_list, tcp_connection);

struct tcp_server { /* one thread */
	struct loop *loop;
	struct tcp_settings settings;
	struct tcp_connection *slots;
	struct tcp_list free;
	struct tcp_list states[TCP_STATE_COUNT]; /* longest in its state first */
	struct tcp_list waiting;		 /* for attention */
	struct loop_timer attention, tick;
	struct shares shares;
	struct acceptor acceptor;
	unsigned open_count;
	unsigned silent_count;	/* of the open ones, those that have asked nothing yet */
	size_t unwritten_bytes; /* in all queues */
	size_t unread_bytes;	/* the same of what has been read, but not to a message's end */
	uint64_t shed_input;	/* connections closed for want of room in that */
	uint64_t shed_output;	/* ... in what is to be written */
	uint8_t *incoming;	/* scratch: what was left of a message, and what was read */
	uint8_t *outgoing;	/* scratch: answers of one turn */
	uint8_t *frame;		/* scratch: one late answer */
	uint64_t accepted, rejected;
	uint64_t unfair; /* of those rejected: for the sake of who holds less */
};

/* LOOP outlives it. ERR_NO_MEMORY. */
MUST_USE enum err tcp_server_init(struct tcp_server *t, struct loop *loop,
				  const struct tcp_settings *settings);
/* Closes everything; gone() is not called. */
void tcp_server_deinit(struct tcp_server *t);

/* After acceptor_drain(). Nobody would lose by the end who has not had a chance: no connection still
 * waits to send its first query or the rest of one, or to be told an answer. */
bool tcp_is_drained(const struct tcp_server *t);

/* Answer one pending query. ERR_CLOSED if the connection is gone: the answer is dropped. */
MUST_USE enum err tcp_answer(struct tcp_server *t, struct tcp_handle handle, struct span packet);
/* Who waits behind HANDLE: NULL if the connection is gone. Borrowed until it is. */
const struct endpoint *tcp_peer(struct tcp_server *t, struct tcp_handle handle);
/* One pending query gets no answer. */
void tcp_drop(struct tcp_server *t, struct tcp_handle handle);

/* How long an idle connection may stay when OPEN of LIMIT connections are open: IDLE_MS up to half
 * of them, then less and less. */
uint32_t tcp_idle_ms(uint32_t idle_ms, unsigned open, unsigned limit);
