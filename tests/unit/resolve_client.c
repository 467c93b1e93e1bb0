#include "unit/resolve_unit.h"

/* ---- bytes in, bytes out --------------------------------------------------------------------- */

#define HEAD "beef 0100 0001 0000 0000 0000 "
#define NAME "03 777777 07 6578616d706c65 00 "
#define OPT(rdata_len) "00 0029 04d0 00000000 " rdata_len " "

static const struct {
	const char *why, *query, *reply; /* hex; the reply as text */
	bool question;			 /* the reply echoes one */
} packets[] = {
	{"RFC 1035 §4.1.1: nothing", "", "ignore", false},
	{"RFC 1035 §4.1.1: less than a header", "beef 0100 0001 0000 0000 00", "ignore", false},
	{"RFC 1035 §4.1.1: a response", "beef 8100 0001 0000 0000 0000" NAME "0001 0001", "ignore",
	 false},
	{"RFC 1035 §4.1.1: a response of garbage", "beef 8100 ffff ffff ffff ffff", "ignore",
	 false},
	{"a proper query", HEAD NAME "0001 0001", "resolve", true},
	{"RFC 6891 §6.2.3: with OPT", "beef 0100 0001 0000 0000 0001" NAME "0001 0001" OPT("0000"),
	 "resolve", true},
	{"RFC 1035 §4.1.1: the Z bit is ignored", "beef 0140 0001 0000 0000 0000" NAME "0001 0001",
	 "resolve", true},
	{"RFC 1035 §4.1.1: TC in a query is ignored",
	 "beef 0300 0001 0000 0000 0000" NAME "0001 0001", "resolve", true},
	{"RFC 1035 §4.1.1: AA and RA in a query are ignored",
	 "beef 0580 0001 0000 0000 0000" NAME "0001 0001", "resolve", true},
	{"RFC 9619 §4: no question", "beef 0100 0000 0000 0000 0000", "FORMERR rd", false},
	{"RFC 9619 §4: two questions",
	 "beef 0100 0002 0000 0000 0000" NAME "0001 0001" NAME "001c 0001", "FORMERR rd", false},
	{"RFC 7873 §5.4: a cookie and no question",
	 "beef 0100 0000 0000 0000 0001" OPT("000c") "000a 0008 434c49454e54434f",
	 "NOERROR rd [opt cookie=CLIENTCO+16]", false},
	{"RFC 9619 §4: OPT without a cookie and no question",
	 "beef 0100 0000 0000 0000 0001" OPT("0000"), "FORMERR rd [opt]", false},
	{"RFC 1035 §4.1.2: the question ends early", HEAD NAME "0001 00", "FORMERR rd", false},
	{"RFC 1035 §3.1: a label past the end", HEAD "3f 777777", "FORMERR rd", false},
	{"RFC 1035 §4.1.4: a pointer in a question", HEAD "c00c 0001 0001", "FORMERR rd", false},
	{"bytes behind the message", HEAD NAME "0001 0001 00", "FORMERR rd", true},
	{"a section that is not there", "beef 0100 0001 0000 0001 0000" NAME "0001 0001",
	 "FORMERR rd", true},
	{"an answer in a query",
	 "beef 0100 0001 0001 0000 0000" NAME "0001 0001 c00c 0001 0001 0000003c 0004 c0000201",
	 "FORMERR rd", true},
	{"an additional record that is not ours",
	 "beef 0100 0001 0000 0000 0001" NAME "0001 0001 c00c 0001 0001 0000003c 0004 c0000201",
	 "resolve", true},
	/* EDNS */
	{"RFC 6891 §6.1.3: BADVERS, and our version",
	 "beef 0100 0001 0000 0000 0001" NAME "0001 0001 00 0029 04d0 00010000 0000",
	 "NOERROR rd [opt rcode=16]", true},
	{"RFC 6891 §6.1.1: two OPT",
	 "beef 0100 0001 0000 0000 0002" NAME "0001 0001" OPT("0000") OPT("0000"), "FORMERR rd",
	 true},
	{"RFC 6891 §6.1.2: an OPT with an owner",
	 "beef 0100 0001 0000 0000 0001" NAME "0001 0001 01 61 00 0029 04d0 00000000 0000",
	 "FORMERR rd", true},
	{"RFC 6891 §6.1.2: an option past the end",
	 "beef 0100 0001 0000 0000 0001" NAME "0001 0001" OPT("0006") "ffff 0003 0000",
	 "FORMERR rd", true},
	{"RFC 6891 §6.1.2: RDATA past the end",
	 "beef 0100 0001 0000 0000 0001" NAME "0001 0001" OPT("0006") "ff", "FORMERR rd", true},
	{"RFC 6891 §6.1.2: unknown options are ignored",
	 "beef 0100 0001 0000 0000 0001" NAME "0001 0001" OPT("0006") "ffff 0002 0000", "resolve",
	 true},
	{"RFC 6891 §6.1.4: unknown flags are ignored",
	 "beef 0100 0001 0000 0000 0001" NAME "0001 0001 00 0029 04d0 00007fff 0000", "resolve",
	 true},
	{"RFC 7873 §5.2.2: a cookie too short",
	 "beef 0100 0001 0000 0000 0001" NAME "0001 0001" OPT("0008") "000a 0004 434c4945",
	 "FORMERR rd", true},
	{"RFC 7873 §5.2.2: a server cookie too short",
	 "beef 0100 0001 0000 0000 0001" NAME
	 "0001 0001" OPT("0010") "000a 000c 434c49454e54434f 01020304",
	 "FORMERR rd", true},
	{"RFC 7871 §7.1.2: client subnet is ignored",
	 "beef 0100 0001 0000 0000 0001" NAME "0001 0001" OPT("000b") "0008 0007 0001 1800 c00002",
	 "resolve", true},
	/* Opcodes */
	{"RFC 1996: NOTIFY", "beef 2000 0001 0000 0000 0000" NAME "0006 0001", "NOTIMP", true},
	{"RFC 2136: UPDATE",
	 "beef 2800 0001 0000 0001 0000" NAME "0006 0001 c00c 00ff 00ff 00000000 0000", "NOTIMP",
	 true},
	{"RFC 1035 §4.1.1: STATUS of nothing", "beef 1000 0000 0000 0000 0000", "NOTIMP", false},
	{"RFC 3425: IQUERY", "beef 0900 0000 0001 0000 0000 00 0001 0001 00000000 0004 c0000201",
	 "NOTIMP rd", false},
	{"RFC 8906 §3.1.4: an unknown opcode", "beef 7800 0001 0000 0000 0000" NAME "0001 0001",
	 "NOTIMP", true},
	{"RFC 8906 §3.1.4: an unknown opcode and garbage", "beef 7800 0001 0000 0000 0000 ff",
	 "NOTIMP", false},
	{"RFC 8906 §3.1.4: an unknown opcode with OPT",
	 "beef 7800 0001 0000 0000 0001" NAME "0001 0001" OPT("0000"), "NOTIMP [opt ede=21]", true},
	/* Classes and types */
	{"RFC 1035 §3.2.4: Hesiod", HEAD NAME "0001 0004", "REFUSED rd", true},
	{"RFC 1035 §3.2.5: any class", HEAD NAME "0001 00ff", "REFUSED rd", true},
	{"RFC 2136 §2.4: class NONE", HEAD NAME "0001 00fe", "REFUSED rd", true},
	{"RFC 4892: CHAOS of any name", HEAD NAME "0010 0003", "REFUSED rd", true},
	{"RFC 5936 §2.2.1: AXFR", HEAD NAME "00fc 0001", "REFUSED rd", true},
	{"RFC 1995: IXFR with its SOA",
	 "beef 0100 0001 0000 0001 0000" NAME
	 "00fb 0001 c00c 0006 0001 00000000 0016 00 00 00000001 00000001 00000001 "
	 "00000001 00000001",
	 "REFUSED rd", true},
	{"RFC 1035 §3.2.3: MAILA", HEAD NAME "00fe 0001", "NOTIMP rd", true},
	{"RFC 1035 §3.2.3: MAILB", HEAD NAME "00fd 0001", "NOTIMP rd", true},
	{"RFC 2930: TKEY", HEAD NAME "00f9 0001", "NOTIMP rd", true},
	{"RFC 6895 §3.1: an unknown meta type", HEAD NAME "0080 0001", "NOTIMP rd", true},
	{"RFC 8945: TSIG is no question", HEAD NAME "00fa 0001", "FORMERR rd", true},
	{"RFC 6891 §6.1.1: OPT is no question", HEAD NAME "0029 0001", "FORMERR rd", true},
	{"RFC 6895 §3.1: type 0", HEAD NAME "0000 0001", "FORMERR rd", true},
	{"RFC 3597 §3: an unknown data type", HEAD NAME "0100 0001", "resolve", true},
	{"RFC 3597 §3: a private type", HEAD NAME "ff00 0001", "resolve", true},
	{"RFC 4034 §3: RRSIG is data", HEAD NAME "002e 0001", "resolve", true},
	{"RFC 8482: ANY", HEAD NAME "00ff 0001",
	 "NOERROR rd = www.example. 3600 HINFO \"RFC8482\" \"\"", true},
};

