#include "unit/base_unit.h"

#include <stdio.h>

#include "base/arena.h"
#include "dns/rdata.h"
#include "dns/text.h"

enum { CAP = 1 << 20 };

static const struct {
	const char *why;
	uint16_t type;
	const char *rdata;
	bool valid;
} valids[] = {
	{"RFC 1035 §3.4.1: A", TYPE_A, "c0000201", true},
	{"RFC 1035 §3.4.1: A of 3 bytes", TYPE_A, "c00002", false},
	{"RFC 1035 §3.4.1: A of 5 bytes", TYPE_A, "c000020100", false},
	{"RFC 3596 §2.2: AAAA of 15 bytes", TYPE_AAAA, "200100000000000000000000000000", false},
	{"RFC 1035 §3.3.11: NS", TYPE_NS, "0161 00", true},
	{"names are uncompressed here", TYPE_NS, "0161 c000", false},
	{"RFC 1035 §3.3.11: byte behind the name", TYPE_NS, "0161 00 00", false},
	{"RFC 1035 §3.3.9: MX without name", TYPE_MX, "000a", false},
	{"RFC 7505 §3: null MX", TYPE_MX, "0000 00", true},
	{"RFC 1035 §3.3.13: SOA cut", TYPE_SOA, "00 00 00000001 00000002 00000003 00000004 000000",
	 false},
	{"RFC 1035 §3.3.14: empty string", TYPE_TXT, "00", true},
	{"RFC 1035 §3.3.14: no string", TYPE_TXT, "", false},
	{"RFC 1035 §3.3.10: NULL may be empty", TYPE_NULL, "", true},
	{"RFC 3403 §4.1: NAPTR", TYPE_NAPTR, "0001 0002 0173 00 00 00", true},
	{"RFC 3403 §4.1: NAPTR without name", TYPE_NAPTR, "0001 0002 0173 00 00", false},
	{"RFC 5155 §3.2: NSEC3 hash past the end", TYPE_NSEC3, "01 00 0000 00 14 0102", false},
	{"RFC 5155 §4.2: NSEC3PARAM with bytes behind", TYPE_NSEC3PARAM, "01 00 0000 00 00", false},
	{"RFC 9460 §2.2: alias form", TYPE_HTTPS, "0000 0161 00", true},
	{"RFC 8659 §4.1: CAA tag past the end", 257, "00 05 6973", false},
	{"RFC 7043 §3.1: EUI48", 108, "010203040506", true},
	{"RFC 7043 §4.1: EUI64", 109, "01020304050607", false},
	{"RFC 3597 §5: unknown, empty", 65280, "", true},
	{"RFC 3597 §5: unknown, anything", 65280, "c0ffee", true},
};

static void test_valid(void **state)
{
	(void)state;
	struct unit_guard g = unit_guard_new(128);
	for (size_t i = 0; i < ARRAY_LEN(valids); i++) {
		uint8_t bytes[128];
		size_t len = unit_unhex(valids[i].rdata, bytes, sizeof(bytes));
		struct span rdata = unit_guard_put(&g, span_of(bytes, len));
		CHECK(valids[i].why, rdata_is_valid(valids[i].type, rdata) == valids[i].valid);
		(void)rdata_name(valids[i].type, rdata);
	}
	unit_guard_free(&g);
}

static const struct {
	const char *why;
	uint16_t type;
	const char *rdata, *canonical;
} forms[] = {
	{"RFC 4034 §6.2: NS is folded", TYPE_NS, "0241 42 00", "0261 62 00"},
	{"RFC 4034 §6.2: both names of SOA", TYPE_SOA,
	 "0141 00 0142 00 4142434445464748494a4b4c4d4e4f5051525354",
	 "0161 00 0162 00 4142434445464748494a4b4c4d4e4f5051525354"},
	{"RFC 4034 §6.2: number before the name stays", TYPE_MX, "4142 0141 00", "4142 0161 00"},
	{"RFC 4034 §6.2: SRV is folded", TYPE_SRV, "0041 0042 0043 0141 00",
	 "0041 0042 0043 0161 00"},
	{"RFC 4034 §6.2: strings of NAPTR stay", TYPE_NAPTR, "0001 0002 0141 0142 0143 0144 00",
	 "0001 0002 0141 0142 0143 0164 00"},
	{"RFC 6840 §5.1: signer of RRSIG is folded", TYPE_RRSIG,
	 "4142 08 01 41424344 41424344 41424344 4142 0141 00 4141",
	 "4142 08 01 41424344 41424344 41424344 4142 0161 00 4141"},
	{"RFC 6840 §5.1: next name of NSEC is not", TYPE_NSEC, "0141 00 0001 41",
	 "0141 00 0001 41"},
	{"RFC 9460 §2.2: SVCB is not", TYPE_SVCB, "0001 0141 00", "0001 0141 00"},
	{"RFC 4034 §6.2: TXT is not", TYPE_TXT, "0141", "0141"},
	{"RFC 3597 §7: unknown is not", 65280, "0141 00", "0141 00"},
};

