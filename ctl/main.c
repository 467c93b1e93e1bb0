#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

enum { INTERVAL_MIN_MS = 100, INTERVAL_MAX_MS = 3600 * 1000 };

/* ---- help and completion ---- */

static void print_help(FILE *out)
{
	size_t count;
	const struct command *all = commands(&count);

	fputs("usage: resolverctl [--socket PATH] [--json] COMMAND...\n\n", out);
	for (size_t i = 0; i < count; i++) {
		const struct command *c = &all[i];
		int len =
			fprintf(out, "  %s%s%s", c->words, *c->arguments ? " " : "", c->arguments);
		fprintf(out, "%*s%s\n", len < 46 ? 46 - len : 1, "", c->help);
	}
	fputs("\nWords may be shortened as long as they are unique. TIME is 90, 90s, 15m, 1h, 1d "
	      "or 500ms.\n"
	      "  --socket PATH    where the daemon is (default " RESOLVERD_RUNDIR "/control.sock)\n"
	      "  --json           replies as they come, for programs\n"
	      "  --version        the version of resolverctl\n"
	      "  --help           this\n",
	      out);
}

/* The words that may stand at the place where the first LEN letters of each command are BEFORE. */
static void print_words(const char *before)
{
	size_t count, len = strlen(before);
	const struct command *all = commands(&count);
	const char *last = "";
	size_t last_len = 0;

	for (size_t i = 0; i < count; i++) {
		const char *word = all[i].words + len;
		if (strncmp(all[i].words, before, len) != 0)
			continue;
		size_t word_len = strcspn(word, " ");
		if (word_len == last_len && strncmp(word, last, last_len) == 0)
			continue;
		printf("%s%.*s", last_len > 0 ? " " : "", (int)word_len, word);
		last = word;
		last_len = word_len;
	}
}

static void print_second_words(void)
{
	size_t count;
	const struct command *all = commands(&count);
	const char *last = "";
	size_t last_len = 0;

	for (size_t i = 0; i < count; i++) {
		const char *space = strchr(all[i].words, ' ');
		size_t len = space ? (size_t)(space - all[i].words) : 0;
		char before[64];
		if (len == 0 || (len == last_len && strncmp(all[i].words, last, len) == 0))
			continue;
		(void)snprintf(before, sizeof(before), "%.*s ", (int)len, all[i].words);
		printf("\t%.*s) words=\"", (int)len, all[i].words);
		print_words(before);
		puts("\" ;;");
		last = all[i].words;
		last_len = len;
	}
}

static void print_completion(void)
{
	puts("# bash completion of resolverctl(1): resolverctl completion bash");
	puts("_resolverctl()\n"
	     "{\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words='' i first='' count=0\n"
	     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	     "\t\tcase ${COMP_WORDS[i]} in\n"
	     "\t\t--socket | --interval | --for) i=$((i + 1)) ;;\n"
	     "\t\t-*) ;;\n"
	     "\t\t*) count=$((count + 1)); [ $count -ne 1 ] || first=${COMP_WORDS[i]} ;;\n"
	     "\t\tesac\n"
	     "\tdone\n"
	     "\tcase $count:$first in");
	fputs("\t0:) words=\"", stdout);
	print_words("");
	puts("\" ;;\n\t1:*) case $first in");
	print_second_words();
	puts("\tesac ;;\n"
	     "\tesac\n"
	     "\tcase $cur in\n"
	     "\t-*) words='--socket --json --help --version --subtree --all --watch --interval "
	     "--for'"
	     " ;;\n"
	     "\tesac\n"
	     "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	     "}\n"
	     "complete -o default -F _resolverctl resolverctl");
}

/* ---- the command line ---- */

static _Noreturn void die_usage(const char *what, const char *which)
{
	fprintf(stderr, "resolverctl: %s%s%s (resolverctl --help tells more)\n", what,
		which ? ": " : "", which ? which : "");
	exit(CTL_USAGE);
}

static _Noreturn void die_misused(const struct command *c)
{
	fprintf(stderr, "usage: resolverctl %s%s%s\n", c->words, *c->arguments ? " " : "",
		c->arguments);
	exit(CTL_USAGE);
}

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

static void read_options(struct invocation *in, int argc, char **argv)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{"subtree", no_argument, NULL, 'S'},
		{"all", no_argument, NULL, 'a'},
		{"watch", no_argument, NULL, 'w'},
		{"interval", required_argument, NULL, 'i'},
		{"for", required_argument, NULL, 'f'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "s:jh", options, NULL)) >= 0) {
		switch (option) {
		case 's':
			in->socket = optarg;
			break;
		case 'j':
			in->json = true;
			break;
		case 'h':
			print_help(stdout);
			exit(EXIT_SUCCESS);
		case 'V':
			puts("resolverctl " RESOLVERD_VERSION);
			exit(EXIT_SUCCESS);
		case 'S':
			in->given |= OPTION_SUBTREE;
			break;
		case 'a':
			in->given |= OPTION_ALL;
			break;
		case 'w':
			in->given |= OPTION_WATCH;
			break;
		case 'i':
			in->given |= OPTION_INTERVAL;
			in->interval_ms = read_time_ms(optarg);
			break;
		case 'f':
			in->given |= OPTION_FOR;
			in->for_s = read_time_ms(optarg) / 1000;
			break;
		default:
			exit(CTL_USAGE); /* getopt has told */
		}
	}
}

/* How many words of ARGV shorten those of COMMAND, all of them: 0 if they do not. EXACT: whether
 * each is written out. */
