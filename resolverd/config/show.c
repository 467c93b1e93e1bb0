#include "config/show.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum { VALUE_MAX = DNAME_TEXT_MAX, KEY_MAX = DNAME_TEXT_MAX + 64, PERMILLE = 1000 };

struct show {
	const struct snapshot *snapshot;
	config_show_fn *tell;
	void *context;
	size_t told;
};

static void PRINTF_LIKE(3, 4) tell(struct show *show, const char *key, const char *format, ...)
{
	char value[VALUE_MAX];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	show->tell(show->context, key, value);
	show->told++;
}

static const char *yes_no(bool value)
{
	return value ? "true" : "false";
}

/* ---- words for what is not a number ---- */

static void tell_endpoints(struct show *show, const char *key, const struct endpoint *e,
			   size_t count)
{
	char text[ENDPOINT_TEXT_SIZE];

	for (size_t i = 0; i < count; i++)
		tell(show, key, "%s", endpoint_text(&e[i], text));
}

static void tell_interfaces(struct show *show, const char *key, const struct config_interface *list,
			    size_t count)
{
	for (size_t i = 0; i < count; i++)
		tell(show, key, "%s:%u", list[i].name, list[i].port);
}

static void tell_prefix(struct show *show, const char *key, const struct endpoint_prefix *p)
{
	struct endpoint e = endpoint_of(span_of(p->addr, p->family == 4 ? 4 : 16), 0);
	char text[ENDPOINT_TEXT_SIZE];

	/* "192.0.2.0:0" or "[2001:db8::]:0", of which the address is wanted. */
	endpoint_text(&e, text);
	*strrchr(text, ':') = '\0';
	bool bracket = text[0] == '[';
	text[strcspn(text, "]")] = '\0';
	tell(show, key, "%s/%u", text + bracket, p->bits);
}

/* Those that allow, or those that do not. */
static void tell_rules(struct show *show, const char *key, const struct access_rule *rules,
		       size_t count, bool allow)
{
	for (size_t i = 0; i < count; i++)
		if (rules[i].allow == allow)
			tell_prefix(show, key, &rules[i].prefix);
}

static void tell_names(struct show *show, const char *key, const uint8_t *const *names,
		       size_t count)
{
	char text[DNAME_TEXT_MAX];

	for (size_t i = 0; i < count; i++)
		tell(show, key, "%s", dname_text(names[i], text));
}

/* ---- lists, and what is no plain field ---- */

/* Tells nothing where nothing is set. */
typedef void special_fn(struct show *show, const char *key);

static void show_listen(struct show *show, const char *key)
{
	const struct config *c = show->snapshot->config;

	tell_endpoints(show, key, c->listen, c->listen_count);
	tell_interfaces(show, key, c->listen_interfaces, c->listen_interface_count);
}

static void show_root_hints(struct show *show, const char *key)
{
	const struct config *c = show->snapshot->config;

	tell(show, key, "%s (%u name servers)", c->hints_path ? c->hints_path : "builtin",
	     (unsigned)show->snapshot->settings.hints.count);
}

static void show_special_zones(struct show *show, const char *key)
{
	const struct settings *s = &show->snapshot->settings;
	bool any = false;

	for (size_t i = 0; i < s->local_zone_count && !any; i++)
		any = s->local_zones[i].builtin;
	tell(show, key, "%s", yes_no(any));
}

static void show_node_interface(struct show *show, const char *key)
{
	const struct config_node_local *n = &show->snapshot->config->node_local;

	if (n->count > 0)
		tell(show, key, "%s", n->interface);
}

static void show_node_addresses(struct show *show, const char *key)
{
	const struct config_node_local *n = &show->snapshot->config->node_local;

	tell_endpoints(show, key, n->addresses, n->count);
}

static void show_allow(struct show *show, const char *key)
{
	const struct settings *s = &show->snapshot->settings;

	tell_rules(show, key, s->access, s->access_count, true);
}

static void show_deny(struct show *show, const char *key)
{
	const struct settings *s = &show->snapshot->settings;

	tell_rules(show, key, s->access, s->access_count, false);
}

