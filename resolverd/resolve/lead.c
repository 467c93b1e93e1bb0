#include "resolve/lead.h"

struct lead { /* in the arena of the target's question */
	struct lead *next;
	uint8_t name[DNAME_MAX];
};

/* What has expired as the answer to (NAME, QTYPE), with signatures where there are any. */
static const struct entry *find_expired(struct resolver *r, const uint8_t *name, uint16_t qtype)
{
	const struct entry *e =
		answer_find(r->client_context.reader, name, dname_len(name), qtype, true, r->now);
	if (!e || e->kind == ENTRY_RRSET || entry_is_fresh(e, r->now) || e->rank < RANK_FORWARDED ||
	    e->verdict == VERDICT_BOGUS)
		return NULL;
	return e;
}

/* E as it was when it was learned, with the TTLs of then; in memory of the turn. */
static struct answer *parse(struct resolver *r, const struct entry *e, const uint8_t *name,
			    uint16_t qtype)
{
	struct now then = r->now;
	struct answer *a = arena_alloc(&r->turn_arena, sizeof(*a));
	then.cache_ms = entry_fetched_ms(e);
	if (!a || answer_from_entry(e, name, qtype, then, &r->turn_arena, a) != OK)
		return NULL;
	return a;
}

static bool read_target(const struct rrset *cname, struct span *out)
{
	struct rrset_iter it = rrset_records(cname);
	return cname->type == TYPE_CNAME && rrset_next(&it, out);
}

static bool find_target(const struct answer *a, const uint8_t *from, uint8_t out[static DNAME_MAX])
{
	struct span target;
	for (uint32_t i = 0; i < a->answer_count; i++)
		if (dname_equal(a->answer[i].owner, from) && read_target(&a->answer[i], &target)) {
			dname_lower(target.at, out);
			return !dname_equal(out, a->qname);
		}
	return false;
}

/* TARGET, asked for by itself, is asked for where the chain beyond FROM came from. A forwarder tells chains
 * whole, and may show names that the tree around knows otherwise, or not at all. */
static bool is_of_same_view(const struct resolver *r, const uint8_t *from, const uint8_t *target,
			    uint16_t qtype)
{
	const struct settings_zone *zone = settings_zone_for(r->settings, from, qtype);
	const struct settings_zone *there = settings_zone_for(r->settings, target, qtype);
	if (zone && zone->forward && there != zone)
		return false;
	return !there || settings_zone_only_allows(there, target);
}

/* What T brings will end NAME's chain. */
static bool note(struct query *t, const uint8_t *name)
{
	struct lead *lead;
	for (lead = t->leads; lead; lead = lead->next)
		if (dname_equal(lead->name, name))
			return true;
	lead = arena_alloc(&t->arena, sizeof(*lead));
	if (!lead)
		return false;
	dname_copy(name, lead->name);
	lead->next = t->leads;
	t->leads = lead;
	return true;
}

struct query *lead_from(struct resolver *r, const uint8_t *name, uint16_t qtype,
			const uint8_t *from)
{
	uint8_t target[DNAME_MAX];
	const struct entry *e = find_expired(r, name, qtype);
	const struct answer *a = e ? parse(r, e, name, qtype) : NULL;
	if (!a || qtype == TYPE_CNAME || !find_target(a, from, target) ||
	    !is_of_same_view(r, from, target, qtype))
		return NULL;
	struct query *t = query_find(r, target, qtype);
	if (!t && r->query_count < LIMIT_QUERIES) { /* nobody has to make room for it */
		t = query_open(r, target, qtype, NULL);
		if (t) /* until somebody waits for it, who goes first */
			t->internal = t->budget->refresh = true;
	}
	return t && t->state != QUERY_DONE && note(t, name) ? t : NULL;
}

/* ---- the end ---- */

static bool is_good(const struct query *t)
{
	const struct answer *a = &t->answer;
	if ((a->rcode != RCODE_NOERROR && a->rcode != RCODE_NXDOMAIN) || a->no_store)
		return false;
	if (a->verdict == VERDICT_BOGUS || a->rank < RANK_FORWARDED)
		return false;
	return a->verdict != VERDICT_UNCHECKED || !t->settings->dnssec;
}

struct sets {
	const struct rrset *at;
	uint32_t count;
};

/* FROM behind the COUNT sets of TO, which has room for MAX. */
static bool append(struct rrset *to, uint32_t *count, uint32_t max, struct sets from)
{
	if (*count + from.count > max)
		return false;
	memcpy(to + *count, from.at, from.count * sizeof(*to));
	*count += from.count;
	return true;
}

/* CHAIN up to the alias that leads to T, and behind that what T has come to; false: it leads there no more. */
static bool join(struct answer *chain, const struct query *t)
{
	const struct answer *end = &t->answer;
	uint32_t kept = 0;
	struct span target;
	for (uint32_t i = 0; i < chain->answer_count && kept == 0; i++)
		if (read_target(&chain->answer[i], &target) && dname_equal(target.at, t->qname))
			kept = i + 1;
	if (kept == 0)
		return false;
	chain->answer_count = kept;
	if (!chain->wildcard) /* else it holds the proof of an alias that was expanded */
		chain->authority_count = 0;
	chain->rcode = end->rcode;
	chain->wildcard |= end->wildcard;
	chain->rank = MIN(chain->rank, end->rank);
	if (end->verdict != VERDICT_SECURE)
		chain->verdict = end->verdict;
	return append(chain->answer, &chain->answer_count, ARRAY_LEN(chain->answer),
		      (struct sets){end->answer, end->answer_count}) &&
	       append(chain->authority, &chain->authority_count, ARRAY_LEN(chain->authority),
		      (struct sets){end->authority, end->authority_count});
}

/* The chain of NAME ends from now on as T says. It expired when its beginning did. */
static void end_chain(const struct query *t, const uint8_t *name)
{
	struct resolver *r = t->resolver;
	const struct entry *e = find_expired(r, name, t->qtype);
	struct answer *chain = e ? parse(r, e, name, t->qtype) : NULL;
	if (!chain || !join(chain, t))
		return;
	chain->ttl_s = e->ttl_s;
	(void)answer_store(chain, &t->since, r->now, &r->turn_arena);
}

void lead_end(struct query *t)
{
	if (!t->leads || !is_good(t) || t->settings != t->resolver->settings)
		return;
	for (const struct lead *lead = t->leads; lead; lead = lead->next)
		end_chain(t, lead->name);
}
