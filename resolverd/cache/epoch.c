#include "cache/epoch.h"

#include "base/require.h"

void epoch_init(struct epoch *e)
{
	atomic_init(&e->counter, 1);
	atomic_init(&e->high, 0);
	REQUIRE(pthread_mutex_init(&e->lock, NULL) == 0);
	for (size_t i = 0; i < EPOCH_READERS_MAX; i++) {
		atomic_init(&e->readers[i].seen, UINT64_MAX);
		e->readers[i].taken = false;
	}
}

void epoch_deinit(struct epoch *e)
{
	for (size_t i = 0; i < EPOCH_READERS_MAX; i++)
		REQUIRE(!e->readers[i].taken);
	pthread_mutex_destroy(&e->lock);
}

enum err epoch_join(struct epoch *e, struct epoch_reader **out)
{
	enum err err = ERR_LIMIT;
	pthread_mutex_lock(&e->lock);
	for (uint32_t i = 0; i < EPOCH_READERS_MAX && err != OK; i++) {
		struct epoch_reader *r = &e->readers[i];
		if (r->taken)
			continue;
		r->taken = true;
		if (atomic_load(&e->high) <= i)
			atomic_store(&e->high, i + 1);
		epoch_wake(e, r);
		*out = r;
		err = OK;
	}
	pthread_mutex_unlock(&e->lock);
	return err;
}

void epoch_leave(struct epoch *e, struct epoch_reader *r)
{
	epoch_idle(r);
	pthread_mutex_lock(&e->lock);
	REQUIRE(r->taken);
	r->taken = false;
	pthread_mutex_unlock(&e->lock);
}

void epoch_idle(struct epoch_reader *r)
{
	atomic_store_explicit(&r->seen, UINT64_MAX, memory_order_release);
}

/*
 * All four operations in play (this store, this load, epoch_retire()'s addition, epoch_safe()'s
 * load of seen) are sequentially consistent. So if epoch_safe() still took us for idle, the
 * addition came before our load: what was retired then is out of reach for us already.
 */
void epoch_wake(const struct epoch *e, struct epoch_reader *r)
{
	atomic_store(&r->seen, 0);
	uint64_t now = atomic_load(&e->counter);
	atomic_store_explicit(&r->seen, now, memory_order_release);
}

uint64_t epoch_safe(const struct epoch *e)
{
	uint64_t safe = atomic_load(&e->counter);
	uint32_t high = atomic_load(&e->high);
	for (uint32_t i = 0; i < high; i++) {
		uint64_t seen = atomic_load(&e->readers[i].seen);
		safe = MIN(safe, seen);
	}
	return safe;
}
