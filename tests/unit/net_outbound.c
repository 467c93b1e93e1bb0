#include "unit/net_unit.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "net/outbound.h"

enum { TOKENS_MAX = 4096 };

struct client { /* who asks; counts what comes back by token */
	struct loop loop;
	struct outbound outbound;
	unsigned replies[TOKENS_MAX], lost[TOKENS_MAX];
	enum loss loss[TOKENS_MAX]; /* the last one's */
	uint16_t id[TOKENS_MAX];    /* of the last reply */
	size_t len[TOKENS_MAX];
	bool cancel_on_reply;
	uint64_t retry_as; /* send again under this token when something is lost, once */
	struct endpoint retry_to;
};

/* What net/outbound.c connects with: while early_to is set, somebody who has guessed the port sends just
 * before. */
static const struct endpoint *early_to;
static unsigned early_count;

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	struct sockaddr_storage local;
	socklen_t local_len = sizeof(local);
	if (early_to && getsockname(fd, (struct sockaddr *)&local, &local_len) == 0) {
		struct endpoint from = endpoint_from_sockaddr((struct sockaddr *)&local),
				to = *early_to;
		to.port = from.port;
		uint8_t bytes[HEADER_SIZE];
		socklen_t to_len = endpoint_to_sockaddr(&to, &local);
		int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		for (unsigned i = 0; i < 3; i++) {
			struct span message = unit_message(4242, bytes, sizeof(bytes));
			early_count += sendto(other, message.at, message.len, 0,
					      (struct sockaddr *)&local, to_len) > 0;
		}
		close(other);
	}
	return (int)syscall(SYS_connect, fd, address, len);
}

static void handle_reply(void *context, const struct outbound_reply *reply)
{
	struct client *c = context;

	c->replies[reply->token]++;
	c->id[reply->token] = unit_id(reply->packet);
	c->len[reply->token] = reply->packet.len;
	if (c->cancel_on_reply)
		outbound_cancel(&c->outbound, reply->token);
}

static void ask_of_zone(struct client *c, uint64_t token, const struct endpoint *to, uint32_t zone)
{
	uint8_t bytes[HEADER_SIZE];
	const struct outbound_packet packet = {
		.bytes = unit_message((uint16_t)token, bytes, sizeof(bytes)),
		.peer = *to,
		.tcp = true,
		.zone = zone};
	outbound_send(&c->outbound, token, &packet);
}

static void ask(struct client *c, uint64_t token, uint16_t id, const struct endpoint *to, bool tcp)
{
	uint8_t bytes[HEADER_SIZE];
	const struct outbound_packet packet = {
		.bytes = unit_message(id, bytes, sizeof(bytes)), .peer = *to, .tcp = tcp};
	outbound_send(&c->outbound, token, &packet);
}

static void handle_lost(void *context, uint64_t token, enum loss loss)
{
	struct client *c = context;
	uint64_t retry_as = c->retry_as;

	c->lost[token]++;
	c->loss[token] = loss;
	c->retry_as = 0;
	if (retry_as)
		ask(c, retry_as, 2, &c->retry_to, false);
}

static void begin(struct client *c, unsigned udp_sockets)
{
	struct outbound_settings settings = {.udp_sockets = udp_sockets,
					     .reply = handle_reply,
					     .lost = handle_lost,
					     .context = c};
	struct rng rng;

	memset(c, 0, sizeof(*c));
	rng_init_seeded(&rng, 7);
	assert_int_equal(loop_init(&c->loop, loop_epoch_read()), OK);
	assert_int_equal(outbound_init(&c->outbound, &c->loop, &rng, &settings), OK);
}

static void end(struct client *c)
{
	outbound_deinit(&c->outbound);
	loop_deinit(&c->loop);
}

/* The server's side: a plain socket on loopback. */
static int serve(int type, struct endpoint *at)
{
	struct endpoint e = unit_loopback(4);
	struct sockaddr_storage address;
	socklen_t len = endpoint_to_sockaddr(&e, &address);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

	REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0);
	REQUIRE(type != SOCK_STREAM || listen(fd, 16) == 0);
	REQUIRE(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
	*at = endpoint_from_sockaddr((struct sockaddr *)&address);
	return fd;
}

struct caller {
	struct sockaddr_in from;
	uint16_t id;
};

static bool take_query(int fd, struct caller *out)
{
	uint8_t bytes[512];
	socklen_t len = sizeof(out->from);
	ssize_t n = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&out->from, &len);

	if (n >= HEADER_SIZE)
		out->id = unit_id(span_of(bytes, (size_t)n));
	return n >= HEADER_SIZE;
}

