#pragma once
/*
 * Clients that wait for a question: how they come, and how each gets its one answer - the
 * question's, a stale one when its patience is over, or SERVFAIL and why while the work goes on.
 */
#include "resolve/query.h"

struct waiter {
	struct client client;
	struct query *query;
	struct heap_node deadline;
	struct waiter *next, *previous; /* of the question */
	struct waiter *hash_next;	/* by token */
	uint8_t leads; /* times that it was led on to the target of a stale alias */
	struct query
		*origin; /* the question that it has left for that, while that goes on; or NULL */
	LIST_ENTRY(waiter) in_led;
};

enum { WAITERS_BUCKETS = 8192 };

/* EV_QUERY: answered at once, or waiting from now on. */
void waiters_admit(struct resolver *r, const struct event *ev);
/* Q has ended: answer all who wait for it. */
void waiters_answer(struct query *q);
/* Something about Q's name has come into the cache: answer whom that answers. */
void waiters_recalled(struct query *q);
/* Answer those whose patience is over. */
void waiters_deadline(struct resolver *r);
/* EV_GONE */
void waiters_gone(struct resolver *r, uint64_t token);
/* Forget who waits for Q, without an answer. */
void waiters_abandon(struct query *q);
/* Free the pool. */
void waiters_deinit(struct resolver *r);
