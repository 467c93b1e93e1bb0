/*
 * Every reply that clients get, written into the caller's buffer. The paths for cached entries copy
 * and patch; everything else goes through the builder.
 *
 * Room is one account (base/room.h), of what the client takes and the caller's buffer holds. Header
 * and question come first. What the OPT record must say (cookie, keepalive, codes of errors) is set
 * aside before the records are written, what is nice to know (text, NSID) gets what they leave
 * (edns_fit()): it never sets TC. The smallest reply holds the longest question and all that must be
 * said.
 *
 * A promise that does not hold here is our own bug, and costs that answer: SERVFAIL without more, a
 * counter, and a line with the query that shows it. Going on elsewhere tells nobody anything wrong.
 */
#include <stdio.h>

#include "base/cursor.h"
#include "base/log.h"
#include "base/room.h"
#include "resolve/client.h"
#include "resolve/endorsed.h"
#include "resolve/search.h"
#include "resolve/sentinel.h"

#define COLD __attribute__((noinline, cold))

enum {
	QUESTION_TAIL = 4,  /* type and class behind the question's name */
	OPT_BARE_SIZE = 11, /* an OPT record without options */
	OPTION_HEAD_SIZE = 4,
	OPT_MUST_MAX = OPT_BARE_SIZE + OPTION_HEAD_SIZE + COOKIE_CLIENT_SIZE + COOKIE_SERVER_SIZE +
		       3 * (OPTION_HEAD_SIZE + 2), /* keepalive and two errors */
	RECORD_HEAD_SIZE = 10,			   /* pointer to the question, type, class, TTL */
	RECORD_OVERHEAD =
		10, /* of a record over its packed form; both have its length in 2 bytes */
	ENTRY_TEXT_MAX = 255,
	HELD_TTL_S = 1,
	QUERY_MAX = MESSAGE_HEADER_SIZE + DNAME_MAX + QUESTION_TAIL + OPT_BARE_SIZE +
		    3 * OPTION_HEAD_SIZE + COOKIE_CLIENT_SIZE,
};

static_assert(MESSAGE_HEADER_SIZE + DNAME_MAX + QUESTION_TAIL + OPT_MUST_MAX <= EDNS_SIZE_MIN,
	      "the longest question and what must be said about it fit the smallest reply");

struct outcome {	    /* what is said besides the records */
	uint16_t rcode;	    /* all 12 bits */
	uint16_t ede, ede2; /* EDE_NONE */
	struct span text;
	bool authentic, authoritative, truncated;
};

struct reply {
	struct client_context *ctx;
	const struct client *c;
	uint8_t *out;
	size_t size_bytes; /* of OUT */
	struct room room;
	struct outcome says;
	bool bare_opt; /* OPT is not needed, or has no options: OPT is not filled in */
	struct edns_reply opt;
};

static inline void store_u16(uint8_t *at, uint16_t value)
{
	value = __builtin_bswap16(value);
	memcpy(at, &value, sizeof(value));
}

static inline void store_u32(uint8_t *at, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(at, &value, sizeof(value));
}

static inline uint32_t load_u32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return __builtin_bswap32(value);
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "stores swap bytes");

/* ---- beginning and end ----------------------------------------------------------------------- */

/* What must be said in the OPT record of R. */
static void fill_opt(struct reply *r)
{
	const struct client *c = r->c;
	r->opt = (struct edns_reply){
		.size = EDNS_SIZE_OURS,
		.rcode = r->says.rcode,
		.dnssec_ok = c->dnssec_ok,
		.ede = r->says.ede,
		.ede2 = r->says.ede2,
		.cookie = span_of(c->cookie, c->cookie_len),
		.keepalive = c->wants_keepalive,
		.keepalive_100ms = r->ctx->keepalive_100ms,
	};
}

/* What is nice to know, as far as there is room left. */
static void fill_opt_up(struct reply *r)
{
	const char *identity = r->ctx->settings->identity;
	r->opt.ede_text = r->says.text;
	if (r->c->wants_nsid && identity)
		r->opt.nsid = span_of(identity, strlen(identity));
	edns_fit(&r->opt, r->room.left);
}

