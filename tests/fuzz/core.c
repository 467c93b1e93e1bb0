/*
 * Bytes as the life of a core: the first ones choose its settings, then each is an event - a
 * client's question, a reply to an open send (put together from a few names, so that most of it
 * matches, then spoilt), a loss, time. The root and what lies below it may be signed, by a key that
 * every run knows.
 *
 * Whatever happens: a client gets one answer at most, and in time; a send is open until it is
 * cancelled or lost; no client query causes more than LIMIT_SENDS packets; and when all is quiet
 * nothing is left.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/log.h"
#include "dns/edns.h"
#include "resolve/limits.h"
#include "resolve/local.h"
#include "resolve/resolver.h"
#include "sim/signer.c" /* a program of one object: the signer comes as source */

enum {
	EVENTS_MAX = 300,
	CLIENTS_MAX = 64,
	SENDS_MAX = 4096,
	RECORDS_MAX = 12,
	FLIPS_MAX = 4,
	SPINS_MAX = 3000,
	QUIET_MS = 120000,
	SLACK_MS = 2,
	CACHE_BYTES = 256 * 1024,
};

struct sent {
	uint64_t token;
	struct endpoint peer;
	enum transport transport;
	size_t len;
	uint8_t packet[512];
};

enum asked { ASKED_NOT, ASKED_WAITING, ASKED_DONE };

struct life {
	struct reader in;
	struct now now;
	struct arena arena;
	struct settings settings;
	struct settings_zone zones[2];
	struct anchor anchor;
	struct cache *cache;
	struct cache_reader *reader;
	struct infra *infra;
	struct ranges *ranges;
	struct metrics metrics;
	struct hash_key secret;
	struct resolver *resolver;
	struct endpoint client;
	struct sent *sends; /* SENDS_MAX */
	unsigned send_count;
	enum asked clients[CLIENTS_MAX];
	uint64_t asked_ms[CLIENTS_MAX];
	unsigned client_count;
};

static const char *const names[] = {
	".",	   "a.",       "b.a.",	 "www.b.a.", "c.b.a.",	     "x.y.c.b.a.", "ns.a.",
	"ns.b.a.", "ns2.b.a.", "d.",	 "ns.d.",    "www.d.",	     "f.",	   "www.f.",
	"ip-1.f.", "s.",       "www.s.", "*.b.a.",   "old.b.a.",     "n.old.b.a.", "root.",
	"e.d.",	   "ns.e.d.",  "0.b.a.", "zz.b.a.",  "m.n.o.p.q.a.", "h.",	   "deep.h.",
};
static const uint16_t types[] = {
	TYPE_A,	    TYPE_AAAA, TYPE_NS,	  TYPE_CNAME, TYPE_SOA, TYPE_DS,    TYPE_MX,  TYPE_DNSKEY,
	TYPE_DNAME, TYPE_TXT,  TYPE_NSEC, TYPE_NSEC3, TYPE_ANY, TYPE_RRSIG, TYPE_SRV, 65280};
static const uint32_t ttls_s[] = {0, 1, 5, 60, 300, 3600, 86400, UINT32_MAX};
static const char *const addresses[] = {"198.51.100.1", "198.51.100.2", "198.51.100.3",
					"2001:db8::1",	"127.0.0.1",	"192.0.2.7"};
enum { ADDRESS_ROOT, ADDRESS_FORWARD = 1, ADDRESS_STUB = 2 };

static const uint8_t *name_of(unsigned index)
{
	static uint8_t wire[ARRAY_LEN(names)][DNAME_MAX];
	static bool ready;
	size_t len;
	for (size_t i = 0; !ready && i < ARRAY_LEN(names); i++)
		REQUIRE(dname_parse(names[i], wire[i], &len) == OK);
	ready = true;
	return wire[index % ARRAY_LEN(names)];
}

static struct endpoint address_of(unsigned index)
{
	struct endpoint e;
	REQUIRE(endpoint_parse(addresses[index % ARRAY_LEN(addresses)], 53, &e) == OK);
	return e;
}

/* One key for every zone, the same in every run. */
static const struct signer_key *signing_key(void)
{
	static struct signer_key key;
	static const uint8_t secret[32] = {7};
	if (key.pkey)
		return &key;
	key.algorithm = 15;
	key.pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
	REQUIRE(key.pkey);
	signer_key_set_flags(&key, DNSKEY_ZONE | DNSKEY_SEP);
	return &key;
}

