#pragma once
/*
 * How the writer comes to a file it may write to: opening, checking, beginning anew.
 */
#include "disk/collect.h"
#include "disk/hot.h"

struct disk_writer { /* its own thread */
	struct disk *disk;
	bool has_thread;
	pthread_t thread;
	struct disk_file file;
	struct disk_view view; /* what is published; valid while a file is open */
	bool is_open, is_checked;
	struct disk_trouble remark; /* of opening: good, but … */
	uint32_t meta_generation;   /* as it stands in the file; 0: no meta record yet */
	uint64_t retry_us;	    /* nothing is tried before */
	enum err last_error;	    /* what a ticket is told until then */
	uint64_t checked_us, replaced_us;
	unsigned check_failures, no_space; /* in a row */
	uint64_t quiet_us;		   /* the clock is doubtful until then */
	int64_t clock_gap_ms;		   /* wall minus monotonic */

	struct disk_item **items; /* the batch */
	size_t item_count, batch_max;
	size_t written;		/* of the last batch */
	bool is_crowded;	/* the batch is as small as it is for want of room */
	bool at_limit;		/* the file is as full as it gets */
	unsigned limit_percent; /* usage from which as much leaves the file as enters it */
	unsigned shard;		/* of the pending table, where the next batch begins */
	struct disk_hot *hot;
	struct disk_collect collect;
	uint8_t record[DISK_HOT_RECORD_MAX];
};

/* Report T, and log it if it is news. */
void disk_report(struct disk *d, const struct disk_trouble *t);

/* Make V what readers see (NULL: nothing), and wait until none sees anything older. */
void disk_publish(struct disk *d, const struct disk_view *v);

/* Open, or begin, the file and publish it. A damaged or foreign one is moved aside. On failure the
 * state is reported and the next attempt put off. */
MUST_USE enum err disk_recover_open(struct disk_writer *w);
/* Check the structure of the open file, once. A damaged one is moved aside and a new one begun. */
MUST_USE enum err disk_recover_check(struct disk_writer *w);
/* Unpublish and close; the next round opens it anew. */
void disk_recover_close(struct disk_writer *w);
/* Move the open file aside for REASON, having rescued its blobs, and begin a new one; not again and
 * again, though: what fails that often is not the file. */
MUST_USE enum err disk_recover_replace(struct disk_writer *w, const char *reason);
/* Put the next attempt off. */
void disk_recover_later(struct disk_writer *w, enum err err);
