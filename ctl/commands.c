#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

/* ---- parameters ---- */

static json_t *set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) != 0)
		die_no_memory();
	return object;
}

static json_t *empty(void)
{
	json_t *object = json_object();

	if (!object)
		die_no_memory();
	return object;
}

/* NAME [TYPE] */
static json_t *make_name_type(const struct invocation *in)
{
	json_t *object = set(empty(), "name", json_string(in->arguments[0]));

	return in->argument_count > 1 ? set(object, "type", json_string(in->arguments[1])) : object;
}

/* NAME [TYPE] [--subtree] | --all */
static json_t *make_flush(const struct invocation *in)
{
	bool all = in->given & OPTION_ALL;

	if (all == (in->argument_count > 0) || (all && (in->given & OPTION_SUBTREE)))
		return NULL;
	if (all)
		return set(empty(), "all", json_true());
	json_t *object = make_name_type(in);
	return in->given & OPTION_SUBTREE ? set(object, "subtree", json_true()) : object;
}

/* [FILE [NAME]] */
static json_t *make_dump(const struct invocation *in)
{
	return in->argument_count > 1 ? set(empty(), "name", json_string(in->arguments[1]))
				      : empty();
}

static json_t *make_stats(const struct invocation *in)
{
	return in->given & OPTION_INTERVAL
		       ? set(empty(), "interval_ms", json_integer(in->interval_ms))
		       : empty();
}

static json_t *make_nta_add(const struct invocation *in)
{
	json_t *object = set(empty(), "name", json_string(in->arguments[0]));

	return in->given & OPTION_FOR ? set(object, "seconds", json_integer(in->for_ms / 1000))
				      : object;
}

static json_t *make_top(const struct invocation *in)
{
	json_t *object = make_stats(in);

	return in->given & OPTION_ROWS ? set(object, "count", json_integer(in->rows)) : object;
}

/* [NAME] */
static json_t *make_watch(const struct invocation *in)
{
	return in->argument_count > 0 ? set(empty(), "name", json_string(in->arguments[0]))
				      : empty();
}

/* NAME SERVER... */
static json_t *make_forward_add(const struct invocation *in)
{
	json_t *object = set(empty(), "name", json_string(in->arguments[0]));
	json_t *servers = json_array();

	for (size_t i = 1; i < in->argument_count; i++)
		if (json_array_append_new(servers, json_string(in->arguments[i])) != 0)
			die_no_memory();
	set(object, "servers", servers);
	if (in->given & OPTION_TCP)
		set(object, "transport", json_string("tcp"));
	if (in->given & OPTION_RATE)
		set(object, "rate_limit", json_integer(in->rate));
	if (in->given & OPTION_FALLBACK)
		set(object, "fallback", json_true());
	if (in->given & OPTION_INSECURE)
		set(object, "insecure", json_true());
	return object;
}

/* [FILE], which the daemon will look for from another directory. */
static json_t *make_check(const struct invocation *in)
{
	if (in->argument_count == 0)
		return empty();
	char *path = realpath(in->arguments[0], NULL);
	if (!path) {
		fprintf(stderr, "resolverctl: there is no file %s\n", in->arguments[0]);
		exit(CTL_USAGE);
	}
	json_t *object = set(empty(), "path", json_string(path));
	free(path);
	return object;
}

static json_t *make_log(const struct invocation *in)
{
	return in->argument_count > 0 ? set(empty(), "level", json_string(in->arguments[0]))
				      : empty();
}

/* [FILTER...], which is one word to the daemon */
static json_t *make_queries(const struct invocation *in)
{
	char words[1024] = "";
	size_t len = 0;

	for (size_t i = 0; i < in->argument_count; i++) {
		int used = snprintf(words + len, sizeof(words) - len, "%s%s", i ? " " : "",
				    in->arguments[i]);
		if (used < 0 || (size_t)used >= sizeof(words) - len)
			return NULL;
		len += (size_t)used;
	}
	return len > 0 ? set(empty(), "filter", json_string(words)) : empty();
}

static json_t *make_explain(const struct invocation *in)
{
	json_t *object = make_name_type(in);

	return in->given & OPTION_CLIENT ? set(object, "client", json_string(in->client)) : object;
}

static json_t *make_trace(const struct invocation *in)
{
	json_t *object = make_name_type(in);

	if ((in->given & OPTION_CACHED) && (in->given & OPTION_ROOT)) {
		json_decref(object);
		return NULL;
	}
	if (in->given & OPTION_CACHED)
		set(object, "cached", json_true());
	if (in->given & OPTION_ROOT)
		set(object, "from_root", json_true());
	return object;
}

/* ---- the table ---- */

