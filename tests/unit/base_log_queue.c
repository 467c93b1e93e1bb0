#include "unit/base_unit.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/log_queue.h"

/* A reader who stands still until he is let go on, and counts. */
static struct {
	pthread_mutex_t gate;
	unsigned common, rare, missing_lines;
	unsigned long long missing; /* by what the lines say */
	bool was_in_order;
} reader = {.gate = PTHREAD_MUTEX_INITIALIZER, .was_in_order = true};

static void read_line(void *unused, enum log_level level, const char *line)
{
	unsigned long long count;
	unsigned number;

	(void)unused;
	(void)level;
	pthread_mutex_lock(&reader.gate);
	if (sscanf(line, "lines of the log are missing here count=%llu", &count) == 1) {
		reader.missing += count;
		reader.missing_lines++;
	} else if (sscanf(line, "common number=%u", &number) == 1) {
		reader.was_in_order &= reader.missing_lines > 0 || number == reader.common;
		reader.common++;
	} else {
		reader.rare++;
	}
	pthread_mutex_unlock(&reader.gate);
}

static double seconds(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

enum { COMMON = 60000, RARE = 10 };

/* One test: a process has one log. */
static void test_reader_stands_still(void **state)
{
	(void)state;
	struct log_view view;

	log_init(LOG_LEVEL_INFO, read_line, NULL);
	assert_int_equal(log_hold(), OK);
	log_warning("before the thread begins");
	assert_int_equal(reader.rare, 0);
	assert_int_equal(log_start(), OK);

	pthread_mutex_lock(&reader.gate);
	for (unsigned i = 0; i < COMMON; i++)
		log_query("common number=%u", i);
	for (unsigned i = 0; i < RARE; i++)
		log_error("rare number=%u", i);
	log_read(&view);
	assert_true(view.stands_still);
	assert_true(view.dropped > 0 && view.dropped < COMMON);
	assert_true(view.waiting_bytes <= LOG_QUEUE_BYTES);

	/* Nobody takes anything: the end comes in time all the same. */
	double begin = seconds();
	log_stop(50);
	assert_true(seconds() - begin < 5);
	pthread_mutex_unlock(&reader.gate);

	log_stop(60000); /* until it has ended */
	log_read(&view);
	assert_false(view.stands_still);
	assert_int_equal(view.waiting_bytes, 0);
	assert_int_equal(reader.rare, 1 + RARE); /* these find room when the many do not */
	assert_int_equal(reader.missing, view.dropped);
	assert_int_equal(reader.missing_lines, 1);
	assert_int_equal(reader.common, COMMON - view.dropped);
	assert_true(reader.was_in_order);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_reader_stands_still)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
