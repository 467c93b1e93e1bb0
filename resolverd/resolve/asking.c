#include "resolve/asking.h"

#include <stdlib.h>

#include "resolve/query.h"

/* A claim in one word: 24 bits of the hash, 8 of the owner, 32 of the millisecond when it runs out. */
static uint64_t claim_of(uint64_t hash, uint8_t owner, uint32_t until_ms)
{
	return (hash >> 40) << 40 | (uint64_t)owner << 32 | until_ms;
}

static bool is_of(uint64_t claim, uint64_t hash)
{
	return claim >> 40 == hash >> 40;
}

static uint8_t owner_of(uint64_t claim)
{
	return (uint8_t)(claim >> 32);
}

/* The clock wraps every 49 days; an empty place is one that has run out, or is taken for live once. */
static bool is_live(uint64_t claim, uint32_t now_ms)
{
	uint32_t left_ms = (uint32_t)claim - now_ms;
	return claim != 0 && left_ms > 0 && left_ms <= ASKING_HOLD_MS;
}

enum err asking_new(struct asking_shared **out)
{
	struct asking_shared *a = aligned_alloc(_Alignof(struct asking_shared), sizeof(*a));
	if (!a)
		return ERR_NO_MEMORY;
	memset(a, 0, sizeof(*a));
	hash_key_init(&a->key);
	*out = a;
	return OK;
}

void asking_free(struct asking_shared *a)
{
	free(a);
}

uint8_t asking_owner(struct asking_shared *a)
{
	return (uint8_t)(atomic_fetch_add(&a->owners, 1) % ASKING_OWNERS_MAX);
}

/* What the owner has put into the cache before he releases is there for whoever sees that. */
bool asking_claim(struct asking_shared *a, uint64_t hash, uint8_t owner, uint32_t now_ms)
{
	_Atomic uint64_t *bucket = a->claims[hash % ASKING_BUCKETS], *room = NULL;
	uint64_t mine = claim_of(hash, owner, now_ms + ASKING_HOLD_MS), old = 0;
	for (unsigned i = 0; i < ASKING_WAYS; i++) {
		uint64_t claim = atomic_load_explicit(&bucket[i], memory_order_acquire);
		bool live = is_live(claim, now_ms);
		if (live && is_of(claim, hash)) {
			if (owner_of(claim) != owner)
				return false;
			room = &bucket[i];
			old = claim;
			break;
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

void asking_release(struct asking_shared *a, uint64_t hash, uint8_t owner)
{
	_Atomic uint64_t *bucket = a->claims[hash % ASKING_BUCKETS];
	for (unsigned i = 0; i < ASKING_WAYS; i++) {
		uint64_t claim = atomic_load_explicit(&bucket[i], memory_order_relaxed);
		if (is_of(claim, hash) && owner_of(claim) == owner)
			atomic_compare_exchange_strong_explicit(
				&bucket[i], &claim, 0, memory_order_release, memory_order_relaxed);
	}
}

/* ---- of questions ---- */

static uint32_t shared_ms(const struct resolver *r)
{
	return (uint32_t)now_mono_ms(resolver_shared_now(r));
}

/* What must be asked anew is not in the cache when another has asked. */
static bool may_wait(const struct query *q)
{
	return !(q->refresh || q->anew || q->fresh_only || q->from_root || q->confirming) &&
	       q->alias_count == 0;
}

static bool claim(struct query *q)
{
	struct resolver *r = q->resolver;
	q->asked_here = asking_claim(r->asking, q->asking_hash, r->asking_owner, shared_ms(r));
	return q->asked_here;
}

/* Q looks again in a moment. */
static void wait(struct query *q, uint64_t waited_ms)
{
	uint64_t look_ms =
		MIN(MAX(waited_ms / 4, (uint64_t)ASKING_LOOK_MIN_MS), (uint64_t)ASKING_LOOK_MAX_MS);
	q->throttled_until_ms = now_mono_ms(q->resolver->now) + look_ms;
	q->state = QUERY_LEG;
}

bool asking_begin(struct query *q)
{
	struct resolver *r = q->resolver;
	if (!r->asking || q->asking != ASKING_NOT_YET)
		return false;
	q->asking = ASKING_SETTLED;
	q->asking_hash = hash_bytes(&r->asking->key, span_of(q->qname, dname_len(q->qname))) ^
			 q->qtype * 0x9e3779b97f4a7c15u;
	if (claim(q) || !may_wait(q))
		return false;
	q->asking = ASKING_ELSEWHERE;
	q->asking_since_ms = now_mono_ms(r->now);
	metrics_add(r->metrics, METRIC_queries_awaited_total, 1);
	query_note(q, (struct trace_step){.kind = TRACE_THROTTLED,
					  .code = TRACE_THROTTLE_WORKER,
					  .value = ASKING_LOOK_MIN_MS});
	wait(q, 0);
	return true;
}

bool asking_waits(struct query *q)
{
	if (q->asking != ASKING_ELSEWHERE)
		return false;
	uint64_t waited_ms = now_mono_ms(q->resolver->now) - q->asking_since_ms;
	if (!claim(q) && waited_ms < ASKING_PATIENCE_MS) {
		wait(q, waited_ms);
		return true;
	}
	q->asking = ASKING_SETTLED;
	return false;
}

void asking_renew(struct query *q)
{
	for (unsigned depth = 0; q && depth <= LIMIT_DEPTH; depth++) {
		if (q->asked_here)
			(void)claim(q);
		q = q->parents ? q->parents->parent : NULL;
	}
}

void asking_end(struct query *q)
{
	if (q->asked_here)
		asking_release(q->resolver->asking, q->asking_hash, q->resolver->asking_owner);
	q->asked_here = false;
}
