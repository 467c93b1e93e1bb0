#include "sim/net.h"

#include <stdlib.h>

#include "dns/message.h"
#include "resolve/askable.h"
#include "sim/oracle.h"
#include "sim/server.h"
#include "sim/sim.h"

enum {
	SLOW_US = 6000000,	   /* what the provider's resolver does to some queries */
	CONNECT_LOST_US = 3000000, /* the daemon gives up connecting */
	WAITED_US = 400000,	   /* a connection that waits for longer gives way (net/pool.h) */
	OTHERS_PERCENT = 10,	   /* when connections are short, others may take the last one */
	HINT_US = 2000,
	ZONE_SHARE = 16, /* of all connections that one zone gets, once they are short */
	DUPLICATE_US = 40000,
};

static struct flight *flight_find(struct net *n, uint64_t token)
{
	for (unsigned i = 0; i < n->flight_count; i++)
		if (n->flights[i].token == token)
			return &n->flights[i];
	return NULL;
}

bool net_is_open(const struct sim *s, uint64_t token)
{
	return flight_find((struct net *)&s->net, token) != NULL;
}

void net_close(struct sim *s, uint64_t token)
{
	struct flight *f = flight_find(&s->net, token);
	if (f)
		*f = s->net.flights[--s->net.flight_count];
}

void net_cancel(struct sim *s, uint64_t token)
{
	if (!flight_find(&s->net, token))
		sim_fail(s, "cancel of an open send", "token %llu", (unsigned long long)token);
	net_close(s, token);
}

static void lose(struct sim *s, const struct action *a, enum loss loss, uint64_t after_us)
{
	struct sim_event lost = {.kind = HAPPEN_LOST,
				 .token = a->token,
				 .peer = a->peer,
				 .transport = a->transport,
				 .loss = loss};
	sim_schedule(s, s->now_us + after_us, &lost);
}

/* ---- room ---- */

static bool take_udp_room(struct sim *s)
{
	const struct net *n = &s->net;
	unsigned count = 0;
	for (unsigned i = 0; i < n->flight_count; i++)
		count += n->flights[i].has_room && n->flights[i].transport == TRANSPORT_UDP;
	if (count < n->udp_room)
		return true;
	if (n->room_is_told)
		sim_fail(s, "no more sends over UDP are open than there is room for", "%u", count);
	return false;
}

/* The oldest send on the connection to the peer of F: all that goes to one server shares one. */
static bool is_first_there(const struct net *n, const struct flight *f)
{
	for (const struct flight *at = n->flights; at < f; at++)
		if (at->has_room && at->transport == TRANSPORT_TCP &&
		    endpoint_equal(&at->peer, &f->peer))
			return false;
	return f->has_room && f->transport == TRANSPORT_TCP;
}

static void close_connection(struct sim *s, const struct endpoint *peer)
{
	struct net *n = &s->net;
	for (unsigned i = 0; i < n->flight_count; i++) {
		struct flight *f = &n->flights[i];
		const struct action a = {
			.token = f->token, .peer = f->peer, .transport = TRANSPORT_TCP};
		if (f->transport != TRANSPORT_TCP || !endpoint_equal(&f->peer, peer))
			continue;
		f->has_room = false;
		lose(s, &a, LOSS_YIELDED, 0);
	}
}

/* As net/pool.c does it: none where zone or server have their share, or where nobody has waited long. */
static bool take_tcp_room(struct sim *s, const struct flight *f)
{
	const struct net *n = &s->net;
	const struct flight *longest = NULL;
	unsigned count = 0, of_zone = 0;
	for (unsigned i = 0; i < n->flight_count; i++) {
		const struct flight *at = &n->flights[i];
		if (at->has_room && at->transport == TRANSPORT_TCP &&
		    endpoint_equal(&at->peer, &f->peer))
			return true;
		if (!is_first_there(n, at))
			continue;
		count++;
		of_zone += at->zone == f->zone;
		if (!longest || at->sent_us < longest->sent_us)
			longest = at;
	}
	bool is_short = count >= n->tcp_room / 2;
	if (is_short && of_zone >= MAX(n->tcp_room / ZONE_SHARE, 1u))
		return false;
	if (is_short && prng_percent(&s->dice, OTHERS_PERCENT))
		return false;
	if (count < n->tcp_room)
		return true;
	if (!longest || longest->sent_us + WAITED_US > s->now_us)
		return false;
	const struct endpoint peer = longest->peer;
	close_connection(s, &peer);
	return true;
}

