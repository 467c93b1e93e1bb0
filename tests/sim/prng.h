#pragma once
/*
 * The dice of a simulated world: splitmix64, seeded by the run's number. Not unpredictable, only
 * repeatable; the resolver under test gets a struct rng of its own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

struct prng {
	uint64_t state;
	struct reader
		*tape; /* throws that are told before chance begins, two bytes each; or NULL */
};

static inline uint64_t prng_u64(struct prng *p)
{
	if (p->tape && reader_left(p->tape) >= 2)
		return reader_u16(p->tape) * UINT64_C(0x10001);
	uint64_t z = p->state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* In [0, bound); 0 if bound is 0. The bias of the remainder does not matter here. */
static inline unsigned prng_below(struct prng *p, unsigned bound)
{
	return bound ? (unsigned)(prng_u64(p) >> 16) % bound : 0;
}

/* In [low, high]. */
static inline unsigned prng_between(struct prng *p, unsigned low, unsigned high)
{
	return low + prng_below(p, high - low + 1);
}

/* True PERCENT times of a hundred. */
static inline bool prng_percent(struct prng *p, unsigned percent)
{
	return prng_below(p, 100) < percent;
}

#define PRNG_PICK(p, array) ((array)[prng_below((p), (unsigned)ARRAY_LEN(array))])