static void give_reply(int fd, const struct caller *to, uint16_t id)
{
	uint8_t bytes[HEADER_SIZE];
	struct span message = unit_message(id, bytes, sizeof(bytes));

	REQUIRE(sendto(fd, message.at, message.len, 0, (const struct sockaddr *)&to->from,
		       sizeof(to->from)) == HEADER_SIZE);
}

/* ---- UDP ---- */

/* RFC 5452 §9.2: a port for each query, over the whole range. Several replies are all reported,
 * until it is cancelled; a stranger's packet is not. */
static void test_udp(void **state)
{
	(void)state;
	static struct client c;
	struct endpoint at, stranger_at;
	struct caller callers[32];
	unsigned high = 0;

	begin(&c, 100);
	int server = serve(SOCK_DGRAM, &at), stranger = serve(SOCK_DGRAM, &stranger_at);
	for (unsigned i = 0; i < ARRAY_LEN(callers); i++) {
		ask(&c, i, (uint16_t)(100 + i), &at, false);
		assert_true(UNTIL(&c.loop, take_query(server, &callers[i])));
		assert_int_equal(callers[i].id, 100 + i);
		high += ntohs(callers[i].from.sin_port) >= 32768;
		assert_true(ntohs(callers[i].from.sin_port) >= OUTBOUND_PORT_MIN);
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(callers[i].from.sin_port, callers[j].from.sin_port);
	}
	assert_in_range(high, 6, 26); /* 2^-10 to be outside, and the seed is fixed */
	give_reply(stranger, &callers[3], 103);
	give_reply(server, &callers[3], 999);
	give_reply(server, &callers[3], 103);
	assert_true(UNTIL(&c.loop, c.replies[3] == 2));
	assert_int_equal(c.id[3], 103);
	outbound_cancel(&c.outbound, 3);
	outbound_cancel(&c.outbound, 3); /* twice does no harm */
	give_reply(server, &callers[4], 104);
	assert_true(UNTIL(&c.loop, c.replies[4] == 1));
	assert_int_equal(c.outbound.udp_count, ARRAY_LEN(callers) - 1);
	close(server);
	close(stranger);
	end(&c);
}

/* RFC 5452 §9.1: what came before the socket knew its peer is nobody's reply. */
static void test_udp_early(void **state)
{
	(void)state;
	static struct client c;
	struct endpoint at;
	struct caller caller;

	begin(&c, 100);
	int server = serve(SOCK_DGRAM, &at);
	early_to = &at;
	early_count = 0;
	ask(&c, 1, 100, &at, false);
	early_to = NULL;
	assert_int_equal(early_count, 3);
	assert_true(UNTIL(&c.loop, take_query(server, &caller)));
	give_reply(server, &caller, 100);
	assert_true(UNTIL(&c.loop, c.replies[1] >= 1));
	assert_int_equal(c.replies[1], 1);
	assert_int_equal(c.id[1], 100);
	close(server);
	end(&c);
}

/* Cancelled by the handler with more datagrams to read. */
static void test_udp_cancel_on_reply(void **state)
{
	(void)state;
	static struct client c;
	struct endpoint at;
	struct caller caller;

	begin(&c, 10);
	c.cancel_on_reply = true;
	int server = serve(SOCK_DGRAM, &at);
	ask(&c, 1, 1, &at, false);
	assert_true(UNTIL(&c.loop, take_query(server, &caller)));
	for (uint16_t i = 0; i < 5; i++)
		give_reply(server, &caller, i);
	assert_true(UNTIL(&c.loop, c.replies[1] == 1));
	assert_int_equal(c.outbound.udp_count, 0);
	close(server);
	end(&c);
}

