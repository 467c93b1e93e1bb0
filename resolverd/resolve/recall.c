#include "resolve/recall.h"

#include "resolve/leg.h"
#include "resolve/upstream.h"
#include "resolve/waiters.h"

static struct query **bucket_of(struct resolver *r, uint64_t token)
{
	return &r->recalls[token % RECALL_BUCKETS];
}

bool recall_at_once(const struct resolver *r, const uint8_t *name, bool *later)
{
	enum recall what =
		r->recall ? r->recall(r->recall_context, name, 0, r->now) : RECALL_NOTHING;
	*later = what == RECALL_LATER;
	return what == RECALL_FOUND;
}

enum recall recall_begin(struct resolver *r, const uint8_t *name, uint64_t *token)
{
	if (!r->recall)
		return RECALL_NOTHING;
	*token = ++r->recall_tokens;
	return r->recall(r->recall_context, name, *token, r->now);
}

void recall_note(struct query *q, enum recall what)
{
	q->recall.known |= what == RECALL_NOTHING || what == RECALL_FOUND;
	if (q->recall.known && q->name == q->qname)
		q->legs_recalled |= 1;
}

void recall_wait(struct query *q, uint64_t token)
{
	struct resolver *r = q->resolver;
	struct query **bucket = bucket_of(r, token);
	recall_forget(q); /* one at a time: that of the leg before comes too late */
	q->recall.asked = true;
	q->recall.token = token;
	q->recall.next = *bucket;
	*bucket = q;
	/* Whose query has waited in vain once does not wait again: a disk that hangs costs a client
	 * one wait, however many questions it takes to answer it. */
	q->recall.waits = !q->budget->recall_lapsed;
	q->recall.end_ms = now_mono_ms(r->now) + LIMIT_RECALL_MS;
}

enum recall recall_leg(struct query *q)
{
	uint64_t token;
	if (q->recall.asked)
		return RECALL_NOTHING;
	q->recall.asked = true;
	enum recall what = recall_begin(q->resolver, q->name, &token);
	recall_note(q, what);
	if (what != RECALL_LATER)
		return what;
	recall_wait(q, token);
	return q->recall.waits ? RECALL_LATER : RECALL_NOTHING;
}

/* Whoever waits for Q has not been answered from the cache after all. */
static void count_misses(struct query *q)
{
	metrics_add(q->resolver->metrics, METRIC_cache_misses_total, q->waiter_count);
}

bool recall_is_waited_for(struct query *q)
{
	if (!q->recall.waits || now_mono_ms(q->resolver->now) < q->recall.end_ms)
		return q->recall.waits;
	q->recall.waits = false;
	q->budget->recall_lapsed = true;
	metrics_add(q->resolver->metrics, METRIC_recalls_slow_total, 1);
	count_misses(q);
	return false;
}

uint64_t recall_end_ms(const struct query *q)
{
	return q->recall.waits ? q->recall.end_ms : UINT64_MAX;
}

void recall_forget(struct query *q)
{
	if (q->recall.token == 0)
		return;
	struct query **at = bucket_of(q->resolver, q->recall.token);
	while (*at != q)
		at = &(*at)->recall.next;
	*at = q->recall.next;
	q->recall.token = 0;
	q->recall.waits = false;
}

void recall_next_leg(struct query *q)
{
	recall_forget(q);
	q->recall.asked = q->recall.known = false;
}

static struct query *find(struct resolver *r, uint64_t token)
{
	struct query *q = *bucket_of(r, token);
	while (q && q->recall.token != token)
		q = q->recall.next;
	return q;
}

/* What servers are being asked for stands in the cache meanwhile: that is the answer. */
static void take_late(struct query *q)
{
	if (q->state != QUERY_ASK || q->anew || !leg_is_known(q))
		return;
	upstream_cancel_all(q);
	q->state = QUERY_LEG;
	query_wake(q);
}

void recall_event(struct resolver *r, const struct event *ev)
{
	struct query *q = find(r, ev->token);
	if (!q) {
		metrics_add(r->metrics, METRIC_recalls_late_total, ev->found);
		return;
	}
	bool waited = q->recall.waits;
	recall_forget(q);
	recall_note(q, ev->found ? RECALL_FOUND : RECALL_UNKNOWN); /* it may have given up */
	if (ev->found)
		waiters_recalled(q);
	if (waited) {
		count_misses(q);
		query_wake(q);
	} else if (ev->found) {
		take_late(q);
	}
}
