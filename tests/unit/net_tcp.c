#include "unit/net_unit.h"

#include <sys/resource.h>

#include "net/tcp.h"

enum { KEPT_MAX = 512, BIG = 60000 };

struct server {
	struct loop loop;
	struct tcp_server tcp;
	struct tcp_handle kept[KEPT_MAX]; /* to be answered later, in the order they came */
	uint16_t kept_ids[KEPT_MAX];
	unsigned kept_count, received, gone;
	struct tcp_handle gone_handle;
};

/* Even ids are echoed at once (id 0xfff0 with BIG bytes), odd ones kept, 0xfffe gets nothing. */
static ptrdiff_t handle(void *context, struct span packet, const struct tcp_client *client,
			uint8_t *out, size_t size_bytes)
{
	struct server *s = context;
	uint16_t id = unit_id(packet);

	s->received++;
	if (id == 0xfffe)
		return TCP_NEVER;
	if (id % 2 == 1) {
		s->kept[s->kept_count] = client->handle;
		s->kept_ids[s->kept_count++] = id;
		return TCP_LATER;
	}
	size_t len = id == 0xfff0 ? BIG : packet.len;
	REQUIRE(len <= size_bytes);
	(void)unit_message(id, out, len);
	return (ptrdiff_t)len;
}

static void handle_gone(void *context, struct tcp_handle handle)
{
	struct server *s = context;
	s->gone++;
	s->gone_handle = handle;
}

/* 127.0.0.9 is trusted. */
static struct shares_holder holder_of(void *context, const struct endpoint *peer)
{
	(void)context;
	return shares_holder_of(peer, peer->addr[3] == 9);
}

static void begin(struct server *s, struct tcp_settings settings)
{
	struct endpoint e = unit_loopback(4);

	memset(s, 0, sizeof(*s));
	settings.connections = settings.connections ? settings.connections : 100;
	settings.pending = settings.pending ? settings.pending : TCP_PENDING;
	settings.idle_ms = settings.idle_ms ? settings.idle_ms : TCP_IDLE_MS;
	settings.input_bytes = settings.input_bytes ? settings.input_bytes : TCP_READ_TOTAL_MAX;
	settings.output_bytes = settings.output_bytes ? settings.output_bytes : TCP_WRITE_TOTAL_MAX;
	settings.handler = handle;
	settings.gone = handle_gone;
	settings.holder = holder_of;
	settings.context = s;
	assert_int_equal(loop_init(&s->loop, loop_epoch_read()), OK);
	assert_int_equal(tcp_server_init(&s->tcp, &s->loop, &settings), OK);
	assert_int_equal(acceptor_listen(&s->tcp.acceptor, &e, -1, SOCKET_OURS), OK);
}

static void end(struct server *s)
{
	tcp_server_deinit(&s->tcp);
	loop_deinit(&s->loop);
}

static int join(struct server *s)
{
	int fd = unit_connect(&s->tcp.acceptor.listeners[0].local, SOCK_STREAM);
	assert_true(fd >= 0);
	return fd;
}

/* From 127.0.0.HOST. */
static int join_from(struct server *s, uint8_t host)
{
	struct endpoint from = unit_loopback(4);
	struct sockaddr_storage address;

	from.addr[3] = host;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	REQUIRE(fd >= 0);
	socklen_t len = endpoint_to_sockaddr(&from, &address);
	REQUIRE(bind(fd, (struct sockaddr *)&address, len) == 0);
	len = endpoint_to_sockaddr(&s->tcp.acceptor.listeners[0].local, &address);
	REQUIRE(connect(fd, (struct sockaddr *)&address, len) == 0);
	return fd;
}

static enum err answer(struct server *s, unsigned index)
{
	uint8_t bytes[HEADER_SIZE];
	return tcp_answer(&s->tcp, s->kept[index],
			  unit_message(s->kept_ids[index], bytes, sizeof(bytes)));
}

