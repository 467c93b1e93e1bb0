#include "unit/base_unit.h"

#include "dns/types.h"

static const struct {
	const char *why, *text;
	uint16_t type;
	bool compress, meta;
} types[] = {
	{"RFC 1035 §3.2.2: A", "A", 1, false, false},
	{"RFC 3597 §4: NS is compressed", "NS", 2, true, false},
	{"RFC 3597 §4: SOA is compressed", "SOA", 6, true, false},
	{"RFC 3597 §4: MX is compressed", "MX", 15, true, false},
	{"RFC 3597 §4: SRV is not", "SRV", 33, false, false},
	{"RFC 3597 §4: DNAME is not", "DNAME", 39, false, false},
	{"RFC 6891 §6.1: OPT is no data", "OPT", 41, false, true},
	{"RFC 4034 §4: NSEC", "NSEC", 47, false, false},
	{"RFC 9460 §14.1: SVCB", "SVCB", 64, false, false},
	{"RFC 9460 §14.1: HTTPS", "HTTPS", 65, false, false},
	{"RFC 9824 §7.1: NXNAME is a meta-type", "NXNAME", 128, false, true},
	{"RFC 8945 §4.2: TSIG is a meta-type", "TSIG", 250, false, true},
	{"RFC 1035 §3.2.3: AXFR is a question", "AXFR", 252, false, true},
	{"RFC 8482: ANY is a question", "ANY", 255, false, true},
	{"RFC 7553 §3: URI is data again", "URI", 256, false, false},
	{"RFC 8659 §4.1: CAA", "CAA", 257, false, false},
	{"IANA: the last of the row", "IPN", 264, false, false},
	{"RFC 3597 §5: behind the row", "TYPE265", 265, false, false},
	{"RFC 3597 §5: a gap in the row", "TYPE54", 54, false, false},
	{"RFC 3597 §5: type 0", "TYPE0", 0, false, false},
	{"IANA: TA stands alone", "TA", 32768, false, false},
	{"RFC 4431 §2: DLV", "DLV", 32769, false, false},
	{"RFC 3597 §5: private use", "TYPE65280", 65280, false, false},
	{"RFC 3597 §5: the last", "TYPE65535", 65535, false, false},
};

static void test_types(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		char text[TYPE_TEXT_SIZE];
		uint16_t type = 1;
		CHECK(types[i].why, strcmp(type_text(types[i].type, text), types[i].text) == 0);
		CHECK(types[i].why, type_parse(types[i].text, &type) && type == types[i].type);
		CHECK(types[i].why, type_info(types[i].type)->compress == types[i].compress);
		CHECK(types[i].why, type_is_meta(types[i].type) == types[i].meta);
	}
}

static void test_every_type(void **state)
{
	(void)state;
	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		char text[TYPE_TEXT_SIZE];
		uint16_t back;
		const struct type_info *info = type_info((uint16_t)type);
		unsigned fields = 0;
		while (fields < ARRAY_LEN(info->layout) && info->layout[fields] != RDATA_END)
			fields++;
		type_text((uint16_t)type, text);
		CHECK(text, fields > 0 && fields < ARRAY_LEN(info->layout));
		CHECK(text, type_parse(text, &back) && back == type);
		CHECK(text, !info->name || info->type == type);
		/* What may be compressed by us must be decompressed by us. */
		CHECK(text, !info->compress || info->layout[0] == RDATA_NAME ||
				    info->layout[1] == RDATA_NAME);
	}
}

static const struct {
	const char *why, *text;
	bool ok;
} parses[] = {
	{"any case", "aaaa", true},
	{"RFC 3597 §5: any case", "tYpE1", true},
	{"RFC 3597 §5: no number", "TYPE", false},
	{"RFC 3597 §5: past 65535", "TYPE65536", false},
	{"RFC 3597 §5: far past", "TYPE99999999999", false},
	{"RFC 3597 §5: sign", "TYPE-1", false},
	{"RFC 3597 §5: junk behind", "TYPE1x", false},
	{"nothing", "", false},
	{"no such name", "AAAAA", false},
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(parses); i++) {
		uint16_t type;
		CHECK(parses[i].why, type_parse(parses[i].text, &type) == parses[i].ok);
	}
}

static void test_rcodes(void **state)
{
	(void)state;
	char text[TYPE_TEXT_SIZE];
	assert_string_equal(rcode_text(RCODE_NOERROR, text), "NOERROR");
	assert_string_equal(rcode_text(RCODE_NXDOMAIN, text), "NXDOMAIN");
	assert_string_equal(rcode_text(RCODE_BADVERS, text), "BADVERS");
	assert_string_equal(rcode_text(RCODE_BADCOOKIE, text), "BADCOOKIE");
	assert_string_equal(rcode_text(12, text), "RCODE12");
	assert_string_equal(rcode_text(65535, text), "RCODE65535");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_every_type),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_rcodes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
