#include "unit/cache_unit.h"

#include "cache/infra.h"

static struct endpoint server(unsigned number)
{
	struct endpoint e = {.family = 4, .port = 53};
	e.addr[0] = 10;
	e.addr[1] = (uint8_t)(number >> 16);
	e.addr[2] = (uint8_t)(number >> 8);
	e.addr[3] = (uint8_t)number;
	return e;
}

static struct infra *new_infra(void)
{
	struct infra *i;
	assert_int_equal(infra_new(&i), OK);
	return i;
}

static struct infra_server get(struct infra *i, unsigned number, int64_t after_ms)
{
	struct infra_server s;
	struct endpoint e = server(number);
	infra_get(i, &e, unit_now(after_ms), &s);
	return s;
}

static void reply(struct infra *i, unsigned number, uint32_t rtt_us, int64_t after_ms)
{
	struct endpoint e = server(number);
	infra_reply(i, &e, rtt_us, unit_now(after_ms));
}

static void lose(struct infra *i, unsigned number, unsigned times, int64_t after_ms)
{
	struct endpoint e = server(number);
	for (unsigned k = 0; k < times; k++)
		infra_loss(i, &e, unit_now(after_ms));
}

static void test_unknown_servers(void **state)
{
	(void)state;
	struct infra *i = new_infra();
	struct infra_server s = get(i, 1, 0);
	assert_false(s.known);
	assert_int_equal(s.srtt_us, INFRA_RTT_UNKNOWN_US);
	assert_int_equal(infra_rto_ms(&s), INFRA_RTO_UNKNOWN_MS);
	assert_true(infra_hedge_ms(&s) <= INFRA_RTO_UNKNOWN_MS);
	assert_true(s.backoff_until_ms <= unit_now(0).cache_ms);
	lose(i, 1, 1, 0);
	s = get(i, 1, 0);
	assert_true(s.known); /* but its distance is not */
	assert_int_equal(infra_rto_ms(&s), INFRA_RTO_UNKNOWN_MS);
	infra_free(i);
}

static void test_rto(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint32_t rtts_us[4];
		uint32_t want_ms;
	} cases[] = {
		{"RFC 6298 §2.2: the first is R + 4 x R/2", {40000}, 120},
		{"RFC 6298 §2.3: 7/8 old + 1/8 new, 3/4 old + 1/4 off", {40000, 80000}, 145},
		{"a steady one comes nearer", {40000, 40000, 40000, 40000}, 74},
		{"never below the minimum", {200, 200, 200, 200}, INFRA_RTO_MIN_MS},
		{"never above the maximum", {900000}, INFRA_RTO_MAX_MS},
		{"nonsense is capped", {UINT32_MAX}, INFRA_RTO_MAX_MS},
	};
	struct infra *i = new_infra();
	for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
		for (unsigned n = 0; n < 4 && cases[k].rtts_us[n]; n++)
			reply(i, k, cases[k].rtts_us[n], 0);
		struct infra_server s = get(i, k, 0);
		CHECK(cases[k].why, infra_rto_ms(&s) == cases[k].want_ms);
		CHECK(cases[k].why, infra_hedge_ms(&s) <= infra_rto_ms(&s));
		CHECK(cases[k].why, infra_hedge_ms(&s) >= 1);
	}
	infra_free(i);
}

/* 20 ms as a rule; one in twenty is slower: the estimate of the 95th percentile lies between. */
static void test_high_percentile(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		unsigned slow_percent;
		uint32_t min_us, max_us;
	} cases[] = {
		{"none is slow", 0, 20000, 32000},
		{"one in a hundred slow", 1, 20000, 60000},
		{"one in ten slow", 10, 100000, 240000},
	};
	for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
		struct infra *i = new_infra();
		struct rng rng;
		uint64_t sum_us = 0;
		rng_init_seeded(&rng, 7);
		for (unsigned n = 0; n < 5000; n++) {
			bool slow = rng_below(&rng, 100) < cases[k].slow_percent;
			reply(i, 1,
			      slow ? 200000 + rng_below(&rng, 40000)
				   : 18000 + rng_below(&rng, 4000),
			      n);
			struct infra_server s = get(i, 1, n);
			CHECK(cases[k].why, s.high_us >= s.srtt_us);
			if (n >= 1000)
				sum_us += s.high_us;
		}
		CHECK(cases[k].why, sum_us / 4000 >= cases[k].min_us);
		CHECK(cases[k].why, sum_us / 4000 <= cases[k].max_us);
		infra_free(i);
	}
}