static void test_byte_by_byte(void **state)
{
	(void)state;
	static struct server s;
	static struct unit_inbox in;
	uint8_t message[HEADER_SIZE + 5], frame[sizeof(message) + STREAM_LENGTH_SIZE];

	memset(&in, 0, sizeof(in));
	begin(&s, (struct tcp_settings){0});
	int fd = join(&s);
	for (uint16_t id = 2; id <= 4; id += 2) {
		size_t size = stream_frame(unit_message(id, message, sizeof(message)), frame);
		for (size_t i = 0; i < size; i++) {
			assert_int_equal(s.received, id / 2 - 1);
			REQUIRE(send(fd, frame + i, 1, MSG_NOSIGNAL) == 1);
			(void)UNTIL_MS(&s.loop, s.received == id / 2, 4);
		}
		assert_true(UNTIL(&s.loop, unit_read_frames(fd, &in) == id / 2));
	}
	assert_int_equal(unit_id(unit_frame(&in, 0)), 2);
	assert_int_equal(unit_frame(&in, 1).len, sizeof(message));
	close(fd);
	end(&s);
}

/* A query longer than one over UDP: its header is handed over, the rest read past, what is behind it is
 * answered; whether it comes in one piece or in bytes. */
static void test_long_query(void **state)
{
	(void)state;
	static struct server s;
	static struct unit_inbox in;
	static uint8_t message[STREAM_MESSAGE_MAX], frame[STREAM_FRAME_MAX];
	enum { LONG = TCP_QUERY_MAX + 1 };

	memset(&in, 0, sizeof(in));
	begin(&s, (struct tcp_settings){0});
	int fd = join(&s);
	unit_write_frame(fd, 2, TCP_QUERY_MAX);
	unit_write_frame(fd, 4, LONG);
	unit_write_frame(fd, 6, STREAM_MESSAGE_MAX);
	unit_write_frame(fd, 8, HEADER_SIZE);
	assert_true(UNTIL(&s.loop, unit_read_frames(fd, &in) == 4));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(unit_id(unit_frame(&in, i)), 2 * (i + 1));
	assert_int_equal(unit_frame(&in, 0).len, TCP_QUERY_MAX);
	assert_int_equal(unit_frame(&in, 1).len, HEADER_SIZE);
	assert_int_equal(unit_frame(&in, 2).len, HEADER_SIZE);
	size_t size = stream_frame(unit_message(10, message, LONG), frame);
	for (size_t i = 0; i < size; i += i < 100 ? 1 : 500) {
		size_t part = MIN(i < 100 ? (size_t)1 : (size_t)500, size - i);
		REQUIRE(send(fd, frame + i, part, MSG_NOSIGNAL) == (ssize_t)part);
		(void)UNTIL_MS(&s.loop, false, 2);
		assert_true(s.tcp.unread_bytes < STREAM_LENGTH_SIZE + HEADER_SIZE);
	}
	unit_write_frame(fd, 12, HEADER_SIZE);
	assert_true(UNTIL(&s.loop, unit_read_frames(fd, &in) == 6));
	assert_int_equal(unit_id(unit_frame(&in, 5)), 12);
	close(fd);
	end(&s);
}

/* Half queries of many connections: they keep to a sum, those that are the oldest go, and whoever sends
 * whole ones notices nothing. */
