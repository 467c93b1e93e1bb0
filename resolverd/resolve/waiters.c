#include "resolve/waiters.h"

#include <stdlib.h>

#include "resolve/family.h"
#include "resolve/lead.h"
#include "resolve/recall.h"
#include "resolve/servers.h"

enum { WAITER_POOL_MAX = 256 };

static size_t waiter_bucket(uint64_t token)
{
	return (size_t)((token * 0x9e3779b97f4a7c15u) >> 51); /* top 13 bits: WAITERS_BUCKETS */
}
static_assert(WAITERS_BUCKETS == 1 << 13, "waiter_bucket() yields 13 bits");

static struct waiter **waiter_slot(struct resolver *r, uint64_t token)
{
	struct waiter **at = &r->waiter_table[waiter_bucket(token)];
	while (*at && (*at)->client.token != token)
		at = &(*at)->hash_next;
	return at;
}

/* Into the pool, which is no larger than an ordinary crowd needs. */
static void put_back(struct resolver *r, struct waiter *w)
{
	if (r->waiter_pool_count >= WAITER_POOL_MAX) {
		free(w);
		return;
	}
	r->waiter_pool_count++;
	w->next = r->waiter_pool;
	r->waiter_pool = w;
}

/* W waits for Q from now on. */
static void join_waiters(struct query *q, struct waiter *w)
{
	w->query = q;
	w->previous = NULL;
	w->next = q->waiters;
	if (q->waiters)
		q->waiters->previous = w;
	q->waiters = w;
	q->waiter_count++;
	q->budget->held_bytes += sizeof(*w);
	query_weigh(q);
	if (q->clients++ == 0)
		q->client = w->client.peer;
}

static void leave_waiters(struct waiter *w)
{
	struct query *q = w->query;
	if (w->previous)
		w->previous->next = w->next;
	else
		q->waiters = w->next;
	if (w->next)
		w->next->previous = w->previous;
	q->waiter_count--;
	q->budget->held_bytes -= sizeof(*w);
	query_weigh(q);
}

static void leave_origin(struct waiter *w)
{
	if (w->origin)
		LIST_REMOVE(w, in_led);
	w->origin = NULL;
}

/* Take W off its question and all lists, and into the pool. */
static void release(struct resolver *r, struct waiter *w)
{
	struct waiter **at = waiter_slot(r, w->client.token);
	REQUIRE(*at == w); /* else it would stay in the table, and be used once freed */
	*at = w->hash_next;
	leave_waiters(w);
	leave_origin(w);
	heap_remove(&r->client_timers, &w->deadline);
	r->waiter_count--;
	put_back(r, w);
}

static struct waiter *take_waiter(struct resolver *r)
{
	struct waiter *w = r->waiter_pool;
	if (!w)
		return calloc(1, sizeof(*w));
	r->waiter_pool = w->next;
	r->waiter_pool_count--;
	*w = (struct waiter){0};
	return w;
}

/* The last try to resolve Q's question failed, not long ago: RFC 8767 §5 asks to try again, not to let
 * a client wait for each try. */
static bool has_failed_lately(const struct query *q)
{
	const struct resolver *r = q->resolver;
	size_t len = dname_len(q->qname);
	const struct entry *failure =
		cache_find(r->client_context.reader, ENTRY_FAILURE, q->qname, len, q->qtype);
	if (!failure || r->now.cache_ms - entry_fetched_ms(failure) > LIMIT_FAILURE_SHOWS_MS)
		return false;
	const struct entry *e =
		answer_find(r->client_context.reader, q->qname, len, q->qtype, false, r->now);
	return e && entry_fetched_ms(failure) > entry_fetched_ms(e);
}

/* How long CLIENT waits from now on before it is told what is stale. */
static uint64_t patience_ms(const struct query *q, const struct client *client)
{
	uint64_t ms = q->settings->client_ms, stale_ms = q->settings->stale_answer_after_ms;
	if (!client_recursion_desired(client))
		return 0; /* is here for stale data: what is resolved now is for others */
	if (!q->settings->stale_enabled)
		return ms;
	if (has_failed_lately(q))
		return 0;
	/* The question has been tried for so long already, be it for others. */
	uint64_t tried_ms = (q->resolver->now.mono_us - q->started_us) / 1000;
	return MIN(ms, stale_ms - MIN(stale_ms, tried_ms));
}

/* CLIENT waits for Q from now on. */
static bool add_waiter(struct query *q, const struct client *client)
{
	struct resolver *r = q->resolver;
	if (q->waiter_count >= LIMIT_WAITERS || !resolver_reserve(r, 1))
		return false;
	struct waiter *w = take_waiter(r);
	if (!w)
		return false;
	w->client = *client;
	if (heap_set(&r->client_timers, &w->deadline,
		     now_mono_ms(r->now) + patience_ms(q, client)) != OK) {
		put_back(r, w);
		return false;
	}
	join_waiters(q, w);
	struct waiter **at = &r->waiter_table[waiter_bucket(client->token)];
	w->hash_next = *at;
	*at = w;
	r->waiter_count++;
	return true;
}

