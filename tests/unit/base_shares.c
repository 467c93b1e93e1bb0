#include "unit/base_unit.h"

#include "base/rng.h"
#include "base/shares.h"

enum { POOL = 32 };

static struct endpoint address(const char *text)
{
	struct endpoint e;
	REQUIRE(endpoint_parse(text, 53, &e) == OK);
	return e;
}

static struct shares_holder holder(const char *text, bool is_trusted)
{
	struct endpoint e = address(text);
	return shares_holder_of(&e, is_trusted);
}

static void test_prefixes(void **state)
{
	(void)state;
	static const struct {
		const char *why, *a, *b;
		bool is_trusted, is_one;
	} cases[] = {
		{"the port does not count", "192.0.2.1:1", "192.0.2.1:2", false, true},
		{"an IPv4 address is a client", "192.0.2.1", "192.0.2.2", false, false},
		{"IPv4 over an IPv6 socket is IPv4", "192.0.2.1", "::ffff:192.0.2.1", false, true},
		{"a machine owns its /64", "2001:db8::1", "2001:db8::ffff:1", false, true},
		{"the next /64 is another's", "2001:db8::1", "2001:db8:0:1::1", false, false},
		{"a /64 of ours is many nodes", "2001:db8::1", "2001:db8::2", true, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct shares_holder a = holder(cases[i].a, cases[i].is_trusted);
		struct shares_holder b = holder(cases[i].b, cases[i].is_trusted);
		if (endpoint_equal(&a.prefix, &b.prefix) != cases[i].is_one)
			fail_msg("%s", cases[i].why);
	}
}

/* One that holds all of it gives way, oldest first, until both hold as much. */
static void test_equal_shares(void **state)
{
	(void)state;
	struct shares s;
	struct shares_member hog[POOL] = {0}, other[POOL] = {0};
	struct shares_holder a = holder("192.0.2.1", false), b = holder("192.0.2.2", false);

	assert_int_equal(shares_init(&s, POOL), OK);
	assert_null(shares_victim(&s, NULL));
	for (unsigned i = 0; i < POOL; i++)
		shares_join(&s, &hog[i], &a);
	assert_null(shares_victim(&s, &a)); /* its own greed does not help it */
	shares_join(&s, &other[POOL - 1], &b);
	assert_true(shares_outweighs(&hog[0], &other[POOL - 1]));
	assert_false(shares_outweighs(&other[POOL - 1], &hog[0]));
	assert_false(shares_outweighs(&hog[1], &hog[0]));
	shares_leave(&s, &other[POOL - 1]);
	shares_touch(&hog[0]);
	for (unsigned i = 0; i < POOL / 2; i++) {
		struct shares_member *victim = shares_victim(&s, &b);
		assert_ptr_equal(victim, &hog[i + 1]);
		shares_leave(&s, victim);
		shares_join(&s, &other[i], &b);
	}
	assert_null(shares_victim(&s, &b));
	assert_null(shares_victim(&s, &a));
	assert_int_equal(shares_held(&s, &a), POOL / 2);
	assert_int_equal(shares_held(&s, &b), POOL / 2);
	shares_leave(&s, &other[0]);
	shares_leave(&s, &other[0]); /* nothing happens */
	assert_int_equal(shares_held(&s, &b), POOL / 2 - 1);
	shares_deinit(&s);
}

static void test_weights(void **state)
{
	(void)state;
	struct shares s;
	struct shares_member cluster[POOL] = {0}, stranger[POOL] = {0};
	struct shares_holder a = holder("10.0.0.2", true), b = holder("192.0.2.2", false);
	unsigned held = 0;

	assert_int_equal(shares_init(&s, POOL), OK);
	for (unsigned i = 0; i < POOL; i++)
		shares_join(&s, &stranger[i], &b);
	for (struct shares_member *victim; (victim = shares_victim(&s, &a)); held++) {
		shares_leave(&s, victim);
		shares_join(&s, &cluster[held], &a);
	}
	assert_int_equal(held, POOL - 1); /* 31 of weight 16 are less than two of weight 1 */
	assert_false(shares_is_lighter(&s, &a, &b));
	shares_leave(&s, &cluster[0]);
	shares_leave(&s, &cluster[1]);
	assert_false(shares_is_lighter(&s, &b, &a));
	for (unsigned i = 2; i < POOL / 2; i++)
		shares_leave(&s, &cluster[i]);
	/* fifteen are left */
	assert_false(shares_is_lighter(&s, &a, &b)); /* one more would be as much */
	shares_leave(&s, &cluster[POOL / 2 + 1]);
	assert_true(shares_is_lighter(&s, &a, &b));
	shares_deinit(&s);
}

/* Whatever comes: who holds less than an equal share of the pool is let in. */
static void test_nobody_modest_is_refused(void **state)
{
	(void)state;
	struct shares s;
	static struct shares_member members[POOL];
	struct rng rng;
	unsigned held = 0;

	rng_init_seeded(&rng, 7);
	memset(members, 0, sizeof(members));
	assert_int_equal(shares_init(&s, POOL), OK);
	for (unsigned step = 0; step < 20000; step++) {
		unsigned i = rng_below(&rng, POOL), who = rng_below(&rng, 5);
		struct endpoint e = address("192.0.2.0");
		e.addr[3] = (uint8_t)(who * who < 5 ? 1 : who); /* the first is greedy */
		struct shares_holder h = shares_holder_of(&e, false);
		if (rng_below(&rng, 8) == 0) {
			held -= members[i].account != NULL;
			shares_leave(&s, &members[i]);
			continue;
		}
		if (held == POOL) {
			struct shares_member *victim = shares_victim(&s, &h);
			if (!victim) {
				assert_true(shares_held(&s, &h) + 1 >= POOL / 4);
				continue;
			}
			shares_leave(&s, victim);
			held--;
		}
		for (i = 0; members[i].account; i++)
			;
		shares_join(&s, &members[i], &h);
		assert_true(endpoint_equal(&shares_holder(&members[i])->prefix, &h.prefix));
		held++;
	}
	shares_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_equal_shares),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_nobody_modest_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
