#include "unit/cache_unit.h"

#include "cache/delegation.h"
#include "dns/builder.h"
#include "dns/rrset.h"

enum { ROUNDS = 3000, DAMAGE_PER_ROUND = 40, ARENA_CAP = 1 << 20 };

static struct unit_entry buffer;

/* A name of one to four labels, in mixed case. */
static size_t random_name(struct rng *rng, uint8_t out[static DNAME_MAX])
{
	size_t len = 0;
	for (unsigned labels = 1 + rng_below(rng, 4); labels > 0; labels--) {
		uint8_t label_len = (uint8_t)(1 + rng_below(rng, 20));
		out[len++] = label_len;
		for (unsigned i = 0; i < label_len; i++)
			out[len++] = (uint8_t)("abcXYZ019-"[rng_below(rng, 10)]);
	}
	out[len++] = 0;
	return len;
}

static void random_parts(struct rng *rng, struct entry_parts *p)
{
	static const char *const texts[] = {NULL, "", "no DNSKEY matches the DS", "x"};
	p->ttl_s = rng_below(rng, 100000);
	p->fetched_ms = unit_start_ms + rng_below(rng, 1000000);
	p->rank = (enum rank)(RANK_GLUE + rng_below(rng, RANK_SECURE));
	p->verdict = (enum verdict)rng_below(rng, VERDICT_BOGUS + 1);
	p->flags = (uint8_t)rng_below(rng, ENTRY_EXTENDED);
	p->rcode = (uint8_t)rng_below(rng, 16);
	p->ede = (uint16_t)rng_below(rng, 30);
	p->text = texts[rng_below(rng, ARRAY_LEN(texts))];
}

static void check_head(const struct entry_parts *p, const struct entry *e)
{
	uint8_t lower[DNAME_MAX];
	size_t len = dname_lower(p->name, lower);
	struct span text = span_of(p->text, p->text ? strlen(p->text) : 0);
	assert_true(entry_is_valid(e, entry_size(p)));
	assert_true(span_equal(span_of(entry_name(e), e->name_len), span_of(lower, len)));
	assert_true(span_equal(entry_text(e), text));
	assert_int_equal(entry_fetched_ms(e), p->fetched_ms);
	assert_int_equal(e->kind, p->kind);
	assert_int_equal(e->type, p->type);
	assert_int_equal(e->rank, p->rank);
	assert_int_equal(e->verdict, p->verdict);
	assert_int_equal(e->flags, p->flags | (text.len > 0 ? ENTRY_EXTENDED : 0));
	assert_int_equal(e->rcode, p->rcode);
	assert_int_equal(e->ede, p->ede);
	assert_int_equal(e->visited + e->hits + e->last_hit_s + e->gap_ms, 0);
}

static void check_expiry(const struct entry *e)
{
	int64_t fetched_ms = entry_fetched_ms(e);
	struct now now = {.cache_ms = fetched_ms};
	assert_int_equal(entry_ttl_left_s(e, now), e->ttl_s);
	now.cache_ms = e->expires_ms - 1;
	assert_int_equal(entry_is_fresh(e, now), e->ttl_s > 0);
	assert_int_equal(entry_ttl_left_s(e, now), 1); /* 0 would forbid to keep it */
	now.cache_ms = e->expires_ms;
	assert_false(entry_is_fresh(e, now));
}

/* Whatever entry_is_valid() lets pass can be looked at without leaving the entry. */
static void touch_views(const struct entry *e)
{
	const uint8_t *end = (const uint8_t *)e + e->size_bytes;
	struct rrset set;
	struct answer_view answer;
	struct delegation d;
	struct rrset_iter it;
	struct span rdata;
	assert_true(entry_text(e).at + entry_text(e).len <= end);
	assert_true(entry_payload(e).at + entry_payload(e).len == end);
	switch ((enum entry_kind)e->kind) {
	case ENTRY_RRSET:
		entry_rrset(e, &set);
		unsigned count = 0;
		for (it = rrset_records(&set); rrset_next(&it, &rdata); count++)
			assert_true(rdata.at + rdata.len <= end);
		assert_int_equal(count, e->rr_count);
		for (it = rrset_sigs(&set); rrset_next(&it, &rdata); count++)
			assert_true(rdata.at + rdata.len <= end);
		assert_int_equal(count, e->rr_count + e->sig_count);
		break;
	case ENTRY_ANSWER:
	case ENTRY_ANSWER_DO:
		assert_int_equal(entry_answer(e, &answer), OK);
		assert_true(answer.body.at + answer.body.len == end);
		assert_true(answer.rotate_offset +
				    (size_t)answer.rotate_count * answer.rotate_size <=
			    answer.body.len);
		break;
	case ENTRY_DELEGATION:
		assert_int_equal(delegation_unpack(entry_payload(e), &d), OK);
		break;
	case ENTRY_FAILURE:
	case ENTRY_KIND_COUNT:
		break;
	}
}

