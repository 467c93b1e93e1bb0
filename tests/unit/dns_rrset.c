#include "unit/base_unit.h"

#include <stdio.h>

#include "base/arena.h"
#include "dns/builder.h"
#include "dns/rdata.h"
#include "dns/rrset.h"
#include "dns/text.h"

enum { CAP = 1 << 22 };

/* A message whose answer section is LINES, in presentation form. */
static struct message message_of(const char *const *lines, uint8_t *wire, size_t size)
{
	struct builder b;
	struct message m;
	builder_init(&b, wire, size, 1, FLAG_QR);
	for (; *lines; lines++) {
		struct arena arena;
		struct text_record r;
		arena_init(&arena, CAP);
		REQUIRE(text_parse_record(*lines, &arena, &r) == OK);
		REQUIRE(builder_record(&b, SECTION_ANSWER, r.owner, r.type, r.rclass, r.ttl_s,
				       r.rdata));
		arena_deinit(&arena);
	}
	REQUIRE(message_view(builder_finish(&b), &m) == OK);
	return m;
}

#define SIG(type, owner)                                                                           \
	owner " 200 IN RRSIG " type " 8 2 300 20300101000000 20200101000000 1 example. AQID"

static const struct {
	const char *why;
	const char *lines[8];
	const char *owner;
	uint16_t type;
	enum err err;
	unsigned records, sigs;
	uint32_t ttl_s;
	const char *first; /* RDATA in presentation form */
} gathers[] = {
	{"RFC 4034 §6.3: sorted",
	 {"a.example. 300 A 192.0.2.2", "a.example. 300 A 192.0.2.1"},
	 "a.example.",
	 TYPE_A,
	 OK,
	 2,
	 0,
	 300,
	 "192.0.2.1"},
	{"RFC 2181 §5: duplicates count once",
	 {"a.example. 300 A 192.0.2.1", "a.example. 300 A 192.0.2.1", "a.example. 300 A 192.0.2.1"},
	 "a.example.",
	 TYPE_A,
	 OK,
	 1,
	 0,
	 300,
	 "192.0.2.1"},
	{"RFC 4343 §3: duplicates by case count once",
	 {"a.example. 300 NS B.", "a.example. 300 NS b."},
	 "a.example.",
	 TYPE_NS,
	 OK,
	 1,
	 0,
	 300,
	 NULL},
	{"RFC 2181 §5.2: the lowest TTL",
	 {"a.example. 300 A 192.0.2.2", "a.example. 100 A 192.0.2.1"},
	 "a.example.",
	 TYPE_A,
	 OK,
	 2,
	 0,
	 100,
	 "192.0.2.1"},
	{"RFC 4343 §3: owner in any case",
	 {"A.Example. 300 A 192.0.2.1"},
	 "a.EXAMPLE.",
	 TYPE_A,
	 OK,
	 1,
	 0,
	 300,
	 "192.0.2.1"},
	{"signatures of the type only",
	 {"a.example. 300 A 192.0.2.1", SIG("A", "a.example."), SIG("AAAA", "a.example."),
	  SIG("A", "b.example.")},
	 "a.example.",
	 TYPE_A,
	 OK,
	 1,
	 1,
	 200,
	 "192.0.2.1"},
	{"signatures as data",
	 {SIG("A", "a.example."), SIG("AAAA", "a.example.")},
	 "a.example.",
	 TYPE_RRSIG,
	 OK,
	 2,
	 0,
	 200,
	 NULL},
	{"signatures alone are no set",
	 {SIG("A", "a.example.")},
	 "a.example.",
	 TYPE_A,
	 ERR_NOT_FOUND,
	 0,
	 0,
	 0,
	 NULL},
	{"another owner",
	 {"b.example. 300 A 192.0.2.1"},
	 "a.example.",
	 TYPE_A,
	 ERR_NOT_FOUND,
	 0,
	 0,
	 0,
	 NULL},
	{"another type",
	 {"a.example. 300 A 192.0.2.1"},
	 "a.example.",
	 TYPE_AAAA,
	 ERR_NOT_FOUND,
	 0,
	 0,
	 0,
	 NULL},
	{"another class",
	 {"a.example. 300 CH A 192.0.2.1"},
	 "a.example.",
	 TYPE_A,
	 ERR_NOT_FOUND,
	 0,
	 0,
	 0,
	 NULL},
	{"RFC 3597 §4: names come out expanded",
	 {"a.example. 300 MX 5 mail.a.example."},
	 "a.example.",
	 TYPE_MX,
	 OK,
	 1,
	 0,
	 300,
	 "5 mail.a.example."},
	{"RFC 3597 §5: unknown type",
	 {"a.example. 300 TYPE65280 \\# 2 0102"},
	 "a.example.",
	 65280,
	 OK,
	 1,
	 0,
	 300,
	 "\\# 2 0102"},
};

