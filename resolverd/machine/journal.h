#pragma once
/*
 * The log as the journal wants it: a line "event key=value key=\"more words\"" goes there as MESSAGE,
 * with its PRIORITY, its first words as RESOLVERD_EVENT, and a field RESOLVERD_KEY for each key, so
 * that `journalctl RESOLVERD_NAME=example.com.` finds it. A text between quotes is there as it was
 * before the log put backslashes into it (base/log_line.h): a stranger's makes no fields of its own.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

enum {
	JOURNAL_FIELDS_MAX = 24,  /* no line of ours has more; further ones stand in MESSAGE only */
	JOURNAL_FIELD_MAX = 1100, /* a whole line of the log and a key */
};

/* "KEY=value", NUL-terminated. */
struct journal_fields {
	size_t count;
	char text[JOURNAL_FIELDS_MAX][JOURNAL_FIELD_MAX];
};

/* LINE of LEVEL as fields. */
void journal_split(enum log_level level, const char *line, struct journal_fields *out);

/* Descriptor FD is the journal's stream: STREAM is the environment's JOURNAL_STREAM, or NULL. */
bool journal_is_stream(int fd, const char *stream);

/* A sink for log_init(). What the journal does not take goes to stderr. */
log_sink_fn journal_sink;
