#include "resolve/upstream.h"

#include "dns/cookie.h"
#include "resolve/chain.h"
#include "resolve/family.h"
#include "resolve/form.h"
#include "resolve/habit.h"
#include "resolve/no_ds.h"
#include "resolve/patience.h"
#include "resolve/servers.h"
#include "resolve/witness.h"

enum {
	SIGNED_SENDS = 2,    /* once more over TCP, and over UDP if that is closed */
	TURN_LATE_MS = 50,   /* a turn missed by more is lost: others have theirs by now */
	HEDGE_PERMILLE = 50, /* hedges among sends: a few per cent of extra packets */
	/* An ICMP message may be forged, and a reply lost: both at once, twice, is believed for a
	 * question. */
	GONE_MAX = 2,
	STARVED_DOUBLINGS = 4, /* of the time until the next try */
};

static void forget(struct query *q, struct send *s)
{
	for (unsigned i = 0; i < q->open_count; i++) {
		if (q->open[i] != s)
			continue;
		q->open[i] = q->open[--q->open_count];
		sends_close(q->resolver, s);
		return;
	}
}

void upstream_cancel(struct query *q, struct send *s)
{
	struct action cancel = {.kind = ACT_CANCEL, .token = s->token};
	resolver_act(q->resolver, &cancel);
	forget(q, s);
}

void upstream_cancel_all(struct query *q)
{
	while (q->open_count > 0)
		upstream_cancel(q, q->open[q->open_count - 1]);
}

/* DNS 0x20 (draft-vixie-dnsext-dns0x20): letters in random case. */
static void randomise_case(struct rng *rng, uint8_t *name)
{
	uint8_t bits[DNAME_MAX / 8 + 1];
	size_t len = dname_len(name);
	rng_bytes(rng, bits, len / 8 + 1);
	for (size_t i = 0; i < len;) {
		size_t end = i + 1 + name[i];
		for (i++; i < end; i++) {
			bool letter = name[i] >= 'a' && name[i] <= 'z';
			if (letter && (bits[i / 8] >> (i % 8) & 1))
				name[i] -= 'a' - 'A';
		}
	}
}

/* The COOKIE option's bytes into OUT (40 bytes); its length. */
static size_t make_cookie(struct query *q, struct send *s, const struct infra_server *known,
			  const struct endpoint *address, uint8_t *out)
{
	cookie_make_client(&q->resolver->cookie_secret, address, s->cookie);
	memcpy(out, s->cookie, COOKIE_CLIENT_SIZE);
	memcpy(out + COOKIE_CLIENT_SIZE, known->server_cookie, known->server_cookie_len);
	return COOKIE_CLIENT_SIZE + (size_t)known->server_cookie_len;
}

static uint16_t query_flags(const struct query *q)
{
	const struct settings_zone *zone = q->zone.configured;
	if (!zone || !zone->forward)
		return 0;
	/* RFC 6840 §5.9: a validator asks its forwarder with CD set. */
	return (uint16_t)(FLAG_RD | (q->settings->dnssec && !zone->insecure ? FLAG_CD : 0));
}

/* RFC 8145 §4: tell the servers of an anchored zone which keys are trusted here. */
static void signal_key_tags(const struct query *q, const struct send *s, struct edns_reply *opt)
{
	const struct anchor *anchor = s->qtype == TYPE_DNSKEY ? chain_anchor(q, q->name) : NULL;
	if (q->settings->dnssec && anchor && dname_equal(anchor->zone, q->name))
		opt->key_tag_count =
			(uint8_t)anchor_tags(anchor, opt->key_tags, ARRAY_LEN(opt->key_tags));
}

/* The packet of S in the step arena; an empty span if memory is out. */
static struct span build_packet(struct query *q, struct send *s, const struct infra_server *known)
{
	struct resolver *r = q->resolver;
	const struct server *server = &q->zone.servers[s->server];
	struct builder b;
	uint8_t cookie[COOKIE_CLIENT_SIZE + 32];
	builder_init(&b, r->scratch, 512, s->id, query_flags(q));
	if (!builder_question(&b, s->qname, s->qtype, CLASS_IN))
		return (struct span){0};
	struct edns_reply opt = {.size = s->offered,
				 .dnssec_ok = q->settings->dnssec,
				 .ede = EDE_NONE,
				 .ede2 = EDE_NONE};
	if (s->form == FORM_FULL && s->transport == TRANSPORT_UDP && !server->no_cookie) {
		s->with_cookie = true;
		opt.cookie = span_of(cookie, make_cookie(q, s, known, &server->address, cookie));
	}
	if (s->form == FORM_FULL)
		signal_key_tags(q, s, &opt);
	s->with_options = s->with_cookie || opt.key_tag_count > 0;
	if (s->form != FORM_PLAIN && !edns_write(&b, &opt))
		return (struct span){0};
	return arena_copy(&r->step_arena, builder_finish(&b));
}

