/*
 * Every call into the system and into LMDB fails in turn, with each error it may plausibly give,
 * once or for good; and the real thing: a full, a read-only, a missing, a forbidden directory.
 * Always: nothing crashes, nothing wrong is served, a failure has a state and a reason, and when
 * the fault is gone the disk tier recovers by itself.
 */
#include <linux/magic.h>
#include <lmdb.h>
#include <sched.h>
#include <sys/mount.h>

#include "unit/disk_unit.h"

#define CALL_LIST(X)                                                                               \
	X(open)                                                                                    \
	X(close)                                                                                   \
	X(flock)                                                                                   \
	X(fstat)                                                                                   \
	X(fstatvfs)                                                                                \
	X(fstatfs)                                                                                 \
	X(fallocate)                                                                               \
	X(ftruncate)                                                                               \
	X(fsync)                                                                                   \
	X(pread)                                                                                   \
	X(pread_resident)                                                                          \
	X(pwrite)                                                                                  \
	X(rename)                                                                                  \
	X(unlink)                                                                                  \
	X(env_create)                                                                              \
	X(env_set_mapsize)                                                                         \
	X(env_open)                                                                                \
	X(txn_begin)                                                                               \
	X(txn_commit)                                                                              \
	X(dbi_open)                                                                                \
	X(put)                                                                                     \
	X(del)

#define CALL_ENUM(name) CALL_##name,
enum call { CALL_LIST(CALL_ENUM) CALL_COUNT };
#define CALL_NAME(name) #name,
static const char *const call_names[] = {CALL_LIST(CALL_NAME)};

static struct { /* the fault of the moment; a table of plain functions leaves no other place */
	atomic_int call, error, number;
	atomic_bool for_good;
	atomic_int seen[CALL_COUNT], hits;
} fault;

static int fails(enum call call)
{
	int number = atomic_fetch_add(&fault.seen[call], 1) + 1;
	if (atomic_load(&fault.call) != (int)call)
		return 0;
	int first = atomic_load(&fault.number);
	if (number != first && !(atomic_load(&fault.for_good) && number > first))
		return 0;
	atomic_fetch_add(&fault.hits, 1);
	return atomic_load(&fault.error);
}

static int fails_errno(enum call call)
{
	int error = fails(call);
	if (error != 0)
		errno = error;
	return error;
}

static int fault_open(const char *path, int flags, mode_t mode)
{
	return fails_errno(CALL_open) ? -1 : disk_io_real.open(path, flags, mode);
}

static int fault_close(int fd)
{
	int result = disk_io_real.close(fd); /* Linux closes it whatever it says */
	return fails_errno(CALL_close) ? -1 : result;
}

static int fault_flock(int fd, int operation)
{
	return fails_errno(CALL_flock) ? -1 : disk_io_real.flock(fd, operation);
}

static int fault_fstat(int fd, struct stat *out)
{
	return fails_errno(CALL_fstat) ? -1 : disk_io_real.fstat(fd, out);
}

static int fault_fstatvfs(int fd, struct statvfs *out)
{
	return fails_errno(CALL_fstatvfs) ? -1 : disk_io_real.fstatvfs(fd, out);
}

/* A disk, whatever the directory is. */
static int fault_fstatfs(int fd, struct statfs *out)
{
	int result = fails_errno(CALL_fstatfs) ? -1 : disk_io_real.fstatfs(fd, out);
	out->f_type = 0xEF53;
	return result;
}

static int fault_fallocate(int fd, int mode, off_t offset, off_t len)
{
	return fails_errno(CALL_fallocate) ? -1 : disk_io_real.fallocate(fd, mode, offset, len);
}

static int fault_ftruncate(int fd, off_t len)
{
	return fails_errno(CALL_ftruncate) ? -1 : disk_io_real.ftruncate(fd, len);
}

static int fault_fsync(int fd)
{
	return fails_errno(CALL_fsync) ? -1 : disk_io_real.fsync(fd);
}

/* -1 as an error: the file ends here. */
static ssize_t fault_pread(int fd, void *out, size_t len, off_t offset)
{
	int error = fails_errno(CALL_pread);
	return error == -1 ? 0 : error ? -1 : disk_io_real.pread(fd, out, len, offset);
}

static ssize_t fault_pread_resident(int fd, void *out, size_t len, off_t offset)
{
	int error = fails_errno(CALL_pread_resident);
	return error == -1 ? 0 : error ? -1 : disk_io_real.pread_resident(fd, out, len, offset);
}