static void test_backoff(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		int64_t at_ms;
		unsigned losses;
		int64_t until_ms;
	} steps[] = {
		{"one loss is no outage", 0, 1, 0},
		{"two are none", 100, 1, 0},
		{"three in a row are", 200, 1, 700},
		{"what was under way does not count", 300, 5, 700},
		{"doubled", 700, 1, 1700},
		{"doubled again", 1700, 1, 3700},
		{"and again", 3700, 1, 7700},
		{"never above INFRA_BACKOFF_MAX_MS", 7700, 1, 12700},
		{"never above INFRA_BACKOFF_MAX_MS", 12700, 1, 17700},
		{"after a time it begins anew", 60000, 2, 17700},
		{"after a time it begins anew", 60100, 1, 60600},
	};
	struct infra *i = new_infra();
	for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
		lose(i, 1, steps[k].losses, steps[k].at_ms);
		struct infra_server s = get(i, 1, steps[k].at_ms);
		int64_t until_ms = s.backoff_until_ms ? s.backoff_until_ms - unit_start_ms : 0;
		CHECK(steps[k].why, until_ms == steps[k].until_ms);
		CHECK(steps[k].why, until_ms - steps[k].at_ms <= INFRA_BACKOFF_MAX_MS);
	}
	reply(i, 1, 10000, 60200);
	struct infra_server s = get(i, 1, 60200);
	assert_int_equal(s.backoff_until_ms, 0); /* a reply ends it */
	assert_int_equal(s.losses_in_row, 0);
	lose(i, 1, 3, 60300);
	assert_int_equal(get(i, 1, 60300).backoff_until_ms,
			 unit_now(60300 + INFRA_BACKOFF_MIN_MS).cache_ms);

	infra_network_changed(i);
	s = get(i, 1, 60300);
	assert_int_equal(s.backoff_until_ms, 0);
	assert_int_equal(s.srtt_us, 10000); /* round-trip times stay */
	infra_free(i);
}

static void test_tcp(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		int64_t at_ms;
		int64_t until_ms;
	} steps[] = {
		{"the first loss is enough: others are tried first, that is all", 0, 500},
		{"doubled", 500, 1500},
		{"doubled again", 1500, 3500},
		{"and again", 3500, 7500},
		{"above what UDP has", 7500, 15500},
		{"and again", 15500, 31500},
		{"never above INFRA_TCP_BACKOFF_MAX_MS", 31500, 61500},
		{"never above INFRA_TCP_BACKOFF_MAX_MS", 61500, 91500},
	};
	struct infra *i = new_infra();
	struct endpoint e = server(1);
	infra_tcp_try(i, &e, unit_now(0));
	assert_false(get(i, 1, 0).known); /* a try says nothing */
	for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
		infra_tcp_loss(i, &e, unit_now(steps[k].at_ms));
		struct infra_server s = get(i, 1, steps[k].at_ms);
		CHECK(steps[k].why, s.tcp_backoff_until_ms - unit_start_ms == steps[k].until_ms);
		CHECK("UDP is another way", s.backoff_until_ms == 0 && s.losses_in_row == 0);
	}
	infra_tcp_try(i, &e, unit_now(91500)); /* one tries, others keep away */
	assert_int_equal(get(i, 1, 91500).tcp_backoff_until_ms,
			 unit_now(91500 + INFRA_BACKOFF_MIN_MS).cache_ms);
	infra_tcp_reply(i, &e, 150000, unit_now(91600));
	struct infra_server s = get(i, 1, 91600);
	assert_int_equal(s.tcp_backoff_until_ms, 0); /* a reply ends it */
	assert_int_equal(infra_tcp_patience_ms(&s), 300);
	infra_tcp_reply(i, &e, 10000, unit_now(91600)); /* over a connection that was there */
	s = get(i, 1, 91600);
	assert_true(infra_tcp_patience_ms(&s) > 250);
	assert_true(infra_tcp_hedge_ms(&s) < infra_tcp_patience_ms(&s));
	infra_tcp_loss(i, &e, unit_now(92000));
	infra_network_changed(i);
	assert_int_equal(get(i, 1, 92000).tcp_backoff_until_ms, 0);
	infra_free(i);
}

