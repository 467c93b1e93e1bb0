/*
 * limit DIRECTORY MEGABYTES RATE SECONDS - a cache file at its limit.
 *
 * Puts RATE new names a second into the disk tier for SECONDS, as a daemon would, and some that are
 * popular before; then dies without a word. Looks what is found afterwards: of the names of the last
 * second, of the last half minute, of those before, and of the popular ones. DIRECTORY may hold a file
 * that is full already.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "disk/private.h"

enum { TTL_S = 86400, POPULAR = 500, HITS = 50, SAMPLES = 2000, LAST_S = 30, TICKS = 20 };

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

static void name_of(unsigned number, uint8_t name[static DNAME_MAX])
{
	char text[48];
	size_t len;
	/* In no order, as names come. */
	(void)snprintf(text, sizeof(text), "n%08x-%u.example.com", number * 2654435761u, number);
	REQUIRE(dname_parse(text, name, &len) == OK);
}

static void put(struct disk *d, unsigned number, uint32_t hits)
{
	_Alignas(8) uint8_t buffer[512];
	const uint8_t rdata[] = {4, 0, 10, 0, 0, 1};
	uint8_t name[DNAME_MAX];
	struct now now = clock_now();
	name_of(number, name);
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
	struct entry *e = entry_make(&parts, buffer);
	e->hits = hits;
	disk_put(d, e, now);
}

static struct disk *open_disk(const char *path, size_t bytes)
{
	struct disk_settings settings = {.path = path, .size_bytes = bytes};
	struct disk *d;
	if (disk_open(&settings, &d) != OK)
		errx(1, "no memory");
	disk_await_opened(d);
	return d;
}

static void tell(struct disk *d, unsigned second)
{
	struct disk_status s;
	disk_read_status(d, &s);
	printf("%4u s: %s, %llu entries, %.1f of %.1f MB, %llu wait (%.1f MB), written %llu "
	       "dropped "
	       "%llu collected %llu, commit %llu ms, %s\n",
	       second, disk_state_text(s.state), (unsigned long long)s.entries,
	       (double)s.used_bytes / 1e6, (double)s.map_bytes / 1e6,
	       (unsigned long long)s.pending_entries, (double)s.pending_bytes / 1e6,
	       (unsigned long long)s.written, (unsigned long long)s.dropped,
	       (unsigned long long)s.collected, (unsigned long long)s.commit_us_last / 1000,
	       s.reason);
	fflush(stdout);
}

/* Never returns: as if killed. */
static void live(const char *path, size_t bytes, unsigned rate, unsigned seconds)
{
	struct disk *d = open_disk(path, bytes);
	struct disk_status s = {.checking = true};
	while (s.checking) {
		usleep(100000);
		disk_read_status(d, &s);
	}
	for (unsigned i = 0; i < POPULAR; i++)
		put(d, UINT32_MAX - i, HITS);
	unsigned number = 0;
	for (unsigned second = 0; second < seconds; second++) {
		uint64_t until_us = clock_now().mono_us + 1000000;
		for (unsigned tick = 1; tick <= TICKS; tick++) {
			for (; number < second * rate + rate * tick / TICKS; number++)
				put(d, number, 0);
			uint64_t tick_us = until_us - 1000000 + 1000000 / TICKS * tick;
			uint64_t now_us = clock_now().mono_us;
			if (tick_us > now_us)
				usleep((unsigned)(tick_us - now_us));
		}
		if (second % 5 == 4)
			tell(d, second + 1);
	}
	_exit(0);
}

static bool see(void *context, const struct entry *e)
{
	(void)context;
	(void)e;
	return false;
}

/* How many of SAMPLES from FIRST to before END. */
static void count(struct disk_reader *r, const char *what, unsigned first, unsigned end)
{
	unsigned found = 0, all = MIN(end - first, (unsigned)SAMPLES);
	for (unsigned i = 0; i < all; i++) {
		uint8_t name[DNAME_MAX];
		name_of(first + (unsigned)((uint64_t)(end - first) * i / all), name);
		found += disk_load_name(r, name, clock_now(), see, NULL) > 0;
	}
	printf("%s: found %u of %u\n", what, found, all);
}

int main(int argc, char **argv)
{
	struct disk_reader *r;
	int status;
	if (argc != 5)
		errx(2, "usage: limit DIRECTORY MEGABYTES RATE SECONDS");
	size_t bytes = (size_t)atoi(argv[2]) << 20;
	unsigned rate = (unsigned)atoi(argv[3]), seconds = (unsigned)atoi(argv[4]);
	unsigned all = rate * seconds, half_minute = MIN(all, rate * LAST_S);
	pid_t pid = fork();
	if (pid == 0)
		live(argv[1], bytes, rate, seconds);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		err(1, "child");
	struct disk *d = open_disk(argv[1], bytes);
	if (disk_reader_new(d, &r) != OK)
		errx(1, "no memory");
	count(r, "last second but one", all - 2 * rate, all - rate);
	count(r, "last five seconds", all - 5 * rate, all);
	count(r, "last half minute", all - half_minute, all);
	count(r, "before", 0, all - half_minute);
	count(r, "popular", UINT32_MAX - POPULAR + 1, UINT32_MAX);
	disk_reader_free(r);
	disk_close(d);
	return 0;
}
