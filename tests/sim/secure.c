#include "sim/secure.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "sim/attacks.h"
#include "sim/seeded.h"

enum { DAY_S = 86400, RSA_BITS = 1024, BITMAP_TYPES_MAX = 24, DIGEST_UNKNOWN = 99 };

static const uint8_t algorithms[KEYRING_ALGORITHMS] = {15, 13, 8, 10, 14, 16, 5, 7};

/* ---- keys ------------------------------------------------------------------------------------ */

const struct signer_key *keyring_key(struct keyring *k, uint8_t algorithm, unsigned index)
{
	size_t row = 0;
	while (row < ARRAY_LEN(algorithms) && algorithms[row] != algorithm)
		row++;
	REQUIRE(row < ARRAY_LEN(algorithms));
	struct signer_key *key = &k->keys[row][index];
	if (key->pkey)
		return key;
	seeded_begin(row * KEYRING_KEYS + index); /* whichever zone of whichever run is first */
	signer_key_init(key, algorithm,		  /* the first one is the key-signing key */
			(uint16_t)(DNSKEY_ZONE | (index == 0 ? DNSKEY_SEP : 0)), RSA_BITS);
	return key;
}

const struct signer_key *keyring_own(struct keyring *k, unsigned pair, bool is_ksk)
{
	unsigned index = 2 * (pair - 1) + is_ksk;
	REQUIRE(pair > 0 && pair <= KEYRING_OWN);
	if (!k->own[index].pkey) {
		seeded_begin(1000 + index);
		signer_key_init(&k->own[index], 8,
				(uint16_t)(DNSKEY_ZONE | (is_ksk ? DNSKEY_SEP : 0)), RSA_BITS);
	}
	return &k->own[index];
}

void keyring_deinit(struct keyring *k)
{
	for (size_t a = 0; a < KEYRING_ALGORITHMS; a++)
		for (size_t i = 0; i < KEYRING_KEYS; i++)
			signer_key_deinit(&k->keys[a][i]);
	for (size_t i = 0; i < KEYRING_COLLIDING; i++)
		signer_key_deinit(&k->colliding[i]);
	for (size_t i = 0; i < ARRAY_LEN(k->own); i++)
		signer_key_deinit(&k->own[i]);
	memo_deinit(&k->memo);
}

/* KEY without the bit that makes it a zone key (RFC 4034 §2.1.1). */
static const struct signer_key *no_zone_key(struct world *w, const struct signer_key *key)
{
	struct signer_key *other = world_alloc(w, sizeof(*other));
	*other = *key;
	signer_key_set_flags(other, 0);
	return other;
}

static void add_ds(struct world *w, struct zone *z, uint8_t digest_type)
{
	uint8_t ds[SIGNER_DS_MAX];
	size_t len = signer_ds(z->security->ksk, z->apex,
			       digest_type == DIGEST_UNKNOWN ? 2 : digest_type, ds);
	ds[3] = digest_type;
	if (z->security->flaw == FLAW_DS)
		ds[len - 1] ^= 1;
	zone_add(w, z->parent, z->apex, TYPE_DS, 3600, span_of(ds, len));
}

void secure_zone(struct world *w, struct keyring *k, struct zone *z, const struct secure_options *o)
{
	struct security *x = world_alloc(w, sizeof(*x));
	z->security = x;
	x->ksk = o->own_keys ? keyring_own(k, o->own_keys, true) : keyring_key(k, o->algorithm, 0);
	x->zsk = o->own_keys ? keyring_own(k, o->own_keys, false) : keyring_key(k, o->algorithm, 1);
	x->memo = o->own_keys ? &k->memo : NULL;
	x->stranger = keyring_key(k, o->algorithm, 2);
	x->flaw = o->flaw;
	if (x->flaw == FLAW_KSK_BIT)
		x->ksk = no_zone_key(w, x->ksk);
	if (x->flaw == FLAW_ZSK_BIT)
		x->zsk = no_zone_key(w, x->zsk);
	x->nsec3 = o->nsec3;
	x->opt_out = o->opt_out;
	x->iterations = o->opt_out ? 5 : 0;
	x->salt[0] = (uint8_t)w->zone_count;
	x->unix_s = o->unix_s;
	x->has_ds = !z->parent || (z->parent->security && o->with_ds);
	x->is_unsupported = o->algorithm == 5 || o->algorithm == 7 || o->unknown_digest;
	if (z->parent && x->has_ds)
		add_ds(w, z, o->unknown_digest ? DIGEST_UNKNOWN : 2);
	if (x->flaw == FLAW_NO_DNSKEY)
		return;
	zone_add(w, z, z->apex, TYPE_DNSKEY, 3600, signer_dnskey(x->ksk));
	zone_add(w, z, z->apex, TYPE_DNSKEY, 3600, signer_dnskey(x->zsk));
}

