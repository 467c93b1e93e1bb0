#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/raw.h"
#include "config/value.h"
#include "disk/disk.h"
#include "resolve/limits.h"

enum {
	DISK_DEFAULT = 1 << 30,
	DISK_MIN = DISK_SIZE_MIN,
	TTL_MAX_S = INT32_MAX, /* RFC 2181 §8 */
	TXT_MAX = 255,	       /* identity and version are TXT strings */
	ACCESS_RULES_MAX = 10000,
	RESPONSE_RATE_MAX = 1000000, /* the limiter counts microseconds */
};

/* ---- what every reader needs ---- */

enum err config_refuse(struct config_build *b, const char *key, const char *format, ...)
{
	char message[CONFIG_LINE_MAX / 2];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return config_source_refuse(b->source, key, message, b->error);
}

enum err config_remark(struct config_build *b, const char *key, const char *format, ...)
{
	char message[CONFIG_LINE_MAX / 2];
	struct config_error line;
	struct arena *arena = &b->config->arena;
	struct config_note *note = arena_alloc(arena, sizeof(*note));
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	(void)config_source_refuse(b->source, key, message, &line); /* only for its words */
	struct span text = arena_copy(arena, span_of(line.line, strlen(line.line) + 1));
	if (!note || !text.at)
		return ERR_NO_MEMORY;
	*note = (struct config_note){.line = (const char *)text.at};
	if (b->last_note)
		b->last_note->next = note;
	else
		b->config->notes = note;
	b->last_note = note;
	return OK;
}

const char *config_key(char out[static CONFIG_KEY_MAX], const char *key, size_t index,
		       const char *member)
{
	(void)snprintf(out, CONFIG_KEY_MAX, "%s[%zu]%s%s", key, index, member ? "." : "",
		       member ? member : "");
	return out;
}

enum err config_read_bool(struct config_build *b, const char *key, const char *word, bool *out)
{
	if (!word || config_value_bool(word, out))
		return OK;
	return config_refuse(b, key, "\"%s\" is neither true nor false", word);
}

static enum err read_seconds(struct config_build *b, const char *key, const char *word,
			     uint32_t *out)
{
	uint64_t ms;

	if (!word)
		return OK;
	if (!config_value_time(word, &ms) || ms % 1000 || ms / 1000 > TTL_MAX_S)
		return config_refuse(b, key, "\"%s\" is not a time in whole seconds", word);
	*out = (uint32_t)(ms / 1000);
	return OK;
}

static enum err read_ms(struct config_build *b, const char *key, const char *word, uint32_t *out)
{
	uint64_t ms;

	if (!word)
		return OK;
	if (!config_value_time(word, &ms) || ms > UINT32_MAX)
		return config_refuse(b, key, "\"%s\" is not a time", word);
	*out = (uint32_t)ms;
	return OK;
}

/* true, false or auto. */
static enum err read_family(struct config_build *b, const char *key, const char *word, bool *on,
			    bool *automatic)
{
	if (!word)
		return OK;
	*automatic = strcmp(word, "auto") == 0;
	*on = true;
	if (*automatic || config_value_bool(word, on))
		return OK;
	return config_refuse(b, key, "\"%s\" is none of true, false, auto", word);
}

static enum err read_string(struct config_build *b, const char *key, const char *word,
			    const char **out)
{
	if (!word)
		return OK;
	size_t len = strlen(word);
	if (len == 0 || len > TXT_MAX)
		return config_refuse(b, key, "1 to %d characters are expected", TXT_MAX);
	struct span copy = arena_copy(&b->config->arena, span_of(word, len + 1));
	*out = (const char *)copy.at;
	return copy.at ? OK : ERR_NO_MEMORY;
}

/* ---- service ---- */

static bool add_listen(struct config *c, const struct endpoint *e)
{
	for (size_t i = 0; i < c->listen_count; i++)
		if (endpoint_equal(e, &c->listen[i]))
			return false;
	c->listen[c->listen_count++] = *e;
	return true;
}

static bool add_listen_interface(struct config *c, const struct config_interface *interface)
{
	for (size_t i = 0; i < c->listen_interface_count; i++)
		if (memcmp(interface, &c->listen_interfaces[i], sizeof(*interface)) == 0)
			return false;
	c->listen_interfaces[c->listen_interface_count++] = *interface;
	return true;
}

static enum err build_listen(struct config_build *b, const struct raw_config *raw)
{
	static const char *const loopback[] = {"127.0.0.1:53", "[::1]:53"};
	bool given = config_source_is_list(b->source, "listen");
	const char *const *words = given ? (const char *const *)raw->listen : loopback;
	size_t count = given ? raw->listen_count : ARRAY_LEN(loopback);
	struct config *c = b->config;
	char key[CONFIG_KEY_MAX];

