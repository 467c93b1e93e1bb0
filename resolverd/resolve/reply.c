/*
 * Every reply that clients get, written into the caller's buffer. The paths for cached entries copy
 * and patch; everything else goes through the builder.
 */
#include "base/cursor.h"
#include "resolve/client.h"
#include "resolve/search.h"
#include "resolve/sentinel.h"

#define COLD __attribute__((noinline, cold))

enum {
	QUESTION_TAIL = 4,  /* type and class behind the question's name */
	OPT_BARE_SIZE = 11, /* an OPT record without options */
	/* What the longest question leaves for it in the smallest reply; of larger ones this part. */
	OPT_SHARE = 4,
	OPT_MAX_SIZE = EDNS_SIZE_MIN - MESSAGE_HEADER_SIZE - DNAME_MAX - QUESTION_TAIL,
	RECORD_HEAD_SIZE = 10, /* pointer to the question, type, class, TTL */
	RECORD_OVERHEAD =
		10, /* of a record over its packed form; both have its length in 2 bytes */
	ENTRY_TEXT_MAX = 255,
	HELD_TTL_S = 1,
};

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
	size_t limit; /* for all but the OPT record */
	struct outcome says;
	bool bare_opt;	 /* OPT is not needed, or has no options: OPT is not filled in */
	size_t opt_size; /* 0: none */
	struct edns_reply opt;
	char text[ENTRY_TEXT_MAX + 1];
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

static void fill_opt(struct reply *r)
{
	const struct client *c = r->c;
	const char *identity = r->ctx->settings->identity;
	memcpy(r->text, r->says.text.at ? r->says.text.at : (const uint8_t *)"", r->says.text.len);
	r->text[r->says.text.len] = '\0';
	r->opt = (struct edns_reply){
		.size = EDNS_SIZE_OURS,
		.rcode = r->says.rcode,
		.dnssec_ok = c->dnssec_ok,
		.ede = r->says.ede,
		.ede2 = r->says.ede2,
		.ede_text = r->says.text.len > 0 ? r->text : NULL,
		.cookie = span_of(c->cookie, c->cookie_len),
		.keepalive = c->wants_keepalive,
		.keepalive_100ms = r->ctx->keepalive_100ms,
	};
	if (c->wants_nsid && identity)
		r->opt.nsid = span_of(identity, strlen(identity));
}

/* C's OPT record has no options but for errors. */
static inline bool wants_bare_opt(const struct client *c)
{
	return !c->has_edns || (!c->cookie_len && !c->wants_nsid && !c->wants_keepalive);
}

/* Room for the OPT record is set aside first: RFC 6891 §7, it must be there. */
static void reserve_opt(struct reply *r, size_t size)
{
	const struct client *c = r->c;
	r->bare_opt = !c->has_edns || (wants_bare_opt(c) && r->says.rcode <= FLAG_RCODE_MASK &&
				       r->says.ede == EDE_NONE && r->says.ede2 == EDE_NONE);
	r->opt_size = c->has_edns ? OPT_BARE_SIZE : 0;
	if (!r->bare_opt) {
		fill_opt(r);
		r->opt_size = edns_size(&r->opt);
		/* What is only nice to know must not crowd out the rest of a small reply. */
		if (r->opt_size > MAX((size_t)OPT_MAX_SIZE, size / OPT_SHARE)) {
			r->opt.ede_text = NULL;
			r->opt.nsid = (struct span){0};
			r->opt_size = edns_size(&r->opt);
		}
	}
	static_assert(OPT_MAX_SIZE >
			      OPT_BARE_SIZE + 4 + COOKIE_CLIENT_SIZE + COOKIE_SERVER_SIZE + 3 * 6,
		      "the cookie, keepalive and two EDE codes always fit");
	r->limit = MIN(size, c->size_limit) - r->opt_size;
}

static void reply_begin(struct reply *r, size_t size_bytes)
{
	REQUIRE(size_bytes >= EDNS_SIZE_MIN && r->c->size_limit >= EDNS_SIZE_MIN);
	reserve_opt(r, size_bytes);
}

static inline size_t question_len(const struct client *c)
{
	return c->has_question ? (size_t)c->qname_len + QUESTION_TAIL : 0;
}

/* The question behind where the header will be; returns the length of both. */
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
	if (suffix)
		metrics_count_key(r->ctx->metrics, FAMILY_search_expansions_total,
				  span_of(suffix, dname_len(suffix)));
}

