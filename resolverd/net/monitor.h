#pragma once
/*
 * The network beneath: tells when addresses, links, routes or rules of the machine change, and what
 * addresses there are.
 *
 * The kernel's messages are only a bell. What holds now is asked for anew (netlink.h), so that it does
 * not matter whether a message was lost in a storm, came twice or means something that we
 * do not know: there is no copy of the kernel's tables that could drift away from them. After the
 * bell has rung the ear is shut for MONITOR_SETTLE_MS, while messages pile up in a buffer of bounded
 * size: however fast the network changes, the main thread looks at it ten times a second.
 *
 * It looks every MONITOR_POLL_MS without being told too, for where netlink is forbidden (a container's
 * filter), and for changes that ring no bell.
 */
#include <linux/if_addr.h>

#include "base/endpoint.h"
#include "net/loop.h"
#include "net/netlink.h"

#ifndef IFA_PROTO /* Linux before 5.18, which ignores it */
#define IFA_PROTO 11
#endif

enum {
	MONITOR_SETTLE_MS = 100, /* a fifth of what a client waits before it asks again, at most */
	MONITOR_POLL_MS = 5000,
	MONITOR_SOON_MS = 1000,
	/* Messages thrown away at a time. The default buffer (net.core.rmem_default) holds a few
	 * hundred; what is left rings again. */
	MONITOR_DRAIN_MAX = 4096,
};

struct monitor_address {
	struct endpoint address; /* port 0; with the scope if it is link-local (RFC 4007) */
	uint32_t interface;	 /* its number */
	bool usable;		 /* not tentative any more, and no duplicate (RFC 4862 §5.4) */
	uint8_t protocol;	 /* who made it, as far as he says so (IFA_PROTO); 0: unknown */
};

typedef void monitor_fn(void *context);

struct monitor { /* one thread */
	struct loop *loop;
	struct loop_watch watch; /* watched: messages come */
	struct loop_timer timer;
	uint64_t looked_us;
	struct netlink netlink;
	uint64_t rings; /* messages that came */
	monitor_fn *fn;
	void *context;
};

/* Call FN with CONTEXT from the loop whenever the network may have changed. ERR_SYSTEM with errno if
 * messages cannot be had: then FN is still called, every MONITOR_POLL_MS. */
enum err monitor_open(struct monitor *m, struct loop *loop, monitor_fn *fn, void *context);
void monitor_close(struct monitor *m);
/* Call FN again within a second: something could not be done. */
void monitor_look_soon(struct monitor *m);

typedef void monitor_address_fn(void *context, const struct monitor_address *address);
/* Call FN for each address of the machine, after BEGIN, which may be called again to start anew (as
 * netlink_ask() does). Its errors; malformed addresses are passed over and counted in m->netlink. */
MUST_USE enum err monitor_addresses(struct monitor *m, void (*begin)(void *context),
				    monitor_address_fn *fn, void *context);

/* What RTM_NEWADDR says. False: it is something else, of another family, or malformed. */
bool monitor_read_address(const struct nlmsghdr *message, struct monitor_address *out);
