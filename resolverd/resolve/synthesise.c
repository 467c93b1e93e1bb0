#include "resolve/synthesise.h"

#include <stdlib.h>

#include "dns/rdata.h"
#include "resolve/cut.h"
#include "resolve/recall.h"
#include "resolve/verify.h"

enum { PROOF_MAX = 3 }; /* match or encloser, next closer, wildcard */

struct proof {
	struct query *q;
	const uint8_t *zone;
	struct proven sets[PROOF_MAX];
	unsigned count;
	uint32_t ttl_s;
	unsigned hashes_left; /* of LIMIT_SYNTHESIS_HASHES */
	struct denial_memo memo;
};

static bool add_set(struct proof *p, const struct proven *proven)
{
	const struct rrset *set = &proven->set;
	for (unsigned i = 0; i < p->count; i++)
		if (p->sets[i].set.type == set->type &&
		    dname_equal(p->sets[i].set.owner, set->owner))
			return true;
	if (p->count == PROOF_MAX)
		return false;
	p->sets[p->count++] = *proven;
	p->ttl_s = MIN(p->ttl_s, set->ttl_s);
	return true;
}

static bool add_nsec(struct proof *p, const uint8_t *name)
{
	struct proven set;
	struct resolver *r = p->q->resolver;
	return ranges_find_nsec(r->ranges, p->zone, name, r->now, &p->q->arena, &set) == OK &&
	       add_set(p, &set);
}

static bool add_nsec3(struct proof *p, const struct ranges_nsec3_params *params,
		      const uint8_t *name)
{
	struct proven set;
	struct resolver *r = p->q->resolver;
	uint8_t hash[20];
	if (p->q->budget->denial.hashes_left == 0 || p->hashes_left == 0)
		return false;
	p->q->budget->denial.hashes_left--;
	p->hashes_left--;
	if (crypto_nsec3_hash(name, params->algorithm, params->iterations,
			      span_of(params->salt, params->salt_len), hash) != OK)
		return false;
	return ranges_find_nsec3(r->ranges, p->zone, hash, r->now, &p->q->arena, &set) == OK &&
	       add_set(p, &set);
}

static struct denial_records records_of(struct proof *p)
{
	return (struct denial_records){.zone = p->zone,
				       .sets = p->sets,
				       .count = p->count,
				       .budget = &p->q->budget->denial,
				       .memo = &p->memo};
}

/* NSEC records that deny the name, and the wildcard that could answer it. */
static bool gather_nsec(struct proof *p, const uint8_t *name)
{
	uint8_t wildcard[DNAME_MAX];
	if (!add_nsec(p, name))
		return false;
	struct denial_records records = records_of(p);
	unsigned labels = denial_closest_encloser(&records, name);
	if (labels >= dname_label_count(name))
		return true; /* it matches: NODATA, or nothing can be said */
	if (dname_wildcard(dname_skip(name, dname_label_count(name) - labels), wildcard) != OK)
		return false;
	return add_nsec(p, wildcard);
}

/* The same with hashes: encloser by encloser from the name upwards (RFC 5155 §8.3). */
static bool gather_nsec3(struct proof *p, const uint8_t *name)
{
	struct ranges_nsec3_params params;
	uint8_t wildcard[DNAME_MAX];
	unsigned all = dname_label_count(name), zone = dname_label_count(p->zone);
	if (ranges_nsec3_params(p->q->resolver->ranges, p->zone, &params) != OK ||
	    params.iterations > DENIAL_ITERATIONS_MAX)
		return false;
	for (unsigned labels = all; labels + 1 > zone; labels--) {
		const uint8_t *encloser = dname_skip(name, all - labels);
		p->count = 0;
		if (!add_nsec3(p, &params, encloser))
			continue; /* nothing known there: perhaps of what is above */
		if (labels < all && !add_nsec3(p, &params, dname_skip(name, all - labels - 1)))
			continue;
		/* The record may cover the encloser rather than match it. */
		struct denial_records records = records_of(p);
		if (denial_closest_encloser(&records, name) != labels)
			continue;
		if (labels == all)
			return true;
		return dname_wildcard(encloser, wildcard) == OK && add_nsec3(p, &params, wildcard);
	}
	return false;
}

