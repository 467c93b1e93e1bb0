/* The arithmetic of prefetching, claims, and the buckets that bound it. */
#include "unit/base_unit.h"

#include "resolve/prefetch_plan.h"
#include "resolve/prefetch_shared.h"
#include "resolve/throttle.h"

static const int64_t start_ms = 1790000000000;
static const uint32_t start_s = 1790000000;

static struct now now_at(int64_t ms)
{
	return (struct now){.mono_us = 5000000000u + (uint64_t)ms * 1000,
			    .cache_ms = start_ms + ms,
			    .unix_s = (start_ms + ms) / 1000};
}

/* ---- popularity ---- */

static const struct {
	const char *why;
	uint32_t window_s;
	uint32_t at_s[8]; /* hits, 0 ends */
	struct popularity want;
} arrivals[] = {
	{"the first hit", 600, {100}, {1, 100, 0}},
	{"hits of one second count as one", 600, {100, 100, 100}, {1, 100, 0}},
	{"the first gap is believed", 600, {100, 104}, {2, 104, 4000}},
	{"gaps are averaged at first", 600, {100, 104, 110}, {3, 110, 5000}},
	{"a gap of the window is none too long", 10, {100, 110}, {2, 110, 10000}},
	{"a longer one begins anew", 10, {100, 110, 121}, {1, 121, 0}},
	{"another worker's clock may be ahead", 600, {100, 105, 104}, {2, 105, 5000}},
};

static void test_popularity(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(arrivals); i++) {
		struct popularity p = {0};
		for (size_t k = 0; k < 8 && arrivals[i].at_s[k]; k++)
			p = popularity_add(p, arrivals[i].at_s[k], arrivals[i].window_s);
		const struct popularity *want = &arrivals[i].want;
		if (p.hits != want->hits || p.last_hit_s != want->last_hit_s ||
		    p.gap_ms != want->gap_ms)
			fail_msg("%s: %u hits, last %u, gap %u", arrivals[i].why, p.hits,
				 p.last_hit_s, p.gap_ms);
	}
}

/* ---- worth it? ---- */

static const struct {
	const char *why;
	uint32_t hits, silent_s, gap_ms, ttl_s;
	uint32_t min_hits, window_s, min_yield_permille;
	uint64_t yield_permille;
	bool hot;
} cases[] = {
	{"a question a second, TTL 5", 9, 0, 1000, 5, 2, 600, 100, 5000, true},
	{"one in 50 s yields a tenth", 9, 0, 50000, 5, 2, 600, 100, 100, true},
	{"one in 51 s yields less", 9, 0, 51000, 5, 2, 600, 100, 98, false},
	{"a zone may say always", 9, 0, 500000, 5, 2, 600, 0, 10, true},
	{"too few hits", 1, 0, 0, 5, 2, 600, 100, 1000, false},
	{"asked once, a TTL's benefit", 1, 3, 0, 5, 1, 600, 100, 1000, true},
	{"asked once, silent for ten TTLs", 1, 51, 0, 5, 1, 600, 100, 98, false},
	{"silence counts by an eighth", 90, 34, 2000, 5, 2, 600, 100, 833, true},
	{"asked twice, silent for four TTLs", 2, 20, 1000, 5, 2, 600, 100, 1481, true},
	{"asked twice, and then no more", 2, 21, 1000, 5, 2, 600, 100, 1428, false},
	{"silent for four mean gaps", 3, 80, 20000, 5, 2, 600, 100, 181, true},
	{"silent for more", 3, 81, 20000, 5, 2, 600, 100, 180, false},
	{"silent for as long as it was asked for", 30, 30, 1000, 5, 2, 600, 100, 1081, true},
	{"silent for longer than it was asked for", 30, 31, 1000, 5, 2, 600, 100, 1052, false},
	{"asked for all day, silent for the window", 9000, 600, 1000, 300, 2, 600, 100, 3953, true},
	{"asked for all day, silent for longer", 9000, 601, 1000, 300, 2, 600, 100, 3947, false},
	{"silent for the window", 9, 600, 1000, 300, 2, 600, 0, 3953, true},
	{"silent for longer", 9, 601, 1000, 300, 2, 600, 0, 3947, false},
	{"TTL 0 is never kept", 9, 0, 1000, 0, 2, 600, 0, 0, false},
};

static void test_hot(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct popularity p = {
			.hits = cases[i].hits, .last_hit_s = start_s, .gap_ms = cases[i].gap_ms};
		struct prefetch_rule rule = {.min_hits = cases[i].min_hits,
					     .window_s = cases[i].window_s,
					     .min_yield_permille = cases[i].min_yield_permille};
		struct now now = now_at((int64_t)cases[i].silent_s * 1000);
		uint64_t yield = prefetch_yield_permille(&p, cases[i].ttl_s, now);
		if (yield != cases[i].yield_permille)
			fail_msg("%s: yield %llu", cases[i].why, (unsigned long long)yield);
		if (prefetch_is_hot(&p, &rule, cases[i].ttl_s, now) != cases[i].hot)
			fail_msg("%s: not so", cases[i].why);
	}
}

