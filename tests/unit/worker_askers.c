#include "unit/base_unit.h"

#include "worker/askers.h"

static const struct now asked = {.mono_us = 77};
static const struct shares_holder nobody = {.weight = 1};
static const struct shares_holder somebody = {.prefix = {.family = 4, .addr = {10, 1}},
					      .weight = 1};

static void test_tokens_are_used_once(void **state)
{
	(void)state;
	struct askers c;
	struct asker out;
	struct udp_path path = {.interface = 7};
	uint64_t first, second;

	assert_int_equal(askers_init(&c, 4), OK);
	first = askers_add_udp(&c, &path, &nobody, asked);
	assert_true(askers_take(&c, first, &out));
	assert_int_equal(out.kind, ASKER_UDP);
	assert_int_equal(out.path.interface, 7);
	assert_int_equal(out.since_us, asked.mono_us);
	assert_false(askers_take(&c, first, &out));
	second = askers_add_udp(&c, &path, &nobody, asked); /* the same slot again */
	assert_int_equal((uint32_t)first, (uint32_t)second);
	assert_false(askers_take(&c, first, &out));
	assert_true(askers_take(&c, second, &out));
	askers_deinit(&c);
}

/* A client that fills all places gives way to another, its oldest query first, and to no more than a
 * half. */
static void test_shares(void **state)
{
	(void)state;
	struct askers c;
	struct asker out;
	struct udp_path path = {0};
	static uint64_t tokens[ASKERS_MAX];
	uint64_t token;

	assert_int_equal(askers_init(&c, 1), OK);
	for (unsigned i = 0; i < ASKERS_MAX; i++) {
		assert_false(askers_is_full(&c));
		tokens[i] = askers_add_udp(&c, &path, &nobody, asked);
	}
	assert_true(askers_is_full(&c));
	assert_false(askers_victim(&c, &nobody, &token));
	for (unsigned i = 0; i < ASKERS_MAX / 2; i++) {
		assert_true(askers_victim(&c, &somebody, &token));
		assert_int_equal(token, tokens[i]);
		assert_true(askers_take(&c, token, &out));
		(void)askers_add_tcp(&c, (struct tcp_handle){0, 0}, &somebody, asked);
	}
	assert_false(askers_victim(&c, &somebody, &token));
	askers_deinit(&c);
}

/* Those of one connection, taken from the middle, the ends and all. */
static void test_connections(void **state)
{
	(void)state;
	struct askers c;
	struct asker out;
	struct tcp_handle a = {.slot = 0, .generation = 3}, b = {.slot = 1};
	uint64_t tokens[5], other, token;
	unsigned found = 0;

	assert_int_equal(askers_init(&c, 2), OK);
	assert_false(askers_of(&c, a, &token));
	other = askers_add_tcp(&c, b, &nobody, asked);
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++)
		tokens[i] = askers_add_tcp(&c, a, &nobody, asked);
	assert_true(askers_take(&c, tokens[2], &out));
	assert_int_equal(out.handle.generation, 3);
	assert_true(askers_take(&c, tokens[0], &out));
	assert_true(askers_take(&c, tokens[4], &out));
	while (askers_of(&c, a, &token)) {
		assert_true(token == tokens[1] || token == tokens[3]);
		assert_true(askers_take(&c, token, &out));
		found++;
	}
	assert_int_equal(found, 2);
	assert_true(askers_of(&c, b, &token));
	assert_int_equal(token, other);
	askers_deinit(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens_are_used_once),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_connections),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
