#include "unit/base_unit.h"

#include <stdio.h>

#include "base/arena.h"
#include "dns/text.h"
#include "dns/types.h"

enum { CAP = 1 << 20 };

static const struct {
	const char *why, *line, *owner;
	uint16_t type;
	uint32_t ttl_s;
	const char *rdata; /* hex; NULL: refused */
} records[] = {
	{"RFC 1035 §5.1: TTL, class, type", "www.example. 300 IN A 192.0.2.1", "www.example.",
	 TYPE_A, 300, "c0000201"},
	{"RFC 1035 §5.1: class left out", "www.example. 5 A 192.0.2.1", "www.example.", TYPE_A, 5,
	 "c0000201"},
	{"RFC 1035 §5.1: TTL left out", "www.example. A 192.0.2.1", "www.example.", TYPE_A, 3600,
	 "c0000201"},
	{"relative names are absolute", "www 5 CNAME a", "www.", TYPE_CNAME, 5, "0161 00"},
	{"case is kept", "Www. 5 CNAME A.", "Www.", TYPE_CNAME, 5, "0141 00"},
	{"the root's anchor",
	 ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D", ".",
	 TYPE_DS, 3600,
	 "4f66 08 02 e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d"},
	{"RFC 3597 §5: unknown type", "a. 5 TYPE65280 \\# 3 c0ffee", "a.", 65280, 5, "c0ffee"},
	{"RFC 3597 §5: known type, generic form", "a. 5 A \\# 4 c0000201", "a.", TYPE_A, 5,
	 "c0000201"},
	{"RFC 1035 §5.1: quoted string", "a. 5 TXT \"a b\" c", "a.", TYPE_TXT, 5, "03612062 0163"},
	{"RFC 3596 §2.2", "a. 5 AAAA 2001:db8::1", "a.", TYPE_AAAA, 5,
	 "20010db8000000000000000000000001"},
	{"no data", "a. 5 A", NULL, 0, 0, NULL},
	{"no address", "a. 5 A 192.0.2", NULL, 0, 0, NULL},
	{"no such type", "a. 5 NOSUCH x", NULL, 0, 0, NULL},
	{"RFC 3597 §5: known type of a wrong length", "a. 5 A \\# 3 c00002", NULL, 0, 0, NULL},
	{"nothing", "", NULL, 0, 0, NULL},
	{"a comment", "; nothing", NULL, 0, 0, NULL},
};

static void test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		struct arena arena;
		struct text_record r;
		char text[DNAME_TEXT_MAX];
		uint8_t want[128];
		arena_init(&arena, CAP);
		enum err err = text_parse_record(records[i].line, &arena, &r);
		CHECK(records[i].why, err == (records[i].rdata ? OK : ERR_MALFORMED));
		if (!err) {
			size_t len = unit_unhex(records[i].rdata, want, sizeof(want));
			CHECK(records[i].why,
			      strcmp(dname_text(r.owner, text), records[i].owner) == 0);
			CHECK(records[i].why, r.type == records[i].type && r.rclass == CLASS_IN);
			CHECK(records[i].why, r.ttl_s == records[i].ttl_s);
			CHECK(records[i].why, span_equal(r.rdata, span_of(want, len)));
		}
		arena_deinit(&arena);
	}
}

static const struct {
	const char *why, *type, *text;
} presentations[] = {
	{"RFC 1035 §3.4.1", "A", "192.0.2.1"},
	{"RFC 3596 §2.4", "AAAA", "2001:db8::1"},
	{"RFC 1035 §3.3.9", "MX", "10 Mail.example."},
	{"RFC 1035 §3.3.13", "SOA", "ns. host. 1 2 3 4 5"},
	{"RFC 1035 §3.3.14", "TXT", "\"a b\" \"c\""},
	{"RFC 2782", "SRV", "1 2 53 ns.example."},
	{"RFC 4034 §4.2", "NSEC", "a.example. A RRSIG NSEC"},
	{"RFC 3597 §5", "TYPE65280", "\\# 3 c0ffee"},
	{"RFC 4034 §5.3", "DS",
	 "20326 8 2 e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d"},
};

