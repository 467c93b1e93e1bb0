#include "unit/base_unit.h"

#include "dns/message.h"

/* Header: id 1234, then flags and counts. The question is "a." A IN at offset 12, 7 bytes. */
#define HEADER(qd, an, ns, ar) "1234 8180 00" qd "00" an "00" ns "00" ar
#define QUESTION "01 61 00 0001 0001"
#define FIXED(type, len) type "0001 0000012c" len /* class IN, TTL 300 */

static const struct {
	const char *why, *wire;
	enum err err;
} views[] = {
	{"RFC 1035 §4.1: header and question", HEADER("01", "00", "00", "00") QUESTION, OK},
	{"RFC 7873 §5.4: no question", HEADER("00", "00", "00", "00"), OK},
	{"RFC 9619 §4: two questions", HEADER("02", "00", "00", "00") QUESTION QUESTION,
	 ERR_MALFORMED},
	{"shorter than a header", "1234 8180 0001 0000 0000 00", ERR_MALFORMED},
	{"nothing", "", ERR_MALFORMED},
	{"question cut in its name", HEADER("01", "00", "00", "00") "01 61", ERR_MALFORMED},
	{"question cut in its class", HEADER("01", "00", "00", "00") "01 61 00 0001 00",
	 ERR_MALFORMED},
	{"question that points at itself", HEADER("01", "00", "00", "00") "c00c 0001 0001",
	 ERR_MALFORMED},
	{"question that points into the header", HEADER("01", "00", "00", "00") "c000 0001 0001",
	 ERR_MALFORMED},
	{"bytes behind the last record", HEADER("01", "00", "00", "00") QUESTION "00",
	 ERR_MALFORMED},
	{"fewer records than counted", HEADER("01", "01", "00", "00") QUESTION, ERR_MALFORMED},
	{"RFC 1035 §4.1.4: owner is a pointer",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("0001", "0004") "c0000201", OK},
	{"RFC 1035 §4.1.4: labels, then a pointer",
	 HEADER("01", "01", "00", "00") QUESTION "01 62 c00c" FIXED("0001", "0004") "c0000201", OK},
	{"RFC 1035 §4.1.4: pointer to the root label",
	 HEADER("01", "01", "00", "00") QUESTION "c00e" FIXED("0001", "0004") "c0000201", OK},
	{"pointer forward",
	 HEADER("01", "01", "00", "00") QUESTION "c01e" FIXED("0001", "0004") "00000201",
	 ERR_MALFORMED},
	{"pointer to itself",
	 HEADER("01", "01", "00", "00") QUESTION "c013" FIXED("0001", "0004") "c0000201",
	 ERR_MALFORMED},
	{"pointer into its own name",
	 HEADER("01", "01", "00", "00") QUESTION "01 62 c013" FIXED("0001", "0004") "c0000201",
	 ERR_MALFORMED},
	{"pointer into the header",
	 HEADER("01", "01", "00", "00") QUESTION "c004" FIXED("0001", "0004") "c0000201",
	 ERR_MALFORMED},
	{"pointer to a run that runs into the pointer",
	 HEADER("01", "01", "00", "00") QUESTION "c012" FIXED("0001", "0004") "c0000201",
	 ERR_MALFORMED},
	{"pointer cut in two", HEADER("01", "01", "00", "00") QUESTION "c0", ERR_MALFORMED},
	{"RFC 6891 §5: extended label",
	 HEADER("01", "01", "00", "00") QUESTION "41 00" FIXED("0001", "0004") "c0000201",
	 ERR_MALFORMED},
	{"record cut in its head",
	 HEADER("01", "01", "00", "00") QUESTION "c00c 0001 0001 0000012c 00", ERR_MALFORMED},
	{"RDLENGTH past the end",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("0001", "0004") "c00002",
	 ERR_MALFORMED},
	{"RFC 1035 §3.4.1: A of 5 bytes",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("0001", "0005") "c000020100",
	 ERR_MALFORMED},
	{"RFC 1035 §3.4.1: A of no bytes",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("0001", "0000"), ERR_MALFORMED},
	{"RFC 3596 §2.2: AAAA of 4 bytes",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("001c", "0004") "c0000201",
	 ERR_MALFORMED},
	{"RFC 3597 §4: unknown type, no bytes",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("ff00", "0000"), OK},
	{"RFC 3597 §4: unknown type, any bytes",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("ff00", "0003") "c0ffee", OK},
	{"RFC 1035 §3.3.1: compressed target",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("0005", "0004") "01 62 c00c", OK},
	{"target that ends past its RDATA",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("0005", "0003") "01 62 c00c",
	 ERR_MALFORMED},
	{"RDATA left over behind the target",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("0005", "0005") "01 62 c00c 00",
	 ERR_MALFORMED},
	{"RDATA that points into its own record's owner",
	 HEADER("01", "01", "00", "00") QUESTION "01 62 c00c" FIXED("0005", "0002") "c013", OK},
	{"RFC 3597 §4: SRV target compressed is taken",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("0021", "0008") "0001 0002 0003 c00c",
	 OK},
	{"RFC 4034 §4.1.1: NSEC next name compressed",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("002f", "0005") "c00c 000140",
	 ERR_MALFORMED},
	{"RFC 4034 §3.1.7: RRSIG signer compressed",
	 HEADER("01", "01", "00", "00") QUESTION
	 "c00c" FIXED("002e", "0016") "0001 0801 0000012c 00000002 00000001 1234 c00c 5555",
	 ERR_MALFORMED},
	{"RFC 9460 §2.2: SVCB target compressed",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("0040", "0004") "0001 c00c",
	 ERR_MALFORMED},
	{"RFC 1035 §3.3.14: TXT without a string",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("0010", "0000"), ERR_MALFORMED},
	{"RFC 1035 §3.3.2: HINFO string past its end",
	 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("000d", "0004") "01 61 05 62",
	 ERR_MALFORMED},
	{"RFC 6891 §6.1.1: OPT in additional",
	 HEADER("01", "00", "00", "01") QUESTION "00 0029 04d0 00000000 0000", OK},
	{"RFC 6891 §6.1.1: OPT in answer",
	 HEADER("01", "01", "00", "00") QUESTION "00 0029 04d0 00000000 0000", ERR_MALFORMED},
	{"RFC 6891 §6.1.1: OPT in authority",
	 HEADER("01", "00", "01", "00") QUESTION "00 0029 04d0 00000000 0000", ERR_MALFORMED},
};