static void test_half_queries(void **state)
{
	(void)state;
	static struct server s;
	static struct unit_inbox in;
	static uint8_t message[STREAM_MESSAGE_MAX], frame[STREAM_FRAME_MAX];
	enum { HALF = 60, TOTAL = 64 * 1024, SENT = 4000 };
	int half[HALF];
	uint8_t byte;

	memset(&in, 0, sizeof(in));
	begin(&s, (struct tcp_settings){.input_bytes = TOTAL});
	int fd = join(&s);
	(void)stream_frame(unit_message(2, message, TCP_QUERY_MAX), frame);
	for (size_t i = 0; i < HALF; i++) {
		half[i] = join(&s);
		REQUIRE(send(half[i], frame, SENT, MSG_NOSIGNAL) == SENT);
		unit_write_frame(fd, (uint16_t)(2 * i), HEADER_SIZE);
		assert_true(UNTIL(&s.loop, unit_read_frames(fd, &in) == i + 1));
		assert_true(s.tcp.unread_bytes <= TOTAL);
	}
	assert_true(UNTIL(&s.loop, s.tcp.shed_input >= HALF - TOTAL / SENT));
	assert_int_equal(recv(half[0], &byte, 1, MSG_DONTWAIT), 0); /* closed */
	assert_int_equal(recv(half[HALF - 1], &byte, 1, MSG_DONTWAIT), -1);
	REQUIRE(send(half[HALF - 1], frame + SENT, STREAM_LENGTH_SIZE + TCP_QUERY_MAX - SENT,
		     MSG_NOSIGNAL) > 0);
	assert_true(UNTIL(&s.loop, s.received == HALF + 1));
	for (size_t i = 0; i < HALF; i++)
		close(half[i]);
	close(fd);
	assert_true(UNTIL(&s.loop, s.tcp.open_count == 0));
	assert_int_equal(s.tcp.unread_bytes, 0);
	end(&s);
}

/* RFC 7766 §6.2.1.1: pipelined queries, answered in another order. */
static void test_pipelined(void **state)
{
	(void)state;
	static struct server s;
	static struct unit_inbox in;
	enum { COUNT = 1000 };

	memset(&in, 0, sizeof(in));
	begin(&s, (struct tcp_settings){0});
	int fd = join(&s);
	unit_write_frame(fd, 1, HEADER_SIZE);
	unit_write_frame(fd, 3, HEADER_SIZE);
	for (uint16_t i = 0; i < COUNT; i++)
		unit_write_frame(fd, (uint16_t)(2 * i), HEADER_SIZE + i % 100);
	unit_write_frame(fd, 0xfffe, HEADER_SIZE); /* never answered */
	assert_true(UNTIL(&s.loop, unit_read_frames(fd, &in) == COUNT));
	assert_int_equal(answer(&s, 1), OK);
	assert_int_equal(answer(&s, 0), OK);
	assert_true(UNTIL(&s.loop, unit_read_frames(fd, &in) == COUNT + 2));
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(unit_id(unit_frame(&in, i)), 2 * i);
	assert_int_equal(unit_id(unit_frame(&in, COUNT)), 3);
	assert_int_equal(unit_id(unit_frame(&in, COUNT + 1)), 1);
	close(fd);
	assert_true(UNTIL(&s.loop, s.tcp.open_count == 0));
	assert_int_equal(s.gone, 0);
	end(&s);
}

/* RFC 7766 §6.2.4: the client's FIN does not cancel its queries. */
static void test_half_close(void **state)
{
	(void)state;
	static struct server s;
	static struct unit_inbox in;

	memset(&in, 0, sizeof(in));
	begin(&s, (struct tcp_settings){.pending = 2, .idle_ms = 300});
	int fd = join(&s);
	for (uint16_t id = 1; id <= 9; id += 2)
		unit_write_frame(fd, id, HEADER_SIZE);
	shutdown(fd, SHUT_WR);
	/* Longer than an idle connection may stay. */
	assert_false(UNTIL_MS(&s.loop, s.gone || s.received > 2, 900));
	for (unsigned i = 0; i < 5; i++) {
		assert_true(UNTIL(&s.loop, s.kept_count > i));
		assert_int_equal(answer(&s, i), OK);
	}
	assert_true(UNTIL(&s.loop, (unit_read_frames(fd, &in), in.end)));
	assert_int_equal(unit_read_frames(fd, &in), 5);
	assert_int_equal(s.gone, 0);
	assert_true(UNTIL(&s.loop, s.tcp.open_count == 0));
	close(fd);
	end(&s);
}

