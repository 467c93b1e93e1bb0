/*
 * The ceiling of the process's memory, and how much of it is the cache's (config/shares.h).
 */
#include "base/log_queue.h"
#include "config/memory_available.h"
#include "config/raw.h"
#include "config/shares.h"
#include "config/value.h"

enum {
	CACHE_MIN = 1 << 20, /* the table of an empty cache needs some */
	CACHE_AUTO_DIVISOR = 4,
	/* Less than what there is: the kernel's memory for our sockets and files counts as ours. */
	MARGIN_DIVISOR = 16,
	MARGIN_MIN = 8 << 20,
	UNKNOWN = 1 << 30, /* where nobody says how much there is */
};

static size_t automatic_limit(void)
{
	uint64_t there = memory_available("");
	uint64_t margin = MAX(there / MARGIN_DIVISOR, (uint64_t)MARGIN_MIN);

	if (there == 0)
		return UNKNOWN;
	return (size_t)MIN(there - MIN(there, margin), (uint64_t)SIZE_MAX / 2);
}

/* *IS_AUTO: nobody has said how much. */
static enum err read_limit(struct config_build *b, const char *word, bool *is_auto)
{
	uint64_t bytes;

	*is_auto = b->config->memory_auto = !word || strcmp(word, "auto") == 0;
	if (*is_auto) {
		b->config->memory_limit = automatic_limit();
		return OK;
	}
	if (!config_value_size(word, &bytes) || bytes > SIZE_MAX / 2)
		return config_refuse(b, "memory.limit",
				     "\"%s\" is neither auto nor a size such as 512M", word);
	b->config->memory_limit = (size_t)bytes;
	return OK;
}

/* *OUT: 0, if it follows the ceiling. */
static enum err read_cache(struct config_build *b, const char *word, size_t *out)
{
	uint64_t bytes = 0;

	*out = 0;
	if (!word)
		return OK;
	if (strcmp(word, "auto") == 0)
		bytes = MAX(b->config->memory_limit / CACHE_AUTO_DIVISOR, (size_t)CACHE_MIN);
	else if (!config_value_size(word, &bytes))
		return config_refuse(b, "cache.memory", "\"%s\" is not a size such as 256M", word);
	if (bytes < CACHE_MIN || bytes > SIZE_MAX / 2)
		return config_refuse(b, "cache.memory", "at least %dM are expected",
				     CACHE_MIN >> 20);
	*out = (size_t)bytes;
	return OK;
}

enum err config_memory_build(struct config_build *b, const struct raw_config *raw)
{
	struct config *c = b->config;
	bool is_auto;
	struct shares_wish wish = {.workers = c->workers,
				   .recorder_bytes = c->recorder_bytes,
				   .log_bytes = LOG_QUEUE_BYTES};
	enum err err = read_limit(b, raw->memory.limit, &is_auto);

	if (err == OK)
		err = read_cache(b, raw->cache.memory, &wish.cache_bytes);
	if (err != OK)
		return err;
	wish.ceiling_bytes = c->memory_limit;
	bool fits = shares_divide(&wish, c->memory_shares);
	c->memory_bytes = c->memory_shares[LEDGER_cache];
	if (fits)
		return OK;
	const char *key = raw->cache.memory ? "cache.memory" : is_auto ? "workers" : "memory.limit";
	if (!is_auto)
		return config_refuse(b, key,
				     "%zuM for all are too few for %u workers and a cache of %zuM",
				     c->memory_limit >> 20, c->workers, c->memory_bytes >> 20);
	return config_remark(b, key,
			     "%u workers and a cache of %zuM may need more memory than the %zuM "
			     "that there are",
			     c->workers, c->memory_bytes >> 20, c->memory_limit >> 20);
}
