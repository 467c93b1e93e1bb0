#include "unit/base_unit.h"

#include "base/arena.h"
#include "base/rng.h"
#include "dns/builder.h"
#include "dns/rdata.h"

static const uint8_t *name(const char *text, uint8_t out[static DNAME_MAX])
{
	size_t len;
	REQUIRE(dname_parse(text, out, &len) == OK);
	return out;
}

static struct span name_span(const char *text, uint8_t out[static DNAME_MAX])
{
	const uint8_t *at = name(text, out); /* before its length is taken */
	return span_of(at, dname_len(out));
}

static void check_wire(const char *why, struct builder *b, const char *hex)
{
	uint8_t want[1024];
	size_t len = unit_unhex(hex, want, sizeof(want));
	struct message m;
	struct span got = builder_finish(b);
	CHECK(why, span_equal(got, span_of(want, len)));
	CHECK(why, message_view(got, &m) == OK);
}

static void test_compression(void **state)
{
	(void)state;
	uint8_t wire[512], n[DNAME_MAX], t[DNAME_MAX];
	struct builder b;

	builder_init(&b, wire, sizeof(wire), 0x1234, FLAG_QR);
	assert_true(builder_question(&b, name("www.Example.com.", n), TYPE_A, CLASS_IN));
	/* RFC 1035 §4.1.4: the owner is the question's name, the target shares its end. */
	assert_true(builder_record(&b, SECTION_ANSWER, name("WWW.example.com.", n), TYPE_CNAME,
				   CLASS_IN, 5, name_span("a.example.COM.", t)));
	assert_true(builder_record(&b, SECTION_ANSWER, name("a.example.com.", n), TYPE_A, CLASS_IN,
				   5, span_of("\xc0\0\2\1", 4)));
	/* RFC 3597 §4: SRV's target is not compressed, nor is anything in a type that is unknown. */
	assert_true(builder_record(&b, SECTION_AUTHORITY, name("com.", n), TYPE_SRV, CLASS_IN, 5,
				   span_of("\0\1\0\2\0\3\3com", 11)));
	assert_true(builder_record(&b, SECTION_ADDITIONAL, name(".", n), 65280, CLASS_IN, 5,
				   span_of("\3com", 5)));
	check_wire("RFC 1035 §4.1.4", &b,
		   "1234 8000 0001 0002 0001 0001 03777777 074578616d706c65 03636f6d 00 0001 0001"
		   "c00c 0005 0001 00000005 0004 0161 c010"
		   "c02d 0001 0001 00000005 0004 c0000201"
		   "c018 0021 0001 00000005 000b 0001 0002 0003 03636f6d 00"
		   "00 ff00 0001 00000005 0005 03636f6d 00");
}

static void test_soa_names_share(void **state)
{
	(void)state;
	uint8_t wire[512], n[DNAME_MAX];
	struct builder b;
	builder_init(&b, wire, sizeof(wire), 0, 0);
	assert_true(builder_record(
		&b, SECTION_AUTHORITY, name("a.", n), TYPE_SOA, CLASS_IN, 1,
		span_of("\2ns\1a\0\1h\2ns\1a\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5", 34)));
	check_wire("RFC 1035 §3.3.13", &b,
		   "0000 0000 0000 0000 0001 0000 0161 00 0006 0001 00000001 001d"
		   "026e73 c00c 0168 c019 00000001 00000002 00000003 00000004 00000005");
}

