#include "config/raw.h"
#include "config/value.h"

enum {
	ASK_RULES_MAX = 1000, /* each is looked at for every address of a delegation */
	LOOPBACK_RULES = 2,
	NO_CASE_MAX = 100, /* each is looked at for every packet to a server */
};

/* PREFIX is in the first COUNT of RULES already. */
static bool is_known(const struct access_rule *rules, size_t count,
		     const struct endpoint_prefix *prefix)
{
	for (size_t i = 0; i < count; i++)
		if (memcmp(&rules[i].prefix, prefix, sizeof(*prefix)) == 0)
			return true;
	return false;
}

static enum err add_rules(struct config_build *b, const char *list, char *const *words,
			  size_t word_count, struct access_rule *rules)
{
	struct settings *s = &b->config->settings;
	char key[CONFIG_KEY_MAX];

	for (size_t i = 0; i < word_count; i++) {
		struct access_rule *rule = &rules[s->ask_count];
		*rule = (struct access_rule){.allow = strcmp(list, "resolution.do-query") == 0};
		config_key(key, list, i, NULL);
		if (endpoint_prefix_parse(words[i], &rule->prefix) != OK)
			return config_refuse(b, key, "\"%s\" is not a network such as 10.0.0.0/8",
					     words[i]);
		if (is_known(rules, s->ask_count, &rule->prefix))
			return config_refuse(b, key, "\"%s\" is given twice", words[i]);
		s->ask_count++;
	}
	return OK;
}

/* resolution.query-loopback says the same of two networks. */
static enum err add_loopback(struct config_build *b, const char *word, struct access_rule *rules)
{
	struct settings *s = &b->config->settings;
	struct access_rule loopback[SETTINGS_ACCESS_WORD_MAX];
	bool on = false;
	enum err err = config_read_bool(b, "resolution.query-loopback", word, &on);
	size_t count =
		on ? settings_access_word("loopback", true, loopback, ARRAY_LEN(loopback)) : 0;

	for (size_t i = 0; err == OK && i < count; i++)
		if (!is_known(rules, s->ask_count, &loopback[i].prefix))
			rules[s->ask_count++] = loopback[i];
	return err;
}

/* A zone that reads like an address is none: top-level domains of digits do not exist (RFC 3696 §2). */
static enum err build_no_case(struct config_build *b, const struct raw_config *raw)
{
	static const char list[] = "resolution.no-0x20";
	struct settings *s = &b->config->settings;
	size_t count = raw->resolution.no_case_count;
	char key[CONFIG_KEY_MAX];

	if (count > NO_CASE_MAX)
		return config_refuse(b, list, "more than %d zones and servers", NO_CASE_MAX);
	const uint8_t **zones = arena_alloc(&b->config->arena, (count + 1) * sizeof(*zones));
	struct endpoint_prefix *servers =
		arena_alloc(&b->config->arena, (count + 1) * sizeof(*servers));
	if (!zones || !servers)
		return ERR_NO_MEMORY;
	s->no_case_zones = zones;
	s->no_case_servers = servers;
	for (size_t i = 0; i < count; i++) {
		const char *word = raw->resolution.no_case[i];
		uint8_t name[DNAME_MAX];
		if (endpoint_prefix_parse(word, &servers[s->no_case_server_count]) == OK) {
			s->no_case_server_count++;
			continue;
		}
		if (strchr(word, '/') || strchr(word, ':') || !config_value_name(word, name))
			return config_refuse(
				b, config_key(key, list, i, NULL),
				"\"%s\" is neither a zone nor a server's address or network", word);
		struct span copy = arena_copy(&b->config->arena, span_of(name, dname_len(name)));
		if (!copy.at)
			return ERR_NO_MEMORY;
		zones[s->no_case_zone_count++] = copy.at;
	}
	return OK;
}

enum err config_ask_build(struct config_build *b, const struct raw_config *raw)
{
	size_t count = (size_t)raw->resolution.do_query_count + raw->resolution.do_not_query_count;

	if (count > ASK_RULES_MAX)
		return config_refuse(b, "resolution",
				     "more than %d networks in do-query and "
				     "do-not-query",
				     ASK_RULES_MAX);
	struct access_rule *rules =
		arena_alloc(&b->config->arena, (count + LOOPBACK_RULES) * sizeof(*rules));
	if (!rules)
		return ERR_NO_MEMORY;
	b->config->settings.ask = rules;
	enum err err = add_rules(b, "resolution.do-query", raw->resolution.do_query,
				 raw->resolution.do_query_count, rules);
	if (err == OK)
		err = add_rules(b, "resolution.do-not-query", raw->resolution.do_not_query,
				raw->resolution.do_not_query_count, rules);
	if (err == OK)
		err = add_loopback(b, raw->resolution.query_loopback, rules);
	return err == OK ? build_no_case(b, raw) : err;
}
