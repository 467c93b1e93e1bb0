#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/log_line.h"
#include "base/log_queue.h"

/*
 * Holding back: lines are told apart by their format string's address. A slot counts how often its
 * format was logged in the present second; past REPEATS_MAX the lines are only counted, and when
 * the second is over one line says how many. There is no timer here: the end of a second is noticed
 * by the next line of any kind, or by log_tick(). Debug lines and log_always() are exempt: who
 * turns those on wants each of them.
 */
enum {
	LINE_MAX_BYTES = 1024, /* longer than any event we log; the rest is cut */
	REPEATS_MAX = 10,      /* a second: enough to see a pattern, few enough to read */
	SLOTS = 256,	       /* formats watched at once; when two share one, the newer takes it */
};

struct repeat {
	const char *format;
	enum log_level level;
	uint32_t second;
	uint32_t count;
	uint32_t held_back;
};

/* The log is the project's one piece of file-scope state. */
static struct {
	_Atomic int level;
	pthread_mutex_t lock; /* of all below */
	log_sink_fn *sink;
	void *context;
	uint32_t held_slots; /* slots with held_back > 0 */
	struct repeat repeats[SLOTS];
} log_state = {.level = LOG_LEVEL_INFO, .lock = PTHREAD_MUTEX_INITIALIZER};

static const char *const level_words[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
};

void log_init(enum log_level level, log_sink_fn *sink, void *context)
{
	pthread_mutex_lock(&log_state.lock);
	log_state.sink = sink;
	log_state.context = context;
	log_state.held_slots = 0;
	memset(log_state.repeats, 0, sizeof(log_state.repeats));
	pthread_mutex_unlock(&log_state.lock);
	log_set_level(level);
}

enum err log_hold(void)
{
	return log_queue_open(log_state.sink, log_state.context);
}

enum err log_start(void)
{
	return log_queue_start();
}

void log_stop(unsigned most_ms)
{
	log_queue_close(most_ms);
}

void log_read(struct log_view *out)
{
	log_queue_read(out);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_state.level, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&log_state.level, memory_order_relaxed);
}

_Bool log_level_parse(const char *word, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_LEN(level_words); i++) {
		if (strcasecmp(word, level_words[i]) == 0) {
			*out = (enum log_level)i;
			return 1;
		}
	}
	return 0;
}

/* Seconds for the hold-back alone; no event's time comes from here. */
static uint32_t log_second(void)
{
	struct timespec ts = {0};
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

/* Lock held. LINE has room for two bytes more than its text. COMMON: one of many. */
static void log_emit(enum log_level level, char *line, bool common)
{
	size_t len = strlen(line);
	/* One event a line, whatever strangers put into the strings that we print. */
	/* ASCII alone: what is above has controls too (C1, and U+202E that turns a text around). */
	for (size_t i = 0; i < len; i++) {
		if ((uint8_t)line[i] < 0x20 || (uint8_t)line[i] >= 0x7f)
			line[i] = '?';
	}
	if (log_queue_is_open()) {
		log_queue_put(level, line, common);
		return;
	}
	if (log_state.sink) {
		log_state.sink(log_state.context, level, line);
		return;
	}
	line[len] = '\n';
	/* One call a line, so that lines of other processes do not cut into it. If stderr is gone,
	 * there is nobody left to tell. */
	ssize_t ignored = write(STDERR_FILENO, line, len + 1);
	(void)ignored;
}

static void log_emit_held_back(struct repeat *r)
{
	char line[LINE_MAX_BYTES + 2], shape[LINE_MAX_BYTES / 2];
	if (r->held_back == 0)
		return;
	log_line_shape(shape, sizeof(shape), r->format);
	snprintf(line, LINE_MAX_BYTES, "lines held back: count=%u, too many a second of: %s",
		 r->held_back, shape);
	r->held_back = 0;
	log_state.held_slots--;
	log_emit(r->level, line, false);
}

/* Lock held: tell what was held back in seconds that are over. */
static void log_settle(uint32_t second)
{
	if (log_state.held_slots == 0)
		return;
	for (size_t i = 0; i < SLOTS; i++) {
		if (log_state.repeats[i].second != second)
			log_emit_held_back(&log_state.repeats[i]);
	}
}

/* Lock held: count FORMAT; true if the line shall be held back. */
static bool log_is_repeat(enum log_level level, const char *format, uint32_t second)
{
	uintptr_t address = (uintptr_t)format;
	struct repeat *r = &log_state.repeats[(address ^ address >> 6 ^ address >> 12) % SLOTS];
	if (r->format != format || r->second != second) {
		log_emit_held_back(r);
		*r = (struct repeat){.format = format, .level = level, .second = second};
	}
	if (++r->count <= REPEATS_MAX)
		return false;
	if (r->held_back++ == 0)
		log_state.held_slots++;
	return true;
}

enum manner {
	HELD_BACK, /* when it repeats quickly */
	ALWAYS,
	COMMON, /* always, and the first to be dropped */
};

static void log_line(enum log_level level, enum manner manner, const char *format, va_list args)
{
	if (level > log_get_level())
		return;

	pthread_mutex_lock(&log_state.lock);
	uint32_t second = log_second();
	log_settle(second);
	if (manner != HELD_BACK || !log_is_repeat(level, format, second)) {
		char line[LINE_MAX_BYTES + 2];
		log_line_write(line, LINE_MAX_BYTES, format, args);
		log_emit(level, line, manner == COMMON);
	}
	pthread_mutex_unlock(&log_state.lock);
}

void log_tick(void)
{
	pthread_mutex_lock(&log_state.lock);
	log_settle(log_second());
	pthread_mutex_unlock(&log_state.lock);
}

#define LOG_FUNCTION(name, level, manner)                                                          \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		log_line(level, manner, format, args);                                             \
		va_end(args);                                                                      \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR, HELD_BACK)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING, HELD_BACK)
LOG_FUNCTION(log_notice, LOG_LEVEL_NOTICE, HELD_BACK)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO, HELD_BACK)
LOG_FUNCTION(log_debug_line, LOG_LEVEL_DEBUG, COMMON)
LOG_FUNCTION(log_query, LOG_LEVEL_INFO, COMMON)

void log_always(enum log_level level, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	log_line(level, ALWAYS, format, args);
	va_end(args);
}