static void test_packets(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	for (size_t i = 0; i < ARRAY_LEN(packets); i++) {
		g->query_len = unit_unhex(packets[i].query, g->query, sizeof(g->query));
		rig_feed(g, TRANSPORT_UDP);
		check_text(packets[i].why, rig_reply_text(g), packets[i].reply);
		if (g->reply_len <= 0)
			continue;
		CHECK(packets[i].why, g->reply[0] == 0xbe && g->reply[1] == 0xef);
		CHECK(packets[i].why, ((g->reply[2] ^ g->query[2]) & 0x78) == 0); /* the opcode */
		CHECK(packets[i].why, (g->reply[3] & 0x40) == 0); /* RFC 1035: Z is zero */
		CHECK(packets[i].why, g->reply[5] == packets[i].question);
	}
	rig_free(g);
}

static void test_client_is_remembered(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	rig_ask(g, "wWw.ExAmple.", TYPE_AAAA, "do cd size=4096 nsid keepalive");
	const struct client *c = &g->client;
	CHECK("what was asked",
	      c->token == 99 && c->id == 0xbeef && c->qtype == TYPE_AAAA && c->qclass == CLASS_IN);
	CHECK("RFC 4343: to the letter",
	      c->qname_len == 13 && memcmp(c->qname, "\3wWw\7ExAmple", 13) == 0);
	CHECK("how", c->has_question && c->has_edns && c->dnssec_ok && c->wants_nsid &&
			     c->authentic_wanted);
	CHECK("RFC 7828 §3.2.1: no keepalive over UDP", !c->wants_keepalive);
	CHECK("no fragments", c->size_limit == 1232);
	CHECK("flags", client_checking_disabled(c) && client_recursion_desired(c));
	CHECK("who and when",
	      endpoint_equal(&c->peer, &g->peer) && c->arrived_ms == now_mono_ms(g->now));
	rig_ask(g, "www.example.", TYPE_A, "size=100");
	CHECK("RFC 6891 §6.2.3: below 512 is 512", c->size_limit == 512 && !c->authentic_wanted);
	rig_ask(g, "www.example.", TYPE_A, "size=700");
	CHECK("RFC 6891 §6.2.3: the client's limit", c->size_limit == 700);
	rig_ask(g, "www.example.", TYPE_A, "ad");
	CHECK("RFC 1035 §2.3.4: 512 without EDNS", c->size_limit == 512 && !c->has_edns);
	CHECK("RFC 6840 §5.7: AD asks for AD", c->authentic_wanted);
	rig_ask(g, "www.example.", TYPE_A, "tcp size=512");
	CHECK("RFC 7766: TCP has no limit", c->size_limit == 65535);
	rig_free(g);
}

