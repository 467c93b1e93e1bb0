/*
 * The resolver as a whole: events in, actions out; the table of questions in progress, who waits
 * for them, and their timers. What a question does is in iterate.c and its neighbours.
 *
 * Within one step, questions that can go on are run from a list until it is empty; finished ones
 * are freed when the step ends, so no function finds its question gone under its feet.
 */
#include "resolve/resolver.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "resolve/query.h"

enum {
	QUERY_BUCKETS = 4096, /* as many as LIMIT_QUERIES: chains stay short */
	WAITER_BUCKETS = 8192,
	KEYS_MAX = 4096,	 /* parsed keys: about 2 kB each */
	STEPS_PER_WAKE_MAX = 64, /* states run in a row: a chain of 12 hops takes under 40 */
	ANCESTORS_MAX = 256,	 /* looked at for loops; more waiting questions count as a loop */
};

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* --- making and freeing ------------------------------------------------------------------- */

enum err resolver_new(const struct resolver_parts *parts, struct resolver **out)
{
	struct resolver *r = calloc(1, sizeof(*r));
	if (!r)
		return ERR_NO_MEMORY;
	r->table = calloc(QUERY_BUCKETS, sizeof(*r->table));
	r->waiter_table = calloc(WAITER_BUCKETS, sizeof(*r->waiter_table));
	if (!r->table || !r->waiter_table || crypto_keys_new(KEYS_MAX, &r->keys) != OK) {
		free(r->table);
		free(r->waiter_table);
		free(r);
		return ERR_NO_MEMORY;
	}
	r->settings = parts->settings;
	r->cache = parts->cache;
	r->infra = parts->infra;
	r->ranges = parts->ranges;
	r->metrics = parts->metrics;
	r->throttle = parts->throttle ? parts->throttle : &r->own_throttle;
	r->rng = parts->rng;
	r->observe_keys = parts->observe_keys;
	r->observe_context = parts->observe_context;
	r->cookie_secret = *parts->cookie_secret;
	rng_bytes(&r->rng, r->table_key.bytes, sizeof(r->table_key.bytes));
	r->client_context = (struct client_context){.settings = parts->settings,
						    .reader = parts->reader,
						    .metrics = parts->metrics,
						    .cookie_secret = &r->cookie_secret,
						    .keepalive_100ms = CLIENT_KEEPALIVE_100MS};
	if (prefetch_new(r, parts->prefetch, &r->prefetch) != OK) {
		resolver_free(r);
		return ERR_NO_MEMORY;
	}
	r->client_context.prefetch = r->settings->prefetch.enabled ? r->prefetch : NULL;
	r->has_ipv4 = r->has_ipv6 = true;
	heap_init(&r->query_timers);
	heap_init(&r->client_timers);
	arena_init(&r->step_arena,
		   64u << 20); /* a step answers at most LIMIT_WAITERS clients a question */
	*out = r;
	return OK;
}

static size_t waiter_bucket(uint64_t token)
{
	return (size_t)((token * 0x9e3779b97f4a7c15u) >> 51); /* top 13 bits: WAITER_BUCKETS */
}
static_assert(WAITER_BUCKETS == 1 << 13, "waiter_bucket() yields 13 bits");

static struct waiter **waiter_slot(struct resolver *r, uint64_t token)
{
	struct waiter **at = &r->waiter_table[waiter_bucket(token)];
	while (*at && (*at)->client.token != token)
		at = &(*at)->hash_next;
	return at;
}

/* Take W off its question and all lists, and into the pool. */
static void release_waiter(struct resolver *r, struct waiter *w)
{
	struct query *q = w->query;
	struct waiter **at = waiter_slot(r, w->client.token);
	REQUIRE(*at == w);
	*at = w->hash_next;
	if (w->previous)
		w->previous->next = w->next;
	else
		q->waiters = w->next;
	if (w->next)
		w->next->previous = w->previous;
	q->waiter_count--;
	heap_remove(&r->client_timers, &w->deadline);
	r->waiter_count--;
	w->next = r->waiter_pool;
	r->waiter_pool = w;
}

static void budget_release(struct budget *b)
{
	if (--b->references == 0)
		free(b);
}

