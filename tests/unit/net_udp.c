#include "unit/net_unit.h"

#include "net/socket.h"
#include "net/udp.h"

enum { LATER_MAX = 2 * UDP_WORK_ROOM, CHUNK = UDP_BATCH };

struct server {
	struct loop loop;
	struct udp_server udp;
	struct udp_socket socket;
	unsigned received;
	struct udp_path later[LATER_MAX];
	uint16_t later_ids[LATER_MAX];
	unsigned later_count;
	int client;	     /* -1: nobody looks */
	bool answered_first; /* there was something for the client when the first work began */
};

/* Echoes; keeps queries with odd ids for later; does not answer id 0xffff at all. */
static ptrdiff_t handle(void *context, struct span packet, const struct udp_path *path,
			uint8_t *out, size_t size_bytes)
{
	struct server *s = context;
	uint16_t id = unit_id(packet);

	(void)path;
	s->received++;
	if (id == 0xffff)
		return UDP_NEVER;
	if (id % 2 == 1)
		return UDP_LATER;
	REQUIRE(packet.len <= size_bytes);
	memcpy(out, packet.at, packet.len);
	return (ptrdiff_t)packet.len;
}

static void work(void *context, struct span packet, const struct udp_path *path)
{
	struct server *s = context;
	uint8_t byte;

	if (s->client >= 0 && s->later_count == 0)
		s->answered_first = recv(s->client, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
	s->later[s->later_count] = *path;
	s->later_ids[s->later_count++] = unit_id(packet);
}

static void begin(struct server *s, const char *address)
{
	struct endpoint e;

	memset(s, 0, sizeof(*s));
	s->client = -1;
	assert_int_equal(endpoint_parse(address, 0, &e), OK);
	assert_int_equal(loop_init(&s->loop, loop_epoch_read()), OK);
	const struct udp_settings settings = {.handler = handle, .work = work, .context = s};
	assert_int_equal(udp_server_init(&s->udp, &s->loop, &settings), OK);
	assert_int_equal(udp_listen(&s->socket, &s->udp, &e, -1, SOCKET_OURS), OK);
	assert_int_not_equal(s->socket.local.port, 0);
}

static void end(struct server *s)
{
	udp_close(&s->socket);
	udp_close(&s->socket); /* twice does no harm */
	udp_server_deinit(&s->udp);
	loop_deinit(&s->loop);
}

static bool receive(int fd, uint16_t *id)
{
	uint8_t bytes[2048];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < HEADER_SIZE)
		return false;
	*id = unit_id(span_of(bytes, (size_t)n));
	return true;
}

static void send_id(int fd, uint16_t id, size_t len)
{
	static uint8_t bytes[8192];
	(void)unit_message(id, bytes, len);
	REQUIRE(send(fd, bytes, len, 0) == (ssize_t)len);
}

/* More than a batch at once, some answered at once and some later. */
static void test_batches(void **state)
{
	(void)state;
	static struct server s;
	enum { COUNT = 200 };
	bool seen[COUNT] = {0};
	uint16_t id;
	unsigned answers = 0;

	begin(&s, "127.0.0.1");
	int fd = unit_connect(&s.socket.local, SOCK_DGRAM);
	for (uint16_t i = 0; i < COUNT; i++)
		send_id(fd, i, HEADER_SIZE + i % 50);
	assert_true(UNTIL(&s.loop, s.received == COUNT));
	assert_int_equal(s.later_count, COUNT / 2);
	for (unsigned i = 0; i < s.later_count; i++) {
		uint8_t bytes[HEADER_SIZE];
		udp_send(&s.later[i], unit_message(s.later_ids[i], bytes, sizeof(bytes)));
	}
	while (receive(fd, &id)) {
		assert_in_range(id, 0, COUNT - 1);
		assert_false(seen[id]);
		seen[id] = true;
		answers++;
	}
	assert_int_equal(answers, COUNT);
	assert_int_equal(s.udp.dropped_answers, 0);
	close(fd);
	end(&s);
}

