#include "cache/families.h"

#include <string.h>

#include "base/err.h"

void families_init(struct families *f)
{
	memset(f, 0, sizeof(*f));
	REQUIRE(pthread_mutex_init(&f->lock, NULL) == 0);
}

void families_deinit(struct families *f)
{
	pthread_mutex_destroy(&f->lock);
}

static struct way *of(struct families *f, uint8_t family)
{
	return &f->each[family == 6];
}

/* Servers of one operator are often silent together: a /24, or a /48. */
static uint64_t network_of(const struct endpoint *e)
{
	uint64_t network = 0;
	for (unsigned i = 0; i < (e->family == 6 ? 6U : 3U); i++)
		network = network << 8 | e->addr[i];
	return network;
}

static uint32_t silent_needed(const struct way *way)
{
	return atomic_load_explicit(&way->has_answered, memory_order_relaxed) ? FAMILIES_SILENT
									      : FAMILIES_SILENT_NEW;
}

static void begin_row(struct way *way, int64_t now_ms)
{
	atomic_store_explicit(&way->silent_count, 0, memory_order_relaxed);
	atomic_store_explicit(&way->silent_since_ms, now_ms, memory_order_relaxed);
	atomic_store_explicit(&way->probe_ms, 0, memory_order_relaxed);
	way->probe_gap_ms = FAMILIES_PROBE_MIN_MS;
}

bool families_reply(struct families *f, const struct endpoint *e, struct now now)
{
	struct way *way = of(f, e->family);
	atomic_store_explicit(&way->replied_ms, now.cache_ms, memory_order_relaxed);
	if (atomic_load_explicit(&way->has_answered, memory_order_relaxed) &&
	    atomic_load_explicit(&way->silent_count, memory_order_relaxed) == 0)
		return false;
	pthread_mutex_lock(&f->lock);
	bool was_told = way->told;
	way->told = false;
	atomic_store_explicit(&way->has_answered, true, memory_order_relaxed);
	begin_row(way, now.cache_ms);
	pthread_mutex_unlock(&f->lock);
	return was_told;
}

static void note_silent(struct way *way, uint64_t network, int64_t now_ms)
{
	uint32_t count = atomic_load_explicit(&way->silent_count, memory_order_relaxed);
	int64_t since_ms = atomic_load_explicit(&way->silent_since_ms, memory_order_relaxed);
	if (count == 0 || (count < silent_needed(way) && now_ms - since_ms > FAMILIES_ROW_MS)) {
		begin_row(way, now_ms);
		count = 0;
	}
	for (uint32_t i = 0; i < count; i++)
		if (way->silent[i] == network)
			return;
	if (count == FAMILIES_SILENT)
		return;
	way->silent[count] = network;
	atomic_store_explicit(&way->silent_count, count + 1, memory_order_relaxed);
}

uint32_t families_loss(struct families *f, const struct endpoint *e, struct now now, bool *found)
{
	struct way *way = of(f, e->family);
	pthread_mutex_lock(&f->lock);
	note_silent(way, network_of(e), now.cache_ms);
	bool lost = families_is_lost(f, e->family);
	*found = lost && !way->told;
	way->told |= lost;
	way->times += *found;
	uint32_t times = lost ? way->times : 0;
	pthread_mutex_unlock(&f->lock);
	return times;
}

bool families_is_lost(struct families *f, uint8_t family)
{
	const struct way *mine = of(f, family), *other = of(f, family == 6 ? 4 : 6);
	return atomic_load_explicit(&mine->silent_count, memory_order_relaxed) >=
		       silent_needed(mine) &&
	       atomic_load_explicit(&other->replied_ms, memory_order_relaxed) >=
		       atomic_load_explicit(&mine->silent_since_ms, memory_order_relaxed);
}

bool families_may_probe(struct families *f, uint8_t family, struct now now)
{
	struct way *mine = of(f, family);
	if (now.cache_ms < atomic_load_explicit(&mine->probe_ms, memory_order_relaxed))
		return false;
	pthread_mutex_lock(&f->lock);
	bool may = families_is_lost(f, family) &&
		   now.cache_ms >= atomic_load_explicit(&mine->probe_ms, memory_order_relaxed);
	if (may) {
		atomic_store_explicit(&mine->probe_ms, now.cache_ms + mine->probe_gap_ms,
				      memory_order_relaxed);
		mine->probe_gap_ms = MIN(2 * mine->probe_gap_ms, (int64_t)FAMILIES_PROBE_MAX_MS);
	}
	pthread_mutex_unlock(&f->lock);
	return may;
}

void families_forget(struct families *f)
{
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < ARRAY_LEN(f->each); i++) {
		atomic_store_explicit(&f->each[i].has_answered, false, memory_order_relaxed);
		atomic_store_explicit(&f->each[i].replied_ms, 0, memory_order_relaxed);
		f->each[i].told = false;
		begin_row(&f->each[i], 0);
	}
	pthread_mutex_unlock(&f->lock);
}
