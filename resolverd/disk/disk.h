#pragma once
/*
 * The disk tier: the entries of the memory tier, kept over restarts, crashes and outages in one
 * LMDB file of fixed size (PATH/data.mdb), and beside them small named blobs (server knowledge,
 * RFC 5011 state) and a list of what was popular.
 *
 * Promises
 *   - The daemon starts and resolves whatever the disk does. disk_open() fails only without memory;
 *     what cannot be used has a state and a reason, and is tried again every few seconds.
 *   - Nothing damaged is served: each record has a checksum over its key and its bytes, and readers
 *     walk LMDB's pages with their own bounds checks over pread(), so that a damaged, truncated or
 *     unreadable file is an error here and never SIGSEGV or SIGBUS. Before the first write after
 *     opening, the whole structure is checked in the background (check.h), because LMDB itself
 *     trusts its pages. A file that fails is moved aside (data.mdb.damaged-TIME, the latest two are
 *     kept), its blobs are rescued as far as they are good, and a new one is begun. The same goes
 *     for a file of another format version of ours or of LMDB's.
 *   - Nothing expired is revived: expiries are stored in wall-clock time. A record fetched in what
 *     is now the future has an unknown age and counts as expired since the daemon started; no
 *     record lives longer than its TTL from now on. A clock set forward makes records expired
 *     (they may still be used as stale) but nothing is collected for that in the ten minutes after
 *     opening or after a step of the clock, so that a wrong clock at boot does not wipe the cache.
 *   - Commits are durable and come once a second, more often where the file is small for what comes,
 *     so a crash of process or machine loses the last second, and never the file. Entries with a TTL
 *     below a minute change too often: they are written every 30 s and by disk_close(). Until written,
 *     entries are found in memory.
 *   - What was flushed does not come back: disk_flush() returns when its commit is on the disk.
 *
 * Never persisted: failures (RFC 9520), bogus data, TTL 0: what is learned in an outage or an
 * attack ends with the process.
 *
 * Threads: one writer, started by disk_open(), is the only one that calls LMDB and the only one
 * that waits for the disk to write. Puts and removals come from any thread and go to a bounded
 * table (pending.h). Each loading thread has a reader of its own. Whoever must not wait reads
 * what is in the system's memory (disk_load_resident()), and leaves the rest to reader threads
 * (lookup.h). A disk that hangs costs them, and nobody else, their time.
 *
 * One process per path: an exclusive flock() on PATH/lock, which holds the owner's pid. A second
 * daemon runs from memory (DISK_LOCKED) until the first has gone.
 */
#include "base/cursor.h"
#include "cache/entry.h"

struct disk;
struct disk_reader; /* one thread */
struct disk_hot;    /* one thread */

struct disk_settings {
	const char *path;  /* an existing directory; NULL or "": no disk tier */
	size_t size_bytes; /* of the map file, allocated at once; at least DISK_SIZE_MIN is used */
	/* The most of that where the directory is memory (tmpfs), which counts as ours; 0: all of it. */
	size_t in_memory_bytes;
};

enum {
	DISK_SIZE_MIN = 1024 * 1024,
	DISK_REASON_MAX = 256,
	DISK_PENDING_BYTES = 16 * 1024 * 1024, /* of entries that wait to be written */
	DISK_BLOB_MAX = 1024 * 1024,
	DISK_BLOB_NAME_MAX = 63,
	DISK_HOT_MAX = 20000, /* names loaded ahead of demand: about a second from a slow disk */
	/* A control command does not hang longer, nor the thread that feeds a watchdog: what takes
	 * longer is a check of a large file, or a disk that hangs. */
	DISK_FLUSH_WAIT_S = 3,
};

enum disk_state {
	DISK_OFF,	/* not configured */
	DISK_GOOD,	/* reads and writes; the reason may still hold a remark */
	DISK_FULL,	/* reads; writes as soon as the disk has room again */
	DISK_READ_ONLY, /* reads; a writable directory is used as soon as it is one */
	DISK_FAILED,	/* unusable for now, see the reason; tried again every few seconds */
	DISK_LOCKED,	/* another daemon has it */
	DISK_HUNG,	/* something asked of it does not come back: look-ups go on without it */
};

