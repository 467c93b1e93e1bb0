#pragma once
/*
 * Keyed hash (SipHash-2-4, libsodium) for tables whose keys a stranger may choose.
 */
#include "base/span.h"

struct hash_key {
	uint8_t bytes[16];
};

/* A key from the operating system's randomness. */
void hash_key_init(struct hash_key *key);

/* SipHash-2-4 of BYTES under KEY. */
uint64_t hash_bytes(const struct hash_key *key, struct span bytes);

/* True if A and B are equal, in time that depends on LEN only. */
bool hash_equal_secret(const uint8_t *a, const uint8_t *b, size_t len);
