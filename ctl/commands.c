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

static json_t *make_stats(const struct invocation *in)
{
	return in->given & OPTION_INTERVAL
		       ? set(empty(), "interval_ms", json_integer(in->interval_ms))
		       : empty();
}

static json_t *make_nta_add(const struct invocation *in)
{
	json_t *object = set(empty(), "name", json_string(in->arguments[0]));

	return in->given & OPTION_FOR ? set(object, "seconds", json_integer(in->for_s)) : object;
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

/* ---- the table ---- */

static const struct command table[] = {
	{"status", "", "how the daemon is", "Status", 0, 0, 0, NULL, NULL, show_status},
	{"stats", "[--watch] [--interval TIME]", "all counters; again and again with --watch",
	 "Stats", 0, 0, OPTION_WATCH | OPTION_INTERVAL, NULL, make_stats, show_stats},
	{"cache stats", "", "how full the cache is", "CacheStats", 0, 0, 0, NULL, NULL, show_cache},
	{"cache show", "NAME [TYPE]", "what is cached under a name", "CacheShow", 1, 2, 0, NULL,
	 make_name_type, show_entries},
	{"cache flush", "NAME [TYPE] [--subtree] | --all",
	 "forget a name, all below it too, or everything", "CacheFlush", 0, 2,
	 OPTION_SUBTREE | OPTION_ALL, NULL, make_flush, show_removed},
	{"upstreams", "", "the servers that were asked: times, losses, quirks", "Upstreams", 0, 0,
	 0, "servers", NULL, show_upstreams},
	{"forward list", "", "forward and stub zones", "ForwardList", 0, 0, 0, NULL, NULL,
	 show_zones},
	{"anchors", "", "trust anchors, negative ones too", "Anchors", 0, 0, 0, NULL, NULL,
	 show_anchors},
	{"nta list", "", "names below which nothing is validated", "NtaList", 0, 0, 0, NULL, NULL,
	 show_negative},
	{"nta add", "NAME [--for TIME]", "validate nothing below a name, for an hour", "NtaAdd", 1,
	 1, OPTION_FOR, NULL, make_nta_add, show_removed},
	{"nta remove", "NAME", "validate below a name again", "NtaRemove", 1, 1, 0, NULL,
	 make_name_type, show_removed},
	{"explain", "NAME [TYPE]", "why a name is answered as it is", "Explain", 1, 2, 0, NULL,
	 make_name_type, show_explain},
	{"config check", "[FILE]", "say what is wrong with a configuration", "ConfigCheck", 0, 1, 0,
	 NULL, make_check, show_check},
	{"config show", "", "the configuration in effect", "ConfigShow", 0, 0, 0, NULL, NULL,
	 show_settings},
	{"config reload", "", "read the configuration again", "ConfigReload", 0, 0, 0, NULL, NULL,
	 show_reload},
	{"log", "[LEVEL]", "what is logged: error, warning, notice, info or debug", "LogLevel", 0,
	 1, 0, NULL, make_log, show_level},
	{"version", "", "the daemon's version", "Version", 0, 0, 0, NULL, NULL, show_version},
	{"completion", "bash", "a script that completes command lines", NULL, 1, 1, 0, NULL, NULL,
	 NULL},
	{"help", "", "this list", NULL, 0, 0, 0, NULL, NULL, NULL},
};

const struct command *commands(size_t *count)
{
	*count = ARRAY_LEN(table);
	return table;
}
