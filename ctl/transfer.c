/*
 * What goes through in bulk: cache dump, cache load, and a flush with its progress. The form of a
 * dump is documented in resolverctl(1).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"
#include "reply.h"

enum {
	DUMP_VERSION = 1,
	LINE_MAX_BYTES = 1 << 20, /* a JSON line with an entry of 128 kB as text */
	QUESTIONS_MAX = 5000000,
	RATE = 100, /* questions a second */
	BATCHES_PER_SECOND = 10,
	BATCH_MAX = 256,
};
static const char dump_magic[] = ";resolverd cache dump";

/* ---- progress, on a terminal ---- */

static bool tells_progress(const struct invocation *in)
{
	return !in->json && isatty(STDERR_FILENO) == 1;
}

static void tell_progress(const struct invocation *in, const char *what, int64_t count,
			  int64_t percent)
{
	if (tells_progress(in))
		fprintf(stderr, "\r%s %" PRId64 " (%" PRId64 " %%) ", what, count, percent);
}

static void end_progress(const struct invocation *in)
{
	if (tells_progress(in))
		fputs("\r\033[K", stderr);
}

/* ---- flush ---- */

struct flushing {
	struct invocation *in;
	json_t *last;
};

static bool take_flushed(void *context, json_t *reply)
{
	struct flushing *f = context;

	json_decref(f->last);
	f->last = json_incref(reply);
	tell_progress(f->in, "removed", reply_int(reply, "removed"),
		      reply_int(reply, "done_percent"));
	return !live_interrupted();
}

int transfer_flush(struct invocation *in, const struct command *command)
{
	struct flushing f = {.in = in};
	json_t *parameters = command->parameters(in);

	if (!parameters)
		die_misused(command);
	live_catch_signals();
	int status = client_call(in, command->verb, parameters, true, take_flushed, &f);
	end_progress(in);
	if (f.last && in->json)
		print_json(f.last, false);
	else if (f.last)
		show_removed(in, f.last);
	if (live_interrupted() && reply_int(f.last, "done_percent") < 100) {
		fputs("resolverctl: interrupted: the rest is still cached\n", stderr);
		status = CTL_FAILED;
	}
	json_decref(f.last);
	return status;
}

/* ---- dump ---- */

struct dumping {
	struct invocation *in;
	FILE *out;
	int64_t entries;
	bool ended;
};

static const char *or_dash(const char *word)
{
	return *word ? word : "-";
}

static void write_entry(FILE *out, const json_t *e)
{
	const json_t *record;
	size_t i;

	fprintf(out, ";entry %s %s %s %s %s %s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n",
		reply_text(e, "name"), or_dash(reply_text(e, "type")), reply_text(e, "kind"),
		reply_text(e, "verdict"), reply_text(e, "rank"), reply_text(e, "rcode"),
		reply_int(e, "ttl_s"), reply_int(e, "left_s"), reply_int(e, "hits"),
		reply_int(e, "gap_ms"));
	json_array_foreach(json_object_get(e, "records"), i, record)
	{
		fprintf(out, "%s%s\t%" PRId64 "\tIN\t%s\t%s\n",
			strcmp(reply_text(record, "section"), "answer") == 0 ? "" : ";; ",
			reply_text(record, "name"), reply_int(record, "ttl_s"),
			reply_text(record, "type"), reply_text(record, "data"));
	}
}

static bool take_dumped(void *context, json_t *reply)
{
	struct dumping *d = context;
	const json_t *entries = json_object_get(reply, "entries"), *e;
	size_t i;

	json_array_foreach(entries, i, e)
	{
		if (!d->in->json)
			write_entry(d->out, e);
		else if (json_dumpf(e, d->out, JSON_COMPACT) != 0 || fputc('\n', d->out) == EOF)
			return false;
		d->entries++;
	}
	d->ended = reply_int(reply, "done_percent") >= 100;
	if (d->out != stdout)
		tell_progress(d->in, "entries", d->entries, reply_int(reply, "done_percent"));
	return !ferror(d->out) && !live_interrupted();
}

