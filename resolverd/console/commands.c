#include "console/commands.h"

#include <stdlib.h>
#include <unistd.h>

#include "console/commands_words.h"
#include "console/doubts.h"
#include "console/exposition.h"
#include "machine/holdings.h"

enum {
	STATS_INTERVAL_MS = 1000,
	STATS_INTERVAL_MIN_MS = 100,
	STATS_INTERVAL_MAX_MS = 3600 * 1000,
	UPSTREAMS_PART = 256,  /* servers in one reply of several: some 60 kB */
	UPSTREAMS_ONCE = 1000, /* in the one reply to who takes no more: some 250 kB */
};

static const char *const level_words[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
};

/* ---- status ---- */

static void version(void *context, struct call *call)
{
	(void)context;
	call_reply(call, json_pack("{s:s}", "version", RESOLVERD_VERSION));
}

static uint64_t sum(const struct commands *c, enum metric which)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < *c->worker_count; i++)
		total += metrics_get(worker_metrics(c->workers[i]), which);
	return total;
}

/* What is served now. */
static json_t *listen_json(const struct commands *c)
{
	struct endpoint served[LISTEN_MAX];
	size_t count = listen_read_served(c->listen, served);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		words_append(&list, words_endpoint(&served[i]));
	return list;
}

static void append_doubt(void *context, const char *text)
{
	words_append(context, json_string(text));
}

static json_t *warnings_json(const struct commands *c)
{
	const struct doubts doubts = {c->disk,	     c->workers,  *c->worker_count,
				      c->allowances, c->throttle, c->strippers,
				      c->listen,     c->http,	  infra_families(c->infra)};
	json_t *list = json_array();

	doubts_read(&doubts, append_doubt, &list);
	return list;
}

/* What the limit of descriptors comes to, over all workers. */
static json_t *descriptors_json(const struct commands *c)
{
	json_int_t workers = *c->worker_count;

	return json_pack("{s:I, s:I, s:I, s:b}", "limit", (json_int_t)c->descriptors, "clients",
			 workers * c->share.clients, "servers", workers * c->share.servers, "few",
			 c->share.few);
}

/* Who holds how much memory, and may. */
static json_t *memory_json(const struct holdings *h)
{
	json_t *accounts = json_array();

	for (size_t i = 0; i < LEDGER_COUNT; i++) {
		struct ledger_view v = ledger_read(&h->ledger, (enum ledger_account)i);
		words_append(&accounts,
			     json_pack("{s:s, s:I, s:I, s:I, s:I}", "name", v.name, "used_bytes",
				       (json_int_t)v.used_bytes, "limit_bytes",
				       (json_int_t)v.limit_bytes, "most_bytes",
				       (json_int_t)v.most_bytes, "shed", (json_int_t)v.shed));
	}
	return json_pack("{s:I, s:I, s:o}", "limit_bytes", (json_int_t)h->limit_bytes,
			 "resident_bytes", (json_int_t)holdings_resident(), "accounts", accounts);
}

static json_t *shares_json(const struct commands *c)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "connections",
			 (json_int_t)sum(c, METRIC_shares_tcp_total), "clients",
			 (json_int_t)sum(c, METRIC_shares_clients_total), "questions",
			 (json_int_t)sum(c, METRIC_shares_questions_total), "line",
			 (json_int_t)sum(c, METRIC_shares_line_total), "http",
			 (json_int_t)http_refused(c->http), "answers",
			 (json_int_t)sum(c, METRIC_answers_limited_total));
}

static void status(void *context, struct call *call)
{
	const struct commands *c = context;
	const struct config *config = (*c->snapshot)->config;
	struct now now = call_now(call);
	struct rates_view rates = rates_read(c->rates);
	const char *path = c->path ? c->path : "";
	uint64_t queries = sum(c, METRIC_queries_udp_total) + sum(c, METRIC_queries_tcp_total);
	unsigned turning = 0;
	size_t open = 0;

	for (unsigned i = 0; i < *c->worker_count; i++) {
		struct worker_figures figures;
		worker_read_figures(c->workers[i], &figures);
		open += figures.open_queries;
		turning += worker_is_turning(c->workers[i], now.mono_us);
	}
	call_reply(call,
		   json_pack("{s:s, s:i, s:I, s:o, s:o, s:i, s:i, s:I, s:I, s:f, s:f, s:f, s:o, "
			     "s:o, s:o, s:o, s:I, s:s, s:o}",
			     "version", RESOLVERD_VERSION, "pid", (int)getpid(), "uptime_s",
			     (json_int_t)((now.mono_us - c->started_us) / 1000000), "config",
			     words_text(path, strlen(path)), "listen", listen_json(c), "workers",
			     (int)*c->worker_count, "workers_turning", (int)turning, "open_queries",
			     (json_int_t)open, "queries", (json_int_t)queries, "queries_per_s",
			     rates.queries_per_s, "hit_percent", rates.hit_percent,
			     "servfail_percent", rates.servfail_percent, "cache", words_cache(c),
			     "memory", memory_json(c->holdings), "descriptors", descriptors_json(c),
			     "shares", shares_json(c), "negative_anchors",
			     (json_int_t)config->settings.negative_anchor_count +
				     (json_int_t)c->negative->count,
			     "log_level", level_words[log_get_level()], "warnings",
			     warnings_json(c)));
}

