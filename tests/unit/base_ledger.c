#include "unit/base_unit.h"

#include <pthread.h>

#include "base/ledger.h"

enum { LIMIT = 1000 };

static void test_limit(void **state)
{
	static const struct {
		const char *why;
		int take, give; /* one of them */
		bool granted;
		size_t used;
	} steps[] = {
		{"there is room", 600, 0, true, 600},
		{"not past the limit, and nothing is taken", 401, 0, false, 600},
		{"up to the limit to the byte", 400, 0, true, 1000},
		{"nothing is left", 1, 0, false, 1000},
		{"nothing is always to be had", 0, 0, true, 1000},
		{"given back", 0, 700, true, 300},
		{"and taken by others", 700, 0, true, 1000},
	};
	struct ledger l = {0};
	(void)state;

	CHECK("no room before there is a limit", !ledger_take(&l, LEDGER_disk, 1));
	ledger_set_limit(&l, LEDGER_disk, LIMIT);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		bool granted = true;
		if (steps[i].give > 0)
			ledger_give(&l, LEDGER_disk, (size_t)steps[i].give);
		else
			granted = ledger_take(&l, LEDGER_disk, (size_t)steps[i].take);
		CHECK(steps[i].why, granted == steps[i].granted);
		CHECK(steps[i].why, ledger_read(&l, LEDGER_disk).used_bytes == steps[i].used);
	}
	CHECK("an account is no other's", ledger_read(&l, LEDGER_log).used_bytes == 0);
	CHECK("huge is too much", !ledger_take(&l, LEDGER_disk, SIZE_MAX));
	ledger_set_limit(&l, LEDGER_disk, LIMIT / 2);
	CHECK("what is held beyond a new limit stays", !ledger_take(&l, LEDGER_disk, 0));
	CHECK("the most stays told", ledger_read(&l, LEDGER_disk).most_bytes == LIMIT);
}

static void test_tell(void **state)
{
	struct ledger l = {0};
	size_t one = 0, other = 0;
	(void)state;

	ledger_tell(&l, LEDGER_questions, &one, 300);
	ledger_tell(&l, LEDGER_questions, &other, 50);
	CHECK("a sum over who tells", ledger_read(&l, LEDGER_questions).used_bytes == 350);
	ledger_tell(&l, LEDGER_questions, &one, 100);
	CHECK("less as well as more", ledger_read(&l, LEDGER_questions).used_bytes == 150);
	ledger_tell(&l, LEDGER_questions, &one, 0);
	ledger_tell(&l, LEDGER_questions, &other, 0);
	CHECK("nothing in the end", ledger_read(&l, LEDGER_questions).used_bytes == 0);
	CHECK("the most is kept", ledger_read(&l, LEDGER_questions).most_bytes == 350);
	ledger_note_shed(&l, LEDGER_questions, 3);
	CHECK("what gave way", ledger_read(&l, LEDGER_questions).shed == 3);
	CHECK("without a ledger there is room", ledger_take(NULL, LEDGER_log, SIZE_MAX));
	ledger_give(NULL, LEDGER_log, SIZE_MAX);
	ledger_tell(NULL, LEDGER_log, &one, 1);
	ledger_note_shed(NULL, LEDGER_log, 1);
}

enum { THREADS = 4, TURNS = 20000 };

static void *take_and_give(void *context)
{
	struct ledger *l = context;

	for (unsigned i = 0; i < TURNS; i++) {
		size_t bytes = 1 + i % (LIMIT / 2);
		if (ledger_take(l, LEDGER_disk, bytes))
			ledger_give(l, LEDGER_disk, bytes);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct ledger l = {0};
	pthread_t threads[THREADS];
	(void)state;

	ledger_set_limit(&l, LEDGER_disk, LIMIT);
	for (size_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&threads[i], NULL, take_and_give, &l) == 0);
	for (size_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
	CHECK("all is given back", ledger_read(&l, LEDGER_disk).used_bytes == 0);
	CHECK("never past the limit", ledger_read(&l, LEDGER_disk).most_bytes <= LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_tell),
		cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
