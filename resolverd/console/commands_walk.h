#pragma once
/*
 * A walk over the whole cache in steps, for verbs with many replies: each step takes a bounded number
 * of buckets and keeps copies of the entries that are wanted, so that neither the main thread nor a
 * worker is held up, however large the cache is. Between the commands*.c only.
 */
#include "console/commands.h"

struct commands_walk { /* zero-initialised but for these three */
	const struct commands *commands;
	/* E is wanted. It is called under a shard's lock. */
	bool (*wants)(void *context, const struct entry *e);
	void *context;

	struct cache_cursor at;
	bool ended;
	struct entry **list; /* of the last step; freed by the next one */
	size_t count, capacity;
	bool no_memory;
};

/* Gather what the next buckets hold into LIST, until there are about a hundred or time is up. False
 * if memory is out. ENDED says whether that was the last step. */
bool commands_walk_step(struct commands_walk *w);
unsigned commands_walk_percent(const struct commands_walk *w);
void commands_walk_deinit(struct commands_walk *w);
