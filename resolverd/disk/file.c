#include "disk/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <lmdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"

static_assert(MDB_VERSION_MAJOR == 0 && MDB_VERSION_MINOR == 9,
	      "page.c reads the file format of LMDB 0.9");

enum {
	FILE_MODE = 0600,    /* what was asked is nobody else's business */
	ASIDE_KEPT = 2,	     /* for whoever looks into the damage; each is as large as the map */
	ASIDE_SEEN_MAX = 64, /* more in the directory are not ours to sort out at once */
};
static const char data_name[] = "data.mdb";
static const char aside_prefix[] = "data.mdb.damaged-";

static void PRINTF_LIKE(3, 4)
	explain(struct disk_trouble *t, enum disk_state state, const char *format, ...)
{
	va_list args;
	t->state = state;
	va_start(args, format);
	vsnprintf(t->reason, sizeof(t->reason), format, args);
	va_end(args);
}

/* Which state a failed system call means. */
static enum disk_state state_of(int error)
{
	switch (error) {
	case EROFS:
	case EACCES:
	case EPERM:
		return DISK_READ_ONLY;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return DISK_FULL;
	default:
		return DISK_FAILED;
	}
}

static const char *words_of(int error, char buffer[static 64])
{
	return error < 0 ? mdb_strerror(error) : strerror_r(error, buffer, 64);
}

static enum err fail(struct disk_trouble *t, const struct disk_file *f, const char *what, int error)
{
	char buffer[64];
	explain(t, state_of(error), "%s: cannot %s: %s", f->path, what, words_of(error, buffer));
	return ERR_SYSTEM;
}

void disk_file_init(struct disk_file *f, const struct disk_io *io, const char *path,
		    size_t limit_bytes)
{
	size_t unit = 64 * 1024; /* a multiple of every page size there is */
	size_t limit = MAX(limit_bytes, (size_t)DISK_SIZE_MIN);
	*f = (struct disk_file){
		.io = io,
		.path = path,
		.limit_bytes = (limit + unit - 1) / unit * unit,
		.in_memory_bytes = SIZE_MAX,
		.lock_fd = -1,
		.fd = -1,
	};
}

static bool path_of(const struct disk_file *f, const char *name, char out[static PATH_MAX])
{
	return snprintf(out, PATH_MAX, "%s/%s", f->path, name) < PATH_MAX;
}

static void close_fd(const struct disk_file *f, int *fd)
{
	if (*fd >= 0)
		f->io->close(*fd);
	*fd = -1;
}

static void read_owner(const struct disk_file *f, int fd, char out[static 16])
{
	ssize_t n = f->io->pread(fd, out, 15, 0);
	size_t len = 0;
	while (n > 0 && len < (size_t)n && out[len] >= '0' && out[len] <= '9')
		len++;
	out[len] = '\0';
	if (len == 0)
		memcpy(out, "unknown", sizeof("unknown"));
}

/* Hold PATH/lock for ourselves. A directory that cannot be written to needs none: nobody writes. */
static enum err lock(struct disk_file *f, struct disk_trouble *trouble)
{
	char path[PATH_MAX], owner[16];
	if (!path_of(f, "lock", path))
		return fail(trouble, f, "use this path", ENAMETOOLONG);
	int fd = f->io->open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (fd < 0 && state_of(errno) == DISK_READ_ONLY)
		return OK;
	if (fd < 0)
		return fail(trouble, f, "create the lock file", errno);
	if (f->io->flock(fd, LOCK_EX | LOCK_NB) != 0) {
		int error = errno;
		if (error == EWOULDBLOCK) {
			read_owner(f, fd, owner);
			explain(trouble, DISK_LOCKED, "%s is used by another daemon, pid %s",
				f->path, owner);
		} else {
			fail(trouble, f, "lock the directory", error);
		}
		f->io->close(fd);
		return error == EWOULDBLOCK ? ERR_BUSY : ERR_SYSTEM;
	}
	int len = snprintf(owner, sizeof(owner), "%ld\n", (long)getpid());
	if (f->io->ftruncate(fd, 0) != 0 || f->io->pwrite(fd, owner, (size_t)len, 0) != len)
		log_warning("cannot note the owner: path=%s",
			    path); /* only worth a better message */
	f->lock_fd = fd;
	return OK;
}

void disk_file_unlock(struct disk_file *f)
{
	close_fd(f, &f->lock_fd);
}

