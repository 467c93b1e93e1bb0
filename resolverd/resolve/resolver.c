/*
 * The resolver as a whole: events in, actions out, and the running of questions. Who asks is in
 * waiters.c, the table of questions in query.c, what they do in iterate.c and its neighbours.
 */
#include "resolve/resolver.h"

#include <stdlib.h>

#include "base/log.h"
#include "resolve/family.h"
#include "resolve/iterate.h"
#include "resolve/recall.h"
#include "resolve/upstream.h"
#include "resolve/verify.h"
#include "resolve/waiters.h"

enum {
	/* Parsed keys: about 2 kB each. */
	KEYS_MAX = 4096,
	/* What all clients of a name get at once, at 4 kB each. */
	STEP_BYTES_MAX = 16 << 20,
	/* A 64 kB reply is held a few times while it is judged. */
	TURN_BYTES_MAX = 1 << 20,
	/* Of that, so that a reply need not allocate. */
	TURN_BYTES_KEPT = 64 << 10,
	/* States run in a row: a chain of 12 hops takes under 40. */
	STEPS_PER_WAKE_MAX = 64,
	/* Late by so much: no turn of the loop takes that long by itself. */
	STALL_MS = 500,
	/* Time to read what came in meanwhile, before anything is overdue. */
	STALL_GRACE_MS = 50,
	/* Actions of a step that are nobody's who waits: one for the event that it is for. */
	ACTIONS_BESIDES = 16,
};

/* --- making and freeing ------------------------------------------------------------------- */

