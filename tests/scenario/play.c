#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dns/edns.h"
#include "resolve/local.h"
#include "scenario/scene.h"

enum { SPINS_MAX = 5000 };

static const uint64_t mono_start_ms = 5000000;
static const int64_t cache_start_ms = 1790000000000;

void scene_fail(struct scene *s, const char *format, ...)
{
	va_list args;
	if (s->failed)
		return;
	s->failed = true;
	printf("FAILED %s:%u: ", s->path, s->line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

int64_t scene_unix_ms(const struct scene *s)
{
	return cache_start_ms + (int64_t)s->now_ms;
}

static struct now now_of(const struct scene *s)
{
	return (struct now){.mono_us = (mono_start_ms + s->now_ms) * 1000,
			    .cache_ms = scene_unix_ms(s),
			    .unix_s = scene_unix_ms(s) / 1000};
}

/* ---- actions --------------------------------------------------------------------------------- */

static struct scene_sent *find_sent(struct scene *s, uint64_t token)
{
	for (unsigned i = 0; i < s->sent_count; i++)
		if (s->sent[i].token == token)
			return &s->sent[i];
	return NULL;
}

static void on_send(struct scene *s, const struct action *a)
{
	struct message m;
	if (s->sent_count == SCENE_SENT_MAX || message_view(a->packet, &m) != OK ||
	    m.question_count != 1) {
		scene_fail(s, "too many packets, or one that is no question");
		return;
	}
	struct scene_sent *sent = &s->sent[s->sent_count++];
	*sent = (struct scene_sent){.token = a->token,
				    .at_ms = s->now_ms,
				    .peer = a->peer,
				    .transport = a->transport,
				    .qtype = m.qtype,
				    .with_edns = m.opt_count > 0,
				    .with_options = scene_has_options(&m),
				    .is_open = true};
	message_name(&m, m.qname_offset, sent->qname);
	dname_lower(sent->qname, sent->qname);
	scene_answer(s, a, &m);
}

static void on_answer(struct scene *s, uint64_t token, struct span packet)
{
	REQUIRE(token > 0 && token <= s->client_count);
	struct scene_client *c = &s->clients[token - 1];
	if (c->is_answered) {
		scene_fail(s, "a second answer for one question");
		return;
	}
	struct span copy = arena_copy(&s->arena, packet);
	REQUIRE(copy.at);
	c->is_answered = true;
	c->answered_ms = s->now_ms;
	c->wire = (uint8_t *)copy.at;
	c->len = copy.len;
}

static void step(struct scene *s, const struct event *ev)
{
	struct actions out;
	resolver_step(s->resolver, now_of(s), ev, &out);
	for (size_t i = 0; i < out.count; i++) {
		const struct action *a = &out.list[i];
		struct scene_sent *sent = NULL;
		switch (a->kind) {
		case ACT_SEND:
			on_send(s, a);
			break;
		case ACT_CANCEL:
			sent = find_sent(s, a->token);
			REQUIRE(sent && sent->is_open);
			sent->is_open = false;
			break;
		case ACT_ANSWER:
			on_answer(s, a->token, a->packet);
			break;
		case ACT_DROP:
			scene_fail(s, "a client is dropped");
			break;
		}
	}
	cache_reader_pass(s->reader);
}

/* ---- what is on its way ---------------------------------------------------------------------- */

static struct scene_event *come_back(struct scene *s, const struct action *a, uint64_t delay_ms)
{
	struct scene_event *e = calloc(1, sizeof(*e));
	REQUIRE(e);
	e->token = a->token;
	e->peer = a->peer;
	e->transport = a->transport;
	REQUIRE(heap_set(&s->events, &e->node, s->now_ms + delay_ms) == OK);
	return e;
}

struct scene_event *scene_deliver(struct scene *s, const struct action *a, uint64_t delay_ms,
				  struct span bytes)
{
	struct scene_event *e = come_back(s, a, delay_ms);
	e->bytes = malloc(bytes.len);
	REQUIRE(e->bytes);
	memcpy(e->bytes, bytes.at, bytes.len);
	e->len = bytes.len;
	return e;
}

void scene_lose(struct scene *s, const struct action *a, uint64_t delay_ms, enum loss loss)
{
	come_back(s, a, delay_ms)->loss = loss;
}

struct scene_server *scene_server_at(struct scene *s, const struct endpoint *e)
{
	for (unsigned i = 0; i < s->server_count; i++)
		if (endpoint_equal(&s->servers[i].address, e))
			return &s->servers[i];
	return NULL;
}

static void happen(struct scene *s, const struct scene_event *e)
{
	struct scene_sent *sent = find_sent(s, e->token);
	struct event ev = {.kind = e->bytes ? EV_REPLY : EV_LOST,
			   .token = e->token,
			   .peer = &e->peer,
			   .transport = e->transport,
			   .loss = e->loss,
			   .fragmented = e->fragmented,
			   .packet = span_of(e->bytes, e->len)};
	if (!sent->is_open)
		return;
	if (!e->bytes && e->loss != LOSS_HINT)
		sent->is_open = false;
	step(s, &ev);
}

/* To whatever comes next, but not past END_MS; false if there is nothing. */
static bool advance(struct scene *s, uint64_t end_ms)
{
	struct heap_node *first = heap_min(&s->events);
	uint64_t event_ms = first ? first->key : UINT64_MAX;
	uint64_t timer_ms = resolver_deadline_ms(s->resolver);
	if (timer_ms != UINT64_MAX)
		timer_ms = MAX(timer_ms, mono_start_ms + s->now_ms) - mono_start_ms;
	event_ms =
		MAX(event_ms, s->now_ms); /* later than it should be if the machine stood still */
	if (MIN(event_ms, timer_ms) > end_ms)
		return false;
	s->now_ms = MIN(event_ms, timer_ms);
	if (event_ms <= timer_ms) {
		struct scene_event *e = (struct scene_event *)first;
		heap_remove(&s->events, first);
		happen(s, e);
		free(e->bytes);
		free(e);
	} else {
		const struct event ev = {.kind = EV_DEADLINE};
		step(s, &ev);
	}
	return true;
}

void scene_pass(struct scene *s, uint64_t ms, const struct scene_client *c)
{
	uint64_t end_ms = s->now_ms + ms;
	scene_begin(s);
	for (unsigned spins = 0; advance(s, end_ms); spins++) {
		if (spins > SPINS_MAX)
			scene_fail(s, "the core wakes up without end");
		if (s->failed || (c && c->is_answered))
			return;
	}
	s->now_ms = end_ms;
}

void scene_ask(struct scene *s, const uint8_t *qname, uint16_t qtype, const struct ask_how *how)
{
	uint8_t wire[512], answer[MESSAGE_MAX];
	struct endpoint from;
	struct builder b;
	scene_begin(s);
	REQUIRE(s->client_count < SCENE_CLIENTS_MAX);
	struct scene_client *c = &s->clients[s->client_count++];
	*c = (struct scene_client){.token = s->client_count, .qtype = qtype, .asked_ms = s->now_ms};
	dname_copy(qname, c->qname);
	builder_init(&b, wire, sizeof(wire), (uint16_t)c->token,
		     (uint16_t)((how->norecurse ? 0 : FLAG_RD) |
				(how->checking_disabled ? FLAG_CD : 0) |
				(how->wants_ad ? FLAG_AD : 0)));
	REQUIRE(builder_question(&b, qname, qtype, CLASS_IN));
	struct edns_reply opt = {
		.size = 1232, .dnssec_ok = how->dnssec_ok, .ede = EDE_NONE, .ede2 = EDE_NONE};
	REQUIRE(edns_write(&b, &opt));
	REQUIRE(endpoint_parse("10.0.0.99", 4242, &from) == OK);
	struct event ev = {.kind = EV_QUERY,
			   .token = c->token,
			   .peer = &from,
			   .packet = builder_finish(&b),
			   .transport = how->transport};
	ptrdiff_t len =
		resolver_answer_now(s->resolver, now_of(s), &ev, answer,
				    how->transport == TRANSPORT_TCP ? sizeof(answer) : 1232);
	REQUIRE(len >= 0);
	c->is_hit = len > 0;
	if (len > 0)
		on_answer(s, c->token, span_of(answer, (size_t)len));
	else
		step(s, &ev);
}

void scene_refresh(struct scene *s, const uint8_t *qname, uint16_t qtype)
{
	const struct event ev = {.kind = EV_REFRESH, .name = qname, .type = qtype};
	scene_begin(s);
	step(s, &ev);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

void scene_begin(struct scene *s)
{
	static const struct access_rule inside = {.prefix = {.family = 4, .bits = 8, .addr = {10}},
						  .allow = true};
	if (s->resolver)
		return;
	const struct cache_settings memory = {
		.memory_bytes = (size_t)(s->cache_kb ? s->cache_kb : SCENE_CACHE_KB) * 1024,
		.sink = s->with_disk ? &s->disk.sink : NULL};
	scene_disk_init(s);
	s->settings.access = &inside;
	s->settings.access_count = 1;
	REQUIRE(local_builtin_zones(&s->arena, &s->settings.local_zones,
				    &s->settings.local_zone_count) == OK);
	REQUIRE(settings_finish(&s->settings, &s->arena) == OK);
	REQUIRE(cache_new(&memory, &s->cache) == OK);
	REQUIRE(cache_reader_new(s->cache, &s->reader) == OK);
	REQUIRE(infra_new(&s->infra) == OK);
	if (s->with_ranges)
		REQUIRE(ranges_new(RANGES_MEMORY_MIN, &s->ranges) == OK);
	struct resolver_parts parts = {.settings = &s->settings,
				       .cache = s->cache,
				       .reader = s->reader,
				       .infra = s->infra,
				       .ranges = s->ranges,
				       .metrics = &s->metrics,
				       .cookie_secret = &s->cookie_secret,
				       .question_bytes = s->question_bytes,
				       .recall = s->with_disk ? scene_recall : NULL,
				       .recall_context = s,
				       .own_addresses = &s->own};
	rng_init_seeded(&parts.rng, 1);
	REQUIRE(resolver_new(&parts, &s->resolver) == OK);
}

/* Nothing may be left open when all is quiet. */
static void check_quiet(struct scene *s)
{
	struct resolver_stats stats;
	scene_pass(s, 30000, NULL);
	resolver_read_stats(s->resolver, &stats);
	if (stats.open_queries || stats.open_sends || stats.waiting_clients)
		scene_fail(s, "%zu questions, %zu sends, %zu clients are left at the end",
			   stats.open_queries, stats.open_sends, stats.waiting_clients);
	for (unsigned i = 0; i < s->client_count; i++)
		if (!s->clients[i].is_answered)
			scene_fail(s, "question %u was never answered", i + 1);
}

void scene_end(struct scene *s)
{
	struct heap_node *first;
	scene_begin(s);
	if (!s->failed)
		check_quiet(s);
	resolver_free(s->resolver);
	infra_free(s->infra);
	ranges_free(s->ranges);
	scene_keys_end(s);
	cache_reader_free(s->reader);
	if (s->hog)
		scene_feed(s);
	cache_free(s->cache);
	scene_disk_end(s);
	while ((first = heap_min(&s->events)) != NULL) {
		struct scene_event *e = (struct scene_event *)first;
		heap_remove(&s->events, first);
		free(e->bytes);
		free(e);
	}
	heap_deinit(&s->events);
	arena_deinit(&s->arena);
}
