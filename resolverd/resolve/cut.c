#include "resolve/cut.h"

#include "resolve/recall.h"

static const struct entry *find_delegation(const struct resolver *r, const uint8_t *name)
{
	return cache_find(r->client_context.reader, ENTRY_DELEGATION, name, dname_len(name), 0);
}

/* RECALL: what is known may be on disk, from where whoever asks for NAME next will take it. What cannot
 * be told at once counts as not known: the reply in hand does not wait. */
static const uint8_t *deepest_cut(const struct query *q, const uint8_t *name, const uint8_t *zone,
				  bool recall)
{
	const struct resolver *r = q->resolver;
	unsigned stop = dname_label_count(zone);
	bool later;
	for (unsigned labels = dname_label_count(name); labels > stop; labels--) {
		const struct entry *e = find_delegation(r, name);
		if (!e && recall && recall_at_once(r, name, &later))
			e = find_delegation(r, name);
		if (e && entry_is_fresh(e, r->now))
			return name;
		name = dname_skip(name, 1);
	}
	return NULL;
}

const uint8_t *cut_below(const struct query *q, const uint8_t *name, const uint8_t *zone)
{
	return deepest_cut(q, name, zone, false);
}

/* NAME belongs to a zone that the operator configured, and neither to that in which the question's name
 * lies nor to one around it, be it that its servers have failed. */
static bool is_configured_elsewhere(const struct query *q, const uint8_t *name)
{
	const struct settings_zone *asked = settings_zone_for(q->settings, q->name, q->qtype);
	const struct settings_zone *own = settings_zone_for(q->settings, name, q->qtype);
	if (!own || own == asked)
		return false;
	return !asked || !dname_is_within(asked->name, own->name);
}

bool cut_is_elsewhere(const struct query *q, const uint8_t *name)
{
	uint8_t lower[DNAME_MAX];
	const uint8_t *at = lower;
	dname_lower(name, lower);
	if (is_configured_elsewhere(q, lower))
		return true;
	if (query_is_forwarded(q))
		return false; /* it tells of all names */
	if (q->qtype == TYPE_DS && at[0] != 0)
		at = dname_skip(at, 1); /* DS is the parent's data */
	if (!dname_is_within(at, q->zone.name))
		return false;
	const uint8_t *cut = deepest_cut(q, at, q->zone.name, true);
	return cut && !dname_is_within(q->name, cut);
}

bool cut_is_known(const struct query *q, const uint8_t *name)
{
	uint8_t lower[DNAME_MAX];
	dname_lower(name, lower);
	return !query_is_forwarded(q) && dname_is_below(lower, q->zone.name) &&
	       deepest_cut(q, lower, dname_skip(lower, 1), false);
}

static bool is_top(const struct query *q, const uint8_t *name)
{
	const struct settings_zone *zone = settings_zone_for(q->settings, name, q->qtype);
	if (zone && (zone->forward || dname_equal(zone->name, name)))
		return !zone->forward;
	return find_delegation(q->resolver, name) != NULL; /* an expired one says so too */
}

bool cut_has_beside_alias(const struct query *q, const uint8_t *name)
{
	bool is_led = q->qtype == TYPE_A || q->qtype == TYPE_AAAA || q->qtype == TYPE_HTTPS;
	return !is_led && is_top(q, name);
}

static uint32_t seconds_until(const struct query *q, int64_t expires_ms)
{
	return (uint32_t)((expires_ms - q->resolver->now.cache_ms + 999) / 1000);
}

bool cut_store(struct query *q, const uint8_t *name, struct span packed, int64_t expires_ms)
{
	struct resolver *r = q->resolver;
	uint32_t ttl_s = seconds_until(q, expires_ms);
	struct entry_parts parts = {
		.kind = ENTRY_DELEGATION,
		.name = name,
		.rank = RANK_REFERRAL,
		.verdict = VERDICT_UNCHECKED,
		.ede = EDE_NONE,
		.fetched_ms = expires_ms - (int64_t)ttl_s * 1000,
		.ttl_s = ttl_s,
		.payload = {packed},
	};
	void *room = arena_alloc(&r->turn_arena, entry_size(&parts));
	return room && cache_put_since(&q->since, entry_make(&parts, room), r->now) == OK;
}
