#define OPENSSL_SUPPRESS_DEPRECATED /* the successors of RAND_METHOD cannot be seeded with one call */

#include "sim/seeded.h"

#include <openssl/rand.h>

#include "base/require.h"
#include "sim/prng.h"

static struct prng stream; /* libcrypto passes its method no context */

static int draw(unsigned char *out, int size)
{
	for (int i = 0; i < size; i++)
		out[i] = (unsigned char)prng_u64(&stream);
	return 1;
}

static int is_ready(void)
{
	return 1;
}

static const RAND_METHOD method = {.bytes = draw, .pseudorand = draw, .status = is_ready};

void seeded_begin(uint64_t seed)
{
	stream.state = seed;
	REQUIRE(RAND_set_rand_method(&method) == 1);
}