void secure_anchor_text(const struct zone *z, char *out, size_t size_bytes)
{
	uint8_t ds[SIGNER_DS_MAX];
	char zone[DNAME_TEXT_MAX];
	size_t len = signer_ds(z->security->ksk, z->apex, 2, ds);
	int used = snprintf(out, size_bytes, "%s DS %u %u %u ", dname_text(z->apex, zone),
			    z->security->ksk->tag, ds[2], ds[3]);
	REQUIRE(used > 0 && (size_t)used + 2 * len < size_bytes);
	for (size_t i = 4; i < len; i++)
		used += snprintf(out + used, size_bytes - (size_t)used, "%02X", ds[i]);
}

/* ---- signatures ------------------------------------------------------------------------------ */

static void spoil_signature(struct rrset *set, struct arena *arena)
{
	struct span copy = arena_copy(arena, set->sigs);
	REQUIRE(copy.at);
	((uint8_t *)copy.at)[copy.len - 3] ^= 0x10;
	set->sigs = copy;
}

size_t secure_sign_as(const struct zone *z, const struct signer_key *key, const struct rrset *set,
		      const struct signature *signature, uint8_t out[static SIGNER_RDATA_MAX])
{
	struct memo *memo = z->security->memo;
	return memo ? memo_sign(memo, key, set, signature, out)
		    : signer_sign(key, set, signature, out);
}

void secure_sign(struct world *w, const struct zone *z, struct rrset *set)
{
	const struct security *x = z->security;
	if (!x || set->sig_count)
		return;
	seeded_begin(0); /* ECDSA has a nonce */
	bool is_dnskey = set->type == TYPE_DNSKEY;
	enum flaw flaw = is_dnskey && x->flaw < FLAW_NO_DNSKEY ? FLAW_NONE : x->flaw;
	if (flaw == FLAW_STRIPPED || (x->strips_addresses && set->type == TYPE_A))
		return;
	struct signature signature = {
		.signer = flaw == FLAW_SIGNER && z->parent ? z->parent->apex : z->apex,
		.original_ttl_s = set->ttl_s,
		.inception = (uint32_t)(x->unix_s - DAY_S),
		.expiration = (uint32_t)(x->unix_s + 60 * DAY_S),
		.labels = signer_labels(set->owner),
	};
	if (flaw == FLAW_EXPIRED) {
		signature.inception -= 60 * DAY_S;
		signature.expiration = (uint32_t)(x->unix_s - 2 * DAY_S);
	}
	if (flaw == FLAW_FUTURE) {
		signature.inception += 90 * DAY_S;
		signature.expiration += 90 * DAY_S;
	}
	const struct signer_key *key = is_dnskey ? x->ksk : x->zsk;
	if (flaw == FLAW_STRANGER || flaw == FLAW_SIGNER || (flaw == FLAW_DNSKEY_SIGS && is_dnskey))
		key = x->stranger;
	if (x->trap && attack_signs(w, z, set, &signature))
		return;
	uint8_t rdata[SIGNER_RDATA_MAX];
	signer_append(span_of(rdata, secure_sign_as(z, key, set, &signature, rdata)), &w->arena,
		      set);
	const struct signer_key *second = is_dnskey ? x->second_ksk : x->second_zsk;
	if (second)
		signer_attach(second, &signature, &w->arena, set);
	if (flaw == FLAW_SIGNATURE)
		spoil_signature(set, &w->arena);
}

void secure_forget(struct rrset *set)
{
	set->sig_count = 0;
	set->sigs = (struct span){0};
}

