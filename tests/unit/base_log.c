#include "unit/base_unit.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"

struct caught {
	unsigned count;
	enum log_level level;
	char line[2048]; /* the last one */
};

static void catch_line(void *context, enum log_level level, const char *line)
{
	struct caught *c = context;
	c->count++;
	c->level = level;
	snprintf(c->line, sizeof(c->line), "%s", line);
}

/* Return at the beginning of a second of the clock that the log looks at. */
static void wait_for_second(void)
{
	struct timespec start, ts;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &start);
	do {
		usleep(2000);
		clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	} while (ts.tv_sec == start.tv_sec);
}

/* The conversions that lines use are those of printf, and what stands between quotes stays there. */
static void test_conversions(void **state)
{
	(void)state;
	struct caught c = {0};

	log_init(LOG_LEVEL_INFO, catch_line, &c);
	log_always(LOG_LEVEL_INFO,
		   "a=%s b=%.2s c=%.*s d=%u e=%d f=%llu g=%zu h=%03u i=%lx j=%c 5%%", "x\"y", "abc",
		   1, "zz", 4000000000U, -5, 1ULL << 40, (size_t)7, 9U, 255L, '!');
	assert_string_equal(c.line, "a=x\"y b=ab c=z d=4000000000 e=-5 f=1099511627776 g=7 h=009 "
				    "i=ff j=! 5%");
	log_always(LOG_LEVEL_INFO, "a=\"%s\" b=%s", "q\"\\", "q\"");
	assert_string_equal(c.line, "a=\"q\\\"\\\\\" b=q\"");
	log_always(LOG_LEVEL_INFO, "a=%s b=%.1f c=%d", "x", 0.5, 3);
	assert_string_equal(c.line, "a=x b=0.5 c=3");
	log_init(LOG_LEVEL_INFO, NULL, NULL);
}

static void test_levels(void **state)
{
	(void)state;
	struct caught c = {0};
	enum log_level level;

	log_init(LOG_LEVEL_NOTICE, catch_line, &c);
	log_info("not said");
	log_debug("not said");
	assert_int_equal(c.count, 0);
	log_notice("name=%s count=%d", "x", 3);
	assert_int_equal(c.count, 1);
	assert_int_equal(c.level, LOG_LEVEL_NOTICE);
	assert_string_equal(c.line, "name=x count=3");
	log_error("said");
	assert_int_equal(c.level, LOG_LEVEL_ERROR);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("said");
	assert_int_equal(c.level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_get_level(), LOG_LEVEL_DEBUG);

	assert_true(log_level_parse("warning", &level));
	assert_int_equal(level, LOG_LEVEL_WARNING);
	assert_true(log_level_parse("DEBUG", &level));
	assert_false(log_level_parse("verbose", &level));
	assert_false(log_level_parse("", &level));
}

static void test_one_event_a_line(void **state)
{
	(void)state;
	struct caught c = {0};
	char longer[3000];

	log_init(LOG_LEVEL_INFO, catch_line, &c);
	log_info("text=%s", "a\nlevel=error forged\x1b[2J");
	assert_string_equal(c.line, "text=a?level=error forged?[2J");
	log_info("text=%s", "\u202e\x9b"
			    "31m");
	assert_string_equal(c.line, "text=????31m");
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	log_info("%s", longer);
	assert_true(strlen(c.line) < 1100);
	assert_string_equal(c.line + strlen(c.line) - 4, "x...");
}

static void test_repeats_are_held_back(void **state)
{
	(void)state;
	struct caught c = {0};

	log_init(LOG_LEVEL_INFO, catch_line, &c);
	wait_for_second();
	for (int i = 0; i < 25; i++)
		log_info("server=%d timed out", i);
	assert_int_equal(c.count, 10);
	assert_string_equal(c.line, "server=9 timed out");
	log_info("another format is not held back");
	assert_int_equal(c.count, 11);
	for (int i = 0; i < 25; i++)
		log_always(LOG_LEVEL_INFO, "query=%d", i);
	assert_int_equal(c.count, 36);

	wait_for_second();
	log_tick();
	assert_int_equal(c.count, 37);
	assert_string_equal(
		c.line, "lines held back: count=15, too many a second of: server=... timed out");
	log_tick(); /* told once only */
	assert_int_equal(c.count, 37);

	for (int i = 0; i < 11; i++)
		log_info("it failed: name=%s text=\"%.*s\" percent=%u%%", "a", 1, "b", 7U);
	wait_for_second();
	log_tick();
	assert_string_equal(c.line, "lines held back: count=1, too many a second of: it failed: "
				    "name=... text=... percent=...%");
}

static void *log_many(void *unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++)
		log_always(LOG_LEVEL_INFO, "line=%d", i);
	return NULL;
}

static void test_threads(void **state)
{
	(void)state;
	struct caught c = {0};
	pthread_t threads[4];

	log_init(LOG_LEVEL_INFO, catch_line, &c);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(c.count, 4000);
}

static void test_stderr(void **state)
{
	(void)state;
	int ends[2], saved = dup(STDERR_FILENO);
	char out[64] = {0};

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	log_init(LOG_LEVEL_INFO, NULL, NULL);
	log_warning("disk=full");
	dup2(saved, STDERR_FILENO);
	ssize_t len = read(ends[0], out, sizeof(out) - 1);
	assert_int_equal(len, 10);
	assert_string_equal(out, "disk=full\n");
	close(ends[0]);
	close(ends[1]);
	close(saved);
}

static void test_metrics(void **state)
{
	(void)state;
	struct metrics m = {0};

	metrics_add(&m, METRIC_answers_total, 2);
	metrics_add(&m, METRIC_answers_total, 3);
	assert_int_equal(metrics_get(&m, METRIC_answers_total), 5);
	assert_int_equal(metrics_get(&m, METRIC_cache_hits_total), 0);
	assert_string_equal(metrics_name(METRIC_queries_udp_total), "queries_udp_total");
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		/* Prometheus: counters end in _total. */
		const char *name = metrics_name(i);
		CHECK(name, strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0);
		CHECK(name, strlen(metrics_help(i)) > 0);
	}
}

static void test_err(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ERR_COUNT; i++)
		assert_true(strlen(err_text(i)) > 0);
	assert_string_equal(err_text(ERR_LIMIT), "limit reached");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversions),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_one_event_a_line),
		cmocka_unit_test(test_repeats_are_held_back),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_stderr),
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_err),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
