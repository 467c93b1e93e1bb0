#include "unit/resolve_unit.h"

static const struct entry *find(struct rig *g, const char *name, uint16_t type, bool with_sigs)
{
	struct unit_name n = unit_name(name);
	return answer_find(g->reader, n.wire, n.len, type, with_sigs, g->now);
}

static const struct entry *find_kind(struct rig *g, enum entry_kind kind, const char *name,
				     uint16_t type)
{
	struct unit_name n = unit_name(name);
	return cache_find(g->reader, kind, n.wire, n.len, type);
}

/* Which kinds of entries there are for NAME and TYPE: "r" RRset, "a" answer, "d" answer for DO. */
static const char *kinds(struct rig *g, const char *name, uint16_t type)
{
	g->text[0] = '\0';
	put_text(g, "%s%s%s", find_kind(g, ENTRY_RRSET, name, type) ? "r" : "",
		 find_kind(g, ENTRY_ANSWER, name, type) ? "a" : "",
		 find_kind(g, ENTRY_ANSWER_DO, name, type) ? "d" : "");
	return g->text;
}

#define SOA_LINE "example. 60 SOA ns.example. host.example. 1 2 3 4 60"
#define NSEC_LINE "www.example. 60 NSEC zzz.example. A RRSIG NSEC"

/* ---- what is stored as what ------------------------------------------------------------------ */

static const struct {
	const char *why, *name;
	uint16_t type;
	uint8_t rcode;
	bool is_signed, wildcard, synthesised;
	const char *sets[3], *authority[2];
	uint16_t stored_type;
	const char *kinds;
} forms[] = {
	{"a plain answer needs no second copy",
	 "www.example.",
	 TYPE_A,
	 RCODE_NOERROR,
	 false,
	 false,
	 false,
	 {"www.example. 300 A 192.0.2.1"},
	 {NULL},
	 TYPE_A,
	 "r"},
	{"a plain answer, signed",
	 "www.example.",
	 TYPE_A,
	 RCODE_NOERROR,
	 true,
	 false,
	 false,
	 {"www.example. 300 A 192.0.2.1"},
	 {NULL},
	 TYPE_A,
	 "r"},
	{"RFC 4035 §3.1.3.3: a wildcard's proof is for DO only",
	 "www.example.",
	 TYPE_A,
	 RCODE_NOERROR,
	 true,
	 true,
	 false,
	 {"www.example. 300 A 192.0.2.1"},
	 {NSEC_LINE},
	 TYPE_A,
	 "rd"},
	{"a CNAME asked for is plain",
	 "www.example.",
	 TYPE_CNAME,
	 RCODE_NOERROR,
	 false,
	 false,
	 false,
	 {"www.example. 300 CNAME x.example."},
	 {NULL},
	 TYPE_CNAME,
	 "r"},
	{"a chain",
	 "www.example.",
	 TYPE_A,
	 RCODE_NOERROR,
	 false,
	 false,
	 false,
	 {"www.example. 300 CNAME x.example.",
	  "x.example. 5 A 192.0.2.1\nx.example. 5 A 192.0.2.2"},
	 {NULL},
	 TYPE_A,
	 "a"},
	{"a chain, signed",
	 "www.example.",
	 TYPE_A,
	 RCODE_NOERROR,
	 true,
	 false,
	 true,
	 {"www.example. 300 CNAME x.example.", "x.example. 5 A 192.0.2.1"},
	 {NULL},
	 TYPE_A,
	 "ad"},
	{"RFC 2308 §5: NODATA is the type's",
	 "www.example.",
	 TYPE_A,
	 RCODE_NOERROR,
	 false,
	 false,
	 false,
	 {NULL},
	 {SOA_LINE},
	 TYPE_A,
	 "a"},
	{"RFC 2308 §5: NODATA with its proof",
	 "www.example.",
	 TYPE_A,
	 RCODE_NOERROR,
	 false,
	 false,
	 true,
	 {NULL},
	 {SOA_LINE, NSEC_LINE},
	 TYPE_A,
	 "ad"},
	{"RFC 8020 §2: NXDOMAIN that is proven is the name's",
	 "www.example.",
	 TYPE_A,
	 RCODE_NXDOMAIN,
	 false,
	 false,
	 false,
	 {NULL},
	 {SOA_LINE, NSEC_LINE},
	 0,
	 "ad"},
	{"NXDOMAIN that nobody proves is the type's",
	 "www.example.",
	 TYPE_A,
	 RCODE_NXDOMAIN,
	 false,
	 false,
	 false,
	 {NULL},
	 {SOA_LINE},
	 TYPE_A,
	 "a"},
	{"RFC 2308 §2.1: NXDOMAIN behind an alias is another name's",
	 "www.example.",
	 TYPE_A,
	 RCODE_NXDOMAIN,
	 false,
	 false,
	 false,
	 {"www.example. 300 CNAME x.example."},
	 {SOA_LINE},
	 TYPE_A,
	 "a"},
	{"RFC 4035 §3.1.4.1: NXDOMAIN of DS is the parent's word",
	 "www.example.",
	 TYPE_DS,
	 RCODE_NXDOMAIN,
	 false,
	 false,
	 false,
	 {NULL},
	 {SOA_LINE},
	 TYPE_DS,
	 "a"},
	{"RFC 9520 §3: SERVFAIL is not an answer",
	 "www.example.",
	 TYPE_A,
	 RCODE_SERVFAIL,
	 false,
	 false,
	 false,
	 {NULL},
	 {NULL},
	 TYPE_A,
	 ""},
};

