/*
 * A query's bytes to the hit path, before a small warm cache. The first byte chooses the transport,
 * the time and the settings, the rest is the packet. Whatever comes in: no answer to what is no
 * query, else one that parses, fits, and belongs to the question.
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
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig *g; /* made once: a cache for each input would be most of the work */
	if (!g)
		g = warm_rig();
	if (size < 1)
		return 0;
	enum transport transport = data[0] & 1 ? TRANSPORT_TCP : TRANSPORT_UDP;
	struct span packet = span_of(data + 1, size - 1);
	const struct event ev = {.kind = EV_QUERY,
				 .token = 1,
				 .packet = packet,
				 .peer = &g->peer,
				 .transport = transport};
	g->settings.dnssec = (data[0] & 2) != 0;
	g->settings.answer_norecurse = (data[0] & 4) == 0;
	g->now = unit_now(data[0] >> 4 & 7 ? 1000 * (data[0] >> 4 & 7) : 0);
	if (data[0] & 8)
		g->now = unit_now(4999 + 300000 * (data[0] >> 7));
	memset(g->reply, 0xa5, sizeof(g->reply));
	g->reply_len =
		client_answer_now(&g->context, g->now, &ev, &g->client, g->reply,
				  transport == TRANSPORT_TCP ? sizeof(g->reply) : EDNS_SIZE_OURS);
	cache_reader_pass(g->reader);
	if (g->reply_len != RESOLVER_IGNORE)
		check_reply(g, packet, transport);
	else
		REQUIRE(packet.len < MESSAGE_HEADER_SIZE || (packet.at[2] & 0x80));
	return 0;
}