/* ---- when ---- */

static const struct {
	const char *why;
	uint8_t percent;
	uint32_t ttl_s, chain_ms, want_ms;
} leads[] = {
	{"a fixed share", 80, 5, 50, 4000},
	{"a fixed share of a day", 10, 86400, 50, 8640000},
	{"a near server: before the last second", 0, 5, 40, 1040},
	{"a near server, a longer TTL: a tenth", 0, 60, 40, 6000},
	{"a far one: what it needs, and before that", 0, 5, 1700, 2700},
	{"a very slow one: four fifths", 0, 5, 12000, 4000},
	{"an unknown one: a first time-out and TCP", 0, 5, 0, 1600},
	{"TTL 2: its last second cannot be helped", 0, 2, 40, 1040},
	{"TTL 1", 0, 1, 0, 800},
	{"TTL 1, slow", 0, 1, 6000, 800},
	{"a long TTL", 0, 3600, 40, 360000},
};

static void test_lead(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(leads); i++) {
		struct prefetch_rule rule = {.remaining_percent = leads[i].percent};
		uint32_t ms = prefetch_lead_ms(&rule, false, leads[i].ttl_s, leads[i].chain_ms);
		if (ms != leads[i].want_ms)
			fail_msg("%s: %u ms", leads[i].why, ms);
		if (ms + prefetch_jitter_ms(leads[i].ttl_s, ms) > leads[i].ttl_s * 1000)
			fail_msg("%s: begins before the answer came", leads[i].why);
	}
	struct prefetch_rule fixed = {.remaining_percent = 80};
	assert_int_equal(prefetch_lead_ms(&fixed, true, 5, 50), 0); /* a forwarder: at expiry */
}

static const struct {
	const char *why;
	unsigned failures;
	uint32_t left_ms, hold_ms, want_ms;
} retries[] = {
	{"RFC 9520 §3.2: a second at least", 0, 0, 30000, 1000},
	{"... however short the hold", 200, 0, 0, 1000},
	{"... and however little is left", 200, 900, 0, 1000},
	{"... while it is fresh", 0, 300000, 30000, 1000},
	{"then twice as long", 1, 300000, 30000, 2000},
	{"each time", 5, 300000, 30000, 32000},
	{"a quarter of what is left: four tries", 7, 300000, 30000, 75000},
	{"a day is left", 200, 86400000, 30000, 21600000},
	{"nearly expired: as in the hold", 3, 4000, 30000, 5000},
	{"expired: several tries in the hold", 3, 0, 30000, 5000},
	{"a hold of ten seconds", 200, 0, 10000, 2500},
};

static void test_retries(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(retries); i++)
		CHECK(retries[i].why, prefetch_retry_ms(retries[i].failures, retries[i].left_ms,
							retries[i].hold_ms) == retries[i].want_ms);
}

/* ---- rules ---- */

static void test_rules(void **state)
{
	(void)state;
	static const char *const zones[] = {"\3com", "\3rds\11amazonaws\3com", "\3org"};
	static const struct {
		const char *name;
		int rule; /* -1: the defaults */
	} names[] = {
		{"\2db\3rds\11amazonaws\3com", 1},
		{"\3rds\11amazonaws\3com", 1},
		{"\4xrds\11amazonaws\3com", 0},
		{"\11amazonaws\3com", 0},
		{"\3net", -1},
		{"", -1},
		{"\1a\3org", 2},
	};
	struct prefetch_rule rules[3] = {0};
	struct prefetch_settings p = {.zones = rules, .zone_count = ARRAY_LEN(rules)};
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		dname_copy((const uint8_t *)zones[i], rules[i].name);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct prefetch_rule *found =
			prefetch_rule_for(&p, (const uint8_t *)names[i].name);
		const struct prefetch_rule *want =
			names[i].rule < 0 ? &p.all : &rules[names[i].rule];
		if (found != want)
			fail_msg("%zu: another rule", i);
	}
}

/* ---- claims ---- */

static void test_claims(void **state)
{
	(void)state;
	struct prefetch_shared *s;
	assert_int_equal(prefetch_shared_new(&s), OK);
	uint64_t a = claims_hash(&s->claims, (const uint8_t *)"\1a", 3, 1);
	uint64_t b = claims_hash(&s->claims, (const uint8_t *)"\1a", 3, 28);
	assert_true(a != b);
	assert_false(claims_is_taken(&s->claims, a, 100));
	assert_true(claims_take(&s->claims, a, 0, 110, 100));
	assert_true(claims_is_taken(&s->claims, a, 110));
	assert_false(claims_is_taken(&s->claims, b, 110));
	assert_false(claims_take(&s->claims, a, 1, 120, 110)); /* another's, and live */
	assert_true(claims_take(&s->claims, a, 0, 115, 110));  /* one's own is renewed */
	assert_false(claims_take(&s->claims, a, 1, 120, 115));
	assert_true(claims_take(&s->claims, a, 1, 120, 116)); /* it has run out */
	assert_false(claims_take(&s->claims, a, 0, 130, 117));
	claims_release(&s->claims, a, 0); /* not his */
	assert_true(claims_is_taken(&s->claims, a, 117));
	claims_release(&s->claims, a, 1);
	assert_false(claims_is_taken(&s->claims, a, 117));
	/* A full bucket denies nothing. */
	for (uint64_t i = 0; i < 2 * CLAIMS_WAYS; i++)
		assert_true(claims_take(&s->claims, (i + 1) << 40 | 7, 0, 200, 118));
	prefetch_shared_free(s);
}

