#include "unit/resolve_unit.h"

static void set_name(uint8_t out[static DNAME_MAX], const char *text)
{
	size_t len;
	REQUIRE(dname_parse(text, out, &len) == OK);
}

enum { ZONES = 5 };

static struct settings_zone *make_zones(struct rig *g)
{
	static const struct {
		const char *name;
		bool insecure;
	} made[ZONES] = {{"corp.", true},
			 {"ad.corp.", false},
			 {"compute.internal.", true},
			 {"signed.example.", false},
			 {"10.in-addr.arpa.", true}};
	struct settings_zone *zones = arena_alloc(&g->arena, ZONES * sizeof(*zones));
	REQUIRE(zones);
	for (size_t i = 0; i < ZONES; i++) {
		set_name(zones[i].name, made[i].name);
		zones[i].insecure = made[i].insecure;
	}
	g->settings.zones = zones;
	g->settings.zone_count = ZONES;
	return zones;
}

static const struct {
	const char *why, *name;
	uint16_t type;
	const char *zone;
} covering[] = {
	{"the zone itself", "corp.", TYPE_A, "corp."},
	{"a name below", "www.corp.", TYPE_A, "corp."},
	{"RFC 4343: case is folded", "WWW.Corp.", TYPE_A, "corp."},
	{"the deepest wins", "dc.ad.corp.", TYPE_A, "ad.corp."},
	{"deepest at its own name", "ad.corp.", TYPE_A, "ad.corp."},
	{"labels count, not letters", "notcorp.", TYPE_A, NULL},
	{"a name above", "internal.", TYPE_A, NULL},
	{"a name beside", "storage.internal.", TYPE_A, NULL},
	{"two labels", "ip-1.compute.internal.", TYPE_AAAA, "compute.internal."},
	{"the root", ".", TYPE_NS, NULL},
	{"RFC 4035 §3.1.4.1: DS is the parent's", "ad.corp.", TYPE_DS, "corp."},
	{"RFC 4035 §3.1.4.1: DS of a top-level zone is the root's", "corp.", TYPE_DS, NULL},
	{"DS of a name below is the zone's", "x.ad.corp.", TYPE_DS, "ad.corp."},
};

static void test_zone_for(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	const struct settings_zone *zones = make_zones(g);
	REQUIRE(settings_finish(&g->settings, &g->arena) == OK);
	CHECK("a zone inside another", settings_zone_around(&g->settings, &zones[1]) == &zones[0]);
	CHECK("a zone on its own", !settings_zone_around(&g->settings, &zones[0]));
	for (size_t i = 0; i < ARRAY_LEN(covering); i++) {
		struct unit_name name = unit_name(covering[i].name);
		const struct settings_zone *z =
			settings_zone_for(&g->settings, name.wire, covering[i].type);
		CHECK(covering[i].why, !z == !covering[i].zone);
		if (z)
			CHECK(covering[i].why,
			      dname_equal(z->name, unit_name(covering[i].zone).wire));
	}
	rig_free(g);
}

static void test_root_zone(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	struct settings_zone root = {.forward = true};
	g->settings.zones = &root;
	g->settings.zone_count = 1;
	REQUIRE(settings_finish(&g->settings, &g->arena) == OK);
	static const char *const names[] = {".", "com.", "www.example.com."};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		CHECK(names[i],
		      settings_zone_for(&g->settings, unit_name(names[i]).wire, TYPE_A) == &root);
	CHECK("nothing lies around the root", !settings_zone_around(&g->settings, &root));
	CHECK("the root's DS has no other home",
	      settings_zone_for(&g->settings, unit_name(".").wire, TYPE_DS) == &root);
	unsigned depth = SETTINGS_ANY_DEPTH;
	CHECK("built-in zones are deeper than a forwarder for everything",
	      settings_local_zone(&g->settings, unit_name("x.onion.").wire, TYPE_A, &depth) !=
		      NULL);
	CHECK("the last label tells",
	      settings_may_be_local(&g->settings, unit_name("x.onion.").wire));
	CHECK("and spares the walk",
	      !settings_may_be_local(&g->settings, unit_name("www.example.com.").wire));
	rig_free(g);
}

static const struct {
	const char *why, *name;
	bool insecure;
} validated[] = {
	{"an insecure zone", "www.corp.", true},
	{"below an insecure zone, whatever else is configured", "dc.ad.corp.", true},
	{"a zone that is validated", "www.signed.example.", false},
	{"RFC 7646: a negative anchor", "broken.test-nta.", true},
	{"RFC 7646: and what is below", "www.broken.test-nta.", true},
	{"RFC 7646: not what is above", "test-nta.", false},
	{"nothing configured", "www.example.com.", false},
};

static void test_insecure(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	uint8_t anchor[DNAME_MAX];
	const uint8_t *anchors[] = {anchor};
	set_name(anchor, "broken.test-nta.");
	make_zones(g);
	g->settings.negative_anchors = anchors;
	g->settings.negative_anchor_count = 1;
	REQUIRE(settings_finish(&g->settings, &g->arena) == OK);
	for (size_t i = 0; i < ARRAY_LEN(validated); i++)
		CHECK(validated[i].why,
		      settings_is_insecure(&g->settings, unit_name(validated[i].name).wire) ==
			      validated[i].insecure);
	rig_free(g);
}