/* Who came first and needs work does not hold up who came behind and needs none. */
static void test_work_comes_last(void **state)
{
	(void)state;
	static struct server s;

	begin(&s, "127.0.0.1");
	s.client = unit_connect(&s.socket.local, SOCK_DGRAM);
	send_id(s.client, 1, HEADER_SIZE);
	send_id(s.client, 2, HEADER_SIZE);
	assert_true(UNTIL(&s.loop, s.later_count == 1));
	assert_true(s.answered_first);
	close(s.client);
	end(&s);
}

/* As the loop does between two handlers. */
static void look(struct server *s)
{
	s->socket.watch.fn(s->socket.watch.context, LOOP_READ);
}

/* More than the line has room for, from two sockets, of which one is closed meanwhile. */
static void test_work_in_line(void **state)
{
	(void)state;
	enum { COUNT = 2 * UDP_WORK_ROOM - 20 };
	static struct server s;
	struct udp_socket other;
	struct endpoint e = unit_loopback(4);

	begin(&s, "127.0.0.1");
	assert_int_equal(udp_listen(&other, &s.udp, &e, -1, SOCKET_OURS), OK);
	int fd = unit_connect(&other.local, SOCK_DGRAM);
	send_id(fd, 3, HEADER_SIZE);
	loop_wait(&s.loop);
	other.watch.fn(other.watch.context, LOOP_READ);
	assert_int_equal(s.udp.work_count, 1);
	udp_close(&other);
	close(fd);
	fd = unit_connect(&s.socket.local, SOCK_DGRAM);
	for (uint16_t i = 0; i < COUNT; i++) {
		send_id(fd, (uint16_t)(2 * i + 1),
			i % 7 == 0 ? UDP_WORK_QUERY_MAX + 1 : HEADER_SIZE);
		if (i % CHUNK == 0) /* there is room for so many in a socket everywhere */
			look(&s);
	}
	assert_true(UNTIL(&s.loop, s.later_count == COUNT));
	bool seen[COUNT] = {0};
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(s.later[i].socket == &s.socket, 1);
		assert_false(seen[s.later_ids[i] / 2]);
		seen[s.later_ids[i] / 2] = true;
	}
	close(fd);
	end(&s);
}

/* In the midst of work others are answered, and none is begun; nor is any lost that the socket has
 * room for, but for queries that are longer than any name needs. */
static void test_hold(void **state)
{
	(void)state;
	enum { COUNT = UDP_WORK_ROOM + CHUNK };
	static struct server s;
	uint16_t id;

	begin(&s, "127.0.0.1");
	int fd = unit_connect(&s.socket.local, SOCK_DGRAM);
	udp_hold(&s.udp);
	send_id(fd, 2, HEADER_SIZE);
	send_id(fd, 1, UDP_WORK_QUERY_MAX + 1);
	look(&s);
	assert_true(UNTIL(&s.loop, receive(fd, &id)));
	assert_int_equal(id, 2);
	assert_int_equal(s.udp.dropped_answers, 1);
	for (uint16_t i = 0; i < COUNT; i++) {
		send_id(fd, (uint16_t)(2 * i + 1), HEADER_SIZE);
		if (i % CHUNK == CHUNK - 1)
			look(&s);
	}
	assert_int_equal(s.later_count, 0);
	assert_in_range(s.udp.work_count, UDP_WORK_ROOM - CHUNK, UDP_WORK_ROOM);
	udp_release(&s.udp);
	assert_true(UNTIL(&s.loop, s.later_count == COUNT));
	assert_int_equal(s.udp.dropped_answers, 1);
	close(fd);
	end(&s);
}

/* At the end what waits is begun, on a socket that others go on reading too. */
static void test_drain_works(void **state)
{
	(void)state;
	for (enum socket_owner owner = SOCKET_OURS; owner <= SOCKET_HELD_SHARED; owner++) {
		static struct server s;
		begin(&s, "127.0.0.1");
		s.socket.owner = owner;
		int fd = unit_connect(&s.socket.local, SOCK_DGRAM);
		send_id(fd, 1, HEADER_SIZE);
		loop_wait(&s.loop);
		s.socket.watch.fn(s.socket.watch.context, LOOP_READ);
		assert_int_equal(s.udp.work_count, 1);
		udp_drain(&s.socket);
		assert_int_equal(s.later_count, 1);
		close(fd);
		end(&s);
	}
}

