#pragma once
/*
 * Which records the next commit removes: those that unfinished flushes cover, then, from where the
 * last step ended, a few that are expired or, when room is short, the oldest that are not popular.
 * Decides only; reads the file as readers do. The writer's.
 *
 * When more comes than the file holds, collecting goes on by regions: of a run of keys, which share
 * their pages, most is removed at once, so that whole pages become free; what stays is what is popular
 * and what is newest. The next region is taken with the next commit, and as many records leave the file
 * as enter it.
 */
#include "disk/private.h"

/* How short room is; each level takes what those before it take. */
enum disk_pressure {
	PRESSURE_NONE, /* expired for longer than anybody may serve it as stale */
	PRESSURE_SOME, /* expired and unpopular */
	PRESSURE_HIGH, /* of a region, the oldest that are not popular: what floods leave behind */
	PRESSURE_FULL, /* what is not popular */
	PRESSURE_LAST, /* whatever comes next */
};

struct disk_removals { /* keys, packed: u16 length, bytes */
	size_t count, used;
	uint8_t bytes[1024 * 1024];
};

struct disk_collect { /* writer */
	struct disk *disk;
	struct disk_cursor cursor;
	struct disk_key hand; /* where collecting goes on; len 0: at the beginning */
	struct disk_removals removals;
	struct disk_region { /* looked at under PRESSURE_HIGH */
		struct disk_removals keys;
		uint32_t score[DISK_REMOVALS_MAX], sorted[DISK_REMOVALS_MAX];
	} region;
	size_t by_rule; /* of the removals; the rest was collected */
	/* Copies of the unfinished flushes, advanced to where they will be after the commit. */
	struct disk_rule rules[DISK_RULES_MAX];
	bool finished[DISK_RULES_MAX];
	unsigned rule_count;
};

struct disk_collect_job {
	const struct disk_view *view;
	enum disk_pressure pressure;
	int64_t unix_ms;
	bool clock_is_doubtful;
	size_t max_removals;
	size_t goal; /* under PRESSURE_HIGH: how many must go */
};

/* Fill C->removals and C->rules. ERR_CORRUPT, ERR_SYSTEM: the file cannot be read. */
MUST_USE enum err disk_collect(struct disk_collect *c, const struct disk_collect_job *job);

/* Go through the removals: the one at *AT, which is moved on; an empty span at the end. */
struct span disk_removals_next(const struct disk_removals *r, size_t *at);
