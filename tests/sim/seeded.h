#pragma once
/*
 * Randomness of libcrypto for a simulation: a stream with a seed, so that keys and signatures are the
 * same in every run of the program, whatever it has done before.
 */
#include <stdint.h>

/* From now on libcrypto draws from the stream of SEED. */
void seeded_begin(uint64_t seed);
