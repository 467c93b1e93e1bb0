#pragma once
/*
 * For libraries that do not bear an allocation that fails (they read and write through NULL, assert, or
 * go on with half of what they were told): they are called only while there is memory for what they take,
 * which has just been tried. What malloc() has given and got back it gives again, in the same thread,
 * mostly without asking the system. It is a look and no promise: another thread may be faster.
 */
#include <stdbool.h>
#include <stddef.h>

/* SIZE_BYTES could be had just now. */
bool spare_is_there(size_t size_bytes);