/* What the system tells is told on, once, and never from within the sending. */
static void test_udp_lost(void **state)
{
	(void)state;
	static struct client c;
	struct endpoint closed, nowhere;

	begin(&c, 2);
	close(serve(SOCK_DGRAM, &closed));
	ask(&c, 1, 1, &closed, false);
	assert_true(UNTIL(&c.loop, c.lost[1])); /* ICMP port unreachable */
	outbound_cancel(&c.outbound, 1);
	REQUIRE(endpoint_parse("255.255.255.255:53", 53, &nowhere) == OK);
	ask(&c, 2, 1, &nowhere, false); /* not permitted */
	assert_int_equal(c.lost[2], 0);
	assert_true(UNTIL(&c.loop, c.lost[2]));
	assert_int_equal(c.loss[1], LOSS_HINT);
	assert_int_equal(c.loss[2], LOSS_ROUTE);

	struct endpoint at;
	int server = serve(SOCK_DGRAM, &at);
	for (uint64_t token = 10; token < 13; token++)
		ask(&c, token, 1, &at, false);
	c.retry_as = 13;
	c.retry_to = at;
	assert_true(UNTIL(&c.loop, c.lost[12] && c.lost[13])); /* past the limit, and its retry */
	assert_int_equal(c.lost[10] + c.lost[11], 0);
	assert_int_equal(c.loss[12], LOSS_ROOM);
	outbound_cancel(&c.outbound, 10);
	ask(&c, 14, 1, &at, false);
	assert_false(UNTIL_MS(&c.loop, c.lost[14], 20));
	ask(&c, 15, 1, &at, false);
	outbound_cancel(&c.outbound, 15); /* before the loss is told */
	assert_false(UNTIL_MS(&c.loop, c.lost[15], 20));
	assert_int_equal(c.outbound.lost_count, 3);
	close(server);
	end(&c);
}

/* The one socket of this process that is connected to PEER. */
static struct sockaddr_in asker_of(const struct sockaddr_in *peer)
{
	struct sockaddr_in local = {0}, remote;

	for (int fd = 0; fd < 256; fd++) {
		socklen_t len = sizeof(remote), local_len = sizeof(local);
		if (getpeername(fd, (struct sockaddr *)&remote, &len) == 0 &&
		    remote.sin_family == AF_INET && remote.sin_port == peer->sin_port) {
			REQUIRE(getsockname(fd, (struct sockaddr *)&local, &local_len) == 0);
			return local;
		}
	}
	REQUIRE(false);
	return local;
}

/* What an ICMP message says is a hint, told once: the socket stays, and a reply is read from it. */
static void test_udp_hint(void **state)
{
	(void)state;
	static struct client c;
	struct endpoint at;
	struct caller caller;

	begin(&c, 10);
	close(serve(SOCK_DGRAM, &at)); /* nobody is there for a moment */
	struct sockaddr_in back = {.sin_family = AF_INET, .sin_port = htons(at.port)};
	memcpy(&back.sin_addr, at.addr, 4);
	ask(&c, 2, 2, &at, false);
	assert_true(UNTIL(&c.loop, c.lost[2] == 1));
	assert_int_equal(c.loss[2], LOSS_HINT);
	assert_false(UNTIL_MS(&c.loop, c.lost[2] > 1, 20));
	int server = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	REQUIRE(server >= 0 && bind(server, (struct sockaddr *)&back, sizeof(back)) == 0);
	caller.from = asker_of(&back);
	give_reply(server, &caller, 2);
	assert_true(UNTIL(&c.loop, c.replies[2] == 1));
	assert_int_equal(c.lost[2], 1);
	assert_int_equal(c.outbound.udp_count, 1);
	assert_int_equal(c.outbound.lost_count, 0);
	close(server);
	end(&c);
}

/* ---- TCP ---- */

