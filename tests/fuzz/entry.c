/*
 * Any bytes as a record from disk: what entry_is_valid() lets pass can be looked at from all sides
 * without leaving it, says the same when it is made again from its parts, and goes through the
 * memory tier unchanged.
 */
#include <stdlib.h>

#include "cache/cache.h"
#include "cache/delegation.h"

enum { ARENA_CAP = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte of S is read, so that the sanitizer sees those that are not ours. */
static unsigned read_all(struct span s)
{
	unsigned sum = 0;
	for (size_t i = 0; i < s.len; i++)
		sum += s.at[i];
	return sum;
}

static void check_rrset(const struct entry *e)
{
	struct rrset set;
	struct span rdata;
	unsigned count = 0;
	entry_rrset(e, &set);
	REQUIRE(rrset_is_valid(&set));
	for (struct rrset_iter it = rrset_records(&set); rrset_next(&it, &rdata); count++)
		read_all(rdata);
	REQUIRE(count == e->rr_count);
	for (struct rrset_iter it = rrset_sigs(&set); rrset_next(&it, &rdata); count++)
		read_all(rdata);
	REQUIRE(count == (unsigned)e->rr_count + e->sig_count);
	REQUIRE(set.rdata.len + set.sigs.len == entry_payload(e).len);
}

static void check_answer(const struct entry *e)
{
	struct answer_view v;
	REQUIRE(entry_answer(e, &v) == OK);
	read_all(v.body);
	for (size_t i = 0; i < v.ttl_count; i++) {
		uint16_t offset;
		memcpy(&offset, v.ttl_offsets + i * sizeof(offset), sizeof(offset));
		REQUIRE(offset + sizeof(uint32_t) <= v.body.len);
	}
	REQUIRE(v.rotate_offset + (size_t)v.rotate_count * v.rotate_size <= v.body.len);
	REQUIRE(v.rotate_count == 0 || v.rotate_size >= 1 + 10 + 4); /* root, fixed part, address */
}

static void check_delegation(const struct entry *e)
{
	struct delegation d;
	struct arena arena;
	struct span packed;
	REQUIRE(delegation_unpack(entry_payload(e), &d) == OK && d.count > 0);
	arena_init(&arena, ARENA_CAP);
	REQUIRE(delegation_pack(&d, &arena, &packed) == OK);
	REQUIRE(span_equal(packed, entry_payload(e)));
	arena_deinit(&arena);
}

static void check_payload(const struct entry *e)
{
	switch ((enum entry_kind)e->kind) {
	case ENTRY_RRSET:
		check_rrset(e);
		break;
	case ENTRY_ANSWER:
	case ENTRY_ANSWER_DO:
		check_answer(e);
		break;
	case ENTRY_DELEGATION:
		check_delegation(e);
		break;
	case ENTRY_FAILURE:
	case ENTRY_KIND_COUNT:
		break;
	}
}

static bool same_knowledge(const struct entry *a, const struct entry *b)
{
	return a->size_bytes == b->size_bytes && a->ttl_s == b->ttl_s && a->type == b->type &&
	       a->kind == b->kind && a->rank == b->rank && a->verdict == b->verdict &&
	       a->expires_ms == b->expires_ms && a->name_len == b->name_len &&
	       memcmp(a->bytes, b->bytes, a->size_bytes - ENTRY_HEADER_SIZE) == 0;
}

static void check_remade(const struct entry *e)
{
	char text[UINT8_MAX + 1] = "";
	struct span words = entry_text(e);
	if (words.len > 0)
		memcpy(text, words.at, words.len);
	if (strlen(text) != words.len)
		return; /* a zero inside, which no C string can hold */
	struct entry_parts parts = {
		.kind = e->kind,
		.name = entry_name(e),
		.type = e->type,
		.ttl_s = e->ttl_s,
		.fetched_ms = entry_fetched_ms(e),
		.rank = e->rank,
		.verdict = e->verdict,
		.text = text,
		.rr_count = e->rr_count,
		.sig_count = e->sig_count,
		.payload = {entry_payload(e)},
	};
	REQUIRE(entry_size(&parts) == e->size_bytes);
	struct entry *again = malloc(e->size_bytes);
	REQUIRE(again);
	REQUIRE(same_knowledge(entry_make(&parts, again), e));
	free(again);
}

static void check_cached(const struct entry *e)
{
	struct cache *c;
	struct cache_reader *r;
	struct cache_settings settings = {.memory_bytes = CACHE_MEMORY_MIN};
	struct now now = {.cache_ms = entry_fetched_ms(e)};
	REQUIRE(cache_new(&settings, &c) == OK);
	REQUIRE(cache_reader_new(c, &r) == OK);
	enum err err = cache_put(c, e, now);
	REQUIRE(err == OK || err == ERR_LIMIT);
	const struct entry *found = cache_find(r, e->kind, entry_name(e), e->name_len, e->type);
	REQUIRE((found != NULL) == (err == OK));
	REQUIRE(!found || same_knowledge(found, e));
	cache_reader_free(r);
	cache_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < ENTRY_HEADER_SIZE || size > ENTRY_MAX)
		return 0;
	struct entry *e = malloc(size);
	REQUIRE(e);
	memcpy(e, data, size);
	if (e->size_bytes != size)
		REQUIRE(!entry_is_valid(e, size));
	e->size_bytes = (uint32_t)size; /* a fuzzer need not find this out */
	if (entry_is_valid(e, size)) {
		read_all(span_of(entry_name(e), e->name_len));
		check_payload(e);
		check_remade(e);
		check_cached(e);
	}
	free(e);
	return 0;
}