/* C's OPT record has no options but for errors. */
static inline bool wants_bare_opt(const struct client *c)
{
	return !c->has_edns || (!c->cookie_len && !c->wants_nsid && !c->wants_keepalive);
}

/* The account of what C takes and a buffer of SIZE_BYTES holds. */
static inline struct room reply_room(const struct client *c, uint8_t *out, size_t size_bytes)
{
	return room_of(out, MIN(size_bytes, c->size_limit));
}

static inline size_t question_len(const struct client *c)
{
	return c->has_question ? (size_t)c->qname_len + QUESTION_TAIL : 0;
}

static inline size_t head_len(const struct client *c)
{
	return MESSAGE_HEADER_SIZE + question_len(c);
}

/* The question behind where the header will be; returns the length of both. OUT has room. */
static inline size_t write_question(const struct client *c, uint8_t *out)
{
	if (!c->has_question)
		return MESSAGE_HEADER_SIZE;
	memcpy(out + MESSAGE_HEADER_SIZE, c->qname, c->qname_len);
	uint8_t *at = out + MESSAGE_HEADER_SIZE + c->qname_len;
	store_u16(at, c->qtype);
	store_u16(at + 2, c->qclass);
	return MESSAGE_HEADER_SIZE + question_len(c);
}

static inline void write_bare_opt(uint8_t *at, bool dnssec_ok)
{
	static const uint8_t opt[OPT_BARE_SIZE] = {
		[2] = TYPE_OPT, [3] = EDNS_SIZE_OURS >> 8, [4] = EDNS_SIZE_OURS & 0xff};
	memcpy(at, opt, sizeof(opt));
	at[7] = dnssec_ok ? 0x80 : 0;
}

static inline void write_header(const struct client *c, const struct outcome *says, uint8_t *out,
				const uint16_t counts[static SECTION_COUNT])
{
	/* RFC 4035 §3.2.2: CD is copied. RFC 6840 §5.8: AD for those who asked, by AD or DO. */
	uint16_t flags = FLAG_QR | FLAG_RA | (c->flags & (FLAG_OPCODE_MASK | FLAG_RD | FLAG_CD)) |
			 (says->rcode & FLAG_RCODE_MASK);
	if (says->authentic && c->authentic_wanted && !client_checking_disabled(c))
		flags |= FLAG_AD;
	if (says->authoritative)
		flags |= FLAG_AA;
	if (says->truncated)
		flags |= FLAG_TC;
	store_u16(out, c->id);
	store_u16(out + 2, flags);
	store_u16(out + 4, c->has_question ? 1 : 0);
	store_u16(out + 6, counts[SECTION_ANSWER]);
	store_u16(out + 8, counts[SECTION_AUTHORITY]);
	store_u16(out + 10, (uint16_t)(counts[SECTION_ADDITIONAL] + (c->has_edns ? 1 : 0)));
}

static inline void count_reply(struct metrics *metrics, const struct outcome *says)
{
	metrics_add(metrics, METRIC_answers_total, 1);
	if (says->truncated)
		metrics_add(metrics, METRIC_answers_truncated_total, 1);
	if (says->rcode == RCODE_SERVFAIL)
		metrics_add(metrics, METRIC_answers_servfail_total, 1);
	else if (says->rcode == RCODE_NXDOMAIN)
		metrics_add(metrics, METRIC_answers_nxdomain_total, 1);
}

/* What was denied may be one of the names that a search list makes. */
static COLD void count_search(const struct reply *r)
{
	uint8_t name[DNAME_MAX];
	dname_lower(r->c->qname, name);
	const uint8_t *suffix = search_suffix(r->ctx->settings, name);
	if (!suffix)
		return;
	const uint8_t *key = search_key(r->ctx->settings, suffix);
	metrics_count_key(r->ctx->metrics, FAMILY_search_expansions_total,
			  span_of(key, dname_len(key)));
}

/* Header and question are taken, and what the OPT record must say is set aside: RFC 6891 §7, it must
 * be there. False if not even these fit. */