/* X(field, help): counters since disk_open(). */
#define DISK_COUNTER_LIST(X)                                                                       \
	X(puts, "entries handed to the disk tier")                                                 \
	X(skipped, "entries not meant for the disk: failures, bogus, TTL 0")                       \
	X(coalesced, "entries replaced by a newer one before they were written")                   \
	X(dropped, "entries dropped because more came than could be written")                      \
	X(written, "records written")                                                              \
	X(removed, "records removed or flushed")                                                   \
	X(collected, "expired or unpopular records removed to make room")                          \
	X(commits, "durable commits")                                                              \
	X(commit_failures, "commits that failed")                                                  \
	X(reads, "names looked up on disk")                                                        \
	X(lookups, "of those, or for other reasons, what a reader thread had to wait for")         \
	X(lookups_dropped, "look-ups given up because too many waited for the disk")               \
	X(lookups_refused, "look-ups given up because the disk hung")                              \
	X(lookups_expired, "look-ups given up because the disk was too slow to get to them")       \
	X(hits, "names found on disk")                                                             \
	X(damaged, "damaged records dropped")                                                      \
	X(foreign, "records of another format dropped")                                            \
	X(future, "records from the future of the clock, taken as expired")                        \
	X(moved_aside, "damaged or foreign files moved aside")

struct disk_status {
	enum disk_state state;
	char reason[DISK_REASON_MAX]; /* one line, "" if there is nothing to say */
	bool checking;		      /* the structure is still being checked: no writes yet */
#define DISK_FIELD(name, help) uint64_t name;
	DISK_COUNTER_LIST(DISK_FIELD)
#undef DISK_FIELD
	uint64_t used_bytes, map_bytes,
		limit_bytes;			 /* of the file: in use, allocated, configured */
	uint64_t entries;			 /* records in the file */
	uint64_t pending_entries, pending_bytes; /* not yet written */
	uint64_t commit_us_last, commit_us_max;
	int64_t last_commit_unix_s; /* 0: none yet */
};

/*
 * Start the writer, which opens or creates the file: milliseconds, however large the file is, and it can
 * be read at once. Nobody waits longer than a fraction of a second for that: if the disk does not answer,
 * the file is there as soon as it does. ERR_NO_MEMORY; all else is a state.
 */
MUST_USE enum err disk_open(const struct disk_settings *settings, struct disk **out);
/* The first try at opening is over, whatever came of it; or there is no disk tier. */
bool disk_is_opened(struct disk *d);
/* Until then: for who has the time. */
void disk_await_opened(struct disk *d);

/* At most so many BYTES wait to be written, instead of DISK_PENDING_BYTES. Before anybody puts. */
void disk_limit_pending(struct disk *d, size_t bytes);

/* Write all that waits, sync, stop the writer, release the path. No reader may be left and no other
 * thread may be in a call. Bounded in time: ERR_BUSY if something asked of the disk does not come back.
 * Then threads are left behind that may yet use D and what the functions of jobs use: nothing of that
 * may be freed, and the process had better end, or try again. */
enum err disk_close(struct disk *d);

void disk_read_status(struct disk *d, struct disk_status *out);
/* "off", "good", "full", "read-only", "failed", "locked", "hung". */
const char *disk_state_text(enum disk_state state);
/* Once a second or so: tell the log when the disk begins to hang, and when it answers again. */
void disk_tick(struct disk *d);

/* Queue a copy of E, which replaces what is stored under its key. Any thread; never waits for the
 * disk; drops and counts when too much waits. */
void disk_put(struct disk *d, const struct entry *e, struct now now);

/* Queue the removal of one key: it is not found any more from now on, and durably gone with the
 * next commit. Any thread; never waits for the disk. SEEN: something stood under the key, which would come
 * back without it: an eighth of the room is for such removals. Others are dropped, as puts are, when too much
 * waits. */
void disk_remove(struct disk *d, enum entry_kind kind, const uint8_t *name, uint16_t type,
		 bool seen);

/*
 * Remove every entry of NAME with TYPE (0: any type), all kinds, and the answer that NAME does not
 * exist; with SUBTREE also everything below NAME; and the answers to other questions whose aliases
 * lead there; from the file and from what waits. Nothing of it
 * comes back, even if the machine dies right after the return. The control thread's: waits for a
 * commit, up to DISK_FLUSH_WAIT_S; not at all while a commit that was waited for in vain is still to
 * come. Loads that run meanwhile have handed over by the return, so whoever flushes all tiers
 * flushes memory before and after this call.
 * A large subtree is hidden durably at once and collected later.
 * ERR_SYSTEM if it could not be made durable, ERR_BUSY if that takes too long or another daemon has
 * the file: the data are hidden from this process, and it goes on trying.
 */