static int take_connection(struct client *c, int listener)
{
	int fd = -1;
	assert_true(UNTIL(&c->loop, (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0));
	return fd;
}

static void test_tcp_pipelined(void **state)
{
	(void)state;
	static struct client c;
	static struct unit_inbox in;
	struct endpoint at;

	memset(&in, 0, sizeof(in));
	begin(&c, 10);
	c.cancel_on_reply = true;
	int listener = serve(SOCK_STREAM, &at);
	for (uint16_t i = 1; i <= 4; i++)
		ask(&c, i, i, &at, true);
	int fd = take_connection(&c, listener);
	assert_true(UNTIL(&c.loop, unit_read_frames(fd, &in) == 4)); /* all on one */
	unit_write_frame(fd, 99, HEADER_SIZE);			     /* answers nothing */
	unit_write_frame(fd, 3, HEADER_SIZE);
	unit_write_frame(fd, 1, STREAM_MESSAGE_MAX); /* in several pieces */
	unit_write_frame(fd, 1, HEADER_SIZE);	     /* cancelled meanwhile */
	unit_write_frame(fd, 4, HEADER_SIZE);
	assert_true(UNTIL(&c.loop, c.replies[4]));
	assert_int_equal(c.replies[1], 1);
	assert_int_equal(c.len[1], STREAM_MESSAGE_MAX);
	assert_int_equal(c.replies[3], 1);
	assert_int_equal(c.replies[2] + c.lost[2], 0);
	ask(&c, 5, 5, &at, true); /* the same connection again */
	assert_true(UNTIL(&c.loop, unit_read_frames(fd, &in) == 5));
	assert_int_equal(c.outbound.pool.count, 1);
	close(fd);
	assert_true(UNTIL(&c.loop, c.outbound.pool.count == 1 && c.lost[2] + c.lost[5] == 0));
	close(listener);
	end(&c);
}

/* Equal ids go to different connections; past all connections a query is lost. */
static void test_tcp_equal_ids(void **state)
{
	(void)state;
	static struct client c;
	static struct unit_inbox in[POOL_PER_SERVER];
	struct endpoint at;
	int fds[POOL_PER_SERVER];

	memset(in, 0, sizeof(in));
	begin(&c, 10);
	int listener = serve(SOCK_STREAM, &at);
	for (unsigned i = 0; i <= POOL_PER_SERVER; i++)
		ask(&c, i, 7, &at, true);
	assert_int_equal(c.outbound.pool.count, POOL_PER_SERVER);
	assert_true(UNTIL(&c.loop, c.lost[POOL_PER_SERVER]));
	assert_int_equal(c.loss[POOL_PER_SERVER], LOSS_ROOM);
	for (unsigned i = 0; i < POOL_PER_SERVER; i++) {
		fds[i] = take_connection(&c, listener);
		assert_true(UNTIL(&c.loop, unit_read_frames(fds[i], &in[i]) == 1));
	}
	unit_write_frame(fds[2], 7, HEADER_SIZE);
	assert_true(UNTIL(&c.loop, c.replies[2]));
	assert_int_equal(c.replies[0] + c.replies[1] + c.replies[3], 0);
	for (unsigned i = 0; i < POOL_PER_SERVER; i++)
		close(fds[i]);
	assert_true(UNTIL(&c.loop, c.lost[0] && c.lost[1] && c.lost[2] && c.lost[3]));
	close(listener);
	end(&c);
}

/* RFC 7766 §6.2.4: a server may close an idle connection as we send on it: ask once more. A fresh
 * connection that is closed is a loss. */
static void test_tcp_closed(void **state)
{
	(void)state;
	static struct client c;
	static struct unit_inbox in, again;
	struct endpoint at, closed;

	memset(&in, 0, sizeof(in));
	memset(&again, 0, sizeof(again));
	begin(&c, 10);
	c.cancel_on_reply = true;
	int listener = serve(SOCK_STREAM, &at);
	ask(&c, 1, 1, &at, true);
	int fd = take_connection(&c, listener);
	assert_true(UNTIL(&c.loop, unit_read_frames(fd, &in) == 1));
	unit_write_frame(fd, 1, HEADER_SIZE);
	assert_true(UNTIL(&c.loop, c.replies[1]));
	ask(&c, 2, 2, &at, true);
	close(fd);
	fd = take_connection(&c, listener);
	assert_true(UNTIL(&c.loop, unit_read_frames(fd, &again) == 1));
	assert_int_equal(unit_id(unit_frame(&again, 0)), 2);
	close(fd); /* again: now it is lost */
	assert_true(UNTIL(&c.loop, c.lost[2]));
	close(listener);
	REQUIRE(!close(serve(SOCK_STREAM, &closed)));
	ask(&c, 3, 3, &closed, true);
	assert_int_equal(c.lost[3], 0);
	assert_true(UNTIL(&c.loop, c.lost[3])); /* connection refused */
	assert_int_equal(c.loss[3], LOSS_CLOSED);
	assert_true(UNTIL(&c.loop, c.outbound.pool.count == 0));
	end(&c);
}

/* A server that answers one query of a connection and closes it: all that were pipelined are answered, one
 * after the other, and the next ones have a connection each. */
static void test_tcp_closes(void **state)
{
	(void)state;
	enum { QUERIES = POOL_SPREAD + 4 };
	static struct client c;
	static struct unit_inbox in;
	struct endpoint at;
	unsigned connections = 0, answered = 0;
	int fd;

	begin(&c, 10);
	c.cancel_on_reply = true;
	int listener = serve(SOCK_STREAM, &at);
	for (uint16_t i = 0; i < QUERIES; i++)
		ask(&c, i, i, &at, true);
	while (answered < QUERIES && connections < 3 * QUERIES) {
		memset(&in, 0, sizeof(in));
		fd = take_connection(&c, listener);
		connections++;
		assert_true(UNTIL(&c.loop, unit_read_frames(fd, &in) > 0));
		uint16_t id = unit_id(unit_frame(&in, 0));
		unit_write_frame(fd, id, HEADER_SIZE);
		close(fd);
		assert_true(UNTIL(&c.loop, c.replies[id] == 1));
		answered++;
	}
	assert_int_equal(answered, QUERIES);
	assert_int_equal(c.outbound.lost_count, 0);
	for (unsigned i = 0; i < POOL_PER_SERVER; i++)
		ask(&c, 100 + i, (uint16_t)(100 + i), &at, true);
	assert_int_equal(c.outbound.pool.count, POOL_PER_SERVER);
	close(listener);
	end(&c);
}

/* A server that leaves queries unanswered gets a new connection for the next. */
static void test_tcp_silent(void **state)
{
	(void)state;
	static struct client c;
	struct endpoint at;

	begin(&c, 10);
	int listener = serve(SOCK_STREAM, &at);
	for (uint16_t i = 1; i <= POOL_UNANSWERED; i++)
		ask(&c, i, i, &at, true);
	int fd = take_connection(&c, listener);
	(void)UNTIL_MS(&c.loop, false, POOL_ANSWER_MS + 50);
	for (uint16_t i = 1; i <= POOL_UNANSWERED; i++)
		outbound_cancel(&c.outbound, i);
	ask(&c, 9, 9, &at, true);
	int second = take_connection(&c, listener);
	close(fd);
	close(second);
	close(listener);
	end(&c);
}

/* Replies that begin and do not end keep to a sum: who holds most goes. */
static void test_tcp_half_replies(void **state)
{
	(void)state;
	static struct client c;
	static uint8_t message[STREAM_MESSAGE_MAX], frame[STREAM_FRAME_MAX];
	enum { SERVERS = 3, SENT = 20000, LESS = 8000 };
	struct endpoint at[SERVERS];
	int listening[SERVERS], fds[SERVERS];

	begin(&c, 10);
	c.outbound.pool.unread_limit = SENT + LESS;
	(void)stream_frame(unit_message(5, message, SENT + 2), frame);
	for (unsigned i = 0; i < SERVERS; i++) {
		listening[i] = serve(SOCK_STREAM, &at[i]);
		ask(&c, i, 5, &at[i], true);
		assert_true(UNTIL(&c.loop, (fds[i] = accept(listening[i], NULL, NULL)) >= 0));
		size_t len =
			i == 1 ? SENT : LESS; /* the second holds most, the third is too much */
		REQUIRE(send(fds[i], frame, len, MSG_NOSIGNAL) == (ssize_t)len);
		if (i < 2)
			assert_true(UNTIL(&c.loop, c.outbound.pool.unread_bytes ==
							   (i ? SENT + LESS : LESS)));
	}
	assert_true(UNTIL(&c.loop, c.lost[1] == 1));
	assert_int_equal(c.outbound.pool.shed_input, 1);
	assert_true(UNTIL(&c.loop, c.outbound.pool.unread_bytes == 2 * LESS));
	for (unsigned i = 0; i < SERVERS; i += 2) {
		size_t rest = SENT + 2 + STREAM_LENGTH_SIZE - LESS;
		REQUIRE(send(fds[i], frame + LESS, rest, MSG_NOSIGNAL) == (ssize_t)rest);
		assert_true(UNTIL(&c.loop, c.replies[i] == 1));
	}
	assert_int_equal(c.outbound.pool.unread_bytes, 0);
	end(&c);
	for (unsigned i = 0; i < SERVERS; i++) {
		close(listening[i]);
		close(fds[i]);
	}
}

/* A server that sends without end what nobody asked for. */
static void test_tcp_flood(void **state)
{
	(void)state;
	static struct client c;
	struct endpoint at;

	begin(&c, 10);
	int listener = serve(SOCK_STREAM, &at);
	ask(&c, 1, 1, &at, true);
	int fd = take_connection(&c, listener);
	for (unsigned i = 0; i <= POOL_STRANGERS; i++)
		unit_write_frame(fd, 2, HEADER_SIZE);
	assert_true(UNTIL(&c.loop, c.lost[1]));
	assert_int_equal(c.outbound.pool.count, 0);
	close(fd);
	close(listener);
	end(&c);
}

/* ---- room for connections ---- */

/* A listener with many addresses (127/8), that accepts by the kernel only: NUMBER's. */
static struct endpoint silent_server(const struct endpoint *at, unsigned number)
{
	struct endpoint e = *at;
	e.addr[2] = (uint8_t)(number >> 8);
	e.addr[3] = (uint8_t)(number + 1);
	return e;
}

static int serve_silently(struct endpoint *at)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	socklen_t len = sizeof(any);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&any, len) == 0);
	REQUIRE(listen(fd, 2 * POOL_CONNECTIONS) == 0);
	REQUIRE(getsockname(fd, (struct sockaddr *)&any, &len) == 0);
	*at = unit_loopback(4);
	at->port = ntohs(any.sin_port);
	return fd;
}

