/* Names that search lists make: which are plain, by what they are counted, what clients get. */
#include "unit/resolve_unit.h"

#include "resolve/search.h"

static const struct {
	const char *why, *name, *suffix; /* NULL: not one of them */
	const char *key;		 /* as what it is counted, if not as that */
} names[] = {
	{"the one that ndots:5 asks of the provider each time",
	 "db.rds.amazonaws.com.eu-west-1.compute.internal.", "eu-west-1.compute.internal.", NULL},
	{"a suffix below a configured zone counts as that zone",
	 "www.example.com.a.b.c.corp.example.net.", "corp.example.net.", NULL},
	{"a local zone too", "www.example.org.x.static.test.", "static.test.", NULL},
	{"not configured, but never public: its last two labels",
	 "www.example.com.default.svc.cluster.local.", "cluster.local.", NULL},
	{"one label only", "www.example.com.lan.", "lan.", NULL},
	{"what anybody may make up is counted by its top-level domain",
	 "www.example.com.x1234.internal.", "x1234.internal.", "internal."},
	{"what Amazon's machines have is not made up",
	 "www.example.com.eu-west-2.compute.internal.", "compute.internal.", NULL},
	{"the first top-level domain within counts", "www.example.com.example.net.cluster.local.",
	 "cluster.local.", NULL},
	{"an ordinary name", "www.example.com.", NULL, NULL},
	{"a public name within a public one: a CDN does that", "www.example.com.edgekey.net.", NULL,
	 NULL},
	{"internal, and nothing public in it", "ip-10-0-0-1.eu-west-1.compute.internal.", NULL,
	 NULL},
	{"nothing before the top-level domain", "com.cluster.local.", NULL, NULL},
	{"nothing behind it", "cluster.local.com.", NULL, NULL},
	{"a prefix of a top-level domain", "www.example.comx.cluster.local.", NULL, NULL},
	{"a zone within the public part does not make it internal",
	 "www.static.test.com.example.org.", NULL, NULL},
	{"the root", ".", NULL, NULL},
};

static void set_up(struct rig *g, struct settings_zone zones[static 2], struct local_zone *local)
{
	dname_copy(unit_name("eu-west-1.compute.internal.").wire, zones[0].name);
	dname_copy(unit_name("corp.example.net.").wire, zones[1].name);
	dname_copy(unit_name("static.test.").wire, local->name);
	zones[0].forward = zones[1].forward = true;
	zones[0].only_count = 2;
	zones[0].only[0] = "ip-*";
	zones[0].only[1] = "i-*";
	g->settings.zones = zones;
	g->settings.zone_count = 2;
	g->settings.local_zones = local;
	g->settings.local_zone_count = 1;
	REQUIRE(settings_finish(&g->settings, &g->arena) == OK);
}

static void test_suffix(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	struct settings_zone zones[2] = {0};
	struct local_zone local = {.action = LOCAL_STATIC};
	set_up(g, zones, &local);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct unit_name name = unit_name(names[i].name);
		const uint8_t *found = search_suffix(&g->settings, name.wire);
		char text[DNAME_TEXT_MAX];
		if (!found != !names[i].suffix ||
		    (found && strcmp(dname_text(found, text), names[i].suffix) != 0))
			fail_msg("%s: %s", names[i].why, found ? dname_text(found, text) : "none");
		const uint8_t *key = found ? search_key(&g->settings, found) : NULL;
		const char *want = names[i].key ? names[i].key : names[i].suffix;
		if (key && strcmp(dname_text(key, text), want) != 0)
			fail_msg("%s: counted as %s", names[i].why, text);
	}
	rig_free(g);
}

/* Denied without a question being opened, with an SOA that lets others remember it, and counted. */
static void test_filtered(void **state)
{
	(void)state;
	static const char name[] = "DB.rds.amazonaws.com.eu-west-1.compute.internal.";
	struct rig *g = rig_new();
	struct settings_zone zones[2] = {0};
	struct local_zone local = {.action = LOCAL_STATIC};
	const struct metrics *metrics = &g->metrics;
	struct family_view v;
	set_up(g, zones, &local);
	for (unsigned i = 0; i < 3; i++)
		check_text("answered at once", rig_ask(g, name, i ? TYPE_AAAA : TYPE_A, ""),
			   "NXDOMAIN rd ? eu-west-1.compute.internal. 60 SOA "
			   "eu-west-1.compute.internal. nobody.invalid. 1 3600 1200 604800 60");
	metrics_read_family(&metrics, 1, FAMILY_search_expansions_total, &v);
	assert_int_equal(v.key_count, 1);
	assert_int_equal(v.values[0], 3);
	assert_true(dname_equal(v.keys[0].at, zones[0].name));
	assert_int_equal(metrics_get(metrics, METRIC_forward_filtered_total), 3);
	check_text("a name of the right shape is asked for",
		   rig_ask(g, "ip-10-0-0-1.eu-west-1.compute.internal.", TYPE_A, ""), "resolve");
	check_text("so is the zone itself, at its parent for DS",
		   rig_ask(g, "eu-west-1.compute.internal.", TYPE_DS, ""), "resolve");
	rig_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suffix),
		cmocka_unit_test(test_filtered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