	/* Without any of these a daemon may have addresses of its own making. */
	if ((count == 0 && raw->node_local.addresses_count == 0) || count > CONFIG_LISTEN_MAX)
		return config_refuse(b, "listen", "1 to %d addresses or interfaces are expected",
				     CONFIG_LISTEN_MAX);
	for (size_t i = 0; i < count; i++) {
		struct config_interface interface;
		struct endpoint e;
		bool added;
		config_key(key, "listen", i, NULL);
		if (config_value_endpoint(words[i], 53, &e))
			added = add_listen(c, &e);
		else if (config_value_interface(words[i], 53, &interface))
			added = add_listen_interface(c, &interface);
		else
			return config_refuse(b, key,
					     "\"%s\" is neither an address nor an interface, "
					     "with or without a port",
					     words[i]);
		if (!added)
			return config_refuse(b, key, "\"%s\" is given twice", words[i]);
	}
	c->listen_unnamed = given ? 0 : c->listen_count;
	return OK;
}

/* One for each processor that we may use. */
static unsigned available_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1; /* more than 1,024 of them: the operator can say */
	return (unsigned)MIN(MAX(CPU_COUNT(&set), 1), CONFIG_WORKERS_MAX);
}

static enum err build_workers(struct config_build *b, const struct raw_config *raw)
{
	uint64_t workers = available_cpus();

	if (raw->workers && strcmp(raw->workers, "auto") != 0 &&
	    !config_value_number(raw->workers, 1, CONFIG_WORKERS_MAX, &workers))
		return config_refuse(b, "workers", "\"%s\" is neither auto nor 1 to %d",
				     raw->workers, CONFIG_WORKERS_MAX);
	b->config->workers = (unsigned)workers;
	return OK;
}

/* The rules that WORD stands for, into OUT (SETTINGS_ACCESS_WORD_MAX); 0 if it is no rule. */
static size_t access_rules(const char *word, bool allow, struct access_rule *out)
{
	size_t count = settings_access_word(word, allow, out, SETTINGS_ACCESS_WORD_MAX);

	if (count > 0)
		return count;
	if (strcmp(word, "any") == 0) {
		out[0] = (struct access_rule){.prefix = {.family = 4}, .allow = allow};
		out[1] = (struct access_rule){.prefix = {.family = 6}, .allow = allow};
		return 2;
	}
	out[0].allow = allow;
	return endpoint_prefix_parse(word, &out[0].prefix) == OK ? 1 : 0;
}

struct networks { /* being made, with room for all */
	struct access_rule *rules;
	size_t count;
};

/* Add those of LIST, a key, whose words are WORDS. */
static enum err add_networks(struct config_build *b, const char *list, char *const *words,
			     size_t word_count, struct networks *out)
{
	bool allow = strcmp(list, "access.deny") != 0;
	char key[CONFIG_KEY_MAX];

	for (size_t i = 0; i < word_count; i++) {
		size_t count = access_rules(words[i], allow, out->rules + out->count);
		if (count == 0)
			return config_refuse(b, config_key(key, list, i, NULL),
					     "\"%s\" is neither a network nor one of loopback, "
					     "private, any",
					     words[i]);
		out->count += count;
	}
	return OK;
}

/* Room for what WORDS words stand for, after DEFAULTS. */
static enum err make_networks(struct config_build *b, size_t words, struct networks defaults,
			      struct networks *out)
{
	size_t most = words * SETTINGS_ACCESS_WORD_MAX + defaults.count + 1;

	out->count = defaults.count;
	out->rules = arena_alloc(&b->config->arena, most * sizeof(*out->rules));
	if (!out->rules)
		return ERR_NO_MEMORY;
	if (defaults.count > 0)
		memcpy(out->rules, defaults.rules, defaults.count * sizeof(*out->rules));
	return OK;
}

/* Networks that the operator has named are his own, but for all there are: "any". */
static enum err trust_named(struct config_build *b)
{
	struct settings *s = &b->config->settings;
	struct networks n;

	enum err err = make_networks(b, s->access_count, (struct networks){.rules = NULL}, &n);
	for (size_t i = 0; err == OK && i < s->access_count; i++)
		if (s->access[i].allow && s->access[i].prefix.bits > 0)
			n.rules[n.count++] = s->access[i];
	s->trusted = n.rules;
	s->trusted_count = n.count;
	return err;
}

static enum err build_response_rate(struct config_build *b, const char *word)
{
	uint64_t rate = b->config->settings.response_rate;

	if (word && !config_value_number(word, 0, RESPONSE_RATE_MAX, &rate))
		return config_refuse(b, "access.response-rate", "\"%s\" is not 0 to %d", word,
				     RESPONSE_RATE_MAX);
	b->config->settings.response_rate = (uint32_t)rate;
	return OK;
}