static void check_damaged(struct rng *rng, const struct entry *e)
{
	struct unit_guard guard = unit_guard_new(sizeof(buffer.bytes));
	size_t size = e->size_bytes;
	for (unsigned i = 0; i < DAMAGE_PER_ROUND; i++) {
		/* At the end of the page but aligned: seven bytes at most may be read unseen. */
		struct entry *copy = (struct entry *)(void *)(guard.end - (size + 7) / 8 * 8);
		memcpy(copy, e, size);
		((uint8_t *)copy)[rng_below(rng, (uint32_t)size)] ^=
			(uint8_t)(1U << rng_below(rng, 8));
		if (entry_is_valid(copy, size))
			touch_views(copy);
		copy->size_bytes = rng_below(rng, (uint32_t)size);
		assert_false(entry_is_valid(copy, size));
		if (entry_is_valid(copy, copy->size_bytes))
			touch_views(copy);
	}
	unit_guard_free(&guard);
}

static void check_all(struct rng *rng, const struct entry_parts *p)
{
	struct entry *e = entry_make(p, buffer.bytes);
	check_head(p, e);
	check_expiry(e);
	touch_views(e);
	if (rng_below(rng, 10) == 0)
		check_damaged(rng, e);
}

static size_t pack_random(struct rng *rng, unsigned count, size_t len, uint8_t *out)
{
	uint8_t *at = out;
	for (unsigned i = 0; i < count; i++) {
		uint16_t len16 = (uint16_t)len;
		memcpy(at, &len16, sizeof(len16));
		rng_bytes(rng, at + sizeof(len16), len);
		at += sizeof(len16) + len;
	}
	return (size_t)(at - out);
}

static size_t pack_sigs(struct rng *rng, uint16_t type, unsigned count, uint8_t *out)
{
	enum { SIG_LEN = 18 + 1 + 64 };
	size_t len = pack_random(rng, count, SIG_LEN, out);
	for (unsigned i = 0; i < count; i++) {
		uint8_t *sig = out + i * (2 + SIG_LEN) + 2;
		sig[0] = (uint8_t)(type >> 8);
		sig[1] = (uint8_t)type;
		sig[18] = 0; /* signed by the root */
	}
	return len;
}

static void test_rrsets_survive(void **state)
{
	(void)state;
	struct rng rng;
	rng_init_seeded(&rng, 1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t name[DNAME_MAX], records[512], sigs[512];
		random_name(&rng, name);
		bool aaaa = rng_below(&rng, 2);
		struct entry_parts p = {.kind = ENTRY_RRSET, .name = name};
		random_parts(&rng, &p);
		p.type = aaaa ? TYPE_AAAA : TYPE_A;
		p.rr_count = (uint16_t)(1 + rng_below(&rng, 8));
		p.sig_count = (uint16_t)rng_below(&rng, 3);
		p.payload[0] =
			span_of(records, pack_random(&rng, p.rr_count, aaaa ? 16 : 4, records));
		p.payload[1] = span_of(sigs, pack_sigs(&rng, p.type, p.sig_count, sigs));
		check_all(&rng, &p);

		struct rrset set;
		entry_rrset((struct entry *)(void *)buffer.bytes, &set);
		assert_true(span_equal(set.rdata, p.payload[0]));
		assert_true(span_equal(set.sigs, p.payload[1]));
		assert_int_equal(set.ttl_s, p.ttl_s);
		assert_int_equal(set.type, p.type);
	}
}

