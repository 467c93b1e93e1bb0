#pragma once
/*
 * The other side of dnssec/crypto.h, for tests: keys, DNSKEY and DS records, and RRSIGs over RRsets
 * as they stand, right or wrong as the test wants them. It shares no code with the verifier but the
 * canonical form of RDATA. A failure of libcrypto aborts.
 */
#include <openssl/evp.h>

#include "dns/rdata.h"
#include "dns/rrset.h"

enum {
	SIGNER_RDATA_MAX =
		1200, /* RRSIG of RSA with 4096 bits and a name of 255 bytes, and DNSKEY */
	SIGNER_DS_MAX = 4 + 64,
};

struct signer_key {
	EVP_PKEY *pkey;
	uint8_t algorithm;
	uint16_t tag;
	uint16_t dnskey_len;
	uint8_t dnskey[SIGNER_RDATA_MAX]; /* RDATA */
};

/* A new key pair for ALGORITHM (5, 7, 8, 10, 13 to 16) with FLAGS (DNSKEY_ZONE, ...). RSA_BITS
 * counts for RSA only. */
void signer_key_init(struct signer_key *key, uint8_t algorithm, uint16_t flags, int rsa_bits);
void signer_key_deinit(struct signer_key *key);

/* The same key pair with other flags (for REVOKE), which changes RDATA and tag. */
void signer_key_set_flags(struct signer_key *key, uint16_t flags);

static inline struct span signer_dnskey(const struct signer_key *key)
{
	return span_of(key->dnskey, key->dnskey_len);
}

/* DS RDATA for KEY of OWNER; DIGEST_TYPE 1, 2 or 4. Returns its length. */
size_t signer_ds(const struct signer_key *key, const uint8_t *owner, uint8_t digest_type,
		 uint8_t out[static SIGNER_DS_MAX]);

struct signature { /* what an RRSIG says besides the signature */
	const uint8_t *signer;
	uint32_t original_ttl_s;
	uint32_t inception, expiration;
	uint8_t labels; /* as in RFC 4034 §3.1.3; signer_labels() counts them */
};

/* Labels of OWNER without the root and a leading asterisk. */
uint8_t signer_labels(const uint8_t *owner);

/* RRSIG RDATA over SET, whose owner is the one to be signed ("*.example." for a wildcard). Returns
 * its length. */
size_t signer_sign(const struct signer_key *key, const struct rrset *set,
		   const struct signature *signature, uint8_t out[static SIGNER_RDATA_MAX]);

/* Put RRSIG, packed, behind the signatures that SET has; those are copied into ARENA. */
void signer_append(struct span rrsig, struct arena *arena, struct rrset *set);

/* Sign SET as SIGNATURE says, and append that. */
void signer_attach(const struct signer_key *key, const struct signature *signature,
		   struct arena *arena, struct rrset *set);
