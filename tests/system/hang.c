/*
 * To be preloaded: a disk that hangs. While the file HANG_FLAG is there, reads of, writes to and syncs of
 * files below HANG_PATH do not come back, nor does opening them, and nothing of them is in memory. With
 * the file HANG_FLAG.cold only the last is so: every read has to go to the disk. With HANG_LAZY the flags
 * are looked at every two milliseconds only: for who measures, as the disk is read thousands of times a second.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_NS = 2000000 };

static int is_there(const char *more)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s%s", getenv("HANG_FLAG"), more);
	return access(path, F_OK) == 0;
}

static int is_flagged(const char *more)
{
	static _Thread_local struct {
		long long at_ns;
		int found;
	} seen[2];
	int i = *more != 0;
	struct timespec now;
	if (!getenv("HANG_LAZY"))
		return is_there(more);
	clock_gettime(CLOCK_MONOTONIC, &now);
	long long at_ns = now.tv_sec * 1000000000LL + now.tv_nsec;
	if (seen[i].at_ns == 0 || at_ns - seen[i].at_ns >= LOOK_NS) {
		seen[i].at_ns = at_ns;
		seen[i].found = is_there(more);
	}
	return seen[i].found;
}

/* Not the directory itself: where it is, the system knows. */
static int is_ours(const char *path)
{
	const char *below = getenv("HANG_PATH");
	size_t len = below ? strlen(below) : 0;
	return below && path && strncmp(path, below, len) == 0 && path[len] == '/' && path[len + 1];
}

static int is_on_it(int fd)
{
	char link[64], path[PATH_MAX];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, sizeof(path) - 1);
	path[len > 0 ? len : 0] = '\0';
	return is_ours(path);
}

/* The flag comes first: where the disk is well, that is all that a call costs. */
static void hang_fd(int fd)
{
	while (is_flagged("") && is_on_it(fd))
		usleep(10000);
}

static void hang_path(const char *path)
{
	while (is_ours(path) && is_flagged(""))
		usleep(10000);
}

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

static int open_real(const char *name, const char *path, int flags, mode_t mode)
{
	hang_path(path);
	return REAL(int (*)(const char *, int, ...), name)(path, flags, mode);
}

#define OPEN(name)                                                                                 \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		va_list args;                                                                      \
		va_start(args, flags);                                                             \
		mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;                          \
		va_end(args);                                                                      \
		return open_real(#name, path, flags, mode);                                        \
	}
OPEN(open)
OPEN(open64)

#define READ(name)                                                                                 \
	ssize_t name(int fd, void *to, size_t len, off_t at)                                       \
	{                                                                                          \
		hang_fd(fd);                                                                       \
		return REAL(ssize_t(*)(int, void *, size_t, off_t), #name)(fd, to, len, at);       \
	}
READ(pread)
READ(pread64)

/* Some are made inline of these by the compiler's checks. */
ssize_t __pread_chk(int fd, void *to, size_t len, off_t at, size_t size)
{
	(void)size;
	return pread(fd, to, len, at);
}

ssize_t __pread64_chk(int fd, void *to, size_t len, off_t at, size_t size)
{
	(void)size;
	return pread64(fd, to, len, at);
}

#define READ_RESIDENT(name)                                                                        \
	ssize_t name(int fd, const struct iovec *to, int count, off_t at, int flags)               \
	{                                                                                          \
		if ((is_flagged("") || is_flagged(".cold")) && is_on_it(fd)) {                     \
			errno = EAGAIN;                                                            \
			return -1;                                                                 \
		}                                                                                  \
		return REAL(ssize_t(*)(int, const struct iovec *, int, off_t, int),                \
			    #name)(fd, to, count, at, flags);                                      \
	}
READ_RESIDENT(preadv2)
READ_RESIDENT(preadv64v2)

#define WRITE(name)                                                                                \
	ssize_t name(int fd, const void *from, size_t len, off_t at)                               \
	{                                                                                          \
		hang_fd(fd);                                                                       \
		return REAL(ssize_t(*)(int, const void *, size_t, off_t), #name)(fd, from, len,    \
										 at);              \
	}
WRITE(pwrite)
WRITE(pwrite64)

#define SYNC(name)                                                                                 \
	int name(int fd)                                                                           \
	{                                                                                          \
		hang_fd(fd);                                                                       \
		return REAL(int (*)(int), #name)(fd);                                              \
	}
SYNC(fsync)
SYNC(fdatasync)