static void test_presentation_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(presentations); i++) {
		struct arena arena;
		struct text_record r;
		char line[300], text[300];
		arena_init(&arena, CAP);
		snprintf(line, sizeof(line), "a. 5 IN %s %s", presentations[i].type,
			 presentations[i].text);
		CHECK(presentations[i].why, text_parse_record(line, &arena, &r) == OK);
		text_rdata(r.type, r.rdata, text, sizeof(text));
		/* ldns may pad; what counts is that it reads back. */
		size_t len = strlen(text);
		while (len > 0 && text[len - 1] == ' ')
			text[--len] = '\0';
		CHECK(presentations[i].why, strcmp(text, presentations[i].text) == 0);
		arena_deinit(&arena);
	}
}

static void test_presentation_of_anything(void **state)
{
	(void)state;
	char text[12];
	/* Not TYPE's layout: generic form, cut where the room ends. */
	assert_string_equal(text_rdata(TYPE_A, span_of("\xc0", 1), text, sizeof(text)), "\\# 1 c0");
	assert_string_equal(text_rdata(TYPE_A, (struct span){0}, text, sizeof(text)), "\\# 0");
	assert_string_equal(text_rdata(65280, span_of("abcdefgh", 8), text, sizeof(text)),
			    "\\# 8 616...");
	assert_string_equal(
		text_rdata(TYPE_AAAA, span_of("0123456789abcdef", 16), text, sizeof(text)),
		"3031:323...");
}

struct seen {
	unsigned count, stop_at;
	uint16_t last_type;
};

static enum err see(void *context, const struct text_record *record)
{
	struct seen *s = context;
	s->last_type = record->type;
	return ++s->count == s->stop_at ? ERR_DENIED : OK;
}

static const struct {
	const char *why, *zone;
	enum err err;
	unsigned count;
	int line; /* of the error; 0: any */
} zones[] = {
	{"nothing", "", OK, 0, 0},
	{"comments and blank lines", "; hints\n\n   \n; end\n", OK, 0, 0},
	{"RFC 1035 §5.1: one a line", ". 5 NS a.\na. 5 A 192.0.2.1\na. 5 AAAA ::1\n", OK, 3, 0},
	{"no line break at the end", ". 5 NS a.\na. 5 A 192.0.2.1", OK, 2, 0},
	{"RFC 1035 §5.1: $ORIGIN and relative names", "$ORIGIN example.\nwww 5 A 192.0.2.1\n", OK,
	 1, 0},
	{"RFC 2308 §4: $TTL", "$TTL 60\na. A 192.0.2.1\n", OK, 1, 0},
	{"RFC 1035 §5.1: parentheses", "a. 5 SOA b. c. ( 1 2 3\n 4 5 ) ; end\na. 5 A 192.0.2.1\n",
	 OK, 2, 0},
	{"RFC 1035 §5.1: the last owner again", "a. 5 A 192.0.2.1\n  5 A 192.0.2.2\n", OK, 2, 0},
	{"a broken record", ". 5 NS a.\na. 5 A 192.0.2\n", ERR_MALFORMED, 1, 2},
	{"files are named in the configuration only", "$INCLUDE /etc/passwd\n", ERR_MALFORMED, 0,
	 0},
};

static void test_zones(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		struct seen s = {0};
		int line;
		CHECK(zones[i].why,
		      text_read_zone_text(zones[i].zone, see, &s, &line) == zones[i].err);
		CHECK(zones[i].why, s.count == zones[i].count);
		if (zones[i].line)
			CHECK(zones[i].why, line >= zones[i].line && line <= zones[i].line + 1);
	}
}

static void test_zone_stops_when_told(void **state)
{
	(void)state;
	struct seen s = {.stop_at = 2};
	int line;
	assert_int_equal(
		text_read_zone_text(". 5 NS a.\na. 5 A 192.0.2.1\na. 5 AAAA ::1\n", see, &s, &line),
		ERR_DENIED);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.last_type, TYPE_A);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_presentation_and_back),
		cmocka_unit_test(test_presentation_of_anything),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_zone_stops_when_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
