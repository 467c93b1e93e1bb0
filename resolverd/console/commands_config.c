#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "console/commands_words.h"

/* ---- check and reload ---- */

/* The file that is meant, or NULL with the call answered. Only plain files: anything else could
 * keep us waiting. */
static const char *choose_file(const struct commands *c, struct call *call)
{
	const char *path = call_string(call, "path");
	struct stat st;

	if (path && path[0] != '/') {
		call_invalid(call, "path");
		return NULL;
	}
	if (!path)
		path = c->path;
	if (!path)
		call_error(call, "Refused",
			   json_pack("{s:s}", "reason", "the daemon runs without a file"));
	else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		call_error(call, "Refused",
			   json_pack("{s:s}", "reason", "that is not a plain file"));
	else
		return path;
	return NULL;
}

static json_t *notes_json(const struct config *config)
{
	json_t *list = json_array();

	for (const struct config_note *n = config->notes; n; n = n->next)
		words_append(&list, words_text(n->line, strlen(n->line)));
	return list;
}

void commands_config_check(void *context, struct call *call)
{
	const char *path = choose_file(context, call);
	struct config_error error = {0};
	struct config *config;

	if (!path)
		return;
	bool good = config_load(path, &config, &error) == OK;
	json_t *notes = good ? notes_json(config) : json_array();
	if (good)
		config_free(config);
	call_reply(call,
		   json_pack("{s:o, s:o, s:o}", "path", words_text(path, strlen(path)), "problem",
			     good ? json_null() : words_text(error.line, strlen(error.line)),
			     "notes", notes));
}

void commands_config_reload(void *context, struct call *call)
{
	const struct commands *c = context;
	const char *path = c->path ? c->path : "";
	struct config_error error = {0};

	if (c->reload(c->reload_context, &error) != OK) {
		call_error(
			call, "Refused",
			json_pack("{s:o}", "reason", words_text(error.line, strlen(error.line))));
		return;
	}
	json_t *notes = notes_json((*c->snapshot)->config);
	for (size_t i = 0; i < c->restart_count; i++)
		words_append(&notes,
			     json_sprintf("%s is changed only by a restart", c->restart[i]));
	call_reply(call,
		   json_pack("{s:o, s:o}", "path", words_text(path, strlen(path)), "notes", notes));
}

/* ---- show ---- */

static void PRINTF_LIKE(3, 4) add_setting(json_t **list, const char *key, const char *format, ...)
{
	char value[CONFIG_LINE_MAX];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	words_append(list, json_pack("{s:s, s:o}", "key", key, "value",
				     words_text(value, strlen(value))));
}

static const char *yes_no(bool value)
{
	return value ? "true" : "false";
}

static void show_endpoints(json_t **list, const char *key, const struct endpoint *e, size_t count)
{
	char text[ENDPOINT_TEXT_SIZE];

	for (size_t i = 0; i < count; i++)
		add_setting(list, key, "%s", endpoint_text(&e[i], text));
}

/* KEY NULL: as each rule says. */
static void show_networks(json_t **list, const char *key, const struct access_rule *rules,
			  size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct endpoint_prefix *p = &rules[i].prefix;
		const char *said = rules[i].allow ? "access.allow" : "access.deny";
		struct endpoint e = endpoint_of(span_of(p->addr, p->family == 4 ? 4 : 16), 0);
		char text[ENDPOINT_TEXT_SIZE];
		/* "192.0.2.0:0" or "[2001:db8::]:0", of which the address is wanted. */
		endpoint_text(&e, text);
		char *end = strrchr(text, ':');
		*end = '\0';
		bool bracket = text[0] == '[';
		text[strcspn(text, "]")] = '\0';
		add_setting(list, key ? key : said, "%s/%u", text + bracket, p->bits);
	}
}

