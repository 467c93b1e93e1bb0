#include "unit/base_unit.h"

#include "resolve/asking.h"

enum { NOW_MS = 5000 };

/* ---- claims ---- */

static void test_claims(void **state)
{
	(void)state;
	struct asking_shared *a;
	const uint64_t one = UINT64_C(0x123456) << 40 | 7, other = UINT64_C(0x654321) << 40 | 7;

	assert_int_equal(asking_new(&a), OK);
	assert_int_not_equal(claims_owner(&a->claims), claims_owner(&a->claims));
	assert_true(asking_claim(a, one, 0, NOW_MS));
	assert_false(asking_claim(a, one, 1, NOW_MS));
	assert_true(asking_claim(a, other, 1, NOW_MS)); /* the same bucket */
	/* Who is dead, or hears nothing, holds nobody for longer than this. */
	assert_false(asking_claim(a, one, 1, NOW_MS + ASKING_HOLD_MS - 1));
	assert_true(asking_claim(a, one, 1, NOW_MS + ASKING_HOLD_MS));
	/* A reply renews it. */
	assert_true(asking_claim(a, one, 1, NOW_MS + 2 * ASKING_HOLD_MS - 1));
	assert_false(asking_claim(a, one, 0, NOW_MS + 2 * ASKING_HOLD_MS));
	claims_release(&a->claims, one, 0); /* not his */
	assert_false(asking_claim(a, one, 0, NOW_MS + 2 * ASKING_HOLD_MS));
	claims_release(&a->claims, one, 1);
	assert_true(asking_claim(a, one, 0, NOW_MS + 2 * ASKING_HOLD_MS));
	asking_free(a);
}

/* The clock has 32 bits. */
static void test_wrap(void **state)
{
	(void)state;
	struct asking_shared *a;

	assert_int_equal(asking_new(&a), OK);
	assert_true(asking_claim(a, 7, 0, UINT32_MAX - 10));
	assert_false(asking_claim(a, 7, 1, UINT32_MAX));
	assert_false(asking_claim(a, 7, 1, ASKING_HOLD_MS - 12));
	assert_true(asking_claim(a, 7, 1, ASKING_HOLD_MS - 11));
	asking_free(a);
}

/* A full bucket denies nothing. */
static void test_full(void **state)
{
	(void)state;
	struct asking_shared *a;

	assert_int_equal(asking_new(&a), OK);
	for (uint64_t i = 1; i <= 2 * CLAIMS_WAYS; i++)
		assert_true(asking_claim(a, i << 40 | 7, 0, NOW_MS));
	for (uint64_t i = 1; i <= 2 * CLAIMS_WAYS; i++)
		assert_true(asking_claim(a, i << 40 | 7, 1, NOW_MS) == (i > CLAIMS_WAYS));
	asking_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
