/*
 * Within one step, questions that can go on are run from a list until it is empty; finished ones
 * are freed when the step ends, so no function finds its question gone under its feet.
 */
#include "resolve/query.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "resolve/cut.h"
#include "resolve/family.h"
#include "resolve/lead.h"
#include "resolve/outdate.h"
#include "resolve/recall.h"
#include "resolve/servers.h"
#include "resolve/upstream.h"
#include "resolve/waiters.h"

enum { ANCESTORS_MAX = 256 }; /* looked at for loops; more waiting questions count as a loop */

static struct span text_span(const char *text)
{
	return span_of(text, strlen(text));
}

/* --- the table of questions ----------------------------------------------------------------- */

static struct query **table_slot(struct resolver *r, const uint8_t *name, uint16_t type)
{
	uint64_t hash = hash_bytes(&r->table_key, span_of(name, dname_len(name))) + type;
	struct query **at = &r->table[hash % QUERY_BUCKETS];
	while (*at && !((*at)->qtype == type && dname_equal((*at)->qname, name)))
		at = &(*at)->hash_next;
	return at;
}

struct query *query_find(struct resolver *r, const uint8_t *name, uint16_t type)
{
	return *table_slot(r, name, type);
}

/* What a question takes by itself; those whom it waits for know it by a link each. */
static const size_t question_size =
	sizeof(struct query) + DEPENDENCIES_MAX * sizeof(struct parent_link);

static void weigh(struct resolver *r, struct budget *b)
{
	size_t now = b->references > 0 ? b->held_bytes + sizeof(*b) + b->trace.capacity : 0;
	if (now == b->weighed_bytes)
		return;
	r->question_bytes += now - b->weighed_bytes; /* modulo 2^64: less as well as more */
	r->max_question_bytes = MAX(r->max_question_bytes, r->question_bytes);
	b->weighed_bytes = now;
	/* Without memory for that it stays where it was, or is not found: others are given up. */
	if (now > 0)
		(void)!heap_set(&r->sizes, &b->size, UINT64_MAX - now);
	else
		heap_remove(&r->sizes, &b->size);
}

void query_weigh(struct query *q)
{
	weigh(q->resolver, q->budget);
}

/* Take Q out of every list. Its waiters are gone already. */
static void unlink_query(struct query *q)
{
	struct resolver *r = q->resolver;
	struct query **at = table_slot(r, q->qname, q->qtype);
	REQUIRE(*at == q);
	asking_end(q);
	*at = q->hash_next;
	if (q->older)
		q->older->newer = q->newer;
	else
		r->oldest = q->newer;
	if (q->newer)
		q->newer->older = q->older;
	else
		r->newest = q->older;
	recall_forget(q);
	heap_remove(&r->query_timers, &q->timer);
	heap_remove(&r->turns, &q->turn);
	line_leave(q);
	shares_leave(&r->shares, &q->share);
	r->query_count--;
	LIST_REMOVE(q, in_budget);
	q->budget->held_bytes -= question_size; /* what is over waits only for the step's end */
	query_weigh(q);
}

static void budget_release(struct resolver *r, struct budget *b)
{
	b->references--;
	weigh(r, b);
	if (b->references > 0)
		return;
	REQUIRE(LIST_EMPTY(&b->open));
	heap_remove(&r->sizes, &b->size);
	trace_deinit(&b->trace);
	free(b);
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
	arena_deinit(&q->arena);
	budget_release(q->resolver, q->budget);
	free(q);
}

void query_free_finished(struct resolver *r)
{
	while (r->finished) {
		struct query *q = r->finished;
		r->finished = q->ready_next;
		free_query(q);
	}
}

void query_discard(struct query *q)
{
	unlink_query(q);
	free_query(q);
}

/*
 * Q has to give way to others: nothing that its name or its servers have done. It is told so, and not
 * remembered as a failure. Its memory is free at once, but for what frees it when the step ends.
 */
static void give_way(struct query *q, const char *why)
{
	struct resolver *r = q->resolver;
	q->shortage = true;
	query_trouble(q, EDE_OTHER, "overloaded: %s", why);
	query_note(q, (struct trace_step){.kind = TRACE_LIMIT, .text = text_span(q->trouble.text)});
	metrics_add(r->metrics, METRIC_questions_shed_total, 1);
	r->shed_count++;
	query_fail(q);
}