static int dump_to(struct dumping *d, const struct command *command)
{
	json_t *parameters = command->parameters(d->in);
	int status;

	if (!d->in->json)
		fprintf(d->out, "%s %d, %" PRId64 "\n", dump_magic, DUMP_VERSION,
			(int64_t)time(NULL));
	status = client_call(d->in, command->verb, parameters, true, take_dumped, d);
	end_progress(d->in);
	if (status != EXIT_SUCCESS)
		return status;
	if (!d->ended) {
		fputs("resolverctl: interrupted\n", stderr);
		return CTL_FAILED;
	}
	if (!d->in->json)
		fprintf(d->out, ";end %" PRId64 "\n", d->entries);
	return fflush(d->out) == 0 && !ferror(d->out) ? EXIT_SUCCESS : CTL_OS;
}

/* Beside PATH first, so that there is a whole dump or none. */
static int dump_to_file(struct dumping *d, const struct command *command, const char *path)
{
	char *beside;
	int status = CTL_OS;

	if (asprintf(&beside, "%s.new", path) < 0)
		die_no_memory();
	d->out = fopen(beside, "we");
	if (d->out) {
		status = dump_to(d, command);
		if (fclose(d->out) != 0 && status == EXIT_SUCCESS)
			status = CTL_OS;
	}
	if (status == EXIT_SUCCESS && rename(beside, path) != 0)
		status = CTL_OS;
	if (status == CTL_OS)
		fprintf(stderr, "resolverctl: cannot write %s: %s\n", path, strerrordesc_np(errno));
	if (status != EXIT_SUCCESS && d->out)
		(void)unlink(beside);
	else if (status == EXIT_SUCCESS)
		fprintf(stderr, "%" PRId64 " entries\n", d->entries);
	free(beside);
	return status;
}

int transfer_dump(struct invocation *in, const struct command *command)
{
	struct dumping d = {.in = in, .out = stdout};

	live_catch_signals();
	if (in->argument_count == 0 || strcmp(in->arguments[0], "-") == 0)
		return dump_to(&d, command);
	return dump_to_file(&d, command, in->arguments[0]);
}

/* ---- load: reading ---- */

struct question {
	char *words; /* "NAME TYPE" */
	int64_t hits;
};

struct questions {
	struct question *list;
	size_t count, capacity;
	uint64_t skipped; /* entries that are no answers */
	bool is_dump, ended;
};

static void add_question(struct questions *q, const char *name, const char *type, int64_t hits)
{
	if (q->count == QUESTIONS_MAX)
		die_usage("too many questions in the file", NULL);
	if (q->count == q->capacity) {
		q->capacity = MAX(2 * q->capacity, (size_t)1024);
		q->list = reallocarray(q->list, q->capacity, sizeof(*q->list));
		if (!q->list)
			die_no_memory();
	}
	struct question *new = &q->list[q->count++];
	new->hits = hits;
	/* A name that does not exist has no type: any will find that out. */
	if (asprintf(&new->words, "%s %s", name, *type && strcmp(type, "-") != 0 ? type : "A") < 0)
		die_no_memory();
}

/* Answers, but not in the form for those who want signatures: it comes with the other one. */
static bool is_answer(const char *kind)
{
	return strcmp(kind, "rrset") == 0 || strcmp(kind, "answer") == 0;
}

static void take_json_line(struct questions *q, const char *line)
{
	json_t *e = json_loads(line, 0, NULL);

	if (*reply_text(e, "name") && is_answer(reply_text(e, "kind")))
		add_question(q, reply_text(e, "name"), reply_text(e, "type"), reply_int(e, "hits"));
	else
		q->skipped++;
	json_decref(e);
}

static void take_entry_line(struct questions *q, char *line)
{
	enum { NAME = 1, TYPE, KIND, HITS = 9, FIELDS };
	const char *fields[FIELDS] = {0};
	char *rest = line;

	for (size_t i = 0; i < FIELDS; i++)
		fields[i] = strsep(&rest, " ");
	if (!fields[HITS] || !is_answer(fields[KIND]))
		q->skipped++;
	else
		add_question(q, fields[NAME], fields[TYPE], strtoll(fields[HITS], NULL, 10));
}