/* ---- buckets ---- */

/* In no second do more than RATE pass; what can wait leaves the burst to others. */
static void test_buckets(void **state)
{
	(void)state;
	static const uint32_t rates[] = {1, 3, 8, 50, 500, 900};
	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		struct throttle_limit limit = throttle_limit_of(rates[i], 1);
		_Atomic uint64_t bucket = 0;
		uint64_t passed_ms[4096] = {0}, count = 0;
		for (int64_t ms = 0; ms < 4000; ms++) {
			while (throttle_pass(&bucket, &limit, now_at(ms)) == 0) {
				uint64_t oldest = passed_ms[count % rates[i]];
				if (count >= rates[i] && (uint64_t)ms - oldest < 1000)
					fail_msg("rate %u: more in a second", rates[i]);
				passed_ms[count++ % rates[i]] = (uint64_t)ms;
			}
		}
		if (count < rates[i] * 3)
			fail_msg("rate %u: only %llu in 4 s", rates[i], (unsigned long long)count);
	}
}

/* A line before a server: first come, first served; refreshes only when nobody stands there. */
static void test_line(void **state)
{
	(void)state;
	struct throttle t = {0};
	const struct throttle_want want = {
		.server = {.family = 4, .port = 53, .addr = {169, 254, 169, 253}},
		.rate = 80,
		.packets = 1,
		.weight = 1};
	struct throttle_place place;
	uint32_t last_ms = 0, wait_ms;
	assert_int_equal(throttle_take_spare(&t, &want, false, now_at(0)), 0);
	assert_true(throttle_take_spare(&t, &want, false, now_at(0)) > 0);
	assert_int_equal(throttle_take_spare(&t, &want, true, now_at(0)), 0); /* of the burst */
	for (unsigned k = 0; k < 9; k++) /* the rest of the burst is still there for clients */
		assert_int_equal(throttle_take(&t, &want, 0, now_at(0), &place), 0);
	assert_int_equal(throttle_take(&t, &want, 0, now_at(0), &place), THROTTLE_NEVER);
	for (unsigned k = 0; k < 100; k++) {
		wait_ms = throttle_take(&t, &want, 5000, now_at(0), &place);
		assert_in_range(wait_ms - last_ms, 1000 / 80, 1000 / 70 + 2);
		last_ms = wait_ms;
	}
	assert_int_equal(throttle_take(&t, &want, last_ms, now_at(0), &place), THROTTLE_NEVER);
	assert_in_range(throttle_take_spare(&t, &want, false, now_at(0)), last_ms, last_ms + 1000);
	assert_in_range(throttle_take_spare(&t, &want, true, now_at(0)), last_ms, last_ms + 20);
	assert_int_equal(throttle_take(&t, &want, 0, now_at(last_ms + 20), &place), 0);
}

static const struct throttle_want provider = {
	.server = {.family = 4, .port = 53, .addr = {169, 254, 169, 253}},
	.rate = 900,
	.packets = 1};

/* How many of a client's packets pass in a second when LOSS_PERCENT of them are lost. */
static unsigned rate_at_loss(unsigned loss_percent)
{
	struct throttle t = {0};
	unsigned passed = 0;
	struct now now = now_at(0);
	for (; now.mono_us < now_at(20000).mono_us; now.mono_us += 50) {
		if (throttle_take_spare(&t, &provider, false, now) > 0)
			continue;
		passed++;
		if (passed * 37 % 100 < loss_percent)
			throttle_lose(&t, &provider, now);
	}
	return passed / 20;
}

static void test_losses(void **state)
{
	(void)state;
	unsigned whole = rate_at_loss(0);
	assert_in_range(whole, 700, 900);
	assert_in_range(rate_at_loss(1), whole * 90 / 100, whole * 94 / 100);
	assert_in_range(rate_at_loss(25), whole * 28 / 100, whole * 34 / 100);
	assert_in_range(rate_at_loss(100), whole * 9 / 100, whole * 11 / 100);
	/* An outage over, the rate is back within a second. */
	struct throttle t = {0};
	for (unsigned i = 0; i < 10000; i++)
		throttle_lose(&t, &provider, now_at(0));
	assert_int_equal(throttle_take_spare(&t, &provider, false, now_at(1200)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_popularity), cmocka_unit_test(test_hot),
		cmocka_unit_test(test_lead),	   cmocka_unit_test(test_retries),
		cmocka_unit_test(test_rules),	   cmocka_unit_test(test_claims),
		cmocka_unit_test(test_buckets),	   cmocka_unit_test(test_line),
		cmocka_unit_test(test_losses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
