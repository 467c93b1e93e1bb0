#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"

/* Open it without waiting for anybody at the other end; -1 with WHY. */
static int open_regular(const char *path, const char **why)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat s;

	if (fd < 0 || fstat(fd, &s) != 0) {
		*why = strerrordesc_np(errno);
	} else if (!S_ISREG(s.st_mode)) {
		*why = "not a regular file";
	} else if (s.st_size > CONFIG_FILE_MAX) {
		*why = "the file is too large";
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Up to SIZE bytes, fewer only where the file ends. -1 with errno. */
static ssize_t read_all(int fd, uint8_t *bytes, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t got = read(fd, bytes + len, size - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	return (ssize_t)len;
}

enum err config_file_read(const char *path, struct span *out, const char **why)
{
	int fd = open_regular(path, why);

	if (fd < 0)
		return ERR_MALFORMED;
	uint8_t *bytes = malloc(CONFIG_FILE_MAX + 1);
	ssize_t len = bytes ? read_all(fd, bytes, CONFIG_FILE_MAX + 1) : 0;
	/* Its size says nothing: it may grow meanwhile, and files of the kernel have none. */
	if (len < 0)
		*why = strerrordesc_np(errno);
	else if (len > CONFIG_FILE_MAX)
		*why = "the file is too large";
	close(fd);
	if (!bytes)
		return ERR_NO_MEMORY;
	if (len < 0 || len > CONFIG_FILE_MAX) {
		free(bytes);
		return ERR_MALFORMED;
	}
	bytes[len] = '\0';
	*out = span_of(bytes, (size_t)len);
	return OK;
}