static bool reply_begin(struct reply *r)
{
	const struct client *c = r->c;
	size_t opt_size = c->has_edns ? OPT_BARE_SIZE : 0;
	r->bare_opt = !c->has_edns || (wants_bare_opt(c) && r->says.rcode <= FLAG_RCODE_MASK &&
				       r->says.ede == EDE_NONE && r->says.ede2 == EDE_NONE);
	r->room = reply_room(c, r->out, r->size_bytes);
	if (!r->bare_opt) {
		fill_opt(r);
		opt_size = edns_size(&r->opt);
	}
	if (!room_take(&r->room, head_len(c)) || !room_reserve(&r->room, opt_size))
		return false;
	write_question(c, r->out);
	return true;
}

/* C's query once more, but for its cookie, in hex. */
static void query_hex(const struct client *c, char out[static 2 * QUERY_MAX + 1])
{
	uint8_t wire[QUERY_MAX] = {0}, cookie[COOKIE_CLIENT_SIZE] = {0};
	struct writer w = writer_of(wire + write_question(c, wire), QUERY_MAX - head_len(c));
	store_u16(wire, c->id);
	store_u16(wire + 2, c->flags);
	store_u16(wire + 4, c->has_question ? 1 : 0);
	store_u16(wire + 10, c->has_edns ? 1 : 0);
	if (c->has_edns) {
		writer_u8(&w, 0);
		writer_u16(&w, TYPE_OPT);
		writer_u16(&w, c->size_limit);
		writer_u32(&w, c->dnssec_ok ? 0x8000 : 0);
		writer_u16(&w, (uint16_t)((c->wants_nsid ? OPTION_HEAD_SIZE : 0) +
					  (c->wants_keepalive ? OPTION_HEAD_SIZE : 0) +
					  (c->cookie_len ? OPTION_HEAD_SIZE + sizeof(cookie) : 0)));
	}
	if (c->wants_nsid)
		writer_u32(&w, (uint32_t)EDNS_OPTION_NSID << 16);
	if (c->wants_keepalive)
		writer_u32(&w, (uint32_t)EDNS_OPTION_KEEPALIVE << 16);
	if (c->cookie_len) {
		writer_u32(&w, (uint32_t)EDNS_OPTION_COOKIE << 16 | sizeof(cookie));
		writer_bytes(&w, span_of(cookie, sizeof(cookie)));
	}
	for (const uint8_t *at = wire; at < w.at; at++, out += 2)
		(void)snprintf(out, 3, "%02x", *at);
}

/* The promise WHAT does not hold. SERVFAIL without more, which always fits; 0 where even that does
 * not: nothing is sent. */
static COLD size_t reply_broken(struct reply *r, const char *what)
{
	static const uint16_t nothing[SECTION_COUNT];
	const struct outcome servfail = {.rcode = RCODE_SERVFAIL};
	const struct client *c = r->c;
	char query[2 * QUERY_MAX + 1];
	struct room room = reply_room(c, r->out, r->size_bytes);
	bool fits =
		room_take(&room, head_len(c)) && room_take(&room, c->has_edns ? OPT_BARE_SIZE : 0);

	query_hex(c, query);
	metrics_add(r->ctx->metrics, METRIC_answers_broken_total, 1);
	log_error("a fault of our own cost an answer: what=\"%s\" told=%s rcode=%u ede=%u "
		  "text_bytes=%zu transport=%s size=%u buffer=%zu query=%s",
		  what, fits ? "SERVFAIL" : "nothing", r->says.rcode, r->says.ede, r->says.text.len,
		  c->transport == TRANSPORT_TCP ? "tcp" : "udp", c->size_limit, r->size_bytes,
		  query);
	if (!fits)
		return 0;
	write_question(c, r->out);
	write_header(c, &servfail, r->out, nothing);
	if (c->has_edns)
		write_bare_opt(r->out + head_len(c), c->dnssec_ok);
	count_reply(r->ctx->metrics, &servfail);
	return room.len;
}

/* The OPT record, behind all else. */
static bool write_opt(struct reply *r)
{
	if (!r->c->has_edns)
		return true;
	room_return(&r->room);
	if (!r->bare_opt)
		fill_opt_up(r);
	size_t size = r->bare_opt ? OPT_BARE_SIZE : edns_size(&r->opt);
	uint8_t *at = room_take(&r->room, size);
	if (!at)
		return false;
	if (!r->bare_opt)
		return edns_render(&r->opt, at, size) == size;
	write_bare_opt(at, r->c->dnssec_ok);
	return true;
}

