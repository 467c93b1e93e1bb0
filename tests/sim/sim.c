#include "sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "resolve/limits.h"
#include "sim/chance.h"

enum {
	QUIET_US = 40000000, /* after the last question: LIMIT_QUERY_MS and the slowest replies */
	SPINS_MAX = 2000,    /* deadlines without the clock moving */
	SENDS_MAX = 100,     /* packets for one client query, all told: the promise to the world */
};

/* Where the clocks stand when a run begins: not at zero, where "unset" and "long ago" look alike. */
static const uint64_t mono_start_us = 5000000000u;
static const int64_t cache_start_ms = 1790000000000;

struct now sim_now(const struct sim *s)
{
	const struct life *l = &s->life;
	int64_t wall_s = cache_start_ms / 1000 + (int64_t)(s->now_us / 1000000);
	return (struct now){.mono_us = mono_start_us + s->now_us,
			    .cache_ms = cache_start_ms + (int64_t)(s->now_us / 1000) +
					l->cache_shift_ms,
			    .unix_s = wall_s + l->wall_shift_s};
}

void sim_fail(struct sim *s, const char *what, const char *format, ...)
{
	char detail[480];
	va_list args;
	if (s->failed)
		return;
	s->failed = true;
	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	snprintf(s->failure, sizeof(s->failure), "%s: %s (at %llu.%06llu s)", what, detail,
		 (unsigned long long)(s->now_us / 1000000),
		 (unsigned long long)(s->now_us % 1000000));
}