static void test_what_does_not_fit_leaves_no_trace(void **state)
{
	(void)state;
	uint8_t wire[512], want[512], n[DNAME_MAX];
	struct builder b;

	builder_init(&b, wire, sizeof(wire), 1, 0);
	assert_true(builder_question(&b, name("q.example.", n), TYPE_A, CLASS_IN));
	struct builder before = b;
	for (size_t room = 0; room < 30; room++) {
		b.size = b.len + room; /* 2 + 10 + 4 bytes and the name's first label, 4 */
		bool fits = builder_record(&b, SECTION_ANSWER, name("new.example.", n), TYPE_A,
					   CLASS_IN, 1, span_of("\1\2\3\4", 4));
		assert_int_equal(fits, room >= 20);
		if (fits)
			break;
		b.size = before.size;
		assert_memory_equal(&b, &before, sizeof(b));
	}
	assert_true(builder_record(&b, SECTION_ANSWER, name("x.new.example.", n), TYPE_A, CLASS_IN,
				   1, span_of("\1\2\3\4", 4)) == false);
	b.size = sizeof(wire);
	assert_true(builder_record(&b, SECTION_ANSWER, name("x.new.example.", n), TYPE_A, CLASS_IN,
				   1, span_of("\1\2\3\4", 4)));
	size_t len = unit_unhex("0001 0000 0001 0002 0000 0000 0171 076578616d706c65 00 0001 0001"
				"036e6577 c00e 0001 0001 00000001 0004 01020304"
				"0178 c01b 0001 0001 00000001 0004 01020304",
				want, sizeof(want));
	assert_true(span_equal(builder_finish(&b), span_of(want, len)));

	b.size = 10; /* lowered below what stands already */
	assert_false(builder_record(&b, SECTION_ADDITIONAL, name(".", n), TYPE_A, CLASS_IN, 1,
				    span_of("\1\2\3\4", 4)));
}

/* Our own bugs: no message comes of them, and nobody takes them for want of room. */
static void test_what_is_broken_is_told(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint16_t type;
		const char *rdata;
		size_t len;
		bool broken;
	} rows[] = {
		{"RFC 1035 §3.3.9: an MX", TYPE_MX, "\0\12\1a\0", 5, false},
		{"of a name that does not end", TYPE_MX, "\0\12\1a", 4, true},
		{"of nothing", TYPE_MX, "", 0, true},
		{"with something behind its name", TYPE_MX, "\0\12\1a\0x", 6, true},
		{"bytes are bytes in other types", TYPE_TXT, "\0\12\1a", 4, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t wire[512], n[DNAME_MAX];
		struct builder b;
		builder_init(&b, wire, sizeof(wire), 1, 0);
		bool done = builder_record(&b, SECTION_ANSWER, name("a.", n), rows[i].type,
					   CLASS_IN, 1, span_of(rows[i].rdata, rows[i].len));
		CHECK(rows[i].why, done == !rows[i].broken && b.broken == rows[i].broken);
		CHECK("it stays so",
		      builder_record(&b, SECTION_ANSWER, name("b.", n), TYPE_A, CLASS_IN, 1,
				     span_of("\1\2\3\4", 4)) == !rows[i].broken);
		CHECK("sections go forwards",
		      builder_record(&b, SECTION_ADDITIONAL, name("b.", n), TYPE_A, CLASS_IN, 1,
				     span_of("\1\2\3\4", 4)) == !rows[i].broken);
		CHECK("and not back", !builder_record(&b, SECTION_ANSWER, name("b.", n), TYPE_A,
						      CLASS_IN, 1, span_of("\1\2\3\4", 4)) &&
					      b.broken);
	}
}

static void test_flags(void **state)
{
	(void)state;
	uint8_t wire[12];
	struct builder b;
	builder_init(&b, wire, sizeof(wire), 0xabcd, FLAG_QR);
	builder_set_flags(&b, FLAG_QR | FLAG_TC);
	check_wire("RFC 1035 §4.1.1", &b, "abcd 8200 0000 0000 0000 0000");
	assert_false(builder_question(&b, (const uint8_t *)"", TYPE_A, CLASS_IN));
}

static struct rrset three_addresses(struct arena *arena)
{
	static const struct span rdatas[] = {
		{(const uint8_t *)"\3\0\0\0", 4},
		{(const uint8_t *)"\1\0\0\0", 4},
		{(const uint8_t *)"\2\0\0\0", 4},
	};
	struct rrset set;
	REQUIRE(rrset_from_rdatas((const uint8_t *)"\1a", TYPE_A, 300, rdatas, 3, arena, &set) ==
		OK);
	return set;
}