/* The header, around what is written and COUNTS records, and the OPT record; returns the length. */
static size_t reply_end(struct reply *r, const uint16_t counts[static SECTION_COUNT])
{
	if (!write_opt(r))
		return reply_broken(r, "the OPT record fits");
	write_header(r->c, &r->says, r->out, counts);
	count_reply(r->ctx->metrics, &r->says);
	if (r->says.rcode == RCODE_NXDOMAIN && r->c->has_question)
		count_search(r);
	return r->room.len;
}

static COLD size_t reply_without_data(struct reply *r)
{
	static const uint16_t nothing[SECTION_COUNT];
	if (!reply_begin(r))
		return reply_broken(r, "the question fits");
	return reply_end(r, nothing);
}

static struct span text_span(const char *text)
{
	return text ? span_of(text, strnlen(text, ENTRY_TEXT_MAX)) : (struct span){0};
}

/* ---- too many -------------------------------------------------------------------------------- */

/* One more goes to C's network, which may be somebody whom C floods: too many do. */
static inline bool is_over(struct client_context *ctx, const struct client *c)
{
	return UNLIKELY(!c->is_real) && ctx->limiter && ctx->settings->response_rate > 0 &&
	       limiter_is_over(ctx->limiter, &c->peer, ctx->settings->response_rate, ctx->now_us);
}

/* No records: a real client asks again over TCP. */
static COLD size_t reply_limited(struct client_context *ctx, const struct client *c, uint8_t *out,
				 size_t size_bytes)
{
	struct reply r;
	r.ctx = ctx;
	r.c = c;
	r.out = out;
	r.size_bytes = size_bytes;
	r.says = (struct outcome){.ede = EDE_NONE, .ede2 = EDE_NONE, .truncated = true};
	metrics_add(ctx->metrics, METRIC_answers_limited_total, 1);
	return reply_without_data(&r);
}

/* Who may not ask need not learn it again and again. */
static COLD size_t reply_none(struct client_context *ctx)
{
	metrics_add(ctx->metrics, METRIC_answers_limited_total, 1);
	return 0;
}

size_t client_reply_error(struct client_context *ctx, const struct client *c,
			  const struct client_error *error, uint8_t *out, size_t size_bytes)
{
	bool is_denied = error->rcode == RCODE_REFUSED && error->ede == EDE_PROHIBITED;
	struct reply r;
	r.ctx = ctx;
	r.c = c;
	r.out = out;
	r.size_bytes = size_bytes;
	r.says = (struct outcome){.rcode = error->rcode,
				  .ede = error->ede,
				  .ede2 = EDE_NONE,
				  .text = text_span(error->text)};
	if (error->rcode == RCODE_FORMERR)
		metrics_add(ctx->metrics, METRIC_queries_malformed_total, 1);
	else if (is_denied)
		metrics_add(ctx->metrics, METRIC_queries_refused_total, 1);
	if (is_over(ctx, c))
		return is_denied ? reply_none(ctx) : reply_limited(ctx, c, out, size_bytes);
	return reply_without_data(&r);
}

/* ---- from RRsets ----------------------------------------------------------------------------- */

/* Round robin, answer by answer. */
static unsigned first_record(struct client_context *ctx, uint16_t type, unsigned rr_count)
{
	if (rr_count < 2 || (type != TYPE_A && type != TYPE_AAAA))
		return 0;
	return ctx->rotation++ % rr_count;
}

/* Proofs are for DO clients, or for who asks for just that. */
static bool wants_set(const struct client *c, const struct rrset *set)
{
	return c->dnssec_ok || (set->type != TYPE_NSEC && set->type != TYPE_NSEC3) ||
	       set->type == c->qtype;
}

static COLD uint32_t draw_spread(struct client_context *ctx, uint32_t left_s, uint32_t percent)
{
	uint64_t most_s = MIN((uint64_t)left_s * percent / 100 + 1, (uint64_t)left_s) - 1;
	/* Nobody gains from foreseeing it: a linear congruence (Numerical Recipes) will do. */
	ctx->spread = ctx->spread * 1664525u + 1013904223u;
	return (uint32_t)(ctx->spread * (most_s + 1) >> 32);
}