static void test_pending_limit(void **state)
{
	(void)state;
	static struct server s;
	static struct unit_inbox in;

	memset(&in, 0, sizeof(in));
	begin(&s, (struct tcp_settings){.pending = 3});
	int fd = join(&s);
	for (uint16_t id = 1; id <= 19; id += 2)
		unit_write_frame(fd, id, HEADER_SIZE);
	unit_write_frame(fd, 2, HEADER_SIZE);
	assert_false(UNTIL_MS(&s.loop, s.received > 3, 50));
	assert_int_equal(s.received, 3);
	assert_int_equal(answer(&s, 1), OK);
	assert_true(UNTIL(&s.loop, s.received == 4));
	tcp_drop(&s.tcp, s.kept[0]);
	assert_true(UNTIL(&s.loop, s.received == 5));
	for (unsigned i = 2; i < 10; i++) {
		assert_true(UNTIL(&s.loop, s.kept_count > i));
		assert_int_equal(answer(&s, i), OK);
	}
	assert_true(UNTIL(&s.loop, unit_read_frames(fd, &in) == 10));
	assert_int_equal(s.received, 11);
	close(fd);
	end(&s);
}

/* A client that goes away with queries pending; its handle finds nobody, whoever has the slot. */
static void test_gone(void **state)
{
	(void)state;
	static struct server s;
	struct linger at_once = {.l_onoff = 1};

	begin(&s, (struct tcp_settings){.connections = 1});
	int fd = join(&s);
	unit_write_frame(fd, 1, HEADER_SIZE);
	assert_true(UNTIL(&s.loop, s.kept_count == 1));
	REQUIRE(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
	close(fd); /* RST */
	assert_true(UNTIL(&s.loop, s.gone == 1));
	assert_int_equal(s.gone_handle.generation, s.kept[0].generation);
	assert_int_equal(answer(&s, 0), ERR_CLOSED);
	fd = join(&s);
	unit_write_frame(fd, 3, HEADER_SIZE);
	assert_true(UNTIL(&s.loop, s.kept_count == 2));
	assert_int_equal(s.kept[1].slot, s.kept[0].slot);
	assert_int_equal(answer(&s, 0), ERR_CLOSED);
	tcp_drop(&s.tcp, s.kept[0]);
	assert_int_equal(answer(&s, 1), OK);
	close(fd);
	end(&s);
}

static void test_nonsense(void **state)
{
	(void)state;
	static struct server s;
	static struct unit_inbox in;
	static const struct {
		const char *why, *bytes;
		size_t len;
	} cases[] = {
		{"an empty message", "\0\0", 2},
		{"shorter than a header", "\0\5abcde", 7},
	};

	begin(&s, (struct tcp_settings){0});
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		memset(&in, 0, sizeof(in));
		int fd = join(&s);
		REQUIRE(send(fd, cases[i].bytes, cases[i].len, 0) == (ssize_t)cases[i].len);
		CHECK(cases[i].why,
		      UNTIL(&s.loop, (unit_read_frames(fd, &in), in.end || in.reset)));
		CHECK(cases[i].why, s.received == 0);
		close(fd);
	}
	end(&s);
}

