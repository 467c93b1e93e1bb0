#pragma once
/*
 * The network between the resolver and the hosts: takes its sends, has the host answer, and puts
 * the replies into the future - late, twice, out of order, or never.
 */
#include "resolve/resolver.h"

struct sim;

enum { NET_FLIGHTS_MAX = 2048 };

struct flight { /* a send that may still get replies */
	uint64_t token;
	struct endpoint peer;
	enum transport transport;
	uint64_t sent_us;
	uint32_t zone;
	bool has_room; /* takes a socket, or a connection */
};

struct net {
	struct flight flights[NET_FLIGHTS_MAX];
	unsigned flight_count;
	uint64_t sent;
	/* Sockets over UDP, and connections, as the machine has them; 0: without end. Of the former the
	 * resolver is told, or they are gone for what else runs there. */
	unsigned udp_room, tcp_room;
	bool room_is_told;
	bool is_deaf;	     /* worker 0 gets no replies any more: it is slow, or stuck */
	uint8_t lost_family; /* what is sent to its addresses is lost without a word; 0: none */
	bool forges_hints; /* somebody says by ICMP of every server that it is gone, sooner than it answers */
	bool late_replies; /* replies to cancelled sends are delivered all the same */
};

void net_send(struct sim *s, const struct action *action);
void net_cancel(struct sim *s, uint64_t token);
/* Is a reply for TOKEN still wanted? A lost send ends here. */
bool net_is_open(const struct sim *s, uint64_t token);
void net_close(struct sim *s, uint64_t token);
