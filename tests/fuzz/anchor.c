/*
 * The first byte chooses: a state's text, a configured record, or a life of RFC 5011 in which the
 * bytes say which keys are seen and how time goes.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "dns/rdata.h"
#include "dnssec/anchor.h"

enum { SEEN_MAX = 12, LIVES_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What we write we can read, and it says the same. */
static void check_text(const struct anchor *a)
{
	char *text = malloc(2 * ANCHOR_TEXT_MAX);
	struct anchor *copy = calloc(1, sizeof(*copy));
	size_t len, again;
	REQUIRE(text && copy);
	REQUIRE(anchor_write(a, text, ANCHOR_TEXT_MAX, &len) == OK);
	REQUIRE(anchor_read(text, len, copy) == OK);
	REQUIRE(anchor_write(copy, text + ANCHOR_TEXT_MAX, ANCHOR_TEXT_MAX, &again) == OK);
	REQUIRE(span_equal(span_of(text, len), span_of(text + ANCHOR_TEXT_MAX, again)));
	free(copy);
	free(text);
}

static void fuzz_text(struct span bytes)
{
	struct anchor *a = calloc(1, sizeof(*a));
	REQUIRE(a);
	if (anchor_read((const char *)bytes.at, bytes.len, a) == OK)
		check_text(a);
	free(a);
}

static void fuzz_record(struct span bytes)
{
	struct anchor *a = calloc(1, sizeof(*a));
	char *text = calloc(1, bytes.len + 1);
	REQUIRE(a && text);
	memcpy(text, bytes.at, bytes.len);
	if (anchor_add_text(a, text) == OK) {
		REQUIRE(a->key_count == 1);
		REQUIRE(anchor_add_text(a, text) == OK && a->key_count == 1);
		check_text(a);
	}
	free(text);
	free(a);
}

/* Records in canonical order, as rrset_gather() leaves them. */
static size_t pack_keys(struct reader *r, uint8_t *out, bool *self_signed, uint16_t *count)
{
	size_t at = 0;
	unsigned seen = reader_u16(r); /* a bit per key */
	uint16_t revoked = reader_u16(r), flags = reader_u16(r);
	*count = 0;
	for (uint8_t i = 0; i < SEEN_MAX; i++) {
		if (!(seen >> i & 1))
			continue;
		uint8_t rdata[] = {1, 1, 3, 15, i, 2, 3, 4, 5, 6, 7, 8};
		uint16_t len = sizeof(rdata);
		if (revoked >> i & 1)
			rdata[1] |= DNSKEY_REVOKE;
		if (flags >> i & 1)
			rdata[1] &= (uint8_t)~DNSKEY_SEP;
		memcpy(out + at, &len, sizeof(len));
		memcpy(out + at + sizeof(len), rdata, len);
		at += sizeof(len) + len;
		self_signed[(*count)++] = seen >> 12 & 1 || i % 2;
	}
	return at;
}

static void fuzz_life(struct reader *r)
{
	static const uint8_t root[] = {0};
	static const uint8_t own[] = {1, 1, 3, 15, 0, 2, 3, 4, 5, 6, 7, 8};
	struct anchor *a = calloc(1, sizeof(*a));
	REQUIRE(a);
	a->managed = true;
	a->key_count = 1;
	a->keys[0].state = ANCHOR_VALID;
	a->keys[0].rdata_len = sizeof(own);
	memcpy(a->keys[0].rdata, own, sizeof(own));
	int64_t now_s = 1700000000;
	for (unsigned i = 0; i < LIVES_MAX && reader_left(r) > 0; i++) {
		uint8_t packed[SEEN_MAX * 16];
		bool self_signed[SEEN_MAX];
		struct rrset set = {.owner = root, .type = TYPE_DNSKEY, .rclass = CLASS_IN};
		size_t len = pack_keys(r, packed, self_signed, &set.rr_count);
		set.rdata = span_of(packed, len);
		now_s += (int64_t)reader_u16(r) * 3600;
		anchor_observe(a, &set, self_signed, now_s);
		REQUIRE(a->key_count <= ANCHOR_KEYS_MAX);
		REQUIRE(!anchor_observe(a, &set, self_signed, now_s));
		uint16_t tags[ANCHOR_KEYS_MAX];
		REQUIRE(anchor_tags(a, tags, ANCHOR_KEYS_MAX) <= a->key_count);
		check_text(a);
	}
	free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct span rest = span_of(data + 1, size - 1);
	struct reader r = reader_of(rest);
	switch (data[0] % 3) {
	case 0:
		fuzz_text(rest);
		break;
	case 1:
		fuzz_record(rest);
		break;
	case 2:
		fuzz_life(&r);
		break;
	}
	return 0;
}
