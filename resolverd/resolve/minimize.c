#include "resolve/minimize.h"

/* The cache knows that the name of LABELS labels exists and is no zone cut below the one asked. */
static bool known_inside(struct query *q, unsigned labels)
{
	const uint8_t *name = dname_skip(q->name, dname_label_count(q->name) - labels);
	const struct entry *e = answer_find(q->resolver->client_context.reader, name,
					    dname_len(name), TYPE_A, false, q->resolver->now);
	return e && entry_is_fresh(e, q->resolver->now) && e->rcode == RCODE_NOERROR;
}

/* How many labels to show next (RFC 9156 §2.3: one at a time at first, then in larger strides). */
static unsigned next_labels(const struct query *q, unsigned shown, unsigned all)
{
	enum { ONE_BY_ONE = 4 };
	unsigned steps = q->minimize.steps;
	if (steps < ONE_BY_ONE)
		return shown + 1;
	if (steps >= LIMIT_MINIMISE_STEPS)
		return all;
	unsigned left = LIMIT_MINIMISE_STEPS - steps;
	return shown + MAX((all - shown) / left, 1u);
}

void minimize_question(struct query *q)
{
	unsigned all = dname_label_count(q->name), cut = dname_label_count(q->zone.name);
	const struct settings_zone *zone = q->zone.configured;
	q->minimize.active = false;
	if (q->settings->minimization == MINIMIZE_OFF || q->minimize.off || (zone && zone->forward))
		return;
	unsigned shown = MAX(q->minimize.labels, cut);
	unsigned next = next_labels(q, shown, all);
	while (next < all && known_inside(q, next))
		next++;
	if (next >= all)
		return;
	dname_copy(dname_skip(q->name, all - next), q->minimize.name);
	q->minimize.type = TYPE_A; /* RFC 9156 §2.1: indistinguishable from ordinary questions */
	q->minimize.labels = next;
	q->minimize.active = true;
}

bool minimize_reply(struct query *q, const struct reply *reply)
{
	/* NXDOMAIN behind an alias is said of the alias' target: the name itself exists. */
	bool exists = reply->kind == REPLY_NODATA || reply->kind == REPLY_ANSWER ||
		      reply->kind == REPLY_ALIAS ||
		      (reply->kind == REPLY_NXDOMAIN && reply->set_count > 0);
	q->minimize.steps++;
	for (unsigned i = 0; i < q->zone.server_count; i++)
		q->zone.servers[i].sends = 0; /* the next question is another one */
	if (exists) {
		struct arena *turn = &q->resolver->turn_arena;
		struct answer *a = arena_alloc(turn, sizeof(*a));
		if (a && reply->kind == REPLY_NODATA && reply->has_soa) {
			/* Remembered unchecked: it saves the step next time, and serves nobody. */
			*a = (struct answer){.qname = q->minimize.name,
					     .qtype = q->minimize.type,
					     .verdict = VERDICT_UNCHECKED,
					     .rank = RANK_REFERRAL,
					     .ede = EDE_NONE,
					     .ttl_s = MIN(reply->negative_ttl_s,
							  q->settings->max_negative_ttl_s),
					     .fetched_ms = q->resolver->now.cache_ms};
			if (q->settings->dnssec)
				answer_store(a, &q->since, q->resolver->now, turn);
		}
		query_wake(q);
		return true;
	}
	if (reply->kind == REPLY_NXDOMAIN && q->settings->minimization == MINIMIZE_STRICT) {
		q->minimize.active = false; /* RFC 8020: nothing exists below it either */
		return false;
	}
	/* Relaxed (RFC 9156 §2.3): servers that mistreat empty non-terminals get the full question. */
	if (reply->kind == REPLY_NXDOMAIN && q->settings->dnssec)
		q->minimize.denial = scrub_keep(reply, &q->arena);
	q->minimize.off = true;
	query_wake(q);
	return true;
}