static bool delegation_equal(const struct delegation *a, const struct delegation *b)
{
	static const struct hash_key key = {{1}};
	return delegation_fingerprint(a, &key) == delegation_fingerprint(b, &key);
}

static void check_fingerprints(struct rng *rng, const struct delegation *d)
{
	struct delegation other = *d;
	struct delegation_server *last = &other.servers[other.count - 1];
	for (unsigned k = 0; k < d->count; k++)
		other.servers[k] = d->servers[d->count - 1 - k];
	for (unsigned a = 0; a < last->address_count; a++)
		last->addresses[a] = d->servers[0].addresses[last->address_count - 1 - a];
	assert_true(delegation_equal(d, &other)); /* the order does not matter */
	assert_true(delegation_equal(&other, d));
	if (last->address_count > 0) {
		last->addresses[rng_below(rng, last->address_count)].addr[0] ^= 1;
		assert_false(delegation_equal(d, &other));
		assert_false(delegation_equal(&other, d));
	}
	other = *d;
	other.servers[rng_below(rng, other.count)].name = (const uint8_t *)"\5other";
	assert_false(delegation_equal(d, &other));
	other = *d;
	other.count--;
	assert_false(delegation_equal(d, &other));
	assert_false(delegation_equal(&other, d));
}

static void test_delegations_survive(void **state)
{
	(void)state;
	struct rng rng;
	struct arena arena;
	rng_init_seeded(&rng, 2);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t names[DELEGATION_SERVERS_MAX][DNAME_MAX];
		struct delegation d = {.count = (uint8_t)(1 +
							  rng_below(&rng, DELEGATION_SERVERS_MAX))},
				  got;
		for (size_t k = 0; k < d.count; k++) {
			struct delegation_server *s = &d.servers[k];
			random_name(&rng, names[k]);
			s->name = names[k];
			s->address_count = (uint8_t)rng_below(&rng, DELEGATION_ADDRESSES_MAX + 1);
			for (size_t a = 0; a < s->address_count; a++) {
				uint8_t address[16];
				rng_bytes(&rng, address, sizeof(address));
				s->addresses[a] = endpoint_of(
					span_of(address, rng_below(&rng, 2) ? 4 : 16), 53);
			}
		}
		arena_init(&arena, ARENA_CAP);
		struct span packed;
		assert_int_equal(delegation_pack(&d, &arena, &packed), OK);
		assert_int_equal(delegation_unpack(packed, &got), OK);
		assert_int_equal(got.count, d.count);
		for (size_t k = 0; k < d.count; k++) {
			assert_true(dname_equal(got.servers[k].name, d.servers[k].name));
			assert_int_equal(got.servers[k].address_count, d.servers[k].address_count);
			for (size_t a = 0; a < d.servers[k].address_count; a++)
				assert_true(endpoint_equal(&got.servers[k].addresses[a],
							   &d.servers[k].addresses[a]));
		}
		check_fingerprints(&rng, &d);
		assert_int_equal(delegation_unpack(span_of(packed.at, packed.len - 1), &got),
				 ERR_MALFORMED);
		if (packed.len < sizeof(buffer.bytes) - 512) {
			struct entry_parts p = {
				.kind = ENTRY_DELEGATION, .name = names[0], .type = TYPE_NS};
			random_parts(&rng, &p);
			p.payload[0] = packed;
			check_all(&rng, &p);
		}
		arena_deinit(&arena);
	}
}

static void test_bad_delegations(void **state)
{
	(void)state;
	static const struct {
		const char *why, *hex;
		enum err want;
	} cases[] = {
		{"no server at all", "", OK},
		{"RFC 1034 §4.2.1: no glue", "00 01 61 00", OK},
		{"one IPv4 address", "01 01 61 00 04 c0000201", OK},
		{"one IPv6 address", "01 00 06 20010db8000000000000000000000001", OK},
		{"no name", "00", ERR_MALFORMED},
		{"a name that is cut off", "00 05 61 62", ERR_MALFORMED},
		{"RFC 1035 §4.1.4: no pointers", "00 c000", ERR_MALFORMED},
		{"an address that is cut off", "01 00 04 c00002", ERR_MALFORMED},
		{"a family that does not exist", "01 00 05 c0000201", ERR_MALFORMED},
		{"a family of nothing", "01 00 00", ERR_MALFORMED},
		{"too many addresses",
		 "07 00 04c0000201 04c0000201 04c0000201 04c0000201 04c0000201"
		 "04c0000201 04c0000201",
		 ERR_MALFORMED},
		{"too many servers",
		 "0000 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000"
		 "0000 0000 0000 0000 0000 0000 0000 0000",
		 ERR_MALFORMED},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t bytes[256];
		struct delegation d;
		size_t len = unit_unhex(cases[i].hex, bytes, sizeof(bytes));
		CHECK(cases[i].why, delegation_unpack(span_of(bytes, len), &d) == cases[i].want);
	}
}

