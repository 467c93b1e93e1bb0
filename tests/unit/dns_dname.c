#include "unit/base_unit.h"

#include "base/rng.h"
#include "dns/dname.h"

#define LABEL_63 "123456789012345678901234567890123456789012345678901234567890123"
#define LABEL_61 "1234567890123456789012345678901234567890123456789012345678901"

/* WIRE in hex, NULL: refused; TEXT back, NULL: as it was. */
static const struct {
	const char *why, *text, *wire, *back;
} parses[] = {
	{"RFC 1035 §3.1: the root", ".", "00", NULL},
	{"RFC 1035 §3.1: labels and the root", "a.bc.", "01 61 02 6263 00", NULL},
	{"taken as absolute", "a.bc", "01 61 02 6263 00", "a.bc."},
	{"RFC 4343 §4: case is kept", "aBC.", "03 614243 00", NULL},
	{"RFC 1035 §5.1: escaped dot", "a\\.b.", "03 612e62 00", NULL},
	{"RFC 1035 §5.1: escaped backslash", "\\\\.", "01 5c 00", NULL},
	{"RFC 1035 §5.1: decimal escape", "\\000\\255.", "02 00ff 00", NULL},
	{"RFC 4343 §2.1: needless escapes", "\\097\\b.", "02 6162 00", "ab."},
	{"an escaped blank", "a\\ b.", "03 612062 00", "a\\032b."},
	{"RFC 1035 §5.1: special to zone files", "\\@\\;\\(\\\"\\$.", "05 403b282224 00", NULL},
	{"RFC 8552: underscore", "_sip._udp.", "04 5f736970 04 5f756470 00", NULL},
	{"bytes past ASCII", "\xc3\xa4.", "02 c3a4 00", "\\195\\164."},
	{"nothing", "", NULL, NULL},
	{"RFC 1035 §3.1: empty label in front", ".a", NULL, NULL},
	{"RFC 1035 §3.1: empty label between", "a..b", NULL, NULL},
	{"RFC 1035 §3.1: empty label at the end", "a..", NULL, NULL},
	{"two dots", "..", NULL, NULL},
	{"escape of nothing", "a\\", NULL, NULL},
	{"decimal escape cut short", "\\12", NULL, NULL},
	{"decimal escape with a letter", "\\12x.", NULL, NULL},
	{"decimal escape past 255", "\\256.", NULL, NULL},
	{"a bare blank", "a b.", NULL, NULL},
	{"a line break", "a\n", NULL, NULL},
	{"RFC 1035 §2.3.4: label of 64", LABEL_63 "4.", NULL, NULL},
	{"RFC 1035 §2.3.4: name of 256", LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_61 "2.", NULL,
	 NULL},
	{"RFC 1035 §2.3.4: name of 257 by a short label",
	 LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_61 ".a.", NULL, NULL},
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(parses); i++) {
		uint8_t out[DNAME_MAX], want[DNAME_MAX];
		char text[DNAME_TEXT_MAX];
		size_t len;
		enum err err = dname_parse(parses[i].text, out, &len);
		CHECK(parses[i].why, err == (parses[i].wire ? OK : ERR_MALFORMED));
		if (!parses[i].wire)
			continue;
		size_t want_len = unit_unhex(parses[i].wire, want, sizeof(want));
		CHECK(parses[i].why, span_equal(span_of(out, len), span_of(want, want_len)));
		const char *back = parses[i].back ? parses[i].back : parses[i].text;
		CHECK(parses[i].why, strcmp(dname_text(out, text), back) == 0);
	}
}