static void show_trusted(struct show *show, const char *key)
{
	const struct settings *s = &show->snapshot->settings;

	for (size_t i = 0; i < s->trusted_count; i++)
		tell_prefix(show, key, &s->trusted[i].prefix);
}

static void show_metrics_listen(struct show *show, const char *key)
{
	const struct config *c = show->snapshot->config;

	tell_endpoints(show, key, c->metrics_listen, c->metrics_listen_count);
	tell_interfaces(show, key, c->metrics_interfaces, c->metrics_interface_count);
}

static void show_metrics_health(struct show *show, const char *key)
{
	const struct config *c = show->snapshot->config;

	tell_endpoints(show, key, c->metrics_health, c->metrics_health_count);
}

static void show_anchors(struct show *show, const char *key)
{
	const struct settings *s = &show->snapshot->settings;
	char text[DNAME_TEXT_MAX];

	for (size_t i = 0; i < s->anchor_count; i++)
		tell(show, key, "%s, %u keys", dname_text(s->anchors[i].zone, text),
		     s->anchors[i].key_count);
}

static void show_auto_anchors(struct show *show, const char *key)
{
	const struct settings *s = &show->snapshot->settings;
	bool any = false;

	for (size_t i = 0; i < s->anchor_count && !any; i++)
		any = s->anchors[i].managed;
	tell(show, key, "%s", yes_no(any));
}

static void show_negative_anchors(struct show *show, const char *key)
{
	const struct settings *s = &show->snapshot->settings;

	tell_names(show, key, s->negative_anchors, s->negative_anchor_count);
}

static void tell_family(struct show *show, const char *key, bool automatic, bool on)
{
	tell(show, key, "%s", automatic ? "auto" : yes_no(on));
}

static void show_ipv4(struct show *show, const char *key)
{
	tell_family(show, key, show->snapshot->config->ipv4_auto, show->snapshot->settings.ipv4);
}

static void show_ipv6(struct show *show, const char *key)
{
	tell_family(show, key, show->snapshot->config->ipv6_auto, show->snapshot->settings.ipv6);
}

static bool is_loopback(const struct access_rule *rule)
{
	struct access_rule loopback[SETTINGS_ACCESS_WORD_MAX];
	size_t count = settings_access_word("loopback", true, loopback, ARRAY_LEN(loopback));

	for (size_t i = 0; i < count; i++)
		if (rule->allow &&
		    memcmp(&rule->prefix, &loopback[i].prefix, sizeof(rule->prefix)) == 0)
			return true;
	return false;
}

/* It says the same as do-query of two networks. */
static void show_query_loopback(struct show *show, const char *key)
{
	const struct settings *s = &show->snapshot->settings;
	bool any = false;

	for (size_t i = 0; i < s->ask_count && !any; i++)
		any = is_loopback(&s->ask[i]);
	tell(show, key, "%s", yes_no(any));
}

static void show_do_query(struct show *show, const char *key)
{
	const struct settings *s = &show->snapshot->settings;

	tell_rules(show, key, s->ask, s->ask_count, true);
}

static void show_do_not_query(struct show *show, const char *key)
{
	const struct settings *s = &show->snapshot->settings;

	tell_rules(show, key, s->ask, s->ask_count, false);
}

static void show_no_case(struct show *show, const char *key)
{
	const struct settings *s = &show->snapshot->settings;

	tell_names(show, key, s->no_case_zones, s->no_case_zone_count);
	for (size_t i = 0; i < s->no_case_server_count; i++)
		tell_prefix(show, key, &s->no_case_servers[i]);
}

static void show_log_level(struct show *show, const char *key)
{
	static const char *const levels[] = {"error", "warning", "notice", "info", "debug"};

	tell(show, key, "%s", levels[log_get_level()]);
}

static void show_log_queries(struct show *show, const char *key)
{
	char text[QUERY_FILTER_TEXT_MAX];

	tell(show, key, "%s", query_filter_text(&show->snapshot->queries, text));
}

/* ---- keys that are one field each ---- */