static enum err build_trusted(struct config_build *b, const struct raw_config *raw)
{
	struct settings *s = &b->config->settings;
	size_t words = raw->access.trusted_count;
	struct networks n;

	if (!config_source_is_list(b->source, "access.trusted"))
		return trust_named(b);
	if (words > ACCESS_RULES_MAX)
		return config_refuse(b, "access.trusted", "more than %d networks",
				     ACCESS_RULES_MAX);
	enum err err = make_networks(b, words, (struct networks){.rules = NULL}, &n);
	if (err == OK)
		err = add_networks(b, "access.trusted", raw->access.trusted, words, &n);
	s->trusted = n.rules;
	s->trusted_count = n.count;
	return err;
}

static enum err build_access(struct config_build *b, const struct raw_config *raw)
{
	struct settings *s = &b->config->settings;
	size_t words = (size_t)raw->access.allow_count + raw->access.deny_count;
	struct networks n;

	bool allow_given = config_source_is_list(b->source, "access.allow");

	if (!allow_given && raw->access.deny_count == 0)
		return OK;
	if (words > ACCESS_RULES_MAX)
		return config_refuse(b, "access", "more than %d networks", ACCESS_RULES_MAX);
	/* Without "allow" the default holds, less what is denied. */
	const struct networks defaults = {.rules = (struct access_rule *)(uintptr_t)s->access,
					  .count = allow_given ? 0 : s->access_count};
	enum err err = make_networks(b, words, defaults, &n);
	if (err == OK)
		err = add_networks(b, "access.allow", raw->access.allow, raw->access.allow_count,
				   &n);
	if (err == OK)
		err = add_networks(b, "access.deny", raw->access.deny, raw->access.deny_count, &n);
	s->access = n.rules;
	s->access_count = n.count;
	return err;
}

static enum err build_service(struct config_build *b, const struct raw_config *raw)
{
	struct settings *s = &b->config->settings;
	enum err err = build_listen(b, raw);

	if (err == OK)
		err = build_workers(b, raw);
	if (err == OK)
		err = build_access(b, raw);
	if (err == OK)
		err = build_trusted(b, raw);
	if (err == OK)
		err = build_response_rate(b, raw->access.response_rate);
	if (err == OK)
		err = read_string(b, "identity", raw->identity, &s->identity);
	if (err == OK)
		err = read_string(b, "version", raw->version, &s->version);
	if (err == OK)
		err = config_read_bool(b, "answer-non-recursive", raw->answer_non_recursive,
				       &s->answer_norecurse);
	return err;
}

/* ---- cache ---- */

/* Relative to what, the daemon could not say. */
static enum err build_path(struct config_build *b, const char *word)
{
	if (!word)
		word = config_value_directory("STATE_DIRECTORY", RESOLVERD_STATEDIR);
	size_t len = strlen(word);
	if (word[0] != '/' || len > CONFIG_PATH_MAX)
		return config_refuse(b, "cache.path", "\"%.200s\" is not an absolute path", word);
	struct span copy = arena_copy(&b->config->arena, span_of(word, len + 1));
	b->config->state_path = (const char *)copy.at;
	return copy.at ? OK : ERR_NO_MEMORY;
}

static enum err build_disk(struct config_build *b, const char *word)
{
	uint64_t bytes = DISK_DEFAULT;

	if (word && strcmp(word, "off") == 0)
		bytes = 0;
	else if (word && !config_value_size(word, &bytes))
		return config_refuse(b, "cache.disk", "\"%s\" is not a size such as 1G", word);
	if ((bytes > 0 && bytes < DISK_MIN) || bytes > SIZE_MAX / 2)
		return config_refuse(b, "cache.disk", "at least %dM are expected, or off",
				     DISK_MIN >> 20);
	b->config->disk_bytes = (size_t)bytes;
	return OK;
}

static enum err build_cache(struct config_build *b, const struct raw_config *raw)
{
	struct settings *s = &b->config->settings;
	enum err err = build_path(b, raw->cache.path);

	if (err == OK)
		err = read_seconds(b, "cache.min-ttl", raw->cache.min_ttl, &s->min_ttl_s);
	if (err == OK)
		err = read_seconds(b, "cache.max-ttl", raw->cache.max_ttl, &s->max_ttl_s);
	if (err == OK)
		err = read_seconds(b, "cache.max-negative-ttl", raw->cache.max_negative_ttl,
				   &s->max_negative_ttl_s);
	if (err == OK && s->min_ttl_s > s->max_ttl_s)
		return config_refuse(b, "cache.min-ttl", "%u is above max-ttl, %u", s->min_ttl_s,
				     s->max_ttl_s);
	return err == OK ? build_disk(b, raw->cache.disk) : err;
}

/* ---- resolution ---- */

