#include "resolve/throttle.h"

#include "base/require.h"

static size_t slot_of(const struct endpoint *server)
{
	const uint8_t *bytes = (const uint8_t *)server;
	uint32_t h = 2166136261u; /* FNV-1a: the operator chooses the servers, no key is needed */
	for (size_t i = 0; i < sizeof(*server); i++)
		h = (h ^ bytes[i]) * 16777619u;
	return h % THROTTLE_SLOTS;
}

struct throttle_limit throttle_limit_of(uint32_t rate, unsigned packets)
{
	REQUIRE(rate > 0);
	uint64_t even = MAX(rate - rate / 8, 1u);
	return (struct throttle_limit){.cost_us = packets * (uint64_t)1000000 / even,
				       .burst_us = (rate / 8) * (uint64_t)1000000 / even};
}

uint32_t throttle_pass(_Atomic uint64_t *arrival, const struct throttle_limit *limit,
		       struct now now)
{
	uint64_t old = atomic_load_explicit(arrival, memory_order_relaxed);
	for (;;) {
		uint64_t start = MAX(old, now.mono_us);
		if (start > now.mono_us + limit->burst_us)
			return (uint32_t)((start - limit->burst_us - now.mono_us) / 1000 + 1);
		if (atomic_compare_exchange_weak_explicit(arrival, &old, start + limit->cost_us,
							  memory_order_relaxed,
							  memory_order_relaxed))
			return 0;
	}
}

uint32_t throttle_take(struct throttle *t, const struct throttle_want *want, uint32_t patience_ms,
		       struct now now)
{
	struct throttle_limit limit = throttle_limit_of(want->rate, want->packets);
	_Atomic uint64_t *arrival = &t->arrival_us[slot_of(&want->server)];
	uint64_t old = atomic_load_explicit(arrival, memory_order_relaxed);
	for (;;) {
		uint64_t start = MAX(old, now.mono_us), first = now.mono_us + limit.burst_us;
		uint64_t wait_ms = start > first ? (start - first + 999) / 1000 : 0;
		if (wait_ms > patience_ms)
			return THROTTLE_NEVER;
		if (atomic_compare_exchange_weak_explicit(arrival, &old, start + limit.cost_us,
							  memory_order_relaxed,
							  memory_order_relaxed))
			return (uint32_t)wait_ms;
	}
}

uint32_t throttle_take_spare(struct throttle *t, const struct throttle_want *want, struct now now)
{
	struct throttle_limit limit = throttle_limit_of(want->rate, want->packets);
	limit.burst_us = 0;
	return throttle_pass(&t->arrival_us[slot_of(&want->server)], &limit, now);
}
