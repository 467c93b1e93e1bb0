/*
 * What every reply keeps to, whatever is asked and whatever there is to say; and what becomes of one
 * that our own bugs would spoil.
 */
#include "unit/resolve_unit.h"

#include "base/log.h"

enum {
	ASKS_COOKIE = 1,
	ASKS_NSID = 2,
	ASKS_KEEPALIVE = 4,
	ASKS_DO = 8,
	OPTIONS_END = 16,
	NO_EDNS = -1,
	TYPE_ANY_DATA = 65400,
	CANARY_SIZE = 64,
	CANARY = 0xa5,
	EDE_FIRST = EDE_NETWORK_ERROR,
};

enum ending { /* how a reply comes about */
	      END_ERROR,
	      END_SERVFAIL,
	      END_DATA,
	      END_STALE,   /* data and two EDEs */
	      END_FAILURE, /* from the cache, two EDEs */
	      END_COUNT
};

struct situation {
	size_t name_len, text_len, data_len;
	int size; /* EDNS, or NO_EDNS */
	unsigned options;
	enum transport transport;
	enum ending ending;
	const char *identity, *text; /* TEXT is TEXT_LEN long */
};

/* A name of LEN bytes; 2 there is none of. */
static size_t make_name(uint8_t *out, size_t len)
{
	size_t at = 0;
	while (at + 1 < len) {
		size_t label = MIN(len - at - 2, 63);
		if (len - at - 2 - label == 1)
			label--;
		out[at] = (uint8_t)label;
		memset(out + at + 1, 'a' + (int)(at % 26), label);
		at += 1 + label;
	}
	out[at] = 0;
	return at + 1;
}

static void write_query(struct rig *g, const struct situation *s)
{
	struct writer w = writer_of(g->query, sizeof(g->query));
	uint8_t name[DNAME_MAX + 1];
	char how[80];
	writer_u32(&w, 0xbeef0000 | FLAG_RD);
	writer_u32(&w, 0x00010000);
	writer_u32(&w, s->size != NO_EDNS);
	writer_bytes(&w, span_of(name, make_name(name, s->name_len)));
	writer_u16(&w, TYPE_ANY_DATA);
	writer_u16(&w, CLASS_IN);
	snprintf(how, sizeof(how), "%s%s%s%ssize=%d", s->options & ASKS_COOKIE ? "cookie " : "",
		 s->options & ASKS_NSID ? "nsid " : "",
		 s->options & ASKS_KEEPALIVE ? "keepalive " : "", s->options & ASKS_DO ? "do " : "",
		 s->size);
	if (s->size != NO_EDNS)
		rig_write_opt(&w, &(struct ask){.how = how});
	REQUIRE(!w.failed);
	g->query_len = writer_len(&w);
}

static size_t limit_of(const struct situation *s)
{
	if (s->transport == TRANSPORT_TCP)
		return MESSAGE_MAX;
	return (size_t)MAX(MIN(s->size, EDNS_SIZE_OURS), EDNS_SIZE_MIN);
}

static size_t reply_from_failure(struct rig *g, const struct situation *s)
{
	struct unit_entry room;
	const struct entry_parts parts = {.kind = ENTRY_FAILURE,
					  .name = g->client.qname,
					  .type = TYPE_ANY_DATA,
					  .ttl_s = 5,
					  .fetched_ms = g->now.cache_ms,
					  .rank = RANK_ANSWER,
					  .rcode = RCODE_SERVFAIL,
					  .ede = EDE_FIRST,
					  .text = s->text_len ? s->text : NULL};
	return client_reply_entry(&g->context, &g->client, entry_make(&parts, room.bytes), g->now,
				  CLIENT_FRESH, g->reply, sizeof(g->reply));
}