static void test_longest_names(void **state)
{
	(void)state;
	uint8_t out[DNAME_MAX], many[DNAME_MAX];
	char text[DNAME_TEXT_MAX];
	size_t len;

	/* RFC 1035 §2.3.4: 255 bytes, with the length bytes and the root. */
	assert_int_equal(dname_parse(LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_61, out, &len),
			 OK);
	assert_int_equal(len, DNAME_MAX);
	assert_int_equal(dname_wildcard(out, many), ERR_NO_SPACE);

	/* The longest text: every byte of content needs four characters. */
	for (size_t i = 0; i < DNAME_MAX; i++) {
		if (i % 64 != 0)
			out[i] = 0x80;
	}
	out[254] = 0;
	assert_int_equal(strlen(dname_text(out, text)), 250 * 4 + 4);
	assert_int_equal(dname_parse(text, many, &len), OK);
	assert_memory_equal(out, many, DNAME_MAX);

	/* The most labels. */
	for (size_t i = 0; i < 254; i++)
		many[i] = i % 2 ? 'a' : 1;
	many[254] = 0;
	assert_int_equal(dname_label_count(many), DNAME_LABELS_MAX);
	assert_int_equal(dname_compare(many, many), 0);
	assert_int_equal(dname_common_labels(many, many), DNAME_LABELS_MAX);
}

static const struct {
	const char *why, *wire;
	int len; /* 0: refused */
} views[] = {
	{"RFC 1035 §3.1: the root", "00", 1},
	{"what follows is left alone", "01 61 00 c00c", 3},
	{"no root label", "01 61", 0},
	{"label cut short", "03 6161", 0},
	{"nothing", "", 0},
	{"RFC 1035 §4.1.4: a pointer", "01 61 c000", 0},
	{"RFC 6891 §5: extended label type", "41 00", 0},
	{"reserved label type", "80 00", 0},
};

static void test_view(void **state)
{
	(void)state;
	struct unit_guard g = unit_guard_new(512);
	for (size_t i = 0; i < ARRAY_LEN(views); i++) {
		uint8_t bytes[64];
		size_t len = 0;
		size_t size = unit_unhex(views[i].wire, bytes, sizeof(bytes));
		enum err err = dname_view(unit_guard_put(&g, span_of(bytes, size)), &len);
		CHECK(views[i].why, err == (views[i].len ? OK : ERR_MALFORMED));
		CHECK(views[i].why, len == (size_t)views[i].len);
	}
	uint8_t long_name[257] = {0};
	size_t len;
	for (size_t i = 0; i < 256; i += 2)
		long_name[i] = 1;
	assert_int_equal(dname_view(span_of(long_name, 257), &len), ERR_MALFORMED);
	long_name[254] = 0;
	assert_int_equal(dname_view(span_of(long_name, 257), &len), OK);
	assert_int_equal(len, 255);
	unit_guard_free(&g);
}

static const uint8_t *name(const char *text, uint8_t *out)
{
	size_t len;
	REQUIRE(dname_parse(text, out, &len) == OK);
	return out;
}

/* RFC 4034 §6.1's own example, in order. */
static const char *const rfc4034_order[] = {
	"example.",	    "a.example.",      "yljkjljk.a.example.",
	"Z.a.example.",	    "zABC.a.EXAMPLE.", "z.example.",
	"\\001.z.example.", "*.z.example.",    "\\200.z.example.",
};

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static int key_compare(const uint8_t *a, const uint8_t *b)
{
	uint8_t a_key[DNAME_KEY_MAX], b_key[DNAME_KEY_MAX];
	size_t a_len = dname_key(a, a_key), b_len = dname_key(b, b_key);
	int order = memcmp(a_key, b_key, MIN(a_len, b_len));
	return sign(order ? order : (int)a_len - (int)b_len);
}

static void test_rfc4034_order(void **state)
{
	(void)state;
	for (int i = 0; i < (int)ARRAY_LEN(rfc4034_order); i++) {
		for (int j = 0; j < (int)ARRAY_LEN(rfc4034_order); j++) {
			uint8_t a[DNAME_MAX], b[DNAME_MAX];
			name(rfc4034_order[i], a);
			name(rfc4034_order[j], b);
			CHECK(rfc4034_order[i], sign(dname_compare(a, b)) == sign(i - j));
			CHECK(rfc4034_order[i], key_compare(a, b) == sign(i - j));
		}
	}
}