static void add_signed(struct rig *g, struct rrset *set, bool is_signed)
{
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE], line[512];
	if (!is_signed)
		return;
	struct rrset sig;
	rig_sig(line, dname_text(set->owner, name), type_text(set->type, type));
	struct text_record record;
	REQUIRE(text_parse_record(line, &g->arena, &record) == OK);
	REQUIRE(rrset_from_rdatas(set->owner, TYPE_RRSIG, 300, &record.rdata, 1, &g->arena, &sig) ==
		OK);
	set->sigs = sig.rdata;
	set->sig_count = sig.rr_count;
}

static struct answer *make_form(struct rig *g, size_t i)
{
	struct answer *a = rig_answer(g, forms[i].name, forms[i].type);
	a->rcode = forms[i].rcode;
	a->wildcard = forms[i].wildcard;
	a->synthesised = forms[i].synthesised;
	if (forms[i].stored_type == 0) { /* proven */
		a->verdict = VERDICT_SECURE;
		a->rank = RANK_SECURE;
	}
	for (size_t n = 0; n < ARRAY_LEN(forms[i].sets) && forms[i].sets[n]; n++)
		rig_add(g, a, forms[i].sets[n]);
	for (size_t n = 0; n < ARRAY_LEN(forms[i].authority) && forms[i].authority[n]; n++)
		rig_add_authority(g, a, forms[i].authority[n]);
	for (uint32_t n = 0; n < a->answer_count; n++)
		add_signed(g, &a->answer[n], forms[i].is_signed);
	return a;
}

static void test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct rig *g = rig_new();
		struct answer *a = make_form(g, i);
		rig_store(g, a);
		check_text(forms[i].why, kinds(g, forms[i].name, forms[i].stored_type),
			   forms[i].kinds);
		const struct entry *e = find(g, forms[i].name, forms[i].type, false);
		CHECK(forms[i].why, !e == !*forms[i].kinds);
		if (e) {
			CHECK(forms[i].why, entry_is_valid(e, e->size_bytes));
			CHECK(forms[i].why, e->rcode == forms[i].rcode && e->ttl_s == a->ttl_s);
			CHECK(forms[i].why,
			      ((e->flags & ENTRY_SYNTHESISED) != 0) == forms[i].synthesised);
		}
		e = find(g, forms[i].name, forms[i].type, true);
		CHECK(forms[i].why, !e == !*forms[i].kinds);
		CHECK(forms[i].why,
		      !e || (e->kind == ENTRY_ANSWER_DO) == (strchr(forms[i].kinds, 'd') != NULL));
		rig_free(g);
	}
}