static void test_loss_decays(void **state)
{
	(void)state;
	struct infra *i = new_infra();
	lose(i, 1, 1, 0);
	assert_int_equal(get(i, 1, 0).loss_permille, 125);
	lose(i, 1, 30, 0);
	uint16_t high = get(i, 1, 0).loss_permille;
	assert_in_range(high, 900, 1000);
	uint16_t later = get(i, 1, 10000).loss_permille;
	assert_in_range(later, high / 2 - 1, high / 2 + 1);
	assert_int_equal(get(i, 1, 40000).losses_in_row, 0);
	assert_int_equal(get(i, 1, 200000).loss_permille, 0);
	for (unsigned n = 0; n < 200; n++)
		reply(i, 2, 1000, n);
	lose(i, 2, 1, 300);
	for (unsigned n = 0; n < 60; n++)
		reply(i, 2, 1000, 300 + n);
	assert_int_equal(get(i, 2, 400).loss_permille, 0);
	infra_free(i);
}

static void test_quirks(void **state)
{
	(void)state;
	struct infra *i = new_infra();
	struct endpoint e = server(1);
	static const uint8_t cookie[16] = {1, 2, 3};
	infra_set_quirk(i, &e, INFRA_NO_EDNS, true, unit_now(0));
	infra_set_quirk(i, &e, INFRA_KEEPS_CASE, true, unit_now(60000));
	assert_int_equal(get(i, 1, 60000).quirks, INFRA_NO_EDNS | INFRA_KEEPS_CASE);
	infra_set_quirk(i, &e, INFRA_NO_CASE, true, unit_now(60000)); /* not both */
	assert_int_equal(get(i, 1, 60000).quirks, INFRA_NO_EDNS | INFRA_NO_CASE);
	assert_int_equal(get(i, 1, INFRA_QUIRK_TTL_MS - 1000).quirks,
			 INFRA_NO_EDNS | INFRA_NO_CASE);
	assert_int_equal(get(i, 1, INFRA_QUIRK_TTL_MS).quirks,
			 INFRA_NO_CASE); /* each in its time */
	assert_int_equal(get(i, 1, INFRA_QUIRK_TTL_MS + 60000).quirks, 0);
	infra_set_quirk(i, &e, INFRA_TCP_ONLY, true, unit_now(0));
	infra_set_quirk(i, &e, INFRA_TCP_ONLY, false, unit_now(0));
	assert_int_equal(get(i, 1, 0).quirks, 0);

	/* What is only suspected ends sooner, and makes nothing that is known end sooner. */
	infra_suspect(i, &e, INFRA_SMALL_REPLIES, unit_now(0));
	infra_set_quirk(i, &e, INFRA_NO_OPTIONS, true, unit_now(0));
	infra_suspect(i, &e, INFRA_NO_OPTIONS, unit_now(1000));
	infra_suspect(i, &e, INFRA_SMALL_REPLIES, unit_now(60000)); /* not for longer either */
	assert_int_equal(get(i, 1, INFRA_SUSPECT_MS - 1000).quirks,
			 INFRA_NO_OPTIONS | INFRA_SMALL_REPLIES);
	assert_int_equal(get(i, 1, INFRA_SUSPECT_MS).quirks, INFRA_NO_OPTIONS);
	infra_set_quirk(i, &e, INFRA_NO_OPTIONS, false, unit_now(0));
	/* Twice in a row is no chance any more. */
	infra_suspect(i, &e, INFRA_SMALL_REPLIES, unit_now(INFRA_SUSPECT_MS + 5000));
	assert_int_equal(get(i, 1, INFRA_QUIRK_TTL_MS).quirks, INFRA_SMALL_REPLIES);
	assert_int_equal(get(i, 1, INFRA_SUSPECT_MS + 5000 + INFRA_QUIRK_TTL_MS).quirks, 0);

	infra_set_cookie(i, &e, span_of(cookie, sizeof(cookie)), unit_now(0));
	struct infra_server s = get(i, 1, 0);
	assert_int_equal(s.quirks, INFRA_COOKIE);
	assert_int_equal(s.server_cookie_len, sizeof(cookie));
	assert_memory_equal(s.server_cookie, cookie, sizeof(cookie));
	infra_set_cookie(i, &e, span_of(&e, 0), unit_now(0)); /* RFC 7873 §4: 8 to 32 bytes */
	assert_int_equal(get(i, 1, 0).server_cookie_len, sizeof(cookie));
	s = get(i, 1, INFRA_QUIRK_TTL_MS);
	assert_int_equal(s.server_cookie_len, 0);
	infra_free(i);
}

