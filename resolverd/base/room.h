#pragma once
/*
 * One account of the room in a buffer: what is written, what is set aside for later, and what is left
 * for whoever asks. Everybody who writes asks here, and only here; nobody works out what fits from a
 * size of his own, so that there is no second figure for the first to disagree with. Nothing aborts:
 * who asks for more than there is gets nothing, and the account stays as it was.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/require.h"

struct room {
	uint8_t *bytes;	 /* the buffer; borrowed */
	size_t len;	 /* written, from its beginning */
	size_t left;	 /* free */
	size_t reserved; /* set aside, at its end */
};

static inline struct room room_of(uint8_t *buffer, size_t size_bytes)
{
	return (struct room){.bytes = buffer, .left = size_bytes};
}

/* The next LEN bytes, to be filled by the caller, or NULL if there are not so many. */
static inline uint8_t *room_take(struct room *r, size_t len)
{
	if (UNLIKELY(len > r->left))
		return NULL;
	uint8_t *out = r->bytes + r->len;
	r->len += len;
	r->left -= len;
	return out;
}

/* Set LEN bytes aside; false if there are not so many. */
MUST_USE static inline bool room_reserve(struct room *r, size_t len)
{
	if (UNLIKELY(len > r->left))
		return false;
	r->left -= len;
	r->reserved += len;
	return true;
}

/* All that was set aside is free again. */
static inline void room_return(struct room *r)
{
	r->left += r->reserved;
	r->reserved = 0;
}
