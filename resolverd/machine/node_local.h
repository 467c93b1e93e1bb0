#pragma once
/*
 * Node-local mode: addresses that every node of a cluster has and that no network knows, made by the
 * daemon itself once it serves them and removed when it ends, so that a pod's resolver is always one on
 * its own node (and its packets pass no NAT and no connection tracking).
 *
 * They stand in "listen" like any other; here they are only made and removed. If the interface does not
 * exist it is made too, and removed if nothing else has come to stand on it. Several instances may
 * have the same addresses (their sockets share them, SO_REUSEPORT), so that one can be restarted: who
 * ends removes an address only when nobody listens there any more. Whoever takes an address away
 * meanwhile does not do so for long.
 *
 * What somebody else has made is used and left as it is. After a crash what is left bears our mark
 * (net/link.h) and is taken over.
 */
#include "config/config.h"
#include "net/netlink.h"

struct node_local { /* main thread; zero-initialised is closed */
	struct config_node_local wanted;
	struct netlink route, diagnosis;
	uint32_t made; /* by this process: a bit for each address */
	bool told;     /* that one cannot be made */
};

/* Have the addresses of WANTED (there may be none), whose sockets are bound already. False: it is told
 * why not. */
bool node_local_open(struct node_local *l, const struct config_node_local *wanted);
/* The network may have changed: put back what is gone. False: something cannot be; that is told,
 * once. */
bool node_local_look(struct node_local *l);
/* Our sockets are closed: remove what nobody else serves. */
void node_local_close(struct node_local *l);
