#pragma once
/*
 * The operator's side of the daemon, put together: the control socket with its sessions and verbs,
 * HTTP, negative trust anchors added at run time, and rates. On the main thread.
 *
 * None of it is needed for answering: what cannot be opened is logged, and the daemon serves.
 */
#include "anchors/flushes.h"
#include "console/commands.h"
#include "console/http.h"
#include "net/control.h"

enum { CONSOLE_RESTART_MAX = 16 };

struct console { /* main thread; zero-initialised is closed */
	struct commands commands;
	struct session_service service;
	struct control_server control;
	struct http *http;
	struct negative negative;
	struct flushes flushes;
	struct forwards forwards;
	struct query_filter queries; /* instead of log.queries, if QUERIES_SET */
	bool queries_set;
	struct rates rates;
	struct feed *feed_list[CONFIG_WORKERS_MAX];
	struct feeds feeds;
	enum config_readonly readonly;
	const char *restart[CONSOLE_RESTART_MAX]; /* keys; static texts */
	/* Give everybody the negative anchors and forward zones as they stand now. */
	enum err (*publish)(void *server);
	void *server;
	struct loop *loop;
};

struct console_parts {
	struct loop *loop;
	const struct worker_shared *shared;
	const struct holdings *holdings;
	struct cache_reader *reader; /* the main thread's */
	struct allowances *allowances;
	const struct throttle *throttle;
	struct worker *const *workers;
	const unsigned *worker_count;
	struct snapshot *const *snapshot;
	struct listen *listen;
	struct monitor *monitor;
	const char *path; /* of the configuration; NULL: defaults */
	enum err (*reload)(void *server, struct config_error *error);
	enum err (*publish)(void *server);
	void *server;
};

/* The workers are made and do not run yet. PARTS' contents outlive C. */
void console_open(struct console *c, const struct console_parts *parts);
void console_close(struct console *c);

/* Once a second: rates, negative anchors whose time is over, and addresses of HTTP that were not to be
 * had. */
void console_tick(struct console *c, struct now now);

/* A reload from OLD to FRESH is on its way: begin the list of keys that need a restart, with those
 * of ours. KEY (a static text) is one more. Once FRESH is in effect, it is taken up. */
void console_reload(struct console *c, const struct config *old, const struct config *fresh);
void console_needs_restart(struct console *c, const char *key);
void console_reloaded(struct console *c, const struct config *fresh);
