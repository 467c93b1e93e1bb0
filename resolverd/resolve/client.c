/*
 * By what a question is answered without resolving, the first that applies:
 *
 *   1. what is wrong with it, or with who asks            client_view()
 *   2. id.server and version.server                       answer_chaos()
 *   3. local zones                                        answer_local()
 *   4. little, where it is ANY                            answer_any()
 *   5. a fresh entry of the cache                         answer_cached()
 *   6. the denial of a name that `only` shuts out         answer_filtered()
 *   7. the hints, where it is `. NS`                      answer_root_servers()
 *   8. a refusal, where RD is 0                           answer_norecurse()
 *   9. what has just expired and is being refreshed       is_held()
 *  10. what is stale, where resolving has just failed, or that failure
 *
 * Stale data is told later too, once servers have had their time (waiters.c).
 */
#include "resolve/client.h"

#include "base/cursor.h"
#include "dns/fold.h"
#include "resolve/local.h"
#include "resolve/prefetch.h"

/* Off the path that most queries take, with what it needs of the stack. */
#define COLD __attribute__((noinline, cold))

enum {
	OPT_BARE_SIZE = 11,  /* an OPT record without options */
	ANY_TTL_S = 3600,    /* RFC 8482 §4.2 leaves it to us; long, so that asking stops */
	FILTERED_TTL_S = 60, /* a reload may allow the name any time */
	FILTERED_SOA_SIZE = sizeof(uint16_t) + DNAME_MAX + 16 + 5 * sizeof(uint32_t),
	HINTS_TTL_S = 60, /* soon the real NS set of the root is there */
	TYPE_RESERVED = 0,
	/* RFC 6895 §3.1: from 128 on QTYPEs and meta types; what we know of is among the last. */
	QTYPE_FIRST = 128,
};

/* ---- reading a query ------------------------------------------------------------------------- */

static void remember(struct now now, const struct event *ev, const struct message *m,
		     struct client *out)
{
	out->token = ev->token;
	out->peer = *ev->peer;
	out->transport = ev->transport;
	out->id = m->id;
	out->flags = m->flags;
	out->qtype = m->qtype;
	out->qclass = m->qclass;
	out->size_limit = ev->transport == TRANSPORT_TCP ? MESSAGE_MAX : EDNS_SIZE_MIN;
	out->qname[0] = 0;
	out->qname_len = 0;
	out->has_question = out->has_edns = out->dnssec_ok = false;
	out->wants_nsid = out->wants_keepalive = false;
	out->authentic_wanted = (m->flags & FLAG_AD) != 0;
	out->cookie_len = 0;
	out->trusted = false;
	out->is_real = ev->transport == TRANSPORT_TCP;
	out->arrived_ms = now_mono_ms(now);
}

static void remember_opt(struct client *out, uint16_t size, bool dnssec_ok)
{
	out->has_edns = true;
	out->dnssec_ok = dnssec_ok;
	out->authentic_wanted = out->authentic_wanted || dnssec_ok;
	if (out->transport == TRANSPORT_UDP)
		out->size_limit = MAX(MIN(size, EDNS_SIZE_OURS), EDNS_SIZE_MIN);
}

/* The usual additional section: one OPT record of version 0 without options. */
static bool view_bare_opt(struct span rest, struct client *out)
{
	const uint8_t *at = rest.at;
	if (rest.len != OPT_BARE_SIZE || at[0] != 0 || at[1] != 0 || at[2] != TYPE_OPT)
		return false;
	if (at[6] != 0 || at[9] != 0 || at[10] != 0)
		return false;
	remember_opt(out, (uint16_t)(at[3] << 8 | at[4]), (at[7] & 0x80) != 0);
	return true;
}

/* RFC 7873 §5.2: a client that sends a cookie gets ours beside its own. If it has ours already, it has got
 * an answer at its address (§5.2.4). */
