#pragma once
/*
 * Who asks what: one worker for each question. Eight workers whose clients want the same name would else
 * ask for it eight times, and for each key and address on the way. So whoever begins to ask claims the
 * question (name and type), and another worker that comes to it waits for the cache to have the answer.
 *
 * Nobody depends on a claim. It runs out ASKING_HOLD_MS after the last reply that brought its question on,
 * so a worker that is dead, slow, or meets silence holds nobody for longer; whoever waits looks every now
 * and then, and asks himself when the claim is gone or ASKING_PATIENCE_MS are over. A table without locks,
 * in which claims find a place or not: then two workers ask, which costs packets and nothing else.
 *
 * Refreshes have claims of their own (prefetch_claim.h), and what has to be asked anew waits for nobody.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

struct query;

enum {
	ASKING_BUCKETS =
		4096,	 /* eight each: eight workers with as many questions as one may have */
	ASKING_WAYS = 8, /* one line of a processor's cache */
	ASKING_OWNERS_MAX = 256,
	/* A little more than what a server that nobody knows has for its reply (INFRA_RTO_UNKNOWN_MS). */
	ASKING_HOLD_MS = 400,
	/* A chain of several round trips may take longer: then each worker makes the rest of them, with
	 * what the cache has of it. It leaves half of a client's time. */
	ASKING_PATIENCE_MS = 900,
	/* Whoever waits looks again after a quarter of the time that he has waited, within these. */
	ASKING_LOOK_MIN_MS = 1,
	ASKING_LOOK_MAX_MS = 25,
};

struct asking_shared { /* any thread */
	struct hash_key key;
	_Atomic uint32_t owners; /* handed out to resolvers */
	_Alignas(64) _Atomic uint64_t claims[ASKING_BUCKETS][ASKING_WAYS];
};

/* ERR_NO_MEMORY: a quarter of a megabyte. */
MUST_USE enum err asking_new(struct asking_shared **out);
void asking_free(struct asking_shared *a);
/* A number for a resolver that will claim. */
uint8_t asking_owner(struct asking_shared *a);

/* OWNER asks for what HASH stands for, from NOW_MS on, a clock that all share. False if somebody else
 * does. Once more renews it. */
bool asking_claim(struct asking_shared *a, uint64_t hash, uint8_t owner, uint32_t now_ms);
/* OWNER does not any more. */
void asking_release(struct asking_shared *a, uint64_t hash, uint8_t owner);

/* ---- of questions ---- */

/* Q has found nothing in the cache and is about to ask. True if another worker does that already: Q wakes
 * again later, and then waits on or looks into the cache. */
bool asking_begin(struct query *q);
/* Q woke up while it waited for another worker: true if it still does. */
bool asking_waits(struct query *q);
/* A reply has brought Q on, and so those that need it. */
void asking_renew(struct query *q);
void asking_end(struct query *q);
