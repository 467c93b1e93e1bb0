#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns/builder.h"
#include "dns/edns.h"
#include "dns/message.h"
#include "probe.h"

enum {
	QUERY_MAX = 512,
	STREAM_OUT_MAX = 1024 * 1024, /* that the peer has not taken: more is an error */
	LENGTH_SIZE = 2,	      /* before each message over TCP */
	IDS_TRIED = 64,
};

/* ---- open questions ---- */

static struct asked *asked_at(const struct probe_server *s, uint64_t place)
{
	return &s->ring[place % PROBE_OPEN_MAX];
}

static void finish(struct probe_server *s, struct asked *a, struct result *result)
{
	a->open = false;
	s->by_id[a->id] = 0;
	while (s->first < s->behind && !asked_at(s, s->first)->open)
		s->first++;
	result->took_us = s->probe->now_us - a->sent_us;
	tell_result(s, a, result);
}

static void fail(struct probe_server *s, struct asked *a, const char *reason)
{
	struct result result = {.outcome = OUTCOME_NETWORK, .reason = reason, .ede = EDE_NONE};

	finish(s, a, &result);
}

/* All that are open over a connection that is gone. */
static void fail_all(struct probe_server *s, const char *reason)
{
	while (s->first < s->behind)
		fail(s, asked_at(s, s->first), reason);
}

/* A new one, with an id that no other has. NULL: too many are open. */
static struct asked *begin(struct probe_server *s, size_t name)
{
	if (s->behind - s->first == PROBE_OPEN_MAX)
		return NULL;
	for (int i = 0; i < IDS_TRIED; i++) {
		uint16_t id = rng_u16(&s->probe->rng);
		if (s->by_id[id])
			continue;
		struct asked *a = asked_at(s, s->behind);
		s->by_id[id] = (uint32_t)(s->behind % PROBE_OPEN_MAX) + 1;
		s->behind++;
		*a = (struct asked){.sent_us = s->probe->now_us,
				    .id = id,
				    .name = (uint16_t)name,
				    .open = true};
		return a;
	}
	return NULL;
}

/* ---- replies ---- */

static void take_reply(struct probe_server *s, struct span packet)
{
	const struct probe *p = s->probe;
	struct result result = {.ede = EDE_NONE};
	struct message m;
	struct edns edns;

	/* What does not match is waited out, as a stub resolver would. */
	if (message_view(packet, &m) != OK || !(m.flags & FLAG_QR) || !s->by_id[m.id])
		return;
	struct asked *a = &s->ring[s->by_id[m.id] - 1];
	if (m.question_count > 0 &&
	    (m.qtype != p->type || !message_name_equal(&m, m.qname_offset, p->names[a->name].wire)))
		return;
	result.rcode = message_rcode(&m);
	if (edns_view(&m, &edns) == EDNS_OK) {
		result.rcode |= (uint16_t)(edns.extended_rcode << 4);
		result.ede = edns.ede;
	}
	result.truncated = m.flags & FLAG_TC;
	result.outcome = result.rcode == RCODE_NOERROR || result.rcode == RCODE_NXDOMAIN
				 ? OUTCOME_ANSWER
				 : OUTCOME_ERROR;
	finish(s, a, &result);
}

/* ---- sockets ---- */

static void close_fd(struct probe_server *s, unsigned i)
{
	if (s->fds[i] >= 0)
		close(s->fds[i]);
	s->fds[i] = -1;
	s->stream.out_len = s->stream.in_len = 0;
}

/* Connected and not blocking; over TCP perhaps still connecting. False with errno. */
static bool open_fd(struct probe_server *s, unsigned i)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_to_sockaddr(&s->address, &address);
	bool tcp = s->probe->tcp;
	int fd = socket(address.ss_family,
			(tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int yes = 1;

	if (fd < 0)
		return false;
	if (tcp)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if (connect(fd, (struct sockaddr *)&address, len) != 0 && errno != EINPROGRESS) {
		int saved = errno;
		close(fd);
		errno = saved;
		return false;
	}
	s->fds[i] = fd;
	return true;
}

static void lose_connection(struct probe_server *s, const char *reason)
{
	close_fd(s, 0);
	fail_all(s, reason);
}

static void write_stream(struct probe_server *s)
{
	struct probe_stream *stream = &s->stream;

	if (s->fds[0] < 0 || stream->out_len == 0)
		return;
	ssize_t n = send(s->fds[0], stream->out, stream->out_len, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN))
		return;
	if (n < 0) {
		lose_connection(s, strerrordesc_np(errno));
		return;
	}
	stream->out_len -= (size_t)n;
	memmove(stream->out, stream->out + n, stream->out_len);
}

static void send_stream(struct probe_server *s, struct asked *a, struct span query)
{
	struct probe_stream *stream = &s->stream;

	if (s->fds[0] < 0 && !open_fd(s, 0)) {
		fail(s, a, strerrordesc_np(errno));
		return;
	}
	if (stream->out_len + LENGTH_SIZE + query.len > STREAM_OUT_MAX) {
		fail(s, a, "the connection takes nothing");
		return;
	}
	uint8_t *at = stream->out + stream->out_len;
	at[0] = (uint8_t)(query.len >> 8);
	at[1] = (uint8_t)query.len;
	memcpy(at + LENGTH_SIZE, query.at, query.len);
	stream->out_len += LENGTH_SIZE + query.len;
	write_stream(s);
}

