#include "config/config.h"

#include <cyaml/cyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/raw.h"

/* ---- the keys ---- */

/* Longest word: a DNSKEY or TXT record in presentation form. */
enum { WORD_MAX = 65536 * 4, LIST_MAX = 100000, ZONES_MAX = 4096 };

#define GIVEN (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define WORD(key, type, member) CYAML_FIELD_STRING_PTR(key, GIVEN, type, member, 0, WORD_MAX)
#define LIST(key, type, member)                                                                    \
	CYAML_FIELD_SEQUENCE(key, GIVEN, type, member, &word_schema, 0, LIST_MAX)
#define GROUP(key, member, fields)                                                                 \
	CYAML_FIELD_MAPPING(key, CYAML_FLAG_OPTIONAL, struct raw_config, member, fields)
#define ZONES(key, member, schema)                                                                 \
	CYAML_FIELD_SEQUENCE(key, GIVEN, struct raw_config, member, schema, 0, ZONES_MAX)
/* A key inside a group. Offsets are counted from the group's own place. */
#define MEMBER_OF(group) __typeof__(((struct raw_config *)NULL)->group)

static const cyaml_schema_value_t word_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, WORD_MAX)};

typedef MEMBER_OF(access) raw_access;
typedef MEMBER_OF(node_local) raw_node_local;
typedef MEMBER_OF(control) raw_control;
typedef MEMBER_OF(metrics) raw_metrics;
typedef MEMBER_OF(cache) raw_cache;
typedef MEMBER_OF(dnssec) raw_dnssec;
typedef MEMBER_OF(resolution) raw_resolution;
typedef MEMBER_OF(prefetch) raw_prefetch;
typedef MEMBER_OF(serve_stale) raw_serve_stale;
typedef MEMBER_OF(log) raw_log;
typedef MEMBER_OF(sandbox) raw_sandbox;
typedef MEMBER_OF(recorder) raw_recorder;
typedef MEMBER_OF(memory) raw_memory;