void secure_forget_all(struct zone *z)
{
	for (size_t i = 0; i < z->node_count; i++) {
		for (unsigned k = 0; k < z->nodes[i].set_count; k++)
			secure_forget(&z->nodes[i].sets[k]);
		if (z->nodes[i].nsec)
			secure_forget(z->nodes[i].nsec);
	}
	for (size_t i = 0; i < z->security->hash_count; i++)
		secure_forget(z->security->hashes[i].set);
}

/* ---- chains of denial ------------------------------------------------------------------------ */

static int compare_types(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

/* RFC 4034 §4.1.2: the types of NODE (NULL: none), and EXTRA ones, ended by 0. */
static void write_bitmap(struct writer *out, const struct node *node, const uint16_t *extra)
{
	uint16_t types[BITMAP_TYPES_MAX];
	size_t count = 0;
	for (unsigned i = 0; node && i < node->set_count && count < BITMAP_TYPES_MAX - 3; i++)
		types[count++] = node->sets[i].type;
	for (; *extra; extra++)
		types[count++] = *extra;
	qsort(types, count, sizeof(types[0]), compare_types);
	for (size_t i = 0; i < count;) {
		uint8_t window = (uint8_t)(types[i] >> 8), bits[32] = {0}, len = 0;
		for (; i < count && types[i] >> 8 == window; i++) {
			bits[(types[i] & 255) / 8] |= (uint8_t)(0x80 >> (types[i] & 7));
			len = (uint8_t)((types[i] & 255) / 8 + 1);
		}
		writer_u8(out, window);
		writer_u8(out, len);
		writer_bytes(out, span_of(bits, len));
	}
}

/* The nodes whose records are the zone's own: everything but what lies below a cut. */
static size_t own_nodes(const struct zone *z, struct node **out)
{
	size_t count = 0;
	const uint8_t *cut = NULL;
	for (size_t i = 0; i < z->node_count; i++) {
		struct node *n = &z->nodes[i];
		if (cut && dname_is_below(n->owner, cut))
			continue;
		cut = NULL;
		if (node_set(n, TYPE_NS) && !dname_equal(n->owner, z->apex))
			cut = n->owner;
		out[count++] = n;
	}
	return count;
}

static uint32_t negative_ttl_s(const struct zone *z)
{
	const struct rrset *set = node_set(zone_node(z, z->apex), TYPE_SOA);
	struct rrset_iter it = rrset_records(set);
	struct span rdata;
	struct soa_view soa;
	REQUIRE(rrset_next(&it, &rdata) && rdata_soa(rdata, &soa) == OK);
	return MIN(set->ttl_s, soa.minimum_s);
}

static struct rrset *new_set(struct world *w, const uint8_t *owner, uint16_t type, uint32_t ttl_s,
			     const struct writer *rdata)
{
	struct rrset *set = world_alloc(w, sizeof(*set));
	struct span bytes = arena_copy(&w->arena, writer_span(rdata));
	REQUIRE(!rdata->failed && bytes.at);
	REQUIRE(rrset_from_rdatas(owner, type, ttl_s, &bytes, 1, &w->arena, set) == OK);
	return set;
}

static void seal_nsec(struct world *w, struct zone *z, struct node **nodes, size_t count)
{
	static const uint16_t extra[] = {TYPE_RRSIG, TYPE_NSEC, 0};
	uint32_t ttl_s = negative_ttl_s(z);
	for (size_t i = 0; i < count; i++) {
		uint8_t rdata[DNAME_MAX + 600];
		struct writer out = writer_of(rdata, sizeof(rdata));
		const uint8_t *next = nodes[(i + 1) % count]->owner;
		writer_bytes(&out, span_of(next, dname_len(next)));
		write_bitmap(&out, nodes[i], extra);
		nodes[i]->nsec = new_set(w, nodes[i]->owner, TYPE_NSEC, ttl_s, &out);
	}
}

/* RFC 5155 §5, by libcrypto. */
static void hash_name(const struct security *x, const uint8_t *name, uint8_t out[static 20])
{
	uint8_t data[DNAME_MAX + sizeof(x->salt)];
	size_t len = dname_lower(name, data);
	for (unsigned i = 0; i <= x->iterations; i++) {
		memcpy(data + len, x->salt, sizeof(x->salt));
		REQUIRE(EVP_Digest(data, len + sizeof(x->salt), out, NULL, EVP_sha1(), NULL) == 1);
		memcpy(data, out, 20);
		len = 20;
	}
}

static int compare_hashes(const void *a, const void *b)
{
	return memcmp(((const struct hashed *)a)->hash, ((const struct hashed *)b)->hash, 20);
}

void secure_hash(const struct zone *z, const uint8_t *name, uint8_t out[static 20])
{
	hash_name(z->security, name, out);
}

/* Base32 with the extended hex alphabet (RFC 4648 §7): 20 bytes are 32 characters. */
const uint8_t *secure_hashed_owner(struct world *w, const uint8_t *apex,
				   const uint8_t hash[static 20])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	char text[33] = {0};
	for (unsigned i = 0; i < 32; i++) {
		unsigned bit = 5 * i, word = (unsigned)(hash[bit / 8] << 8);
		word |= bit / 8 + 1 < 20 ? hash[bit / 8 + 1] : 0;
		text[i] = digits[(word >> (11 - bit % 8)) & 31];
	}
	return world_label(w, apex, "%s", text);
}

