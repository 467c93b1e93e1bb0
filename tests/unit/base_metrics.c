/* Histograms and families: what falls where, and that nothing grows without bound. */
#include "unit/base_unit.h"

#include "base/metrics.h"

static struct metrics one, two;
static const struct metrics *const both[] = {&one, &two};

static void test_histogram(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint64_t us;
		size_t bucket;
	} rows[] = {
		{"nothing at all", 0, 0},
		{"a bound belongs to its bucket", 100000, 0},
		{"above it comes the next", 100001, 1},
		{"the last bound", 3600000000, 8},
		{"what is above all has a bucket too", UINT64_C(1) << 50, 9},
	};
	struct histogram_view v;
	uint64_t sum_us = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t before[HISTOGRAM_BOUNDS_MAX + 1];
		metrics_read_histogram(both, 2, HISTOGRAM_stale_age_seconds, &v);
		memcpy(before, v.up_to, sizeof(before));
		metrics_observe(i % 2 ? &one : &two, HISTOGRAM_stale_age_seconds, rows[i].us);
		metrics_read_histogram(both, 2, HISTOGRAM_stale_age_seconds, &v);
		for (size_t k = 0; k <= v.bound_count; k++)
			CHECK(rows[i].why, v.up_to[k] == before[k] + (k >= rows[i].bucket));
		sum_us += rows[i].us;
		CHECK(rows[i].why, v.sum == sum_us);
	}
	CHECK("as many as were observed", v.up_to[v.bound_count] == ARRAY_LEN(rows));
}

static void test_bounds(void **state)
{
	(void)state;
	for (size_t i = 0; i < HISTOGRAM_COUNT; i++) {
		struct histogram_view v;
		metrics_read_histogram(NULL, 0, (enum histogram)i, &v);
		CHECK(v.name, v.bound_count > 1);
		for (size_t k = 1; k < v.bound_count; k++)
			CHECK(v.name, v.bounds[k] > v.bounds[k - 1]);
	}
}

static struct span key_of(unsigned number, uint8_t room[static 3])
{
	room[0] = 1;
	room[1] = (uint8_t)number;
	room[2] = 0;
	return span_of(room, 3);
}

static void test_family(void **state)
{
	(void)state;
	uint8_t room[3];
	struct family_view v;
	for (unsigned i = 0; i < 100; i++)
		metrics_count_key(&one, FAMILY_search_expansions_total, key_of(i % 3, room));
	for (unsigned i = 0; i < 50; i++)
		metrics_count_key(&two, FAMILY_search_expansions_total, key_of(2 + i % 2, room));
	metrics_count_key(&two, FAMILY_search_expansions_total, span_of(NULL, 0));
	metrics_read_family(both, 2, FAMILY_search_expansions_total, &v);
	assert_int_equal(v.key_count, 4);
	static const uint64_t want[] = {34, 33, 33 + 25, 25};
	for (unsigned i = 0; i < 4; i++) {
		assert_true(span_equal(v.keys[i], key_of(i, room)));
		assert_int_equal(v.values[i], want[i]);
	}
	assert_int_equal(v.other, 1);
}

/* Somebody makes up keys: there are never more than so many, and none is lost. */
static void test_family_is_bounded(void **state)
{
	(void)state;
	uint8_t room[3];
	struct family_view v;
	uint64_t total = 0;
	for (unsigned i = 0; i < 200; i++)
		metrics_count_key(i % 2 ? &one : &two, FAMILY_prefetch_changed_by_zone_total,
				  key_of(i, room));
	metrics_read_family(both, 2, FAMILY_prefetch_changed_by_zone_total, &v);
	assert_int_equal(v.key_count, FAMILY_KEYS_MAX);
	for (size_t i = 0; i < v.key_count; i++)
		total += v.values[i];
	assert_int_equal(total + v.other, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_family_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
