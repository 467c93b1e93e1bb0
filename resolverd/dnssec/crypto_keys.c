#include "dnssec/crypto_keys.h"

#include <ldns/ldns.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/hash.h"

enum {
	/* RFC 3110 §2 and RFC 5702 §2.1 let keys begin here. */
	RSA_BITS_MIN = 512,
	/* RFC 3110 §2 and the peers stop here: the cost of a check grows with the square. */
	RSA_BITS_MAX = 4096,
	/* 65537 needs 3 bytes; a modulus-sized exponent makes one check cost as much as a signature. */
	RSA_EXPONENT_BYTES_MAX = 8,
};

#define NO_ENTRY UINT32_MAX

struct key_entry {
	struct crypto_keys_one key;
	uint64_t hash;
	uint32_t bucket_next;
	uint32_t newer, older; /* in order of last use */
	uint16_t rdata_len;
	uint8_t rdata[CRYPTO_KEYS_RDATA_MAX];
};

struct crypto_keys { /* one worker */
	struct hash_key hash_key;
	uint32_t newest, oldest;
	uint32_t entry_count, entry_max;
	uint32_t bucket_mask;
	uint32_t *buckets; /* bucket_mask + 1 indices into entries */
	struct key_entry **entries;
	uint8_t *room; /* CRYPTO_KEYS_ROOM bytes */
};

/* Parsing. */

/* RFC 3110 §2: length of the exponent in one byte, or in two behind a zero. */
static bool rsa_split(struct span key, struct span *exponent, struct span *modulus)
{
	struct reader r = reader_of(key);
	size_t len = reader_u8(&r);
	if (len == 0)
		len = reader_u16(&r);
	*exponent = reader_bytes(&r, len);
	*modulus = reader_bytes(&r, reader_left(&r));
	return !r.failed && exponent->len > 0 && exponent->len <= RSA_EXPONENT_BYTES_MAX &&
	       modulus->len > 0 && modulus->len <= RSA_BITS_MAX / 8;
}

static bool rsa_numbers_are_usable(const BIGNUM *modulus, const BIGNUM *exponent)
{
	return BN_num_bits(modulus) >= RSA_BITS_MIN && BN_num_bits(modulus) <= RSA_BITS_MAX &&
	       BN_is_odd(modulus) && BN_is_odd(exponent) && !BN_is_one(exponent);
}

static EVP_PKEY *rsa_from_numbers(const BIGNUM *modulus, const BIGNUM *exponent)
{
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM *params = NULL;
	EVP_PKEY_CTX *ctx = NULL;
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	if (!build)
		return NULL;
	if (!OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) ||
	    !OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent))
		goto free_build;
	params = OSSL_PARAM_BLD_to_param(build);
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
free_build:
	OSSL_PARAM_BLD_free(build);
	return pkey;
}

static EVP_PKEY *parse_rsa(struct span key)
{
	struct span e, n;
	if (!rsa_split(key, &e, &n))
		return NULL;
	EVP_PKEY *pkey = NULL;
	BIGNUM *exponent = BN_bin2bn(e.at, (int)e.len, NULL);
	BIGNUM *modulus = BN_bin2bn(n.at, (int)n.len, NULL);
	if (exponent && modulus && rsa_numbers_are_usable(modulus, exponent))
		pkey = rsa_from_numbers(modulus, exponent);
	BN_free(modulus);
	BN_free(exponent);
	return pkey;
}

/* NULL if KEY is no usable public key of its algorithm. */
static EVP_PKEY *parse_key(const struct dnskey_view *key)
{
	switch (key->algorithm) {
	case ALGORITHM_RSASHA1:
	case ALGORITHM_RSASHA1_NSEC3:
	case ALGORITHM_RSASHA256:
	case ALGORITHM_RSASHA512:
		return parse_rsa(key->key);
	case ALGORITHM_ECDSAP256: /* RFC 6605 §4 */
		return key->key.len == 64
			       ? ldns_ecdsa2pkey_raw(key->key.at, 64, LDNS_ECDSAP256SHA256)
			       : NULL;
	case ALGORITHM_ECDSAP384:
		return key->key.len == 96
			       ? ldns_ecdsa2pkey_raw(key->key.at, 96, LDNS_ECDSAP384SHA384)
			       : NULL;
	case ALGORITHM_ED25519: /* RFC 8080 §3 */
		return key->key.len == 32 ? ldns_ed255192pkey_raw(key->key.at, 32) : NULL;
	case ALGORITHM_ED448:
		return key->key.len == 57 ? ldns_ed4482pkey_raw(key->key.at, 57) : NULL;
	default: /* a peer's number, not our enum */
		return NULL;
	}
}

/* What a signature of ALGORITHM signs instead of the data itself; NULL: nothing, it is EdDSA. */
static const EVP_MD *signature_digest(uint8_t algorithm)
{
	switch (algorithm) {
	case ALGORITHM_RSASHA1:
	case ALGORITHM_RSASHA1_NSEC3:
		return EVP_sha1();
	case ALGORITHM_RSASHA256:
	case ALGORITHM_ECDSAP256:
		return EVP_sha256();
	case ALGORITHM_ECDSAP384:
		return EVP_sha384();
	case ALGORITHM_RSASHA512:
		return EVP_sha512();
	default: /* a peer's number, not our enum */
		return NULL;
	}
}

/* PKEY ready to check signatures of DIGEST, any number of them. RSA's padding is PKCS #1's by
 * default (RFC 3110 §3). NULL without memory. */