static const struct {
	const char *why, *a, *b;
	int order;
	unsigned common;
	bool a_within_b;
} pairs[] = {
	{"RFC 4034 §6.1: parent sorts first", "example.", "a.example.", -1, 1, false},
	{"RFC 4343 §3: case is folded", "Z.example.", "z.EXAMPLE.", 0, 2, true},
	{"RFC 4343 §3: only ASCII is folded", "\\192.", "\\224.", -1, 0, false},
	{"RFC 4343 §3: brackets are no letters", "\\[.", "\\{.", -1, 0, false},
	{"the root comes first of all", ".", "\\000.", -1, 0, false},
	{"everything is within the root", "a.", ".", 1, 0, true},
	{"the root is within itself", ".", ".", 0, 0, true},
	{"RFC 4034 §6.1: absent byte before zero", "a.", "a\\000.", -1, 0, false},
	{"shorter label first", "a.", "aa.", -1, 0, false},
	{"labels decide, not bytes of the text", "a\\.b.example.", "b.example.", -1, 1, false},
	{"a dot inside a label is no boundary", "x\\.example.", "example.", 1, 0, false},
	{"tail that is not at a label", "notexample.", "example.", 1, 0, false},
	{"tail bytes inside a label", "\\007example.", "example.", -1, 0, false},
	{"sibling", "a.example.", "b.example.", -1, 1, false},
	{"deep child", "a.b.c.D.example.", "d.Example.", 1, 2, true},
};

static void test_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		uint8_t a[DNAME_MAX], b[DNAME_MAX];
		name(pairs[i].a, a);
		name(pairs[i].b, b);
		CHECK(pairs[i].why, sign(dname_compare(a, b)) == pairs[i].order);
		CHECK(pairs[i].why, sign(dname_compare(b, a)) == -pairs[i].order);
		CHECK(pairs[i].why, key_compare(a, b) == pairs[i].order);
		CHECK(pairs[i].why, dname_equal(a, b) == (pairs[i].order == 0));
		CHECK(pairs[i].why, dname_common_labels(a, b) == pairs[i].common);
		CHECK(pairs[i].why, dname_is_within(a, b) == pairs[i].a_within_b);
		CHECK(pairs[i].why,
		      dname_is_below(a, b) == (pairs[i].a_within_b && pairs[i].order != 0));
	}
}

static const struct {
	const char *why, *name, *old, *new_suffix, *want;
	enum err err;
} suffixes[] = {
	{"RFC 6672 §2.2: a row of its table", "foo.example.com.", "example.com.", "example.net.",
	 "foo.example.net.", OK},
	{"RFC 6672 §2.2: case of the prefix stays", "a.X.example.com.", "EXAMPLE.com.", "net.",
	 "a.X.net.", OK},
	{"RFC 6672 §2.2: to the root", "a.b.com.", "b.com.", ".", "a.", OK},
	{"RFC 6672 §2.2: from the root", "a.", ".", "b.", "a.b.", OK},
	{"RFC 6672 §2.3: the owner itself is not redirected", "com.", "com.", "net.", NULL,
	 ERR_NOT_FOUND},
	{"not below", "a.org.", "com.", "net.", NULL, ERR_NOT_FOUND},
	{"RFC 6672 §2.2: too long is YXDOMAIN", LABEL_63 "." LABEL_63 ".x.", "x.",
	 LABEL_63 "." LABEL_63 ".", NULL, ERR_NO_SPACE},
	{"RFC 6672 §2.2: just not too long", LABEL_63 "." LABEL_61 ".x.", "x.",
	 LABEL_63 "." LABEL_63 ".", LABEL_63 "." LABEL_61 "." LABEL_63 "." LABEL_63 ".", OK},
};

