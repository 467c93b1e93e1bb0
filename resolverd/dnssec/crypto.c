#include "dnssec/crypto.h"

#include <ldns/ldns.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/hash.h"

enum { /* IANA: DNS Security Algorithm Numbers, DS digest types, NSEC3 hash algorithms */
       ALGORITHM_RSASHA1 = 5,
       ALGORITHM_RSASHA1_NSEC3 = 7,
       ALGORITHM_RSASHA256 = 8,
       ALGORITHM_RSASHA512 = 10,
       ALGORITHM_ECDSAP256 = 13,
       ALGORITHM_ECDSAP384 = 14,
       ALGORITHM_ED25519 = 15,
       ALGORITHM_ED448 = 16,
       DIGEST_SHA1 = 1,
       DIGEST_SHA256 = 2,
       DIGEST_SHA384 = 4,
       NSEC3_SHA1 = 1,
};

enum {
	/* RFC 3110 §2 and RFC 5702 §2.1 let keys begin here. */
	RSA_BITS_MIN = 512,
	/* Below this anyone can factor them by now: only where obsolete cryptography is accepted. */
	RSA_BITS_SAFE = 1024,
	/* RFC 3110 §2 and the peers stop here: the cost of a check grows with the square. */
	RSA_BITS_MAX = 4096,
	/* 65537 needs 3 bytes; a modulus-sized exponent makes one check cost as much as a signature. */
	RSA_EXPONENT_BYTES_MAX = 8,
	/* RFC 4035 §5.3.3 allows for clocks that differ: a tenth of the validity, within bounds. */
	SKEW_DIVISOR = 10,
	SKEW_MIN_S = 3600,
	SKEW_MAX_S = 86400,
	/* Longest usable key: algorithm 8 or 10 with 4096 bits, with room for odd exponents. */
	KEY_RDATA_MAX = 1024,
	ECDSA_DER_MAX = 2 * (48 + 3) + 4,
	NSEC3_DIGEST_SIZE = 20,
	/* RRSIG head and signer, then owner, type, class, TTL and length before each RDATA. */
	SIGNED_DATA_MAX = 18 + DNAME_MAX + RRSET_RECORDS_MAX * (DNAME_MAX + 10) + RRSET_BYTES_MAX,
};

#define NO_ENTRY UINT32_MAX

struct key_entry {
	EVP_PKEY *pkey;
	/* Made ready once: doing so costs a seventh of a check. NULL for EdDSA, which has no digest. */
	EVP_PKEY_CTX *verifier;
	uint64_t hash;
	uint32_t bucket_next;
	uint32_t newer, older; /* in order of last use */
	uint16_t rdata_len;
	uint8_t rdata[KEY_RDATA_MAX];
};

struct crypto_keys { /* one worker */
	struct hash_key hash_key;
	uint32_t newest, oldest;
	uint32_t entry_count, entry_max;
	uint32_t bucket_mask;
	uint32_t *buckets; /* bucket_mask + 1 indices into entries */
	struct key_entry **entries;
	uint8_t *signed_data; /* SIGNED_DATA_MAX bytes, reused by every verification */
};

bool crypto_algorithm_is_supported(uint8_t algorithm, bool accept_sha1)
{
	switch (algorithm) {
	case ALGORITHM_RSASHA1:
	case ALGORITHM_RSASHA1_NSEC3:
		return accept_sha1;
	case ALGORITHM_RSASHA256:
	case ALGORITHM_RSASHA512:
	case ALGORITHM_ECDSAP256:
	case ALGORITHM_ECDSAP384:
	case ALGORITHM_ED25519:
	case ALGORITHM_ED448:
		return true;
	default: /* a peer's number, not our enum */
		return false;
	}
}

bool crypto_digest_is_supported(uint8_t digest_type, bool accept_sha1)
{
	if (digest_type == DIGEST_SHA1)
		return accept_sha1;
	return digest_type == DIGEST_SHA256 || digest_type == DIGEST_SHA384;
}

/* Public keys: parsing. */

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

