#include "unit/net_unit.h"

static void test_frames(void **state)
{
	(void)state;
	static const struct {
		const char *why, *hex;
		size_t frames, left;
	} cases[] = {
		{"RFC 1035 §4.2.2: nothing", "", 0, 0},
		{"half a length", "00", 0, 1},
		{"an empty message", "0000", 1, 0},
		{"one byte is missing", "0003 6162", 0, 4},
		{"one message", "0003 616263", 1, 0},
		{"one and the beginning of the next", "0001 61 0002 62", 1, 3},
		{"RFC 7766 §8: two at once", "0001 61 0002 6263", 2, 0},
		{"the longest length", "ffff 61", 0, 3},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t bytes[16];
		struct span rest = span_of(bytes, unit_unhex(cases[i].hex, bytes, sizeof(bytes)));
		struct span message;
		size_t frames = 0;
		while (stream_next_message(&rest, &message))
			frames++;
		CHECK(cases[i].why, frames == cases[i].frames);
		CHECK(cases[i].why, rest.len == cases[i].left);
	}
}

static void test_queue(void **state)
{
	(void)state;
	struct stream_queue q = {0};

	assert_int_equal(stream_queue_push(&q, span_of("", 0), 4), OK);
	assert_null(q.bytes);
	assert_int_equal(stream_queue_push(&q, span_of("abc", 3), 4), OK);
	assert_int_equal(stream_queue_push(&q, span_of("de", 2), 4), ERR_LIMIT);
	assert_int_equal(stream_queue_len(&q), 3);
	stream_queue_pop(&q, 2);
	assert_int_equal(stream_queue_push(&q, span_of("de", 2), 4), OK);
	assert_true(span_equal(stream_queue_view(&q), span_of("cde", 3)));
	stream_queue_pop(&q, 3);
	assert_null(q.bytes); /* an idle connection holds no memory */
}

static void test_read_and_write(void **state)
{
	(void)state;
	int pair[2];
	uint8_t out[8];
	size_t len;
	static uint8_t much[1 << 22];
	struct span bytes = span_of("abc", 3), many = span_of(much, sizeof(much));

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	assert_int_equal(stream_read(pair[0], out, sizeof(out), &len), ERR_BUSY);
	assert_int_equal(stream_write(pair[1], &bytes), OK);
	assert_int_equal(bytes.len, 0);
	assert_int_equal(stream_read(pair[0], out, sizeof(out), &len), OK);
	assert_int_equal(len, 3);
	assert_int_equal(stream_write(pair[1], &many), OK); /* a part */
	assert_in_range(many.len, 1, sizeof(much) - 1);
	shutdown(pair[0], SHUT_RDWR);
	assert_int_equal(stream_write(pair[1], &many), ERR_CLOSED);
	close(pair[1]);
	while (stream_read(pair[0], much, sizeof(much), &len) == OK)
		;
	assert_int_equal(stream_read(pair[0], out, sizeof(out), &len), ERR_NOT_FOUND);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_read_and_write),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