/* The client is connected, so that it takes replies from the address that it asked only. */
static void test_source_address(void **state)
{
	(void)state;
	static const struct {
		const char *why, *bound, *asked;
	} cases[] = {
		{"one address", "127.0.0.3", "127.0.0.3"},
		{"wildcard, IPv4", "0.0.0.0", "127.0.0.9"},
		{"wildcard, the primary address", "0.0.0.0", "127.0.0.1"},
		{"wildcard, IPv6", "::", "::1"},
	};
	static struct server s;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct endpoint e;
		uint16_t id = 0;
		uint8_t bytes[HEADER_SIZE];

		begin(&s, cases[i].bound);
		REQUIRE(endpoint_parse(cases[i].asked, s.socket.local.port, &e) == OK);
		int fd = unit_connect(&e, SOCK_DGRAM);
		CHECK(cases[i].why, fd >= 0);
		send_id(fd, 4, HEADER_SIZE);
		CHECK(cases[i].why, UNTIL(&s.loop, receive(fd, &id)));
		CHECK(cases[i].why, id == 4);
		send_id(fd, 5, HEADER_SIZE);
		CHECK(cases[i].why, UNTIL(&s.loop, s.later_count == 1));
		udp_send(&s.later[0], unit_message(5, bytes, sizeof(bytes)));
		CHECK(cases[i].why, UNTIL(&s.loop, receive(fd, &id)) && id == 5);
		close(fd);
		end(&s);
	}
}

/* IPv6 only on "::", so that "0.0.0.0" has its own socket. */
static void test_families_apart(void **state)
{
	(void)state;
	static struct server s;
	struct udp_socket v4;

	begin(&s, "::");
	struct endpoint any4 = endpoint_of(span_of("\0\0\0\0", 4), s.socket.local.port);
	assert_int_equal(udp_listen(&v4, &s.udp, &any4, -1, SOCKET_OURS), OK);
	udp_close(&v4);
	end(&s);
}

/* A client that is gone (ICMP port unreachable) and datagrams that are no queries. */
static void test_bad_clients(void **state)
{
	(void)state;
	static struct server s;
	uint16_t id;

	begin(&s, "127.0.0.1");
	int fd = unit_connect(&s.socket.local, SOCK_DGRAM); /* first: its port is none of theirs */
	for (int i = 0; i < 20; i++) {
		int gone = unit_connect(&s.socket.local, SOCK_DGRAM);
		send_id(gone, 2, HEADER_SIZE);
		close(gone);
	}
	send_id(fd, 2, UDP_QUERY_MAX + 1); /* cut: not handed on */
	send_id(fd, 0xffff, HEADER_SIZE);
	send_id(fd, 8, HEADER_SIZE);
	assert_true(UNTIL(&s.loop, receive(fd, &id)));
	assert_int_equal(id, 8);
	assert_int_equal(s.received, 22);
	close(fd);
	end(&s);
}

static void test_listen_fails(void **state)
{
	(void)state;
	static struct server s;
	struct udp_socket other;
	struct endpoint nowhere;

	/* A link-local address means nothing without its interface. */
	begin(&s, "127.0.0.1");
	REQUIRE(endpoint_parse("[fe80::1%2147483647]:53535", 53, &nowhere) == OK);
	assert_int_equal(udp_listen(&other, &s.udp, &nowhere, -1, SOCKET_OURS), ERR_SYSTEM);
	assert_int_equal(errno, ENODEV);
	end(&s);
}

