#pragma once
/*
 * Landlock's part of the sandbox (machine/sandbox.h). What the running kernel knows of it is asked, so
 * that one program does on each what that can:
 *
 *   files    written below cache.path and beside the control socket; read there too, below the
 *            configuration's and the root hints' directories, and what the C library, OpenSSL and the look
 *            at memory and accounts need. No program is run.
 *   TCP      (Linux 6.7) connections go to ports 53 and those that the configuration names: an answer of
 *            the metadata service or of a database in the same network is not to be had. Binding is not
 *            restricted, as a reload may change what is listened at.
 *   signals  (Linux 6.12) to nobody outside.
 *
 * A directory that is not there is not replaced by the one above it: that may be the root.
 */
#include "config/config.h"

/* CONFIG was read from PATH, NULL: from nowhere. False with errno: there is no Landlock. */
bool landlock_enter(const struct config *config, const char *path);
