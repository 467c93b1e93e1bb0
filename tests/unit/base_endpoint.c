#include "unit/base_unit.h"

#include "base/endpoint.h"

/* WANT is what endpoint_text() says of it; NULL: refused. */
static const struct {
	const char *why, *text, *want;
} parses[] = {
	{"plain IPv4 takes the default port", "192.0.2.1", "192.0.2.1:53"},
	{"IPv4 with port", "192.0.2.1:5300", "192.0.2.1:5300"},
	{"highest port", "192.0.2.1:65535", "192.0.2.1:65535"},
	{"port 0 asks the system for one", "127.0.0.1:0", "127.0.0.1:0"},
	{"bare IPv6", "2001:db8::1", "[2001:db8::1]:53"},
	{"RFC 3986 §3.2.2: brackets without port", "[2001:db8::1]", "[2001:db8::1]:53"},
	{"RFC 3986 §3.2.2: brackets with port", "[2001:db8::1]:853", "[2001:db8::1]:853"},
	{"RFC 5952: text is the short form", "2001:0DB8:0:0:0:0:0:1", "[2001:db8::1]:53"},
	{"RFC 4007 §11: scope by number", "fe80::1%7", "[fe80::1%7]:53"},
	{"RFC 4007 §11: scope by name", "fe80::1%lo", "[fe80::1%1]:53"},
	{"scope inside brackets", "[fe80::1%1]:53", "[fe80::1%1]:53"},
	{"the unspecified address parses", "::", "[::]:53"},
	{"nothing", "", NULL},
	{"a name is no address", "localhost", NULL},
	{"port past 65535", "192.0.2.1:65536", NULL},
	{"port past 32 bits", "192.0.2.1:4294967349", NULL},
	{"empty port", "192.0.2.1:", NULL},
	{"signed port", "192.0.2.1:+53", NULL},
	{"blank before port", "192.0.2.1: 53", NULL},
	{"junk behind port", "192.0.2.1:53x", NULL},
	{"octet past 255", "192.0.2.256", NULL},
	{"three octets", "192.0.2", NULL},
	{"open bracket", "[2001:db8::1", NULL},
	{"junk behind bracket", "[2001:db8::1]53", NULL},
	{"empty port behind bracket", "[2001:db8::1]:", NULL},
	{"brackets are for IPv6", "[192.0.2.1]:53", NULL},
	{"empty brackets", "[]:53", NULL},
	{"scope 0 is none", "fe80::1%0", NULL},
	{"unknown interface", "fe80::1%no-such-if", NULL},
	{"empty scope", "fe80::1%", NULL},
	{"scope on IPv4", "192.0.2.1%1", NULL},
	{"longer than any address",
	 "2001:db8:0000:0000:0000:0000:0000:0001:0000:0000:0000:0000:0000:0000:0000:0000:0000",
	 NULL},
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(parses); i++) {
		char text[ENDPOINT_TEXT_SIZE];
		struct endpoint e, again;
		enum err err = endpoint_parse(parses[i].text, 53, &e);
		CHECK(parses[i].why, err == (parses[i].want ? OK : ERR_MALFORMED));
		if (!parses[i].want)
			continue;
		CHECK(parses[i].why, strcmp(endpoint_text(&e, text), parses[i].want) == 0);
		CHECK(parses[i].why, endpoint_parse(text, 1, &again) == OK);
		CHECK(parses[i].why, endpoint_equal(&e, &again));
	}
}

static void test_longest_text(void **state)
{
	(void)state;
	char text[ENDPOINT_TEXT_SIZE];
	struct endpoint e = {.family = 6, .port = 65535, .scope_id = UINT32_MAX};
	memset(e.addr, 0xff, sizeof(e.addr));
	assert_string_equal(endpoint_text(&e, text),
			    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
	assert_string_equal(endpoint_text(&(struct endpoint){0}, text), "none");
}

static void test_sockaddr(void **state)
{
	(void)state;
	static const char *const texts[] = {"192.0.2.1:53", "[2001:db8::1]:5300", "[fe80::1%1]:1"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct sockaddr_storage sa;
		struct endpoint e;
		assert_int_equal(endpoint_parse(texts[i], 0, &e), OK);
		assert_true(endpoint_to_sockaddr(&e, &sa) > 0);
		struct endpoint again = endpoint_from_sockaddr((struct sockaddr *)&sa);
		CHECK(texts[i], endpoint_equal(&e, &again));
	}
	struct sockaddr_storage sa = {.ss_family = AF_UNIX};
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&sa).family, 0);
	assert_int_equal(endpoint_to_sockaddr(&(struct endpoint){0}, &sa), 0);
	assert_int_equal(endpoint_of(span_of("12345", 5), 53).family, 0);
}