static const struct hashed *find_hash(const struct security *x, const uint8_t *name)
{
	struct hashed key;
	if (!x->hash_count) /* asked before the zone is sealed */
		return NULL;
	hash_name(x, name, key.hash);
	return bsearch(&key, x->hashes, x->hash_count, sizeof(key), compare_hashes);
}

/* The NSEC3 whose span holds the hash of NAME. */
static const struct hashed *cover_hash(const struct security *x, const uint8_t *name)
{
	struct hashed key;
	hash_name(x, name, key.hash);
	size_t at = 0;
	while (at < x->hash_count && compare_hashes(&x->hashes[at], &key) < 0)
		at++;
	return &x->hashes[at == 0 ? x->hash_count - 1 : at - 1];
}

static void add_hash(struct security *x, const struct node *node, const uint8_t *name)
{
	for (size_t i = 0; i < x->hash_count; i++)
		if (dname_equal(x->hashes[i].original, name))
			return;
	struct hashed *h = &x->hashes[x->hash_count++];
	h->node = node;
	h->original = name;
	hash_name(x, name, h->hash);
}

static bool is_insecure_cut(const struct zone *z, const struct node *n)
{
	return node_set(n, TYPE_NS) && !node_set(n, TYPE_DS) && !dname_equal(n->owner, z->apex);
}

static struct rrset *make_nsec3(struct world *w, const struct zone *z, size_t index)
{
	static const uint16_t signed_too[] = {TYPE_RRSIG, 0}, nothing[] = {0};
	const struct security *x = z->security;
	const struct hashed *h = &x->hashes[index];
	uint8_t rdata[700];
	struct writer out = writer_of(rdata, sizeof(rdata));
	writer_u8(&out, 1);
	writer_u8(&out, x->opt_out ? NSEC3_OPT_OUT : 0);
	writer_u16(&out, x->iterations);
	writer_u8(&out, sizeof(x->salt));
	writer_bytes(&out, span_of(x->salt, sizeof(x->salt)));
	writer_u8(&out, 20);
	writer_bytes(&out, span_of(x->hashes[(index + 1) % x->hash_count].hash, 20));
	write_bitmap(&out, h->node, h->node && !is_insecure_cut(z, h->node) ? signed_too : nothing);
	return new_set(w, secure_hashed_owner(w, z->apex, h->hash), TYPE_NSEC3, negative_ttl_s(z),
		       &out);
}

static void seal_nsec3(struct world *w, struct zone *z, struct node **nodes, size_t count)
{
	struct security *x = z->security;
	x->hashes = world_alloc(w, count * DNAME_LABELS_MAX / 8 * sizeof(*x->hashes) + 4096);
	for (size_t i = 0; i < count; i++)
		if (!(x->opt_out && is_insecure_cut(z, nodes[i])))
			add_hash(x, nodes[i], nodes[i]->owner);
	for (size_t i = 0; i < count; i++) { /* empty non-terminals, above opted-out cuts too */
		const uint8_t *name = nodes[i]->owner;
		while (!dname_equal(name, z->apex)) {
			if (!zone_node(z, name))
				add_hash(x, NULL, name);
			name = dname_skip(name, 1);
		}
	}
	qsort(x->hashes, x->hash_count, sizeof(*x->hashes), compare_hashes);
	for (size_t i = 0; i < x->hash_count; i++)
		x->hashes[i].set = make_nsec3(w, z, i);
}

