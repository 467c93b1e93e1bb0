/* Which changes of a name's data are told. */
#include "unit/base_unit.h"

#include "base/rng.h"
#include "dns/types.h"
#include "resolve/prefetch_rotation.h"

struct address {
	uint8_t packed[6];
	struct answer answer;
};

/* One A record, number N; 0: the name does not exist. */
static const struct answer *address(struct address *a, uint32_t n)
{
	*a = (struct address){
		.packed = {4, 0, 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
	a->answer.rcode = n ? RCODE_NOERROR : RCODE_NXDOMAIN;
	a->answer.qtype = TYPE_A;
	a->answer.answer_count = n > 0;
	a->answer.answer[0] = (struct rrset){
		.type = TYPE_A, .rr_count = 1, .rdata = span_of(a->packed, sizeof(a->packed))};
	return &a->answer;
}

struct told {
	unsigned changes, begins, sums, held_back;
	bool last; /* the last change was told */
};

static void change(struct rotations *t, uint64_t hash, uint32_t old, uint32_t now, uint64_t at_s,
		   struct told *told)
{
	static struct address a, b;
	struct rotation r;

	rotation_note(t, hash, address(&a, old), address(&b, now),
		      (struct now){.mono_us = at_s * 1000000}, &r);
	told->changes += r.tell;
	told->begins += r.begins;
	told->sums += r.held_back > 0;
	told->held_back += r.held_back;
	told->last = r.tell;
	assert_true(r.held_back == 0 || r.seconds > 0);
}

enum { DAY_S = 86400, TTL_S = 5 };

/* A name with a TTL of 5 for a day, whose answer is one of POOL addresses by chance. */
static void rotate(struct rotations *t, uint64_t hash, uint32_t pool, uint32_t base,
		   uint64_t from_s, uint64_t to_s, struct told *told)
{
	static struct rng rng;
	uint32_t was = base;

	rng_init_seeded(&rng, pool);
	for (uint64_t s = from_s; s < to_s; s += TTL_S) {
		uint32_t is = base + rng_below(&rng, pool);
		if (is != was)
			change(t, hash, was, is, s, told);
		was = is;
	}
}

static void test_failovers(void **state)
{
	(void)state;
	struct rotations *t;
	struct told told = {0};

	assert_int_equal(rotations_new(&t), OK);
	for (unsigned i = 0; i < 48; i++) /* there and back every half hour */
		change(t, 77, 1 + i % 2, 2 - i % 2, 1000 + 1800 * i, &told);
	assert_int_equal(told.changes, 48);
	told = (struct told){0};
	for (unsigned i = 0; i < 4; i++) /* there and back within seconds, and gone */
		change(t, 78, i % 3, (i + 1) % 3, 1000 + 5 * i, &told);
	assert_int_equal(told.changes, 4);
	assert_int_equal(told.begins + told.sums, 0);
	told = (struct told){0};
	for (uint64_t i = 0; i < 1000; i++) /* all at once, as when a zone is lost */
		change(t, i << 40 | i << 20, 1, 2, 100000, &told);
	assert_int_equal(told.changes, 1000);
	rotations_free(t);
}

static void test_rotation(void **state)
{
	(void)state;
	static const uint32_t pools[] = {2, 8, 30, 64, 70, 100, 1000, 100000};
	struct rotations *t;

	assert_int_equal(rotations_new(&t), OK);
	for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
		struct told told = {0};
		uint64_t hash = (uint64_t)i << 20;
		rotate(t, hash, pools[i], 1, 1000, 1000 + DAY_S, &told);
		if (told.begins != 1 || told.sums > 6 || told.changes > 110)
			fail_msg("a pool of %u: %u times told, %u begun, %u sums", pools[i],
				 told.changes, told.begins, told.sums);
		if (pools[i] <= 30 || pools[i] >= 1000)
			assert_true(told.changes <= 8);
		/* What was held back is told in the end, when the data has been quiet. */
		unsigned before = told.held_back;
		change(t, hash, 1, 2, 1000 + 2 * DAY_S, &told);
		assert_true(told.last && told.held_back > before);
	}
	rotations_free(t);
}

static void test_failover_of_a_rotating_name(void **state)
{
	(void)state;
	struct rotations *t;
	struct told told = {0};

	assert_int_equal(rotations_new(&t), OK);
	rotate(t, 5, 8, 1, 1000, 1000 + DAY_S, &told);
	for (uint32_t i = 1; i <= 3; i++) { /* a member is replaced, every three hours */
		change(t, 5, 1, 1000 * i, 1000 + DAY_S + 10800 * i, &told);
		assert_true(told.last);
		rotate(t, 5, 8, 1, 1005 + DAY_S + 10800 * i, 1000 + DAY_S + 10800 * (i + 1), &told);
	}
	change(t, 5, 1, 0, 1000 + DAY_S + 10800 * 4 + TTL_S, &told); /* and it is denied */
	assert_true(told.last);
	rotations_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failovers),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_failover_of_a_rotating_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
