#include "unit/base_unit.h"

#include "dns/cookie.h"

/* RFC 9018 appendix A. SEEN_AT is when the cookie comes back. */
static const struct {
	const char *why, *secret, *address, *client_cookie, *server_cookie;
	int64_t seen_at_s;
	enum cookie_verdict verdict;
	const char *fresh; /* what is made at SEEN_AT; NULL: not in the appendix */
} vectors[] = {
	{"RFC 9018 §A.1: a new server cookie", "e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100",
	 "2464c4abcf10c957", "010000005cf79f111f8130c3eee29480", 0x5cf79f11, COOKIE_GOOD,
	 "010000005cf79f111f8130c3eee29480"},
	{"RFC 9018 §A.2: the same client, renewed", "e5e973e5a6b2a43f48e7dc849e37bfcf",
	 "198.51.100.100", "2464c4abcf10c957", "010000005cf79f111f8130c3eee29480", 0x5cf7a871,
	 COOKIE_RENEW, "010000005cf7a871d4a564a1442aca77"},
	{"RFC 9018 §A.3: another client, reserved bytes hashed as they came",
	 "e5e973e5a6b2a43f48e7dc849e37bfcf", "203.0.113.203", "fc93fc62807ddb86",
	 "01abcdef5cf78f71a314227b6679ebf5", 0x5cf78f71 + 10, COOKIE_GOOD, NULL},
	{"RFC 9018 §A.3: its fresh cookie", "e5e973e5a6b2a43f48e7dc849e37bfcf", "203.0.113.203",
	 "fc93fc62807ddb86", "010000005cf7a9acf73a7810aca2381e", 0x5cf7a9ac, COOKIE_GOOD,
	 "010000005cf7a9acf73a7810aca2381e"},
	{"RFC 9018 §A.4: IPv6, the old secret", "dd3bdf9344b678b185a6f5cb60fca715",
	 "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298",
	 "010000005cf7c57926556bd0934c72f8", 0x5cf7c609, COOKIE_GOOD, NULL},
	{"RFC 9018 §A.4: IPv6, the new secret", "445536bcd2513298075a5d379663c962",
	 "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298",
	 "010000005cf7c609a6bb79d16625507a", 0x5cf7c609, COOKIE_GOOD,
	 "010000005cf7c609a6bb79d16625507a"},
	{"RFC 9018 §A.4: a cookie of the old secret under the new",
	 "445536bcd2513298075a5d379663c962", "2001:db8:220:1:59de:d0f4:8769:82b8",
	 "22681ab97d52c298", "010000005cf7c57926556bd0934c72f8", 0x5cf7c609, COOKIE_BAD, NULL},
};

static void test_rfc9018_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct hash_key secret;
		struct endpoint client;
		uint8_t client_cookie[8], server_cookie[16], made[16], fresh[16];
		unit_unhex(vectors[i].secret, secret.bytes, sizeof(secret.bytes));
		unit_unhex(vectors[i].client_cookie, client_cookie, sizeof(client_cookie));
		unit_unhex(vectors[i].server_cookie, server_cookie, sizeof(server_cookie));
		CHECK(vectors[i].why, endpoint_parse(vectors[i].address, 4711, &client) == OK);
		enum cookie_verdict verdict =
			cookie_check_server(&secret, client_cookie, span_of(server_cookie, 16),
					    &client, vectors[i].seen_at_s);
		CHECK(vectors[i].why, verdict == vectors[i].verdict);
		if (!vectors[i].fresh)
			continue;
		cookie_make_server(&secret, client_cookie, &client, vectors[i].seen_at_s, made);
		unit_unhex(vectors[i].fresh, fresh, sizeof(fresh));
		CHECK(vectors[i].why, memcmp(made, fresh, sizeof(made)) == 0);
	}
}

