#include "base/hash.h"

#include <endian.h>
#include <sodium.h>

#include "base/require.h"

static_assert(sizeof(struct hash_key) == crypto_shorthash_siphash24_KEYBYTES, "a SipHash key");

void hash_key_init(struct hash_key *key)
{
	REQUIRE(sodium_init() >= 0);
	randombytes_buf(key->bytes, sizeof(key->bytes));
}

uint64_t hash_bytes(const struct hash_key *key, struct span bytes)
{
	uint8_t out[crypto_shorthash_siphash24_BYTES];
	uint64_t value;

	crypto_shorthash_siphash24(out, bytes.at, bytes.len, key->bytes);
	/* Little-endian, as SipHash defines its 64-bit result: the same on every machine. */
	memcpy(&value, out, sizeof(value));
	return le64toh(value);
}

bool hash_equal_secret(const uint8_t *a, const uint8_t *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}
