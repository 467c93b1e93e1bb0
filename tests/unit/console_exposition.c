/*
 * docs/metrics.md is what the lists say now. `console_exposition --write` prints it (make docs).
 */
#include "unit/base_unit.h"

#include <stdio.h>

#include "config/negative.h"
#include "console/exposition.h"
#include "console/rates.h"

static char *read_all(FILE *file)
{
	char *text = calloc(1, 1 << 20);

	REQUIRE(text && file);
	REQUIRE(fread(text, 1, (1 << 20) - 1, file) > 0);
	return text;
}

static void test_document_is_current(void **unused)
{
	char *wanted = NULL;
	size_t len;
	FILE *out = open_memstream(&wanted, &len), *file = fopen("docs/metrics.md", "r");

	(void)unused;
	exposition_write_markdown(out);
	fclose(out);
	if (!file)
		fail_msg("docs/metrics.md is not there (run this from the top of the tree)");
	char *text = read_all(file);
	fclose(file);
	if (strcmp(text, wanted) != 0)
		fail_msg("docs/metrics.md is out of date: run make docs");
	free(text);
	free(wanted);
}

/* Prometheus's rules: names of [a-z0-9_], counters end in _total and nothing else does. */
static void test_names(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		const char *name = metrics_name((enum metric)i);
		size_t len = strlen(name);
		CHECK(name, strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len);
		CHECK(name, len > 6 && strcmp(name + len - 6, "_total") == 0);
		CHECK(name, !strpbrk(metrics_help((enum metric)i), "\n\\|"));
	}
}

static void test_rates(void **unused)
{
	uint64_t totals[METRIC_COUNT] = {0};
	struct rates r = {0};

	(void)unused;
	assert_true(rates_read(&r).queries_per_s == 0.0);
	for (unsigned second = 0; second < 30; second++) {
		totals[METRIC_queries_udp_total] += second < 15 ? 1000 : 10;
		totals[METRIC_cache_hits_total] += 3;
		totals[METRIC_cache_misses_total] += 1;
		totals[METRIC_answers_servfail_total] += 1;
		rates_add(&r, (struct now){.mono_us = 1000000ULL * second}, totals);
	}
	struct rates_view view = rates_read(&r);
	assert_true(view.queries_per_s == 10.0);
	assert_true(view.hit_percent == 75.0);
	assert_true(view.servfail_percent == 10.0);
}

static void test_negative(void **unused)
{
	static const uint8_t a[] = "\1a", b[] = "\1b";
	struct negative n = {0};
	uint8_t name[DNAME_MAX];

	(void)unused;
	assert_int_equal(negative_add(&n, a, 1000), OK);
	assert_int_equal(negative_add(&n, b, 2000), OK);
	assert_int_equal(negative_add(&n, a, 3000), OK);
	assert_int_equal(n.count, 2);
	assert_false(negative_expire(&n, (struct now){.mono_us = 1999}, name));
	assert_true(negative_expire(&n, (struct now){.mono_us = 2000}, name));
	assert_true(dname_equal(name, b));
	assert_false(negative_remove(&n, b));
	assert_true(negative_remove(&n, a));
	assert_int_equal(n.count, 0);
	for (int i = 0; i < NEGATIVE_ADDED_MAX; i++) {
		const uint8_t label[] = {1, (uint8_t)(i + 1), 0};
		assert_int_equal(negative_add(&n, label, 1), OK);
	}
	assert_int_equal(negative_add(&n, (const uint8_t *)"\2zz", 1), ERR_LIMIT);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document_is_current),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_negative),
	};

	if (argc > 1 && strcmp(argv[1], "--write") == 0) {
		exposition_write_markdown(stdout);
		return EXIT_SUCCESS;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