static size_t reply_from_answer(struct rig *g, const struct situation *s)
{
	static struct answer a;
	static uint8_t packed[2 + MESSAGE_MAX];
	uint16_t len = (uint16_t)s->data_len;
	a = (struct answer){.qname = g->client.qname,
			    .qtype = TYPE_ANY_DATA,
			    .verdict = VERDICT_INSECURE,
			    .rcode = s->ending == END_SERVFAIL ? RCODE_SERVFAIL : RCODE_NOERROR,
			    .ede = EDE_FIRST,
			    .text = s->text,
			    .stale = s->ending == END_STALE,
			    .ttl_s = 300};
	memcpy(packed, &len, sizeof(len));
	if (s->ending != END_SERVFAIL)
		a.answer[a.answer_count++] = (struct rrset){.owner = g->client.qname,
							    .type = TYPE_ANY_DATA,
							    .rclass = CLASS_IN,
							    .rr_count = 1,
							    .rdata = span_of(packed, 2u + len)};
	return client_reply_answer(&g->context, &g->client, &a, g->reply, sizeof(g->reply));
}

static void make_reply(struct rig *g, const struct situation *s)
{
	const struct client_error error = {RCODE_SERVFAIL, EDE_FIRST, s->text};
	g->settings.identity = s->identity;
	memset(g->reply + limit_of(s) - (limit_of(s) == MESSAGE_MAX ? CANARY_SIZE : 0), CANARY,
	       CANARY_SIZE);
	switch (s->ending) {
	case END_ERROR:
		g->reply_len = (ptrdiff_t)client_reply_error(&g->context, &g->client, &error,
							     g->reply, sizeof(g->reply));
		break;
	case END_FAILURE:
		g->reply_len = (ptrdiff_t)reply_from_failure(g, s);
		break;
	case END_SERVFAIL:
	case END_DATA:
	case END_STALE:
		g->reply_len = (ptrdiff_t)reply_from_answer(g, s);
		break;
	case END_COUNT:
		break;
	}
}

static const char *name_of(const struct situation *s, const char *law)
{
	static char text[256];
	snprintf(text, sizeof(text),
		 "%s: name %zu, size %d, options %u, text %zu, data %zu, identity %zu, %s, ending "
		 "%d",
		 law, s->name_len, s->size, s->options, s->text_len, s->data_len,
		 s->identity ? strlen(s->identity) : 0,
		 s->transport == TRANSPORT_TCP ? "TCP" : "UDP", (int)s->ending);
	return text;
}

#define HOLDS(law, cond)                                                                           \
	do {                                                                                       \
		if (!(cond))                                                                       \
			fail_msg("%s", name_of(s, law));                                           \
	} while (0)

struct options { /* of a reply */
	struct span nsid, text;
	unsigned errors, cookie_len, keepalives;
	uint16_t codes[4];
};

static void view_options(const struct message *m, struct options *out)
{
	*out = (struct options){0};
	struct reader r =
		reader_of(span_of(m->wire.at + m->opt_offset + 9, m->wire.len - m->opt_offset - 9));
	REQUIRE(reader_u16(&r) == reader_left(&r));
	while (reader_left(&r) > 0) {
		uint16_t code = reader_u16(&r), len = reader_u16(&r);
		struct span value = reader_bytes(&r, len);
		REQUIRE(!r.failed);
		if (code == EDNS_OPTION_NSID) {
			out->nsid = value;
		} else if (code == EDNS_OPTION_COOKIE) {
			out->cookie_len = len;
		} else if (code == EDNS_OPTION_KEEPALIVE) {
			out->keepalives++;
		} else if (code == EDNS_OPTION_EDE && out->errors < 4) {
			out->codes[out->errors++] = (uint16_t)(value.at[0] << 8 | value.at[1]);
			if (len > 2)
				out->text = span_of(value.at + 2, len - 2u);
		}
	}
}

