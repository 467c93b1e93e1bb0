#pragma once
/*
 * The listening TCP sockets of one thread, and who comes through them. It owns the sockets until they
 * are closed, and hands each connection over; what becomes of it is not known here.
 *
 * Accepting pauses, and never spins, when there is no room or descriptors run out; it is tried again
 * by acceptor_resume() and every ACCEPTOR_RETRY_MS.
 */
#include "base/endpoint.h"
#include "base/err.h"
#include "net/loop.h"
#include "net/socket.h"

enum {
	ACCEPTOR_LISTENERS_MAX =
		64, /* fifty addresses are what the largest network interfaces have */
	ACCEPTOR_RETRY_MS = 250,
};

/* May one more be accepted? Asked before each; it may make room. */
typedef bool acceptor_room_fn(void *context);
/* PEER has connected: FD is nonblocking, and the callee's. */
typedef void acceptor_take_fn(void *context, int fd, const struct endpoint *peer);

struct acceptor;

struct acceptor_listener {
	struct acceptor *acceptor;
	struct loop_watch watch;
	struct endpoint local; /* with its port, also if any was asked for */
	enum socket_owner owner;
	uint32_t drops; /* seen so far */
};

struct acceptor { /* one thread */
	struct loop *loop;
	acceptor_room_fn *room;
	acceptor_take_fn *take;
	void *context;
	struct loop_timer retry;
	struct acceptor_listener listeners[ACCEPTOR_LISTENERS_MAX];
	size_t listener_count; /* slots used so far; those that are not watched are free */
	bool paused;
	bool draining;	/* paused for good */
	uint64_t drops; /* connections for which a queue had no room: acceptor_count_drops() */
};

/* LOOP outlives it. */
void acceptor_init(struct acceptor *a, struct loop *loop, acceptor_room_fn *room,
		   acceptor_take_fn *take, void *context);
/* Close all sockets; who waits in them is not accepted. */
void acceptor_deinit(struct acceptor *a);

/* Bind to LOCAL, listen and accept. ERR_SYSTEM with errno set, or ERR_LIMIT.
 * FD is a socket that is bound to LOCAL already and is taken over (closed on errors), or -1. OWNER:
 * whose it is. */
MUST_USE enum err acceptor_listen(struct acceptor *a, const struct endpoint *local, int fd,
				  enum socket_owner owner);
/* Listen at LOCAL no more; who waits is accepted before. */
void acceptor_unlisten(struct acceptor *a, const struct endpoint *local);
/* There may be room again. */
void acceptor_resume(struct acceptor *a);
/* Accept nobody any more, so that who connects waits for the next one who listens, or is taken by
 * another who does; on a socket of ours those who wait are accepted before. Again is fine. */
void acceptor_drain(struct acceptor *a);

/* Add to the count what the listeners have had no room for since the last time: a system call each. */
void acceptor_count_drops(struct acceptor *a);
