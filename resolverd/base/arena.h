#pragma once
/*
 * Memory of one query: bump allocation in chunks with a cap, freed whole. Allocations are zeroed
 * and aligned to 16 bytes. Never shared between threads.
 */
#include "base/require.h"
#include "base/span.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
	size_t used_bytes;	    /* in the newest chunk */
	size_t total_bytes;	    /* in all chunks */
	size_t cap_bytes;	    /* total_bytes never passes this */
	size_t *sum_bytes;	    /* of several arenas' totals; NULL: none is kept */
};

/* An empty arena that will never hold more than CAP_BYTES. Allocates nothing yet. */
void arena_init(struct arena *a, size_t cap_bytes);
/* ... and whose total is a part of *SUM_BYTES, which outlives it. */
void arena_init_counted(struct arena *a, size_t cap_bytes, size_t *sum_bytes);

/* SIZE zeroed bytes, or NULL when the cap is reached or memory is out (shed the query). */
MUST_USE void *arena_alloc(struct arena *a, size_t size_bytes);

/* A copy of BYTES inside the arena; .at is NULL on failure. A copy of nothing is not NULL. */
MUST_USE struct span arena_copy(struct arena *a, struct span bytes);

/* Free everything at once. The arena may be used again. */
void arena_deinit(struct arena *a);
/* The same, but a chunk of at most KEEP_BYTES is kept: for what is filled and emptied all the time. */
void arena_reset(struct arena *a, size_t keep_bytes);
