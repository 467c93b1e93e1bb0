#include "resolve/family.h"

#include "base/log.h"
#include "cache/families.h"
#include "resolve/upstream.h"

enum {
	PROBE_SENDS = 2, /* each to another root server */
	PROBE_MS = 3000,
};

static struct families *families_of(const struct query *q)
{
	return infra_families(q->resolver->infra);
}

static const struct endpoint *address_of(const struct query *q, const struct send *s)
{
	return &q->zone.servers[s->server].address;
}

void family_note_reply(struct query *q, const struct send *s)
{
	const struct endpoint *e = address_of(q, s);
	if (q->zone.configured || s->transport != TRANSPORT_UDP)
		return;
	if (LIKELY(!families_reply(families_of(q), e, q->resolver->now)))
		return;
	log_notice("family back family=ipv%u: its servers answer", e->family);
}

/* Who waits for servers of FAMILY only need not wait out their time. */
static void release(struct resolver *r, uint8_t family)
{
	for (struct query *q = r->oldest; q; q = q->newer) {
		if (q->zone.configured || q->only_family || q->state == QUERY_DONE)
			continue;
		for (unsigned i = 0; i < q->open_count; i++)
			q->open[i]->aside |= address_of(q, q->open[i])->family == family;
		if (!upstream_has_live(q))
			query_wake(q);
	}
}

void family_note_loss(struct query *q, const struct send *s)
{
	struct resolver *r = q->resolver;
	const struct endpoint *e = address_of(q, s);
	bool found;
	if (q->zone.configured || s->transport != TRANSPORT_UDP)
		return;
	uint32_t times = families_loss(families_of(q), e, r->now, &found);
	if (times == 0 || times == r->family_lost[e->family == 6])
		return;
	r->family_lost[e->family == 6] = times;
	release(r, e->family);
	if (!found) /* another worker has told of it */
		return;
	metrics_add(r->metrics, METRIC_upstream_families_lost_total, 1);
	log_notice("family lost family=ipv%u: servers in several networks are silent, and those of "
		   "the other family answer",
		   e->family);
}

bool family_is_lost(struct query *q, const struct endpoint *e)
{
	struct resolver *r = q->resolver;
	if (q->zone.configured || q->only_family || !families_is_lost(families_of(q), e->family))
		return false;
	if (families_may_probe(families_of(q), e->family, r->now))
		r->family_to_probe = e->family;
	return true;
}

void family_probe(struct resolver *r)
{
	uint8_t family = r->family_to_probe;
	if (LIKELY(family == 0))
		return;
	r->family_to_probe = 0;
	struct query *q = query_open_refresh(r, (const uint8_t *)"", TYPE_SOA);
	if (!q)
		return; /* the next one is due in a while */
	q->only_family = family;
	query_trouble(q, EDE_NO_REACHABLE_AUTHORITY, "no server of the root answers over IPv%u",
		      family);
	q->shortage = true; /* whatever comes of it says nothing of the name */
	q->give_up_ms = MIN(q->give_up_ms, now_mono_ms(r->now) + PROBE_MS);
}

bool family_probe_goes_on(const struct query *q)
{
	return q->sends < PROBE_SENDS;
}

void family_probe_shared(struct query *q)
{
	if (q->only_family == 0)
		return;
	q->only_family = 0;
	q->shortage = false;
	q->trouble.ede = EDE_NONE;
	q->give_up_ms = now_mono_ms(q->resolver->now) + LIMIT_QUERY_MS;
	for (unsigned i = 0; i < q->open_count; i++)
		q->open[i]->aside = true;
	query_wake(q);
}
