#include "unit/base_unit.h"

#include "dns/edns.h"

#define HEADER(ar) "1234 0100 0000 0000 0000 00" ar
#define OPT(ttl, len) "00 0029 04d0 " ttl len

static const struct {
	const char *why, *wire;
	enum edns_status want;
} views[] = {
	{"RFC 6891 §6.1.1: no OPT", HEADER("00"), EDNS_ABSENT},
	{"RFC 6891 §6.1.2: no options", HEADER("01") OPT("00000000", "0000"), EDNS_OK},
	{"RFC 6891 §6.1.1: two OPTs", HEADER("02") OPT("00000000", "0000") OPT("00000000", "0000"),
	 EDNS_FORMERR},
	{"RFC 6891 §6.1.2: owner is not the root", HEADER("01") "01 61 00 0029 04d0 00000000 0000",
	 EDNS_FORMERR},
	{"RFC 6891 §6.1.3: version 1", HEADER("01") OPT("00010000", "0000"), EDNS_BADVERS},
	{"RFC 6891 §6.1.3: version 255, options unread",
	 HEADER("01") OPT("00ff0000", "0003") "000a00", EDNS_BADVERS},
	{"RFC 6891 §6.1.4: unknown flags are ignored", HEADER("01") OPT("00007fff", "0000"),
	 EDNS_OK},
	{"RFC 6891 §6.1.2: unknown option is ignored",
	 HEADER("01") OPT("00000000", "0006") "fde9 0002 0102", EDNS_OK},
	{"RFC 6891 §6.1.2: option without its length",
	 HEADER("01") OPT("00000000", "0003") "fde900", EDNS_FORMERR},
	{"RFC 6891 §6.1.2: option past the end",
	 HEADER("01") OPT("00000000", "0005") "fde9 0002 01", EDNS_FORMERR},
	{"RFC 7873 §5.2.2: client cookie",
	 HEADER("01") OPT("00000000", "000c") "000a 0008 0102030405060708", EDNS_OK},
	{"RFC 7873 §5.2.2: cookie of no bytes", HEADER("01") OPT("00000000", "0004") "000a 0000",
	 EDNS_FORMERR},
	{"RFC 7873 §5.2.2: cookie of 7 bytes",
	 HEADER("01") OPT("00000000", "000b") "000a 0007 01020304050607", EDNS_FORMERR},
	{"RFC 7873 §5.2.2: cookie of 9 bytes",
	 HEADER("01") OPT("00000000", "000d") "000a 0009 010203040506070809", EDNS_FORMERR},
	{"RFC 7873 §5.2.2: cookie of 15 bytes",
	 HEADER("01") OPT("00000000", "0013") "000a 000f 0102030405060708090a0b0c0d0e0f",
	 EDNS_FORMERR},
	{"RFC 7873 §5.2.2: cookie of 16 bytes",
	 HEADER("01") OPT("00000000", "0014") "000a 0010 0102030405060708090a0b0c0d0e0f10",
	 EDNS_OK},
	{"RFC 7828 §3.1: keepalive without value", HEADER("01") OPT("00000000", "0004") "000b 0000",
	 EDNS_OK},
	{"RFC 7828 §3.1: keepalive with value",
	 HEADER("01") OPT("00000000", "0006") "000b 0002 0064", EDNS_OK},
	{"RFC 7828 §3.1: keepalive of 1 byte", HEADER("01") OPT("00000000", "0005") "000b 0001 64",
	 EDNS_FORMERR},
	{"RFC 8914 §2: extended error", HEADER("01") OPT("00000000", "0006") "000f 0002 0006",
	 EDNS_OK},
	{"RFC 8914 §2: too short to have a code",
	 HEADER("01") OPT("00000000", "0005") "000f 0001 06", EDNS_OK},
};

