#pragma once
/*
 * The ceiling of the process's memory (memory.limit) as limits of the accounts of base/ledger.h, whose sum
 * stays below it: an eighth is left to malloc, which cannot give everything back, and something to what
 * does not grow with what strangers do. So no account has to give way to another, whatever happens, and
 * each sheds what is its own (LEDGER_LIST says what).
 *
 * The cache comes first, as it is what the daemon is for: what the operator says, or half of what is
 * left. The rest is divided: half for questions in progress, a quarter for answers that are not read, an
 * eighth each for messages that do not end and for what waits for the disk; none more than it can use.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/ledger.h"

enum {
	SHARES_CACHE_DEFAULT = 256 << 20, /* of the cache, at most, where nobody says how much */
	/* Programs and libraries, tables of servers, HTTP; and of each worker its buffers, tables of
	 * connections and parsed keys. */
	SHARES_FIXED = 16 << 20,
	SHARES_WORKER = 4 << 20,
};

struct shares_wish {
	size_t ceiling_bytes;
	unsigned workers;
	size_t cache_bytes;    /* 0: half of what there is, SHARES_CACHE_DEFAULT at most */
	size_t recorder_bytes; /* that is allocated, and can be nothing else */
	size_t log_bytes;
};

/* The limits of all accounts into OUT. False: the least with which the daemon can work is more than the
 * ceiling allows; that is in OUT then. */
bool shares_divide(const struct shares_wish *wish, size_t out[static LEDGER_COUNT]);
