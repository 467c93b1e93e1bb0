#include "unit/base_unit.h"

#include <stdio.h>

#include "config/config.h"
#include "config/value.h"
#include "dns/types.h"

static enum err load(const char *text, struct config **out, struct config_error *error)
{
	return config_load_text("f", span_of(text, strlen(text)), out, error);
}

#define DIGEST "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"

/* The whole line is what the operator reads. */
static const struct {
	const char *text, *line;
} refused[] = {
	{"workers: 1\nwrokers: 2\n", "f:2: wrokers: unknown key"},
	{"dnssec:\n  enabled: true\n  foo: 1\n", "f:3: dnssec.foo: unknown key"},
	{"local-zones:\n- name: a.\n- naem: b.\n", "f:3: local-zones[1].naem: unknown key"},
	{"workers: 1\nworkers: 2\n", "f:2: workers: given twice"},
	{"listen: 5\n", "f:1: listen: a list is expected"},
	{"listen: [[a]]\n", "f:1: listen[0]: a single value is expected"},
	{"workers: [1]\n", "f:1: workers: a single value is expected"},
	{"\ndnssec: true\n", "f:2: dnssec: keys and values are expected"},
	{"forward-zones: [a]\n", "f:1: forward-zones[0]: keys and values are expected"},
	{"[1, 2]\n", "f:1: keys are expected at the top"},
	{"word\n", "f:1: keys are expected at the top"},
	{"? [a]\n: b\n", "f:1: a key must be a word"},
	{"workers: &a 1\nidentity: *a\n", "f:2: identity: YAML alias unsupported"},
	{"workers: 1\n---\nworkers: 2\n", "f:3: a second document"},
	{"listen: [\n",
	 "f:2: not YAML: did not find expected node content while parsing a flow node"},
	{"a\tb: \"\\n\1\"\n", "f:1: not YAML: control characters are not allowed"},
	{"\"two\\nlines\": 1\n", "f:1: two: unknown key"},
	{"---\n---\nworkers: 2\n", "f:3: a second document"},
	{"identity: \"\\x1b[2J\"\nworkers: \"\\x1b\\n\"\n",
	 "f:2: workers: \"??\" is neither auto nor 1 to 256"},

	{"workers: 0\n", "f:1: workers: \"0\" is neither auto nor 1 to 256"},
	{"workers: 257\n", "f:1: workers: \"257\" is neither auto nor 1 to 256"},
	{"workers: 1x\n", "f:1: workers: \"1x\" is neither auto nor 1 to 256"},
	{"workers:\n", "f:1: workers: \"\" is neither auto nor 1 to 256"},
	{"listen: []\n", "f:1: listen: 1 to 32 addresses or interfaces are expected"},
	{"listen:\n- 127.0.0.1\n- localhost\n",
	 "f:3: listen[1]: \"localhost\" is neither an address nor an interface, with or without a "
	 "port"},
	{"listen: ['127.0.0.1:0']\n", "f:1: listen[0]: \"127.0.0.1:0\" is neither an address nor "
				      "an interface, with or without a "
				      "port"},
	{"listen: [eth0, 'eth0:53']\n", "f:1: listen[1]: \"eth0:53\" is given twice"},
	{"listen: ['127.0.0.1:53', 127.0.0.1]\n", "f:1: listen[1]: \"127.0.0.1\" is given twice"},
	{"access: {allow: [friends]}\n",
	 "f:1: access.allow[0]: \"friends\" is neither a network nor "
	 "one of loopback, private, any"},
	{"access: {response-rate: much}\n",
	 "f:1: access.response-rate: \"much\" is not 0 to 1000000"},
	{"access: {trusted: [cluster]}\n", "f:1: access.trusted[0]: \"cluster\" is neither a "
					   "network nor one of loopback, private, any"},
	{"access: {deny: [any, 10.0.0.1/8]}\n",
	 "f:1: access.deny[1]: \"10.0.0.1/8\" is neither a network nor one of loopback, private, "
	 "any"},
	{"node-local: {interface: nl0}\n", "f:1: node-local: addresses are missing"},
	{"node-local:\n  addresses: ['169.254.20.10:53']\n",
	 "f:2: node-local.addresses[0]: \"169.254.20.10:53\" is not an address without a port"},
	{"node-local:\n  addresses:\n  - 169.254.20.10\n  - fe80::10\n",
	 "f:4: node-local.addresses[1]: \"fe80::10\" is an IPv6 link-local address, which pods "
	 "cannot reach: take a unique local one such as fd00::10"},
	{"node-local: {addresses: [169.254.169.254]}\n",
	 "f:1: node-local.addresses[0]: \"169.254.169.254\" is an address of the cloud provider's "
	 "own services"},
	{"node-local: {addresses: ['fd00:ec2::253']}\n",
	 "f:1: node-local.addresses[0]: \"fd00:ec2::253\" is an address of the cloud provider's "
	 "own "
	 "services"},
	{"node-local: {addresses: [8.8.8.8]}\n",
	 "f:1: node-local.addresses[0]: \"8.8.8.8\" is neither an IPv4 link-local nor a private "
	 "address"},
	{"node-local: {addresses: [224.0.0.1]}\n",
	 "f:1: node-local.addresses[0]: \"224.0.0.1\" is neither an IPv4 link-local nor a private "
	 "address"},
	{"node-local: {addresses: [127.0.0.53]}\n",
	 "f:1: node-local.addresses[0]: \"127.0.0.53\" is neither an IPv4 link-local nor a private "
	 "address"},
	{"node-local: {addresses: [10.0.0.1, 10.0.0.1]}\n",
	 "f:1: node-local.addresses[1]: \"10.0.0.1\" is given twice, or in listen too"},
	{"listen: [10.0.0.1]\nnode-local: {addresses: [10.0.0.1]}\n",
	 "f:2: node-local.addresses[0]: \"10.0.0.1\" is given twice, or in listen too"},
	{"node-local: {interface: 'a b', addresses: [10.0.0.1]}\n",
	 "f:1: node-local.interface: \"a b\" is not the name of an interface (1 to 15 characters)"},
	{"node-local: {interface: sixteen-letters-, addresses: [10.0.0.1]}\n",
	 "f:1: node-local.interface: \"sixteen-letters-\" is not the name of an interface (1 to 15 "
	 "characters)"},
	{"node-local: {interface: 'eth0:1', addresses: [10.0.0.1]}\n",
	 "f:1: node-local.interface: \"eth0:1\" is not the name of an interface (1 to 15 "
	 "characters)"},
	{"node-local: {addresses: []}\nlisten: []\n",
	 "f:2: listen: 1 to 32 addresses or interfaces are expected"},
	{"identity: \"\"\n", "f:1: identity: 1 to 255 characters are expected"},
	{"answer-non-recursive: maybe\n",
	 "f:1: answer-non-recursive: \"maybe\" is neither true nor false"},

	{"prefetch: {min-hits: 0}\n",
	 "f:1: prefetch.min-hits: \"0\" is not a number from 1 to 1000000"},
	{"prefetch:\n  remaining: 5%\n",
	 "f:2: prefetch.remaining: \"5%\" is neither auto nor 10% to 90%"},
	{"prefetch: {remaining: 80}\n",
	 "f:1: prefetch.remaining: \"80\" is neither auto nor 10% to 90%"},
	{"prefetch: {min-yield: .1}\n",
	 "f:1: prefetch.min-yield: \".1\" is not a number such as 0.1"},
	{"prefetch: {min-yield: 0.1234}\n",
	 "f:1: prefetch.min-yield: \"0.1234\" is not a number such as 0.1"},
	{"prefetch: {window: 25h}\n",
	 "f:1: prefetch.window: \"25h\" is not a time of at most a day"},
	{"prefetch: {window: 0}\n", "f:1: prefetch.window: a second at least is expected"},
	{"prefetch:\n  zones:\n  - {name: a., hold: 30s}\n  - {name: A, hold: x}\n",
	 "f:4: prefetch.zones[1].hold: \"x\" is not a time of at most a day"},
	{"prefetch:\n  zones:\n  - {name: a.}\n  - {name: A}\n",
	 "f:4: prefetch.zones[1].name: A is given twice"},
	{"prefetch: {zones: [{hold: 30s}]}\n",
	 "f:1: prefetch.zones[0].name: the name of a zone is expected"},

	{"cache: {memory: 12X}\n", "f:1: cache.memory: \"12X\" is not a size such as 256M"},
	{"cache: {memory: 1K}\n", "f:1: cache.memory: at least 1M are expected"},
	{"memory: {limit: much}\n",
	 "f:1: memory.limit: \"much\" is neither auto nor a size such as 512M"},
	{"workers: 2\nmemory: {limit: 16M}\n",
	 "f:2: memory.limit: 16M for all are too few for 2 workers and a cache of 4M"},
	{"workers: 2\nmemory: {limit: 192M}\ncache: {memory: 256M}\n",
	 "f:3: cache.memory: 192M for all are too few for 2 workers and a cache of 256M"},
	{"cache: {memory: 99999999T}\n",
	 "f:1: cache.memory: \"99999999T\" is not a size such as 256M"},
	{"cache: {disk: much}\n", "f:1: cache.disk: \"much\" is not a size such as 1G"},
	{"cache: {disk: 64K}\n", "f:1: cache.disk: at least 1M are expected, or off"},
	{"cache: {path: here}\n", "f:1: cache.path: \"here\" is not an absolute path"},
	{"cache: {min-ttl: 10ms}\n", "f:1: cache.min-ttl: \"10ms\" is not a time in whole seconds"},
	{"cache: {max-ttl: 69y}\n", "f:1: cache.max-ttl: \"69y\" is not a time in whole seconds"},
	{"cache: {min-ttl: 10, max-ttl: 5}\n", "f:1: cache.min-ttl: 10 is above max-ttl, 5"},

	{"resolution: {qname-minimization: some}\n",
	 "f:1: resolution.qname-minimization: \"some\" is none of off, relaxed, strict"},
	{"resolution: {ipv6: maybe}\n",
	 "f:1: resolution.ipv6: \"maybe\" is none of true, false, auto"},
	{"resolution: {ipv4: false, ipv6: false}\n",
	 "f:1: resolution: neither ipv4 nor ipv6 is left"},
	{"resolution: {port: 0}\n", "f:1: resolution.port: \"0\" is not a port"},
	{"root-hints: /nonexistent\n",
	 "f:1: root-hints: /nonexistent cannot be read: No such file or directory"},
	{"root-hints: /dev/zero\n",
	 "f:1: root-hints: /dev/zero cannot be read: not a regular file"},
	{"root-hints: /tmp\n", "f:1: root-hints: /tmp cannot be read: not a regular file"},

	{"control: {socket: here}\n",
	 "f:1: control.socket: \"here\" is neither none nor an absolute path of at most 107 "
	 "characters"},
	{"control: {group: nogroupofthisname}\n",
	 "f:1: control.group: there is no group \"nogroupofthisname\""},
	{"control: {readonly: some}\n",
	 "f:1: control.readonly: \"some\" is none of none, group, all"},
	{"metrics: {health: [\"127.0.0.1:1\", here]}\n",
	 "f:1: metrics.health[1]: \"here\" is not an address with a port"},
	{"metrics: {listen: [localhost]}\n",
	 "f:1: metrics.listen[0]: \"localhost\" is neither an address nor an interface, with a "
	 "port or without"},

	{"dnssec: {enabled: perhaps}\n",
	 "f:1: dnssec.enabled: \"perhaps\" is neither true nor false"},
	{"dnssec: {auto-trust-anchors: maybe}\n",
	 "f:1: dnssec.auto-trust-anchors: \"maybe\" is neither true nor false"},
	{"dnssec:\n  trust-anchors:\n  - \". DS 1\"\n",
	 "f:3: dnssec.trust-anchors[0]: \". DS 1\" is not a DS or DNSKEY record"},
	{"dnssec:\n  trust-anchors:\n  - \"x. DS 1 8 2 " DIGEST "\"\n  - \"Y. DS 1 99 2 " DIGEST
	 "\"\n",
	 "f:4: dnssec.trust-anchors[1]: \"Y. DS 1 99 2 " DIGEST
	 "\": an algorithm or digest that is not validated here, and y. has no other anchor"},
	{"dnssec: {trust-anchors: [\". DS 1 8 99 AB\"]}\n",
	 "f:1: dnssec.trust-anchors[0]: \". DS 1 8 99 AB\": an algorithm or digest that is not "
	 "validated here, and . has no other anchor"},
	{"dnssec: {trust-anchors: none}\n",
	 "f:1: dnssec.trust-anchors: \"none\" is neither builtin nor a list of records"},
	{"dnssec: {trust-anchors: []}\n",
	 "f:1: dnssec.trust-anchors: validation needs at least one"},
	{"dnssec: {negative-trust-anchors: [a..b]}\n",
	 "f:1: dnssec.negative-trust-anchors[0]: \"a..b\" is not a name"},

	{"forward-zones:\n- servers: [192.0.2.1]\n", "f:2: forward-zones[0]: the name is missing"},
	{"forward-zones:\n- name: a.\n",
	 "f:2: forward-zones[0].servers: at least one address is expected"},
	{"forward-zones:\n- name: a.\n  servers:\n  - 192.0.2.1\n  - 192.0.2.300\n",
	 "f:5: forward-zones[0].servers[1]: \"192.0.2.300\" is not an address"},
	{"stub-zones: [{name: a., servers: [0.0.0.0]}]\n",
	 "f:1: stub-zones[0].servers[0]: \"0.0.0.0\": no server can be there"},
	{"stub-zones: [{name: a., servers: [192.0.2.1], fallback: true}]\n",
	 "f:1: stub-zones[0].fallback: unknown key"},
	{"forward-zones: [{name: a., servers: [192.0.2.1], transport: tls}]\n",
	 "f:1: forward-zones[0].transport: udp or tcp is expected"},
	{"forward-zones: [{name: a., servers: [192.0.2.1], rate-limit: -1}]\n",
	 "f:1: forward-zones[0].rate-limit: a number of packets is expected"},
	{"forward-zones: [{name: a., servers: [192.0.2.1], only: ['']}]\n",
	 "f:1: forward-zones[0].only: a pattern is empty or too long"},
	{"forward-zones: [{name: a., servers: [192.0.2.1]}]\nstub-zones: [{name: A, servers: "
	 "[192.0.2.1]}]\n",
	 "f:2: stub-zones: a. is given twice"},
	{"local-zones: [{name: a., action: drop}]\n",
	 "f:1: local-zones[0].action: static, refuse or transparent is expected"},
	{"local-zones:\n- name: a.\n  records:\n  - www A 192.0.2.1\n  - www A 192.0.2\n",
	 "f:5: local-zones[0].records[1]: \"www A 192.0.2\" is not a record"},
	{"local-zones: [{name: a., records: [b. A 192.0.2.1]}]\n",
	 "f:1: local-zones[0].records[0]: \"b. A 192.0.2.1\" is outside of the zone"},
	{"local-zones: [{name: a., action: refuse, records: [b A 192.0.2.1]}]\n",
	 "f:1: local-zones[0].records: a zone that is refused has none"},
	{"log: {queries: client=everybody}\n",
	 "f:1: log.queries: \"client=everybody\" is neither true nor false nor one of "
	 "client=PREFIX, name=NAME, rcode=RCODE, slower=TIME, sample=NUMBER"},
	{"log: {level: loud}\n",
	 "f:1: log.level: \"loud\" is none of error, warning, notice, info, debug"},
	{"recorder: {memory: 1K}",
	 "f:1: recorder.memory: \"1K\" is neither 0 nor a size from 64K to 1G"},
	{"recorder: {memory: 2G}",
	 "f:1: recorder.memory: \"2G\" is neither 0 nor a size from 64K to 1G"},
	{"recorder: {slow: 0}", "f:1: recorder.slow: \"0\" is not a time from 1ms to 10s"},
	{"recorder: {slow: 11s}", "f:1: recorder.slow: \"11s\" is not a time from 1ms to 10s"},
	{"recorder: {redact: maybe}", "f:1: recorder.redact: \"maybe\" is neither true nor false"},
	{"resolution: {do-query: [private]}\n",
	 "f:1: resolution.do-query[0]: \"private\" is not a network such as 10.0.0.0/8"},
	{"resolution: {do-not-query: [10.0.0.1/8]}\n",
	 "f:1: resolution.do-not-query[0]: \"10.0.0.1/8\" is not a network such as 10.0.0.0/8"},
	{"resolution:\n  do-query: [10.0.0.0/8]\n  do-not-query: [192.0.2.1, 10.0.0.0/8]\n",
	 "f:3: resolution.do-not-query[1]: \"10.0.0.0/8\" is given twice"},
	{"resolution: {no-0x20: [legacy.example, 192.0.2.0/33]}\n",
	 "f:1: resolution.no-0x20[1]: \"192.0.2.0/33\" is neither a zone nor a server's address or "
	 "network"},
	{"resolution: {no-0x20: ['a..b']}\n", "f:1: resolution.no-0x20[0]: \"a..b\" is neither a "
					      "zone nor a server's address or network"},
	{"resolution: {client-timeout: 100ms}\n",
	 "f:1: resolution.client-timeout: \"100ms\" is not between 500 ms and 10 s"},
	{"resolution:\n  client-timeout: 1h\n",
	 "f:2: resolution.client-timeout: \"1h\" is not between 500 ms and 10 s"},
	{"serve-stale: {answer-after: soon}\n",
	 "f:1: serve-stale.answer-after: \"soon\" is not a time"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct config *c = NULL;
		struct config_error error = {0};
		enum err err = load(refused[i].text, &c, &error);
		if (err != ERR_MALFORMED || strcmp(error.line, refused[i].line) != 0)
			fail_msg("%s\nis told as: %s\nbut should be: %s", refused[i].text,
				 error.line, refused[i].line);
	}
}

