#include "resolve/prefetch_claim.h"

#include <stdlib.h>

/* A claim in one word: 24 bits of the hash, 8 of the owner, 32 of the second when it runs out. */
static uint64_t claim_of(uint64_t hash, uint8_t owner, uint32_t until_s)
{
	return (hash >> 40) << 40 | (uint64_t)owner << 32 | until_s;
}

static bool is_of(uint64_t claim, uint64_t hash)
{
	return claim >> 40 == hash >> 40;
}

static uint8_t owner_of(uint64_t claim)
{
	return (uint8_t)(claim >> 32);
}

static bool is_live(uint64_t claim, uint32_t now_s)
{
	return (uint32_t)claim >= now_s;
}

enum err prefetch_shared_new(struct prefetch_shared **out)
{
	struct prefetch_shared *s = aligned_alloc(_Alignof(struct prefetch_shared), sizeof(*s));
	if (!s)
		return ERR_NO_MEMORY;
	memset(s, 0, sizeof(*s));
	hash_key_init(&s->key);
	*out = s;
	return OK;
}

void prefetch_shared_free(struct prefetch_shared *s)
{
	free(s);
}

uint64_t claim_hash(const struct prefetch_shared *s, const uint8_t *name, size_t len, uint16_t type)
{
	return hash_bytes(&s->key, span_of(name, len)) ^ type * 0x9e3779b97f4a7c15u;
}

bool claim_take(struct prefetch_shared *s, uint64_t hash, uint8_t owner, uint32_t until_s,
		uint32_t now_s)
{
	_Atomic uint64_t *bucket = s->claims[hash % CLAIM_BUCKETS], *room = NULL;
	uint64_t mine = claim_of(hash, owner, until_s), old = 0;
	for (unsigned i = 0; i < CLAIM_WAYS; i++) {
		uint64_t claim = atomic_load_explicit(&bucket[i], memory_order_relaxed);
		bool live = is_live(claim, now_s);
		if (live && is_of(claim, hash)) {
			if (owner_of(claim) != owner)
				return false;
			/* Only the owner writes over what is his and live. */
			atomic_store_explicit(&bucket[i], mine, memory_order_relaxed);
			return true;
		}
		if (!live && !room) {
			room = &bucket[i];
			old = claim;
		}
	}
	/* Whoever is faster has it; that both find a place of their own is rare and harmless. */
	return !room || atomic_compare_exchange_strong_explicit(
				room, &old, mine, memory_order_relaxed, memory_order_relaxed);
}

void claim_release(struct prefetch_shared *s, uint64_t hash, uint8_t owner)
{
	_Atomic uint64_t *bucket = s->claims[hash % CLAIM_BUCKETS];
	for (unsigned i = 0; i < CLAIM_WAYS; i++) {
		uint64_t claim = atomic_load_explicit(&bucket[i], memory_order_relaxed);
		if (is_of(claim, hash) && owner_of(claim) == owner)
			atomic_compare_exchange_strong_explicit(
				&bucket[i], &claim, 0, memory_order_relaxed, memory_order_relaxed);
	}
}

bool claim_is_taken(const struct prefetch_shared *s, uint64_t hash, uint32_t now_s)
{
	const _Atomic uint64_t *bucket = s->claims[hash % CLAIM_BUCKETS];
	for (unsigned i = 0; i < CLAIM_WAYS; i++) {
		uint64_t claim = atomic_load_explicit(&bucket[i], memory_order_relaxed);
		if (claim && is_of(claim, hash) && is_live(claim, now_s))
			return true;
	}
	return false;
}
