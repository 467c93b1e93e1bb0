#pragma once
/*
 * resolverctl(1): one table of commands (commands.c) and one of options (options.c), from which
 * usage, help, unique prefixes and the completion of bash and zsh are made. A command is a verb of
 * the daemon's interface, parameters made from the command line, and a way to show the reply to
 * people. With --json the reply is printed as it came: control/io.resolverd.varlink documents it.
 *
 *   main.c       finding the command, calling its verb, one reply or many
 *   commands.c   the table, and parameters
 *   options.c    the other table, and reading the command line
 *   help.c       help and completion
 *   client.c     the socket, calls, and what went wrong in words
 *   live.c       what is shown again and again, in place on a terminal
 *   watch.c      failures and changes as they happen, and who is busiest
 *   probe.c      asking names endlessly, without the daemon: probe_net.c, probe_tell.c
 *   transfer.c   dump and load of the cache, and a long flush
 *   show*.c      replies for people
 *   table.c      aligned columns, colour
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/require.h"

/* Exit statuses beside 0: those of <sysexits.h> that resolverctl(1) documents. */
enum {
	CTL_FAILED = 1,	      /* the daemon could not or would not; a probe had failures */
	CTL_USAGE = 64,	      /* EX_USAGE */
	CTL_UNAVAILABLE = 69, /* EX_UNAVAILABLE: the daemon is not there */
	CTL_OS = 71,	      /* EX_OSERR: memory, standard output */
	CTL_PROTOCOL = 76,    /* EX_PROTOCOL: what came is no reply */
	CTL_DENIED = 77,      /* EX_NOPERM */
	CTL_CONFIG = 78,      /* EX_CONFIG: the configuration that was checked is wrong */
};

enum {
	CTL_ARGUMENTS_MAX = 32,
	CTL_SERVERS_MAX = 8, /* that a probe asks side by side: columns on a screen */
};

/* Options that not every command takes; as many rows in options.c. */
enum {
	OPTION_SUBTREE = 1 << 0,
	OPTION_ALL = 1 << 1,
	OPTION_WATCH = 1 << 2,
	OPTION_INTERVAL = 1 << 3,
	OPTION_FOR = 1 << 4,
	OPTION_SERVER = 1 << 5,
	OPTION_TCP = 1 << 6,
	OPTION_TYPE = 1 << 7,
	OPTION_RATE = 1 << 8,
	OPTION_COUNT = 1 << 9,
	OPTION_TIMEOUT = 1 << 10,
	OPTION_SLOW = 1 << 11,
	OPTION_FALLBACK = 1 << 12,
	OPTION_INSECURE = 1 << 13,
	OPTION_CACHED = 1 << 14,
	OPTION_ROOT = 1 << 15,
	OPTION_ROWS = 1 << 16,
	OPTION_CLIENT = 1 << 17,
};

struct invocation { /* the command line */
	const char *socket;
	bool json, colour, terminal;
	unsigned given; /* OPTION_... */
	int64_t interval_ms, for_ms, timeout_ms, slow_ms, rate, count, rows;
	const char *type, *client;
	const char *servers[CTL_SERVERS_MAX];
	size_t server_count;
	const char *arguments[CTL_ARGUMENTS_MAX];
	size_t argument_count;
	int status; /* to exit with if all goes well; a show function may set it */
};

struct command;
/* Does what a command does, and returns the status to exit with. */
typedef int run_fn(struct invocation *in, const struct command *command);
typedef void show_fn(struct invocation *in, const json_t *reply);

struct command {
	const char *words;     /* "cache flush" */
	const char *arguments; /* "NAME [TYPE]", "" for none; options are told from OPTIONS */
	const char *help;      /* one line */
	const char *verb;      /* "CacheFlush"; NULL: done without the daemon */
	size_t least, most;    /* arguments */
	unsigned options;      /* that it takes */
	const char *collect;   /* a list that comes in several replies, or NULL */
	/* The parameters (new), or NULL if the command line makes no sense. NULL: none. */
	json_t *(*parameters)(const struct invocation *in);
	show_fn *show;
	run_fn *run; /* NULL: call the verb, show the reply */
};

/* The table; COUNT: how many. */
const struct command *commands(size_t *count);

/* ---- main.c ---- */

_Noreturn void die_usage(const char *what, const char *which);
_Noreturn void die_misused(const struct command *c);
/* What a command without a run function does: call its verb, show the reply or replies. */
run_fn run_verb;
/* Print a reply for programs: in a line if there are MANY. */
void print_json(const json_t *reply, bool many);

/* ---- options.c ---- */

struct option_row {
	const char *name;  /* "interval" */
	const char *value; /* what follows: "TIME", or NULL for nothing */
	unsigned bit;	   /* OPTION_...; 0: every command takes it */
	int letter;	   /* its short form; 0: none */
	const char *help;
};
const struct option_row *options(size_t *count);
/* Read the options of ARGV; the index of the first argument. */
size_t options_read(struct invocation *in, int argc, char **argv);
/* OPTIONS as usage: " [--watch] [--interval TIME]". Returns OUT. */
enum { OPTIONS_TEXT_MAX = 256 };
const char *options_text(unsigned bits, char out[static OPTIONS_TEXT_MAX]);

/* ---- help.c ---- */

void help_print(FILE *out);
run_fn help_run, help_complete;

/* ---- client.c ---- */

/* Called for each reply; false: enough. */
typedef bool reply_fn(void *context, json_t *parameters);

/* Call VERB with PARAMETERS (taken over); several replies if MORE. The status to exit with; what
 * went wrong has been told. */
int client_call(const struct invocation *in, const char *verb, json_t *parameters, bool more,
		reply_fn *fn, void *context);

/* ---- live.c ---- */

run_fn live_stats;
/* From now on SIGINT and SIGTERM end the program's work, not the program; whether one has come. */
void live_catch_signals(void);
bool live_interrupted(void);
/* What is printed between the two calls appears at once, on a terminal in the place of what was
 * printed so before, cut to its size. False if it cannot be written. */
struct live_frame {
	char *text;
	size_t len;
	FILE *screen; /* standard output, as it was */
	bool shown;   /* one before this */
};
void live_begin(struct live_frame *f);
bool live_end(struct live_frame *f, const struct invocation *in);

/* ---- probe.c ---- */

run_fn probe_run;

/* ---- watch.c ---- */

run_fn watch_run, top_run;

/* ---- transfer.c ---- */

run_fn transfer_flush, transfer_dump, transfer_load;

/* ---- show.c, show_prefetch.c ---- */

show_fn show_kept, show_prefetch, show_asked, show_forwarded;
show_fn show_status, show_stats, show_cache, show_entries, show_removed, show_upstreams;
show_fn show_zones, show_anchors, show_negative, show_check, show_settings, show_reload;
show_fn show_level, show_filter, show_version, show_explain, show_trace;

/* What live.c keeps between two replies: the rates are the difference. */
void show_stats_since(struct invocation *in, const json_t *before, const json_t *reply);

/* ---- table.c ---- */

enum { TABLE_COLUMNS_MAX = 12 };
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
