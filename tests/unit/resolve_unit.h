#pragma once
/*
 * What the tests of resolve/'s client side share: a rig of settings, cache and one client; RRsets
 * from presentation format; queries from a few words, and replies as a line of text.
 */
#include <stdio.h>

#include "unit/cache_unit.h"

#include "base/cursor.h"
#include "dns/rdata.h"
#include "dns/text.h"
#include "resolve/client.h"
#include "resolve/local.h"

struct rig {
	struct arena arena;
	struct settings settings;
	struct cache *cache;
	struct cache_reader *reader;
	struct cache_since since;
	struct metrics metrics;
	struct hash_key secret;
	struct client_context context;
	struct endpoint peer;
	struct now now;
	struct client client;
	uint8_t query[1024];
	size_t query_len;
	uint8_t reply[MESSAGE_MAX];
	ptrdiff_t reply_len;
	char text[16384];
};

/* Everything at its default but DNSSEC, which is off; built-in local zones are in. */
static inline struct rig *rig_new(void)
{
	struct rig *g = calloc(1, sizeof(*g));
	REQUIRE(g);
	arena_init(&g->arena, (size_t)16 << 20);
	settings_init(&g->settings);
	g->settings.dnssec = false;
	REQUIRE(local_builtin_zones(&g->arena, &g->settings.local_zones,
				    &g->settings.local_zone_count) == OK);
	REQUIRE(settings_finish(&g->settings, &g->arena) == OK);
	const struct cache_settings memory = {.memory_bytes = (size_t)8 << 20};
	REQUIRE(cache_new(&memory, &g->cache) == OK);
	REQUIRE(cache_reader_new(g->cache, &g->reader) == OK);
	g->since = cache_since(g->cache);
	memset(&g->secret, 7, sizeof(g->secret));
	g->context = (struct client_context){.settings = &g->settings,
					     .reader = g->reader,
					     .metrics = &g->metrics,
					     .cookie_secret = &g->secret,
					     .keepalive_100ms = CLIENT_KEEPALIVE_100MS};
	REQUIRE(endpoint_parse("10.1.2.3", 4711, &g->peer) == OK);
	g->now = unit_now(0);
	return g;
}

static inline void rig_free(struct rig *g)
{
	cache_reader_free(g->reader);
	cache_free(g->cache);
	arena_deinit(&g->arena);
	free(g);
}

/* The RRset in LINES, one record each, separated by newlines; RRSIGs among them become its
 * signatures. Lives in G's arena. */
static inline struct rrset rig_set(struct rig *g, const char *lines)
{
	struct text_record records[64];
	struct span data[64], sigs[64];
	size_t count = 0, sig_count = 0, first = 0;
	char line[2048];

	for (size_t n = 0; *lines; n++) {
		size_t len = strcspn(lines, "\n");
		REQUIRE(len < sizeof(line) && n < ARRAY_LEN(records));
		memcpy(line, lines, len);
		line[len] = '\0';
		REQUIRE(text_parse_record(line, &g->arena, &records[n]) == OK);
		if (records[n].type == TYPE_RRSIG) {
			sigs[sig_count++] = records[n].rdata;
		} else {
			first = n;
			data[count++] = records[n].rdata;
		}
		lines += len + (lines[len] ? 1 : 0);
	}
	struct rrset set, signature;
	struct span owner = arena_copy(
		&g->arena, span_of(records[first].owner, dname_len(records[first].owner)));
	REQUIRE(owner.at);
	REQUIRE(rrset_from_rdatas(owner.at, records[first].type, records[first].ttl_s, data, count,
				  &g->arena, &set) == OK);
	if (sig_count > 0) {
		REQUIRE(rrset_from_rdatas(owner.at, TYPE_RRSIG, set.ttl_s, sigs, sig_count,
					  &g->arena, &signature) == OK);
		set.sigs = signature.rdata;
		set.sig_count = signature.rr_count;
	}
	return set;
}

