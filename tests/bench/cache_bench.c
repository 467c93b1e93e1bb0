/*
 * What a name costs in the memory tier: bytes per plain A entry (20 bytes of name) counted and as
 * the system sees it, nanoseconds per put, and per find with few and with many names, hits and
 * misses.
 *
 * On two cores of an EPYC: 108 bytes counted and 116 resident per entry; 79 ns to find one of
 * 10,000 names, 44 ns of it the hash and the comparison; 735 ns to find one of 1,000,000, waiting
 * for memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "cache/cache.h"

enum { NAMES = 1000000, HOT_NAMES = 10000, FINDS = 2000000, BATCH = 32 };

static struct now now_of(int64_t ms)
{
	return (struct now){.mono_us = (uint64_t)ms * 1000, .cache_ms = ms, .unix_s = ms / 1000};
}

static uint64_t clock_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static size_t resident_bytes(void)
{
	unsigned long total = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	if (file && fscanf(file, "%lu %lu", &total, &resident) != 2)
		resident = 0;
	if (file)
		fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* "hNNNNNNN.example.com.": 22 bytes on the wire less the two that make it 20. */
static size_t make_name(unsigned number, uint8_t out[static DNAME_MAX])
{
	static const char text[] = "\7h000000\7example\2co";
	memcpy(out, text, sizeof(text));
	for (size_t i = 7; i > 1; i--, number /= 10)
		out[i] = (uint8_t)('0' + number % 10);
	return sizeof(text);
}

static void put(struct cache *c, unsigned number, struct now now)
{
	_Alignas(8) uint8_t buffer[512];
	uint8_t name[DNAME_MAX], rdata[6] = {0, 0, 192, 0, 2, 1};
	uint16_t len = 4;
	memcpy(rdata, &len, sizeof(len));
	make_name(number, name);
	struct entry_parts parts = {
		.kind = ENTRY_RRSET,
		.name = name,
		.type = TYPE_A,
		.ttl_s = 3600,
		.fetched_ms = now.cache_ms,
		.rank = RANK_ANSWER,
		.verdict = VERDICT_INSECURE,
		.rr_count = 1,
		.payload = {span_of(rdata, sizeof(rdata))},
	};
	REQUIRE(cache_put(c, entry_make(&parts, buffer), now) == OK);
}

static void bench_finds(struct cache *c, const char *what, unsigned first, unsigned count)
{
	struct cache_reader *r;
	struct rng rng;
	static unsigned numbers[FINDS];
	uint64_t hits = 0;
	rng_init_seeded(&rng, 1);
	for (unsigned i = 0; i < FINDS; i++)
		numbers[i] = first + rng_below(&rng, count);
	REQUIRE(cache_reader_new(c, &r) == OK);
	uint64_t start = clock_ns();
	for (unsigned i = 0; i < FINDS; i++) {
		uint8_t name[DNAME_MAX];
		size_t len = make_name(numbers[i], name);
		hits += cache_find(r, ENTRY_RRSET, name, len, TYPE_A) != NULL;
		if (i % BATCH == 0)
			cache_reader_pass(r);
	}
	uint64_t took = clock_ns() - start;
	printf("find, %-25s %6.1f ns, %5.1f %% found\n", what, (double)took / FINDS,
	       100.0 * (double)hits / FINDS);
	cache_reader_free(r);
}

static void bench_names(void)
{
	uint64_t start = clock_ns();
	unsigned sum = 0;
	for (unsigned i = 0; i < FINDS; i++) {
		uint8_t name[DNAME_MAX];
		sum += (unsigned)make_name(i % NAMES, name);
		sum += name[5];
	}
	printf("(making a name %15s %6.1f ns, part of each)\n", sum ? "" : "!",
	       (double)(clock_ns() - start) / FINDS);
}

int main(void)
{
	struct cache *c;
	struct cache_settings settings = {.memory_bytes = (size_t)256 << 20};
	struct cache_stats before, after;
	struct now now = now_of(INT64_C(1700000000000));
	REQUIRE(cache_new(&settings, &c) == OK);
	cache_read_stats(c, &before);
	size_t resident = resident_bytes();
	for (unsigned i = 0; i < HOT_NAMES; i++)
		put(c, i, now);
	bench_finds(c, "one name:", 0, 1);
	bench_finds(c, "10,000 names of as many:", 0, HOT_NAMES);
	uint64_t start = clock_ns();
	for (unsigned i = HOT_NAMES; i < NAMES; i++)
		put(c, i, now);
	uint64_t took = clock_ns() - start;
	cache_read_stats(c, &after);
	REQUIRE(after.entries == NAMES);
	printf("bytes per plain A entry   %6.1f counted (%.1f with all that is empty), %.1f "
	       "resident\n",
	       (double)(after.used_bytes - before.used_bytes) / NAMES,
	       (double)after.used_bytes / NAMES, (double)(resident_bytes() - resident) / NAMES);
	printf("put                       %6.1f ns\n", (double)took / (NAMES - HOT_NAMES));
	bench_names();
	bench_finds(c, "10,000 of 1,000,000:", 0, HOT_NAMES);
	bench_finds(c, "1,000,000 names:", 0, NAMES);
	bench_finds(c, "names not there:", NAMES, NAMES);

	cache_free(c);
	settings.memory_bytes = (size_t)16 << 20;
	REQUIRE(cache_new(&settings, &c) == OK);
	start = clock_ns();
	for (unsigned i = 0; i < NAMES; i++)
		put(c, i, now);
	printf("put with an eviction      %6.1f ns\n", (double)(clock_ns() - start) / NAMES);
	cache_free(c);
	return 0;
}