/* ---- access ---------------------------------------------------------------------------------- */

static void test_access(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	REQUIRE(endpoint_parse("8.8.8.8", 53, &g->peer) == OK);
	check_text("REFUSED", rig_ask(g, "www.example.", TYPE_A, NULL), "REFUSED rd");
	check_text("RFC 8914 §4.19: Prohibited", rig_ask(g, "localhost.", TYPE_A, "edns"),
		   "REFUSED rd [opt ede=18]");
	g->query_len = unit_unhex("beef 2000 0001 0000 0000 0000" NAME "0006 0001", g->query,
				  sizeof(g->query));
	rig_feed(g, TRANSPORT_UDP);
	check_text("a stranger's NOTIFY too", rig_reply_text(g), "REFUSED");
	CHECK("counted", metrics_get(&g->metrics, METRIC_queries_refused_total) == 3);
	rig_free(g);
}

/* ---- CHAOS, NSID, cookies, keepalive --------------------------------------------------------- */

static void test_identity(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	static const char *const names[] = {"id.server.", "hostname.bind.", "version.bind.",
					    "version.server."};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		check_text("RFC 4892: nothing is told by default",
			   rig_ask(g, names[i], TYPE_TXT, "ch"), "REFUSED rd");
	check_text("RFC 5001: nor by NSID", rig_ask(g, "localhost.", TYPE_A, "nsid"),
		   "NOERROR aa rd = localhost. 10800 A 127.0.0.1 [opt]");
	g->settings.identity = "node-7";
	g->settings.version = "resolverd 1";
	check_text("RFC 4892: id.server", rig_ask(g, "ID.server.", TYPE_TXT, "ch"),
		   "NOERROR aa rd = ID.server. 0 TXT \"node-7\"");
	check_text("hostname.bind", rig_ask(g, "hostname.bind.", TYPE_ANY, "ch"),
		   "NOERROR aa rd = hostname.bind. 0 TXT \"node-7\"");
	check_text("version.bind", rig_ask(g, "version.bind.", TYPE_TXT, "ch edns"),
		   "NOERROR aa rd = version.bind. 0 TXT \"resolverd 1\" [opt]");
	check_text("version.server", rig_ask(g, "version.server.", TYPE_TXT, "ch"),
		   "NOERROR aa rd = version.server. 0 TXT \"resolverd 1\"");
	check_text("another type", rig_ask(g, "version.server.", TYPE_A, "ch"), "NOERROR aa rd");
	check_text("another name", rig_ask(g, "authors.bind.", TYPE_TXT, "ch"), "REFUSED rd");
	check_text("class IN is the Internet's", rig_ask(g, "version.bind.", TYPE_TXT, NULL),
		   "resolve");
	check_text("RFC 5001: NSID", rig_ask(g, "localhost.", TYPE_A, "nsid"),
		   "NOERROR aa rd = localhost. 10800 A 127.0.0.1 [opt nsid=node-7]");
	static char long_name[600];
	memset(long_name, 'x', sizeof(long_name) - 1);
	g->settings.identity = long_name;
	check_text("an identity too long for the smallest reply is left out",
		   rig_ask(g, "localhost.", TYPE_A, "nsid size=512"),
		   "NOERROR aa rd = localhost. 10800 A 127.0.0.1 [opt]");
	rig_free(g);
}

static void test_options(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	check_text("RFC 7873 §5.2: a cookie for a cookie",
		   rig_ask(g, "localhost.", TYPE_A, "cookie"),
		   "NOERROR aa rd = localhost. 10800 A 127.0.0.1 [opt cookie=CLIENTCO+16]");
	struct span ours = span_of(g->client.cookie + 8, 16);
	CHECK("RFC 9018 §4: ours", cookie_check_server(&g->secret, g->client.cookie, ours, &g->peer,
						       g->now.unix_s) == COOKIE_GOOD);
	check_text("RFC 7828 §3.2.1: not over UDP", rig_ask(g, "localhost.", TYPE_A, "keepalive"),
		   "NOERROR aa rd = localhost. 10800 A 127.0.0.1 [opt]");
	check_text("RFC 7828 §3.3.2: over TCP", rig_ask(g, "localhost.", TYPE_A, "keepalive tcp"),
		   "NOERROR aa rd = localhost. 10800 A 127.0.0.1 [opt keepalive=300]");
	check_text("RFC 3225 §3: DO is copied", rig_ask(g, "localhost.", TYPE_A, "do"),
		   "NOERROR aa rd = localhost. 10800 A 127.0.0.1 [opt do]");
	check_text("RFC 4035 §3.2.2: CD is copied", rig_ask(g, "localhost.", TYPE_A, "cd"),
		   "NOERROR aa rd cd = localhost. 10800 A 127.0.0.1");
	rig_free(g);
}

/* ---- from the cache -------------------------------------------------------------------------- */

static void put_plain(struct rig *g, const char *name, uint16_t type, const char *lines,
		      enum verdict verdict)
{
	struct answer *a = rig_answer(g, name, type);
	rig_add(g, a, lines);
	a->verdict = verdict;
	a->rank = verdict == VERDICT_SECURE ? RANK_SECURE : RANK_ANSWER;
	if (verdict == VERDICT_BOGUS) {
		a->ede = EDE_SIGNATURE_EXPIRED;
		a->text = "expired yesterday";
	}
	rig_store(g, a);
}

