#include "base/require.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void require_failed(const char *file, int line, const char *text)
{
	/* Not through the log: it may be the log's own lock or sink that is broken. */
	fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, text);
	abort();
}
