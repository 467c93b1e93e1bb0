#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

/* ---- help ---- */

enum { HELP_COLUMN = 30 };

static void print_command(FILE *out, const struct command *c)
{
	char text[OPTIONS_TEXT_MAX];
	int len = fprintf(out, "  %s%s%s", c->words, *c->arguments ? " " : "", c->arguments);

	fprintf(out, "%*s%s\n", len < HELP_COLUMN ? HELP_COLUMN - len : 1, "", c->help);
	if (c->options)
		fprintf(out, "%*s%s\n", HELP_COLUMN - 1, "", options_text(c->options, text));
}

static void print_option(FILE *out, const struct option_row *row)
{
	int len = fprintf(out, "  --%s%s%s", row->name, row->value ? " " : "",
			  row->value ? row->value : "");

	fprintf(out, "%*s%s\n", len < HELP_COLUMN ? HELP_COLUMN - len : 1, "", row->help);
}

void help_print(FILE *out)
{
	size_t command_count, option_count;
	const struct command *list = commands(&command_count);
	const struct option_row *rows = options(&option_count);

	fputs("usage: resolverctl [--socket PATH] [--json] COMMAND...\n\n", out);
	for (size_t i = 0; i < command_count; i++)
		print_command(out, &list[i]);
	fputs("\nWords may be shortened as long as they are unique. TIME is 90, 90s, 15m, 1h, 1d "
	      "or 500ms.\n\n",
	      out);
	for (size_t i = 0; i < option_count; i++)
		print_option(out, &rows[i]);
}

int help_run(struct invocation *in, const struct command *command)
{
	(void)in;
	(void)command;
	help_print(stdout);
	return EXIT_SUCCESS;
}

/* ---- completion ---- */

/*
 * Both scripts call one function with the words so far, whose tables are made from ours: commands
 * as case labels "cache flush", the options that each takes, and which options have a value.
 */

static void print_options(unsigned bits)
{
	size_t count;
	const struct option_row *rows = options(&count);

	for (size_t i = 0; i < count; i++)
		if (rows[i].bit == 0 || (rows[i].bit & bits))
			printf(" --%s", rows[i].name);
}

/* Labels of options that a value follows: "--socket | --interval". */
static void print_valued(void)
{
	size_t count;
	const struct option_row *rows = options(&count);
	const char *before = "";

	for (size_t i = 0; i < count; i++) {
		if (!rows[i].value)
			continue;
		printf("%s--%s", before, rows[i].name);
		before = " | ";
		if (rows[i].letter)
			printf(" | -%c", rows[i].letter);
	}
}

static bool same_first_word(const char *a, const char *b)
{
	size_t len = strcspn(a, " ");

	return len == strcspn(b, " ") && strncmp(a, b, len) == 0;
}

/* The first words of all commands, each once. */
static void print_first_words(void)
{
	size_t count;
	const struct command *all = commands(&count);

	for (size_t i = 0; i < count; i++) {
		bool told = false;
		for (size_t k = 0; k < i && !told; k++)
			told = same_first_word(all[i].words, all[k].words);
		if (!told)
			printf(" %.*s", (int)strcspn(all[i].words, " "), all[i].words);
	}
}

/* For each first word that has second words: a case with these. */
static void print_second_words(void)
{
	size_t count;
	const struct command *all = commands(&count);

	for (size_t i = 0; i < count; i++) {
		bool told = !strchr(all[i].words, ' ');
		for (size_t k = 0; k < i && !told; k++)
			told = same_first_word(all[i].words, all[k].words);
		if (told)
			continue;
		printf("\t'%.*s') words='", (int)strcspn(all[i].words, " "), all[i].words);
		for (size_t k = i; k < count; k++) {
			/* "log" stands beside "log queries". */
			const char *second = strchr(all[k].words, ' ');
			if (second && same_first_word(all[i].words, all[k].words))
				printf(" %s", second + 1);
		}
		puts("' ;;");
	}
}

/* Arguments that can be told from a list: "bash|zsh". */
static bool is_list(const char *arguments)
{
	return strchr(arguments, '|') && !strpbrk(arguments, " []");
}