static struct query **table_slot(struct resolver *r, const uint8_t *name, uint16_t type)
{
	uint64_t hash = hash_bytes(&r->table_key, span_of(name, dname_len(name))) + type;
	struct query **at = &r->table[hash % QUERY_BUCKETS];
	while (*at && !((*at)->qtype == type && dname_equal((*at)->qname, name)))
		at = &(*at)->hash_next;
	return at;
}

/* Take Q out of every list. Its waiters are gone already. */
static void unlink_query(struct query *q)
{
	struct resolver *r = q->resolver;
	struct query **at = table_slot(r, q->qname, q->qtype);
	REQUIRE(*at == q);
	*at = q->hash_next;
	if (q->older)
		q->older->newer = q->newer;
	else
		r->oldest = q->newer;
	if (q->newer)
		q->newer->older = q->older;
	else
		r->newest = q->older;
	heap_remove(&r->query_timers, &q->timer);
	r->query_count--;
}

static void note_cost(struct resolver *r, const struct budget *b)
{
	unsigned hashes = LIMIT_NSEC3_HASHES - b->denial.hashes_left;
	r->max_signature_checks = MAX(r->max_signature_checks, b->signature_checks);
	r->max_nsec3_hashes = MAX(r->max_nsec3_hashes, hashes);
}

static void free_query(struct query *q)
{
	while (q->parents) {
		struct parent_link *link = q->parents;
		q->parents = link->next;
		free(link);
	}
	note_cost(q->resolver, q->budget);
	budget_release(q->budget);
	arena_deinit(&q->arena);
	free(q);
}

static void free_finished(struct resolver *r)
{
	while (r->finished) {
		struct query *q = r->finished;
		r->finished = q->ready_next;
		free_query(q);
	}
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	while (r->oldest) {
		struct query *q = r->oldest;
		while (q->waiters)
			release_waiter(r, q->waiters);
		unlink_query(q);
		free_query(q);
	}
	free_finished(r);
	while (r->waiter_pool) {
		struct waiter *w = r->waiter_pool;
		r->waiter_pool = w->next;
		free(w);
	}
	for (uint32_t i = 0; i < r->send_slots; i++)
		free(r->sends[i]);
	free(r->sends);
	free(r->free_slots);
	free(r->actions);
	free(r->table);
	free(r->waiter_table);
	heap_deinit(&r->query_timers);
	heap_deinit(&r->client_timers);
	arena_deinit(&r->step_arena);
	crypto_keys_free(r->keys);
	prefetch_free(r->prefetch);
	free(r);
}

/* --- small services ----------------------------------------------------------------------- */

void resolver_act(struct resolver *r, const struct action *action)
{
	if (r->action_count == r->action_capacity) {
		size_t capacity = r->action_capacity ? r->action_capacity * 2 : 64;
		struct action *grown = realloc(r->actions, capacity * sizeof(*grown));
		/* An action lost would leave a client without an answer or a send without an end. */
		REQUIRE(grown);
		r->actions = grown;
		r->action_capacity = capacity;
	}
	r->actions[r->action_count++] = *action;
}

uint32_t resolver_clamp_ttl(const struct resolver *r, uint32_t ttl_s)
{
	return MIN(MAX(ttl_s, r->settings->min_ttl_s), r->settings->max_ttl_s);
}

void query_trouble(struct query *q, uint16_t ede, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(q->trouble.text, sizeof(q->trouble.text), format, args);
	va_end(args);
	q->trouble.ede = ede;
}

void query_wake(struct query *q)
{
	struct resolver *r = q->resolver;
	if (q->running || q->state == QUERY_DONE)
		return;
	q->running = true;
	q->ready_next = NULL;
	if (r->ready_last)
		r->ready_last->ready_next = q;
	else
		r->ready_first = q;
	r->ready_last = q;
}

/* --- questions ---------------------------------------------------------------------------- */

static void shed_oldest(struct resolver *r)
{
	struct query *q = r->oldest;
	metrics_add(r->metrics, METRIC_limits_hit_total, 1);
	query_trouble(q, EDE_OTHER, "overloaded: limit of %u questions in progress reached",
		      LIMIT_QUERIES);
	query_fail(q);
}

static struct budget *budget_new(void)
{
	struct budget *b = calloc(1, sizeof(*b));
	if (b)
		b->denial.hashes_left = LIMIT_NSEC3_HASHES;
	return b;
}

