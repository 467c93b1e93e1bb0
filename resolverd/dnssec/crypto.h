#pragma once
/*
 * Signatures and digests: the only verifier in the project, ldns over libcrypto. Bounded work is
 * the caller's matter (resolve/limits.h); each call here does one operation.
 */
#include "base/err.h"
#include "base/now.h"
#include "dns/rdata.h"
#include "dns/rrset.h"

enum crypto_result {
	CRYPTO_GOOD,
	CRYPTO_BAD_SIGNATURE, /* the mathematics say no */
	/* By more than a clock may be wrong: a tenth of the validity, from an hour to a day. */
	CRYPTO_EXPIRED,
	CRYPTO_NOT_YET_VALID,
	CRYPTO_EXPIRED_BEFORE_VALID,
	CRYPTO_UNSUPPORTED, /* algorithm not validated here */
	CRYPTO_BAD_KEY,	    /* key does not parse */
	CRYPTO_NO_ZONE_KEY, /* the key that the signature names lacks the zone bit (RFC 4034 §2.1.1) */
	CRYPTO_MISMATCH, /* labels, signer, type covered, key tag or algorithm do not fit */
};

/* Parsed public keys, found by DNSKEY RDATA; bounded, least recently used first out. One thread. */
struct crypto_keys;
MUST_USE enum err crypto_keys_new(size_t max_keys, struct crypto_keys **out);
void crypto_keys_free(struct crypto_keys *k);

/* Algorithm can validate: 8, 10, 13, 14, 15, 16 (RFC 8624); 5 and 7 only where SHA-1 is accepted:
 * RFC 9905 keeps them in implementations and has operators treat them as unsupported. */
bool crypto_algorithm_is_supported(uint8_t algorithm, bool accept_sha1);
/* Digest type can be used for DS: 2, 4; 1 only where SHA-1 is accepted. */
bool crypto_digest_is_supported(uint8_t digest_type, bool accept_sha1);
/* LEN bytes can be a digest of the type (true for types that are not known). */
bool crypto_digest_fits(uint8_t digest_type, size_t len);

/*
 * Does SIG (an RRSIG's RDATA), made by KEY (a DNSKEY's RDATA), cover SET? Checks everything of RFC
 * 4035 §5.3.1 that concerns these three alone: type covered, algorithm, key tag, zone key bit,
 * protocol 3, not revoked (unless ALLOW_REVOKED: RFC 5011 self-signed revocations), signer equal to
 * KEY_OWNER, owner at or below the signer, labels between the signer's and the owner's count
 * (RFC 4035 §5.3.1; a label count below the signer's is forged), validity times at UNIX_S; then
 * the signature over the canonical form with the wildcard owner where labels say so and the
 * original TTL (§5.3.2).
 * *WILDCARD_LABELS: labels of the closest encloser if the set was expanded from a wildcard, else the
 * owner's label count.
 */
struct crypto_check {
	const struct rrset *set;
	struct span sig;
	struct span key;
	const uint8_t *key_owner;
	int64_t unix_s;
	bool allow_revoked;
	bool accept_sha1; /* obsolete cryptography counts: algorithms 5 and 7, RSA below 1024 bits */
	/* KEY_TAG is rdata_dnskey_tag() of KEY: a sum over up to 64 kB, which whoever tries a set of
	 * keys with many signatures makes once. */
	bool has_tag;
	uint16_t key_tag;
};
enum crypto_result crypto_verify(struct crypto_keys *keys, const struct crypto_check *check,
				 unsigned *wildcard_labels);

/* The same without the mathematics: would the pair be worth a verification? (Cheap; not counted.) */
enum crypto_result crypto_precheck(const struct crypto_check *check);

/* About what crypto_verify() takes for CHECK, in microseconds of a server's core of 2024: for those
 * who share time out. By algorithm, length of the key and size of the set; parsing the key included. */
unsigned crypto_cost_us(const struct crypto_check *check);

/* For how long SIG, which was good at UNIX_S, lets its set be kept and told (RFC 4035 §5.3.3): until it
 * expires, less a second, as of what has less than that left a second is told. One that has expired by a
 * clock that may be wrong is good for CRYPTO_EXPIRED_TTL_S more at a time, and not past what is allowed for
 * such clocks: its zone is about to sign anew, or to go dark. */
enum { CRYPTO_EXPIRED_TTL_S = 60 };
uint32_t crypto_ttl_s(const struct rrsig_view *sig, int64_t unix_s);
/* ... whatever TTL its zone has meant. */
uint32_t crypto_left_s(const struct rrsig_view *sig, int64_t unix_s);

/* DS (RDATA) names DNSKEY (RDATA) of OWNER: tag, algorithm, digest (RFC 4034 §5.1.4). Whether the
 * DS's algorithms are acceptable is the caller's question. */
bool crypto_ds_names(const uint8_t *owner, struct span ds, struct span dnskey);
/* ... and the key is one that may sign a zone: zone bit, protocol 3. */
bool crypto_ds_matches(const uint8_t *owner, struct span ds, struct span dnskey);

/* NSEC3 hash (RFC 5155 §5) of NAME into OUT. Only algorithm 1 (SHA-1). ERR_UNSUPPORTED. */
MUST_USE enum err crypto_nsec3_hash(const uint8_t *name, uint8_t algorithm, uint16_t iterations,
				    struct span salt, uint8_t out[static 20]);

const char *crypto_result_text(enum crypto_result result);