/* For whom nobody in particular asks, as for refreshes. */
static const struct shares_holder nobody = {.weight = SHARES_TRUSTED_WEIGHT};

void query_take_over(struct query *q, const struct shares_holder *holder)
{
	struct shares *s = &q->resolver->shares;
	const struct shares_holder *present = shares_holder(&q->share);
	if (present->prefix.family != 0 && !shares_is_lighter(s, holder, present))
		return;
	shares_leave(s, &q->share);
	shares_join(s, &q->share, holder);
}

/* The oldest of the client that has most of them for its weight, if it has far more than the client of
 * the oldest of all; but not BUT, on which somebody stands. */
static struct query *find_greediest(struct resolver *r, const struct query *but)
{
	struct shares_member *m = shares_victim(&r->shares, NULL);
	struct query *oldest = r->oldest == but ? r->oldest->newer : r->oldest;
	if (m && but && m == &but->share)
		m = TAILQ_NEXT(m, in_account);
	if (!m || !shares_outweighs(m, &oldest->share))
		return oldest;
	metrics_add(r->metrics, METRIC_shares_questions_total, 1);
	return CONTAINER_OF(m, struct query, share);
}

/* The oldest question of B that goes on. */
static struct query *opener_of(const struct budget *b)
{
	struct query *q, *oldest = NULL;
	LIST_FOREACH(q, &b->open, in_budget)
	oldest = q;
	return oldest;
}

/*
 * Who gives way: the client query that holds most, if that is more than an honest one needs; else size
 * says nothing of who is to blame, and it is the oldest of the client that has most of them, as where
 * there are too many questions. A client query goes from its opener on, who is told, and then, while it is still
 * the largest, with those that it has left behind.
 */
static struct query *choose_victim(struct resolver *r)
{
	const struct heap_node *node = heap_min(&r->sizes);
	struct query *q = NULL;
	if (node && UINT64_MAX - node->key > LIMIT_FAIR_BYTES)
		q = opener_of(CONTAINER_OF(node, struct budget, size));
	return q ? q : find_greediest(r, NULL);
}

void query_shed(struct resolver *r)
{
	while (UNLIKELY(r->question_bytes > r->question_bytes_limit) && r->oldest) {
		struct query *q = choose_victim(r);
		give_way(q, "the questions in progress take all memory that there is for them");
		/* Nobody stands on it, and who waited has copies. */
		arena_deinit(&q->arena);
		query_weigh(q);
	}
}

static struct budget *budget_new(const struct resolver *r)
{
	struct budget *b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->denial.hashes_left = LIMIT_NSEC3_HASHES;
	if (r->report)
		trace_begin(&b->trace, r->now.mono_us);
	return b;
}

/* Q takes its number in the trace. */
static void begin_trace(struct query *q, const struct query *parent)
{
	struct trace *t = &q->budget->trace;
	q->started_us = q->resolver->now.mono_us;
	q->number = t->questions++;
	query_note(q, (struct trace_step){.kind = TRACE_QUESTION,
					  .number = parent ? parent->number : q->number,
					  .type = q->qtype,
					  .name = q->qname});
}
static_assert(LIMIT_SUBQUERIES < UINT8_MAX && LIMIT_SENDS < UINT8_MAX, "numbers fit a byte");

struct query *query_open(struct resolver *r, const uint8_t *name, uint16_t type,
			 struct query *parent)
{
	const struct shares_holder holder = parent ? *shares_holder(&parent->share) : nobody;
	if (r->query_count >= LIMIT_QUERIES)
		give_way(find_greediest(r, parent), "too many questions in progress");
	struct query *q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	q->budget = parent ? parent->budget : budget_new(r);
	if (!q->budget) {
		free(q);
		return NULL;
	}
	q->budget->references++;
	q->budget->held_bytes += question_size;
	LIST_INSERT_HEAD(&q->budget->open, q, in_budget);
	q->resolver = r;
	q->settings = r->settings;
	arena_init_counted(&q->arena, LIMIT_ARENA_BYTES, &q->budget->held_bytes);
	q->since = cache_since(r->cache);
	q->give_up_ms = now_mono_ms(r->now) + LIMIT_QUERY_MS;
	dname_copy(name, q->qname);
	q->qtype = type;
	q->name = q->qname;
	q->priming = type == TYPE_NS && name[0] == 0;
	q->trouble.ede = EDE_NONE;
	q->answer = answer_of_nothing(q->qname, type);
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
	shares_join(&r->shares, &q->share, &holder);
	begin_trace(q, parent);
	query_wake(q);
	return q;
}

