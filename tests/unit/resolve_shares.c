/*
 * A resolver between a crowd of clients and one forwarder, in virtual time: who is greedy fails alone.
 */
#include "unit/resolve_unit.h"

#include "resolve/limits.h"
#include "resolve/resolver.h"

enum { QUESTIONS_MAX = 8192, REPLIES_MAX = 64, GREEDY = 1, MODEST = 2 };

static const uint64_t second_us = 1000000;

struct question {
	uint8_t host;
	uint64_t asked_us, answered_us; /* 0: not (yet) */
	uint16_t rcode;
};

struct crowd {
	struct rig *rig;
	struct settings_zone zone;
	struct infra *infra;
	struct metrics metrics;
	struct resolver *resolver;
	struct question questions[QUESTIONS_MAX];
	unsigned asked;
	bool is_silent; /* the forwarder */
	uint64_t sent;
	struct {
		uint64_t token;
		uint8_t packet[512];
		size_t len;
	} replies[REPLIES_MAX];
	unsigned reply_count;
};

static struct crowd *crowd_new(uint32_t rate_limit, bool is_silent)
{
	struct crowd *c = calloc(1, sizeof(*c));
	REQUIRE(c);
	c->rig = rig_new();
	c->is_silent = is_silent;
	c->zone = (struct settings_zone){
		.forward = true, .insecure = true, .rate_limit = rate_limit, .server_count = 1};
	REQUIRE(endpoint_parse("192.0.2.53", 53, &c->zone.servers[0]) == OK);
	c->rig->settings.zones = &c->zone;
	c->rig->settings.zone_count = 1;
	c->rig->settings.prefetch.enabled = false;
	REQUIRE(settings_finish(&c->rig->settings, &c->rig->arena) == OK);
	REQUIRE(infra_new(&c->infra) == OK);
	struct resolver_parts parts = {.settings = &c->rig->settings,
				       .cache = c->rig->cache,
				       .reader = c->rig->reader,
				       .infra = c->infra,
				       .metrics = &c->metrics,
				       .cookie_secret = &c->rig->secret};
	rng_init_seeded(&parts.rng, 1);
	REQUIRE(resolver_new(&parts, &c->resolver) == OK);
	return c;
}

static void crowd_free(struct crowd *c)
{
	resolver_free(c->resolver);
	infra_free(c->infra);
	rig_free(c->rig);
	free(c);
}

/* What the forwarder says to the query of A: an address. */
static void note_send(struct crowd *c, const struct action *a)
{
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 1};
	struct message m;
	c->sent++;
	if (c->is_silent)
		return;
	REQUIRE(c->reply_count < REPLIES_MAX && message_view(a->packet, &m) == OK);
	uint8_t *out = c->replies[c->reply_count].packet;
	size_t question = MESSAGE_HEADER_SIZE + (size_t)m.qname_len + 4;
	memcpy(out, a->packet.at, question);
	out[2] |= 0x80;
	out[3] |= 0x80;
	memset(out + 6, 0, 6);
	out[7] = 1;
	memcpy(out + question, record, sizeof(record));
	c->replies[c->reply_count].token = a->token;
	c->replies[c->reply_count++].len = question + sizeof(record);
}

static void note_answer(struct crowd *c, const struct action *a)
{
	struct question *q = &c->questions[a->token];
	REQUIRE(a->token < c->asked && q->answered_us == 0);
	q->answered_us = c->rig->now.mono_us;
	q->rcode = a->packet.at[3] & 0x0f;
}

static void step(struct crowd *c, const struct event *ev)
{
	struct actions out;
	resolver_step(c->resolver, c->rig->now, ev, &out);
	for (size_t i = 0; i < out.count; i++) {
		if (out.list[i].kind == ACT_SEND)
			note_send(c, &out.list[i]);
		else if (out.list[i].kind == ACT_ANSWER)
			note_answer(c, &out.list[i]);
	}
}

static void deliver(struct crowd *c)
{
	while (c->reply_count > 0) {
		uint8_t packet[512];
		size_t len = c->replies[--c->reply_count].len;
		memcpy(packet, c->replies[c->reply_count].packet, len);
		struct event ev = {.kind = EV_REPLY,
				   .token = c->replies[c->reply_count].token,
				   .packet = span_of(packet, len),
				   .peer = &c->zone.servers[0]};
		step(c, &ev);
	}
}

/* Time goes on to AT_US of the clock. */
static void pass_until(struct crowd *c, uint64_t at_us)
{
	const struct event ev = {.kind = EV_DEADLINE};
	for (;;) {
		uint64_t next_us = resolver_deadline_ms(c->resolver) * 1000;
		if (resolver_deadline_ms(c->resolver) == UINT64_MAX || next_us > at_us)
			break;
		uint64_t by_us = next_us > c->rig->now.mono_us ? next_us - c->rig->now.mono_us : 0;
		c->rig->now.mono_us += by_us;
		c->rig->now.cache_ms += (int64_t)by_us / 1000;
		step(c, &ev);
		deliver(c);
	}
	c->rig->now.cache_ms += (int64_t)(at_us - c->rig->now.mono_us) / 1000;
	c->rig->now.mono_us = at_us;
}