static void test_view(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(views); i++) {
		uint8_t wire[512];
		struct message m;
		struct edns edns;
		size_t len = unit_unhex(views[i].wire, wire, sizeof(wire));
		CHECK(views[i].why, message_view(span_of(wire, len), &m) == OK);
		CHECK(views[i].why, edns_view(&m, &edns) == views[i].want);
	}
}

static enum edns_status view_hex(const char *hex, struct edns *out)
{
	uint8_t wire[1024];
	struct message m;
	size_t len = unit_unhex(hex, wire, sizeof(wire));
	assert_int_equal(message_view(span_of(wire, len), &m), OK);
	return edns_view(&m, out);
}

static void test_fields(void **state)
{
	(void)state;
	struct edns e;

	assert_int_equal(view_hex(HEADER("00"), &e), EDNS_ABSENT);
	assert_int_equal(e.ede, EDE_NONE);
	assert_int_equal(e.size, 512);

	assert_int_equal(
		view_hex(
			HEADER("01") "00 0029 1000 01008000 002b"
				     "000a 0010 0102030405060708 1112131415161718"
				     "000a 0008 ffffffffffffffff" /* RFC 7873 §5.2: the first one counts */
				     "0003 0000 000c 0003 000000",
			&e),
		EDNS_OK);
	assert_int_equal(e.size, 4096);
	assert_int_equal(e.extended_rcode, 1);
	assert_true(e.dnssec_ok && e.nsid && e.padding);
	assert_false(e.keepalive);
	assert_int_equal(e.client_cookie_len, 8);
	assert_int_equal(e.server_cookie_len, 8);
	assert_memory_equal(e.client_cookie, "\1\2\3\4\5\6\7\10", 8);
	assert_memory_equal(e.server_cookie, "\21\22\23\24\25\26\27\30", 8);

	assert_int_equal(
		view_hex(HEADER("01") "00 0029 0000 00000000 0016"
				      "000b 0002 0064 000f 0002 0006 000f 0006 0016 61626364",
			 &e),
		EDNS_OK);
	assert_int_equal(e.size, 512); /* RFC 6891 §6.2.3: less counts as 512 */
	assert_true(e.keepalive);
	assert_int_equal(e.keepalive_100ms, 100);
	assert_int_equal(e.ede, 6);
}

/* A reply's OPT that breaks its rules: the rest of it counts. */
static void test_damaged(void **state)
{
	(void)state;
	struct edns e;

	assert_int_equal(view_hex(HEADER("02") "00 0029 1000 01008000 0006 000f 0002 0006"
					       "00 0029 0200 02000000 0006 000f 0002 0007",
				  &e),
			 EDNS_FORMERR);
	assert_int_equal(e.size, 4096); /* the first one counts */
	assert_int_equal(e.extended_rcode, 1);
	assert_int_equal(e.ede, 6);

	assert_int_equal(view_hex(HEADER("01") "00 0029 04d0 01000000 0016"
					       "000a 0007 01020304050607"
					       "000f 0002 0006"
					       "000b 0002 00",
				  &e),
			 EDNS_FORMERR);
	assert_int_equal(e.client_cookie_len, 0);
	assert_int_equal(e.ede, 6);
	assert_false(e.keepalive);

	assert_int_equal(view_hex(HEADER("02") OPT("00010000", "0000") OPT("00000000", "0000"), &e),
			 EDNS_FORMERR); /* of two, though the first is of a version above 0 */
}

static void test_option_flood(void **state)
{
	(void)state;
	for (unsigned count = EDNS_OPTIONS_MAX; count <= EDNS_OPTIONS_MAX + 1; count++) {
		uint8_t wire[1024] = {0};
		struct message m;
		struct edns e;
		size_t len = unit_unhex(HEADER("01") "00 0029 04d0 00000000", wire, sizeof(wire));
		wire[len++] = (uint8_t)(4 * count >> 8);
		wire[len++] = (uint8_t)(4 * count);
		for (unsigned i = 0; i < count; i++, len += 4)
			wire[len + 1] = 12;
		assert_int_equal(message_view(span_of(wire, len), &m), OK);
		assert_int_equal(edns_view(&m, &e),
				 count > EDNS_OPTIONS_MAX ? EDNS_FORMERR : EDNS_OK);
	}
}

