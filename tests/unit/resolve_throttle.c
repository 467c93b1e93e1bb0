#include "unit/base_unit.h"

#include "resolve/throttle.h"

static const struct throttle_want provider = {
	.server = {.family = 4, .port = 53, .addr = {169, 254, 169, 253}},
	.rate = 900,
	.packets = 1,
	.weight = 1};

/* How many packets pass in a second at T's present share. */
static unsigned rate_of(struct throttle *t)
{
	unsigned passed = 0;
	struct now now = {.mono_us = 1000000};

	for (size_t i = 0; i < THROTTLE_SLOTS; i++)
		atomic_store(&t->arrival_us[i], 0);
	for (; now.mono_us < 5000000; now.mono_us += 20)
		while (throttle_take_spare(t, &provider, false, now) == 0)
			passed++;
	return passed / 4;
}

static const struct {
	const char *why;
	unsigned with, without; /* readings with drops, then without any */
	unsigned share;		/* of THROTTLE_WHOLE */
} readings[] = {
	{"none at all", 0, 0, 1024},
	{"none is no gain", 0, 100, 1024},
	{"one takes a quarter", 1, 0, 768},
	{"another takes a quarter of the rest", 2, 0, 576},
	{"a quarter stays", 100, 0, 256},
	{"slowly up again", 1, 1, 800},
	{"up to the whole", 1, 8, 1024},
	{"and no further", 1, 80, 1024},
	{"from the bottom in two minutes of readings every 5 s", 100, 24, 1024},
};

static void test_drops(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(readings); i++) {
		struct throttle t = {0};
		unsigned whole = rate_of(&t);
		for (unsigned k = 0; k < readings[i].with; k++)
			throttle_note_drops(&t, true);
		for (unsigned k = 0; k < readings[i].without; k++)
			throttle_note_drops(&t, false);
		if (throttle_share(&t) != readings[i].share)
			fail_msg("%s: %u", readings[i].why, throttle_share(&t));
		assert_in_range(rate_of(&t), whole * readings[i].share / 1024 * 97 / 100,
				whole * readings[i].share / 1024 * 103 / 100);
	}
}

/* A rate of one packet a second stays one. */
static void test_least(void **state)
{
	(void)state;
	struct throttle t = {0};
	struct throttle_want want = provider;
	struct throttle_place place;

	want.rate = 1;
	for (unsigned k = 0; k < 100; k++)
		throttle_note_drops(&t, true);
	assert_int_equal(throttle_take(&t, &want, 0, (struct now){.mono_us = 1000000}, &place), 0);
	assert_int_equal(throttle_take(&t, &want, 1100, (struct now){.mono_us = 1000000}, &place),
			 1000);
}

/* Whoever asks learns for a minute that the line was too long for somebody. */
static void test_full(void **state)
{
	(void)state;
	struct throttle t = {0};
	struct throttle_place place;
	struct now now = {.mono_us = 5000000};

	assert_false(throttle_is_full(&t, now));
	while (throttle_take(&t, &provider, 500, now, &place) != THROTTLE_NEVER)
		assert_false(throttle_is_full(&t, now));
	assert_true(throttle_is_full(&t, now));
	now.mono_us += (THROTTLE_FULL_S - 1) * 1000000ull;
	assert_true(throttle_is_full(&t, now));
	assert_int_equal(throttle_take(&t, &provider, 500, now, &place), 0);
	now.mono_us += 1000000;
	assert_false(throttle_is_full(&t, now));
}

/* Take places until there are none for CLIENT; how many, into PLACES. */
static unsigned take_all(struct throttle *t, uint64_t client, uint32_t weight,
			 struct throttle_place *places)
{
	struct throttle_want want = provider;
	unsigned count = 0;

	want.client = client;
	want.weight = weight;
	for (;;) {
		struct throttle_place place = {0};
		uint32_t ms =
			throttle_take(t, &want, 1000, (struct now){.mono_us = 5000000}, &place);
		if (ms == THROTTLE_NEVER)
			return count;
		if (place.packets > 0)
			places[count++] = place;
	}
}

/* Of a line with 787 places (a second's, less the burst): as many as are left free, by weight. */
static void test_places(void **state)
{
	(void)state;
	static struct throttle_place places[4][1024];
	struct throttle t = {0};
	unsigned first = take_all(&t, 1, 1, places[0]);
	unsigned second = take_all(&t, 2, 1, places[1]);
	unsigned third = take_all(&t, 3, 1, places[2]);

	assert_in_range(first, 390, 395);  /* half of it */
	assert_in_range(second, 195, 198); /* half of the rest: the first has come before */
	assert_in_range(third, 97, 100);
	assert_int_equal(take_all(&t, 1, 1, places[3]), 0);
	for (unsigned i = 0; i < first; i++)
		throttle_leave(&t, &places[0][i]);
	unsigned cluster = take_all(&t, 4, 16, places[3]);
	assert_in_range(cluster, 95, 100); /* the time of those who have left is gone with them */
	for (unsigned i = 0; i < second; i++)
		throttle_leave(&t, &places[1][i]);
	for (unsigned i = 0; i < third; i++)
		throttle_leave(&t, &places[2][i]);
	for (unsigned i = 0; i < cluster; i++)
		throttle_leave(&t, &places[3][i]);
	for (size_t i = 0; i < THROTTLE_ACCOUNTS; i++) {
		assert_int_equal(atomic_load(&t.places_of[0][i]), 0);
		assert_int_equal(atomic_load(&t.places_of[1][i]), 0);
	}
	assert_int_equal(atomic_load(&t.places[places[0][0].server]), 0);
	atomic_store(&t.arrival_us[places[0][0].server], 0);
	assert_in_range(take_all(&t, 4, 16, places[3]), 588, 593); /* but for the last quarter */
}

/* Whoever shares an account with the greedy one has a place all the same, whichever of the two it is. */
static void test_shared_account(void **state)
{
	(void)state;
	static struct throttle_place places[3][1024];
	struct throttle t = {0};

	(void)take_all(&t, 7 + 5 * THROTTLE_ACCOUNTS, 1, places[0]);
	assert_int_equal(take_all(&t, 7 + 5 * THROTTLE_ACCOUNTS, 1, places[1]), 0);
	assert_in_range(take_all(&t, 7 + 6 * THROTTLE_ACCOUNTS, 1, places[1]), 190, 200);
	assert_in_range(take_all(&t, 8 + 5 * THROTTLE_ACCOUNTS, 1, places[2]), 90, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drops),	       cmocka_unit_test(test_least),
		cmocka_unit_test(test_full),	       cmocka_unit_test(test_places),
		cmocka_unit_test(test_shared_account),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