void secure_seal(struct world *w, struct zone *z)
{
	if (!z->security)
		return;
	struct node **nodes = world_alloc(w, (z->node_count + 1) * sizeof(*nodes));
	size_t count = own_nodes(z, nodes);
	if (z->security->nsec3)
		seal_nsec3(w, z, nodes, count);
	else
		seal_nsec(w, z, nodes, count);
}

/* ---- proofs ---------------------------------------------------------------------------------- */

static void add_proof(struct proof *out, struct rrset *set)
{
	for (unsigned i = 0; i < out->count; i++)
		if (out->sets[i] == set)
			return;
	if (set && out->count < ARRAY_LEN(out->sets))
		out->sets[out->count++] = set;
}

/* The NSEC at NAME, or the last one before it. */
static struct rrset *nsec_of(const struct zone *z, const uint8_t *name)
{
	struct rrset *best = NULL;
	for (size_t i = 0; i < z->node_count && dname_compare(z->nodes[i].owner, name) <= 0; i++)
		if (z->nodes[i].nsec)
			best = z->nodes[i].nsec;
	return best;
}

/* The deepest name above NAME that exists, or with NSEC3: that can be proven to. */
static const uint8_t *encloser_of(const struct zone *z, const uint8_t *name,
				  const uint8_t **next_closer)
{
	const struct security *x = z->security;
	const uint8_t *closer = name, *at = dname_skip(name, 1);
	while (!dname_equal(at, z->apex) &&
	       !(x->nsec3 ? find_hash(x, at) != NULL : zone_has_name(z, at))) {
		closer = at;
		at = dname_skip(at, 1);
	}
	*next_closer = closer;
	return at;
}

static void prove_by_nsec(const struct zone *z, enum proof_kind kind, const uint8_t *name,
			  struct proof *out)
{
	const uint8_t *closer;
	uint8_t wildcard[DNAME_MAX];
	add_proof(out, nsec_of(z, name));
	if (kind != PROOF_NXDOMAIN && kind != PROOF_WILDCARD_NODATA)
		return;
	if (dname_wildcard(encloser_of(z, name, &closer), wildcard) == OK)
		add_proof(out, nsec_of(z, wildcard));
}

static void prove_by_nsec3(const struct zone *z, enum proof_kind kind, const uint8_t *name,
			   struct proof *out)
{
	const struct security *x = z->security;
	const uint8_t *closer, *encloser;
	uint8_t wildcard[DNAME_MAX];
	const struct hashed *match = find_hash(x, name);
	if ((kind == PROOF_NODATA || kind == PROOF_NO_DS) && match) {
		add_proof(out, match->set);
		return;
	}
	encloser = encloser_of(z, name, &closer);
	if (kind != PROOF_WILDCARD)
		add_proof(out, find_hash(x, encloser)->set);
	add_proof(out, cover_hash(x, closer)->set);
	if (kind != PROOF_NXDOMAIN && kind != PROOF_WILDCARD_NODATA)
		return;
	if (dname_wildcard(encloser, wildcard) != OK)
		return;
	match = find_hash(x, wildcard);
	add_proof(out, match ? match->set : cover_hash(x, wildcard)->set);
}

/* Good records that prove nothing here: those of the zone that the true proof does not hold. */
static void prove_otherwise(const struct zone *z, struct proof *out)
{
	const struct security *x = z->security;
	struct proof truth = *out;
	out->count = 0;
	for (size_t i = 0; i < (x->nsec3 ? x->hash_count : z->node_count); i++) {
		struct rrset *set = x->nsec3 ? x->hashes[i].set : z->nodes[i].nsec;
		bool used = !set;
		for (unsigned t = 0; t < truth.count; t++)
			used |= truth.sets[t] == set;
		if (!used && out->count < 2)
			add_proof(out, set);
	}
}

static const struct zone *sibling_of(const struct world *w, const struct zone *z)
{
	for (unsigned i = 0; i < w->zone_count; i++) {
		const struct zone *o = w->zones[i];
		if (o != z && o->security && o->parent == z->parent &&
		    o->security->nsec3 == z->security->nsec3)
			return o;
	}
	return NULL;
}