static bool hedging_allowed(struct query *q)
{
	struct resolver *r = q->resolver;
	if (servers_are_counted(q) || sends_are_many(r))
		return false;
	return r->hedges * 1000 <= r->hedge_base * HEDGE_PERMILLE + 10 * 1000;
}

static void count_send(struct query *q, struct send *s)
{
	struct resolver *r = q->resolver;
	bool tcp = s->transport == TRANSPORT_TCP;
	metrics_add(r->metrics,
		    tcp ? METRIC_upstream_tcp_sent_total : METRIC_upstream_udp_sent_total, 1);
	q->sends++;
	s->number = q->budget->trace.packets++;
	q->budget->sends++;
	r->max_sends_per_client = MAX(r->max_sends_per_client, q->budget->sends);
	q->zone.servers[s->server].sends++;
	if (++r->hedge_base >= 4096) { /* a sliding share: halve both */
		r->hedge_base /= 2;
		r->hedges /= 2;
	}
}

static void note_throttled(struct query *q, enum trace_throttle by, uint32_t wait_ms)
{
	query_note(q, (struct trace_step){.kind = TRACE_THROTTLED, .code = by, .value = wait_ms});
}

static bool refresh_may_send(struct query *q, unsigned index)
{
	struct resolver *r = q->resolver;
	/* Of configured servers the operator knows what they bear: rate-limit. */
	const uint8_t *zone = q->zone.configured ? NULL : q->zone.name;
	uint32_t wait_ms =
		prefetch_upstream_wait_ms(r->prefetch, &q->zone.servers[index].address, zone);
	if (wait_ms == 0)
		return true;
	metrics_add(r->metrics, METRIC_prefetch_throttled_total, 1);
	query_trouble(q, EDE_OTHER, "held back by max-rate of prefetching");
	note_throttled(q, TRACE_THROTTLE_PREFETCH, wait_ms);
	q->throttled_until_ms = now_mono_ms(r->now) + wait_ms;
	return false;
}

/* Through a zone that has a limit of its own, that many; through others, as many as the server bears. */
static struct throttle_want want_of(const struct query *q, const struct settings_budget *budget,
				    unsigned packets)
{
	const struct settings_zone *zone = q->zone.configured;
	const struct shares_holder *holder = shares_holder(&q->share);
	struct span prefix = span_of(&holder->prefix, sizeof(holder->prefix));
	return (struct throttle_want){.server = budget->counted_as,
				      .rate = zone && zone->rate_limit > 0 ? zone->rate_limit
									   : budget->rate,
				      .packets = packets,
				      .client = hash_bytes(&q->resolver->cookie_secret, prefix),
				      .weight = holder->weight};
}

static void blame_rate_limit(struct query *q, uint32_t rate)
{
	const struct settings_zone *zone = q->zone.configured;
	bool own = zone && zone->rate_limit > 0;
	query_trouble(q, EDE_OTHER, "held back by rate-limit %u of %s configuration", rate,
		      own ? "the zone's" : "another zone's, of the same server,");
}

/* May Q send as far as BUDGET goes? If not, it waits in line, or for nothing. */
static bool has_turn(struct query *q, const struct settings_budget *budget, bool tcp)
{
	struct resolver *r = q->resolver;
	uint64_t now_ms = now_mono_ms(r->now), turn_ms = q->turn_ms;
	struct throttle_want want = want_of(q, budget, tcp ? THROTTLE_TCP_PACKETS : 1);
	uint32_t patience_ms = MIN((uint32_t)LIMIT_CLIENT_MS, LIMIT_LINE * 1000u / want.rate);
	struct throttle_place place = {0};
	if (turn_ms > 0 && now_ms >= turn_ms && now_ms <= turn_ms + TURN_LATE_MS &&
	    endpoint_equal(&q->turn_at, &want.server)) {
		if (!line_is_next(q))
			return false;
		q->turn_ms = 0;
		line_leave(q);
		return true;
	}
	q->turn_ms = 0;
	line_leave(q);
	uint32_t wait_ms = q->budget->refresh
				   ? throttle_take_spare(r->throttle, &want,
							 prefetch_is_pressed(r->prefetch, q),
							 resolver_shared_now(r))
				   : throttle_take(r->throttle, &want, patience_ms,
						   resolver_shared_now(r), &place);
	if (wait_ms == 0)
		return true;
	metrics_add(r->metrics, METRIC_upstream_throttled_total, 1);
	blame_rate_limit(q, want.rate);
	note_throttled(q, TRACE_THROTTLE_ZONE, wait_ms);
	q->held_back = wait_ms == THROTTLE_NEVER;
	metrics_add(r->metrics, METRIC_shares_line_total, q->held_back);
	if (q->held_back)
		return false;
	q->throttled_until_ms = now_ms + wait_ms;
	q->turn_at = want.server;
	if (place.packets > 0) {
		q->turn_ms = q->throttled_until_ms;
		line_join(q, &place);
	}
	return false;
}