/* By how much the TTLs of an answer that has LEFT_S are told shorter this time; a second at least
 * stays of it. */
static inline uint32_t spread_s(struct client_context *ctx, uint32_t left_s)
{
	uint32_t percent = ctx->settings->prefetch.spread_percent;
	return LIKELY(percent == 0) || left_s == 0 ? 0 : draw_spread(ctx, left_s, percent);
}

/* What is left of TTL_S when so much of it is kept back, or CAP_S. */
static inline uint32_t shorter_s(uint32_t ttl_s, uint32_t less_s, uint32_t cap_s)
{
	return MIN(ttl_s - MIN(less_s, ttl_s), cap_s);
}

/* All of A that fits; what does not sets TC (RFC 2181 §9). No TTL is longer than CAP_S. */
static size_t write_sets(struct reply *r, const struct answer *a, uint32_t cap_s)
{
	uint32_t less_s = a->local || a->stale ? 0 : spread_s(r->ctx, a->ttl_s);
	const struct client *c = r->c;
	struct builder b;
	/* It takes what is left, the question written once more. */
	builder_init(&b, r->out, r->room.len + r->room.left, c->id, 0);
	bool fits = builder_question(&b, c->qname, c->qtype, c->qclass);
	if (!fits || b.len != r->room.len)
		return reply_broken(r, "the question is the client's");

	for (uint32_t i = 0; i < a->answer_count && fits; i++) {
		const struct rrset *set = &a->answer[i];
		unsigned first = first_record(r->ctx, set->type, set->rr_count);
		fits = builder_rrset(&b, SECTION_ANSWER, set, shorter_s(set->ttl_s, less_s, cap_s),
				     first, c->dnssec_ok);
	}
	for (uint32_t i = 0; i < a->authority_count && fits; i++) {
		const struct rrset *set = &a->authority[i];
		if (wants_set(c, set))
			fits = builder_rrset(&b, SECTION_AUTHORITY, set,
					     shorter_s(set->ttl_s, less_s, cap_s), 0, c->dnssec_ok);
	}
	if (b.broken || !room_take(&r->room, b.len - r->room.len))
		return reply_broken(r, "records are what their type says");
	r->says.truncated = !fits;
	return reply_end(r, b.counts + 1);
}

/* SERVFAIL in place of what there is. (A secure RRset has signatures, and so never takes
 * reply_plain(), which does not ask.) */
static bool is_withheld(const struct client_context *ctx, const struct client *c,
			enum verdict verdict)
{
	if (client_checking_disabled(c) || !ctx->settings->dnssec)
		return false;
	if (UNLIKELY(verdict == VERDICT_SECURE && sentinel_is_possible(c->qname)))
		return sentinel_withholds(ctx->settings, c->qname, c->qtype);
	return verdict == VERDICT_BOGUS;
}

static uint16_t stale_ede(uint16_t rcode)
{
	return rcode == RCODE_NXDOMAIN ? EDE_STALE_NXDOMAIN : EDE_STALE_ANSWER;
}

size_t client_reply_answer(struct client_context *ctx, const struct client *c,
			   const struct answer *a, uint8_t *out, size_t size_bytes)
{
	if (is_over(ctx, c))
		return reply_limited(ctx, c, out, size_bytes);
	struct reply r;
	bool withheld = is_withheld(ctx, c, a->verdict);
	r.ctx = ctx;
	r.c = c;
	r.out = out;
	r.size_bytes = size_bytes;
	r.says = (struct outcome){
		.rcode = withheld ? RCODE_SERVFAIL : a->rcode,
		.ede = a->ede,
		.ede2 = EDE_NONE,
		.text = text_span(a->text),
		.authentic = a->verdict == VERDICT_SECURE && !withheld && !a->stale,
		.authoritative = a->local,
	};
	/* Beside YXDOMAIN stands the DNAME that proves it (RFC 6672 §2.2), beside a chain's
	 * SERVFAIL the chain itself (RFC 6604 §3: an rcode is that of the chain's end), unless
	 * that is withheld. */
	bool has_data = r.says.rcode == RCODE_NOERROR || r.says.rcode == RCODE_NXDOMAIN ||
			a->answer_count > 0;
	if (withheld || !has_data)
		return reply_without_data(&r);
	if (a->stale) {
		r.says.ede2 = r.says.ede;
		r.says.ede = stale_ede(a->rcode);
	}
	if (!reply_begin(&r))
		return reply_broken(&r, "the question fits");
	return write_sets(&r, a, a->stale ? ctx->settings->stale_ttl_s : UINT32_MAX);
}

