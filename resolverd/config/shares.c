#include "config/shares.h"

#include "disk/disk.h"
#include "net/pool.h"
#include "net/tcp.h"
#include "resolve/limits.h"

enum {
	MALLOC_DIVISOR = 8, /* of the ceiling: what is free between what is in use */
	CACHE_LEAST = 4 << 20,
	/* A hundred questions and as many messages of a worker's. */
	QUESTIONS_LEAST = 2 << 20,
	TRAFFIC_LEAST = 512 << 10,
	DISK_LEAST = 1 << 20,
};

static size_t between(size_t bytes, size_t least, size_t most)
{
	return MIN(MAX(bytes, least), most);
}

static size_t less(size_t bytes, size_t taken)
{
	return bytes - MIN(bytes, taken);
}

bool shares_divide(const struct shares_wish *wish, size_t out[static LEDGER_COUNT])
{
	size_t workers = wish->workers, sum = 0;
	size_t usable = wish->ceiling_bytes - wish->ceiling_bytes / MALLOC_DIVISOR;
	size_t fixed = SHARES_FIXED + workers * SHARES_WORKER;

	out[LEDGER_recorder] = wish->recorder_bytes;
	out[LEDGER_log] = wish->log_bytes;
	size_t left = less(usable, fixed + wish->recorder_bytes + wish->log_bytes);
	out[LEDGER_cache] = wish->cache_bytes
				    ? wish->cache_bytes
				    : between(left / 2, CACHE_LEAST, SHARES_CACHE_DEFAULT);
	left = less(left, out[LEDGER_cache]);
	out[LEDGER_questions] = between(left / 2, workers * QUESTIONS_LEAST,
					workers * (size_t)LIMIT_QUESTION_BYTES);
	out[LEDGER_output] =
		between(left / 4, workers * TRAFFIC_LEAST, workers * (size_t)TCP_WRITE_TOTAL_MAX);
	out[LEDGER_input] =
		between(left / 8, workers * TRAFFIC_LEAST,
			workers * ((size_t)TCP_READ_TOTAL_MAX + (size_t)POOL_READ_TOTAL_MAX));
	out[LEDGER_disk] = between(left / 8, DISK_LEAST, DISK_PENDING_BYTES);
	for (size_t i = 0; i < LEDGER_COUNT; i++)
		sum += out[i];
	return sum + fixed <= usable;
}
