#pragma once
/*
 * What stands between whoever logs and whoever reads the log: a bounded queue of lines in memory and one
 * thread that writes them. A reader that stands still (a pipe that nobody empties, a journal that hangs)
 * costs lines and never time: putting a line here takes a lock that nobody holds while he writes.
 *
 * Lines that come without end (the query log, debugging) leave a quarter of the room to the others.
 * Once there is no room, they are dropped until half of it is free again, so that a gap in the log is one
 * gap; where it was, a line says how many are missing.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

enum {
	/* 7000 lines of the query log: a second or so of a busy one, while the reader is elsewhere. */
	LOG_QUEUE_BYTES = 1 << 20,
	/* What is written at once: a pipe takes so much whole, so that no other process's lines get in
	 * between (PIPE_BUF). */
	LOG_QUEUE_BATCH = 4096,
};

/* Lines wait from now on; they go to SINK, or to stderr if it is NULL. Once. ERR_NO_MEMORY. */
MUST_USE enum err log_queue_open(log_sink_fn *sink, void *context);
bool log_queue_is_open(void);

/* Begin the thread. ERR_SYSTEM: there is none, and lines wait. */
MUST_USE enum err log_queue_start(void);

/* A copy of LINE (no newline) is to be written. COMMON: one of many, see above. Never waits. */
void log_queue_put(enum log_level level, const char *line, bool common);

/* Until all lines are written, or for MOST_MS; the thread ends with the last one. A thread that was not
 * begun is begun for it. */
void log_queue_close(unsigned most_ms);

void log_queue_read(struct log_view *out);