/* Public keys: the table. */

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
	k->signed_data = malloc(SIGNED_DATA_MAX);
	if (!k->buckets || !k->entries || !k->signed_data) {
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
		EVP_PKEY_CTX_free(k->entries[i]->verifier);
		EVP_PKEY_free(k->entries[i]->pkey);
		free(k->entries[i]);
	}
	free(k->signed_data);
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
	EVP_PKEY_CTX_free(e->verifier);
	EVP_PKEY_free(e->pkey);
	e->verifier = NULL;
	e->pkey = NULL;
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

/* The parsed form of KEY, whose RDATA is RDATA; borrowed until the next call. NULL if it does not
 * parse; such keys are not kept, because what failed may also have been memory. */
static struct key_entry *keys_get(struct crypto_keys *k, struct span rdata,
				  const struct dnskey_view *key)
{
	if (rdata.len > KEY_RDATA_MAX)
		return NULL;
	uint64_t hash = hash_bytes(&k->hash_key, rdata);
	struct key_entry *e = keys_find(k, rdata, hash);
	if (e)
		return e;
	const EVP_MD *digest = signature_digest(key->algorithm);
	EVP_PKEY *pkey = parse_key(key);
	EVP_PKEY_CTX *verifier = pkey && digest ? make_verifier(pkey, digest) : NULL;
	if (!pkey || (digest && !verifier))
		goto free_key;
	uint32_t index = slot_take(k);
	if (index == NO_ENTRY)
		goto free_key;
	k->entries[index]->pkey = pkey;
	k->entries[index]->verifier = verifier;
	return keys_add(k, index, rdata, hash);

free_key:
	EVP_PKEY_CTX_free(verifier);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return NULL;
}

/* Does the pair fit the set? */

/* RFC 4034 §3.1.3: neither the root nor a leading asterisk counts. */
static unsigned owner_labels(const uint8_t *owner)
{
	return dname_label_count(owner) - (dname_is_wildcard(owner) ? 1 : 0);
}

/* RFC 1982 §3.2. */
static bool serial_is_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static enum crypto_result check_times(const struct rrsig_view *sig, int64_t unix_s)
{
	uint32_t now_s = (uint32_t)unix_s; /* RFC 4034 §3.1.5: times are modulo 2^32 */
	if (serial_is_before(sig->expiration, sig->inception))
		return CRYPTO_EXPIRED_BEFORE_VALID;
	uint32_t skew_s = (sig->expiration - sig->inception) / SKEW_DIVISOR;
	skew_s = MAX(SKEW_MIN_S, MIN(SKEW_MAX_S, skew_s));
	if (serial_is_before(now_s + skew_s, sig->inception))
		return CRYPTO_NOT_YET_VALID;
	if (serial_is_before(sig->expiration + skew_s, now_s))
		return CRYPTO_EXPIRED;
	return CRYPTO_GOOD;
}

/* RFC 4035 §5.3.1, RFC 4034 §2.1.1 and §2.1.2, RFC 5011 §2.1. */
static bool key_may_sign(const struct dnskey_view *key, bool allow_revoked)
{
	return (key->flags & DNSKEY_ZONE) && key->protocol == 3 &&
	       (allow_revoked || !(key->flags & DNSKEY_REVOKE));
}

/* RFC 4035 §5.3.1. A count of labels below the signer's would let the signer of a zone speak for
 * its parent's wildcards. */
static bool labels_fit(const struct rrset *set, const struct rrsig_view *sig)
{
	unsigned labels = owner_labels(set->owner);
	if (sig->labels > labels || sig->labels < dname_label_count(sig->signer))
		return false;
	return true;
}

