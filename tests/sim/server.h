#pragma once
/*
 * The authority model: what a host answers to a query, by RFC 1034 §4.3.2 over the zones it serves,
 * as far as its quirks let it. Says nothing about time and loss; that is the network's (net.h).
 */
#include "dns/edns.h"
#include "dns/message.h"
#include "sim/world.h"

enum { SERVER_REPLIES_MAX = 8 };

struct server_query {
	struct host *host;
	const struct message *message;
	bool tcp;
	uint64_t now_us; /* of the run */
};

struct server_reply {
	uint8_t *wire; /* malloc()ed; the caller's */
	size_t len;
	bool from_stranger; /* comes from another address than the one that was asked */
	bool early;	    /* an off-path forger is faster than the server */
};

struct server_replies { /* in the order they are sent */
	struct server_reply list[SERVER_REPLIES_MAX];
	unsigned count;
};

/* Everything that comes back for QUERY; nothing if the host keeps silent. */
void server_answer(struct world *w, struct prng *dice, const struct server_query *query,
		   struct server_replies *out);
