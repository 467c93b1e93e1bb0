/* The manual and the installed file name every key that is read, and no other. Runs where the
 * project's top is the working directory. */
#include "unit/base_unit.h"

#include <stdio.h>

#include "config/config.c" /* for the tables of keys */

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

/* A group and an account of this system in place of the example's: what is checked is the rest. */
static void replace_accounts(char *text)
{
	char *group = strstr(text, "group: resolverd"), *user = strstr(text, "user: resolverd");
	if (group)
		memcpy(group, "group: root     ", sizeof("group: resolverd") - 1);
	if (user)
		memcpy(user, "user: root     ", sizeof("user: resolverd") - 1);
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
	struct config *c;
	struct config_error error = {0};
	if (config_load_text("etc/resolverd.yaml", span_of(text, (size_t)(out - text)), &c,
			     &error) != OK)
		fail_msg("%s", error.line);
	/* What is not an example is the default. */
	struct config *plain;
	assert_int_equal(config_load_text("", span_of("", 0), &plain, &error), OK);
	assert_int_equal(c->listen_count, plain->listen_count + c->node_local.count);
	assert_int_equal(c->workers, plain->workers);
	assert_int_equal(c->memory_bytes, plain->memory_bytes);
	assert_int_equal(c->log_level, plain->log_level);
	assert_int_equal(c->log_queries.on, plain->log_queries.on);
	assert_int_equal(c->ipv4_auto, plain->ipv4_auto);
	assert_int_equal(c->ipv6_auto, plain->ipv6_auto);
	const struct settings *s = &c->settings, *p = &plain->settings;
	assert_int_equal(s->minimization, p->minimization);
	assert_int_equal(s->prime, p->prime);
	assert_int_equal(s->client_ms, p->client_ms);
	assert_int_equal(s->harden_glue, p->harden_glue);
	assert_int_equal(s->ask_count, p->ask_count);
	assert_int_equal(s->upstream_port, p->upstream_port);
	assert_int_equal(s->min_ttl_s, p->min_ttl_s);
	assert_int_equal(s->max_ttl_s, p->max_ttl_s);
	assert_int_equal(s->max_negative_ttl_s, p->max_negative_ttl_s);
	assert_int_equal(s->dnssec, p->dnssec);
	assert_int_equal(s->accept_sha1, p->accept_sha1);
	assert_int_equal(s->aggressive_nsec, p->aggressive_nsec);
	assert_int_equal(s->anchor_count, p->anchor_count);
	assert_int_equal(s->anchors[0].managed, p->anchors[0].managed);
	assert_int_equal(s->answer_norecurse, p->answer_norecurse);
	assert_int_equal(s->local_zone_count, p->local_zone_count + 1);
	assert_int_equal(s->access_count, p->access_count);
	assert_int_equal(s->trusted_count, p->trusted_count);
	assert_int_equal(s->stale_enabled, p->stale_enabled);
	assert_int_equal(s->stale_answer_after_ms, p->stale_answer_after_ms);
	assert_int_equal(s->stale_max_age_s, p->stale_max_age_s);
	assert_int_equal(s->stale_ttl_s, p->stale_ttl_s);
	assert_int_equal(s->prefetch.enabled, p->prefetch.enabled);
	assert_int_equal(s->prefetch.max_rate, p->prefetch.max_rate);
	assert_int_equal(s->prefetch.max_names, p->prefetch.max_names);
	assert_int_equal(s->prefetch.all.min_hits, p->prefetch.all.min_hits);
	assert_int_equal(s->prefetch.all.window_s, p->prefetch.all.window_s);
	assert_int_equal(s->prefetch.all.hold_ms, p->prefetch.all.hold_ms);
	assert_int_equal(s->prefetch.all.remaining_percent, p->prefetch.all.remaining_percent);
	assert_int_equal(s->prefetch.all.min_yield_permille, p->prefetch.all.min_yield_permille);
	config_free(plain);
	config_free(c);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_example_is_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