static void test_canonical(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		uint8_t rdata[128], want[128], out[128];
		size_t len = unit_unhex(forms[i].rdata, rdata, sizeof(rdata));
		unit_unhex(forms[i].canonical, want, sizeof(want));
		CHECK(forms[i].why, rdata_is_valid(forms[i].type, span_of(rdata, len)));
		rdata_canonical(forms[i].type, span_of(rdata, len), out);
		CHECK(forms[i].why, memcmp(out, want, len) == 0);
		CHECK(forms[i].why,
		      rdata_compare(forms[i].type, span_of(rdata, len), span_of(want, len)) == 0);
	}
}

static const struct {
	const char *why;
	uint16_t type;
	const char *a, *b; /* a sorts before b */
} orders[] = {
	{"RFC 4034 §6.3: as bytes", TYPE_A, "09000000", "0a000000"},
	{"RFC 4034 §6.3: unsigned", TYPE_A, "7f000000", "80000000"},
	{"RFC 4034 §6.3: absence before zero", TYPE_TXT, "0161", "0161 00"},
	{"RFC 4034 §6.3: after folding", TYPE_NS, "0141 00", "0162 00"},
	{"RFC 4034 §6.3: left-justified bytes, not order of names", TYPE_NS, "017a 00",
	 "0261 61 00"},
	{"RFC 4034 §6.3: what follows a folded name", TYPE_SOA,
	 "0141 00 00 00000001 00000000 00000000 00000000 00000000",
	 "0161 00 00 00000002 00000000 00000000 00000000 00000000"},
	{"RFC 6840 §5.1: NSEC by case", TYPE_NSEC, "0141 00", "0161 00"},
	{"RFC 3597 §7: unknown by case", 65280, "41", "61"},
};

static void test_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		uint8_t a[64], b[64];
		struct span a_rdata = span_of(a, unit_unhex(orders[i].a, a, sizeof(a)));
		struct span b_rdata = span_of(b, unit_unhex(orders[i].b, b, sizeof(b)));
		CHECK(orders[i].why, rdata_compare(orders[i].type, a_rdata, b_rdata) < 0);
		CHECK(orders[i].why, rdata_compare(orders[i].type, b_rdata, a_rdata) > 0);
		CHECK(orders[i].why, rdata_compare(orders[i].type, a_rdata, a_rdata) == 0);
	}
}

/* RFC 4034 §5.4 and §2.3, the latter with the tag of RFC 4034 §3.3's signature. */
static const struct {
	const char *why, *record;
	uint16_t tag;
} keys[] = {
	{"RFC 4034 §5.4: dskey.example.com",
	 "dskey.example.com. 86400 IN DNSKEY 256 3 5 "
	 "AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/"
	 "2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXd"
	 "vxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==",
	 60485},
	{"RFC 4034 §2.3 and §3.3: example.com",
	 "example.com. 86400 IN DNSKEY 256 3 5 "
	 "AQPSKmynfzW4kyBv015MUG2DeIQ3Cbl+BBZH4b/"
	 "0PY1kxkmvHjcZc8nokfzj31GajIQKY+5CptLr3buXA10hWqTkF7H6Rf"
	 "oRqXQeogmMHfpftf6zMv1LyBUgia7za6ZEzOJBOztyvhjL742iU/TpPSEDhm2SNKLijfUppn1UaNvv4w==",
	 2642},
	{"RFC 8080 §6.1: Ed25519",
	 "example.com. 3600 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=", 3613},
	/* Appendix B.1: for algorithm 1 the tag is bytes of the modulus, not a sum. */
	{"RFC 4034 appendix B.1: algorithm 1", "a. IN DNSKEY 256 3 1 AQIDBAUGBwg=", 0x0607},
};

