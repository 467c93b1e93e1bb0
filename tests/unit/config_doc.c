/* The manual and the installed file name every key that is read, and no other, and
 * config show tells each as it is. Runs where the project's top is the working directory. */
#include "unit/base_unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/config.c" /* for the tables of keys */
#include "config/show.h"

enum { KEYS_MAX = 256, DOC_MAX = 1 << 20 };

struct keys { /* as paths, "forward-zones[].name" */
	char list[KEYS_MAX][CONFIG_KEY_MAX];
	size_t count;
};

static char *read_doc(const char *path)
{
	char *text = calloc(1, DOC_MAX + 1);
	FILE *file = fopen(path, "r");
	if (!file)
		fail_msg("%s cannot be read: run from the top of the tree", path);
	size_t len = fread(text, 1, DOC_MAX, file);
	REQUIRE(len > 0 && len < DOC_MAX);
	fclose(file);
	return text;
}

static void add_key(struct keys *keys, const char *key)
{
	for (size_t i = 0; i < keys->count; i++)
		if (strcmp(keys->list[i], key) == 0)
			return;
	REQUIRE(keys->count < KEYS_MAX);
	strcpy(keys->list[keys->count++], key);
}

/* Every key of FIELDS that holds a value or a list, below OUTER. */
static void add_fields(struct keys *keys, const cyaml_schema_field_t *fields, const char *outer)
{
	for (; fields->key; fields++) {
		const cyaml_schema_value_t *entry =
			fields->value.type == CYAML_SEQUENCE ? fields->value.sequence.entry : NULL;
		char key[CONFIG_KEY_MAX];
		REQUIRE(snprintf(key, sizeof(key), "%s%s", outer, fields->key) <
			CONFIG_KEY_MAX - 3);
		if (fields->value.type != CYAML_MAPPING)
			add_key(keys, key);
		if (fields->value.type == CYAML_MAPPING)
			add_fields(keys, fields->value.mapping.fields, strcat(key, "."));
		else if (entry && entry->type == CYAML_MAPPING)
			add_fields(keys, entry->mapping.fields, strcat(key, "[]."));
	}
}

static struct keys *all_keys(void)
{
	struct keys *keys = calloc(1, sizeof(*keys));
	REQUIRE(keys);
	add_fields(keys, fields_with_word, "");
	add_fields(keys, fields_with_list, "");
	return keys;
}

static bool has_key(const struct keys *keys, const char *key)
{
	for (size_t i = 0; i < keys->count; i++)
		if (strcmp(keys->list[i], key) == 0)
			return true;
	return false;
}

/* An item begins with ".It Cm KEY :". */
static void test_manual(void **state)
{
	(void)state;
	static const char mark[] = "\n.It Cm ";
	struct keys *keys = all_keys(), *told = calloc(1, sizeof(*told));
	char *text = read_doc("docs/resolverd.yaml.5"), key[CONFIG_KEY_MAX];
	assert_true(keys->count > 60);
	for (const char *at = text; (at = strstr(at, mark)); at++) {
		if (sscanf(at + sizeof(mark) - 1, "%150s :", key) != 1)
			continue;
		if (!has_key(keys, key))
			fail_msg("resolverd.yaml.5 has %s, which is not read", key);
		add_key(told, key);
	}
	for (size_t i = 0; i < keys->count; i++)
		if (!has_key(told, keys->list[i]))
			fail_msg("resolverd.yaml.5 has no item \".It Cm %s :\"", keys->list[i]);
	free(text);
	free(told);
	free(keys);
}

/* A word of TEXT, up to END, is KEY with a colon. */
static bool has_word(const char *text, const char *end, const char *key, size_t len)
{
	for (const char *at = text; at + len < end; at++)
		if (strncmp(at, key, len) == 0 && at[len] == ':' &&
		    (at == text || strchr(" {,#\n", at[-1])))
			return true;
	return false;
}

/* The lines from "#WORD:" at the line's start up to the next key there; NULL. */
static const char *find_section(const char *text, const char *word, size_t len, const char **end)
{
	for (const char *at = text; (at = strstr(at, "\n#")); at++) {
		if (strncmp(at + 2, word, len) != 0 || at[2 + len] != ':')
			continue;
		*end = at + 2;
		while ((*end = strstr(*end, "\n#")) && ((*end)[2] == ' ' || (*end)[2] == '\n'))
			(*end)++;
		*end = *end ? *end : text + strlen(text);
		return at + 2;
	}
	return NULL;
}

