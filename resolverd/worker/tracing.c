#include "worker/tracing.h"

#include <stdlib.h>

struct tracing *tracing_new(void)
{
	struct tracing *t = calloc(1, sizeof(*t));

	if (t)
		atomic_init(&t->owners, 1);
	return t;
}

struct tracing *tracing_use(struct tracing *t)
{
	atomic_fetch_add_explicit(&t->owners, 1, memory_order_relaxed);
	return t;
}

void tracing_release(struct tracing *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->owners, 1, memory_order_acq_rel) > 1)
		return;
	free(t->result);
	free(t);
}

enum tracing_state tracing_look(const struct tracing *t)
{
	return atomic_load_explicit(&t->state, memory_order_acquire);
}

/* The worker has done its part. */
static void finish(struct tracing *t, enum tracing_state state)
{
	atomic_store_explicit(&t->state, state, memory_order_release);
	tracing_release(t);
}

void tracing_refuse(struct tracing *t)
{
	finish(t, TRACING_REFUSED);
}

bool tracing_begin(struct tracing_desk *desk, struct tracing *t, struct now now)
{
	if (desk->open_count == TRACING_OPEN_MAX) {
		tracing_refuse(t);
		return false;
	}
	t->since_us = now.mono_us;
	t->next = desk->open;
	desk->open = t;
	desk->open_count++;
	return true;
}

/* End those of DESK that FITS picks. */
static void end_some(struct tracing_desk *desk, bool (*fits)(const struct tracing *, const void *),
		     const void *what, const struct trace_report *report)
{
	for (struct tracing **at = &desk->open; *at;) {
		struct tracing *t = *at;
		if (!fits(t, what)) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		desk->open_count--;
		t->result = report ? recorder_copy(report) : NULL;
		finish(t, t->result ? TRACING_DONE : TRACING_REFUSED);
	}
}

static bool is_reported(const struct tracing *t, const void *what)
{
	const struct trace_report *report = what;

	return t->type == report->type && dname_equal(t->name, report->name);
}

void tracing_report(struct tracing_desk *desk, const struct trace_report *report)
{
	end_some(desk, is_reported, report, report);
}

static bool is_old(const struct tracing *t, const void *what)
{
	const struct now *now = what;

	return now->mono_us >= t->since_us + TRACING_PATIENCE_MS * UINT64_C(1000);
}

void tracing_expire(struct tracing_desk *desk, struct now now)
{
	end_some(desk, is_old, &now, NULL);
}

static bool is_any(const struct tracing *t, const void *what)
{
	(void)t;
	(void)what;
	return true;
}

void tracing_close(struct tracing_desk *desk)
{
	end_some(desk, is_any, NULL, NULL);
}
