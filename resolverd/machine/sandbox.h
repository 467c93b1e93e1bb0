#pragma once
/*
 * What the daemon gives up before it reads its first packet, so that a mistake in it is worth
 * little to whoever finds it. It holds in a container too, where no service manager does this.
 *
 *   account       root's powers go, as far as the configuration names another account to be
 *   capabilities  all but those that listening on a low port needs, and addresses of node-local
 *   Landlock      files are written below cache.path and beside the control socket, nowhere else, and
 *                 read there, beside the configuration, and where the system's libraries need it; TCP
 *                 goes to ports of name servers; no program is run (sandbox_landlock.h)
 *   seccomp       only the system calls that serving needs, and of those that could do more only as it
 *                 does: no memory that can be run, no process or namespace, four families of sockets
 *
 * What the kernel does not have is left out and named in the log. A system call that is refused is
 * either an attack or a mistake in the list: it fails with EPERM, is told once a second with its
 * name, and counted. It is done before the first thread begins; threads inherit it.
 */
#include "config/config.h"

/* Give up what CONFIG, read from PATH (NULL: from nowhere), does not need. ERR_SYSTEM if the account it names cannot be taken: then
 * nothing may go on. No thread may have begun. */
MUST_USE enum err sandbox_enter(const struct config *config, const char *path);

/* System calls refused so far. From any thread. */
uint64_t sandbox_refused(void);
/* Tell of those refused since the last call. Main thread, now and then. */
void sandbox_tick(void);

/* What holds, as words: "capabilities,landlock,seccomp", or "none". Static. */
const char *sandbox_text(void);