static size_t match(const char *words, char **argv, size_t count, bool *exact)
{
	size_t used = 0;

	*exact = true;
	while (*words) {
		size_t len = strcspn(words, " ");
		size_t given = used < count ? strlen(argv[used]) : 0;
		if (given == 0 || given > len || strncmp(words, argv[used], given) != 0)
			return 0;
		*exact = *exact && given == len;
		used++;
		words += len;
		words += strspn(words, " ");
	}
	return used;
}

static _Noreturn void die_ambiguous(char **argv, size_t argc)
{
	size_t count;
	const struct command *all = commands(&count);
	bool exact;

	fprintf(stderr, "resolverctl: \"%s\" may mean:", argv[0]);
	for (size_t i = 0; i < count; i++)
		if (match(all[i].words, argv, argc, &exact) > 0)
			fprintf(stderr, " \"%s\"", all[i].words);
	fputc('\n', stderr);
	exit(CTL_USAGE);
}

/* The commands that begin as "cache" does. */
static _Noreturn void die_incomplete(const char *word)
{
	size_t count, found = 0;
	const struct command *all = commands(&count);

	for (size_t i = 0; i < count; i++) {
		if (strncmp(all[i].words, word, strlen(word)) != 0)
			continue;
		fprintf(stderr, "%s resolverctl %s %s\n",
			found++ ? "      " : "usage:", all[i].words, all[i].arguments);
	}
	if (found == 0)
		die_usage("no such command", word);
	exit(CTL_USAGE);
}

/* The command that ARGV begins with; its words are taken off. */
static const struct command *find_command(char ***argv, size_t *argc)
{
	size_t count, found = 0, used = 0;
	const struct command *all = commands(&count), *best = NULL;

	for (size_t i = 0; i < count; i++) {
		bool exact;
		size_t words = match(all[i].words, *argv, *argc, &exact);
		if (words == 0)
			continue;
		best = &all[i];
		used = words;
		found++;
		if (exact) {
			found = 1;
			break;
		}
	}
	if (found == 0)
		die_incomplete((*argv)[0]);
	if (found > 1)
		die_ambiguous(*argv, *argc);
	*argv += used;
	*argc -= used;
	return best;
}

/* ---- running ---- */

struct showing {
	struct invocation *in;
	const struct command *command;
	json_t *kept; /* of several replies: all so far, or the last one */
};

static void print_json(const json_t *reply, bool many)
{
	if (json_dumpf(reply, stdout, many ? JSON_COMPACT : JSON_INDENT(2)) != 0)
		die_no_memory();
	putchar('\n');
}

static bool take_one(void *context, json_t *reply)
{
	struct showing *s = context;

	if (s->in->json)
		print_json(reply, false);
	else
		s->command->show(s->in, reply);
	return true;
}

/* Append the list of this reply to those before. */
static bool take_part(void *context, json_t *reply)
{
	struct showing *s = context;
	const char *key = s->command->collect;

	if (!s->kept) {
		s->kept = json_incref(reply);
		return true;
	}
	json_t *list = json_object_get(s->kept, key);
	if (json_array_extend(list, json_object_get(reply, key)) != 0 ||
	    json_object_set(s->kept, "truncated", json_object_get(reply, "truncated")) != 0)
		die_no_memory();
	return true;
}

static bool take_watched(void *context, json_t *reply)
{
	struct showing *s = context;

	if (s->in->json) {
		print_json(reply, true);
	} else {
		if (s->in->terminal)
			fputs("\033[H\033[J", stdout);
		show_stats_since(s->in, s->kept, reply);
	}
	json_decref(s->kept);
	s->kept = json_incref(reply);
	return fflush(stdout) == 0;
}

static int run(struct invocation *in, const struct command *command)
{
	struct showing showing = {.in = in, .command = command};
	json_t *parameters = command->parameters ? command->parameters(in) : json_object();
	bool watch = in->given & OPTION_WATCH;
	reply_fn *fn = watch ? take_watched : command->collect ? take_part : take_one;

	if (!parameters)
		die_misused(command);
	int status =
		client_call(in, command->verb, parameters, watch || command->collect, fn, &showing);
	if (status == EXIT_SUCCESS && command->collect)
		take_one(&showing, showing.kept);
	json_decref(showing.kept);
	return status == EXIT_SUCCESS ? in->status : status;
}

static int run_locally(const struct invocation *in, const struct command *command)
{
	if (strcmp(command->words, "help") == 0)
		print_help(stdout);
	else if (in->argument_count > 0 && strcmp(in->arguments[0], "bash") == 0)
		print_completion();
	else
		die_misused(command);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct invocation in = {.socket = RESOLVERD_RUNDIR "/control.sock",
				.terminal = isatty(STDOUT_FILENO) == 1};

	read_options(&in, argc, argv);
	in.colour = in.terminal && !getenv("NO_COLOR");
	argv += optind;
	size_t left = (size_t)(argc - optind);
	if (left == 0) {
		print_help(stderr);
		return CTL_USAGE;
	}
	const struct command *command = find_command(&argv, &left);
	if (left < command->least || left > command->most || (in.given & ~command->options))
		die_misused(command);
	if ((in.given & OPTION_INTERVAL) &&
	    (in.interval_ms < INTERVAL_MIN_MS || in.interval_ms > INTERVAL_MAX_MS))
		die_usage("--interval is 100ms to 1h", NULL);
	for (; in.argument_count < left; in.argument_count++)
		in.arguments[in.argument_count] = argv[in.argument_count];
	int status = command->verb ? run(&in, command) : run_locally(&in, command);
	if (fflush(stdout) != 0 || ferror(stdout))
		return CTL_OS;
	return status;
}