static ssize_t fault_pwrite(int fd, const void *from, size_t len, off_t offset)
{
	return fails_errno(CALL_pwrite) ? -1 : disk_io_real.pwrite(fd, from, len, offset);
}

static int fault_rename(const char *from, const char *to)
{
	return fails_errno(CALL_rename) ? -1 : disk_io_real.rename(from, to);
}

static int fault_unlink(const char *path)
{
	return fails_errno(CALL_unlink) ? -1 : disk_io_real.unlink(path);
}

static int fault_env_create(struct MDB_env **out)
{
	int error = fails(CALL_env_create);
	return error ? error : disk_io_real.env_create(out);
}

static int fault_env_set_mapsize(struct MDB_env *env, size_t bytes)
{
	int error = fails(CALL_env_set_mapsize);
	return error ? error : disk_io_real.env_set_mapsize(env, bytes);
}

static int fault_env_open(struct MDB_env *env, const char *path, unsigned flags, mode_t mode)
{
	int error = fails(CALL_env_open);
	return error ? error : disk_io_real.env_open(env, path, flags, mode);
}

static int fault_txn_begin(struct MDB_env *env, struct MDB_txn *parent, unsigned flags,
			   struct MDB_txn **out)
{
	int error = fails(CALL_txn_begin);
	return error ? error : disk_io_real.txn_begin(env, parent, flags, out);
}

static int fault_txn_commit(struct MDB_txn *txn)
{
	int error = fails(CALL_txn_commit);
	if (!error)
		return disk_io_real.txn_commit(txn);
	disk_io_real.txn_abort(txn);
	return error;
}

static int fault_dbi_open(struct MDB_txn *txn, const char *name, unsigned flags, unsigned *out)
{
	int error = fails(CALL_dbi_open);
	return error ? error : disk_io_real.dbi_open(txn, name, flags, out);
}

static int fault_put(struct MDB_txn *txn, unsigned dbi, struct MDB_val *key, struct MDB_val *value,
		     unsigned flags)
{
	int error = fails(CALL_put);
	return error ? error : disk_io_real.put(txn, dbi, key, value, flags);
}

static int fault_del(struct MDB_txn *txn, unsigned dbi, struct MDB_val *key, struct MDB_val *value)
{
	int error = fails(CALL_del);
	return error ? error : disk_io_real.del(txn, dbi, key, value);
}

static struct disk_io faulty(void)
{
	struct disk_io io = disk_io_real;
#define CALL_SET(name) io.name = fault_##name;
	CALL_LIST(CALL_SET)
	return io;
}

static const struct {
	enum call call;
	int errors[8];
	int numbers; /* call sites and repetitions tried */
} faults[] = {
	{CALL_open, {EACCES, EROFS, EMFILE, ENOENT, EIO, ENOSPC, ELOOP}, 5},
	{CALL_close, {EIO}, 5},
	{CALL_flock, {ENOLCK, EWOULDBLOCK, EINVAL}, 2},
	{CALL_fstat, {EIO}, 6},
	{CALL_fstatvfs, {EIO}, 1},
	{CALL_fstatfs, {EIO}, 1},
	{CALL_fallocate, {ENOSPC, EOPNOTSUPP, EIO, EDQUOT}, 4},
	{CALL_ftruncate, {EIO, EROFS, ENOSPC}, 4},
	{CALL_fsync, {EIO}, 3},
	{CALL_pread, {EIO, -1, EINTR}, 24},
	{CALL_pread_resident, {EAGAIN, EOPNOTSUPP, EIO, -1, EINTR}, 12},
	{CALL_pwrite, {ENOSPC, EIO}, 1},
	{CALL_rename, {EACCES, EROFS}, 1},
	{CALL_unlink, {EACCES}, 1},
	{CALL_env_create, {ENOMEM}, 2},
	{CALL_env_set_mapsize, {EINVAL}, 2},
	{CALL_env_open, {MDB_INVALID, MDB_VERSION_MISMATCH, EACCES, ENOMEM, ENOSPC, EIO}, 2},
	{CALL_txn_begin, {MDB_PANIC, ENOMEM, EIO, MDB_MAP_RESIZED}, 3},
	{CALL_txn_commit, {ENOSPC, EIO, EROFS, MDB_PANIC, MDB_CORRUPTED, MDB_MAP_FULL, ENOMEM}, 3},
	{CALL_dbi_open, {ENOMEM, MDB_BAD_TXN}, 2},
	{CALL_put,
	 {MDB_MAP_FULL, MDB_CORRUPTED, MDB_PAGE_NOTFOUND, ENOMEM, EIO, MDB_BAD_TXN, MDB_TXN_FULL},
	 4},
	{CALL_del, {MDB_MAP_FULL, MDB_CORRUPTED, ENOMEM, EIO}, 3},
};

