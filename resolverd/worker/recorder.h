#pragma once
/*
 * The flight recorder of one worker: the decision traces of the last questions that the cache could
 * not answer, so that `explain` can say after the fact why a name failed.
 *
 * Traces lie in three rings, each with its share of the bytes: those of failures, of slow answers,
 * and of the rest. So failures and slow ones are kept longest, whatever else comes. Refreshes that
 * went well are not kept at all. Nothing is recorded for answers from the cache, and nothing leaves
 * memory.
 *
 * The worker writes and never waits: while the main thread reads, which it does by copying, a trace
 * goes into a small ring of the worker's own until the next turn of its loop.
 */
#include "base/err.h"
#include "resolve/trace.h"

enum recorder_kind { RECORDER_FAILED, RECORDER_SLOW, RECORDER_OTHER, RECORDER_KIND_COUNT };

struct recorder_settings {
	uint32_t slow_ms; /* answers that took this long are slow */
	bool redact;	  /* keep no address of a client */
};

struct recorder;

/* Within SIZE_BYTES, what waits included; 0: nothing is recorded. ERR_NO_MEMORY. */
MUST_USE enum err recorder_new(size_t size_bytes, struct recorder **out);
void recorder_free(struct recorder *r); /* NULL is fine */

/* The worker: this holds for what comes from now on. */
void recorder_configure(struct recorder *r, const struct recorder_settings *settings);
/* The worker: keep a copy of REPORT. */
void recorder_take(struct recorder *r, const struct trace_report *report);
/* The worker, now and then: put what had to wait where it belongs. */
void recorder_settle(struct recorder *r);

/* Another thread: call FN for each trace, oldest first in each ring, until it returns false. FN only
 * looks and copies: the worker's traces wait meanwhile. */
void recorder_walk(struct recorder *r,
		   bool (*fn)(void *context, enum recorder_kind kind,
			      const struct trace_report *report),
		   void *context);

/* REPORT in one block of memory, for who keeps it for longer (free() it); NULL if memory is out. */
struct recorder_copy {
	struct trace_report report; /* points behind itself */
};
struct recorder_copy *recorder_copy(const struct trace_report *report);
