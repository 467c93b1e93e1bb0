#include "disk/record.h"

#include <endian.h>

#include "base/hash.h"

/* Between the clock that wrote and the one that reads; also what unix_s rounds away. */
static const int64_t future_slack_ms = 5000;
/* unix_s has whole seconds only: below this the two clocks agree. */
static const int64_t offset_noise_ms = 1500;

struct disk_clock disk_clock_of(struct now now, int64_t start_ms)
{
	int64_t sample_ms = now.unix_s * 1000 + 500 - now.cache_ms;
	bool agree = sample_ms <= offset_noise_ms && sample_ms >= -offset_noise_ms;
	return (struct disk_clock){
		.offset_ms = agree ? 0 : sample_ms,
		.now_ms = now.cache_ms,
		.start_ms = MIN(start_ms, now.cache_ms),
	};
}

void disk_key_subtree(struct disk_key *key, const uint8_t *name)
{
	static_assert(sizeof(key->bytes) >= 1 + 504, "dname_key() writes 504 bytes at most");
	uint8_t labels[DNAME_KEY_MAX];
	size_t len = dname_key(name, labels);
	REQUIRE(1 + len + 1 + DISK_KEY_TAIL <= DISK_KEY_MAX);
	key->bytes[0] = SPACE_ENTRY;
	memcpy(key->bytes + 1, labels, len);
	key->len = 1 + len;
}

void disk_key_name(struct disk_key *key, const uint8_t *name)
{
	disk_key_subtree(key, name);
	key->bytes[key->len++] = 0;
}

void disk_key_entry(struct disk_key *key, enum entry_kind kind, const uint8_t *name, uint16_t type)
{
	disk_key_name(key, name);
	key->bytes[key->len++] = (uint8_t)kind;
	key->bytes[key->len++] = (uint8_t)(type >> 8);
	key->bytes[key->len++] = (uint8_t)type;
}

void disk_key_blob(struct disk_key *key, const char *name)
{
	size_t len = strlen(name);
	REQUIRE(len < DISK_KEY_MAX);
	key->bytes[0] = SPACE_BLOB;
	memcpy(key->bytes + 1, name, len);
	key->len = 1 + len;
}

void disk_key_number(struct disk_key *key, enum disk_space space, uint32_t number)
{
	uint32_t ordered = htobe32(number);
	key->bytes[0] = (uint8_t)space;
	memcpy(key->bytes + 1, &ordered, sizeof(ordered));
	key->len = 1 + sizeof(ordered);
}

void disk_record_of_entry(uint8_t *out, const struct entry *e, uint32_t generation,
			  struct disk_clock clock)
{
	struct disk_record head = {.generation = generation, .format = DISK_FORMAT};
	memcpy(out, &head, sizeof(head));
	struct entry *copy = (struct entry *)(void *)(out + sizeof(head));
	memcpy(copy, e, e->size_bytes);
	copy->expires_ms = MAX(e->expires_ms + clock.offset_ms, 0);
	copy->visited = 0;
	copy->last_hit_s = (uint32_t)(e->last_hit_s + clock.offset_ms / 1000);
}

/* The key goes into the key of the hash, so that a record is only good under its own. */
static uint64_t checksum(struct span key, const uint8_t *record, size_t len)
{
	static const struct hash_key of_key = {"resolverd cache"};
	struct hash_key of_record = of_key;
	uint64_t hash = hash_bytes(&of_key, key);
	memcpy(of_record.bytes, &hash, sizeof(hash));
	return hash_bytes(&of_record, span_of(record + sizeof(hash), len - sizeof(hash)));
}

void disk_record_seal(struct span key, uint8_t *record, size_t len)
{
	REQUIRE(len >= sizeof(struct disk_record));
	uint64_t sum = checksum(key, record, len);
	memcpy(record + offsetof(struct disk_record, checksum), &sum, sizeof(sum));
}

enum err disk_record_check(struct span key, struct span record)
{
	struct disk_record head;
	if (record.len < sizeof(head))
		return ERR_CORRUPT;
	memcpy(&head, record.at, sizeof(head));
	if (head.checksum != checksum(key, record.at, record.len))
		return ERR_CORRUPT;
	return head.format == DISK_FORMAT ? OK : ERR_UNSUPPORTED;
}

/* Wall-clock time back into the cache's. Whatever the file says, an entry never lives longer than
 * its TTL from now on. Returns whether it comes from the future. */
static bool set_times(struct entry *e, struct disk_clock clock)
{
	int64_t ttl_ms = (int64_t)e->ttl_s * 1000;
	int64_t expires_ms = e->expires_ms - clock.offset_ms;
	bool future = expires_ms - ttl_ms > clock.now_ms + future_slack_ms;
	if (future)
		expires_ms = clock.start_ms - 1;
	e->expires_ms = MAX(MIN(expires_ms, clock.now_ms + ttl_ms), 0);
	int64_t last_hit_s = (int64_t)e->last_hit_s - clock.offset_ms / 1000;
	e->last_hit_s = (uint32_t)MAX(MIN(last_hit_s, clock.now_ms / 1000), 0);
	e->visited = 0;
	return future;
}

enum err disk_record_entry(struct span key, uint8_t *record, size_t len, struct disk_clock clock,
			   struct entry **out, bool *future)
{
	if (len < DISK_PEEK_SIZE)
		return ERR_CORRUPT;
	struct entry *e = (struct entry *)(void *)(record + sizeof(struct disk_record));
	/* Before any sum with it: entry_is_valid() bounds both times, but looks at them as they
	 * are. */
	if (!entry_is_valid(e, len - sizeof(struct disk_record)))
		return ERR_CORRUPT;
	struct disk_key own;
	disk_key_entry(&own, (enum entry_kind)e->kind, entry_name(e), e->type);
	if (!span_equal(disk_key_span(&own), key))
		return ERR_CORRUPT;
	*future = set_times(e, clock);
	*out = e;
	return OK;
}

enum err disk_record_peek(struct span start, struct disk_peek *out)
{
	struct disk_record head;
	struct entry e;
	if (start.len < DISK_PEEK_SIZE)
		return ERR_CORRUPT;
	memcpy(&head, start.at, sizeof(head));
	memcpy(&e, start.at + sizeof(head), ENTRY_HEADER_SIZE);
	*out = (struct disk_peek){
		.generation = head.generation,
		.hits = e.hits,
		/* What is damaged may say anything: it wraps, and is looked at later. */
		.fetched_unix_ms = (int64_t)((uint64_t)e.expires_ms - (uint64_t)e.ttl_s * 1000),
		.expires_unix_ms = e.expires_ms,
		.format = head.format,
	};
	return OK;
}
