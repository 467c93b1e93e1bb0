#pragma once
/*
 * The ledger of the process: limits by the configuration, and what is held of those accounts that are no
 * worker's (the cache, what waits for the disk, traces, the log), which the main thread enters once a
 * second. Workers enter their own.
 */
#include "base/ledger.h"
#include "cache/cache.h"
#include "cache/ranges.h"
#include "config/config.h"
#include "disk/disk.h"

struct holdings { /* main thread, but for the ledger */
	struct ledger ledger;
	size_t limit_bytes; /* of the process */
	size_t told[LEDGER_COUNT];
	uint64_t told_shed[LEDGER_COUNT];
};

struct holdings_parts { /* borrowed */
	struct cache *cache;
	const struct ranges *ranges;
	struct disk *disk; /* NULL: off */
};

void holdings_init(struct holdings *h, const struct config *config);
/* Enter what is held now. */
void holdings_tick(struct holdings *h, const struct holdings_parts *parts);

/* What the process has in memory, by the kernel's count, without pages of files, which the kernel takes
 * back at will; 0: it does not say. From any thread. */
size_t holdings_resident(void);