/* A question for (NAME lower case, TYPE), charged to BUDGET (NULL: a budget of its own). */
static struct query *query_open(struct resolver *r, const uint8_t *name, uint16_t type,
				struct budget *budget)
{
	if (r->query_count >= LIMIT_QUERIES)
		shed_oldest(r);
	struct query *q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	q->budget = budget ? budget : budget_new();
	if (!q->budget) {
		free(q);
		return NULL;
	}
	q->budget->references++;
	q->resolver = r;
	q->settings = r->settings;
	arena_init(&q->arena, LIMIT_ARENA_BYTES);
	q->started_us = r->now.mono_us;
	q->give_up_ms = now_mono_ms(r->now) + LIMIT_QUERY_MS;
	dname_copy(name, q->qname);
	q->qtype = type;
	q->name = q->qname;
	q->priming = type == TYPE_NS && name[0] == 0;
	q->trouble.ede = EDE_NONE;
	q->answer = (struct answer){.qname = q->qname,
				    .qtype = type,
				    .verdict = VERDICT_SECURE,
				    .rank = RANK_SECURE,
				    .ede = EDE_NONE,
				    .ttl_s = UINT32_MAX};
	struct query **at = table_slot(r, name, type);
	REQUIRE(!*at);
	*at = q;
	q->older = r->newest;
	if (r->newest)
		r->newest->newer = q;
	else
		r->oldest = q;
	r->newest = q;
	r->query_count++;
	query_wake(q);
	return q;
}

struct query *query_open_refresh(struct resolver *r, const uint8_t *name, uint16_t type)
{
	if (*table_slot(r, name, type))
		return NULL;
	struct query *q = query_open(r, name, type, NULL);
	if (q)
		q->refresh = q->fresh_only = q->budget->refresh = true;
	return q;
}

/* Would TARGET, if Q waited for it, wait for itself? Looks upwards from Q through all who wait. */
static bool waits_for(const struct query *q, const struct query *target, unsigned *left)
{
	if (q == target)
		return true;
	if (*left == 0)
		return true; /* too tangled to tell: no deadlock is worth it */
	(*left)--;
	for (const struct parent_link *link = q->parents; link; link = link->next)
		if (waits_for(link->parent, target, left))
			return true;
	return false;
}

static struct dependency *find_dependency(struct query *q, const uint8_t *name, uint16_t type,
					  bool fresh)
{
	for (unsigned i = 0; i < q->dependency_count; i++) {
		struct dependency *d = &q->dependencies[i];
		if (d->type == type && d->fresh >= fresh && dname_equal(d->name, name))
			return d;
	}
	return NULL;
}

static bool may_depend(struct query *q)
{
	if (q->dependency_count < DEPENDENCIES_MAX && q->depth < LIMIT_DEPTH &&
	    q->budget->subqueries < LIMIT_SUBQUERIES)
		return true;
	metrics_add(q->resolver->metrics, METRIC_limits_hit_total, 1);
	return false;
}

/* The question CHILD is about to be waited for by Q. */
static bool link_parent(struct query *q, struct query *child)
{
	struct parent_link *link = calloc(1, sizeof(*link));
	if (!link)
		return false;
	link->parent = q;
	link->next = child->parents;
	child->parents = link;
	return true;
}

enum err query_need(struct query *q, const uint8_t *name, uint16_t type, bool fresh,
		    const struct answer **out)
{
	struct resolver *r = q->resolver;
	uint8_t lower[DNAME_MAX];
	struct dependency *d = find_dependency(q, name, type, fresh);
	if (d) {
		*out = d->answer;
		return d->pending ? ERR_BUSY : d->answer ? OK : ERR_LIMIT;
	}
	size_t len = dname_lower(name, lower);
	struct span copy = arena_copy(&q->arena, span_of(lower, len));
	if (!copy.at || !may_depend(q))
		return ERR_LIMIT;
	d = &q->dependencies[q->dependency_count++];
	*d = (struct dependency){.name = copy.at, .type = type, .fresh = fresh};
	struct query *child = *table_slot(r, lower, type);
	unsigned left = ANCESTORS_MAX;
	if (child && waits_for(q, child, &left))
		return ERR_LIMIT;
	if (!child) {
		q->budget->subqueries++;
		child = query_open(r, lower, type, q->budget);
		if (!child)
			return ERR_LIMIT;
		child->internal = true;
		child->fresh_only = fresh;
		child->depth = (uint8_t)(q->depth + 1);
	}
	if (!link_parent(q, child))
		return ERR_LIMIT;
	d->pending = true;
	q->dependencies_pending++;
	return ERR_BUSY;
}

