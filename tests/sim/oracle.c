#include "sim/oracle.h"

#include "dns/rdata.h"

enum { ORACLE_HOPS = 30 };

static struct oracle_set *add_set(struct oracle *o, const uint8_t *owner, const struct rrset *set)
{
	REQUIRE(o->set_count < ORACLE_SETS_MAX);
	struct oracle_set *out = &o->sets[o->set_count++];
	dname_copy(owner, out->owner);
	out->set = set;
	out->type = set->type;
	out->ttl_s = set->ttl_s;
	return out;
}

static bool has_set(const struct oracle *o, const struct rrset *set)
{
	for (unsigned i = 0; i < o->set_count; i++)
		if (o->sets[i].set == set)
			return true;
	return false;
}

static const uint8_t *first_name(const struct rrset *set)
{
	struct rrset_iter it = rrset_records(set);
	struct span rdata;
	REQUIRE(rrset_next(&it, &rdata));
	return rdata.at;
}

static void note_verdict(struct oracle *o, enum sim_verdict verdict)
{
	o->verdict = MAX(o->verdict, verdict);
}

/* What is to be thought of this step: of the zone, and of the denial that it rests on. */
static void judge(struct oracle *o, const struct lookup *found, const uint8_t *name)
{
	const struct zone *z = o->last;
	o->wildcard |= found->wildcard;
	if (!o->denier && found->wildcard && found->set && secure_hides(z, name)) {
		o->denier = z;
		o->denied_at = o->set_count;
	}
	o->shaky |= z->shaky || secure_is_forged(z);
	if (found->found == FOUND_NXDOMAIN)
		note_verdict(o, secure_proof_verdict(z, PROOF_NXDOMAIN, name));
	else if (found->found == FOUND_NODATA)
		note_verdict(o, secure_proof_verdict(
					z, found->wildcard ? PROOF_WILDCARD_NODATA : PROOF_NODATA,
					name));
	else if (found->wildcard)
		note_verdict(o, secure_proof_verdict(z, PROOF_WILDCARD, name));
	else if (found->set)
		note_verdict(o, secure_set_verdict(z, found->set));
}

/* One step of the chain; true at its end. NAME moves on. */
static bool step(struct oracle *o, uint8_t name[static DNAME_MAX], uint16_t qtype)
{
	struct lookup found;
	uint8_t target[DNAME_MAX];
	zone_lookup(o->last, name, qtype, &found);
	judge(o, &found, name);
	switch (found.found) {
	case FOUND_ANSWER:
		if (found.set)
			add_set(o, name, found.set);
		return true;
	case FOUND_NODATA:
		return true;
	case FOUND_NXDOMAIN:
		o->rcode = RCODE_NXDOMAIN;
		return true;
	case FOUND_REFERRAL: /* a cut without a zone behind it */
		o->dangling = true;
		return true;
	case FOUND_CNAME:
		add_set(o, name, found.set);
		dname_copy(first_name(found.set), name);
		return false;
	case FOUND_DNAME: {
		if (!has_set(o, found.set)) /* it may redirect twice: it stands there once */
			add_set(o, found.node->owner, found.set);
		if (dname_replace_suffix(name, found.node->owner, first_name(found.set), target) !=
		    OK) {
			o->rcode = RCODE_YXDOMAIN;
			return true;
		}
		struct oracle_set *alias = add_set(o, name, found.set);
		alias->set = NULL;
		alias->type = TYPE_CNAME;
		dname_copy(target, alias->target);
		dname_copy(target, name);
		return qtype == TYPE_CNAME;
	}
	}
	return true;
}

void oracle_ask(const struct world *w, const uint8_t *qname, uint16_t qtype, struct oracle *out)
{
	uint8_t name[DNAME_MAX];
	memset(out, 0, sizeof(*out));
	dname_copy(qname, name);
	for (unsigned hop = 0; hop < ORACLE_HOPS && out->set_count + 2 < ORACLE_SETS_MAX; hop++) {
		struct zone *z = world_zone_for(w, name, qtype);
		if (z != out->last)
			out->zones_passed++;
		out->last = z;
		if (z->tainted) {
			out->tainted = true;
			return;
		}
		if (z->unreachable) {
			out->dangling = true;
			return;
		}
		out->aliases = hop;
		if (step(out, name, qtype))
			return;
	}
	out->dangling = true; /* a loop, or as good as one */
}

bool oracle_is_tainted(const struct world *w, const uint8_t *name)
{
	return world_zone_for(w, name, TYPE_A)->tainted;
}

static bool set_has(const struct rrset *set, uint32_t ttl_s, struct span rdata)
{
	struct rrset_iter it = rrset_records(set);
	struct span one;
	if (set->ttl_s < ttl_s)
		return false;
	while (rrset_next(&it, &one))
		if (rdata_compare(set->type, one, rdata) == 0)
			return true;
	return false;
}

static bool zone_holds(const struct zone *z, const uint8_t *owner, uint16_t type, uint32_t ttl_s,
		       struct span rdata)
{
	struct lookup found;
	uint8_t target[DNAME_MAX];
	zone_lookup(z, owner, type, &found);
	if (found.found == FOUND_DNAME && type == TYPE_CNAME)
		return found.set->ttl_s >= ttl_s &&
		       dname_replace_suffix(owner, found.node->owner, first_name(found.set),
					    target) == OK &&
		       dname_equal(target, rdata.at);
	if (found.found == FOUND_REFERRAL && type == TYPE_NS &&
	    dname_equal(found.node->owner, owner))
		return set_has(found.set, ttl_s, rdata);
	return found.found == FOUND_ANSWER && found.set && set_has(found.set, ttl_s, rdata);
}

bool oracle_holds(const struct world *w, const uint8_t *owner, uint16_t type, uint32_t ttl_s,
		  struct span rdata)
{
	for (unsigned i = 0; i < w->zone_count; i++)
		if (dname_is_within(owner, w->zones[i]->apex) &&
		    zone_holds(w->zones[i], owner, type, ttl_s, rdata))
			return true;
	return false;
}
