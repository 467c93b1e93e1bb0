/*
 * Any bytes as two names, on the wire and as text: parsing and printing undo each other, and all
 * the ways to compare agree.
 */
#include <stdlib.h>

#include "base/require.h"
#include "dns/dname.h"

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void check_text(struct span input)
{
	char text[DNAME_TEXT_MAX];
	char *copy = malloc(input.len + 1);
	uint8_t parsed[DNAME_MAX], again[DNAME_MAX];
	size_t len, again_len;

	REQUIRE(copy);
	if (input.len > 0)
		memcpy(copy, input.at, input.len);
	copy[input.len] = '\0';
	if (dname_parse(copy, parsed, &len) == OK) {
		REQUIRE(len == dname_len(parsed));
		REQUIRE(dname_parse(dname_text(parsed, text), again, &again_len) == OK);
		REQUIRE(span_equal(span_of(parsed, len), span_of(again, again_len)));
	}
	free(copy);
}

static void check_one(const uint8_t *name, size_t len)
{
	char text[DNAME_TEXT_MAX];
	uint8_t lower[DNAME_MAX], parsed[DNAME_MAX], out[DNAME_MAX];
	size_t parsed_len;

	REQUIRE(len == dname_len(name) && dname_label_count(name) <= DNAME_LABELS_MAX);
	REQUIRE(dname_parse(dname_text(name, text), parsed, &parsed_len) == OK);
	REQUIRE(span_equal(span_of(name, len), span_of(parsed, parsed_len)));
	REQUIRE(dname_lower(name, lower) == len && dname_equal(name, lower));
	REQUIRE(dname_skip(name, dname_label_count(name))[0] == 0);
	if (dname_wildcard(name, out) == OK)
		REQUIRE(dname_is_wildcard(out) && dname_is_below(out, name));
}

static void check_two(const uint8_t *a, const uint8_t *b)
{
	uint8_t a_key[DNAME_KEY_MAX], b_key[DNAME_KEY_MAX], out[DNAME_MAX];
	size_t a_len = dname_key(a, a_key), b_len = dname_key(b, b_key);
	int order = sign(dname_compare(a, b));
	unsigned common = dname_common_labels(a, b);

	REQUIRE(order == -sign(dname_compare(b, a)));
	REQUIRE((order == 0) == dname_equal(a, b));
	int key_order = sign(memcmp(a_key, b_key, MIN(a_len, b_len)));
	REQUIRE(order == (key_order ? key_order : (a_len > b_len) - (a_len < b_len)));

	bool within = dname_is_within(a, b);
	REQUIRE(within == (common == dname_label_count(b)));
	REQUIRE(within == (a_len >= b_len && memcmp(a_key, b_key, b_len) == 0));
	REQUIRE(dname_is_below(a, b) == (within && order != 0));
	REQUIRE(dname_equal(dname_skip(a, dname_label_count(a) - common),
			    dname_skip(b, dname_label_count(b) - common)));
	if (dname_is_below(a, b)) {
		REQUIRE(dname_replace_suffix(a, b, b, out) == OK);
		REQUIRE(dname_equal(a, out));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t a_len, b_len;

	check_text(span_of(data, size));
	if (dname_view(span_of(data, size), &a_len) != OK)
		return 0;
	check_one(data, a_len);
	check_two(data, data);
	if (dname_view(span_of(data + a_len, size - a_len), &b_len) != OK)
		return 0;
	check_one(data + a_len, b_len);
	check_two(data, data + a_len);
	return 0;
}
