/* The words of extended errors: record, server and zone, whatever their length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "dns/edns.h"
#include "resolve/blame.h"

#define SIXTY "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"
#define LONG SIXTY "." SIXTY "." SIXTY ".evil.example."

static const struct {
	const char *why, *owner, *server, *zone;
	uint16_t type;
	const char *want;
} texts[] = {
	{"RFC 8914: the form", "www.example.", "192.0.2.1", "example.", TYPE_A,
	 "www.example. A from 192.0.2.1:53: signature expired (zone example.)"},
	{"the root's", ".", "2001:db8::1", ".", TYPE_DNSKEY,
	 ". DNSKEY from [2001:db8::1]:53: signature expired (zone .)"},
	{"no server: the cache", "example.", NULL, "com.", TYPE_DS,
	 "example. DS from the cache: signature expired (zone com.)"},
	{"no server answered", "example.", "", "com.", TYPE_DS,
	 "example. DS from nobody: signature expired (zone com.)"},
	{"RFC 3597 §5: a type without a name", "www.example.", "192.0.2.1", "example.", 65280,
	 "www.example. TYPE65280 from 192.0.2.1:53: signature expired (zone example.)"},
	{"long names lose their middle", LONG, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", LONG,
	 TYPE_NSEC3,
	 "aaaaaaaaaabb...eeeeeffffffffff.evil.example. NSEC3 from "
	 "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:53: signature expired (zone "
	 "aaaaaaaaaabb...eeeeeffffffffff.evil.example.)"},
};

static void test_text(void **state)
{
	(void)state;
	unsigned failures = 0;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		uint8_t owner[DNAME_MAX], zone[DNAME_MAX];
		size_t len;
		struct endpoint server = {0};
		char text[BLAME_TEXT_SIZE];
		assert_int_equal(dname_parse(texts[i].owner, owner, &len), OK);
		assert_int_equal(dname_parse(texts[i].zone, zone, &len), OK);
		bool unanswered = texts[i].server && !*texts[i].server;
		if (texts[i].server && *texts[i].server)
			assert_int_equal(endpoint_parse(texts[i].server, 53, &server), OK);
		struct blame b = {.owner = owner,
				  .type = texts[i].type,
				  .server = &server,
				  .unanswered = unanswered,
				  .why = "signature expired",
				  .zone = zone};
		blame_text(&b, text);
		if (strcmp(text, texts[i].want) == 0 && strlen(text) <= EDNS_EDE_TEXT_MAX)
			continue;
		print_error("%s: got \"%s\", want \"%s\"\n", texts[i].why, text, texts[i].want);
		failures++;
	}
	assert_int_equal(failures, 0);
}

/* All at their longest, and a reason of sixty letters: the zone is still there, whole. */
static void test_longest(void **state)
{
	(void)state;
	uint8_t name[DNAME_MAX];
	size_t len;
	struct endpoint server;
	char text[BLAME_TEXT_SIZE];
	assert_int_equal(dname_parse(LONG, name, &len), OK);
	assert_int_equal(endpoint_parse("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 65535, &server),
			 OK);
	struct blame b = {
		.owner = name, .type = 65280, .server = &server, .why = SIXTY, .zone = name};
	blame_text(&b, text);
	assert_non_null(strstr(text, ".evil.example.)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_longest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
