#pragma once
/*
 * Validated denial records in order, for RFC 8198: the NSEC or NSEC3 record of a zone that covers
 * or matches a name is found by a search in canonical (or hash) order. Shared by all workers, one
 * lock per zone shard; bounded in bytes and in ranges per zone; least recently used zones go first.
 * Holds only records whose verdict is secure and that were checked to lie inside their zone.
 *
 * They do not outlive the process: what is kept on disk are answers, in which denials stand rendered
 * and without the verdict of each record. A name that was denied before is denied from disk, and the
 * first new name that a zone denies brings its range back, at the price of one question.
 */
#include "base/arena.h"
#include "base/now.h"
#include "dns/proven.h"

struct ranges;

enum {
	RANGES_PER_ZONE_MAX = 100000, /* some 25 MB: no zone gets all the memory of all others */
	RANGES_MEMORY_MIN = 64 * 1024,
};

/* MEMORY_BYTES is never passed. ERR_LIMIT below RANGES_MEMORY_MIN, ERR_NO_MEMORY. */
MUST_USE enum err ranges_new(size_t memory_bytes, struct ranges **out);
void ranges_free(struct ranges *r);

/* Keep SET (type NSEC or NSEC3 with its signatures) of the zone that signed it until EXPIRES_MS. One that
 * was expanded from a wildcard is not kept. NSEC3 records are kept only for one parameter set (salt,
 * iterations) per zone: a new one drops the old. */
void ranges_put(struct ranges *r, const struct proven *set, int64_t expires_ms, struct now now);

/* The deepest zone that encloses NAME and has ranges; its length, 0 if none. ZONE_TYPE into TYPE
 * (TYPE_NSEC or TYPE_NSEC3). */
size_t ranges_zone(struct ranges *r, const uint8_t *name, struct now now,
		   uint8_t zone[static DNAME_MAX], uint16_t *type);

/* The NSEC of ZONE whose owner is NAME or that covers it: a copy in ARENA (owner too), with ttl_s
 * set to the seconds that are left. ERR_NOT_FOUND. */
MUST_USE enum err ranges_find_nsec(struct ranges *r, const uint8_t *zone, const uint8_t *name,
				   struct now now, struct arena *arena, struct proven *out);

struct ranges_nsec3_params {
	uint8_t algorithm;
	uint16_t iterations;
	uint8_t salt_len;
	uint8_t salt[255];
};
/* The parameters of ZONE's NSEC3 chain. ERR_NOT_FOUND. */
MUST_USE enum err ranges_nsec3_params(struct ranges *r, const uint8_t *zone,
				      struct ranges_nsec3_params *out);
/* The NSEC3 of ZONE that matches or covers HASH (20 bytes). As ranges_find_nsec(). */
MUST_USE enum err ranges_find_nsec3(struct ranges *r, const uint8_t *zone,
				    const uint8_t hash[static 20], struct now now,
				    struct arena *arena, struct proven *out);

/* Drop everything of zones at or below NAME (flush, changed anchors); how many denials that were. */
size_t ranges_flush(struct ranges *r, const uint8_t *name);

/* The same of this zone alone: denials in it, which could answer for any name below, are gone. */
size_t ranges_flush_zone(struct ranges *r, const uint8_t *zone);

/* All that is allocated, overheads included. */
size_t ranges_used_bytes(const struct ranges *r);
