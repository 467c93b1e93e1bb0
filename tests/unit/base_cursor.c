#include "unit/base_unit.h"

#include "base/cursor.h"

static void test_reader_reads(void **state)
{
	(void)state;
	struct reader r = reader_of(span_of("\x01\x02\x03\x04\x05\x06\x07zz", 9));

	assert_int_equal(reader_u8(&r), 0x01);
	assert_int_equal(reader_u16(&r), 0x0203);
	assert_int_equal(reader_u32(&r), 0x04050607);
	assert_int_equal(reader_left(&r), 2);
	assert_memory_equal(reader_bytes(&r, 2).at, "zz", 2);
	assert_int_equal(reader_left(&r), 0);
	assert_false(r.failed);
}

static void test_reader_fails_for_good(void **state)
{
	(void)state;
	struct reader r = reader_of(span_of("\x01\x02\x03", 3));

	assert_int_equal(reader_u32(&r), 0);
	assert_true(r.failed);
	/* A byte would be there, but the error is sticky. */
	assert_int_equal(reader_u8(&r), 0);
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(reader_bytes(&r, 1).len, 0);
}

static void test_reader_of_nothing(void **state)
{
	(void)state;
	struct reader r = reader_of((struct span){0});
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(reader_u16(&r), 0);
	assert_true(r.failed);
}

static void test_writer_writes(void **state)
{
	(void)state;
	uint8_t out[9];
	struct writer w = writer_of(out, sizeof(out));

	writer_u8(&w, 0x01);
	writer_u16(&w, 0x0203);
	writer_u32(&w, 0x04050607);
	writer_bytes(&w, span_of("zz", 2));
	assert_false(w.failed);
	assert_int_equal(writer_left(&w), 0);
	assert_memory_equal(writer_span(&w).at, "\x01\x02\x03\x04\x05\x06\x07zz", 9);
}

static void test_writer_fails_for_good(void **state)
{
	(void)state;
	uint8_t out[4] = {9, 9, 9, 9};
	struct writer w = writer_of(out, 3);

	writer_u8(&w, 1);
	writer_u32(&w, 0xffffffff);
	writer_u8(&w, 2);
	assert_true(w.failed);
	assert_int_equal(writer_len(&w), 1);
	assert_int_equal(writer_left(&w), 0);
	assert_null(writer_reserve(&w, 1));
	assert_memory_equal(out, "\x01\x09\x09\x09", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reader_reads),
		cmocka_unit_test(test_reader_fails_for_good),
		cmocka_unit_test(test_reader_of_nothing),
		cmocka_unit_test(test_writer_writes),
		cmocka_unit_test(test_writer_fails_for_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
