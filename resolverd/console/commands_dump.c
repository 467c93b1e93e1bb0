#include <stdlib.h>

#include "console/commands_walk.h"
#include "console/commands_words.h"
#include "resolve/answer.h"

enum {
	FLUSH_STEPS = 64,    /* of a few hundred buckets each: a millisecond or two */
	LOAD_MAX = 256,	     /* questions in one call */
	QUESTION_MAX = 1100, /* a name of 255 bytes as text, and a type */
	/* Of what a worker can have open (LIMIT_QUERIES): the rest is for clients. */
	LOAD_OPEN_MAX = 256,
};

/* ---- flush, step by step ---- */

struct flush {
	const struct commands *commands;
	uint8_t name[DNAME_MAX];
	uint16_t type;
	struct cache_cursor at;
	struct flushed flushed;
};

json_t *commands_flush_json(const struct flushed *f, unsigned percent)
{
	json_t *reply = commands_flushed(f);

	if (reply && json_object_set_new(reply, "done_percent", json_integer(percent)) != 0) {
		json_decref(reply);
		reply = NULL;
	}
	return reply;
}

static enum pull pull_flush(void *state, struct now now, json_t **out, uint64_t *wake_us)
{
	struct flush *f = state;
	const struct commands *c = f->commands;
	bool more = true;

	(void)wake_us;
	for (int i = 0; more && i < FLUSH_STEPS; i++)
		more = cache_flush_some(c->cache, &f->at, f->name, f->type, true,
					&f->flushed.removed);
	if (more) {
		*out = commands_flush_json(&f->flushed, cache_cursor_percent(c->cache, &f->at));
		return PULL_MORE;
	}
	/* What has come meanwhile, and what is not in memory. */
	uint64_t removed = f->flushed.removed;
	commands_flush(c, f->name, f->type, true, now, &f->flushed);
	f->flushed.removed += removed;
	*out = commands_flush_json(&f->flushed, 100);
	return PULL_LAST;
}

void commands_flush_stream(const struct commands *c, struct call *call, const uint8_t *name,
			   uint16_t type)
{
	struct flush *f = calloc(1, sizeof(*f));
	struct call_stream stream = {.pull = pull_flush, .free = free, .state = f};

	if (!f) {
		call_reply(call, NULL);
		return;
	}
	f->commands = c;
	f->type = type;
	dname_copy(name, f->name);
	call_stream(call, &stream);
}

/* ---- dump ---- */

struct dump {
	struct commands_walk walk;
	uint8_t name[DNAME_MAX];
};

static bool dump_wants(void *context, const struct entry *e)
{
	const struct dump *d = context;

	return dname_is_within(entry_name(e), d->name);
}

static enum pull pull_dump(void *state, struct now now, json_t **out, uint64_t *wake_us)
{
	struct dump *d = state;
	bool good = commands_walk_step(&d->walk);
	json_t *entries = good ? json_array() : NULL;

	(void)wake_us;
	for (size_t i = 0; i < d->walk.count; i++)
		words_append(&entries, words_entry(d->walk.list[i], now));
	*out = json_pack("{s:o, s:i}", "entries", entries, "done_percent",
			 (int)commands_walk_percent(&d->walk));
	return d->walk.ended || !good ? PULL_LAST : PULL_MORE;
}

static void free_dump(void *state)
{
	struct dump *d = state;

	commands_walk_deinit(&d->walk);
	free(d);
}

void commands_cache_dump(void *context, struct call *call)
{
	uint8_t name[DNAME_MAX];

	if (!words_begin_stream(call, name))
		return;
	struct dump *d = calloc(1, sizeof(*d));
	struct call_stream stream = {.pull = pull_dump, .free = free_dump, .state = d};
	if (!d) {
		call_reply(call, NULL);
		return;
	}
	d->walk = (struct commands_walk){.commands = context, .wants = dump_wants, .context = d};
	dname_copy(name, d->name);
	call_stream(call, &stream);
}

/* ---- load ---- */

/* "NAME TYPE" or "NAME" of TEXT; false if it is neither. */
static bool read_question(const char *text, uint8_t name[static DNAME_MAX], uint16_t *type)
{
	char word[QUESTION_MAX];
	size_t len = strlen(text), at = strcspn(text, " \t"), ignored;

	*type = TYPE_A;
	if (len >= sizeof(word) || at == 0)
		return false;
	memcpy(word, text, len + 1);
	word[at] = '\0';
	if (dname_parse(word, name, &ignored) != OK)
		return false;
	(void)dname_lower(name, name);
	if (at == len)
		return true;
	return type_parse(word + at + 1, type) && *type != 0 && !type_is_meta(*type);
}

static bool is_known(const struct commands *c, const uint8_t *name, uint16_t type, struct now now)
{
	const struct entry *e = answer_find(c->reader, name, dname_len(name), type, false, now);

	return e && entry_is_fresh(e, now) && e->rank >= RANK_FORWARDED &&
	       e->verdict != VERDICT_UNCHECKED;
}

/* A worker that has room for a question more, or NULL. */
static struct worker *idle_worker(const struct commands *c, size_t turn)
{
	for (unsigned i = 0; i < *c->worker_count; i++) {
		struct worker *w = c->workers[(turn + i) % *c->worker_count];
		struct worker_figures figures;
		worker_read_figures(w, &figures);
		if (figures.open_queries < LOAD_OPEN_MAX)
			return w;
	}
	return NULL;
}

/* Nothing that is loaded is believed: the names are asked for, as if a client wanted them. */
void commands_cache_load(void *context, struct call *call)
{
	const struct commands *c = context;
	size_t count = call_count(call, "questions"), asked = 0, known = 0, rejected = 0, i;
	uint8_t name[DNAME_MAX];
	uint16_t type;

	if (count > LOAD_MAX) {
		call_invalid(call, "questions");
		return;
	}
	for (i = 0; i < count; i++) {
		if (!read_question(call_item(call, "questions", i), name, &type)) {
			rejected++;
			continue;
		}
		if (is_known(c, name, type, call_now(call))) {
			known++;
			continue;
		}
		struct worker *w = idle_worker(c, i);
		if (!w)
			break;
		worker_refresh(w, name, type);
		asked++;
	}
	call_reply(call, json_pack("{s:I, s:I, s:I, s:I}", "asked", (json_int_t)asked, "known",
				   (json_int_t)known, "rejected", (json_int_t)rejected, "left",
				   (json_int_t)(count - i)));
}