static void test_not_stored(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	struct answer *a = rig_answer(g, "www.example.", TYPE_A);
	rig_add(g, a, "www.example. 300 A 192.0.2.1");
	a->no_store = true;
	rig_store(g, a);
	CHECK("no_store", !find(g, "www.example.", TYPE_A, false));
	a->no_store = false;
	a->ttl_s = 0;
	rig_store(g, a);
	CHECK("RFC 1035 §3.2.1: TTL 0 is for this once", !find(g, "www.example.", TYPE_A, false));
	rig_free(g);
}

/* ---- what replaces what ---------------------------------------------------------------------- */

static void store_address(struct rig *g, const char *line, enum verdict verdict)
{
	struct answer *a = rig_answer(g, "www.example.", TYPE_A);
	rig_add(g, a, line);
	a->verdict = verdict;
	a->rank = verdict == VERDICT_SECURE ? RANK_SECURE : RANK_ANSWER;
	rig_store(g, a);
}

static void store_chain(struct rig *g)
{
	struct answer *a = rig_answer(g, "www.example.", TYPE_A);
	rig_add(g, a, "www.example. 300 CNAME x.example.");
	rig_add(g, a, "x.example. 5 A 192.0.2.7");
	rig_store(g, a);
}

static void store_nxdomain(struct rig *g, enum verdict verdict)
{
	struct answer *a = rig_answer(g, "www.example.", TYPE_A);
	a->rcode = RCODE_NXDOMAIN;
	a->verdict = verdict;
	a->rank = verdict == VERDICT_SECURE ? RANK_SECURE : RANK_ANSWER;
	rig_add_authority(g, a, SOA_LINE);
	rig_store(g, a);
}

static void test_replacing(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	store_address(g, "www.example. 300 A 192.0.2.1", VERDICT_INSECURE);
	store_chain(g);
	check_text("an alias replaces an address", kinds(g, "www.example.", TYPE_A), "a");
	store_nxdomain(g, VERDICT_SECURE);
	check_text("NXDOMAIN replaces an alias", kinds(g, "www.example.", TYPE_A), "");
	check_text("NXDOMAIN replaces an alias", kinds(g, "www.example.", 0), "a");
	store_address(g, "www.example. 300 A 192.0.2.1", VERDICT_INSECURE);
	check_text("an address replaces NXDOMAIN", kinds(g, "www.example.", TYPE_A), "r");
	check_text("an address replaces NXDOMAIN", kinds(g, "www.example.", 0), "");
	store_nxdomain(g, VERDICT_INSECURE);
	check_text("NXDOMAIN of the type replaces an address", kinds(g, "www.example.", TYPE_A),
		   "a");
	check_text("NXDOMAIN of the type is not the name's", kinds(g, "www.example.", 0), "");
	rig_free(g);
}

static void test_bogus(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	struct answer *a = rig_answer(g, "www.example.", TYPE_A);
	rig_add(g, a, "www.example. 300 A 192.0.2.66");
	a->verdict = VERDICT_BOGUS;
	a->ede = EDE_DNSSEC_BOGUS;
	a->text = "no valid signature";
	rig_store(g, a);
	const struct entry *e = find(g, "www.example.", TYPE_A, false);
	CHECK("RFC 4035 §4.7: bogus data is kept",
	      e && e->verdict == VERDICT_BOGUS && e->ede == EDE_DNSSEC_BOGUS);
	CHECK("RFC 4035 §4.7: not for long", e->ttl_s == LIMIT_BOGUS_S);
	CHECK("its reason is kept", span_equal(entry_text(e), span_of("no valid signature", 18)));
	store_chain(g);
	rig_store(g, a);
	CHECK("bogus data removes nothing",
	      find_kind(g, ENTRY_ANSWER, "www.example.", TYPE_A) != NULL);
	rig_free(g);
}