/* ---- counters ---- */

static void add_counter(void *context, const char *name, uint64_t value)
{
	json_t **counters = context;

	if (*counters &&
	    json_object_set_new(*counters, name, json_integer((json_int_t)value)) != 0) {
		json_decref(*counters);
		*counters = NULL;
	}
}

static json_t *counters_json(const struct metrics *m, uint64_t *totals)
{
	json_t *counters = json_object();

	for (size_t i = 0; i < METRIC_COUNT; i++) {
		uint64_t value = m ? metrics_get(m, (enum metric)i) : totals[i];
		if (m)
			totals[i] += value;
		add_counter(&counters, metrics_name((enum metric)i), value);
	}
	return counters;
}

/* What the workers have counted, and what is nobody's in particular. */
static json_t *all_counters_json(const struct commands *c, uint64_t *totals)
{
	const struct exposition e = {.cache = c->cache,
				     .ranges = c->ranges,
				     .disk = c->disk,
				     .workers = c->workers,
				     .worker_count = *c->worker_count,
				     .listen = c->listen,
				     .http = c->http};
	json_t *counters = counters_json(NULL, totals);

	exposition_counters(&e, add_counter, &counters);
	return counters;
}

static json_t *worker_json(const struct worker *w, unsigned index, struct now now, uint64_t *totals)
{
	struct worker_figures f;

	worker_read_figures(w, &f);
	uint64_t idle_us = now.mono_us > f.passed_us ? now.mono_us - f.passed_us : 0;
	return json_pack("{s:i, s:I, s:I, s:I, s:I, s:o}", "index", (int)index, "idle_ms",
			 (json_int_t)(idle_us / 1000), "open_queries", (json_int_t)f.open_queries,
			 "open_sends", (json_int_t)f.open_sends, "waiting_clients",
			 (json_int_t)f.waiting_clients, "counters",
			 counters_json(worker_metrics(w), totals));
}

/* How often each key of FAMILY was counted. */
static json_t *family_json(const struct commands *c, enum family family)
{
	const struct metrics *list[CONFIG_WORKERS_MAX];
	struct family_view v;
	json_t *map = json_object();
	char text[DNAME_TEXT_MAX];

	for (unsigned i = 0; i < *c->worker_count; i++)
		list[i] = worker_metrics(c->workers[i]);
	metrics_read_family(list, *c->worker_count, family, &v);
	/* One behind the keys stands for all others. */
	for (size_t i = 0; map && i <= v.key_count; i++) {
		bool rest = i == v.key_count;
		const char *key = rest ? "other" : dname_text(v.keys[i].at, text);
		json_t *value = json_integer((json_int_t)(rest ? v.other : v.values[i]));
		if (rest && v.other == 0) {
			json_decref(value);
		} else if (json_object_set_new(map, key, value) != 0) {
			json_decref(map);
			map = NULL;
		}
	}
	return map;
}

/* What was dropped, by interface and allowance. */
static json_t *allowances_json(const struct commands *c)
{
	struct allowances_view v;
	json_t *map = json_object();
	char key[64];

	allowances_read(c->allowances, &v);
	for (size_t i = 0; i < v.link_count * ALLOWANCE_COUNT; i++) {
		const struct allowances_link *link = &v.links[i / ALLOWANCE_COUNT];
		enum allowance which = (enum allowance)(i % ALLOWANCE_COUNT);
		(void)snprintf(key, sizeof(key), "%s %s", link->name, allowance_name(which));
		if (map && link->dropped[which] > 0 &&
		    json_object_set_new(map, key, json_integer((json_int_t)link->dropped[which])) !=
			    0) {
			json_decref(map);
			map = NULL;
		}
	}
	return map;
}

