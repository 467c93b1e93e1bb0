#include <stdlib.h>

#include "console/commands_walk.h"
#include "console/commands_words.h"
#include "console/trace_words.h"
#include "resolve/answer.h"
#include "resolve/prefetch_plan.h"
#include "resolve/prefetch_shared.h"

enum {
	/* A question ends within LIMIT_QUERY_MS; the worker gives up after that by itself. */
	NOW_PATIENCE_US = (TRACING_PATIENCE_MS + 10 * 1000) * 1000,
	NOW_LOOK_US = 20 * 1000,
};

static const struct settings *settings_of(const struct commands *c)
{
	return &(*c->snapshot)->settings;
}

/* ---- list ---- */

struct list {
	struct commands_walk walk;
	struct now now; /* of the present step */
};

static bool is_kept(const struct commands *c, const struct entry *e, struct now now)
{
	uint64_t hash = claims_hash(&c->prefetch->claims, entry_name(e), e->name_len, e->type);

	return claims_is_taken(&c->prefetch->claims, hash,
			       (uint32_t)((uint64_t)now.cache_ms / 1000));
}

/* What a client could be answered with, if it is kept. A claim has no name in it: whether a name is
 * kept is seen from the name's side. */
static bool list_wants(void *context, const struct entry *e)
{
	const struct list *l = context;

	return (e->kind == ENTRY_RRSET || e->kind == ENTRY_ANSWER) && e->type != 0 &&
	       e->rank >= RANK_FORWARDED && popularity_read(e).hits > 0 &&
	       is_kept(l->walk.commands, e, l->now);
}

static json_t *kept_json(const struct commands *c, const struct entry *e, struct now now)
{
	const struct prefetch_rule *rule =
		prefetch_rule_for(&settings_of(c)->prefetch, entry_name(e));
	bool own = rule != &settings_of(c)->prefetch.all;
	struct popularity p = popularity_read(e);
	uint64_t yield = prefetch_yield_permille(&p, e->ttl_s, now);

	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:f, s:o}", "name",
			 words_name(entry_name(e)), "type", words_type(e->type), "ttl_s",
			 (json_int_t)e->ttl_s, "left_ms",
			 (json_int_t)(e->expires_ms - now.cache_ms), "hits", (json_int_t)p.hits,
			 "gap_ms", (json_int_t)prefetch_gap_ms(&p, e->ttl_s, now), "yield",
			 (double)yield / 1000, "rule", own ? words_name(rule->name) : json_null());
}

static enum pull pull_list(void *state, struct now now, json_t **out, uint64_t *wake_us)
{
	struct list *l = state;
	json_t *names = json_array();

	(void)wake_us;
	l->now = now;
	bool good = commands_walk_step(&l->walk);
	for (size_t i = 0; i < l->walk.count; i++)
		words_append(&names, kept_json(l->walk.commands, l->walk.list[i], now));
	*out = good ? json_pack("{s:o}", "names", names) : NULL;
	if (!good)
		json_decref(names);
	return l->walk.ended || !good ? PULL_LAST : PULL_MORE;
}

static void free_list(void *state)
{
	struct list *l = state;

	commands_walk_deinit(&l->walk);
	free(l);
}

void commands_prefetch_list(void *context, struct call *call)
{
	if (!call_wants_more(call)) {
		call_expects_more(call);
		return;
	}
	struct list *l = calloc(1, sizeof(*l));
	struct call_stream stream = {.pull = pull_list, .free = free_list, .state = l};
	if (!l) {
		call_reply(call, NULL);
		return;
	}
	l->walk = (struct commands_walk){.commands = context, .wants = list_wants, .context = l};
	call_stream(call, &stream);
}

/* ---- stats ---- */

static json_t *rule_json(const struct prefetch_rule *r, bool own)
{
	return json_pack("{s:o, s:I, s:I, s:f, s:o, s:I}", "name",
			 own ? words_name(r->name) : json_null(), "min_hits",
			 (json_int_t)r->min_hits, "window_s", (json_int_t)r->window_s, "min_yield",
			 (double)r->min_yield_permille / 1000, "remaining_percent",
			 r->remaining_percent ? json_integer(r->remaining_percent) : json_null(),
			 "hold_ms", (json_int_t)r->hold_ms);
}