/* What must be said is; what is nice to know is as far as there is room. */
static void check_options(const struct rig *g, const struct situation *s, const struct message *m)
{
	struct options o;
	view_options(m, &o);
	size_t left = limit_of(s) - (size_t)g->reply_len;
	bool two = s->ending == END_STALE || s->ending == END_FAILURE;
	size_t whole = s->ending == END_FAILURE ? MIN(s->text_len, (size_t)255) : s->text_len;
	HOLDS("RFC 7873 §5.2: a cookie for a cookie",
	      o.cookie_len == (s->options & ASKS_COOKIE ? 24u : 0));
	HOLDS("RFC 7828 §3.3.2: keepalive over TCP",
	      o.keepalives == (s->options & ASKS_KEEPALIVE && s->transport == TRANSPORT_TCP));
	HOLDS("RFC 8914 §2: the errors are told", o.errors == (two ? 2 : 1));
	HOLDS("RFC 8914 §2: the first of them",
	      o.codes[0] == (s->ending == END_STALE ? EDE_STALE_ANSWER : EDE_FIRST));
	HOLDS("RFC 8914 §3: the text is what it was",
	      o.text.len <= MIN(whole, EDNS_EDE_TEXT_MAX) &&
		      (!o.text.len || memcmp(o.text.at, s->text, o.text.len) == 0));
	bool boundary = o.text.len == whole || (s->text[o.text.len] & 0xc0) != 0x80;
	HOLDS("RFC 8914 §2: cut between characters", boundary);
	HOLDS("RFC 8914 §3: the text is cut only for room",
	      o.text.len == whole || o.text.len + 2 >= EDNS_EDE_TEXT_MAX || left < 3);
	size_t identity_len = s->options & ASKS_NSID && s->identity ? strlen(s->identity) : 0;
	HOLDS("RFC 5001 §2.2: NSID whole or not at all",
	      o.nsid.len == identity_len || (o.nsid.len == 0 && left < 4 + identity_len));
	HOLDS("the NSID goes before the text is cut",
	      o.nsid.len == 0 || o.text.len == whole || o.text.len + 2 >= EDNS_EDE_TEXT_MAX);
}

/* TC only where the data do not fit beside what must be said. */
static void check_data(const struct situation *s, const struct message *m)
{
	bool has_data = s->ending == END_DATA || s->ending == END_STALE;
	size_t must = s->size == NO_EDNS ? 0 : 11u + (s->ending == END_STALE ? 12 : 6);
	if (s->options & ASKS_COOKIE)
		must += 28;
	if (s->options & ASKS_KEEPALIVE && s->transport == TRANSPORT_TCP)
		must += 6;
	size_t record = (s->name_len == 1 ? 1 : 2) + 10u + s->data_len;
	bool fits = 12 + s->name_len + 4 + record + must <= limit_of(s);
	HOLDS("RFC 2181 §9: TC where data are left out, and only there",
	      !!(m->flags & FLAG_TC) == (has_data && !fits));
	HOLDS("RFC 8914 §3: what is nice to know crowds out no data",
	      m->counts[SECTION_ANSWER] == (has_data && fits ? 1 : 0));
}

static void check_reply(const struct rig *g, const struct situation *s)
{
	struct message m;
	size_t len = (size_t)g->reply_len, limit = limit_of(s);
	HOLDS("RFC 6891 §6.2.5: it fits", g->reply_len > 0 && len <= limit);
	for (size_t i = limit; limit < MESSAGE_MAX && i < limit + CANARY_SIZE; i++)
		HOLDS("nothing is written past the limit", g->reply[i] == CANARY);
	HOLDS("it parses", message_view(span_of(g->reply, len), &m) == OK);
	HOLDS("RFC 1035 §4.1.2: id and question are the client's",
	      m.question_count == 1 && memcmp(g->reply, g->query, 2) == 0 &&
		      memcmp(g->reply + 12, g->query + 12, s->name_len + 4) == 0);
	HOLDS("RFC 6891 §7: OPT for who sent one", m.opt_count == (s->size == NO_EDNS ? 0 : 1));
	check_data(s, &m);
	if (s->size != NO_EDNS)
		check_options(g, s, &m);
	HOLDS("no promise was broken", metrics_get(&g->metrics, METRIC_answers_broken_total) == 0);
}

/* Few short names, many long ones, and the longest. */
static size_t longer_name(size_t len)
{
	return len == 1 ? 3 : len + (len < 192 ? 63 : 3);
}
static_assert(3 + 3 * 63 + 21 * 3 == DNAME_MAX, "longer_name() comes to the longest");

static const int sizes[] = {NO_EDNS, 0, 1, 511, 512, 513, 520, 521, 600, 1231, 1232, 4096, 65535};
static const size_t text_lens[] = {0, 1, 100, 150, 190, 223, 224, 225, 300, 400};
static const size_t data_lens[] = {0, 100, 180, 200, 230, 400, 900, 1100};