/* Open data.mdb for our own reading; writable or not. */
static enum err open_data(struct disk_file *f, const char *path, struct disk_trouble *trouble)
{
	int flags = O_CLOEXEC | O_NOFOLLOW;
	f->read_only = f->lock_fd < 0;
	if (!f->read_only)
		f->fd = f->io->open(path, O_RDWR | O_CREAT | flags, FILE_MODE);
	if (f->fd < 0 && (f->read_only || state_of(errno) == DISK_READ_ONLY)) {
		f->read_only = true;
		f->fd = f->io->open(path, O_RDONLY | flags, 0);
	}
	if (f->fd >= 0)
		return OK;
	bool nothing = f->read_only && errno == ENOENT;
	/* Not there and not to be created is the directory's fault. */
	return fail(trouble, f, "open data.mdb", nothing ? EROFS : errno);
}

static int name_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Remove files that were moved aside, but for the latest KEEP: names end with a time, so they
 * sort. */
static void prune_aside(const struct disk_file *f, size_t keep)
{
	char *names[ASIDE_SEEN_MAX], path[PATH_MAX];
	size_t count = 0;
	DIR *dir = opendir(f->path);
	if (!dir)
		return;
	/* One thread reads this stream, which is all that readdir() asks for. */
	for (struct dirent *d;
	     count < ASIDE_SEEN_MAX && (d = readdir(dir));) { /* NOLINT(concurrency-mt-unsafe) */
		if (strncmp(d->d_name, aside_prefix, sizeof(aside_prefix) - 1) != 0)
			continue;
		names[count] = strdup(d->d_name);
		count += names[count] != NULL;
	}
	closedir(dir);
	qsort(names, count, sizeof(names[0]), name_order);
	for (size_t i = 0; i < count; i++) {
		if (i + keep < count && path_of(f, names[i], path) && f->io->unlink(path) == 0)
			log_notice("old damaged file removed: path=%s", path);
		free(names[i]);
	}
}