/* A signature of OWNER's TYPE that is well-formed, no more. */
static inline const char *rig_sig(char out[static 512], const char *owner, const char *type)
{
	snprintf(out, 512,
		 "%s 300 RRSIG %s 13 2 300 20300101000000 20200101000000 12345 example. %s", owner,
		 type,
		 "qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+"
		 "3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==");
	return out;
}

/* An answer to NAME and TYPE without sets. */
static inline struct answer *rig_answer(struct rig *g, const char *name, uint16_t type)
{
	struct unit_name qname = unit_name(name);
	struct answer *a = arena_alloc(&g->arena, sizeof(*a));
	REQUIRE(a);
	*a = (struct answer){.qname = arena_copy(&g->arena, span_of(qname.wire, qname.len)).at,
			     .qtype = type,
			     .verdict = VERDICT_INSECURE,
			     .rank = RANK_ANSWER,
			     .ede = EDE_NONE,
			     .ttl_s = 300,
			     .fetched_ms = g->now.cache_ms};
	return a;
}

static inline void rig_add(struct rig *g, struct answer *a, const char *lines)
{
	struct rrset set = rig_set(g, lines);
	a->ttl_s = MIN(a->ttl_s, set.ttl_s);
	a->answer[a->answer_count++] = set;
}

static inline void rig_add_authority(struct rig *g, struct answer *a, const char *lines)
{
	struct rrset set = rig_set(g, lines);
	a->ttl_s = MIN(a->ttl_s, set.ttl_s);
	a->authority[a->authority_count++] = set;
}

static inline void rig_store(struct rig *g, const struct answer *a)
{
	answer_store(a, &g->since, g->now, &g->arena);
}

static inline void rig_store_failure(struct rig *g, const char *name, uint16_t type, uint16_t ede,
				     const char *text)
{
	struct unit_entry room;
	struct unit_name owner = unit_name(name);
	const struct entry_parts parts = {.kind = ENTRY_FAILURE,
					  .name = owner.wire,
					  .type = type,
					  .ttl_s = 5,
					  .fetched_ms = g->now.cache_ms,
					  .rank = RANK_ANSWER,
					  .rcode = RCODE_SERVFAIL,
					  .ede = ede,
					  .text = text};
	REQUIRE(cache_put(g->cache, entry_make(&parts, room.bytes), g->now) == OK);
}

/* ---- queries --------------------------------------------------------------------------------- */

struct ask {
	const char *name;
	uint16_t type;
	const char *how; /* words: edns do ad cd rd0 tcp nsid cookie keepalive size=N ch */
};

static inline bool ask_has(const struct ask *ask, const char *word)
{
	size_t len = strlen(word);
	for (const char *at = ask->how; at && *at;) {
		size_t here = strcspn(at, " ");
		if (here == len && memcmp(at, word, len) == 0)
			return true;
		at += here + strspn(at + here, " ");
	}
	return false;
}

static inline void rig_write_opt(struct writer *w, const struct ask *ask)
{
	const char *size = ask->how ? strstr(ask->how, "size=") : NULL;
	writer_u8(w, 0);
	writer_u16(w, TYPE_OPT);
	writer_u16(w, size ? (uint16_t)atoi(size + 5) : 1232);
	writer_u16(w, 0);
	writer_u16(w, ask_has(ask, "do") ? 0x8000 : 0);
	uint8_t *len = writer_reserve(w, 2);
	if (ask_has(ask, "nsid")) {
		writer_u16(w, EDNS_OPTION_NSID);
		writer_u16(w, 0);
	}
	if (ask_has(ask, "cookie")) {
		writer_u16(w, EDNS_OPTION_COOKIE);
		writer_u16(w, 8);
		writer_bytes(w, span_of("CLIENTCO", 8));
	}
	if (ask_has(ask, "keepalive")) {
		writer_u16(w, EDNS_OPTION_KEEPALIVE);
		writer_u16(w, 0);
	}
	REQUIRE(!w->failed);
	len[0] = 0;
	len[1] = (uint8_t)(w->at - len - 2);
}

