#include "unit/base_unit.h"

#include "resolve/askable.h"

static struct endpoint at(const char *text)
{
	struct endpoint e;
	if (endpoint_parse(text, 53, &e) != OK)
		fail_msg("\"%s\" is no address", text);
	return e;
}

static const struct {
	const char *why, *address;
	enum askable want;
} defaults[] = {
	{"the world", "192.5.6.30", ASKABLE_YES},
	{"the world", "2001:503:a83e::2:30", ASKABLE_YES},
	{"RFC 1918", "10.0.0.1", ASKABLE_INTERNAL},
	{"RFC 1918: below", "9.255.255.255", ASKABLE_YES},
	{"RFC 1918: above", "11.0.0.0", ASKABLE_YES},
	{"RFC 1918", "172.16.0.1", ASKABLE_INTERNAL},
	{"RFC 1918: its end", "172.31.255.255", ASKABLE_INTERNAL},
	{"RFC 1918: above", "172.32.0.0", ASKABLE_YES},
	{"RFC 1918", "192.168.255.1", ASKABLE_INTERNAL},
	{"RFC 6598", "100.64.0.0", ASKABLE_INTERNAL},
	{"RFC 6598: its end", "100.127.255.255", ASKABLE_INTERNAL},
	{"RFC 6598: above", "100.128.0.0", ASKABLE_YES},
	{"RFC 3927: the provider's resolver", "169.254.169.253", ASKABLE_INTERNAL},
	{"RFC 3927: instance metadata", "169.254.169.254", ASKABLE_INTERNAL},
	{"RFC 1122: loopback", "127.0.0.53", ASKABLE_INTERNAL},
	{"RFC 1122: this network", "0.1.2.3", ASKABLE_UNUSABLE},
	{"RFC 5771: multicast", "224.0.0.1", ASKABLE_UNUSABLE},
	{"RFC 1112: class E", "240.0.0.1", ASKABLE_INTERNAL},
	{"RFC 919: broadcast", "255.255.255.255", ASKABLE_UNUSABLE},
	{"RFC 2544", "198.19.0.1", ASKABLE_INTERNAL},
	{"RFC 6890: protocol assignments", "192.0.0.8", ASKABLE_INTERNAL},
	{"RFC 4291: unspecified", "::", ASKABLE_UNUSABLE},
	{"RFC 4291: loopback", "::1", ASKABLE_INTERNAL},
	{"RFC 4291: what was IPv4-compatible", "::a00:1", ASKABLE_INTERNAL},
	{"RFC 4291: mapped, whatever is inside", "::ffff:8.8.8.8", ASKABLE_UNUSABLE},
	{"RFC 4193", "fd12:3456::1", ASKABLE_INTERNAL},
	{"RFC 4193: the provider's", "fd00:ec2::253", ASKABLE_INTERNAL},
	{"RFC 4193: its other half", "fc00::1", ASKABLE_INTERNAL},
	{"RFC 4291: link-local", "febf::1", ASKABLE_INTERNAL},
	{"RFC 3879: site-local", "fec0::1", ASKABLE_INTERNAL},
	{"RFC 4291: multicast", "ff02::fb", ASKABLE_UNUSABLE},
	{"RFC 6666", "100::1", ASKABLE_INTERNAL},
	{"RFC 6052: NAT64 of an internal one", "64:ff9b::a9fe:a9fd", ASKABLE_INTERNAL},
	{"RFC 6052: NAT64 of the unusable", "64:ff9b::e000:1", ASKABLE_UNUSABLE},
	{"RFC 6052: NAT64 of the world's", "64:ff9b::c005:61e", ASKABLE_YES},
	{"RFC 8215", "64:ff9b:1::c005:61e", ASKABLE_INTERNAL},
	{"RFC 3056: 6to4 of an internal one", "2002:a00:1::1", ASKABLE_INTERNAL},
	{"RFC 3056: 6to4 of the world's", "2002:c005:61e::1", ASKABLE_YES},
	{"RFC 4380: Teredo's client is internal", "2001:0:c005:61e:0:0:f5ff:fffe",
	 ASKABLE_INTERNAL},
	{"RFC 4380: Teredo's server is", "2001:0:a00:1:0:0:3ffa:f9e1", ASKABLE_INTERNAL},
	{"RFC 4380: neither", "2001:0:c005:61e:0:0:3ffa:f9e1", ASKABLE_YES},
	{"RFC 5214: ISATAP of an internal one", "2001:db8::5efe:a00:1", ASKABLE_INTERNAL},
	{"RFC 5214: with the universal bit", "2001:db8::200:5efe:7f00:1", ASKABLE_INTERNAL},
	{"RFC 5214: of the world's", "2001:db8::5efe:c005:61e", ASKABLE_YES},
};