static const struct {
	const char *why;
	struct edns_reply reply;
	const char *wire;
} writes[] = {
	{"RFC 6891 §6.1.2: nothing to say",
	 {.size = 1232, .ede = EDE_NONE, .ede2 = EDE_NONE},
	 "00 0029 04d0 00000000 0000"},
	{"RFC 6891 §6.1.3: upper bits of the rcode, DO",
	 {.size = 1232,
	  .rcode = RCODE_BADCOOKIE,
	  .dnssec_ok = true,
	  .ede = EDE_NONE,
	  .ede2 = EDE_NONE},
	 "00 0029 04d0 01008000 0000"},
	{"RFC 8914 §2: two errors, the first with text",
	 {.size = 1232,
	  .ede = EDE_STALE_ANSWER,
	  .ede2 = EDE_OTHER,
	  .ede_text = {(const uint8_t *)"old", 3}},
	 "00 0029 04d0 00000000 000f 000f 0005 0003 6f6c64 000f 0002 0000"},
	{"RFC 7828 §3.1: our timeout",
	 {.size = 1232,
	  .ede = EDE_NONE,
	  .ede2 = EDE_NONE,
	  .keepalive = true,
	  .keepalive_100ms = 150},
	 "00 0029 04d0 00000000 0006 000b 0002 0096"},
	{"RFC 7828 §3.2.1: a client says it without value",
	 {.size = 1232, .ede = EDE_NONE, .ede2 = EDE_NONE, .keepalive_empty = true},
	 "00 0029 04d0 00000000 0004 000b 0000"},
	{"RFC 7873 §5.1: client cookie",
	 {.size = 1232,
	  .ede = EDE_NONE,
	  .ede2 = EDE_NONE,
	  .cookie = {(const uint8_t *)"12345678", 8}},
	 "00 0029 04d0 00000000 000c 000a 0008 3132333435363738"},
	{"RFC 5001 §2.3: name server id",
	 {.size = 1232, .ede = EDE_NONE, .ede2 = EDE_NONE, .nsid = {(const uint8_t *)"ns1", 3}},
	 "00 0029 04d0 00000000 0007 0003 0003 6e7331"},
	{"RFC 8145 §4.1: key tags",
	 {.size = 1232,
	  .ede = EDE_NONE,
	  .ede2 = EDE_NONE,
	  .key_tags = {20326, 38696},
	  .key_tag_count = 2},
	 "00 0029 04d0 00000000 0008 000e 0004 4f66 9728"},
};

static void test_write(void **state)
{
	(void)state;
	struct unit_guard g = unit_guard_new(128);
	for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
		uint8_t want[128], wire[256];
		struct builder b;
		size_t len = unit_unhex(writes[i].wire, want, sizeof(want));
		CHECK(writes[i].why, edns_size(&writes[i].reply) == len);
		CHECK(writes[i].why, edns_render(&writes[i].reply, g.end - len, len) == len);
		CHECK(writes[i].why, memcmp(g.end - len, want, len) == 0);
		CHECK(writes[i].why, edns_render(&writes[i].reply, g.end - len + 1, len - 1) == 0);

		builder_init(&b, wire, MESSAGE_HEADER_SIZE + len, 1, 0);
		CHECK(writes[i].why, edns_write(&b, &writes[i].reply));
		CHECK(writes[i].why,
		      builder_finish(&b).len == MESSAGE_HEADER_SIZE + len && wire[11] == 1);
		builder_init(&b, wire, MESSAGE_HEADER_SIZE + len - 1, 1, 0);
		CHECK(writes[i].why, !edns_write(&b, &writes[i].reply));
		CHECK(writes[i].why,
		      builder_finish(&b).len == MESSAGE_HEADER_SIZE && wire[11] == 0);
	}
	unit_guard_free(&g);
}