static void remember_cookie(const struct client_context *ctx, struct now now, const struct edns *e,
			    struct client *out)
{
	if (e->client_cookie_len == 0 || !ctx->cookie_secret)
		return;
	struct span ours = span_of(e->server_cookie, e->server_cookie_len);
	out->is_real |= cookie_check_server(ctx->cookie_secret, e->client_cookie, ours, &out->peer,
					    now.unix_s) != COOKIE_BAD;
	memcpy(out->cookie, e->client_cookie, COOKIE_CLIENT_SIZE);
	cookie_make_server(ctx->cookie_secret, e->client_cookie, &out->peer, now.unix_s,
			   out->cookie + COOKIE_CLIENT_SIZE);
	out->cookie_len = COOKIE_CLIENT_SIZE + COOKIE_SERVER_SIZE;
}

static COLD enum edns_status view_records(const struct client_context *ctx, struct now now,
					  struct span packet, struct client *out)
{
	struct message m;
	struct edns e;
	if (message_view(packet, &m) != OK)
		return EDNS_FORMERR;
	enum edns_status status = edns_view(&m, &e);
	if (status == EDNS_ABSENT || status == EDNS_FORMERR)
		return status;
	remember_opt(out, e.size, e.dnssec_ok);
	out->wants_nsid = e.nsid;
	/* RFC 7828 §3.2.1: over UDP the option means nothing. */
	out->wants_keepalive = e.keepalive && out->transport == TRANSPORT_TCP;
	remember_cookie(ctx, now, &e, out);
	return status;
}

/* Everything behind the question. */
static enum edns_status view_rest(const struct client_context *ctx, struct now now,
				  const struct message *m, struct client *out)
{
	struct span rest = span_of(m->wire.at + m->records_offset, m->wire.len - m->records_offset);
	bool only_additional = m->counts[SECTION_ANSWER] == 0 && m->counts[SECTION_AUTHORITY] == 0;
	if (only_additional && m->counts[SECTION_ADDITIONAL] == 0)
		return rest.len == 0 ? EDNS_ABSENT : EDNS_FORMERR;
	if (only_additional && m->counts[SECTION_ADDITIONAL] == 1 && view_bare_opt(rest, out))
		return EDNS_OK;
	return view_records(ctx, now, m->wire, out);
}

/* ---- judging it ------------------------------------------------------------------------------ */

static enum client_step refuse(struct client_error *error, uint16_t rcode, uint16_t ede,
			       const char *text)
{
	*error = (struct client_error){rcode, ede, text};
	return CLIENT_ERROR;
}

/* Questions for what is not data. */
static enum client_step judge_type(uint16_t qtype, struct client_error *error)
{
	switch (qtype) {
	case TYPE_ANY:
		return CLIENT_RESOLVE;
	case TYPE_AXFR:
	case TYPE_IXFR:
		/* RFC 5936 §2.2.1: a server that will not transfer the zone refuses; we have none.
		 * RFC 8906 §3.1.3 wants an answer, whatever it is. */
		return refuse(error, RCODE_REFUSED, EDE_NOT_SUPPORTED, "no zone transfers");
	case TYPE_RESERVED:
	case TYPE_OPT:
	case TYPE_TSIG:
		/* RFC 6895 §3.1: they stand for no data and no question; RFC 6891 §6.1.1. */
		return refuse(error, RCODE_FORMERR, EDE_NONE, NULL);
	default:
		/* RFC 1035 §4.1.1: a kind of query that is not supported (MAILA, MAILB, TKEY, ...). */
		if (qtype >= QTYPE_FIRST && qtype <= TYPE_ANY)
			return refuse(error, RCODE_NOTIMP, EDE_NOT_SUPPORTED, NULL);
		return CLIENT_RESOLVE;
	}
}