static bool within_budget(struct query *q, unsigned index, bool tcp)
{
	const struct settings_budget *budget = q->zone.servers[index].budget;
	if (q->budget->sends >= LIMIT_SENDS || q->sends >= LIMIT_SENDS_PER_QUERY) {
		query_limit(q, EDE_OTHER, "limit of %u upstream packets reached",
			    q->budget->sends >= LIMIT_SENDS ? LIMIT_SENDS : LIMIT_SENDS_PER_QUERY);
		return false;
	}
	if (q->only_family && !family_probe_goes_on(q))
		return false;
	if (q->budget->refresh && !refresh_may_send(q, index))
		return false;
	return !budget || has_turn(q, budget, tcp);
}

/* The oldest but one: what was sent first is the first to be answered if all answers are late, those
 * behind it are the least likely to bring anything sooner. */
static struct send *least_promising(const struct query *q)
{
	struct send *first = q->open[0], *second = q->open[1];
	if (second->sent_us < first->sent_us) {
		first = q->open[1];
		second = q->open[0];
	}
	for (unsigned i = 2; i < q->open_count; i++) {
		struct send *s = q->open[i];
		if (s->sent_us < first->sent_us) {
			second = first;
			first = s;
		} else if (s->sent_us < second->sent_us) {
			second = s;
		}
	}
	return second;
}
static_assert(LIMIT_SENDS_OPEN >= 2, "there is an oldest but one");

static bool has_open_tcp(const struct query *q, unsigned index)
{
	for (unsigned i = 0; i < q->open_count; i++)
		if (q->open[i]->server == index && q->open[i]->transport == TRANSPORT_TCP)
			return true;
	return false;
}

/* A refresh has time: where UDP was lost twice, TCP may pass. So may EDNS, where it did not. Never where
 * packets are counted. */
static bool try_tcp(const struct query *q, unsigned index)
{
	const struct server *server = &q->zone.servers[index];
	const struct settings_zone *zone = q->zone.configured;
	/* The root's name has no letters whose case could be checked: its servers' names come over TCP, if
	 * that goes within PATIENCE_STUBBORN_MS. Until then there are the hints. */
	if (q->priming && q->zone.from_hints)
		return q->sends == 0;
	if (q->confirming) /* nobody can forge it there */
		return !server->tcp_failed && !servers_are_counted(q);
	if (q->zone.signed_data)
		return !server->tcp_failed && !servers_are_counted(q) && !has_open_tcp(q, index);
	if (no_ds_wants_tcp(q, server))
		return true;
	return q->refresh && server->losses >= 2 && !server->tcp_failed && !zone;
}

/* How many sends may be hinted to be in vain, and have time yet, while another server is asked: who hints
 * of all of them must not spend what Q and its client query may send. */
static unsigned hints_max(const struct query *q)
{
	bool is_spent =
		q->budget->sends >= LIMIT_SENDS / 2 || q->sends >= LIMIT_SENDS_PER_QUERY / 2;
	return is_spent ? 0 : LIMIT_SENDS_OPEN - 1;
}

bool upstream_has_live(const struct query *q)
{
	unsigned hinted = 0;
	for (unsigned i = 0; i < q->open_count; i++) {
		if (!upstream_is_late(q->open[i]))
			return true;
		hinted += upstream_has_time(q->open[i]);
	}
	return hinted > hints_max(q);
}