/* Servers that accept and fall silent hold all connections: who has waited longest gives way, once a
 * server that is there would have answered. */
static void test_tcp_room(void **state)
{
	(void)state;
	static struct client c;
	struct endpoint at, to;

	begin(&c, 10);
	int listener = serve_silently(&at);
	for (unsigned i = 0; i < POOL_CONNECTIONS; i++) {
		to = silent_server(&at, i);
		ask_of_zone(&c, i, &to, i);
	}
	assert_int_equal(c.outbound.pool.count, POOL_CONNECTIONS);
	to = silent_server(&at, 1000);
	ask_of_zone(&c, 1000, &to, 1000);
	assert_true(UNTIL(&c.loop, c.lost[1000]));
	assert_int_equal(c.loss[1000], LOSS_ROOM); /* nobody has waited long */
	(void)UNTIL_MS(&c.loop, false, POOL_WAITED_MS + 50);
	ask_of_zone(&c, 1001, &to, 1000);
	assert_int_equal(c.outbound.pool.count, POOL_CONNECTIONS);
	assert_true(UNTIL(&c.loop, c.outbound.lost_count == 2));
	assert_int_equal(c.lost[1001], 0);
	for (unsigned i = 0; i < POOL_CONNECTIONS; i++)
		assert_true(!c.lost[i] || c.loss[i] == LOSS_YIELDED);
	/* An idle one goes before any that waits. */
	outbound_cancel(&c.outbound, 77);
	to = silent_server(&at, 1002);
	uint64_t lost_before = c.outbound.lost_count;
	ask_of_zone(&c, 1002, &to, 1002);
	assert_false(UNTIL_MS(&c.loop, c.outbound.lost_count > lost_before, 20));
	close(listener);
	end(&c);
}

