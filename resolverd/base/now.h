#pragma once
/*
 * Time as a value. Only net/loop.c reads clocks; everybody else is handed a struct now.
 *
 * mono_us   CLOCK_MONOTONIC in microseconds: timers, round-trip times.
 * cache_ms  milliseconds since 1970 that never jump: the wall clock at start plus monotonic time
 *           since then. Every expiry in memory is in this scale, so a stepped wall clock neither
 *           revives nor wipes the cache.
 * unix_s    the system's wall clock in seconds, as it stands now: signature validity only.
 */
#include <stdint.h>

struct now {
	uint64_t mono_us;
	int64_t cache_ms;
	int64_t unix_s;
};

static inline uint64_t now_mono_ms(struct now now)
{
	return now.mono_us / 1000;
}