struct query *query_open_refresh(struct resolver *r, const uint8_t *name, uint16_t type)
{
	if (query_find(r, name, type))
		return NULL;
	struct query *q = query_open(r, name, type, NULL);
	if (q)
		q->refresh = q->anew = q->budget->refresh = true;
	return q;
}

void query_confirm(struct query *q, const struct endpoint *denier)
{
	q->confirming = true;
	q->denier = *denier;
}

void query_watch(struct resolver *r, const struct event *ev)
{
	uint8_t lower[DNAME_MAX];
	dname_lower(ev->name, lower);
	struct query *q = query_find(r, lower, ev->type);
	if (!q && ev->refresh) {
		q = query_open_refresh(r, lower, ev->type);
		if (!q)
			return;
	} else if (!q) {
		q = query_open(r, lower, ev->type, NULL);
		if (!q)
			return;
		q->anew = !ev->cached;
		q->from_root = ev->from_root;
	}
	family_probe_shared(q);
	q->watched = true;
}

static void PRINTF_LIKE(3, 0)
	set_trouble(struct query *q, uint16_t ede, const char *format, va_list args)
{
	vsnprintf(q->trouble.text, sizeof(q->trouble.text), format, args);
	q->trouble.ede = ede;
}

void query_trouble(struct query *q, uint16_t ede, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_trouble(q, ede, format, args);
	va_end(args);
}

void query_limit(struct query *q, uint16_t ede, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_trouble(q, ede, format, args);
	va_end(args);
	query_count_limit(q, q->trouble.text);
}

void query_count_limit(struct query *q, const char *what)
{
	metrics_add(q->resolver->metrics, METRIC_limits_hit_total, 1);
	query_note(q, (struct trace_step){.kind = TRACE_LIMIT, .text = text_span(what)});
}

void query_note(struct query *q, struct trace_step step)
{
	step.question = q->number;
	trace_add(&q->budget->trace, q->resolver->now.mono_us, &step);
}

void query_remark(struct query *q)
{
	struct span text =
		arena_copy(&q->arena, span_of(q->trouble.text, strlen(q->trouble.text) + 1));
	q->answer.ede = q->trouble.ede;
	q->answer.text = (const char *)text.at;
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

/* --- waiting for each other ----------------------------------------------------------------- */

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
	if (q->depth >= LIMIT_DEPTH)
		query_limit(q, EDE_OTHER, "limit of %u questions within each other reached",
			    LIMIT_DEPTH);
	else
		query_limit(q, EDE_OTHER, "limit of %u sub-questions reached", LIMIT_SUBQUERIES);
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

/* What the cache holds validated, be it a referral's proof, which no client is told: a question of its
 * own would find just that. */
static struct answer *cached_answer(struct query *q, struct span name, uint16_t type)
{
	struct resolver *r = q->resolver;
	const struct entry *e = answer_find(r->client_context.reader, name.at, name.len, type,
					    q->settings->dnssec, r->now);
	if (!e || !entry_is_fresh(e, r->now) || e->rank < RANK_REFERRAL)
		return NULL;
	if (e->verdict == VERDICT_UNCHECKED && q->settings->dnssec)
		return NULL;
	struct answer *a = arena_alloc(&q->arena, sizeof(*a));
	if (!a || answer_from_entry(e, name.at, type, r->now, &q->arena, a) != OK)
		return NULL;
	return a;
}

/* CHILD, which Q needs to check its reply, need not find out anew that EDNS does not come through. */
static void tell_plain_zone(const struct query *q, struct query *child)
{
	const uint8_t *zone = q->zone.name;
	if (q->state == QUERY_CHECK && q->reply->unsigned_ok && !q->reply_cached)
		child->plain_zone = arena_copy(&child->arena, span_of(zone, dname_len(zone))).at;
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
	*out = d->answer = fresh ? NULL : cached_answer(q, copy, type);
	if (*out)
		return OK;
	struct query *child = query_find(r, lower, type);
	unsigned left = ANCESTORS_MAX;
	if (child && waits_for(q, child, &left))
		return ERR_LIMIT;
	if (!child) {
		q->budget->subqueries++;
		child = query_open(r, lower, type, q);
		if (!child)
			return ERR_LIMIT;
		child->internal = true;
		child->fresh_only = fresh;
		child->depth = (uint8_t)(q->depth + 1);
		tell_plain_zone(q, child);
	} else {
		query_note(q,
			   (struct trace_step){.kind = TRACE_NEEDS, .name = copy.at, .type = type});
		servers_allow_probe(child);
	}
	if (!link_parent(q, child))
		return ERR_LIMIT;
	d->pending = true;
	return ERR_BUSY;
}

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

/* P reads in its own trace what came of Q, which may have been traced elsewhere. */
static void note_delivery(struct query *p, const struct query *q)
{
	const struct answer *a = &q->answer;
	if (p->budget != q->budget)
		query_note(p, (struct trace_step){.kind = TRACE_GOT,
						  .name = q->qname,
						  .type = a->rcode,
						  .code = (uint8_t)a->verdict,
						  .value = a->ede,
						  .text = text_span(a->text ? a->text : "")});
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
			p->shortage |= q->shortage;
			d->answer = arena_alloc(&p->arena, sizeof(*d->answer));
			if (d->answer && answer_copy(&q->answer, &p->arena, d->answer) != OK)
				d->answer = NULL;
			note_delivery(p, q);
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
		struct query *child = d->pending ? query_find(q->resolver, d->name, d->type) : NULL;
		if (child)
			forget_parent(child, q);
	}
}

