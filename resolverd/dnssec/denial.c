#include "dnssec/denial.h"

#include "dns/rdata.h"
#include "dnssec/nsec.h"
#include "dnssec/nsec3.h"

struct proof { /* what one call works with */
	struct nsec_records nsec;
	struct nsec3_records nsec3;
};

/* One record each: a second one beside the first is no chain. And an NSEC that answers at a name of the
 * asker's choice would deny names of his choice. */
static bool set_is_usable(const struct denial_records *d, const struct proven *p)
{
	return p->set.rclass == CLASS_IN && p->set.rr_count == 1 &&
	       dname_is_within(p->set.owner, d->zone) && dname_equal(p->signer, d->zone) &&
	       !proven_is_expanded(p);
}

/* Sort the usable records into OUT. False if QNAME is none of the zone's business. */
static bool gather(const struct denial_records *d, const uint8_t *qname, struct proof *out)
{
	unsigned seen = 0;
	if (!dname_is_within(qname, d->zone))
		return false;
	out->nsec.zone = out->nsec3.zone = d->zone;
	out->nsec.count = out->nsec3.count = 0;
	out->nsec3.budget = d->budget;
	out->nsec3.memo = d->memo;
	out->nsec3.iterations_exceeded = false;
	for (size_t i = 0; i < d->count && seen < DENIAL_SETS_MAX; i++) {
		const struct rrset *set = &d->sets[i].set;
		if (set->type != TYPE_NSEC && set->type != TYPE_NSEC3)
			continue;
		seen++;
		if (!set_is_usable(d, &d->sets[i]))
			continue;
		if (set->type == TYPE_NSEC)
			nsec_add(&out->nsec, set);
		else
			nsec3_add(&out->nsec3, set);
	}
	return true;
}

/* RFC 9276 §3.2: what was not looked at for its iterations leaves the answer insecure, unless the
 * other records make the proof. */
static enum denial_result conclude(const struct proof *p, enum denial_result result)
{
	return result == DENIAL_NONE && p->nsec3.count == 0 && p->nsec3.iterations_exceeded
		       ? DENIAL_ITERATIONS
		       : result;
}

enum denial_result denial_nxdomain(const struct denial_records *d, const uint8_t *qname)
{
	struct proof p;
	if (!gather(d, qname, &p))
		return DENIAL_NONE;
	enum denial_result result = nsec_nxdomain(&p.nsec, qname);
	if (result == DENIAL_NONE && p.nsec3.count > 0)
		result = nsec3_nxdomain(&p.nsec3, qname);
	return conclude(&p, result);
}

enum denial_result denial_nodata(const struct denial_records *d, const uint8_t *qname,
				 uint16_t qtype)
{
	struct proof p;
	if (!gather(d, qname, &p))
		return DENIAL_NONE;
	enum denial_result result = nsec_nodata(&p.nsec, qname, qtype);
	if (result == DENIAL_NONE && p.nsec3.count > 0)
		result = nsec3_nodata(&p.nsec3, qname, qtype);
	return conclude(&p, result);
}

enum denial_result denial_wildcard(const struct denial_records *d, const uint8_t *qname,
				   unsigned encloser_labels)
{
	struct proof p;
	if (!gather(d, qname, &p))
		return DENIAL_NONE;
	enum denial_result result = nsec_wildcard(&p.nsec, qname, encloser_labels);
	if (result == DENIAL_NONE && p.nsec3.count > 0)
		result = nsec3_wildcard(&p.nsec3, qname, encloser_labels);
	return conclude(&p, result);
}

enum denial_result denial_no_ds(const struct denial_records *d, const uint8_t *cut)
{
	struct proof p;
	if (!gather(d, cut, &p))
		return DENIAL_NONE;
	enum denial_result result = nsec_no_ds(&p.nsec, cut);
	/* What proves that there is no DS tells also why. */
	if (nsec_nodata(&p.nsec, cut, TYPE_DS) != DENIAL_NONE ||
	    nsec_nxdomain(&p.nsec, cut) != DENIAL_NONE)
		return result;
	if (result == DENIAL_NONE && p.nsec3.count > 0)
		result = nsec3_no_ds(&p.nsec3, cut);
	return conclude(&p, result);
}

unsigned denial_closest_encloser(const struct denial_records *d, const uint8_t *qname)
{
	struct proof p;
	if (!gather(d, qname, &p))
		return DENIAL_ENCLOSER_UNKNOWN;
	unsigned labels = nsec_closest_encloser(&p.nsec, qname);
	if (labels == DENIAL_ENCLOSER_UNKNOWN && p.nsec3.count > 0)
		labels = nsec3_closest_encloser(&p.nsec3, qname);
	return labels;
}
