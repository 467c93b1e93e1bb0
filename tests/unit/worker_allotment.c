#include "unit/base_unit.h"

#include "net/pool.h"
#include "worker/allotment.h"

static const struct {
	const char *why;
	struct allotment_needs needs;
	struct allotment want;
} rows[] = {
	{"the unit's limit: as many as can be used", {65536, 2, 4}, {16384, 4096, false}},
	{"a container's limit: what is needed, not what could be", {1024, 2, 4}, {235, 175, false}},
	{"one worker", {1024, 1, 4}, {475, 355, false}},
	{"many addresses take their sockets", {1024, 2, 64}, {175, 130, false}},
	{"many workers", {65536, 64, 4}, {506, 379, false}},
	{"too few for the workers there are", {1024, 8, 4}, {64, 64, true}},
	{"none at all", {0, 1, 4}, {64, 64, true}},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct allotment a = allotment_of(&rows[i].needs);
		if (a.clients != rows[i].want.clients || a.servers != rows[i].want.servers ||
		    a.few != rows[i].want.few)
			fail_msg("%s: clients %u, servers %u%s", rows[i].why, a.clients, a.servers,
				 a.few ? ", few" : "");
	}
}

/* Whatever there is, it suffices for what is given out; and more does not give less, but for rounding. */
static void test_sums(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 64; workers *= 2) {
		struct allotment before = {0};
		for (uint64_t all = 0; all < 200000; all += 97) {
			struct allotment_needs needs = {all, workers, 8};
			struct allotment a = allotment_of(&needs);
			uint64_t given = (uint64_t)workers * (a.clients + a.servers);
			assert_true(a.few || given < all);
			assert_true(a.clients + 1 >= before.clients && a.servers >= before.servers);
			before = a;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows),
					   cmocka_unit_test(test_sums)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