static enum client_step judge(const struct client_context *ctx, const struct message *m,
			      enum edns_status edns, struct client *c, struct client_error *error)
{
	unsigned standing = settings_standing(ctx->settings, &c->peer);
	c->trusted = (standing & SETTINGS_TRUSTED) != 0;
	c->is_real |= c->trusted;
	if (!(standing & SETTINGS_ALLOWED))
		return refuse(error, RCODE_REFUSED, EDE_PROHIBITED, NULL);
	/* RFC 8906 §3.1.4: before anything that only makes sense in a query. */
	if (message_opcode(m) != OPCODE_QUERY)
		return refuse(error, RCODE_NOTIMP, EDE_NOT_SUPPORTED, NULL);
	if (edns == EDNS_FORMERR)
		return refuse(error, RCODE_FORMERR, EDE_NONE, NULL);
	if (edns == EDNS_BADVERS)
		return refuse(error, RCODE_BADVERS, EDE_NONE, NULL);
	/* RFC 7873 §5.4: a query for nothing but our cookie. */
	if (m->question_count == 0 && c->cookie_len > 0)
		return refuse(error, RCODE_NOERROR, EDE_NONE, NULL);
	if (m->question_count != 1) /* RFC 9619 §4 */
		return refuse(error, RCODE_FORMERR, EDE_NONE, NULL);
	if (c->qclass == CLASS_CH)
		return CLIENT_RESOLVE;
	if (c->qclass != CLASS_IN)
		return refuse(error, RCODE_REFUSED, EDE_NOT_SUPPORTED, "class is not IN");
	enum client_step step = judge_type(c->qtype, error);
	if (step != CLIENT_RESOLVE)
		return step;
	/* A query brings no answers; IXFR, which brings an SOA, is refused by now. */
	if (m->counts[SECTION_ANSWER] > 0 || m->counts[SECTION_AUTHORITY] > 0)
		return refuse(error, RCODE_FORMERR, EDE_NONE, NULL);
	return CLIENT_RESOLVE;
}

enum client_step client_view(const struct client_context *ctx, struct now now,
			     const struct event *ev, struct client *out, struct client_error *error)
{
	struct message m;
	if (ev->packet.len < MESSAGE_HEADER_SIZE)
		return CLIENT_IGNORE;
	enum err err = message_view_question(ev->packet, &m);
	if (m.flags & FLAG_QR)
		return CLIENT_IGNORE; /* never answer an answer: two servers would go on for ever */
	remember(now, ev, &m, out);
	if (err)
		return judge(ctx, &m, EDNS_FORMERR, out, error);
	if (m.question_count == 1) {
		out->has_question = true;
		out->qname_len = (uint8_t)m.qname_len;
		memcpy(out->qname, m.wire.at + m.qname_offset, m.qname_len);
	}
	return judge(ctx, &m, view_rest(ctx, now, &m, out), out, error);
}

/* ---- answers of our own ---------------------------------------------------------------------- */

struct answer_room { /* one packed record and the answer around it */
	struct answer answer;
	uint8_t packed[sizeof(uint16_t) + DNAME_MAX + 1];
};

static void own_answer(struct answer *a, const struct client *c)
{
	*a = (struct answer){
		.qname = c->qname,
		.qtype = c->qtype,
		.verdict = VERDICT_INSECURE,
		.rank = RANK_ANSWER,
		.ede = EDE_NONE,
		.no_store = true,
	};
}

/* One record, owned by the question. */
static void own_record(struct answer_room *room, const struct client *c, uint16_t type,
		       uint32_t ttl_s, struct span rdata)
{
	uint16_t len = (uint16_t)rdata.len;
	REQUIRE(rdata.len <= sizeof(room->packed) - sizeof(len)); /* else it writes behind ROOM */
	own_answer(&room->answer, c);
	memcpy(room->packed, &len, sizeof(len));
	memcpy(room->packed + sizeof(len), rdata.at, len);
	room->answer.answer_count = 1;
	room->answer.answer[0] = (struct rrset){
		.owner = c->qname,
		.type = type,
		.rclass = c->qclass,
		.ttl_s = ttl_s,
		.rr_count = 1,
		.rdata = span_of(room->packed, sizeof(len) + len),
	};
}

