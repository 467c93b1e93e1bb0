/*
 * Preloaded into the daemon, its clocks are those of a machine that sleeps, or whose memory was kept and
 * restored: ahead of the system's by what stands in the file RESOLVERD_CLOCKS, two numbers of 64 bits,
 * of nanoseconds: CLOCK_BOOTTIME's, CLOCK_REALTIME's.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead;

__attribute__((constructor)) static void begin(void)
{
	int fd = open(getenv("RESOLVERD_CLOCKS"), O_RDONLY | O_CLOEXEC);

	ahead = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	if (fd < 0 || ahead == MAP_FAILED)
		abort();
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int result = (int)syscall(SYS_clock_gettime, clock, ts);
	int64_t by = !ahead		       ? 0
		     : clock == CLOCK_BOOTTIME ? ahead[0]
		     : clock == CLOCK_REALTIME ? ahead[1]
					       : 0;

	by += ts->tv_sec * INT64_C(1000000000) + ts->tv_nsec;
	ts->tv_sec = by / 1000000000;
	ts->tv_nsec = by % 1000000000;
	return result;
}
