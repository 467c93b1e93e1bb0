#include "sim/habits.h"

#include <stdlib.h>

#include "dns/text.h"
#include "sim/check.h"
#include "sim/sim.h"

enum {
	QUESTIONS = 30,
	SERVER_COOKIE_SIZE = 8,
	OPT_FIXED_SIZE = 11,
	FITS_SIZE =
		350, /* records of a name whose reply fits 1232 bytes, with all that goes along */
	ROUNDS = 5,
	GAP_US = 200000,
	PAUSE_US = 45000000, /* longer than a failure is remembered (RFC 9520) */
};

/* ---- what they do ---------------------------------------------------------------------------- */

static bool has_capital(const struct message *m)
{
	uint8_t name[DNAME_MAX], lower[DNAME_MAX];
	size_t len = message_name(m, m->qname_offset, name);
	dname_lower(name, lower);
	return memcmp(name, lower, len) != 0;
}

bool habits_has_options(const struct message *m)
{
	return m->opt_count > 0 && m->wire.len > (size_t)m->opt_offset + OPT_FIXED_SIZE;
}

bool habits_knows_letters(const struct server_query *query)
{
	return query->host->quirks.mixed == MIXED_KNOWN || !has_capital(query->message);
}

bool habits_tells_error(const struct server_query *query, uint16_t *rcode)
{
	switch (query->host->quirks.mixed) {
	case MIXED_REFUSED:
		*rcode = RCODE_REFUSED;
		return true;
	case MIXED_SERVFAIL:
		*rcode = RCODE_SERVFAIL;
		return true;
	case MIXED_KNOWN:
	case MIXED_SILENT:
		break;
	}
	return false;
}

size_t habits_cookie(struct prng *dice, const struct host *host, const struct edns *edns,
		     uint8_t out[static HABITS_COOKIE_SIZE])
{
	if (edns->client_cookie_len == 0 || !prng_percent(dice, host->quirks.cookie_percent))
		return 0;
	memcpy(out, edns->client_cookie, edns->client_cookie_len);
	memset(out + edns->client_cookie_len, 0x55, SERVER_COOKIE_SIZE);
	return edns->client_cookie_len + SERVER_COOKIE_SIZE;
}

bool habits_pass(const struct server_query *query, struct server_reply *reply)
{
	const struct quirks *q = &query->host->quirks;
	if (!query->tcp && q->udp_max > 0 && reply->len > q->udp_max)
		return false;
	if (q->trailing > 0) {
		reply->wire = realloc(reply->wire, reply->len + q->trailing);
		REQUIRE(reply->wire);
		memset(reply->wire + reply->len, 0xa5, q->trailing);
		reply->len += q->trailing;
	}
	return true;
}

/* ---- who has which --------------------------------------------------------------------------- */

/* A reply of Z may be too large for UDP. */
static bool needs_tcp(const struct zone *z)
{
	if (z->security)
		return true;
	for (size_t i = 0; i < z->node_count; i++) {
		size_t size = 0;
		for (unsigned k = 0; k < z->nodes[i].set_count; k++)
			size += z->nodes[i].sets[k].rdata.len;
		if (size > FITS_SIZE)
			return true;
	}
	return false;
}

static void draw(struct sim *s, struct quirks *q)
{
	static const uint16_t maxima[] = {512, 512, 600, 1000};
	struct prng *d = &s->dice;
	q->lowercase = prng_percent(d, 25);
	q->mixed = prng_percent(d, 15)
			   ? (enum mixed_mode)prng_between(d, MIXED_REFUSED, MIXED_SILENT)
			   : MIXED_KNOWN;
	if (q->mute) /* what says nothing to small letters either does not show that it needs them */
		q->mixed = MIXED_KNOWN;
	q->tcp = prng_percent(d, 30)
			 ? (enum tcp_mode)prng_between(d, TCP_MODE_REFUSED, TCP_MODE_CLOSES)
			 : TCP_MODE_OK;
	q->truncates = prng_percent(d, 10);
	q->udp_max = prng_percent(d, 15) ? PRNG_PICK(d, maxima) : 0;
	q->trailing = prng_percent(d, 15) ? (uint8_t)prng_between(d, 1, 20) : 0;
	q->cookie_percent = prng_percent(d, 40) ? (prng_percent(d, 50) ? 100 : 50) : 0;
	q->edns = EDNS_MODE_FULL;
	if (prng_percent(d, 40))
		q->edns = EDNS_MODE_OPTIONS;
	else if (!s->settings.dnssec && prng_percent(d, 40))
		q->edns = (enum edns_mode)prng_between(d, EDNS_MODE_FORMERR, EDNS_MODE_DROP);
	q->error_opt = prng_percent(d, 50);
	q->error_bare = prng_percent(d, 30);
	q->dead = prng_percent(d, 10);
	/* Who sends him many wrong ids is told over TCP: without, that ends in failure. */
	q->spoofed = q->tcp == TCP_MODE_OK && prng_percent(d, 20);
}

