#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "reply.h"

void show_kept(struct invocation *in, const json_t *r)
{
	static const char *const titles[] = {"name",  "type",	">TTL s", ">left s",
					     ">hits", ">gap s", ">yield", "rule"};
	struct table t = {0};
	const json_t *n;
	size_t i;

	table_begin(&t, titles, ARRAY_LEN(titles));
	json_array_foreach(json_object_get(r, "names"), i, n)
	{
		table_add(&t, "%s", reply_text(n, "name"));
		table_add(&t, "%s", reply_text(n, "type"));
		table_add(&t, "%" PRId64, reply_int(n, "ttl_s"));
		table_add(&t, "%.1f", (double)reply_int(n, "left_ms") / 1000);
		table_add(&t, "%" PRId64, reply_int(n, "hits"));
		table_add(&t, "%.1f", (double)reply_int(n, "gap_ms") / 1000);
		table_add(&t, "%.2f", reply_real(n, "yield"));
		table_add(&t, "%s", reply_text(n, "rule"));
	}
	table_end(&t, in);
}

static void print_rules(const struct invocation *in, const json_t *rules)
{
	static const char *const titles[] = {"rule",	   ">min hits",	 ">window s",
					     ">min yield", ">remaining", ">hold s"};
	struct table t = {0};
	const json_t *rule;
	size_t i;

	table_begin(&t, titles, ARRAY_LEN(titles));
	json_array_foreach(rules, i, rule)
	{
		const json_t *remaining = json_object_get(rule, "remaining_percent");
		table_add(&t, "%s", *reply_text(rule, "name") ? reply_text(rule, "name") : "(all)");
		table_add(&t, "%" PRId64, reply_int(rule, "min_hits"));
		table_add(&t, "%" PRId64, reply_int(rule, "window_s"));
		table_add(&t, "%.2f", reply_real(rule, "min_yield"));
		if (json_is_integer(remaining))
			table_add(&t, "%" PRId64 " %%", reply_int(rule, "remaining_percent"));
		else
			table_add(&t, "auto");
		table_add(&t, "%.1f", (double)reply_int(rule, "hold_ms") / 1000);
	}
	table_end(&t, in);
}

void show_prefetch(struct invocation *in, const json_t *r)
{
	json_t *counters = json_object_get(r, "counters"), *value;
	const char *name;

	if (!reply_bool(r, "enabled"))
		printf("%sPrefetching is off%s\n", colour_on(in, COLOUR_YELLOW), colour_off(in));
	printf("%-26s %" PRId64 " of at most %" PRId64 "\n", "names kept fresh",
	       reply_int(r, "kept"), reply_int(r, "max_names"));
	printf("%-26s %" PRId64 " a second\n", "refreshes, at most", reply_int(r, "max_rate"));
	json_object_foreach(counters, name, value)
		printf("%-26s %" PRId64 "\n", name, (int64_t)json_integer_value(value));
	putchar('\n');
	print_rules(in, json_object_get(r, "rules"));
}

void show_asked(struct invocation *in, const json_t *r)
{
	if (!reply_bool(r, "done")) {
		printf("%sNothing good came%s: it %s\n", colour_on(in, COLOUR_RED), colour_off(in),
		       reply_text(r, "outcome"));
		in->status = CTL_FAILED;
		return;
	}
	printf("; it %s\n", reply_text(r, "outcome"));
	show_entries(in, r);
}
