#include "unit/base_unit.h"

#include "config/shares.h"

enum { MB = 1 << 20 };

static const struct {
	const char *why;
	unsigned ceiling_mb, workers, cache_mb; /* of the wish; cache 0: by the ceiling */
	bool fits;
	unsigned least_mb, most_mb; /* of the cache */
} cases[] = {
	{"a small control group", 192, 2, 0, true, 50, 90},
	{"a node-local one", 96, 1, 0, true, 20, 40},
	{"what is said wins", 192, 2, 100, true, 100, 100},
	{"a machine: no more cache than by default", 16384, 8, 0, true, 256, 256},
	{"more than by default, if it is said", 16384, 8, 8000, true, 8000, 8000},
	{"a cache as large as all there is", 192, 2, 192, false, 192, 192},
	{"more workers than there is room for", 192, 64, 0, false, 4, 4},
	{"next to nothing", 8, 1, 0, false, 4, 4},
};

static void test_division(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *why = cases[i].why;
		const struct shares_wish wish = {.ceiling_bytes = (size_t)cases[i].ceiling_mb * MB,
						 .workers = cases[i].workers,
						 .cache_bytes = (size_t)cases[i].cache_mb * MB,
						 .recorder_bytes = 4 * MB,
						 .log_bytes = MB};
		size_t out[LEDGER_COUNT], sum = 0;
		CHECK(why, shares_divide(&wish, out) == cases[i].fits);
		for (size_t k = 0; k < LEDGER_COUNT; k++) {
			CHECK(why, out[k] > 0);
			sum += out[k];
		}
		size_t own = SHARES_FIXED + (size_t)cases[i].workers * SHARES_WORKER;
		CHECK(why, !cases[i].fits || sum + own <= wish.ceiling_bytes / 8 * 7);
		CHECK(why, out[LEDGER_cache] >= (size_t)cases[i].least_mb * MB);
		CHECK(why, out[LEDGER_cache] <= (size_t)cases[i].most_mb * MB);
		CHECK(why, out[LEDGER_questions] / cases[i].workers >= 2 * MB);
	}
}

/* More is never less, for anybody. */
static void test_monotone(void **state)
{
	size_t before[LEDGER_COUNT] = {0};
	(void)state;

	for (size_t mb = 16; mb < 4096; mb += 7) {
		const struct shares_wish wish = {
			.ceiling_bytes = mb * MB, .workers = 4, .recorder_bytes = 4 * MB};
		size_t out[LEDGER_COUNT];
		(void)shares_divide(&wish, out);
		for (size_t k = 0; k < LEDGER_COUNT; k++)
			assert_true(out[k] >= before[k]);
		memcpy(before, out, sizeof(before));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_division),
		cmocka_unit_test(test_monotone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