/* A flush takes along what leads through the name, and what was learned before stays outside. */
static void test_flush_of_chains(void **state)
{
	(void)state;
	static const struct {
		const char *why, *name;
		uint16_t type;
		bool subtree, gone;
	} cases[] = {
		{"the question itself", "www.example.", TYPE_A, false, true},
		{"an alias on the way", "mid.example.", TYPE_CNAME, false, true},
		{"the last target", "end.example.", TYPE_A, false, true},
		{"case is folded", "END.Example.", 0, false, true},
		{"a tree with one of them", "example.", 0, true, true},
		{"the name above alone", "example.", 0, false, false},
		{"another name", "else.example.", 0, true, false},
		{"below the target", "x.end.example.", 0, true, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig *g = rig_new();
		struct answer *a = rig_answer(g, "www.example.", TYPE_A);
		rig_add(g, a, "www.example. 300 CNAME mid.example.");
		rig_add(g, a, "mid.example. 300 CNAME end.example.");
		rig_add(g, a, "end.example. 300 A 192.0.2.1");
		rig_store(g, a);
		struct unit_name qname = unit_name("www.example."), name = unit_name(cases[i].name);
		cache_flush(g->cache, name.wire, cases[i].type, cases[i].subtree);
		CHECK(cases[i].why, !answer_find(g->reader, qname.wire, qname.len, TYPE_A, false,
						 g->now) == cases[i].gone);
		rig_store(g, a); /* by a question that began before */
		CHECK(cases[i].why, !answer_find(g->reader, qname.wire, qname.len, TYPE_A, false,
						 g->now) == cases[i].gone);
		g->since = cache_since(g->cache);
		rig_store(g, a);
		CHECK(cases[i].why,
		      answer_find(g->reader, qname.wire, qname.len, TYPE_A, false, g->now));
		rig_free(g);
	}
}

static void test_referral_rank(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	struct rrset ds =
		rig_set(g, "sub.example. 300 DS 1 13 2 "
			   "e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d");
	const struct proven proven = proven_by_trust(&ds);
	answer_store_proven(&proven, &g->since, g->now, &g->arena);
	struct answer *none = rig_answer(g, "sub.example.", TYPE_DS);
	none->rank = RANK_REFERRAL;
	none->verdict = VERDICT_UNCHECKED;
	rig_add_authority(g, none, NSEC_LINE);
	rig_store(g, none);
	const struct entry *e = find(g, "sub.example.", TYPE_DS, true);
	CHECK("RFC 2181 §5.4.1: an authority section does not displace an answer",
	      e && e->kind == ENTRY_RRSET && e->rank == RANK_SECURE &&
		      (e->flags & ENTRY_AUTHENTIC));
	REQUIRE(cache_remove(g->cache, ENTRY_RRSET, unit_name("sub.example.").wire, TYPE_DS));
	e = find(g, "sub.example.", TYPE_DS, true);
	CHECK("but serves where there is none",
	      e && e->rank == RANK_REFERRAL && e->kind == ENTRY_ANSWER_DO);
	rig_free(g);
}

static void test_fresh_before_expired(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	store_address(g, "www.example. 5 A 192.0.2.1", VERDICT_INSECURE);
	g->now = unit_now(5000);
	const struct entry *e = find(g, "www.example.", TYPE_A, false);
	CHECK("RFC 8767: an expired one is found", e && !entry_is_fresh(e, g->now));
	store_nxdomain(g, VERDICT_INSECURE);
	store_address(g, "www.example. 300 A 192.0.2.1", VERDICT_INSECURE);
	struct unit_entry room;
	struct unit_name n = unit_name("www.example.");
	e = find_kind(g, ENTRY_RRSET, "www.example.", TYPE_A);
	memcpy(room.bytes, e, e->size_bytes);
	struct entry *old = (struct entry *)(void *)room.bytes;
	old->expires_ms = g->now.cache_ms - 1;
	REQUIRE(cache_remove(g->cache, ENTRY_RRSET, n.wire, TYPE_A));
	store_nxdomain(g, VERDICT_INSECURE);
	REQUIRE(cache_put(g->cache, old, g->now) == OK);
	e = find(g, "www.example.", TYPE_A, false);
	CHECK("a fresh NXDOMAIN before an expired address",
	      e && e->kind == ENTRY_ANSWER && entry_is_fresh(e, g->now));
	rig_free(g);
}

/* ---- and back -------------------------------------------------------------------------------- */

static bool same_set(const struct rrset *a, const struct rrset *b, bool with_sigs)
{
	return dname_equal(a->owner, b->owner) && a->ttl_s == b->ttl_s && rrset_same_data(a, b) &&
	       (!with_sigs || span_equal(a->sigs, b->sigs));
}

static bool same_answer(const struct answer *a, const struct answer *b, bool with_sigs,
			bool with_proofs)
{
	if (a->rcode != b->rcode || a->verdict != b->verdict || a->rank != b->rank ||
	    a->ttl_s != b->ttl_s || a->fetched_ms != b->fetched_ms ||
	    a->answer_count != b->answer_count)
		return false;
	for (uint32_t i = 0; i < a->answer_count; i++) {
		if (!same_set(&a->answer[i], &b->answer[i], with_sigs))
			return false;
	}
	uint32_t n = 0;
	for (uint32_t i = 0; i < a->authority_count; i++) {
		bool proof = a->authority[i].type == TYPE_NSEC;
		if (proof && !with_proofs)
			continue;
		if (n == b->authority_count ||
		    !same_set(&a->authority[i], &b->authority[n++], with_sigs))
			return false;
	}
	return n == b->authority_count;
}

static const char *random_line(struct rng *rng, char out[static 512], const char *owner)
{
	static const char *const datas[] = {
		"A 192.0.2.%u",	       "AAAA 2001:db8::%x",	  "TXT \"some text %u\"",
		"MX %u mail.example.", "SRV 1 2 %u Sip.Example.", "TYPE65280 \\# 2 01%02x"};
	char data[128];
	unsigned type = rng_below(rng, ARRAY_LEN(datas)), count = 1 + rng_below(rng, 4);
	uint32_t ttl_s = 1 + rng_below(rng, 1000);
	size_t len = 0;
	for (unsigned i = 0; i < count; i++) {
		/* The format is one of the table's. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(data, sizeof(data), datas[type], rng_below(rng, 250));
#pragma GCC diagnostic pop
		len += (size_t)snprintf(out + len, 512 - len, "%s%s %u %s", i ? "\n" : "", owner,
					ttl_s, data);
	}
	return out;
}

/* A chain of up to eight aliases to data, to nothing or to NXDOMAIN. */
static struct answer *random_answer(struct rng *rng, struct rig *g, bool is_signed)
{
	char line[512], name[64], next[64];
	unsigned hops = rng_below(rng, 9);
	snprintf(name, sizeof(name), "n%u.example.", rng_below(rng, 5));
	struct answer *a = rig_answer(g, name, TYPE_A);
	a->ttl_s = 86400;
	for (unsigned i = 0; i < hops; i++) {
		snprintf(next, sizeof(next), "hop%u.zone%u.example.", i, rng_below(rng, 3));
		snprintf(line, sizeof(line), "%s %u CNAME %s", name, 1 + rng_below(rng, 1000),
			 next);
		rig_add(g, a, line);
		memcpy(name, next, sizeof(name));
	}
	unsigned end = rng_below(rng, 3);
	if (end == 0) {
		rig_add(g, a, random_line(rng, line, name));
		if (hops == 0)
			a->qtype = a->answer[0].type;
	} else {
		a->rcode = end == 1 ? RCODE_NOERROR : RCODE_NXDOMAIN;
		rig_add_authority(g, a, SOA_LINE);
		if (is_signed)
			rig_add_authority(g, a, NSEC_LINE);
	}
	for (uint32_t i = 0; i < a->answer_count; i++)
		add_signed(g, &a->answer[i], is_signed);
	for (uint32_t i = 0; i < a->authority_count; i++)
		add_signed(g, &a->authority[i], is_signed);
	a->verdict = is_signed ? VERDICT_SECURE : VERDICT_INSECURE;
	a->rank = is_signed ? RANK_SECURE : RANK_ANSWER;
	return a;
}

static void test_there_and_back(void **state)
{
	(void)state;
	struct rng rng;
	rng_init_seeded(&rng, 2181);
	for (unsigned round = 0; round < 400; round++) {
		struct rig *g = rig_new();
		bool is_signed = rng_below(&rng, 2);
		struct answer *a = random_answer(&rng, g, is_signed),
			      *back = arena_alloc(&g->arena, sizeof(*back));
		char why[64];
		snprintf(why, sizeof(why), "round %u", round);
		rig_store(g, a);
		for (int with_sigs = 0; with_sigs < 2; with_sigs++) {
			const struct entry *e =
				answer_find(g->reader, a->qname, dname_len(a->qname), a->qtype,
					    with_sigs, g->now);
			CHECK(why, e && entry_is_valid(e, e->size_bytes));
			CHECK(why, ((e->flags & ENTRY_AUTHENTIC) != 0) == is_signed);
			CHECK(why, answer_from_entry(e, a->qname, a->qtype, g->now, &g->arena,
						     back) == OK);
			bool all = with_sigs || e->kind == ENTRY_RRSET;
			CHECK(why, same_answer(a, back, all, all));
			CHECK(why, dname_equal(back->qname, a->qname) && back->qtype == a->qtype &&
					   !back->stale);
		}
		rig_free(g);
	}
}

static void test_ageing(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		int64_t after_ms;
		uint32_t alias_ttl_s, address_ttl_s, left_s;
		bool stale;
	} ages[] = {
		{"RFC 1035 §3.2.1: at once", 0, 300, 5, 5, false},
		{"RFC 1035 §3.2.1: a begun second is gone", 1, 299, 4, 4, false},
		{"RFC 1035 §3.2.1: each record has its own TTL", 2000, 298, 3, 3, false},
		{"the last moment: a second, or it could not be kept", 4999, 295, 1, 1, false},
		{"RFC 8767: expired", 5000, 295, 0, 0, true},
		{"RFC 8767: long ago", 5000000, 0, 0, 0, true},
		{"a clock that stands before the entry", -3000, 300, 5, 8, false},
	};
	struct rig *g = rig_new();
	struct answer *back = arena_alloc(&g->arena, sizeof(*back));
	store_chain(g);
	const struct entry *e = find(g, "www.example.", TYPE_A, false);
	for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
		struct now now = unit_now(ages[i].after_ms);
		REQUIRE(answer_from_entry(e, unit_name("www.example.").wire, TYPE_A, now, &g->arena,
					  back) == OK);
		CHECK(ages[i].why, back->answer[0].ttl_s == ages[i].alias_ttl_s);
		CHECK(ages[i].why, back->answer[1].ttl_s == ages[i].address_ttl_s);
		CHECK(ages[i].why, back->ttl_s == ages[i].left_s && back->stale == ages[i].stale);
	}
	rig_free(g);
}

/* What has expired is handed out for as long as nothing better is there, and comes back in: out of an
 * entry into an answer, or from disk. However it does, it is trusted as it was when it was fetched, and
 * lives no longer for it. */
static void test_stale_never_gains_trust(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		enum verdict verdict;
	} trusts[] = {
		{"validated", VERDICT_SECURE},
		{"of an unsigned zone", VERDICT_INSECURE},
		{"of nobody knows what", VERDICT_INDETERMINATE},
		{"bogus", VERDICT_BOGUS},
	};
	for (size_t i = 0; i < ARRAY_LEN(trusts); i++) {
		struct rig *g = rig_new();
		struct answer *back = arena_alloc(&g->arena, sizeof(*back));
		struct unit_entry before, again;
		struct unit_name www = unit_name("www.example.");
		store_address(g, "www.example. 5 A 192.0.2.1", trusts[i].verdict);
		const struct entry *e = find(g, "www.example.", TYPE_A, false);
		memcpy(before.bytes, e, e->size_bytes);
		struct entry *old = (struct entry *)(void *)before.bytes;

		g->now = unit_now(6000);
		REQUIRE(answer_from_entry(e, www.wire, TYPE_A, g->now, &g->arena, back) == OK);
		CHECK(trusts[i].why, back->stale && back->verdict == trusts[i].verdict);
		CHECK(trusts[i].why, back->rank == (enum rank)old->rank && back->ttl_s == 0);
		rig_store(g, back);
		e = find(g, "www.example.", TYPE_A, false);
		CHECK(trusts[i].why, memcmp(e, old, e->size_bytes) == 0);

		memcpy(again.bytes, old, old->size_bytes); /* as it lies on disk */
		REQUIRE(cache_put(g->cache, (struct entry *)(void *)again.bytes, g->now) == OK);
		e = find(g, "www.example.", TYPE_A, false);
		CHECK(trusts[i].why, !entry_is_fresh(e, g->now) && e->verdict == old->verdict);
		CHECK(trusts[i].why, e->rank == old->rank && e->expires_ms == old->expires_ms);
		rig_free(g);
	}
}