static struct config *must_load(const char *text)
{
	struct config *c = NULL;
	struct config_error error = {0};
	if (load(text, &c, &error) != OK)
		fail_msg("%s: %s", text, error.line);
	return c;
}

/* An empty file is a working resolver on loopback. */
static void test_defaults(void **state)
{
	(void)state;
	static const char *const texts[] = {"",	     "# nothing\n", "{}\n",
					    "---\n", "\n\n",	    "--- # x\n"};
	struct endpoint v4, v6;

	REQUIRE(endpoint_parse("127.0.0.1:53", 0, &v4) == OK);
	REQUIRE(endpoint_parse("[::1]:53", 0, &v6) == OK);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config *c = must_load(texts[i]);
		const struct settings *s = &c->settings;
		CHECK(texts[i], c->listen_count == 2 && endpoint_equal(&c->listen[0], &v4) &&
					endpoint_equal(&c->listen[1], &v6));
		CHECK(texts[i], c->workers >= 1 && c->memory_bytes <= 256 << 20);
		CHECK(texts[i], c->disk_bytes == 1 << 30);
		CHECK(texts[i], c->log_level == LOG_LEVEL_INFO && !c->log_queries.on);
		CHECK(texts[i], c->recorder_bytes == 4 << 20 && c->recorder_slow_ms == 500 &&
					!c->recorder_redact);
		CHECK(texts[i], c->ipv6_auto && !c->ipv4_auto && s->ipv4 && s->ipv6);
		CHECK(texts[i], s->hints.count == 13 && s->hints.servers[0].address_count == 2);
		CHECK(texts[i], s->dnssec && s->anchor_count == 1 && s->anchors[0].key_count >= 2);
		CHECK(texts[i], s->minimization == MINIMIZE_RELAXED && s->prime);
		CHECK(texts[i], s->zone_count == 0 && s->local_zone_count > 20);
		CHECK(texts[i], settings_allows(s, &v4) && settings_allows(s, &v6));
		CHECK(texts[i], s->ask_count == 0 && s->harden_glue && s->upstream_port == 53);
		config_free(c);
	}
}

