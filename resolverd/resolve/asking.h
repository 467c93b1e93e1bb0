#pragma once
/*
 * Who asks what: one worker for each question. Eight workers whose clients want the same name would else
 * ask for it eight times, and for each key and address on the way. So whoever begins to ask claims the
 * question (name and type), and another worker that comes to it waits for the cache to have the answer.
 *
 * Nobody depends on a claim. It runs out ASKING_HOLD_MS after the last reply that brought its question on,
 * so a worker that is dead, slow, or meets silence holds nobody for longer; whoever waits looks every now
 * and then, and asks himself when the claim is gone or ASKING_PATIENCE_MS are over (base/claims.h).
 *
 * Refreshes have claims of their own (prefetch_shared.h), and what has to be asked anew waits for nobody.
 */
#include "base/claims.h"
#include "base/err.h"

struct query;

enum {
	/* A little more than what a server that nobody knows has for its reply (INFRA_RTO_UNKNOWN_MS). */
	ASKING_HOLD_MS = 400,
	/* A chain of several round trips may take longer: then each worker makes the rest of them, with
	 * what the cache has of it. It leaves half of a client's time. */
	ASKING_PATIENCE_MS = 900,
	/* Whoever waits looks again after a quarter of the time that he has waited, within these. */
	ASKING_LOOK_MIN_MS = 1,
	ASKING_LOOK_MAX_MS = 25,
};

struct asking_shared {	      /* any thread */
	struct claims claims; /* of questions, in milliseconds of the clock that all share */
};

/* ERR_NO_MEMORY: half a megabyte. */
MUST_USE enum err asking_new(struct asking_shared **out);
void asking_free(struct asking_shared *a);
/* OWNER asks for what HASH stands for, from NOW_MS on, a clock that all share. False if somebody else
 * does. Once more renews it. */
bool asking_claim(struct asking_shared *a, uint64_t hash, uint8_t owner, uint32_t now_ms);

/* ---- of questions ---- */

/* Q has found nothing in the cache and is about to ask. True if another worker does that already: Q wakes
 * again later, and then waits on or looks into the cache. */
bool asking_begin(struct query *q);
/* Q woke up while it waited for another worker: true if it still does. */
bool asking_waits(struct query *q);
/* A reply has brought Q on, and so those that need it. */
void asking_renew(struct query *q);
void asking_end(struct query *q);
