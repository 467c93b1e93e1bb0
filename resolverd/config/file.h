#pragma once
/*
 * Files that the configuration names, and itself: only what has an end is read. A device, a pipe or a
 * directory in the place of a file is a mistake that is told, not something to wait for.
 */
#include "base/err.h"
#include "base/span.h"

/* The whole file PATH, of at most CONFIG_FILE_MAX bytes, with a NUL behind it; free() it. ERR_NO_MEMORY,
 * or ERR_MALFORMED with WHY (a static text) in words that go behind the file's name. */
MUST_USE enum err config_file_read(const char *path, struct span *out, const char **why);