/* The header, around LEN bytes with COUNTS records, and the OPT record; returns the whole length. */
static size_t reply_end(struct reply *r, size_t len, const uint16_t counts[static SECTION_COUNT])
{
	REQUIRE(len <= r->limit);
	write_header(r->c, &r->says, r->out, counts);
	if (r->opt_size > 0 && r->bare_opt)
		write_bare_opt(r->out + len, r->c->dnssec_ok);
	else if (r->opt_size > 0)
		REQUIRE(edns_render(&r->opt, r->out + len, r->opt_size) == r->opt_size);
	count_reply(r->ctx->metrics, &r->says);
	if (r->says.rcode == RCODE_NXDOMAIN && r->c->has_question)
		count_search(r);
	return len + r->opt_size;
}

static COLD size_t reply_without_data(struct reply *r, size_t size_bytes)
{
	static const uint16_t nothing[SECTION_COUNT];
	reply_begin(r, size_bytes);
	return reply_end(r, write_question(r->c, r->out), nothing);
}

static struct span text_span(const char *text)
{
	return text ? span_of(text, strnlen(text, ENTRY_TEXT_MAX)) : (struct span){0};
}

size_t client_reply_error(struct client_context *ctx, const struct client *c,
			  const struct client_error *error, uint8_t *out, size_t size_bytes)
{
	struct reply r;
	r.ctx = ctx;
	r.c = c;
	r.out = out;
	r.says = (struct outcome){.rcode = error->rcode,
				  .ede = error->ede,
				  .ede2 = EDE_NONE,
				  .text = text_span(error->text)};
	if (error->rcode == RCODE_FORMERR)
		metrics_add(ctx->metrics, METRIC_queries_malformed_total, 1);
	else if (error->rcode == RCODE_REFUSED && error->ede == EDE_PROHIBITED)
		metrics_add(ctx->metrics, METRIC_queries_refused_total, 1);
	return reply_without_data(&r, size_bytes);
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
	builder_init(&b, r->out, r->limit, c->id, 0);
	REQUIRE(builder_question(&b, c->qname, c->qtype, c->qclass));

	bool fits = true;
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
	r->says.truncated = !fits;
	return reply_end(r, b.len, b.counts + 1);
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
	struct reply r;
	bool withheld = is_withheld(ctx, c, a->verdict);
	r.ctx = ctx;
	r.c = c;
	r.out = out;
	r.says = (struct outcome){
		.rcode = withheld ? RCODE_SERVFAIL : a->rcode,
		.ede = a->ede,
		.ede2 = EDE_NONE,
		.text = text_span(a->text),
		.authentic = a->verdict == VERDICT_SECURE && !withheld,
		.authoritative = a->local,
	};
	/* Beside YXDOMAIN stands the DNAME that proves it (RFC 6672 §2.2), beside a chain's
	 * SERVFAIL the chain itself (RFC 6604 §3: an rcode is that of the chain's end). */
	bool has_data = r.says.rcode == RCODE_NOERROR || r.says.rcode == RCODE_NXDOMAIN ||
			a->answer_count > 0;
	if (withheld || !has_data)
		return reply_without_data(&r, size_bytes);
	if (a->stale) {
		r.says.ede2 = r.says.ede;
		r.says.ede = stale_ede(a->rcode);
	}
	reply_begin(&r, size_bytes);
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
	size_t len = MESSAGE_HEADER_SIZE + question_len(r->c);
	if (UNLIKELY(size > r->limit - len)) {
		set.owner = r->c->qname;
		set.ttl_s = ttl_s;
		return reply_rrset_tight(r, &set);
	}

	unsigned first = first_record(r->ctx, set.type, set.rr_count);
	uint8_t *at = write_turned(r->out + write_question(r->c, r->out), &set, first, ttl_s);
	at = write_packed(at, set.sigs, TYPE_RRSIG, ttl_s);
	return reply_end(r, (size_t)(at - r->out), (uint16_t[SECTION_COUNT]){(uint16_t)count});
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
	size_t size = MESSAGE_HEADER_SIZE + question_len(c) + set.rdata.len +
		      e->rr_count * RECORD_OVERHEAD + (c->has_edns ? OPT_BARE_SIZE : 0);
	if (size > MIN(size_bytes, c->size_limit))
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

/* Each record has aged since it came, but not below zero; nor is it told for longer than CAP_S. */
static void age_body(const struct answer_view *v, uint8_t *at, uint32_t age_s, uint32_t cap_s)
{
	for (size_t i = 0; i < v->ttl_count; i++) {
		uint16_t offset;
		memcpy(&offset, v->ttl_offsets + i * sizeof(offset), sizeof(offset));
		uint32_t ttl_s = load_u32(at + offset);
		ttl_s = ttl_s > age_s ? ttl_s - age_s : 0;
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
	size_t len = write_question(r->c, wire), keep = len;

	memset(wire, 0,
	       MESSAGE_HEADER_SIZE); /* for message_view(); reply_end() writes the real one */
	write_body(r, v, wire + len);
	age_body(v, wire + len, age_s, cap_s);
	wire[5] = 1;
	for (unsigned section = 0; section < SECTION_COUNT; section++)
		store_u16(wire + 6 + 2 * section, v->counts[section]);
	if (message_view(span_of(wire, len + v->body.len), &m) == OK)
		keep = message_cut(&m, r->limit, counts);
	memcpy(r->out, wire, keep);
	r->says.truncated = true;
	return reply_end(r, keep, counts);
}

static size_t reply_rendered(struct reply *r, const struct answer_view *v, uint32_t age_s,
			     uint32_t cap_s)
{
	size_t len = MESSAGE_HEADER_SIZE + question_len(r->c);
	if (UNLIKELY(v->body.len > r->limit - len))
		return reply_rendered_cut(r, v, age_s, cap_s);
	write_question(r->c, r->out);
	write_body(r, v, r->out + len);
	age_body(v, r->out + len, age_s, cap_s);
	return reply_end(r, len + v->body.len, v->counts);
}

/* ---- from any entry -------------------------------------------------------------------------- */

/* RFC 9520 §3.4, RFC 8914 §4.14: the reason, and that it was remembered. */
static COLD size_t reply_failure(struct reply *r, const struct entry *e, size_t size_bytes)
{
	bool lasting = e->kind != ENTRY_FAILURE;
	r->says = (struct outcome){
		.rcode = RCODE_SERVFAIL,
		.ede = e->ede != EDE_NONE || lasting ? e->ede : EDE_CACHED_ERROR,
		.ede2 = e->ede != EDE_NONE && !lasting ? EDE_CACHED_ERROR : EDE_NONE,
		.text = entry_text(e),
	};
	return reply_without_data(r, size_bytes);
}

/* Seconds that C may keep E. */
static inline uint32_t told_ttl_s(struct client_context *ctx, const struct entry *e, struct now now)
{
	uint32_t left_s = entry_ttl_left_s(e, now);
	return left_s - spread_s(ctx, left_s);
}

/* Seconds since E was fetched, begun ones included: nothing outlives its TTL by a fraction. */
static uint32_t entry_age_s(const struct entry *e, struct now now)
{
	int64_t age_ms = now.cache_ms - entry_fetched_ms(e);
	if (age_ms <= 0)
		return 0;
	return age_ms < (int64_t)UINT32_MAX * 1000 - 999 ? (uint32_t)((age_ms + 999) / 1000)
							 : UINT32_MAX;
}

static COLD size_t reply_damaged(struct reply *r, size_t size_bytes)
{
	r->says = (struct outcome){
		.rcode = RCODE_SERVFAIL, .ede = EDE_INVALID_DATA, .ede2 = EDE_NONE};
	return reply_without_data(r, size_bytes);
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
							    struct now now, enum client_age age,
							    size_t size_bytes)
{
	uint32_t cap_s = ttl_cap_s(r->ctx->settings, age);
	bool stale = age != CLIENT_FRESH;
	struct answer_view view;

	if (e->kind == ENTRY_FAILURE || is_withheld(r->ctx, r->c, e->verdict))
		return reply_failure(r, e, size_bytes);
	if (stale)
		metrics_observe(r->ctx->metrics, HISTOGRAM_stale_age_seconds,
				(uint64_t)MAX(now.cache_ms - e->expires_ms, 0) * 1000);
	r->says = (struct outcome){
		.rcode = e->rcode,
		.ede = stale ? stale_ede(e->rcode) : e->ede,
		.ede2 = stale ? e->ede : EDE_NONE,
		.text = stale ? (struct span){0} : entry_text(e),
		.authentic = e->verdict == VERDICT_SECURE,
	};
	reply_begin(r, size_bytes);
	if (e->kind == ENTRY_RRSET)
		return reply_rrset(r, e, stale ? MIN(cap_s, e->ttl_s) : told_ttl_s(r->ctx, e, now));
	if (UNLIKELY(entry_answer(e, &view) != OK))
		return reply_damaged(r, size_bytes);
	uint32_t less_s = stale ? 0 : spread_s(r->ctx, entry_ttl_left_s(e, now));
	return reply_rendered(r, &view, stale ? 0 : entry_age_s(e, now) + less_s, cap_s);
}

size_t client_reply_entry(struct client_context *ctx, const struct client *c, const struct entry *e,
			  struct now now, enum client_age age, uint8_t *out, size_t size_bytes)
{
	if (LIKELY(e->kind == ENTRY_RRSET && e->verdict != VERDICT_BOGUS && age == CLIENT_FRESH)) {
		size_t len = reply_plain(ctx, c, e, told_ttl_s(ctx, e, now), out, size_bytes);
		if (LIKELY(len > 0))
			return len;
	}
	struct reply r;
	r.ctx = ctx;
	r.c = c;
	r.out = out;
	return reply_entry_in_full(&r, e, now, age, size_bytes);
}
