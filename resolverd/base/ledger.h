#pragma once
/*
 * What the process holds of memory for others, by account: who takes it, how much that is and how much
 * it may be. Limits of one question, connection or client bound nothing in total; these do. Together
 * they are what config/shares.h makes of the ceiling.
 *
 * It counts and neither allocates nor refuses. Whoever has a share of an account keeps to that by
 * himself, sheds what is his own when it is full, and tells now and then how much he holds: nobody frees
 * another's memory, so there is no order of locks and no way for one account to starve another.
 *
 * Everything may be called from any thread, and with a NULL ledger, for which nothing is counted.
 */
#include <stdatomic.h>
#include <stdint.h>

#include "base/require.h"
#include "base/span.h"

/* X(name, what it holds and what gives way when it is full). */
#define LEDGER_LIST(X)                                                                             \
	X(cache, "answers and proven denials; what nobody asks for gives way")                     \
	X(questions, "questions in progress; the largest are given up")                            \
	X(input, "messages over TCP that have not come to their end; the oldest give way")         \
	X(output, "answers over TCP that clients have not read; theirs are closed")                \
	X(disk, "entries that wait to be written; the oldest are left out")                        \
	X(recorder, "traces of past questions; the oldest give way")                               \
	X(log, "lines that wait to be written; new ones are left out")

#define LEDGER_ENUM(name, what) LEDGER_##name,
enum ledger_account { LEDGER_LIST(LEDGER_ENUM) LEDGER_COUNT };
#undef LEDGER_ENUM

struct ledger { /* zero-initialised: all limits are 0 until ledger_set_limit() */
	struct {
		_Atomic size_t used_bytes, limit_bytes, most_bytes;
		_Atomic uint64_t shed;
	} accounts[LEDGER_COUNT];
};

/* LIMIT of WHICH, as it is told to those who keep to it, and to the operator. */
void ledger_set_limit(struct ledger *l, enum ledger_account which, size_t limit_bytes);

/* Somebody with a share of WHICH holds NOW bytes of it, where *TOLD was told before: zero at first, the
 * caller's own. NOW 0 at its end. */
void ledger_tell(struct ledger *l, enum ledger_account which, size_t *told_bytes, size_t now_bytes);

/* COUNT things of WHICH had to give way, or were not let in. */
void ledger_note_shed(struct ledger *l, enum ledger_account which, uint64_t count);

struct ledger_view {
	const char *name, *what;
	size_t used_bytes, limit_bytes;
	size_t most_bytes; /* that was ever used, as far as it was told */
	uint64_t shed;
};
struct ledger_view ledger_read(const struct ledger *l, enum ledger_account which);
