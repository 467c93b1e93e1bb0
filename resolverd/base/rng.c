#include "base/rng.h"

#include <sodium.h>

#include "base/require.h"

static_assert(sizeof(((struct rng *)0)->key) == crypto_stream_chacha20_KEYBYTES, "a ChaCha20 key");

static void rng_refill(struct rng *rng)
{
	/* Each key is used for one run of the stream only, so the nonce may stay zero. */
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
	uint8_t block[sizeof(rng->key) + sizeof(rng->pool)];

	crypto_stream_chacha20(block, sizeof(block), nonce, rng->key);
	memcpy(rng->key, block, sizeof(rng->key));
	memcpy(rng->pool, block + sizeof(rng->key), sizeof(rng->pool));
	rng->used_bytes = 0;
	sodium_memzero(block, sizeof(block));
}

void rng_init(struct rng *rng)
{
	REQUIRE(sodium_init() >= 0);
	randombytes_buf(rng->key, sizeof(rng->key));
	rng->is_seeded = false;
	rng_refill(rng);
}

void rng_renew(struct rng *rng)
{
	uint8_t fresh[sizeof(rng->key)];

	if (rng->is_seeded)
		return;
	randombytes_buf(fresh, sizeof(fresh));
	for (size_t i = 0; i < sizeof(fresh); i++)
		rng->key[i] ^= fresh[i];
	sodium_memzero(fresh, sizeof(fresh));
	rng_refill(rng);
}

void rng_init_seeded(struct rng *rng, uint64_t seed)
{
	REQUIRE(sodium_init() >= 0);
	memset(rng->key, 0, sizeof(rng->key));
	rng->is_seeded = true;
	for (size_t i = 0; i < sizeof(seed); i++)
		rng->key[i] = (uint8_t)(seed >> (8 * i));
	rng_refill(rng);
}

void rng_bytes(struct rng *rng, uint8_t *out, size_t len)
{
	while (len > 0) {
		if (rng->used_bytes == sizeof(rng->pool))
			rng_refill(rng);
		size_t n = MIN(len, sizeof(rng->pool) - rng->used_bytes);
		uint8_t *from = rng->pool + rng->used_bytes;
		memcpy(out, from, n);
		memset(from, 0, n); /* what was handed out cannot be read here later */
		rng->used_bytes += n;
		out += n;
		len -= n;
	}
}

uint32_t rng_u32(struct rng *rng)
{
	uint8_t b[4];
	rng_bytes(rng, b, sizeof(b));
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

uint16_t rng_u16(struct rng *rng)
{
	uint8_t b[2];
	rng_bytes(rng, b, sizeof(b));
	return (uint16_t)(b[0] << 8 | b[1]);
}

uint32_t rng_below(struct rng *rng, uint32_t bound)
{
	if (bound == 0)
		return 0;
	/* Refuse the first 2^32 mod BOUND values: the rest is a multiple of BOUND. Less than one
	 * refusal on average, whatever the bound. */
	uint32_t floor = -bound % bound;
	uint32_t value;
	do {
		value = rng_u32(rng);
	} while (value < floor);
	return value % bound;
}