static bool find_proven(struct query *q, const uint8_t *name, uint16_t type, struct proven *out)
{
	struct resolver *r = q->resolver;
	const struct entry *e =
		cache_find(r->client_context.reader, ENTRY_RRSET, name, dname_len(name), type);
	return e && answer_proven_entry(e, r->now, &q->arena, out) == OK;
}

/* The zone's SOA, validated, is part of every negative answer. It may have been evicted. */
static bool add_soa(struct proof *p, struct answer *out)
{
	struct proven soa;
	bool later; /* then its servers are asked, as if the denial were not known */
	if (!find_proven(p->q, p->zone, TYPE_SOA, &soa) &&
	    !(recall_at_once(p->q->resolver, p->zone, &later) &&
	      find_proven(p->q, p->zone, TYPE_SOA, &soa)))
		return false;
	/* the answer lives no longer than its proof */
	soa.set.ttl_s = MIN(soa.set.ttl_s, p->ttl_s);
	out->authority[out->authority_count++] = soa.set;
	out->ttl_s = MIN(out->ttl_s, soa.set.ttl_s);
	return true;
}

static bool fill_answer(struct proof *p, enum dns_rcode rcode, struct answer *out)
{
	*out = (struct answer){.qname = p->q->name,
			       .qtype = p->q->qtype,
			       .rcode = (uint8_t)rcode,
			       .verdict = VERDICT_SECURE,
			       .rank = RANK_SECURE,
			       .ede = EDE_NONE,
			       .ttl_s = p->ttl_s};
	if (!add_soa(p, out))
		return false;
	for (unsigned i = 0; i < p->count; i++)
		out->authority[out->authority_count++] = p->sets[i].set;
	out->synthesised = true;
	return true;
}

/* The name itself is denied, but a wildcard stands beside it whose set is in the cache: the answer
 * that its zone would have given (RFC 8198 §5.3). The proof is the denial of the name. */
static void expand_wildcard(const struct proof *p, const struct proven *source, struct answer *out)
{
	const struct query *q = p->q;
	struct rrset set = source->set;
	set.owner = q->name;
	*out = (struct answer){.qname = q->name,
			       .qtype = q->qtype,
			       .verdict = VERDICT_SECURE,
			       .rank = RANK_SECURE,
			       .ede = EDE_NONE,
			       .ttl_s = MIN(p->ttl_s, set.ttl_s),
			       .answer_count = 1,
			       .answer = {set},
			       .wildcard = true,
			       .synthesised = true};
	for (unsigned i = 0; i < p->count; i++)
		out->authority[out->authority_count++] = p->sets[i].set;
}

static bool from_wildcard(struct proof *p, uint16_t denial_type, struct answer *out)
{
	struct query *q = p->q;
	struct resolver *r = q->resolver;
	struct ranges_nsec3_params params;
	struct proven source;
	uint8_t wildcard[DNAME_MAX];
	unsigned all = dname_label_count(q->name), zone = dname_label_count(p->zone);
	bool hashed = denial_type == TYPE_NSEC3;
	if (hashed && (ranges_nsec3_params(r->ranges, p->zone, &params) != OK ||
		       params.iterations > DENIAL_ITERATIONS_MAX))
		return false;
	for (unsigned labels = all; labels-- > zone;) {
		const uint8_t *encloser = dname_skip(q->name, all - labels);
		if (dname_wildcard(encloser, wildcard) != OK)
			continue;
		if (!find_proven(q, wildcard, q->qtype, &source) &&
		    !find_proven(q, wildcard, TYPE_CNAME, &source))
			continue;
		/* A zone above the cut may not say what lies below it: its own wildcard only. */
		if (!dname_equal(source.signer, p->zone))
			return false;
		p->count = 0;
		p->ttl_s = UINT32_MAX;
		bool found = hashed ? add_nsec3(p, &params, dname_skip(q->name, all - labels - 1))
				    : add_nsec(p, q->name);
		struct denial_records records = records_of(p);
		if (!found || denial_wildcard(&records, q->name, labels) != DENIAL_PROVEN)
			return false;
		expand_wildcard(p, &source, out);
		return true;
	}
	return false;
}

