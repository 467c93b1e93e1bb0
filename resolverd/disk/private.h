#pragma once
/*
 * What the files of the disk tier share. Nobody else includes it, but for tests.
 *
 *   disk.c     the calls of disk.h that are neither reading nor hot names
 *   read.c     readers: pending table, then file
 *   lookup.c   threads that wait for it
 *   ask.c      look-ups by who can wait for a moment
 *   blob.c     blobs
 *   hot.c      the list of popular names
 *   writer.c   the thread: commits what waits, makes room
 *   recover.c  how it comes to a file: opening, checking, beginning anew
 *   collect.c  which records the next commit removes
 *   rules.c    flushes
 *   pending.c  what waits to be written
 *   file.c     directory, map file, LMDB
 *   check.c    is the file sound?
 *   page.c     LMDB's pages, read with care
 *   record.c   keys, records, checksums, times
 *   io.c       the table of system calls
 *
 * How a reader and the writer get along: the writer commits, publishes the new view of the file,
 * then takes each reader's lock once (disk_publish()). After that no reader holds an older
 * view, so the next transaction may reuse the pages that only those had, and what a finished flush
 * removed cannot be handed over any more.
 *
 * Order of locks: reader, then any one of the others; none of the others is held while another is
 * taken.
 */
#include "disk/disk.h"
#include "disk/file.h"
#include "disk/lookup.h"
#include "disk/pending.h"
#include "disk/rules.h"

struct disk_tuning {	      /* what tests make smaller or faster */
	int64_t commit_ms;    /* between commits */
	int64_t coalesce_ms;  /* between writes of an entry with a short TTL */
	int64_t retry_ms;     /* after a failure */
	int64_t wait_ms;      /* for a commit, by who asked for it */
	int64_t open_ms;      /* for the file, by disk_open() */
	int64_t close_ms;     /* for the writer and the readers, by disk_close() */
	int64_t quiet_ms;     /* no collecting by the clock after opening or a step of it */
	uint32_t short_ttl_s; /* below this a TTL is short */
	size_t pending_bytes; /* what may wait */
	size_t batch_bytes;   /* of a commit */
};
extern const struct disk_tuning disk_tuning_usual;

enum {
	DISK_BATCH_RECORDS = 20000, /* with 8 MB of records a commit stays well below a second */
	DISK_REMOVALS_MAX = 20000,  /* of a commit: as many as may come */
	DISK_HITS_POPULAR = 2,	    /* asked for again, and again */
	DISK_BLOBS_MAX = 64,	    /* there are a handful */
};

#define DISK_LOG_BLOB "flushed" /* the log of rules.h */

struct disk_counters {
#define DISK_FIELD(name, help) _Atomic uint64_t name;
	DISK_COUNTER_LIST(DISK_FIELD)
#undef DISK_FIELD
};

struct disk_reader {
	struct disk *disk;
	struct disk_reader *next; /* readers_lock */
	uint64_t passed;	  /* readers_lock: the view published last that it has let go of */
	pthread_mutex_t lock;
	/* lock */
	bool resident; /* only what is in memory may be read now */
	struct disk_cursor cursor;
	struct disk_view view; /* in use during a call */
	struct disk_found {    /* records read for a name, packed */
		uint8_t *at;
		size_t size, len;
	} found;
	_Alignas(8) uint8_t record[sizeof(struct disk_record) + ENTRY_MAX];
};

struct disk {
	const struct disk_io *io; /* immutable */
	struct disk_tuning tuning;
	char *path; /* NULL: off */
	size_t limit_bytes, in_memory_bytes;
	struct disk_writer *writer; /* its own thread; NULL: off */

	struct disk_pending pending; /* has locks of its own */
	struct disk_rules rules;     /* likewise */
	struct disk_counters counters;
	struct disk_lookups lookups;	 /* has a lock of its own */
	_Atomic int64_t writer_since_us; /* it opens or writes since then; 0: it does not */
	_Atomic int64_t start_ms;	 /* cache_ms of the first call; 0: none yet */
	atomic_bool suspect;		 /* a reader met a damaged page: check anew */
	atomic_bool mute;		 /* nothing will be written: another daemon has the file */

	pthread_mutex_t view_lock;
	struct disk_view view; /* view_lock; published by the writer */
	bool readable;	       /* view_lock */

	pthread_mutex_t readers_lock; /* held for a moment, whatever readers wait for */
	struct disk_reader *readers;
	uint64_t publications; /* readers_lock */

	pthread_mutex_t lock;  /* the rest */
	pthread_cond_t wake;   /* the writer waits */
	pthread_cond_t served; /* callers of disk_sync(), _flush(), _open() and _close() wait */
	bool stop;
	bool ended;				 /* the writer has come to its end */
	bool opened;				 /* the first try is over, whatever came of it */
	bool told_hung;				 /* what the log knows */
	struct disk_item *shelf[DISK_BLOBS_MAX]; /* blobs as they stood in the file then */
	unsigned shelf_count;
	uint64_t tickets_taken, tickets_served; /* a ticket asks for a commit of everything */
	uint64_t ticket_given_up;		/* the latest that was waited for in vain */
	enum err ticket_result;
	struct disk_hot *hot; /* to be written */
	struct disk_trouble trouble;
	bool checking;
	uint64_t used_bytes, map_bytes, entries, commit_us_last, commit_us_max;
	int64_t last_commit_unix_s;
};

/* disk_open() with other calls and times. Both must live as long as the disk. */
MUST_USE enum err disk_open_with(const struct disk_settings *settings, const struct disk_io *io,
				 const struct disk_tuning *tuning, struct disk **out);

static inline void disk_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* The clock of NOW; the first call ever sets when the daemon began. */
struct disk_clock disk_clock(struct disk *d, struct now now);

/* What does not come back, in words, for disk_status; OK: all is well. ERR_BUSY: something. */
MUST_USE enum err disk_check_hang(struct disk *d, char reason[static DISK_REASON_MAX]);

/* In MS from now, on CLOCK_MONOTONIC. */
struct timespec disk_after_ms(int64_t ms);

/* A blob as it stands in the file (taken; may be NULL; a removal: it is damaged), for
 * disk_recall_blob(). */
void disk_shelve(struct disk *d, struct disk_item *item);

/* Queue the removal of KEY. */
void disk_remove_key(struct disk *d, struct span key);
/* Queue ITEM (taken; may be NULL). */
void disk_queue(struct disk *d, struct disk_item *item);
/* Wait for a commit of all that was queued before. */
MUST_USE enum err disk_wait(struct disk *d);

/* Readers by another entrance: the record of exactly KEY, pending or in the file, checked, into
 * R->record or BIG (NULL: not larger than R->record). R's lock is held. ERR_NOT_FOUND, ERR_CORRUPT,
 * ERR_SYSTEM, ERR_NO_SPACE. */
struct disk_buffer {
	uint8_t *at;
	size_t size, len;
};
MUST_USE enum err disk_fetch(struct disk_reader *r, const struct disk_key *key,
			     struct disk_buffer *out);

/* The entry of KEY in R->record, LEN bytes, on the scale of CLOCK. ERR_NOT_FOUND if it holds what was
 * flushed under another name; ERR_CORRUPT. */
MUST_USE enum err disk_record_view(struct disk_reader *r, struct span key, size_t len,
				   struct disk_clock clock, struct entry **out);
