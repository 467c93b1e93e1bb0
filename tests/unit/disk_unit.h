#pragma once
/*
 * What the tests of the disk tier share: a directory that goes away, a quick tuning, entries whose
 * content follows from their name and a serial number, and a table of calls that fail on demand.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "disk/private.h"
#include "unit/cache_unit.h"

static const struct disk_tuning quick = {
	.commit_ms = 20,
	.coalesce_ms = 300,
	.retry_ms = 30,
	.wait_ms = 30 * 1000,
	.open_ms = 30 * 1000,
	.close_ms = 300 * 1000,
	.quiet_ms = 600 * 1000,
	.short_ttl_s = 60,
	.pending_bytes = 4 * 1024 * 1024,
	.batch_bytes = 1024 * 1024,
};

/* Of private use (RFC 6895 §3.1): any RDATA will do. */
enum { TYPE_ONE = 65280, TYPE_TWO = 65281 };
enum { UNIT_TTL_S = 3600, UNIT_ENTRY_MAX = 16 * 1024, UNIT_MAP_BYTES = 2 * 1024 * 1024 };

static inline void unit_silence(void *context, enum log_level level, const char *line)
{
	(void)context;
	(void)level;
	if (getenv("DISK_LOG"))
		fprintf(stderr, "%s\n", line);
}

struct unit_dir {
	char path[128];
};

static inline void unit_dir_make(struct unit_dir *d)
{
	/* Memory, where there is some: thousands of commits, and it is not the disk that is
	 * tested. */
	const char *base = getenv("TMPDIR");
	if (!base)
		base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(d->path, sizeof(d->path), "%s/resolverd-disk-XXXXXX", base);
	assert_non_null(mkdtemp(d->path));
}

static inline void unit_dir_file(const struct unit_dir *d, const char *name, char out[static 512])
{
	snprintf(out, 512, "%s/%s", d->path, name);
}

/* Names in the directory that begin with PREFIX; removes them with REMOVE. */
static inline unsigned unit_dir_count(const struct unit_dir *d, const char *prefix, bool remove)
{
	unsigned count = 0;
	char path[512];
	DIR *dir = opendir(d->path);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		if (e->d_name[0] == '.' || strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		count++;
		unit_dir_file(d, e->d_name, path);
		if (remove)
			unlink(path);
	}
	if (dir)
		closedir(dir);
	return count;
}

static inline void unit_dir_remove(const struct unit_dir *d)
{
	chmod(d->path, 0700);
	unit_dir_count(d, "", true);
	rmdir(d->path);
}

/* Of the test that runs, if it is one of unit_test_in_dir(). */
static struct unit_dir unit_dir;

static inline int unit_set_up_dir(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_INFO, unit_silence, NULL);
	unit_dir_make(&unit_dir);
	return 0;
}

static inline int unit_tear_down_dir(void **state)
{
	(void)state;
	unit_dir_remove(&unit_dir);
	return 0;
}

#define unit_test_in_dir(test)                                                                     \
	cmocka_unit_test_setup_teardown(test, unit_set_up_dir, unit_tear_down_dir)

/* A name for a number: some share subtrees, some have bytes that keys must escape. */
static inline size_t unit_number_name(unsigned number, uint8_t out[static DNAME_MAX])
{
	uint8_t *at = out;
	*at++ = 4;
	*at++ = 'n';
	*at++ = (uint8_t)(number % 3); /* 0, 1, 2 */
	*at++ = (uint8_t)(number >> 8);
	*at++ = (uint8_t)number;
	*at++ = 3;
	*at++ = 's';
	*at++ = 'u';
	*at++ = (uint8_t)('b' + number % 5);
	memcpy(at, "\007example", 9);
	dname_lower(out, out);
	return dname_len(out);
}

struct unit_big_entry {
	_Alignas(8) uint8_t bytes[UNIT_ENTRY_MAX];
};

static inline uint32_t unit_mix(uint32_t x)
{
	x = (x ^ x >> 16) * 0x45d9f3bU;
	x = (x ^ x >> 16) * 0x45d9f3bU;
	return x ^ x >> 16;
}