MUST_USE enum err disk_flush(struct disk *d, const uint8_t *name, uint16_t type, bool subtree);
/* The same without waiting: hidden from now on, durably with the next commit. */
void disk_flush_begin(struct disk *d, const uint8_t *name, uint16_t type, bool subtree);
/* The same for everything. Blobs stay: they are not cache. */
MUST_USE enum err disk_flush_all(struct disk *d);

/* Wait until all that was put or removed before is durable, short TTLs too. Errors as above. */
MUST_USE enum err disk_sync(struct disk *d);

/* A reader for the calling thread. Reads take its own lock and, for a moment, one of the pending
 * table's. ERR_NO_MEMORY. */
MUST_USE enum err disk_reader_new(struct disk *d, struct disk_reader **out);
void disk_reader_free(struct disk_reader *r);

/* An entry as in the memory tier, in its time scale; valid during the call. Return false to stop.
 * Must not call back into this reader, nor disk_flush() or disk_sync(). */
typedef bool disk_entry_fn(void *context, const struct entry *e);

/*
 * Hand over the entries of exactly NAME (any case), what waits to be written included, at most
 * DISK_NAME_ENTRIES_MAX; expired ones too: the caller looks at entry_is_fresh(). Returns how many.
 * Reads a handful of pages: microseconds if they are in the page cache.
 */
enum { DISK_NAME_ENTRIES_MAX = 64 };
size_t disk_load_name(struct disk_reader *r, const uint8_t *name, struct now now, disk_entry_fn *fn,
		      void *context);

/* The same without ever waiting for the disk, into *COUNT. ERR_BUSY: some of it is not in memory (or the
 * file system cannot tell), and nothing was handed over. */
struct disk_load {
	const uint8_t *name;
	struct now now;
	disk_entry_fn *fn;
	void *context;
};
MUST_USE enum err disk_load_resident(struct disk_reader *r, const struct disk_load *what,
				     size_t *count);

/* The same for who has no reader, but for a moment patience: DISK_ASK_MS, while a reader thread looks.
 * ERR_BUSY: it has not come back. ERR_NO_MEMORY. */
enum { DISK_ASK_MS = 200 };
MUST_USE enum err disk_ask_name(struct disk *d, const struct disk_load *what);

/*
 * What was popular when disk_hot_store() was last called, most popular first, until FN says stop or
 * MAX_BYTES of entries are handed over. FN watches the time: each name may cost a read from a cold
 * disk. Returns how many.
 */
size_t disk_load_hot(struct disk_reader *r, size_t max_bytes, struct now now, disk_entry_fn *fn,
		     void *context);

/* A list of the DISK_HOT_MAX most popular of the entries added: from a walk of the memory tier,
 * every 30 s and before disk_close(). ERR_NO_MEMORY. */
MUST_USE enum err disk_hot_new(struct disk_hot **out);
void disk_hot_free(struct disk_hot *h);
/* Looks at hits, last_hit_s and gap_ms; entries never asked for are passed over. */
void disk_hot_add(struct disk_hot *h, const struct entry *e, struct now now);
/* Takes H: written with the next commit in place of the list before. Popularity loaded later comes
 * from here where it is newer than the entry's. */
void disk_hot_store(struct disk *d, struct disk_hot *h, struct now now);

/* Store BLOB (<= DISK_BLOB_MAX) under NAME with the next commit, which, if another daemon has the
 * file, comes when that one has gone. ERR_LIMIT, ERR_NO_MEMORY, or
 * ERR_CLOSED if there is no disk tier. */
MUST_USE enum err disk_put_blob(struct disk *d, const char *name, struct span blob);
/* Copy the blob of NAME into OUT. ERR_NOT_FOUND, ERR_NO_SPACE, ERR_CORRUPT, ERR_SYSTEM. Waits for the
 * disk. */
MUST_USE enum err disk_get_blob(struct disk_reader *r, const char *name, struct writer *out);
/* The same, as it stood in the file when that was opened, or was put since: without waiting. ERR_BUSY: the
 * file is not opened yet. */
MUST_USE enum err disk_recall_blob(struct disk *d, const char *name, struct writer *out);
/* Whoever needs blobs of before has them. */
void disk_forget_blobs(struct disk *d);