static bool take_room(struct sim *s, struct flight *f)
{
	bool tcp = f->transport == TRANSPORT_TCP;
	if ((tcp ? s->net.tcp_room : s->net.udp_room) == 0)
		return true;
	bool taken = tcp ? take_tcp_room(s, f) : take_udp_room(s);
	f->has_room = taken;
	return taken;
}

/* The forward zone that decides about the question, or NULL. */
static const struct settings_zone *forward_zone(const struct sim *s, const uint8_t *qname,
						uint16_t qtype)
{
	const struct settings_zone *z = settings_zone_for(&s->settings, qname, qtype);
	return z && z->forward ? z : NULL;
}

/* What belongs to a forward zone is asked of its servers, and nothing else is. */
static void check_forwarding(struct sim *s, const struct action *a, const struct message *m)
{
	uint8_t qname[DNAME_MAX];
	char name[DNAME_TEXT_MAX], peer[ENDPOINT_TEXT_SIZE];
	message_name(m, m->qname_offset, qname);
	dname_lower(qname, qname);
	const struct settings_zone *z = forward_zone(s, qname, m->qtype);
	const struct host *h = world_host_at(&s->world, &a->peer);
	bool is_forwarder = h && h->quirks.is_recursive;
	bool may_fall_back = false;
	for (size_t i = 0; i < s->settings.zone_count; i++)
		may_fall_back |= s->settings.zones[i].fallback;
	if (is_forwarder != (z != NULL) && !may_fall_back)
		sim_fail(s, "a forward zone's names are asked of its servers only", "%s of %s",
			 dname_text(qname, name), endpoint_text(&a->peer, peer));
	bool wants_cd = is_forwarder && s->settings.dnssec && !(z && z->insecure);
	if (!(m->flags & FLAG_CD) != !wants_cd)
		sim_fail(s, "CD is for forwarders of what is validated here (RFC 6840 5.9)",
			 "%s of %s", dname_text(qname, name), endpoint_text(&a->peer, peer));
	if (!(m->flags & FLAG_RD) != !is_forwarder)
		sim_fail(s, "RD is for forwarders", "%s of %s", dname_text(qname, name),
			 endpoint_text(&a->peer, peer));
}

static bool is_configured(const struct sim *s, const struct endpoint *e)
{
	for (size_t i = 0; i < s->settings.zone_count; i++)
		for (size_t k = 0; k < s->settings.zones[i].server_count; k++)
			if (endpoint_equal(&s->settings.zones[i].servers[k], e))
				return true;
	return false;
}

/* An authoritative server is asked politely: one question, class IN, RD clear, no fragments. */
static bool check_query(struct sim *s, const struct action *a, struct message *m)
{
	char peer[ENDPOINT_TEXT_SIZE];
	if (message_view(a->packet, m) != OK || m->question_count != 1 || m->qclass != CLASS_IN) {
		sim_fail(s, "upstream query is well-formed", "to %s, %zu bytes",
			 endpoint_text(&a->peer, peer), a->packet.len);
		return false;
	}
	check_forwarding(s, a, m);
	if (m->flags & (FLAG_QR | FLAG_TC | FLAG_AA | FLAG_AD | FLAG_OPCODE_MASK | FLAG_RCODE_MASK))
		sim_fail(s, "upstream query has sane flags", "%04x to %s", m->flags,
			 endpoint_text(&a->peer, peer));
	bool near = is_configured(s, &a->peer);
	if (!near && askable_check(&s->settings, NULL, &a->peer) != ASKABLE_YES)
		sim_fail(s, "strangers do not lead to internal addresses", "%s",
			 endpoint_text(&a->peer, peer));
	if ((a->peer.family == 4 && !(s->settings.ipv4 && (near || s->has_ipv4))) ||
	    (a->peer.family == 6 && !(s->settings.ipv6 && (near || s->has_ipv6))))
		sim_fail(s, "no packet to a family without a route", "%s",
			 endpoint_text(&a->peer, peer));
	return true;
}

/* Only names in a liar's hands may lead to where the lies point. */
static void check_poison(struct sim *s, const struct action *a, const uint8_t *qname)
{
	char text[DNAME_TEXT_MAX];
	if (liar_is_harmless(s) && a->peer.family == 4 &&
	    memcmp(a->peer.addr, world_poison, sizeof(world_poison)) == 0 &&
	    !oracle_is_tainted(&s->world, qname))
		sim_fail(s, "poisoned delegation is not followed", "asked the poison for %s",
			 dname_text(qname, text));
}