/* --- ending ------------------------------------------------------------------------------- */

static enum err answer_copy(const struct answer *a, struct arena *arena, struct answer *out)
{
	enum err err = OK;
	*out = *a;
	for (uint32_t i = 0; i < a->answer_count && err == OK; i++)
		err = rrset_copy(&a->answer[i], arena, &out->answer[i]);
	for (uint32_t i = 0; i < a->authority_count && err == OK; i++)
		err = rrset_copy(&a->authority[i], arena, &out->authority[i]);
	if (a->text) {
		struct span text = arena_copy(arena, span_of(a->text, strlen(a->text) + 1));
		out->text = (const char *)text.at;
	}
	return err;
}

/* Hand Q's answer to the questions that wait for it. */
static void deliver_parents(struct query *q)
{
	for (struct parent_link *link = q->parents; link; link = link->next) {
		struct query *p = link->parent;
		if (p->state == QUERY_DONE)
			continue;
		for (unsigned i = 0; i < p->dependency_count; i++) {
			struct dependency *d = &p->dependencies[i];
			if (!d->pending || d->type != q->qtype || !dname_equal(d->name, q->qname))
				continue;
			d->pending = false;
			p->dependencies_pending--;
			d->answer = arena_alloc(&p->arena, sizeof(*d->answer));
			if (d->answer && answer_copy(&q->answer, &p->arena, d->answer) != OK)
				d->answer = NULL;
		}
		query_wake(p);
	}
}

/* A question that ends early is waited for by nobody it depends on any more. */
static void forget_parent(struct query *child, const struct query *parent)
{
	for (struct parent_link **at = &child->parents; *at;) {
		struct parent_link *link = *at;
		if (link->parent != parent) {
			at = &link->next;
			continue;
		}
		*at = link->next;
		free(link);
	}
}

static void leave_children(struct query *q)
{
	for (unsigned i = 0; i < q->dependency_count; i++) {
		const struct dependency *d = &q->dependencies[i];
		struct query *child =
			d->pending ? *table_slot(q->resolver, d->name, d->type) : NULL;
		if (child)
			forget_parent(child, q);
	}
}

static void send_answer(struct resolver *r, struct waiter *w, size_t len)
{
	struct span packet = arena_copy(&r->step_arena, span_of(r->reply_buffer, len));
	struct action act = {.kind = packet.at ? ACT_ANSWER : ACT_DROP,
			     .token = w->client.token,
			     .packet = packet,
			     .peer = w->client.peer,
			     .transport = w->client.transport};
	resolver_act(r, &act);
	release_waiter(r, w);
}

/* Expired data that may still be served for W's question (RFC 8767), or NULL. */
static const struct entry *find_stale(struct resolver *r, const struct query *q,
				      const struct waiter *w)
{
	const struct entry *e = answer_find(r->client_context.reader, q->qname, dname_len(q->qname),
					    q->qtype, w->client.dnssec_ok, r->now);
	return e && client_may_use_stale(&r->client_context, &w->client, e, r->now) ? e : NULL;
}

static void answer_waiter(struct query *q, struct waiter *w)
{
	struct resolver *r = q->resolver;
	const struct entry *stale = q->answer.rcode == RCODE_SERVFAIL ? find_stale(r, q, w) : NULL;
	size_t len =
		stale ? client_reply_entry(&r->client_context, &w->client, stale, r->now,
					   CLIENT_STALE, r->reply_buffer, sizeof(r->reply_buffer))
		      : client_reply_answer(&r->client_context, &w->client, &q->answer,
					    r->reply_buffer, sizeof(r->reply_buffer));
	send_answer(r, w, len);
}

void query_finish(struct query *q)
{
	struct resolver *r = q->resolver;
	struct answer *a = &q->answer;
	if (q->state == QUERY_DONE)
		return;
	upstream_cancel_all(q);
	if (a->ttl_s == UINT32_MAX)
		a->ttl_s = 0;
	a->fetched_ms = r->now.cache_ms;
	bool store = !a->no_store && !a->from_cache && a->rcode != RCODE_SERVFAIL && a->ttl_s > 0;
	if (q->refresh)
		store &= prefetch_accept(r->prefetch, q);
	if (store)
		answer_store(a, r->cache, r->now, &q->arena);
	if (q->waiters || !(q->internal || q->refresh))
		prefetch_answered(r->prefetch, q);
	while (q->waiters)
		answer_waiter(q, q->waiters);
	if (q->refresh)
		prefetch_finished(r->prefetch, q);
	q->state = QUERY_DONE;
	deliver_parents(q);
	leave_children(q);
	unlink_query(q);
	if (!q->running) { /* else the ready list lets go of it first */
		q->ready_next = r->finished;
		r->finished = q;
	}
}