/* An RRset of NAME for SERIAL: one to forty records, so some need pages of their own. */
static inline struct entry *unit_serial_entry(struct unit_big_entry *e, const uint8_t *name,
					      uint16_t type, uint32_t serial, uint32_t ttl_s,
					      struct now now)
{
	static _Thread_local uint8_t rdata[UNIT_ENTRY_MAX];
	uint8_t *at = rdata;
	uint32_t state = unit_mix(serial ^ (uint32_t)type << 20);
	uint16_t count = (uint16_t)(state % 16 == 0 ? 20 + state % 20 : 1 + state % 2);
	uint8_t text_len = (uint8_t)(8 + state / 64 % 120);
	for (uint16_t i = 0; i < count; i++) {
		uint16_t len = (uint16_t)(1 + text_len);
		memcpy(at, &len, sizeof(len));
		at[2] = text_len;
		memset(at + 3, (uint8_t)unit_mix(state + i), text_len);
		memcpy(at + 3, &serial, sizeof(serial));
		at[7] = (uint8_t)i; /* in canonical order (RFC 4034 §6.3) */
		at += sizeof(len) + len;
	}
	struct entry_parts parts = unit_parts(name, type, ttl_s, now);
	parts.rr_count = count;
	parts.payload[0] = span_of(rdata, (size_t)(at - rdata));
	REQUIRE(entry_size(&parts) <= sizeof(e->bytes));
	return entry_make(&parts, e->bytes);
}

/* The serial of an entry, after checking that it is to the byte what was made for that serial. */
static inline uint32_t unit_serial_of(const struct entry *e)
{
	static _Thread_local struct unit_big_entry again;
	uint32_t serial;
	struct span payload = entry_payload(e);
	REQUIRE(payload.len >= 9);
	memcpy(&serial, payload.at + 3, sizeof(serial));
	struct now now = {.cache_ms = entry_fetched_ms(e)};
	const struct entry *same =
		unit_serial_entry(&again, entry_name(e), e->type, serial, e->ttl_s, now);
	REQUIRE(same->size_bytes == e->size_bytes);
	REQUIRE(span_equal(entry_payload(same), payload));
	REQUIRE(same->kind == e->kind && same->rank == e->rank && same->verdict == e->verdict &&
		same->rr_count == e->rr_count && same->flags == e->flags);
	return serial;
}

struct unit_seen { /* what one load handed over */
	unsigned count;
	uint16_t types[DISK_NAME_ENTRIES_MAX];
	uint32_t serials[DISK_NAME_ENTRIES_MAX];
	int64_t expires_ms[DISK_NAME_ENTRIES_MAX];
};

static inline bool unit_see(void *context, const struct entry *e)
{
	struct unit_seen *seen = context;
	seen->types[seen->count] = e->type;
	seen->expires_ms[seen->count] = e->expires_ms;
	seen->serials[seen->count++] = unit_serial_of(e);
	return true;
}

/* The serial found for (NAME, TYPE), 0 if none. */
static inline uint32_t unit_find(struct disk_reader *r, const uint8_t *name, uint16_t type,
				 struct now now)
{
	struct unit_seen seen = {0};
	size_t count = disk_load_name(r, name, now, unit_see, &seen);
	assert_int_equal(count, seen.count);
	for (unsigned i = 0; i < seen.count; i++) {
		if (seen.types[i] == type)
			return seen.serials[i];
	}
	return 0;
}

static inline void unit_put(struct disk *d, unsigned number, uint16_t type, uint32_t serial,
			    struct now now)
{
	struct unit_big_entry e;
	uint8_t name[DNAME_MAX];
	unit_number_name(number, name);
	disk_put(d, unit_serial_entry(&e, name, type, serial, UNIT_TTL_S, now), now);
}

static inline uint32_t unit_get(struct disk_reader *r, unsigned number, uint16_t type,
				struct now now)
{
	uint8_t name[DNAME_MAX];
	unit_number_name(number, name);
	return unit_find(r, name, type, now);
}

static inline int unit_fstatfs_disk(int fd, struct statfs *out)
{
	int result = fstatfs(fd, out);
	out->f_type = 0xEF53;
	return result;
}

/* The real calls, for which every directory is on a disk. */
static inline const struct disk_io *unit_disk_io(void)
{
	static struct disk_io io;
	io = disk_io_real;
	io.fstatfs = unit_fstatfs_disk;
	return &io;
}

static inline struct disk *unit_open(const struct unit_dir *dir, size_t size,
				     const struct disk_io *io)
{
	struct disk_settings settings = {.path = dir->path, .size_bytes = size};
	struct disk *d = NULL;
	assert_int_equal(disk_open_with(&settings, io, &quick, &d), OK);
	return d;
}

static inline struct disk_reader *unit_reader(struct disk *d)
{
	struct disk_reader *r = NULL;
	assert_int_equal(disk_reader_new(d, &r), OK);
	return r;
}

static inline struct disk_status unit_status(struct disk *d)
{
	struct disk_status status;
	disk_read_status(d, &status);
	return status;
}

/* Wait until the state is STATE, up to five seconds. */
static inline void unit_await(struct disk *d, enum disk_state state)
{
	for (unsigned i = 0; i < 1000 && unit_status(d).state != state; i++)
		usleep(5000);
	struct disk_status s = unit_status(d);
	if (s.state != state)
		print_error("state is %s: %s\n", disk_state_text(s.state), s.reason);
	assert_int_equal(s.state, state);
}