static enum crypto_result precheck(const struct crypto_check *check, struct rrsig_view *sig,
				   struct dnskey_view *key)
{
	const struct rrset *set = check->set;
	if (rdata_rrsig(check->sig, sig) != OK)
		return CRYPTO_MISMATCH;
	if (rdata_dnskey(check->key, key) != OK)
		return CRYPTO_BAD_KEY;
	/* RFC 4035 §2.2: signatures are not signed. */
	if (sig->type_covered != set->type || set->type == TYPE_RRSIG || set->rclass != CLASS_IN)
		return CRYPTO_MISMATCH;
	if (sig->algorithm != key->algorithm || sig->key_tag != rdata_dnskey_tag(check->key))
		return CRYPTO_MISMATCH;
	if (!dname_equal(sig->signer, check->key_owner) ||
	    !dname_is_within(set->owner, sig->signer))
		return CRYPTO_MISMATCH;
	if (!(key->flags & DNSKEY_ZONE))
		return CRYPTO_NO_ZONE_KEY;
	if (!key_may_sign(key, check->allow_revoked))
		return CRYPTO_MISMATCH;
	if (!labels_fit(set, sig))
		return CRYPTO_MISMATCH;
	if (!crypto_algorithm_is_supported(sig->algorithm, check->accept_sha1))
		return CRYPTO_UNSUPPORTED;
	return check_times(sig, check->unix_s);
}

enum crypto_result crypto_precheck(const struct crypto_check *check)
{
	struct rrsig_view sig;
	struct dnskey_view key;
	return precheck(check, &sig, &key);
}

/* openssl speed -seconds 1, OpenSSL 3.0 on an EPYC of 2024: P-256 65 us, P-384 730, Ed25519 110,
 * Ed448 250, RSA-2048 with the exponent 65537 16. RSA's time grows with the square of the length, and
 * with the bits of the exponent. */
static unsigned key_cost_us(const struct dnskey_view *key)
{
	size_t bytes = key->key.len;
	bool odd_exponent = bytes > 0 && key->key.at[0] != 1 && key->key.at[0] != 3;
	switch (key->algorithm) {
	case ALGORITHM_ECDSAP256:
		return 70;
	case ALGORITHM_ECDSAP384:
		return 750;
	case ALGORITHM_ED25519:
		return 110;
	case ALGORITHM_ED448:
		return 250;
	default: /* RSA; what is unknown is not verified */
		return (unsigned)(16 * bytes * bytes / 65536 + 4) * (odd_exponent ? 4 : 1);
	}
}

unsigned crypto_cost_us(const struct crypto_check *check)
{
	enum { BYTES_PER_US = 200 }; /* copied, folded and digested */
	struct dnskey_view key;
	if (rdata_dnskey(check->key, &key) != OK || key.key.len > KEY_RDATA_MAX)
		return 1;
	return key_cost_us(&key) + (unsigned)(check->set->rdata.len / BYTES_PER_US);
}

/* What was signed. */

/* The owner as the signer saw it (RFC 4035 §5.3.2), lower case. */
static size_t signed_owner(const struct rrset *set, unsigned labels, uint8_t out[static DNAME_MAX])
{
	uint8_t wildcard[DNAME_MAX];
	if (labels == owner_labels(set->owner))
		return dname_lower(set->owner, out);
	const uint8_t *encloser = dname_skip(set->owner, dname_label_count(set->owner) - labels);
	/* An encloser below which a name fits has room for an asterisk. */
	REQUIRE(dname_wildcard(encloser, wildcard) == OK);
	return dname_lower(wildcard, out);
}

/* RRSIG_RDATA | RR(1) | RR(2)... of RFC 4034 §3.1.8.1. The set's records stand in canonical order
 * already. Empty if there are more of them than any set may have. */
static struct span signed_data(struct crypto_keys *k, const struct crypto_check *check,
			       const struct rrsig_view *sig)
{
	uint8_t owner[DNAME_MAX], signer[DNAME_MAX];
	size_t owner_len = signed_owner(check->set, sig->labels, owner);
	size_t signer_len = dname_lower(sig->signer, signer);
	struct writer w = writer_of(k->signed_data, SIGNED_DATA_MAX);

	writer_bytes(&w, span_of(check->sig.at, 18)); /* up to the signer's name */
	writer_bytes(&w, span_of(signer, signer_len));
	struct rrset_iter it = rrset_records(check->set);
	struct span rdata;
	while (rrset_next(&it, &rdata) && !w.failed) {
		writer_bytes(&w, span_of(owner, owner_len));
		writer_u16(&w, check->set->type);
		writer_u16(&w, check->set->rclass);
		writer_u32(&w, sig->original_ttl_s);
		writer_u16(&w, (uint16_t)rdata.len);
		uint8_t *room = writer_reserve(&w, rdata.len);
		if (room)
			rdata_canonical(check->set->type, rdata, room);
	}
	return w.failed ? (struct span){0} : writer_span(&w);
}