static const struct {
	const char *why, *client;
	bool by_default, by_rules;
} clients[] = {
	{"RFC 1122 §3.2.1.3: loopback", "127.0.0.1", true, false},
	{"RFC 1122 §3.2.1.3: all of loopback", "127.255.1.2", true, false},
	{"RFC 4291 §2.5.3: loopback", "::1", true, false},
	{"RFC 4291 §2.5.3: one address only", "::2", false, false},
	{"RFC 1918: 10/8", "10.255.255.255", true, true},
	{"a longer prefix wins: denied in an allowed one", "10.66.1.1", true, false},
	{"a longer prefix wins: allowed again", "10.66.6.6", true, true},
	{"RFC 1918: 172.16/12, first", "172.16.0.0", true, false},
	{"RFC 1918: 172.16/12, last", "172.31.255.255", true, false},
	{"RFC 1918: 172.16/12, behind", "172.32.0.0", false, false},
	{"RFC 1918: 192.168/16", "192.168.7.7", true, false},
	{"RFC 6598: 100.64/10", "100.127.0.1", true, false},
	{"RFC 6598: behind", "100.128.0.1", false, false},
	{"RFC 3927: 169.254/16", "169.254.20.10", true, false},
	{"RFC 4193: fc00::/7", "fd12:3456::1", true, false},
	{"RFC 4291: fe80::/10", "fe80::1", true, false},
	{"a public address", "8.8.8.8", false, false},
	{"a public address", "2001:db8::1", false, true},
	{"equal prefixes: what denies wins", "2001:db8:1::1", false, false},
};

static void add_rule(struct access_rule *rules, size_t *count, const char *prefix, bool allow)
{
	REQUIRE(endpoint_prefix_parse(prefix, &rules[*count].prefix) == OK);
	rules[(*count)++].allow = allow;
}

static void test_access(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	struct access_rule rules[8];
	size_t count = 0;
	add_rule(rules, &count, "10.0.0.0/8", true);
	add_rule(rules, &count, "10.66.6.6", true);
	add_rule(rules, &count, "10.66.0.0/16", false);
	add_rule(rules, &count, "2001:db8::/32", true);
	add_rule(rules, &count, "2001:db8:1::/48", true);
	add_rule(rules, &count, "2001:db8:1::/48", false);
	struct settings by_rules = g->settings;
	by_rules.access = rules;
	by_rules.access_count = count;
	REQUIRE(settings_finish(&by_rules, &g->arena) == OK);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		struct endpoint client;
		REQUIRE(endpoint_parse(clients[i].client, 1, &client) == OK);
		CHECK(clients[i].why,
		      settings_allows(&g->settings, &client) == clients[i].by_default);
		CHECK(clients[i].why, settings_allows(&by_rules, &client) == clients[i].by_rules);
	}
	struct endpoint mapped = {.family = 6, .addr = {[10] = 0xff, [11] = 0xff, 10, 66, 6, 6}};
	CHECK("RFC 4291 §2.5.5.2: a mapped address is IPv4", settings_allows(&by_rules, &mapped));
	mapped.addr[15] = 7;
	CHECK("RFC 4291 §2.5.5.2: a mapped address is IPv4", !settings_allows(&by_rules, &mapped));
	struct endpoint nobody = {0};
	CHECK("no address", !settings_allows(&g->settings, &nobody));
	by_rules.access_count = 0;
	REQUIRE(settings_finish(&by_rules, &g->arena) == OK);
	CHECK("no rules: nobody", !settings_allows(&by_rules, &g->peer));
	rig_free(g);
}

/* The longest network decides of each of the two by itself, in whatever order they are nested. */
static void test_trusted(void **state)
{
	(void)state;
	static const struct {
		const char *client;
		unsigned standing;
	} cases[] = {
		{"10.0.0.1", SETTINGS_ALLOWED},
		{"10.1.0.1", SETTINGS_ALLOWED | SETTINGS_TRUSTED},
		{"10.1.1.1", SETTINGS_TRUSTED},
		{"10.1.1.9", SETTINGS_ALLOWED | SETTINGS_TRUSTED},
		{"10.2.0.1", SETTINGS_ALLOWED | SETTINGS_TRUSTED},
		{"10.2.2.1", SETTINGS_TRUSTED},
		{"10.3.0.1", SETTINGS_TRUSTED},
		{"192.0.2.1", 0},
		{"192.0.2.2", SETTINGS_TRUSTED},
		{"::ffff:10.2.0.1", SETTINGS_ALLOWED | SETTINGS_TRUSTED},
		{"2001:db8::1", 0},
	};
	struct rig *g = rig_new();
	struct access_rule rules[8], trusted[8];
	size_t count = 0, trusted_count = 0;
	add_rule(rules, &count, "10.0.0.0/8", true);
	add_rule(rules, &count, "10.1.1.0/24", false);
	add_rule(rules, &count, "10.1.1.9", true);
	add_rule(rules, &count, "10.2.2.0/24", false);
	add_rule(rules, &count, "10.3.0.0/16", true);
	add_rule(rules, &count, "10.3.0.0/16", false);
	add_rule(trusted, &trusted_count, "10.2.0.0/15", true);
	add_rule(trusted, &trusted_count, "10.1.0.0/16", true);
	add_rule(trusted, &trusted_count, "10.3.0.0/16", true);
	add_rule(trusted, &trusted_count, "10.2.2.1", true);
	add_rule(trusted, &trusted_count, "192.0.2.2", true);
	struct settings by_rules = g->settings;
	by_rules.access = rules;
	by_rules.access_count = count;
	by_rules.trusted = trusted;
	by_rules.trusted_count = trusted_count;
	REQUIRE(settings_finish(&by_rules, &g->arena) == OK);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct endpoint client;
		REQUIRE(endpoint_parse(cases[i].client, 1, &client) == OK);
		CHECK(cases[i].client, settings_standing(&by_rules, &client) == cases[i].standing);
	}
	CHECK("by default: loopback and private", settings_trusts(&g->settings, &g->peer));
	rig_free(g);
}

