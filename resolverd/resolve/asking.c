#include "resolve/asking.h"

#include <stdlib.h>

#include "resolve/query.h"

enum err asking_new(struct asking_shared **out)
{
	struct asking_shared *a = aligned_alloc(_Alignof(struct asking_shared), sizeof(*a));
	if (!a)
		return ERR_NO_MEMORY;
	memset(a, 0, sizeof(*a));
	claims_init(&a->claims, ASKING_HOLD_MS - 1);
	*out = a;
	return OK;
}

void asking_free(struct asking_shared *a)
{
	free(a);
}

bool asking_claim(struct asking_shared *a, uint64_t hash, uint8_t owner, uint32_t now_ms)
{
	return claims_take(&a->claims, hash, owner, now_ms + ASKING_HOLD_MS - 1, now_ms);
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
	q->asking_hash = claims_hash(&r->asking->claims, q->qname, dname_len(q->qname), q->qtype);
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
		claims_release(&q->resolver->asking->claims, q->asking_hash,
			       q->resolver->asking_owner);
	q->asked_here = false;
}
