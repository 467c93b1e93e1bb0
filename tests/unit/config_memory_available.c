#include "unit/base_unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/memory_available.h"

enum { MB = 1 << 20, FILES = 4 };

/* What stands below the root of a test, and what there is then in MB (0: the machine's own). */
static const struct {
	const char *why;
	struct {
		const char *path, *text;
	} files[FILES];
	unsigned mb;
} cases[] = {
	{"no control groups", {{0}}, 0},
	{"version 2, a unit of systemd's",
	 {{"proc/self/cgroup", "0::/system.slice/resolverd.service\n"},
	  {"sys/fs/cgroup/system.slice/resolverd.service/memory.max", "268435456\n"}},
	 256},
	{"version 2, slowed down before it is killed",
	 {{"proc/self/cgroup", "0::/a/b\n"},
	  {"sys/fs/cgroup/a/b/memory.max", "268435456\n"},
	  {"sys/fs/cgroup/a/memory.high", "201326592\n"}},
	 192},
	{"the group above may have less",
	 {{"proc/self/cgroup", "0::/kubepods/pod1/c1\n"},
	  {"sys/fs/cgroup/kubepods/pod1/c1/memory.max", "max\n"},
	  {"sys/fs/cgroup/kubepods/pod1/memory.max", "134217728\n"},
	  {"sys/fs/cgroup/kubepods/memory.max", "268435456\n"}},
	 128},
	{"a container sees its group as the root",
	 {{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/memory.max", "67108864\n"}},
	 64},
	{"no limit", {{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/memory.max", "max\n"}}, 0},
	{"version 1, beside other controllers",
	 {{"proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/docker/c1\n0::/\n"},
	  {"sys/fs/cgroup/memory/docker/c1/memory.limit_in_bytes", "33554432\n"}},
	 32},
	{"version 1, a container without a view of the groups above",
	 {{"proc/self/cgroup", "4:memory:/docker/c1\n"},
	  {"sys/fs/cgroup/memory/memory.limit_in_bytes", "33554432\n"}},
	 32},
	{"version 1 without a limit says a very large number",
	 {{"proc/self/cgroup", "4:memory:/\n"},
	  {"sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"}},
	 0},
	{"nonsense is no limit",
	 {{"proc/self/cgroup", "memory\n4:memory\n:\n0::\n"},
	  {"sys/fs/cgroup/memory.max", "-1\n"},
	  {"sys/fs/cgroup/memory/memory.limit_in_bytes", "\n"}},
	 0},
};

static void make_directories(char *path)
{
	for (char *at = path + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		(void)mkdir(path, 0700);
		*at = '/';
	}
}

static void limits(void **state)
{
	(void)state;
	uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char root[] = "/tmp/resolverd-memory-XXXXXX", path[300], command[320];
		assert_non_null(mkdtemp(root));
		for (unsigned f = 0; f < FILES && cases[i].files[f].path; f++) {
			(void)snprintf(path, sizeof(path), "%s/%s", root, cases[i].files[f].path);
			make_directories(path);
			FILE *file = fopen(path, "w");
			assert_non_null(file);
			fputs(cases[i].files[f].text, file);
			(void)fclose(file);
		}
		uint64_t found = memory_available(root);
		uint64_t wanted = cases[i].mb ? (uint64_t)cases[i].mb * MB : machine;
		(void)snprintf(command, sizeof(command), "rm -r '%s'", root);
		assert_int_equal(system(command), 0);
		if (found != wanted)
			fail_msg("%s: %llu", cases[i].why, (unsigned long long)found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
