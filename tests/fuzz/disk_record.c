/*
 * Any bytes as what stands on the disk: as a record under its key, as a flush, and as a whole file
 * of LMDB's pages. Nothing is followed out of bounds, and what the check of the structure lets pass
 * can be walked to its end.
 */
#include <errno.h>
#include <stdlib.h>

#include "disk/check.h"
#include "disk/rules.h"

static struct span file; /* what is read in place of a file */

static int read_fstat(int fd, struct stat *out)
{
	(void)fd;
	*out = (struct stat){.st_size = (off_t)file.len};
	return 0;
}

static ssize_t read_pread(int fd, void *out, size_t len, off_t offset)
{
	(void)fd;
	if (offset < 0) {
		errno = EINVAL;
		return -1;
	}
	if ((size_t)offset >= file.len)
		return 0;
	len = MIN(len, file.len - (size_t)offset);
	memcpy(out, file.at + offset, len);
	return (ssize_t)len;
}

static void check_file(struct span input)
{
	static const struct disk_io io = {.fstat = read_fstat, .pread = read_pread};
	static struct disk_cursor cursor;
	struct disk_view view;
	uint64_t count = 0;
	uint8_t start[DISK_PEEK_SIZE];

	file = input;
	if (disk_view_read(&io, 0, &view) != OK)
		return;
	enum err sound = disk_check(&view);
	enum err err = disk_cursor_seek(&cursor, &view, span_of("", 0));
	/* A damaged tree may lead in circles; its own count bounds what is worth walking. */
	for (; err == OK && count < 4 * input.len; count++) {
		size_t len = MIN(cursor.node.value_size, sizeof(start));
		enum err value = disk_cursor_value(&cursor, start, len);
		REQUIRE(sound != OK || value == OK);
		err = disk_cursor_next(&cursor);
	}
	REQUIRE(sound != OK || (err == ERR_NOT_FOUND && count == view.main_tree.entries));
	(void)!disk_cursor_seek(&cursor, &view, span_of("\020exa", 4));
}

static void check_record(struct span input)
{
	if (input.len < 2 || input.len - 1 < input.at[0] || input.at[0] == 0)
		return;
	struct span key = span_of(input.at + 1, input.at[0]);
	size_t len = input.len - 1 - key.len;
	uint8_t *record = malloc(len + 1);
	struct disk_clock clock = {
		.offset_ms = 1000, .now_ms = INT64_C(1700000000000), .start_ms = 5};
	struct disk_peek peek;
	struct disk_rule rule;
	struct entry *e;
	bool future;

	REQUIRE(record);
	memcpy(record, input.at + 1 + key.len, len);
	(void)!disk_record_check(key, span_of(record, len));
	(void)!disk_record_peek(span_of(record, len), &peek);
	if (disk_rule_decode(span_of(record, len), &rule) == OK)
		(void)disk_rule_covers(&rule, key);
	/* As if the checksum were right, which no fuzzer will find. */
	if (disk_record_entry(key, record, len, clock, &e, &future) == OK) {
		REQUIRE(e->expires_ms <= clock.now_ms + (int64_t)e->ttl_s * 1000 &&
			e->expires_ms >= 0);
		REQUIRE(!future || e->expires_ms < clock.now_ms);
		disk_record_seal(key, record, len);
		REQUIRE(disk_record_check(key, span_of(record, len)) != ERR_CORRUPT);
		record[len - 1] ^= 1;
		REQUIRE(disk_record_check(key, span_of(record, len)) == ERR_CORRUPT);
	}
	free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		check_file(span_of(data + 1, size - 1));
	else
		check_record(span_of(data + 1, size - 1));
	return 0;
}