static void test_defaults(void **state)
{
	(void)state;
	struct settings s;
	settings_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
		struct endpoint e = at(defaults[i].address);
		CHECK(defaults[i].why, askable_check(&s, NULL, &e) == defaults[i].want);
	}
}

static const struct access_rule rules[] = {
	{{.family = 4, .bits = 8, .addr = {10}}, true},
	{{.family = 4, .bits = 16, .addr = {10, 9}}, false},
	{{.family = 4, .bits = 24, .addr = {10, 9, 8}}, true},
	{{.family = 4, .bits = 8, .addr = {8}}, false},
	{{.family = 4, .bits = 4, .addr = {224}}, true},
	{{.family = 4, .bits = 32, .addr = {198, 51, 100, 7}}, true},
	{{.family = 6, .bits = 96, .addr = {[10] = 0xff, [11] = 0xff}}, true},
};

static const struct {
	const char *why, *address;
	enum askable want;
} told[] = {
	{"the operator's word goes first", "10.0.0.1", ASKABLE_YES},
	{"the longest of them", "10.9.0.1", ASKABLE_FORBIDDEN},
	{"the longest of them", "10.9.8.1", ASKABLE_YES},
	{"he may forbid the world's", "8.8.8.8", ASKABLE_FORBIDDEN},
	{"what he does not speak of", "192.168.0.1", ASKABLE_INTERNAL},
	{"no server lives at a multicast address", "224.0.0.1", ASKABLE_UNUSABLE},
	{"nor at a mapped one", "::ffff:10.0.0.1", ASKABLE_UNUSABLE},
	{"what is inside counts as by itself", "64:ff9b::a00:1", ASKABLE_YES},
	{"what is inside counts as by itself", "64:ff9b::808:808", ASKABLE_FORBIDDEN},
	{"our own", "198.51.100.6", ASKABLE_OWN},
	{"our own, inside of another", "2002:c633:6406::1", ASKABLE_OWN},
	{"our own, that he excepts", "198.51.100.7", ASKABLE_YES},
	{"our own of before", "198.51.100.8", ASKABLE_YES},
	{"our own over IPv6", "2001:db8::6", ASKABLE_OWN},
};

static void test_told(void **state)
{
	(void)state;
	static struct own_addresses own;
	static const char *const mine[] = {"198.51.100.6", "198.51.100.7", "2001:db8::6",
					   "198.51.100.8"};
	struct settings s;
	settings_init(&s);
	s.ask = rules;
	s.ask_count = ARRAY_LEN(rules);
	for (uint32_t i = 0; i < ARRAY_LEN(mine); i++) {
		struct endpoint e = at(mine[i]);
		e.port = 0;
		own_addresses_put(&own, i, &e);
	}
	own_addresses_end(&own, ARRAY_LEN(mine) - 1);
	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		struct endpoint e = at(told[i].address);
		CHECK(told[i].why, askable_check(&s, &own, &e) == told[i].want);
	}
}

static void test_many_own(void **state)
{
	(void)state;
	static struct own_addresses own;
	struct settings s;
	settings_init(&s);
	for (uint32_t i = 0; i < 2 * OWN_ADDRESSES_MAX; i++) {
		uint8_t bytes[4] = {198, 51, (uint8_t)(i >> 8), (uint8_t)i};
		struct endpoint e = endpoint_of(span_of(bytes, 4), 0);
		own_addresses_put(&own, i, &e);
	}
	own_addresses_end(&own, 2 * OWN_ADDRESSES_MAX);
	struct endpoint first = at("198.51.0.0"), last = at("198.51.3.255");
	assert_int_equal(askable_check(&s, &own, &first), ASKABLE_OWN);
	assert_int_equal(askable_check(&s, &own, &last), ASKABLE_YES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_many_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