static void send_datagram(struct probe_server *s, struct asked *a, struct span query)
{
	unsigned i = s->next_fd;

	s->next_fd = (i + 1) % PROBE_SOCKETS;
	if (s->fds[i] < 0 && !open_fd(s, i)) {
		fail(s, a, strerrordesc_np(errno));
		return;
	}
	/* The first failure may be one that ICMP reported of an earlier question. */
	for (int tries = 0; tries < 2; tries++)
		if (send(s->fds[i], query.at, query.len, 0) >= 0)
			return;
	fail(s, a, strerrordesc_np(errno));
}

void server_ask(struct probe_server *s, size_t name)
{
	const struct probe *p = s->probe;
	const struct edns_reply edns = {.size = EDNS_SIZE_OURS, .ede = EDE_NONE, .ede2 = EDE_NONE};
	uint8_t wire[QUERY_MAX];
	struct builder b;

	s->total.sent++;
	s->recent.sent++;
	struct asked *a = begin(s, name);
	if (!a) {
		const struct asked none = {.name = (uint16_t)name};
		tell_result(s, &none,
			    &(struct result){.outcome = OUTCOME_NETWORK,
					     .ede = EDE_NONE,
					     .reason = "too many questions are open"});
		return;
	}
	builder_init(&b, wire, sizeof(wire), a->id, FLAG_RD);
	REQUIRE(builder_question(&b, p->names[name].wire, p->type, CLASS_IN) &&
		edns_write(&b, &edns));
	if (p->tcp)
		send_stream(s, a, builder_finish(&b));
	else
		send_datagram(s, a, builder_finish(&b));
}

static void take_messages(struct probe_server *s)
{
	struct probe_stream *stream = &s->stream;
	size_t at = 0;

	while (stream->in_len - at >= LENGTH_SIZE) {
		size_t len = (size_t)stream->in[at] << 8 | stream->in[at + 1];
		if (stream->in_len - at < LENGTH_SIZE + len)
			break;
		take_reply(s, span_of(stream->in + at + LENGTH_SIZE, len));
		at += LENGTH_SIZE + len;
	}
	stream->in_len -= at;
	memmove(stream->in, stream->in + at, stream->in_len);
}

static void read_stream(struct probe_server *s)
{
	struct probe_stream *stream = &s->stream;
	ssize_t n = recv(s->fds[0], stream->in + stream->in_len,
			 LENGTH_SIZE + PROBE_MESSAGE_MAX - stream->in_len, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lose_connection(s, n == 0 ? "the connection was closed" : strerrordesc_np(errno));
		return;
	}
	stream->in_len += (size_t)n;
	take_messages(s);
}

/* The port is closed: ICMP does not say which question found out. */
static void lose_datagrams(struct probe_server *s, int error)
{
	if (error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH)
		fail_all(s, strerrordesc_np(error));
}

void server_ready(struct probe_server *s, unsigned i)
{
	static uint8_t packet[PROBE_MESSAGE_MAX];

	if (s->fds[i] < 0)
		return;
	if (s->probe->tcp) {
		write_stream(s);
		if (s->fds[0] >= 0)
			read_stream(s);
		return;
	}
	for (;;) {
		ssize_t n = recv(s->fds[i], packet, sizeof(packet), 0);
		if (n < 0) {
			lose_datagrams(s, errno);
			return;
		}
		take_reply(s, span_of(packet, (size_t)n));
	}
}

bool server_wants_write(const struct probe_server *s)
{
	return s->probe->tcp && s->fds[0] >= 0 && s->stream.out_len > 0;
}

/* ---- time ---- */

void server_expire(struct probe_server *s)
{
	struct result result = {.outcome = OUTCOME_TIMEOUT, .ede = EDE_NONE};

	while (server_due_us(s) <= s->probe->now_us)
		finish(s, asked_at(s, s->first), &result);
}

uint64_t server_due_us(const struct probe_server *s)
{
	/* The first is open, or there is none. */
	return s->first < s->behind ? asked_at(s, s->first)->sent_us + s->probe->timeout_us
				    : UINT64_MAX;
}

void server_open(struct probe_server *s, struct probe *p, const struct endpoint *address)
{
	*s = (struct probe_server){.probe = p, .address = *address};
	endpoint_text(address, s->text);
	for (unsigned i = 0; i < PROBE_SOCKETS; i++)
		s->fds[i] = -1;
	s->ring = calloc(PROBE_OPEN_MAX, sizeof(*s->ring));
	s->by_id = calloc(PROBE_OPEN_MAX, sizeof(*s->by_id));
	s->stream.out = malloc(STREAM_OUT_MAX);
	s->stream.in = malloc(LENGTH_SIZE + PROBE_MESSAGE_MAX);
	if (!s->ring || !s->by_id || !s->stream.out || !s->stream.in)
		die_no_memory();
}

void server_close(struct probe_server *s)
{
	for (unsigned i = 0; i < PROBE_SOCKETS; i++)
		close_fd(s, i);
	free(s->ring);
	free(s->by_id);
	free(s->stream.out);
	free(s->stream.in);
}
