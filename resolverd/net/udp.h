#pragma once
/*
 * UDP towards clients. Datagrams are received and answered in batches (recvmmsg, sendmmsg) with
 * buffers that are made once: the handler writes an answer straight into the batch that is sent
 * next. What cannot be answered at once is answered later along a copied struct udp_path.
 *
 * Each worker binds its own socket to each address (SO_REUSEPORT) and the kernel spreads clients
 * over them. Answers leave from the address that was asked, on wildcard sockets too. Answers are
 * at most UDP_ANSWER_MAX bytes and never follow a path MTU that a stranger may have forged; what
 * cannot be sent is dropped and counted: the client asks again. An ICMP error ends nothing.
 */
#include "base/endpoint.h"
#include "base/err.h"
#include "base/metrics.h"
#include "base/span.h"
#include "net/loop.h"
#include "net/socket.h"

enum {
	UDP_BATCH = 64,		  /* datagrams per system call: past this nothing is gained */
	UDP_QUERY_MAX = 4096,	  /* longer datagrams are no queries; they are dropped */
	UDP_ANSWER_MAX = 1232,	  /* fits every path with 1,280-byte packets (DNS flag day 2020) */
	UDP_BATCHES_PER_TURN = 4, /* then other descriptors get their turn */
	UDP_BATCHES_AT_END = 256, /* more than a full buffer of small packets */
	/* Batches of which one is measured: what a look at the clock costs, shared by so many, does
	 * not show in the cost of an answer. */
	UDP_BATCHES_PER_SAMPLE = 64,
	/* What needs work waits for it in a line of so many, in which others are answered in between; longer
	 * queries do not. Where it is full each query that comes has its work done before others are
	 * answered: so it takes what comes in a tenth of a second of ten thousand a second. */
	UDP_WORK_ROOM = 1024,
	UDP_WORK_QUERY_MAX = 512,
	UDP_RECEIVE_BUFFER =
		4 * 1024 * 1024, /* wanted SO_RCVBUF: 40 ms of a million small packets */
};

struct udp_socket;

struct udp_path { /* a value: the way back to a client */
	struct udp_socket *socket;
	struct endpoint peer;
	uint8_t local[16];  /* the address that was asked, as family of PEER; of wildcard sockets */
	uint32_t interface; /* its index; set if has_local */
	bool has_local;
};

/*
 * One datagram: write the answer into OUT (SIZE bytes) and return its length; UDP_LATER if it needs
 * more work, or UDP_NEVER. PACKET is borrowed. Must not close sockets.
 */
typedef ptrdiff_t udp_handler_fn(void *context, struct span packet, const struct udp_path *path,
				 uint8_t *out, size_t size_bytes);
enum { UDP_LATER = 0, UDP_NEVER = -1 };

/* Begin the work that PACKET needs: all that has come has been looked at, and the answers that needed none
 * have gone, so that nobody who is answered at once waits for those who came before him. Answered with udp_send() along a copy of PATH, or never. PACKET
 * is borrowed. Must not close sockets. */
typedef void udp_work_fn(void *context, struct span packet, const struct udp_path *path);

struct udp_settings {
	udp_handler_fn *handler;
	udp_work_fn *work;
	void *context;
	struct metrics *metrics; /* for a sample of the answers; NULL: none */
};

struct udp_batch;

struct udp_server { /* one thread; shared by its sockets */
	struct loop *loop;
	struct udp_batch *batch;
	struct udp_settings settings;
	struct udp_work *work; /* a ring of UDP_WORK_ROOM */
	unsigned work_first, work_count;
	bool held; /* udp_hold() */
	struct loop_timer work_timer;
	uint32_t batches;	  /* answered; wraps */
	uint64_t dropped_answers; /* the system did not take them */
	uint64_t drops;		  /* queries for which there was no room: udp_count_drops() */
};

struct udp_socket { /* one thread */
	struct udp_server *server;
	struct loop_watch watch;
	struct endpoint local; /* as bound: port 0 becomes the port chosen */
	bool wildcard;
	enum socket_owner owner;
	bool left;	/* udp_drain() */
	uint32_t drops; /* seen so far */
};

/* Buffers for the sockets of one thread. LOOP outlives it. ERR_NO_MEMORY. */
MUST_USE enum err udp_server_init(struct udp_server *u, struct loop *loop,
				  const struct udp_settings *settings);
void udp_server_deinit(struct udp_server *u);

/* Bind to LOCAL and start to receive; FD is a socket that is bound to it already and is taken over,
 * or -1. OWNER: whose it is. ERR_SYSTEM with errno
 * set; nothing is left open then. */
MUST_USE enum err udp_listen(struct udp_socket *s, struct udp_server *u,
			     const struct endpoint *local, int fd, enum socket_owner owner);
/* The end is near. What others have too is left to them: it is not read any more. On a socket of ours
 * everything is answered that has come, and as far as possible nothing more comes (socket_leave()).
 * Answers can still be sent. Again is fine, and reads what has come meanwhile. */
void udp_drain(struct udp_socket *s);
void udp_close(struct udp_socket *s);

/* Add to the server's count what S has had no room for since the last time: a system call. */
void udp_count_drops(struct udp_socket *s);

/* Until udp_release() no work is begun, so that sockets can be looked at (loop_breathe()) in the midst
 * of some: what needs work waits in line, and where there is no room, in the sockets. A query too long
 * for the line is dropped and counted: none has a name that long. */
void udp_hold(struct udp_server *u);
void udp_release(struct udp_server *u);

/* Send PACKET along PATH, whose socket is still open. Drops and counts what does not go. */
void udp_send(const struct udp_path *path, struct span packet);

/* Is there a route to the public internet over FAMILY (4 or 6)? Sends nothing. */
bool udp_has_route(uint8_t family);
