#pragma once
/*
 * What the unit tests of net/ share: a loop that is turned until something has come true, plain
 * sockets for the other side, and messages.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "unit/base_unit.h"

#include "base/endpoint.h"
#include "net/loop.h"
#include "net/stream.h"

enum { PATIENCE_MS = 5000, HEADER_SIZE = 12 };

static inline struct endpoint unit_loopback(uint8_t family)
{
	struct endpoint e;
	REQUIRE(endpoint_parse(family == 4 ? "127.0.0.1" : "::1", 0, &e) == OK);
	return e;
}

static inline void unit_turn(struct loop *l)
{
	loop_wait(l);
	loop_dispatch(l);
}

static inline void unit_tock(void *context)
{
	(void)context;
}

/* Turn the loop until COND or for MS milliseconds; the value of COND. */
#define UNTIL_MS(l, cond, ms)                                                                      \
	({                                                                                         \
		struct loop_timer tock_ = {.fn = unit_tock};                                       \
		uint64_t end_us_ = (l)->now.mono_us + (ms)*1000ULL;                                \
		bool done_;                                                                        \
		while (!(done_ = (cond)) && (l)->now.mono_us < end_us_) {                          \
			loop_timer_set((l), &tock_, (l)->now.mono_us + 2000);                      \
			unit_turn(l);                                                              \
		}                                                                                  \
		loop_timer_clear((l), &tock_);                                                     \
		done_;                                                                             \
	})
#define UNTIL(l, cond) UNTIL_MS(l, cond, PATIENCE_MS)

/* A socket of the other side connected to E. */
static inline int unit_connect(const struct endpoint *e, int type)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_to_sockaddr(e, &address);
	int fd = socket(address.ss_family, type, 0);

	REQUIRE(fd >= 0);
	if (connect(fd, (struct sockaddr *)&address, len) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A message of LEN bytes that begins with ID. */
static inline struct span unit_message(uint16_t id, uint8_t *out, size_t len)
{
	memset(out, 'x', len);
	out[0] = (uint8_t)(id >> 8);
	out[1] = (uint8_t)id;
	return span_of(out, len);
}

static inline uint16_t unit_id(struct span message)
{
	return (uint16_t)(message.at[0] << 8 | message.at[1]);
}

static inline void unit_write_frame(int fd, uint16_t id, size_t len)
{
	static uint8_t message[STREAM_MESSAGE_MAX], frame[STREAM_FRAME_MAX];
	size_t size = stream_frame(unit_message(id, message, len), frame);
	REQUIRE(send(fd, frame, size, MSG_NOSIGNAL) == (ssize_t)size);
}

struct unit_inbox { /* frames that came to a plain socket */
	uint8_t bytes[4 * STREAM_FRAME_MAX];
	size_t len;
	bool end, reset;
};

/* Read what is there; how many whole frames are in. */
static inline size_t unit_read_frames(int fd, struct unit_inbox *in)
{
	ssize_t n;
	while (in->len < sizeof(in->bytes) &&
	       (n = recv(fd, in->bytes + in->len, sizeof(in->bytes) - in->len, MSG_DONTWAIT)) !=
		       -1) {
		in->end = n == 0;
		if (n == 0)
			break;
		in->len += (size_t)n;
	}
	in->reset = in->reset || (!in->end && errno != EAGAIN && in->len < sizeof(in->bytes));
	struct span bytes = span_of(in->bytes, in->len), message;
	size_t count = 0;
	while (stream_next_message(&bytes, &message))
		count++;
	return count;
}

/* Frame INDEX. */
static inline struct span unit_frame(const struct unit_inbox *in, size_t index)
{
	struct span bytes = span_of(in->bytes, in->len), message = {0};
	for (size_t i = 0; i <= index; i++)
		REQUIRE(stream_next_message(&bytes, &message));
	return message;
}
