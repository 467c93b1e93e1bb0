#include "resolve/family.h"
#include "resolve/form.h"
#include "resolve/habit.h"
#include "resolve/iterate.h"
#include "resolve/no_ds.h"
#include "resolve/servers.h"
#include "resolve/upstream.h"

enum match { MATCH_NO, MATCH_CASE_DIFFERS, MATCH_CASE_UNKNOWN, MATCH_YES };

static enum match match_question(const struct send *s, const struct message *m)
{
	if (m->question_count == 0) /* an error may come without the question */
		return message_rcode(m) != RCODE_NOERROR && message_rcode(m) != RCODE_NXDOMAIN
			       ? MATCH_CASE_UNKNOWN
			       : MATCH_NO;
	if (m->question_count != 1 || m->qtype != s->qtype || m->qclass != CLASS_IN)
		return MATCH_NO;
	if (message_name_equal_case(m, m->qname_offset, s->qname))
		return MATCH_YES;
	return message_name_equal(m, m->qname_offset, s->qname) ? MATCH_CASE_DIFFERS : MATCH_NO;
}

static enum match match_reply(const struct send *s, const struct message *m, const struct event *ev)
{
	const struct endpoint *asked = &s->query->zone.servers[s->server].address;
	if (m->id != s->id || !(m->flags & FLAG_QR) || message_opcode(m) != OPCODE_QUERY)
		return MATCH_NO;
	if (ev->peer && !endpoint_equal(ev->peer, asked))
		return MATCH_NO;
	return match_question(s, m);
}

/* Cookies agree (RFC 7873 §5.3), or are missing. A server that is known to send them and now does not is
 * suspect: *HABIT. */
static bool cookie_agrees(struct query *q, const struct send *s, const struct edns *edns,
			  enum habit *habit)
{
	struct infra_server known;
	const struct endpoint *address = &q->zone.servers[s->server].address;
	*habit = HABIT_NONE;
	if (!s->with_cookie)
		return true;
	if (edns->client_cookie_len == 0) {
		infra_get(q->resolver->infra, address, q->resolver->now, &known);
		if ((known.quirks & (INFRA_COOKIE | INFRA_SOME_COOKIES)) == INFRA_COOKIE)
			*habit = HABIT_COOKIE;
		return true;
	}
	if (!hash_equal_secret(edns->client_cookie, s->cookie, COOKIE_CLIENT_SIZE))
		return false;
	if (edns->server_cookie_len > 0)
		infra_set_cookie(q->resolver->infra, address,
				 span_of(edns->server_cookie, edns->server_cookie_len),
				 q->resolver->now);
	return true;
}

static void note_rtt(struct query *q, const struct send *s)
{
	struct resolver *r = q->resolver;
	uint64_t rtt_us = r->now.mono_us - s->sent_us;
	const struct endpoint *address = &q->zone.servers[s->server].address;
	if (s->transport != TRANSPORT_UDP) {
		infra_tcp_reply(r->infra, address, (uint32_t)MIN(rtt_us, (uint64_t)UINT32_MAX),
				r->now);
		return;
	}
	family_note_reply(q, s);
	infra_reply(r->infra, address, (uint32_t)MIN(rtt_us, (uint64_t)UINT32_MAX), r->now);
	metrics_observe(r->metrics, HISTOGRAM_upstream_rtt_seconds, rtt_us);
}

/* A server that was thought to lack EDNS has it. */
static void note_edns(struct query *q, const struct send *s, enum edns_status status)
{
	if (status == EDNS_OK && s->transport == TRANSPORT_TCP)
		infra_set_quirk(q->resolver->infra, &q->zone.servers[s->server].address,
				INFRA_NO_EDNS, false, q->resolver->now);
}

static void note_wrong(struct query *q, const struct send *s, enum trace_wrong how)
{
	query_note(q, (struct trace_step){.kind = TRACE_WRONG, .number = s->number, .code = how});
}

static void note_again(struct query *q, const struct send *s, enum trace_reply why, uint16_t rcode,
		       size_t len)
{
	query_note(q, (struct trace_step){.kind = TRACE_REPLY,
					  .number = s->number,
					  .code = why,
					  .type = rcode,
					  .value = (uint32_t)len});
}

/* Ask the server of S again, over TCP or from another port; S itself is done with. */
static void retry(struct query *q, struct send *s, bool tcp)
{
	struct server *server = &q->zone.servers[s->server];
	server->use_tcp |= tcp;
	if (server->sends > 0)
		server->sends--; /* it did answer: this is the same try */
	upstream_cancel(q, s);
	query_wake(q);
}

static void retry_tcp(struct query *q, struct send *s)
{
	retry(q, s, true);
}

