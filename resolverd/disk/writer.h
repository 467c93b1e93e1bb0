#pragma once
/*
 * The writer thread: opens the file, checks it, commits what waits once a second, makes room, and
 * gets over whatever fails. The only writer of struct disk's view and status.
 */
#include "disk/private.h"

/* Start the thread, which opens the file. ERR_NO_MEMORY; all else is a state. */
MUST_USE enum err disk_writer_start(struct disk *d);
/* False: the thread could not be started, nothing will be written. */
bool disk_writer_runs(const struct disk *d);
/* Write all that waits, end the thread, close the file. ERR_BUSY: not by UNTIL (CLOCK_MONOTONIC). */
MUST_USE enum err disk_writer_stop(struct disk *d, const struct timespec *until);
