#pragma once
/*
 * How much memory there is for the daemon: that of the machine, or less if a control group on the way
 * to ours says so.
 */
#include <stdint.h>

/*
 * Bytes; 0: cannot be told. ROOT is put before the paths of the kernel's files ("" but in tests).
 * Looks at /proc/self/cgroup, then at the limit of our group and of each above it, in version 2
 * (memory.max, memory.high) and version 1 (memory.limit_in_bytes) of control groups, also where a container sees
 * its own group as the root.
 */
uint64_t memory_available(const char *root);