static const struct {
	const char *why, *text;
	bool loopback, unusable;
} kinds[] = {
	{"RFC 6890: loopback block", "127.255.0.1", true, false},
	{"RFC 4291 §2.5.3: loopback", "::1", true, false},
	{"RFC 4291 §2.5.5.2: mapped loopback", "::ffff:127.0.0.1", true, true},
	{"an ordinary address", "192.0.2.1", false, false},
	{"an ordinary IPv6 address", "2001:db8::1", false, false},
	{"RFC 6890: this network", "0.1.2.3", false, true},
	{"RFC 4291 §2.5.2: unspecified", "::", false, true},
	{"RFC 5771: multicast begins", "224.0.0.1", false, true},
	{"RFC 5771: multicast ends", "239.255.255.255", false, true},
	{"before multicast", "223.255.255.255", false, false},
	{"RFC 919: broadcast", "255.255.255.255", false, true},
	{"RFC 4291 §2.7: multicast", "ff02::fb", false, true},
	{"RFC 4291 §2.5.5.2: mapped", "::ffff:192.0.2.1", false, true},
};

static void test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct endpoint e;
		CHECK(kinds[i].why, endpoint_parse(kinds[i].text, 53, &e) == OK);
		CHECK(kinds[i].why, endpoint_is_loopback(&e) == kinds[i].loopback);
		CHECK(kinds[i].why, endpoint_is_unusable(&e) == kinds[i].unusable);
	}
	assert_true(endpoint_is_unusable(&(struct endpoint){0}));
}

static const struct {
	const char *why, *prefix, *inside, *outside;
} prefixes[] = {
	{"RFC 4632 §3.1: 8 bits", "10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
	{"RFC 4632 §3.1: 12 bits", "172.16.0.0/12", "172.31.255.255", "172.32.0.0"},
	{"no bits: all of the family", "0.0.0.0/0", "203.0.113.9", "::1"},
	{"all bits", "192.0.2.1/32", "192.0.2.1", "192.0.2.0"},
	{"a plain address is all bits", "192.0.2.1", "192.0.2.1", "192.0.2.3"},
	{"RFC 4291 §2.3: 32 bits", "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
	{"RFC 4193 §3.1: 7 bits", "fc00::/7", "fdff::1", "fe00::"},
	{"no bits of IPv6", "::/0", "2001:db8::1", "192.0.2.1"},
	{"a plain IPv6 address", "::1", "::1", "::2"},
	{"host bits set", "10.0.0.1/8", NULL, NULL},
	{"a host bit just past the prefix", "128.0.0.0/0", NULL, NULL},
	{"more bits than the family has", "10.0.0.0/33", NULL, NULL},
	{"more bits than IPv6 has", "::/129", NULL, NULL},
	{"no bits given", "10.0.0.0/", NULL, NULL},
	{"no number", "10.0.0.0/x", NULL, NULL},
	{"negative", "10.0.0.0/-1", NULL, NULL},
	{"a port", "10.0.0.0:53/8", NULL, NULL},
	{"a scope", "fe80::%1/64", NULL, NULL},
	{"nothing", "", NULL, NULL},
};

static void test_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		struct endpoint_prefix p;
		struct endpoint inside, outside;
		enum err err = endpoint_prefix_parse(prefixes[i].prefix, &p);
		CHECK(prefixes[i].why, err == (prefixes[i].inside ? OK : ERR_MALFORMED));
		if (!prefixes[i].inside)
			continue;
		CHECK(prefixes[i].why, endpoint_parse(prefixes[i].inside, 53, &inside) == OK);
		CHECK(prefixes[i].why, endpoint_parse(prefixes[i].outside, 53, &outside) == OK);
		CHECK(prefixes[i].why, endpoint_prefix_covers(&p, &inside));
		CHECK(prefixes[i].why, !endpoint_prefix_covers(&p, &outside));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),	 cmocka_unit_test(test_longest_text),
		cmocka_unit_test(test_sockaddr), cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_prefixes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