/* The mathematics. */

static void write_der_integer(struct writer *w, struct span number)
{
	while (number.len > 1 && number.at[0] == 0)
		number = span_of(number.at + 1, number.len - 1);
	bool pad = number.at[0] & 0x80; /* else it would read as negative */
	writer_u8(w, 0x02);
	writer_u8(w, (uint8_t)(number.len + pad));
	if (pad)
		writer_u8(w, 0);
	writer_bytes(w, number);
}

/* r | s of RFC 6605 §4 → SEQUENCE { INTEGER r, INTEGER s }; the length fits one byte. */
static size_t ecdsa_to_der(struct span signature, uint8_t out[static ECDSA_DER_MAX])
{
	size_t half = signature.len / 2;
	struct writer w = writer_of(out, ECDSA_DER_MAX);
	writer_u8(&w, 0x30);
	writer_u8(&w, 0);
	write_der_integer(&w, span_of(signature.at, half));
	write_der_integer(&w, span_of(signature.at + half, half));
	REQUIRE(!w.failed && writer_len(&w) - 2 < 0x80);
	out[1] = (uint8_t)(writer_len(&w) - 2);
	return writer_len(&w);
}

static bool verify_digested(const struct key_entry *key, uint8_t algorithm, struct span signature,
			    struct span data)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len;
	return EVP_Digest(data.at, data.len, digest, &len, signature_digest(algorithm), NULL) ==
		       1 &&
	       EVP_PKEY_verify(key->verifier, signature.at, signature.len, digest, len) == 1;
}

static bool verify_ecdsa(const struct key_entry *key, uint8_t algorithm, struct span signature,
			 struct span data)
{
	uint8_t der[ECDSA_DER_MAX];
	if (signature.len != (algorithm == ALGORITHM_ECDSAP256 ? 64 : 96))
		return false;
	size_t len = ecdsa_to_der(signature, der);
	return verify_digested(key, algorithm, span_of(der, len), data);
}

/* RFC 8080: no digest before the signature. */
static bool verify_eddsa(EVP_PKEY *pkey, struct span signature, struct span data)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!ctx)
		return false;
	bool good = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
		    EVP_DigestVerify(ctx, signature.at, signature.len, data.at, data.len) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

static bool verify_signature(const struct rrsig_view *sig, struct span data,
			     const struct key_entry *key)
{
	switch (sig->algorithm) {
	case ALGORITHM_RSASHA1:
	case ALGORITHM_RSASHA1_NSEC3:
	case ALGORITHM_RSASHA256:
	case ALGORITHM_RSASHA512:
		return verify_digested(key, sig->algorithm, sig->signature, data);
	case ALGORITHM_ECDSAP256:
	case ALGORITHM_ECDSAP384:
		return verify_ecdsa(key, sig->algorithm, sig->signature, data);
	case ALGORITHM_ED25519:
	case ALGORITHM_ED448:
		return verify_eddsa(key->pkey, sig->signature, data);
	default: /* a peer's number, not our enum */
		return false;
	}
}

enum crypto_result crypto_verify(struct crypto_keys *keys, const struct crypto_check *check,
				 unsigned *wildcard_labels)
{
	struct rrsig_view sig;
	struct dnskey_view key;
	enum crypto_result result = precheck(check, &sig, &key);
	if (result != CRYPTO_GOOD)
		return result;
	const struct key_entry *parsed = keys_get(keys, check->key, &key);
	if (!parsed)
		return CRYPTO_BAD_KEY;
	if (EVP_PKEY_get_base_id(parsed->pkey) == EVP_PKEY_RSA &&
	    EVP_PKEY_get_bits(parsed->pkey) < RSA_BITS_SAFE && !check->accept_sha1)
		return CRYPTO_BAD_KEY;
	struct span data = signed_data(keys, check, &sig);
	if (data.len == 0)
		return CRYPTO_MISMATCH;
	if (!verify_signature(&sig, data, parsed)) {
		ERR_clear_error();
		return CRYPTO_BAD_SIGNATURE;
	}
	const uint8_t *owner = check->set->owner;
	*wildcard_labels = sig.labels < owner_labels(owner) ? sig.labels : dname_label_count(owner);
	return CRYPTO_GOOD;
}