/* All that may be said to one client. */
static void try_texts(struct rig *g, struct situation *s)
{
	static char ascii[401], euros[401], identity[201];
	static unsigned turn; /* the lengths of data take turns */
	memset(identity, 'i', sizeof(identity) - 1);
	for (size_t i = 0; i < ARRAY_LEN(text_lens); i++) {
		s->text_len = text_lens[i];
		for (size_t k = 0; k < s->text_len; k++) {
			ascii[k] = (char)('a' + k % 26);
			euros[k] = "\xe2\x82\xac"[k % 3];
		}
		ascii[s->text_len] = euros[s->text_len] = '\0';
		for (unsigned kind = 0; kind < 4; kind++) {
			s->text = kind & 1 ? euros : ascii;
			s->identity = kind & 2 ? identity : NULL;
			for (int ending = 0; ending < END_COUNT; ending++) {
				s->ending = (enum ending)ending;
				s->data_len = data_lens[turn++ % ARRAY_LEN(data_lens)];
				make_reply(g, s);
				check_reply(g, s);
			}
		}
	}
}

static void test_every_reply_fits(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	struct situation s;
	struct client_error error;
	for (size_t len = 1; len <= DNAME_MAX; len = longer_name(len)) {
		for (size_t z = 0; z < ARRAY_LEN(sizes); z++) {
			for (unsigned k = 0; k < 2 * OPTIONS_END; k++) {
				if (sizes[z] == NO_EDNS && k % OPTIONS_END != 0)
					continue;
				s = (struct situation){.name_len = len,
						       .size = sizes[z],
						       .options = k % OPTIONS_END,
						       .transport = k < OPTIONS_END
									    ? TRANSPORT_UDP
									    : TRANSPORT_TCP};
				write_query(g, &s);
				const struct event ev = {.kind = EV_QUERY,
							 .packet = span_of(g->query, g->query_len),
							 .peer = &g->peer,
							 .transport = s.transport};
				REQUIRE(client_view(&g->context, g->now, &ev, &g->client, &error) ==
					CLIENT_RESOLVE);
				try_texts(g, &s);
			}
		}
	}
	rig_free(g);
}

/* ---- what ended the process ------------------------------------------------------------------ */

static void test_long_names_and_small_sizes(void **state)
{
	(void)state;
	static const struct {
		const char *why, *peer;
		struct situation s;
		uint16_t rcode;
	} rows[] = {
		{"a stranger who wants a long NSID",
		 "8.8.8.8",
		 {.options = ASKS_NSID},
		 RCODE_REFUSED},
		{"and a cookie",
		 "8.8.8.8",
		 {.size = 520, .options = ASKS_NSID | ASKS_COOKIE},
		 RCODE_REFUSED},
		{"a failure that is remembered", "10.1.2.3", {.options = 0}, RCODE_SERVFAIL},
		{"with a cookie",
		 "10.1.2.3",
		 {.size = 512, .options = ASKS_COOKIE},
		 RCODE_SERVFAIL},
	};
	struct rig *g = rig_new();
	static char identity[201], text[225];
	memset(identity, 'i', sizeof(identity) - 1);
	memset(text, 't', sizeof(text) - 1);
	g->settings.identity = identity;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct situation s = rows[i].s;
		struct unit_entry room;
		struct message m;
		s.name_len = DNAME_MAX;
		write_query(g, &s);
		uint8_t name[DNAME_MAX + 1];
		make_name(name, DNAME_MAX);
		const struct entry_parts parts = {.kind = ENTRY_FAILURE,
						  .name = name,
						  .type = TYPE_ANY_DATA,
						  .ttl_s = 5,
						  .fetched_ms = g->now.cache_ms,
						  .rank = RANK_ANSWER,
						  .rcode = RCODE_SERVFAIL,
						  .ede = EDE_NETWORK_ERROR,
						  .text = text};
		REQUIRE(cache_put(g->cache, entry_make(&parts, room.bytes), g->now) == OK);
		REQUIRE(endpoint_parse(rows[i].peer, 53, &g->peer) == OK);
		rig_feed(g, TRANSPORT_UDP);
		CHECK(rows[i].why, g->reply_len > 0 && (size_t)g->reply_len <= limit_of(&s));
		CHECK(rows[i].why,
		      message_view(span_of(g->reply, (size_t)g->reply_len), &m) == OK &&
			      (m.flags & FLAG_RCODE_MASK) == rows[i].rcode && m.opt_count == 1);
	}
	rig_free(g);
}

