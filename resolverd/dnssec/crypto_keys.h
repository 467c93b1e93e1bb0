#pragma once
/*
 * Inside of crypto.c: DNSKEY records as libcrypto has them. Parsing a key and making it ready costs a
 * good part of a check, so the last ones used are kept, found by the record's RDATA. What does not
 * parse is not kept, because what failed may also have been memory. crypto.h tells how a table of
 * them is made and freed; the table also owns the room in which signed data is put together.
 */
#include <openssl/types.h>

#include "dnssec/crypto.h"

enum { /* IANA: DNS Security Algorithm Numbers */
       ALGORITHM_RSASHA1 = 5,
       ALGORITHM_RSASHA1_NSEC3 = 7,
       ALGORITHM_RSASHA256 = 8,
       ALGORITHM_RSASHA512 = 10,
       ALGORITHM_ECDSAP256 = 13,
       ALGORITHM_ECDSAP384 = 14,
       ALGORITHM_ED25519 = 15,
       ALGORITHM_ED448 = 16,
};

enum {
	/* Longest usable key: algorithm 8 or 10 with 4096 bits, with room for odd exponents. */
	CRYPTO_KEYS_RDATA_MAX = 1024,
	/* RRSIG head and signer, then owner, type, class, TTL and length before each RDATA. */
	CRYPTO_KEYS_ROOM = 18 + DNAME_MAX + RRSET_RECORDS_MAX * (DNAME_MAX + 10) + RRSET_BYTES_MAX,
};

struct crypto_keys_one { /* one worker */
	EVP_PKEY *pkey;
	/* What a signature signs instead of the data itself; NULL: nothing, it is EdDSA. */
	const EVP_MD *digest;
	/* Made ready once: doing so costs a seventh of a check. NULL for EdDSA, which has no digest. */
	EVP_PKEY_CTX *verifier;
};

/* The parsed form of KEY, whose RDATA is RDATA; borrowed until the next call. NULL if it is no usable
 * key of its algorithm, or without memory. */
const struct crypto_keys_one *crypto_keys_get(struct crypto_keys *k, struct span rdata,
					      const struct dnskey_view *key);

/* CRYPTO_KEYS_ROOM bytes of K's, for the signed data of one verification. */
uint8_t *crypto_keys_room(struct crypto_keys *k);