/* Whatever is not asked for as Q's host likes it, it does not answer at all. */
static bool is_silent_type(const struct quirks *q)
{
	return q->mixed == MIXED_SILENT || q->udp_max > 0 || q->edns == EDNS_MODE_DROP;
}

/* It tells what Z has to who asks in the right way, which can be found out in time: it is silent for one
 * reason at most, and then no other server of Z is silent for ever. */
static void enable(const struct zone *z, struct host *able)
{
	struct quirks *q = &able->quirks;
	bool may_be_large = q->truncates || q->udp_max > 0 ||
			    (q->edns != EDNS_MODE_FULL && q->edns != EDNS_MODE_OPTIONS);
	q->dead = false;
	if (may_be_large || needs_tcp(z))
		q->tcp = TCP_MODE_OK;
	if (!is_silent_type(q))
		return;
	if (q->mixed == MIXED_SILENT) {
		q->udp_max = 0;
		if (q->edns == EDNS_MODE_DROP)
			q->edns = EDNS_MODE_OPTIONS;
	} else if (q->udp_max > 0 && q->edns == EDNS_MODE_DROP) {
		q->edns = EDNS_MODE_FORMERR;
	}
	for (unsigned i = 0; i < z->host_count; i++)
		z->hosts[i]->quirks.dead = false;
}

/* Every question several times. Between them failures are forgotten, and short TTLs end. */
static void ask(struct sim *s)
{
	static const uint16_t types[] = {TYPE_A,  TYPE_A,  TYPE_AAAA, TYPE_TXT,
					 TYPE_MX, TYPE_NS, TYPE_DS};
	const uint8_t *names[QUESTIONS];
	uint16_t asked[QUESTIONS];
	uint64_t at_us = 1000;
	for (unsigned i = 0; i < QUESTIONS; i++) {
		names[i] = s->world.names[prng_below(&s->dice, s->world.name_count)];
		asked[i] = PRNG_PICK(&s->dice, types);
	}
	for (unsigned round = 0; round < ROUNDS; round++, at_us += PAUSE_US)
		for (unsigned i = 0; i < QUESTIONS; i++) {
			struct stub *c = stub_plan(s, at_us, names[i], asked[i]);
			c->dnssec_ok = prng_percent(&s->dice, 50);
			at_us += prng_below(&s->dice, GAP_US);
		}
}

void habits_build(struct sim *s)
{
	struct world *w = &s->world;
	s->settings.dnssec = prng_percent(&s->dice, 40);
	w->mood = MOOD_HEALTHY;
	generate_world(s);
	for (unsigned i = 0; i < w->host_count; i++)
		if (!w->hosts[i]->quirks.is_recursive)
			draw(s, &w->hosts[i]->quirks);
	for (unsigned i = 0; i < w->zone_count; i++) {
		const struct zone *z = w->zones[i];
		enable(z, z->hosts[prng_below(&s->dice, z->host_count)]);
	}
	w->mood = MOOD_ROUGH; /* the first time may be too short for what has to be found out */
	ask(s);
}

static bool has_failed(const struct sim *s, unsigned round, unsigned index)
{
	return s->stubs.list[round * QUESTIONS + index]->rcode == RCODE_SERVFAIL;
}

void habits_finish(struct sim *s)
{
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE];
	for (unsigned i = 0; i < QUESTIONS; i++) {
		const struct stub *c = s->stubs.list[(ROUNDS - 1) * QUESTIONS + i];
		bool is_limited = strstr(c->reason, "limit of"); /* of packets, for long chains */
		if (has_failed(s, ROUNDS - 1, i) && has_failed(s, ROUNDS - 2, i) && !is_limited &&
		    check_can_tell(s, c))
			sim_fail(s, "a name that one honest reachable server tells is told",
				 "client %llu, %s %s: %s", (unsigned long long)c->token,
				 dname_text(c->qname, name), type_text(c->qtype, type), c->reason);
	}
}
