#include "console/trace_source.h"

#include <stdio.h>

#include "base/require.h"

struct reading {
	struct endpoint packets[UINT8_MAX + 1]; /* by number: where it went */
	struct endpoint last;			/* of this part of the chain */
	bool found;				/* LAST is set */
};

static void end_part(struct reading *r, struct trace_sources *out)
{
	if (!r->found)
		return; /* it came with the reply to the part before */
	r->found = false;
	if (out->count > 0 && endpoint_equal(&out->list[out->count - 1], &r->last))
		return;
	if (out->count == TRACE_SOURCES_MAX)
		out->count--;
	out->list[out->count++] = r->last;
}

/* Other replies have been followed by a question elsewhere. */
static bool is_taken(unsigned reply)
{
	return reply == TRACE_REPLY_ANSWER || reply == TRACE_REPLY_ALIAS ||
	       reply == TRACE_REPLY_NODATA || reply == TRACE_REPLY_NXDOMAIN ||
	       reply == TRACE_REPLY_TOO_LONG;
}

void trace_source_read(const struct trace_report *report, struct trace_sources *out)
{
	struct trace_reader reader = trace_reader_of(report->steps);
	struct reading r = {0};
	struct trace_step step;

	out->count = 0;
	while (trace_next(&reader, &step)) {
		if (step.question != report->question)
			continue;
		if (step.kind == TRACE_SEND) {
			r.packets[step.number] = *step.server;
		} else if (step.kind == TRACE_CACHE) {
			r.found = true;
			r.last = (struct endpoint){0};
		} else if (step.kind == TRACE_REPLY && is_taken(step.code)) {
			r.found = true;
			r.last = r.packets[step.number];
		} else if (step.kind == TRACE_ALIAS) {
			end_part(&r, out);
		}
	}
	end_part(&r, out);
}

const char *trace_source_text(const struct endpoint *source, char out[static ENDPOINT_TEXT_SIZE])
{
	if (source->family != 0)
		return endpoint_text(source, out);
	(void)snprintf(out, ENDPOINT_TEXT_SIZE, "the cache");
	return out;
}

const char *trace_source_list(const struct trace_sources *s, char out[static TRACE_SOURCES_TEXT])
{
	char text[ENDPOINT_TEXT_SIZE];
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < s->count; i++)
		len += (size_t)snprintf(out + len, TRACE_SOURCES_TEXT - len, "%s%s",
					i > 0 ? ", " : "", trace_source_text(&s->list[i], text));
	REQUIRE(len < TRACE_SOURCES_TEXT);
	return out;
}
