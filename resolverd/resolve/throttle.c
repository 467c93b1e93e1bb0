#include "resolve/throttle.h"

#include "base/require.h"
#include "dns/dname.h"

static size_t slot_of(const uint8_t *zone)
{
	uint32_t h = 2166136261u; /* FNV-1a: the operator chooses the names, no key is needed */
	for (size_t i = 0, len = dname_len(zone); i < len; i++)
		h = (h ^ zone[i]) * 16777619u;
	return h % THROTTLE_SLOTS;
}

uint32_t throttle_take(struct throttle *t, const uint8_t *zone, uint32_t rate, unsigned packets,
		       struct now now)
{
	if (rate == 0)
		return 0;
	uint64_t even = MAX(rate - rate / 8, 1u);
	uint64_t cost_us = packets * (uint64_t)1000000 / even;
	uint64_t burst_us = (rate / 8) * (uint64_t)1000000 / even;
	_Atomic uint64_t *arrival = &t->arrival_us[slot_of(zone)];
	uint64_t old = atomic_load_explicit(arrival, memory_order_relaxed);
	for (;;) {
		uint64_t start = MAX(old, now.mono_us);
		if (start > now.mono_us + burst_us)
			return (uint32_t)((start - burst_us - now.mono_us) / 1000 + 1);
		if (atomic_compare_exchange_weak_explicit(arrival, &old, start + cost_us,
							  memory_order_relaxed,
							  memory_order_relaxed))
			return 0;
	}
}
