#include "config/memory_available.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/require.h"
#include "config/value.h"

enum { PATH_SIZE = 4096 };

/* The number in the file of PATH, or UINT64_MAX: no file, or "max". */
static uint64_t read_limit(const char *path)
{
	char text[32];
	uint64_t limit = UINT64_MAX;
	FILE *file = fopen(path, "re");

	if (!file)
		return UINT64_MAX;
	if (fgets(text, sizeof(text), file)) {
		text[strcspn(text, "\n")] = '\0';
		if (!config_value_number(text, 1, UINT64_MAX, &limit))
			limit = UINT64_MAX;
	}
	(void)fclose(file);
	return limit;
}

/* The least of what FILE says in GROUP (cut up) below MOUNT and in each group above it. */
static uint64_t least_above(const char *mount, char *group, const char *file)
{
	char path[PATH_SIZE];
	uint64_t least = UINT64_MAX;

	for (;;) {
		(void)snprintf(path, sizeof(path), "%s%s/%s", mount, group, file);
		uint64_t limit = read_limit(path);
		least = MIN(least, limit);
		char *slash = strrchr(group, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

/* LINE of /proc/self/cgroup: "0::/group" (version 2), "4:cpu,memory:/group" (version 1). */
static uint64_t limit_of(const char *root, char *line)
{
	char mount[PATH_SIZE];
	char *controllers = strchr(line, ':'),
	     *group = controllers ? strchr(++controllers, ':') : NULL;

	if (!group)
		return UINT64_MAX;
	*group++ = '\0';
	group[strcspn(group, "\n")] = '\0';
	if (*controllers == '\0') {
		(void)snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup", root);
		/* Past memory.high it is not killed, but slowed down until it is of no use. */
		char again[PATH_SIZE];
		(void)snprintf(again, sizeof(again), "%s", group);
		uint64_t high = least_above(mount, again, "memory.high");
		uint64_t max = least_above(mount, group, "memory.max");
		return MIN(high, max);
	}
	if (strstr(controllers, "memory") == NULL)
		return UINT64_MAX;
	(void)snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/memory", root);
	return least_above(mount, group, "memory.limit_in_bytes");
}

uint64_t memory_available(const char *root)
{
	long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
	uint64_t least =
		pages > 0 && page_size > 0 ? (uint64_t)pages * (uint64_t)page_size : UINT64_MAX;
	char line[PATH_SIZE];

	(void)snprintf(line, sizeof(line), "%s/proc/self/cgroup", root);
	FILE *file = fopen(line, "re");
	while (file && fgets(line, sizeof(line), file)) {
		uint64_t limit = limit_of(root, line);
		least = MIN(least, limit);
	}
	if (file)
		(void)fclose(file);
	return least == UINT64_MAX ? 0 : least;
}