/*
 * Where packets are counted, a TCP exchange costs as much as five questions: who can make replies
 * arrive that do not match could spend the allowance of the whole host, and starve what is asked of
 * the provider's resolver. So the question goes again over UDP, from another port, with another id and
 * other letters' case. A forger has LIMIT_MISMATCHES guesses at each of LIMIT_SENDS_PER_COUNTED sends
 * to a server, each at 16 bits of id and those of the case, and only if he has found the port: six
 * guesses where TCP would leave him three. To servers on the link or in the VPC, which is where packets
 * are counted, he cannot write from outside at all. He may make the question fail, as he could by a
 * flood. TCP remains for truncation, and for what is believed from TCP only and learned once: that a
 * server does not keep the case, or has lost its cookies, which a forger cannot say without having
 * guessed port and id.
 */
static bool stays_with_udp(const struct query *q)
{
	return servers_are_counted(q) && !(q->zone.configured && q->zone.configured->tcp);
}

/* Ask again over UDP; S is done with. That was one of the tries. */
static void retry_udp(struct query *q, struct send *s)
{
	upstream_cancel(q, s);
	query_wake(q);
}

/* What came over TCP cannot be used, and no stranger can write there: the server is broken. */
static void give_up_broken(struct query *q, struct send *s)
{
	struct server *server = &q->zone.servers[s->server];
	char address[ENDPOINT_TEXT_SIZE], zone[DNAME_TEXT_MAX];
	query_trouble(q, EDE_INVALID_DATA, "%s for %s sent a broken reply over TCP",
		      endpoint_text(&server->address, address), dname_text(q->zone.name, zone));
	server->bad = true;
	upstream_cancel(q, s);
	query_wake(q);
}

static void mismatch(struct query *q, struct send *s, enum trace_wrong how)
{
	note_wrong(q, s, how);
	metrics_add(q->resolver->metrics, METRIC_upstream_mismatch_total, 1);
	if (s->transport == TRANSPORT_TCP) {
		give_up_broken(q, s);
		return;
	}
	if (++s->mismatches < LIMIT_MISMATCHES)
		return;
	if (stays_with_udp(q))
		retry_udp(q, s);
	else
		retry_tcp(q, s);
}

/* Replies that ask for another try at the same server: true if one was arranged. */
static bool try_again(struct query *q, struct send *s, const struct message *m,
		      enum edns_status status, const struct edns *edns)
{
	struct server *server = &q->zone.servers[s->server];
	uint16_t rcode = (uint16_t)(message_rcode(m) | (uint16_t)(edns->extended_rcode << 4));
	bool udp = s->transport == TRANSPORT_UDP;
	if (udp && rcode == RCODE_BADCOOKIE && s->with_cookie) {
		bool tcp, known = edns->client_cookie_len > 0;
		note_again(q, s, TRACE_REPLY_COOKIE, rcode, m->wire.len);
		if (!habit_retries_cookie(q, server, &tcp) || (!known && !tcp))
			return false;
		retry(q, s, tcp);
		return true;
	}
	if (udp && (m->flags & FLAG_TC)) {
		note_again(q, s, TRACE_REPLY_TRUNCATED, rcode, m->wire.len);
		retry_tcp(q, s);
		return true;
	}
	if (!form_is_disliked(m, status, edns) || !form_goes_on(q, s))
		return false;
	note_again(q, s, TRACE_REPLY_NO_EDNS, rcode, m->wire.len);
	retry(q, s, false);
	return true;
}

/* What S got lacks what makes it hard to forge: is it believed all the same? If not, the server is asked
 * again. */
static bool settle(struct query *q, struct send *s, enum habit habit)
{
	bool tcp;
	if (habit == HABIT_NONE || habit_believes(q, s, habit, &tcp))
		return true;
	if (habit != HABIT_SMALL)
		metrics_add(q->resolver->metrics, METRIC_upstream_mismatch_total, 1);
	note_wrong(q, s, habit == HABIT_COOKIE ? TRACE_WRONG_COOKIE : TRACE_WRONG_CASE);
	retry(q, s, tcp);
	return false;
}

/* A reply that matched but for the case of its letters, or does not tell it, or was asked for in small
 * ones. */
static bool settle_case(struct query *q, struct send *s, enum match match, const struct message *m)
{
	struct server *server = &q->zone.servers[s->server];
	if (s->transport == TRANSPORT_TCP) {
		if (match == MATCH_CASE_DIFFERS)
			infra_set_quirk(q->resolver->infra, &server->address, INFRA_NO_CASE, true,
					q->resolver->now);
		return true;
	}
	if (match != MATCH_YES)
		return settle(q, s, match == MATCH_CASE_DIFFERS ? HABIT_CASE : HABIT_BARE);
	/* Who forges an error, or nothing, gains no more than that the question fails as it did. */
	bool fails = (message_rcode(m) != RCODE_NOERROR && message_rcode(m) != RCODE_NXDOMAIN) ||
		     m->counts[SECTION_ANSWER] + m->counts[SECTION_AUTHORITY] == 0;
	return !s->small || fails || settle(q, s, HABIT_SMALL);
}