/* ---- from an RRset of the cache -------------------------------------------------------------- */

/* The records of packed LIST, owned by the question, at AT; returns what comes behind them. */
static inline uint8_t *write_packed(uint8_t *at, struct span list, uint16_t type, uint32_t ttl_s)
{
	uint8_t head[RECORD_HEAD_SIZE] = {0xc0, MESSAGE_HEADER_SIZE, [5] = CLASS_IN};
	struct rrset_iter it = {list};
	struct span rdata;
	store_u16(head + 2, type);
	store_u32(head + 6, ttl_s);
	while (rrset_next(&it, &rdata)) {
		memcpy(at, head, sizeof(head));
		store_u16(at + sizeof(head), (uint16_t)rdata.len);
		at += sizeof(head) + sizeof(uint16_t);
		if (rdata.len == 4)
			memcpy(at, rdata.at, 4);
		else
			memcpy(at, rdata.at, rdata.len);
		at += rdata.len;
	}
	return at;
}

/* The records of SET from number FIRST on, and around. */
static inline uint8_t *write_turned(uint8_t *at, const struct rrset *set, unsigned first,
				    uint32_t ttl_s)
{
	struct rrset_iter rest = rrset_records(set);
	struct span skipped;
	if (LIKELY(first == 0))
		return write_packed(at, set->rdata, set->type, ttl_s);
	for (; first > 0; first--)
		rrset_next(&rest, &skipped);
	at = write_packed(at, rest.rest, set->type, ttl_s);
	return write_packed(at, span_of(set->rdata.at, set->rdata.len - rest.rest.len), set->type,
			    ttl_s);
}

/* The same through the builder, which compresses names and cuts. */
static COLD size_t reply_rrset_tight(struct reply *r, const struct rrset *set)
{
	struct answer a;
	a.answer[0] = *set;
	a.answer_count = 1;
	a.authority_count = 0;
	a.local = true; /* its TTL is what shall be told */
	return write_sets(r, &a, UINT32_MAX);
}

static size_t reply_rrset(struct reply *r, const struct entry *e, uint32_t ttl_s)
{
	struct rrset set;
	entry_rrset(e, &set);
	if (!r->c->dnssec_ok) {
		set.sig_count = 0;
		set.sigs.len = 0;
	}
	unsigned count = set.rr_count + set.sig_count;
	size_t size = set.rdata.len + set.sigs.len + count * RECORD_OVERHEAD;
	uint8_t *at = room_take(&r->room, size);
	if (UNLIKELY(!at)) {
		set.owner = r->c->qname;
		set.ttl_s = ttl_s;
		return reply_rrset_tight(r, &set);
	}

	unsigned first = first_record(r->ctx, set.type, set.rr_count);
	at = write_turned(at, &set, first, ttl_s);
	write_packed(at, set.sigs, TYPE_RRSIG, ttl_s);
	return reply_end(r, (uint16_t[SECTION_COUNT]){(uint16_t)count});
}

/*
 * What most queries get: a fresh unsigned RRset and an OPT record without options. 0 if E or C want
 * more, or it does not fit; the long way then does.
 */
static inline size_t reply_plain(struct client_context *ctx, const struct client *c,
				 const struct entry *e, uint32_t ttl_s, uint8_t *out,
				 size_t size_bytes)
{
	if (e->sig_count > 0 || e->ede != EDE_NONE || !wants_bare_opt(c) || !c->has_question)
		return 0;
	const struct outcome says = {.rcode = RCODE_NOERROR,
				     .authentic = e->verdict == VERDICT_SECURE};
	const uint16_t counts[SECTION_COUNT] = {e->rr_count};
	const struct rrset set = {
		.type = e->type, .rr_count = e->rr_count, .rdata = entry_payload(e)};
	size_t size = head_len(c) + set.rdata.len + e->rr_count * RECORD_OVERHEAD +
		      (c->has_edns ? OPT_BARE_SIZE : 0);
	struct room room = reply_room(c, out, size_bytes);
	if (!room_take(&room, size))
		return 0;
	write_header(c, &says, out, counts);
	unsigned first = first_record(ctx, e->type, e->rr_count);
	uint8_t *at = write_turned(out + write_question(c, out), &set, first, ttl_s);
	if (c->has_edns)
		write_bare_opt(at, c->dnssec_ok);
	count_reply(ctx->metrics, &says);
	return size;
}