static EVP_PKEY_CTX *make_verifier(EVP_PKEY *pkey, const EVP_MD *digest)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	if (ctx && EVP_PKEY_verify_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, digest) == 1)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

/* The table. */

enum err crypto_keys_new(size_t max_keys, struct crypto_keys **out)
{
	REQUIRE(max_keys > 0 && max_keys <= 1U << 20);
	uint32_t bucket_count = 1;
	while (bucket_count < max_keys)
		bucket_count *= 2;
	struct crypto_keys *k = calloc(1, sizeof(*k));
	if (!k)
		return ERR_NO_MEMORY;
	k->buckets = malloc(bucket_count * sizeof(*k->buckets));
	k->entries = calloc(max_keys, sizeof(struct key_entry *));
	k->room = malloc(CRYPTO_KEYS_ROOM);
	if (!k->buckets || !k->entries || !k->room) {
		crypto_keys_free(k);
		return ERR_NO_MEMORY;
	}
	for (uint32_t i = 0; i < bucket_count; i++)
		k->buckets[i] = NO_ENTRY;
	k->bucket_mask = bucket_count - 1;
	k->entry_max = (uint32_t)max_keys;
	k->newest = k->oldest = NO_ENTRY;
	hash_key_init(&k->hash_key);
	*out = k;
	return OK;
}

void crypto_keys_free(struct crypto_keys *k)
{
	if (!k)
		return;
	for (uint32_t i = 0; i < k->entry_count; i++) {
		EVP_PKEY_CTX_free(k->entries[i]->key.verifier);
		EVP_PKEY_free(k->entries[i]->key.pkey);
		free(k->entries[i]);
	}
	free(k->room);
	free(k->entries);
	free(k->buckets);
	free(k);
}

static void use_list_unlink(struct crypto_keys *k, const struct key_entry *e)
{
	*(e->newer == NO_ENTRY ? &k->newest : &k->entries[e->newer]->older) = e->older;
	*(e->older == NO_ENTRY ? &k->oldest : &k->entries[e->older]->newer) = e->newer;
}

static void use_list_push(struct crypto_keys *k, uint32_t index)
{
	struct key_entry *e = k->entries[index];
	e->newer = NO_ENTRY;
	e->older = k->newest;
	*(k->newest == NO_ENTRY ? &k->oldest : &k->entries[k->newest]->newer) = index;
	k->newest = index;
}

static void bucket_unlink(struct crypto_keys *k, uint32_t index)
{
	uint32_t *link = &k->buckets[k->entries[index]->hash & k->bucket_mask];
	while (*link != index)
		link = &k->entries[*link]->bucket_next;
	*link = k->entries[index]->bucket_next;
}

/* A slot that is in no list: a new one, or the least recently used. NO_ENTRY without memory. */
static uint32_t slot_take(struct crypto_keys *k)
{
	if (k->entry_count < k->entry_max) {
		struct key_entry *e = calloc(1, sizeof(*e));
		if (!e)
			return NO_ENTRY;
		k->entries[k->entry_count] = e;
		return k->entry_count++;
	}
	uint32_t index = k->oldest;
	struct key_entry *e = k->entries[index];
	use_list_unlink(k, e);
	bucket_unlink(k, index);
	EVP_PKEY_CTX_free(e->key.verifier);
	EVP_PKEY_free(e->key.pkey);
	e->key.verifier = NULL;
	e->key.pkey = NULL;
	return index;
}

static struct key_entry *keys_find(struct crypto_keys *k, struct span rdata, uint64_t hash)
{
	uint32_t index = k->buckets[hash & k->bucket_mask];
	for (; index != NO_ENTRY; index = k->entries[index]->bucket_next) {
		struct key_entry *e = k->entries[index];
		if (e->hash != hash || !span_equal(span_of(e->rdata, e->rdata_len), rdata))
			continue;
		use_list_unlink(k, e);
		use_list_push(k, index);
		return e;
	}
	return NULL;
}

/* The entry at INDEX, which holds a key, can be found by its RDATA from now on. */
static struct key_entry *keys_add(struct crypto_keys *k, uint32_t index, struct span rdata,
				  uint64_t hash)
{
	struct key_entry *e = k->entries[index];
	e->hash = hash;
	e->rdata_len = (uint16_t)rdata.len;
	memcpy(e->rdata, rdata.at, rdata.len);
	e->bucket_next = k->buckets[hash & k->bucket_mask];
	k->buckets[hash & k->bucket_mask] = index;
	use_list_push(k, index);
	return e;
}

const struct crypto_keys_one *crypto_keys_get(struct crypto_keys *k, struct span rdata,
					      const struct dnskey_view *key)
{
	if (rdata.len > CRYPTO_KEYS_RDATA_MAX)
		return NULL;
	uint64_t hash = hash_bytes(&k->hash_key, rdata);
	struct key_entry *e = keys_find(k, rdata, hash);
	if (e)
		return &e->key;
	const EVP_MD *digest = signature_digest(key->algorithm);
	EVP_PKEY *pkey = parse_key(key);
	EVP_PKEY_CTX *verifier = pkey && digest ? make_verifier(pkey, digest) : NULL;
	if (!pkey || (digest && !verifier))
		goto free_key;
	uint32_t index = slot_take(k);
	if (index == NO_ENTRY)
		goto free_key;
	k->entries[index]->key =
		(struct crypto_keys_one){.pkey = pkey, .digest = digest, .verifier = verifier};
	return &keys_add(k, index, rdata, hash)->key;

free_key:
	EVP_PKEY_CTX_free(verifier);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return NULL;
}

uint8_t *crypto_keys_room(struct crypto_keys *k)
{
	return k->room;
}