static const struct command table[] = {
	{"status", "", "how the daemon is", "Status", .show = show_status},
	{"stats", "", "all counters; again and again with --watch", "Stats",
	 .options = OPTION_WATCH | OPTION_INTERVAL | OPTION_COUNT, .parameters = make_stats,
	 .show = show_stats, .run = live_stats},
	{"top", "", "the busiest names and clients, in place on a terminal", "Top",
	 .options = OPTION_INTERVAL | OPTION_COUNT | OPTION_ROWS, .parameters = make_top,
	 .run = top_run},
	{"watch", "[NAME]", "failures and changed records as they happen", "Watch", 0, 1,
	 OPTION_COUNT, .parameters = make_watch, .run = watch_run},
	{"cache stats", "", "how full the cache is", "CacheStats", .show = show_cache},
	{"cache show", "NAME [TYPE]", "what is cached under a name", "CacheShow", 1, 2,
	 .parameters = make_name_type, .show = show_entries},
	{"cache flush", "[NAME [TYPE]]", "forget a name, all below it too, or everything",
	 "CacheFlush", 0, 2, OPTION_SUBTREE | OPTION_ALL, .parameters = make_flush,
	 .run = transfer_flush},
	{"cache dump", "[FILE [NAME]]", "all that is cached, or what is below a name", "CacheDump",
	 0, 2, .parameters = make_dump, .run = transfer_dump},
	{"cache load", "FILE", "ask for the names of a dump that are not cached", "CacheLoad", 1, 1,
	 OPTION_RATE, .run = transfer_load},
	{"prefetch list", "", "the names that are kept fresh", "PrefetchList", .collect = "names",
	 .show = show_kept},
	{"prefetch stats", "", "how keeping names fresh goes, and its rules", "PrefetchStats",
	 .show = show_prefetch},
	{"prefetch now", "NAME [TYPE]", "ask for a name anew, whatever the cache holds",
	 "PrefetchNow", 1, 2, .parameters = make_name_type, .show = show_asked},
	{"upstreams", "", "the servers that were asked: times, losses, quirks", "Upstreams",
	 .collect = "servers", .show = show_upstreams},
	{"forward list", "", "forward and stub zones", "ForwardList", .show = show_zones},
	{"forward add", "NAME SERVER...", "forward what is below a name, until the daemon ends",
	 "ForwardAdd", 2, CTL_ARGUMENTS_MAX,
	 OPTION_TCP | OPTION_RATE | OPTION_FALLBACK | OPTION_INSECURE,
	 .parameters = make_forward_add, .show = show_forwarded},
	{"forward remove", "NAME", "take that back, or leave out a zone of the configuration",
	 "ForwardRemove", 1, 1, .parameters = make_name_type, .show = show_forwarded},
	{"forward reset", "", "all forward zones as configured", "ForwardReset",
	 .show = show_forwarded},
	{"anchors", "", "trust anchors, negative ones too", "Anchors", .show = show_anchors},
	{"nta list", "", "names below which nothing is validated", "NtaList",
	 .show = show_negative},
	{"nta add", "NAME", "validate nothing below a name, for an hour", "NtaAdd", 1, 1,
	 OPTION_FOR, .parameters = make_nta_add, .show = show_removed},
	{"nta remove", "NAME", "validate below a name again", "NtaRemove", 1, 1,
	 .parameters = make_name_type, .show = show_removed},
	{"trace", "NAME [TYPE]", "resolve a name now, and tell each step", "Trace", 1, 2,
	 OPTION_CACHED | OPTION_ROOT, .parameters = make_trace, .show = show_trace},
	{"explain", "NAME [TYPE]", "why a name is answered as it is", "Explain", 1, 2,
	 OPTION_CLIENT, .parameters = make_explain, .show = show_explain},
	{"probe", "NAME...", "ask servers endlessly: latency, errors, outliers", NULL, 1,
	 CTL_ARGUMENTS_MAX,
	 OPTION_SERVER | OPTION_TCP | OPTION_TYPE | OPTION_RATE | OPTION_COUNT | OPTION_FOR |
		 OPTION_TIMEOUT | OPTION_SLOW | OPTION_INTERVAL,
	 .run = probe_run},
	{"config check", "[FILE]", "say what is wrong with a configuration", "ConfigCheck", 0, 1,
	 .parameters = make_check, .show = show_check},
	{"config show", "", "the configuration in effect", "ConfigShow", .show = show_settings},
	{"config reload", "", "read the configuration again", "ConfigReload", .show = show_reload},
	{"log queries", "[on|off|FILTER...]", "which client queries are logged", "LogQueries", 0, 5,
	 .parameters = make_queries, .show = show_filter},
	{"log", "[LEVEL]", "what is logged: error, warning, notice, info or debug", "LogLevel", 0,
	 1, .parameters = make_log, .show = show_level},
	{"version", "", "the daemon's version", "Version", .show = show_version},
	{"completion", "bash|zsh", "a script that completes command lines", NULL, 1, 1,
	 .run = help_complete},
	{"help", "", "this list", NULL, .run = help_run},
};

const struct command *commands(size_t *count)
{
	*count = ARRAY_LEN(table);
	return table;
}