/* Idle and half-sent connections end; with a FIN, and a trickle does not keep them. */
static void test_patience(void **state)
{
	(void)state;
	static struct server s;
	static struct unit_inbox idle_in, loris_in;
	unsigned trickled = 0;

	memset(&idle_in, 0, sizeof(idle_in));
	memset(&loris_in, 0, sizeof(loris_in));
	begin(&s, (struct tcp_settings){.idle_ms = 600});
	int idle = join(&s), busy = join(&s), loris = join(&s);
	unit_write_frame(idle, 2, HEADER_SIZE);
	unit_write_frame(busy, 1, HEADER_SIZE);
	assert_true(UNTIL(&s.loop, s.received == 2));
	uint64_t start_us = s.loop.now.mono_us;
	while (s.tcp.open_count > 1 && s.loop.now.mono_us < start_us + 4000000) {
		if (!loris_in.end && !loris_in.reset && trickled++ < 60)
			(void)!send(loris, "\1", 1, MSG_NOSIGNAL);
		(void)UNTIL_MS(&s.loop, false, 50);
		unit_read_frames(idle, &idle_in);
		unit_read_frames(loris, &loris_in);
		if (idle_in.end)
			shutdown(idle, SHUT_WR);
	}
	assert_true(s.loop.now.mono_us - start_us >= 500000);
	assert_true(idle_in.end && !idle_in.reset);
	assert_true(loris_in.end || loris_in.reset);
	assert_int_equal(s.tcp.open_count, 1); /* a pending query is waited for */
	assert_int_equal(answer(&s, 0), OK);
	close(idle);
	close(busy);
	close(loris);
	end(&s);
}

static void test_idle_under_pressure(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		unsigned open, limit;
		uint32_t idle_ms, want_ms;
	} cases[] = {
		{"room enough", 10, 100, 30000, 30000},
		{"CoreDNS keeps connections for 10 s", 75, 100, 30000, 15000},
		{"it gets close", 90, 100, 30000, 5000},
		{"full", 100, 100, 30000, 1000},
		{"never longer than configured", 60, 100, 10000, 10000},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CHECK(cases[i].why, tcp_idle_ms(cases[i].idle_ms, cases[i].open, cases[i].limit) ==
					    cases[i].want_ms);
}

static void test_limits(void **state)
{
	(void)state;
	static struct server s;
	static struct unit_inbox in;
	int fds[4];

	/* Full: the one that is idle for longest makes room, those with queries do not. */
	memset(&in, 0, sizeof(in));
	begin(&s, (struct tcp_settings){.connections = 2});
	fds[0] = join(&s);
	fds[1] = join(&s);
	unit_write_frame(fds[0], 1, HEADER_SIZE);
	assert_true(UNTIL(&s.loop, s.received == 1 && s.tcp.open_count == 2));
	fds[2] = join(&s);
	unit_write_frame(fds[2], 3, HEADER_SIZE);
	assert_true(UNTIL(&s.loop, s.received == 2));
	assert_int_equal(s.gone, 0);
	fds[3] = join(&s); /* of a client who holds all, and none is idle */
	assert_true(UNTIL(&s.loop, (unit_read_frames(fds[3], &in), in.end || in.reset)));
	assert_int_equal(s.tcp.unfair, 1);
	assert_int_equal(answer(&s, 0), OK);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	end(&s);
}

/* All who come hold one connection each: who comes next waits in the kernel until one is free. */
static void test_waiting_outside(void **state)
{
	(void)state;
	static struct server s;
	int fds[3];

	begin(&s, (struct tcp_settings){.connections = 2});
	for (uint8_t i = 0; i < 2; i++) {
		fds[i] = join_from(&s, (uint8_t)(i + 1));
		unit_write_frame(fds[i], 1, HEADER_SIZE);
	}
	assert_true(UNTIL(&s.loop, s.received == 2));
	fds[2] = join_from(&s, 3);
	unit_write_frame(fds[2], 5, HEADER_SIZE);
	assert_false(UNTIL_MS(&s.loop, s.received > 2, 400));
	assert_true(s.tcp.acceptor.paused);
	assert_int_equal(answer(&s, 0), OK);
	close(fds[0]);
	assert_true(UNTIL(&s.loop, s.received == 3));
	close(fds[1]);
	close(fds[2]);
	end(&s);
}

