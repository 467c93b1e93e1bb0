#pragma once
/*
 * What stands in the file: keys, and records with a checksum.
 *
 * A key begins with the space it belongs to. Entries are ordered canonically (RFC 4034 §6.1), so a
 * name's entries are one run of keys and a subtree is one range:
 *
 *   SPACE_META                                   format version and flush generation
 *   SPACE_BLOB  name                             disk_put_blob()
 *   SPACE_HOT   u16 part                         what is popular, hot.h
 *   SPACE_RULE  u32 generation                   a flush that is not collected yet, rules.h
 *   SPACE_ENTRY dname_key 0 kind u16 type        an entry. No label is empty, so the 0 sorts a
 *                                                name's own entries before those below it.
 *
 * A value is struct disk_record and its body; integers are in host order, as LMDB's own are. The
 * body of an entry is the entry with expires_ms and last_hit_s in wall-clock time.
 *
 * DISK_FORMAT changes with struct entry and with all the above, and with what an entry that calls
 * itself secure stands for (format 1 had records in it that nobody had validated, format 2 some that
 * outlived their signatures, by a minimum for all TTLs); but for blobs: their records stay as they are,
 * so that they can be rescued from a file of any format.
 */
#include "base/span.h"
#include "cache/entry.h"

enum {
	DISK_FORMAT = 3,
	DISK_KEY_MAX = 511, /* LMDB's limit */
	DISK_KEY_TAIL = 3,  /* kind and type */
};
static_assert(DISK_KEY_MAX >= 1 + 504 + 1 + DISK_KEY_TAIL, "the longest dname_key() has 504 bytes");

enum disk_space {
	SPACE_META = 1,
	SPACE_BLOB = 2,
	SPACE_HOT = 3,
	SPACE_RULE = 4,
	SPACE_ENTRY = 16,
};

struct disk_key {
	size_t len;
	uint8_t bytes[DISK_KEY_MAX + 1];
};

struct disk_record {
	uint64_t checksum;   /* SipHash of the key and all that follows here */
	uint32_t generation; /* of flushes, when the record was put */
	uint16_t format;
	uint16_t zero;
};
static_assert(sizeof(struct disk_record) == 16, "no padding in the file, and entries stay aligned");

enum { DISK_RECORD_MAX = sizeof(struct disk_record) + 1024 * 1024 + 64 };

/* How the cache's time scale and the wall clock relate, from one struct now. */
struct disk_clock {
	int64_t offset_ms; /* wall minus cache_ms; 0 unless the wall clock was stepped */
	int64_t now_ms;	   /* cache_ms */
	int64_t start_ms;  /* cache_ms when the daemon began: what has no known age expired then */
};
struct disk_clock disk_clock_of(struct now now, int64_t start_ms);

/* Keys. A name's own entries begin with disk_key_name(); all below it, itself included, with
 * disk_key_subtree(). */
void disk_key_entry(struct disk_key *key, enum entry_kind kind, const uint8_t *name, uint16_t type);
void disk_key_name(struct disk_key *key, const uint8_t *name);
void disk_key_subtree(struct disk_key *key, const uint8_t *name);
void disk_key_blob(struct disk_key *key, const char *name);
void disk_key_number(struct disk_key *key, enum disk_space space, uint32_t number);

static inline struct span disk_key_span(const struct disk_key *key)
{
	return span_of(key->bytes, key->len);
}
static inline bool disk_key_starts(struct span key, struct span prefix)
{
	return key.len >= prefix.len && memcmp(key.at, prefix.at, prefix.len) == 0;
}
/* Of flushes, when RECORD was put. */
static inline uint32_t disk_record_generation(const uint8_t *record)
{
	struct disk_record head;
	memcpy(&head, record, sizeof(head));
	return head.generation;
}
/* The type at the end of an entry's key. */
static inline uint16_t disk_key_type(struct span key)
{
	return (uint16_t)(key.at[key.len - 2] << 8 | key.at[key.len - 1]);
}

/* Write E's record into OUT (sizeof(struct disk_record) + e->size_bytes, aligned to 8),
 * unsealed. */
void disk_record_of_entry(uint8_t *out, const struct entry *e, uint32_t generation,
			  struct disk_clock clock);
/* The checksum goes in last: the record is written as it then stands. */
void disk_record_seal(struct span key, uint8_t *record, size_t len);
/* ERR_CORRUPT unless the checksum fits; ERR_UNSUPPORTED for another format. */
MUST_USE enum err disk_record_check(struct span key, struct span record);

/*
 * The entry in RECORD (aligned to 8, changed in place: times become those of CLOCK), after all its
 * lengths were found to agree and its key to be KEY. RECORD has passed disk_record_check() or never
 * left memory. *FUTURE tells that its age is unknown. ERR_CORRUPT.
 */
MUST_USE enum err disk_record_entry(struct span key, uint8_t *record, size_t len,
				    struct disk_clock clock, struct entry **out, bool *future);

/* What collecting looks at, without reading the whole record. */
struct disk_peek {
	uint32_t generation, hits;
	int64_t fetched_unix_ms, expires_unix_ms;
	uint16_t format;
};
enum { DISK_PEEK_SIZE = sizeof(struct disk_record) + ENTRY_HEADER_SIZE };
MUST_USE enum err disk_record_peek(struct span start, struct disk_peek *out);
