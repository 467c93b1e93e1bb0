/*
 * A query's bytes to the client's side, before a small warm cache. The first byte chooses the
 * transport, the time and the settings; the second who asks, and what comes of a question that must
 * be resolved; the third how much there is to say about it. The rest is the packet, or so few
 * bytes that make one: the length of a name, the size that the client takes, its options. (Bytes at
 * random hardly ever make a name of 250 bytes and an option behind it.) Whatever comes in: no answer
 * to what is no query, else one that parses, fits, and belongs to the question.
 */
#include "unit/resolve_unit.h"

static void store(struct rig *g, const char *name, uint16_t type, const char *first,
		  const char *second, const char *authority)
{
	struct answer *a = rig_answer(g, name, type);
	a->verdict = VERDICT_SECURE;
	a->rcode = first ? RCODE_NOERROR : RCODE_NXDOMAIN;
	if (first)
		rig_add(g, a, first);
	if (second)
		rig_add(g, a, second);
	if (authority)
		rig_add_authority(g, a, authority);
	rig_store(g, a);
}

enum {			      /* the second byte */
       HOW_STRANGER = 1,      /* whom the access list denies */
       HOW_LONG_IDENTITY = 2, /* as long as the configuration takes it */
       HOW_COMPOSED = 4,
       HOW_MULTIBYTE = 8, /* the text is not of ASCII */
       HOW_END_SHIFT = 4, /* how resolving ends: two bits */
       HOW_LARGE_BUFFER = 64,
};

static struct rig *warm_rig(void)
{
	char sig[512], lines[1024];
	struct rig *g = rig_new();
	g->settings.dnssec = true;
	g->settings.identity = "id";
	g->settings.version = "v";
	snprintf(lines, sizeof(lines), "a. 300 A 192.0.2.1\na. 300 A 192.0.2.2\n%s",
		 rig_sig(sig, "a.", "A"));
	store(g, "a.", TYPE_A, lines, NULL, NULL);
	store(g, "a.", TYPE_NS, "a. 300 NS ns1.a.\na. 300 NS ns2.a.", NULL, NULL);
	store(g, "b.a.", TYPE_A, "b.a. 60 CNAME c.a.", "c.a. 5 A 192.0.2.3\nc.a. 5 A 192.0.2.4",
	      NULL);
	store(g, "n.", TYPE_A, NULL, NULL, "n. 60 SOA ns.n. me.n. 1 2 3 4 60");
	size_t len = 0;
	for (int i = 0; i < 9; i++)
		len += (size_t)snprintf(lines + len, sizeof(lines) - len, "%st. 60 TXT %c%090d",
					i ? "\n" : "", 'a' + i, i);
	store(g, "t.", TYPE_TXT, lines, NULL, NULL);
	store(g, "l.", TYPE_TXT, "l. 60 CNAME t.", lines, "n. 60 NSEC m. A");
	rig_store_failure(g, "f.", TYPE_A, EDE_NETWORK_ERROR, "down");
	rig_store_failure(g, "a.", TYPE_A, EDE_NETWORK_ERROR, "down");
	return g;
}

/* What is told stale is resolved as well, also for RD=0. */
static bool has_stale(struct rig *g)
{
	const struct client *c = &g->client;
	uint8_t qname[DNAME_MAX];
	dname_lower(c->qname, qname);
	const struct entry *e =
		answer_find(g->reader, qname, c->qname_len, c->qtype, c->dnssec_ok, g->now);
	return e && !entry_is_fresh(e, g->now) && client_may_use_stale(&g->context, c, e, g->now);
}

static void check_reply(struct rig *g, struct span packet, enum transport transport)
{
	struct message m;
	REQUIRE(g->reply_len == 0 || g->reply_len >= MESSAGE_HEADER_SIZE);
	if (g->reply_len == 0) {
		REQUIRE(g->client.has_question);
		REQUIRE(client_recursion_desired(&g->client) || has_stale(g));
		return;
	}
	REQUIRE(message_view(span_of(g->reply, (size_t)g->reply_len), &m) == OK);
	REQUIRE((size_t)g->reply_len <= g->client.size_limit);
	REQUIRE(transport == TRANSPORT_TCP || g->reply_len <= EDNS_SIZE_OURS);
	REQUIRE((m.flags & FLAG_QR) && memcmp(g->reply, packet.at, 2) == 0);
	REQUIRE(m.opt_count == (g->client.has_edns ? 1 : 0));
	REQUIRE(m.question_count == (g->client.has_question ? 1 : 0));
	if (m.question_count)
		REQUIRE(memcmp(g->reply + 12, packet.at + 12, g->client.qname_len + 4u) == 0);
	REQUIRE(metrics_get(&g->metrics, METRIC_answers_broken_total) == 0);
}

/* A name of LEN bytes. */
static void write_name(struct writer *w, size_t len)
{
	enum { LABEL_MAX = 63 };
	static const uint8_t letters[LABEL_MAX] = "long";
	for (size_t left = MAX(MIN(len, DNAME_MAX), 1) - 1; left > 0;) {
		size_t label = MIN(left - 1, LABEL_MAX);
		if (left - 1 - label == 1) /* no room for a label is left over */
			label--;
		if (label == 0)
			break;
		writer_u8(w, (uint8_t)label);
		writer_bytes(w, span_of(letters, label));
		left -= 1 + label;
	}
	writer_u8(w, 0);
}

