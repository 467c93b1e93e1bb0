#include "sim/signer.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <stdlib.h>

#include "base/cursor.h"

enum { SIGNED_MAX = 1 << 20 };

static const struct algorithm {
	uint8_t number;
	const char *type, *curve;
	const EVP_MD *(*digest)(void); /* NULL: the algorithm has its own */
	size_t half_bytes;	       /* of an ECDSA signature */
} algorithms[] = {
	{5, "RSA", NULL, EVP_sha1, 0},	     {7, "RSA", NULL, EVP_sha1, 0},
	{8, "RSA", NULL, EVP_sha256, 0},     {10, "RSA", NULL, EVP_sha512, 0},
	{13, "EC", "P-256", EVP_sha256, 32}, {14, "EC", "P-384", EVP_sha384, 48},
	{15, "ED25519", NULL, NULL, 0},	     {16, "ED448", NULL, NULL, 0},
};

static const struct algorithm *find_algorithm(uint8_t number)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		if (algorithms[i].number == number)
			return &algorithms[i];
	}
	require_failed(__FILE__, __LINE__, "an algorithm that the signer knows");
}

/* RFC 3110 §2. */
static void write_rsa(struct writer *w, const EVP_PKEY *pkey)
{
	BIGNUM *n = NULL, *e = NULL;
	REQUIRE(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1);
	REQUIRE(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1);
	writer_u8(w, (uint8_t)BN_num_bytes(e));
	BN_bn2bin(e, writer_reserve(w, (size_t)BN_num_bytes(e)));
	BN_bn2bin(n, writer_reserve(w, (size_t)BN_num_bytes(n)));
	BN_free(n);
	BN_free(e);
}

static void write_ec(struct writer *w, const EVP_PKEY *pkey)
{
	uint8_t point[1 + 2 * 48];
	size_t len = 0;
	REQUIRE(EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
						&len) == 1);
	REQUIRE(point[0] == 0x04); /* uncompressed; RFC 6605 §4 leaves that byte out */
	writer_bytes(w, span_of(point + 1, len - 1));
}

static void write_raw(struct writer *w, const EVP_PKEY *pkey)
{
	uint8_t raw[64];
	size_t len = sizeof(raw);
	REQUIRE(EVP_PKEY_get_raw_public_key(pkey, raw, &len) == 1);
	writer_bytes(w, span_of(raw, len));
}

void signer_key_set_flags(struct signer_key *key, uint16_t flags)
{
	const struct algorithm *a = find_algorithm(key->algorithm);
	struct writer w = writer_of(key->dnskey, sizeof(key->dnskey));
	writer_u16(&w, flags);
	writer_u8(&w, 3);
	writer_u8(&w, key->algorithm);
	if (strcmp(a->type, "RSA") == 0)
		write_rsa(&w, key->pkey);
	else if (a->curve)
		write_ec(&w, key->pkey);
	else
		write_raw(&w, key->pkey);
	REQUIRE(!w.failed);
	key->dnskey_len = (uint16_t)writer_len(&w);
	key->tag = rdata_dnskey_tag(signer_dnskey(key));
}

void signer_key_init(struct signer_key *key, uint8_t algorithm, uint16_t flags, int rsa_bits)
{
	const struct algorithm *a = find_algorithm(algorithm);
	key->algorithm = algorithm;
	if (a->curve)
		key->pkey = EVP_PKEY_Q_keygen(NULL, NULL, a->type, a->curve);
	else if (strcmp(a->type, "RSA") == 0)
		key->pkey = EVP_PKEY_Q_keygen(NULL, NULL, a->type, (size_t)rsa_bits);
	else
		key->pkey = EVP_PKEY_Q_keygen(NULL, NULL, a->type);
	REQUIRE(key->pkey);
	signer_key_set_flags(key, flags);
}

void signer_key_deinit(struct signer_key *key)
{
	EVP_PKEY_free(key->pkey);
	key->pkey = NULL;
}

size_t signer_ds(const struct signer_key *key, const uint8_t *owner, uint8_t digest_type,
		 uint8_t out[static SIGNER_DS_MAX])
{
	uint8_t data[DNAME_MAX + SIGNER_RDATA_MAX];
	unsigned digest_len = 0;
	size_t len = dname_lower(owner, data);
	memcpy(data + len, key->dnskey, key->dnskey_len);
	out[0] = (uint8_t)(key->tag >> 8);
	out[1] = (uint8_t)key->tag;
	out[2] = key->algorithm;
	out[3] = digest_type;
	const EVP_MD *md = digest_type == 1   ? EVP_sha1()
			   : digest_type == 2 ? EVP_sha256()
					      : EVP_sha384();
	REQUIRE(EVP_Digest(data, len + key->dnskey_len, out + 4, &digest_len, md, NULL) == 1);
	return 4 + digest_len;
}