static const cyaml_schema_field_t access_fields[] = {
	LIST("allow", raw_access, allow),
	LIST("deny", raw_access, deny),
	LIST("trusted", raw_access, trusted),
	WORD("response-rate", raw_access, response_rate),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t node_local_fields[] = {
	WORD("interface", raw_node_local, interface),
	LIST("addresses", raw_node_local, addresses),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t control_fields[] = {
	WORD("socket", raw_control, socket),
	WORD("group", raw_control, group),
	WORD("readonly", raw_control, readonly),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t metrics_fields[] = {
	LIST("listen", raw_metrics, listen),
	LIST("health", raw_metrics, health),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t memory_fields[] = {
	WORD("limit", raw_memory, limit),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t cache_fields[] = {
	WORD("path", raw_cache, path),
	WORD("memory", raw_cache, memory),
	WORD("disk", raw_cache, disk),
	WORD("min-ttl", raw_cache, min_ttl),
	WORD("max-ttl", raw_cache, max_ttl),
	WORD("max-negative-ttl", raw_cache, max_negative_ttl),
	CYAML_FIELD_END,
};

/* trust-anchors is a word or a list, which one schema cannot say: two of them. */
#define DNSSEC_FIELDS                                                                              \
	WORD("enabled", raw_dnssec, enabled),                                                      \
		WORD("aggressive-nsec", raw_dnssec, aggressive_nsec),                              \
		WORD("accept-sha1", raw_dnssec, accept_sha1),                                      \
		WORD("auto-trust-anchors", raw_dnssec, auto_anchors),                              \
		LIST("negative-trust-anchors", raw_dnssec, negative_anchors)

static const cyaml_schema_field_t dnssec_word_fields[] = {
	DNSSEC_FIELDS,
	WORD("trust-anchors", raw_dnssec, anchors_word),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t dnssec_list_fields[] = {
	DNSSEC_FIELDS,
	LIST("trust-anchors", raw_dnssec, anchors),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t resolution_fields[] = {
	WORD("qname-minimization", raw_resolution, qname_minimization),
	WORD("ipv4", raw_resolution, ipv4),
	WORD("ipv6", raw_resolution, ipv6),
	WORD("harden-glue", raw_resolution, harden_glue),
	WORD("query-loopback", raw_resolution, query_loopback),
	LIST("do-query", raw_resolution, do_query),
	LIST("do-not-query", raw_resolution, do_not_query),
	LIST("no-0x20", raw_resolution, no_case),
	WORD("port", raw_resolution, port),
	WORD("prime", raw_resolution, prime),
	WORD("client-timeout", raw_resolution, client_timeout),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t forward_zone_fields[] = {
	WORD("name", struct zone_words, name),
	LIST("servers", struct zone_words, servers),
	WORD("transport", struct zone_words, transport),
	WORD("rate-limit", struct zone_words, rate_limit),
	LIST("only", struct zone_words, only),
	WORD("fallback", struct zone_words, fallback),
	WORD("insecure", struct zone_words, insecure),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t forward_zone_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct zone_words, forward_zone_fields)};

static const cyaml_schema_field_t stub_zone_fields[] = {
	WORD("name", struct zone_words, name),
	LIST("servers", struct zone_words, servers),
	WORD("transport", struct zone_words, transport),
	WORD("rate-limit", struct zone_words, rate_limit),
	WORD("insecure", struct zone_words, insecure),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t stub_zone_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct zone_words, stub_zone_fields)};

static const cyaml_schema_field_t local_zone_fields[] = {
	WORD("name", struct raw_local_zone, name),
	WORD("action", struct raw_local_zone, action),
	LIST("records", struct raw_local_zone, records),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t local_zone_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_local_zone, local_zone_fields)};

/* The same keys of all names and of a zone. */
#define PREFETCH_RULE(type)                                                                        \
	WORD("min-hits", type, rule.min_hits), WORD("window", type, rule.window),                  \
		WORD("remaining", type, rule.remaining), WORD("min-yield", type, rule.min_yield),  \
		WORD("hold", type, rule.hold), WORD("max-staleness", type, rule.max_staleness),    \
		WORD("flip-guard", type, rule.flip_guard)

static const cyaml_schema_field_t prefetch_zone_fields[] = {
	WORD("name", struct raw_prefetch_zone, name),
	PREFETCH_RULE(struct raw_prefetch_zone),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t prefetch_zone_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_prefetch_zone, prefetch_zone_fields)};

static const cyaml_schema_field_t prefetch_fields[] = {
	WORD("enabled", raw_prefetch, enabled),
	PREFETCH_RULE(raw_prefetch),
	WORD("ttl-spread", raw_prefetch, ttl_spread),
	WORD("max-rate", raw_prefetch, max_rate),
	WORD("max-names", raw_prefetch, max_names),
	CYAML_FIELD_SEQUENCE("zones", GIVEN, raw_prefetch, zones, &prefetch_zone_schema, 0,
			     ZONES_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t serve_stale_fields[] = {
	WORD("enabled", raw_serve_stale, enabled),
	WORD("answer-after", raw_serve_stale, answer_after),
	WORD("max-age", raw_serve_stale, max_age),
	WORD("ttl", raw_serve_stale, ttl),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t log_fields[] = {
	WORD("level", raw_log, level),
	WORD("queries", raw_log, queries),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t sandbox_fields[] = {
	WORD("enabled", raw_sandbox, enabled),
	WORD("user", raw_sandbox, user),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t recorder_fields[] = {
	WORD("memory", raw_recorder, memory),
	WORD("slow", raw_recorder, slow),
	WORD("redact", raw_recorder, redact),
	CYAML_FIELD_END,
};

#define TOP_FIELDS(dnssec_fields)                                                                  \
	{                                                                                          \
		LIST("listen", struct raw_config, listen),                                         \
			WORD("workers", struct raw_config, workers),                               \
			WORD("identity", struct raw_config, identity),                             \
			WORD("version", struct raw_config, version),                               \
			WORD("root-hints", struct raw_config, root_hints),                         \
			WORD("special-zones", struct raw_config, special_zones),                   \
			WORD("answer-non-recursive", struct raw_config, answer_non_recursive),     \
			GROUP("node-local", node_local, node_local_fields),                        \
			GROUP("access", access, access_fields),                                    \
			GROUP("control", control, control_fields),                                 \
			GROUP("metrics", metrics, metrics_fields),                                 \
			GROUP("memory", memory, memory_fields),                                    \
			GROUP("cache", cache, cache_fields),                                       \
			GROUP("dnssec", dnssec, dnssec_fields),                                    \
			GROUP("resolution", resolution, resolution_fields),                        \
			ZONES("forward-zones", forward_zones, &forward_zone_schema),               \
			ZONES("stub-zones", stub_zones, &stub_zone_schema),                        \
			ZONES("local-zones", local_zones, &local_zone_schema),                     \
			GROUP("prefetch", prefetch, prefetch_fields),                              \
			GROUP("serve-stale", serve_stale, serve_stale_fields),                     \
			GROUP("log", log, log_fields), GROUP("sandbox", sandbox, sandbox_fields),  \
			GROUP("recorder", recorder, recorder_fields), CYAML_FIELD_END,             \
	}

static const cyaml_schema_field_t fields_with_word[] = TOP_FIELDS(dnssec_word_fields);
static const cyaml_schema_field_t fields_with_list[] = TOP_FIELDS(dnssec_list_fields);

static const cyaml_schema_value_t schema_with_word = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, fields_with_word)};
static const cyaml_schema_value_t schema_with_list = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, fields_with_list)};

/* ---- what libcyaml complains about ---- */

/* It says what is wrong in one line and then, from the inside out, where: collected here. */
struct complaint {
	char what[256];
	char key[CONFIG_KEY_MAX];
};

static void add_step(struct complaint *c, const char *step)
{
	char inner[CONFIG_KEY_MAX];

	memcpy(inner, c->key, sizeof(inner));
	(void)snprintf(c->key, sizeof(c->key), "%.70s%s%.80s", step,
		       *inner && *inner != '[' ? "." : "", inner);
}

static void __attribute__((format(printf, 3, 0)))
hear(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
	struct complaint *c = context;
	char line[512], field[128], step[32];
	unsigned entry;

	(void)level;
	(void)vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "  in mapping field '%120[^']'", field) == 1) {
		add_step(c, field);
	} else if (sscanf(line, "  in sequence entry '%u'", &entry) == 1) {
		(void)snprintf(step, sizeof(step), "[%u]", entry > 0 ? entry - 1 : 0);
		add_step(c, step);
	} else if (strncmp(line, "Load: ", 6) == 0 && !strstr(line, "Backtrace") && !*c->what) {
		(void)snprintf(c->what, sizeof(c->what), "%.240s", line + 6);
	}
}

/* The operator's words for it. */
static enum err tell(const struct config_source *source, cyaml_err_t err, struct complaint *c,
		     struct config_error *error)
{
	/* A parser that cannot say what is wrong had no memory. */
	if (strstr(c->what, "(null)") || err == CYAML_ERR_LIBYAML_PARSER_INIT ||
	    err == CYAML_ERR_LIBYAML_EVENT_INIT)
		return ERR_NO_MEMORY;
	static const struct {
		const char *theirs, *ours;
	} words[] = {
		{"Mapping field already seen", "given twice"},
		{"Expecting SEQUENCE", "a list is expected"},
		{"Expecting MAPPING", "keys and values are expected"},
		{"Expecting STRING", "a single value is expected"},
		{"Excessive entries", "too many entries"},
		{"STRING length", "the value is too long"},
	};
	char key[CONFIG_KEY_MAX];
	const char *message = *c->what ? c->what : cyaml_strerror(err);

	if (sscanf(c->what, "Unexpected key: %70[^\n]", key) == 1) {
		char outer[CONFIG_KEY_MAX];
		memcpy(outer, c->key, sizeof(outer));
		(void)snprintf(c->key, sizeof(c->key), "%.80s%s%.70s", outer, *outer ? "." : "",
			       key);
		return config_source_refuse(source, c->key, "unknown key", error);
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strncmp(c->what, words[i].theirs, strlen(words[i].theirs)) == 0)
			message = words[i].ours;
	return config_source_refuse(source, c->key, message, error);
}

/* ---- loading ---- */

static enum err build(const struct config_source *source, const struct raw_config *raw,
		      struct config **out, struct config_error *error)
{
	struct config *c = calloc(1, sizeof(*c));
	struct config_build b = {.config = c, .source = source, .error = error};

	if (!c)
		return ERR_NO_MEMORY;
	arena_init(&c->arena, CONFIG_ARENA_MAX);
	enum err err = config_build(&b, raw);
	if (err != OK) {
		config_free(c);
		return err;
	}
	*out = c;
	return OK;
}

static enum err load_source(const struct config_source *source, struct config **out,
			    struct config_error *error)
{
	struct complaint complaint = {0};
	cyaml_config_t how = {
		.log_fn = hear,
		.log_ctx = &complaint,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS, /* no short text may stand for a long one */
	};
	const cyaml_schema_value_t *schema = config_source_is_list(source, "dnssec.trust-anchors")
						     ? &schema_with_list
						     : &schema_with_word;
	struct raw_config nothing = {0}, *raw = NULL;
	struct span text = config_source_text(source);

	if (config_source_is_empty(source))
		return build(source, &nothing, out, error);
	cyaml_err_t err =
		cyaml_load_data(text.at, text.len, &how, schema, (cyaml_data_t **)&raw, NULL);
	if (err == CYAML_ERR_OOM)
		return ERR_NO_MEMORY;
	if (err != CYAML_OK)
		return tell(source, err, &complaint, error);
	enum err result = build(source, raw ? raw : &nothing, out, error);
	cyaml_free(&how, schema, raw, 0);
	return result;
}

enum err config_load_text(const char *name, struct span text, struct config **out,
			  struct config_error *error)
{
	struct config_source *source;
	enum err err = config_source_new(name, text, &source, error);

	if (err == OK) {
		err = load_source(source, out, error);
		config_source_free(source);
	}
	if (err == ERR_NO_MEMORY)
		(void)snprintf(error->line, sizeof(error->line), "%s: out of memory", name);
	return err;
}

enum err config_load(const char *path, struct config **out, struct config_error *error)
{
	struct span text = {0};

	if (!path)
		return config_load_text("defaults", span_of("", 0), out, error);
	enum err err = config_source_read(path, &text, error);
	if (err == ERR_NO_MEMORY)
		(void)snprintf(error->line, sizeof(error->line), "%s: out of memory", path);
	if (err != OK)
		return err;
	err = config_load_text(path, text, out, error);
	free((void *)(uintptr_t)text.at);
	return err;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	arena_deinit(&c->arena);
	free(c);
}