/* Those of one word, or of two. */
static void print_commands(bool two)
{
	size_t count;
	const struct command *all = commands(&count);

	for (size_t i = 0; i < count; i++) {
		if ((strchr(all[i].words, ' ') != NULL) != two)
			continue;
		printf("\t'%s') options='", all[i].words);
		print_options(all[i].options);
		putchar('\'');
		if (is_list(all[i].arguments)) {
			fputs(" words='", stdout);
			for (const char *at = all[i].arguments; *at; at++)
				putchar(*at == '|' ? ' ' : *at);
			putchar('\'');
		}
		if (strstr(all[i].arguments, "FILE"))
			fputs(" files=1", stdout);
		puts(" ;;");
	}
}

/* A function that sets words, options and files for what may stand behind the words it is given. */
static void print_table(void)
{
	puts("_resolverctl_table()\n"
	     "{\n"
	     "\tlocal word first='' second='' skip=0\n"
	     "\twords='' options='' files=''\n"
	     "\tfor word; do\n"
	     "\t\tif [ $skip = 1 ]; then skip=0; continue; fi\n"
	     "\t\tcase $word in");
	fputs("\t\t", stdout);
	print_valued();
	puts(") skip=1 ;;\n"
	     "\t\t-*) ;;\n"
	     "\t\t*) if [ -z \"$first\" ]; then first=$word\n"
	     "\t\t   elif [ -z \"$second\" ]; then second=$word; fi ;;\n"
	     "\t\tesac\n"
	     "\tdone\n"
	     "\tif [ $skip = 1 ]; then\n"
	     "\t\tcase $word in --socket | -s) files=1 ;; esac\n"
	     "\t\treturn 0\n"
	     "\tfi");
	fputs("\toptions='", stdout);
	print_options(0);
	puts("'");
	fputs("\tif [ -z \"$first\" ]; then words='", stdout);
	print_first_words();
	puts("'; return; fi");
	puts("\tif [ -z \"$second\" ]; then case $first in");
	print_second_words();
	puts("\tesac; fi\n"
	     "\t[ -z \"$words\" ] || return 0\n"
	     "\tcase $first in");
	print_commands(false);
	puts("\t*) case \"$first $second\" in");
	print_commands(true);
	puts("\t   esac ;;\n"
	     "\tesac\n"
	     "}");
}

static void complete_bash(void)
{
	puts("# bash completion of resolverctl(1): resolverctl completion bash");
	print_table();
	puts("_resolverctl()\n"
	     "{\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words options files\n"
	     "\t_resolverctl_table \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"\n"
	     "\tcase $cur in -*) words=$options files='' ;; esac\n"
	     "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	     "\t[ -z \"$files\" ] || mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	     "}\n"
	     "complete -F _resolverctl resolverctl");
}

static void complete_zsh(void)
{
	puts("#compdef resolverctl\n"
	     "# zsh completion of resolverctl(1): resolverctl completion zsh");
	print_table();
	puts("_resolverctl()\n"
	     "{\n"
	     "\tlocal cur=${words[CURRENT]} options files\n"
	     "\tlocal -a given=(\"${(@)words[2,CURRENT-1]}\")\n"
	     "\t_resolverctl_choose()\n"
	     "\t{\n"
	     "\t\tlocal words\n"
	     "\t\t_resolverctl_table \"$@\"\n"
	     "\t\tchoice=(${=words})\n"
	     "\t}\n"
	     "\tlocal -a choice\n"
	     "\t_resolverctl_choose \"${(@)given}\"\n"
	     "\t[[ $cur != -* ]] || choice=(${=options})\n"
	     "\tcompadd -a choice\n"
	     "\t[[ -z $files || $cur == -* ]] || _files\n"
	     "}\n"
	     "if [ \"$funcstack[1]\" = _resolverctl ]; then _resolverctl \"$@\"\n"
	     "else compdef _resolverctl resolverctl; fi");
}

int help_complete(struct invocation *in, const struct command *command)
{
	if (strcmp(in->arguments[0], "bash") == 0)
		complete_bash();
	else if (strcmp(in->arguments[0], "zsh") == 0)
		complete_zsh();
	else
		die_misused(command);
	return EXIT_SUCCESS;
}
