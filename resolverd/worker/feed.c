#include "worker/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/message.h"

enum { STEP_MAX = 1 << 16 };

/* ---- workers ---- */

/* This question is one to be told: how many it stands for; 0: it is not. */
static uint32_t sample(struct feed *f)
{
	uint32_t step = atomic_load_explicit(&f->step, memory_order_relaxed);

	if (f->to_skip > 0) {
		f->to_skip--;
		return 0;
	}
	/* A random step, step on average, so that traffic with a rhythm is not misread. What a client
	 * could gain by guessing it is nothing. */
	f->chance = f->chance * 1664525 + 1013904223;
	f->to_skip = step > 1 ? (f->chance >> 8) % (2 * step - 1) : 0;
	return MAX(step, 1u);
}

/* Room for an event, zeroed but for its texts, which are empty, until commit(). NULL: none. */
static struct feed_event *reserve(struct feed *f, enum feed_kind kind, struct now now)
{
	struct feed_event *ring = atomic_load_explicit(&f->ring, memory_order_acquire);
	uint64_t written = atomic_load_explicit(&f->written, memory_order_relaxed);
	uint64_t taken = atomic_load_explicit(&f->taken, memory_order_acquire);

	if (!ring || written - taken == FEED_EVENTS) {
		atomic_fetch_add_explicit(&f->dropped, 1, memory_order_relaxed);
		return NULL;
	}
	struct feed_event *e = &ring[written % FEED_EVENTS];
	memset(e, 0, offsetof(struct feed_event, text));
	e->text[0] = e->fresh[0] = '\0';
	e->kind = kind;
	e->at = now;
	return e;
}

static void commit(struct feed *f)
{
	uint64_t written = atomic_load_explicit(&f->written, memory_order_relaxed);

	atomic_store_explicit(&f->written, written + 1, memory_order_release);
}

void feed_question(struct feed *f, struct span packet, const struct endpoint *client, bool hit,
		   struct now now)
{
	uint32_t weight = sample(f);
	struct message m;

	if (weight == 0 || message_view_question(packet, &m) != OK || m.question_count == 0)
		return;
	struct feed_event *e = reserve(f, FEED_QUESTION, now);
	if (!e)
		return;
	message_name(&m, m.qname_offset, e->name);
	(void)dname_lower(e->name, e->name);
	e->type = m.qtype;
	e->client = *client;
	e->weight = weight;
	e->hit = hit;
	commit(f);
}

void feed_failure(struct feed *f, const struct trace_report *report, struct now now)
{
	struct feed_event *e;

	if (report->rcode != RCODE_SERVFAIL && report->verdict != VERDICT_BOGUS)
		return;
	e = reserve(f, FEED_FAILURE, now);
	if (!e)
		return;
	dname_copy(report->name, e->name);
	e->type = report->type;
	e->client = report->client;
	e->refresh = report->refresh;
	e->rcode = RCODE_SERVFAIL; /* which is what bogus data become */
	e->ede = report->ede;
	e->took_ms = (uint32_t)(report->took_us / 1000);
	(void)snprintf(e->text, sizeof(e->text), "%s", report->text ? report->text : "");
	commit(f);
}

void feed_change(struct feed *f, const struct prefetch_change *change, struct now now)
{
	struct feed_event *e = reserve(f, FEED_CHANGE, now);

	if (!e)
		return;
	dname_copy(change->name, e->name);
	e->type = change->type;
	(void)snprintf(e->text, sizeof(e->text), "%s", change->old);
	(void)snprintf(e->fresh, sizeof(e->fresh), "%s", change->fresh);
	commit(f);
}

void feed_deinit(struct feed *f)
{
	free(atomic_load_explicit(&f->ring, memory_order_relaxed));
}

/* ---- the main thread ---- */

static enum err make_rings(struct feeds *f)
{
	for (unsigned i = 0; i < *f->count; i++) {
		struct feed *feed = f->list[i];
		if (atomic_load_explicit(&feed->ring, memory_order_relaxed))
			continue;
		struct feed_event *ring = calloc(FEED_EVENTS, sizeof(*ring));
		if (!ring)
			return ERR_NO_MEMORY;
		atomic_store_explicit(&feed->ring, ring, memory_order_release);
	}
	return OK;
}

/* Workers tell what somebody wants. */
static void spread_wishes(const struct feeds *f)
{
	unsigned wanted = 0;

	for (const struct feed_watcher *w = f->first; w; w = w->next)
		wanted |= w->wants;
	for (unsigned i = 0; i < *f->count; i++)
		atomic_store_explicit(&f->list[i]->wanted, wanted, memory_order_relaxed);
}

enum err feeds_join(struct feeds *f, struct feed_watcher *w)
{
	enum err err = make_rings(f);

	if (err != OK)
		return err;
	feeds_drain(f); /* what was before is not for W */
	w->next = f->first;
	f->first = w;
	spread_wishes(f);
	return OK;
}

void feeds_leave(struct feeds *f, struct feed_watcher *w)
{
	for (struct feed_watcher **at = &f->first; *at; at = &(*at)->next) {
		if (*at != w)
			continue;
		*at = w->next;
		break;
	}
	spread_wishes(f);
}

static void give(const struct feeds *f, const struct feed_event *e)
{
	for (const struct feed_watcher *w = f->first; w; w = w->next)
		if (w->wants & e->kind)
			w->take(w->context, e);
}

/* COUNT events were there: tell fewer questions, or more. */
static void adapt(struct feed *feed, uint64_t count)
{
	uint32_t step = MAX(atomic_load_explicit(&feed->step, memory_order_relaxed), 1u);

	if (count > FEED_EVENTS / 2 && step < STEP_MAX)
		step *= 2;
	else if (count < FEED_EVENTS / 8 && step > 1)
		step /= 2;
	atomic_store_explicit(&feed->step, step, memory_order_relaxed);
}

static void drain(struct feeds *f, struct feed *feed)
{
	const struct feed_event *ring = atomic_load_explicit(&feed->ring, memory_order_relaxed);
	uint64_t taken = atomic_load_explicit(&feed->taken, memory_order_relaxed);
	uint64_t written = atomic_load_explicit(&feed->written, memory_order_acquire);
	uint64_t dropped = atomic_exchange_explicit(&feed->dropped, 0, memory_order_relaxed);

	adapt(feed, written - taken);
	for (; taken < written; taken++)
		give(f, &ring[taken % FEED_EVENTS]);
	atomic_store_explicit(&feed->taken, taken, memory_order_release);
	for (struct feed_watcher *w = f->first; w; w = w->next)
		w->dropped += dropped;
}

void feeds_drain(struct feeds *f)
{
	for (unsigned i = 0; i < *f->count; i++)
		if (atomic_load_explicit(&f->list[i]->ring, memory_order_relaxed))
			drain(f, f->list[i]);
}