static void tell_send(struct sim *s, const struct action *a, const struct message *m,
		      const uint8_t *qname)
{
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE], peer[ENDPOINT_TEXT_SIZE];
	sim_tell(s, "  send %llu to %s %s: %s %s id %04x%s", (unsigned long long)a->token,
		 endpoint_text(&a->peer, peer), a->transport == TRANSPORT_TCP ? "tcp" : "udp",
		 dname_text(qname, name), type_text(m->qtype, type), m->id,
		 m->opt_offset ? " edns" : "");
}

static uint64_t delay_us(struct sim *s, const struct quirks *q)
{
	if (q->slow_percent && prng_percent(&s->dice, q->slow_percent))
		return SLOW_US;
	return q->delay_us + prng_below(&s->dice, q->spread_us + 1);
}

static void deliver(struct sim *s, const struct action *a, const struct quirks *q,
		    struct server_replies *replies)
{
	uint64_t base_us = delay_us(s, q);
	/* A new connection costs a round trip; whether the daemon had one open is not modelled. */
	if (a->transport == TRANSPORT_TCP)
		base_us += q->delay_us;
	for (unsigned i = 0; i < replies->count; i++) {
		struct server_reply *r = &replies->list[i];
		uint64_t at_us = r->early ? base_us / 4 + prng_below(&s->dice, 200) : base_us + i;
		if (i > 0 && r->wire && !r->early && replies->list[i - 1].len == r->len)
			at_us += prng_below(&s->dice, DUPLICATE_US);
		struct sim_event reply = {.kind = HAPPEN_REPLY,
					  .token = a->token,
					  .peer = a->peer,
					  .transport = a->transport,
					  .bytes = r->wire,
					  .len = r->len};
		if (r->from_stranger)
			reply.peer.addr[0] ^= 1;
		sim_schedule(s, s->now_us + at_us, &reply);
	}
}

static void send_to_host(struct sim *s, const struct action *a, struct host *h,
			 const struct message *m)
{
	const struct quirks *q = &h->quirks;
	if (a->transport == TRANSPORT_TCP && (q->dead || q->tcp == TCP_MODE_SILENT)) {
		lose(s, a, LOSS_TIMEOUT, CONNECT_LOST_US);
		return;
	}
	if (a->transport == TRANSPORT_TCP && q->tcp != TCP_MODE_OK) {
		lose(s, a, LOSS_CLOSED, q->tcp == TCP_MODE_REFUSED ? q->delay_us : 2 * q->delay_us);
		return;
	}
	struct server_query query = {
		.host = h, .message = m, .tcp = a->transport == TRANSPORT_TCP, .now_us = s->now_us};
	struct server_replies replies;
	server_answer(&s->world, &s->dice, &query, &replies);
	if (s->net.is_deaf && a->token >> SIM_WORKER_SHIFT == 0) {
		for (unsigned i = 0; i < replies.count; i++)
			free(replies.list[i].wire);
		return;
	}
	if (h->dishonest && replies.count)
		liar_bend(s, h, m, &replies.list[replies.count - 1]);
	deliver(s, a, q, &replies);
}

void net_send(struct sim *s, const struct action *a)
{
	struct net *n = &s->net;
	struct message m;
	uint8_t qname[DNAME_MAX];
	n->sent++;
	if (flight_find(n, a->token) || n->flight_count == NET_FLIGHTS_MAX) {
		sim_fail(s, "send tokens are unique and bounded", "token %llu, %u open",
			 (unsigned long long)a->token, n->flight_count);
		return;
	}
	struct flight *flight = &n->flights[n->flight_count++];
	*flight = (struct flight){.token = a->token,
				  .peer = a->peer,
				  .transport = a->transport,
				  .sent_us = s->now_us,
				  .zone = a->zone};
	if (!check_query(s, a, &m))
		return;
	message_name(&m, m.qname_offset, qname);
	tell_send(s, a, &m, qname);
	check_poison(s, a, qname);
	if (!take_room(s, flight)) {
		lose(s, a, LOSS_ROOM, 0);
		return;
	}
	struct host *h = world_host_at(&s->world, &a->peer);
	if (n->lost_family == a->peer.family)
		return;
	if (s->net.forges_hints && a->transport == TRANSPORT_UDP)
		lose(s, a, LOSS_HINT, prng_below(&s->dice, HINT_US));
	if (h)
		hot_counts(s, h, a->transport == TRANSPORT_TCP);
	if (h)
		send_to_host(s, a, h, &m);
	else if (a->transport == TRANSPORT_TCP)
		lose(s, a, LOSS_TIMEOUT, CONNECT_LOST_US);
	else if (prng_percent(&s->dice, 50))
		lose(s, a, LOSS_HINT, 1000);
}
