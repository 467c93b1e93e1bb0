#pragma once
/*
 * A decision trace in words: each step for who wants to see all of it, or only who is to blame.
 */
#include "console/commands_words.h"
#include "resolve/askable.h"
#include "resolve/trace.h"

/* The type Trace of the interface. NULL if memory is out. */
json_t *trace_words_json(const struct trace_report *report, struct now now);

/* "was answered NOERROR, secure, from 192.0.2.1:53 after 12 ms and 3 packets",
 * "failed with SERVFAIL after 1.8 s and 9 packets: REASON (EDE 22, No Reachable Authority)" into
 * OUT. */
enum { TRACE_SUMMARY_MAX = 768 };
const char *trace_words_summary(const struct trace_report *report,
				char out[static TRACE_SUMMARY_MAX]);

/* Tell SAY, a sentence each, what stood in the way: servers and what each did, limits, throttling,
 * and what clients were told meanwhile. Nothing if all went well. */
typedef void trace_words_fn(void *context, const char *sentence);
void trace_words_blame(const struct trace_report *report, trace_words_fn *say, void *context);