/* ---- what must hold -------------------------------------------------------------------------- */

static struct sent *find_sent(struct life *l, uint64_t token)
{
	for (unsigned i = 0; i < l->send_count; i++)
		if (l->sends[i].token == token)
			return &l->sends[i];
	return NULL;
}

static void close_sent(struct life *l, uint64_t token)
{
	struct sent *s = find_sent(l, token);
	REQUIRE(s);
	*s = l->sends[--l->send_count];
}

static void open_sent(struct life *l, const struct action *a)
{
	struct message m;
	REQUIRE(l->send_count < SENDS_MAX && !find_sent(l, a->token));
	REQUIRE(message_view(a->packet, &m) == OK && m.question_count == 1);
	REQUIRE(!(m.flags & FLAG_QR) && a->packet.len <= sizeof(l->sends[0].packet));
	struct sent *s = &l->sends[l->send_count++];
	*s = (struct sent){.token = a->token,
			   .peer = a->peer,
			   .transport = a->transport,
			   .len = a->packet.len};
	memcpy(s->packet, a->packet.at, a->packet.len);
}

static void client_is_served(struct life *l, uint64_t token, struct span packet)
{
	struct message m;
	REQUIRE(token > 0 && token <= l->client_count);
	REQUIRE(l->clients[token - 1] == ASKED_WAITING);
	REQUIRE(message_view(packet, &m) == OK && (m.flags & FLAG_QR) && m.id == token);
	l->clients[token - 1] = ASKED_DONE;
}

static void perform(struct life *l, const struct actions *out)
{
	for (size_t i = 0; i < out->count; i++) {
		const struct action *a = &out->list[i];
		switch (a->kind) {
		case ACT_SEND:
			open_sent(l, a);
			break;
		case ACT_CANCEL:
			close_sent(l, a->token);
			break;
		case ACT_ANSWER:
			client_is_served(l, a->token, a->packet);
			break;
		case ACT_DROP: /* what we ask as clients is always a question */
			REQUIRE(a->kind != ACT_DROP);
			break;
		}
	}
}

