/* The query log's filter: its words, and what passes. */
#include "unit/base_unit.h"

#include "config/query_filter.h"

static void test_words(void **state)
{
	(void)state;
	static const struct {
		const char *text, *told; /* NULL: the same */
	} good[] = {
		{"on", NULL},
		{"off", NULL},
		{"true", "on"},
		{"false", "off"},
		{"  on ", "on"},
		{"client=10.0.0.0/8", NULL},
		{"client=192.0.2.1", "client=192.0.2.1/32"},
		{"client=2001:db8::/32", NULL},
		{"client=::/0", NULL},
		{"name=Example.COM", "name=example.com."},
		{"name=.", NULL},
		{"rcode=servfail", "rcode=SERVFAIL"},
		{"rcode=none", NULL},
		{"slower=2", "slower=2000ms"},
		{"sample=1", "on"},
		{"sample=100  slower=100ms rcode=NXDOMAIN name=a. client=::1",
		 "client=::1/128 name=a. rcode=NXDOMAIN slower=100ms sample=100"},
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		char text[QUERY_FILTER_TEXT_MAX], wrong[QUERY_FILTER_WORD_MAX] = "";
		const char *told = good[i].told ? good[i].told : good[i].text;
		struct query_filter f, again;
		CHECK(good[i].text, query_filter_parse(good[i].text, &f, wrong) == OK);
		CHECK(good[i].text, strcmp(query_filter_text(&f, text), told) == 0);
		CHECK(good[i].text, query_filter_parse(text, &again, wrong) == OK);
	}
}

static void test_wrong_words(void **state)
{
	(void)state;
	static const struct {
		const char *text, *wrong;
	} bad[] = {
		{"", ""},
		{"loud", "loud"},
		{"on off", "on"},
		{"client=10.0.0.0/8 on", "on"},
		{"client=10.0.0.1/8", "client=10.0.0.1/8"},
		{"rcode=BAD", "rcode=BAD"},
		{"slower=0", "slower=0"},
		{"slower=2h", "slower=2h"},
		{"sample=0", "sample=0"},
		{"sample=1 name=a..b", "name=a..b"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char wrong[QUERY_FILTER_WORD_MAX] = "?";
		struct query_filter f;
		CHECK(bad[i].text, query_filter_parse(bad[i].text, &f, wrong) == ERR_MALFORMED);
		CHECK(bad[i].text, strcmp(wrong, bad[i].wrong) == 0);
	}
	/* However long. */
	char text[5000], wrong[QUERY_FILTER_WORD_MAX];
	struct query_filter f;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(query_filter_parse(text, &f, wrong), ERR_MALFORMED);
	assert_int_equal(strlen(wrong), sizeof(wrong) - 1);
}

static void test_what_passes(void **state)
{
	(void)state;
	static const uint8_t www[] = "\3www\7example", example[] = "\7example", other[] = "\5other";
	static const struct {
		const char *filter;
		const uint8_t *name;
		int rcode;
		uint64_t took_us;
		bool wanted;
	} rows[] = {
		{"off", www, 0, 1, false},
		{"on", www, 0, 1, true},
		{"on", NULL, QUERY_FILTER_NONE, 1, true},
		{"client=192.0.2.0/24", www, 0, 1, true},
		{"client=192.0.3.0/24", www, 0, 1, false},
		{"client=::/0", www, 0, 1, false},
		{"name=example", www, 0, 1, true},
		{"name=example", example, 0, 1, true},
		{"name=example", other, 0, 1, false},
		{"name=example", NULL, 1, 1, false},
		{"rcode=SERVFAIL", www, 2, 1, true},
		{"rcode=SERVFAIL", www, 0, 1, false},
		{"rcode=SERVFAIL", www, QUERY_FILTER_NONE, 1, false},
		{"rcode=none", www, QUERY_FILTER_NONE, 1, true},
		{"rcode=none", www, 0, 1, false},
		{"slower=10ms", www, 0, 10001, true},
		{"slower=10ms", www, 0, 10000, false},
		{"slower=10ms rcode=SERVFAIL", www, 0, 10001, false},
	};
	struct endpoint client;
	assert_int_equal(endpoint_parse("192.0.2.7", 53, &client), OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct query_event e = {.client = &client,
					      .name = rows[i].name,
					      .rcode = rows[i].rcode,
					      .took_us = rows[i].took_us};
		char wrong[QUERY_FILTER_WORD_MAX];
		struct query_filter f;
		uint32_t seen = 0;
		CHECK(rows[i].filter, query_filter_parse(rows[i].filter, &f, wrong) == OK);
		CHECK(rows[i].filter, query_filter_wants(&f, &e, &seen) == rows[i].wanted);
		CHECK(rows[i].filter, seen == rows[i].wanted);
	}
}

static void test_sample(void **state)
{
	(void)state;
	struct endpoint client = {.family = 4};
	char wrong[QUERY_FILTER_WORD_MAX];
	struct query_filter f;
	uint32_t seen = 0, count = 0;

	assert_int_equal(query_filter_parse("sample=10 rcode=NXDOMAIN", &f, wrong), OK);
	for (unsigned i = 0; i < 1000; i++) {
		const struct query_event e = {.client = &client, .rcode = i % 2 ? 3 : 0};
		count += query_filter_wants(&f, &e, &seen);
	}
	assert_int_equal(count, 50); /* of those that match */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_wrong_words),
		cmocka_unit_test(test_what_passes),
		cmocka_unit_test(test_sample),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