static void test_access_words(void **state)
{
	(void)state;
	struct access_rule rules[SETTINGS_ACCESS_WORD_MAX];
	CHECK("loopback", settings_access_word("loopback", true, rules, ARRAY_LEN(rules)) == 2 &&
				  rules[0].allow);
	CHECK("private", settings_access_word("private", false, rules, ARRAY_LEN(rules)) == 7 &&
				 !rules[6].allow);
	CHECK("no such word", settings_access_word("public", true, rules, ARRAY_LEN(rules)) == 0);
	CHECK("no room", settings_access_word("private", true, rules, 3) == 0);
}

static const struct {
	const char *why, *pattern, *name;
	bool allowed;
} shapes[] = {
	{"a prefix", "ip-*", "ip-10-0-0-1.compute.internal.", true},
	{"case is folded in the name", "ip-*", "IP-10-0-0-1.compute.internal.", true},
	{"case is folded in the pattern", "IP-*", "ip-1.compute.internal.", true},
	{"another prefix", "ip-*", "db.compute.internal.", false},
	{"a star is also nothing", "ip-*", "ip-.compute.internal.", true},
	{"a whole name", "db", "db.compute.internal.", true},
	{"a whole name, longer", "db", "db1.compute.internal.", false},
	{"one character", "db?", "db1.compute.internal.", true},
	{"one character missing", "db?", "db.compute.internal.", false},
	{"a star ends with its label", "ip-*", "ip-1.evil.compute.internal.", false},
	{"so does one in the middle", "a*b", "a.b.compute.internal.", false},
	{"one character is no dot", "a?b", "a.b.compute.internal.", false},
	{"a dot in a label is none between labels", "a.b", "a\\.b.compute.internal.", false},
	{"but a character of it", "a?b", "a\\.b.compute.internal.", true},
	{"a zero byte too", "a?b", "a\\000b.compute.internal.", true},
	{"labels one by one", "ip-*.eu-*", "ip-1.eu-west-1.compute.internal.", true},
	{"labels one by one, too few", "ip-*.eu-*", "ip-1.compute.internal.", false},
	{"labels one by one, too many", "ip-*.eu-*", "a.ip-1.eu-west-1.compute.internal.", false},
	{"RFC 4592 §3.3.1: a first star is a label", "*.rds", "a.rds.compute.internal.", true},
	{"RFC 4592 §3.3.1: or several", "*.rds", "a.b.rds.compute.internal.", true},
	{"RFC 4592 §3.3.1: but not none", "*.rds", "rds.compute.internal.", false},
	{"a star alone is everything", "*", "a.b.compute.internal.", true},
	{"a star that is not the first is one label", "a.*", "a.b.c.compute.internal.", false},
	{"going back to the last star", "*ab*ab", "aabxabab.compute.internal.", true},
	{"no way back", "*ab*ac", "aabxabab.compute.internal.", false},
	{"a work of stars", "*a*a*a*a*a*a*a*a*b",
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.compute.internal.", false},
	{"the zone itself is always asked", "ip-*", "compute.internal.", true},
};

static void test_only(void **state)
{
	(void)state;
	struct settings_zone z = {0};
	set_name(z.name, "compute.internal.");
	CHECK("no list", settings_zone_only_allows(&z, unit_name("x.compute.internal.").wire));
	z.only_count = 2;
	z.only[0] = "never";
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		z.only[1] = shapes[i].pattern;
		CHECK(shapes[i].why,
		      settings_zone_only_allows(&z, unit_name(shapes[i].name).wire) ==
			      shapes[i].allowed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zone_for), cmocka_unit_test(test_root_zone),
		cmocka_unit_test(test_insecure), cmocka_unit_test(test_access),
		cmocka_unit_test(test_trusted),	 cmocka_unit_test(test_access_words),
		cmocka_unit_test(test_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