static inline bool ask_has_edns(const struct ask *ask)
{
	return ask_has(ask, "edns") || ask_has(ask, "do") || ask_has(ask, "nsid") ||
	       ask_has(ask, "cookie") || ask_has(ask, "keepalive") ||
	       (ask->how && strstr(ask->how, "size="));
}

static inline void rig_write_query(struct rig *g, const struct ask *ask)
{
	struct unit_name name = unit_name(ask->name);
	struct writer w = writer_of(g->query, sizeof(g->query));
	writer_u16(&w, 0xbeef);
	writer_u16(&w, (uint16_t)((ask_has(ask, "rd0") ? 0 : FLAG_RD) |
				  (ask_has(ask, "ad") ? FLAG_AD : 0) |
				  (ask_has(ask, "cd") ? FLAG_CD : 0)));
	writer_u16(&w, 1);
	writer_u32(&w, 0);
	writer_u16(&w, ask_has_edns(ask) ? 1 : 0);
	writer_bytes(&w, span_of(name.wire, name.len));
	writer_u16(&w, ask->type);
	writer_u16(&w, ask_has(ask, "ch") ? CLASS_CH : CLASS_IN);
	if (ask_has_edns(ask))
		rig_write_opt(&w, ask);
	REQUIRE(!w.failed);
	g->query_len = writer_len(&w);
}

/* Feed the query that stands in G, at the very end of readable memory. */
static inline ptrdiff_t rig_feed(struct rig *g, enum transport transport)
{
	struct unit_guard guard = unit_guard_new(sizeof(g->query));
	const struct event ev = {.kind = EV_QUERY,
				 .token = 99,
				 .packet = unit_guard_put(&guard, span_of(g->query, g->query_len)),
				 .peer = &g->peer,
				 .transport = transport};
	memset(g->reply, 0xa5, sizeof(g->reply));
	g->reply_len =
		client_answer_now(&g->context, g->now, &ev, &g->client, g->reply,
				  transport == TRANSPORT_TCP ? sizeof(g->reply) : EDNS_SIZE_OURS);
	unit_guard_free(&guard);
	return g->reply_len;
}

/* ---- replies as text ------------------------------------------------------------------------- */

static inline void put_text(struct rig *g, const char *format, ...) PRINTF_LIKE(2, 3);
static inline void put_text(struct rig *g, const char *format, ...)
{
	size_t len = strlen(g->text);
	va_list args;
	va_start(args, format);
	vsnprintf(g->text + len, sizeof(g->text) - len, format, args);
	va_end(args);
}

static inline void put_option(struct rig *g, uint16_t code, struct span value)
{
	switch (code) {
	case EDNS_OPTION_EDE:
		REQUIRE(value.len >= 2);
		put_text(g, " ede=%d", value.at[0] << 8 | value.at[1]);
		if (value.len > 2)
			put_text(g, ":%.*s", (int)(value.len - 2), (const char *)value.at + 2);
		break;
	case EDNS_OPTION_COOKIE:
		put_text(g, " cookie=%.8s+%zu", (const char *)value.at, value.len - 8);
		break;
	case EDNS_OPTION_NSID:
		put_text(g, " nsid=%.*s", (int)value.len, (const char *)value.at);
		break;
	case EDNS_OPTION_KEEPALIVE:
		REQUIRE(value.len == 2);
		put_text(g, " keepalive=%d", value.at[0] << 8 | value.at[1]);
		break;
	default:
		put_text(g, " option=%u", code);
	}
}