/* ---- from a rendered answer of the cache ----------------------------------------------------- */

/* The body at AT, its run of addresses turned. */
static void write_body(struct reply *r, const struct answer_view *v, uint8_t *at)
{
	const uint8_t *body = v->body.at;
	if (v->rotate_count < 2) {
		memcpy(at, body, v->body.len);
		return;
	}
	size_t start = v->rotate_offset, run = (size_t)v->rotate_count * v->rotate_size;
	size_t skip = (size_t)(r->ctx->rotation++ % v->rotate_count) * v->rotate_size;
	size_t end = start + run;
	memcpy(at, body, start);
	memcpy(at + start, body + start + skip, run - skip);
	memcpy(at + start + run - skip, body + start, skip);
	memcpy(at + end, body + end, v->body.len - end);
}

/* Each record has aged since it came, but not below a second, unless it came with none: it is fresh, or its
 * AGE_S is 0. Nor is it told for longer than CAP_S. */
static void age_body(const struct answer_view *v, uint8_t *at, uint32_t age_s, uint32_t cap_s)
{
	for (size_t i = 0; i < v->ttl_count; i++) {
		uint16_t offset;
		memcpy(&offset, v->ttl_offsets + i * sizeof(offset), sizeof(offset));
		uint32_t ttl_s = load_u32(at + offset);
		ttl_s = ttl_s > age_s ? ttl_s - age_s : MIN(ttl_s, 1u);
		store_u32(at + offset, MIN(ttl_s, cap_s));
	}
}

/* What does not fit is cut away set by set. */
static COLD size_t reply_rendered_cut(struct reply *r, const struct answer_view *v, uint32_t age_s,
				      uint32_t cap_s)
{
	uint8_t wire[MESSAGE_HEADER_SIZE + DNAME_MAX + QUESTION_TAIL + MESSAGE_MAX];
	uint16_t counts[SECTION_COUNT] = {0};
	struct message m;
	size_t len = write_question(r->c, wire);

	memset(wire, 0,
	       MESSAGE_HEADER_SIZE); /* for message_view(); reply_end() writes the real one */
	write_body(r, v, wire + len);
	age_body(v, wire + len, age_s, cap_s);
	wire[5] = 1;
	for (unsigned section = 0; section < SECTION_COUNT; section++)
		store_u16(wire + 6 + 2 * section, v->counts[section]);
	if (message_view(span_of(wire, len + v->body.len), &m) != OK)
		return reply_broken(r, "a rendered answer is a message");
	size_t kept = message_cut(&m, len + r->room.left, counts) - len;
	uint8_t *at = room_take(&r->room, kept);
	if (!at)
		return reply_broken(r, "what is cut fits");
	memcpy(at, wire + len, kept);
	r->says.truncated = true;
	return reply_end(r, counts);
}

static size_t reply_rendered(struct reply *r, const struct answer_view *v, uint32_t age_s,
			     uint32_t cap_s)
{
	uint8_t *at = room_take(&r->room, v->body.len);
	if (UNLIKELY(!at))
		return reply_rendered_cut(r, v, age_s, cap_s);
	write_body(r, v, at);
	age_body(v, at, age_s, cap_s);
	return reply_end(r, v->counts);
}

/* ---- from any entry -------------------------------------------------------------------------- */

/* RFC 9520 §3.4, RFC 8914 §4.14: the reason, and that it was remembered; SERVFAIL, unless others than those
 * who failed have denied the name. */