static json_t *stats_json(const struct commands *c, struct now now)
{
	uint64_t totals[METRIC_COUNT] = {0};
	json_t *workers = json_array();

	for (unsigned i = 0; i < *c->worker_count; i++)
		words_append(&workers, worker_json(c->workers[i], i, now, totals));
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "time_unix_s",
			 (json_int_t)now.unix_s, "counters", all_counters_json(c, totals),
			 "search_expansions", family_json(c, FAMILY_search_expansions_total),
			 "changes", family_json(c, FAMILY_prefetch_changed_by_zone_total),
			 "allowances", allowances_json(c), "cache", words_cache(c), "workers",
			 workers);
}

struct stats_stream {
	const struct commands *commands;
	uint64_t interval_us, next_us;
};

static enum pull pull_stats(void *state, struct now now, json_t **out, uint64_t *wake_us)
{
	struct stats_stream *s = state;

	if (now.mono_us < s->next_us) {
		*wake_us = s->next_us;
		return PULL_WAIT;
	}
	s->next_us = now.mono_us + s->interval_us;
	*out = stats_json(s->commands, now);
	return PULL_MORE;
}

static void stats(void *context, struct call *call)
{
	int64_t interval_ms = call_int(call, "interval_ms", STATS_INTERVAL_MS);

	if (interval_ms < STATS_INTERVAL_MIN_MS || interval_ms > STATS_INTERVAL_MAX_MS) {
		call_invalid(call, "interval_ms");
		return;
	}
	if (!call_wants_more(call)) {
		call_reply(call, stats_json(context, call_now(call)));
		return;
	}
	struct stats_stream *s = calloc(1, sizeof(*s));
	if (!s) {
		call_reply(call, NULL);
		return;
	}
	*s = (struct stats_stream){.commands = context,
				   .interval_us = (uint64_t)interval_ms * 1000};
	struct call_stream stream = {.pull = pull_stats, .free = free, .state = s};
	call_stream(call, &stream);
}

/* ---- servers ---- */

struct upstream {
	struct endpoint address;
	struct infra_server known;
};

struct upstreams { /* a copy of all, told in parts */
	struct upstream *list;
	size_t count, told, capacity;
	bool truncated;
};

static bool gather_upstream(void *context, const struct endpoint *address,
			    const struct infra_server *server)
{
	struct upstreams *u = context;

	if (u->count == u->capacity) {
		size_t capacity = MAX(2 * u->capacity, (size_t)UPSTREAMS_PART);
		struct upstream *list = capacity <= 2 * INFRA_SERVERS_MAX
						? reallocarray(u->list, capacity, sizeof(*list))
						: NULL;
		if (!list) {
			u->truncated = true;
			return false;
		}
		u->list = list;
		u->capacity = capacity;
	}
	u->list[u->count++] = (struct upstream){.address = *address, .known = *server};
	return true;
}

static void free_upstreams(void *state)
{
	struct upstreams *u = state;

	free(u->list);
	free(u);
}

static json_t *upstreams_part(struct upstreams *u, struct now now, size_t most)
{
	json_t *servers = json_array();
	size_t end = MIN(u->count, u->told + most);

	for (; u->told < end; u->told++)
		words_append(&servers, words_upstream(&u->list[u->told].address,
						      &u->list[u->told].known, now));
	return json_pack("{s:o, s:b}", "servers", servers, "truncated",
			 u->told < u->count || u->truncated);
}

static enum pull pull_upstreams(void *state, struct now now, json_t **out, uint64_t *wake_us)
{
	struct upstreams *u = state;

	(void)wake_us;
	*out = upstreams_part(u, now, UPSTREAMS_PART);
	return u->told < u->count ? PULL_MORE : PULL_LAST;
}

static void upstreams(void *context, struct call *call)
{
	const struct commands *c = context;
	struct upstreams *u = calloc(1, sizeof(*u));

	if (!u) {
		call_reply(call, NULL);
		return;
	}
	infra_walk(c->infra, gather_upstream, u);
	if (call_wants_more(call)) {
		struct call_stream stream = {
			.pull = pull_upstreams, .free = free_upstreams, .state = u};
		call_stream(call, &stream);
		return;
	}
	call_reply(call, upstreams_part(u, call_now(call), UPSTREAMS_ONCE));
	free_upstreams(u);
}

/* ---- log ---- */

static void log_level(void *context, struct call *call)
{
	const char *word = call_string(call, "level");
	enum log_level level;

	(void)context;
	if (word && !log_level_parse(word, &level)) {
		call_invalid(call, "level");
		return;
	}
	if (word) {
		log_set_level(level);
		log_notice("log level changed level=%s", level_words[level]);
	}
	call_reply(call, json_pack("{s:s}", "level", level_words[log_get_level()]));
}

