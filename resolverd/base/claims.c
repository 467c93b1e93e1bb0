#include "base/claims.h"

#include "base/span.h"

/* A claim in one word: 24 bits of the hash, 8 of the owner, 32 of the time when it runs out. */
static uint64_t claim_of(uint64_t hash, uint8_t owner, uint32_t until)
{
	return (hash >> 40) << 40 | (uint64_t)owner << 32 | until;
}

static bool is_of(uint64_t claim, uint64_t hash)
{
	return claim >> 40 == hash >> 40;
}

static uint8_t owner_of(uint64_t claim)
{
	return (uint8_t)(claim >> 32);
}

static bool is_live(const struct claims *c, uint64_t claim, uint32_t now)
{
	return claim != 0 && (uint32_t)claim - now <= c->longest;
}

void claims_init(struct claims *c, uint32_t longest)
{
	hash_key_init(&c->key);
	c->longest = longest;
}

uint8_t claims_owner(struct claims *c)
{
	return (uint8_t)(atomic_fetch_add(&c->owners, 1) % CLAIMS_OWNERS_MAX);
}

uint64_t claims_hash(const struct claims *c, const uint8_t *name, size_t len, uint16_t type)
{
	return hash_bytes(&c->key, span_of(name, len)) ^ type * 0x9e3779b97f4a7c15u;
}

bool claims_take(struct claims *c, uint64_t hash, uint8_t owner, uint32_t until, uint32_t now)
{
	_Atomic uint64_t *bucket = c->places[hash % CLAIMS_BUCKETS];
	uint64_t mine = claim_of(hash, owner, until), old = 0;
	unsigned room = CLAIMS_WAYS; /* none */
	for (unsigned i = 0; i < CLAIMS_WAYS; i++) {
		uint64_t claim = atomic_load_explicit(&bucket[i], memory_order_acquire);
		bool live = is_live(c, claim, now);
		if (live && is_of(claim, hash)) {
			if (owner_of(claim) != owner)
				return false;
			room = i;
			old = claim;
			break;
		}
		if (!live && room == CLAIMS_WAYS) {
			room = i;
			old = claim;
		}
	}
	/* Whoever is faster has it; that both find a place of their own is rare and harmless. */
	return room == CLAIMS_WAYS ||
	       atomic_compare_exchange_strong_explicit(&bucket[room], &old, mine,
						       memory_order_relaxed, memory_order_relaxed);
}

void claims_release(struct claims *c, uint64_t hash, uint8_t owner)
{
	_Atomic uint64_t *bucket = c->places[hash % CLAIMS_BUCKETS];
	for (unsigned i = 0; i < CLAIMS_WAYS; i++) {
		uint64_t claim = atomic_load_explicit(&bucket[i], memory_order_relaxed);
		if (is_of(claim, hash) && owner_of(claim) == owner)
			atomic_compare_exchange_strong_explicit(
				&bucket[i], &claim, 0, memory_order_release, memory_order_relaxed);
	}
}

bool claims_is_taken(const struct claims *c, uint64_t hash, uint32_t now)
{
	const _Atomic uint64_t *bucket = c->places[hash % CLAIMS_BUCKETS];
	for (unsigned i = 0; i < CLAIMS_WAYS; i++) {
		uint64_t claim = atomic_load_explicit(&bucket[i], memory_order_relaxed);
		if (is_of(claim, hash) && is_live(c, claim, now))
			return true;
	}
	return false;
}
