#pragma once
/*
 * Messages of the control protocol as they arrive: bytes are collected until a NUL ends a message
 * (Varlink's wire format). Bounded: who sends without end is told so.
 */
#include "base/err.h"
#include "base/span.h"

struct frame_buffer { /* one thread; zero-initialised is empty */
	uint8_t *bytes;
	size_t start, end; /* what has not been taken: bytes[start] to bytes[end - 1] */
	size_t capacity;
};

/* Append a copy of BYTES. ERR_LIMIT if more than LIMIT_BYTES would be waiting, ERR_NO_MEMORY;
 * nothing is changed then. */
MUST_USE enum err frame_push(struct frame_buffer *f, struct span bytes, size_t limit_bytes);

/* Take the first whole message, without its NUL, into MESSAGE: borrowed until the next call with F.
 * False if there is none. */
bool frame_next(struct frame_buffer *f, struct span *message);

/* A whole message is waiting. */
bool frame_is_ready(const struct frame_buffer *f);

void frame_deinit(struct frame_buffer *f);