static void fill_cache(struct rig *g)
{
	char sig[512], lines[1024];
	put_plain(g, "plain.example.", TYPE_A, "plain.example. 300 A 192.0.2.1", VERDICT_INSECURE);
	put_plain(g, "plain.example.", TYPE_AAAA, "plain.example. 300 AAAA 2001:db8::1",
		  VERDICT_INSECURE);
	put_plain(g, "mail.example.", TYPE_MX,
		  "mail.example. 300 MX 10 a.mail.example.\nmail.example. 300 MX 20 b.org.",
		  VERDICT_INSECURE);
	snprintf(lines, sizeof(lines), "signed.example. 300 A 192.0.2.2\n%s",
		 rig_sig(sig, "signed.example.", "A"));
	put_plain(g, "signed.example.", TYPE_A, lines, VERDICT_SECURE);
	put_plain(g, "raw.example.", TYPE_A, "raw.example. 300 A 192.0.2.3", VERDICT_UNCHECKED);
	put_plain(g, "bogus.example.", TYPE_A, "bogus.example. 300 A 192.0.2.4", VERDICT_BOGUS);
	put_plain(g, "alias.example.", TYPE_CNAME, "alias.example. 300 CNAME plain.example.",
		  VERDICT_INSECURE);

	struct answer *a = rig_answer(g, "db.example.", TYPE_A);
	rig_add(g, a, "db.example. 60 CNAME db.cluster.example.");
	rig_add(g, a,
		"db.cluster.example. 5 A 192.0.2.7\ndb.cluster.example. 5 A 192.0.2.8\n"
		"db.cluster.example. 5 A 192.0.2.9");
	rig_store(g, a);

	a = rig_answer(g, "no.example.", TYPE_A);
	a->rcode = RCODE_NXDOMAIN;
	a->verdict = VERDICT_SECURE;
	a->rank = RANK_SECURE;
	rig_add_authority(g, a, "example. 60 SOA ns.example. host.example. 1 2 3 4 60");
	rig_add_authority(g, a, "nn.example. 60 NSEC np.example. A");
	rig_store(g, a);

	a = rig_answer(g, "wild.example.", TYPE_A);
	a->verdict = VERDICT_SECURE;
	a->rank = RANK_SECURE;
	a->wildcard = true;
	rig_add(g, a, "wild.example. 60 A 192.0.2.5");
	rig_add_authority(g, a, "v.example. 60 NSEC x.example. A");
	rig_store(g, a);

	struct rrset glue = rig_set(g, "ns.example. 300 A 192.0.2.53");
	answer_store_rrset(&glue, RANK_GLUE, VERDICT_INSECURE, 0, &g->since, g->now, &g->arena);
	rig_store_failure(g, "dead.example.", TYPE_A, EDE_NO_REACHABLE_AUTHORITY, "all silent");
	rig_store_failure(g, "dull.example.", TYPE_A, EDE_NONE, NULL);
	rig_store_failure(g, "db.example.", TYPE_A, EDE_NO_REACHABLE_AUTHORITY, "all silent");
	rig_store_failure(g, "no.example.", TYPE_A, EDE_NONE, NULL);
	rig_store_failure(g, "bogus.example.", TYPE_A, EDE_NONE, NULL);
}

#define NX_SOA " ? example. 60 SOA ns.example. host.example. 1 2 3 4 60"