void secure_prove(struct world *w, const struct zone *z, enum proof_kind kind, const uint8_t *name,
		  struct proof *out)
{
	*out = (struct proof){.zone = z};
	if (!z->security || z->security->flaw == FLAW_NO_PROOF)
		return;
	if (z->security->flaw == FLAW_SIBLING_PROOF) {
		const struct zone *sibling = sibling_of(w, z);
		out->zone = sibling;
		if (sibling && sibling->security->nsec3)
			prove_by_nsec3(sibling, PROOF_NXDOMAIN, world_label(w, sibling->apex, "no"),
				       out);
		else if (sibling)
			prove_by_nsec(sibling, PROOF_NXDOMAIN, world_label(w, sibling->apex, "no"),
				      out);
		return;
	}
	if (z->security->nsec3)
		prove_by_nsec3(z, kind, name, out);
	else
		prove_by_nsec(z, kind, name, out);
	if (z->security->flaw == FLAW_OTHER_PROOF)
		prove_otherwise(z, out);
	if (z->security->trap)
		attack_proves(w, z, out);
}

/* ---- what is to be thought of it ------------------------------------------------------------- */

bool secure_is_forged(const struct zone *z)
{
	return z->security && z->security->flaw >= FLAW_FALSE_NXDOMAIN;
}

bool secure_hides(const struct zone *z, const uint8_t *name)
{
	const struct security *x = z->security;
	const uint8_t *closer;
	if (secure_verdict(z) != SIM_SECURE || x->flaw != FLAW_FALSE_NODATA || !x->opt_out)
		return false;
	/* What the server sends is the apex's record, and its span. */
	return dname_equal(encloser_of(z, name, &closer), z->apex) && !find_hash(x, closer) &&
	       cover_hash(x, closer) == find_hash(x, z->apex);
}

bool secure_says_nothing(const struct zone *z, const uint8_t *name)
{
	const struct security *x = z->security;
	return x && x->opt_out && !find_hash(x, name);
}

/* What the parents say of Z: is it to be secure at all? */
static enum sim_verdict secure_chain_verdict(const struct zone *z)
{
	const struct security *x = z->security;
	bool is_anchored = !z->parent || (x && x->is_anchored);
	enum sim_verdict above = is_anchored ? SIM_SECURE : secure_verdict(z->parent);
	if (above != SIM_SECURE)
		return above;
	if (!is_anchored && (!x || !x->has_ds))
		return secure_proof_verdict(z->parent, PROOF_NO_DS, z->apex) == SIM_BOGUS
			       ? SIM_BOGUS
			       : SIM_INSECURE;
	return !x || x->is_unsupported ? SIM_INSECURE : SIM_SECURE;
}

enum sim_verdict secure_verdict(const struct zone *z)
{
	enum sim_verdict verdict = secure_chain_verdict(z);
	if (verdict != SIM_SECURE)
		return verdict;
	enum flaw flaw = z->security->flaw;
	return flaw != FLAW_NONE && flaw < FLAW_FIRST_OF_DENIALS ? SIM_BOGUS : SIM_SECURE;
}

enum sim_verdict secure_set_verdict(const struct zone *z, const struct rrset *set)
{
	enum sim_verdict verdict = secure_verdict(z);
	bool is_keys = set->type == TYPE_DNSKEY;
	if (verdict == SIM_BOGUS && is_keys && secure_chain_verdict(z) == SIM_SECURE &&
	    z->security->flaw < FLAW_NO_DNSKEY)
		return SIM_SECURE;
	if (verdict == SIM_SECURE && z->security->strips_addresses && set->type == TYPE_A)
		return SIM_BOGUS;
	return verdict;
}

enum sim_verdict secure_proof_verdict(const struct zone *z, enum proof_kind kind,
				      const uint8_t *name)
{
	enum sim_verdict verdict = secure_verdict(z);
	if (verdict != SIM_SECURE)
		return verdict;
	const struct security *x = z->security;
	if (x->flaw >= FLAW_FIRST_OF_DENIALS && !secure_is_forged(z))
		return SIM_BOGUS;
	/* RFC 5155 §9.2: what rests on an opt-out span is not secure. */
	if (x->opt_out && !((kind == PROOF_NODATA || kind == PROOF_NO_DS) && find_hash(x, name)))
		return SIM_INSECURE;
	return SIM_SECURE;
}