static void note_send(struct query *q, const struct send *s, bool hedge)
{
	bool differs = s->minimized || s->witness;
	query_note(q, (struct trace_step){
			      .kind = TRACE_SEND,
			      .number = s->number,
			      .code = (uint8_t)((s->transport == TRANSPORT_TCP ? TRACE_TCP : 0) |
						(hedge ? TRACE_HEDGE : 0) |
						(s->form == FORM_PLAIN ? TRACE_PLAIN : 0)),
			      .type = differs ? s->qtype : 0,
			      .name = s->minimized ? q->minimize.name
				      : s->witness ? q->name
						   : NULL,
			      .server = &q->zone.servers[s->server].address});
}

bool upstream_send(struct query *q, unsigned index)
{
	struct resolver *r = q->resolver;
	struct server *server = &q->zone.servers[index];
	struct infra_server known;
	const struct settings_zone *zone = q->zone.configured;
	infra_get(r->infra, &server->address, r->now, &known);
	bool tcp = server->use_tcp || (known.quirks & INFRA_TCP_ONLY) || (zone && zone->tcp);
	bool stubborn = !tcp && try_tcp(q, index);
	tcp |= stubborn;
	if (!tcp && !sends_have_room(q, &server->address)) {
		upstream_starve(q);
		return false;
	}
	if (!within_budget(q, index, tcp))
		return false;
	if (q->open_count == LIMIT_SENDS_OPEN)
		upstream_cancel(q, least_promising(q));
	struct send *s = sends_open(q, tcp ? NULL : &server->address);
	if (!s)
		return false;
	s->stubborn = stubborn;
	s->query = q;
	s->server = index;
	s->id = rng_u16(&r->rng);
	s->transport = tcp ? TRANSPORT_TCP : TRANSPORT_UDP;
	s->witness = witness_is_asked(q, index);
	s->minimized = q->minimize.active && !s->witness;
	s->qtype = s->witness ? witness_type(q) : s->minimized ? q->minimize.type : q->qtype;
	form_set(q, s, &known);
	s->sent_us = server->last_sent_us = r->now.mono_us;
	dname_copy(s->minimized ? q->minimize.name : q->name, s->qname);
	bool small = habit_is_small(q, server, &known);
	s->small = !tcp && !small && habit_tries_small(q, server, &known);
	server->asked_small |= small || s->small;
	if (!tcp && !small && !s->small)
		randomise_case(&r->rng, s->qname);
	struct span packet = build_packet(q, s, &known);
	if (!packet.at) {
		sends_close(r, s);
		return false;
	}
	bool hedge = upstream_has_live(q);
	q->open[q->open_count++] = s;
	patience_set(q, s, &known);
	if (s->witness)
		s->hedge_ms = 0; /* nobody else can tell */
	count_send(q, s);
	note_send(q, s, hedge);
	struct action act = {.kind = ACT_SEND,
			     .token = s->token,
			     .packet = packet,
			     .peer = server->address,
			     .transport = s->transport,
			     .zone = sends_zone_mark(q)};
	resolver_act(r, &act);
	return true;
}

void upstream_ask_signed(struct query *q, unsigned index)
{
	struct server *server = &q->zone.servers[index];
	if (q->zone.signed_data) { /* it has been asked with EDNS, by all ways that there are */
		server->bad = true;
		return;
	}
	q->zone.signed_data = true;
	form_insist(q, server);
	server->bad = false; /* as a denial without an SOA made it (set_aside()) */
	server->sends -= MIN(server->sends, (uint8_t)SIGNED_SENDS);
}

/* ---- losses ---- */

void upstream_starve(struct query *q)
{
	struct resolver *r = q->resolver;
	metrics_add(r->metrics, METRIC_upstream_no_room_total, 1);
	query_trouble(q, EDE_OTHER, "overloaded: no socket was free to ask a server");
	q->shortage = true;
	if (q->starvings >= LIMIT_STARVINGS)
		return;
	uint32_t wait_ms = LIMIT_STARVED_MS << MIN(q->starvings, (uint8_t)STARVED_DOUBLINGS);
	q->starvings++;
	note_throttled(q, TRACE_THROTTLE_ROOM, wait_ms);
	q->throttled_until_ms = now_mono_ms(r->now) + wait_ms;
}

static void note_lost(struct query *q, const struct send *s, enum loss loss)
{
	query_note(q, (struct trace_step){.kind = TRACE_LOST, .number = s->number, .code = loss});
}

void upstream_yield(struct send *s)
{
	struct query *q = s->query;
	bool is_live = !upstream_is_late(s);
	metrics_add(q->resolver->metrics, METRIC_upstream_yielded_total, 1);
	note_lost(q, s, LOSS_YIELDED);
	upstream_cancel(q, s);
	if (is_live)
		upstream_starve(q);
	query_wake(q);
}

