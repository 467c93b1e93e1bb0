#pragma once
/*
 * Log for the operator: one event a line, key=value. The sink is the one piece of file-scope state
 * in the project. Thread safe. Lines that repeat quickly are held back and counted. In the daemon a
 * thread of its own writes (base/log_queue.h): who logs never waits for who reads.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/require.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* Where lines go; LINE has no newline. Called by one thread at a time. */
typedef void log_sink_fn(void *context, enum log_level level, const char *line);

/* Lines above LEVEL are dropped. SINK NULL means stderr. */
void log_init(enum log_level level, log_sink_fn *sink, void *context);
/* From now on lines wait in memory for the thread that log_start() begins. ERR_NO_MEMORY: they are
 * written by whoever logs, as before. After log_init(), once. */
MUST_USE enum err log_hold(void);
/* Begin to write. ERR_SYSTEM: there is no thread to be had. */
MUST_USE enum err log_start(void);
/* Before the process ends: wait until all is written, but for no longer than MOST_MS. */
void log_stop(unsigned most_ms);

/* How it is with who takes the lines. From any thread. */
struct log_view {
	size_t waiting_bytes;
	uint64_t dropped;  /* lines that nobody took in time, or that could not be written */
	bool stands_still; /* lines are being dropped, or one has been waited with for long */
	int error;	   /* errno of the last write; 0: it was good */
};
void log_read(struct log_view *out);

void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* "error", "warning", "notice", "info", "debug" → level; false if none of these. */
MUST_USE _Bool log_level_parse(const char *word, enum log_level *out);

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_notice(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug_line(const char *format, ...) PRINTF_LIKE(1, 2);

/* A line that is never held back, however often it comes: whoever calls it knows how often that is. */
void log_always(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same for the query log, which is without bounds: where there is no room for all lines, the others
 * go first. */
void log_query(const char *format, ...) PRINTF_LIKE(1, 2);

/* Tell what was held back in seconds that are over. The next line does so too; call this about once
 * a second, so that the count does not wait for it. */
void log_tick(void);

/* Arguments are not evaluated unless debugging is on. */
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (UNLIKELY(log_get_level() >= LOG_LEVEL_DEBUG))                                  \
			log_debug_line(__VA_ARGS__);                                               \
	} while (0)