/* An address may come later; whether it is there is another question. */
static void test_listen_early(void **state)
{
	static const struct {
		const char *why, *address;
		bool here;
	} places[] = {
		{"RFC 5737: nobody has it", "192.0.2.1:0", false},
		{"RFC 3849: nobody has it", "[2001:db8::1]:0", false},
		{"loopback", "127.0.0.1:0", true},
		{"any address", "0.0.0.0:0", true},
	};
	static struct server s;

	(void)state;
	begin(&s, "127.0.0.1");
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct udp_socket other;
		struct endpoint e;
		REQUIRE(endpoint_parse(places[i].address, 53, &e) == OK);
		CHECK(places[i].why, socket_is_here(&e) == places[i].here);
		if (udp_listen(&other, &s.udp, &e, -1, SOCKET_OURS) != OK && errno == EAFNOSUPPORT)
			continue; /* without IPv6 */
		CHECK(places[i].why, endpoint_equal(&other.local, &e) || other.local.port != 0);
		udp_close(&other);
	}
	end(&s);
}

/* What finds no room in a socket that nobody reads is counted, once. */
static void test_drops(void **state)
{
	(void)state;
	static struct server s;
	enum { COUNT = 200 };
	int small = 1; /* the system makes it the least that it allows */
	uint16_t id;

	begin(&s, "127.0.0.1");
	int fd = unit_connect(&s.socket.local, SOCK_DGRAM);
	udp_count_drops(&s.socket);
	assert_int_equal(s.udp.drops, 0);
	REQUIRE(setsockopt(s.socket.watch.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) == 0);
	for (unsigned i = 0; i < COUNT; i++)
		send_id(fd, 0xffff, 100);
	send_id(fd, 0, 4000); /* too long for any room that is left */
	udp_count_drops(&s.socket);
	assert_in_range(s.udp.drops, 1, COUNT + 1);
	assert_false(UNTIL_MS(&s.loop, receive(fd, &id), 20));
	assert_int_equal(s.received + s.udp.drops, COUNT + 1);
	uint64_t drops = s.udp.drops;
	udp_count_drops(&s.socket);
	assert_int_equal(s.udp.drops, drops);
	/* Somebody else counts this one. */
	s.socket.owner = SOCKET_HELD_SHARED;
	s.socket.drops = 0;
	udp_count_drops(&s.socket);
	assert_int_equal(s.udp.drops, drops);
	close(fd);
	end(&s);
}

/* Two share an address and one leaves: it answers what waits for it and gets nothing more. */
static void test_leave(void **state)
{
	(void)state;
	static const char *const addresses[] = {"127.0.0.1", "::1"};
	static struct server s, other;
	enum { COUNT = 100 };
	int fds[COUNT];
	uint16_t id;

	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		unsigned answered = 0;
		begin(&s, addresses[i]);
		begin(&other, addresses[i]);
		udp_close(&other.socket);
		assert_int_equal(
			udp_listen(&other.socket, &other.udp, &s.socket.local, -1, SOCKET_OURS),
			OK);
		for (unsigned k = 0; k < COUNT; k++) {
			fds[k] = unit_connect(&s.socket.local, SOCK_DGRAM);
			send_id(fds[k], 2, HEADER_SIZE);
		}
		udp_drain(&s.socket);
		assert_in_range(s.received, 1, COUNT - 1);
		unsigned before = s.received;
		for (unsigned k = 0; k < COUNT; k++)
			send_id(fds[k], 4, HEADER_SIZE);
		udp_drain(&s.socket);
		assert_int_equal(s.received, before);
		assert_true(UNTIL(&other.loop, other.received == 2 * COUNT - before));
		for (unsigned k = 0; k < COUNT; k++) {
			answered += receive(fds[k], &id);
			answered += receive(fds[k], &id);
			close(fds[k]);
		}
		assert_int_equal(answered, 2 * COUNT);
		end(&s);
		end(&other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches),	       cmocka_unit_test(test_work_comes_last),
		cmocka_unit_test(test_work_in_line),   cmocka_unit_test(test_drain_works),
		cmocka_unit_test(test_source_address), cmocka_unit_test(test_families_apart),
		cmocka_unit_test(test_bad_clients),    cmocka_unit_test(test_listen_fails),
		cmocka_unit_test(test_drops),	       cmocka_unit_test(test_leave),
		cmocka_unit_test(test_listen_early),   cmocka_unit_test(test_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