static void clear_fault(void)
{
	atomic_store(&fault.call, CALL_COUNT);
}

/* A failure for good shows, though the state may be good for a moment whenever a file is opened. */
static void check_result(struct disk *d, enum err err, const char *what)
{
	struct disk_status s = unit_status(d);
	if (err == OK || err == ERR_BUSY || !atomic_load(&fault.for_good))
		return;
	for (unsigned i = 0; i < 1000 && s.state == DISK_GOOD; i++) {
		usleep(500);
		s = unit_status(d);
	}
	if (s.state == DISK_GOOD || s.reason[0] == '\0')
		fail_msg("%s failed (%s) but the state is %s: \"%s\"", what, err_text(err),
			 disk_state_text(s.state), s.reason);
}

/* What cannot be had without waiting is not handed over at all. */
static void check_resident(struct disk_reader *r, unsigned number, struct now now)
{
	struct unit_seen seen = {0};
	uint8_t name[DNAME_MAX];
	const struct disk_load what = {.name = name, .now = now, .fn = unit_see, .context = &seen};
	size_t count;
	unit_number_name(number, name);
	enum err err = disk_load_resident(r, &what, &count);
	assert_true(err == OK || err == ERR_BUSY);
	assert_int_equal(count, seen.count);
	assert_true(seen.count == 0 || (err == OK && seen.serials[0] == 100 + number));
}

/* The life of a disk tier with a fault somewhere in it. */
static void live_through(const struct disk_io *io, const struct disk_tuning *tuning)
{
	struct disk_settings settings = {.path = unit_dir.path, .size_bytes = UNIT_MAP_BYTES};
	struct now now = unit_now(0);
	uint8_t name[DNAME_MAX];
	struct disk *d;
	assert_int_equal(disk_open_with(&settings, io, tuning, &d), OK);
	struct disk_reader *r = unit_reader(d);
	for (unsigned i = 0; i < 20; i++)
		unit_put(d, i, TYPE_ONE, 100 + i, now);
	check_result(d, disk_sync(d), "sync");
	for (unsigned i = 0; i < 25; i++) {
		uint32_t serial = unit_get(r, i, TYPE_ONE, now);
		assert_true(serial == 0 || serial == 100 + i);
	}
	for (unsigned i = 0; i < 25; i++)
		check_resident(r, i, now);
	unit_number_name(3, name);
	disk_remove(d, ENTRY_RRSET, name, TYPE_ONE, true);
	unit_number_name(4, name);
	check_result(d, disk_flush(d, name, 0, false), "flush");
	assert_int_equal(unit_get(r, 3, TYPE_ONE, now), 0);
	assert_int_equal(unit_get(r, 4, TYPE_ONE, now), 0);

	clear_fault();
	for (unsigned i = 0; i < 400 && disk_sync(d) != OK; i++)
		usleep(2000);
	unit_await(d, DISK_GOOD);
	unit_put(d, 5, TYPE_TWO, 500, now);
	assert_int_equal(disk_sync(d), OK);
	assert_int_equal(unit_status(d).pending_entries, 0);
	assert_int_equal(unit_get(r, 5, TYPE_TWO, now), 500);
	assert_int_equal(unit_get(r, 4, TYPE_ONE, now), 0);
	disk_reader_free(r);
	disk_close(d);
}

static void look_again(void)
{
	struct now now = unit_now(0);
	struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	struct disk_reader *r = unit_reader(d);
	assert_int_equal(unit_status(d).state, DISK_GOOD);
	assert_int_equal(unit_get(r, 5, TYPE_TWO, now), 500);
	assert_int_equal(unit_get(r, 3, TYPE_ONE, now), 0); /* nothing removed comes back */
	assert_int_equal(unit_get(r, 4, TYPE_ONE, now), 0);
	disk_reader_free(r);
	disk_close(d);
}

