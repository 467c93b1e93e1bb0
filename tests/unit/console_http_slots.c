#include "unit/base_unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "console/http_slots.h"

static struct endpoint client(uint8_t host)
{
	return (struct endpoint){.family = 4, .port = 1, .addr = {127, 0, 0, host}};
}

/* A connection of HOST at MONO_US, whose other end goes to *PEER; NULL if it is not admitted. */
static struct http_slot *connect_from(struct http_slots *s, uint8_t host, uint64_t mono_us,
				      int *peer)
{
	struct endpoint from = client(host);
	int pair[2];

	if (!http_slots_admit(s, &from))
		return NULL;
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	*peer = pair[1];
	return http_slots_take(s, pair[0], &from, mono_us);
}

static bool has_ended(int peer)
{
	char byte;
	return recv(peer, &byte, 1, 0) == 0;
}

/* As the library does when it sees the end. */
static void leave(struct http_slots *s, struct http_slot *slot, int peer)
{
	int fd = slot->fd;
	http_slots_leave(s, slot);
	close(fd);
	close(peer);
}

static void test_fairness(void **state)
{
	(void)state;
	static struct http_slots s;
	struct http_slot *hog[HTTP_SLOTS], *other[HTTP_SLOTS_SPARE];
	int hog_peers[HTTP_SLOTS], peers[HTTP_SLOTS_SPARE], none;

	assert_int_equal(http_slots_init(&s), OK);
	for (unsigned i = 0; i < HTTP_SLOTS; i++)
		assert_non_null(hog[i] = connect_from(&s, 1, i, &hog_peers[i]));
	for (unsigned i = 0; i < HTTP_SLOTS_SPARE; i++) {
		assert_false(has_ended(hog_peers[i]));
		assert_non_null(other[i] = connect_from(&s, 2, 100, &peers[i]));
		assert_true(has_ended(hog_peers[i])); /* the oldest */
	}
	/* Those that were ended are not closed yet: there is room for no more. */
	assert_null(connect_from(&s, 3, 100, &none));
	assert_int_equal(http_slots_refused(&s), HTTP_SLOTS_SPARE + 1);
	for (unsigned i = 0; i < HTTP_SLOTS; i++)
		leave(&s, hog[i], hog_peers[i]);
	for (unsigned i = 0; i < HTTP_SLOTS_SPARE; i++) {
		assert_false(has_ended(peers[i]));
		leave(&s, other[i], peers[i]);
	}
	assert_int_equal(s.count, 0);
	http_slots_leave(&s, NULL); /* one that had none */
	http_slots_deinit(&s);
}

/* Who has filled all of it with what it has left behind comes in by the oldest of that. */
static void test_own(void **state)
{
	(void)state;
	static struct http_slots s;
	struct http_slot *slots[HTTP_SLOTS + 2];
	int peers[HTTP_SLOTS + 2];

	assert_int_equal(http_slots_init(&s), OK);
	for (unsigned i = 0; i < HTTP_SLOTS + 2; i++) {
		assert_non_null(slots[i] = connect_from(&s, 1, i, &peers[i]));
		for (unsigned j = 0; j <= i; j++)
			assert_int_equal(has_ended(peers[j]), j + HTTP_SLOTS <= i);
	}
	assert_int_equal(http_slots_refused(&s), 2);
	for (unsigned i = 0; i < HTTP_SLOTS + 2; i++)
		leave(&s, slots[i], peers[i]);
	http_slots_deinit(&s);
}

static void test_time(void **state)
{
	(void)state;
	static struct http_slots s;
	int early_peer, late_peer;
	const uint64_t limit_us = HTTP_REQUEST_MS * 1000ull;

	assert_int_equal(http_slots_init(&s), OK);
	struct http_slot *early = connect_from(&s, 1, 1000, &early_peer);
	struct http_slot *late = connect_from(&s, 1, 2000, &late_peer);
	http_slots_expire(&s, 999 + limit_us);
	assert_false(has_ended(early_peer));
	http_slots_expire(&s, 1000 + limit_us);
	http_slots_expire(&s, 1000 + limit_us); /* again is fine */
	assert_true(has_ended(early_peer));
	assert_false(has_ended(late_peer));
	leave(&s, early, early_peer);
	leave(&s, late, late_peer);
	http_slots_deinit(&s);
}

/* A connection that the library does not name takes no slot, however many there are. */
static void test_no_descriptor(void **state)
{
	(void)state;
	static struct http_slots s;
	struct endpoint from = client(1);
	int peer;

	assert_int_equal(http_slots_init(&s), OK);
	for (unsigned i = 0; i < 2 * HTTP_SLOTS_ALL; i++)
		assert_null(http_slots_take(&s, -1 - (int)i, &from, i));
	assert_int_equal(s.count, 0);
	struct http_slot *slot = connect_from(&s, 1, 1, &peer);
	assert_non_null(slot);
	leave(&s, slot, peer);
	http_slots_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fairness),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_no_descriptor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
