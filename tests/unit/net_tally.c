#include "unit/base_unit.h"

#include "net/tally.h"

static struct endpoint client(unsigned number, uint16_t port)
{
	uint8_t address[4] = {10, 0, (uint8_t)(number >> 8), (uint8_t)number};
	return endpoint_of(span_of(address, 4), port);
}

static void test_limit_per_client(void **state)
{
	(void)state;
	struct tally t;
	struct endpoint a = client(1, 1000), same = client(1, 2000), b = client(2, 1000);

	assert_int_equal(tally_init(&t, 8), OK);
	assert_int_equal(tally_add(&t, &a, 2), OK);
	assert_int_equal(tally_add(&t, &same, 2), OK); /* ports do not count */
	assert_int_equal(tally_add(&t, &a, 2), ERR_LIMIT);
	assert_int_equal(tally_add(&t, &b, 2), OK);
	tally_remove(&t, &same);
	assert_int_equal(tally_add(&t, &a, 2), OK);
	tally_deinit(&t);
}

/* As many as there may be, in and out again, in different orders: entries are not lost. */
static void test_many(void **state)
{
	(void)state;
	enum { CAPACITY = 1000 };
	struct tally t;

	assert_int_equal(tally_init(&t, CAPACITY), OK);
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < CAPACITY; i++) {
			struct endpoint e = client(i, 0);
			assert_int_equal(tally_add(&t, &e, 1), OK);
		}
		struct endpoint one_more = client(CAPACITY, 0);
		assert_int_equal(tally_add(&t, &one_more, 1), ERR_LIMIT);
		for (unsigned i = 0; i < CAPACITY; i++) {
			struct endpoint e = client((i * 7 + round) % CAPACITY, 0);
			tally_remove(&t, &e);
		}
	}
	tally_deinit(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit_per_client),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
