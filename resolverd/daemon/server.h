#pragma once
/*
 * The daemon as a whole: what the workers share, the workers, and the main thread's loop, which
 * waits for signals, reloads the configuration and ends everything.
 */
#include "base/err.h"
#include "config/config.h"

/* Serve until SIGTERM or SIGINT. CONFIG is taken over; PATH is read again on SIGHUP (NULL: there is
 * no file). Returns the exit status for the process; what went wrong has been logged. Signals are
 * blocked already (signals_block()). */
int server_run(struct config *config, const char *path);