/* HOST of 198.51.100.0/24 asks for the name of NUMBER. Its token. */
static unsigned ask_for(struct crowd *c, uint8_t host, unsigned number)
{
	char name[32];
	unsigned token = c->asked++;
	struct endpoint from = {.family = 4, .port = 1000, .addr = {198, 51, 100, host}};
	REQUIRE(token < QUESTIONS_MAX);
	snprintf(name, sizeof(name), "n%u.example.", number);
	const struct ask question = {name, TYPE_A, ""};
	rig_write_query(c->rig, &question);
	c->questions[token] = (struct question){.host = host, .asked_us = c->rig->now.mono_us};
	struct event ev = {.kind = EV_QUERY,
			   .token = token,
			   .packet = span_of(c->rig->query, c->rig->query_len),
			   .peer = &from};
	step(c, &ev);
	deliver(c);
	return token;
}

/* ... for a name that nobody has asked for. */
static unsigned ask(struct crowd *c, uint8_t host)
{
	return ask_for(c, host, c->asked);
}

/* Who may ask: everybody; 198.51.100.9 is trusted. */
static void open_to_all(struct crowd *c)
{
	static const struct access_rule all = {.prefix = {.family = 4}, .allow = true};
	static const struct access_rule cluster = {
		.prefix = {.family = 4, .bits = 32, .addr = {198, 51, 100, 9}}, .allow = true};
	c->rig->settings.access = &all;
	c->rig->settings.access_count = 1;
	c->rig->settings.trusted = &cluster;
	c->rig->settings.trusted_count = 1;
	REQUIRE(settings_finish(&c->rig->settings, &c->rig->arena) == OK);
}

/* More questions than there may be in progress, all at a server that is silent: none of the client that
 * has few of them is given up for the other's. */
static void test_questions(void **state)
{
	(void)state;
	struct crowd *c = crowd_new(0, true);
	open_to_all(c);
	unsigned modest = ask(c, MODEST);
	for (unsigned i = 0; i < LIMIT_QUERIES + 1000; i++)
		(void)ask(c, GREEDY);
	assert_int_equal(c->questions[modest].answered_us, 0);
	unsigned given_up = 0;
	for (unsigned i = 0; i < c->asked; i++)
		given_up += c->questions[i].answered_us > 0;
	assert_int_equal(given_up, 1001);
	assert_in_range(metrics_get(&c->metrics, METRIC_shares_questions_total), 1, 1001);
	crowd_free(c);
}

/* One client asks six times as much as its forwarder takes: who asks a little waits for nobody but the
 * packet before. */
static void test_line(void **state)
{
	(void)state;
	enum { RATE = 50, SECONDS = 10 };
	struct crowd *c = crowd_new(RATE, false);
	open_to_all(c);
	uint64_t begin_us = c->rig->now.mono_us, longest_us = 0;
	unsigned modest = 0, failed = 0, answered = 0;
	for (unsigned tick = 0; tick < SECONDS * 300; tick++) {
		pass_until(c, begin_us + tick * second_us / 300);
		(void)ask(c, GREEDY);
		if (tick % 60 == 59) /* five a second */
			(void)ask(c, MODEST);
	}
	pass_until(c, begin_us + (SECONDS + 3) * second_us);
	for (unsigned i = 0; i < c->asked; i++) {
		const struct question *q = &c->questions[i];
		assert_true(q->answered_us > 0);
		answered += q->rcode == RCODE_NOERROR;
		if (q->host != MODEST)
			continue;
		modest++;
		failed += q->rcode != RCODE_NOERROR;
		longest_us = MAX(longest_us, q->answered_us - q->asked_us);
	}
	assert_int_equal(modest, SECONDS * 5);
	assert_int_equal(failed, 0);
	assert_in_range(longest_us, 0, 60000); /* two packets' time and some */
	assert_in_range(answered, RATE * SECONDS * 85 / 100, RATE * (SECONDS + 2));
	assert_in_range(c->sent, 0, RATE * (SECONDS + 2));
	crowd_free(c);
}

/* Names with a TTL of 5 s that were asked for twice, and then no more: it is not asked for them for as long
 * as the window is. */
static void test_gone(void **state)
{
	(void)state;
	enum { NAMES = 400 };
	struct crowd *c = crowd_new(0, false);
	c->rig->settings.prefetch.enabled = true;
	open_to_all(c);
	resolver_set_settings(c->resolver, &c->rig->settings);
	uint64_t begin_us = c->rig->now.mono_us;
	for (unsigned i = 0; i < 2 * NAMES; i++) {
		pass_until(c, begin_us + i * 2500);
		(void)ask_for(c, GREEDY, i % NAMES);
	}
	pass_until(c, begin_us + 300 * second_us);
	struct resolver_stats stats;
	resolver_read_stats(c->resolver, &stats);
	assert_int_equal(stats.kept_names, 0);
	assert_in_range(c->sent, NAMES, 6 * NAMES);
	crowd_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
