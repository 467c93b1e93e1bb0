/*
 * What is watched: failures and changes as they happen, and who and what is busiest.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"
#include "reply.h"

/* ---- watch ---- */

struct watching {
	struct invocation *in;
	int64_t left; /* events that are still wanted; negative: without end */
};

static void print_change(const struct invocation *in, const json_t *e)
{
	printf("%schanged%s %s %s: %s -> %s\n", colour_on(in, COLOUR_YELLOW), colour_off(in),
	       reply_text(e, "name"), reply_text(e, "type"), reply_text(e, "old"),
	       reply_text(e, "new"));
}

static void print_failure(const struct invocation *in, const json_t *e)
{
	printf("%sfailed%s  %s %s: %s", colour_on(in, COLOUR_RED), colour_off(in),
	       reply_text(e, "name"), reply_text(e, "type"), reply_text(e, "rcode"));
	if (*reply_text(e, "text"))
		printf(": %s", reply_text(e, "text"));
	if (json_is_integer(json_object_get(e, "ede")))
		printf(" (EDE %" PRId64 ", %s)", reply_int(e, "ede"), reply_text(e, "ede_name"));
	printf(" after %" PRId64 " ms", reply_int(e, "took_ms"));
	if (*reply_text(e, "client"))
		printf(", asked by %s", reply_text(e, "client"));
	puts(reply_bool(e, "refresh") ? ", a refresh" : "");
}

static void print_event(const struct invocation *in, const json_t *e)
{
	time_t at = (time_t)reply_int(e, "time_unix_s");
	char clock[32];
	struct tm tm;

	if (in->json) {
		print_json(e, true);
		return;
	}
	localtime_r(&at, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	printf("%s ", clock);
	if (strcmp(reply_text(e, "kind"), "change") == 0)
		print_change(in, e);
	else
		print_failure(in, e);
}

static bool take_events(void *context, json_t *reply)
{
	struct watching *w = context;
	const json_t *events = json_object_get(reply, "events"), *e;
	int64_t dropped = reply_int(reply, "dropped");
	size_t i;

	json_array_foreach(events, i, e)
	{
		if (w->left == 0)
			break;
		print_event(w->in, e);
		w->left -= w->left > 0;
	}
	if (dropped > 0 && w->in->json)
		printf("{\"kind\":\"dropped\",\"count\":%" PRId64 "}\n", dropped);
	else if (dropped > 0)
		printf("... %" PRId64 " more came too fast to be told\n", dropped);
	return fflush(stdout) == 0 && w->left != 0 && !live_interrupted();
}

int watch_run(struct invocation *in, const struct command *command)
{
	struct watching w = {.in = in, .left = in->given & OPTION_COUNT ? in->count : -1};

	live_catch_signals();
	return client_call(in, command->verb, command->parameters(in), true, take_events, &w);
}

/* ---- top ---- */

struct topping {
	struct invocation *in;
	struct live_frame frame;
	int64_t left;
};

static void print_names(const struct invocation *in, const json_t *names)
{
	static const char *const titles[] = {">a second", ">%", ">at once %", "type", "name"};
	struct table t = {0};
	const json_t *n;
	size_t i;

	table_begin(&t, titles, ARRAY_LEN(titles));
	json_array_foreach(names, i, n)
	{
		table_add(&t, "%.1f", reply_real(n, "per_s"));
		table_add(&t, "%.1f", reply_real(n, "percent"));
		table_add(&t, "%.1f", reply_real(n, "hit_percent"));
		table_add(&t, "%s", reply_text(n, "type"));
		table_add(&t, "%s", reply_text(n, "name"));
	}
	table_end(&t, in);
}

static void print_clients(const struct invocation *in, const json_t *clients)
{
	static const char *const titles[] = {">a second", ">%", "client"};
	struct table t = {0};
	const json_t *c;
	size_t i;

	table_begin(&t, titles, ARRAY_LEN(titles));
	json_array_foreach(clients, i, c)
	{
		table_add(&t, "%.1f", reply_real(c, "per_s"));
		table_add(&t, "%.1f", reply_real(c, "percent"));
		table_add(&t, "%s", reply_text(c, "address"));
	}
	table_end(&t, in);
}

static void print_top(const struct invocation *in, const json_t *r)
{
	double seconds = reply_real(r, "seconds");

	printf("%s%.1f questions a second%s over %.1f s, %" PRId64 "%s names, %" PRId64
	       "%s clients\n\n",
	       colour_on(in, COLOUR_BOLD),
	       seconds > 0 ? (double)reply_int(r, "questions") / seconds : 0.0, colour_off(in),
	       seconds, reply_int(r, "distinct_names"),
	       reply_int(r, "uncounted_names") > 0 ? " or more" : "",
	       reply_int(r, "distinct_clients"),
	       reply_int(r, "uncounted_clients") > 0 ? " or more" : "");
	print_names(in, json_object_get(r, "names"));
	putchar('\n');
	print_clients(in, json_object_get(r, "clients"));
}

static bool take_top(void *context, json_t *reply)
{
	struct topping *t = context;
	bool good;

	if (t->in->json) {
		print_json(reply, true);
		good = fflush(stdout) == 0;
	} else {
		live_begin(&t->frame);
		print_top(t->in, reply);
		good = live_end(&t->frame, t->in);
	}
	return good && (t->left < 0 || --t->left > 0) && !live_interrupted();
}

/* In place on a terminal, until interrupted; elsewhere once. */
int top_run(struct invocation *in, const struct command *command)
{
	bool once = !in->terminal && !(in->given & OPTION_COUNT);
	struct topping t = {.in = in, .left = in->given & OPTION_COUNT ? in->count : once ? 1 : -1};

	live_catch_signals();
	int status =
		client_call(in, command->verb, command->parameters(in), t.left != 1, take_top, &t);
	if (in->terminal && !in->json)
		putchar('\n');
	return status;
}