/* Remember the failure (RFC 9520), twice as long as the last time. */
static void store_failure(struct query *q)
{
	struct resolver *r = q->resolver;
	uint8_t room[sizeof(struct entry) + DNAME_MAX + 256] __attribute__((aligned(8)));
	const struct entry *last = cache_find(r->client_context.reader, ENTRY_FAILURE, q->qname,
					      dname_len(q->qname), q->qtype);
	uint32_t ttl_s = LIMIT_FAILURE_MIN_MS / 1000;
	bool spent = q->budget->sends >= LIMIT_SENDS || q->budget->subqueries >= LIMIT_SUBQUERIES ||
		     q->budget->signature_checks >= LIMIT_SIGNATURE_CHECKS;
	if (q->refresh)
		return; /* repeated soon, and what is there goes on to be served */
	if (q->internal && spent)
		return; /* whoever spent the budget must not make others' names fail */
	if (last && r->now.cache_ms < last->expires_ms + (int64_t)last->ttl_s * 1000)
		ttl_s = MIN(last->ttl_s * 2, (uint32_t)LIMIT_FAILURE_MAX_MS / 1000);
	struct entry_parts parts = {.kind = ENTRY_FAILURE,
				    .name = q->qname,
				    .type = q->qtype,
				    .ttl_s = ttl_s,
				    .fetched_ms = r->now.cache_ms,
				    .rank = RANK_ANSWER,
				    .verdict = VERDICT_INDETERMINATE,
				    .rcode = RCODE_SERVFAIL,
				    .ede = q->trouble.ede,
				    .text = q->trouble.text};
	if (entry_size(&parts) <= sizeof(room) &&
	    cache_put(r->cache, entry_make(&parts, room), r->now) != OK)
		log_debug("failure not cached");
}

void query_fail(struct query *q)
{
	struct answer *a = &q->answer;
	if (q->state == QUERY_DONE)
		return;
	a->rcode = RCODE_SERVFAIL;
	a->answer_count = a->authority_count = 0;
	a->verdict = VERDICT_INDETERMINATE;
	a->ttl_s = 0;
	a->ede = q->trouble.ede;
	a->text = q->trouble.text;
	store_failure(q);
	query_finish(q);
}

/* --- clients ------------------------------------------------------------------------------ */

static uint64_t patience_ms(const struct query *q)
{
	uint64_t ms = q->settings->client_ms;
	if (q->settings->stale_enabled)
		ms = MIN(ms, q->settings->stale_answer_after_ms);
	return ms;
}

static struct waiter *take_waiter(struct resolver *r)
{
	struct waiter *w = r->waiter_pool;
	if (!w)
		return calloc(1, sizeof(*w));
	r->waiter_pool = w->next;
	*w = (struct waiter){0};
	return w;
}

/* CLIENT waits for Q from now on. */
static bool add_waiter(struct query *q, const struct client *client)
{
	struct resolver *r = q->resolver;
	struct waiter *w = q->waiter_count < LIMIT_WAITERS ? take_waiter(r) : NULL;
	if (!w)
		return false;
	w->client = *client;
	w->query = q;
	if (heap_set(&r->client_timers, &w->deadline, now_mono_ms(r->now) + patience_ms(q)) != OK) {
		w->next = r->waiter_pool;
		r->waiter_pool = w;
		return false;
	}
	w->next = q->waiters;
	if (q->waiters)
		q->waiters->previous = w;
	q->waiters = w;
	q->waiter_count++;
	struct waiter **at = &r->waiter_table[waiter_bucket(client->token)];
	w->hash_next = *at;
	*at = w;
	r->waiter_count++;
	return true;
}

