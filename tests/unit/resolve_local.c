#include "unit/resolve_unit.h"

/* What becomes of built-in names, as a client sees it. */
#define SOA(zone) " ? " zone " 10800 SOA " zone " nobody.invalid. 1 3600 1200 604800 10800"

static const struct {
	const char *why, *name;
	uint16_t type;
	const char *reply;
} builtin[] = {
	{"RFC 6761 §6.3: localhost", "localhost.", TYPE_A,
	 "NOERROR aa rd = localhost. 10800 A 127.0.0.1"},
	{"RFC 6761 §6.3: localhost", "LocalHost.", TYPE_AAAA,
	 "NOERROR aa rd = LocalHost. 10800 AAAA ::1"},
	{"RFC 6761 §6.3: and everything below", "a.b.localhost.", TYPE_A,
	 "NOERROR aa rd = a.b.localhost. 10800 A 127.0.0.1"},
	{"RFC 6761 §6.3: other types", "localhost.", TYPE_MX, "NOERROR aa rd" SOA("localhost.")},
	{"RFC 6761 §6.3: other types below", "x.localhost.", TYPE_TXT,
	 "NOERROR aa rd" SOA("localhost.")},
	{"RFC 6761 §6.3: never ask the root, not even for DS", "localhost.", TYPE_DS,
	 "NOERROR aa rd" SOA("localhost.")},
	{"RFC 6761 §6.4: invalid", "x.invalid.", TYPE_A, "NXDOMAIN aa rd" SOA("invalid.")},
	{"RFC 6761 §6.4: invalid itself", "invalid.", TYPE_A, "NOERROR aa rd" SOA("invalid.")},
	{"RFC 6761 §6.2: test", "x.y.test.", TYPE_A, "NXDOMAIN aa rd" SOA("test.")},
	{"RFC 7686 §2: onion", "abc.onion.", TYPE_A, "NXDOMAIN aa rd" SOA("onion.")},
	{"RFC 7686 §2: not letters", "onion.example.", TYPE_A, "resolve"},
	{"RFC 9476: alt", "x.alt.", TYPE_A, "NXDOMAIN aa rd" SOA("alt.")},
	{"RFC 8375 §4: home.arpa", "nas.home.arpa.", TYPE_A, "NXDOMAIN aa rd" SOA("home.arpa.")},
	{"RFC 8375 §4: its NS", "home.arpa.", TYPE_NS,
	 "NOERROR aa rd = home.arpa. 10800 NS home.arpa."},
	{"RFC 8375 §4: its DS is the public tree's", "home.arpa.", TYPE_DS, "resolve"},
	{"RFC 8375 §4: DS below is not", "x.home.arpa.", TYPE_DS,
	 "NXDOMAIN aa rd" SOA("home.arpa.")},
	{"RFC 9665: service.arpa", "default.service.arpa.", TYPE_A,
	 "NXDOMAIN aa rd" SOA("service.arpa.")},
	{"RFC 9462: resolver.arpa", "_dns.resolver.arpa.", TYPE_SVCB,
	 "NOERROR aa rd" SOA("resolver.arpa.")},
	{"RFC 9462: any name, any type", "x.y.resolver.arpa.", TYPE_A,
	 "NOERROR aa rd" SOA("resolver.arpa.")},
	{"arpa itself is public", "arpa.", TYPE_NS, "resolve"},
	{"in-addr.arpa is public", "8.8.8.8.in-addr.arpa.", TYPE_PTR, "resolve"},
	{"RFC 6303 §4.2: 127", "1.0.0.127.in-addr.arpa.", TYPE_PTR,
	 "NOERROR aa rd = 1.0.0.127.in-addr.arpa. 10800 PTR localhost."},
	{"RFC 6303 §4.2: 127, others", "2.0.0.127.in-addr.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("127.in-addr.arpa.")},
	{"RFC 8020: 0.0.127 has something below", "0.0.127.in-addr.arpa.", TYPE_PTR,
	 "NOERROR aa rd" SOA("127.in-addr.arpa.")},
	{"RFC 6303 §4.1: 10", "4.3.2.10.in-addr.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("10.in-addr.arpa.")},
	{"RFC 6303 §4.1: 15.172 is public", "1.15.172.in-addr.arpa.", TYPE_PTR, "resolve"},
	{"RFC 6303 §4.1: 16.172", "1.16.172.in-addr.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("16.172.in-addr.arpa.")},
	{"RFC 6303 §4.1: 31.172", "1.31.172.in-addr.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("31.172.in-addr.arpa.")},
	{"RFC 6303 §4.1: 32.172 is public", "1.32.172.in-addr.arpa.", TYPE_PTR, "resolve"},
	{"RFC 6303 §4.1: 168.192", "1.168.192.in-addr.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("168.192.in-addr.arpa.")},
	{"RFC 6303 §4.2: 0", "1.0.in-addr.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("0.in-addr.arpa.")},
	{"RFC 6303 §4.2: 254.169", "1.254.169.in-addr.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("254.169.in-addr.arpa.")},
	{"RFC 6303 §4.2: TEST-NET", "1.2.0.192.in-addr.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("2.0.192.in-addr.arpa.")},
	{"RFC 6303 §4.2: TEST-NET-2", "1.100.51.198.in-addr.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("100.51.198.in-addr.arpa.")},
	{"RFC 6303 §4.2: TEST-NET-3", "1.113.0.203.in-addr.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("113.0.203.in-addr.arpa.")},
	{"RFC 6303 §4.2: broadcast", "255.255.255.255.in-addr.arpa.", TYPE_PTR,
	 "NOERROR aa rd" SOA("255.255.255.255.in-addr.arpa.")},
	{"RFC 7793: 64.100", "1.64.100.in-addr.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("64.100.in-addr.arpa.")},
	{"RFC 7793: 127.100", "1.127.100.in-addr.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("127.100.in-addr.arpa.")},
	{"RFC 7793: 63.100 is public", "1.63.100.in-addr.arpa.", TYPE_PTR, "resolve"},
	{"RFC 7793: 128.100 is public", "1.128.100.in-addr.arpa.", TYPE_PTR, "resolve"},
	{"RFC 6303 §4.3: ::1",
	 "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.", TYPE_PTR,
	 "NOERROR aa rd = "
	 "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa. 10800 PTR "
	 "localhost."},
	{"RFC 6303 §4.4: fd00::/8", "1.d.f.ip6.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("d.f.ip6.arpa.")},
	{"RFC 6303 §4.4: fc00::/8 is not listed", "1.c.f.ip6.arpa.", TYPE_PTR, "resolve"},
	{"RFC 6303 §4.5: fe80", "1.8.e.f.ip6.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("8.e.f.ip6.arpa.")},
	{"RFC 6303 §4.5: feb", "1.b.e.f.ip6.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("b.e.f.ip6.arpa.")},
	{"RFC 6303 §4.5: fec is not listed", "1.c.e.f.ip6.arpa.", TYPE_PTR, "resolve"},
	{"RFC 6303 §4.6: 2001:db8", "1.8.b.d.0.1.0.0.2.ip6.arpa.", TYPE_PTR,
	 "NXDOMAIN aa rd" SOA("8.b.d.0.1.0.0.2.ip6.arpa.")},
	{"RFC 6303 §3: the SOA", "10.in-addr.arpa.", TYPE_SOA,
	 "NOERROR aa rd = 10.in-addr.arpa. 10800 SOA 10.in-addr.arpa. nobody.invalid. 1 3600 1200 "
	 "604800 10800"},
	{"RFC 6303: insecure below its parent, which knows", "10.in-addr.arpa.", TYPE_DS,
	 "resolve"},
	{"RFC 8482: ANY of a local name is told", "localhost.", TYPE_ANY,
	 "NOERROR aa rd = localhost. 10800 A 127.0.0.1 = localhost. 10800 NS localhost. = "
	 "localhost. 10800 SOA "
	 "localhost. nobody.invalid. 1 3600 1200 604800 10800 = localhost. 10800 AAAA ::1"},
	{"a public name", "www.example.com.", TYPE_A, "resolve"},
};

static void test_builtin(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
		check_text(builtin[i].why, rig_ask(g, builtin[i].name, builtin[i].type, NULL),
			   builtin[i].reply);
	rig_free(g);
}

/* ---- configured zones ------------------------------------------------------------------------ */

static const struct {
	const char *name;
	enum local_action action;
	const char *sets[8];
} configured[] = {
	{"corp.example.",
	 LOCAL_STATIC,
	 {"www.corp.example. 60 A 192.0.2.1", "mail.corp.example. 60 MX 10 www.corp.example.",
	  "alias.corp.example. 60 CNAME Www.Corp.Example.",
	  "out.corp.example. 60 CNAME www.example.net.",
	  "loop.corp.example. 60 CNAME loop.corp.example.", "*.wild.corp.example. 60 A 192.0.2.2",
	  "a.b.wild.corp.example. 60 A 192.0.2.3",
	  "dangling.corp.example. 60 CNAME gone.corp.example."}},
	{"own.example.",
	 LOCAL_STATIC,
	 {"own.example. 60 SOA ns.own.example. me.own.example. 9 8 7 6 5"}},
	{"ads.example.", LOCAL_REFUSE, {NULL}},
	{"example.com.",
	 LOCAL_TRANSPARENT,
	 {"db.example.com. 60 A 192.0.2.9", "*.w.example.com. 60 A 192.0.2.10",
	  "alias.example.com. 60 CNAME www.example.com."}},
	{"sub.corp.example.", LOCAL_TRANSPARENT, {"x.sub.corp.example. 60 A 192.0.2.20"}},
	{"deep.ads.example.", LOCAL_STATIC, {"deep.ads.example. 60 A 192.0.2.30"}},
	{"test.", LOCAL_TRANSPARENT, {"my.test. 60 A 192.0.2.40"}},
};

static const struct {
	const char *why, *name;
	uint16_t type;
	const char *reply;
} operators[] = {
	{"data", "www.corp.example.", TYPE_A, "NOERROR aa rd = www.corp.example. 60 A 192.0.2.1"},
	{"RFC 2308 §2.2: NODATA", "www.corp.example.", TYPE_AAAA,
	 "NOERROR aa rd" SOA("corp.example.")},
	{"RFC 2308 §2.1: NXDOMAIN", "x.corp.example.", TYPE_A,
	 "NXDOMAIN aa rd" SOA("corp.example.")},
	{"RFC 1034 §3.6.2: an alias inside the zone", "alias.corp.example.", TYPE_A,
	 "NOERROR aa rd = alias.corp.example. 60 CNAME Www.corp.example. = Www.corp.example. 60 A "
	 "192.0.2.1"},
	{"RFC 1034 §3.6.2: the alias itself", "alias.corp.example.", TYPE_CNAME,
	 "NOERROR aa rd = alias.corp.example. 60 CNAME Www.corp.example."},
	{"an alias out of the zone is not followed", "out.corp.example.", TYPE_A,
	 "NOERROR aa rd = out.corp.example. 60 CNAME www.example.net."},
	{"RFC 2308 §2.1: an alias to nothing", "dangling.corp.example.", TYPE_A,
	 "NXDOMAIN aa rd = dangling.corp.example. 60 CNAME gone.corp.example." SOA(
		 "corp.example.")},
	{"RFC 4592 §3.3: a wildcard", "x.wild.corp.example.", TYPE_A,
	 "NOERROR aa rd = x.wild.corp.example. 60 A 192.0.2.2"},
	{"RFC 4592 §3.3: over several labels", "x.y.wild.corp.example.", TYPE_A,
	 "NOERROR aa rd = x.y.wild.corp.example. 60 A 192.0.2.2"},
	{"RFC 4592 §3.3: of the closest encloser only", "x.b.wild.corp.example.", TYPE_A,
	 "NXDOMAIN aa rd" SOA("corp.example.")},
	{"RFC 4592 §2.2.2: not for a name that exists", "b.wild.corp.example.", TYPE_A,
	 "NOERROR aa rd" SOA("corp.example.")},
	{"RFC 4592 §3.3: NODATA at a wildcard", "x.wild.corp.example.", TYPE_TXT,
	 "NOERROR aa rd" SOA("corp.example.")},
	{"RFC 2308 §3: the zone's own SOA, its TTL at most the minimum", "x.own.example.", TYPE_A,
	 "NXDOMAIN aa rd ? own.example. 5 SOA ns.own.example. me.own.example. 9 8 7 6 5"},
	{"RFC 8914 §4.16: refused", "x.ads.example.", TYPE_A, "REFUSED rd"},
	{"the deepest zone decides", "deep.ads.example.", TYPE_A,
	 "NOERROR aa rd = deep.ads.example. 60 A 192.0.2.30"},
	{"transparent: data", "db.example.com.", TYPE_A,
	 "NOERROR aa rd = db.example.com. 60 A 192.0.2.9"},
	{"transparent: the name is ours with all types", "db.example.com.", TYPE_AAAA,
	 "NOERROR aa rd"},
	{"transparent: other names are not", "www.example.com.", TYPE_A, "resolve"},
	{"transparent: nor the zone's", "example.com.", TYPE_MX, "resolve"},
	{"transparent: nor names between", "w.example.com.", TYPE_A, "resolve"},
	{"transparent: a wildcard", "x.w.example.com.", TYPE_A,
	 "NOERROR aa rd = x.w.example.com. 60 A 192.0.2.10"},
	{"transparent: an alias to a public name", "alias.example.com.", TYPE_A,
	 "NOERROR aa rd = alias.example.com. 60 CNAME www.example.com."},
	{"transparent in static: data", "x.sub.corp.example.", TYPE_A,
	 "NOERROR aa rd = x.sub.corp.example. 60 A 192.0.2.20"},
	{"transparent in static: the outer zone denies", "y.sub.corp.example.", TYPE_A,
	 "NXDOMAIN aa rd" SOA("corp.example.")},
	{"the operator's zone wins over a built-in one: data", "my.test.", TYPE_A,
	 "NOERROR aa rd = my.test. 60 A 192.0.2.40"},
	{"the operator's zone wins over a built-in one: the rest", "your.test.", TYPE_A, "resolve"},
	{"RFC 4035 §3.1.4.1: DS is the parent's", "own.example.", TYPE_DS, "resolve"},
	{"RFC 4035 §3.1.4.1: DS is the parent's, also where that is local", "sub.corp.example.",
	 TYPE_DS, "NXDOMAIN aa rd" SOA("corp.example.")},
};

static void configure(struct rig *g)
{
	size_t count = ARRAY_LEN(configured), builtin_count = g->settings.local_zone_count;
	struct local_zone *zones = arena_alloc(&g->arena, (count + builtin_count) * sizeof(*zones));
	REQUIRE(zones);
	for (size_t i = 0; i < count; i++) {
		struct rrset sets[8];
		size_t set_count = 0, len;
		zones[i].action = configured[i].action;
		REQUIRE(dname_parse(configured[i].name, zones[i].name, &len) == OK);
		for (size_t n = 0; n < ARRAY_LEN(sets) && configured[i].sets[n]; n++)
			sets[set_count++] = rig_set(g, configured[i].sets[n]);
		REQUIRE(local_zone_fill(&zones[i], sets, set_count, &g->arena) == OK);
	}
	memcpy(zones + count, g->settings.local_zones, builtin_count * sizeof(*zones));
	g->settings.local_zones = zones;
	g->settings.local_zone_count = count + builtin_count;
	REQUIRE(settings_finish(&g->settings, &g->arena) == OK);
}

static void test_configured(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	configure(g);
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		check_text(operators[i].why, rig_ask(g, operators[i].name, operators[i].type, NULL),
			   operators[i].reply);
	check_text("RFC 8914 §4.16: Blocked", rig_ask(g, "x.ads.example.", TYPE_A, "edns"),
		   "REFUSED rd [opt ede=15:refused by a local zone]");
	/* A loop ends, with what there is. */
	const char *loop = rig_ask(g, "loop.corp.example.", TYPE_A, NULL);
	CHECK("an alias to itself",
	      strncmp(loop, "NOERROR aa rd = loop.corp.example. 60 CNAME", 43) == 0);
	rig_free(g);
}

/* ---- beside forward zones -------------------------------------------------------------------- */

static const struct {
	const char *why, *name;
	uint16_t type;
	const char *reply;
} forwarded[] = {
	{"a forward zone at a built-in name wins", "4.3.2.10.in-addr.arpa.", TYPE_PTR, "resolve"},
	{"a forward zone below a built-in name wins", "x.lan.home.arpa.", TYPE_A, "resolve"},
	{"beside it the built-in zone stays", "x.home.arpa.", TYPE_A,
	 "NXDOMAIN aa rd" SOA("home.arpa.")},
	{"a forward zone above does not win", "abc.onion.", TYPE_A, "NXDOMAIN aa rd" SOA("onion.")},
	{"the operator's own zone at the same name does", "www.corp.example.", TYPE_A,
	 "NOERROR aa rd = www.corp.example. 60 A 192.0.2.1"},
	{"a forward zone below the operator's zone is deeper", "x.fwd.corp.example.", TYPE_A,
	 "resolve"},
};

static void test_forwarded(void **state)
{
	(void)state;
	static const char *const names[] = {"10.in-addr.arpa.", "lan.home.arpa.", ".",
					    "corp.example.", "fwd.corp.example."};
	struct rig *g = rig_new();
	static struct settings_zone zones[ARRAY_LEN(names)];
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t len;
		zones[i].forward = true;
		REQUIRE(dname_parse(names[i], zones[i].name, &len) == OK);
	}
	g->settings.zones = zones;
	g->settings.zone_count = ARRAY_LEN(names);
	configure(g);
	for (size_t i = 0; i < ARRAY_LEN(forwarded); i++)
		check_text(forwarded[i].why, rig_ask(g, forwarded[i].name, forwarded[i].type, NULL),
			   forwarded[i].reply);
	rig_free(g);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	for (size_t cap = 0; cap < 200000; cap += 997) {
		struct arena arena;
		const struct local_zone *zones;
		size_t count;
		arena_init(&arena, cap);
		enum err err = local_builtin_zones(&arena, &zones, &count);
		CHECK("either all or ERR_NO_MEMORY",
		      err == OK || (err == ERR_NO_MEMORY && count == 0));
		arena_deinit(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builtin),
		cmocka_unit_test(test_configured),
		cmocka_unit_test(test_forwarded),
		cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
