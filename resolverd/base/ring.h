#pragma once
/*
 * A ring of records of different lengths in one block of bytes: a new record takes the place of the
 * oldest ones. Nothing is allocated after the start. Whoever shares one between threads locks.
 */
#include "base/err.h"
#include "base/span.h"

struct ring { /* zero-initialised has room for nothing */
	uint8_t *bytes;
	size_t size_bytes;
	size_t first, end; /* offsets of the oldest record, and of where the next one goes */
	size_t count;
};

enum { RING_ALIGN = 8, RING_OVERHEAD = RING_ALIGN }; /* of each record: its length */

/* Room for SIZE_BYTES in all, overheads included; rounded down to RING_ALIGN. ERR_NO_MEMORY. */
MUST_USE enum err ring_init(struct ring *r, size_t size_bytes);
void ring_deinit(struct ring *r);

/* Add a copy of RECORD, aligned to RING_ALIGN. False if the whole ring is too small for it. */
bool ring_push(struct ring *r, struct span record);
/* A record of LEN bytes goes in without taking the place of another one. */
bool ring_fits(const struct ring *r, size_t len);
/* Overheads included, and what is lost at the block's end. */
size_t ring_used_bytes(const struct ring *r);
/* Take away the oldest record, if there is one. */
void ring_pop(struct ring *r);

/* The records, oldest first: begin with an empty walk. False at the end. OUT is borrowed until the
 * next change. */
struct ring_walk {
	size_t at, seen;
};
bool ring_next(const struct ring *r, struct ring_walk *walk, struct span *out);