static void show_service(json_t **list, const struct config *c)
{
	static const char *const levels[] = {"error", "warning", "notice", "info", "debug"};
	static const char *const readonly[] = {"none", "group", "all"};
	char queries[QUERY_FILTER_TEXT_MAX];
	const struct settings *s = &c->settings;

	show_endpoints(list, "listen", c->listen, c->listen_count);
	for (size_t i = 0; i < c->listen_interface_count; i++)
		add_setting(list, "listen", "%s:%u", c->listen_interfaces[i].name,
			    c->listen_interfaces[i].port);
	add_setting(list, "workers", "%u", c->workers);
	if (s->identity)
		add_setting(list, "identity", "%s", s->identity);
	if (s->version)
		add_setting(list, "version", "%s", s->version);
	add_setting(list, "answer-non-recursive", "%s", yes_no(s->answer_norecurse));
	show_networks(list, NULL, s->access, s->access_count);
	show_networks(list, "access.trusted", s->trusted, s->trusted_count);
	add_setting(list, "access.response-rate", "%u", s->response_rate);
	add_setting(list, "control.socket", "%s", c->control_socket ? c->control_socket : "none");
	if (c->control_group)
		add_setting(list, "control.group", "%s", c->control_group);
	add_setting(list, "control.readonly", "%s", readonly[c->control_readonly]);
	show_endpoints(list, "metrics.listen", c->metrics_listen, c->metrics_listen_count);
	for (size_t i = 0; i < c->metrics_interface_count; i++)
		add_setting(list, "metrics.listen", "%s:%u", c->metrics_interfaces[i].name,
			    c->metrics_interfaces[i].port);
	show_endpoints(list, "metrics.health", c->metrics_health, c->metrics_health_count);
	add_setting(list, "log.level", "%s", levels[c->log_level]);
	add_setting(list, "recorder.memory", "%zuK", c->recorder_bytes >> 10);
	add_setting(list, "recorder.slow", "%ums", c->recorder_slow_ms);
	add_setting(list, "recorder.redact", "%s", yes_no(c->recorder_redact));
	add_setting(list, "log.queries", "%s", query_filter_text(&c->log_queries, queries));
}

static void show_resolution(json_t **list, const struct config *c)
{
	static const char *const minimization[] = {"off", "relaxed", "strict"};
	const struct settings *s = &c->settings;

	add_setting(list, "memory.limit", "%zuK", c->memory_limit >> 10);
	add_setting(list, "cache.memory", "%zuK", c->memory_bytes >> 10);
	add_setting(list, "cache.min-ttl", "%us", s->min_ttl_s);
	add_setting(list, "cache.max-ttl", "%us", s->max_ttl_s);
	add_setting(list, "cache.max-negative-ttl", "%us", s->max_negative_ttl_s);
	add_setting(list, "dnssec.enabled", "%s", yes_no(s->dnssec));
	add_setting(list, "dnssec.accept-sha1", "%s", yes_no(s->accept_sha1));
	add_setting(list, "dnssec.aggressive-nsec", "%s", yes_no(s->aggressive_nsec));
	add_setting(list, "resolution.qname-minimization", "%s", minimization[s->minimization]);
	add_setting(list, "resolution.ipv4", "%s", c->ipv4_auto ? "auto" : yes_no(s->ipv4));
	add_setting(list, "resolution.ipv6", "%s", c->ipv6_auto ? "auto" : yes_no(s->ipv6));
	add_setting(list, "resolution.harden-glue", "%s", yes_no(s->harden_glue));
	add_setting(list, "resolution.prime", "%s", yes_no(s->prime));
	add_setting(list, "resolution.client-timeout", "%ums", s->client_ms);
	add_setting(list, "serve-stale.enabled", "%s", yes_no(s->stale_enabled));
	add_setting(list, "serve-stale.answer-after", "%ums", s->stale_answer_after_ms);
	add_setting(list, "serve-stale.max-age", "%us", s->stale_max_age_s);
	add_setting(list, "serve-stale.ttl", "%us", s->stale_ttl_s);
	add_setting(list, "root-hints", "%u name servers", s->hints.count);
}

static void show_zones(json_t **list, const struct settings *s)
{
	char text[DNAME_TEXT_MAX];

	for (size_t i = 0; i < s->anchor_count; i++)
		add_setting(list, "dnssec.trust-anchors", "%s, %u keys",
			    dname_text(s->anchors[i].zone, text), s->anchors[i].key_count);
	for (size_t i = 0; i < s->negative_anchor_count; i++)
		add_setting(list, "dnssec.negative-trust-anchors", "%s",
			    dname_text(s->negative_anchors[i], text));
	for (size_t i = 0; i < s->zone_count; i++)
		add_setting(list, s->zones[i].forward ? "forward-zones" : "stub-zones", "%s",
			    dname_text(s->zones[i].name, text));
	for (size_t i = 0; i < s->local_zone_count; i++)
		if (!s->local_zones[i].builtin)
			add_setting(list, "local-zones", "%s",
				    dname_text(s->local_zones[i].name, text));
}