/* RFC 4892 and what BIND began. The text is the operator's; without one the name is refused. */
static COLD size_t answer_chaos(struct client_context *ctx, const struct client *c, uint8_t *out,
				size_t size_bytes)
{
	const struct settings *s = ctx->settings;
	const struct {
		const char *name, *text;
	} names[] = {
		{"\2id\6server", s->identity},
		{"\10hostname\4bind", s->identity},
		{"\7version\6server", s->version},
		{"\7version\4bind", s->version},
	};
	const struct client_error refused = {RCODE_REFUSED, EDE_NONE, NULL};
	struct answer_room room;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!names[i].text || !dname_equal(c->qname, (const uint8_t *)names[i].name))
			continue;
		uint8_t rdata[1 + UINT8_MAX];
		rdata[0] = (uint8_t)strnlen(names[i].text, UINT8_MAX);
		memcpy(rdata + 1, names[i].text, rdata[0]);
		own_record(&room, c, TYPE_TXT, 0, span_of(rdata, 1u + rdata[0]));
		if (c->qtype != TYPE_TXT && c->qtype != TYPE_ANY)
			room.answer.answer_count = 0;
		room.answer.local = true;
		return client_reply_answer(ctx, c, &room.answer, out, size_bytes);
	}
	return client_reply_error(ctx, c, &refused, out, size_bytes);
}

/* RFC 8482 §4.2: nobody who must know all types of a name asks a resolver. */
static COLD size_t answer_any(struct client_context *ctx, const struct client *c, uint8_t *out,
			      size_t size_bytes)
{
	static const uint8_t rfc8482[] = "\7RFC8482"; /* and an empty OS */
	struct answer_room room;
	own_record(&room, c, TYPE_HINFO, ANY_TTL_S, span_of(rfc8482, sizeof(rfc8482)));
	return client_reply_answer(ctx, c, &room.answer, out, size_bytes);
}

/* The root's name servers as the hints name them: CoreDNS asks for them to see whether we live, and
 * must not be kept waiting. Not for who wants proof. 0 if there are no hints. */
static COLD size_t answer_root_servers(struct client_context *ctx, const struct client *c,
				       uint8_t *out, size_t size_bytes)
{
	const struct delegation *hints = &ctx->settings->hints;
	uint8_t packed[DELEGATION_SERVERS_MAX * (sizeof(uint16_t) + DNAME_MAX)];
	struct writer w = writer_of(packed, sizeof(packed));
	struct answer a;

	if (hints->count == 0 || c->authentic_wanted)
		return 0;
	for (unsigned i = 0; i < hints->count; i++) {
		uint16_t len = (uint16_t)dname_len(hints->servers[i].name);
		writer_bytes(&w, span_of(&len, sizeof(len)));
		writer_bytes(&w, span_of(hints->servers[i].name, len));
	}
	own_answer(&a, c);
	a.answer_count = 1;
	a.answer[0] = (struct rrset){
		.owner = c->qname,
		.type = TYPE_NS,
		.rclass = CLASS_IN,
		.ttl_s = HINTS_TTL_S,
		.rr_count = hints->count,
		.rdata = writer_span(&w),
	};
	return client_reply_answer(ctx, c, &a, out, size_bytes);
}

/* 0: the name is not local. */
static COLD size_t answer_local(struct client_context *ctx, const struct client *c,
				const uint8_t *qname, uint8_t *out, size_t size_bytes)
{
	struct answer a;
	switch (local_find(ctx->settings, qname, c->qtype, &a)) {
	case LOCAL_MISS:
		return 0;
	case LOCAL_ANSWER:
	case LOCAL_REFUSED:
		break;
	}
	metrics_add(ctx->metrics, METRIC_local_answers_total, 1);
	return client_reply_answer(ctx, c, &a, out, size_bytes);
}

/* The SOA that says how long such names do not exist: otherwise nobody downstream would remember it
 * (RFC 2308 §5), and all of them come again. Into ROOM. */
static void filtered_soa(const struct settings_zone *z, struct rrset *out,
			 uint8_t room[static FILTERED_SOA_SIZE])
{
	struct writer w = writer_of(room, FILTERED_SOA_SIZE);
	const uint8_t *nobody = (const uint8_t *)"\6nobody\7invalid"; /* RFC 6303 §3 */
	size_t name_len = dname_len(z->name), nobody_len = dname_len(nobody);
	uint16_t len = (uint16_t)(name_len + nobody_len + 5 * sizeof(uint32_t));
	writer_bytes(&w, span_of(&len, sizeof(len)));
	writer_bytes(&w, span_of(z->name, name_len));
	writer_bytes(&w, span_of(nobody, nobody_len));
	static const uint32_t numbers[] = {1, 3600, 1200, 604800, FILTERED_TTL_S};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		writer_u32(&w, numbers[i]);
	/* The longest zone's fits FILTERED_SOA_SIZE; one that did not would be told cut short. */
	REQUIRE(!w.failed);
	*out = (struct rrset){.owner = z->name,
			      .type = TYPE_SOA,
			      .rclass = CLASS_IN,
			      .ttl_s = FILTERED_TTL_S,
			      .rr_count = 1,
			      .rdata = writer_span(&w)};
}