/* Once half of them are in use, one zone's servers that bring nothing get no more than its share, and one
 * server one connection; others are not kept out. */
static void test_tcp_shares(void **state)
{
	(void)state;
	static struct client c;
	struct endpoint at, to;
	unsigned token = 0;

	begin(&c, 10);
	int listener = serve_silently(&at);
	for (; token < POOL_CONNECTIONS / 2 + POOL_ZONE_SHARE; token++) {
		to = silent_server(&at, token);
		ask_of_zone(&c, token, &to, token < POOL_CONNECTIONS / 2 ? 1 : 2);
	}
	assert_int_equal(c.outbound.pool.count, POOL_CONNECTIONS / 2 + POOL_ZONE_SHARE);
	for (uint32_t zone = 1; zone <= 2; zone++) {
		to = silent_server(&at, ++token);
		ask_of_zone(&c, token, &to, zone);
		assert_true(UNTIL(&c.loop, c.lost[token]));
		assert_int_equal(c.loss[token], LOSS_ROOM);
	}
	unsigned before = c.outbound.pool.count;
	to = silent_server(&at, ++token);
	ask_of_zone(&c, token, &to, 3);
	for (unsigned i = 0; i < 2 * POOL_SPREAD; i++)
		ask_of_zone(&c, ++token, &to, 3);
	assert_int_equal(c.outbound.pool.count, before + 1);
	assert_false(UNTIL_MS(&c.loop, c.lost[token], 20));
	close(listener);
	end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udp_early),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_udp_cancel_on_reply),
		cmocka_unit_test(test_udp_hint),
		cmocka_unit_test(test_udp_lost),
		cmocka_unit_test(test_tcp_pipelined),
		cmocka_unit_test(test_tcp_equal_ids),
		cmocka_unit_test(test_tcp_closed),
		cmocka_unit_test(test_tcp_closes),
		cmocka_unit_test(test_tcp_silent),
		cmocka_unit_test(test_tcp_flood),
		cmocka_unit_test(test_tcp_half_replies),
		cmocka_unit_test(test_tcp_room),
		cmocka_unit_test(test_tcp_shares),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