static const struct {
	const char *why, *name;
	uint16_t type;
	const char *how, *reply;
} hits[] = {
	{"a plain answer", "plain.example.", TYPE_A, "",
	 "NOERROR rd = plain.example. 300 A 192.0.2.1"},
	{"RFC 4343: in the client's letters", "PLAIN.Example.", TYPE_A, "",
	 "NOERROR rd = PLAIN.Example. 300 A 192.0.2.1"},
	{"16 bytes of data", "plain.example.", TYPE_AAAA, "edns",
	 "NOERROR rd = plain.example. 300 AAAA 2001:db8::1 [opt]"},
	{"names in the data", "mail.example.", TYPE_MX, "",
	 "NOERROR rd = mail.example. 300 MX 10 a.mail.example. = mail.example. 300 MX 20 b.org."},
	{"a type that is not there", "plain.example.", TYPE_TXT, "", "resolve"},
	{"RFC 6840 §5.8: AD for who asks", "signed.example.", TYPE_A, "ad",
	 "NOERROR rd ad = signed.example. 300 A 192.0.2.2"},
	{"RFC 6840 §5.8: no AD for who does not", "signed.example.", TYPE_A, "edns",
	 "NOERROR rd = signed.example. 300 A 192.0.2.2 [opt]"},
	{"RFC 4035 §3.1: signatures for DO", "signed.example.", TYPE_A, "do",
	 "NOERROR rd ad = signed.example. 300 A 192.0.2.2 = signed.example. 300 RRSIG [opt do]"},
	{"no AD with CD", "signed.example.", TYPE_A, "do cd",
	 "NOERROR rd cd = signed.example. 300 A 192.0.2.2 = signed.example. 300 RRSIG [opt do]"},
	{"RFC 4035 §3.2.3: no AD for what is insecure", "plain.example.", TYPE_A, "do",
	 "NOERROR rd = plain.example. 300 A 192.0.2.1 [opt do]"},
	{"what was not validated is not told", "raw.example.", TYPE_A, "", "resolve"},
	{"RFC 4035 §3.2.2: but to who validates", "raw.example.", TYPE_A, "cd",
	 "NOERROR rd cd = raw.example. 300 A 192.0.2.3"},
	{"RFC 4035 §5.5: bogus", "bogus.example.", TYPE_A, "edns",
	 "SERVFAIL rd [opt ede=7:expired yesterday]"},
	{"RFC 4035 §3.2.2: bogus data for who validates", "bogus.example.", TYPE_A, "cd",
	 "NOERROR rd cd = bogus.example. 60 A 192.0.2.4"},
	{"RFC 8914 §2: its reason goes along", "bogus.example.", TYPE_A, "cd edns",
	 "NOERROR rd cd = bogus.example. 60 A 192.0.2.4 [opt ede=7:expired yesterday]"},
	{"an alias asked for", "alias.example.", TYPE_CNAME, "",
	 "NOERROR rd = alias.example. 300 CNAME plain.example."},
	{"an alias alone does not answer", "alias.example.", TYPE_A, "", "resolve"},
	{"a chain, for who validates too", "db.example.", TYPE_A, "do",
	 "NOERROR rd = db.example. 60 CNAME db.cluster.example. = db.cluster.example. 5 A "
	 "192.0.2.7 = "
	 "db.cluster.example. 5 A 192.0.2.8 = db.cluster.example. 5 A 192.0.2.9 [opt do]"},
	{"the target of a chain is not answered from it", "db.cluster.example.", TYPE_A, "",
	 "resolve"},
	{"RFC 2308 §5: NXDOMAIN", "no.example.", TYPE_A, "", "NXDOMAIN rd" NX_SOA},
	{"RFC 2308 §5: NXDOMAIN of all types", "no.example.", TYPE_MX, "ad",
	 "NXDOMAIN rd ad" NX_SOA},
	{"RFC 4035 §3.1.3: with its proof for DO", "no.example.", TYPE_A, "do",
	 "NXDOMAIN rd ad" NX_SOA " ? nn.example. 60 NSEC np.example. A [opt do]"},
	{"RFC 4035 §3.1.4.1: DS is the parent's", "no.example.", TYPE_DS, "", "resolve"},
	{"a wildcard without its proof", "wild.example.", TYPE_A, "",
	 "NOERROR rd = wild.example. 60 A 192.0.2.5"},
	{"RFC 4035 §3.1.3.3: and with it", "wild.example.", TYPE_A, "do",
	 "NOERROR rd ad = wild.example. 60 A 192.0.2.5 ? v.example. 60 NSEC x.example. A [opt do]"},
	{"RFC 2181 §5.4.1: glue does not answer", "ns.example.", TYPE_A, "", "resolve"},
	{"RFC 9520 §3: a failure", "dead.example.", TYPE_A, "edns",
	 "SERVFAIL rd [opt ede=22:all silent ede=13]"},
	{"RFC 8914 §4.14: a failure without a reason", "dull.example.", TYPE_A, "edns",
	 "SERVFAIL rd [opt ede=13]"},
	{"RFC 6891 §7: no OPT for who sent none", "dead.example.", TYPE_A, "", "SERVFAIL rd"},
	{"RFC 9520 §3: of one type only", "dead.example.", TYPE_AAAA, "", "resolve"},
	/* RD=0 */
	{"RFC 1034 §4.3.1: RD=0 from the cache", "plain.example.", TYPE_A, "rd0",
	 "NOERROR = plain.example. 300 A 192.0.2.1"},
	{"RFC 2308 §2.2: RD=0 for what is not there is no NODATA", "x.example.", TYPE_A, "rd0",
	 "REFUSED"},
	{"RFC 8914 §4.21: RD=0 asks nobody, so nothing failed", "dead.example.", TYPE_A, "rd0 edns",
	 "REFUSED [opt ede=20]"},
	{"RFC 8914 §4.21: RD=0 for what was not validated", "raw.example.", TYPE_A, "rd0 edns",
	 "REFUSED [opt ede=20]"},
	{"RFC 1034 §4.3.1: RD=0 for a denial in the cache", "no.example.", TYPE_A, "rd0",
	 "NXDOMAIN" NX_SOA},
	{"RFC 1034 §4.3.1: RD=0 for a local name", "localhost.", TYPE_A, "rd0",
	 "NOERROR aa = localhost. 10800 A 127.0.0.1"},
};

static void test_hits(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	g->settings.dnssec = true;
	fill_cache(g);
	for (size_t i = 0; i < ARRAY_LEN(hits); i++) {
		g->context.rotation = 0;
		check_text(hits[i].why, rig_ask(g, hits[i].name, hits[i].type, hits[i].how),
			   hits[i].reply);
	}
	rig_free(g);
}

static void test_without_dnssec(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	fill_cache(g);
	check_text("nothing is ever checked", rig_ask(g, "raw.example.", TYPE_A, ""),
		   "NOERROR rd = raw.example. 300 A 192.0.2.3");
	check_text("what was bogus no longer is", rig_ask(g, "bogus.example.", TYPE_A, ""),
		   "NOERROR rd = bogus.example. 60 A 192.0.2.4");
	g->settings.answer_norecurse = false;
	check_text("RD=0 refused: no looking into the cache",
		   rig_ask(g, "plain.example.", TYPE_A, "rd0 edns"), "REFUSED [opt ede=20]");
	check_text("RD=0 refused: local names are no secret",
		   rig_ask(g, "localhost.", TYPE_A, "rd0"),
		   "NOERROR aa = localhost. 10800 A 127.0.0.1");
	rig_free(g);
}

/* ---- ageing and stale answers ---------------------------------------------------------------- */

static const struct {
	const char *why;
	int64_t after_ms;
	const char *name, *how, *reply;
} aged[] = {
	{"RFC 1035 §3.2.1: a begun second is gone", 1, "plain.example.", "",
	 "NOERROR rd = plain.example. 299 A 192.0.2.1"},
	{"RFC 1035 §3.2.1: to the last one, which is told to its end", 299500, "plain.example.", "",
	 "NOERROR rd = plain.example. 1 A 192.0.2.1"},
	{"RFC 1035 §3.2.1: and no further", 300000, "plain.example.", "", "resolve"},
	{"RFC 1035 §3.2.1: each record for itself", 4000, "db.example.", "",
	 "NOERROR rd = db.example. 56 CNAME db.cluster.example. = db.cluster.example. 1 A "
	 "192.0.2.7 = "
	 "db.cluster.example. 1 A 192.0.2.8 = db.cluster.example. 1 A 192.0.2.9"},
	{"expired: it must be tried first", 5000, "db.example.", "", "resolve"},
};

