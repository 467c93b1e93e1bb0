#pragma once
/*
 * From where an answer came: for each part of its alias chain the server whose reply was taken, or
 * the cache, read from a decision trace.
 */
#include "resolve/trace.h"

enum {
	TRACE_SOURCES_MAX = 4, /* longer chains through more zones are rare: the last is the last */
	TRACE_SOURCES_TEXT = TRACE_SOURCES_MAX * (ENDPOINT_TEXT_SIZE + 8),
};

struct trace_sources { /* in the order of the chain; the same one in a row is told once */
	struct endpoint list[TRACE_SOURCES_MAX]; /* family 0: the cache */
	size_t count;				 /* 0: the trace does not tell */
};

void trace_source_read(const struct trace_report *report, struct trace_sources *out);

/* "192.0.2.1:53", "the cache" */
const char *trace_source_text(const struct endpoint *source, char out[static ENDPOINT_TEXT_SIZE]);
/* "192.0.2.1:53, the cache", or "". */
const char *trace_source_list(const struct trace_sources *s, char out[static TRACE_SOURCES_TEXT]);