/* One client holds all connections, with queries pending on each: whoever holds less is let in. */
static void test_fairness(void **state)
{
	(void)state;
	static struct server s;
	static struct unit_inbox in;
	enum { ALL = 16 };
	int hog[ALL], other[ALL], cluster[ALL];

	begin(&s, (struct tcp_settings){.connections = ALL});
	for (unsigned i = 0; i < ALL; i++) {
		hog[i] = join_from(&s, 1);
		unit_write_frame(hog[i], 1, HEADER_SIZE);
		assert_true(UNTIL(&s.loop, s.kept_count == i + 1));
	}
	for (unsigned i = 0; i < ALL / 2; i++) {
		memset(&in, 0, sizeof(in));
		other[i] = join_from(&s, 2);
		unit_write_frame(other[i], 2, HEADER_SIZE);
		assert_true(UNTIL(&s.loop, unit_read_frames(other[i], &in) == 1));
		assert_int_equal(s.gone, i + 1);
		assert_int_equal(s.gone_handle.slot, s.kept[i].slot); /* the oldest of the hog's */
	}
	memset(&in, 0, sizeof(in));
	other[ALL / 2] = join_from(&s, 2); /* as much as the hog: no more for either */
	assert_true(UNTIL(&s.loop, (unit_read_frames(other[ALL / 2], &in), in.end || in.reset)));
	for (unsigned i = 0; i < ALL - 3; i++) { /* a cluster's one address weighs more */
		memset(&in, 0, sizeof(in));
		cluster[i] = join_from(&s, 9);
		unit_write_frame(cluster[i], 2, HEADER_SIZE);
		assert_true(UNTIL(&s.loop, unit_read_frames(cluster[i], &in) == 1));
	}
	for (unsigned i = 0; i < ALL; i++)
		close(hog[i]);
	for (unsigned i = 0; i <= ALL / 2; i++)
		close(other[i]);
	for (unsigned i = 0; i < ALL - 3; i++)
		close(cluster[i]);
	end(&s);
}

/* No descriptor left: accepting pauses and does not spin, and goes on when there is one. */
/* An address that goes takes nothing from those who are connected, and its slot is used again. */
static void test_unlisten(void **state)
{
	(void)state;
	static struct server s;
	static struct unit_inbox in;
	uint8_t message[HEADER_SIZE], frame[HEADER_SIZE + STREAM_LENGTH_SIZE];
	struct endpoint anywhere = unit_loopback(4);

	memset(&in, 0, sizeof(in));
	begin(&s, (struct tcp_settings){0});
	struct endpoint first = s.tcp.acceptor.listeners[0].local;
	assert_int_equal(acceptor_listen(&s.tcp.acceptor, &anywhere, -1, SOCKET_OURS), OK);
	struct endpoint second = s.tcp.acceptor.listeners[1].local;
	int early = join(&s), late = join(&s); /* neither is accepted yet */
	acceptor_unlisten(&s.tcp.acceptor, &first);
	assert_true(unit_connect(&first, SOCK_STREAM) < 0);
	for (uint16_t id = 2; id <= 4; id += 2) {
		int fd = id == 2 ? early : late;
		size_t size = stream_frame(unit_message(id, message, sizeof(message)), frame);
		REQUIRE(send(fd, frame, size, MSG_NOSIGNAL) == (ssize_t)size);
		memset(&in, 0, sizeof(in));
		assert_true(UNTIL(&s.loop, unit_read_frames(fd, &in) == 1));
		close(fd);
	}
	assert_int_equal(acceptor_listen(&s.tcp.acceptor, &anywhere, -1, SOCKET_OURS), OK);
	assert_int_equal(s.tcp.acceptor.listener_count, 2);
	assert_true(endpoint_equal(&s.tcp.acceptor.listeners[1].local, &second));
	acceptor_unlisten(&s.tcp.acceptor, &first); /* nobody */
	end(&s);
}