enum unit {
	UNIT_BOOL,   /* bool */
	UNIT_NUMBER, /* uint32_t, as the next three */
	UNIT_SECONDS,
	UNIT_MS,
	UNIT_PERMILLE,
	UNIT_AGE,     /* seconds; UINT32_MAX: none */
	UNIT_PORT,    /* uint16_t */
	UNIT_PERCENT, /* uint8_t */
	UNIT_PART,    /* the same; 0: auto */
	UNIT_KBYTES,  /* size_t, of bytes */
	UNIT_WORD,    /* const char *; NULL: none */
	UNIT_MINIMIZATION,
	UNIT_READONLY,
};

static const char *word_of(unsigned choice, const char *const *words, size_t count)
{
	return choice < count ? words[choice] : "?";
}

static void tell_number(struct show *show, const char *key, enum unit unit, uint32_t number)
{
	switch (unit) {
	case UNIT_SECONDS:
		tell(show, key, "%us", number);
		break;
	case UNIT_MS:
		tell(show, key, "%ums", number);
		break;
	case UNIT_PERMILLE:
		tell(show, key, "%u.%03u", number / PERMILLE, number % PERMILLE);
		break;
	case UNIT_AGE:
		if (number < UINT32_MAX)
			tell(show, key, "%us", number);
		break;
	default:
		tell(show, key, "%u", number);
	}
}

/* The value at FIELD, which is of UNIT's type. */
static void tell_field(struct show *show, const char *key, enum unit unit, const void *field)
{
	static const char *const minimizations[] = {"off", "relaxed", "strict"};
	static const char *const readonlys[] = {"none", "group", "all"};
	unsigned part;

	switch (unit) {
	case UNIT_BOOL:
		tell(show, key, "%s", yes_no(*(const bool *)field));
		break;
	case UNIT_PORT:
		tell(show, key, "%u", *(const uint16_t *)field);
		break;
	case UNIT_PERCENT:
		tell(show, key, "%u%%", *(const uint8_t *)field);
		break;
	case UNIT_PART:
		part = *(const uint8_t *)field;
		if (part > 0)
			tell(show, key, "%u%%", part);
		else
			tell(show, key, "auto");
		break;
	case UNIT_KBYTES:
		tell(show, key, "%zuK", *(const size_t *)field >> 10);
		break;
	case UNIT_WORD:
		if (*(const char *const *)field)
			tell(show, key, "%s", *(const char *const *)field);
		break;
	case UNIT_MINIMIZATION:
		tell(show, key, "%s",
		     word_of(*(const enum minimization *)field, minimizations,
			     ARRAY_LEN(minimizations)));
		break;
	case UNIT_READONLY:
		tell(show, key, "%s",
		     word_of(*(const enum config_readonly *)field, readonlys,
			     ARRAY_LEN(readonlys)));
		break;
	default:
		tell_number(show, key, unit, *(const uint32_t *)field);
	}
}

/* ---- zones ---- */

/* "LIST[ZONE.].KEY". */
static const char *zone_key(char out[static KEY_MAX], const char *list, const uint8_t *zone,
			    const char *key)
{
	char name[DNAME_TEXT_MAX];

	(void)snprintf(out, KEY_MAX, "%s[%s].%s", list, dname_text(zone, name), key);
	return out;
}

static void tell_zone(struct show *show, const char *list, const struct settings_zone *z)
{
	char key[KEY_MAX], name[DNAME_TEXT_MAX];

	tell(show, list, "%s", dname_text(z->name, name));
	tell_endpoints(show, zone_key(key, list, z->name, "servers"), z->servers, z->server_count);
	tell(show, zone_key(key, list, z->name, "transport"), "%s", z->tcp ? "tcp" : "udp");
	tell(show, zone_key(key, list, z->name, "rate-limit"), "%u", z->rate_limit);
	tell(show, zone_key(key, list, z->name, "insecure"), "%s", yes_no(z->insecure));
	if (!z->forward)
		return;
	tell(show, zone_key(key, list, z->name, "fallback"), "%s", yes_no(z->fallback));
	for (size_t i = 0; i < z->only_count; i++)
		tell(show, zone_key(key, list, z->name, "only"), "%s", z->only[i]);
}

static void show_forward_zones(struct show *show, const char *key)
{
	const struct settings *s = &show->snapshot->settings;

	for (size_t i = 0; i < s->zone_count; i++)
		if (s->zones[i].forward)
			tell_zone(show, key, &s->zones[i]);
}

