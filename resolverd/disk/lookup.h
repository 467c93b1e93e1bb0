#pragma once
/*
 * Reader threads: whatever may wait for the disk is done by them, as jobs from a bounded queue, so that
 * nobody who answers clients ever stands still with it.
 *
 * A job that has been running for DISK_HANG_MS means that the disk hangs: until it comes back no more
 * are taken, which costs those who would have asked nothing, and everybody is told (disk_read_status()).
 * One that has waited for DISK_JOB_MS is not begun any more: whoever wanted it has gone on without.
 * Threads begin when there is work for them.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct disk;
struct disk_job;
struct disk_reader;

enum {
	DISK_LOOKUP_THREADS = 4, /* a cold read from a network's block device takes a millisecond */
	DISK_LOOKUP_QUEUE = 1024,
	DISK_JOB_MS = 2000, /* a client waits for 1.8 s */
	DISK_HANG_MS = 500, /* of a read: several pages, each at worst two moves of a disk's head */
	DISK_STUCK_MS =
		5000, /* of the writer, who writes megabytes and waits for them to be durable */
};

/* Inside its owner, who has it back when RUN is called: once, on a reader thread with a reader of its
 * own; or with NULL, on whichever thread, if it will not be done. */
typedef void disk_job_fn(struct disk_job *job, struct disk_reader *reader);
struct disk_job {
	disk_job_fn *run;
	struct disk_job *next; /* the queue's */
	int64_t posted_us;
};

/* Have JOB done. ERR_LIMIT: too many wait. ERR_BUSY: the disk hangs. ERR_CLOSED: there is none.
 * ERR_NO_MEMORY. RUN is not called then. */
MUST_USE enum err disk_post(struct disk *d, struct disk_job *job);

struct disk_lookup_thread { /* its own, but for what is marked */
	struct disk *disk;
	pthread_t thread;
	struct disk_reader *reader;
	int64_t since_us; /* lock: when its job began; 0: it has none */
	bool ended;	  /* lock */
};

struct disk_lookups {
	pthread_mutex_t lock;
	pthread_cond_t wake, ended; /* threads wait, and whoever waits for their end */
	/* lock */
	struct disk_job *first, **last;
	unsigned waiting, idle;
	bool stop;
	struct disk_lookup_thread threads[DISK_LOOKUP_THREADS];
	unsigned thread_count;
};

void disk_lookups_init(struct disk_lookups *l);
void disk_lookups_deinit(struct disk_lookups *l);
/* For how long the slowest read under way has taken; 0: none is. */
int64_t disk_lookups_slowest_us(struct disk *d);
/* End the threads; what waits is not done. ERR_BUSY: not by UNTIL (CLOCK_MONOTONIC). */
MUST_USE enum err disk_lookups_stop(struct disk *d, const struct timespec *until);