static void test_long_text_is_cut_between_characters(void **state)
{
	(void)state;
	char text[400] = {0};
	uint8_t wire[400];
	struct edns_reply reply = {.ede = EDE_OTHER, .ede2 = EDE_NONE};

	/* RFC 8914 §2: UTF-8. The limit falls into the second byte of an a-umlaut. */
	memset(text, 'x', EDNS_EDE_TEXT_MAX - 1);
	memcpy(text + EDNS_EDE_TEXT_MAX - 1, "\xc3\xa4yz", 4);
	reply.ede_text = span_of(text, strlen(text));
	size_t len = edns_render(&reply, wire, sizeof(wire));
	assert_int_equal(len, edns_size(&reply));
	assert_int_equal(len, 11 + 4 + 2 + EDNS_EDE_TEXT_MAX - 1);
	assert_int_equal(wire[len - 1], 'x');
	text[EDNS_EDE_TEXT_MAX - 1] = 'x';
	reply.ede_text.len = EDNS_EDE_TEXT_MAX;
	assert_int_equal(edns_size(&reply), 11 + 4 + 2 + EDNS_EDE_TEXT_MAX);
}

static const struct {
	const char *why;
	size_t room;
	const char *wire; /* what is left */
} fits[] = {
	{"there is room for all", 52,
	 "00 0029 04d0 00000000 0029 0003 0003 6e7331 000a 0008 3132333435363738 000b 0002 0096 "
	 "000f 0006 0003 61c3a462 000f 0002 0000"},
	{"RFC 5001 §2.2: the NSID goes first", 51,
	 "00 0029 04d0 00000000 0022 000a 0008 3132333435363738 000b 0002 0096 "
	 "000f 0006 0003 61c3a462 000f 0002 0000"},
	{"RFC 8914 §3: the text is cut", 44,
	 "00 0029 04d0 00000000 0021 000a 0008 3132333435363738 000b 0002 0096 "
	 "000f 0005 0003 61c3a4 000f 0002 0000"},
	{"RFC 8914 §2: between characters", 43,
	 "00 0029 04d0 00000000 001f 000a 0008 3132333435363738 000b 0002 0096 "
	 "000f 0003 0003 61 000f 0002 0000"},
	{"RFC 8914 §3: and left out", 41,
	 "00 0029 04d0 00000000 001e 000a 0008 3132333435363738 000b 0002 0096 "
	 "000f 0002 0003 000f 0002 0000"},
	{"then the second error", 40,
	 "00 0029 04d0 00000000 0018 000a 0008 3132333435363738 000b 0002 0096 000f 0002 0003"},
	{"then the first", 34,
	 "00 0029 04d0 00000000 0012 000a 0008 3132333435363738 000b 0002 0096"},
	{"then the keepalive", 28, "00 0029 04d0 00000000 000c 000a 0008 3132333435363738"},
	{"RFC 7873 §5.2: the cookie stays, whatever room there is", 0,
	 "00 0029 04d0 00000000 000c 000a 0008 3132333435363738"},
};

static void test_options_are_given_up_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fits); i++) {
		struct edns_reply reply = {.size = 1232,
					   .ede = EDE_STALE_ANSWER,
					   .ede2 = EDE_OTHER,
					   .ede_text = span_of("a\xc3\xa4"
							       "b",
							       4),
					   .cookie = span_of("12345678", 8),
					   .nsid = span_of("ns1", 3),
					   .keepalive = true,
					   .keepalive_100ms = 150};
		uint8_t want[128], wire[128];
		size_t len = unit_unhex(fits[i].wire, want, sizeof(want));
		CHECK(fits[i].why, edns_fit(&reply, fits[i].room) == len);
		CHECK(fits[i].why, edns_render(&reply, wire, sizeof(wire)) == len &&
					   memcmp(wire, want, len) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_view),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_option_flood),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_long_text_is_cut_between_characters),
		cmocka_unit_test(test_options_are_given_up_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
