#pragma once
/*
 * Every call of the disk tier into the system and into LMDB, as a table, so that tests can make
 * each of them fail. The signatures are those of the functions themselves.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/types.h>

struct MDB_env; /* lmdb.h is for the files that call LMDB */
struct MDB_txn;
struct MDB_val;

struct disk_io { /* immutable */
	int (*open)(const char *path, int flags, mode_t mode);
	int (*close)(int fd);
	int (*flock)(int fd, int operation);
	int (*fstat)(int fd, struct stat *out);
	int (*fstatvfs)(int fd, struct statvfs *out);
	int (*fstatfs)(int fd, struct statfs *out);
	int (*fallocate)(int fd, int mode, off_t offset, off_t len);
	int (*ftruncate)(int fd, off_t len);
	int (*fsync)(int fd);
	ssize_t (*pread)(int fd, void *out, size_t len, off_t offset);
	/* The same of what is in memory: errno is EAGAIN if it is not, and no disk is waited for. */
	ssize_t (*pread_resident)(int fd, void *out, size_t len, off_t offset);
	ssize_t (*pwrite)(int fd, const void *from, size_t len, off_t offset);
	int (*rename)(const char *from, const char *to);
	int (*unlink)(const char *path);

	int (*env_create)(struct MDB_env **out);
	int (*env_set_mapsize)(struct MDB_env *env, size_t bytes);
	int (*env_open)(struct MDB_env *env, const char *path, unsigned flags, mode_t mode);
	void (*env_close)(struct MDB_env *env);
	int (*txn_begin)(struct MDB_env *env, struct MDB_txn *parent, unsigned flags,
			 struct MDB_txn **out);
	int (*txn_commit)(struct MDB_txn *txn);
	void (*txn_abort)(struct MDB_txn *txn);
	int (*dbi_open)(struct MDB_txn *txn, const char *name, unsigned flags, unsigned *out);
	int (*put)(struct MDB_txn *txn, unsigned dbi, struct MDB_val *key, struct MDB_val *value,
		   unsigned flags);
	int (*del)(struct MDB_txn *txn, unsigned dbi, struct MDB_val *key, struct MDB_val *value);

	/* The writer is a thread without an event loop, so it reads clocks itself. */
	int64_t (*mono_us)(void);
	int64_t (*unix_ms)(void);
};

/* The real ones. */
extern const struct disk_io disk_io_real;
