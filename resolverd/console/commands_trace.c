#include <stdlib.h>

#include "console/commands_words.h"
#include "console/trace_words.h"

enum {
	LOOK_US = 5000, /* how often it is looked whether the worker is done */
	/* A question ends within LIMIT_QUERY_MS; the worker gives up after that by itself. */
	PATIENCE_US = (TRACING_PATIENCE_MS + 10 * 1000) * 1000,
};

struct waiting { /* a call that a worker is busy with */
	struct tracing *tracing;
	uint64_t end_us;
};

static void free_waiting(void *state)
{
	struct waiting *w = state;

	tracing_release(w->tracing);
	free(w);
}

static json_t *reply(json_t *trace, const char *problem)
{
	return json_pack("{s:o, s:o}", "trace", trace, "problem",
			 problem ? json_string(problem) : json_null());
}

static enum pull pull_trace(void *state, struct now now, json_t **out, uint64_t *wake_us)
{
	struct waiting *w = state;
	enum tracing_state done = tracing_look(w->tracing);

	if (done == TRACING_DONE) {
		*out = reply(trace_words_json(&w->tracing->result->report, now), NULL);
	} else if (done == TRACING_REFUSED) {
		*out = reply(json_null(), "the worker has too many traces to make already");
	} else if (now.mono_us >= w->end_us) {
		*out = reply(json_null(), "the worker does not answer");
	} else {
		*wake_us = now.mono_us + LOOK_US;
		return PULL_WAIT;
	}
	return PULL_LAST;
}

void commands_trace(void *context, struct call *call)
{
	const struct commands *c = context;
	struct waiting *w = calloc(1, sizeof(*w));
	struct tracing *t = tracing_new();
	unsigned count = *c->worker_count;

	if (count == 0) {
		call_error(call, "Failed", json_pack("{s:s}", "reason", "no worker is there"));
		goto release;
	}
	if (!w || !t) {
		call_reply(call, NULL);
		goto release;
	}
	t->type = TYPE_A;
	if (!words_read_name(call, t->name) || !words_read_type(call, &t->type))
		goto release;
	t->cached = call_bool(call, "cached");
	t->from_root = call_bool(call, "from_root");
	if (t->cached && t->from_root) {
		call_invalid(call, "from_root");
		goto release;
	}
	*w = (struct waiting){.tracing = t, .end_us = call_now(call).mono_us + PATIENCE_US};
	/* Any worker will do: who asks again meets another one. */
	worker_trace(c->workers[call_now(call).mono_us / 1000 % count], t);
	struct call_stream stream = {.pull = pull_trace, .free = free_waiting, .state = w};
	call_stream(call, &stream);
	return;

release:
	tracing_release(t);
	free(w);
}