static void test_no_case(void **state)
{
	(void)state;
	static const struct {
		const char *why, *name, *server;
		bool want;
	} cases[] = {
		{"a zone", "legacy.example.", "198.51.100.1", true},
		{"what is in it", "www.legacy.example.", "198.51.100.1", true},
		{"not what ends alike", "notlegacy.example.", "198.51.100.1", false},
		{"not what is above", "example.", "198.51.100.1", false},
		{"a server", "www.example.", "192.0.2.53", true},
		{"a server's neighbour", "www.example.", "192.0.2.54", false},
		{"a network", "www.example.", "2001:db8::7", true},
	};
	struct config *c =
		must_load("resolution: {no-0x20: [Legacy.example, 192.0.2.53, '2001:db8::/32']}\n");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t name[DNAME_MAX];
		size_t len;
		struct endpoint e;
		REQUIRE(dname_parse(cases[i].name, name, &len) == OK);
		REQUIRE(endpoint_parse(cases[i].server, 53, &e) == OK);
		CHECK(cases[i].why, settings_is_no_case(&c->settings, name, &e) == cases[i].want);
	}
	config_free(c);
}

static void test_interfaces(void **state)
{
	static const struct {
		const char *why, *word, *name; /* NULL: refused */
		uint16_t port;
	} words[] = {
		{"with a port", "eth0:5353", "eth0", 5353},
		{"without", "ens5", "ens5", 53},
		{"a VLAN", "eth0.100:53", "eth0.100", 53},
		{"as systemd names them", "enx0242ac110002", "enx0242ac110002", 53},
		{"as containers see them", "eth0@if7", "eth0@if7", 53},
		{"an address with a slip", "10.0.0.300:53", NULL, 0},
		{"another", "127.0.0.:53", NULL, 0},
		{"IPv6 with a slip", "fe80:::1", NULL, 0},
		{"a host", "ns1.example.org", NULL, 0},
		{"a host", "localhost:53", NULL, 0},
		{"linux/if.h: 15 characters", "enx0242ac1100020", NULL, 0},
		{"no port", "eth0:", NULL, 0},
		{"port 0", "eth0:0", NULL, 0},
		{"too large a port", "eth0:65536", NULL, 0},
		{"a dot and nothing", "eth0.", NULL, 0},
		{"a path", "eth0/1", NULL, 0},
		{"nothing", "", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct config_interface out = {0};
		bool good = config_value_interface(words[i].word, 53, &out);
		CHECK(words[i].why, good == (words[i].name != NULL));
		if (good)
			CHECK(words[i].why,
			      strcmp(out.name, words[i].name) == 0 && out.port == words[i].port);
	}
	struct config *c = must_load("listen: [eth0, '[::1]:53', 'eth0:54']\n");
	assert_int_equal(c->listen_count, 1);
	assert_int_equal(c->listen_interface_count, 2);
	config_free(c);
}

static void test_service(void **state)
{
	(void)state;
	struct config *c =
		must_load("listen: [127.0.0.1, '[::]:5300', '0.0.0.0:5300']\nworkers: 3\n"
			  "identity: node-7\nversion: '1'\nanswer-non-recursive: no\n"
			  "cache: {memory: 64M, min-ttl: 5, max-ttl: 1h, max-negative-ttl: 0}\n"
			  "log: {level: debug, queries: true}\nspecial-zones: off\n");

	assert_int_equal(c->listen_count, 3);
	assert_int_equal(c->listen[0].port, 53);
	assert_int_equal(c->listen[1].port, 5300);
	assert_int_equal(c->workers, 3);
	assert_int_equal(c->memory_bytes, 64 << 20);
	assert_int_equal(c->memory_shares[LEDGER_cache], 64 << 20);
	assert_string_equal(c->state_path, RESOLVERD_STATEDIR);
	assert_int_equal(c->settings.min_ttl_s, 5);
	assert_int_equal(c->settings.max_ttl_s, 3600);
	assert_int_equal(c->settings.max_negative_ttl_s, 0);
	assert_int_equal(c->settings.local_zone_count, 0);
	assert_string_equal(c->settings.identity, "node-7");
	assert_string_equal(c->settings.version, "1");
	assert_false(c->settings.answer_norecurse);
	assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
	assert_true(c->log_queries.on);
	config_free(c);
}

static void test_node_local(void **state)
{
	(void)state;
	struct config *c = must_load("listen: []\nnode-local: {addresses: [169.254.20.10, "
				     "'fd00::10', 100.64.0.10, 172.20.0.10]}\n");
	struct endpoint second;

	REQUIRE(endpoint_parse("[fd00::10]:53", 0, &second) == OK);
	assert_string_equal(c->node_local.interface, "resolverd");
	assert_int_equal(c->node_local.count, 4);
	assert_int_equal(c->listen_count, 4);
	assert_true(endpoint_equal(&c->node_local.addresses[1], &second));
	assert_true(endpoint_equal(&c->listen[1], &second));
	config_free(c);
	c = must_load("node-local: {interface: lo, addresses: [192.168.1.1]}\n");
	assert_string_equal(c->node_local.interface, "lo");
	assert_int_equal(c->listen_count, 3); /* behind those of listen */
	assert_int_equal(c->listen[0].addr[0], 127);
	config_free(c);
	c = must_load("node-local: {}\n");
	assert_int_equal(c->node_local.count, 0);
	config_free(c);
}

static void test_access(void **state)
{
	(void)state;
	static const struct {
		const char *text, *client;
		bool allowed;
	} cases[] = {
		{"access: {allow: [loopback]}\n", "127.0.0.1", true},
		{"access: {allow: [loopback]}\n", "10.0.0.1", false},
		{"access: {allow: []}\n", "127.0.0.1", false},
		{"access: {allow: [any]}\n", "198.51.100.1", true},
		{"access: {allow: [any]}\n", "2001:db8::1", true},
		{"access: {allow: [10.0.0.0/8], deny: [10.1.0.0/16]}\n", "10.2.0.1", true},
		{"access: {allow: [10.0.0.0/8], deny: [10.1.0.0/16]}\n", "10.1.0.1", false},
		{"access: {deny: [10.1.0.0/16]}\n", "10.1.0.1", false},
		{"access: {deny: [10.1.0.0/16]}\n", "192.168.0.1", true},
		{"access: {allow: [\"2001:db8::/32\"]}\n", "2001:db8:1::1", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c = must_load(cases[i].text);
		struct endpoint e;
		REQUIRE(endpoint_parse(cases[i].client, 1234, &e) == OK);
		CHECK(cases[i].text, settings_allows(&c->settings, &e) == cases[i].allowed);
		config_free(c);
	}
}

static void test_trusted(void **state)
{
	(void)state;
	static const struct {
		const char *text, *client;
		bool is_trusted;
	} cases[] = {
		{"{}\n", "10.0.0.1", true},
		{"{}\n", "198.51.100.1", false},
		{"access: {allow: [any]}\n", "198.51.100.1", false},
		{"access: {allow: [any, 198.51.100.0/24]}\n", "198.51.100.1", true},
		{"access: {allow: [any, 198.51.100.0/24]}\n", "192.0.2.1", false},
		{"access: {allow: [any]}\n", "10.0.0.1", false},
		{"access: {deny: [10.0.0.0/8]}\n", "192.168.0.1", true},
		{"access: {trusted: [10.0.0.2]}\n", "10.0.0.2", true},
		{"access: {trusted: [10.0.0.2]}\n", "10.0.0.3", false},
		{"access: {trusted: []}\n", "127.0.0.1", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c = must_load(cases[i].text);
		struct endpoint e;
		REQUIRE(endpoint_parse(cases[i].client, 1234, &e) == OK);
		CHECK(cases[i].text, settings_trusts(&c->settings, &e) == cases[i].is_trusted);
		config_free(c);
	}
}

static void test_private_zones(void **state)
{
	static const struct {
		const char *why, *name;
		bool insecure;
	} cases[] = {
		{"a provider's", "eu-west-1.compute.internal", true},
		{"RFC 6762", "local", true},
		{"RFC 8375", "x.home.arpa", true},
		{"RFC 6762 appendix G", "corp", true},
		{"RFC 6762 appendix G", "office.lan", true},
		{"RFC 6762 appendix G", "intranet", true},
		{"RFC 6762 appendix G", "private", true},
		{"RFC 6762 appendix G", "home", true},
		{"somebody's under a public name", "corp.example", false},
		{"RFC 1918", "1.10.in-addr.arpa", true},
		{"RFC 1918: below", "15.172.in-addr.arpa", false},
		{"RFC 1918: first", "16.172.in-addr.arpa", true},
		{"RFC 1918: last", "31.172.in-addr.arpa", true},
		{"RFC 1918: above", "32.172.in-addr.arpa", false},
		{"RFC 6598: below", "63.100.in-addr.arpa", false},
		{"RFC 6598: first", "64.100.in-addr.arpa", true},
		{"RFC 6598: last", "127.100.in-addr.arpa", true},
		{"RFC 6598: above", "128.100.in-addr.arpa", false},
		{"RFC 4193", "0.0.d.f.ip6.arpa", true},
		{"the Internet's", "8.b.d.0.1.0.0.2.ip6.arpa", false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[200];
		(void)snprintf(text, sizeof(text),
			       "forward-zones:\n- {name: %s, servers: [192.0.2.1]}\n",
			       cases[i].name);
		struct config *c = must_load(text);
		CHECK(cases[i].why, c->settings.zones[0].insecure == cases[i].insecure);
		config_free(c);
	}
}

static void test_zones(void **state)
{
	(void)state;
	struct config *c = must_load(
		"resolution: {port: 5353, query-loopback: true, prime: false, ipv6: false}\n"
		"forward-zones:\n"
		"- {name: Eu-West-1.Compute.Internal, servers: [169.254.169.253],\n"
		"   only: ['IP-*', 'i-*']}\n"
		"- {name: example., servers: ['192.0.2.1:53', '[2001:db8::1]:54'], transport: "
		"tcp,\n"
		"   fallback: true, insecure: true}\n"
		"stub-zones:\n"
		"- {name: 17.172.in-addr.arpa., servers: ['fd00:ec2::253'], rate-limit: 0, "
		"insecure: false}\n"
		"- {name: 31.172.in-addr.arpa., servers: [192.0.2.2]}\n"
		"- {name: 32.172.in-addr.arpa., servers: [192.0.2.2]}\n");
	const struct settings_zone *z = c->settings.zones;

	assert_int_equal(c->settings.zone_count, 5);
	assert_true(z[0].forward && z[0].insecure && !z[0].tcp && !z[0].fallback);
	assert_int_equal(z[0].rate_limit, 900); /* the provider's */
	assert_int_equal(z[1].rate_limit, 0);
	assert_int_equal(z[2].rate_limit, 0); /* if the operator says so */
	assert_int_equal(z[0].servers[0].port, 5353);
	assert_memory_equal(z[0].name,
			    "\x09"
			    "eu-west-1"
			    "\x07"
			    "compute"
			    "\x08"
			    "internal",
			    27);
	assert_int_equal(z[0].only_count, 2);
	assert_string_equal(z[0].only[0], "ip-*");
	assert_true(z[1].forward && z[1].insecure && z[1].tcp && z[1].fallback);
	assert_int_equal(z[1].servers[1].port, 54);
	assert_true(!z[2].forward && !z[2].insecure);
	assert_true(z[3].insecure && !z[4].insecure);
	assert_true(c->settings.ask_count == 2 && c->settings.ask[0].allow && !c->settings.prime &&
		    !c->settings.ipv6);
	config_free(c);
}

static void test_local_zones(void **state)
{
	(void)state;
	struct config *c = must_load(
		"special-zones: false\n"
		"local-zones:\n"
		"- name: Office.Test\n"
		"  records: ['www 300 A 192.0.2.1', 'www 60 A 192.0.2.2', '@ TXT \"a b\"',\n"
		"            'x.office.test. 10 IN AAAA 2001:db8::1']\n"
		"- {name: ads.example., action: refuse}\n"
		"- {name: '.', action: transparent, records: ['www A 192.0.2.3']}\n");
	const struct local_zone *z = c->settings.local_zones;
	uint8_t www[DNAME_MAX];
	bool seen = false;

	assert_int_equal(c->settings.local_zone_count, 3);
	REQUIRE(config_value_name("www.office.test", www));
	assert_int_equal(z[0].action, LOCAL_STATIC);
	for (size_t i = 0; i < z[0].set_count; i++) {
		if (!dname_equal(z[0].sets[i].owner, www))
			continue;
		seen = true;
		assert_int_equal(z[0].sets[i].type, TYPE_A);
		assert_int_equal(z[0].sets[i].rr_count, 2);
		assert_int_equal(z[0].sets[i].ttl_s, 60);
	}
	assert_true(seen);
	assert_int_equal(z[1].action, LOCAL_REFUSE);
	assert_int_equal(z[2].action, LOCAL_TRANSPARENT);
	assert_int_equal(z[2].set_count, 1);
	config_free(c);
}

/* Cannot be used, which is no reason to do without what stands beside it. */
static void test_unsupported_anchors(void **state)
{
	(void)state;
	static const struct {
		const char *why, *record, *note;
	} cases[] = {
		{"RFC 6840 §5.2: an algorithm", "'X.example. DS 1 99 2 " DIGEST "'",
		 "f:4: dnssec.trust-anchors[0]: \"X.example. DS 1 99 2 " DIGEST
		 "\": an algorithm or digest that is not validated here, left out"},
		{"RFC 6840 §5.2: a digest, of whatever length", "'x.example. DS 1 8 99 ABCD'",
		 "f:4: dnssec.trust-anchors[0]: \"x.example. DS 1 8 99 ABCD\": an algorithm or "
		 "digest that is not validated here, left out"},
		{"RFC 9905: SHA-1",
		 "'x.example. DS 1 8 1 0123456789012345678901234567890123456789'",
		 "f:4: dnssec.trust-anchors[0]: \"x.example. DS 1 8 1 "
		 "0123456789012345678901234567890123456789\": an algorithm or digest that is not "
		 "validated here, left out"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[1024];
		(void)snprintf(
			text, sizeof(text),
			"\ndnssec:\n  trust-anchors:\n  - %s\n  - 'x.example. DS 1 8 2 %s'\n",
			cases[i].record, DIGEST);
		struct config *c = must_load(text);
		CHECK(cases[i].why, c->settings.anchor_count == 1);
		CHECK(cases[i].why, c->settings.anchors[0].key_count == 1);
		CHECK(cases[i].why, c->notes && !c->notes->next);
		assert_string_equal(c->notes->line, cases[i].note);
		config_free(c);
	}
	/* A key of an algorithm to come may be longer than any that is known. */
	static char key[4000];
	int len = snprintf(
		key, sizeof(key),
		"dnssec:\n  trust-anchors:\n  - '. DS 1 8 2 %s'\n  - '. DNSKEY 257 3 99 ", DIGEST);
	memset(key + len, 'A', 3000);
	strcpy(key + len + 3000, "'\n");
	struct config *c = must_load(key);
	assert_int_equal(c->settings.anchors[0].key_count, 1);
	assert_non_null(c->notes);
	config_free(c);
}

static void test_anchors(void **state)
{
	(void)state;
	struct config *c =
		must_load("dnssec:\n"
			  "  trust-anchors:\n"
			  "  - '. DS 20326 8 2 "
			  "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D'\n"
			  "  - 'example. DS 1 8 2 "
			  "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D'\n"
			  "  - '. DS 38696 8 2 "
			  "683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16'\n"
			  "  negative-trust-anchors: [Example.Com, '.']\n"
			  "  aggressive-nsec: false\n");

	assert_int_equal(c->settings.anchor_count, 2);
	assert_int_equal(c->settings.anchors[0].key_count, 2);
	assert_int_equal(c->settings.negative_anchor_count, 2);
	assert_false(c->settings.aggressive_nsec);
	config_free(c);
	c = must_load("dnssec: {enabled: false, trust-anchors: []}\n");
	assert_false(c->settings.dnssec);
	config_free(c);
	c = must_load("dnssec: {trust-anchors: builtin}\n");
	assert_int_equal(c->settings.anchor_count, 1);
	config_free(c);
}

static void test_prefetch(void **state)
{
	(void)state;
	struct config *c =
		must_load("prefetch: {min-yield: 0.05, remaining: 30%, window: 5m, "
			  "max-names: 7, max-rate: 9, ttl-spread: 25%, zones: ["
			  "{name: z.example., hold: 500ms, max-staleness: 20s, "
			  "flip-guard: 30s}, "
			  "{name: Example, min-hits: 1, remaining: auto, min-yield: 2}]}\n");
	const struct prefetch_settings *p = &c->settings.prefetch;
	assert_true(p->enabled);
	assert_int_equal(p->max_names, 7);
	assert_int_equal(p->max_rate, 9);
	assert_int_equal(p->spread_percent, 25);
	assert_int_equal(p->all.flip_guard_ms, 0);
	assert_int_equal(p->zones[1].flip_guard_ms, 30000);
	assert_int_equal(p->all.min_hits, 2);
	assert_int_equal(p->all.min_yield_permille, 50);
	assert_int_equal(p->all.remaining_percent, 30);
	assert_int_equal(p->all.window_s, 300);
	assert_int_equal(p->zone_count, 2);
	assert_memory_equal(p->zones[0].name, "\7example", 9); /* sorted, in lower case */
	assert_int_equal(p->zones[0].remaining_percent, 0);
	assert_int_equal(p->zones[0].min_yield_permille, 2000);
	assert_int_equal(p->zones[1].hold_ms, 500);
	assert_int_equal(p->zones[1].max_staleness_s, 20);
	assert_int_equal(p->zones[1].window_s, 300); /* as the defaults say */
	assert_int_equal(p->min_hits_min, 1);
	config_free(c);
	c = must_load("prefetch: {enabled: false}\n");
	assert_false(c->settings.prefetch.enabled);
	config_free(c);
}

static void test_disk(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t bytes;
	} cases[] = {
		{"cache: {disk: 4G}\n", (size_t)4 << 30},
		{"cache: {disk: 1M}\n", 1 << 20},
		{"cache: {disk: 0}\n", 0},
		{"cache: {disk: off}\n", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c = must_load(cases[i].text);
		CHECK(cases[i].text, c->disk_bytes == cases[i].bytes);
		config_free(c);
	}
}

static void test_files(void **state)
{
	(void)state;
	struct config *c;
	struct config_error error;

	assert_int_equal(config_load("/nonexistent/f", &c, &error), ERR_MALFORMED);
	assert_string_equal(error.line, "/nonexistent/f: No such file or directory");
	assert_int_equal(config_load("/", &c, &error), ERR_MALFORMED);
	assert_string_equal(error.line, "/: not a regular file");
	assert_int_equal(config_load(NULL, &c, &error), OK);
	config_free(c);
}

static void test_words(void **state)
{
	(void)state;
	static const struct {
		const char *word;
		int64_t size, time_ms; /* -1: refused */
	} cases[] = {
		{"0", 0, 0},
		{"64", 64, 64000},
		{"64K", 65536, -1},
		{"2G", 2LL << 30, -1},
		{"1T", 1LL << 40, -1},
		{"1t", -1, -1},
		{"500ms", -1, 500},
		{"30s", -1, 30000},
		{"2m", -1, 120000},
		{"1h", -1, 3600000},
		{"1d", -1, 86400000},
		{"-1", -1, -1},
		{"+1", -1, -1},
		{" 1", -1, -1},
		{"1 ", -1, -1},
		{"", -1, -1},
		{"K", -1, -1},
		{"1.5M", -1, -1},
		{"1MB", -1, -1},
		{"9999999999999999999", -1, -1},
		{"999999999999999999T", -1, -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t value;
		bool good = config_value_size(cases[i].word, &value);
		CHECK(cases[i].word, good ? (int64_t)value == cases[i].size : cases[i].size == -1);
		good = config_value_time(cases[i].word, &value);
		CHECK(cases[i].word,
		      good ? (int64_t)value == cases[i].time_ms : cases[i].time_ms == -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_no_case),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_node_local),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_trusted),
		cmocka_unit_test(test_private_zones),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_local_zones),
		cmocka_unit_test(test_anchors),
		cmocka_unit_test(test_unsupported_anchors),
		cmocka_unit_test(test_prefetch),
		cmocka_unit_test(test_disk),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