/* The query that the first bytes of CHOICE ask for, in ROOM. */
static struct span compose(struct span choice, uint8_t *room, size_t size_bytes)
{
	struct reader r = reader_of(choice);
	struct writer w = writer_of(room, size_bytes);
	uint8_t name_len = reader_u8(&r), options = reader_u8(&r);
	uint16_t size = reader_u16(&r), type = reader_u8(&r);
	writer_u16(&w, 0xbeef);
	writer_u16(&w, options & 32 ? FLAG_RD | FLAG_CD : FLAG_RD);
	writer_u16(&w, 1);
	writer_u32(&w, 0);
	writer_u16(&w, options & 1);
	write_name(&w, name_len);
	writer_u16(&w, type ? type : TYPE_TXT);
	writer_u16(&w, CLASS_IN);
	if (options & 1) {
		const char *words[] = {"edns", options & 2 ? "cookie " : "",
				       options & 4 ? "nsid " : "", options & 8 ? "keepalive " : "",
				       options & 16 ? "do " : ""};
		char how[80];
		snprintf(how, sizeof(how), "%s%s%s%ssize=%u", words[1], words[2], words[3],
			 words[4], size);
		rig_write_opt(&w, &(struct ask){.how = how});
	}
	REQUIRE(!w.failed);
	return writer_span(&w);
}

/* What resolving comes to, as the waiters are told it. */
static void end_resolving(struct rig *g, uint8_t how, uint8_t length)
{
	static char text[UINT8_MAX + 1];
	static uint8_t packed[2 + 4 * UINT8_MAX];
	const char *letter = how & HOW_MULTIBYTE ? "\xe2\x82\xac" : "abc";
	for (size_t i = 0; i < length; i++)
		text[i] = letter[i % 3];
	text[length] = '\0';
	const struct client_error error = {RCODE_SERVFAIL, EDE_NETWORK_ERROR, text};
	static struct answer a;
	uint16_t len = (uint16_t)(4u * length);
	unsigned end = how >> HOW_END_SHIFT & 3;
	a = (struct answer){.qname = g->client.qname,
			    .qtype = g->client.qtype,
			    .verdict = VERDICT_INSECURE,
			    .rcode = end == 1 ? RCODE_SERVFAIL : RCODE_NOERROR,
			    .ede = EDE_DNSSEC_INDETERMINATE,
			    .text = text,
			    .stale = end == 3,
			    .ttl_s = 300};
	if (end >= 2) {
		memcpy(packed, &len, sizeof(len));
		a.answer[a.answer_count++] =
			(struct rrset){.owner = a.qname,
				       .type = 65400, /* of any data */
				       .rclass = CLASS_IN,
				       .rr_count = 1,
				       .rdata = span_of(packed, sizeof(len) + len)};
	}
	g->reply_len = (ptrdiff_t)(end == 0 ? client_reply_error(&g->context, &g->client, &error,
								 g->reply, sizeof(g->reply))
					    : client_reply_answer(&g->context, &g->client, &a,
								  g->reply, sizeof(g->reply)));
	REQUIRE(g->reply_len > 0);
}

static void set_up(struct rig *g, uint8_t first, uint8_t how)
{
	static char identity[201];
	memset(identity, 'i', sizeof(identity) - 1);
	g->settings.dnssec = (first & 2) != 0;
	g->settings.answer_norecurse = (first & 4) == 0;
	g->settings.identity = how & HOW_LONG_IDENTITY ? identity : "id";
	g->now = unit_now(first >> 4 & 7 ? 1000 * (first >> 4 & 7) : 0);
	if (first & 8)
		g->now = unit_now(4999 + 300000 * (first >> 7));
	REQUIRE(endpoint_parse(how & HOW_STRANGER ? "8.8.8.8" : "10.1.2.3", 4711, &g->peer) == OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig *g; /* made once: a cache for each input would be most of the work */
	static uint8_t room[1024];
	if (!g)
		g = warm_rig();
	if (size < 3)
		return 0;
	enum transport transport = data[0] & 1 ? TRANSPORT_TCP : TRANSPORT_UDP;
	uint8_t how = data[1];
	struct span packet = span_of(data + 3, size - 3);
	if (how & HOW_COMPOSED)
		packet = compose(packet, room, sizeof(room));
	const struct event ev = {.kind = EV_QUERY,
				 .token = 1,
				 .packet = packet,
				 .peer = &g->peer,
				 .transport = transport};
	bool large = transport == TRANSPORT_TCP || how & HOW_LARGE_BUFFER;
	set_up(g, data[0], how);
	memset(g->reply, 0xa5, sizeof(g->reply));
	g->reply_len = client_answer_now(&g->context, g->now, &ev, &g->client, g->reply,
					 large ? sizeof(g->reply) : EDNS_SIZE_OURS);
	cache_reader_pass(g->reader);
	if (g->reply_len == RESOLVER_IGNORE) {
		REQUIRE(packet.len < MESSAGE_HEADER_SIZE || (packet.at[2] & 0x80));
		return 0;
	}
	check_reply(g, packet, transport);
	if (g->reply_len == 0) {
		end_resolving(g, how, data[2]);
		check_reply(g, packet, transport);
	}
	return 0;
}
