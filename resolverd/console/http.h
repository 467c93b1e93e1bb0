#pragma once
/*
 * HTTP for machines: /metrics (console/exposition.h), /healthz and /readyz. A thread of its own for
 * each address, made by libmicrohttpd; it reads counters and figures, and never takes a worker's
 * time but for the two questions that /readyz asks like any client.
 *
 *   /healthz  200 if every worker goes through its loop, else 503 and which does not
 *   /readyz   200 if a question is answered over UDP and one over TCP at the first address that is
 *             served, else 503 and which was not;
 *             with a line for what else is not as it should be (console/doubts.h)
 *
 * A connection is for one request. How many there may be, and whose, console/http_slots.h says. Where
 * health is served at addresses of its own, those have connections and a thread that nothing else takes.
 */
#include "base/endpoint.h"
#include "console/exposition.h"
#include "net/monitor.h"

struct http_settings {
	struct exposition exposition;
	const struct config *config; /* metrics of it; only looked at by http_open() */
	struct monitor *monitor;     /* outlives it; the main thread's */
};

enum { HTTP_PLACES_MAX = 32 }; /* addresses, those of interfaces included: each has a thread */

/* Listen on the addresses of the configuration, whether the machine has them yet or not, and on those
 * that its interfaces have, as they come and go. One that cannot be had, as somebody else serves it, is
 * logged, a doubt, and tried again: names are worth more than figures, so it does not end the daemon, and
 * of two instances that relieve each other the second one takes it when the first is gone. ERR_NO_MEMORY. */
MUST_USE enum err http_open(const struct http_settings *settings, struct http **out);
/* Connections that clients had to give up, or did not get, having had their share. NULL: 0. */
uint64_t http_refused(struct http *h);
/* Once a second: end what takes too long, look for addresses of interfaces, and try again what is not served. NULL is fine. */
void http_tick(struct http *h);
/* Call TELL with a line of TEXT (its own for the call) for each address that cannot be reached. From any
 * thread; TELL must not call back. NULL is fine. */
void http_doubts(struct http *h, void (*tell)(void *context, const char *text), void *context);
/* Ends the threads. NULL is fine. */
void http_close(struct http *h);
