#include "sim/stub.h"

#include "dns/builder.h"
#include "dns/edns.h"
#include "sim/check.h"
#include "sim/oracle.h"
#include "sim/sim.h"

enum { QUERY_SIZE = 1024, SLACK_US = 60000, MILLISECOND_US = 1000 };

struct stub *stub_plan(struct sim *s, uint64_t at_us, const uint8_t *qname, uint16_t qtype)
{
	REQUIRE(s->stubs.count < STUBS_MAX);
	struct stub *c = world_alloc(&s->world, sizeof(*c));
	c->token = s->stubs.count + 1;
	s->stubs.list[s->stubs.count++] = c;
	dname_copy(qname, c->qname);
	c->qtype = qtype;
	c->qclass = CLASS_IN;
	c->id = (uint16_t)prng_u64(&s->dice);
	c->recursion_desired = true;
	c->has_edns = true;
	c->edns_size = 1232;
	const uint8_t address[4] = {10, 0, 0, (uint8_t)prng_between(&s->dice, 1, 250)};
	c->from = endpoint_of(span_of(address, 4), (uint16_t)prng_between(&s->dice, 1024, 65535));
	struct sim_event ask = {.kind = HAPPEN_ASK, .token = c->token};
	sim_schedule(s, at_us, &ask);
	return c;
}

static size_t build_query(const struct stub *c, uint8_t *wire, size_t size)
{
	uint16_t flags =
		(uint16_t)((c->recursion_desired ? FLAG_RD : 0) |
			   (c->checking_disabled ? FLAG_CD : 0) | (c->wants_ad ? FLAG_AD : 0));
	if (c->odd == ODD_RESPONSE)
		flags |= FLAG_QR;
	if (c->odd == ODD_OPCODE)
		flags |= OPCODE_NOTIFY << FLAG_OPCODE_SHIFT;
	struct builder b;
	builder_init(&b, wire, size, c->id, flags);
	if (c->odd != ODD_NO_QUESTION)
		REQUIRE(builder_question(&b, c->qname, c->qtype, c->qclass));
	if (c->odd == ODD_TWO_QUESTIONS)
		REQUIRE(builder_question(&b, c->qname, c->qtype, c->qclass));
	uint8_t cookie[8] = {1, 2, 3, 4, 5, 6, 7, (uint8_t)c->token};
	struct edns_reply opt = {
		.size = c->edns_size, .dnssec_ok = c->dnssec_ok, .ede = EDE_NONE, .ede2 = EDE_NONE};
	if (c->has_cookie)
		opt.cookie = span_of(cookie, sizeof(cookie));
	for (unsigned i = 0; c->has_edns && i < (c->odd == ODD_TWO_OPTS ? 2 : 1); i++)
		REQUIRE(edns_write(&b, &opt));
	struct span done = builder_finish(&b);
	if (c->odd == ODD_BADVERS) /* the version is the sixth byte from the end of a bare OPT */
		wire[done.len - edns_size(&opt) + 6] = 1;
	return c->odd == ODD_SHORT ? 11 : done.len;
}

static void tell_question(struct sim *s, const struct stub *c)
{
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE];
	sim_tell(s, "client %llu asks %s %s%s%s%s edns %u odd %d", (unsigned long long)c->token,
		 dname_text(c->qname, name), type_text(c->qtype, type),
		 c->transport == TRANSPORT_TCP ? " tcp" : "", c->recursion_desired ? "" : " -rd",
		 c->dnssec_ok ? " do" : "", c->has_edns ? c->edns_size : 0, c->odd);
}

/* Somebody got an answer that may still be kept: nobody needs to be asked again. */
static const struct stub *find_fresh(const struct sim *s, const struct stub *c)
{
	for (unsigned i = 0; i < s->stubs.count; i++) {
		const struct stub *o = s->stubs.list[i];
		if (o->fresh_until_us > s->now_us + MILLISECOND_US && !o->ends_soon &&
		    o->qtype == c->qtype && o->dnssec_ok == c->dnssec_ok &&
		    o->checking_disabled == c->checking_disabled && dname_equal(o->qname, c->qname))
			return o;
	}
	return NULL;
}

/* As the system chooses one of several sockets. */
unsigned stub_worker(const struct sim *s, const struct stub *c)
{
	return (unsigned)((c->token * 0x9e3779b97f4a7c15u) >> 40) % s->life.worker_count;
}

void stub_restarted(struct sim *s)
{
	for (unsigned i = 0; i < s->stubs.count; i++)
		if (s->stubs.list[i]->checking_disabled) /* bogus data ends with the process */
			s->stubs.list[i]->fresh_until_us = 0;
}

void stub_clock_set(struct sim *s)
{
	for (unsigned i = 0; i < s->stubs.count && s->life.persists; i++)
		s->stubs.list[i]->fresh_until_us = 0;
}

/* What is fresh is answered at once: from the cache, or (RFC 8198) made from proofs in the cache. */
static void check_fresh(struct sim *s, const struct stub *c, const struct stub *fresh)
{
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE];
	bool may_be_made = s->settings.aggressive_nsec || s->life.number > 1; /* or is on disk */
	bool at_once = c->was_hit ||
		       (may_be_made && c->state != STUB_WAITING && s->net.sent == c->sends_before);
	/* Stale answers have a TTL too; and what a zone proves anew when its keys roll takes the
	 * place of older proofs, from which an answer may have been made. */
	bool is_renewed = s->rollover.zone || s->life.number > 1; /* proofs are not on disk */
	/* A disk that takes its time lets the question go on beside it. */
	bool is_late = s->life.number > 1 && s->life.disk_mood > 0;
	bool may_be_lost =
		hot_is_watched(s) || is_late || (s->settings.aggressive_nsec && is_renewed);
	if (fresh && !at_once && !may_be_lost)
		sim_fail(s, "a fresh answer is served from the cache",
			 "client %llu: %s %s, known since client %llu for another %llu ms",
			 (unsigned long long)c->token, dname_text(c->qname, name),
			 type_text(c->qtype, type), (unsigned long long)fresh->token,
			 (unsigned long long)(fresh->fresh_until_us - s->now_us) / 1000);
	if (c->was_hit && s->net.sent != c->sends_before)
		sim_fail(s, "a cache hit sends nothing upstream", "client %llu",
			 (unsigned long long)c->token);
}