static void test_gather(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(gathers); i++) {
		uint8_t wire[2048], owner[DNAME_MAX];
		char text[300];
		size_t len;
		struct arena arena;
		struct rrset set;
		struct span first;
		struct message m = message_of(gathers[i].lines, wire, sizeof(wire));
		arena_init(&arena, CAP);
		CHECK(gathers[i].why, dname_parse(gathers[i].owner, owner, &len) == OK);
		enum err err =
			rrset_gather(&m, SECTION_ANSWER, owner, gathers[i].type, &arena, &set);
		CHECK(gathers[i].why, err == gathers[i].err);
		CHECK(gathers[i].why, rrset_gather(&m, SECTION_AUTHORITY, owner, gathers[i].type,
						   &arena, &(struct rrset){0}) == ERR_NOT_FOUND);
		if (!err) {
			struct rrset_iter it = rrset_records(&set);
			CHECK(gathers[i].why, set.rr_count == gathers[i].records);
			CHECK(gathers[i].why, set.sig_count == gathers[i].sigs);
			CHECK(gathers[i].why, set.ttl_s == gathers[i].ttl_s);
			CHECK(gathers[i].why,
			      dname_equal(set.owner, owner) && rrset_is_valid(&set));
			CHECK(gathers[i].why, rrset_next(&it, &first));
			if (gathers[i].first)
				CHECK(gathers[i].why,
				      strcmp(text_rdata(set.type, first, text, sizeof(text)),
					     gathers[i].first) == 0);
		}
		arena_deinit(&arena);
	}
}

static void test_limits(void **state)
{
	(void)state;
	static uint8_t wire[MESSAGE_MAX];
	struct arena arena;
	struct rrset set;
	struct message m;

	for (unsigned count = RRSET_RECORDS_MAX; count <= RRSET_RECORDS_MAX + 1; count++) {
		struct builder b;
		builder_init(&b, wire, sizeof(wire), 1, 0);
		for (unsigned i = count; i > 0; i--) {
			const uint8_t rdata[] = {1, 2, (uint8_t)(i >> 8), (uint8_t)i};
			assert_true(builder_record(&b, SECTION_ANSWER, (const uint8_t *)"\1a",
						   TYPE_A, CLASS_IN, 1, span_of(rdata, 4)));
		}
		assert_int_equal(message_view(builder_finish(&b), &m), OK);
		arena_init(&arena, CAP);
		enum err err = rrset_gather(&m, SECTION_ANSWER, (const uint8_t *)"\1a", TYPE_A,
					    &arena, &set);
		assert_int_equal(err, count > RRSET_RECORDS_MAX ? ERR_LIMIT : OK);
		arena_deinit(&arena);

		arena_init(&arena, 64); /* a query's memory ends before the set does */
		err = rrset_gather(&m, SECTION_ANSWER, (const uint8_t *)"\1a", TYPE_A, &arena,
				   &set);
		assert_int_equal(err, count > RRSET_RECORDS_MAX ? ERR_LIMIT : ERR_NO_MEMORY);
		arena_deinit(&arena);
	}
}

/* 2000 records of a pointer each, to one name of 255 octets. */
static void test_duplicates_take_no_memory(void **state)
{
	(void)state;
	static uint8_t wire[MESSAGE_MAX];
	uint8_t name[DNAME_MAX] = {0};
	/* owner: the last label of the question; NS; IN; a TTL; the question's name */
	const uint8_t record[] = {0xc1, 0x08, 0, 2, 0, 1,    0,
				  0,	0,    1, 0, 2, 0xc0, MESSAGE_HEADER_SIZE};
	static_assert(MESSAGE_HEADER_SIZE + DNAME_MAX - 3 == 0x108, "where the last label stands");
	struct arena arena;
	struct rrset set;
	struct message m;
	struct builder b;
	unsigned count = 2000;

	for (size_t at = 0; at + 1 < DNAME_MAX; at += 2)
		memcpy(name + at, "\1x", 2);
	builder_init(&b, wire, sizeof(wire), 1, 0);
	assert_true(builder_question(&b, name, TYPE_NS, CLASS_IN));
	size_t len = builder_finish(&b).len;
	wire[8] = (uint8_t)(count >> 8);
	wire[9] = (uint8_t)count;
	for (unsigned i = 0; i < count; i++, len += sizeof(record))
		memcpy(wire + len, record, sizeof(record));
	assert_int_equal(message_view(span_of(wire, len), &m), OK);
	arena_init(&arena, CAP);
	assert_int_equal(
		rrset_gather(&m, SECTION_AUTHORITY, (const uint8_t *)"\1x", TYPE_NS, &arena, &set),
		OK);
	assert_int_equal(set.rr_count, 1);
	assert_true(arena.total_bytes <= 4096 + 64);
	arena_deinit(&arena);
}