/* A client waits for Q: it goes first from now on. */
static void hurry(struct query *q)
{
	family_probe_shared(q);
	if (!q->budget->refresh)
		return;
	q->budget->refresh = false;
	q->throttled_until_ms = 0;
}

/* --- coming --------------------------------------------------------------------------------- */

static void answer_client(struct resolver *r, const struct client *c, size_t len)
{
	struct span packet = {0};
	if (len > 0)
		packet = arena_copy(&r->step_arena, span_of(r->reply_buffer, len));
	struct action act = {.kind = packet.at ? ACT_ANSWER : ACT_DROP,
			     .token = c->token,
			     .packet = packet,
			     .peer = c->peer,
			     .transport = c->transport};
	resolver_act(r, &act);
}

static void refuse_client(struct resolver *r, const struct client *c, const char *why)
{
	struct client_error error = {.rcode = RCODE_SERVFAIL, .ede = EDE_OTHER, .text = why};
	answer_client(r, c,
		      client_reply_error(&r->client_context, c, &error, r->reply_buffer,
					 sizeof(r->reply_buffer)));
}

static ptrdiff_t answer_now(struct resolver *r, const struct event *ev, struct client *client)
{
	return client_answer_now(&r->client_context, r->now, ev, client, r->reply_buffer,
				 sizeof(r->reply_buffer));
}

/* What the slower tier says of a question's name. */
struct recalled {
	enum recall what;
	uint64_t token; /* 0: nothing is to come */
};

/* Once more, if memory did not know the question's NAME but now does. A question in progress has looked
 * there already. */
static ptrdiff_t answer_recalled(struct resolver *r, const struct event *ev, const uint8_t *name,
				 struct client *client, struct recalled *said)
{
	if (query_find(r, name, client->qtype))
		return 0;
	said->what = recall_begin(r, name, &said->token);
	if (said->what != RECALL_LATER)
		said->token = 0;
	if (said->what != RECALL_FOUND)
		return 0;
	ptrdiff_t len = answer_now(r, ev, client);
	metrics_add(r->metrics, METRIC_cache_recalled_total, len > 0);
	return len;
}

/* What is there has expired, but NAME is popular. After a restart whoever loads such names may not
 * have got so far yet, and nobody shall wait for that: it is kept from now on. May it be served at
 * once? */
static bool keep_popular(struct resolver *r, const uint8_t *name, const struct client *client)
{
	const struct entry *e = answer_find(r->client_context.reader, name, dname_len(name),
					    client->qtype, client->dnssec_ok, r->now);
	if (!e || entry_is_fresh(e, r->now) || !r->settings->prefetch.enabled ||
	    !client_recursion_desired(client))
		return false;
	prefetch_keep(r->prefetch, e, r->now);
	return prefetch_holds(r->prefetch, e, name, client->qtype, r->now);
}

/* CLIENT joins Q, which somebody else has asked. */
static void join(struct resolver *r, struct query *q)
{
	metrics_add(r->metrics, METRIC_queries_coalesced_total, 1);
	hurry(q);
	servers_allow_probe(q);
}

void waiters_admit(struct resolver *r, const struct event *ev)
{
	struct client client;
	uint8_t lower[DNAME_MAX];
	struct recalled said = {.what = RECALL_UNKNOWN};
	ptrdiff_t len = answer_now(r, ev, &client);
	if (len == RESOLVER_IGNORE) {
		struct action drop = {.kind = ACT_DROP, .token = ev->token};
		resolver_act(r, &drop);
		return;
	}
	dname_lower(client.qname, lower);
	if (len == 0)
		len = answer_recalled(r, ev, lower, &client, &said);
	if (len == 0 && keep_popular(r, lower, &client))
		len = answer_now(r, ev, &client);
	client.token = ev->token;
	if (len > 0) {
		answer_client(r, &client, (size_t)len);
		return;
	}
	struct query *q = query_find(r, lower, client.qtype);
	if (q)
		join(r, q);
	else
		q = query_open(r, lower, client.qtype, NULL);
	if (q) {
		struct shares_holder holder = shares_holder_of(&client.peer, client.trusted);
		query_take_over(q, &holder);
	}
	if (q)
		recall_note(q, said.what);
	if (q && said.token != 0)
		recall_wait(q, said.token);
	/* Who waits for the slower tier may yet be answered from there. */
	if (!q || !q->recall.waits)
		metrics_add(r->metrics, METRIC_cache_misses_total, 1);
	if (!q || !add_waiter(q, &client))
		refuse_client(r, &client,
			      q ? "too many clients wait for this name" : "out of memory");
}