static bool make_answer(struct proof *p, uint16_t denial_type, struct answer *out)
{
	const struct query *q = p->q;
	bool gathered =
		denial_type == TYPE_NSEC ? gather_nsec(p, q->name) : gather_nsec3(p, q->name);
	if (!gathered)
		return from_wildcard(p, denial_type, out);
	struct denial_records records = records_of(p);
	if (denial_nxdomain(&records, q->name) == DENIAL_PROVEN)
		return fill_answer(p, RCODE_NXDOMAIN, out);
	if (denial_nodata(&records, q->name, q->qtype) == DENIAL_PROVEN)
		return fill_answer(p, RCODE_NOERROR, out);
	return from_wildcard(p, denial_type, out);
}

struct answer *synthesise_answer(struct query *q)
{
	struct resolver *r = q->resolver;
	uint8_t zone[DNAME_MAX];
	uint16_t type;
	const uint8_t *name = q->name;
	if (!r->ranges || !q->settings->aggressive_nsec || !q->settings->dnssec)
		return NULL;
	const struct settings_zone *configured = settings_zone_for(q->settings, name, q->qtype);
	if (settings_is_insecure(q->settings, name))
		return NULL;
	if (q->qtype == TYPE_DS && dname_label_count(name) > 0)
		name = dname_skip(name, 1); /* the parent's zone speaks for DS */
	if (ranges_zone(r->ranges, name, r->now, zone, &type) == 0)
		return NULL;
	if (configured && !dname_is_within(zone, configured->name))
		return NULL; /* a forward or stub zone wins over what its parent's zone denies */
	/* The name belongs to a zone below, of which the denials of ZONE say nothing. Most names that
	 * nobody has asked for before are of an unsigned zone below a signed one, and looking at the
	 * proofs to see that costs several hashes with NSEC3. */
	if (cut_below(q, name, zone))
		return NULL;
	struct proof p = {.q = q,
			  .zone = zone,
			  .ttl_s = UINT32_MAX,
			  .hashes_left = LIMIT_SYNTHESIS_HASHES,
			  .memo = {.left = LIMIT_SYNTHESIS_HASHES}};
	unsigned hashes_left = q->budget->denial.hashes_left;
	struct answer *out = arena_alloc(&q->arena, sizeof(*out));
	bool made = out && make_answer(&p, type, out);
	verify_charge_hashes(q, hashes_left);
	return made ? out : NULL;
}

struct answer *synthesise_look(const struct synthesise_view *v, const uint8_t *name, uint16_t type,
			       struct arena *arena)
{
	/* What a worker has, as far as it is looked at here. */
	struct look {
		struct resolver resolver;
		struct query query;
		struct budget budget;
		struct metrics metrics;
	} *l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->resolver.ranges = v->ranges;
	l->resolver.settings = v->settings;
	l->resolver.client_context.reader = v->reader;
	l->resolver.metrics = &l->metrics;
	l->resolver.now = v->now;
	l->budget.denial.hashes_left = LIMIT_NSEC3_HASHES;
	l->query.resolver = &l->resolver;
	l->query.settings = v->settings;
	l->query.budget = &l->budget;
	l->query.name = name;
	l->query.qtype = type;
	l->query.arena = *arena; /* it moves there and back */
	struct answer *out = synthesise_answer(&l->query);
	*arena = l->query.arena;
	free(l);
	return out;
}
