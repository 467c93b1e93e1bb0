#include "unit/base_unit.h"

#include "base/arena.h"
#include "base/rng.h"

enum { CAP = 1 << 20 };

static bool is_zero(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (at[i] != 0)
			return false;
	}
	return true;
}

static void test_zeroed_aligned_apart(void **state)
{
	(void)state;
	struct arena a;
	struct rng rng;
	uint8_t *places[200];
	size_t sizes[ARRAY_LEN(places)];

	arena_init(&a, CAP);
	rng_init_seeded(&rng, 1);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		/* Mostly small, sometimes larger than any chunk so far. */
		sizes[i] = rng_below(&rng, i % 20 == 0 ? 40000 : 300);
		places[i] = arena_alloc(&a, sizes[i]);
		assert_non_null(places[i]);
		assert_int_equal((uintptr_t)places[i] % 16, 0);
		assert_true(is_zero(places[i], sizes[i]));
		memset(places[i], (int)i, sizes[i]);
		assert_true(a.total_bytes <= a.cap_bytes);
	}
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(places[i][j], (uint8_t)i);
	}
	arena_deinit(&a);
}

static void test_cap_holds(void **state)
{
	(void)state;
	struct arena a;
	size_t given = 0;

	arena_init(&a, 10000);
	assert_null(arena_alloc(&a, 10001));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 8));
	while (arena_alloc(&a, 100))
		given += 100;
	assert_true(given > 8500 && given <= 10000);
	assert_true(a.total_bytes <= 10000);

	arena_deinit(&a);
	assert_int_equal(a.total_bytes, 0);
	assert_non_null(arena_alloc(&a, 5000)); /* may be used again, with the same cap */
	assert_null(arena_alloc(&a, 6000));
	arena_deinit(&a);
}

static void test_small_cap_is_used_up(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 64);
	assert_non_null(arena_alloc(&a, 48)); /* and 16 for the chunk's own head */
	assert_null(arena_alloc(&a, 1));
	arena_deinit(&a);
	arena_init(&a, 0);
	assert_null(arena_alloc(&a, 0));
	arena_deinit(&a);
}

static void test_copies(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, CAP);
	struct span copy = arena_copy(&a, span_of("abc", 3));
	assert_int_equal(copy.len, 3);
	assert_memory_equal(copy.at, "abc", 3);
	struct span nothing = arena_copy(&a, (struct span){0});
	assert_non_null(nothing.at);
	assert_int_equal(nothing.len, 0);
	assert_ptr_not_equal(nothing.at, arena_copy(&a, (struct span){0}).at);
	arena_deinit(&a);
}

static void test_large_thing_keeps_the_newest_chunk(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, CAP);
	uint8_t *first = arena_alloc(&a, 16);
	assert_non_null(arena_alloc(&a, 100000));
	assert_ptr_equal(arena_alloc(&a, 16), first + 16);
	arena_deinit(&a);
}

static void test_sum_of_several(void **state)
{
	(void)state;
	struct arena a, b;
	size_t sum = 0;
	arena_init_counted(&a, CAP, &sum);
	arena_init_counted(&b, CAP, &sum);
	for (unsigned i = 0; i < 50; i++) {
		assert_non_null(arena_alloc(&a, 1000));
		assert_non_null(arena_alloc(&b, 3000));
		assert_int_equal(sum, a.total_bytes + b.total_bytes);
	}
	arena_deinit(&a);
	assert_int_equal(sum, b.total_bytes);
	arena_deinit(&b);
	assert_int_equal(sum, 0);
	assert_non_null(arena_alloc(&a, 1)); /* used again, it counts again */
	assert_int_equal(sum, a.total_bytes);
	arena_deinit(&a);
}

static void test_reset_keeps_one_chunk(void **state)
{
	(void)state;
	struct arena a;
	size_t sum = 0;
	arena_init_counted(&a, CAP, &sum);
	uint8_t *small = arena_alloc(&a, 100);
	memset(small, 7, 100);
	for (unsigned i = 0; i < 100; i++)
		assert_non_null(arena_alloc(&a, 5000));
	arena_reset(&a, 8192);
	assert_true(a.total_bytes > 0 && a.total_bytes <= 8192 && sum == a.total_bytes);
	uint8_t *again = arena_alloc(&a, 4000);
	assert_true(is_zero(again, 4000)); /* zeroed, whatever was there */
	assert_true(a.total_bytes <= 8192);
	arena_reset(&a, 100); /* none is as small */
	assert_int_equal(a.total_bytes, 0);
	arena_deinit(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeroed_aligned_apart),
		cmocka_unit_test(test_cap_holds),
		cmocka_unit_test(test_small_cap_is_used_up),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_large_thing_keeps_the_newest_chunk),
		cmocka_unit_test(test_sum_of_several),
		cmocka_unit_test(test_reset_keeps_one_chunk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
