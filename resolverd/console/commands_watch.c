#include <stdlib.h>

#include "console/commands_words.h"

enum {
	QUEUE_MAX = 256, /* events that one client has not taken yet */
	EVENTS_PER_REPLY = 64,
	/* A reply without events now and then: a client that waits sees that we are there. */
	SILENCE_US = 10 * 1000 * 1000,
};

struct watch {
	const struct commands *commands;
	struct feed_watcher watcher;
	uint8_t name[DNAME_MAX]; /* only at and below it */
	struct feed_event *queue;
	size_t first, count;
	uint64_t dropped, told_us;
};

/* ---- events ---- */

static void take_event(void *context, const struct feed_event *e)
{
	struct watch *w = context;

	if (!dname_is_within(e->name, w->name))
		return;
	if (w->count == QUEUE_MAX) {
		w->dropped++;
		return;
	}
	w->queue[(w->first + w->count++) % QUEUE_MAX] = *e;
}

static json_t *or_null(const char *text)
{
	return *text ? words_text(text, strlen(text)) : json_null();
}

static json_t *event_json(const struct feed_event *e)
{
	bool failure = e->kind == FEED_FAILURE;
	bool extended = failure && e->ede != EDE_NONE;
	char rcode[TYPE_TEXT_SIZE];

	return json_pack(
		"{s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:b, s:o, s:o}", "time_unix_s",
		(json_int_t)e->at.unix_s, "kind", failure ? "failure" : "change", "name",
		words_name(e->name), "type", words_type(e->type), "client",
		e->client.family ? words_endpoint(&e->client) : json_null(), "rcode",
		failure ? json_string(rcode_text(e->rcode, rcode)) : json_null(), "ede",
		extended ? json_integer(e->ede) : json_null(), "ede_name",
		extended ? json_string(ede_text(e->ede)) : json_null(), "text",
		failure ? or_null(e->text) : json_null(), "took_ms", (json_int_t)e->took_ms,
		"refresh", e->refresh, "old", failure ? json_null() : or_null(e->text), "new",
		failure ? json_null() : or_null(e->fresh));
}

/* ---- the stream ---- */

static enum pull pull_watch(void *state, struct now now, json_t **out, uint64_t *wake_us)
{
	struct watch *w = state;
	json_t *events;

	feeds_drain(w->commands->feeds);
	uint64_t dropped = w->dropped + w->watcher.dropped;
	if (w->count == 0 && dropped == 0 && now.mono_us < w->told_us + SILENCE_US) {
		*wake_us = now.mono_us + FEED_DRAIN_MS * 1000ULL;
		return PULL_WAIT;
	}
	events = json_array();
	for (size_t i = 0; w->count > 0 && i < EVENTS_PER_REPLY; i++) {
		words_append(&events, event_json(&w->queue[w->first]));
		w->first = (w->first + 1) % QUEUE_MAX;
		w->count--;
	}
	w->dropped = w->watcher.dropped = 0;
	w->told_us = now.mono_us;
	*out = json_pack("{s:o, s:I}", "events", events, "dropped", (json_int_t)dropped);
	return PULL_MORE;
}

static void free_watch(void *state)
{
	struct watch *w = state;

	feeds_leave(w->commands->feeds, &w->watcher);
	free(w->queue);
	free(w);
}

void commands_watch(void *context, struct call *call)
{
	const struct commands *c = context;
	uint8_t name[DNAME_MAX];

	if (!words_begin_stream(call, name))
		return;
	struct watch *w = calloc(1, sizeof(*w));
	struct call_stream stream = {.pull = pull_watch, .free = free_watch, .state = w};
	if (!w)
		goto no_memory;
	*w = (struct watch){
		.commands = c,
		.watcher = {.wants = FEED_FAILURE | FEED_CHANGE, .take = take_event, .context = w}};
	dname_copy(name, w->name);
	w->queue = calloc(QUEUE_MAX, sizeof(*w->queue));
	if (!w->queue || feeds_join(c->feeds, &w->watcher) != OK)
		goto no_memory;
	call_stream(call, &stream);
	return;

no_memory:
	if (w)
		free(w->queue);
	free(w);
	call_reply(call, NULL);
}