/* --- going ---------------------------------------------------------------------------------- */

static void send_answer(struct resolver *r, struct waiter *w, size_t len)
{
	answer_client(r, &w->client, len);
	release(r, w);
}

/* Expired data that may still be served for W's question (RFC 8767), or NULL. */
static const struct entry *find_stale(struct resolver *r, const struct waiter *w)
{
	uint8_t name[DNAME_MAX];
	size_t len = dname_lower(w->client.qname, name);
	const struct entry *e = answer_find(r->client_context.reader, name, len, w->client.qtype,
					    w->client.dnssec_ok, r->now);
	return e && client_may_use_stale(&r->client_context, &w->client, e, r->now) ? e : NULL;
}

/* W, about to be told an expired chain, waits for the target of the alias where Q has got to instead; false:
 * it need not. */
static bool lead_on(struct resolver *r, struct waiter *w)
{
	const struct query *q = w->query;
	struct shares_holder holder = shares_holder_of(&w->client.peer, w->client.trusted);
	uint64_t now_ms = now_mono_ms(r->now);
	uint64_t end_ms =
		MIN(now_ms + LIMIT_LEAD_MS, w->client.arrived_ms + q->settings->client_ms);
	uint8_t name[DNAME_MAX];
	if (w->leads == LIMIT_LEADS || end_ms <= now_ms || q->shortage ||
	    !client_recursion_desired(&w->client))
		return false;
	dname_lower(w->client.qname, name);
	struct query *target = lead_from(r, name, w->client.qtype, q->name);
	if (!target || target == q || target->waiter_count >= LIMIT_WAITERS ||
	    heap_set(&r->client_timers, &w->deadline, end_ms) != OK)
		return false;
	if (w->leads++ == 0) {
		w->origin = w->query;
		LIST_INSERT_HEAD(&w->origin->led, w, in_led);
	}
	leave_waiters(w);
	join_waiters(target, w);
	hurry(target);
	query_take_over(target, &holder);
	return true;
}

/* W was led to the question that has just ended, or has waited for it long enough: it is told what its own
 * name has come to be known as meanwhile. */
static void answer_led(struct resolver *r, struct waiter *w)
{
	struct client_error error = {.rcode = RCODE_SERVFAIL, .ede = EDE_NO_REACHABLE_AUTHORITY};
	const struct entry *stale = find_stale(r, w);
	size_t len;
	if (stale && entry_is_fresh(stale, r->now))
		len = client_reply_entry(&r->client_context, &w->client, stale, r->now,
					 CLIENT_FRESH, r->reply_buffer, sizeof(r->reply_buffer));
	else if (stale)
		len = client_reply_entry(&r->client_context, &w->client, stale, r->now,
					 CLIENT_STALE, r->reply_buffer, sizeof(r->reply_buffer));
	else
		len = client_reply_error(&r->client_context, &w->client, &error, r->reply_buffer,
					 sizeof(r->reply_buffer));
	send_answer(r, w, len);
}

/* What Q has come to is nothing to tell W where there is something stale. */
static bool is_failure(const struct query *q, const struct waiter *w)
{
	return q->answer.rcode == RCODE_SERVFAIL || q->answer.no_store ||
	       (query_is_unproven(q) && !client_checking_disabled(&w->client));
}

static void answer_waiter(struct query *q, struct waiter *w)
{
	struct resolver *r = q->resolver;
	if (w->leads > 0) {
		if (q->answer.rcode != RCODE_SERVFAIL || !lead_on(r, w))
			answer_led(r, w);
		return;
	}
	bool failed = is_failure(q, w);
	const struct entry *stale = failed ? find_stale(r, w) : NULL;
	if (stale && lead_on(r, w))
		return;
	size_t len =
		stale ? client_reply_entry(&r->client_context, &w->client, stale, r->now,
					   CLIENT_STALE, r->reply_buffer, sizeof(r->reply_buffer))
		      : client_reply_answer(&r->client_context, &w->client, &q->answer,
					    r->reply_buffer, sizeof(r->reply_buffer));
	if (stale)
		q->told |= TRACE_TOLD_STALE;
	send_answer(r, w, len);
}

/* What Q is held up by so far: its own trouble, or that of a question it waits for. */
static struct client_error late_error(const struct query *q)
{
	struct client_error error = {.rcode = RCODE_SERVFAIL,
				     .ede = EDE_NO_REACHABLE_AUTHORITY,
				     .text = "no answer in time; resolution goes on"};
	const struct trouble *t = &q->trouble;
	for (unsigned i = 0; i < q->dependency_count && t->ede == EDE_NONE; i++) {
		const struct dependency *d = &q->dependencies[i];
		const struct query *child =
			d->pending ? query_find(q->resolver, d->name, d->type) : NULL;
		if (child)
			t = &child->trouble;
	}
	if (t->ede != EDE_NONE) {
		error.ede = t->ede;
		error.text = t->text;
	}
	return error;
}

