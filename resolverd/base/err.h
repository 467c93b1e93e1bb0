#pragma once
/*
 * One list of errors. Our own bugs abort (REQUIRE), our surroundings and the peer's nonsense
 * come back as one of these; DNS outcomes (rcodes, verdicts) are data, never errors.
 */
#include "base/require.h"

#define ERR_LIST(X)                                                                                \
	X(OK, "success")                                                                           \
	X(ERR_MALFORMED, "malformed data")                                                         \
	X(ERR_NO_SPACE, "buffer too small")                                                        \
	X(ERR_NOT_FOUND, "not found")                                                              \
	X(ERR_NO_MEMORY, "out of memory")                                                          \
	X(ERR_LIMIT, "limit reached")                                                              \
	X(ERR_SYSTEM, "system call failed")                                                        \
	X(ERR_BUSY, "busy")                                                                        \
	X(ERR_EXISTS, "already exists")                                                            \
	X(ERR_DENIED, "not permitted")                                                             \
	X(ERR_UNSUPPORTED, "not supported")                                                        \
	X(ERR_CLOSED, "closed by the peer")                                                        \
	X(ERR_CORRUPT, "damaged data")

#define ERR_ENUM(name, text) name,
enum err { ERR_LIST(ERR_ENUM) ERR_COUNT };
#undef ERR_ENUM

/* The error's words, for logs. Never NULL. */
const char *err_text(enum err err);