/* What is written there is memory of ours. Where that cannot be told it is taken for a disk. */
static bool is_in_memory(const struct disk_file *f)
{
	struct statfs fs;
	return f->io->fstatfs(f->fd, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* Blocks for BYTES, without changing the length. False only if there is no room. */
static bool allocate(const struct disk_file *f, size_t bytes, int mode)
{
	if (f->in_memory)
		return true;
	if (f->io->fallocate(f->fd, mode, 0, (off_t)bytes) == 0)
		return true;
	if (state_of(errno) == DISK_FULL)
		return false;
	log_notice("disk space for the cache cannot be reserved: path=%s errno=%d", f->path, errno);
	return true;
}

/* A file in memory: as configured, or half of what the file system may yet take. A ramfs has no limit, and
 * says that it has nothing. */
static enum err settle_in_memory(struct disk_file *f, size_t used, struct disk_trouble *trouble)
{
	struct statvfs vfs;
	size_t unit = 64 * 1024;
	if (f->io->fstatvfs(f->fd, &vfs) != 0)
		return fail(trouble, f, "see how much room there is", errno);
	uint64_t free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize + used;
	size_t limit = MIN(f->limit_bytes, f->in_memory_bytes / unit * unit);
	f->map_bytes = MAX(limit, used);
	if (vfs.f_blocks > 0 && free_bytes / 2 < f->map_bytes)
		f->map_bytes = MAX((size_t)(free_bytes / 2) / unit * unit, used);
	if (f->map_bytes < DISK_SIZE_MIN) {
		explain(trouble, DISK_FULL, "%s: no room for a cache file of %zu bytes", f->path,
			f->limit_bytes);
		return ERR_NO_SPACE;
	}
	explain(trouble, DISK_GOOD,
		"%s is memory: nothing is reserved, what is kept there, up to %zu bytes, counts as "
		"memory of the daemon, and is gone when the machine ends",
		f->path, f->map_bytes);
	return OK;
}

/*
 * Reserve room for the map: as configured, or else half of what the disk has left (the operator's
 * other files need some too), but at least USED bytes, which the file already has.
 */
static enum err reserve(struct disk_file *f, size_t used, struct disk_trouble *trouble)
{
	struct statvfs vfs;
	f->in_memory = is_in_memory(f);
	if (f->in_memory)
		return settle_in_memory(f, used, trouble);
	f->map_bytes = MAX(f->limit_bytes, used);
	if (allocate(f, f->map_bytes, FALLOC_FL_KEEP_SIZE))
		return OK;
	prune_aside(f, 0);
	if (allocate(f, f->map_bytes, FALLOC_FL_KEEP_SIZE))
		return OK;
	if (f->io->fstatvfs(f->fd, &vfs) != 0)
		return fail(trouble, f, "see how much room there is", errno);
	uint64_t free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	size_t unit = 64 * 1024;
	size_t less = MAX((size_t)(free_bytes / 2) / unit * unit, used);
	if (less < DISK_SIZE_MIN || !allocate(f, less, FALLOC_FL_KEEP_SIZE)) {
		/* Give back what a failed attempt may have taken. */
		if (used == 0 && f->io->ftruncate(f->fd, 0) != 0)
			log_debug("cannot truncate: path=%s", f->path);
		explain(trouble, DISK_FULL, "%s: no room for a cache file of %zu bytes", f->path,
			f->limit_bytes);
		return ERR_NO_SPACE;
	}
	explain(trouble, DISK_GOOD,
		"the cache file has %zu bytes instead of %zu: the disk is nearly full", less,
		f->limit_bytes);
	f->map_bytes = less;
	return OK;
}

static enum err open_env(struct disk_file *f, const char *path, struct disk_trouble *trouble)
{
	int error = f->io->env_create(&f->env);
	if (error != 0) {
		f->env = NULL;
		return fail(trouble, f, "start LMDB", error);
	}
	error = f->io->env_set_mapsize(f->env, f->map_bytes);
	if (error == 0)
		error = f->io->env_open(f->env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NORDAHEAD,
					FILE_MODE);
	if (error == 0)
		return OK;
	f->io->env_close(f->env);
	f->env = NULL;
	fail(trouble, f, "open data.mdb with LMDB", error);
	return error == MDB_INVALID || error == MDB_CORRUPTED ? ERR_CORRUPT : ERR_SYSTEM;
}

/* The length is that of the map: LMDB never reads past it, and a shorter file is a truncated
 * one. */
static enum err set_length(struct disk_file *f, struct disk_trouble *trouble)
{
	if (!allocate(f, f->map_bytes, 0))
		return fail(trouble, f, "reserve room", ENOSPC);
	if (f->io->ftruncate(f->fd, (off_t)f->map_bytes) != 0)
		return fail(trouble, f, "set the length of data.mdb", errno);
	return OK;
}

static enum err sync_directory(const struct disk_file *f, struct disk_trouble *trouble)
{
	int fd = f->io->open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return fail(trouble, f, "open the directory", errno);
	enum err err = f->io->fsync(fd) == 0 ? OK : fail(trouble, f, "sync the directory", errno);
	f->io->close(fd);
	return err;
}

static enum err open_writable(struct disk_file *f, const char *path, struct disk_view *view,
			      struct disk_trouble *trouble)
{
	size_t used = (size_t)(view->page_count * view->page_bytes);
	enum err err = reserve(f, used, trouble);
	if (err == OK)
		err = open_env(f, path, trouble);
	if (err == OK)
		err = set_length(f, trouble);
	if (err == OK)
		err = sync_directory(f, trouble);
	if (err == OK) {
		err = disk_view_read(f->io, f->fd, view);
		if (err != OK)
			explain(trouble, DISK_FAILED, "%s/%s cannot be read", f->path, data_name);
	}
	if (err == OK && used > f->limit_bytes)
		explain(trouble, DISK_GOOD,
			"the cache file has %zu bytes, %zu are configured: it is emptied down",
			f->map_bytes, f->limit_bytes);
	return err;
}

static enum err look_and_open(struct disk_file *f, struct disk_view *view,
			      struct disk_trouble *trouble)
{
	char path[PATH_MAX];
	if (!path_of(f, data_name, path))
		return fail(trouble, f, "use this path", ENAMETOOLONG);
	enum err err = open_data(f, path, trouble);
	if (err != OK)
		return err;
	*view = (struct disk_view){0};
	err = disk_view_read(f->io, f->fd, view);
	if (err == ERR_SYSTEM)
		return fail(trouble, f, "read data.mdb", errno);
	if (f->read_only) {
		explain(trouble, DISK_READ_ONLY, "%s cannot be written to", f->path);
		return err;
	}
	if (err == OK || err == ERR_NOT_FOUND)
		err = open_writable(f, path, view, trouble);
	return err;
}

enum err disk_file_open(struct disk_file *f, struct disk_view *view, struct disk_trouble *trouble)
{
	explain(trouble, DISK_GOOD, "%s", "");
	enum err err = f->lock_fd >= 0 ? OK : lock(f, trouble);
	if (err != OK)
		return err;
	err = look_and_open(f, view, trouble);
	if (err == ERR_CORRUPT)
		explain(trouble, f->read_only ? DISK_READ_ONLY : DISK_FAILED, "%s/%s is damaged",
			f->path, data_name);
	if (err == ERR_UNSUPPORTED)
		explain(trouble, f->read_only ? DISK_READ_ONLY : DISK_FAILED,
			"%s/%s is of another format of LMDB's", f->path, data_name);
	if (err != OK && err != ERR_CORRUPT && err != ERR_UNSUPPORTED) {
		disk_file_close(f);
		/* The directory may be another one next time, and another lock. */
		disk_file_unlock(f);
	}
	return err;
}

void disk_file_close(struct disk_file *f)
{
	disk_file_abort(f);
	if (f->env)
		f->io->env_close(f->env);
	f->env = NULL;
	close_fd(f, &f->fd);
}

enum err disk_file_set_aside(struct disk_file *f, int64_t unix_s)
{
	char from[PATH_MAX], to[PATH_MAX], name[64];
	struct disk_trouble trouble;
	disk_file_close(f);
	snprintf(name, sizeof(name), "%s%010lld", aside_prefix, (long long)unix_s);
	if (!path_of(f, data_name, from) || !path_of(f, name, to))
		return ERR_SYSTEM;
	if (f->io->rename(from, to) != 0 && errno != ENOENT)
		return ERR_SYSTEM;
	prune_aside(f, ASIDE_KEPT);
	return sync_directory(f, &trouble);
}

enum err disk_file_verify(const struct disk_file *f, const struct disk_view *v)
{
	struct stat st;
	if (f->io->fstat(f->fd, &st) != 0)
		return ERR_SYSTEM;
	if (st.st_nlink == 0)
		return ERR_NOT_FOUND;
	return (uint64_t)st.st_size >= v->page_count * v->page_bytes ? OK : ERR_CORRUPT;
}

/* What LMDB's answer means. */
static enum err judge(const struct disk_file *f, const char *what, int error,
		      struct disk_trouble *trouble)
{
	switch (error) {
	case MDB_SUCCESS:
		return OK;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		explain(trouble, DISK_GOOD,
			"the cache file is at its limit of %zu bytes (cache.disk)", f->limit_bytes);
		return ERR_NO_SPACE;
	case ENOMEM:
		explain(trouble, DISK_FAILED, "out of memory");
		return ERR_NO_MEMORY;
	case MDB_PANIC:
		fail(trouble, f, what, error);
		return ERR_CLOSED;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL:
	case MDB_INCOMPATIBLE:
	case MDB_INVALID:
		fail(trouble, f, what, error);
		return ERR_CORRUPT;
	default:
		fail(trouble, f, what, error);
		return error > 0 ? ERR_SYSTEM : ERR_CLOSED;
	}
}

enum err disk_file_begin(struct disk_file *f, struct disk_trouble *trouble)
{
	REQUIRE(f->env && !f->txn);
	int error = f->io->txn_begin(f->env, NULL, 0, &f->txn);
	if (error != 0) {
		f->txn = NULL;
		return judge(f, "begin a write", error, trouble);
	}
	return judge(f, "open the table", f->io->dbi_open(f->txn, NULL, 0, &f->dbi), trouble);
}

enum err disk_file_put(struct disk_file *f, struct span key, struct span value,
		       struct disk_trouble *trouble)
{
	MDB_val k = {key.len, (void *)key.at}, v = {value.len, (void *)value.at};
	return judge(f, "write a record", f->io->put(f->txn, f->dbi, &k, &v, 0), trouble);
}

enum err disk_file_remove(struct disk_file *f, struct span key, struct disk_trouble *trouble)
{
	MDB_val k = {key.len, (void *)key.at};
	int error = f->io->del(f->txn, f->dbi, &k, NULL);
	return error == MDB_NOTFOUND ? OK : judge(f, "remove a record", error, trouble);
}

enum err disk_file_commit(struct disk_file *f, struct disk_trouble *trouble)
{
	struct MDB_txn *txn = f->txn;
	f->txn = NULL;
	return judge(f, "commit", f->io->txn_commit(txn), trouble);
}

void disk_file_abort(struct disk_file *f)
{
	if (f->txn)
		f->io->txn_abort(f->txn);
	f->txn = NULL;
}