static void test_rrset_rotates(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 1 << 16);
	struct rrset set = three_addresses(&arena);
	for (unsigned first = 0; first < 7; first++) {
		uint8_t wire[512];
		struct builder b;
		struct message m;
		struct record r;
		builder_init(&b, wire, sizeof(wire), 1, 0);
		assert_true(builder_rrset(&b, SECTION_ANSWER, &set, 7, first, true));
		assert_int_equal(message_view(builder_finish(&b), &m), OK);
		assert_int_equal(m.counts[SECTION_ANSWER], 3);
		struct record_iter it = record_iter_of(&m);
		for (unsigned i = 0; record_next(&it, &r); i++) {
			assert_int_equal(wire[r.rdata_offset], (first + i) % 3 + 1);
			assert_int_equal(r.ttl_s, 7);
		}
	}
	arena_deinit(&arena);
}

static void test_rrset_is_all_or_nothing(void **state)
{
	(void)state;
	struct arena arena;
	uint8_t wire[512];
	arena_init(&arena, 1 << 16);
	struct rrset set = three_addresses(&arena);
	/* 3 + 14 bytes for the first, 16 for each that follows. */
	for (size_t size = 12; size < 12 + 17 + 16 + 16; size++) {
		struct builder b;
		builder_init(&b, wire, size, 1, 0);
		assert_false(builder_rrset(&b, SECTION_ANSWER, &set, 7, 1, false));
		assert_int_equal(builder_finish(&b).len, 12);
		assert_int_equal(wire[7], 0);
	}
	arena_deinit(&arena);
}

/* Names that meet often, sometimes long ones. */
static void random_name(struct rng *rng, uint8_t out[static DNAME_MAX])
{
	uint8_t *at = out;
	for (unsigned labels = rng_below(rng, 6); labels > 0; labels--) {
		uint8_t len = (uint8_t)(1 + rng_below(rng, rng_below(rng, 20) ? 2 : 40));
		*at++ = len;
		for (unsigned i = 0; i < len; i++)
			*at++ = (uint8_t)("abAB"[rng_below(rng, 4)]);
	}
	*at = 0;
}

/* RDATA of TYPE, made by its layout; its length. */
static size_t random_rdata(struct rng *rng, uint16_t type, uint8_t *out)
{
	size_t at = 0;
	for (const enum rdata_field *f = type_info(type)->layout; *f != RDATA_END; f++) {
		size_t len = 0;
		if (*f == RDATA_NAME || *f == RDATA_NAME_PLAIN || *f == RDATA_NAME_AS_IS) {
			random_name(rng, out + at);
			at += dname_len(out + at);
			continue;
		}
		uint8_t bytes[64];
		rng_bytes(rng, bytes, sizeof(bytes));
		if (*f == RDATA_STRING)
			bytes[0] %= 20;
		if (*f == RDATA_REST)
			len = rng_below(rng, sizeof(bytes));
		else
			len = (size_t)rdata_field_len(*f, span_of(bytes, sizeof(bytes)));
		memcpy(out + at, bytes, len);
		at += len;
	}
	return at;
}

struct wrote {
	uint8_t owner[DNAME_MAX];
	uint8_t rdata[1024];
	size_t rdata_len;
	uint16_t type;
	uint32_t ttl_s;
	uint8_t section;
};

static void check_record(const struct message *m, const struct record *r, const struct wrote *w)
{
	uint8_t rdata[1024];
	size_t len;
	assert_int_equal(r->type, w->type);
	assert_int_equal(r->ttl_s, w->ttl_s);
	assert_int_equal(r->section, w->section);
	assert_true(message_name_equal(m, r->owner_offset, w->owner));
	assert_int_equal(message_rdata(m, r, rdata, sizeof(rdata), &len), OK);
	assert_int_equal(len, w->rdata_len);
	/* Compression may change letters' case; only where it is done is that allowed. */
	if (type_info(w->type)->compress)
		assert_int_equal(
			rdata_compare(w->type, span_of(rdata, len), span_of(w->rdata, len)), 0);
	else
		assert_memory_equal(rdata, w->rdata, len);
}

