#pragma once
/*
 * HTTP for machines: /metrics (daemon/exposition.h), /healthz and /readyz. A thread of its own for
 * each address, made by libmicrohttpd; it reads counters and figures, and never takes a worker's
 * time but for the two questions that /readyz asks like any client.
 *
 *   /healthz  200 if every worker goes through its loop, else 503 and which does not
 *   /readyz   200 if a question is answered over UDP and one over TCP at the first address that is
 *             served, else 503 and which was not;
 *             with a line for what else is not as it should be (daemon/doubts.h)
 */
#include "base/endpoint.h"
#include "daemon/exposition.h"

struct http;

struct http_settings {
	struct exposition exposition;
};

/* Listen on COUNT ADDRESSES, whether the machine has them yet or not. One that cannot be had, as
 * somebody else serves it, is logged, a doubt, and tried again. ERR_NO_MEMORY. */
MUST_USE enum err http_open(const struct http_settings *settings, const struct endpoint *addresses,
			    size_t count, struct http **out);
/* Once a second: try again what is not served. NULL is fine. */
void http_tick(struct http *h);
/* Call TELL with a line of TEXT (its own for the call) for each address that cannot be reached. From any
 * thread; TELL must not call back. NULL is fine. */
void http_doubts(struct http *h, void (*tell)(void *context, const char *text), void *context);
/* Ends the threads. NULL is fine. */
void http_close(struct http *h);