static void show_stub_zones(struct show *show, const char *key)
{
	const struct settings *s = &show->snapshot->settings;

	for (size_t i = 0; i < s->zone_count; i++)
		if (!s->zones[i].forward)
			tell_zone(show, key, &s->zones[i]);
}

static void show_local_zones(struct show *show, const char *list)
{
	static const char *const actions[] = {"static", "refuse", "transparent", "nodata"};
	const struct settings *s = &show->snapshot->settings;
	char key[KEY_MAX], name[DNAME_TEXT_MAX];

	for (size_t i = 0; i < s->local_zone_count; i++) {
		const struct local_zone *z = &s->local_zones[i];
		if (z->builtin)
			continue;
		tell(show, list, "%s", dname_text(z->name, name));
		tell(show, zone_key(key, list, z->name, "action"), "%s",
		     word_of(z->action, actions, ARRAY_LEN(actions)));
		tell(show, zone_key(key, list, z->name, "records"), "%zu RRsets", z->set_count);
	}
}

/* What prefetch says for all, and prefetch.zones for one. */
static const struct {
	const char *key;
	enum unit unit;
	size_t at;
} rule_rows[] = {
#define RULE(key, unit, member)                                                                    \
	{                                                                                          \
		key, UNIT_##unit, offsetof(struct prefetch_rule, member)                           \
	}
	RULE("min-hits", NUMBER, min_hits),
	RULE("window", SECONDS, window_s),
	RULE("remaining", PART, remaining_percent),
	RULE("min-yield", PERMILLE, min_yield_permille),
	RULE("hold", MS, hold_ms),
	RULE("max-staleness", AGE, max_staleness_s),
	RULE("flip-guard", MS, flip_guard_ms),
#undef RULE
};

static void tell_or_none(struct show *show, const char *key, enum unit unit, const void *field)
{
	size_t before = show->told;

	tell_field(show, key, unit, field);
	if (show->told == before)
		tell(show, key, "none");
}

static void show_prefetch_rule(struct show *show, const char *group)
{
	const struct prefetch_rule *all = &show->snapshot->settings.prefetch.all;
	char key[KEY_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rule_rows); i++) {
		(void)snprintf(key, sizeof(key), "%s.%s", group, rule_rows[i].key);
		tell_or_none(show, key, rule_rows[i].unit, (const char *)all + rule_rows[i].at);
	}
}

static void show_prefetch_zones(struct show *show, const char *list)
{
	const struct prefetch_settings *p = &show->snapshot->settings.prefetch;
	char key[KEY_MAX], name[DNAME_TEXT_MAX];

	for (size_t i = 0; i < p->zone_count; i++) {
		const struct prefetch_rule *z = &p->zones[i];
		tell(show, list, "%s", dname_text(z->name, name));
		for (size_t j = 0; j < ARRAY_LEN(rule_rows); j++)
			tell_or_none(show, zone_key(key, list, z->name, rule_rows[j].key),
				     rule_rows[j].unit, (const char *)z + rule_rows[j].at);
	}
}

/* ---- all keys, in the order of the manual ---- */

