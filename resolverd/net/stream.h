#pragma once
/*
 * DNS messages over a byte stream (RFC 1035 §4.2.2: two bytes of length before each): a queue of
 * bytes that grows up to a limit, for what has not been read to its end or not been written yet.
 * An empty queue holds no memory, so that thousands of idle connections cost nothing.
 */
#include "base/err.h"
#include "base/span.h"

enum {
	STREAM_LENGTH_SIZE = 2,
	STREAM_MESSAGE_MAX = 65535,
	STREAM_FRAME_MAX = STREAM_LENGTH_SIZE + STREAM_MESSAGE_MAX,
};

struct stream_queue { /* one thread */
	uint8_t *bytes;
	size_t start, end; /* what is in it: bytes[start] to bytes[end - 1] */
	size_t capacity;
};

static inline size_t stream_queue_len(const struct stream_queue *q)
{
	return q->end - q->start;
}

static inline struct span stream_queue_view(const struct stream_queue *q)
{
	return (struct span){.at = q->bytes ? q->bytes + q->start : NULL,
			     .len = stream_queue_len(q)};
}

/* Append a copy of BYTES. ERR_LIMIT if more than LIMIT_BYTES would be in it, ERR_NO_MEMORY;
 * nothing is changed then. */
MUST_USE enum err stream_queue_push(struct stream_queue *q, struct span bytes, size_t limit_bytes);
/* Drop LEN bytes from the front; memory goes with the last one. */
void stream_queue_pop(struct stream_queue *q, size_t len);
void stream_queue_deinit(struct stream_queue *q);

/* The first whole message of BYTES into MESSAGE (borrowed), and BYTES moved behind it. False, and
 * nothing changed, if it has not come to its end. */
bool stream_next_message(struct span *bytes, struct span *message);

/* Write length and MESSAGE (at most STREAM_MESSAGE_MAX) to OUT, which has room for them. Returns
 * the bytes written. */
size_t stream_frame(struct span message, uint8_t *out);

/* Write as much of BYTES to the non-blocking socket FD as it takes and move BYTES behind that.
 * OK also if the socket takes nothing; ERR_CLOSED if the connection is gone. */
MUST_USE enum err stream_write(int fd, struct span *bytes);

/* Read up to SIZE bytes. OK with LEN > 0; ERR_BUSY if nothing is there; ERR_NOT_FOUND at the end
 * of the stream; ERR_CLOSED if the connection is gone. */
MUST_USE enum err stream_read(int fd, uint8_t *out, size_t size_bytes, size_t *len);