static enum err build_client_timeout(struct config_build *b, const struct raw_config *raw)
{
	struct settings *s = &b->config->settings;
	enum err err = read_ms(b, "resolution.client-timeout", raw->resolution.client_timeout,
			       &s->client_ms);

	if (err == OK && (s->client_ms < LIMIT_CLIENT_MIN_MS || s->client_ms > LIMIT_QUERY_MS))
		return config_refuse(
			b, "resolution.client-timeout", "\"%s\" is not between %u ms and %u s",
			raw->resolution.client_timeout, LIMIT_CLIENT_MIN_MS, LIMIT_QUERY_MS / 1000);
	return err;
}

static enum err build_resolution(struct config_build *b, const struct raw_config *raw)
{
	static const char *const words[] = {[MINIMIZE_OFF] = "off",
					    [MINIMIZE_RELAXED] = "relaxed",
					    [MINIMIZE_STRICT] = "strict"};
	struct config *c = b->config;
	struct settings *s = &c->settings;
	const char *minimization = raw->resolution.qname_minimization;
	uint64_t port = s->upstream_port;
	size_t i = 0;

	while (minimization && i < ARRAY_LEN(words) && strcmp(minimization, words[i]) != 0)
		i++;
	if (i == ARRAY_LEN(words))
		return config_refuse(b, "resolution.qname-minimization",
				     "\"%s\" is none of off, relaxed, strict", minimization);
	if (minimization)
		s->minimization = (enum minimization)i;
	if (raw->resolution.port &&
	    !config_value_number(raw->resolution.port, 1, UINT16_MAX, &port))
		return config_refuse(b, "resolution.port", "\"%s\" is not a port",
				     raw->resolution.port);
	s->upstream_port = (uint16_t)port;
	c->ipv6_auto = true;
	enum err err =
		read_family(b, "resolution.ipv4", raw->resolution.ipv4, &s->ipv4, &c->ipv4_auto);
	if (err == OK)
		err = read_family(b, "resolution.ipv6", raw->resolution.ipv6, &s->ipv6,
				  &c->ipv6_auto);
	if (err == OK && !s->ipv4 && !s->ipv6)
		return config_refuse(b, "resolution", "neither ipv4 nor ipv6 is left");
	if (err == OK)
		err = config_read_bool(b, "resolution.harden-glue", raw->resolution.harden_glue,
				       &s->harden_glue);
	if (err == OK)
		err = config_ask_build(b, raw);
	if (err == OK)
		err = config_read_bool(b, "resolution.prime", raw->resolution.prime, &s->prime);
	return err == OK ? build_client_timeout(b, raw) : err;
}

/* ---- log, stale answers ---- */

static enum err build_log(struct config_build *b, const struct raw_config *raw)
{
	struct config *c = b->config;
	char wrong[QUERY_FILTER_WORD_MAX];

	c->log_level = LOG_LEVEL_INFO;
	if (raw->log.level && !log_level_parse(raw->log.level, &c->log_level))
		return config_refuse(b, "log.level",
				     "\"%s\" is none of error, warning, notice, info, debug",
				     raw->log.level);
	if (raw->log.queries && query_filter_parse(raw->log.queries, &c->log_queries, wrong) != OK)
		return config_refuse(b, "log.queries",
				     "\"%s\" is neither true nor false nor one of client=PREFIX, "
				     "name=NAME, rcode=RCODE, slower=TIME, sample=NUMBER",
				     wrong);
	return OK;
}

static enum err build_stale(struct config_build *b, const struct raw_config *raw)
{
	struct settings *s = &b->config->settings;
	enum err err = config_read_bool(b, "serve-stale.enabled", raw->serve_stale.enabled,
					&s->stale_enabled);

	if (err == OK)
		err = read_ms(b, "serve-stale.answer-after", raw->serve_stale.answer_after,
			      &s->stale_answer_after_ms);
	if (err == OK)
		err = read_seconds(b, "serve-stale.max-age", raw->serve_stale.max_age,
				   &s->stale_max_age_s);
	if (err == OK)
		err = read_seconds(b, "serve-stale.ttl", raw->serve_stale.ttl, &s->stale_ttl_s);
	return err;
}

/* ---- all ---- */

enum err config_build(struct config_build *b, const struct raw_config *raw)
{
	static enum err (*const parts[])(struct config_build *, const struct raw_config *) = {
		build_service,
		config_node_local_build,
		build_cache,
		build_resolution,
		build_log,
		build_stale,
		config_hints_build,
		config_anchors_build,
		config_zones_build,
		config_console_build,
		config_sandbox_build,
		config_prefetch_build,
		config_memory_build,
	};

	settings_init(&b->config->settings);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		enum err err = parts[i](b, raw);
		if (err != OK)
			return err;
	}
	return settings_finish(&b->config->settings, &b->config->arena);
}