/* A name below a forward zone that has none of the shapes that live there: nobody is asked, and no
 * question is opened. 0: not so. */
static COLD size_t answer_filtered(struct client_context *ctx, const struct client *c,
				   const uint8_t *qname, uint8_t *out, size_t size_bytes)
{
	const struct settings_zone *z = settings_zone_for(ctx->settings, qname, c->qtype);
	uint8_t room[FILTERED_SOA_SIZE];
	struct answer a;
	if (!z || settings_zone_only_allows(z, qname))
		return 0;
	own_answer(&a, c);
	a.rcode = RCODE_NXDOMAIN;
	a.ede = EDE_FILTERED;
	a.text = "no name of the shapes that the forward zone's only list takes";
	a.authority_count = 1;
	filtered_soa(z, &a.authority[0], room);
	metrics_add(ctx->metrics, METRIC_forward_filtered_total, 1);
	return client_reply_answer(ctx, c, &a, out, size_bytes);
}

/* ---- answers from the cache ------------------------------------------------------------------ */

/* E may be told to C as it is: of a rank that answers (RFC 2181 §5.4.1), and checked, unless C wants
 * it unchecked. Bogus data counts as checked: what C gets is SERVFAIL. */
static bool is_settled(const struct client_context *ctx, const struct client *c,
		       const struct entry *e)
{
	if (e->rank < RANK_FORWARDED)
		return false;
	return e->verdict != VERDICT_UNCHECKED || !ctx->settings->dnssec ||
	       client_checking_disabled(c);
}

bool client_may_use_stale(const struct client_context *ctx, const struct client *c,
			  const struct entry *e, struct now now)
{
	const struct settings *s = ctx->settings;
	if (!s->stale_enabled || e->kind == ENTRY_FAILURE || e->verdict == VERDICT_BOGUS)
		return false;
	const struct prefetch_rule *rule = prefetch_rule_for(&s->prefetch, entry_name(e));
	uint32_t max_age_s = MIN(s->stale_max_age_s, rule->max_staleness_s);
	return is_settled(ctx, c, e) && now.cache_ms - e->expires_ms <= (int64_t)max_age_s * 1000;
}

/* Its refresh is under way: told at once, and still being asked for. */
static COLD bool is_held(const struct client_context *ctx, const struct client *c,
			 struct span qname, const struct entry *stale, struct now now)
{
	if (!ctx->prefetch || !prefetch_holds(ctx->prefetch, stale, qname.at, c->qtype, now) ||
	    !client_may_use_stale(ctx, c, stale, now))
		return false;
	metrics_add(ctx->metrics, METRIC_prefetch_held_total, 1);
	prefetch_hit(ctx->prefetch, stale, qname.at, c->qtype, now);
	return true;
}

/* RD=0 (RFC 1034 §4.3.1) asks for what is known here, and that is nothing. An empty NOERROR would read
 * as "the name has no such data", so it is refused (RFC 8914 §4.21). */
static COLD size_t answer_norecurse(struct client_context *ctx, const struct client *c,
				    uint8_t *out, size_t size_bytes)
{
	const struct client_error error = {RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, NULL};
	return client_reply_error(ctx, c, &error, out, size_bytes);
}

