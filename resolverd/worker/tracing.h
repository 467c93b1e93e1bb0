#pragma once
/*
 * An operator's `trace`: a question that one worker asks and tells back as a whole.
 *
 * A request is owned by two: the main thread, which posts it and looks now and then whether it is
 * done, and the worker, which goes on with its clients meanwhile. Whoever lets go last frees it.
 */
#include <stdatomic.h>

#include "base/now.h"
#include "worker/recorder.h"

enum {
	TRACING_OPEN_MAX = 16, /* of one worker: each may cost as much as a client's question */
	TRACING_PATIENCE_MS = 15 * 1000, /* a question ends within LIMIT_QUERY_MS */
};

enum tracing_state { TRACING_OPEN, TRACING_DONE, TRACING_REFUSED /* too many, or no memory */ };

struct tracing {
	uint8_t name[DNAME_MAX];
	uint16_t type;
	bool cached, from_root, refresh; /* as of EV_WATCH */
	/* The worker's until state is no longer TRACING_OPEN, then the main thread's. */
	struct recorder_copy *result;
	_Atomic(enum tracing_state) state;
	_Atomic unsigned owners;
	uint64_t since_us;    /* the worker's: mono */
	struct tracing *next; /* the worker's */
};

/* For one owner. NULL if memory is out. */
struct tracing *tracing_new(void);
/* For one more. */
struct tracing *tracing_use(struct tracing *t);
void tracing_release(struct tracing *t); /* NULL is fine */
enum tracing_state tracing_look(const struct tracing *t);

struct tracing_desk { /* a worker's; zero-initialised is empty */
	struct tracing *open;
	unsigned open_count;
};

/* All of these are the worker's. */
/* Wait for the report of T, which is owned by this; false: too many are open, T is refused. */
bool tracing_begin(struct tracing_desk *desk, struct tracing *t, struct now now);
/* T, which never began, is over. */
void tracing_refuse(struct tracing *t);
/* REPORT, which is marked as watched, answers who asked for it. */
void tracing_report(struct tracing_desk *desk, const struct trace_report *report);
/* Give up what was never answered. */
void tracing_expire(struct tracing_desk *desk, struct now now);
/* The worker has ended. */
void tracing_close(struct tracing_desk *desk);