static void test_key_tags(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct arena arena;
		struct text_record r;
		struct dnskey_view key;
		arena_init(&arena, CAP);
		CHECK(keys[i].why, text_parse_record(keys[i].record, &arena, &r) == OK);
		CHECK(keys[i].why, rdata_dnskey_tag(r.rdata) == keys[i].tag);
		CHECK(keys[i].why, rdata_dnskey(r.rdata, &key) == OK);
		CHECK(keys[i].why, key.protocol == 3 && (key.flags & DNSKEY_ZONE));
		arena_deinit(&arena);
	}
	assert_int_equal(rdata_dnskey_tag((struct span){0}), 0);
	assert_int_equal(rdata_dnskey_tag(span_of("\1\0\3\1\1\2", 6)), 0);
}

static void test_typed_views(void **state)
{
	(void)state;
	struct arena arena;
	struct text_record r;
	struct soa_view soa;
	struct rrsig_view sig;
	struct ds_view ds;
	struct nsec3_view nsec3;
	char text[DNAME_TEXT_MAX];

	arena_init(&arena, CAP);
	assert_int_equal(text_parse_record("a. SOA ns.a. host.a. 1 2 3 4 5", &arena, &r), OK);
	assert_int_equal(rdata_soa(r.rdata, &soa), OK);
	assert_string_equal(dname_text(soa.rname, text), "host.a.");
	assert_ptr_equal(soa.mname, rdata_name(TYPE_SOA, r.rdata));
	assert_int_equal(soa.serial, 1);
	assert_int_equal(soa.minimum_s, 5);
	assert_int_equal(rdata_soa(span_of(r.rdata.at, r.rdata.len - 1), &soa), ERR_MALFORMED);

	assert_int_equal(
		text_parse_record("a. RRSIG A 8 1 300 20300101000000 20200101000000 4711 Z. AQID",
				  &arena, &r),
		OK);
	assert_int_equal(rdata_rrsig(r.rdata, &sig), OK);
	assert_int_equal(sig.type_covered, TYPE_A);
	assert_int_equal(sig.labels, 1);
	assert_int_equal(sig.original_ttl_s, 300);
	assert_int_equal(sig.expiration, 1893456000);
	assert_int_equal(sig.inception, 1577836800);
	assert_int_equal(sig.key_tag, 4711);
	assert_string_equal(dname_text(sig.signer, text), "Z.");
	assert_memory_equal(sig.signature.at, "\1\2\3", sig.signature.len);
	assert_int_equal(rdata_rrsig(span_of(r.rdata.at, 20), &sig), ERR_MALFORMED);

	assert_int_equal(text_parse_record("a. DS 1 8 2 0102", &arena, &r), OK);
	assert_int_equal(rdata_ds(r.rdata, &ds), OK);
	assert_int_equal(ds.digest.len, 2);
	assert_int_equal(rdata_ds(span_of("\0\1\10", 3), &ds), ERR_MALFORMED);

	/* RFC 5155 appendix A. */
	assert_int_equal(
		text_parse_record(
			"a. NSEC3 1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY "
			"NS SOA NSEC3PARAM RRSIG",
			&arena, &r),
		OK);
	assert_int_equal(rdata_nsec3(r.rdata, &nsec3), OK);
	assert_int_equal(nsec3.iterations, 12);
	assert_int_equal(nsec3.flags, NSEC3_OPT_OUT);
	assert_int_equal(nsec3.next_hash.len, 20);
	assert_memory_equal(nsec3.salt.at, "\xaa\xbb\xcc\xdd", nsec3.salt.len);
	assert_true(rdata_bitmap_has(nsec3.bitmap, TYPE_DNSKEY));
	assert_false(rdata_bitmap_has(nsec3.bitmap, TYPE_A));
	/* RFC 5155 §3.2: a hash has at least one byte. */
	assert_int_equal(rdata_nsec3(span_of("\1\0\0\0\0\0", 6), &nsec3), ERR_MALFORMED);
	arena_deinit(&arena);
}

