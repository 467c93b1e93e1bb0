#pragma once
/*
 * Time as a value. Only net/loop.c reads clocks; everybody else is handed a struct now.
 *
 * mono_us   CLOCK_MONOTONIC in microseconds: timers, round-trip times.
 * cache_ms  milliseconds since 1970 that never go back: the wall clock at start plus the time since
 *           then, suspensions included (CLOCK_BOOTTIME). Every expiry in memory is in this scale. Where
 *           the wall clock is set ahead of it, it follows: a machine whose memory was kept and
 *           restored (a snapshot) has no clock that counted meanwhile, and to call something expired
 *           too early is the lesser evil. Set back, the wall clock is ignored, and so is a step that
 *           only undoes that: a clock that goes to and fro neither revives nor wipes the cache.
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