static void test_ageing(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	fill_cache(g);
	cache_remove(g->cache, ENTRY_FAILURE, unit_name("db.example.").wire, TYPE_A);
	for (size_t i = 0; i < ARRAY_LEN(aged); i++) {
		g->context.rotation = 0;
		g->now = unit_now(aged[i].after_ms);
		check_text(aged[i].why, rig_ask(g, aged[i].name, TYPE_A, aged[i].how),
			   aged[i].reply);
	}
	rig_free(g);
}

/* The TTL of the first record of the answer. */
static unsigned told_ttl(struct rig *g, const char *name)
{
	const char *text = rig_ask(g, name, TYPE_A, "");
	const char *at = strstr(text, " = ");
	REQUIRE(at);
	at = strchr(at + 3, ' ');
	REQUIRE(at);
	return (unsigned)atoi(at + 1);
}

/* TTLs are told shorter by up to the share of them that is set, never longer, and never none where
 * one was left; each of the lengths about as often. */
static void test_spread(void **state)
{
	(void)state;
	static const struct {
		const char *why, *name;
		int64_t after_ms;
		unsigned percent, least_s, most_s;
	} rows[] = {
		{"not asked for", "plain.example.", 0, 0, 300, 300},
		{"an RRset", "plain.example.", 0, 20, 240, 300},
		{"what is left of it", "plain.example.", 298000, 50, 1, 2},
		{"its last second", "plain.example.", 299000, 50, 1, 1},
		{"its end", "plain.example.", 299500, 50, 1, 1},
		{"a chain goes by its shortest TTL", "db.example.", 0, 40, 58, 60},
	};
	struct rig *g = rig_new();
	fill_cache(g);
	cache_remove(g->cache, ENTRY_FAILURE, unit_name("db.example.").wire, TYPE_A);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned seen[301] = {0};
		g->settings.prefetch.spread_percent = (uint8_t)rows[i].percent;
		g->now = unit_now(rows[i].after_ms);
		for (unsigned k = 0; k < 1000; k++) {
			unsigned ttl_s = told_ttl(g, rows[i].name);
			CHECK(rows[i].why, ttl_s >= rows[i].least_s && ttl_s <= rows[i].most_s);
			seen[ttl_s]++;
		}
		unsigned lengths = rows[i].most_s - rows[i].least_s + 1;
		for (unsigned ttl_s = rows[i].least_s; ttl_s <= rows[i].most_s; ttl_s++)
			CHECK(rows[i].why, seen[ttl_s] > 1000 / lengths / 4);
	}
	rig_free(g);
}

static void fail_again(struct rig *g)
{
	rig_store_failure(g, "plain.example.", TYPE_A, EDE_NO_REACHABLE_AUTHORITY, "all silent");
	rig_store_failure(g, "db.example.", TYPE_A, EDE_NO_REACHABLE_AUTHORITY, "all silent");
	rig_store_failure(g, "no.example.", TYPE_A, EDE_NONE, NULL);
	rig_store_failure(g, "bogus.example.", TYPE_A, EDE_NONE, NULL);
	rig_store_failure(g, "raw.example.", TYPE_A, EDE_NONE, NULL);
}

static void test_stale(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	g->settings.dnssec = true;
	fill_cache(g);
	g->now = unit_now(400000);
	fail_again(g);
	check_text("RFC 8767 §4: TTL 30", rig_ask(g, "plain.example.", TYPE_A, "edns"),
		   "NOERROR rd = plain.example. 30 A 192.0.2.1 [opt ede=3]");
	g->context.rotation = 0;
	check_text("RFC 8767: but not longer than it ever was",
		   rig_ask(g, "db.example.", TYPE_A, ""),
		   "NOERROR rd = db.example. 30 CNAME db.cluster.example. = db.cluster.example. 5 "
		   "A 192.0.2.7 = "
		   "db.cluster.example. 5 A 192.0.2.8 = db.cluster.example. 5 A 192.0.2.9");
	check_text(
		"RFC 8914 §4.20: a stale NXDOMAIN", rig_ask(g, "no.example.", TYPE_A, "edns"),
		"NXDOMAIN rd ? example. 30 SOA ns.example. host.example. 1 2 3 4 60 [opt ede=19]");
	check_text("bogus data is never stale", rig_ask(g, "bogus.example.", TYPE_A, "edns"),
		   "SERVFAIL rd [opt ede=13]");
	check_text("nor what was not checked", rig_ask(g, "raw.example.", TYPE_A, "edns"),
		   "SERVFAIL rd [opt ede=13]");
	check_text("without a failure it must be tried first",
		   rig_ask(g, "plain.example.", TYPE_AAAA, ""), "resolve");
	check_text("RD=0 gets stale data: it cannot be resolved",
		   rig_ask(g, "plain.example.", TYPE_A, "rd0"),
		   "NOERROR = plain.example. 30 A 192.0.2.1");
	g->settings.stale_enabled = false;
	check_text("as configured", rig_ask(g, "plain.example.", TYPE_A, "edns"),
		   "SERVFAIL rd [opt ede=22:all silent ede=13]");
	g->settings.stale_enabled = true;
	g->now = unit_now(300000 + 86400 * 1000 + 1);
	fail_again(g);
	check_text("RFC 8767 §5: not for ever", rig_ask(g, "plain.example.", TYPE_A, ""),
		   "SERVFAIL rd");
	rig_free(g);
}

/* ---- round robin and truncation -------------------------------------------------------------- */

