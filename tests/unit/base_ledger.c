#include "unit/base_unit.h"

#include <pthread.h>

#include "base/ledger.h"

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
	CHECK("an account is no other's", ledger_read(&l, LEDGER_log).used_bytes == 0);
	ledger_set_limit(&l, LEDGER_log, 7);
	CHECK("its limit is told", ledger_read(&l, LEDGER_log).limit_bytes == 7);
	ledger_tell(NULL, LEDGER_log, &one, 1);
	ledger_note_shed(NULL, LEDGER_log, 1);
}

enum { THREADS = 4, TURNS = 20000, MOST = 500 };

static void *tell(void *context)
{
	size_t told = 0;

	for (unsigned i = 0; i < TURNS; i++)
		ledger_tell(context, LEDGER_disk, &told, i % MOST);
	ledger_tell(context, LEDGER_disk, &told, 0);
	return NULL;
}

static void test_threads(void **state)
{
	struct ledger l = {0};
	pthread_t threads[THREADS];
	(void)state;

	for (size_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&threads[i], NULL, tell, &l) == 0);
	for (size_t i = 0; i < THREADS; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
	CHECK("nothing is left of what all told", ledger_read(&l, LEDGER_disk).used_bytes == 0);
	CHECK("the most is no more than all had",
	      ledger_read(&l, LEDGER_disk).most_bytes <= (size_t)THREADS * MOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tell),
		cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