static void test_example(void **state)
{
	(void)state;
	struct keys *keys = all_keys();
	char *text = read_doc("etc/resolverd.yaml");
	for (size_t i = 0; i < keys->count; i++) {
		const char *key = keys->list[i], *end, *last = strrchr(key, '.');
		const char *section = find_section(text, key, strcspn(key, ".["), &end);
		last = last ? last + 1 : key;
		if (!section || !has_word(section, end, last, strlen(last)))
			fail_msg("etc/resolverd.yaml does not show %s", key);
	}
	free(text);
	free(keys);
}

/* ---- what config show says ---- */

/* One line "KEY=VALUE" for each, with "[]" for the name of a zone. */
struct shown {
	char *lines[KEYS_MAX];
	size_t count;
};

static void take_shown(void *context, const char *key, const char *value)
{
	struct shown *shown = context;
	const char *open = strchr(key, '['), *close = strchr(key, ']');

	REQUIRE(shown->count < KEYS_MAX);
	REQUIRE(asprintf(&shown->lines[shown->count++], "%.*s%s%s=%s",
			 (int)(open ? open - key : (long)strlen(key)), key, open ? "[]" : "",
			 close ? close + 1 : "", value) > 0);
}

/* What is shown where TEXT is the configuration. */
static struct shown *show_of(const char *name, const char *text)
{
	struct shown *shown = calloc(1, sizeof(*shown));
	struct config_error error = {0};
	struct config *c;

	REQUIRE(shown);
	if (config_load_text(name, span_of(text, strlen(text)), &c, &error) != OK)
		fail_msg("%s", error.line);
	log_set_level(c->log_level); /* as the daemon does */
	struct snapshot *s = snapshot_new(c);
	REQUIRE(s);
	config_show(s, take_shown, shown);
	snapshot_release(s);
	return shown;
}

static void free_shown(struct shown *shown)
{
	for (size_t i = 0; i < shown->count; i++)
		free(shown->lines[i]);
	free(shown);
}

/* Line I is of KEY. "x[].name" is what "x" shows. */
static bool is_of(const struct shown *shown, size_t i, const char *key)
{
	size_t len = strlen(key);

	if (len > 7 && strcmp(key + len - 7, "[].name") == 0)
		len -= 7;
	return strncmp(shown->lines[i], key, len) == 0 && shown->lines[i][len] == '=';
}

/* The lines of KEY are the same in both. */
static bool is_same(const struct shown *a, const struct shown *b, const char *key)
{
	size_t i = 0, j = 0;

	for (;; i++, j++) {
		while (i < a->count && !is_of(a, i, key))
			i++;
		while (j < b->count && !is_of(b, j, key))
			j++;
		if (i == a->count || j == b->count)
			return i == a->count && j == b->count;
		if (strcmp(a->lines[i], b->lines[j]) != 0)
			return false;
	}
}

/* Every key, with something else than its default. */
static const char all_other[] =
	"listen: [192.0.2.1:5353, eth9]\n"
	"workers: 3\n"
	"identity: me\n"
	"version: mine\n"
	"root-hints: etc/root.hints\n"
	"special-zones: false\n"
	"answer-non-recursive: false\n"
	"node-local: {interface: dns0, addresses: [169.254.20.10]}\n"
	"access: {allow: [192.0.2.0/24], deny: [192.0.2.7], trusted: [192.0.2.64/26],\n"
	"  response-rate: 7}\n"
	"control: {socket: /run/other, group: root, readonly: all}\n"
	"metrics: {listen: ['192.0.2.1:9000'], health: ['192.0.2.1:9001']}\n"
	"memory: {limit: 300M}\n"
	"cache: {path: /tmp, memory: 20M, disk: 30M, min-ttl: 3, max-ttl: 1h,\n"
	"  max-negative-ttl: 1m}\n"
	"dnssec:\n"
	"  enabled: false\n"
	"  aggressive-nsec: false\n"
	"  accept-sha1: true\n"
	"  auto-trust-anchors: false\n"
	"  negative-trust-anchors: [a.example]\n"
	"  trust-anchors: ['b.example. DS 1 8 2\n"
	"    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA']\n"
	"resolution: {qname-minimization: strict, ipv4: false, ipv6: true, harden-glue: false,\n"
	"  query-loopback: true, do-query: [10.0.0.0/8], do-not-query: [192.0.2.0/24],\n"
	"  no-0x20: [c.example, 192.0.2.9], port: 5300, prime: false, client-timeout: 3s}\n"
	"forward-zones: [{name: d.example, servers: [192.0.2.2], transport: tcp, rate-limit: 9,\n"
	"  only: ['ip-*'], fallback: true, insecure: true}]\n"
	"stub-zones: [{name: e.example, servers: [192.0.2.3], transport: tcp, rate-limit: 8,\n"
	"  insecure: true}]\n"
	"local-zones: [{name: f.example, action: transparent,\n"
	"  records: ['g.f.example. 60 A 192.0.2.4']}]\n"
	"prefetch: {enabled: false, min-hits: 9, window: 70s, remaining: 30%, min-yield: 0.7,\n"
	"  hold: 3s, max-staleness: 90s, flip-guard: 7s, ttl-spread: 11%, max-rate: 77,\n"
	"  max-names: 78,\n"
	"  zones: [{name: h.example, min-hits: 8, window: 60s, remaining: 40%, min-yield: 0.6,\n"
	"    hold: 4s, max-staleness: 91s, flip-guard: 8s}]}\n"
	"serve-stale: {enabled: false, answer-after: 77ms, max-age: 2h, ttl: 7}\n"
	"log: {level: debug, queries: 'on'}\n"
	"sandbox: {enabled: false, user: root}\n"
	"recorder: {memory: 3M, slow: 33ms, redact: true}\n";

