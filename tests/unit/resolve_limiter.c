#include "unit/resolve_unit.h"

enum { RATE = 10, BURST = RATE + 1 }; /* the first of all, and a second's worth */

static const char *const full = "NOERROR rd = name.example. 300 A 192.0.2.1";

/* Everybody may ask but 203.0.113.0/24; 198.51.100.0/24 are trusted, and so at most RATE answers go to
 * any other network. */
static struct rig *limited_rig(void)
{
	static const struct access_rule rules[] = {
		{{.family = 4, .bits = 0}, true},
		{{.family = 6, .bits = 0}, true},
		{{.family = 4, .bits = 24, .addr = {203, 0, 113}}, false},
	};
	static const struct access_rule trusted = {
		{.family = 4, .bits = 24, .addr = {198, 51, 100}}, true};
	static struct limiter limiter;
	struct rig *g = rig_new();
	struct rng rng;
	g->settings.access = rules;
	g->settings.access_count = ARRAY_LEN(rules);
	g->settings.trusted = &trusted;
	g->settings.trusted_count = 1;
	g->settings.response_rate = RATE;
	REQUIRE(settings_finish(&g->settings, &g->arena) == OK);
	rng_init_seeded(&rng, 3);
	limiter_init(&limiter, &rng);
	g->context.limiter = &limiter;
	struct answer *a = rig_answer(g, "name.example.", TYPE_A);
	rig_add(g, a, "name.example. 300 A 192.0.2.1");
	rig_store(g, a);
	return g;
}

static const char *ask_from(struct rig *g, const char *client, const char *how)
{
	REQUIRE(endpoint_parse(client, 4711, &g->peer) == OK);
	return rig_ask(g, "name.example.", TYPE_A, how);
}

static bool is_full(struct rig *g, const char *client)
{
	return strstr(ask_from(g, client, ""), " A 192.0.2.1");
}

static void spend(struct rig *g, const char *client)
{
	for (unsigned i = 0; i < BURST; i++)
		CHECK("up to the rate", is_full(g, client));
}

static void test_networks(void **state)
{
	(void)state;
	struct rig *g = limited_rig();
	spend(g, "192.0.2.1");
	check_text("past the rate: no data, and TC", ask_from(g, "192.0.2.1", ""), "NOERROR tc rd");
	CHECK("nothing is gained", g->reply_len <= (ptrdiff_t)g->query_len);
	check_text("RFC 6891 §7: with an OPT record if there was one",
		   ask_from(g, "192.0.2.1", "do"), "NOERROR tc rd [opt do]");
	CHECK("nothing is gained", g->reply_len <= (ptrdiff_t)g->query_len);
	check_text("neighbours are flooded too", ask_from(g, "192.0.2.99", ""), "NOERROR tc rd");
	check_text("another network is not", ask_from(g, "192.0.3.1", ""), full);
	check_text("TCP cannot be forged", ask_from(g, "192.0.2.1", "tcp"), full);
	g->now = unit_now(1000);
	for (unsigned i = 0; i < RATE; i++)
		CHECK("a second later", is_full(g, "192.0.2.1"));
	check_text("and no more", ask_from(g, "192.0.2.1", ""), "NOERROR tc rd");
	spend(g, "2001:db8:0:1::1");
	check_text("a /56 is one network", ask_from(g, "2001:db8:0:2::1", ""), "NOERROR tc rd");
	CHECK("another /56 is another", is_full(g, "2001:db8:0:100::1"));
	check_text("IPv4 over an IPv6 socket is IPv4", ask_from(g, "::ffff:192.0.2.7", ""),
		   "NOERROR tc rd");
	CHECK("counted", metrics_get(&g->metrics, METRIC_answers_limited_total) == 6);
	g->settings.response_rate = 0;
	CHECK("no limit", is_full(g, "192.0.2.1"));
	rig_free(g);
}

static void test_who_is_real(void **state)
{
	(void)state;
	struct rig *g = limited_rig();
	for (unsigned i = 0; i < 10 * BURST; i++)
		check_text("trusted networks have no limit", ask_from(g, "198.51.100.1", ""), full);
	spend(g, "192.0.2.1");
	check_text("a client cookie alone is anybody's", ask_from(g, "192.0.2.1", "cookie"),
		   "NOERROR tc rd [opt cookie=CLIENTCO+16]");
	CHECK("RFC 7873 §5.2.3: the reply brings ours", g->client.cookie_len == 24);
	/* The query ends with the cookie: ours goes behind it. */
	g->query[g->query_len - 9] = 24;
	g->query[g->query_len - 13] += 16;
	memcpy(g->query + g->query_len, g->client.cookie + 8, 16);
	g->query_len += 16;
	rig_feed(g, TRANSPORT_UDP);
	CHECK("RFC 7873 §5.2.5: who shows it is real", strstr(rig_reply_text(g), " = name."));
	g->query[g->query_len - 1] ^= 1;
	rig_feed(g, TRANSPORT_UDP);
	CHECK("RFC 7873 §5.2.4: a bad one is none", strstr(rig_reply_text(g), " tc "));
	rig_free(g);
}

static void test_denied(void **state)
{
	(void)state;
	struct rig *g = limited_rig();
	for (unsigned i = 0; i < BURST; i++)
		check_text("who may not ask is told", ask_from(g, "203.0.113.1", ""), "REFUSED rd");
	check_text("and not for ever", ask_from(g, "203.0.113.1", ""), "ignore");
	rig_free(g);
}

/* What others have asked is not for strangers to see. */
static void test_norecurse(void **state)
{
	(void)state;
	struct rig *g = limited_rig();
	check_text("RD=0 of a stranger", ask_from(g, "192.0.2.1", "rd0 edns"),
		   "REFUSED [opt ede=20]");
	check_text("RFC 1034 §4.3.1: RD=0 of who is trusted", ask_from(g, "198.51.100.1", "rd0"),
		   "NOERROR = name.example. 300 A 192.0.2.1");
	rig_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_who_is_real),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_norecurse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
