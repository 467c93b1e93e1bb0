#include "unit/base_unit.h"

#include <stdio.h>

#include "resolve/provider.h"

static struct endpoint at(const char *text)
{
	struct endpoint e;
	if (endpoint_parse(text, 53, &e) != OK)
		fail_msg("\"%s\" is no address", text);
	return e;
}

static const struct {
	const char *why, *address;
	bool want;
} addresses[] = {
	{"Amazon VPC: IPv4", "169.254.169.253", true},
	{"Amazon VPC: IPv6", "fd00:ec2::253", true},
	{"a forwarder in between may map ports", "169.254.169.253:5353", true},
	{"instance metadata is elsewhere", "169.254.169.254", false},
	{"time too", "fd00:ec2::123", false},
	{"base plus two looks like any other", "10.0.0.2", false},
};

static void test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct endpoint e = at(addresses[i].address);
		CHECK(addresses[i].why, provider_is_known(&e) == addresses[i].want);
	}
}

enum { ZONES = 4, SERVERS = 4 };

/* Zones whose first servers have the same number are counted together. */
static const struct {
	const char *why, *zones[ZONES][SERVERS];
	unsigned as[ZONES];
} counted[] = {
	{"different servers", {{"192.0.2.1"}, {"192.0.2.2"}}, {1, 2}},
	{"the same server", {{"192.0.2.1"}, {"192.0.2.1"}}, {1, 1}},
	{"in another order", {{"192.0.2.1", "192.0.2.2"}, {"192.0.2.2", "192.0.2.1"}}, {1, 1}},
	{"another port is another server", {{"192.0.2.1:53"}, {"192.0.2.1:54"}}, {1, 2}},
	{"the provider over both families", {{"169.254.169.253"}, {"fd00:ec2::253"}}, {1, 1}},
	{"as one of several", {{"fd00:ec2::253", "10.0.0.2"}, {"169.254.169.253"}}, {1, 1}},
	{"base plus two, told by its neighbour",
	 {{"10.0.0.2"}, {"10.0.0.2", "169.254.169.253"}, {"fd00:ec2::253"}},
	 {1, 1, 1}},
	{"base plus two that nobody tells", {{"10.0.0.2"}, {"169.254.169.253"}}, {1, 2}},
	{"each zone with the next: one budget",
	 {{"192.0.2.1", "192.0.2.2"}, {"192.0.2.2", "192.0.2.3"}, {"192.0.2.3"}},
	 {1, 1, 1}},
	{"neighbours of neighbours are strangers",
	 {{"10.0.0.2", "169.254.169.253"}, {"10.0.0.2", "192.0.2.1"}, {"192.0.2.1"}},
	 {1, 1, 2}},
};

/* The zones of CASE, as S with its budgets in ARENA. */
static void fill(struct settings *s, struct settings_zone *zones,
		 const char *const (*names)[SERVERS], size_t count)
{
	s->zones = zones;
	while (s->zone_count < count && names[s->zone_count][0]) {
		struct settings_zone *z = &zones[s->zone_count];
		const char *const *servers = names[s->zone_count++];
		z->rate_limit = 900;
		while (z->server_count < SERVERS && servers[z->server_count]) {
			z->servers[z->server_count] = at(servers[z->server_count]);
			z->server_count++;
		}
	}
}

static void test_counted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
		struct settings_zone zones[ZONES] = {0};
		struct settings s = {0};
		const struct settings_budget *list, *of[ZONES];
		size_t count;
		struct arena arena;
		arena_init(&arena, 1 << 16);
		fill(&s, zones, counted[i].zones, ZONES);
		assert_int_equal(provider_budgets(&s, &arena, &list, &count), OK);
		for (size_t a = 0; a < s.zone_count; a++) {
			of[a] = provider_find_budget(list, count, &zones[a].servers[0]);
			CHECK(counted[i].why, of[a] && of[a]->rate == 900);
		}
		for (size_t a = 0; a < s.zone_count; a++)
			for (size_t b = 0; b < a; b++)
				CHECK(counted[i].why,
				      endpoint_equal(&of[a]->counted_as, &of[b]->counted_as) ==
					      (counted[i].as[a] == counted[i].as[b]));
		arena_deinit(&arena);
	}
}

static void test_rates(void **state)
{
	(void)state;
	static const char *const names[ZONES][SERVERS] = {
		{"192.0.2.1", "192.0.2.2"}, {"192.0.2.2"}, {"192.0.2.3"}};
	static const struct {
		const char *why, *server;
		uint32_t rate;
	} cases[] = {
		{"as its only zone says", "192.0.2.1", 900},
		{"the least of several", "192.0.2.2", 20},
		{"of a zone without a limit", "192.0.2.3", 0},
		{"a stranger", "192.0.2.4", 0},
	};
	struct settings_zone zones[ZONES] = {0};
	struct settings s = {0};
	const struct settings_budget *list;
	size_t count;
	struct arena arena;
	arena_init(&arena, 1 << 16);
	fill(&s, zones, names, ZONES);
	zones[1].rate_limit = 20;
	zones[2].rate_limit = 0;
	assert_int_equal(provider_budgets(&s, &arena, &list, &count), OK);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct endpoint e = at(cases[i].server);
		const struct settings_budget *b = provider_find_budget(list, count, &e);
		CHECK(cases[i].why, (b ? b->rate : 0) == cases[i].rate);
	}
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_counted),
		cmocka_unit_test(test_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