static void test_failure_and_damage(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	struct answer *back = arena_alloc(&g->arena, sizeof(*back));
	struct unit_name name = unit_name("www.example.");
	rig_store_failure(g, "www.example.", TYPE_A, EDE_NO_REACHABLE_AUTHORITY,
			  "all servers silent");
	CHECK("RFC 9520: a failure is no answer", !find(g, "www.example.", TYPE_A, false));
	const struct entry *e = find_kind(g, ENTRY_FAILURE, "www.example.", TYPE_A);
	CHECK("RFC 9520", answer_from_entry(e, name.wire, TYPE_A, g->now, &g->arena, back) == OK);
	CHECK("RFC 9520", back->rcode == RCODE_SERVFAIL && back->ede == EDE_NO_REACHABLE_AUTHORITY);
	check_text("RFC 8914: the words", back->text, "all servers silent");

	store_chain(g);
	struct unit_entry room;
	e = find(g, "www.example.", TYPE_A, false);
	memcpy(room.bytes, e, e->size_bytes);
	struct entry *damaged = (struct entry *)(void *)room.bytes;
	damaged->size_bytes -= 3;
	CHECK("a damaged entry", answer_from_entry(damaged, name.wire, TYPE_A, g->now, &g->arena,
						   back) == ERR_CORRUPT);
	struct arena small;
	arena_init(&small, 64);
	CHECK("no memory",
	      answer_from_entry(e, name.wire, TYPE_A, g->now, &small, back) == ERR_NO_MEMORY);
	answer_store(rig_answer(g, "x.example.", TYPE_A), &g->since, g->now, &small);
	CHECK("no memory to render: not cached", !find(g, "x.example.", TYPE_A, false));
	arena_deinit(&small);
	rig_free(g);
}

