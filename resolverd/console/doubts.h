#pragma once
/*
 * What is not as it should be although the daemon answers: for `resolverctl status` and /readyz,
 * so that nobody has to find it in the log.
 */
#include "cache/families.h"
#include "console/http.h"
#include "disk/disk.h"
#include "machine/allowances.h"
#include "machine/listen.h"
#include "worker/worker.h"

enum {
	DOUBTS_RECENT_MS = STRIPPERS_RECENT_MS,
};

struct doubts {		   /* all borrowed; any thread may read it */
	struct disk *disk; /* NULL: off */
	struct worker *const *workers;
	unsigned worker_count;
	struct allowances *allowances;
	const struct throttle *throttle;
	struct strippers *strippers;
	struct listen *listen;
	struct http *http; /* NULL: none */
	struct families *families;
};

/* Call TELL with one line of TEXT (its own for the call) for each doubt there is. */
void doubts_read(const struct doubts *d, void (*tell)(void *context, const char *text),
		 void *context);