static void test_rotation(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	fill_cache(g);
	put_plain(g, "many.example.", TYPE_A,
		  "many.example. 9 A 192.0.2.1\nmany.example. 9 A 192.0.2.2\n"
		  "many.example. 9 A 192.0.2.3",
		  VERDICT_INSECURE);
	put_plain(g, "many.example.", TYPE_TXT, "many.example. 9 TXT a\nmany.example. 9 TXT b",
		  VERDICT_INSECURE);
	static const char *const turns[] = {"1 2 3", "2 3 1", "3 1 2"};
	for (unsigned i = 0; i < 6; i++) {
		unsigned a, b, c;
		char want[256];
		sscanf(turns[i % 3], "%u %u %u", &a, &b, &c);
		g->context.rotation = i;
		snprintf(want, sizeof(want),
			 "NOERROR rd = many.example. 9 A 192.0.2.%u = many.example. 9 A 192.0.2.%u "
			 "= many.example. 9 A 192.0.2.%u",
			 a, b, c);
		check_text("RFC 1794: an RRset", rig_ask(g, "many.example.", TYPE_A, ""), want);
		CHECK("the next one is next", g->context.rotation == i + 1);
		g->context.rotation = i;
		snprintf(
			want, sizeof(want),
			"NOERROR rd = db.example. 60 CNAME db.cluster.example. = "
			"db.cluster.example. 5 A 192.0.2.%u = db.cluster.example. 5 A 192.0.2.%u = "
			"db.cluster.example. 5 A 192.0.2.%u",
			a + 6, b + 6, c + 6);
		check_text("RFC 1794: behind an alias", rig_ask(g, "db.example.", TYPE_A, ""),
			   want);
		check_text("only addresses", rig_ask(g, "many.example.", TYPE_TXT, ""),
			   "NOERROR rd = many.example. 9 TXT \"a\" = many.example. 9 TXT \"b\"");
	}
	rig_free(g);
}

/* COUNT records of NAME, each with LEN bytes of text. */
static struct rrset many_texts(struct rig *g, const char *name, unsigned count, size_t len)
{
	struct unit_name owner = unit_name(name);
	struct span copy = arena_copy(&g->arena, span_of(owner.wire, owner.len)), list[64];
	struct rrset set;
	for (unsigned i = 0; i < count; i++) {
		uint8_t *text = arena_alloc(&g->arena, len + 1);
		memset(text, 'a' + (int)i, len + 1);
		text[0] = (uint8_t)len;
		list[i] = span_of(text, len + 1);
	}
	REQUIRE(rrset_from_rdatas(copy.at, TYPE_TXT, 300, list, count, &g->arena, &set) == OK);
	return set;
}

static const struct message *reply_view(struct rig *g)
{
	static struct message m;
	REQUIRE(g->reply_len > 0 &&
		message_view(span_of(g->reply, (size_t)g->reply_len), &m) == OK);
	return &m;
}

static bool is_cut(struct rig *g)
{
	return (reply_view(g)->flags & FLAG_TC) != 0;
}

static unsigned answers(struct rig *g)
{
	return reply_view(g)->counts[SECTION_ANSWER];
}

static void test_truncation(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	struct answer *a = rig_answer(g, "big.example.", TYPE_TXT);
	a->answer[a->answer_count++] = many_texts(g, "big.example.", 5, 200);
	rig_store(g, a);
	rig_ask(g, "big.example.", TYPE_TXT, "");
	CHECK("RFC 2181 §9: 1 kB does not fit 512",
	      is_cut(g) && answers(g) == 0 && g->reply_len < 512);
	rig_ask(g, "big.example.", TYPE_TXT, "edns");
	CHECK("RFC 6891: it fits 1232", !is_cut(g) && answers(g) == 5 && g->reply_len <= 1232);
	rig_ask(g, "big.example.", TYPE_TXT, "tcp");
	CHECK("RFC 7766: it fits TCP", !is_cut(g) && answers(g) == 5);
	CHECK("counted", metrics_get(&g->metrics, METRIC_answers_truncated_total) == 1);

	a = rig_answer(g, "chain.example.", TYPE_TXT);
	rig_add(g, a, "chain.example. 300 CNAME one.example.");
	rig_add(g, a, "one.example. 300 CNAME big.example.");
	a->answer[a->answer_count++] = many_texts(g, "big.example.", 5, 200);
	rig_store(g, a);
	g->now = unit_now(10000);
	rig_ask(g, "chain.example.", TYPE_TXT, "");
	CHECK("RFC 2181 §9: whole RRsets only", is_cut(g) && answers(g) == 2);
	check_text("RFC 2181 §9: what fits is told", rig_reply_text(g),
		   "NOERROR tc rd = chain.example. 290 CNAME one.example. = one.example. 290 CNAME "
		   "big.example.");
	rig_ask(g, "chain.example.", TYPE_TXT, "tcp cookie");
	CHECK("RFC 7766: it fits TCP", !is_cut(g) && answers(g) == 7);

	char lines[2048];
	size_t len = 0;
	for (int i = 0; i < 15; i++)
		len += (size_t)snprintf(
			lines + len, sizeof(lines) - len,
			"%sn.example. 60 NS %c.very.long.name.of.a.server.n.example.",
			i ? "\n" : "", 'a' + i);
	struct rrset names = rig_set(g, lines);
	CHECK("fifteen", names.rr_count == 15);
	answer_store_rrset(&names, RANK_ANSWER, VERDICT_INSECURE, 0, &g->since, g->now, &g->arena);
	rig_ask(g, "n.example.", TYPE_NS, "");
	CHECK("RFC 1035 §4.1.4: what is too long is compressed before it is cut",
	      !is_cut(g) && answers(g) == 15);
	rig_free(g);
}

