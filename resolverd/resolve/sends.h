#pragma once
/*
 * The sends that are open: slots with tokens, and room for so many over UDP as the machine has sockets
 * for. Each open send holds a socket until it is answered, cancelled, or too late.
 *
 * The room is everybody's, and anybody can make questions that wait: for zones whose servers are silent.
 * So who fills it does not keep others out of it:
 *
 *   - While half of it is free nobody is limited.
 *   - Past that no server and no zone gets more than its share, and nobody hedges.
 *   - When it is full, sends whose time is over, and whose replies would only be welcome, give way to new
 *     ones, the oldest first; then those that have waited so long that a server which is there would have
 *     answered.
 *
 * Who finds no room waits a little and tries again (upstream_starve()). That is nobody's fault: it is
 * not held against a server, nor remembered as the name's failure.
 *
 * Counts of servers and zones are kept in two rows of counters each, at places that a keyed hash tells:
 * as much memory for millions as for one. The lower of the two counts is never too low, and too high
 * only where both places are shared with somebody busy.
 */
#include <sys/queue.h>

#include "base/endpoint.h"
#include "base/hash.h"
#include "base/now.h"

struct query;
struct resolver;
struct send;
TAILQ_HEAD(send_list, send);

enum {
	SENDS_COUNTERS = 4096, /* in a row: as many as there are sockets at most */
	/* Of the room: what one server and one zone get of it once half is in use. A server that
	 * answers in 20 ms is asked 12,000 questions a second in a sixteenth of 4096 sockets. */
	SENDS_SHARE = 16,
	SENDS_SHARE_MIN = 4, /* where there are few sockets */
	/* Whoever has waited for so long waits for nobody who is near; it is what a server that
	 * nobody knows has at first (INFRA_RTO_UNKNOWN_MS). */
	SENDS_WAITED_MS = 376,
	/* Descriptors that others of this process had too many of may be free again by then. */
	SENDS_FOUND_MS = 1000,
};

/* Of a send over UDP. */
enum send_standing {
	SEND_NOT_COUNTED, /* over TCP, or closed */
	SEND_LIVE,	  /* its reply is waited for */
	SEND_LATE,	  /* its reply is only welcome */
};

struct sends { /* one resolver */
	struct send **slots;
	uint32_t slot_count, open;
	uint32_t *free_slots;
	uint32_t free_count;
	uint32_t token_generation;
	unsigned room;	     /* for sends over UDP; 0: without end */
	unsigned found_room; /* ... as it has turned out lately */
	uint64_t found_until_us;
	unsigned live_count, late_count;
	struct send_list live, late; /* oldest first */
	uint16_t counters[2][SENDS_COUNTERS];
};

void sends_init(struct sends *s, unsigned room);
void sends_deinit(struct sends *s);

/* The open send of TOKEN, or NULL. */
struct send *sends_find(const struct resolver *r, uint64_t token);
/* A number for Q's zone, the same for all questions of a resolver. */
uint32_t sends_zone_mark(const struct query *q);
/* More than half of the room is taken by sends that are waited for. */
bool sends_are_many(const struct resolver *r);
/* May Q open a send over UDP to SERVER, be it that another has to give way? */
bool sends_have_room(const struct query *q, const struct endpoint *server);
/* Open one, zero but for its token; over UDP if SERVER is not NULL: then there is room. NULL if memory
 * is out. */
struct send *sends_open(struct query *q, const struct endpoint *server);
/* The machine had no socket for a send over UDP, which is closed: for the next SENDS_FOUND_MS the room is
 * no more than what is taken now. */
void sends_found_full(struct resolver *r);
/* S is not waited for any more, but its reply is still welcome. */
void sends_set_late(struct resolver *r, struct send *s);
void sends_close(struct resolver *r, struct send *s);