static void each_call_fails(void **state)
{
	(void)state;
	const struct disk_io io = faulty();
	struct disk_tuning fast = quick;
	unsigned hit[CALL_COUNT] = {0};
	char path[512];
	fast.commit_ms = fast.retry_ms = 2;
	unit_dir_file(&unit_dir, "data.mdb", path);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		for (unsigned e = 0; e < 8 && faults[i].errors[e] != 0; e++) {
			for (int n = 1; n <= faults[i].numbers; n++) {
				/* A new file and one that is there, one that is damaged; once and
				 * for good. */
				static unsigned turn;
				turn++;
				bool damaged = faults[i].call == CALL_rename ||
					       faults[i].call == CALL_unlink;
				if (damaged)
					assert_int_equal(truncate(path, 9999), 0);
				else if (turn % 3 == 0)
					unlink(path);
				for (unsigned c = 0; c < CALL_COUNT; c++)
					atomic_store(&fault.seen[c], 0);
				atomic_store(&fault.hits, 0);
				atomic_store(&fault.error, faults[i].errors[e]);
				atomic_store(&fault.number, n);
				/* EINTR for good is no error any system gives. */
				atomic_store(&fault.for_good,
					     turn % 2 == 0 && faults[i].errors[e] != EINTR);
				atomic_store(&fault.call, (int)faults[i].call);
				if (getenv("DISK_LOG"))
					fprintf(stderr, "-- %s call %d: error %d%s\n",
						call_names[faults[i].call], n, faults[i].errors[e],
						atomic_load(&fault.for_good) ? " for good" : "");
				live_through(&io, &fast);
				hit[faults[i].call] += (unsigned)atomic_load(&fault.hits);
				look_again();
			}
		}
	}
	for (unsigned c = 0; c < CALL_COUNT; c++) {
		if (hit[c] == 0 && c != CALL_unlink && c != CALL_fstatvfs)
			fail_msg("%s never failed", call_names[c]);
	}
}

static void missing_directory(void **state)
{
	(void)state;
	struct now now = unit_now(0);
	rmdir(unit_dir.path);
	struct disk *d = unit_open(&unit_dir, UNIT_MAP_BYTES, &disk_io_real);
	struct disk_reader *r = unit_reader(d);
	struct disk_status s = unit_status(d);
	assert_int_equal(s.state, DISK_FAILED);
	assert_non_null(strstr(s.reason, "No such file"));
	unit_put(d, 1, TYPE_ONE, 1, now);
	assert_int_equal(unit_get(r, 1, TYPE_ONE, now), 1);
	assert_int_equal(disk_sync(d), ERR_SYSTEM);
	assert_int_equal(mkdir(unit_dir.path, 0700), 0);
	unit_await(d, DISK_GOOD);
	assert_int_equal(disk_sync(d), OK);
	assert_int_equal(unit_get(r, 1, TYPE_ONE, now), 1);
	disk_reader_free(r);
	disk_close(d);
}

static int fstatfs_memory(int fd, struct statfs *out)
{
	int result = fstatfs(fd, out);
	out->f_type = TMPFS_MAGIC;
	return result;
}