/* A rendered answer of CNAME and addresses, as the resolver stores it. */
struct rendered {
	uint8_t payload[1024];
	size_t len;
};

static void put_u16(struct rendered *r, size_t value)
{
	uint16_t v = (uint16_t)value;
	memcpy(r->payload + r->len, &v, sizeof(v));
	r->len += sizeof(v);
}

static void render(const uint8_t *qname, unsigned addresses, struct rendered *out)
{
	uint8_t wire[512], target[DNAME_MAX], address[4] = {192, 0, 2, 0};
	struct builder b;
	struct unit_name suffix = unit_name("cache.example.");
	dname_copy(suffix.wire, target);
	builder_init(&b, wire, sizeof(wire), 0, FLAG_QR);
	REQUIRE(builder_question(&b, qname, TYPE_A, CLASS_IN));
	size_t start = b.len;
	REQUIRE(builder_record(&b, SECTION_ANSWER, qname, TYPE_CNAME, CLASS_IN, 5,
			       span_of(target, suffix.len)));
	for (unsigned i = 0; i < addresses; i++) {
		address[3]++;
		REQUIRE(builder_record(&b, SECTION_ANSWER, target, TYPE_A, CLASS_IN, 5,
				       span_of(address, 4)));
	}
	struct message m;
	REQUIRE(message_view(builder_finish(&b), &m) == OK);

	out->len = 0;
	put_u16(out, 1 + addresses);
	put_u16(out, 0);
	put_u16(out, 0);
	put_u16(out, 1 + addresses);
	struct record_iter it = record_iter_of(&m);
	struct record r;
	size_t rotate = 0;
	while (record_next(&it, &r)) {
		put_u16(out, r.rdata_offset - 6 - start);
		if (r.type == TYPE_A && rotate == 0)
			rotate = r.owner_offset - start;
	}
	put_u16(out, rotate);
	put_u16(out, addresses);
	memcpy(out->payload + out->len, wire + start, b.len - start);
	out->len += b.len - start;
}

static void test_answers_survive(void **state)
{
	(void)state;
	struct rng rng;
	rng_init_seeded(&rng, 3);
	for (unsigned i = 0; i < ROUNDS / 3; i++) {
		uint8_t name[DNAME_MAX], lower[DNAME_MAX];
		struct rendered r;
		random_name(&rng, name);
		dname_lower(name, lower);
		unsigned addresses = rng_below(&rng, 6);
		render(lower, addresses, &r);
		struct entry_parts p = {.kind = rng_below(&rng, 2) ? ENTRY_ANSWER : ENTRY_ANSWER_DO,
					.name = name};
		random_parts(&rng, &p);
		p.type = TYPE_A;
		p.payload[0] = span_of(r.payload, 10); /* in two parts, as anything may come */
		p.payload[1] = span_of(r.payload + 10, r.len - 10);
		check_all(&rng, &p);

		struct answer_view v;
		assert_int_equal(entry_answer((struct entry *)(void *)buffer.bytes, &v), OK);
		assert_int_equal(v.counts[SECTION_ANSWER], 1 + addresses);
		assert_int_equal(v.ttl_count, 1 + addresses);
		assert_int_equal(v.rotate_count, addresses);
		assert_int_equal(v.rotate_size, addresses > 0 ? 2 + 10 + 4 : 0);
	}
}

