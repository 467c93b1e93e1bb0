#pragma once
/*
 * The directory and the map file: locking, opening, allocating, moving aside; and one write
 * transaction at a time. The only caller of LMDB; only the writer thread uses it (and disk_open()
 * before there is one).
 *
 * How LMDB is used: MDB_NOLOCK, because the lock on the directory and the readers' own locks
 * already do all that LMDB's lock file would, and a shared-memory file less is one that cannot be
 * damaged. Neither MDB_WRITEMAP (a stray pointer would reach the file, and a full disk would be
 * SIGBUS) nor MDB_NOSYNC (a power cut would cost the file). The file has its full size from the start,
 * with fallocate() where the file system can, so that commits do not fail for a neighbour's growth.
 * Not posix_fallocate(): where the file system cannot, it writes to every block, which takes
 * minutes. Where the file system is memory itself nothing is reserved: pages that are allocated there
 * count for the daemon's control group, and the kernel would end the daemon for it at the start. Such a
 * file takes what is written, and no more than half of what the file system has left.
 *
 * Left over: LMDB's writer reads pages through its map, so a file that is truncated by somebody, or
 * a sector that fails, between disk_check() and a write can still end the process. The size is
 * looked at before each commit, and the next start checks the file anew, so it ends once, not for
 * ever.
 */
#include "base/err.h"
#include "disk/disk.h"
#include "disk/page.h"

struct disk_file { /* writer */
	const struct disk_io *io;
	const char *path;	/* the directory */
	size_t limit_bytes;	/* as configured */
	size_t in_memory_bytes; /* the most of that in memory */
	int lock_fd, fd;	/* -1: closed */
	bool read_only;
	bool in_memory; /* the file system is */
	size_t map_bytes;
	struct MDB_env *env; /* NULL: closed or read-only */
	struct MDB_txn *txn; /* NULL: none */
	unsigned dbi;
};

/* What is wrong, for disk_status. */
struct disk_trouble {
	enum disk_state state;
	char reason[DISK_REASON_MAX];
};

void disk_file_init(struct disk_file *f, const struct disk_io *io, const char *path,
		    size_t limit_bytes);

/*
 * Lock the directory and open its file, or begin one; *VIEW is what is in it. ERR_CORRUPT: the file
 * is damaged, ERR_UNSUPPORTED: of another format of LMDB's; it is open for reading then, for what
 * can be rescued, and wants disk_file_set_aside(). Else not OK means that nothing is open. *TROUBLE
 * holds the state to report, with OK too (read-only, or good with a remark).
 */
MUST_USE enum err disk_file_open(struct disk_file *f, struct disk_view *view,
				 struct disk_trouble *trouble);
/* Close all but the lock. */
void disk_file_close(struct disk_file *f);
void disk_file_unlock(struct disk_file *f);

/* Close, and rename the file to data.mdb.damaged-UNIX_S; remove all but the latest two such. */
MUST_USE enum err disk_file_set_aside(struct disk_file *f, int64_t unix_s);

/* The file is still where it was and as long as it must be for V. ERR_CORRUPT: shorter.
 * ERR_NOT_FOUND: deleted. ERR_SYSTEM. */
MUST_USE enum err disk_file_verify(const struct disk_file *f, const struct disk_view *v);

/*
 * One write transaction. A failure of begin, put or remove leaves the transaction to be aborted; a
 * commit ends it either way. ERR_NO_SPACE: the map is full. ERR_CORRUPT: LMDB stumbled over
 * its pages. ERR_CLOSED: LMDB gave up on its environment, it must be opened anew. ERR_NO_MEMORY.
 * ERR_SYSTEM: errno tells. All but OK are explained in *TROUBLE.
 */
MUST_USE enum err disk_file_begin(struct disk_file *f, struct disk_trouble *trouble);
MUST_USE enum err disk_file_put(struct disk_file *f, struct span key, struct span value,
				struct disk_trouble *trouble);
/* Removing what is not there is fine. */
MUST_USE enum err disk_file_remove(struct disk_file *f, struct span key,
				   struct disk_trouble *trouble);
MUST_USE enum err disk_file_commit(struct disk_file *f, struct disk_trouble *trouble);
void disk_file_abort(struct disk_file *f);