static void test_no_descriptors(void **state)
{
	(void)state;
	static struct server s;
	struct rlimit old, low;
	unsigned turns = 0;

	begin(&s, (struct tcp_settings){0});
	int fd = join(&s), probe = dup(0);
	close(probe);
	REQUIRE(getrlimit(RLIMIT_NOFILE, &old) == 0);
	low = (struct rlimit){.rlim_cur = (rlim_t)probe, .rlim_max = old.rlim_max};
	REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
	uint64_t start_us = s.loop.now.mono_us;
	while (s.loop.now.mono_us < start_us + 600000) {
		unit_turn(&s.loop);
		turns++;
	}
	assert_int_equal(s.tcp.open_count, 0);
	assert_in_range(turns, 1, 10);
	REQUIRE(setrlimit(RLIMIT_NOFILE, &old) == 0);
	unit_write_frame(fd, 2, HEADER_SIZE);
	assert_true(UNTIL(&s.loop, s.received == 1));
	close(fd);
	end(&s);
}

/* A client that does not read: its queries stay unread, then it is given up; others go on. */
static void test_not_reading(void **state)
{
	(void)state;
	static struct server s;
	static struct unit_inbox in;

	memset(&in, 0, sizeof(in));
	begin(&s, (struct tcp_settings){0});
	int deaf = join(&s), fd = join(&s);
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t message[HEADER_SIZE], frame[HEADER_SIZE + STREAM_LENGTH_SIZE];
		size_t size = stream_frame(unit_message(0xfff0, message, HEADER_SIZE), frame);
		if (send(deaf, frame, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		unit_turn(&s.loop);
		if (s.tcp.unwritten_bytes > 0)
			break;
	}
	assert_in_range(s.tcp.unwritten_bytes, 1, TCP_WRITE_MAX);
	unit_write_frame(fd, 2, HEADER_SIZE);
	assert_true(UNTIL(&s.loop, unit_read_frames(fd, &in) == 1));
	unsigned received = s.received;
	for (unsigned i = 0; i < 20; i++)
		unit_write_frame(deaf, 0xfff0, HEADER_SIZE);
	assert_false(UNTIL_MS(&s.loop, s.received > received + 3, 100)); /* back-pressure */
	/* It reads after all: everything comes. */
	static struct unit_inbox much;
	memset(&much, 0, sizeof(much));
	size_t total = 0;
	while (s.received < received + 20 || s.tcp.unwritten_bytes > 0) {
		(void)unit_read_frames(deaf, &much);
		total += much.len;
		much.len = 0;
		unit_turn(&s.loop);
	}
	assert_true(total > 0);
	close(deaf);
	close(fd);
	assert_true(UNTIL(&s.loop, s.tcp.open_count == 0));
	assert_int_equal(s.tcp.unwritten_bytes, 0);
	end(&s);
}

/* Connections that find no room in the queue of a listener are counted. */
static void test_drops(void **state)
{
	(void)state;
	static struct server s;
	int fds[8];

	begin(&s, (struct tcp_settings){0});
	acceptor_count_drops(&s.tcp.acceptor);
	assert_int_equal(s.tcp.acceptor.drops, 0);
	REQUIRE(listen(s.tcp.acceptor.listeners[0].watch.fd, 1) == 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		struct sockaddr_storage address;
		socklen_t len = endpoint_to_sockaddr(&s.tcp.acceptor.listeners[0].local, &address);
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fds[i], (struct sockaddr *)&address, len);
	}
	acceptor_count_drops(&s.tcp.acceptor);
	assert_in_range(s.tcp.acceptor.drops, 1, 2 * ARRAY_LEN(fds));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	end(&s);
}

/* At the end nobody is accepted any more, not even in the room of who goes; who has been and has not
 * asked yet is waited for. */