/* For want of room here the packet of S never left, or gave way: nothing is known of its server. */
static void on_no_room(struct query *q, struct send *s, enum loss loss)
{
	struct server *server = &q->zone.servers[s->server];
	if (loss == LOSS_ROOM) {
		server->sends -= MIN(server->sends, (uint8_t)1); /* it was not asked */
		upstream_starve(q);
	} else { /* waited for, for long: this question does without */
		char text[ENDPOINT_TEXT_SIZE];
		query_trouble(q, EDE_OTHER, "overloaded: %s was waited for no longer",
			      endpoint_text(&server->address, text));
		server->tcp_failed = true;
		server->bad |= !s->stubborn;
		q->shortage = true;
	}
}

/* A TCP connection was refused, closed, or not made. */
static void on_lost_tcp(struct query *q, struct server *server, const struct send *s)
{
	infra_tcp_loss(q->resolver->infra, &server->address, q->resolver->now);
	if (!server->tcp_lost) {
		/* Perhaps only a reused connection that its server was about to close (RFC 7766
		 * §6.2.4): once more over a new one. */
		server->tcp_lost = true;
		(void)habit_leaves_tcp(server);
		return;
	}
	server->tcp_failed = true;
	server->bad |= !s->stubborn && !habit_leaves_tcp(server);
}

static void on_failed(struct query *q, struct send *s)
{
	struct resolver *r = q->resolver;
	struct server *server = &q->zone.servers[s->server];
	char text[ENDPOINT_TEXT_SIZE];
	metrics_add(r->metrics, METRIC_upstream_failures_total, 1);
	query_trouble(q, EDE_NETWORK_ERROR, "%s %s", endpoint_text(&server->address, text),
		      s->transport == TRANSPORT_TCP ? "refused or closed TCP" : "is unreachable");
	if (s->transport == TRANSPORT_TCP) {
		on_lost_tcp(q, server, s);
	} else {
		infra_loss(r->infra, &server->address, r->now);
		server->bad = true;
	}
}

/* Who can make packets that seem to come from anywhere can say that nobody is there, and need not even
 * see the question. So others are asked at once, while S has its time as if nothing had been said. */
static void on_hint(struct query *q, struct send *s)
{
	char text[ENDPOINT_TEXT_SIZE];
	metrics_add(q->resolver->metrics, METRIC_upstream_hints_total, 1);
	query_trouble(q, EDE_NETWORK_ERROR, "%s is unreachable, says an ICMP message",
		      endpoint_text(&q->zone.servers[s->server].address, text));
	s->hinted = true;
	s->hedge_ms = 0;
	query_wake(q);
}

static void on_lost(struct query *q, struct send *s, enum loss loss)
{
	bool udp = s->transport == TRANSPORT_UDP;
	note_lost(q, s, loss);
	switch (loss) {
	case LOSS_ROOM:
	case LOSS_YIELDED:
		on_no_room(q, s, loss);
		break;
	case LOSS_HINT:
		on_hint(q, s);
		return;
	case LOSS_ROUTE:
	case LOSS_CLOSED:
	case LOSS_TIMEOUT:
		on_failed(q, s);
		break;
	}
	forget(q, s);
	if (udp && loss == LOSS_ROOM)
		sends_found_full(q->resolver);
	query_wake(q);
}

void upstream_event(struct resolver *r, const struct event *ev)
{
	struct send *s = sends_find(r, ev->token);
	if (!s)
		return; /* cancelled meanwhile */
	if (ev->kind == EV_LOST)
		on_lost(s->query, s, ev->loss);
	else
		upstream_reply(r, s, ev);
}

/* Nobody is to blame, so nothing is held against the servers beyond this question. */
static void lose_family(struct query *q, uint8_t family)
{
	struct zone_context *z = &q->zone;
	bool waited = false;

	if (z->configured)
		return; /* they may be near: they are asked without a route to the world too */
	for (unsigned i = 0; i < z->server_count; i++)
		z->servers[i].bad |= z->servers[i].address.family == family;
	for (unsigned i = q->open_count; i > 0; i--) {
		struct send *s = q->open[i - 1];
		if (z->servers[s->server].address.family != family)
			continue;
		waited = true;
		upstream_cancel(q, s);
	}
	if (!waited)
		return;
	query_trouble(q, EDE_NO_REACHABLE_AUTHORITY, "the route to IPv%u servers was lost", family);
	query_wake(q);
}