static void note_told(struct query *q, enum trace_told what)
{
	if (!(q->told & what)) /* the first tells for all */
		query_note(q, (struct trace_step){.kind = TRACE_PATIENCE, .code = what});
	q->told = (uint8_t)(q->told | what);
}

/* W has waited long enough: stale data, or SERVFAIL and why. The question goes on without it. */
static void on_patience_over(struct resolver *r, struct waiter *w)
{
	struct query *q = w->query;
	const struct entry *stale = find_stale(r, w);
	uint64_t end_ms = w->client.arrived_ms + q->settings->client_ms;
	size_t len;
	if (stale && lead_on(r, w))
		return;
	if (w->leads > 0) {
		answer_led(r, w);
		return;
	}
	if (stale) {
		note_told(q, TRACE_TOLD_STALE);
		len = client_reply_entry(&r->client_context, &w->client, stale, r->now,
					 CLIENT_STALE, r->reply_buffer, sizeof(r->reply_buffer));
	} else if (now_mono_ms(r->now) < end_ms &&
		   heap_set(&r->client_timers, &w->deadline, end_ms) == OK) {
		return; /* nothing stale to give: the whole budget of time, then */
	} else {
		struct client_error error = late_error(q);
		bool first = !(q->told & TRACE_TOLD_SERVFAIL);
		note_told(q, TRACE_TOLD_SERVFAIL);
		if (first)
			query_report_late(q, error.ede, error.text);
		metrics_add(r->metrics, METRIC_answers_late_total, 1);
		len = client_reply_error(&r->client_context, &w->client, &error, r->reply_buffer,
					 sizeof(r->reply_buffer));
	}
	send_answer(r, w, len);
}

/* W, if what is in the cache by now is an answer to it. */
static void answer_from_cache(struct query *q, struct waiter *w)
{
	struct resolver *r = q->resolver;
	size_t len = client_answer_again(&r->client_context, r->now, &w->client, r->reply_buffer,
					 sizeof(r->reply_buffer));
	if (len == 0 && keep_popular(r, q->qname, &w->client))
		len = client_answer_again(&r->client_context, r->now, &w->client, r->reply_buffer,
					  sizeof(r->reply_buffer));
	if (len == 0)
		return;
	metrics_add(r->metrics, METRIC_cache_recalled_total, 1);
	send_answer(r, w, len);
}

void waiters_recalled(struct query *q)
{
	for (struct waiter *w = q->waiters, *next; w; w = next) {
		next = w->next;
		answer_from_cache(q, w);
	}
}

/* Whom Q's stale alias has led on is told what Q itself has come to, if it is anything. */
static void answer_who_left(struct query *q)
{
	for (struct waiter *w = LIST_FIRST(&q->led), *next; w; w = next) {
		next = LIST_NEXT(w, in_led);
		if (is_failure(q, w))
			leave_origin(w);
		else
			send_answer(q->resolver, w,
				    client_reply_answer(&q->resolver->client_context, &w->client,
							&q->answer, q->resolver->reply_buffer,
							sizeof(q->resolver->reply_buffer)));
	}
}

void waiters_answer(struct query *q)
{
	for (struct waiter *w = q->waiters, *next; w; w = next) {
		next = w->next;
		answer_waiter(q, w);
	}
	answer_who_left(q); /* those too who have just left, as it has failed */
}

void waiters_deadline(struct resolver *r)
{
	uint64_t now_ms = now_mono_ms(r->now);
	struct heap_node *node;
	for (unsigned i = 0; i < LIMIT_STEP_DUE; i++) {
		node = heap_min(&r->client_timers);
		if (!node || node->key > now_ms)
			return;
		on_patience_over(r, CONTAINER_OF(node, struct waiter, deadline));
	}
}

void waiters_gone(struct resolver *r, uint64_t token)
{
	struct waiter *w = *waiter_slot(r, token);
	if (w)
		release(r, w);
}

void waiters_abandon(struct query *q)
{
	while (!LIST_EMPTY(&q->led))
		leave_origin(LIST_FIRST(&q->led));
	for (struct waiter *w = q->waiters, *next; w; w = next) {
		next = w->next;
		release(q->resolver, w);
	}
}

void waiters_deinit(struct resolver *r)
{
	while (r->waiter_pool) {
		struct waiter *w = r->waiter_pool;
		r->waiter_pool = w->next;
		free(w);
	}
}
