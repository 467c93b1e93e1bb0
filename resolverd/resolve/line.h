#pragma once
/*
 * The line of one resolver's questions for each rate-limited server. How many places there are, and
 * how many of them a client may take, throttle.h says for all resolvers; here is who goes next. Places
 * belong to the line: when one's time comes, the question goes whose client has been served least for
 * its weight (start-time fair queueing), and the one that had the place gets the other's. So a client
 * with one question waits for one packet's time and not behind the hundred questions of another.
 */
#include <sys/queue.h>

#include "resolve/throttle.h"

struct query;

struct line_member { /* of a question; zero-initialised: in no line */
	TAILQ_ENTRY(query) next;
	struct throttle_place place;
	uint64_t tag; /* how much its client will have been served then, on the line's clock */
	bool is_in;
};
TAILQ_HEAD(line_list, query);

struct line { /* one thread */
	struct line_list members;
	uint64_t served; /* the tag of whoever went last */
};

/* LINES[THROTTLE_SLOTS] */
void line_init(struct line *lines);

/* Q has taken PLACE, whose time is q->turn_ms. */
void line_join(struct query *q, const struct throttle_place *place);
/* Q waits no more; nothing happens if it does not. */
void line_leave(struct query *q);
/* The time of Q's place has come: whether Q goes. If not, who does is awake now, and Q waits for that
 * one's place. */
bool line_is_next(struct query *q);