static void test_bad_answers(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		size_t offset;
		uint16_t value;
	} cases[] = {
		{"more records than there are", 0, 9},
		{"fewer records than there are", 0, 1},
		{"a TTL beyond the end", 8, 4000},
		{"a TTL at the last three bytes", 12, 66},
		{"a TTL that is something else", 8, 7},
		{"TTLs out of order", 10, 6},
		{"a run to rotate beyond the end", 14, 4000},
		{"a run to rotate that is longer than it is", 16, 3},
		{"a run to rotate that begins elsewhere", 14, 1},
		{"RFC 1034 §3.6.2: a CNAME does not rotate", 14, 0},
	};
	struct unit_name name = unit_name("www.example.");
	struct rendered r;
	struct entry_parts p = {.kind = ENTRY_ANSWER,
				.name = name.wire,
				.type = TYPE_A,
				.rank = RANK_ANSWER,
				.fetched_ms = unit_start_ms};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		render(name.wire, 2, &r);
		p.payload[0] = span_of(r.payload, r.len);
		struct entry *e = entry_make(&p, buffer.bytes);
		CHECK(cases[i].why, entry_is_valid(e, e->size_bytes));
		memcpy(r.payload + cases[i].offset, &cases[i].value, sizeof(cases[i].value));
		e = entry_make(&p, buffer.bytes);
		CHECK(cases[i].why, !entry_is_valid(e, e->size_bytes));
	}
}

static void test_bad_heads(void **state)
{
	(void)state;
	struct unit_name name = unit_name("www.example.");
	struct entry *e;
#define BAD(why, change)                                                                           \
	do {                                                                                       \
		e = unit_entry(&buffer, name.wire, TYPE_TXT, 10, 60, unit_now(0));                 \
		uint32_t size = e->size_bytes;                                                     \
		CHECK(why, entry_is_valid(e, size));                                               \
		change;                                                                            \
		CHECK(why, !entry_is_valid(e, size));                                              \
	} while (0)
	BAD("a size that is not its own", e->size_bytes++);
	BAD("shorter than a header", size = ENTRY_HEADER_SIZE - 1);
	BAD("a kind from the future", e->kind = ENTRY_KIND_COUNT);
	BAD("another kind's payload", e->kind = ENTRY_ANSWER);
	BAD("another kind's payload", e->kind = ENTRY_DELEGATION);
	BAD("no rank", e->rank = 0);
	BAD("a rank from the future", e->rank = RANK_SECURE + 1);
	BAD("a verdict from the future", e->verdict = VERDICT_BOGUS + 1);
	BAD("RFC 2181 §8: a TTL of 32 bits", e->ttl_s = UINT32_C(1) << 31);
	BAD("an expiry before the clock began", e->expires_ms = -1);
	BAD("an expiry in geological time", e->expires_ms = INT64_MAX);
	BAD("a name that is longer", e->name_len++);
	BAD("a name that is shorter", e->name_len--);
	BAD("a name beyond the end", e->name_len = 255);
	BAD("a text beyond the end", e->text_len = 255);
	BAD("RFC 4343 §3: keys are in lower case", e->bytes[1] = 'W');
	BAD("no record", e->rr_count = 0);
	BAD("fewer records than are there", e->rr_count = 2);
	BAD("signatures that are not there", e->sig_count = 1);
	BAD("RFC 1035 §3.3.14: a string beyond its RDATA", e->bytes[e->name_len + 2]++);
#undef BAD
}

static void test_text_is_cut(void **state)
{
	(void)state;
	char text[400];
	struct unit_name name = unit_name("a.");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	struct entry_parts p = {.kind = ENTRY_FAILURE,
				.name = name.wire,
				.type = TYPE_A,
				.rank = RANK_ANSWER,
				.fetched_ms = unit_start_ms,
				.ttl_s = 5,
				.text = text};
	struct entry *e = entry_make(&p, buffer.bytes);
	assert_true(entry_is_valid(e, entry_size(&p)));
	assert_int_equal(entry_text(e).len, 255);
	assert_int_equal(entry_payload(e).len, 0);
	assert_true(e->flags & ENTRY_EXTENDED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rrsets_survive),	cmocka_unit_test(test_delegations_survive),
		cmocka_unit_test(test_bad_delegations), cmocka_unit_test(test_answers_survive),
		cmocka_unit_test(test_bad_answers),	cmocka_unit_test(test_bad_heads),
		cmocka_unit_test(test_text_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
