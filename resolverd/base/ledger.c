#include "base/ledger.h"

#define LEDGER_WORDS(name, what) {#name, what},
static const struct {
	const char *name, *what;
} words[] = {LEDGER_LIST(LEDGER_WORDS)};
#undef LEDGER_WORDS
static_assert(ARRAY_LEN(words) == LEDGER_COUNT, "each account has its words");

/* USED bytes of WHICH are held now: perhaps as many as never before. */
static void note_most(struct ledger *l, enum ledger_account which, size_t used_bytes)
{
	_Atomic size_t *most = &l->accounts[which].most_bytes;
	size_t seen = atomic_load_explicit(most, memory_order_relaxed);

	while (seen < used_bytes &&
	       !atomic_compare_exchange_weak_explicit(most, &seen, used_bytes, memory_order_relaxed,
						      memory_order_relaxed))
		;
}

void ledger_set_limit(struct ledger *l, enum ledger_account which, size_t limit_bytes)
{
	atomic_store_explicit(&l->accounts[which].limit_bytes, limit_bytes, memory_order_relaxed);
}

void ledger_tell(struct ledger *l, enum ledger_account which, size_t *told_bytes, size_t now_bytes)
{
	if (!l || now_bytes == *told_bytes)
		return;
	/* Modulo 2^64, so one addition says less as well as more. */
	size_t change = now_bytes - *told_bytes;
	size_t before = atomic_fetch_add_explicit(&l->accounts[which].used_bytes, change,
						  memory_order_relaxed);

	*told_bytes = now_bytes;
	note_most(l, which, before + change);
}

void ledger_note_shed(struct ledger *l, enum ledger_account which, uint64_t count)
{
	if (l && count > 0)
		atomic_fetch_add_explicit(&l->accounts[which].shed, count, memory_order_relaxed);
}

struct ledger_view ledger_read(const struct ledger *l, enum ledger_account which)
{
	return (struct ledger_view){
		.name = words[which].name,
		.what = words[which].what,
		.used_bytes =
			atomic_load_explicit(&l->accounts[which].used_bytes, memory_order_relaxed),
		.limit_bytes =
			atomic_load_explicit(&l->accounts[which].limit_bytes, memory_order_relaxed),
		.most_bytes =
			atomic_load_explicit(&l->accounts[which].most_bytes, memory_order_relaxed),
		.shed = atomic_load_explicit(&l->accounts[which].shed, memory_order_relaxed),
	};
}
