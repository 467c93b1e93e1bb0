#include "base/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

enum err descriptors_take_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest that is free, which is this one: those below it are open by now. */
		/* NOLINTNEXTLINE(android-cloexec-open): a standard one is there to be inherited */
		if (open("/dev/null", O_RDWR) != fd)
			return ERR_SYSTEM;
	}
	return OK;
}