static void test_random_messages_come_back(void **state)
{
	(void)state;
	enum { MESSAGES = 3000, RECORDS = 60 };
	static const uint16_t types[] = {1,  2,	 5,  6,	 12, 13, 14, 15,    16,	 17,
					 18, 21, 24, 26, 28, 30, 33, 35,    36,	 39,
					 43, 46, 47, 48, 50, 51, 64, 65280, 257, 108};
	static struct wrote wrote[RECORDS];
	static uint8_t wire[MESSAGE_MAX];
	struct rng rng;

	rng_init_seeded(&rng, 5);
	for (unsigned i = 0; i < MESSAGES; i++) {
		struct builder b;
		struct message m;
		struct record r;
		unsigned count = 0;
		/* Small ones are cut short here and there. */
		builder_init(&b, wire, rng_below(&rng, 2) ? 512 : sizeof(wire), 1, 0);
		for (unsigned n = rng_below(&rng, RECORDS + 1); n > 0; n--) {
			struct wrote *w = &wrote[count];
			random_name(&rng, w->owner);
			w->type = types[rng_below(&rng, ARRAY_LEN(types))];
			w->rdata_len = random_rdata(&rng, w->type, w->rdata);
			w->ttl_s = rng_below(&rng, 1u << 31);
			w->section = (uint8_t)(3 - 3 * n / (RECORDS + 1) - 1);
			assert_true(rdata_is_valid(w->type, span_of(w->rdata, w->rdata_len)));
			count += builder_record(&b, w->section, w->owner, w->type, CLASS_IN,
						w->ttl_s, span_of(w->rdata, w->rdata_len));
		}
		assert_int_equal(message_view(builder_finish(&b), &m), OK);
		struct record_iter it = record_iter_of(&m);
		for (unsigned j = 0; j < count; j++) {
			assert_true(record_next(&it, &r));
			check_record(&m, &r, &wrote[j]);
		}
		assert_false(record_next(&it, &r));
	}
}

static void test_large_messages(void **state)
{
	(void)state;
	static uint8_t wire[MESSAGE_MAX];
	struct builder b;
	struct message m;
	struct record r;
	unsigned count = 0;

	/* More distinct names than are remembered, and past the reach of pointers (RFC 1035 §4.1.4). */
	builder_init(&b, wire, sizeof(wire), 1, 0);
	for (;; count++) {
		uint8_t owner[] = "\4xxxx\7example\3com";
		for (unsigned i = 0; i < 4; i++)
			owner[1 + i] = (uint8_t)('a' + (count >> 4 * i & 15));
		if (!builder_record(&b, SECTION_ANSWER, owner, TYPE_A, CLASS_IN, count,
				    span_of("\1\2\3\4", 4)))
			break;
	}
	/* 32 bytes for the first, 21 for each that shares its end. */
	assert_int_equal(count, 1 + (MESSAGE_MAX - MESSAGE_HEADER_SIZE - 32) / 21);
	assert_true(b.name_count <= BUILDER_NAMES_MAX);
	assert_int_equal(message_view(builder_finish(&b), &m), OK);
	struct record_iter it = record_iter_of(&m);
	for (unsigned i = 0; record_next(&it, &r); i++) {
		uint8_t owner[DNAME_MAX];
		assert_int_equal(message_name(&m, r.owner_offset, owner), 18);
		for (unsigned j = 0; j < 4; j++)
			assert_int_equal(owner[1 + j], 'a' + (i >> 4 * j & 15));
		assert_int_equal(r.ttl_s, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compression),
		cmocka_unit_test(test_soa_names_share),
		cmocka_unit_test(test_what_does_not_fit_leaves_no_trace),
		cmocka_unit_test(test_what_is_broken_is_told),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_rrset_rotates),
		cmocka_unit_test(test_rrset_is_all_or_nothing),
		cmocka_unit_test(test_random_messages_come_back),
		cmocka_unit_test(test_large_messages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
