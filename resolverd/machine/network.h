#pragma once
/*
 * What follows from the network beneath (net/monitor.h): where the daemon listens
 * (machine/listen.h), which of its own addresses have to be put back (machine/node_local.h), and by
 * which address families it asks. On the main thread; the workers are told.
 *
 * A family is usable while the kernel has a route to the world for it: asked by connecting a datagram
 * socket, which sends nothing and heeds every table, rule and prohibition that there is, where a
 * look for a default route would not.
 *
 * The machine's own addresses are kept where workers see them: strangers' delegations do not lead there
 * (resolve/askable.h). Where the kernel does not tell them, those told last stay.
 */
#include "cache/infra.h"
#include "config/config.h"
#include "machine/listen.h"
#include "machine/node_local.h"
#include "net/monitor.h"
#include "resolve/askable.h"
#include "worker/worker.h"

struct network { /* main thread; a closed one is zero */
	struct monitor monitor;
	struct listen *listen;
	struct node_local *node_local;	  /* set by the owner once it is open; NULL: it is not */
	struct snapshot *const *snapshot; /* what is in effect */
	struct worker *const *workers;
	unsigned worker_count;
	struct own_addresses *own; /* what workers know of the machine's addresses */
	struct infra *infra;
	uint64_t marks; /* of these addresses; 0: not looked at yet */
	bool route4, route6;
};

struct network_parts { /* borrowed */
	struct listen *listen;
	struct snapshot *const *snapshot;
	struct worker *const *workers; /* they do not run yet */
	struct own_addresses *own;
	struct infra *infra; /* forgets outages when the machine has other addresses */
};
/* False: an address of the configuration cannot be served, which was told. */
bool network_open(struct network *n, struct loop *loop, const struct network_parts *parts);
void network_close(struct network *n);

/* Look at once: the configuration has changed. */
void network_follow(struct network *n);