/* A directory that is memory: nothing is taken before it is needed, nor more than the share. */
static void memory_directory(void **state)
{
	(void)state;
	struct disk_io io = disk_io_real;
	struct disk_settings settings = {
		.path = unit_dir.path, .size_bytes = (size_t)1 << 30, .in_memory_bytes = 4 << 20};
	struct stat st;
	struct disk *d;
	char path[512];
	io.fstatfs = fstatfs_memory;
	assert_int_equal(disk_open_with(&settings, &io, &quick, &d), OK);
	struct disk_status s = unit_status(d);
	assert_int_equal(s.state, DISK_GOOD);
	assert_non_null(strstr(s.reason, "is memory: nothing is reserved"));
	assert_int_equal(s.map_bytes, settings.in_memory_bytes);
	unit_put(d, 1, TYPE_ONE, 1, unit_now(0));
	assert_int_equal(disk_sync(d), OK);
	unit_dir_file(&unit_dir, "data.mdb", path);
	assert_int_equal(stat(path, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 < 1 << 20);
	disk_close(d);
}

/* A file system, no memory, that has 4 MB left: more is refused, as by ext4. */
static int fstatfs_small(int fd, struct statfs *out)
{
	int result = fstatfs(fd, out);
	out->f_type = EXT4_SUPER_MAGIC;
	return result;
}

static int fallocate_small(int fd, int mode, off_t offset, off_t len)
{
	if (offset + len > 4 << 20) {
		errno = ENOSPC;
		return -1;
	}
	return disk_io_real.fallocate(fd, mode, offset, len);
}

static int fstatvfs_small(int fd, struct statvfs *out)
{
	int result = fstatvfs(fd, out);
	out->f_bavail = (fsblkcnt_t)(4 << 20) / out->f_frsize;
	return result;
}

/* Half of what is left is taken; the operator's files need some too. */
static void nearly_full_disk(void **state)
{
	(void)state;
	struct disk_io io = disk_io_real;
	struct disk_settings settings = {.path = unit_dir.path, .size_bytes = (size_t)1 << 30};
	struct disk *d;
	io.fstatfs = fstatfs_small;
	io.fallocate = fallocate_small;
	io.fstatvfs = fstatvfs_small;
	assert_int_equal(disk_open_with(&settings, &io, &quick, &d), OK);
	struct disk_status s = unit_status(d);
	assert_int_equal(s.state, DISK_GOOD);
	assert_non_null(strstr(s.reason, "the disk is nearly full"));
	assert_int_equal(s.map_bytes, 2 << 20);
	disk_close(d);
}

static atomic_bool gate; /* no commit while it is set */

static int gated_txn_commit(struct MDB_txn *txn)
{
	while (atomic_load(&gate))
		usleep(1000);
	return disk_io_real.txn_commit(txn);
}

/* Nobody waits long for a disk that hangs; what was asked for is done when it goes on. */
static void hanging_disk(void **state)
{
	(void)state;
	struct disk_io io = disk_io_real;
	struct disk_tuning patient = quick;
	struct disk_settings settings = {.path = unit_dir.path, .size_bytes = UNIT_MAP_BYTES};
	struct now now = unit_now(0);
	struct disk *d;
	io.txn_commit = gated_txn_commit;
	patient.wait_ms = 300;
	atomic_store(&gate, true);
	assert_int_equal(disk_open_with(&settings, &io, &patient, &d), OK);
	struct disk_reader *r = unit_reader(d);
	unit_put(d, 1, TYPE_ONE, 1, now);
	for (unsigned i = 0; i < 100; i++) /* a wait for each would take half a minute */
		assert_int_equal(disk_flush(d, (const uint8_t *)"", 0, true), ERR_BUSY);
	assert_int_equal(unit_get(r, 1, TYPE_ONE, now), 0);
	atomic_store(&gate, false);
	while (disk_sync(d) != OK)
		usleep(1000);
	assert_int_equal(unit_get(r, 1, TYPE_ONE, now), 0);
	disk_reader_free(r);
	disk_close(d);
}

/* What follows needs another identity or mounts of its own: a child of its own. It says 0 for good,
 * SKIPPED where this is not permitted, and aborts otherwise. */
enum { SKIPPED = 77 };

static int run_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == SKIPPED) {
		print_message("SKIPPED: not permitted here\n");
		skip();
	}
	return WEXITSTATUS(status);
}

static struct disk *child_open(size_t size)
{
	struct disk_settings settings = {.path = unit_dir.path, .size_bytes = size};
	struct disk *d;
	REQUIRE(disk_open_with(&settings, unit_disk_io(), &quick, &d) == OK);
	return d;
}

static void child_await(struct disk *d, enum disk_state state)
{
	struct disk_status s = {0};
	for (unsigned i = 0; i < 1000; i++) {
		disk_read_status(d, &s);
		if (s.state == state)
			return;
		usleep(5000);
	}
	fprintf(stderr, "state is %s: %s\n", disk_state_text(s.state), s.reason);
	abort();
}

static uint32_t child_get(struct disk *d, unsigned number)
{
	struct unit_seen seen = {0};
	struct disk_reader *r;
	uint8_t name[DNAME_MAX];
	unit_number_name(number, name);
	REQUIRE(disk_reader_new(d, &r) == OK);
	disk_load_name(r, name, unit_now(0), unit_see, &seen);
	disk_reader_free(r);
	return seen.count == 1 ? seen.serials[0] : 0;
}

static int forbidden(void)
{
	struct disk_status s;
	if (geteuid() == 0 && setuid(65534) != 0)
		return SKIPPED;
	struct disk *d = child_open(UNIT_MAP_BYTES); /* the file is there but another's */
	disk_read_status(d, &s);
	REQUIRE(s.state == DISK_READ_ONLY && strstr(s.reason, "denied"));
	unit_put(d, 2, TYPE_ONE, 2, unit_now(0));
	REQUIRE(child_get(d, 2) == 2);
	REQUIRE(disk_sync(d) == ERR_SYSTEM);
	disk_close(d);
	return 0;
}