void stub_ask(struct sim *s, struct stub *c)
{
	static const uint8_t stranger[4] = {203, 0, 113, 7};
	uint8_t query[QUERY_SIZE], answer[65535];
	if (c->odd == ODD_STRANGER)
		c->from = endpoint_of(span_of(stranger, sizeof(stranger)), 4242);
	struct event ev = {
		.kind = EV_QUERY, .token = c->token, .peer = &c->from, .transport = c->transport};
	ev.packet = span_of(query, build_query(c, query, sizeof(query)));
	c->asked_us = s->now_us;
	c->state = STUB_WAITING;
	c->sends_before = s->net.sent;
	s->stubs.asked++;
	s->stubs.last_us = s->now_us;
	tell_question(s, c);
	if (s->life.is_down) {
		c->state = STUB_GONE;
		return;
	}
	ptrdiff_t len =
		resolver_answer_now(s->life.workers[stub_worker(s, c)].resolver, sim_now(s), &ev,
				    answer, c->transport == TRANSPORT_TCP ? sizeof(answer) : 1232);
	const struct stub *fresh =
		c->odd == ODD_NOT && c->qtype != TYPE_ANY ? find_fresh(s, c) : NULL;
	if (len == RESOLVER_IGNORE) {
		stub_dropped(s, c->token);
	} else if (len > 0) {
		c->was_hit = true;
		s->stubs.hits++;
		stub_receive(s, c->token, span_of(answer, (size_t)len));
	} else {
		sim_step(s, stub_worker(s, c), &ev);
		if (!c->recursion_desired && s->net.sent != c->sends_before)
			sim_fail(s, "RD=0 sends nothing upstream", "client %llu",
				 (unsigned long long)c->token);
	}
	check_fresh(s, c, fresh);
	if (hot_is_watched(s))
		asked_hot(s, c);
	if (c->state == STUB_WAITING && c->gone_after_us) {
		struct sim_event gone = {.kind = HAPPEN_GONE, .token = c->token};
		sim_schedule(s, s->now_us + c->gone_after_us, &gone);
	}
}

void stub_leave(struct sim *s, struct stub *c)
{
	if (c->state != STUB_WAITING)
		return;
	sim_tell(s, "client %llu leaves", (unsigned long long)c->token);
	c->state = STUB_GONE;
	struct event ev = {
		.kind = EV_GONE, .token = c->token, .peer = &c->from, .transport = c->transport};
	sim_step(s, stub_worker(s, c), &ev);
}

/* A truncated answer over UDP is asked for again over TCP, as stubs do. */
static void ask_again(struct sim *s, const struct stub *c)
{
	if (s->stubs.count == STUBS_MAX)
		return;
	struct stub *again = stub_plan(s, s->now_us + 1000, c->qname, c->qtype);
	again->transport = TRANSPORT_TCP;
	again->dnssec_ok = c->dnssec_ok;
	again->has_edns = c->has_edns;
	again->checking_disabled = c->checking_disabled;
}

void stub_receive(struct sim *s, uint64_t token, struct span packet)
{
	struct stub *c = token && token <= s->stubs.count ? s->stubs.list[token - 1] : NULL;
	if (!c || c->state != STUB_WAITING) {
		sim_fail(s, "one answer for each question", "answer for token %llu in state %d",
			 (unsigned long long)token, c ? (int)c->state : -1);
		return;
	}
	c->state = STUB_ANSWERED;
	c->answered_us = s->now_us;
	if (s->now_us - c->asked_us > (uint64_t)s->settings.client_ms * 1000 + SLACK_US)
		sim_fail(s, "answered in time", "client %llu after %llu ms",
			 (unsigned long long)token,
			 (unsigned long long)(s->now_us - c->asked_us) / 1000);
	check_answer(s, c, packet);
	if (hot_is_watched(s))
		answered_hot(s, c);
	if (c->truncated && c->odd == ODD_NOT && c->recursion_desired && !s->failed)
		ask_again(s, c);
}

void stub_dropped(struct sim *s, uint64_t token)
{
	struct stub *c = token && token <= s->stubs.count ? s->stubs.list[token - 1] : NULL;
	if (!c || c->state != STUB_WAITING || (c->odd != ODD_RESPONSE && c->odd != ODD_SHORT)) {
		sim_fail(s, "only what is no question is dropped", "token %llu",
			 (unsigned long long)token);
		return;
	}
	c->state = STUB_IGNORED;
}

void stub_check_end(struct sim *s)
{
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE];
	for (unsigned i = 0; i < s->stubs.count; i++) {
		const struct stub *c = s->stubs.list[i];
		if (c->state == STUB_WAITING || c->state == STUB_PLANNED)
			sim_fail(s, "every client is answered",
				 "client %llu: %s %s asked at %llu ms",
				 (unsigned long long)c->token, dname_text(c->qname, name),
				 type_text(c->qtype, type), (unsigned long long)c->asked_us / 1000);
	}
}
