#pragma once
/*
 * Where clients reach the workers. Every address of the configuration is bound by each worker for
 * itself, unless the service manager has bound it for us (sd_listen_fds(3)): such a socket outlives
 * the daemon, so what is asked during a restart waits in it and is answered by the next one. Several
 * of one address (ReusePort=) are spread over the workers; one is shared by all of them.
 *
 * The configuration stays the truth: what is inherited and stands not in it is not served.
 */
#include "daemon/config.h"
#include "daemon/worker.h"

enum { LISTEN_INHERITED_MAX = 256 };

struct listen { /* main thread */
	struct listen_inherited {
		int fd;
		bool tcp;
		struct endpoint local;
	} inherited[LISTEN_INHERITED_MAX];
	size_t count;
};

/* Take what is inherited, and see that the other addresses of C are free. False: it is told why not. */
bool listen_prepare(struct listen *l, const struct config *c);

/* Have the workers serve all addresses of C. False: it is told why not. */
bool listen_everywhere(const struct listen *l, const struct config *c,
		       struct worker *const *workers, unsigned worker_count);

/* An address of C is inherited. */
bool listen_outlives_us(const struct listen *l);