static void answer_client(struct resolver *r, const struct client *c, size_t len)
{
	struct span packet = arena_copy(&r->step_arena, span_of(r->reply_buffer, len));
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

static void on_query(struct resolver *r, const struct event *ev)
{
	struct client client;
	uint8_t lower[DNAME_MAX];
	ptrdiff_t len = client_answer_now(&r->client_context, r->now, ev, &client, r->reply_buffer,
					  sizeof(r->reply_buffer));
	if (len == RESOLVER_IGNORE) {
		struct action drop = {.kind = ACT_DROP, .token = ev->token};
		resolver_act(r, &drop);
		return;
	}
	client.token = ev->token;
	if (len > 0) {
		answer_client(r, &client, (size_t)len);
		return;
	}
	metrics_add(r->metrics, METRIC_cache_misses_total, 1);
	dname_lower(client.qname, lower);
	struct query *q = *table_slot(r, lower, client.qtype);
	if (q) {
		metrics_add(r->metrics, METRIC_queries_coalesced_total, 1);
		if (q->budget->refresh) { /* it goes first from now on */
			q->budget->refresh = false;
			q->throttled_until_ms = 0;
		}
		servers_allow_probe(q);
	} else {
		q = query_open(r, lower, client.qtype, NULL);
	}
	if (!q || !add_waiter(q, &client))
		refuse_client(r, &client,
			      q ? "too many clients wait for this name" : "out of memory");
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
			d->pending ? *table_slot(q->resolver, d->name, d->type) : NULL;
		if (child)
			t = &child->trouble;
	}
	if (t->ede != EDE_NONE) {
		error.ede = t->ede;
		error.text = t->text;
	}
	return error;
}

/* W has waited long enough: stale data, or SERVFAIL and why. The question goes on without it. */
static void on_patience_over(struct resolver *r, struct waiter *w)
{
	struct query *q = w->query;
	const struct entry *stale = find_stale(r, q, w);
	uint64_t end_ms = w->client.arrived_ms + q->settings->client_ms;
	size_t len;
	if (stale) {
		len = client_reply_entry(&r->client_context, &w->client, stale, r->now,
					 CLIENT_STALE, r->reply_buffer, sizeof(r->reply_buffer));
	} else if (now_mono_ms(r->now) < end_ms &&
		   heap_set(&r->client_timers, &w->deadline, end_ms) == OK) {
		return; /* nothing stale to give: the whole budget of time, then */
	} else {
		struct client_error error = late_error(q);
		metrics_add(r->metrics, METRIC_answers_late_total, 1);
		len = client_reply_error(&r->client_context, &w->client, &error, r->reply_buffer,
					 sizeof(r->reply_buffer));
	}
	send_answer(r, w, len);
}

static void on_gone(struct resolver *r, uint64_t token)
{
	struct waiter *w = *waiter_slot(r, token);
	if (w)
		release_waiter(r, w);
}

static void on_refresh(struct resolver *r, const struct event *ev)
{
	uint8_t lower[DNAME_MAX];
	dname_lower(ev->name, lower);
	/* NULL is well: it is under way, or somebody else refreshes it. */
	(void)query_open_refresh(r, lower, ev->type);
}

/* --- the step ----------------------------------------------------------------------------- */

static void set_timer(struct query *q)
{
	uint64_t at = MIN(upstream_next_ms(q), q->give_up_ms);
	if (q->throttled_until_ms > now_mono_ms(q->resolver->now))
		at = MIN(at, q->throttled_until_ms);
	if (q->retry_ms > now_mono_ms(q->resolver->now))
		at = MIN(at, q->retry_ms);
	if (q->state == QUERY_ASK && q->zone.configured && q->zone.configured->fallback &&
	    !q->skip_forward)
		at = MIN(at, MAX(q->zone.since_ms + LIMIT_FALLBACK_MS,
				 now_mono_ms(q->resolver->now) + 1));
	if (heap_set(&q->resolver->query_timers, &q->timer, at) != OK) {
		query_trouble(q, EDE_OTHER, "out of memory");
		query_fail(q);
	}
}

static void run_query(struct query *q)
{
	unsigned steps = 0;
	while (q->state != QUERY_DONE && query_steps[q->state](q) == STEP_AGAIN) {
		if (++steps < STEPS_PER_WAKE_MAX)
			continue;
		query_trouble(q, EDE_OTHER, "limit of steps reached");
		query_fail(q);
	}
	if (q->state != QUERY_DONE)
		set_timer(q);
}