static void test_from_rdatas(void **state)
{
	(void)state;
	struct arena arena;
	struct rrset a, b, copy;
	static const uint8_t owner[] = "\1a";
	const struct span two[] = {span_of("\2\0\0\0", 4), span_of("\1\0\0\0", 4)};
	const struct span same[] = {span_of("\1\0\0\0", 4), span_of("\2\0\0\0", 4),
				    span_of("\1\0\0\0", 4)};
	const struct span broken[] = {span_of("\1\0\0", 3)};

	arena_init(&arena, CAP);
	assert_int_equal(rrset_from_rdatas(owner, TYPE_A, 5, two, 2, &arena, &a), OK);
	assert_int_equal(rrset_from_rdatas(owner, TYPE_A, 9, same, 3, &arena, &b), OK);
	assert_int_equal(a.rr_count, 2);
	assert_true(rrset_same_data(&a, &b));
	assert_int_equal(rrset_from_rdatas(owner, TYPE_A, 9, same, 1, &arena, &b), OK);
	assert_false(rrset_same_data(&a, &b));
	assert_int_equal(rrset_from_rdatas(owner, TYPE_A, 9, broken, 1, &arena, &b), ERR_MALFORMED);
	assert_int_equal(rrset_from_rdatas(owner, TYPE_A, 9, NULL, 0, &arena, &b), ERR_NOT_FOUND);
	assert_int_equal(rrset_from_rdatas(owner, TYPE_A, 9, two, 100000, &arena, &b), ERR_LIMIT);

	assert_int_equal(rrset_copy(&a, &arena, &copy), OK);
	assert_ptr_not_equal(copy.owner, a.owner);
	assert_ptr_not_equal(copy.rdata.at, a.rdata.at);
	assert_true(rrset_same_data(&a, &copy) && rrset_is_valid(&copy));
	rrset_keep_first(&copy);
	assert_true(rrset_same_data(&b, &copy) && rrset_is_valid(&copy));
	rrset_keep_first(&copy);
	assert_true(rrset_same_data(&b, &copy) && rrset_is_valid(&copy));
	arena_deinit(&arena);
}

/* What a damaged disk may hold: each byte changed, each length cut, must be refused or harmless. */
static void test_lists_from_disk(void **state)
{
	(void)state;
	static const char *const lines[] = {"a.example. 300 MX 5 b.", "a.example. 300 MX 6 c.",
					    SIG("MX", "a.example."), NULL};
	uint8_t wire[2048], owner[DNAME_MAX];
	size_t len;
	struct arena arena;
	struct rrset good;
	struct unit_guard g = unit_guard_new(256);
	struct message m = message_of(lines, wire, sizeof(wire));

	arena_init(&arena, CAP);
	assert_int_equal(dname_parse("a.example.", owner, &len), OK);
	assert_int_equal(rrset_gather(&m, SECTION_ANSWER, owner, TYPE_MX, &arena, &good), OK);
	assert_true(rrset_is_valid(&good));
	for (size_t cut = 0; cut < good.rdata.len; cut++) {
		struct rrset bad = good;
		bad.rdata = unit_guard_put(&g, span_of(good.rdata.at, cut));
		assert_false(rrset_is_valid(&bad));
	}
	for (size_t at = 0; at < good.sigs.len; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			struct rrset bad = good;
			bad.sigs = unit_guard_put(&g, good.sigs);
			g.end[-(ptrdiff_t)bad.sigs.len + (ptrdiff_t)at] ^= (uint8_t)(1 << bit);
			bool valid = rrset_is_valid(&bad);
			assert_true(at >= 4 || !valid); /* its length, the type it covers */
		}
	}
	struct rrset bad = good;
	bad.rr_count = 3;
	assert_false(rrset_is_valid(&bad));
	bad.rr_count = 1;
	assert_false(rrset_is_valid(&bad));
	bad.rr_count = 0;
	assert_false(rrset_is_valid(&bad));
	bad = good;
	bad.type = TYPE_A;
	assert_false(rrset_is_valid(&bad));
	bad = good;
	bad.sig_count = RRSET_SIGS_MAX + 1;
	assert_false(rrset_is_valid(&bad));
	unit_guard_free(&g);
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gather),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_duplicates_take_no_memory),
		cmocka_unit_test(test_from_rdatas),
		cmocka_unit_test(test_lists_from_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