/* --- ending --------------------------------------------------------------------------------- */

static void note_end(struct query *q)
{
	const struct answer *a = &q->answer;
	query_note(q, (struct trace_step){.kind = TRACE_END,
					  .type = a->rcode,
					  .code = (uint8_t)a->verdict,
					  .value = a->ede,
					  .text = text_span(a->text ? a->text : "")});
}

static struct trace_report make_report(const struct query *q)
{
	const struct resolver *r = q->resolver;
	const struct trace *t = &q->budget->trace;
	return (struct trace_report){.name = q->qname,
				     .type = q->qtype,
				     .ended_ms = r->now.cache_ms,
				     .took_us = r->now.mono_us - q->started_us,
				     .rcode = RCODE_SERVFAIL,
				     .ede = EDE_NONE,
				     .verdict = VERDICT_INDETERMINATE,
				     .client = q->client,
				     .clients = q->clients,
				     .packets = q->budget->sends,
				     .question = q->number,
				     .told = q->told,
				     .refresh = q->refresh && q->clients == 0,
				     .steps = span_of(t->bytes, t->len),
				     .lost = t->lost};
}

void query_report_late(struct query *q, uint16_t ede, const char *text)
{
	struct resolver *r = q->resolver;
	struct trace_report report = make_report(q);
	report.unfinished = true;
	report.ede = ede;
	report.text = text;
	if (r->report)
		r->report(r->report_context, &report);
}

/* Tell who keeps traces. What nobody asked for is part of the trace of who needed it. */
static void report_end(struct query *q)
{
	struct resolver *r = q->resolver;
	const struct answer *a = &q->answer;
	struct trace_report report = make_report(q);
	if (!r->report || (q->internal && q->clients == 0 && !q->watched))
		return;
	report.rcode = a->rcode;
	report.ede = a->ede;
	report.verdict = a->verdict;
	report.text = a->text;
	report.watched = q->watched;
	r->report(r->report_context, &report);
}

bool query_is_unproven(const struct query *q)
{
	return q->answer.verdict == VERDICT_BOGUS && q->answer.unproven;
}

/* The servers of a forward zone have failed, and what the tree around it says instead is that it has no such
 * name, or no such data of it. */
static bool is_denied_elsewhere(const struct query *q)
{
	const struct answer *a = &q->answer;
	return q->fallen_from && a->no_store && q->qtype != TYPE_DS &&
	       a->verdict != VERDICT_BOGUS &&
	       (a->rcode == RCODE_NXDOMAIN || a->rcode == RCODE_NOERROR);
}

/* Remember the failure (RFC 9520), twice as long as the last time; and with that of a forward zone's servers
 * what was told in their stead. */
