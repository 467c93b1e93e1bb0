/*
 * Two bytes of type, then any bytes as RDATA: checking, canonical form, order, typed views and
 * presentation agree with each other. A third part compares it with its own halves.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/cursor.h"
#include "dns/rdata.h"
#include "dns/rrset.h"
#include "dns/text.h"

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void check_views(uint16_t type, struct span rdata)
{
	struct soa_view soa;
	struct rrsig_view rrsig;
	struct ds_view ds;
	struct dnskey_view dnskey;
	struct nsec_view nsec;
	struct nsec3_view nsec3;

	if (rdata_soa(rdata, &soa) == OK)
		REQUIRE(rdata_is_valid(TYPE_SOA, rdata));
	if (rdata_rrsig(rdata, &rrsig) == OK)
		REQUIRE(rdata_is_valid(TYPE_RRSIG, rdata) && dname_len(rrsig.signer) > 0);
	REQUIRE((rdata_ds(rdata, &ds) == OK) == rdata_is_valid(TYPE_DS, rdata));
	REQUIRE((rdata_dnskey(rdata, &dnskey) == OK) == rdata_is_valid(TYPE_DNSKEY, rdata));
	(void)rdata_dnskey_tag(rdata);
	if (rdata_nsec(rdata, &nsec) == OK) {
		REQUIRE(rdata_is_valid(TYPE_NSEC, rdata));
		(void)rdata_bitmap_has(nsec.bitmap, type);
	}
	if (rdata_nsec3(rdata, &nsec3) == OK) {
		REQUIRE(rdata_is_valid(TYPE_NSEC3, rdata));
		(void)rdata_bitmap_has(nsec3.bitmap, type);
	}
	(void)rdata_bitmap_has(rdata, type);
	const uint8_t *name = rdata_name(type, rdata);
	if (name)
		REQUIRE(name >= rdata.at && name + dname_len(name) <= rdata.at + rdata.len);
}

/* The order of RFC 4034 §6.3 by its own words: canonical forms as byte strings. */
static int compare_by_definition(uint16_t type, struct span a, struct span b)
{
	uint8_t *a_form = malloc(a.len + 1), *b_form = malloc(b.len + 1);
	REQUIRE(a_form && b_form);
	rdata_canonical(type, a, a_form);
	rdata_canonical(type, b, b_form);
	int order = memcmp(a_form, b_form, MIN(a.len, b.len));
	if (order == 0)
		order = (a.len > b.len) - (a.len < b.len);
	free(a_form);
	free(b_form);
	return sign(order);
}

static void check_pair(uint16_t type, struct span a, struct span b)
{
	struct arena arena;
	struct rrset set;
	struct span both[] = {a, b};

	REQUIRE(sign(rdata_compare(type, a, b)) == compare_by_definition(type, a, b));
	REQUIRE(sign(rdata_compare(type, b, a)) == -sign(rdata_compare(type, a, b)));
	arena_init(&arena, 1 << 18);
	if (rrset_from_rdatas((const uint8_t *)"", type, 0, both, 2, &arena, &set) == OK) {
		REQUIRE(rrset_is_valid(&set));
		REQUIRE(set.rr_count == (rdata_compare(type, a, b) ? 2 : 1));
	}
	arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(span_of(data, MIN(size, UINT16_MAX)));
	uint16_t type = reader_u16(&r);
	uint8_t first_len = reader_u8(&r);
	size_t left = reader_left(&r);
	struct span a = reader_bytes(&r, MIN(first_len, left));
	struct span b = reader_bytes(&r, reader_left(&r));
	char text[300];

	if (r.failed)
		return 0;
	struct span whole = span_of(a.at, a.len + b.len);
	struct span tries[] = {a, b, whole};
	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		check_views(type, tries[i]);
		(void)text_rdata(type, tries[i], text, sizeof(text));
	}
	if (rdata_is_valid(type, a) && rdata_is_valid(type, b))
		check_pair(type, a, b);
	return 0;
}
