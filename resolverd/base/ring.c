#include "base/ring.h"

#include <stdlib.h>

#include "base/require.h"

/*
 * Records lie one behind the other, each behind a word with its length. One that does not fit before
 * the block's end goes to its beginning, and a word in its place says so.
 */
typedef uint64_t word;
static_assert(sizeof(word) == RING_OVERHEAD, "the overhead is the word");
static const word wrapped = UINT64_MAX;

enum err ring_init(struct ring *r, size_t size_bytes)
{
	*r = (struct ring){.size_bytes = size_bytes / RING_ALIGN * RING_ALIGN};
	r->bytes = r->size_bytes > 0 ? malloc(r->size_bytes) : NULL;
	if (r->bytes || r->size_bytes == 0)
		return OK;
	*r = (struct ring){0};
	return ERR_NO_MEMORY;
}

void ring_deinit(struct ring *r)
{
	free(r->bytes);
	*r = (struct ring){0};
}

static size_t room_of(size_t len)
{
	return RING_OVERHEAD + (len + RING_ALIGN - 1) / RING_ALIGN * RING_ALIGN;
}

static word word_at(const struct ring *r, size_t at)
{
	word value;
	memcpy(&value, r->bytes + at, sizeof(value));
	return value;
}

static void put_word(struct ring *r, size_t at, word value)
{
	memcpy(r->bytes + at, &value, sizeof(value));
}

/* Where the record begins that should be at AT. */
static size_t settle(const struct ring *r, size_t at)
{
	return at == r->size_bytes || word_at(r, at) == wrapped ? 0 : at;
}

void ring_pop(struct ring *r)
{
	if (r->count == 0)
		return;
	r->first = settle(r, r->first);
	r->first += room_of(word_at(r, r->first));
	r->count--;
	if (r->count == 0)
		r->first = r->end = 0;
	else
		r->first = settle(r, r->first);
}

/* Bytes from where the next record goes to what is in its way. */
static size_t free_bytes(const struct ring *r)
{
	if (r->count > 0 && r->first >= r->end)
		return r->first - r->end;
	return r->size_bytes - r->end;
}

bool ring_fits(const struct ring *r, size_t len)
{
	if (len > r->size_bytes || room_of(len) > r->size_bytes)
		return false;
	/* Behind the last one, or else at the beginning before the oldest. */
	return room_of(len) <= free_bytes(r) ||
	       (r->count > 0 && r->first < r->end && room_of(len) <= r->first);
}

size_t ring_used_bytes(const struct ring *r)
{
	if (r->count == 0)
		return 0;
	return r->first < r->end ? r->end - r->first : r->size_bytes - r->first + r->end;
}

bool ring_push(struct ring *r, struct span record)
{
	size_t room = room_of(record.len);
	if (room > r->size_bytes || record.len > r->size_bytes)
		return false;
	while (free_bytes(r) < room) {
		bool at_tail = r->count == 0 || r->first < r->end;
		if (!at_tail) {
			ring_pop(r);
			continue;
		}
		if (r->end < r->size_bytes)
			put_word(r, r->end, wrapped);
		/* Full from the very beginning: the oldest lies where we go on. */
		r->end = 0;
	}
	put_word(r, r->end, record.len);
	if (record.len > 0)
		memcpy(r->bytes + r->end + RING_OVERHEAD, record.at, record.len);
	r->end += room;
	r->count++;
	return true;
}

bool ring_next(const struct ring *r, struct ring_walk *walk, struct span *out)
{
	if (walk->seen == r->count)
		return false;
	size_t at = settle(r, walk->seen == 0 ? r->first : walk->at);
	size_t len = word_at(r, at);
	*out = span_of(r->bytes + at + RING_OVERHEAD, len);
	walk->at = at + room_of(len);
	walk->seen++;
	return true;
}