enum err resolver_new(const struct resolver_parts *parts, struct resolver **out)
{
	struct resolver *r = calloc(1, sizeof(*r));
	if (!r)
		return ERR_NO_MEMORY;
	r->table = calloc(QUERY_BUCKETS, sizeof(*r->table));
	r->waiter_table = calloc(WAITERS_BUCKETS, sizeof(*r->waiter_table));
	if (!r->table || !r->waiter_table || crypto_keys_new(KEYS_MAX, &r->keys) != OK ||
	    shares_init(&r->shares, LIMIT_QUERIES) != OK) {
		crypto_keys_free(r->keys);
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
	r->own_addresses = parts->own_addresses;
	r->asking = parts->asking;
	r->asking_owner = parts->asking ? claims_owner(&parts->asking->claims) : 0;
	r->rng = parts->rng;
	r->recall = parts->recall;
	r->recall_context = parts->recall_context;
	r->observe_keys = parts->observe_keys;
	r->observe_context = parts->observe_context;
	r->forwarded = parts->forwarded;
	r->forwarded_context = parts->forwarded_context;
	r->report = parts->report;
	r->report_context = parts->report_context;
	r->changed = parts->changed;
	r->changed_context = parts->changed_context;
	r->cookie_secret = *parts->cookie_secret;
	rng_bytes(&r->rng, r->table_key.bytes, sizeof(r->table_key.bytes));
	r->client_context = (struct client_context){.settings = parts->settings,
						    .reader = parts->reader,
						    .metrics = parts->metrics,
						    .cookie_secret = &r->cookie_secret,
						    .limiter = &r->limiter,
						    .keepalive_100ms = CLIENT_KEEPALIVE_100MS};
	if (prefetch_new(r, parts->prefetch, &r->prefetch) != OK ||
	    !resolver_reserve(r, ACTIONS_BESIDES)) {
		resolver_free(r);
		return ERR_NO_MEMORY;
	}
	r->client_context.prefetch = r->settings->prefetch.enabled ? r->prefetch : NULL;
	r->has_ipv4 = r->has_ipv6 = true;
	r->question_bytes_limit =
		parts->question_bytes ? parts->question_bytes : (size_t)LIMIT_QUESTION_BYTES;
	sends_init(&r->sends, parts->udp_sockets);
	line_init(r->lines);
	limiter_init(&r->limiter, &r->rng);
	heap_init(&r->query_timers);
	heap_init(&r->sizes);
	heap_init(&r->turns);
	heap_init(&r->client_timers);
	/* a step answers at most LIMIT_WAITERS clients a question */
	arena_init(&r->step_arena, STEP_BYTES_MAX);
	arena_init(&r->turn_arena, TURN_BYTES_MAX);
	*out = r;
	return OK;
}

void resolver_renew(struct resolver *r)
{
	rng_renew(&r->rng);
}

void resolver_set_cookie_secret(struct resolver *r, const struct hash_key *secret)
{
	r->cookie_secret = *secret;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	while (r->oldest) {
		waiters_abandon(r->oldest);
		query_discard(r->oldest);
	}
	query_free_finished(r);
	waiters_deinit(r);
	sends_deinit(&r->sends);
	free(r->actions);
	free(r->table);
	free(r->waiter_table);
	heap_deinit(&r->query_timers);
	heap_deinit(&r->turns);
	heap_deinit(&r->sizes);
	heap_deinit(&r->client_timers);
	shares_deinit(&r->shares);
	arena_deinit(&r->step_arena);
	arena_deinit(&r->turn_arena);
	crypto_keys_free(r->keys);
	prefetch_free(r->prefetch);
	free(r);
}

/* --- small services ----------------------------------------------------------------------- */

bool resolver_reserve(struct resolver *r, size_t more)
{
	size_t need = r->action_count + r->waiter_count + 2 * (size_t)r->sends.open + more +
		      ACTIONS_BESIDES;
	if (LIKELY(need <= r->action_capacity))
		return true;
	struct action *grown = reallocarray(r->actions, 2 * need, sizeof(*grown));
	if (!grown)
		return false;
	r->actions = grown;
	r->action_capacity = 2 * need;
	return true;
}

void resolver_act(struct resolver *r, const struct action *action)
{
	/* There is room (resolver_reserve()). If there were not, an action that is lost would leave a
	 * client without an answer or a send without an end, and one written all the same spoil memory. */
	if (UNLIKELY(r->action_count == r->action_capacity))
		REQUIRE(resolver_reserve(r, 1));
	r->actions[r->action_count++] = *action;
}

struct now resolver_shared_now(const struct resolver *r)
{
	struct now now = r->now;
	now.mono_us += r->held_us;
	return now;
}

uint32_t resolver_clamp_ttl(const struct resolver *r, uint32_t ttl_s)
{
	return MIN(MAX(ttl_s, r->settings->min_ttl_s), r->settings->max_ttl_s);
}

/* --- the step ----------------------------------------------------------------------------- */

static void on_refresh(struct resolver *r, const struct event *ev)
{
	uint8_t lower[DNAME_MAX];
	dname_lower(ev->name, lower);
	/* NULL is well: it is under way, or somebody else refreshes it. */
	(void)query_open_refresh(r, lower, ev->type);
}

static void set_timer(struct query *q)
{
	uint64_t at = MIN(upstream_next_ms(q), q->give_up_ms);
	at = MIN(at, recall_end_ms(q));
	if (q->throttled_until_ms > now_mono_ms(q->resolver->now))
		at = MIN(at, q->throttled_until_ms);
	if (q->retry_ms > now_mono_ms(q->resolver->now))
		at = MIN(at, q->retry_ms);
	if (q->state == QUERY_ASK && q->zone.configured && q->zone.configured->fallback)
		at = MIN(at, MAX(q->zone.since_ms + LIMIT_FALLBACK_MS,
				 now_mono_ms(q->resolver->now) + 1));
	if (q->state == QUERY_ASK && q->doubtful_reply && !q->zone.witness_asked)
		at = MIN(at, MAX(q->doubt_until_ms, now_mono_ms(q->resolver->now) + 1));
	if (q->state == QUERY_CHECK && q->soa_until_ms > now_mono_ms(q->resolver->now))
		at = MIN(at, q->soa_until_ms);
	if (heap_set(&q->resolver->query_timers, &q->timer, at) != OK) {
		query_trouble(q, EDE_OTHER, "out of memory");
		query_fail(q);
	}
}

static void run_query(struct query *q)
{
	unsigned steps = 0;
	while (q->state != QUERY_DONE && iterate_step(q) == STEP_AGAIN) {
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
	arena_reset(&r->turn_arena, TURN_BYTES_KEPT);
	while (r->ready_first) {
		struct query *q = r->ready_first;
		r->ready_first = q->ready_next;
		if (!r->ready_first)
			r->ready_last = NULL;
		if (q->state != QUERY_DONE)
			run_query(q);
		q->running = false;
		query_weigh(q);
		if (q->state == QUERY_DONE) {
			q->ready_next = r->finished;
			r->finished = q;
		}
		arena_reset(&r->turn_arena, TURN_BYTES_KEPT);
		query_shed(r);
	}
}

static void on_deadline(struct resolver *r)
{
	uint64_t now_ms = now_mono_ms(r->now);
	struct heap_node *node;
	waiters_deadline(r);
	for (unsigned i = 0; i < LIMIT_STEP_DUE; i++) {
		node = heap_min(&r->query_timers);
		if (!node || node->key > now_ms)
			break;
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

/* Validation that has waited goes on, as far as time allows. */
static void give_turns(struct resolver *r)
{
	struct query *q;
	while ((q = verify_next(r))) {
		query_wake(q);
		run_ready(r);
	}
}

/* NOW on the scale of the core's timers, which stand still when the machine does. */
static struct now lived(const struct resolver *r, struct now now)
{
	now.mono_us -= r->held_us;
	return now;
}

/* A timer long overdue: the machine was suspended or moved, or starved us. That is nobody's silence, so
 * time goes on from where it stopped, a little before that timer is due: what waits in the sockets
 * comes in first. */
static void notice_stall(struct resolver *r, struct now now)
{
	uint64_t due_ms = resolver_deadline_ms(r), now_ms = now_mono_ms(now);
	if (due_ms > now_ms || now_ms - due_ms < STALL_MS)
		return;
	uint64_t last_us = r->now.mono_us + r->held_us;
	uint64_t resume_us = MAX((due_ms - STALL_GRACE_MS) * 1000, last_us);
	r->held_us += (now.mono_us - resume_us) / 1000 * 1000; /* timers are in milliseconds */
	metrics_add(r->metrics, METRIC_stalls_total, 1);
	log_warning("stall ms=%llu: the machine or this process stood still",
		    (unsigned long long)(now_ms - due_ms));
}

/* What was thought of servers may have been the network's doing. */
static void on_network(struct resolver *r, const struct event *ev)
{
	bool lost4 = r->has_ipv4 && !ev->has_ipv4, lost6 = r->has_ipv6 && !ev->has_ipv6;

	if (r->has_ipv4 != ev->has_ipv4 || r->has_ipv6 != ev->has_ipv6)
		infra_network_changed(r->infra);
	r->has_ipv4 = ev->has_ipv4;
	r->has_ipv6 = ev->has_ipv6;
	if (lost4)
		upstream_family_lost(r, 4);
	if (lost6)
		upstream_family_lost(r, 6);
}

void resolver_step(struct resolver *r, struct now now, const struct event *ev, struct actions *out)
{
	arena_deinit(&r->step_arena);
	r->action_count = 0;
	notice_stall(r, now);
	now = lived(r, now);
	verify_begin_step(r, now, ev->kind == EV_DEADLINE);
	r->now = now;
	r->client_context.now_us = now.mono_us;
	switch (ev->kind) {
	case EV_QUERY:
		waiters_admit(r, ev);
		break;
	case EV_REPLY:
	case EV_LOST:
		upstream_event(r, ev);
		break;
	case EV_DEADLINE:
		break; /* done below, after every event */
	case EV_NETWORK:
		on_network(r, ev);
		break;
	case EV_GONE:
		waiters_gone(r, ev->token);
		break;
	case EV_REFRESH:
		on_refresh(r, ev);
		break;
	case EV_WATCH:
		query_watch(r, ev);
		break;
	case EV_RECALLED:
		recall_event(r, ev);
		break;
	}
	family_probe(r);
	run_ready(r);
	on_deadline(r);
	if (ev->kind == EV_DEADLINE)
		give_turns(r);
	query_shed(r);
	query_free_finished(r);
	*out = (struct actions){.list = r->actions, .count = r->action_count};
}

uint64_t resolver_deadline_ms(const struct resolver *r)
{
	const struct heap_node *q = heap_min(&r->query_timers), *c = heap_min(&r->client_timers);
	uint64_t at = prefetch_next_ms(r->prefetch);
	if (heap_min(&r->turns))
		at = now_mono_ms(r->now); /* at once, when other events have been looked at */
	if (q)
		at = MIN(at, q->key);
	if (c)
		at = MIN(at, c->key);
	return at == UINT64_MAX ? at : at + r->held_us / 1000;
}

ptrdiff_t resolver_answer_now(struct resolver *r, struct now now, const struct event *query,
			      uint8_t *out, size_t size_bytes)
{
	struct client client;
	return client_answer_now(&r->client_context, lived(r, now), query, &client, out,
				 size_bytes);
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
		prefetch_keep(r->prefetch, e, lived(r, now));
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

struct shares_holder resolver_holder_of(const struct resolver *r, const struct endpoint *client)
{
	return shares_holder_of(client, settings_trusts(r->settings, client));
}

void resolver_read_stats(const struct resolver *r, struct resolver_stats *out)
{
	struct prefetch_stats prefetch;
	prefetch_read_stats(r->prefetch, &prefetch);
	*out = (struct resolver_stats){.open_queries = r->query_count,
				       .kept_names = prefetch.kept,
				       .open_refreshes = prefetch.running,
				       .waiting_refreshes = prefetch.waiting,
				       .open_sends = r->sends.open,
				       .waiting_clients = r->waiter_count,
				       .question_bytes = r->question_bytes,
				       .max_question_bytes = r->max_question_bytes,
				       .question_bytes_limit = r->question_bytes_limit,
				       .shed_questions = r->shed_count,
				       .max_sends_per_client = r->max_sends_per_client,
				       .max_signature_checks_per_client = r->max_signature_checks,
				       .max_nsec3_hashes_per_client = r->max_nsec3_hashes,
				       .max_step_work_us = r->max_work_us,
				       .total_work_us = r->total_work_us};
}
