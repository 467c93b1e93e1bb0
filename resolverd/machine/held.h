#pragma once
/*
 * Sockets that outlive the daemon, because the service manager holds them too: what is asked during a
 * restart, an upgrade or after a crash waits in them, and the next daemon answers it. They come in two
 * ways:
 *
 * - A socket unit has **bound** them for us (sd_listen_fds(3)). Several of one address (ReusePort=)
 *   are spread over the workers; one is shared by all of them. The configuration stays the truth: what
 *   stands not in it is not served.
 * - We have bound them, and the service manager has **kept** a duplicate of each
 *   (sd_pid_notify_with_fds(3)), which a restart brings back. What is not served any more is given up,
 *   so that nobody waits in a socket that is not read.
 */
#include "base/endpoint.h"
#include "net/socket.h"

enum { HELD_MAX = 1024 };

struct held { /* main thread */
	struct held_socket {
		int fd;	   /* ours; -1: another's, we know of it only */
		bool kept; /* else bound for us */
		bool tcp;
		struct endpoint local;
		uint64_t inode; /* which socket it is, whatever its descriptor */
	} list[HELD_MAX];
	size_t count;
	unsigned keeps; /* how many the service manager keeps at most */
};

typedef bool held_wanted_fn(const void *context, const struct endpoint *local);

/* Take what the service manager has. Of what WANTED does not name, the kept ones are given up. */
void held_take(struct held *h, held_wanted_fn *wanted, const void *context);

/* How many came from before us for LOCAL, and are not given up. */
unsigned held_count(const struct held *h, const struct endpoint *local, bool tcp);
/* A duplicate of the NTH of them, below held_count(); -1 with errno. */
int held_duplicate(const struct held *h, const struct endpoint *local, bool tcp, unsigned nth);
/* Were all of them kept for us, so that others of ours may be bound beside them? */
bool held_is_ours(const struct held *h, const struct endpoint *local, bool tcp);

/* Have the service manager keep FD, which is bound to LOCAL. False: it goes with us. */
bool held_keep(struct held *h, int fd, const struct endpoint *local, bool tcp);
/* The kept ones of LOCAL, over UDP and TCP, shall end with those who serve them. */
void held_give_up(struct held *h, const struct endpoint *local);