static COLD size_t reply_failure(struct reply *r, const struct entry *e)
{
	bool lasting = e->kind != ENTRY_FAILURE;
	r->says = (struct outcome){
		.rcode = lasting ? RCODE_SERVFAIL : e->rcode,
		.ede = e->ede != EDE_NONE || lasting ? e->ede : EDE_CACHED_ERROR,
		.ede2 = e->ede != EDE_NONE && !lasting ? EDE_CACHED_ERROR : EDE_NONE,
		.text = entry_text(e),
	};
	return reply_without_data(r);
}

/* Seconds that C may keep E. */
static inline uint32_t told_ttl_s(struct client_context *ctx, const struct entry *e, struct now now)
{
	uint32_t left_s = entry_ttl_left_s(e, now);
	return left_s - spread_s(ctx, left_s);
}

/* Seconds since E was fetched, begun ones included: only in its last second anything outlives its TTL by a
 * fraction. */
static uint32_t entry_age_s(const struct entry *e, struct now now)
{
	int64_t age_ms = now.cache_ms - entry_fetched_ms(e);
	if (age_ms <= 0)
		return 0;
	return age_ms < (int64_t)UINT32_MAX * 1000 - 999 ? (uint32_t)((age_ms + 999) / 1000)
							 : UINT32_MAX;
}

static COLD size_t reply_damaged(struct reply *r)
{
	r->says = (struct outcome){
		.rcode = RCODE_SERVFAIL, .ede = EDE_INVALID_DATA, .ede2 = EDE_NONE};
	return reply_without_data(r);
}

/* How long C may keep what is told with AGE. */
static uint32_t ttl_cap_s(const struct settings *settings, enum client_age age)
{
	switch (age) {
	case CLIENT_FRESH:
		return UINT32_MAX;
	case CLIENT_STALE:
		return settings->stale_ttl_s;
	case CLIENT_HELD:
		return MIN(settings->stale_ttl_s, (uint32_t)HELD_TTL_S);
	}
	return 0;
}

static __attribute__((noinline)) size_t reply_entry_in_full(struct reply *r, const struct entry *e,
							    struct now now, enum client_age age)
{
	uint32_t cap_s = ttl_cap_s(r->ctx->settings, age);
	bool stale = age != CLIENT_FRESH;
	struct answer_view view;

	if (e->kind == ENTRY_FAILURE || is_withheld(r->ctx, r->c, e->verdict))
		return reply_failure(r, e);
	if (stale)
		metrics_observe(r->ctx->metrics, HISTOGRAM_stale_age_seconds,
				(uint64_t)MAX(now.cache_ms - e->expires_ms, 0) * 1000);
	bool secure = e->verdict == VERDICT_SECURE;
	r->says = (struct outcome){
		.rcode = e->rcode,
		.ede = stale ? stale_ede(e->rcode) : e->ede,
		.ede2 = stale ? e->ede : EDE_NONE,
		.text = stale ? (struct span){0} : entry_text(e),
		.authentic = secure && (!stale || endorsed_still(r->ctx->reader, e, now)),
	};
	if (!reply_begin(r))
		return reply_broken(r, "the question fits");
	if (e->kind == ENTRY_RRSET)
		return reply_rrset(r, e, stale ? MIN(cap_s, e->ttl_s) : told_ttl_s(r->ctx, e, now));
	if (UNLIKELY(entry_answer(e, &view) != OK))
		return reply_damaged(r);
	uint32_t less_s = stale ? 0 : spread_s(r->ctx, entry_ttl_left_s(e, now));
	return reply_rendered(r, &view, stale ? 0 : entry_age_s(e, now) + less_s, cap_s);
}

size_t client_reply_entry(struct client_context *ctx, const struct client *c, const struct entry *e,
			  struct now now, enum client_age age, uint8_t *out, size_t size_bytes)
{
	if (is_over(ctx, c))
		return reply_limited(ctx, c, out, size_bytes);
	if (LIKELY(e->kind == ENTRY_RRSET && e->verdict != VERDICT_BOGUS && age == CLIENT_FRESH)) {
		size_t len = reply_plain(ctx, c, e, told_ttl_s(ctx, e, now), out, size_bytes);
		if (LIKELY(len > 0))
			return len;
	}
	struct reply r;
	r.ctx = ctx;
	r.c = c;
	r.out = out;
	r.size_bytes = size_bytes;
	return reply_entry_in_full(&r, e, now, age);
}