static void step(struct life *l, const struct event *ev)
{
	struct actions out;
	struct resolver_stats stats;
	resolver_step(l->resolver, l->now, ev, &out);
	perform(l, &out);
	cache_reader_pass(l->reader);
	resolver_read_stats(l->resolver, &stats);
	REQUIRE(stats.max_sends_per_client <= LIMIT_SENDS);
	REQUIRE(stats.max_signature_checks_per_client <= LIMIT_SIGNATURE_CHECKS);
	REQUIRE(stats.max_nsec3_hashes_per_client <= LIMIT_NSEC3_HASHES);
	REQUIRE(stats.open_sends == l->send_count);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void set_time(struct life *l, uint64_t mono_ms)
{
	uint64_t gone_ms = mono_ms - now_mono_ms(l->now);
	l->now.mono_us += gone_ms * 1000;
	l->now.cache_ms += (int64_t)gone_ms;
	l->now.unix_s = l->now.cache_ms / 1000;
}

/* Let MS pass, waking the core whenever it wants to be woken. */
static void pass_time(struct life *l, uint64_t ms)
{
	uint64_t end_ms = now_mono_ms(l->now) + ms;
	const struct event ev = {.kind = EV_DEADLINE};
	for (unsigned spins = 0;; spins++) {
		uint64_t at_ms = resolver_deadline_ms(l->resolver);
		if (at_ms > end_ms)
			break;
		REQUIRE(spins < SPINS_MAX);
		if (at_ms > now_mono_ms(l->now))
			set_time(l, at_ms);
		step(l, &ev);
	}
	set_time(l, end_ms);
	for (unsigned i = 0; i < l->client_count; i++)
		REQUIRE(l->clients[i] != ASKED_WAITING ||
			end_ms <= l->asked_ms[i] + l->settings.client_ms + SLACK_MS);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void client_asks(struct life *l)
{
	uint8_t wire[512], answer[MESSAGE_MAX], how = reader_u8(&l->in);
	struct builder b;
	const uint8_t *name = name_of(reader_u8(&l->in));
	uint16_t type = types[reader_u8(&l->in) % ARRAY_LEN(types)];
	if (l->client_count == CLIENTS_MAX)
		return;
	uint64_t token = ++l->client_count;
	builder_init(&b, wire, sizeof(wire), (uint16_t)token,
		     (uint16_t)((how & 1 ? 0 : FLAG_RD) | (how & 2 ? FLAG_CD : 0)));
	REQUIRE(builder_question(&b, name, type, CLASS_IN));
	struct edns_reply opt = {
		.size = 1232, .dnssec_ok = how & 4, .ede = EDE_NONE, .ede2 = EDE_NONE};
	REQUIRE(edns_write(&b, &opt));
	struct event ev = {.kind = EV_QUERY,
			   .token = token,
			   .packet = builder_finish(&b),
			   .peer = &l->client,
			   .transport = how & 8 ? TRANSPORT_TCP : TRANSPORT_UDP};
	l->clients[token - 1] = ASKED_WAITING;
	l->asked_ms[token - 1] = now_mono_ms(l->now);
	if (how & 16) { /* the hit path first, as the daemon has it */
		ptrdiff_t len = resolver_answer_now(l->resolver, l->now, &ev, answer,
						    how & 8 ? sizeof(answer) : EDNS_SIZE_OURS);
		REQUIRE(len >= 0);
		if (len > 0) {
			client_is_served(l, token, span_of(answer, (size_t)len));
			return;
		}
	}
	step(l, &ev);
}

static size_t write_rdata(struct life *l, uint16_t type, uint8_t *out, size_t size)
{
	struct writer w = writer_of(out, size);
	uint8_t choice = reader_u8(&l->in), ds[SIGNER_DS_MAX];
	const uint8_t *name = name_of(choice);
	struct endpoint e = address_of(choice);
	switch (type) {
	case TYPE_A:
		writer_bytes(&w, span_of(e.addr, 4));
		break;
	case TYPE_AAAA:
		writer_bytes(&w, span_of(e.addr, 16));
		break;
	case TYPE_MX:
		writer_u16(&w, choice);
		writer_bytes(&w, span_of(name, dname_len(name)));
		break;
	case TYPE_NS:
	case TYPE_CNAME:
	case TYPE_DNAME:
		writer_bytes(&w, span_of(name, dname_len(name)));
		break;
	case TYPE_SOA:
		writer_bytes(&w, span_of(name, dname_len(name)));
		writer_bytes(&w, span_of(name, dname_len(name)));
		for (unsigned i = 0; i < 5; i++)
			writer_u32(&w, 60u * choice);
		break;
	case TYPE_DS:
		writer_bytes(&w, span_of(ds, signer_ds(signing_key(), name, 2, ds)));
		break;
	case TYPE_DNSKEY:
		writer_bytes(&w, signer_dnskey(signing_key()));
		break;
	case TYPE_NSEC:
		writer_bytes(&w, span_of(name, dname_len(name)));
		writer_bytes(&w, span_of("\0\6\x62\1\0\x80\0\3", 8)); /* A NS SOA MX, RRSIG NSEC */
		break;
	case TYPE_NSEC3: /* no salt; the next hash is all ones but for the choice */
		writer_bytes(&w, span_of("\1\1\0\0\0\x14", 6));
		for (unsigned i = 0; i < 20; i++)
			writer_u8(&w, i ? 0xff : choice);
		writer_bytes(&w, span_of("\0\1\x42", 3));
		break;
	default:
		writer_u8(&w, (uint8_t)(choice % 8));
		writer_bytes(&w, span_of("whatever", choice % 8));
	}
	return w.failed ? 0 : writer_len(&w);
}

/* A good signature of SIGNER over the one record. */
static void add_signature(struct life *l, struct builder *b, enum section section,
			  const struct rrset *set, const uint8_t *signer)
{
	uint8_t rdata[SIGNER_RDATA_MAX];
	struct signature signature = {.signer = signer,
				      .original_ttl_s = set->ttl_s,
				      .inception = (uint32_t)(l->now.unix_s - 3600),
				      .expiration = (uint32_t)(l->now.unix_s + 86400),
				      .labels = signer_labels(set->owner)};
	size_t len = signer_sign(signing_key(), set, &signature, rdata);
	(void)!builder_record(b, section, set->owner, TYPE_RRSIG, CLASS_IN, set->ttl_s,
			      span_of(rdata, len));
}

static void add_record(struct life *l, struct builder *b, const struct message *query,
		       enum section *section)
{
	uint8_t what = reader_u8(&l->in), choice = reader_u8(&l->in), rdata[600], qname[DNAME_MAX];
	message_name(query, query->qname_offset, qname);
	const uint8_t *owner = name_of(choice);
	if (what & 1)
		owner = qname;
	if ((what & 3) == 3 && dname_label_count(qname) > 0)
		owner = dname_skip(qname, choice % dname_label_count(qname));
	*section = MAX(*section, (enum section)((what >> 2 & 3) % SECTION_COUNT));
	uint8_t kind = reader_u8(&l->in);
	uint16_t type = kind & 0x80 ? query->qtype : types[kind % ARRAY_LEN(types)];
	uint32_t ttl_s = ttls_s[kind >> 4 & 7];
	size_t len = write_rdata(l, type, rdata, sizeof(rdata));
	if (!builder_record(b, *section, owner, type, CLASS_IN, ttl_s, span_of(rdata, len)))
		return;
	struct rrset set;
	struct span one = span_of(rdata, len);
	if ((what & 0x20) && rdata_is_valid(type, one) &&
	    rrset_from_rdatas(owner, type, ttl_s, &one, 1, &l->arena, &set) == OK)
		add_signature(l, b, *section, &set, name_of(reader_u8(&l->in)));
}

static void add_opt(struct life *l, struct builder *b, const struct message *query, uint8_t how)
{
	struct edns asked;
	struct edns_reply opt = {.size = 1232,
				 .rcode = how & 4 ? RCODE_BADCOOKIE : 0,
				 .dnssec_ok = true,
				 .ede = EDE_NONE,
				 .ede2 = EDE_NONE};
	uint8_t cookie[16] = {0};
	if (edns_view(query, &asked) == EDNS_OK && asked.client_cookie_len && (how & 1)) {
		memcpy(cookie, asked.client_cookie, sizeof(asked.client_cookie));
		cookie[0] ^= how >> 1 & 1;
		opt.cookie = span_of(cookie, sizeof(cookie));
	}
	if (!(how & 8))
		(void)!edns_write(b, &opt);
	(void)l;
}

/* The reply to S into WIRE: flags, records, OPT; then a few bytes are changed. */
static size_t write_reply(struct life *l, const struct sent *s, uint8_t *wire, size_t size)
{
	static const uint8_t rcodes[] = {0, 0, 0, 3, 3, 2, 5, 1};
	struct message query;
	uint8_t qname[DNAME_MAX], how = reader_u8(&l->in), flags = reader_u8(&l->in);
	enum section section = SECTION_ANSWER;
	struct builder b;
	REQUIRE(message_view(span_of(s->packet, s->len), &query) == OK);
	message_name(&query, query.qname_offset, qname);
	if (how & 1)
		dname_lower(qname, qname);
	builder_init(&b, wire, size, (uint16_t)(query.id ^ (how >> 1 & 1)),
		     (uint16_t)((how & 4 ? 0 : FLAG_QR) | (flags & 1 ? 0 : FLAG_AA) |
				(flags & 2 ? FLAG_TC : 0) | (flags & 4 ? FLAG_RA : 0) |
				rcodes[flags >> 3 & 7]));
	if (!(how & 8))
		REQUIRE(builder_question(&b, how & 16 ? name_of(flags) : qname, query.qtype,
					 CLASS_IN));
	for (unsigned n = how >> 5 ? (how >> 5) * 2u - 1 : 0; n > 0; n--)
		add_record(l, &b, &query, &section);
	uint8_t end = reader_u8(&l->in);
	add_opt(l, &b, &query, end >> 4);
	size_t len = builder_finish(&b).len;
	for (unsigned n = MIN(end & 7u, (unsigned)FLIPS_MAX); n > 0; n--) {
		size_t at = reader_u16(&l->in) % len;
		wire[at] ^= reader_u8(&l->in);
	}
	return end & 8 ? reader_u16(&l->in) % len : len;
}

static void reply_comes(struct life *l, bool raw)
{
	static uint8_t wire[4096];
	if (l->send_count == 0)
		return;
	const struct sent s = l->sends[reader_u8(&l->in) % l->send_count];
	struct endpoint peer = s.peer;
	struct event ev = {
		.kind = EV_REPLY, .token = s.token, .peer = &peer, .transport = s.transport};
	if (raw) { /* id and question as asked, then whatever comes */
		size_t len = MIN(reader_left(&l->in), (size_t)reader_u8(&l->in));
		struct span rest = reader_bytes(&l->in, MIN(len, reader_left(&l->in)));
		memcpy(wire, s.packet, s.len);
		wire[2] |= 0x80;
		if (rest.len)
			memcpy(wire + MIN(s.len, (size_t)6), rest.at, rest.len);
		ev.packet = span_of(wire, s.len);
	} else {
		ev.packet = span_of(wire, write_reply(l, &s, wire, sizeof(wire)));
	}
	step(l, &ev);
}

static void send_is_lost(struct life *l)
{
	if (l->send_count == 0)
		return;
	const struct sent s = l->sends[reader_u8(&l->in) % l->send_count];
	struct event ev = {.kind = EV_LOST,
			   .token = s.token,
			   .peer = &s.peer,
			   .transport = s.transport,
			   .loss = (enum loss)(reader_u8(&l->in) % (LOSS_TIMEOUT + 1))};
	if (ev.loss == LOSS_HINT && s.transport == TRANSPORT_TCP)
		ev.loss = LOSS_CLOSED;
	if (ev.loss != LOSS_HINT)
		close_sent(l, s.token);
	step(l, &ev);
}

static void network_changes(struct life *l)
{
	uint8_t how = reader_u8(&l->in);
	struct event ev = {.kind = EV_NETWORK, .has_ipv4 = !(how & 1), .has_ipv6 = !(how & 2)};
	step(l, &ev);
}

static void client_leaves(struct life *l)
{
	if (l->client_count == 0)
		return;
	unsigned index = reader_u8(&l->in) % l->client_count;
	struct event ev = {.kind = EV_GONE, .token = index + 1, .peer = &l->client};
	if (l->clients[index] != ASKED_WAITING)
		return;
	l->clients[index] = ASKED_DONE;
	step(l, &ev);
}

static void refresh(struct life *l)
{
	const uint8_t *name = name_of(reader_u8(&l->in));
	struct event ev = {.kind = EV_REFRESH,
			   .name = name,
			   .type = types[reader_u8(&l->in) % ARRAY_LEN(types)]};
	step(l, &ev);
}

/* The next event. Replies are what it is all about. */
static void happen(struct life *l)
{
	uint8_t kind = reader_u8(&l->in);
	switch (kind & 15) {
	case 0:
	case 1:
		client_asks(l);
		break;
	case 2:
		pass_time(l, kind >> 4);
		break;
	case 3:
		pass_time(l, 50u * (kind >> 4));
		break;
	case 4:
		pass_time(l, 2000u * (kind >> 4));
		break;
	case 5:
		send_is_lost(l);
		break;
	case 6:
		network_changes(l);
		break;
	case 7:
		client_leaves(l);
		break;
	case 8:
		refresh(l);
		break;
	case 9:
		reply_comes(l, true);
		break;
	default:
		reply_comes(l, false);
	}
}

/* ---- a life ---------------------------------------------------------------------------------- */

static void choose_zones(struct life *l)
{
	uint8_t how = reader_u8(&l->in);
	struct settings_zone *f = &l->zones[0], *s = &l->zones[1];
	dname_copy(name_of(12), f->name); /* f. */
	f->forward = true;
	f->tcp = how & 1;
	f->fallback = how & 2;
	f->insecure = how & 4;
	f->rate_limit = how & 8 ? 20 : 0;
	f->only_count = how & 16 ? 1 : 0;
	f->only[0] = "ip-*";
	f->server_count = 2;
	f->servers[0] = address_of(ADDRESS_FORWARD);
	f->servers[1] = address_of(3);
	dname_copy(name_of(15), s->name); /* s. */
	s->server_count = 1;
	s->servers[0] = address_of(ADDRESS_STUB);
	s->insecure = how & 32;
	l->settings.zones = l->zones;
	l->settings.zone_count = how & 64 ? 0 : 2;
	if (how & 128) /* everything to the forwarder */
		dname_copy(name_of(0), f->name);
}

static void choose_settings(struct life *l)
{
	static const struct access_rule everybody = {.prefix = {.family = 4}, .allow = true};
	struct settings *s = &l->settings;
	uint8_t how = reader_u8(&l->in);
	settings_init(s);
	s->access = &everybody;
	s->access_count = 1;
	s->minimization = (enum minimization)((how & 3) % 3);
	s->dnssec = how & 4;
	s->prime = how & 8;
	s->stale_enabled = how & 16;
	s->aggressive_nsec = how & 32;
	s->answer_norecurse = how & 64;
	s->accept_sha1 = how & 128;
	how = reader_u8(&l->in);
	s->prefetch.enabled = how & 1; /* eager, and soon tired: all must be quiet in the end */
	s->prefetch.all.min_hits = 1;
	s->prefetch.all.window_s = 20;
	s->prefetch.max_rate = 1 + (how >> 1);
	s->hints.count = 1;
	s->hints.servers[0] = (struct delegation_server){
		.name = name_of(20), .address_count = 1, .addresses = {address_of(ADDRESS_ROOT)}};
	REQUIRE(local_builtin_zones(&l->arena, &s->local_zones, &s->local_zone_count) == OK);
	choose_zones(l);
	char text[256];
	uint8_t ds[SIGNER_DS_MAX];
	size_t len = signer_ds(signing_key(), name_of(0), 2, ds);
	int used = snprintf(text, sizeof(text), "%u 15 2 ", signing_key()->tag);
	for (size_t i = 4; i < len; i++)
		used += snprintf(text + used, sizeof(text) - (size_t)used, "%02X", ds[i]);
	REQUIRE(anchor_add_text(&l->anchor, text) == OK);
	s->anchors = &l->anchor;
	s->anchor_count = 1;
	REQUIRE(settings_finish(s, &l->arena) == OK);
}

static void begin(struct life *l, struct span bytes)
{
	static struct sent sends[SENDS_MAX];
	memset(l, 0, sizeof(*l));
	l->sends = sends;
	l->in = reader_of(bytes);
	l->now = (struct now){
		.mono_us = 5000000000, .cache_ms = 1790000000000, .unix_s = 1790000000};
	arena_init(&l->arena, (size_t)32 << 20);
	choose_settings(l);
	const struct cache_settings memory = {.memory_bytes = CACHE_BYTES};
	REQUIRE(cache_new(&memory, &l->cache) == OK);
	REQUIRE(cache_reader_new(l->cache, &l->reader) == OK);
	REQUIRE(infra_new(&l->infra) == OK);
	REQUIRE(ranges_new((size_t)1 << 18, &l->ranges) == OK);
	REQUIRE(endpoint_parse("10.0.0.1", 4242, &l->client) == OK);
	struct resolver_parts parts = {.settings = &l->settings,
				       .cache = l->cache,
				       .reader = l->reader,
				       .infra = l->infra,
				       .ranges = l->ranges,
				       .metrics = &l->metrics,
				       .cookie_secret = &l->secret};
	rng_init_seeded(&parts.rng, 1);
	REQUIRE(resolver_new(&parts, &l->resolver) == OK);
}

static void end(struct life *l)
{
	struct resolver_stats stats;
	pass_time(l, QUIET_MS);
	resolver_read_stats(l->resolver, &stats);
	REQUIRE(stats.open_queries == 0 && stats.open_sends == 0 && stats.waiting_clients == 0);
	for (unsigned i = 0; i < l->client_count; i++)
		REQUIRE(l->clients[i] == ASKED_DONE);
	resolver_free(l->resolver);
	infra_free(l->infra);
	ranges_free(l->ranges);
	cache_reader_free(l->reader);
	cache_free(l->cache);
	arena_deinit(&l->arena);
}

static void say_nothing(void *context, enum log_level level, const char *line)
{
	(void)context;
	(void)level;
	(void)line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct life life;
	log_init(LOG_LEVEL_ERROR, say_nothing, NULL);
	begin(&life, span_of(data, size));
	for (unsigned i = 0; i < EVENTS_MAX && reader_left(&life.in) > 0; i++)
		happen(&life);
	end(&life);
	return 0;
}