void upstream_family_lost(struct resolver *r, uint8_t family)
{
	for (struct query *q = r->oldest; q; q = q->newer)
		if (q->state != QUERY_DONE)
			lose_family(q, family);
}

bool upstream_has_time(const struct send *s)
{
	return !s->expired;
}

bool upstream_is_late(const struct send *s)
{
	return s->hinted || s->aside || !upstream_has_time(s);
}

/* Where packets are counted, a lost one was one too many. */
static void note_counted_loss(struct query *q, const struct server *server)
{
	if (!server->budget)
		return;
	struct throttle_want want = want_of(q, server->budget, 1);
	throttle_lose(q->resolver->throttle, &want, resolver_shared_now(q->resolver));
}

/* The time of S, over UDP, is over. */
static void on_silence(struct query *q, struct send *s)
{
	struct server *server = &q->zone.servers[s->server];
	if (!s->hinted) {
		s->expired = true;
		sends_set_late(q->resolver, s);
		return;
	}
	char text[ENDPOINT_TEXT_SIZE];
	query_trouble(q, EDE_NETWORK_ERROR,
		      "%s is unreachable: an ICMP message says so, and no answer came",
		      endpoint_text(&server->address, text));
	server->bad |= ++server->gone >= GONE_MAX;
	upstream_cancel(q, s); /* nothing speaks for a late reply */
}

/* ... over TCP. */
static void on_tcp_silence(struct query *q, struct send *s)
{
	struct server *server = &q->zone.servers[s->server];
	if (form_tries_tcp(q, s))
		return;
	infra_tcp_loss(q->resolver->infra, &server->address, q->resolver->now);
	server->tcp_failed = true;
	server->bad |= !s->stubborn && !habit_leaves_tcp(server);
}

static void on_timeout(struct query *q, struct send *s)
{
	struct resolver *r = q->resolver;
	struct server *server = &q->zone.servers[s->server];
	char address[ENDPOINT_TEXT_SIZE], zone[DNAME_TEXT_MAX];
	metrics_add(r->metrics, METRIC_upstream_timeouts_total, 1);
	query_note(q,
		   (struct trace_step){.kind = TRACE_TIMEOUT,
				       .number = s->number,
				       .value = (uint32_t)((r->now.mono_us - s->sent_us) / 1000)});
	query_trouble(q, EDE_NO_REACHABLE_AUTHORITY, "no answer from %s for %s",
		      endpoint_text(&server->address, address), dname_text(q->zone.name, zone));
	if (s->transport == TRANSPORT_TCP) {
		s->expired = true;
		on_tcp_silence(q, s);
	} else {
		infra_loss(r->infra, &server->address, r->now);
		family_note_loss(q, s);
		note_counted_loss(q, server);
		server->losses++;
		on_silence(q, s);
	}
	query_wake(q);
}

/* Ask a second server while the first is late but not lost. */
static void hedge(struct query *q, struct send *s)
{
	bool waiting;
	s->hedge_ms = 0;
	if (!hedging_allowed(q))
		return;
	bool was_bad = q->zone.servers[s->server].bad;
	q->zone.servers[s->server].bad = true; /* another one than this */
	int index = servers_choose(q, &waiting);
	q->zone.servers[s->server].bad = was_bad;
	if (index < 0 || !upstream_send(q, (unsigned)index))
		return;
	q->resolver->hedges++;
	metrics_add(q->resolver->metrics, METRIC_upstream_hedges_total, 1);
}

void upstream_deadline(struct query *q)
{
	uint64_t now_ms = now_mono_ms(q->resolver->now);
	for (unsigned i = q->open_count; i > 0; i--) {
		struct send *s = q->open[i - 1];
		if (s->expired && now_ms >= patience_late_end_ms(s)) {
			upstream_cancel(q, s);
			query_wake(q);
		} else if (!s->expired && now_ms >= s->deadline_ms) {
			on_timeout(q, s);
		} else if (!s->expired && s->hedge_ms && now_ms >= s->hedge_ms) {
			hedge(q, s);
			return; /* the list has changed; what else is due comes next time */
		}
	}
}

uint64_t upstream_next_ms(const struct query *q)
{
	uint64_t next = UINT64_MAX;
	for (unsigned i = 0; i < q->open_count; i++) {
		const struct send *s = q->open[i];
		uint64_t at = s->expired ? patience_late_end_ms(s) : s->deadline_ms;
		if (!s->expired && s->hedge_ms)
			at = MIN(at, s->hedge_ms);
		next = MIN(next, at);
	}
	return next;
}