/* Nothing fresh is there; STALE is what there is, or NULL. 0: it must be resolved. */
static COLD size_t answer_without_fresh(struct client_context *ctx, struct now now,
					const struct client *c, struct span qname,
					const struct entry *stale, uint8_t *out, size_t size_bytes)
{
	size_t filtered = answer_filtered(ctx, c, qname.at, out, size_bytes);
	if (filtered > 0)
		return filtered;
	if (c->qtype == TYPE_NS && qname.len == 1) {
		size_t len = answer_root_servers(ctx, c, out, size_bytes);
		if (len > 0)
			return len;
	}
	if (!client_recursion_desired(c) && !(stale && client_may_use_stale(ctx, c, stale, now)))
		return answer_norecurse(ctx, c, out, size_bytes);
	if (stale && is_held(ctx, c, qname, stale, now))
		return client_reply_entry(ctx, c, stale, now, CLIENT_HELD, out, size_bytes);
	const struct entry *failure =
		cache_find(ctx->reader, ENTRY_FAILURE, qname.at, qname.len, c->qtype);
	if (!failure || !entry_is_fresh(failure, now))
		return 0;
	if (failure->verdict == VERDICT_BOGUS && client_checking_disabled(c))
		return 0; /* query_is_unproven() */
	/* RFC 8767 §5: resolving has been tried just now, so what is stale may be told at once. */
	if (stale && client_may_use_stale(ctx, c, stale, now)) {
		prefetch_hit(ctx->prefetch, stale, qname.at, c->qtype, now);
		return client_reply_entry(ctx, c, stale, now, CLIENT_STALE, out, size_bytes);
	}
	return client_reply_entry(ctx, c, failure, now, CLIENT_FRESH, out, size_bytes);
}

/* In place: a hit passes here. */
static inline __attribute__((always_inline)) size_t answer_cached(struct client_context *ctx,
								  struct now now,
								  const struct client *c,
								  struct span qname, uint8_t *out,
								  size_t size_bytes)
{
	const struct entry *e =
		answer_find(ctx->reader, qname.at, qname.len, c->qtype, c->dnssec_ok, now);
	if (LIKELY(e && entry_is_fresh(e, now) && is_settled(ctx, c, e))) {
		metrics_add(ctx->metrics, METRIC_cache_hits_total, 1);
		prefetch_hit(ctx->prefetch, e, qname.at, c->qtype, now);
		return client_reply_entry(ctx, c, e, now, CLIENT_FRESH, out, size_bytes);
	}
	if (e && entry_is_fresh(e, now))
		e = NULL; /* neither fit to be told nor stale */
	return answer_without_fresh(ctx, now, c, qname, e, out, size_bytes);
}

/* Not so long as nothing: that would mean that CLIENT's question must be resolved. */
static ptrdiff_t told(size_t len)
{
	return len > 0 ? (ptrdiff_t)len : RESOLVER_IGNORE;
}

ptrdiff_t client_answer_now(struct client_context *ctx, struct now now, const struct event *ev,
			    struct client *client, uint8_t *out, size_t size_bytes)
{
	struct client_error error;
	ctx->now_us = now.mono_us;
	switch (client_view(ctx, now, ev, client, &error)) {
	case CLIENT_IGNORE:
		return RESOLVER_IGNORE;
	case CLIENT_ERROR:
		return told(client_reply_error(ctx, client, &error, out, size_bytes));
	case CLIENT_RESOLVE:
		break;
	}
	if (client->qclass == CLASS_CH)
		return told(answer_chaos(ctx, client, out, size_bytes));

	uint8_t qname[DNAME_MAX];
	size_t qname_len = client->qname_len;
	fold_copy(client->qname, qname, qname_len);
	if (UNLIKELY(settings_may_be_local(ctx->settings, qname))) {
		size_t len = answer_local(ctx, client, qname, out, size_bytes);
		if (len > 0)
			return (ptrdiff_t)len;
	}
	if (client->qtype == TYPE_ANY)
		return told(answer_any(ctx, client, out, size_bytes));
	if (!client_recursion_desired(client) &&
	    (!ctx->settings->answer_norecurse || !client->trusted))
		return told(answer_norecurse(ctx, client, out, size_bytes));
	return (ptrdiff_t)answer_cached(ctx, now, client, span_of(qname, qname_len), out,
					size_bytes);
}

size_t client_answer_again(struct client_context *ctx, struct now now, const struct client *client,
			   uint8_t *out, size_t size_bytes)
{
	uint8_t qname[DNAME_MAX];
	size_t qname_len = client->qname_len;
	fold_copy(client->qname, qname, qname_len);
	return answer_cached(ctx, now, client, span_of(qname, qname_len), out, size_bytes);
}