static const struct row {
	const char *key;
	special_fn *special; /* NULL: the field */
	bool of_settings;    /* else of the configuration */
	enum unit unit;
	size_t at;
} rows[] = {
#define SPECIAL(key, function)                                                                     \
	{                                                                                          \
		key, function, false, 0, 0                                                         \
	}
#define CONFIG(key, unit, member)                                                                  \
	{                                                                                          \
		key, NULL, false, UNIT_##unit, offsetof(struct config, member)                     \
	}
#define SETTING(key, unit, member)                                                                 \
	{                                                                                          \
		key, NULL, true, UNIT_##unit, offsetof(struct settings, member)                    \
	}
	SPECIAL("listen", show_listen),
	CONFIG("workers", NUMBER, workers),
	SETTING("identity", WORD, identity),
	SETTING("version", WORD, version),
	SPECIAL("root-hints", show_root_hints),
	SPECIAL("special-zones", show_special_zones),
	SETTING("answer-non-recursive", BOOL, answer_norecurse),
	SPECIAL("node-local.interface", show_node_interface),
	SPECIAL("node-local.addresses", show_node_addresses),
	SPECIAL("access.allow", show_allow),
	SPECIAL("access.deny", show_deny),
	SPECIAL("access.trusted", show_trusted),
	SETTING("access.response-rate", NUMBER, response_rate),
	CONFIG("control.socket", WORD, control_socket),
	CONFIG("control.group", WORD, control_group),
	CONFIG("control.readonly", READONLY, control_readonly),
	SPECIAL("metrics.listen", show_metrics_listen),
	SPECIAL("metrics.health", show_metrics_health),
	CONFIG("memory.limit", KBYTES, memory_limit),
	CONFIG("cache.path", WORD, state_path),
	CONFIG("cache.memory", KBYTES, memory_bytes),
	CONFIG("cache.disk", KBYTES, disk_bytes),
	SETTING("cache.min-ttl", SECONDS, min_ttl_s),
	SETTING("cache.max-ttl", SECONDS, max_ttl_s),
	SETTING("cache.max-negative-ttl", SECONDS, max_negative_ttl_s),
	SETTING("dnssec.enabled", BOOL, dnssec),
	SETTING("dnssec.aggressive-nsec", BOOL, aggressive_nsec),
	SETTING("dnssec.accept-sha1", BOOL, accept_sha1),
	SPECIAL("dnssec.trust-anchors", show_anchors),
	SPECIAL("dnssec.auto-trust-anchors", show_auto_anchors),
	SPECIAL("dnssec.negative-trust-anchors", show_negative_anchors),
	SETTING("resolution.qname-minimization", MINIMIZATION, minimization),
	SPECIAL("resolution.ipv4", show_ipv4),
	SPECIAL("resolution.ipv6", show_ipv6),
	SETTING("resolution.harden-glue", BOOL, harden_glue),
	SPECIAL("resolution.query-loopback", show_query_loopback),
	SPECIAL("resolution.do-query", show_do_query),
	SPECIAL("resolution.do-not-query", show_do_not_query),
	SPECIAL("resolution.no-0x20", show_no_case),
	SETTING("resolution.port", PORT, upstream_port),
	SETTING("resolution.prime", BOOL, prime),
	SETTING("resolution.client-timeout", MS, client_ms),
	SPECIAL("forward-zones", show_forward_zones),
	SPECIAL("stub-zones", show_stub_zones),
	SPECIAL("local-zones", show_local_zones),
	SETTING("prefetch.enabled", BOOL, prefetch.enabled),
	SPECIAL("prefetch", show_prefetch_rule),
	SETTING("prefetch.ttl-spread", PERCENT, prefetch.spread_percent),
	SETTING("prefetch.max-rate", NUMBER, prefetch.max_rate),
	SETTING("prefetch.max-names", NUMBER, prefetch.max_names),
	SPECIAL("prefetch.zones", show_prefetch_zones),
	SETTING("serve-stale.enabled", BOOL, stale_enabled),
	SETTING("serve-stale.answer-after", MS, stale_answer_after_ms),
	SETTING("serve-stale.max-age", SECONDS, stale_max_age_s),
	SETTING("serve-stale.ttl", SECONDS, stale_ttl_s),
	SPECIAL("log.level", show_log_level),
	SPECIAL("log.queries", show_log_queries),
	CONFIG("sandbox.enabled", BOOL, sandbox),
	CONFIG("sandbox.user", WORD, sandbox_user),
	CONFIG("recorder.memory", KBYTES, recorder_bytes),
	CONFIG("recorder.slow", MS, recorder_slow_ms),
	CONFIG("recorder.redact", BOOL, recorder_redact),
#undef SPECIAL
#undef CONFIG
#undef SETTING
};

void config_show(const struct snapshot *s, config_show_fn *tell_fn, void *context)
{
	struct show show = {.snapshot = s, .tell = tell_fn, .context = context};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		const void *whole = r->of_settings ? (const void *)&s->settings : s->config;
		size_t before = show.told;
		if (r->special)
			r->special(&show, r->key);
		else
			tell_field(&show, r->key, r->unit, (const char *)whole + r->at);
		if (show.told == before)
			tell(&show, r->key, "none");
	}
}
