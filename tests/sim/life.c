#include "sim/life.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sim/sim.h"
#include "sim/traces.h"

enum { MAP_BYTES = 4 << 20, DOWN_MAX_S = 600, STEP_MAX_S = 36000, LOAD_LATE_US = 500000 };
enum { RECALL_SOON_US = 30000, RECALL_LATE_US = 4000000, RECALL_LOST_PERCENT = 5 };

static const uint64_t second_us = 1000000;

/* ---- beginning ------------------------------------------------------------------------------- */

static void make_dir(struct life *l)
{
	if (l->dir[0])
		return;
	snprintf(l->dir, sizeof(l->dir), "/tmp/resolverd-sim.XXXXXX");
	REQUIRE(mkdtemp(l->dir));
}

/* On the loading thread, while the run waits for it. */
static void keep(void *context, const struct entry *e)
{
	struct sim *s = context;
	const struct worker *w = &s->life.workers[e->name_len % s->life.worker_count];
	const struct entry *there = cache_find(w->reader, (enum entry_kind)e->kind, entry_name(e),
					       e->name_len, e->type);
	if (there)
		resolver_keep(w->resolver, sim_now(s), there);
}

static void wake(void *context)
{
	(void)context;
}

/* The disk of the run has its moods: what is not told at once comes later, much later, or never. */
static enum recall recall(void *context, const uint8_t *name, uint64_t token, struct now now)
{
	struct worker *w = context;
	struct sim *s = w->sim;
	unsigned mood = s->life.disk_mood;
	char text[DNAME_TEXT_MAX];
	if (!prng_percent(&s->dice, mood))
		return warm_fetch(w->warm, name, now) ? RECALL_FOUND : RECALL_NOTHING;
	if (token == 0)
		return RECALL_LATER;
	uint64_t after_us =
		prng_below(&s->dice, prng_percent(&s->dice, 70) ? RECALL_SOON_US : RECALL_LATE_US);
	sim_tell(s, "  the disk is asked for %s: %llu us", dname_text(name, text),
		 (unsigned long long)after_us);
	if (prng_percent(&s->dice, RECALL_LOST_PERCENT))
		return RECALL_LATER; /* and never comes */
	struct sim_event ev = {.kind = HAPPEN_RECALL, .token = token, .len = dname_len(name)};
	ev.peer.port = (uint16_t)w->number;
	ev.life = s->life.number;
	ev.bytes = malloc(ev.len);
	REQUIRE(ev.bytes);
	memcpy(ev.bytes, name, ev.len);
	sim_schedule(s, s->now_us + after_us, &ev);
	return RECALL_LATER;
}

void life_recalled(struct sim *s, const struct sim_event *e)
{
	struct event ev = {.kind = EV_RECALLED, .token = e->token};
	const uint8_t *name = e->bytes;
	if (s->life.is_down || e->life != s->life.number)
		return;
	for (unsigned left = dname_label_count(name); left > 0; left--) {
		ev.found |= warm_fetch(s->life.workers[e->peer.port].warm, name, sim_now(s));
		name = dname_skip(name, 1);
	}
	sim_tell(s, "  the disk has told %s", ev.found ? "something" : "nothing");
	sim_step(s, e->peer.port, &ev);
}

static void begin_worker(struct sim *s, unsigned index)
{
	struct life *l = &s->life;
	struct worker *w = &l->workers[index];
	REQUIRE(cache_reader_new(l->cache, &w->reader) == OK);
	if (l->warm)
		REQUIRE(warm_reader_new(l->warm, wake, NULL, &w->warm) == OK);
	w->sim = s;
	w->number = index;
	struct resolver_parts parts = {.settings = &s->settings,
				       .cache = l->cache,
				       .reader = w->reader,
				       .infra = l->infra,
				       .ranges = l->ranges,
				       .metrics = &s->metrics,
				       .throttle = &l->throttle,
				       .prefetch = l->prefetch,
				       .asking = l->worker_count > 1 ? l->asking : NULL,
				       .cookie_secret = &s->cookie_secret,
				       .question_bytes = s->question_bytes,
				       .udp_sockets = s->net.room_is_told ? s->net.udp_room : 0,
				       .recall = w->warm ? recall : NULL,
				       .recall_context = w,
				       .report = traces_check,
				       .report_context = s};
	rng_init_seeded(&parts.rng,
			s->seed + index * UINT64_C(1000003) + l->number * UINT64_C(7919000033));
	REQUIRE(resolver_new(&parts, &w->resolver) == OK);
}

