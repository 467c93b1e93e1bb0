/* A configuration that is read while memory is out: refused, with words, and nothing else. */
#include "unit/shortage_unit.h"

#include "config/config.h"

static const char text[] =
	"listen: [127.0.0.1, '[::1]:53']\n"
	"access: {allow: [loopback, private, 192.0.2.0/24], deny: [192.0.2.2]}\n"
	"identity: one\n"
	"version: two\n"
	"cache: {memory: 16M, disk: 16M, path: /var/lib/somewhere}\n"
	"dnssec:\n"
	"  trust-anchors:\n"
	"  - . DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
	"  negative-trust-anchors: [a.example, b.example]\n"
	"resolution: {do-query: [10.0.0.0/8], do-not-query: [192.0.2.0/24], no-0x20: [c.example]}\n"
	"forward-zones:\n"
	"- {name: a.example., servers: [192.0.2.1, 192.0.2.2], only: ['ip-*'], rate-limit: 100}\n"
	"stub-zones:\n"
	"- {name: b.example., servers: [192.0.2.3]}\n"
	"local-zones:\n"
	"- {name: here., records: ['a.here. A 192.0.2.7', 'b.here. TXT \"some words\"']}\n"
	"prefetch: {zones: [{name: org., hold: 5s}]}\n"
	"log: {level: debug, queries: true}\n";

static bool load(void)
{
	struct config *c = NULL;
	struct config_error error = {0};
	enum err err = config_load_text("f", span_of(text, sizeof(text) - 1), &c, &error);
	if (err == OK) {
		bool whole = c->settings.zone_count == 2 && c->settings.anchor_count >= 1;
		config_free(c);
		return whole;
	}
	/* ... and not for a mistake of the operator's, who made none. */
	bool told = err == ERR_NO_MEMORY && strstr(error.line, "out of memory");
	if (!told)
		print_error("%s\n", error.line);
	return told;
}

static void test_load(void **state)
{
	(void)state;
	shortage_walk("the configuration", load);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
