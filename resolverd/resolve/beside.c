#include "resolve/beside.h"

/* What is asked for at names of which more than one type is asked for. DS is the parent's, and says nothing
 * of the name below the cut. */
static const uint16_t types[] = {TYPE_A,    TYPE_AAAA,	TYPE_HTTPS, TYPE_MX,  TYPE_TXT,
				 TYPE_SRV,  TYPE_CNAME, TYPE_NS,    TYPE_SOA, TYPE_CAA,
				 TYPE_SVCB, TYPE_PTR,	TYPE_NAPTR};
static const enum entry_kind kinds[] = {ENTRY_RRSET, ENTRY_ANSWER, ENTRY_ANSWER_DO};

/* Entries of all kinds under a name and the types but one, in turn. */
struct walk {
	struct cache_reader *reader;
	struct cache_name name;
	uint16_t but;
	size_t at;
};

static struct walk walk_of(const struct resolver *r, const uint8_t *name, uint16_t but)
{
	struct cache_reader *reader = r->client_context.reader;
	return (struct walk){
		.reader = reader, .name = cache_name(reader, name, dname_len(name)), .but = but};
}

/* The next one that clients were told as good; NULL: there are no more. */
static const struct entry *walk_next(struct walk *w)
{
	while (w->at < ARRAY_LEN(types) * ARRAY_LEN(kinds)) {
		uint16_t type = types[w->at / ARRAY_LEN(kinds)];
		enum entry_kind kind = kinds[w->at++ % ARRAY_LEN(kinds)];
		const struct entry *e =
			type == w->but ? NULL : cache_find_of(w->reader, &w->name, kind, type);
		if (e && e->rank >= RANK_FORWARDED && e->verdict != VERDICT_UNCHECKED)
			return e;
	}
	return NULL;
}

static bool has_data(const struct entry *e)
{
	struct answer_view view;
	if (e->verdict == VERDICT_BOGUS)
		return false;
	return e->kind == ENTRY_RRSET ||
	       (entry_answer(e, &view) == OK && view.counts[SECTION_ANSWER] > 0);
}

bool beside_has_data(const struct resolver *r, const uint8_t *name, uint16_t type)
{
	struct walk w = walk_of(r, name, type);
	for (const struct entry *e = walk_next(&w); e; e = walk_next(&w))
		/* An alias is no data of another type: it was there for this one too. */
		if (e->type != TYPE_CNAME && has_data(e))
			return true;
	return false;
}

void beside_outdate_all(struct resolver *r, const uint8_t *name, uint16_t type)
{
	struct walk w = walk_of(r, name, type);
	for (const struct entry *e = walk_next(&w); e; e = walk_next(&w))
		(void)cache_remove(r->cache, (enum entry_kind)e->kind, name, e->type);
}

void beside_outdate_denials(struct resolver *r, const uint8_t *name, uint16_t type)
{
	struct walk w = walk_of(r, name, type);
	for (const struct entry *e = walk_next(&w); e; e = walk_next(&w))
		if (e->rcode == RCODE_NXDOMAIN && !has_data(e))
			(void)cache_remove(r->cache, (enum entry_kind)e->kind, name, e->type);
}
