#pragma once
/*
 * Asserts that stay in release builds, and the few compiler words used everywhere.
 */
#include <assert.h>
#include <stddef.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
/* The TYPE whose MEMBER POINTER points at. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Abort with file, line and text if COND does not hold: our own bug, in release builds too. */
#define REQUIRE(cond) ((void)(LIKELY(cond) || (require_failed(__FILE__, __LINE__, #cond), 0)))

_Noreturn void require_failed(const char *file, int line, const char *text);