static const struct {
	const char *why, *bitmap;
	bool valid;
} bitmaps[] = {
	{"RFC 5155 §7.1: empty, an empty non-terminal", "", true},
	{"RFC 4034 §4.3: its example",
	 "00 06 400100000003 04 1b 000000000000000000000000000000000000000000000000000020", true},
	{"RFC 4034 §4.1.2: 32 bytes",
	 "00 20 0000000000000000000000000000000000000000000000000000000000000001", true},
	{"RFC 4034 §4.1.2: 33 bytes",
	 "00 21 000000000000000000000000000000000000000000000000000000000000000001", false},
	{"RFC 4034 §4.1.2: window of no bytes", "00 00", false},
	{"RFC 4034 §4.1.2: same window twice", "00 01 40 00 01 40", false},
	{"RFC 4034 §4.1.2: windows out of order", "01 01 40 00 01 40", false},
	{"RFC 4034 §4.1.2: window past the end", "00 02 40", false},
	{"RFC 4034 §4.1.2: window without length", "00", false},
};

static void test_bitmaps(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bitmaps); i++) {
		uint8_t rdata[128] = {0};
		struct nsec_view v;
		size_t len = 1 + unit_unhex(bitmaps[i].bitmap, rdata + 1, sizeof(rdata) - 1);
		CHECK(bitmaps[i].why,
		      (rdata_nsec(span_of(rdata, len), &v) == OK) == bitmaps[i].valid);
	}

	/* RFC 4034 §4.3: A MX RRSIG NSEC TYPE1234. */
	uint8_t bitmap[64];
	size_t len = unit_unhex(bitmaps[1].bitmap, bitmap, sizeof(bitmap));
	unsigned set = 0;
	for (unsigned type = 0; type <= UINT16_MAX; type++)
		set += rdata_bitmap_has(span_of(bitmap, len), (uint16_t)type);
	assert_int_equal(set, 5);
	assert_true(rdata_bitmap_has(span_of(bitmap, len), TYPE_A));
	assert_true(rdata_bitmap_has(span_of(bitmap, len), TYPE_MX));
	assert_true(rdata_bitmap_has(span_of(bitmap, len), TYPE_RRSIG));
	assert_true(rdata_bitmap_has(span_of(bitmap, len), TYPE_NSEC));
	assert_true(rdata_bitmap_has(span_of(bitmap, len), 1234));
}

static void test_first_name(void **state)
{
	(void)state;
	char text[DNAME_TEXT_MAX];
	assert_string_equal(dname_text(rdata_name(TYPE_MX, span_of("\0\12\1a", 5)), text), "a.");
	assert_string_equal(dname_text(rdata_name(TYPE_SRV, span_of("\0\1\0\2\0\3\1b", 9)), text),
			    "b.");
	assert_null(rdata_name(TYPE_A, span_of("\1a\0\0", 4)));
	assert_null(rdata_name(TYPE_NS, span_of("\2a", 3)));
	assert_null(rdata_name(65280, span_of("\1a", 3)));
}

/* RFC 5155 appendix A: the hash of "example", letters of either case. */
static void test_nsec3_owner(void **state)
{
	(void)state;
	static const uint8_t example[NSEC3_HASH_SIZE] = {0x06, 0x53, 0x68, 0xab, 0xee, 0xd7, 0xec,
							 0x6e, 0x9f, 0xeb, 0xa9, 0x6b, 0x8c, 0x8b,
							 0xc3, 0xe8, 0xb7, 0x91, 0xf7, 0x16};
	static const struct {
		const char *label;
		bool good;
	} cases[] = {
		{"\0400p9mhaveqvm6t7vbl5lop2u3t2rp3tom", true},
		{"\0400P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM", true},
		{"\0400p9mhaveqvm6t7vbl5lop2u3t2rp3tow", false}, /* no such letter */
		{"\0400p9mhaveqvm6t7vbl5lop2u3t2rp3t\357m", false},
		{"\0370p9mhaveqvm6t7vbl5lop2u3t2rp3to", false},
		{"\0410p9mhaveqvm6t7vbl5lop2u3t2rp3tomm", false},
		{"", false},
	};
	uint8_t hash[NSEC3_HASH_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(rdata_nsec3_owner((const uint8_t *)cases[i].label, hash),
				 cases[i].good);
		if (cases[i].good)
			assert_memory_equal(hash, example, sizeof(hash));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nsec3_owner), cmocka_unit_test(test_valid),
		cmocka_unit_test(test_canonical),   cmocka_unit_test(test_order),
		cmocka_unit_test(test_key_tags),    cmocka_unit_test(test_typed_views),
		cmocka_unit_test(test_bitmaps),	    cmocka_unit_test(test_first_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