static void test_view(void **state)
{
	(void)state;
	struct unit_guard g = unit_guard_new(512);
	for (size_t i = 0; i < ARRAY_LEN(views); i++) {
		uint8_t bytes[512];
		struct message m;
		size_t len = unit_unhex(views[i].wire, bytes, sizeof(bytes));
		enum err err = message_view(unit_guard_put(&g, span_of(bytes, len)), &m);
		CHECK(views[i].why, err == views[i].err);
		/* Whatever is wrong behind it, the header is known. */
		if (len >= MESSAGE_HEADER_SIZE)
			CHECK(views[i].why, m.id == 0x1234 && m.flags == 0x8180);
		CHECK(views[i].why, m.checked == !err);
	}
	unit_guard_free(&g);
}

static unsigned count_records(const struct message *m)
{
	struct record_iter it = record_iter_of(m);
	struct record rec;
	unsigned count = 0;
	while (record_next(&it, &rec))
		count++;
	return count;
}

#define SHORT_AAAA "c00c" FIXED("001c", "0004") "c0000201"
#define EIGHT_SHORT                                                                                \
	SHORT_AAAA SHORT_AAAA SHORT_AAAA SHORT_AAAA SHORT_AAAA SHORT_AAAA SHORT_AAAA SHORT_AAAA

/* Replies of some servers go on behind their end: there they are cut. Some records are not what their type
 * says: they are passed over. What is wrong besides stays so. */
