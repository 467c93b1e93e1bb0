#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "ctl.h"

/* ---- the command line ---- */

void die_usage(const char *what, const char *which)
{
	fprintf(stderr, "resolverctl: %s%s%s (resolverctl --help tells more)\n", what,
		which ? ": " : "", which ? which : "");
	exit(CTL_USAGE);
}

void die_misused(const struct command *c)
{
	char options[OPTIONS_TEXT_MAX];

	fprintf(stderr, "usage: resolverctl %s%s%s%s\n", c->words, *c->arguments ? " " : "",
		c->arguments, options_text(c->options, options));
	exit(CTL_USAGE);
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
		char options[OPTIONS_TEXT_MAX];
		fprintf(stderr, "%s resolverctl %s%s%s%s\n",
			found++ ? "      " : "usage:", all[i].words, *all[i].arguments ? " " : "",
			all[i].arguments, options_text(all[i].options, options));
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
		if (words < used || words == 0)
			continue; /* "log queries" is more than "log" */
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

void print_json(const json_t *reply, bool many)
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
	if (json_array_extend(list, json_object_get(reply, key)) != 0)
		die_no_memory();
	if (json_object_get(reply, "truncated") &&
	    json_object_set(s->kept, "truncated", json_object_get(reply, "truncated")) != 0)
		die_no_memory();
	return true;
}

int run_verb(struct invocation *in, const struct command *command)
{
	struct showing showing = {.in = in, .command = command};
	json_t *parameters = command->parameters ? command->parameters(in) : json_object();

	if (!parameters)
		die_misused(command);
	int status = client_call(in, command->verb, parameters, command->collect,
				 command->collect ? take_part : take_one, &showing);
	if (status == EXIT_SUCCESS && command->collect)
		take_one(&showing, showing.kept);
	json_decref(showing.kept);
	return status == EXIT_SUCCESS ? in->status : status;
}

int main(int argc, char **argv)
{
	struct invocation in = {.socket = RESOLVERD_RUNDIR "/control.sock",
				.terminal = isatty(STDOUT_FILENO) == 1};

	if (descriptors_take_standard() != OK)
		return CTL_OS;
	size_t first = options_read(&in, argc, argv);
	size_t left = (size_t)argc - first;

	in.colour = in.terminal && !getenv("NO_COLOR");
	argv += first;
	if (left == 0) {
		help_print(stderr);
		return CTL_USAGE;
	}
	const struct command *command = find_command(&argv, &left);
	if (left < command->least || left > command->most || (in.given & ~command->options))
		die_misused(command);
	for (; in.argument_count < left; in.argument_count++)
		in.arguments[in.argument_count] = argv[in.argument_count];
	int status = command->run ? command->run(&in, command) : run_verb(&in, command);
	if (fflush(stdout) != 0 || ferror(stdout))
		return CTL_OS;
	return status;
}
