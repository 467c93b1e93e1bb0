#include "sim/memo.h"

#include <stdlib.h>

#include "base/cursor.h"

enum { FULL = MEMO_SLOTS / 4 * 3 };

static void digest_of(const struct signer_key *key, const struct rrset *set,
		      const struct signature *signature, uint8_t out[static 32])
{
	uint8_t head[2 * DNAME_MAX + 32], name[DNAME_MAX];
	struct writer w = writer_of(head, sizeof(head));
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	writer_u16(&w, set->type);
	writer_u32(&w, signature->original_ttl_s);
	writer_u32(&w, signature->inception);
	writer_u32(&w, signature->expiration);
	writer_u8(&w, signature->labels);
	writer_bytes(&w, span_of(name, dname_lower(signature->signer, name)));
	writer_bytes(&w, span_of(name, dname_lower(set->owner, name)));
	REQUIRE(ctx && !w.failed);
	REQUIRE(EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1);
	REQUIRE(EVP_DigestUpdate(ctx, key->dnskey, key->dnskey_len) == 1);
	REQUIRE(EVP_DigestUpdate(ctx, head, writer_len(&w)) == 1);
	REQUIRE(EVP_DigestUpdate(ctx, set->rdata.at, set->rdata.len) == 1);
	REQUIRE(EVP_DigestFinal_ex(ctx, out, NULL) == 1);
	EVP_MD_CTX_free(ctx);
}

static struct memo_entry *slot_of(struct memo *m, const uint8_t digest[static 32])
{
	size_t at = (size_t)(digest[0] << 16 | digest[1] << 8 | digest[2]);
	for (;; at++) {
		struct memo_entry *e = &m->slots[at % MEMO_SLOTS];
		if (!e->rdata || memcmp(e->digest, digest, sizeof(e->digest)) == 0)
			return e;
	}
}

size_t memo_sign(struct memo *m, const struct signer_key *key, const struct rrset *set,
		 const struct signature *signature, uint8_t out[static SIGNER_RDATA_MAX])
{
	uint8_t digest[32];
	digest_of(key, set, signature, digest);
	struct memo_entry *e = slot_of(m, digest);
	if (e->rdata) {
		memcpy(out, e->rdata, e->len);
		return e->len;
	}
	if (m->count >= FULL) {
		memo_deinit(m);
		e = slot_of(m, digest);
	}
	e->len = signer_sign(key, set, signature, out);
	e->rdata = malloc(e->len);
	REQUIRE(e->rdata);
	memcpy(e->rdata, out, e->len);
	memcpy(e->digest, digest, sizeof(digest));
	m->count++;
	return e->len;
}

void memo_deinit(struct memo *m)
{
	for (size_t i = 0; i < ARRAY_LEN(m->slots); i++)
		free(m->slots[i].rdata);
	memset(m, 0, sizeof(*m));
}
