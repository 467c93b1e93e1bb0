#include "machine/journal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syslog.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/log_line.h"

#define PREFIX "RESOLVERD_"

static const int priorities[] = {
	[LOG_LEVEL_ERROR] = LOG_ERR,	 [LOG_LEVEL_WARNING] = LOG_WARNING,
	[LOG_LEVEL_NOTICE] = LOG_NOTICE, [LOG_LEVEL_INFO] = LOG_INFO,
	[LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

static void PRINTF_LIKE(2, 3) add(struct journal_fields *out, const char *format, ...)
{
	va_list args;

	if (out->count == JOURNAL_FIELDS_MAX)
		return;
	va_start(args, format);
	(void)vsnprintf(out->text[out->count++], JOURNAL_FIELD_MAX, format, args);
	va_end(args);
}

/* How long a key AT begins with, which an equals sign follows; 0: there is none. */
static size_t key_len(const char *at)
{
	size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return at[len] == '=' && at[0] >= 'a' && at[0] <= 'z' ? len : 0;
}

/* The key of LEN bytes and what follows it; returns what comes behind. */
static const char *add_pair(struct journal_fields *out, const char *at, size_t len)
{
	const char *value = at + len + 1, *end;
	char text[JOURNAL_FIELD_MAX];

	if (*value == '"') {
		end = log_line_unquote(value + 1, text, sizeof(text));
		end += *end == '"';
		add(out, PREFIX "%.*s=%s", (int)len, at, text);
	} else {
		end = value + strcspn(value, " ");
		add(out, PREFIX "%.*s=%.*s", (int)len, at, (int)(end - value), value);
	}
	/* The journal takes capitals, digits and underscores. */
	char *field = out->text[out->count - 1];
	for (size_t i = strlen(PREFIX); i < strlen(PREFIX) + len; i++)
		field[i] = field[i] == '-'			? '_'
			   : field[i] >= 'a' && field[i] <= 'z' ? (char)(field[i] - 'a' + 'A')
								: field[i];
	return end;
}

void journal_split(enum log_level level, const char *line, struct journal_fields *out)
{
	const char *at = line;

	out->count = 0;
	add(out, "MESSAGE=%s", line);
	add(out, "PRIORITY=%d", priorities[level]);
	add(out, "SYSLOG_IDENTIFIER=resolverd");
	/* The words before the first pair. */
	while (*at && key_len(at) == 0) {
		at += strcspn(at, " ");
		at += strspn(at, " ");
	}
	size_t event = (size_t)(at - line);
	while (event > 0 && (line[event - 1] == ' ' || line[event - 1] == ':'))
		event--;
	if (event > 0)
		add(out, PREFIX "EVENT=%.*s", (int)event, line);
	for (; *at && out->count < JOURNAL_FIELDS_MAX; at += strspn(at, " ")) {
		size_t len = key_len(at);
		at = len > 0 ? add_pair(out, at, len) : at + strcspn(at, " ");
	}
}

bool journal_is_stream(int fd, const char *stream)
{
	uintmax_t device, inode;
	struct stat s;

	return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 && fstat(fd, &s) == 0 &&
	       s.st_dev == device && s.st_ino == inode;
}

void journal_sink(void *context, enum log_level level, const char *line)
{
	struct journal_fields *fields = context; /* the log's lock holds it */
	struct iovec list[JOURNAL_FIELDS_MAX + 1];

	journal_split(level, line, fields);
	for (size_t i = 0; i < fields->count; i++)
		list[i] = (struct iovec){fields->text[i], strlen(fields->text[i])};
	if (sd_journal_sendv(list, (int)fields->count) >= 0)
		return;
	list[0] = (struct iovec){(void *)(uintptr_t)line, strlen(line)};
	list[1] = (struct iovec){(void *)(uintptr_t) "\n", 1};
	ssize_t ignored = writev(STDERR_FILENO, list, 2);
	(void)ignored;
}