static bool charge_bytes(struct query *q, size_t len)
{
	q->budget->received_bytes += len;
	if (q->budget->received_bytes <= LIMIT_RECEIVED_BYTES)
		return true;
	query_limit(q, EDE_OTHER, "limit of %u received bytes reached", LIMIT_RECEIVED_BYTES);
	query_fail(q);
	return false;
}

/* A reply cut in the middle of a record, but plainly ours and marked as truncated. */
static bool is_cut_short(const struct send *s, const struct event *ev)
{
	struct message m;
	return s->transport == TRANSPORT_UDP && message_view_question(ev->packet, &m) == OK &&
	       (m.flags & FLAG_TC) && match_reply(s, &m, ev) == MATCH_YES;
}

/* The random case of our question must not leak into names that the reply compresses against it: go on
 * with a copy in which the question reads as we mean it. */
static void restore_case(struct resolver *r, const struct send *s, struct message *m)
{
	uint8_t lower[DNAME_MAX];
	size_t len = dname_lower(s->qname, lower);
	if (m->qname_offset == 0 || m->qname_len != len || m->wire.len > sizeof(r->scratch))
		return;
	memcpy(r->scratch, m->wire.at, m->wire.len);
	memcpy(r->scratch + m->qname_offset, lower, len);
	m->wire.at = r->scratch;
}

/*
 * What came in fragments is not believed (RFC 9715): only the first of them bears the ports and the id, and
 * whoever can put another in the place of the second needs to guess 16 bits. We offer what fits every path,
 * so a reply that is larger than was offered is no more honest. Both are as good as truncated ones.
 */
static bool ask_again_whole(struct query *q, struct send *s, const struct message *m,
			    enum match match, const struct event *ev)
{
	bool large = ev->packet.len > s->offered;
	if (s->transport != TRANSPORT_UDP || !(ev->fragmented || large))
		return false;
	metrics_add(q->resolver->metrics,
		    ev->fragmented ? METRIC_upstream_fragments_total
				   : METRIC_upstream_oversized_total,
		    1);
	note_again(q, s, ev->fragmented ? TRACE_REPLY_FRAGMENTS : TRACE_REPLY_LARGE,
		   message_rcode(m), ev->packet.len);
	if (match == MATCH_YES && !ev->fragmented)
		form_learn(q, s, true);
	retry_tcp(q, s);
	return true;
}

void upstream_reply(struct resolver *r, struct send *s, const struct event *ev)
{
	struct query *q = s->query;
	struct message m;
	struct edns edns;
	if (message_view_reply(ev->packet, &m) != OK) {
		metrics_add(r->metrics, METRIC_upstream_malformed_total, 1);
		if (is_cut_short(s, ev)) {
			if (!charge_bytes(q, ev->packet.len))
				return;
			note_again(q, s, TRACE_REPLY_TRUNCATED, RCODE_NOERROR, ev->packet.len);
			retry_tcp(q, s);
		} else {
			mismatch(q, s, TRACE_WRONG_MALFORMED);
		}
		return;
	}
	enum match match = match_reply(s, &m, ev);
	enum edns_status status = edns_view(&m, &edns);
	if (status == EDNS_FORMERR)
		status =
			EDNS_OK; /* what it breaks is not said; a cookie of a wrong length is none */
	if (match == MATCH_NO) {
		mismatch(q, s, TRACE_WRONG_MISMATCH);
		return;
	}
	if (ask_again_whole(q, s, &m, match, ev))
		return;
	enum habit habit;
	if (!cookie_agrees(q, s, &edns, &habit)) {
		metrics_add(r->metrics, METRIC_upstream_mismatch_total, 1);
		note_wrong(q, s, TRACE_WRONG_COOKIE);
		retry_tcp(q, s);
		return;
	}
	if (form_is_disliked(&m, status, &edns))
		form_hear(q, s);
	if (!settle_case(q, s, match, &m) || !settle(q, s, habit))
		return;
	/* What strangers send is not charged: who is not believed must not end the question either. */
	if (!charge_bytes(q, ev->packet.len))
		return;
	if (s->transport == TRANSPORT_TCP && (m.flags & FLAG_TC)) {
		/* There is no larger transport: what is missing never comes. */
		mismatch(q, s, TRACE_WRONG_MALFORMED);
		return;
	}
	metrics_add(r->metrics, METRIC_upstream_replies_total, 1);
	asking_renew(q);
	note_rtt(q, s);
	note_edns(q, s, status);
	no_ds_hear(q, s);
	if (!form_is_disliked(&m, status, &edns))
		form_learn(q, s, m.flags & FLAG_TC);
	if (try_again(q, s, &m, status, &edns))
		return;
	restore_case(r, s, &m);
	iterate_reply(q, s, &m);
}