/* Digests. */

static const EVP_MD *ds_digest(uint8_t digest_type)
{
	switch (digest_type) {
	case DIGEST_SHA1:
		return EVP_sha1();
	case DIGEST_SHA256:
		return EVP_sha256();
	case DIGEST_SHA384:
		return EVP_sha384();
	default: /* a peer's number, not our enum */
		return NULL;
	}
}

bool crypto_digest_fits(uint8_t digest_type, size_t len)
{
	const EVP_MD *md = ds_digest(digest_type);
	return !md || (size_t)EVP_MD_get_size(md) == len;
}

bool crypto_ds_matches(const uint8_t *owner, struct span ds, struct span dnskey)
{
	struct dnskey_view key;
	/* RFC 4035 §5.2: a key that the parent vouches for is a zone key. */
	return rdata_dnskey(dnskey, &key) == OK && key_may_sign(&key, true) &&
	       crypto_ds_names(owner, ds, dnskey);
}

bool crypto_ds_names(const uint8_t *owner, struct span ds, struct span dnskey)
{
	struct ds_view d;
	struct dnskey_view key;
	if (rdata_ds(ds, &d) != OK || rdata_dnskey(dnskey, &key) != OK ||
	    d.algorithm != key.algorithm)
		return false;
	const EVP_MD *md = ds_digest(d.digest_type);
	if (!md || d.key_tag != rdata_dnskey_tag(dnskey))
		return false;

	uint8_t lower[DNAME_MAX], digest[EVP_MAX_MD_SIZE];
	size_t owner_len = dname_lower(owner, lower);
	unsigned len = 0;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!ctx)
		return false;
	bool done = EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, lower, owner_len) &&
		    EVP_DigestUpdate(ctx, dnskey.at, dnskey.len) &&
		    EVP_DigestFinal_ex(ctx, digest, &len);
	EVP_MD_CTX_free(ctx);
	return done && span_equal(span_of(digest, len), d.digest);
}

enum err crypto_nsec3_hash(const uint8_t *name, uint8_t algorithm, uint16_t iterations,
			   struct span salt, uint8_t out[static 20])
{
	if (algorithm != NSEC3_SHA1)
		return ERR_UNSUPPORTED;
	uint8_t lower[DNAME_MAX];
	struct span input = span_of(lower, dname_lower(name, lower));
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!ctx)
		return ERR_NO_MEMORY;
	bool done = EVP_DigestInit_ex(ctx, EVP_sha1(), NULL);
	for (unsigned i = 0; done && i <= iterations; i++) {
		/* Without a type the context starts over: looking the digest up again is slow. */
		done = (i == 0 || EVP_DigestInit_ex(ctx, NULL, NULL)) &&
		       EVP_DigestUpdate(ctx, input.at, input.len) &&
		       EVP_DigestUpdate(ctx, salt.at, salt.len) &&
		       EVP_DigestFinal_ex(ctx, out, NULL);
		input = span_of(out, NSEC3_DIGEST_SIZE);
	}
	EVP_MD_CTX_free(ctx);
	return done ? OK : ERR_NO_MEMORY;
}

const char *crypto_result_text(enum crypto_result result)
{
	switch (result) {
	case CRYPTO_GOOD:
		return "good";
	case CRYPTO_BAD_SIGNATURE:
		return "signature does not verify";
	case CRYPTO_EXPIRED:
		return "signature expired";
	case CRYPTO_NOT_YET_VALID:
		return "signature not yet valid";
	case CRYPTO_EXPIRED_BEFORE_VALID:
		return "signature expires before it becomes valid";
	case CRYPTO_UNSUPPORTED:
		return "unsupported algorithm";
	case CRYPTO_BAD_KEY:
		return "unusable key";
	case CRYPTO_NO_ZONE_KEY:
		return "its key lacks the zone bit";
	case CRYPTO_MISMATCH:
		return "signature and key do not fit the records";
	}
	return "unknown";
}
