#pragma once
/*
 * What the tests of cache/ share: a point in time, names from text, and small entries.
 */
#include "unit/base_unit.h"

#include "base/rng.h"
#include "cache/entry.h"
#include "dns/dname.h"

static const int64_t unit_start_ms = INT64_C(1700000000000);

static inline struct now unit_now(int64_t after_ms)
{
	int64_t ms = unit_start_ms + after_ms;
	return (struct now){.mono_us = (uint64_t)ms * 1000, .cache_ms = ms, .unix_s = ms / 1000};
}

struct unit_name {
	uint8_t wire[DNAME_MAX];
	size_t len;
};

static inline struct unit_name unit_name(const char *text)
{
	struct unit_name name;
	REQUIRE(dname_parse(text, name.wire, &name.len) == OK);
	return name;
}

struct unit_entry {
	_Alignas(8) uint8_t bytes[4096];
};

/* An RRset of one record, whose payload is still to come, from NOW on. */
static inline struct entry_parts unit_parts(const uint8_t *name, uint16_t type, uint32_t ttl_s,
					    struct now now)
{
	return (struct entry_parts){
		.kind = ENTRY_RRSET,
		.name = name,
		.type = type,
		.ttl_s = ttl_s,
		.fetched_ms = now.cache_ms,
		.rank = RANK_ANSWER,
		.verdict = VERDICT_INSECURE,
		.ede = EDE_NONE,
		.rr_count = 1,
	};
}

/* An RRset of one TXT record with CONTENT_LEN bytes (up to 255), TTL in seconds from NOW on. */
static inline struct entry *unit_entry(struct unit_entry *e, const uint8_t *name, uint16_t type,
				       size_t content_len, uint32_t ttl_s, struct now now)
{
	uint8_t rdata[2 + 1 + 255] = {0};
	uint16_t len = (uint16_t)(1 + content_len);
	memcpy(rdata, &len, sizeof(len));
	rdata[2] = (uint8_t)content_len;
	struct entry_parts parts = unit_parts(name, type, ttl_s, now);
	parts.payload[0] = span_of(rdata, sizeof(len) + len);
	REQUIRE(entry_size(&parts) <= sizeof(e->bytes));
	return entry_make(&parts, e->bytes);
}
