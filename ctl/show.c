#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "reply.h"

/* The strings of a list with commas between; free() it. */
static char *joined(const json_t *list)
{
	char *out = NULL;
	size_t len;
	FILE *stream = open_memstream(&out, &len);

	if (!stream)
		die_no_memory();
	for (size_t i = 0; i < json_array_size(list); i++)
		fprintf(stream, "%s%s", i ? ", " : "",
			json_string_value(json_array_get(list, i))
				? json_string_value(json_array_get(list, i))
				: "");
	if (fclose(stream) != 0)
		die_no_memory();
	return out;
}

enum { TIME_SIZE = 32 };
/* "2 d 3 h", "4 h 5 min", "6 min 7 s", "8 s" */
static const char *time_text(int64_t s, char out[static TIME_SIZE])
{
	if (s >= 86400)
		(void)snprintf(out, TIME_SIZE, "%" PRId64 " d %" PRId64 " h", s / 86400,
			       s / 3600 % 24);
	else if (s >= 3600)
		(void)snprintf(out, TIME_SIZE, "%" PRId64 " h %" PRId64 " min", s / 3600,
			       s / 60 % 60);
	else if (s >= 60)
		(void)snprintf(out, TIME_SIZE, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
	else
		(void)snprintf(out, TIME_SIZE, "%" PRId64 " s", s);
	return out;
}

/* "12.3M" */
static const char *size_text(int64_t bytes, char out[static TIME_SIZE])
{
	static const char units[] = "BKMGT";
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit + 2 < sizeof(units); unit++)
		value /= 1024;
	(void)snprintf(out, TIME_SIZE, unit ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return out;
}

/* ---- status and counters ---- */

static void line(const char *key, const char *value)
{
	printf("%-18s %s\n", key, value);
}

static void print_disk(const json_t *d)
{
	char used[TIME_SIZE], limit[TIME_SIZE];
	const char *state = reply_text(d, "state"), *reason = reply_text(d, "reason");

	if (strcmp(state, "off") == 0) {
		line("disk", state);
		return;
	}
	printf("%-18s %s%s, %" PRId64 " entries, %s of %s; %" PRId64 " waiting\n", "disk", state,
	       reply_bool(d, "checking") ? " (being checked)" : "", reply_int(d, "entries"),
	       size_text(reply_int(d, "used_bytes"), used),
	       size_text(reply_int(d, "limit_bytes"), limit), reply_int(d, "pending_entries"));
	if (*reason)
		printf("%-18s %s\n", "", reason);
}

static void print_cache(const json_t *c)
{
	char used[TIME_SIZE], limit[TIME_SIZE], denial[TIME_SIZE];

	printf("%-18s %" PRId64 " entries, %s of %s; denials %s\n", "cache",
	       reply_int(c, "entries"), size_text(reply_int(c, "used_bytes"), used),
	       size_text(reply_int(c, "limit_bytes"), limit),
	       size_text(reply_int(c, "denial_bytes"), denial));
	print_disk(json_object_get(c, "disk"));
}

/* Nothing of what is held by nobody, unless it has had to shed. */
static void print_memory(const json_t *m)
{
	char used[TIME_SIZE], limit[TIME_SIZE];
	const json_t *account;
	size_t i;

	printf("%-18s %s of %s\n", "memory", size_text(reply_int(m, "resident_bytes"), used),
	       size_text(reply_int(m, "limit_bytes"), limit));
	json_array_foreach(json_object_get(m, "accounts"), i, account)
	{
		printf("  %-16s %s of %s", reply_text(account, "name"),
		       size_text(reply_int(account, "used_bytes"), used),
		       size_text(reply_int(account, "limit_bytes"), limit));
		if (reply_int(account, "shed") > 0)
			printf(", gave way %" PRId64 " times", reply_int(account, "shed"));
		putchar('\n');
	}
}

static void print_descriptors(struct invocation *in, const json_t *d)
{
	printf("%-18s %" PRId64 " allow %" PRId64 " TCP connections of clients, and %" PRId64
	       " sockets towards servers%s%s%s\n",
	       "descriptors", reply_int(d, "limit"), reply_int(d, "clients"),
	       reply_int(d, "servers"), colour_on(in, COLOUR_RED),
	       reply_bool(d, "few") ? ": too few, raise LimitNOFILE" : "", colour_off(in));
}

/* Only what was short. */
static void print_shares(struct invocation *in, const json_t *s)
{
	static const struct {
		const char *key, *words;
	} pools[] = {
		{"connections", "TCP connections"},	{"clients", "queries that waited"},
		{"questions", "questions in progress"}, {"line", "questions in line"},
		{"http", "HTTP connections"},		{"answers", "answers (response-rate)"},
	};

	for (size_t i = 0; i < ARRAY_LEN(pools); i++)
		if (reply_int(s, pools[i].key) > 0)
			printf("%-18s %s%" PRId64 " %s%s\n", "refused by share",
			       colour_on(in, COLOUR_YELLOW), reply_int(s, pools[i].key),
			       pools[i].words, colour_off(in));
}

void show_status(struct invocation *in, const json_t *r)
{
	int64_t workers = reply_int(r, "workers"), turning = reply_int(r, "workers_turning");
	char *listen = joined(json_object_get(r, "listen"));
	const json_t *warning;
	char time[TIME_SIZE];
	size_t i;

	printf("%-18s %s, pid %" PRId64 "\n", "resolverd", reply_text(r, "version"),
	       reply_int(r, "pid"));
	line("up", time_text(reply_int(r, "uptime_s"), time));
	line("configuration", *reply_text(r, "config") ? reply_text(r, "config") : "defaults");
	line("listening", listen);
	printf("%-18s %s%" PRId64 " of %" PRId64 " turning%s\n", "workers",
	       colour_on(in, turning == workers ? COLOUR_GREEN : COLOUR_RED), turning, workers,
	       colour_off(in));
	printf("%-18s %" PRId64 ", %.1f a second, %" PRId64 " being resolved\n", "queries",
	       reply_int(r, "queries"), reply_real(r, "queries_per_s"),
	       reply_int(r, "open_queries"));
	printf("%-18s %.1f %% from the cache, %.1f %% SERVFAIL (last 10 s)\n", "answers",
	       reply_real(r, "hit_percent"), reply_real(r, "servfail_percent"));
	print_cache(json_object_get(r, "cache"));
	print_memory(json_object_get(r, "memory"));
	print_descriptors(in, json_object_get(r, "descriptors"));
	print_shares(in, json_object_get(r, "shares"));
	if (reply_int(r, "negative_anchors") > 0)
		printf("%-18s %s%" PRId64 "%s\n", "negative anchors", colour_on(in, COLOUR_YELLOW),
		       reply_int(r, "negative_anchors"), colour_off(in));
	line("log level", reply_text(r, "log_level"));
	json_array_foreach(json_object_get(r, "warnings"), i, warning)
		printf("%-18s %s%s%s\n", "warning", colour_on(in, COLOUR_RED),
		       json_string_value(warning), colour_off(in));
	free(listen);
}

void show_cache(struct invocation *in, const json_t *r)
{
	static const char *const keys[] = {"inserts", "replacements", "evictions",
					   "expired_evictions", "rejected"};
	const json_t *c = json_object_get(r, "cache"), *value;
	json_t *counters = json_object_get(json_object_get(c, "disk"), "counters");
	const char *name;

	(void)in;
	print_cache(c);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		printf("%-18s %" PRId64 "\n", keys[i], reply_int(c, keys[i]));
	json_object_foreach(counters, name, value)
	{
		printf("disk %-13s %" PRId64 "\n", name, (int64_t)json_integer_value(value));
	}
}

/* A map of names and numbers, if there is anything in it. */
static void print_map(const struct invocation *in, const char *title, json_t *map)
{
	const char *titles[] = {title, ">total"};
	struct table t = {0};
	json_t *value;
	const char *key;

	if (json_object_size(map) == 0)
		return;
	table_begin(&t, titles, ARRAY_LEN(titles));
	json_object_foreach(map, key, value)
	{
		table_add(&t, "%s", key);
		table_add(&t, "%" PRId64, (int64_t)json_integer_value(value));
	}
	table_end(&t, in);
}

void show_stats_since(struct invocation *in, const json_t *before, const json_t *r)
{
	static const char *const titles[] = {"counter", ">total", ">a second"};
	const json_t *then = json_object_get(before, "counters");
	json_t *counters = json_object_get(r, "counters"), *value;
	int64_t elapsed_s =
		before ? reply_int(r, "time_unix_s") - reply_int(before, "time_unix_s") : 0;
	struct table t = {0};
	const char *name;

	table_begin(&t, titles, before ? 3 : 2);
	json_object_foreach(counters, name, value)
	{
		int64_t total = json_integer_value(value);
		table_add(&t, "%s", name);
		table_add(&t, "%" PRId64, total);
		if (before)
			table_add(&t, "%.1f",
				  (double)(total - reply_int(then, name)) /
					  (double)MAX(elapsed_s, (int64_t)1));
	}
	table_end(&t, in);
	print_map(in, "names made by search lists", json_object_get(r, "search_expansions"));
	print_map(in, "changed records", json_object_get(r, "changes"));
	print_map(in, "packets dropped by an allowance", json_object_get(r, "allowances"));
	print_cache(json_object_get(r, "cache"));
	size_t i;
	json_array_foreach(json_object_get(r, "workers"), i, value)
	{
		printf("worker %-11" PRId64 " %" PRId64 " being resolved, %" PRId64
		       " clients waiting, %" PRId64 " upstream queries open\n",
		       reply_int(value, "index"), reply_int(value, "open_queries"),
		       reply_int(value, "waiting_clients"), reply_int(value, "open_sends"));
	}
}

void show_stats(struct invocation *in, const json_t *r)
{
	show_stats_since(in, NULL, r);
}

/* ---- the cache ---- */

static enum colour verdict_colour(const char *verdict)
{
	return strcmp(verdict, "secure") == 0  ? COLOUR_GREEN
	       : strcmp(verdict, "bogus") == 0 ? COLOUR_RED
					       : COLOUR_NONE;
}

static void print_entry(const struct invocation *in, const json_t *e)
{
	int64_t left_s = reply_int(e, "left_s");
	char left[TIME_SIZE], age[TIME_SIZE];
	const json_t *record;
	size_t i;

	printf("%s; %s %s%s %s, %s%s%s, rank %s: fetched %s ago, TTL %" PRId64 ", %s%s%s\n",
	       colour_on(in, COLOUR_BOLD), reply_text(e, "name"),
	       *reply_text(e, "type") ? reply_text(e, "type") : "all types", colour_off(in),
	       reply_text(e, "kind"), colour_on(in, verdict_colour(reply_text(e, "verdict"))),
	       reply_text(e, "verdict"), colour_off(in), reply_text(e, "rank"),
	       time_text(reply_int(e, "age_s"), age), reply_int(e, "ttl_s"),
	       left_s < 0 ? "expired " : "", time_text(left_s < 0 ? -left_s : left_s, left),
	       left_s < 0 ? " ago" : " left");
	if (strcmp(reply_text(e, "rcode"), "NOERROR") != 0 || *reply_text(e, "text"))
		printf(";   %s%s%s", reply_text(e, "rcode"), *reply_text(e, "text") ? ": " : "",
		       reply_text(e, "text"));
	if (json_is_integer(json_object_get(e, "ede")))
		printf(" (EDE %" PRId64 ", %s)", reply_int(e, "ede"), reply_text(e, "ede_name"));
	if (strcmp(reply_text(e, "rcode"), "NOERROR") != 0 || *reply_text(e, "text"))
		putchar('\n');
	json_array_foreach(json_object_get(e, "records"), i, record)
	{
		printf("%s%s\t%" PRId64 "\tIN\t%s\t%s\n",
		       strcmp(reply_text(record, "section"), "answer") == 0 ? "" : ";; ",
		       reply_text(record, "name"), reply_int(record, "ttl_s"),
		       reply_text(record, "type"), reply_text(record, "data"));
	}
}

void show_entries(struct invocation *in, const json_t *r)
{
	const json_t *entries = json_object_get(r, "entries"), *e;
	size_t i;

	if (json_array_size(entries) == 0)
		printf("Nothing is cached under %s\n", reply_text(r, "name"));
	json_array_foreach(entries, i, e)
	{
		print_entry(in, e);
	}
	if (reply_bool(r, "truncated"))
		puts("; there is more");
}

void show_removed(struct invocation *in, const json_t *r)
{
	const char *not_on_disk = reply_text(r, "not_on_disk");

	(void)in;
	printf("%" PRId64 " entries of the cache are gone\n", reply_int(r, "removed"));
	if (*not_on_disk)
		printf("; but not for sure from the disk, if the daemon ends now: %s\n",
		       not_on_disk);
}

/* ---- servers and zones ---- */

static int compare_addresses(const void *a, const void *b)
{
	return strcmp(reply_text(*(const json_t *const *)a, "address"),
		      reply_text(*(const json_t *const *)b, "address"));
}

static void add_upstream(struct table *t, const json_t *u)
{
	char *quirks = joined(json_object_get(u, "quirks"));

	table_add(t, "%s", reply_text(u, "address"));
	table_add(t, "%.1f", (double)reply_int(u, "srtt_us") / 1000);
	table_add(t, "%.1f", (double)reply_int(u, "high_us") / 1000);
	table_add(t, "%" PRId64, reply_int(u, "timeout_ms"));
	table_add(t, "%.1f", (double)reply_int(u, "loss_permille") / 10);
	table_add(t, "%" PRId64, reply_int(u, "losses_in_row"));
	table_add(t, "%" PRId64, reply_int(u, "backoff_ms"));
	if (reply_int(u, "tcp_backoff_ms") > 0)
		table_add(t, "silent");
	else if (reply_int(u, "tcp_us") > 0)
		table_add(t, "%.1f", (double)reply_int(u, "tcp_us") / 1000);
	else
		table_add(t, "-");
	table_add(t, "%s", quirks);
	free(quirks);
}

void show_upstreams(struct invocation *in, const json_t *r)
{
	static const char *const titles[] = {"server",	     ">RTT ms", ">95 % ms",
					     ">timeout ms",  ">loss %", ">lost last",
					     ">back-off ms", ">TCP ms", "quirks"};
	const json_t *servers = json_object_get(r, "servers");
	size_t count = json_array_size(servers);
	const json_t **sorted = calloc(count + 1, sizeof(const json_t *));
	struct table t = {0};

	if (!sorted)
		die_no_memory();
	for (size_t i = 0; i < count; i++)
		sorted[i] = json_array_get(servers, i);
	qsort(sorted, count, sizeof(const json_t *), compare_addresses);
	table_begin(&t, titles, ARRAY_LEN(titles));
	for (size_t i = 0; i < count; i++)
		add_upstream(&t, sorted[i]);
	table_end(&t, in);
	free(sorted);
}

void show_zones(struct invocation *in, const json_t *r)
{
	static const char *const titles[] = {"zone",	 "kind",     "servers", "transport",
					     ">limit/s", "fallback", "from",	"only"};
	struct table t = {0};
	const json_t *z;
	size_t i;

	table_begin(&t, titles, ARRAY_LEN(titles));
	json_array_foreach(json_object_get(r, "zones"), i, z)
	{
		char *servers = joined(json_object_get(z, "servers"));
		char *only = joined(json_object_get(z, "only"));
		table_add(&t, "%s", reply_text(z, "name"));
		table_add(&t, "%s", reply_text(z, "kind"));
		table_add(&t, "%s", servers);
		table_add(&t, "%s", reply_text(z, "transport"));
		table_add(&t, "%" PRId64, reply_int(z, "rate_limit"));
		table_add(&t, "%s", reply_bool(z, "fallback") ? "yes" : "no");
		table_add(&t, "%s", reply_bool(z, "added") ? "run time" : "configuration");
		table_add(&t, "%s", only);
		free(servers);
		free(only);
	}
	table_end(&t, in);
	char *removed = joined(json_object_get(r, "removed"));
	if (*removed)
		printf("Left out at run time: %s\n", removed);
	free(removed);
}

void show_forwarded(struct invocation *in, const json_t *r)
{
	puts("In effect until the daemon ends: the configuration file is as it was");
	show_removed(in, r);
}

/* ---- trust ---- */

void show_negative(struct invocation *in, const json_t *r)
{
	static const char *const titles[] = {"not validated below", "for another"};
	struct table t = {0};
	char time[TIME_SIZE];
	const json_t *n;
	size_t i;

	table_begin(&t, titles, ARRAY_LEN(titles));
	json_array_foreach(json_object_get(r, "negative"), i, n)
	{
		bool limited = json_is_integer(json_object_get(n, "left_s"));
		table_add(&t, "%s", reply_text(n, "name"));
		table_add(&t, "%s",
			  limited ? time_text(reply_int(n, "left_s"), time) : "(configuration)");
	}
	table_end(&t, in);
}

void show_anchors(struct invocation *in, const json_t *r)
{
	static const char *const titles[] = {"zone", "key", ">tag", ">algorithm", "state"};
	const json_t *anchor, *key;
	struct table t = {0};
	size_t i, k;

	table_begin(&t, titles, ARRAY_LEN(titles));
	json_array_foreach(json_object_get(r, "anchors"), i, anchor)
	{
		json_array_foreach(json_object_get(anchor, "keys"), k, key)
		{
			table_add(&t, "%s", reply_text(anchor, "zone"));
			table_add(&t, "%s", reply_text(key, "kind"));
			table_add(&t, "%" PRId64, reply_int(key, "tag"));
			table_add(&t, "%" PRId64, reply_int(key, "algorithm"));
			table_add(&t, "%s", reply_text(key, "state"));
		}
	}
	table_end(&t, in);
	if (json_array_size(json_object_get(r, "negative")) > 0) {
		putchar('\n');
		show_negative(in, r);
	}
}

/* ---- the rest ---- */

static void show_notes(struct invocation *in, const json_t *r)
{
	const json_t *note;
	size_t i;

	json_array_foreach(json_object_get(r, "notes"), i, note)
	{
		printf("%s%s%s\n", colour_on(in, COLOUR_YELLOW), json_string_value(note),
		       colour_off(in));
	}
}

void show_check(struct invocation *in, const json_t *r)
{
	if (!json_is_string(json_object_get(r, "problem"))) {
		printf("%s: good\n", reply_text(r, "path"));
		show_notes(in, r);
		return;
	}
	printf("%s%s%s\n", colour_on(in, COLOUR_RED), reply_text(r, "problem"), colour_off(in));
	in->status = CTL_CONFIG;
}

void show_settings(struct invocation *in, const json_t *r)
{
	static const char *const titles[] = {"key", "value"};
	struct table t = {0};
	const json_t *s;
	size_t i;

	table_begin(&t, titles, ARRAY_LEN(titles));
	json_array_foreach(json_object_get(r, "settings"), i, s)
	{
		table_add(&t, "%s", reply_text(s, "key"));
		table_add(&t, "%s", reply_text(s, "value"));
	}
	table_end(&t, in);
}

void show_reload(struct invocation *in, const json_t *r)
{
	printf("%s is in effect\n", *reply_text(r, "path") ? reply_text(r, "path") : "The default");
	show_notes(in, r);
}

void show_level(struct invocation *in, const json_t *r)
{
	(void)in;
	puts(reply_text(r, "level"));
}

void show_filter(struct invocation *in, const json_t *r)
{
	(void)in;
	puts(reply_text(r, "filter"));
}

void show_version(struct invocation *in, const json_t *r)
{
	(void)in;
	puts(reply_text(r, "version"));
}

void show_explain(struct invocation *in, const json_t *r)
{
	const json_t *fact;
	size_t i;

	printf("%s%s%s\n", colour_on(in, COLOUR_BOLD), reply_text(r, "summary"), colour_off(in));
	json_array_foreach(json_object_get(r, "story"), i, fact)
	{
		printf("  %s\n", json_string_value(fact) ? json_string_value(fact) : "");
	}
}