static void test_addresses(void **state)
{
	(void)state;
	struct infra *i = new_infra();
	struct endpoint a = {.family = 6, .port = 53, .addr = {0xfe, 0x80}, .scope_id = 2};
	struct endpoint b = a, v4 = server(1);
	struct infra_server s;
	infra_reply(i, &a, 5000, unit_now(0));
	infra_reply(i, &v4, 5000, unit_now(0));
	b.pad = 7;
	infra_get(i, &b, unit_now(0), &s);
	assert_true(s.known); /* padding does not count */
	b.scope_id = 3;
	infra_get(i, &b, unit_now(0), &s);
	assert_false(s.known); /* the scope does */
	v4.scope_id = 9;
	infra_get(i, &v4, unit_now(0), &s);
	assert_true(s.known); /* but not where there is none */
	v4.port = 5353;
	infra_get(i, &v4, unit_now(0), &s);
	assert_false(s.known);
	infra_free(i);
}

static void test_lame(void **state)
{
	(void)state;
	struct infra *i = new_infra();
	struct endpoint e = server(1), other = server(2);
	struct unit_name zone = unit_name("Example."), same = unit_name("eXAMPLE."),
			 sub = unit_name("a.example.");
	assert_false(infra_is_lame(i, &e, zone.wire, unit_now(0)));
	infra_set_lame(i, &e, zone.wire, unit_now(0));
	assert_true(infra_is_lame(i, &e, same.wire, unit_now(0)));
	assert_true(infra_is_lame(i, &e, zone.wire, unit_now(INFRA_LAME_TTL_MS - 1)));
	assert_false(infra_is_lame(i, &e, zone.wire, unit_now(INFRA_LAME_TTL_MS)));
	assert_false(infra_is_lame(i, &e, sub.wire, unit_now(0)));
	assert_false(infra_is_lame(i, &other, zone.wire, unit_now(0)));

	/* The latest eight are known; a zone takes one place however often it is set. */
	for (unsigned k = 0; k < 20; k++)
		infra_set_lame(i, &e, zone.wire, unit_now(1000));
	for (unsigned k = 0; k < 9; k++) {
		char text[] = {(char)('a' + k), '.', '\0'};
		struct unit_name name = unit_name(text);
		infra_set_lame(i, &e, name.wire, unit_now(2000 + k));
		assert_true(infra_is_lame(i, &e, name.wire, unit_now(2000 + k)));
		assert_int_equal(infra_is_lame(i, &e, zone.wire, unit_now(2000 + k)), k < 7);
	}
	infra_free(i);
}

static bool count_server(void *context, const struct endpoint *e, const struct infra_server *s)
{
	assert_int_equal(e->family, 4);
	assert_true(s->known);
	++*(unsigned *)context;
	return true;
}

static bool stop_at_once(void *context, const struct endpoint *e, const struct infra_server *s)
{
	(void)e;
	(void)s;
	++*(unsigned *)context;
	return false;
}

