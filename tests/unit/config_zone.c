/*
 * A forward zone given by the configuration and the same given at run time: one zone.
 */
#include "unit/base_unit.h"

#include <stdio.h>

#include "console/commands.h"

static struct settings_zone added;
static unsigned add_count;

/* Keeps what would be used, and stops there. */
static enum err keep_forwards(void *context, const struct forwards *fresh)
{
	(void)context;
	REQUIRE(fresh->count == 1);
	added = fresh->list[0].zone;
	add_count++;
	return ERR_NO_MEMORY;
}

/* What ForwardAdd makes of PARAMETERS; false: it was refused. */
static bool add_by_verb(const char *parameters)
{
	static const struct forwards none;
	struct config *config;
	struct config_error error;
	struct session *session;
	char call[1024];
	unsigned before = add_count;

	REQUIRE(config_load(NULL, &config, &error) == OK);
	struct snapshot *snapshot = snapshot_new(config);
	REQUIRE(snapshot);
	struct commands commands = {
		.snapshot = &snapshot, .forwards = &none, .set_forwards = keep_forwards};
	struct session_service service = {
		.vendor = "v", .product = "p", .version = "1", .url = "u", .context = &commands};
	service.verbs = commands_table(&service.verb_count);
	REQUIRE(session_new(&service, SESSION_MAY_CHANGE, &session) == OK);
	(void)snprintf(call, sizeof(call),
		       "{\"method\":\"io.resolverd.ForwardAdd\",\"parameters\":%s}", parameters);
	session_take(session, (struct now){.mono_us = 1}, span_of(call, strlen(call) + 1));
	session_free(session);
	snapshot_release(snapshot);
	return add_count > before;
}

static const struct {
	const char *why, *yaml, *json;
} zones[] = {
	{"the provider's resolver drops above 1024 packets a second",
	 "{name: Compute.internal, servers: [169.254.169.253]}",
	 "{\"name\":\"Compute.internal\",\"servers\":[\"169.254.169.253\"]}"},
	{"an explicit 0 is no limit",
	 "{name: x.example, servers: ['fd00:ec2::253'], rate-limit: 0}",
	 "{\"name\":\"x.example\",\"servers\":[\"fd00:ec2::253\"],\"rate_limit\":0}"},
	{"null is not given", "{name: x.example, servers: ['fd00:ec2::253']}",
	 "{\"name\":\"x.example\",\"servers\":[\"fd00:ec2::253\"],\"rate_limit\":null,"
	 "\"insecure\":null,\"fallback\":null,\"transport\":null}"},
	{"RFC 6762 appendix G: a private zone cannot be validated",
	 "{name: office.corp., servers: [192.0.2.1, '192.0.2.2:5353']}",
	 "{\"name\":\"office.corp.\",\"servers\":[\"192.0.2.1\",\"192.0.2.2:5353\"]}"},
	{"... unless it is said that it can", "{name: corp, servers: [192.0.2.1], insecure: false}",
	 "{\"name\":\"corp\",\"servers\":[\"192.0.2.1\"],\"insecure\":false}"},
	{"RFC 1918: so are the reverse zones", "{name: 31.172.in-addr.arpa, servers: [192.0.2.1]}",
	 "{\"name\":\"31.172.in-addr.arpa\",\"servers\":[\"192.0.2.1\"]}"},
	{"a public zone is validated", "{name: example, servers: [192.0.2.1]}",
	 "{\"name\":\"example\",\"servers\":[\"192.0.2.1\"]}"},
	{"all that can be said",
	 "{name: example, servers: [192.0.2.1], transport: tcp, rate-limit: 4000000000,"
	 " fallback: true, insecure: true}",
	 "{\"name\":\"example\",\"servers\":[\"192.0.2.1\"],\"transport\":\"tcp\","
	 "\"rate_limit\":4000000000,\"fallback\":true,\"insecure\":true}"},
};

static void test_same_zone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		struct config *c;
		struct config_error error;
		char text[512];
		(void)snprintf(text, sizeof(text), "forward-zones: [%s]\n", zones[i].yaml);
		CHECK(zones[i].why,
		      config_load_text("f", span_of(text, strlen(text)), &c, &error) == OK);
		const struct settings_zone *z = &c->settings.zones[0];
		CHECK(zones[i].why, add_by_verb(zones[i].json));
		CHECK(zones[i].why, dname_equal(z->name, added.name) && added.forward);
		CHECK(zones[i].why, z->rate_limit == added.rate_limit);
		CHECK(zones[i].why, z->insecure == added.insecure);
		CHECK(zones[i].why, z->fallback == added.fallback && z->tcp == added.tcp);
		CHECK(zones[i].why, z->server_count == added.server_count);
		for (unsigned k = 0; k < z->server_count; k++)
			CHECK(zones[i].why, endpoint_equal(&z->servers[k], &added.servers[k]));
		CHECK(zones[i].why, z->only_count == 0 && added.only_count == 0);
		config_free(c);
	}
}

static const struct {
	const char *why, *yaml, *json;
} refused[] = {
	{"no server", "{name: a, servers: []}", "{\"name\":\"a\",\"servers\":[]}"},
	{"no address", "{name: a, servers: [x]}", "{\"name\":\"a\",\"servers\":[\"x\"]}"},
	{"nobody is there", "{name: a, servers: [0.0.0.0]}",
	 "{\"name\":\"a\",\"servers\":[\"0.0.0.0\"]}"},
	{"no name", "{name: a..b, servers: [192.0.2.1]}",
	 "{\"name\":\"a..b\",\"servers\":[\"192.0.2.1\"]}"},
	{"no transport", "{name: a, servers: [192.0.2.1], transport: x}",
	 "{\"name\":\"a\",\"servers\":[\"192.0.2.1\"],\"transport\":\"x\"}"},
	{"below 0", "{name: a, servers: [192.0.2.1], rate-limit: -1}",
	 "{\"name\":\"a\",\"servers\":[\"192.0.2.1\"],\"rate_limit\":-1}"},
	{"more than 32 bits", "{name: a, servers: [192.0.2.1], rate-limit: 4294967296}",
	 "{\"name\":\"a\",\"servers\":[\"192.0.2.1\"],\"rate_limit\":4294967296}"},
};

static void test_same_refusal(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct config *c;
		struct config_error error;
		char text[512];
		(void)snprintf(text, sizeof(text), "forward-zones: [%s]\n", refused[i].yaml);
		CHECK(refused[i].why, config_load_text("f", span_of(text, strlen(text)), &c,
						       &error) == ERR_MALFORMED);
		CHECK(refused[i].why, !add_by_verb(refused[i].json));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_zone),
		cmocka_unit_test(test_same_refusal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