static void forbidden_directory(void **state)
{
	(void)state;
	assert_int_equal(chmod(unit_dir.path, 0), 0);
	assert_int_equal(run_child(forbidden), 0);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return done;
}

/* A tmpfs of 16 MB on the directory, in a mount namespace of our own. */
static bool mount_small(void)
{
	char uid_map[64], gid_map[64];
	snprintf(uid_map, sizeof(uid_map), "0 %d 1", (int)getuid());
	snprintf(gid_map, sizeof(gid_map), "0 %d 1", (int)getgid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
		return false;
	return write_file("/proc/self/setgroups", "deny") &&
	       write_file("/proc/self/uid_map", uid_map) &&
	       write_file("/proc/self/gid_map", gid_map) &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", unit_dir.path, "tmpfs", 0, "size=16m") == 0;
}

static int full_disk(void)
{
	struct disk_status s;
	char path[512];
	if (!mount_small())
		return SKIPPED;
	unit_dir_file(&unit_dir, "neighbour", path);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	REQUIRE(fd >= 0);
	REQUIRE(fallocate(fd, 0, 0, 15 * 1024 * 1024 + 512 * 1024) == 0);
	struct disk *d = child_open(64 * 1024 * 1024);
	disk_read_status(d, &s);
	REQUIRE(s.state == DISK_FULL && s.reason[0] != '\0');
	unit_put(d, 1, TYPE_ONE, 1, unit_now(0));
	REQUIRE(child_get(d, 1) == 1);
	REQUIRE(unlink(path) == 0 && close(fd) == 0);
	child_await(d, DISK_GOOD);
	disk_read_status(d, &s);
	REQUIRE(s.reason[0] != '\0'); /* smaller than configured */
	REQUIRE(s.map_bytes <= 8 * 1024 * 1024 && s.map_bytes > 4 * 1024 * 1024);
	/* Far more than fits, and a neighbour that takes the rest: no SIGBUS, no failed commit. */
	fd = open(path, O_RDWR | O_CREAT, 0600);
	REQUIRE(fd >= 0);
	while (write(fd, path, sizeof(path)) > 0)
		;
	for (unsigned i = 0; i < 60000; i++) {
		unit_put(d, i, TYPE_ONE, 1 + i, unit_now(0));
		if (i % 5000 == 0)
			REQUIRE(disk_sync(d) == OK);
	}
	REQUIRE(disk_sync(d) == OK);
	disk_read_status(d, &s);
	REQUIRE(s.moved_aside == 0 && s.collected > 0);
	disk_close(d);
	return 0;
}

static int read_only(void)
{
	struct disk_status s;
	if (!mount_small())
		return SKIPPED;
	struct disk *d = child_open(UNIT_MAP_BYTES);
	unit_put(d, 1, TYPE_ONE, 1, unit_now(0));
	disk_close(d);
	if (mount("none", unit_dir.path, NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0)
		return SKIPPED;
	d = child_open(UNIT_MAP_BYTES);
	disk_read_status(d, &s);
	REQUIRE(s.state == DISK_READ_ONLY && s.reason[0] != '\0');
	REQUIRE(child_get(d, 1) == 1); /* what is there is used */
	unit_put(d, 2, TYPE_ONE, 2, unit_now(0));
	REQUIRE(disk_flush(d, (const uint8_t *)"", 0, true) == ERR_SYSTEM);
	REQUIRE(child_get(d, 1) == 0); /* but not what was flushed */
	unit_put(d, 3, TYPE_ONE, 3, unit_now(0));
	REQUIRE(mount("none", unit_dir.path, NULL, MS_REMOUNT, NULL) == 0);
	child_await(d, DISK_GOOD);
	REQUIRE(disk_sync(d) == OK);
	disk_close(d);
	d = child_open(UNIT_MAP_BYTES);
	REQUIRE(child_get(d, 1) == 0); /* the flush held */
	disk_close(d);
	return 0;
}

static void full_directory(void **state)
{
	(void)state;
	assert_int_equal(run_child(full_disk), 0);
}

static void read_only_directory(void **state)
{
	(void)state;
	assert_int_equal(run_child(read_only), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(forbidden_directory), unit_test_in_dir(full_directory),
		unit_test_in_dir(read_only_directory), unit_test_in_dir(missing_directory),
		unit_test_in_dir(memory_directory),    unit_test_in_dir(hanging_disk),
		unit_test_in_dir(nearly_full_disk),    unit_test_in_dir(each_call_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