void commands_prefetch_stats(void *context, struct call *call)
{
	static const enum metric counters[] = {
		METRIC_prefetch_sent_total,	 METRIC_prefetch_useful_total,
		METRIC_prefetch_wasted_total,	 METRIC_prefetch_late_total,
		METRIC_prefetch_failed_total,	 METRIC_prefetch_changed_total,
		METRIC_prefetch_throttled_total, METRIC_prefetch_held_total,
	};
	const struct commands *c = context;
	const struct prefetch_settings *p = &settings_of(c)->prefetch;
	uint32_t kept = atomic_load_explicit(&c->prefetch->kept, memory_order_relaxed);
	json_t *values = json_object(), *rules = json_array();

	for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
		uint64_t total = 0;
		for (unsigned k = 0; k < *c->worker_count; k++)
			total += metrics_get(worker_metrics(c->workers[k]), counters[i]);
		if (values && json_object_set_new(values, metrics_name(counters[i]),
						  json_integer((json_int_t)total)) != 0) {
			json_decref(values);
			values = NULL;
		}
	}
	words_append(&rules, rule_json(&p->all, false));
	for (size_t i = 0; i < p->zone_count; i++)
		words_append(&rules, rule_json(&p->zones[i], true));
	call_reply(call,
		   json_pack("{s:b, s:I, s:I, s:I, s:o, s:o}", "enabled", p->enabled, "kept",
			     (json_int_t)kept, "max_names", (json_int_t)p->max_names, "max_rate",
			     (json_int_t)p->max_rate, "counters", values, "rules", rules));
}

/* ---- now ---- */

struct asking { /* until what was asked for has come */
	const struct commands *commands;
	struct tracing *tracing;
	struct now begun;
};

static void free_asking(void *state)
{
	struct asking *a = state;

	tracing_release(a->tracing);
	free(a);
}

/* The answer or the failure that was kept since, or NULL. */
static const struct entry *find_new(const struct asking *a, struct now now)
{
	struct cache_reader *r = a->commands->reader;
	const struct tracing *t = a->tracing;
	size_t len = dname_len(t->name);
	const struct entry *found[] = {
		answer_find(r, t->name, len, t->type, false, now),
		cache_find(r, ENTRY_FAILURE, t->name, len, t->type),
	};

	for (size_t i = 0; i < ARRAY_LEN(found); i++)
		if (found[i] && entry_fetched_ms(found[i]) >= a->begun.cache_ms)
			return found[i];
	return NULL;
}

static bool is_good(const struct trace_report *r)
{
	return (r->rcode == RCODE_NOERROR || r->rcode == RCODE_NXDOMAIN) &&
	       r->verdict != VERDICT_BOGUS;
}

static enum pull pull_asking(void *state, struct now now, json_t **out, uint64_t *wake_us)
{
	const struct asking *a = state;
	enum tracing_state tracing = tracing_look(a->tracing);
	uint64_t took_us = now.mono_us - a->begun.mono_us;
	const char *outcome = tracing == TRACING_REFUSED ? "was not asked: there is too much to do"
							 : "was not answered: the worker is busy";
	char summary[TRACE_SUMMARY_MAX];
	bool done = false;

	if (tracing == TRACING_OPEN && took_us < NOW_PATIENCE_US) {
		*wake_us = now.mono_us + NOW_LOOK_US;
		return PULL_WAIT;
	}
	if (tracing == TRACING_DONE) {
		const struct trace_report *report = &a->tracing->result->report;
		outcome = trace_words_summary(report, summary);
		done = is_good(report);
	}
	json_t *entries = json_array();
	const struct entry *e = find_new(a, now);
	if (e)
		words_append(&entries, words_entry(e, now));
	*out = json_pack("{s:b, s:I, s:o, s:o}", "done", done, "took_ms",
			 (json_int_t)(took_us / 1000), "outcome",
			 words_text(outcome, strlen(outcome)), "entries", entries);
	return PULL_LAST;
}

void commands_prefetch_now(void *context, struct call *call)
{
	const struct commands *c = context;
	struct asking *a = calloc(1, sizeof(*a));
	struct tracing *t = tracing_new();

	if (!a || !t) {
		call_reply(call, NULL);
		goto release;
	}
	t->type = TYPE_A;
	t->refresh = true;
	if (!words_read_name(call, t->name) || !words_read_type(call, &t->type))
		goto release;
	*a = (struct asking){.commands = c, .tracing = t, .begun = call_now(call)};
	if (*c->worker_count > 0)
		worker_trace(c->workers[t->name[1] % *c->worker_count], t);
	struct call_stream stream = {.pull = pull_asking, .free = free_asking, .state = a};
	call_stream(call, &stream);
	return;

release:
	tracing_release(t);
	free(a);
}