/* Every key is shown, none that there is not, and one that is set to something else is shown as that. */
static void test_show(void **state)
{
	(void)state;
	struct shown *plain = show_of("plain", ""), *other = show_of("other", all_other);
	struct keys *keys = all_keys();

	for (size_t i = 0; i < keys->count; i++) {
		const char *key = keys->list[i];
		size_t there = 0;
		for (size_t j = 0; j < other->count; j++)
			there += is_of(other, j, key);
		if (there == 0)
			fail_msg("%s is not shown", key);
		if (is_same(plain, other, key))
			fail_msg("%s is shown as the default though it is set", key);
	}
	for (size_t j = 0; j < other->count; j++) {
		size_t keys_of_it = 0;
		for (size_t i = 0; i < keys->count; i++)
			keys_of_it += is_of(other, j, keys->list[i]);
		if (keys_of_it == 0)
			fail_msg("%s is no key", other->lines[j]);
	}
	free(keys);
	free_shown(plain);
	free_shown(other);
}

/* A group and an account of this system in place of the example's: what is checked is the rest. */
static void replace_accounts(char *text)
{
	char *group = strstr(text, "group: resolverd"), *user = strstr(text, "user: resolverd");
	if (group)
		memcpy(group, "group: root     ", sizeof("group: resolverd") - 1);
	if (user)
		memcpy(user, "user: root     ", sizeof("user: resolverd") - 1);
}

/* What is not an example is the default. */
static bool is_example(const char *key)
{
	static const char *const examples[] = {
		"listen",
		/* with the addresses of: */ "node-local",
		"identity",
		"version",
		"control.socket",
		/* by its own directory */ "control.group",
		"metrics",
		"cache.path",
		"forward-zones",
		"stub-zones",
		"local-zones",
		"prefetch.zones",
		"prefetch.max-staleness",
		"sandbox.user",
	};

	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		if (strncmp(key, examples[i], strlen(examples[i])) == 0)
			return true;
	return false;
}

/* With every "#" before a key taken away it is a configuration: "#  key:", but "# prose". */
static void test_example_is_good(void **state)
{
	(void)state;
	char *text = read_doc("etc/resolverd.yaml"), *out = text;
	bool line_begins = true;
	replace_accounts(text);
	for (const char *at = text; *at; at++) {
		bool is_key = line_begins && *at == '#' && (at[1] != ' ' || at[2] == ' ');
		line_begins = *at == '\n';
		if (!is_key)
			*out++ = *at;
	}
	*out = '\0';
	struct shown *plain = show_of("plain", ""), *example = show_of("etc/resolverd.yaml", text);
	struct keys *keys = all_keys();
	for (size_t i = 0; i < keys->count; i++)
		if (!is_example(keys->list[i]) && !is_same(plain, example, keys->list[i]))
			fail_msg("etc/resolverd.yaml has another %s than the default",
				 keys->list[i]);
	free(keys);
	free_shown(plain);
	free_shown(example);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_example_is_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
