/*
 * fill DIRECTORY MEGABYTES COUNT - make a cache file that a daemon would have after many questions.
 *
 * Adds the names n0.hot.com to n(COUNT - 1).hot.com, an address with a TTL of a day each, to what a
 * daemon that has ended left in DIRECTORY; the first DISK_HOT_MAX are those that were popular. Goes
 * through the disk tier as the daemon does, but does not wait a second between commits. Prints bytes
 * in use and records.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "disk/private.h"

enum { TTL_S = 86400, SOME = 20000 };

static struct now clock_now(void)
{
	struct timespec wall, mono;
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	return (struct now){
		.mono_us = (uint64_t)mono.tv_sec * 1000000 + (uint64_t)mono.tv_nsec / 1000,
		.cache_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000,
		.unix_s = wall.tv_sec,
	};
}

static struct entry *make(unsigned number, struct now now, uint8_t *out)
{
	uint8_t name[DNAME_MAX], rdata[6] = {0, 0, 10, 0, 0, 1};
	const uint16_t len = 4;
	char text[32];
	size_t name_len;
	memcpy(rdata, &len, sizeof(len));
	(void)snprintf(text, sizeof(text), "n%u.hot.com", number);
	REQUIRE(dname_parse(text, name, &name_len) == OK);
	struct entry_parts parts = {
		.kind = ENTRY_RRSET,
		.name = name,
		.type = TYPE_A,
		.ttl_s = TTL_S,
		.fetched_ms = now.cache_ms,
		.rank = RANK_ANSWER,
		.verdict = VERDICT_INSECURE,
		.ede = EDE_NONE,
		.rr_count = 1,
		.payload = {span_of(rdata, sizeof(rdata))},
	};
	return entry_make(&parts, out);
}

int main(int argc, char **argv)
{
	_Alignas(8) uint8_t buffer[512];
	struct disk_tuning tuning = disk_tuning_usual;
	struct disk_status status;
	struct disk_hot *hot;
	struct disk *d;
	if (argc != 4)
		errx(64, "usage: fill DIRECTORY MEGABYTES COUNT");
	unsigned count = (unsigned)strtoul(argv[3], NULL, 10);
	struct disk_settings settings = {.path = argv[1],
					 .size_bytes = strtoul(argv[2], NULL, 10) << 20};
	tuning.commit_ms = 1;
	if (disk_open_with(&settings, &disk_io_real, &tuning, &d) != OK || disk_hot_new(&hot) != OK)
		errx(71, "out of memory");
	struct now now = clock_now();
	for (unsigned i = 0; i < count; i++) {
		struct entry *e = make(i, now, buffer);
		if (i < DISK_HOT_MAX) {
			e->hits = 100;
			e->last_hit_s = (uint32_t)now.unix_s;
			e->gap_ms = 1000 + i;
			disk_hot_add(hot, e, now);
		}
		disk_put(d, e, now);
		if ((i + 1) % SOME == 0 && disk_sync(d) != OK)
			errx(71, "cannot write");
	}
	disk_hot_store(d, hot, now);
	if (disk_sync(d) != OK)
		errx(71, "cannot write");
	disk_read_status(d, &status);
	printf("{\"used\": %llu, \"entries\": %llu, \"dropped\": %llu}\n",
	       (unsigned long long)status.used_bytes, (unsigned long long)status.entries,
	       (unsigned long long)status.dropped);
	disk_close(d);
	return 0;
}
