#pragma once
/*
 * Memory that cannot be had, at each place of a piece of work that asks for some. Included by one file of
 * a program: it takes the place of the C library's allocation, for libraries too.
 */
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/base_unit.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHORTAGE_WORKS 0 /* their allocation is not ours to replace */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define SHORTAGE_WORKS 0
#endif
#endif
#ifndef SHORTAGE_WORKS
#define SHORTAGE_WORKS 1
#endif

static struct {
	uint64_t done, first, how_many; /* allocations; those from FIRST on fail, so many */
} shortage;

#if SHORTAGE_WORKS
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

/* libldns is called only after memory for what it takes was had (dns/text.c); it bears no failure. */
static int find_ldns(struct dl_phdr_info *info, size_t size, void *context)
{
	uintptr_t *range = context;
	(void)size;
	for (unsigned i = 0; strstr(info->dlpi_name, "libldns") && i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
			continue;
		range[0] = info->dlpi_addr + part->p_vaddr;
		range[1] = range[0] + part->p_memsz;
	}
	return 0;
}

static bool shortage_denies(const void *caller)
{
	static uintptr_t ldns[2];
	if (ldns[1] == 0)
		dl_iterate_phdr(find_ldns, ldns);
	if ((uintptr_t)caller >= ldns[0] && (uintptr_t)caller < ldns[1])
		return false;
	uint64_t number = shortage.done++;
	if (number < shortage.first || number - shortage.first >= shortage.how_many)
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return shortage_denies(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return shortage_denies(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return shortage_denies(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
	size_t bytes;
	return __builtin_mul_overflow(count, size, &bytes) ||
			       shortage_denies(__builtin_return_address(0))
		       ? NULL
		       : __libc_realloc(old, bytes);
}

/* The C library's is called by libldns; as the rest it allocates by malloc(). */
char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = shortage_denies(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
	return copy ? memcpy(copy, text, size) : NULL;
}
#endif

/* WORK, which says whether all is well with what it got or did not get, in a child each time: with none of
 * its allocations failing, then with one, or all from there on, for each. */
static inline void shortage_walk(const char *why, bool (*work)(void))
{
	if (!SHORTAGE_WORKS)
		return;
	shortage.done = 0;
	shortage.how_many = 0;
	CHECK(why, work());
	uint64_t count = shortage.done;
	CHECK(why, count > 0);
	for (uint64_t i = 0; i < 2 * count; i++) {
		pid_t child = fork();
		int status;
		if (child == 0) {
			shortage.done = 0;
			shortage.first = i / 2;
			shortage.how_many = i % 2 ? UINT64_MAX : 1;
			bool good = work();
			shortage.how_many = 0;
			_exit(good ? 0 : 1);
		}
		assert_true(child > 0 && waitpid(child, &status, 0) == child);
		if (status != 0)
			fail_msg("%s: allocation %llu of %llu, %s: %s %d", why,
				 (unsigned long long)(i / 2), (unsigned long long)count,
				 i % 2 ? "and all that follow" : "alone",
				 WIFSIGNALED(status) ? "signal" : "status",
				 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
}