static void test_replace_suffix(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		uint8_t from[DNAME_MAX], old[DNAME_MAX], to[DNAME_MAX], out[DNAME_MAX];
		char text[DNAME_TEXT_MAX];
		enum err err = dname_replace_suffix(name(suffixes[i].name, from),
						    name(suffixes[i].old, old),
						    name(suffixes[i].new_suffix, to), out);
		CHECK(suffixes[i].why, err == suffixes[i].err);
		if (!err)
			CHECK(suffixes[i].why,
			      strcmp(dname_text(out, text), suffixes[i].want) == 0);
	}
}

static void test_parts(void **state)
{
	(void)state;
	uint8_t a[DNAME_MAX], out[DNAME_MAX];
	char text[DNAME_TEXT_MAX];

	name("WWW.Example.COM.", a);
	assert_int_equal(dname_label_count(a), 3);
	assert_string_equal(dname_text(dname_skip(a, 1), text), "Example.COM.");
	assert_string_equal(dname_text(dname_skip(a, 3), text), ".");
	assert_int_equal(dname_lower(a, out), 17);
	assert_string_equal(dname_text(out, text), "www.example.com.");
	assert_int_equal(dname_copy(a, out), 17);
	assert_memory_equal(a, out, 17);
	assert_int_equal(dname_lower(a, a), 17); /* in place */
	assert_string_equal(dname_text(a, text), "www.example.com.");
	assert_int_equal(dname_wildcard(a, out), OK);
	assert_string_equal(dname_text(out, text), "*.www.example.com.");
	assert_true(dname_is_wildcard(out));
	/* RFC 4592 §2.1.1: only a label that is a lone asterisk. */
	assert_false(dname_is_wildcard(name("**.example.", a)));
	assert_false(dname_is_wildcard(name("a.*.example.", a)));
}

/* Few letters and short labels, so that names meet; sometimes anything. */
static void random_name(struct rng *rng, uint8_t out[static DNAME_MAX])
{
	static const uint8_t letters[] = {'a', 'A', 'b', 'B', 0, 1, 0xff, '[', '{', '@'};
	unsigned labels = rng_below(rng, 5);
	uint8_t *at = out;
	for (unsigned i = 0; i < labels; i++) {
		uint8_t len = (uint8_t)(1 + rng_below(rng, rng_below(rng, 10) ? 3 : 60));
		*at++ = len;
		for (unsigned j = 0; j < len; j++)
			*at++ = letters[rng_below(rng, rng_below(rng, 2) ? 2 : sizeof(letters))];
	}
	*at = 0;
}

static void test_random_names(void **state)
{
	(void)state;
	struct unit_guard a_page = unit_guard_new(DNAME_MAX), b_page = unit_guard_new(DNAME_MAX);
	struct rng rng;

	rng_init_seeded(&rng, 11);
	for (unsigned i = 0; i < 100000; i++) {
		uint8_t one[DNAME_MAX], two[DNAME_MAX], out[DNAME_MAX];
		char text[DNAME_TEXT_MAX];
		size_t len;
		random_name(&rng, one);
		random_name(&rng, two);
		const uint8_t *a = unit_guard_put(&a_page, span_of(one, dname_len(one))).at;
		const uint8_t *b = unit_guard_put(&b_page, span_of(two, dname_len(two))).at;

		assert_int_equal(dname_parse(dname_text(a, text), out, &len), OK);
		assert_true(span_equal(span_of(out, len), span_of(a, dname_len(a))));
		int order = sign(dname_compare(a, b));
		assert_int_equal(order, -sign(dname_compare(b, a)));
		assert_int_equal(order, key_compare(a, b));
		assert_int_equal(dname_equal(a, b), order == 0);
		assert_int_equal(dname_is_within(a, b),
				 dname_common_labels(a, b) == dname_label_count(b));
		dname_lower(a, out);
		assert_true(dname_equal(a, out));
	}
	unit_guard_free(&a_page);
	unit_guard_free(&b_page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse), cmocka_unit_test(test_longest_names),
		cmocka_unit_test(test_view),  cmocka_unit_test(test_rfc4034_order),
		cmocka_unit_test(test_pairs), cmocka_unit_test(test_replace_suffix),
		cmocka_unit_test(test_parts), cmocka_unit_test(test_random_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