void life_load(struct sim *s, uint64_t number)
{
	struct life *l = &s->life;
	if (!l->warm || l->is_down || number != l->number)
		return;
	warm_load(l->warm, sim_now(s), keep, s);
	warm_load_wait(l->warm);
}

void life_begin(struct sim *s)
{
	struct life *l = &s->life;
	l->is_down = false;
	l->number++;
	l->worker_count = MAX(l->worker_count, 1u);
	l->cache_shift_ms = l->wall_shift_s * 1000;
	if (l->persists) {
		make_dir(l);
		REQUIRE(warm_open(l->dir, MAP_BYTES, &l->warm) == OK);
	}
	struct cache_settings cache = {.memory_bytes = s->memory_bytes,
				       .sink = l->warm ? warm_sink(l->warm) : NULL};
	REQUIRE(cache_new(&cache, &l->cache) == OK);
	REQUIRE(infra_new(&l->infra) == OK);
	if (s->settings.aggressive_nsec)
		REQUIRE(ranges_new((size_t)1 << 20, &l->ranges) == OK);
	REQUIRE(prefetch_shared_new(&l->prefetch) == OK);
	memset(l->prefetch->claims.key.bytes, (int)s->seed, sizeof(l->prefetch->claims.key.bytes));
	REQUIRE(asking_new(&l->asking) == OK);
	memset(l->asking->claims.key.bytes, (int)s->seed, sizeof(l->asking->claims.key.bytes));
	l->throttle = (struct throttle){0};
	if (l->warm) {
		disk_await_opened(warm_disk(l->warm));
		warm_begin(l->warm, l->cache, l->infra, sim_now(s));
		warm_take(l->warm, sim_now(s));
	}
	for (unsigned i = 0; i < l->worker_count; i++)
		begin_worker(s, i);
	for (unsigned i = 0; i < l->worker_count; i++) {
		struct event network = {
			.kind = EV_NETWORK, .has_ipv4 = s->has_ipv4, .has_ipv6 = s->has_ipv6};
		sim_step(s, i, &network);
	}
	struct sim_event load = {.kind = HAPPEN_LOAD, .token = l->number};
	if (l->loads_late)
		sim_schedule(s, s->now_us + LOAD_LATE_US, &load);
	else
		life_load(s, l->number);
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void note_most(struct resolver_stats *most, const struct resolver_stats *here)
{
	most->max_sends_per_client = MAX(most->max_sends_per_client, here->max_sends_per_client);
	most->max_signature_checks_per_client =
		MAX(most->max_signature_checks_per_client, here->max_signature_checks_per_client);
	most->max_nsec3_hashes_per_client =
		MAX(most->max_nsec3_hashes_per_client, here->max_nsec3_hashes_per_client);
	most->max_step_work_us = MAX(most->max_step_work_us, here->max_step_work_us);
	most->max_question_bytes = MAX(most->max_question_bytes, here->max_question_bytes);
	most->question_bytes_limit = MAX(most->question_bytes_limit, here->question_bytes_limit);
}

void life_read_stats(const struct sim *s, struct resolver_stats *out)
{
	const struct life *l = &s->life;
	*out = l->most;
	for (unsigned i = 0; i < l->worker_count && !l->is_down; i++) {
		struct resolver_stats one;
		resolver_read_stats(l->workers[i].resolver, &one);
		note_most(out, &one);
		out->open_queries += one.open_queries;
		out->total_work_us += one.total_work_us;
		out->open_sends += one.open_sends;
		out->waiting_clients += one.waiting_clients;
		out->kept_names += one.kept_names;
	}
}

/* Nobody waits for a reply any more: sockets are closed. And who waits for an answer gets none. */
static void leave(struct sim *s)
{
	for (size_t i = 0; i < s->events.count;) {
		struct sim_event *e = (struct sim_event *)s->events.nodes[i];
		if (e->kind != HAPPEN_REPLY && e->kind != HAPPEN_LOST) {
			i++;
			continue;
		}
		heap_remove(&s->events, &e->node);
		free(e->bytes);
		free(e);
		i = 0; /* the heap has been put in order */
	}
	s->net.flight_count = 0;
	for (unsigned i = 0; i < s->stubs.count; i++)
		if (s->stubs.list[i]->state == STUB_WAITING)
			s->stubs.list[i]->state = STUB_GONE;
}

void life_end(struct sim *s)
{
	struct life *l = &s->life;
	struct resolver_stats most;
	life_read_stats(s, &most);
	memset(&l->most, 0, sizeof(l->most));
	note_most(&l->most, &most);
	leave(s);
	for (unsigned i = 0; i < l->worker_count; i++) {
		struct worker *w = &l->workers[i];
		resolver_free(w->resolver);
		warm_reader_free(w->warm);
		cache_reader_free(w->reader);
		*w = (struct worker){0};
	}
	prefetch_shared_free(l->prefetch);
	asking_free(l->asking);
	ranges_free(l->ranges);
	warm_close(l->warm, sim_now(s));
	infra_free(l->infra);
	cache_free(l->cache);
	l->ranges = NULL;
	l->warm = NULL;
	l->is_down = true;
}

void life_forget(struct sim *s)
{
	static const char *const files[] = {"data.mdb", "lock"};
	struct life *l = &s->life;
	char path[LIFE_DIR_MAX + 16];
	if (!l->is_down)
		life_end(s);
	for (size_t i = 0; i < ARRAY_LEN(files) && l->dir[0]; i++) {
		snprintf(path, sizeof(path), "%s/%s", l->dir, files[i]);
		(void)!unlink(path);
	}
	if (l->dir[0] && rmdir(l->dir) != 0)
		sim_fail(s, "nothing else is left on disk", "%s", l->dir);
}

/* ---- living ---------------------------------------------------------------------------------- */

void life_pass(struct sim *s)
{
	for (unsigned i = 0; i < s->life.worker_count && !s->life.is_down; i++)
		cache_reader_pass(s->life.workers[i].reader);
}

unsigned life_deadline(const struct sim *s, uint64_t *at_ms)
{
	unsigned first = 0;
	*at_ms = UINT64_MAX;
	for (unsigned i = 0; i < s->life.worker_count && !s->life.is_down; i++) {
		uint64_t one_ms = resolver_deadline_ms(s->life.workers[i].resolver);
		if (one_ms < *at_ms) {
			*at_ms = one_ms;
			first = i;
		}
	}
	return first;
}

/* ---- plans ----------------------------------------------------------------------------------- */

static void plan_clock(struct sim *s, uint64_t at_us)
{
	int64_t step_s = (int64_t)prng_below(&s->dice, STEP_MAX_S) - STEP_MAX_S / 2;
	struct sim_event set = {.kind = HAPPEN_CLOCK, .token = (uint64_t)step_s};
	sim_schedule(s, at_us, &set);
	if (step_s < 0)
		s->life.slack_us += (uint64_t)-step_s * second_us;
}

void life_plan_restart(struct sim *s, uint64_t at_us, uint64_t down_us)
{
	struct sim_event down = {.kind = HAPPEN_DOWN}, up = {.kind = HAPPEN_UP};
	s->life.persists = true;
	sim_schedule(s, at_us, &down);
	sim_schedule(s, at_us + down_us, &up);
}

/* Not long after something else. */
static uint64_t some_time_us(struct sim *s)
{
	const struct heap *events = &s->events;
	REQUIRE(events->count > 0);
	return events->nodes[prng_below(&s->dice, (unsigned)events->count)]->key +
	       prng_below(&s->dice, 3000000);
}

void life_plan_restarts(struct sim *s, unsigned count)
{
	uint64_t after_us = 0;
	if (prng_percent(&s->dice, 60))
		s->life.disk_mood = prng_percent(&s->dice, 30) ? 100 : prng_below(&s->dice, 100);
	for (unsigned i = 0; i < count; i++) {
		uint64_t chosen_us = some_time_us(s), at_us = MAX(chosen_us, after_us);
		uint64_t down_us = prng_percent(&s->dice, 70)
					   ? prng_below(&s->dice, 2000000)
					   : prng_below(&s->dice, DOWN_MAX_S) * second_us;
		if (prng_percent(&s->dice, 40))
			plan_clock(s, at_us - prng_below(&s->dice, 1000));
		life_plan_restart(s, at_us, down_us + 1);
		if (prng_percent(&s->dice, 30))
			plan_clock(s, at_us + down_us + second_us);
		after_us = at_us + down_us + 2;
	}
}

void life_plan_clock(struct sim *s)
{
	plan_clock(s, some_time_us(s));
}
