#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

enum { LONG_ONLY = 256 }; /* above all letters */

static const struct option_row rows[] = {
	{"socket", "PATH", 0, 's',
	 "where the daemon is (default " RESOLVERD_RUNDIR "/control.sock)"},
	{"json", NULL, 0, 'j', "replies as they come, for programs"},
	{"help", NULL, 0, 'h', "this"},
	{"version", NULL, 0, 'V', "the version of resolverctl"},
	{"subtree", NULL, OPTION_SUBTREE, 0, "all below the name, too"},
	{"all", NULL, OPTION_ALL, 0, "everything"},
	{"watch", NULL, OPTION_WATCH, 0, "again and again"},
	{"interval", "TIME", OPTION_INTERVAL, 0, "how often, 100ms to 1h"},
	{"for", "TIME", OPTION_FOR, 0, "for so long"},
	{"server", "ADDRESS", OPTION_SERVER, 0, "whom to ask; several are asked side by side"},
	{"tcp", NULL, OPTION_TCP, 0, "over TCP"},
	{"type", "TYPE", OPTION_TYPE, 0, "what to ask for (default A)"},
	{"rate", "NUMBER", OPTION_RATE, 0, "so many a second"},
	{"count", "NUMBER", OPTION_COUNT, 0, "so many and no more"},
	{"timeout", "TIME", OPTION_TIMEOUT, 0, "how long to wait for an answer"},
	{"slow", "TIME", OPTION_SLOW, 0, "tell of what takes longer"},
	{"fallback", NULL, OPTION_FALLBACK, 0, "where the servers fail, ask the public tree"},
	{"rows", "NUMBER", OPTION_ROWS, 0, "so many names and clients (default 20)"},
	{"insecure", NULL, OPTION_INSECURE, 0, "validate nothing there"},
	{"cached", NULL, OPTION_CACHED, 0, "what is cached will do, as for a client"},
	{"client", "ADDRESS", OPTION_CLIENT, 0, "for this client: may it ask?"},
	{"from-root", NULL, OPTION_ROOT, 0, "begin at the root, not at the deepest zone known"},
};

const struct option_row *options(size_t *count)
{
	*count = ARRAY_LEN(rows);
	return rows;
}

const char *options_text(unsigned bits, char out[static OPTIONS_TEXT_MAX])
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].bit & bits)
			len += (size_t)snprintf(out + len, OPTIONS_TEXT_MAX - len, " [--%s%s%s]",
						rows[i].name, rows[i].value ? " " : "",
						rows[i].value ? rows[i].value : "");
	REQUIRE(len < OPTIONS_TEXT_MAX);
	return out;
}

/* ---- values ---- */

static int64_t read_time_ms(const char *word)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"", 1000},   {"ms", 1},	   {"s", 1000},
		     {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	size_t digits = strspn(word, "0123456789");

	for (size_t i = 0; digits > 0 && digits < 10 && i < ARRAY_LEN(units); i++)
		if (strcmp(word + digits, units[i].unit) == 0)
			return strtoll(word, NULL, 10) * units[i].ms;
	die_usage("not a time", word);
}

static int64_t read_number(const char *word)
{
	size_t digits = strspn(word, "0123456789");

	if (digits == 0 || digits > 9 || word[digits])
		die_usage("not a number", word);
	return strtoll(word, NULL, 10);
}

/* Where each option's number goes, and between which bounds. */
static const struct {
	unsigned bit;
	size_t offset; /* of an int64_t of struct invocation */
	int64_t least, most;
	const char *bounds;
} numbers[] = {
	{OPTION_INTERVAL, offsetof(struct invocation, interval_ms), 100, 3600 * 1000,
	 "--interval is 100ms to 1h"},
	{OPTION_FOR, offsetof(struct invocation, for_ms), 0, INT64_MAX, ""},
	{OPTION_RATE, offsetof(struct invocation, rate), 1, 100000, "--rate is 1 to 100000"},
	{OPTION_ROWS, offsetof(struct invocation, rows), 1, 500, "--rows is 1 to 500"},
	{OPTION_COUNT, offsetof(struct invocation, count), 1, INT64_MAX, "--count is at least 1"},
	{OPTION_TIMEOUT, offsetof(struct invocation, timeout_ms), 1, 60 * 1000,
	 "--timeout is 1ms to 60s"},
	{OPTION_SLOW, offsetof(struct invocation, slow_ms), 1, 60 * 1000, "--slow is 1ms to 60s"},
};

static void take_number(struct invocation *in, const struct option_row *row, const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (numbers[i].bit != row->bit)
			continue;
		int64_t value =
			strcmp(row->value, "TIME") == 0 ? read_time_ms(word) : read_number(word);
		if (value < numbers[i].least || value > numbers[i].most)
			die_usage(numbers[i].bounds, NULL);
		memcpy((char *)in + numbers[i].offset, &value, sizeof(value));
	}
}

static void take_option(struct invocation *in, const struct option_row *row, const char *word)
{
	in->given |= row->bit;
	switch (row->letter) {
	case 's':
		in->socket = word;
		return;
	case 'j':
		in->json = true;
		return;
	case 'h':
		help_print(stdout);
		exit(EXIT_SUCCESS);
	case 'V':
		puts("resolverctl " RESOLVERD_VERSION);
		exit(EXIT_SUCCESS);
	default:
		break;
	}
	if (row->bit == OPTION_TYPE) {
		in->type = word;
	} else if (row->bit == OPTION_CLIENT) {
		in->client = word;
	} else if (row->bit == OPTION_SERVER) {
		if (in->server_count == CTL_SERVERS_MAX)
			die_usage("too many servers", word);
		in->servers[in->server_count++] = word;
	} else if (word) {
		take_number(in, row, word);
	}
}

size_t options_read(struct invocation *in, int argc, char **argv)
{
	struct option list[ARRAY_LEN(rows) + 1] = {0};
	int which;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		list[i] = (struct option){rows[i].name,
					  rows[i].value ? required_argument : no_argument, NULL,
					  LONG_ONLY + (int)i};
	while ((which = getopt_long(argc, argv, "s:jhV", list, NULL)) >= 0) {
		const struct option_row *row = NULL;
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			if (which == LONG_ONLY + (int)i || which == rows[i].letter)
				row = &rows[i];
		if (!row)
			exit(CTL_USAGE); /* getopt has told */
		take_option(in, row, optarg);
	}
	return (size_t)optind;
}