static void take_line(struct questions *q, char *line, bool first)
{
	line[strcspn(line, "\r\n")] = '\0';
	if (first)
		q->is_dump = strncmp(line, dump_magic, strlen(dump_magic)) == 0;
	if (line[0] == '{') {
		take_json_line(q, line);
	} else if (q->is_dump) {
		if (strncmp(line, ";entry ", 7) == 0)
			take_entry_line(q, line);
		q->ended = q->ended || strncmp(line, ";end ", 5) == 0;
	} else if (line[0] && line[0] != ';' && line[0] != '#') {
		char *rest = line;
		const char *name = strsep(&rest, " \t");
		add_question(q, name, rest ? rest + strspn(rest, " \t") : "", 0);
	}
}

static void read_questions(struct questions *q, const char *path)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	bool first = true;

	if (!in) {
		fprintf(stderr, "resolverctl: cannot read %s: %s\n", path, strerrordesc_np(errno));
		exit(CTL_USAGE);
	}
	while (getline(&line, &size, in) >= 0 && size <= LINE_MAX_BYTES) {
		take_line(q, line, first);
		first = false;
	}
	free(line);
	if (in != stdin)
		(void)fclose(in);
	if (q->is_dump && !q->ended)
		fputs("resolverctl: the dump has no end: it may be cut off\n", stderr);
}

/* Those asked for most come first. */
static int compare_questions(const void *a, const void *b)
{
	const struct question *x = a, *y = b;

	return (x->hits < y->hits) - (x->hits > y->hits);
}

/* ---- load: asking ---- */

struct loading {
	int64_t asked, known, rejected, left;
};

static bool take_loaded(void *context, json_t *reply)
{
	struct loading *l = context;

	l->asked += reply_int(reply, "asked");
	l->known += reply_int(reply, "known");
	l->rejected += reply_int(reply, "rejected");
	l->left = reply_int(reply, "left");
	return true;
}

static json_t *batch_json(const struct questions *q, size_t from, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *word = json_string(q->list[from + i].words);
		/* What is not even UTF-8 is no question, which the daemon says of "". */
		if (json_array_append_new(list, word ? word : json_string("")) != 0)
			die_no_memory();
	}
	json_t *parameters = json_pack("{s:o}", "questions", list);
	if (!parameters)
		die_no_memory();
	return parameters;
}

static int load_all(struct invocation *in, const struct command *command, const struct questions *q,
		    struct loading *l)
{
	const struct timespec pause = {.tv_nsec = 1000000000 / BATCHES_PER_SECOND};
	int64_t rate = in->given & OPTION_RATE ? in->rate : RATE;
	size_t most = (size_t)MIN(MAX(rate / BATCHES_PER_SECOND, (int64_t)1), (int64_t)BATCH_MAX);

	for (size_t at = 0; at < q->count && !live_interrupted();) {
		size_t count = MIN(most, q->count - at);
		int64_t asked = l->asked;
		int status = client_call(in, command->verb, batch_json(q, at, count), false,
					 take_loaded, l);
		if (status != EXIT_SUCCESS)
			return status;
		at += count - (size_t)MIN(l->left, (int64_t)count);
		tell_progress(in, "asked", l->asked, (int64_t)(100 * at / q->count));
		if (at < q->count && (l->asked > asked || l->left > 0))
			nanosleep(&pause, NULL);
	}
	return EXIT_SUCCESS;
}

int transfer_load(struct invocation *in, const struct command *command)
{
	struct questions q = {0};
	struct loading l = {0};

	read_questions(&q, in->arguments[0]);
	if (q.count > 0)
		qsort(q.list, q.count, sizeof(*q.list), compare_questions);
	live_catch_signals();
	int status = load_all(in, command, &q, &l);
	end_progress(in);
	if (in->json)
		printf("{\"asked\": %" PRId64 ", \"known\": %" PRId64 ", \"rejected\": %" PRId64
		       ", \"skipped\": %" PRIu64 "}\n",
		       l.asked, l.known, l.rejected, q.skipped);
	else
		printf("%" PRId64 " asked for, %" PRId64 " cached already, %" PRId64
		       " are no questions; %" PRIu64 " entries of other kinds left out\n",
		       l.asked, l.known, l.rejected, q.skipped);
	for (size_t i = 0; i < q.count; i++)
		free(q.list[i].words);
	free(q.list);
	return status == EXIT_SUCCESS && live_interrupted() ? CTL_FAILED : status;
}
