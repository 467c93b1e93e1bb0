#include "resolve/prefetch_plan.h"

#include "resolve/limits.h"

enum {
	SMOOTHING = 8, /* a new gap weighs an eighth once there were so many */
	LEAD_MIN_PERCENT = 10,
	LEAD_MAX_PERCENT = 80,
	/* In its last second an answer is told with TTL 0, which caches downstream do not keep: then
	 * each question of each of their clients comes here. It is replaced before that. */
	LAST_SECOND_MS = 1000,
	/* An unknown server: its first time-out, and a connection to one 100 ms away. */
	CHAIN_UNKNOWN_MS = 600,
	SILENT_GAPS = 4,
	RETRY_MIN_MS = LIMIT_FAILURE_MIN_MS, /* for refreshes too */
	RETRY_MAX_MS = 5000,
	PERMILLE = 1000,
};

/* ---- rules ----------------------------------------------------------------------------------- */

static const struct prefetch_rule *find_zone(const struct prefetch_settings *p, const uint8_t *name)
{
	size_t low = 0, high = p->zone_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = dname_compare(name, p->zones[middle].name);
		if (order == 0)
			return &p->zones[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct prefetch_rule *prefetch_rule_for(const struct prefetch_settings *p,
					      const uint8_t *name)
{
	if (p->zone_count == 0)
		return &p->all;
	for (const uint8_t *at = name;; at = dname_skip(at, 1)) {
		const struct prefetch_rule *rule = find_zone(p, at);
		if (rule)
			return rule;
		if (at[0] == 0)
			return &p->all;
	}
}

/* ---- popularity ------------------------------------------------------------------------------ */

struct popularity popularity_add(struct popularity p, uint32_t now_s, uint32_t window_s)
{
	uint32_t gap_s = now_s > p.last_hit_s ? now_s - p.last_hit_s : 0;
	if (p.hits == 0 || p.last_hit_s == 0 || gap_s > window_s)
		return (struct popularity){.hits = 1, .last_hit_s = now_s};
	if (gap_s == 0)
		return p; /* counted already, or the clock of another worker is ahead */
	int64_t sample_ms = (int64_t)gap_s * 1000, mean_ms = p.gap_ms;
	mean_ms += (sample_ms - mean_ms) / (int64_t)MIN(p.hits, (uint32_t)SMOOTHING);
	p.gap_ms = (uint32_t)MIN(MAX(mean_ms, (int64_t)1), (int64_t)UINT32_MAX);
	p.last_hit_s = now_s;
	if (p.hits < UINT32_MAX)
		p.hits++;
	return p;
}

struct popularity popularity_read(const struct entry *e)
{
	return (struct popularity){.hits = __atomic_load_n(&e->hits, __ATOMIC_RELAXED),
				   .last_hit_s = __atomic_load_n(&e->last_hit_s, __ATOMIC_RELAXED),
				   .gap_ms = __atomic_load_n(&e->gap_ms, __ATOMIC_RELAXED)};
}

/* Entries are immutable but for these counters (cache/entry.h). Two workers may overwrite each
 * other's count of the same second, which does no harm. */
void popularity_write(const struct entry *e, struct popularity p)
{
	struct entry *counters = (struct entry *)(uintptr_t)e;
	__atomic_store_n(&counters->hits, p.hits, __ATOMIC_RELAXED);
	__atomic_store_n(&counters->gap_ms, p.gap_ms, __ATOMIC_RELAXED);
	__atomic_store_n(&counters->last_hit_s, p.last_hit_s, __ATOMIC_RELAXED);
}

static uint64_t silence_ms(const struct popularity *p, struct now now)
{
	int64_t ms = now.cache_ms - (int64_t)p->last_hit_s * 1000;
	return ms > 0 ? (uint64_t)ms : 0;
}

uint64_t prefetch_gap_ms(const struct popularity *p, uint32_t ttl_s, struct now now)
{
	uint64_t silent_ms = silence_ms(p, now), gap_ms = p->gap_ms;
	if (gap_ms == 0)
		return MAX(silent_ms, (uint64_t)ttl_s * 1000);
	/* As if the next question came just now. */
	return (gap_ms * (SMOOTHING - 1) + MAX(gap_ms, silent_ms)) / SMOOTHING;
}

uint64_t prefetch_yield_permille(const struct popularity *p, uint32_t ttl_s, struct now now)
{
	return (uint64_t)ttl_s * 1000 * PERMILLE / MAX(prefetch_gap_ms(p, ttl_s, now), 1u);
}

uint64_t prefetch_patience_ms(const struct popularity *p, const struct prefetch_rule *rule,
			      uint32_t ttl_s)
{
	uint64_t window_ms = (uint64_t)rule->window_s * 1000, ttl_ms = (uint64_t)ttl_s * 1000;
	if (rule->min_yield_permille == 0)
		return window_ms;
	/* Caches downstream hold an answer for its TTL: silence up to then says nothing. */
	uint64_t several_ms = SILENT_GAPS * MAX((uint64_t)p->gap_ms, ttl_ms);
	uint64_t lived_ms = (uint64_t)p->hits * p->gap_ms;
	return MIN(MAX(several_ms, lived_ms), window_ms);
}

bool prefetch_is_hot(const struct popularity *p, const struct prefetch_rule *rule, uint32_t ttl_s,
		     struct now now)
{
	return p->hits >= rule->min_hits && ttl_s > 0 &&
	       silence_ms(p, now) <= prefetch_patience_ms(p, rule, ttl_s) &&
	       prefetch_yield_permille(p, ttl_s, now) >= rule->min_yield_permille;
}

/* ---- time ------------------------------------------------------------------------------------ */

uint32_t prefetch_lead_ms(const struct prefetch_rule *rule, bool forwarded, uint32_t ttl_s,
			  uint32_t chain_ms)
{
	uint64_t ttl_ms = (uint64_t)ttl_s * 1000, ms = chain_ms ? chain_ms : CHAIN_UNKNOWN_MS;
	if (forwarded)
		return 0;
	if (rule->remaining_percent > 0)
		return (uint32_t)MIN(ttl_ms * rule->remaining_percent / 100, (uint64_t)UINT32_MAX);
	ms = MAX(ms + LAST_SECOND_MS, ttl_ms * LEAD_MIN_PERCENT / 100);
	ms = MIN(ms, ttl_ms * LEAD_MAX_PERCENT / 100);
	return (uint32_t)MIN(ms, (uint64_t)UINT32_MAX);
}

uint32_t prefetch_jitter_ms(uint32_t ttl_s, uint32_t lead_ms)
{
	uint64_t ttl_ms = (uint64_t)ttl_s * 1000;
	uint64_t before_ms = ttl_ms > lead_ms ? ttl_ms - lead_ms : 0;
	return (uint32_t)(MIN(before_ms, (uint64_t)lead_ms) / 8);
}

uint32_t prefetch_retry_ms(unsigned failures, uint32_t left_ms, uint32_t hold_ms)
{
	uint32_t max_ms = MIN(MAX(hold_ms / 4, (uint32_t)RETRY_MIN_MS), (uint32_t)RETRY_MAX_MS);
	uint32_t ms = (uint32_t)RETRY_MIN_MS << MIN(failures, 16u);
	return MIN(ms, MAX(max_ms, left_ms / 4));
}