static void run_ready(struct resolver *r)
{
	while (r->ready_first) {
		struct query *q = r->ready_first;
		r->ready_first = q->ready_next;
		if (!r->ready_first)
			r->ready_last = NULL;
		if (q->state != QUERY_DONE)
			run_query(q);
		q->running = false;
		if (q->state == QUERY_DONE) {
			q->ready_next = r->finished;
			r->finished = q;
		}
	}
}

static void on_deadline(struct resolver *r)
{
	uint64_t now_ms = now_mono_ms(r->now);
	struct heap_node *node;
	while ((node = heap_min(&r->client_timers)) && node->key <= now_ms)
		on_patience_over(r, CONTAINER_OF(node, struct waiter, deadline));
	while ((node = heap_min(&r->query_timers)) && node->key <= now_ms) {
		struct query *q = CONTAINER_OF(node, struct query, timer);
		if (now_ms >= q->give_up_ms) {
			if (q->trouble.ede == EDE_NONE)
				query_trouble(q, EDE_NO_REACHABLE_AUTHORITY, "gave up after %u ms",
					      LIMIT_QUERY_MS);
			query_fail(q);
			continue;
		}
		heap_remove(&r->query_timers, node); /* set again when it has run */
		upstream_deadline(q);
		query_wake(q);
		run_ready(r);
	}
	prefetch_deadline(r->prefetch);
	run_ready(r);
}

void resolver_step(struct resolver *r, struct now now, const struct event *ev, struct actions *out)
{
	arena_deinit(&r->step_arena);
	r->action_count = 0;
	r->now = now;
	switch (ev->kind) {
	case EV_QUERY:
		on_query(r, ev);
		break;
	case EV_REPLY:
	case EV_LOST:
		upstream_event(r, ev);
		break;
	case EV_DEADLINE:
		break; /* done below, after every event */
	case EV_NETWORK:
		if (r->has_ipv4 != ev->has_ipv4 || r->has_ipv6 != ev->has_ipv6)
			infra_network_changed(r->infra);
		r->has_ipv4 = ev->has_ipv4;
		r->has_ipv6 = ev->has_ipv6;
		break;
	case EV_GONE:
		on_gone(r, ev->token);
		break;
	case EV_REFRESH:
		on_refresh(r, ev);
		break;
	}
	run_ready(r);
	on_deadline(r);
	free_finished(r);
	*out = (struct actions){.list = r->actions, .count = r->action_count};
}

uint64_t resolver_deadline_ms(const struct resolver *r)
{
	const struct heap_node *q = heap_min(&r->query_timers), *c = heap_min(&r->client_timers);
	uint64_t at = prefetch_next_ms(r->prefetch);
	if (q)
		at = MIN(at, q->key);
	if (c)
		at = MIN(at, c->key);
	return at;
}

ptrdiff_t resolver_answer_now(struct resolver *r, struct now now, const struct event *query,
			      uint8_t *out, size_t size_bytes)
{
	struct client client;
	return client_answer_now(&r->client_context, now, query, &client, out, size_bytes);
}

void resolver_set_settings(struct resolver *r, const struct settings *settings)
{
	r->settings = settings;
	r->client_context.settings = settings;
	memset(r->observed_ms, 0, sizeof(r->observed_ms));
	r->client_context.prefetch = settings->prefetch.enabled ? r->prefetch : NULL;
	prefetch_settings_changed(r->prefetch);
}

void resolver_keep(struct resolver *r, struct now now, const struct entry *e)
{
	if (r->settings->prefetch.enabled)
		prefetch_keep(r->prefetch, e, now);
}

bool resolver_settings_in_use(const struct resolver *r, const struct settings *settings)
{
	if (r->settings == settings)
		return true;
	for (const struct query *q = r->oldest; q; q = q->newer)
		if (q->settings == settings)
			return true;
	return false;
}

void resolver_read_stats(const struct resolver *r, struct resolver_stats *out)
{
	struct prefetch_stats prefetch;
	prefetch_read_stats(r->prefetch, &prefetch);
	*out = (struct resolver_stats){.open_queries = r->query_count,
				       .kept_names = prefetch.kept,
				       .open_refreshes = prefetch.running,
				       .waiting_refreshes = prefetch.waiting,
				       .open_sends = r->sends_open,
				       .waiting_clients = r->waiter_count,
				       .max_sends_per_client = r->max_sends_per_client,
				       .max_signature_checks_per_client = r->max_signature_checks,
				       .max_nsec3_hashes_per_client = r->max_nsec3_hashes};
}