/* ---- our own bugs ---------------------------------------------------------------------------- */

struct heard {
	char line[2048];
	unsigned count;
};

static void hear(void *context, enum log_level level, const char *line)
{
	struct heard *h = context;
	(void)level;
	h->count++;
	snprintf(h->line, sizeof(h->line), "%s", line);
}

static const char *broken_reply(struct rig *g, const struct answer *a, const char *how,
				size_t size_bytes)
{
	rig_ask(g, "Broken.example.", TYPE_MX, how);
	REQUIRE(g->reply_len == 0);
	memset(g->reply, CANARY, sizeof(g->reply));
	g->reply_len =
		(ptrdiff_t)client_reply_answer(&g->context, &g->client, a, g->reply, size_bytes);
	for (size_t i = size_bytes; i < size_bytes + CANARY_SIZE; i++)
		REQUIRE(g->reply[i] == CANARY);
	return rig_reply_text(g);
}

static void test_a_fault_costs_its_answer(void **state)
{
	(void)state;
	struct heard heard = {0};
	struct rig *g = rig_new();
	struct answer *a = rig_answer(g, "broken.example.", TYPE_MX);
	uint8_t packed[] = {3, 0, 0, 10, 1}; /* 3 bytes, in host order: a name that does not end */
	static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the length of packed RDATA");
	a->answer[a->answer_count++] = (struct rrset){.owner = a->qname,
						      .type = TYPE_MX,
						      .rclass = CLASS_IN,
						      .rr_count = 1,
						      .rdata = span_of(packed, sizeof(packed))};
	log_init(LOG_LEVEL_INFO, hear, &heard);
	check_text("records that are none: SERVFAIL, no process",
		   broken_reply(g, a, "do cookie nsid size=600", 1232), "SERVFAIL rd [opt do]");
	CHECK("counted", metrics_get(&g->metrics, METRIC_answers_broken_total) == 1 &&
				 metrics_get(&g->metrics, METRIC_answers_servfail_total) == 1);
	CHECK("told once", heard.count == 1 && strstr(heard.line, "told=SERVFAIL"));

	const char *hex = strstr(heard.line, "query=");
	CHECK("with the query", hex);
	g->query_len = unit_unhex(hex + 6, g->query, sizeof(g->query));
	struct client before = g->client;
	rig_feed(g, TRANSPORT_UDP);
	CHECK("which is the same one",
	      g->reply_len == 0 && g->client.id == before.id && g->client.flags == before.flags &&
		      g->client.qtype == before.qtype && g->client.size_limit == 600 &&
		      g->client.qname_len == before.qname_len &&
		      memcmp(g->client.qname, before.qname, before.qname_len) == 0 &&
		      g->client.dnssec_ok && g->client.wants_nsid && g->client.cookie_len == 24);
	CHECK("but for the client's cookie, which is a secret",
	      memcmp(g->client.cookie, "\0\0\0\0\0\0\0\0", 8) == 0);

	check_text("without EDNS", broken_reply(g, a, "", 1232), "SERVFAIL rd");
	a->answer_count = 0;
	check_text("a buffer that holds no more", broken_reply(g, a, "edns", 12 + 16 + 4 + 11),
		   "NOERROR rd [opt]");
	check_text("nor all that must be said", broken_reply(g, a, "cookie", 12 + 16 + 4 + 11),
		   "SERVFAIL rd [opt]");
	check_text("nor that: nothing is sent", broken_reply(g, a, "edns", 12 + 16 + 4 + 10),
		   "resolve");
	CHECK("counted", metrics_get(&g->metrics, METRIC_answers_broken_total) == 4);
	log_init(LOG_LEVEL_INFO, NULL, NULL);
	rig_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_reply_fits),
		cmocka_unit_test(test_long_names_and_small_sizes),
		cmocka_unit_test(test_a_fault_costs_its_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