static void test_view_reply(void **state)
{
	(void)state;
	struct unit_guard g = unit_guard_new(512);
	static const struct {
		const char *why, *wire;
		size_t len; /* 0: malformed */
		unsigned records;
	} replies[] = {
		{"nothing behind the end", HEADER("01", "00", "00", "00") QUESTION, 19, 0},
		{"a byte behind the question", HEADER("01", "00", "00", "00") QUESTION "00", 19, 0},
		{"what could be a record behind the last one",
		 HEADER("01", "01", "00", "00") QUESTION
		 "c00c" FIXED("0001", "0004") "c0000201"
					      "c00c" FIXED("0001", "0004") "c0000242",
		 35, 1},
		{"a record cut short", HEADER("01", "01", "00", "00") QUESTION "c00c 0001", 0, 0},
		{"RDATA left over behind the target",
		 HEADER("01", "01", "00", "00") QUESTION
		 "c00c" FIXED("0005", "0005") "01 62 c00c 00",
		 36, 0},
		{"RFC 3596 §2.2: AAAA of four octets",
		 HEADER("01", "02", "00", "00") QUESTION SHORT_AAAA
		 "c00c" FIXED("0001", "0004") "c0000242",
		 51, 1},
		{"eight of them", HEADER("01", "08", "00", "00") QUESTION EIGHT_SHORT, 147, 0},
		{"nine", HEADER("01", "09", "00", "00") QUESTION EIGHT_SHORT SHORT_AAAA, 0, 0},
		{"RDATA that goes on behind the message",
		 HEADER("01", "01", "00", "00") QUESTION "c00c" FIXED("001c", "0010") "c0000201", 0,
		 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		uint8_t bytes[512];
		struct message m;
		size_t len = unit_unhex(replies[i].wire, bytes, sizeof(bytes));
		enum err err = message_view_reply(unit_guard_put(&g, span_of(bytes, len)), &m);
		CHECK(replies[i].why, (err == OK) == (replies[i].len > 0));
		CHECK(replies[i].why, m.checked == !err);
		if (err == OK)
			CHECK(replies[i].why, m.wire.len == replies[i].len &&
						      count_records(&m) == replies[i].records);
	}
	unit_guard_free(&g);
}

/* No prefix of a good message is good, and none is read past its end. */
static void test_every_cut(void **state)
{
	(void)state;
	struct unit_guard g = unit_guard_new(512);
	uint8_t bytes[512];
	struct message m;
	size_t len = unit_unhex(
		HEADER("01", "03", "00", "01") QUESTION "c00c" FIXED(
			"0005",
			"0004") "01 62 c00c"
				"c01f" FIXED("0006",
					     "001a") "c00c 0168c00c 00000001 00000002 00000003 "
						     "00000004 00000005"
						     "c00c" FIXED("0010",
								  "0003") "02 6869"
									  "00 0029 04d0 00000000 "
									  "0004 000a 0000",
		bytes, sizeof(bytes));
	assert_int_equal(message_view(span_of(bytes, len), &m), OK);
	for (size_t cut = 0; cut < len; cut++) {
		struct span part = unit_guard_put(&g, span_of(bytes, cut));
		assert_int_equal(message_view(part, &m), ERR_MALFORMED);
		(void)!message_view_question(part, &m);
	}
	unit_guard_free(&g);
}

static void test_fields(void **state)
{
	(void)state;
	uint8_t bytes[512], name[DNAME_MAX], rdata[64];
	struct message m;
	struct record r;
	size_t rdata_len;
	size_t len = unit_unhex(
		HEADER("01", "01", "01", "02") QUESTION
		"c00c" FIXED("0005", "0004") "01 42 c00c"
					     "01 78 c00c 000f 0001 80000000 0006 000a 01 79 c01f"
					     "00 0029 04d0 00008000 0000"
					     "00 00fa 00ff 00000000 0000",
		bytes, sizeof(bytes));

	assert_int_equal(message_view(span_of(bytes, len), &m), OK);
	assert_int_equal(m.qtype, TYPE_A);
	assert_int_equal(m.qclass, CLASS_IN);
	assert_int_equal(m.qname_offset, 12);
	assert_int_equal(m.qname_len, 3);
	assert_int_equal(m.opt_count, 1);
	assert_true(m.has_tsig);
	assert_int_equal(message_opcode(&m), OPCODE_QUERY);
	assert_int_equal(message_rcode(&m), RCODE_NOERROR);

	struct record_iter it = record_iter_of(&m);
	assert_true(record_next(&it, &r));
	assert_int_equal(r.type, TYPE_CNAME);
	assert_int_equal(r.section, SECTION_ANSWER);
	assert_int_equal(r.ttl_s, 300);
	assert_true(message_name_equal(&m, r.owner_offset, (const uint8_t *)"\1A"));
	assert_false(message_name_equal_case(&m, r.owner_offset, (const uint8_t *)"\1A"));
	assert_true(message_name_equal_case(&m, r.owner_offset, (const uint8_t *)"\1a"));
	assert_false(message_name_equal(&m, r.owner_offset, (const uint8_t *)""));
	assert_false(message_name_equal(&m, r.owner_offset, (const uint8_t *)"\1a\1a"));
	assert_int_equal(message_rdata_len(&m, &r), 5);
	assert_int_equal(message_rdata(&m, &r, rdata, sizeof(rdata), &rdata_len), OK);
	assert_memory_equal(rdata, "\1B\1a", rdata_len);
	assert_int_equal(message_rdata(&m, &r, rdata, 4, &rdata_len), ERR_NO_SPACE);

	assert_true(record_next(&it, &r));
	assert_int_equal(r.section, SECTION_AUTHORITY);
	assert_int_equal(r.ttl_s, 0); /* RFC 2181 §8: top bit set */
	assert_int_equal(message_name(&m, r.owner_offset, name), 5);
	assert_memory_equal(name, "\1x\1a", 5);
	assert_int_equal(message_rdata(&m, &r, rdata, sizeof(rdata), &rdata_len), OK);
	assert_int_equal(rdata_len, 9);
	assert_memory_equal(rdata, "\0\12\1y\1B\1a", rdata_len); /* two pointers on */

	assert_true(record_next(&it, &r));
	assert_int_equal(r.section, SECTION_ADDITIONAL);
	assert_int_equal(r.type, TYPE_OPT);
	assert_int_equal(r.owner_offset, m.opt_offset);
	assert_true(record_next(&it, &r));
	assert_false(record_next(&it, &r));
	assert_false(record_next(&it, &r));
}

/* A chain of names, each one label and a pointer to the one before: N labels, N - 1 pointers. */
static size_t chain(uint8_t *out, unsigned names)
{
	size_t at = unit_unhex("1234 8180 0000 0000 0000 0000", out, 12);
	size_t last = 0;
	out[7] = (uint8_t)names;
	for (unsigned i = 0; i < names; i++) {
		size_t start = at;
		at += unit_unhex("01 61", out + at, 2);
		if (last) {
			out[at++] = (uint8_t)(0xc0 | last >> 8);
			out[at++] = (uint8_t)last;
		} else {
			out[at++] = 0;
		}
		at += unit_unhex("ff00 0001 00000000 0000", out + at, 10);
		last = start;
	}
	return at;
}

static void test_pointer_chains(void **state)
{
	(void)state;
	uint8_t wire[4096], name[DNAME_MAX];
	struct message m;
	struct record r = {0};

	/* RFC 1035 §2.3.4: 127 labels are the most that fit into a name. */
	assert_int_equal(message_view(span_of(wire, chain(wire, 127)), &m), OK);
	struct record_iter it = record_iter_of(&m);
	while (record_next(&it, &r))
		;
	assert_int_equal(message_name(&m, r.owner_offset, name), 255);
	assert_int_equal(message_view(span_of(wire, chain(wire, 128)), &m), ERR_MALFORMED);
}

/* Bare pointers, each to the one before, add no bytes to the name: their count is bounded. */
static void test_pointers_to_pointers(void **state)
{
	(void)state;
	enum { RECORD_SIZE = 12 }; /* of a record whose owner is a pointer */
	uint8_t wire[4096];
	struct message m;

	for (unsigned pointers = MESSAGE_POINTERS_MAX; pointers <= MESSAGE_POINTERS_MAX + 1;
	     pointers++) {
		size_t at = unit_unhex("1234 8180 0000 0000 0000 0000", wire, 12);
		wire[7] = (uint8_t)(pointers + 1);
		wire[at++] = 0; /* the root, and one byte less than the others */
		at += unit_unhex("ff00 0001 00000000 0001 00", wire + at, 11);
		for (unsigned i = 0; i < pointers; i++) {
			size_t before = at - RECORD_SIZE;
			wire[at++] = (uint8_t)(0xc0 | before >> 8);
			wire[at++] = (uint8_t)before;
			at += unit_unhex("ff00 0001 00000000 0000", wire + at, 10);
		}
		enum err want = pointers > MESSAGE_POINTERS_MAX ? ERR_MALFORMED : OK;
		assert_int_equal(message_view(span_of(wire, at), &m), want);
	}
}

/* Long messages remember what pointers led to; the rules stay the same. */
static void test_chains_in_long_messages(void **state)
{
	(void)state;
	enum { PADDING = 5000 };
	static uint8_t wire[2 * MESSAGE_MAX];
	struct message m;

	for (unsigned names = 126; names <= 128; names++) {
		size_t at = chain(wire, names);
		wire[7]++;
		at += unit_unhex("00 ff00 0001 00000000", wire + at, 9);
		wire[at++] = PADDING >> 8;
		wire[at++] = PADDING & 0xff;
		at += PADDING;
		enum err want = names > 127 ? ERR_MALFORMED : OK;
		assert_int_equal(message_view(span_of(wire, at), &m), want);
	}
}

static void test_too_many_records(void **state)
{
	(void)state;
	uint8_t wire[12];
	struct message m;
	size_t len = unit_unhex("1234 8180 0000 ffff ffff ffff", wire, sizeof(wire));
	assert_int_equal(message_view(span_of(wire, len), &m), ERR_LIMIT);
	assert_int_equal(m.id, 0x1234);
}

static void test_too_long(void **state)
{
	(void)state;
	static uint8_t wire[MESSAGE_MAX + 1];
	struct message m;
	assert_int_equal(message_view_question(span_of(wire, MESSAGE_MAX + 1), &m), ERR_MALFORMED);
	assert_int_equal(message_view_question(span_of(wire, MESSAGE_MAX), &m), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_view),
		cmocka_unit_test(test_view_reply),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_pointer_chains),
		cmocka_unit_test(test_pointers_to_pointers),
		cmocka_unit_test(test_chains_in_long_messages),
		cmocka_unit_test(test_too_many_records),
		cmocka_unit_test(test_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