uint8_t signer_labels(const uint8_t *owner)
{
	return (uint8_t)(dname_label_count(owner) - (dname_is_wildcard(owner) ? 1 : 0));
}

/* r and s with their leading zeros (RFC 6605 §4). */
static void write_ecdsa(struct writer *w, struct span der, size_t half)
{
	const uint8_t *at = der.at;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)der.len);
	REQUIRE(sig);
	uint8_t *r = writer_reserve(w, half), *s = writer_reserve(w, half);
	REQUIRE(r && s);
	REQUIRE(BN_bn2binpad(ECDSA_SIG_get0_r(sig), r, (int)half) == (int)half);
	REQUIRE(BN_bn2binpad(ECDSA_SIG_get0_s(sig), s, (int)half) == (int)half);
	ECDSA_SIG_free(sig);
}

static void write_signature(struct writer *w, const struct signer_key *key, struct span data)
{
	const struct algorithm *a = find_algorithm(key->algorithm);
	uint8_t signature[1024];
	size_t len = sizeof(signature);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	REQUIRE(ctx);
	REQUIRE(EVP_DigestSignInit(ctx, NULL, a->digest ? a->digest() : NULL, NULL, key->pkey) ==
		1);
	REQUIRE(EVP_DigestSign(ctx, signature, &len, data.at, data.len) == 1);
	EVP_MD_CTX_free(ctx);
	if (a->curve)
		write_ecdsa(w, span_of(signature, len), a->half_bytes);
	else
		writer_bytes(w, span_of(signature, len));
}

/* RFC 4034 §3.1.8.1. */
static void write_records(struct writer *w, const struct rrset *set, uint32_t original_ttl_s)
{
	uint8_t owner[DNAME_MAX];
	size_t owner_len = dname_lower(set->owner, owner);
	struct rrset_iter it = rrset_records(set);
	struct span rdata;
	while (rrset_next(&it, &rdata)) {
		writer_bytes(w, span_of(owner, owner_len));
		writer_u16(w, set->type);
		writer_u16(w, set->rclass);
		writer_u32(w, original_ttl_s);
		writer_u16(w, (uint16_t)rdata.len);
		uint8_t *room = writer_reserve(w, rdata.len);
		REQUIRE(room);
		rdata_canonical(set->type, rdata, room);
	}
}

size_t signer_sign(const struct signer_key *key, const struct rrset *set,
		   const struct signature *signature, uint8_t out[static SIGNER_RDATA_MAX])
{
	uint8_t signer[DNAME_MAX];
	size_t signer_len = dname_lower(signature->signer, signer);
	struct writer w = writer_of(out, SIGNER_RDATA_MAX);
	writer_u16(&w, set->type);
	writer_u8(&w, key->algorithm);
	writer_u8(&w, signature->labels);
	writer_u32(&w, signature->original_ttl_s);
	writer_u32(&w, signature->expiration);
	writer_u32(&w, signature->inception);
	writer_u16(&w, key->tag);
	writer_bytes(&w, span_of(signer, signer_len));

	uint8_t *data = malloc(SIGNED_MAX);
	REQUIRE(data);
	struct writer signed_data = writer_of(data, SIGNED_MAX);
	writer_bytes(&signed_data, writer_span(&w));
	write_records(&signed_data, set, signature->original_ttl_s);
	REQUIRE(!signed_data.failed);
	write_signature(&w, key, writer_span(&signed_data));
	free(data);
	REQUIRE(!w.failed);
	return writer_len(&w);
}

void signer_append(struct span rrsig, struct arena *arena, struct rrset *set)
{
	uint16_t len = (uint16_t)rrsig.len;
	uint8_t *sigs = arena_alloc(arena, set->sigs.len + sizeof(len) + len);
	REQUIRE(sigs);
	if (set->sigs.len > 0)
		memcpy(sigs, set->sigs.at, set->sigs.len);
	memcpy(sigs + set->sigs.len, &len, sizeof(len));
	memcpy(sigs + set->sigs.len + sizeof(len), rrsig.at, len);
	set->sigs = span_of(sigs, set->sigs.len + sizeof(len) + len);
	set->sig_count++;
}

void signer_attach(const struct signer_key *key, const struct signature *signature,
		   struct arena *arena, struct rrset *set)
{
	uint8_t rdata[SIGNER_RDATA_MAX];
	signer_append(span_of(rdata, signer_sign(key, set, signature, rdata)), arena, set);
}
