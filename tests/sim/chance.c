#include "sim/chance.h"

#include <sodium.h>

#include "sim/prng.h"

static struct prng stream; /* of the run; libsodium has one source for the whole process */

static const char *source_name(void)
{
	return "seed";
}

static uint32_t source_random(void)
{
	return (uint32_t)prng_u64(&stream);
}

static void source_fill(void *const out, const size_t size_bytes)
{
	uint8_t *at = out;
	for (size_t i = 0; i < size_bytes; i++)
		at[i] = (uint8_t)prng_u64(&stream);
}

void chance_seed(uint64_t seed)
{
	static randombytes_implementation source = {
		.implementation_name = source_name, .random = source_random, .buf = source_fill};
	stream = (struct prng){.state = seed};
	randombytes_set_implementation(&source);
}