static void log_queries(void *context, struct call *call)
{
	const struct commands *c = context;
	const char *words = call_string(call, "filter");
	char text[QUERY_FILTER_TEXT_MAX], wrong[QUERY_FILTER_WORD_MAX];
	struct query_filter f;

	if (words && query_filter_parse(words, &f, wrong) != OK) {
		call_invalid(call, "filter");
		return;
	}
	if (words) {
		enum err err = c->set_queries(c->queries_context, &f);
		if (err != OK) {
			call_error(call, "Failed", json_pack("{s:s}", "reason", err_text(err)));
			return;
		}
		log_notice("query log changed queries=\"%s\"", query_filter_text(&f, text));
	}
	call_reply(call,
		   json_pack("{s:s}", "filter", query_filter_text(&(*c->snapshot)->queries, text)));
}

/* ---- the table ---- */

#define NAME                                                                                       \
	{                                                                                          \
		"name", VERB_STRING, false                                                         \
	}
#define OPTIONAL(name, kind)                                                                       \
	{                                                                                          \
		name, kind, true                                                                   \
	}

static const struct verb table[] = {
	{"Status", status, .changes = false, {}},
	{"Stats", stats, .changes = false, {OPTIONAL("interval_ms", VERB_INT)}},
	{"Top",
	 commands_top,
	 .changes = true,
	 {OPTIONAL("interval_ms", VERB_INT), OPTIONAL("count", VERB_INT)}},
	{"Watch", commands_watch, .changes = true, {OPTIONAL("name", VERB_STRING)}},
	{"CacheStats", commands_cache_stats, .changes = false, {}},
	{"CacheShow", commands_cache_show, .changes = false, {NAME, OPTIONAL("type", VERB_STRING)}},
	{"CacheFlush",
	 commands_cache_flush,
	 .changes = true,
	 {OPTIONAL("name", VERB_STRING), OPTIONAL("type", VERB_STRING),
	  OPTIONAL("subtree", VERB_BOOL), OPTIONAL("all", VERB_BOOL)}},
	{"CacheDump", commands_cache_dump, .changes = true, {OPTIONAL("name", VERB_STRING)}},
	{"CacheLoad", commands_cache_load, .changes = true, {{"questions", VERB_STRINGS, false}}},
	{"PrefetchList", commands_prefetch_list, .changes = false, {}},
	{"PrefetchStats", commands_prefetch_stats, .changes = false, {}},
	{"PrefetchNow",
	 commands_prefetch_now,
	 .changes = true,
	 {NAME, OPTIONAL("type", VERB_STRING)}},
	{"Upstreams", upstreams, .changes = false, {}},
	{"ForwardList", commands_forward_list, .changes = false, {}},
	{"ForwardAdd",
	 commands_forward_add,
	 .changes = true,
	 {NAME,
	  {"servers", VERB_STRINGS, false},
	  OPTIONAL("transport", VERB_STRING),
	  OPTIONAL("rate_limit", VERB_INT),
	  OPTIONAL("fallback", VERB_BOOL),
	  OPTIONAL("insecure", VERB_BOOL)}},
	{"ForwardRemove", commands_forward_remove, .changes = true, {NAME}},
	{"ForwardReset", commands_forward_reset, .changes = true, {}},
	{"Anchors", commands_anchors, .changes = false, {}},
	{"NtaList", commands_nta_list, .changes = false, {}},
	{"NtaAdd", commands_nta_add, .changes = true, {NAME, OPTIONAL("seconds", VERB_INT)}},
	{"NtaRemove", commands_nta_remove, .changes = true, {NAME}},
	{"ConfigCheck", commands_config_check, .changes = true, {OPTIONAL("path", VERB_STRING)}},
	{"ConfigShow", commands_config_show, .changes = false, {}},
	{"ConfigReload", commands_config_reload, .changes = true, {}},
	{"LogLevel", log_level, .changes = true, {OPTIONAL("level", VERB_STRING)}},
	{"LogQueries", log_queries, .changes = true, {OPTIONAL("filter", VERB_STRING)}},
	{"Version", version, .changes = false, {}},
	{"Trace",
	 commands_trace,
	 .changes = true,
	 {NAME, OPTIONAL("type", VERB_STRING), OPTIONAL("cached", VERB_BOOL),
	  OPTIONAL("from_root", VERB_BOOL)}},
	{"Explain",
	 commands_explain,
	 .changes = false,
	 {NAME, OPTIONAL("type", VERB_STRING), OPTIONAL("client", VERB_STRING)}},
};

const struct verb *commands_table(size_t *count)
{
	*count = ARRAY_LEN(table);
	return table;
}
