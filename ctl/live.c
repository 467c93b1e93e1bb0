#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl.h"

/* ---- signals ---- */

static volatile sig_atomic_t interrupted;

static void note_signal(int number)
{
	(void)number;
	interrupted = 1;
}

void live_catch_signals(void)
{
	/* No SA_RESTART: whoever waits is to look up. */
	const struct sigaction action = {.sa_handler = note_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

bool live_interrupted(void)
{
	return interrupted;
}

/* ---- frames ---- */

/* The C library's standard streams are variables: what the show functions print is collected, so
 * that a frame can be cut to the screen and written whole, without flicker. */
void live_begin(struct live_frame *f)
{
	FILE *memory = open_memstream(&f->text, &f->len);

	if (!memory)
		die_no_memory();
	f->screen = stdout;
	stdout = memory;
}

/* Visible columns of the first letter of TEXT: escape sequences have none, and of a UTF-8 sequence
 * only the first byte counts. STEP: its bytes. */
static size_t letter_width(const char *text, size_t *step)
{
	*step = 1;
	if (text[0] == '\033' && text[1] == '[') {
		*step = 2 + strcspn(text + 2, "mKJH");
		*step += text[*step] != '\0';
		return 0;
	}
	return ((unsigned char)text[0] & 0xc0) != 0x80;
}

/* One line, at most COLUMNS wide; what stood there before is gone. */
static void put_line(FILE *out, const char *line, size_t len, size_t columns)
{
	size_t width = 0, step;

	for (size_t at = 0; at < len; at += step) {
		size_t more = letter_width(line + at, &step);
		if (width + more > columns)
			continue; /* escape sequences that end a colour still go out */
		width += more;
		fwrite(line + at, 1, MIN(step, len - at), out);
	}
	fputs("\033[K", out);
}

static void put_screen(const struct live_frame *f, struct winsize size)
{
	size_t rows = size.ws_row > 1 ? size.ws_row : 24;
	size_t columns = size.ws_col > 1 ? size.ws_col : 80;
	const char *line = f->text;

	fputs(f->shown ? "\033[H" : "\033[2J\033[H", f->screen);
	for (size_t row = 0; row < rows && *line; row++) {
		size_t len = strcspn(line, "\n");
		if (row > 0)
			fputs("\r\n", f->screen);
		put_line(f->screen, line, len, columns);
		line += len + (line[len] == '\n');
	}
	fputs("\033[J", f->screen);
}

bool live_end(struct live_frame *f, const struct invocation *in)
{
	struct winsize size = {0};

	if (fclose(stdout) != 0)
		die_no_memory();
	stdout = f->screen;
	if (!in->terminal)
		fwrite(f->text, 1, f->len, stdout);
	else if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		put_screen(f, size);
	else
		put_screen(f, (struct winsize){0});
	free(f->text);
	f->shown = true;
	return fflush(stdout) == 0;
}

/* ---- stats --watch ---- */

struct watched {
	struct invocation *in;
	struct live_frame frame;
	json_t *before;
	int64_t left; /* replies that are still wanted; negative: without end */
};

static bool take_stats(void *context, json_t *reply)
{
	struct watched *w = context;
	bool good;

	if (w->in->json) {
		print_json(reply, true);
		good = fflush(stdout) == 0;
	} else {
		live_begin(&w->frame);
		show_stats_since(w->in, w->before, reply);
		good = live_end(&w->frame, w->in);
	}
	json_decref(w->before);
	w->before = json_incref(reply);
	return good && (w->left < 0 || --w->left > 0) && !live_interrupted();
}

int live_stats(struct invocation *in, const struct command *command)
{
	struct watched w = {.in = in, .left = in->given & OPTION_COUNT ? in->count : -1};

	if (!(in->given & OPTION_WATCH) && (in->given & (OPTION_COUNT | OPTION_INTERVAL)))
		die_misused(command);
	if (!(in->given & OPTION_WATCH))
		return run_verb(in, command);
	live_catch_signals();
	int status = client_call(in, command->verb, command->parameters(in), true, take_stats, &w);
	json_decref(w.before);
	if (in->terminal && !in->json)
		putchar('\n');
	return status;
}