/* Sets that make no message together: asked again each time rather than cut. */
static void test_too_large(void **state)
{
	(void)state;
	struct rig *g = rig_new();
	struct answer *a = rig_answer(g, "www.example.", TYPE_TXT);
	static uint8_t text[256];
	struct span list[230];
	static uint8_t texts[ARRAY_LEN(list)][sizeof(text)];
	rig_add(g, a, "www.example. 300 CNAME x.example.");
	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		memset(texts[i], (int)i, sizeof(texts[i]));
		texts[i][0] = 255;
		list[i] = span_of(texts[i], sizeof(texts[i]));
	}
	for (int n = 0; n < 2; n++) {
		struct unit_name owner = unit_name(n ? "y.example." : "x.example.");
		struct span copy = arena_copy(&g->arena, span_of(owner.wire, owner.len));
		REQUIRE(rrset_from_rdatas(copy.at, TYPE_TXT, 300, list, ARRAY_LEN(list), &g->arena,
					  &a->answer[a->answer_count++]) == OK);
		rig_store(g, a);
		CHECK(n ? "two of 60 kB do not fit" : "60 kB fit a message",
		      (find(g, "www.example.", TYPE_TXT, false) == NULL) == (n == 1));
		cache_flush_all(g->cache);
	}
	rig_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_not_stored),
		cmocka_unit_test(test_replacing),
		cmocka_unit_test(test_bogus),
		cmocka_unit_test(test_flush_of_chains),
		cmocka_unit_test(test_referral_rank),
		cmocka_unit_test(test_fresh_before_expired),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_ageing),
		cmocka_unit_test(test_stale_never_gains_trust),
		cmocka_unit_test(test_failure_and_damage),
		cmocka_unit_test(test_too_large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
