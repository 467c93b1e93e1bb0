#pragma once
/*
 * Log for the operator: one event a line, key=value. The sink is the one piece of file-scope state
 * in the project. Thread safe. Lines that repeat quickly are held back and counted.
 */
#include "base/require.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* Where lines go; LINE has no newline. Called with the log's lock held. */
typedef void log_sink_fn(void *context, enum log_level level, const char *line);

/* Lines above LEVEL are dropped. SINK NULL means stderr. */
void log_init(enum log_level level, log_sink_fn *sink, void *context);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* "error", "warning", "notice", "info", "debug" → level; false if none of these. */
MUST_USE _Bool log_level_parse(const char *word, enum log_level *out);

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_notice(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug_line(const char *format, ...) PRINTF_LIKE(1, 2);

/* A line that is never held back, however often it comes: the query log, answers to commands. */
void log_always(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

/* Tell what was held back in seconds that are over. The next line does so too; call this about once
 * a second, so that the count does not wait for it. */
void log_tick(void);

/* Arguments are not evaluated unless debugging is on. */
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (UNLIKELY(log_get_level() >= LOG_LEVEL_DEBUG))                                  \
			log_debug_line(__VA_ARGS__);                                               \
	} while (0)
