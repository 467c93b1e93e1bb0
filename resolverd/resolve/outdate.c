#include "resolve/outdate.h"

#include "resolve/beside.h"
#include "resolve/cut.h"
#include "resolve/leg.h"
#include "resolve/prefetch_change.h"
#include "resolve/synthesise.h"

enum { TYPE_OF_NXDOMAIN = 0 }; /* as in answer.c */

/* What is known of one name: the part of the answer's chain that begins with it. */
struct news {
	struct query *q;
	const uint8_t *name;
	uint32_t first;	   /* set of the answer; its count: a denial */
	bool looked_below; /* memory has all that the disk knows of NAME */
};

static_assert(ANSWER_SETS_MAX < 32, "a bit for each set, and one for a denial behind them");

void outdate_begin_leg(struct query *q)
{
	uint32_t bit = UINT32_C(1) << q->answer.answer_count;
	q->legs_told |= bit;
	if (q->recall.known)
		q->legs_recalled |= bit;
	if (q->reply_server < q->zone.server_count)
		q->tellers[q->teller_count++ % TELLERS_MAX] =
			q->zone.servers[q->reply_server].address;
}

static void drop(const struct news *n, enum entry_kind kind, uint16_t type)
{
	struct cache *c = n->q->resolver->cache;
	if (n->looked_below)
		(void)cache_remove(c, kind, n->name, type);
	else
		(void)cache_remove_below(c, kind, n->name, type);
}

static const struct entry *find(const struct news *n, enum entry_kind kind, uint16_t type)
{
	const struct resolver *r = n->q->resolver;
	return cache_find(r->client_context.reader, kind, n->name, dname_len(n->name), type);
}

/* E says what N says: it is confirmed. */
static bool says_the_same(const struct news *n, const struct entry *e)
{
	struct resolver *r = n->q->resolver;
	const struct answer *a = &n->q->answer;
	struct answer *old = arena_alloc(&r->turn_arena, sizeof(*old));
	if (!old || e->verdict == VERDICT_BOGUS ||
	    answer_from_entry(e, n->name, n->q->qtype, r->now, &r->turn_arena, old) != OK)
		return false;
	return prefetch_same_data_from(old, a, n->first);
}

/* What is there under KIND and TYPE, told to clients, and otherwise than N. Parents' words about a child are
 * no answers, and stay. */
static void outdate_answer(const struct news *n, enum entry_kind kind, uint16_t type)
{
	const struct entry *e = find(n, kind, type);
	if (e ? e->rank >= RANK_FORWARDED && !says_the_same(n, e) : !n->looked_below)
		drop(n, kind, type);
}

static bool tells_data(const struct news *n)
{
	const struct answer *a = &n->q->answer;
	return n->first < a->answer_count && a->answer[n->first].type != TYPE_CNAME &&
	       a->answer[n->first].type != TYPE_DNAME;
}

/* An alias at the name that is another now, or none: it would lead all types of the name to where it leads. */
static void outdate_alias(const struct news *n)
{
	const struct answer *a = &n->q->answer;
	const struct entry *e = find(n, ENTRY_RRSET, TYPE_CNAME);
	struct rrset old;
	if (n->q->qtype == TYPE_CNAME || (e && e->rank < RANK_FORWARDED))
		return;
	if (tells_data(n) && cut_has_beside_alias(n->q, n->name))
		return; /* it has been beside it, and may yet be */
	if (e)
		entry_rrset(e, &old);
	for (uint32_t i = n->first; e && i < a->answer_count && i <= n->first + 1; i++)
		if (a->answer[i].type == TYPE_CNAME && dname_equal(a->answer[i].owner, n->name) &&
		    rrset_same_data(&a->answer[i], &old))
			return;
	if (e || !n->looked_below)
		drop(n, ENTRY_RRSET, TYPE_CNAME);
}

/* ... or above it, that redirected it. */
static void outdate_dname(const struct news *n)
{
	const struct answer *a = &n->q->answer;
	struct resolver *r = n->q->resolver;
	if (n->first < a->answer_count && a->answer[n->first].type == TYPE_DNAME)
		return;
	const struct entry *e = leg_find_dname(n->q, n->name);
	if (e)
		(void)cache_remove(r->cache, ENTRY_RRSET, entry_name(e), TYPE_DNAME);
}

/* ... and what other types of the name were told to be. */
static void outdate_beside(const struct news *n)
{
	struct query *q = n->q;
	const struct answer *a = &q->answer;
	if (n->first < a->answer_count)
		beside_outdate_denials(q->resolver, n->name, q->qtype);
	else if (a->rcode == RCODE_NXDOMAIN && a->verdict == VERDICT_SECURE)
		beside_outdate_all(q->resolver, n->name, q->qtype);
}

static void outdate_name(const struct news *n)
{
	static const enum entry_kind kinds[] = {ENTRY_RRSET, ENTRY_ANSWER, ENTRY_ANSWER_DO};
	uint16_t qtype = n->q->qtype;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		outdate_answer(n, kinds[i], qtype);
	if (find(n, ENTRY_FAILURE, qtype))
		(void)cache_remove(n->q->resolver->cache, ENTRY_FAILURE, n->name, qtype);
	if (qtype == TYPE_DS) /* the parent's: it may know of no alias, and of no such name */
		return;
	outdate_answer(n, ENTRY_ANSWER, TYPE_OF_NXDOMAIN);
	outdate_answer(n, ENTRY_ANSWER_DO, TYPE_OF_NXDOMAIN);
	outdate_alias(n);
	outdate_dname(n);
	outdate_beside(n);
}

/* The name is there after all, or has such data: denials that were proven before would deny it again, once
 * the answer has expired (RFC 8198). Seldom enough that all of its zone may go. */
static void outdate_ranges(struct query *q)
{
	struct resolver *r = q->resolver;
	const struct answer *a = &q->answer;
	uint8_t zone[DNAME_MAX];
	uint16_t type;
	if (!r->ranges || !(q->anew || q->fresh_only) || a->answer_count == 0 ||
	    a->answer[a->answer_count - 1].type != q->qtype)
		return;
	const struct answer *made = synthesise_answer(q);
	if (made && made->answer_count == 0 &&
	    ranges_zone(r->ranges, q->name, r->now, zone, &type) > 0)
		(void)ranges_flush_zone(r->ranges, zone);
}

/* The name of the leg that begins at set I. */
static const uint8_t *leg_name(const struct query *q, uint32_t i)
{
	const struct answer *a = &q->answer;
	if (i < a->answer_count && a->answer[i].type == TYPE_DNAME && q->qtype != TYPE_DNAME)
		i++; /* the alias that was made of it */
	return i < a->answer_count ? a->answer[i].owner : q->name;
}

void outdate_older(struct query *q, bool stored)
{
	for (uint32_t i = 0; i <= q->answer.answer_count; i++) {
		uint32_t bit = UINT32_C(1) << i;
		struct news n = {.q = q,
				 .name = leg_name(q, i),
				 .first = i,
				 .looked_below = stored || (q->legs_recalled & bit)};
		if (q->legs_told & bit)
			outdate_name(&n);
	}
	/* The chain as a whole is the answer to what was asked, whoever told its beginning. */
	struct news whole = {
		.q = q, .name = q->qname, .looked_below = stored || (q->legs_recalled & 1)};
	if (!(q->legs_told & 1))
		outdate_name(&whole);
	outdate_ranges(q);
}
