#pragma once
/*
 * What the unit tests of base/ and dns/ share: cmocka with its own needs, a check that names the
 * failing line of a table, bytes from hex, and buffers that end where a page is forbidden, so that
 * one byte read too far ends the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/require.h"
#include "base/span.h"

/* The label is what fails. */
#define CHECK(why, cond)                                                                           \
	do {                                                                                       \
		if (!(cond))                                                                       \
			fail_msg("%s: not true: %s", (why), #cond);                                \
	} while (0)

/* The bytes of HEX, blanks left out, into OUT; how many. */
static inline size_t unit_unhex(const char *hex, uint8_t *out, size_t size_bytes)
{
	size_t len = 0;
	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		char digits[] = {hex[0], hex[1], '\0'};
		REQUIRE(len < size_bytes && hex[1]);
		out[len++] = (uint8_t)strtoul(digits, NULL, 16);
		hex++;
	}
	return len;
}

/* An anonymous mapping whose last page may not be touched. */
struct unit_guard {
	uint8_t *start, *end; /* END: the first forbidden byte */
};

static inline struct unit_guard unit_guard_new(size_t size_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (size_bytes + page - 1) / page * page;
	uint8_t *start =
		mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(start != MAP_FAILED);
	REQUIRE(mprotect(start + room, page, PROT_NONE) == 0);
	return (struct unit_guard){start, start + room};
}

/* BYTES at the very end of G. */
static inline struct span unit_guard_put(struct unit_guard *g, struct span bytes)
{
	REQUIRE(bytes.len <= (size_t)(g->end - g->start));
	if (bytes.len > 0)
		memcpy(g->end - bytes.len, bytes.at, bytes.len);
	return span_of(g->end - bytes.len, bytes.len);
}

static inline void unit_guard_free(struct unit_guard *g)
{
	munmap(g->start, (size_t)(g->end - g->start) + (size_t)sysconf(_SC_PAGESIZE));
}
