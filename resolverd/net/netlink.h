#pragma once
/*
 * Netlink: asking the kernel about the network beneath, and telling it. Whoever asks fills a request
 * with libmnl (mnl_nlmsg_put_header() and on) and hands it to netlink_ask(), which waits for the
 * whole reply: the kernel has it ready when the request is sent, so this takes microseconds for an
 * order and milliseconds for a long list, and may be done on the main thread.
 *
 * Replies are bounded in number and in time. What is cut short or not for us is passed over and
 * counted: the kernel does not lie, but it may be newer than we are.
 */
#include <linux/netlink.h>

#include "base/err.h"
#include "base/span.h"

enum {
	NETLINK_REQUEST_MAX = 1024, /* bytes: room for any request of ours */
	/* Of one reply, as the kernel makes them for lists (NLMSG_GOODSIZE, at most 32 KiB). */
	NETLINK_BUFFER_SIZE = 32 * 1024,
	/* Messages in one reply. A machine with a hundred thousand addresses or sockets is in trouble
	 * already, but it must not stand still for our sake. */
	NETLINK_MESSAGES_MAX = 200 * 1000,
	NETLINK_PATIENCE_MS = 1000, /* without a sign from the kernel, which answers at once */
	NETLINK_TRIES = 4,	    /* for a list that changes while it is told */
};

struct netlink {      /* one thread; zero but for PROTOCOL at first */
	int protocol; /* NETLINK_ROUTE, NETLINK_SOCK_DIAG */
	uint32_t sequence;
	uint64_t malformed; /* messages that were passed over */
};

/* A message of a reply; its header has been checked against its length, its contents have not. */
typedef void netlink_fn(void *context, const struct nlmsghdr *message);

/* A bound socket for PROTOCOL that never blocks; -1 with errno. netlink_ask() needs none: it opens and
 * closes its own, so that nothing of a reply that was given up is left for the next. */
int netlink_open(int protocol);

/*
 * Send REQUEST, whose length, type and contents are set (and NLM_F_DUMP, if a list is wanted; the
 * other flags and the sequence number are set here), and hand every message of the reply to FN (NULL:
 * there is none to be had). A list that changed meanwhile is told again from its beginning, after
 * BEGIN (NULL: nothing to forget) was called with CONTEXT, as it is before the first one.
 *
 * ERR_SYSTEM with errno, which may be the kernel's refusal (EEXIST, EPERM, ENODEV, ...); ERR_LIMIT: too
 * many messages, of which FN got the first NETLINK_MESSAGES_MAX; ERR_BUSY: it kept changing, and FN
 * got something near the truth.
 */
MUST_USE enum err netlink_ask(struct netlink *n, struct nlmsghdr *request,
			      void (*begin)(void *context), netlink_fn *fn, void *context);

/* ---- for netlink_ask(), tests and fuzzing ---- */

enum netlink_more {
	NETLINK_MORE,	  /* the reply goes on */
	NETLINK_DONE,	  /* this was its end */
	NETLINK_REFUSED,  /* errno says why */
	NETLINK_CHANGED,  /* the end, but the list has changed while it was told */
	NETLINK_TOO_MANY, /* LEFT had come down to 0 */
};

struct netlink_reply { /* one reply as it comes in */
	uint32_t sequence;
	unsigned left; /* messages that may still come */
	bool changed;
	uint64_t malformed;
	netlink_fn *fn;
	void *context;
};

/* Take in BYTES, what one recv() brought, aligned as a struct nlmsghdr. */
enum netlink_more netlink_take(struct netlink_reply *r, struct span bytes);