static const struct {
	const char *why;
	int64_t age_s;
	enum cookie_verdict want;
} ages[] = {
	{"RFC 9018 §4.3: new", 0, COOKIE_GOOD},
	{"RFC 9018 §4.3: half an hour", 1800, COOKIE_GOOD},
	{"RFC 9018 §4.3: past half an hour", 1801, COOKIE_RENEW},
	{"RFC 9018 §4.3: one hour", 3600, COOKIE_RENEW},
	{"RFC 9018 §4.3: past one hour", 3601, COOKIE_BAD},
	{"RFC 9018 §4.3: 5 minutes ahead", -300, COOKIE_GOOD},
	{"RFC 9018 §4.3: further ahead", -301, COOKIE_BAD},
	{"RFC 1982: half the circle away", INT32_MAX, COOKIE_BAD},
};

static void test_ages(void **state)
{
	(void)state;
	/* The second start lies at the end of the 32-bit circle. */
	static const int64_t starts[] = {0x5cf79f11, 0xffffff00};
	const struct hash_key secret = {{1}};
	const struct endpoint client = endpoint_of(span_of("\xc0\0\2\1", 4), 53);
	const uint8_t client_cookie[8] = {2};

	for (size_t i = 0; i < 2 * ARRAY_LEN(ages); i++) {
		uint8_t made[16];
		int64_t start = starts[i % 2];
		cookie_make_server(&secret, client_cookie, &client, start, made);
		CHECK(ages[i / 2].why,
		      cookie_check_server(&secret, client_cookie, span_of(made, 16), &client,
					  start + ages[i / 2].age_s) == ages[i / 2].want);
	}
}

static void test_what_counts(void **state)
{
	(void)state;
	const struct hash_key secret = {{1}}, other_secret = {{2}};
	struct endpoint client = endpoint_of(span_of("\xc0\0\2\1", 4), 53);
	struct endpoint other = endpoint_of(span_of("\xc0\0\2\2", 4), 53);
	uint8_t client_cookie[8] = {2}, other_cookie[8] = {3}, made[17] = {0};

	cookie_make_server(&secret, client_cookie, &client, 1000, made);
	struct span cookie = span_of(made, 16);
	assert_int_equal(cookie_check_server(&other_secret, client_cookie, cookie, &client, 1000),
			 COOKIE_BAD);
	assert_int_equal(cookie_check_server(&secret, other_cookie, cookie, &client, 1000),
			 COOKIE_BAD);
	assert_int_equal(cookie_check_server(&secret, client_cookie, cookie, &other, 1000),
			 COOKIE_BAD);
	client.port = 99; /* RFC 9018 §4.4: the port does not count */
	assert_int_equal(cookie_check_server(&secret, client_cookie, cookie, &client, 1000),
			 COOKIE_GOOD);
	/* RFC 7873 §5.2.2 allows other lengths; they are not ours. */
	assert_int_equal(
		cookie_check_server(&secret, client_cookie, span_of(made, 17), &client, 1000),
		COOKIE_BAD);
	assert_int_equal(
		cookie_check_server(&secret, client_cookie, span_of(made, 8), &client, 1000),
		COOKIE_BAD);
	assert_int_equal(
		cookie_check_server(&secret, client_cookie, (struct span){0}, &client, 1000),
		COOKIE_BAD);
	for (unsigned bit = 0; bit < 128; bit++) {
		made[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(cookie_check_server(&secret, client_cookie, cookie, &client, 1000),
				 COOKIE_BAD);
		made[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void test_client_cookie(void **state)
{
	(void)state;
	const struct hash_key secret = {{1}}, other_secret = {{2}};
	struct endpoint a = endpoint_of(span_of("\xc0\0\2\1", 4), 53);
	struct endpoint b = endpoint_of(span_of("\xc0\0\2\2", 4), 53);
	uint8_t one[8], two[8];

	cookie_make_client(&secret, &a, one);
	a.port = 5353;
	cookie_make_client(&secret, &a, two);
	assert_memory_equal(one, two, 8); /* RFC 9018 §3: per server address */
	cookie_make_client(&secret, &b, two);
	assert_memory_not_equal(one, two, 8);
	cookie_make_client(&other_secret, &a, two);
	assert_memory_not_equal(one, two, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc9018_vectors),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_what_counts),
		cmocka_unit_test(test_client_cookie),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
