#pragma once
/*
 * Quiescent-state reclamation: when may something that readers could still hold be freed?
 *
 * A counter goes up with each retired object, after the object can no longer be found. Each reader
 * publishes the counter's value whenever it holds nothing. What was retired at stamp S may be freed
 * once every reader has published S or more. A reader that sleeps publishes "idle" and holds up
 * nobody. Readers write only their own cache line.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum {
	EPOCH_READERS_MAX = 256, /* one a worker and a few more; 16 kB */
	EPOCH_LINE = 64,	 /* bytes in a cache line */
};

struct epoch_reader { /* written by its thread, read by whoever frees */
	_Alignas(EPOCH_LINE) _Atomic uint64_t seen; /* UINT64_MAX: idle */
	bool taken;				    /* struct epoch's lock */
};

struct epoch {
	_Alignas(EPOCH_LINE) _Atomic uint64_t counter;
	_Alignas(EPOCH_LINE) pthread_mutex_t lock; /* registrations */
	_Atomic uint32_t high;			   /* readers at and beyond were never taken */
	struct epoch_reader readers[EPOCH_READERS_MAX];
};

void epoch_init(struct epoch *e);
/* No reader may be left. */
void epoch_deinit(struct epoch *e);

/* The new reader is awake and holds nothing. ERR_LIMIT past EPOCH_READERS_MAX. */
MUST_USE enum err epoch_join(struct epoch *e, struct epoch_reader **out);
void epoch_leave(struct epoch *e, struct epoch_reader *r);

/* "I hold nothing of what I found before": one load, one store. */
static inline void epoch_pass(const struct epoch *e, struct epoch_reader *r)
{
	uint64_t now = atomic_load_explicit(&e->counter, memory_order_acquire);
	atomic_store_explicit(&r->seen, now, memory_order_release);
}

void epoch_idle(struct epoch_reader *r);
void epoch_wake(const struct epoch *e, struct epoch_reader *r);

/* The stamp for something that has just become unreachable for new readers. */
static inline uint64_t epoch_retire(struct epoch *e)
{
	return atomic_fetch_add(&e->counter, 1) + 1;
}

/* Everything with a stamp up to this one may be freed. */
uint64_t epoch_safe(const struct epoch *e);
