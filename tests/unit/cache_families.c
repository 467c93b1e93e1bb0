#include "unit/cache_unit.h"

#include "cache/families.h"

static struct endpoint at(uint8_t family, uint8_t network)
{
	struct endpoint e = {.family = family, .port = 53, .addr = {0x20, 1}};
	e.addr[family == 6 ? 5 : 2] = network;
	e.addr[family == 6 ? 15 : 3] = 53;
	return e;
}

enum what { REPLY, LOSS, FORGET };

struct happening {
	int64_t at_ms;
	enum what what;
	uint8_t family, network;
	bool lost4, lost6; /* afterwards */
};

static void play(const char *why, const struct happening *list, size_t count)
{
	struct families f;
	families_init(&f);
	for (size_t i = 0; i < count; i++) {
		const struct happening *h = &list[i];
		struct endpoint e = at(h->family, h->network);
		bool found;
		if (h->what == REPLY)
			families_reply(&f, &e, unit_now(h->at_ms));
		else if (h->what == LOSS)
			families_loss(&f, &e, unit_now(h->at_ms), &found);
		else
			families_forget(&f);
		CHECK(why, families_is_lost(&f, 4) == h->lost4);
		CHECK(why, families_is_lost(&f, 6) == h->lost6);
	}
	families_deinit(&f);
}
#define PLAY(why, ...)                                                                             \
	do {                                                                                       \
		static const struct happening list[] = {__VA_ARGS__};                              \
		play(why, list, ARRAY_LEN(list));                                                  \
	} while (0)

static void test_lost(void **state)
{
	(void)state;
	PLAY("two networks, of a family that has never answered", {0, LOSS, 6, 1, false, false},
	     {10, REPLY, 4, 1, false, false}, {500, LOSS, 6, 2, false, true},
	     {600, REPLY, 4, 1, false, true}, {700, REPLY, 6, 3, false, false});
	PLAY("the other way round", {0, LOSS, 4, 1, false, false}, {0, LOSS, 4, 2, false, false},
	     {10, REPLY, 6, 1, true, false}, {20, REPLY, 4, 1, false, false});
	PLAY("one network is one server's trouble", {0, LOSS, 6, 1, false, false},
	     {10, REPLY, 4, 1, false, false}, {20, LOSS, 6, 1, false, false},
	     {30, LOSS, 6, 1, false, false}, {40, LOSS, 6, 1, false, false});
	PLAY("four, where it has answered", {0, REPLY, 6, 9, false, false},
	     {1, LOSS, 6, 1, false, false}, {2, LOSS, 6, 2, false, false},
	     {3, LOSS, 6, 3, false, false}, {4, REPLY, 4, 3, false, false},
	     {5, LOSS, 6, 4, false, true}, {6, LOSS, 6, 5, false, true});
	PLAY("dead servers among others", {0, REPLY, 6, 9, false, false},
	     {1, LOSS, 6, 1, false, false}, {2, LOSS, 6, 2, false, false},
	     {3, LOSS, 6, 3, false, false}, {4, REPLY, 6, 9, false, false},
	     {5, LOSS, 6, 4, false, false}, {6, REPLY, 4, 9, false, false});
	PLAY("an outage of everything is none of a family", {0, REPLY, 4, 9, false, false},
	     {1, LOSS, 6, 1, false, false}, {1, LOSS, 4, 1, false, false},
	     {2, LOSS, 6, 2, false, false}, {2, LOSS, 4, 2, false, false},
	     {3, LOSS, 6, 3, false, false}, {3, LOSS, 4, 3, false, false});
	PLAY("what was lost long ago", {0, LOSS, 6, 1, false, false},
	     {1, REPLY, 4, 1, false, false}, {61000, LOSS, 6, 2, false, false},
	     {61001, REPLY, 4, 1, false, false}, {61002, LOSS, 6, 3, false, true});
	PLAY("another network, another way", {0, LOSS, 6, 1, false, false},
	     {1, LOSS, 6, 2, false, false}, {2, REPLY, 4, 1, false, true},
	     {3, FORGET, 4, 1, false, false}, {4, REPLY, 4, 1, false, false});
}

static void test_probes(void **state)
{
	(void)state;
	static const int64_t probes_ms[] = {10, 1010, 3010, 7010, 15010, 31010, 61010, 91010};
	struct families f;
	struct endpoint one = at(6, 1), two = at(6, 2), other = at(4, 1);
	bool found;
	families_init(&f);
	assert_false(families_may_probe(&f, 6, unit_now(0))); /* there is no doubt */
	families_loss(&f, &one, unit_now(0), &found);
	families_loss(&f, &two, unit_now(0), &found);
	families_reply(&f, &other, unit_now(1));
	for (size_t i = 0; i < ARRAY_LEN(probes_ms); i++) {
		CHECK("not yet", i == 0 || !families_may_probe(&f, 6, unit_now(probes_ms[i] - 1)));
		CHECK("now", families_may_probe(&f, 6, unit_now(probes_ms[i])));
		CHECK("one of them", !families_may_probe(&f, 6, unit_now(probes_ms[i])));
		families_loss(&f, &one, unit_now(probes_ms[i]), &found);
	}
	families_reply(&f, &one, unit_now(95000));
	assert_false(families_may_probe(&f, 6, unit_now(200000)));
	families_deinit(&f);
}

/* One worker tells, of the end too, and each sees that it is another time. */
static void test_told_once(void **state)
{
	(void)state;
	struct families f;
	struct endpoint one = at(6, 1), two = at(6, 2), other = at(4, 1);
	bool found;
	families_init(&f);
	families_reply(&f, &other, unit_now(1));
	for (uint32_t times = 1; times < 4; times++) {
		for (uint8_t i = 10; i < 13; i++) { /* four, as it has answered before */
			struct endpoint e = at(6, i);
			if (times > 1)
				families_loss(&f, &e, unit_now(2), &found);
		}
		CHECK("not yet", times > 1 || families_loss(&f, &one, unit_now(2), &found) == 0);
		families_reply(&f, &other, unit_now(3));
		CHECK("lost", families_loss(&f, &two, unit_now(4), &found) == times && found);
		CHECK("told", families_loss(&f, &one, unit_now(5), &found) == times && !found);
		CHECK("back", families_reply(&f, &one, unit_now(6)));
		CHECK("told, too", !families_reply(&f, &two, unit_now(7)));
	}
	families_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lost),
					   cmocka_unit_test(test_probes),
					   cmocka_unit_test(test_told_once)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
