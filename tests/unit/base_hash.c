#include "unit/base_unit.h"

#include "base/hash.h"
#include "base/rng.h"

/* The reference vectors of SipHash-2-4: key 00..0f, input 00 01 02 ... of each length. */
static const struct {
	const char *why;
	size_t len;
	uint64_t want;
} vectors[] = {
	{"SipHash paper, reference vectors: no bytes", 0, 0x726fdb47dd0e0e31},
	{"SipHash paper, reference vectors: 1 byte", 1, 0x74f839c593dc67fd},
	{"SipHash paper, reference vectors: 8 bytes", 8, 0x93f5f5799a932462},
	{"SipHash paper, appendix A: 15 bytes", 15, 0xa129ca6149be45e5},
};

static void test_siphash_vectors(void **state)
{
	(void)state;
	struct hash_key key;
	uint8_t input[64];

	for (size_t i = 0; i < sizeof(key.bytes); i++)
		key.bytes[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)i;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
		CHECK(vectors[i].why,
		      hash_bytes(&key, span_of(input, vectors[i].len)) == vectors[i].want);
}

static void test_keys_differ(void **state)
{
	(void)state;
	struct hash_key a, b;
	hash_key_init(&a);
	hash_key_init(&b);
	assert_memory_not_equal(&a, &b, sizeof(a));
	assert_true(hash_bytes(&a, span_of("x", 1)) != hash_bytes(&b, span_of("x", 1)));
	assert_true(hash_bytes(&a, span_of("x", 1)) == hash_bytes(&a, span_of("x", 1)));
}

static void test_equal_secret(void **state)
{
	(void)state;
	assert_true(hash_equal_secret((const uint8_t *)"abcd", (const uint8_t *)"abcd", 4));
	assert_false(hash_equal_secret((const uint8_t *)"abcd", (const uint8_t *)"abce", 4));
	assert_true(hash_equal_secret((const uint8_t *)"abcd", (const uint8_t *)"abce", 3));
}

static void test_rng_repeats_for_its_seed(void **state)
{
	(void)state;
	struct rng a, b, c;
	uint8_t a_out[5000], b_out[5000];

	rng_init_seeded(&a, 7);
	rng_init_seeded(&b, 7);
	rng_init_seeded(&c, 8);
	rng_bytes(&a, a_out, sizeof(a_out));
	for (size_t i = 0; i < sizeof(b_out); i += 10) /* in other pieces, the same stream */
		rng_bytes(&b, b_out + i, 10);
	assert_memory_equal(a_out, b_out, sizeof(a_out));
	rng_bytes(&c, b_out, sizeof(b_out));
	assert_memory_not_equal(a_out, b_out, sizeof(a_out));
}

static void test_rng_differs_without_seed(void **state)
{
	(void)state;
	struct rng a, b;
	uint8_t a_out[32], b_out[32];
	rng_init(&a);
	rng_init(&b);
	rng_bytes(&a, a_out, sizeof(a_out));
	rng_bytes(&b, b_out, sizeof(b_out));
	assert_memory_not_equal(a_out, b_out, sizeof(a_out));
}

static void test_rng_forgets(void **state)
{
	(void)state;
	struct rng rng;
	uint8_t out[16];
	static const uint8_t zero[16];
	rng_init_seeded(&rng, 7);
	rng_bytes(&rng, out, sizeof(out));
	assert_memory_equal(rng.pool, zero, sizeof(zero));
}

static void test_rng_below_is_even(void **state)
{
	(void)state;
	struct rng rng;
	unsigned seen[6] = {0};

	rng_init_seeded(&rng, 3);
	assert_int_equal(rng_below(&rng, 0), 0);
	assert_int_equal(rng_below(&rng, 1), 0);
	for (unsigned i = 0; i < 60000; i++)
		seen[rng_below(&rng, 6)]++;
	for (unsigned i = 0; i < 6; i++)
		assert_in_range(seen[i], 9500, 10500); /* five standard deviations */
	for (unsigned i = 0; i < 1000; i++)
		assert_true(rng_below(&rng, 0x80000001u) <= 0x80000000u);
}

/* A machine whose memory was copied: both go on alike until they are told. */
static void test_rng_renew(void **state)
{
	(void)state;
	struct rng a, b, seeded, same;
	rng_init(&a);
	rng_u32(&a);
	b = a;
	assert_int_equal(rng_u32(&a), rng_u32(&b));
	rng_renew(&a);
	rng_renew(&b);
	uint8_t from_a[64], from_b[64];
	rng_bytes(&a, from_a, sizeof(from_a));
	rng_bytes(&b, from_b, sizeof(from_b));
	assert_memory_not_equal(from_a, from_b, sizeof(from_a));
	rng_init_seeded(&seeded, 7);
	same = seeded;
	rng_renew(&seeded); /* what repeats goes on repeating */
	assert_int_equal(rng_u32(&seeded), rng_u32(&same));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rng_renew),
		cmocka_unit_test(test_siphash_vectors),
		cmocka_unit_test(test_keys_differ),
		cmocka_unit_test(test_equal_secret),
		cmocka_unit_test(test_rng_repeats_for_its_seed),
		cmocka_unit_test(test_rng_differs_without_seed),
		cmocka_unit_test(test_rng_forgets),
		cmocka_unit_test(test_rng_below_is_even),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
