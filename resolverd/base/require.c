#include "base/require.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

enum {
	LAST_WORDS_MS = 200, /* for the lines that tell how it came to this */
	ROOM_MS = 100,	     /* a pipe that nobody reads must not keep us from ending */
};

_Noreturn void require_failed(const char *file, int line, const char *text)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

	log_stop(LAST_WORDS_MS);
	/* Not through the log: it may be the log's own lock or sink that is broken. */
	if (poll(&out, 1, ROOM_MS) > 0)
		fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, text);
	abort();
}
