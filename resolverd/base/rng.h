#pragma once
/*
 * Unpredictable numbers (ids, 0x20 bits, jitter) from libsodium's ChaCha20 stream, as a value that
 * is passed in: seeded from the system in the daemon, from a number in tests, so that a run can be
 * repeated. Forward secret: the key is replaced at each refill. One thread each.
 */
#include "base/span.h"

struct rng {
	uint8_t key[32];
	uint8_t pool[512];
	size_t used_bytes; /* of pool */
	bool is_seeded;	   /* from a number: rng_renew() does nothing */
};

/* Seed from the operating system. Aborts if libsodium cannot start. */
void rng_init(struct rng *rng);

/* Seed from SEED: the same sequence for the same seed. Tests and simulation only. */
void rng_init_seeded(struct rng *rng, uint64_t seed);

/* Mix in what the operating system knows now, and hand out nothing of what was at hand before: after the
 * machine's memory was copied, by a snapshot that is restored twice, both would go on alike. The kernel
 * is told of that by most hypervisors, and reseeds itself. */
void rng_renew(struct rng *rng);

/* LEN unpredictable bytes into OUT. */
void rng_bytes(struct rng *rng, uint8_t *out, size_t len);

uint32_t rng_u32(struct rng *rng);
uint16_t rng_u16(struct rng *rng);

/* Uniform in [0, bound), without modulo bias; 0 if bound is 0. */
uint32_t rng_below(struct rng *rng, uint32_t bound);
