#pragma once
/*
 * What the code under test takes for unpredictable where no seeded stream is handed to it (the keys of hash
 * tables, which decide about the order in which they are walked) follows from the run's seed here.
 */
#include <stdint.h>

/* From now on all random bytes of the process follow from SEED. */
void chance_seed(uint64_t seed);
