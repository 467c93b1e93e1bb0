#include "base/arena.h"

#include <stdlib.h>

enum {
	ARENA_ALIGN = 16,
	ARENA_CHUNK_MIN = 4096,	 /* most queries fit into one or two of these */
	ARENA_CHUNK_MAX = 65536, /* chunks double up to here, so a large query needs few */
};

struct arena_chunk {
	struct arena_chunk *next;
	size_t size_bytes; /* of data */
	_Alignas(ARENA_ALIGN) uint8_t data[];
};

static_assert(sizeof(struct arena_chunk) == ARENA_ALIGN, "data stands right behind the header");

void arena_init(struct arena *a, size_t cap_bytes)
{
	*a = (struct arena){.cap_bytes = cap_bytes};
}

void arena_init_counted(struct arena *a, size_t cap_bytes, size_t *sum_bytes)
{
	*a = (struct arena){.cap_bytes = cap_bytes, .sum_bytes = sum_bytes};
}

static void chunk_free(struct arena *a, struct arena_chunk *chunk)
{
	size_t size = sizeof(*chunk) + chunk->size_bytes;

	a->total_bytes -= size;
	if (a->sum_bytes)
		*a->sum_bytes -= size;
	free(chunk);
}

/* Data bytes of the next chunk: at least NEED, more if the cap has room; 0 if NEED does not fit. */
static size_t chunk_size(const struct arena *a, size_t need)
{
	size_t left = a->cap_bytes - a->total_bytes;
	if (left < sizeof(struct arena_chunk) || left - sizeof(struct arena_chunk) < need)
		return 0;
	left -= sizeof(struct arena_chunk);

	size_t want = a->chunks ? MIN(2 * a->chunks->size_bytes, ARENA_CHUNK_MAX) : ARENA_CHUNK_MIN;
	return MAX(MIN(want, left), need);
}

/* A chunk with room for NEED bytes at its start; NULL if cap or memory forbid. */
static struct arena_chunk *chunk_add(struct arena *a, size_t need)
{
	size_t size = chunk_size(a, need);
	if (size == 0)
		return NULL;
	struct arena_chunk *chunk = malloc(sizeof(*chunk) + size);
	if (!chunk)
		return NULL;
	chunk->size_bytes = size;
	a->total_bytes += sizeof(*chunk) + size;
	if (a->sum_bytes)
		*a->sum_bytes += sizeof(*chunk) + size;
	return chunk;
}

void *arena_alloc(struct arena *a, size_t size_bytes)
{
	if (size_bytes > a->cap_bytes)
		return NULL; /* also keeps the rounding below from wrapping */
	/* Nothing still gets its own place, so that it has an address. */
	size_t need = (MAX(size_bytes, 1) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);

	struct arena_chunk *newest = a->chunks;
	if (newest && newest->size_bytes - a->used_bytes >= need) {
		void *out = newest->data + a->used_bytes;
		a->used_bytes += need;
		return memset(out, 0, size_bytes);
	}

	struct arena_chunk *chunk = chunk_add(a, need);
	if (!chunk)
		return NULL;
	if (newest && newest->size_bytes - a->used_bytes > chunk->size_bytes - need) {
		/* A chunk for one large thing: what is left of the newest is worth more. */
		chunk->next = newest->next;
		newest->next = chunk;
	} else {
		chunk->next = newest;
		a->chunks = chunk;
		a->used_bytes = need;
	}
	return memset(chunk->data, 0, size_bytes);
}

struct span arena_copy(struct arena *a, struct span bytes)
{
	uint8_t *out = arena_alloc(a, bytes.len);
	if (!out)
		return (struct span){0};
	if (bytes.len > 0)
		memcpy(out, bytes.at, bytes.len);
	return span_of(out, bytes.len);
}

void arena_reset(struct arena *a, size_t keep_bytes)
{
	struct arena_chunk *chunk = a->chunks, *kept = NULL;
	while (chunk) {
		struct arena_chunk *next = chunk->next;
		if (!kept && sizeof(*chunk) + chunk->size_bytes <= keep_bytes)
			kept = chunk;
		else
			chunk_free(a, chunk);
		chunk = next;
	}
	if (kept)
		kept->next = NULL;
	a->chunks = kept;
	a->used_bytes = 0;
}

void arena_deinit(struct arena *a)
{
	arena_reset(a, 0);
}
