#include <stdio.h>
#include <stdlib.h>

#include "anchors/flushes.h"
#include "console/commands_explain.h"
#include "console/trace_words.h"
#include "resolve/prefetch_plan.h"
#include "resolve/prefetch_shared.h"

enum { RECENT_MAX = 5 }; /* traces told of: the last failures, and the last of all */

/* ---- the flight recorder ---- */

struct search { /* through the rings of all workers */
	const uint8_t *name;
	uint16_t type;
	struct recorder_copy *failures[RECENT_MAX]; /* slow ones too; newest first */
	size_t count;
	struct recorder_copy *good; /* the newest of the others */
};

static void keep_newest(struct search *s, const struct trace_report *report)
{
	size_t at = s->count;

	while (at > 0 && s->failures[at - 1]->report.ended_ms < report->ended_ms)
		at--;
	if (at == RECENT_MAX)
		return;
	struct recorder_copy *copy = recorder_copy(report);
	if (!copy)
		return;
	if (s->count == RECENT_MAX)
		free(s->failures[--s->count]);
	memmove(&s->failures[at + 1], &s->failures[at],
		(s->count - at) * sizeof(struct recorder_copy *));
	s->failures[at] = copy;
	s->count++;
}

static bool look_at(void *context, enum recorder_kind kind, const struct trace_report *report)
{
	struct search *s = context;

	if (report->type != s->type || !dname_equal(report->name, s->name))
		return true;
	if (kind != RECORDER_OTHER) {
		keep_newest(s, report);
	} else if (!s->good || s->good->report.ended_ms < report->ended_ms) {
		free(s->good);
		s->good = recorder_copy(report);
	}
	return true;
}

static void say_sentence(void *context, const char *sentence)
{
	explain_say(context, "  %s", sentence);
}

static const char *ago(const struct explain *x, const struct trace_report *r,
		       char out[static WORDS_TIME_SIZE])
{
	return words_time(MAX(x->now.cache_ms - r->ended_ms, (int64_t)0), out);
}

static void tell_trace(struct explain *x, const struct trace_report *r)
{
	char time[WORDS_TIME_SIZE], summary[TRACE_SUMMARY_MAX], client[ENDPOINT_TEXT_SIZE];

	explain_say(x, "Recorded %s ago%s%s%s: it %s.", ago(x, r, time),
		    r->client.family ? ", for " : "",
		    r->client.family ? endpoint_text(&r->client, client) : "",
		    r->refresh	 ? ", when it was refreshed"
		    : r->watched ? ", for an operator"
				 : "",
		    trace_words_summary(r, summary));
}

static bool is_failure(const struct trace_report *r)
{
	return (r->rcode != RCODE_NOERROR && r->rcode != RCODE_NXDOMAIN) ||
	       r->verdict == VERDICT_BOGUS;
}

/* Nobody remembers it but the recorder: that is the answer to the operator's question. */
static void sum_up_past(struct explain *x, const struct trace_report *r)
{
	char question[EXPLAIN_QUESTION_MAX], time[WORDS_TIME_SIZE], before[sizeof(x->summary)];
	char ede[80] = "";

	if (x->has_fresh || !json_is_null(x->failure) || !is_failure(r))
		return;
	memcpy(before, x->summary, sizeof(before));
	if (r->ede != EDE_NONE)
		(void)snprintf(ede, sizeof(ede), " (EDE %u, %s)", r->ede, ede_text(r->ede));
	explain_sum_up(x, "%s failed %s ago: %s%s. %.300s",
		       explain_question(x->asked, x->type, question), ago(x, r, time),
		       r->text ? r->text : "no reason was noted", ede, before);
}

static void tell_search(struct explain *x, const struct search *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct trace_report *r = &s->failures[i]->report;
		tell_trace(x, r);
		if (i == 0) { /* one is enough: the others are mostly the same */
			trace_words_blame(r, say_sentence, x);
			sum_up_past(x, r);
		}
		words_append(&x->recent, trace_words_json(r, x->now));
	}
	if (s->good) {
		tell_trace(x, &s->good->report);
		words_append(&x->recent, trace_words_json(&s->good->report, x->now));
	}
}

/* ---- flushes ---- */

static void tell_flush(struct explain *x)
{
	const struct flush *f = flushes_find(x->c->flushes, x->asked, x->type);
	char name[DNAME_TEXT_MAX], time[WORDS_TIME_SIZE];

	if (!f)
		return;
	const char *who = f->by_change ? "a change of the configuration" : "an operator";
	words_time((int64_t)((x->now.mono_us - f->at_us) / 1000), time);
	if (f->subtree && f->name[0] == 0)
		explain_say(x, "The whole cache was flushed by %s %s ago.", who, time);
	else
		explain_say(x, "%s%s was flushed by %s %s ago.", f->subtree ? "All below " : "",
			    dname_text(f->name, name), who, time);
}

void explain_past(struct explain *x)
{
	struct search s = {.name = x->asked, .type = x->type};

	for (unsigned i = 0; i < *x->c->worker_count; i++)
		recorder_walk(worker_recorder(x->c->workers[i]), look_at, &s);
	tell_search(x, &s);
	for (size_t i = 0; i < s.count; i++)
		free(s.failures[i]);
	free(s.good);
	tell_flush(x);
}

/* ---- popularity ---- */

void explain_popularity(struct explain *x, const struct entry *e)
{
	const struct prefetch_settings *all = &x->settings->prefetch;
	const struct prefetch_rule *rule = prefetch_rule_for(all, x->name);
	struct popularity p = popularity_read(e);
	uint32_t now_s = (uint32_t)((uint64_t)x->now.cache_ms / 1000);
	uint64_t hash = claims_hash(&x->c->prefetch->claims, x->name, dname_len(x->name), x->type);
	char last[WORDS_TIME_SIZE], gap[WORDS_TIME_SIZE], due[WORDS_TIME_SIZE];

	if (p.hits == 0)
		return;
	words_time((int64_t)(now_s - p.last_hit_s) * 1000, last);
	words_time((int64_t)prefetch_gap_ms(&p, e->ttl_s, x->now), gap);
	if (p.hits == 1)
		explain_say(x, "Asked for in one second only, %s ago.", last);
	else
		explain_say(x, "Asked for in %u different seconds, last %s ago, about every %s.",
			    p.hits, last, gap);
	if (!all->enabled)
		return;
	if (!claims_is_taken(&x->c->prefetch->claims, hash, now_s)) {
		explain_say(x, "It is not kept fresh: %s.",
			    prefetch_is_hot(&p, rule, e->ttl_s, x->now)
				    ? "no worker has taken it up yet"
				    : "it is not asked for often enough for its TTL");
		return;
	}
	bool forwarded = e->rank == RANK_FORWARDED;
	int64_t due_ms = e->expires_ms - prefetch_lead_ms(rule, forwarded, e->ttl_s, 0);
	due_ms -= x->now.cache_ms;
	explain_say(x, "It is kept fresh: the next refresh is due %s%s%s.",
		    due_ms > 0 ? "in about " : "now", due_ms > 0 ? words_time(due_ms, due) : "",
		    forwarded ? ", when what the forwarder told expires" : "");
}