static void test_bound(void **state)
{
	(void)state;
	enum { SERVERS = INFRA_SERVERS_MAX + INFRA_SERVERS_MAX / 2, HOT = 10 };
	struct infra *i = new_infra();
	unsigned count = 0;
	for (unsigned n = 0; n < SERVERS; n++) {
		reply(i, n, 1000 + n, 0);
		if (n % 1000 == 0)
			reply(i, n / 1000 % HOT, 1000, 0); /* used again and again */
	}
	infra_walk(i, count_server, &count);
	assert_in_range(count, INFRA_SERVERS_MAX * 9 / 10, INFRA_SERVERS_MAX);
	assert_true(get(i, SERVERS - 1, 0).known);
	for (unsigned n = 0; n < HOT; n++)
		assert_true(get(i, n, 0).known);
	assert_false(get(i, HOT + 1, 0).known); /* least recently used */
	count = 0;
	infra_walk(i, stop_at_once, &count);
	assert_int_equal(count, 1);
	infra_free(i);
}

static uint8_t saved[1024 * 1024];

static struct span save(struct infra *i, size_t size, int64_t after_ms)
{
	struct writer w = writer_of(saved, size);
	infra_write(i, unit_now(after_ms), &w);
	assert_false(w.failed);
	return writer_span(&w);
}

/* What a server has shown outlives the process, what an outage has taught does not. */
static void test_saved(void **state)
{
	(void)state;
	struct infra *before = new_infra(), *after = new_infra();
	struct endpoint e = server(1);
	reply(before, 1, 20000, 0);
	infra_set_quirk(before, &e, INFRA_KEEPS_CASE, true, unit_now(0));
	infra_set_quirk(before, &e, INFRA_TCP_ONLY, true, unit_now(0));
	infra_set_lame(before, &e, (const uint8_t *)"\1a", unit_now(0));
	lose(before, 1, 5, 0);
	lose(before, 2, 5, 0);
	reply(after, 3, 7000, 0);
	reply(before, 3, 9000, 0);
	infra_read(after, save(before, sizeof(saved), 1000), unit_now(60 * 1000));

	struct infra_server s = get(after, 1, 60 * 1000);
	assert_true(s.known);
	assert_int_equal(s.srtt_us, 20000);
	assert_int_equal(s.high_us, get(before, 1, 0).high_us);
	assert_int_equal(s.quirks, INFRA_KEEPS_CASE);
	assert_int_equal(s.loss_permille + s.losses_in_row, 0);
	assert_int_equal(s.backoff_until_ms, 0);
	assert_false(infra_is_lame(after, &e, (const uint8_t *)"\1a", unit_now(60 * 1000)));
	assert_false(get(after, 2, 60 * 1000).known);
	assert_int_equal(get(after, 3, 60 * 1000).srtt_us, 7000); /* what is known stays */
	assert_int_equal(get(after, 1, INFRA_QUIRK_TTL_MS + 1000).quirks, INFRA_KEEPS_CASE);
	assert_int_equal(get(after, 1, INFRA_KEEPS_CASE_MS + 1000).quirks, 0);
	infra_free(before);
	infra_free(after);
}

/* Bytes of another version, cut or changed end the reading and nothing else; a small room holds the
 * latest used. */
static void test_saved_bounds(void **state)
{
	(void)state;
	struct infra *before = new_infra(), *after = new_infra();
	unsigned count = 0;
	for (unsigned n = 0; n < 20000; n++)
		reply(before, n, 1000 + n, 0);
	struct span all = save(before, 64 * 1024, 0);
	for (size_t len = 0; len < 300; len++)
		infra_read(after, span_of(all.at, len), unit_now(0));
	infra_read(after, all, unit_now(0));
	infra_walk(after, count_server, &count);
	assert_in_range(count, 64 * 1024 / 40, 64 * 1024 / 20);
	saved[0]++;
	struct infra *none = new_infra();
	infra_read(none, all, unit_now(0));
	count = 0;
	infra_walk(none, count_server, &count);
	assert_int_equal(count, 0);
	infra_free(none);
	infra_free(before);
	infra_free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_servers),
		cmocka_unit_test(test_rto),
		cmocka_unit_test(test_high_percentile),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_loss_decays),
		cmocka_unit_test(test_quirks),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_lame),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_saved),
		cmocka_unit_test(test_saved_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