void commands_config_show(void *context, struct call *call)
{
	const struct commands *c = context;
	const struct config *config = (*c->snapshot)->config;
	const char *path = c->path ? c->path : "";
	json_t *list = json_array();

	show_service(&list, config);
	show_resolution(&list, config);
	show_zones(&list, &config->settings);
	call_reply(call, json_pack("{s:o, s:o}", "path", words_text(path, strlen(path)), "settings",
				   list));
}

/* ---- trust anchors ---- */

/* The key tag of DNSKEY (RFC 4034 appendix B), or what a DS record says it is. */
static unsigned key_tag(const struct anchor_key *key)
{
	uint32_t sum = 0;

	if (key->is_ds)
		return key->rdata_len >= 2 ? (unsigned)(key->rdata[0] << 8 | key->rdata[1]) : 0;
	for (size_t i = 0; i < key->rdata_len; i++)
		sum += i & 1 ? key->rdata[i] : (uint32_t)key->rdata[i] << 8;
	return (sum + (sum >> 16)) & 0xffff;
}

static json_t *anchor_json(const struct anchor *a)
{
	enum { DS_ALGORITHM = 2, DNSKEY_ALGORITHM = 3 };
	json_t *keys = json_array();

	for (size_t i = 0; i < a->key_count; i++) {
		const struct anchor_key *key = &a->keys[i];
		size_t at = key->is_ds ? DS_ALGORITHM : DNSKEY_ALGORITHM;
		words_append(&keys,
			     json_pack("{s:s, s:i, s:i, s:s, s:I}", "kind",
				       key->is_ds ? "DS" : "DNSKEY", "tag", (int)key_tag(key),
				       "algorithm", at < key->rdata_len ? (int)key->rdata[at] : 0,
				       "state", anchor_state_text(key->state), "since_unix_s",
				       (json_int_t)key->since_unix_s));
	}
	return json_pack("{s:o, s:b, s:o}", "zone", words_name(a->zone), "managed", a->managed,
			 "keys", keys);
}

void commands_anchors(void *context, struct call *call)
{
	const struct commands *c = context;
	const struct settings *s = &(*c->snapshot)->settings;
	json_t *anchors = json_array();

	for (size_t i = 0; i < s->anchor_count; i++)
		words_append(&anchors, anchor_json(&s->anchors[i]));
	call_reply(call, json_pack("{s:o, s:o}", "anchors", anchors, "negative",
				   words_negative(c, call_now(call))));
}

void commands_nta_list(void *context, struct call *call)
{
	call_reply(call, json_pack("{s:o}", "negative", words_negative(context, call_now(call))));
}

static void set_negative(const struct commands *c, struct call *call, const uint8_t *name,
			 uint32_t seconds)
{
	char text[DNAME_TEXT_MAX];
	enum err err = c->set_negative(c->negative_context, name, seconds);

	if (err == ERR_NOT_FOUND) {
		call_error(call, "NotFound", json_pack("{s:o}", "what", words_name(name)));
		return;
	}
	if (err != OK) {
		call_error(call, "Failed", json_pack("{s:s}", "reason", err_text(err)));
		return;
	}
	/* What was validated so far, or was not, is no longer what it would be. */
	struct flushed flushed;
	commands_flush(c, name, 0, true, call_now(call), &flushed);
	log_notice("negative trust anchor %s name=%s seconds=%u", seconds ? "added" : "removed",
		   dname_text(name, text), seconds);
	call_reply(call, commands_flushed(&flushed));
}

void commands_nta_add(void *context, struct call *call)
{
	int64_t seconds = call_int(call, "seconds", NEGATIVE_SECONDS_DEFAULT);
	uint8_t name[DNAME_MAX];

	if (!words_read_name(call, name))
		return;
	if (seconds < 1)
		call_invalid(call, "seconds");
	else if (seconds > NEGATIVE_SECONDS_MAX)
		call_error(call, "Refused",
			   json_pack("{s:s}", "reason", "it lasts for a week (7d) at most"));
	else
		set_negative(context, call, name, (uint32_t)seconds);
}

void commands_nta_remove(void *context, struct call *call)
{
	uint8_t name[DNAME_MAX];

	if (words_read_name(call, name))
		set_negative(context, call, name, 0);
}
