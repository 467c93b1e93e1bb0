#pragma once
/*
 * resolverctl(1): one table of commands (commands.c), from which usage, help, unique prefixes and
 * bash completion are made. A command is a verb of the daemon's interface, parameters made from the
 * command line, and a way to show the reply to people. With --json the reply is printed as it came:
 * control/io.resolverd.varlink documents it.
 *
 *   main.c      options, finding the command, help, completion
 *   commands.c  the table, and parameters
 *   client.c    the socket, calls, and what went wrong in words
 *   show.c      replies for people
 *   table.c     aligned columns, colour
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/require.h"

/* Exit statuses beside 0: those of <sysexits.h> that resolverctl(1) documents. */
enum {
	CTL_FAILED = 1,	      /* the daemon could not or would not */
	CTL_USAGE = 64,	      /* EX_USAGE */
	CTL_UNAVAILABLE = 69, /* EX_UNAVAILABLE: the daemon is not there */
	CTL_OS = 71,	      /* EX_OSERR: memory, standard output */
	CTL_PROTOCOL = 76,    /* EX_PROTOCOL: what came is no reply */
	CTL_DENIED = 77,      /* EX_NOPERM */
	CTL_CONFIG = 78,      /* EX_CONFIG: the configuration that was checked is wrong */
};

enum {
	CTL_ARGUMENTS_MAX = 4,
	/* Options that not every command takes. */
	OPTION_SUBTREE = 1,
	OPTION_ALL = 2,
	OPTION_WATCH = 4,
	OPTION_INTERVAL = 8,
	OPTION_FOR = 16,
};

struct invocation { /* the command line */
	const char *socket;
	bool json, colour, terminal;
	unsigned given; /* OPTION_... */
	int64_t interval_ms, for_s;
	const char *arguments[CTL_ARGUMENTS_MAX];
	size_t argument_count;
	int status; /* to exit with if all goes well; a show function may set it */
};

struct command {
	const char *words;     /* "cache flush" */
	const char *arguments; /* "NAME [TYPE] [--subtree]", "" for none */
	const char *help;      /* one line */
	const char *verb;      /* "CacheFlush"; NULL: done without the daemon */
	size_t least, most;    /* arguments */
	unsigned options;      /* that it takes */
	const char *collect;   /* a list that comes in several replies, or NULL */
	/* The parameters (new), or NULL if the command line makes no sense. NULL: none. */
	json_t *(*parameters)(const struct invocation *in);
	void (*show)(struct invocation *in, const json_t *reply);
};

/* The table; COUNT: how many. */
const struct command *commands(size_t *count);

/* ---- client.c ---- */

/* Called for each reply; false: enough. */
typedef bool reply_fn(void *context, json_t *parameters);

/* Call VERB with PARAMETERS (taken over); several replies if MORE. The status to exit with; what
 * went wrong has been told. */
int client_call(const struct invocation *in, const char *verb, json_t *parameters, bool more,
		reply_fn *fn, void *context);

/* ---- show.c ---- */

typedef void show_fn(struct invocation *in, const json_t *reply);
show_fn show_status, show_stats, show_cache, show_entries, show_removed, show_upstreams;
show_fn show_zones, show_anchors, show_negative, show_check, show_settings, show_reload;
show_fn show_level, show_version, show_explain;

/* What stats_watch keeps between two replies: the rates are the difference. */
void show_stats_since(struct invocation *in, const json_t *before, const json_t *reply);

/* ---- table.c ---- */

enum { TABLE_COLUMNS_MAX = 10 };
struct table { /* zero-initialised is empty */
	char **cells;
	size_t count, capacity;
	size_t columns;
	bool right[TABLE_COLUMNS_MAX]; /* aligned right: numbers */
};

/* The titles, COLUMNS of them, set how many columns there are; one that begins with '>' is aligned
 * right. */
void table_begin(struct table *t, const char *const *titles, size_t columns);
void table_add(struct table *t, const char *format, ...) PRINTF_LIKE(2, 3);
/* Print and forget. */
void table_end(struct table *t, const struct invocation *in);

enum colour { COLOUR_NONE, COLOUR_BOLD, COLOUR_RED, COLOUR_GREEN, COLOUR_YELLOW };
/* What begins and ends COLOUR, "" where there is none. */
const char *colour_on(const struct invocation *in, enum colour colour);
const char *colour_off(const struct invocation *in);

/* Say that memory is out, and exit. */
_Noreturn void die_no_memory(void);