static void test_drain(void **state)
{
	(void)state;
	static struct server s;
	static struct unit_inbox in;

	memset(&in, 0, sizeof(in));
	begin(&s, (struct tcp_settings){0});
	s.tcp.acceptor.listeners[0].owner = SOCKET_HELD;
	int silent = join(&s), other = join(&s);
	assert_true(UNTIL(&s.loop, s.tcp.accepted == 2));
	unit_write_frame(other, 2, HEADER_SIZE);
	assert_true(UNTIL(&s.loop, unit_read_frames(other, &in) == 1));
	acceptor_drain(&s.tcp.acceptor);
	assert_false(tcp_is_drained(&s.tcp));
	int late = join(&s);
	close(other);
	assert_true(UNTIL(&s.loop, s.tcp.open_count == 1));
	assert_false(UNTIL_MS(&s.loop, s.tcp.accepted > 2, 2 * TCP_TICK_MS));

	REQUIRE(send(silent, "\0", 1, MSG_NOSIGNAL) == 1);
	assert_true(UNTIL(&s.loop, !TAILQ_EMPTY(&s.tcp.states[TCP_STATE_PARTIAL])));
	assert_false(tcp_is_drained(&s.tcp));
	REQUIRE(send(silent, "\14\0\4\1\0\0\0\0\0\0\0\0\0", 13, MSG_NOSIGNAL) == 13);
	assert_true(UNTIL(&s.loop, s.received == 2));
	assert_true(tcp_is_drained(&s.tcp));
	close(silent);
	close(late);
	end(&s);
}

/* A connection that the daemon closed lingers for a minute; the next one gets the address all the same,
 * also if the socket was opened by somebody who did not ask for that. */
static void test_lingering(void **state)
{
	(void)state;
	static struct server s;
	struct endpoint local = unit_loopback(4);
	struct sockaddr_storage address;
	socklen_t len = endpoint_to_sockaddr(&local, &address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0);
	begin(&s, (struct tcp_settings){0});
	assert_int_equal(acceptor_listen(&s.tcp.acceptor, &local, fd, SOCKET_HELD), OK);
	local = s.tcp.acceptor.listeners[1].local;
	int client = unit_connect(&local, SOCK_STREAM);
	assert_true(UNTIL(&s.loop, s.tcp.accepted == 1));
	end(&s);
	close(client);
	assert_true(socket_is_free(&local, true));
}

/* At the end a listener of ours goes, and who waits there is taken in; one that others have too
 * stays. */
static void test_drain_owners(void **state)
{
	(void)state;
	static struct server s;
	static struct unit_inbox in;
	struct endpoint held = unit_loopback(4);

	memset(&in, 0, sizeof(in));
	begin(&s, (struct tcp_settings){0});
	assert_int_equal(acceptor_listen(&s.tcp.acceptor, &held, -1, SOCKET_HELD), OK);
	held = s.tcp.acceptor.listeners[1].local;
	int fd = join(&s), waiting = unit_connect(&held, SOCK_STREAM);
	acceptor_drain(&s.tcp.acceptor);
	assert_int_equal(s.tcp.open_count, 1);
	assert_false(tcp_is_drained(&s.tcp)); /* it has not asked */
	assert_int_equal(unit_connect(&s.tcp.acceptor.listeners[0].local, SOCK_STREAM), -1);
	int later = unit_connect(&held, SOCK_STREAM);
	assert_true(later >= 0);
	unit_write_frame(fd, 2, HEADER_SIZE);
	assert_true(UNTIL(&s.loop, unit_read_frames(fd, &in) == 1));
	assert_true(tcp_is_drained(&s.tcp));
	assert_int_equal(s.tcp.open_count, 1);
	close(fd);
	close(waiting);
	close(later);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_query),   cmocka_unit_test(test_half_queries),
		cmocka_unit_test(test_byte_by_byte), cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_half_close),   cmocka_unit_test(test_pending_limit),
		cmocka_unit_test(test_gone),	     cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_patience),     cmocka_unit_test(test_idle_under_pressure),
		cmocka_unit_test(test_limits),	     cmocka_unit_test(test_waiting_outside),
		cmocka_unit_test(test_fairness),     cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_not_reading),  cmocka_unit_test(test_drops),
		cmocka_unit_test(test_drain),	     cmocka_unit_test(test_lingering),
		cmocka_unit_test(test_drain_owners), cmocka_unit_test(test_unlisten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