void sim_tell(struct sim *s, const char *format, ...)
{
	va_list args;
	if (!s->verbose)
		return;
	printf("%6llu.%06llu ", (unsigned long long)(s->now_us / 1000000),
	       (unsigned long long)(s->now_us % 1000000));
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void sim_schedule(struct sim *s, uint64_t at_us, const struct sim_event *event)
{
	struct sim_event *e = malloc(sizeof(*e));
	REQUIRE(e);
	*e = *event;
	e->node = (struct heap_node){0};
	REQUIRE(heap_set(&s->events, &e->node, at_us) == OK);
}

/* ---- events in, actions out ------------------------------------------------------------------ */

/* Tokens of sends are a worker's own: on the network its number stands before them. */
static uint64_t token_out(unsigned worker, uint64_t token)
{
	return token | (uint64_t)worker << SIM_WORKER_SHIFT;
}

static void perform(struct sim *s, unsigned worker, const struct actions *out)
{
	for (size_t i = 0; i < out->count; i++) {
		struct action a = out->list[i];
		switch (a.kind) {
		case ACT_SEND:
			a.token = token_out(worker, a.token);
			net_send(s, &a);
			break;
		case ACT_CANCEL:
			net_cancel(s, token_out(worker, a.token));
			break;
		case ACT_ANSWER:
			stub_receive(s, a.token, a.packet);
			break;
		case ACT_DROP:
			stub_dropped(s, a.token);
			break;
		}
	}
}

/* By so much the question that runs may pass the limit before another gives way. */
enum { TURN_BYTES = LIMIT_ARENA_BYTES / 4 };

/* EV, which is about a send, goes to the worker that sent it. */
static void step_of_send(struct sim *s, struct event *ev)
{
	unsigned worker = (unsigned)(ev->token >> SIM_WORKER_SHIFT);
	ev->token &= (UINT64_C(1) << SIM_WORKER_SHIFT) - 1;
	sim_step(s, worker, ev);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;
	REQUIRE(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void note_cost(struct cost *c, uint64_t took_ns)
{
	c->total_ns += took_ns;
	c->longest_ns = MAX(c->longest_ns, took_ns);
	c->steps++;
}

void sim_step(struct sim *s, unsigned worker, const struct event *event)
{
	struct actions out = {0};
	struct resolver_stats stats;
	if (s->failed)
		return;
	uint64_t before_ns = s->cost.is_measured ? cpu_ns() : 0;
	resolver_step(s->life.workers[worker].resolver, sim_now(s), event, &out);
	if (s->cost.is_measured)
		note_cost(&s->cost, cpu_ns() - before_ns);
	perform(s, worker, &out);
	if (hot_is_watched(s))
		stepped_hot(s);
	life_read_stats(s, &stats);
	if (stats.max_sends_per_client > LIMIT_SENDS || stats.max_sends_per_client > SENDS_MAX)
		sim_fail(s, "a client's budget of packets", "%u sent", stats.max_sends_per_client);
	if (stats.max_signature_checks_per_client > LIMIT_SIGNATURE_CHECKS ||
	    stats.max_nsec3_hashes_per_client > LIMIT_NSEC3_HASHES)
		sim_fail(s, "a client's budget of validation", "%u signature checks, %u hashes",
			 stats.max_signature_checks_per_client, stats.max_nsec3_hashes_per_client);
	if (stats.max_question_bytes > stats.question_bytes_limit + TURN_BYTES)
		sim_fail(s, "questions keep to their memory in total", "%zu of %zu bytes",
			 stats.max_question_bytes, stats.question_bytes_limit);
	if (stats.max_step_work_us > 2 * LIMIT_TURN_WORK_US)
		sim_fail(s, "validation lets others go between", "%llu us in one step",
			 (unsigned long long)stats.max_step_work_us);
}

static void reply_arrives(struct sim *s, const struct sim_event *e)
{
	bool open = net_is_open(s, e->token);
	if (!open && !s->net.late_replies)
		return;
	sim_tell(s, "  reply to %llu%s, %zu bytes", (unsigned long long)e->token,
		 open ? "" : " (too late)", e->len);
	struct event ev = {.kind = EV_REPLY,
			   .token = e->token,
			   .peer = &e->peer,
			   .transport = e->transport,
			   .packet = span_of(e->bytes, e->len)};
	step_of_send(s, &ev);
}

static void send_is_lost(struct sim *s, const struct sim_event *e)
{
	if (!net_is_open(s, e->token))
		return;
	sim_tell(s, "  send %llu is lost%s", (unsigned long long)e->token,
		 e->loss == LOSS_HINT ? ", it is said" : "");
	if (e->loss != LOSS_HINT)
		net_close(s, e->token);
	struct event ev = {.kind = EV_LOST,
			   .token = e->token,
			   .peer = &e->peer,
			   .transport = e->transport,
			   .loss = e->loss};
	step_of_send(s, &ev);
}

/* The parent takes back the delegation of a zone: its node goes, the zone's servers stay. */
static void zone_is_revoked(struct sim *s, struct zone *z)
{
	char name[DNAME_TEXT_MAX];
	struct zone *parent = z->parent;
	const struct node *cut = zone_node(parent, z->apex);
	REQUIRE(cut);
	uint32_t ttl_s = node_set(cut, TYPE_NS)->ttl_s;
	z->revoked = true;
	z->limbo_until_us += s->now_us + s->life.slack_us + (uint64_t)ttl_s * 1000000;
	for (size_t i = 0; i < parent->node_count; i++)
		if (dname_is_within(parent->nodes[i].owner, z->apex))
			parent->nodes[i].hidden = true;
	sim_tell(s, "zone %s is revoked", dname_text(z->apex, name));
}

static void records_change(struct sim *s, struct change *c)
{
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE];
	world_swap(c);
	/* What was on its way while they changed may be stored yet, and the slowest replies take 6
	 * s. */
	c->limbo_until_us =
		s->now_us + s->life.slack_us + (uint64_t)c->set->ttl_s * 1000000 + SIM_LATE_US;
	sim_tell(s, "%s %s changes", dname_text(c->set->owner, name),
		 type_text(c->set->type, type));
}

static void happen(struct sim *s, const struct sim_event *e)
{
	switch (e->kind) {
	case HAPPEN_REPLY:
		reply_arrives(s, e);
		break;
	case HAPPEN_LOST:
		send_is_lost(s, e);
		break;
	case HAPPEN_ASK:
		stub_ask(s, s->stubs.list[e->token - 1]);
		break;
	case HAPPEN_GONE:
		stub_leave(s, s->stubs.list[e->token - 1]);
		break;
	case HAPPEN_REVOKE:
		zone_is_revoked(s, s->world.zones[e->token]);
		break;
	case HAPPEN_OUTAGE:
		hot_turn(s, s->world.hosts[e->token]);
		break;
	case HAPPEN_ROLL:
		rollover_step(s, (unsigned)e->token);
		break;
	case HAPPEN_CHANGE:
		records_change(s, &s->world.changes[e->token]);
		break;
	case HAPPEN_DOWN:
		sim_tell(s, "the resolver ends");
		life_end(s);
		break;
	case HAPPEN_UP:
		sim_tell(s, "the resolver begins");
		life_begin(s);
		stub_restarted(s);
		break;
	case HAPPEN_LOAD:
		life_load(s, e->token);
		break;
	case HAPPEN_CLOCK:
		s->life.wall_shift_s += (int64_t)e->token;
		sim_tell(s, "the wall clock is set by %lld s", (long long)e->token);
		stub_clock_set(s);
		break;
	case HAPPEN_RECALL:
		life_recalled(s, e);
		break;
	}
	life_pass(s);
}

/* ---- the clock ------------------------------------------------------------------------------- */

static uint64_t deadline_us(const struct sim *s, unsigned *worker)
{
	uint64_t at_ms;
	*worker = life_deadline(s, &at_ms);
	if (at_ms == UINT64_MAX)
		return UINT64_MAX;
	uint64_t at_us = at_ms * 1000;
	return at_us > mono_start_us + s->now_us ? at_us - mono_start_us : s->now_us;
}

/* Let time jump to whatever comes next; false when nothing does before END_US. */
static bool advance(struct sim *s, uint64_t end_us, unsigned *spins)
{
	struct heap_node *first = heap_min(&s->events);
	unsigned worker;
	uint64_t event_us = first ? first->key : UINT64_MAX, timer_us = deadline_us(s, &worker);
	uint64_t next_us = MIN(event_us, timer_us);
	if (next_us > end_us)
		return false;
	*spins = next_us > s->now_us ? 0 : *spins + 1;
	if (*spins > SPINS_MAX && timer_us <= s->now_us) {
		sim_fail(s, "deadlines pass", "%u wake-ups without progress", *spins);
		return false;
	}
	s->now_us = next_us;
	if (event_us <= timer_us) {
		struct sim_event *e = (struct sim_event *)first;
		heap_remove(&s->events, first);
		happen(s, e);
		free(e->bytes);
		free(e);
	} else {
		struct event ev = {.kind = EV_DEADLINE};
		sim_step(s, worker, &ev);
		life_pass(s);
	}
	return true;
}

static uint64_t last_question_us(const struct sim *s)
{
	uint64_t last_us = 0;
	for (size_t i = 0; i < s->events.count; i++) {
		const struct sim_event *e = (const struct sim_event *)s->events.nodes[i];
		if (e->kind == HAPPEN_ASK || e->kind == HAPPEN_REVOKE || e->kind == HAPPEN_UP)
			last_us = MAX(last_us, e->node.key);
	}
	return last_us;
}

/* ---- a run ----------------------------------------------------------------------------------- */

static void start(struct sim *s)
{
	REQUIRE(settings_finish(&s->settings, &s->world.arena) == OK);
	memset(s->cookie_secret.bytes, (int)s->seed, sizeof(s->cookie_secret.bytes));
	life_begin(s);
}

static void stop(struct sim *s)
{
	struct heap_node *first;
	life_forget(s);
	while ((first = heap_min(&s->events)) != NULL) {
		struct sim_event *e = (struct sim_event *)first;
		heap_remove(&s->events, first);
		free(e->bytes);
		free(e);
	}
	heap_deinit(&s->events);
	world_deinit(&s->world);
}

static void check_quiet(struct sim *s)
{
	struct resolver_stats stats;
	stub_check_end(s);
	life_read_stats(s, &stats);
	if (stats.open_queries || stats.open_sends || stats.waiting_clients)
		sim_fail(s, "nothing is left when all is quiet",
			 "%zu queries, %zu sends, %zu clients", stats.open_queries,
			 stats.open_sends, stats.waiting_clients);
	if (s->net.flight_count)
		sim_fail(s, "every send is cancelled or lost in the end",
			 "%u are open, first token %llu", s->net.flight_count,
			 (unsigned long long)s->net.flights[0].token);
	if (s->profile->finish && !s->failed)
		s->profile->finish(s);
}

static void add_totals(const struct sim *s, struct sim_totals *t)
{
	t->asked += s->stubs.asked;
	t->hits += s->stubs.hits;
	t->sends += s->net.sent;
	t->failed += s->failed;
	t->cost.total_ns += s->cost.total_ns;
	t->cost.longest_ns = MAX(t->cost.longest_ns, s->cost.longest_ns);
	t->cost.steps += s->cost.steps;
	struct resolver_stats stats;
	life_read_stats(s, &stats);
	t->most_checks = MAX(t->most_checks, stats.max_signature_checks_per_client);
	t->most_hashes = MAX(t->most_hashes, stats.max_nsec3_hashes_per_client);
	t->signature_checks += metrics_get(&s->metrics, METRIC_dnssec_signature_checks_total);
	for (unsigned i = 0; i < s->stubs.count; i++) {
		const struct stub *c = s->stubs.list[i];
		if (c->state != STUB_ANSWERED || c->odd != ODD_NOT || !c->recursion_desired)
			continue;
		t->answered++;
		t->answered_by_mood[s->world.mood]++;
		t->servfails += c->rcode == RCODE_SERVFAIL;
		t->servfails_by_mood[s->world.mood] += c->rcode == RCODE_SERVFAIL;
		t->answered_by_liar[s->liar.mode]++;
		t->servfails_by_liar[s->liar.mode] += c->rcode == RCODE_SERVFAIL;
	}
}

bool sim_run(struct sim *s, struct sim_totals *totals)
{
	unsigned spins = 0;
	s->dice.state = s->seed * 0x5851f42d4c957f2du + 1;
	chance_seed(s->seed);
	s->memory_bytes = (size_t)4 << 20;
	s->has_ipv4 = s->has_ipv6 = true;
	s->quiet_us = QUIET_US;
	heap_init(&s->events);
	world_init(&s->world);
	settings_init(&s->settings);
	static const struct access_rule inside = {.prefix = {.family = 4, .bits = 8, .addr = {10}},
						  .allow = true};
	s->settings.access = &inside;
	s->settings.access_count = 1;
	s->settings.dnssec = false;
	s->settings.aggressive_nsec = false;
	s->settings.stale_enabled = false;
	s->settings.prefetch.enabled = false; /* a refresh is never the last: hot.c */
	s->settings.local_zones = NULL;
	s->settings.local_zone_count = 0;
	s->profile->build(s);
	tell_world(s);
	start(s);
	uint64_t end_us = 0, last_us = last_question_us(s);
	while (!s->failed && last_us + s->quiet_us > end_us) {
		end_us = last_us + s->quiet_us;
		while (!s->failed && advance(s, end_us, &spins))
			;
		last_us = MAX(s->stubs.last_us, last_question_us(s)); /* some come back */
	}
	if (!s->failed)
		check_quiet(s);
	if (s->failed)
		sim_tell(s, "FAILED: %s", s->failure);
	add_totals(s, totals);
	stop(s);
	return !s->failed;
}
