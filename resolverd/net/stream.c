#include "net/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum err stream_queue_push(struct stream_queue *q, struct span bytes, size_t limit_bytes)
{
	size_t len = stream_queue_len(q);

	if (bytes.len == 0)
		return OK;
	if (len > limit_bytes || bytes.len > limit_bytes - len)
		return ERR_LIMIT;
	if (q->start > 0) {
		memmove(q->bytes, q->bytes + q->start, len);
		q->start = 0;
		q->end = len;
	}
	if (q->capacity - len < bytes.len) {
		size_t capacity = MIN(limit_bytes, MAX(len + bytes.len, 2 * q->capacity));
		uint8_t *grown = realloc(q->bytes, capacity);
		if (!grown)
			return ERR_NO_MEMORY;
		q->bytes = grown;
		q->capacity = capacity;
	}
	memcpy(q->bytes + q->end, bytes.at, bytes.len);
	q->end += bytes.len;
	return OK;
}

void stream_queue_pop(struct stream_queue *q, size_t len)
{
	REQUIRE(len <= stream_queue_len(q));
	q->start += len;
	if (q->start == q->end)
		stream_queue_deinit(q);
}

void stream_queue_deinit(struct stream_queue *q)
{
	free(q->bytes);
	*q = (struct stream_queue){0};
}

bool stream_next_message(struct span *bytes, struct span *message)
{
	if (bytes->len < STREAM_LENGTH_SIZE)
		return false;
	size_t len = (size_t)bytes->at[0] << 8 | bytes->at[1];
	if (bytes->len - STREAM_LENGTH_SIZE < len)
		return false;
	*message = span_of(bytes->at + STREAM_LENGTH_SIZE, len);
	*bytes = span_of(message->at + len, bytes->len - STREAM_LENGTH_SIZE - len);
	return true;
}

size_t stream_frame(struct span message, uint8_t *out)
{
	REQUIRE(message.len <= STREAM_MESSAGE_MAX);
	out[0] = (uint8_t)(message.len >> 8);
	out[1] = (uint8_t)message.len;
	memcpy(out + STREAM_LENGTH_SIZE, message.at, message.len);
	return STREAM_LENGTH_SIZE + message.len;
}

enum err stream_write(int fd, struct span *bytes)
{
	while (bytes->len > 0) {
		ssize_t n = send(fd, bytes->at, bytes->len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? OK
										      : ERR_CLOSED;
		*bytes = span_of(bytes->at + n, bytes->len - (size_t)n);
	}
	return OK;
}

enum err stream_read(int fd, uint8_t *out, size_t size_bytes, size_t *len)
{
	ssize_t n;

	*len = 0;
	do
		n = recv(fd, out, size_bytes, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		*len = (size_t)n;
		return OK;
	}
	if (n == 0)
		return ERR_NOT_FOUND;
	return errno == EAGAIN ? ERR_BUSY : ERR_CLOSED;
}
