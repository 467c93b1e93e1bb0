#include <inttypes.h>
#include <string.h>

#include "ctl.h"
#include "reply.h"

/* What stands in the way, and what went well in the end. */
static enum colour colour_of(const json_t *step)
{
	static const char *const bad[] = {"timeout",  "lost",	   "wrong",    "limit",
					  "patience", "throttled", "elsewhere"};
	const char *kind = reply_text(step, "kind");

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (strcmp(kind, bad[i]) == 0)
			return COLOUR_RED;
	if (strcmp(kind, "question") == 0)
		return COLOUR_BOLD;
	return COLOUR_NONE;
}

static void print_sources(const json_t *sources)
{
	const json_t *source;
	size_t i;

	fputs("from ", stdout);
	json_array_foreach(sources, i, source)
		printf("%s%s", i > 0 ? ", " : "", json_string_value(source));
	putchar('\n');
}

void show_trace(struct invocation *in, const json_t *r)
{
	const json_t *trace = json_object_get(r, "trace"), *step;
	size_t i;

	if (!json_is_object(trace)) {
		fprintf(stderr, "resolverctl: no trace: %s\n", reply_text(r, "problem"));
		in->status = CTL_FAILED;
		return;
	}
	printf("%s%s %s: %s, %s, %.1f ms, %" PRId64 " packets%s\n", colour_on(in, COLOUR_BOLD),
	       reply_text(trace, "name"), reply_text(trace, "type"), reply_text(trace, "rcode"),
	       reply_text(trace, "verdict"), (double)reply_int(trace, "took_us") / 1000,
	       reply_int(trace, "packets"), colour_off(in));
	if (json_array_size(json_object_get(trace, "sources")) > 0)
		print_sources(json_object_get(trace, "sources"));
	if (*reply_text(trace, "text"))
		printf("%s (EDE %" PRId64 ", %s)\n", reply_text(trace, "text"),
		       reply_int(trace, "ede"), reply_text(trace, "ede_name"));
	puts("      ms");
	json_array_foreach(json_object_get(trace, "steps"), i, step)
	{
		enum colour colour = colour_of(step);
		printf("%8.1f  %*s%s%s%s\n", (double)reply_int(step, "at_us") / 1000,
		       (int)(2 * reply_int(step, "depth")), "", colour_on(in, colour),
		       reply_text(step, "text"), colour != COLOUR_NONE ? colour_off(in) : "");
	}
	if (reply_int(trace, "missing_steps") > 0)
		printf("          ... and %" PRId64 " more\n", reply_int(trace, "missing_steps"));
}
