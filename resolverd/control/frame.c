#include "control/frame.h"

#include <stdlib.h>

enum { FRAME_CAPACITY_MIN = 1024 };

/* Move what is left to the front and make room for LEN more bytes. */
static enum err make_room(struct frame_buffer *f, size_t len)
{
	size_t held = f->end - f->start, capacity = MAX(f->capacity, (size_t)FRAME_CAPACITY_MIN);

	if (f->start > 0) {
		memmove(f->bytes, f->bytes + f->start, held);
		f->end = held;
		f->start = 0;
	}
	while (capacity < held + len)
		capacity *= 2;
	if (capacity == f->capacity)
		return OK;
	uint8_t *bytes = realloc(f->bytes, capacity);
	if (!bytes)
		return ERR_NO_MEMORY;
	f->bytes = bytes;
	f->capacity = capacity;
	return OK;
}

enum err frame_push(struct frame_buffer *f, struct span bytes, size_t limit_bytes)
{
	size_t held = f->end - f->start;

	if (bytes.len > limit_bytes || held > limit_bytes - bytes.len)
		return ERR_LIMIT;
	if (bytes.len == 0)
		return OK;
	enum err err = make_room(f, bytes.len);
	if (err != OK)
		return err;
	memcpy(f->bytes + f->end, bytes.at, bytes.len);
	f->end += bytes.len;
	return OK;
}

/* The first NUL that is waiting, or NULL. */
static const uint8_t *find_end(const struct frame_buffer *f)
{
	return f->end > f->start ? memchr(f->bytes + f->start, '\0', f->end - f->start) : NULL;
}

bool frame_is_ready(const struct frame_buffer *f)
{
	return find_end(f) != NULL;
}

bool frame_next(struct frame_buffer *f, struct span *message)
{
	const uint8_t *nul = find_end(f);

	if (!nul)
		return false;
	*message = span_of(f->bytes + f->start, (size_t)(nul - f->bytes) - f->start);
	f->start += message->len + 1;
	return true;
}

void frame_deinit(struct frame_buffer *f)
{
	free(f->bytes);
	*f = (struct frame_buffer){0};
}