static inline void put_opt_text(struct rig *g, const struct message *m, const struct record *r)
{
	struct reader options = reader_of(span_of(m->wire.at + r->rdata_offset, r->rdata_len));
	put_text(g, " [opt%s", r->ttl_s & 0x8000 ? " do" : "");
	REQUIRE(r->rclass == EDNS_SIZE_OURS && (r->ttl_s >> 16 & 0xff) == 0);
	if (r->ttl_s >> 24)
		put_text(g, " rcode=%u", (r->ttl_s >> 24) << 4 | (m->flags & FLAG_RCODE_MASK));
	while (reader_left(&options) > 0) {
		uint16_t code = reader_u16(&options), len = reader_u16(&options);
		put_option(g, code, reader_bytes(&options, len));
	}
	put_text(g, "]");
}

static inline void put_record_text(struct rig *g, const struct message *m, const struct record *r)
{
	static const char mark[] = {'=', '?', '+'};
	uint8_t owner[DNAME_MAX], rdata[MESSAGE_MAX];
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE], data[1024];
	size_t len;
	message_name(m, r->owner_offset, owner);
	REQUIRE(message_rdata(m, r, rdata, sizeof(rdata), &len) == OK);
	put_text(g, " %c %s %u %s", mark[r->section], dname_text(owner, name), r->ttl_s,
		 type_text(r->type, type));
	if (r->type != TYPE_RRSIG)
		put_text(g, " %s", text_rdata(r->type, span_of(rdata, len), data, sizeof(data)));
	len = strlen(g->text);
	if (g->text[len - 1] == ' ') /* ldns ends type bitmaps with one */
		g->text[len - 1] = '\0';
}

/* The reply in G as a line: the rcode, flags but QR and RA (which must be there), then the records
 * of the answer after "=", of the authority section after "?", OPT in brackets. "resolve" if there
 * is none, "ignore". */
static inline const char *rig_reply_text(struct rig *g)
{
	char rcode[TYPE_TEXT_SIZE];
	struct message m;
	if (g->reply_len == 0)
		return "resolve";
	if (g->reply_len < 0)
		return "ignore";
	REQUIRE(message_view(span_of(g->reply, (size_t)g->reply_len), &m) == OK);
	REQUIRE((m.flags & FLAG_QR) && (m.flags & FLAG_RA));
	g->text[0] = '\0';
	put_text(g, "%s%s%s%s%s%s", rcode_text(m.flags & FLAG_RCODE_MASK, rcode),
		 m.flags & FLAG_AA ? " aa" : "", m.flags & FLAG_TC ? " tc" : "",
		 m.flags & FLAG_RD ? " rd" : "", m.flags & FLAG_AD ? " ad" : "",
		 m.flags & FLAG_CD ? " cd" : "");
	struct record_iter it = record_iter_of(&m);
	struct record r;
	while (record_next(&it, &r)) {
		if (r.type == TYPE_OPT)
			put_opt_text(g, &m, &r);
		else
			put_record_text(g, &m, &r);
	}
	return g->text;
}

/* The reply to ASK as text; id and question must be echoed to the letter. */
static inline const char *rig_ask(struct rig *g, const char *name, uint16_t type, const char *how)
{
	const struct ask ask = {name, type, how};
	rig_write_query(g, &ask);
	rig_feed(g, ask_has(&ask, "tcp") ? TRANSPORT_TCP : TRANSPORT_UDP);
	size_t question_len = unit_name(name).len + 4;
	if (g->reply_len > 0) {
		REQUIRE(memcmp(g->reply, g->query, 2) == 0);
		REQUIRE((size_t)g->reply_len >= 12 + question_len);
		REQUIRE(memcmp(g->reply + 12, g->query + 12, question_len) == 0);
	}
	return rig_reply_text(g);
}

/* GOT is WANT; the label and both are what fails. */
static inline void check_text(const char *why, const char *got, const char *want)
{
	if (strcmp(got, want) != 0)
		fail_msg("%s:\n  got  %s\n  want %s", why, got, want);
}