/* Every limit between nothing and all: never past it, always whole sets, TC unless all is there. */
static void test_every_size(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	char sig[512], lines[1024];
	struct answer *a = rig_answer(g, "x.example.", TYPE_A);
	snprintf(lines, sizeof(lines), "x.example. 300 CNAME y.example.\n%s",
		 rig_sig(sig, "x.example.", "CNAME"));
	rig_add(g, a, lines);
	snprintf(lines, sizeof(lines), "y.example. 300 CNAME z.example.\n%s",
		 rig_sig(sig, "y.example.", "CNAME"));
	rig_add(g, a, lines);
	for (int i = 0; i < 4; i++) {
		snprintf(lines, sizeof(lines), "%c.example. 300 NSEC zz.example. A\n%s", 'a' + i,
			 rig_sig(sig, "a.example.", "NSEC"));
		rig_add_authority(g, a, lines);
	}
	rig_store(g, a);
	for (unsigned size = 512; size <= 1232; size++) {
		char how[32];
		snprintf(how, sizeof(how), "do size=%u", size);
		for (int fresh = 0; fresh < 2; fresh++) {
			rig_ask(g, "x.example.", TYPE_A, how);
			if (fresh)
				g->reply_len = (ptrdiff_t)client_reply_answer(
					&g->context, &g->client, a, g->reply, sizeof(g->reply));
			const struct message *m = reply_view(g);
			unsigned records = m->counts[SECTION_ANSWER] + m->counts[SECTION_AUTHORITY];
			CHECK(how,
			      (unsigned)g->reply_len <= size && m->counts[SECTION_ADDITIONAL] == 1);
			CHECK(how, records % 2 == 0 && is_cut(g) == (records < 12));
			CHECK(how,
			      m->counts[SECTION_AUTHORITY] == 0 || m->counts[SECTION_ANSWER] == 4);
		}
	}
	rig_free(g);
}

/* ---- what resolving came to ------------------------------------------------------------------ */

static const char *told(struct rig *g, const struct answer *a, const char *how)
{
	rig_ask(g, "gone.example.", TYPE_A, how);
	REQUIRE(g->reply_len == 0);
	g->reply_len = (ptrdiff_t)client_reply_answer(&g->context, &g->client, a, g->reply,
						      sizeof(g->reply));
	return rig_reply_text(g);
}

static void test_answers(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	g->settings.dnssec = true;
	struct answer *a = rig_answer(g, "gone.example.", TYPE_A);
	rig_add(g, a, "gone.example. 300 A 192.0.2.1");
	a->verdict = VERDICT_SECURE;
	check_text("secure", told(g, a, "ad"), "NOERROR rd ad = gone.example. 300 A 192.0.2.1");
	a->verdict = VERDICT_INSECURE;
	a->ede = EDE_UNSUPPORTED_DS_DIGEST;
	check_text("RFC 8914 §4.3: insecure, and why", told(g, a, "do"),
		   "NOERROR rd = gone.example. 300 A 192.0.2.1 [opt do ede=2]");
	a->stale = true;
	check_text("RFC 8767: stale", told(g, a, "edns"),
		   "NOERROR rd = gone.example. 30 A 192.0.2.1 [opt ede=3 ede=2]");
	a->stale = false;
	a->verdict = VERDICT_BOGUS;
	a->ede = EDE_DNSSEC_BOGUS;
	a->text = "why";
	check_text("RFC 4035 §5.5: bogus", told(g, a, "edns"), "SERVFAIL rd [opt ede=6:why]");
	check_text("RFC 4035 §3.2.2: bogus, for who validates", told(g, a, "cd"),
		   "NOERROR rd cd = gone.example. 300 A 192.0.2.1");
	a->answer_count = 0;
	a->verdict = VERDICT_INSECURE;
	a->rcode = RCODE_SERVFAIL;
	check_text("SERVFAIL", told(g, a, "edns"), "SERVFAIL rd [opt ede=6:why]");
	static char words[400];
	memset(words, 'w', sizeof(words) - 1);
	a->text = words;
	told(g, a, "size=512 cookie");
	CHECK("RFC 8914 §2: words give way", g->reply_len <= 512);
	rig_free(g);
}

static void test_root_servers(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	check_text("no hints", rig_ask(g, ".", TYPE_NS, ""), "resolve");
	g->settings.hints.count = 2;
	g->settings.hints.servers[0].name = (const uint8_t *)"\1a\4root";
	g->settings.hints.servers[1].name = (const uint8_t *)"\1b\4root";
	check_text("the hints, at once", rig_ask(g, ".", TYPE_NS, ""),
		   "NOERROR rd = . 60 NS a.root. = . 60 NS b.root.");
	check_text("RFC 4035 §3.2.3: for who wants proof they will not do",
		   rig_ask(g, ".", TYPE_NS, "do"), "resolve");
	struct rrset set = rig_set(g, ". 518400 NS m.root-servers.net.");
	answer_store_rrset(&set, RANK_ANSWER, VERDICT_INSECURE, 0, &g->since, g->now, &g->arena);
	check_text("RFC 9609: what priming brought", rig_ask(g, ".", TYPE_NS, "edns"),
		   "NOERROR rd = . 518400 NS m.root-servers.net. [opt]");
	rig_free(g);
}

static void test_counters(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	fill_cache(g);
	rig_ask(g, "plain.example.", TYPE_A, "");
	rig_ask(g, "no.example.", TYPE_A, "");
	rig_ask(g, "dead.example.", TYPE_A, "");
	rig_ask(g, "localhost.", TYPE_A, "");
	rig_ask(g, "x.example.", TYPE_A, "");
	g->query_len = 13;
	rig_feed(g, TRANSPORT_UDP);
	static const struct {
		enum metric metric;
		uint64_t count;
	} counts[] = {{METRIC_answers_total, 5},	  {METRIC_cache_hits_total, 2},
		      {METRIC_answers_nxdomain_total, 1}, {METRIC_answers_servfail_total, 1},
		      {METRIC_local_answers_total, 1},	  {METRIC_queries_malformed_total, 1}};
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		CHECK(metrics_name(counts[i].metric),
		      metrics_get(&g->metrics, counts[i].metric) == counts[i].count);
	rig_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets),	       cmocka_unit_test(test_client_is_remembered),
		cmocka_unit_test(test_access),	       cmocka_unit_test(test_identity),
		cmocka_unit_test(test_options),	       cmocka_unit_test(test_hits),
		cmocka_unit_test(test_without_dnssec), cmocka_unit_test(test_ageing),
		cmocka_unit_test(test_stale),	       cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_spread),	       cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_every_size),     cmocka_unit_test(test_answers),
		cmocka_unit_test(test_root_servers),   cmocka_unit_test(test_counters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
