#include "disk/io.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int open_file(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

static ssize_t pread_resident(int fd, void *out, size_t len, off_t offset)
{
	const struct iovec to = {.iov_base = out, .iov_len = len};
	return preadv2(fd, &to, 1, offset, RWF_NOWAIT);
}

static int64_t clock_us(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

static int64_t unix_ms(void)
{
	return clock_us(CLOCK_REALTIME) / 1000;
}

const struct disk_io disk_io_real = {
	.open = open_file,
	.close = close,
	.flock = flock,
	.fstat = fstat,
	.fstatvfs = fstatvfs,
	.fstatfs = fstatfs,
	.fallocate = fallocate,
	.ftruncate = ftruncate,
	.fsync = fsync,
	.pread = pread,
	.pread_resident = pread_resident,
	.pwrite = pwrite,
	.rename = rename,
	.unlink = unlink,
	.env_create = mdb_env_create,
	.env_set_mapsize = mdb_env_set_mapsize,
	.env_open = mdb_env_open,
	.env_close = mdb_env_close,
	.txn_begin = mdb_txn_begin,
	.txn_commit = mdb_txn_commit,
	.txn_abort = mdb_txn_abort,
	.dbi_open = mdb_dbi_open,
	.put = mdb_put,
	.del = mdb_del,
	.mono_us = mono_us,
	.unix_ms = unix_ms,
};