static void store_failure(struct query *q)
{
	struct resolver *r = q->resolver;
	uint8_t room[sizeof(struct entry) + DNAME_MAX + 256] __attribute__((aligned(8)));
	bool elsewhere = is_denied_elsewhere(q);
	const uint8_t *name = elsewhere ? q->name : q->qname; /* an alias that led there is good */
	const struct entry *last = cache_find(r->client_context.reader, ENTRY_FAILURE, name,
					      dname_len(name), q->qtype);
	uint32_t ttl_s = LIMIT_FAILURE_MIN_MS / 1000;
	bool unsigned_only = query_is_unproven(q) || q->zone.signed_data;
	uint32_t max_ms = elsewhere	  ? LIMIT_BARE_DENIAL_S * 1000
			  : unsigned_only ? LIMIT_UNPROVEN_MAX_MS
					  : LIMIT_FAILURE_MAX_MS;
	bool spent = q->budget->sends >= LIMIT_SENDS || q->budget->subqueries >= LIMIT_SUBQUERIES ||
		     q->budget->signature_checks >= LIMIT_SIGNATURE_CHECKS;
	if (last && entry_is_fresh(last, r->now))
		return; /* whose end comes no later for being asked for: it may be why Q fails */
	if (q->shortage)
		return; /* ours */
	if (q->internal && spent)
		return; /* whoever spent the budget must not make others' names fail */
	if (last && !q->held_back &&
	    r->now.cache_ms < last->expires_ms + (int64_t)last->ttl_s * 1000)
		ttl_s = MIN(MAX(last->ttl_s * 2, ttl_s), max_ms / 1000);
	if (q->refresh)
		ttl_s = 0; /* repeated soon: nobody is refused, but it shows who waits in vain */
	struct entry_parts parts = {.kind = ENTRY_FAILURE,
				    .name = name,
				    .type = q->qtype,
				    .ttl_s = ttl_s,
				    .fetched_ms = r->now.cache_ms,
				    .rank = RANK_ANSWER,
				    .verdict = query_is_unproven(q) ? VERDICT_BOGUS
								    : VERDICT_INDETERMINATE,
				    .rcode = elsewhere ? q->answer.rcode : RCODE_SERVFAIL,
				    .ede = q->trouble.ede,
				    .text = q->trouble.text};
	if (entry_size(&parts) <= sizeof(room) &&
	    cache_put_since(&q->since, entry_make(&parts, room), r->now) != OK)
		log_debug("failure not cached");
}

/* Q has come to its answer: it is kept, if it may be, and outdates what was known before in any case. */
static void keep_answer(struct query *q)
{
	struct resolver *r = q->resolver;
	const struct answer *a = &q->answer;
	bool good = !a->no_store && !a->from_cache && a->rcode != RCODE_SERVFAIL;
	if (query_is_unproven(q)) {
		store_failure(q);
		good = false;
	} else if (is_denied_elsewhere(q)) {
		store_failure(q);
	}
	if (q->refresh)
		good &= prefetch_accept(r->prefetch, q);
	/* What settings of before have brought may lie on the other side of a forward zone's
	 * border, or of a trust anchor, and what was there has been forgotten when they changed. */
	bool stored = good && q->settings == r->settings &&
		      answer_store(a, &q->since, r->now, &r->turn_arena);
	if (good && q->settings == r->settings)
		cut_end_keep(q);
	if (good && a->verdict != VERDICT_BOGUS && a->rank >= RANK_FORWARDED)
		outdate_older(q, stored);
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
	keep_answer(q);
	lead_end(q);
	if (q->waiters || !(q->internal || q->refresh || q->watched))
		prefetch_answered(r->prefetch, q);
	note_end(q);
	waiters_answer(q);
	report_end(q);
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

void query_fail(struct query *q)
{
	if (q->state != QUERY_DONE)
		q->answer.answer_count = 0;
	query_fail_chain(q);
}

void query_fail_chain(struct query *q)
{
	struct answer *a = &q->answer;
	if (q->state == QUERY_DONE)
		return;
	if (cut_alias_fall_back(q)) {
		query_finish(q);
		return;
	}
	a->rcode = RCODE_SERVFAIL;
	a->authority_count = 0;
	/* A chain that is bad stays so: whoever has it checked is told the failure alone. */
	if (a->answer_count == 0 || a->verdict != VERDICT_BOGUS)
		a->verdict = VERDICT_INDETERMINATE;
	a->ttl_s = 0;
	a->ede = q->trouble.ede;
	a->text = q->trouble.text;
	store_failure(q);
	query_finish(q);
}
