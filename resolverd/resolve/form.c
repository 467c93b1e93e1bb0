#include "resolve/form.h"

#include "resolve/servers.h"

enum {
	LOSSES_BARE = 1,
	LOSSES_PLAIN = 2
}; /* afterwards in full again: it may be no matter of form */

static bool has_cookie(const struct infra_server *known)
{
	return (known->quirks & (INFRA_COOKIE | INFRA_SOME_COOKIES)) == INFRA_COOKIE;
}

/* What is known of a server that lacks EDNS holds for the transport over which it was told. */
static enum form known_form(const struct send *s, const struct infra_server *known)
{
	unsigned lacks = s->transport == TRANSPORT_TCP ? INFRA_NO_EDNS : INFRA_NO_EDNS_UDP;
	if (known->quirks & lacks)
		return FORM_PLAIN;
	return (known->quirks & INFRA_NO_OPTIONS) && !has_cookie(known) ? FORM_BARE : FORM_FULL;
}

/* What all servers of the zone have lost of Q counts too: they are often of one kind, and a client cannot
 * wait until each has been asked in each form. */
static unsigned losses_of(const struct query *q, const struct server *server)
{
	unsigned all = 0;
	for (unsigned i = 0; i < q->zone.server_count; i++)
		all += q->zone.servers[i].losses;
	return server->losses == LOSSES_BARE && all > LOSSES_PLAIN ? LOSSES_PLAIN : server->losses;
}

static enum form form_after(unsigned losses, const struct infra_server *known)
{
	if (losses == LOSSES_PLAIN)
		return FORM_PLAIN;
	return losses == LOSSES_BARE && !has_cookie(known) ? FORM_BARE : FORM_FULL;
}

void form_set(const struct query *q, struct send *s, const struct infra_server *known)
{
	const struct server *server = &q->zone.servers[s->server];
	bool udp = s->transport == TRANSPORT_UDP;
	enum form lost = udp ? form_after(losses_of(q, server), known) : FORM_FULL;
	s->form = MAX(known_form(s, known), udp ? server->form_udp : server->form_tcp);
	s->form_tried = lost > s->form;
	s->form = MAX(s->form, lost);
	/* Data without signatures is of no use, and so is a question without EDNS. */
	if (q->zone.signed_data)
		s->form = MIN(s->form, FORM_BARE);
	bool small = udp && (known->quirks & INFRA_SMALL_REPLIES);
	s->small_tried = udp && !small && !servers_are_counted(q) &&
			 (server->losses == LOSSES_BARE || server->losses == LOSSES_PLAIN);
	small |= s->small_tried || s->form == FORM_PLAIN;
	s->offered = small ? EDNS_SIZE_MIN : EDNS_SIZE_OURS;
}

bool form_is_disliked(const struct message *m, enum edns_status status, const struct edns *edns)
{
	uint16_t rcode = (uint16_t)(message_rcode(m) | (uint16_t)(edns->extended_rcode << 4));
	/* Whoever knows OPT would not say of it that he does not implement it. */
	return rcode == RCODE_FORMERR || rcode == RCODE_BADVERS ||
	       (rcode == RCODE_NOTIMP && status == EDNS_ABSENT);
}

bool form_goes_on(struct query *q, const struct send *s)
{
	struct server *server = &q->zone.servers[s->server];
	bool udp = s->transport == TRANSPORT_UDP;
	enum form next = s->with_options ? FORM_BARE : FORM_PLAIN;
	if (s->form == FORM_PLAIN || (q->zone.signed_data && next == FORM_PLAIN))
		return false;
	*(udp ? &server->form_udp : &server->form_tcp) = (uint8_t)next;
	return true;
}

void form_hear(struct query *q, const struct send *s)
{
	q->zone.servers[s->server].form_heard |= s->transport == TRANSPORT_UDP;
}

/* What helped after FORMERR. */
static void learn_told(struct query *q, const struct send *s)
{
	struct infra *infra = q->resolver->infra;
	const struct server *server = &q->zone.servers[s->server];
	struct now now = q->resolver->now;
	bool udp = s->transport == TRANSPORT_UDP;
	bool is_told =
		s->form != FORM_FULL && s->form == (udp ? server->form_udp : server->form_tcp);
	if (is_told && s->form == FORM_BARE)
		infra_set_quirk(infra, &server->address, INFRA_NO_OPTIONS, true, now);
	if (is_told && s->form == FORM_PLAIN)
		infra_set_quirk(infra, &server->address, udp ? INFRA_NO_EDNS_UDP : INFRA_NO_EDNS,
				true, now);
	if (udp || !server->form_heard)
		return;
	/* Nobody could forge what came over TCP, and UDP said the like before. */
	if (s->form == FORM_PLAIN)
		infra_set_quirk(infra, &server->address, INFRA_NO_EDNS_UDP, true, now);
	else
		infra_suspect(infra, &server->address, INFRA_NO_OPTIONS, now);
}

/* What helped after silence. */
static void learn_tried(struct query *q, const struct send *s, bool is_cut)
{
	struct infra *infra = q->resolver->infra;
	const struct endpoint *address = &q->zone.servers[s->server].address;
	struct now now = q->resolver->now;
	if (is_cut && s->small_tried) /* there is more: that was what did not arrive */
		infra_suspect(infra, address, INFRA_SMALL_REPLIES, now);
	else if (s->form_tried && s->form == FORM_BARE)
		infra_suspect(infra, address, INFRA_NO_OPTIONS, now);
	else if (s->form_tried && s->form == FORM_PLAIN)
		infra_suspect(infra, address, INFRA_NO_EDNS_UDP, now);
}

void form_learn(struct query *q, const struct send *s, bool is_cut)
{
	if (s->form_tried || s->small_tried)
		learn_tried(q, s, is_cut);
	else
		learn_told(q, s);
}

bool form_tries_tcp(struct query *q, const struct send *s)
{
	struct server *server = &q->zone.servers[s->server];
	struct infra_server known;
	infra_get(q->resolver->infra, &server->address, q->resolver->now, &known);
	bool is_plain = server->form_udp == FORM_PLAIN || (known.quirks & INFRA_NO_EDNS_UDP);
	if (s->form == FORM_PLAIN || s->stubborn || !is_plain || q->zone.signed_data)
		return false;
	server->form_tcp = FORM_PLAIN;
	server->form_silent = true;
	return true;
}

void form_insist(struct query *q, const struct server *server)
{
	infra_set_quirk(q->resolver->infra, &server->address, INFRA_NO_EDNS_UDP, false,
			q->resolver->now);
}
