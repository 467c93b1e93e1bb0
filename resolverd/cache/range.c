#include "cache/range.h"

#include "dns/rdata.h"

static bool parse_nsec(const uint8_t *zone, struct range_parsed *p)
{
	struct nsec_view v;
	if (rdata_nsec(p->rdata, &v) != OK)
		return false;
	if (!dname_is_within(p->set->owner, zone) || !dname_is_within(v.next, zone))
		return false;
	/* RFC 4034 §4.1.1: the last one leads back to the apex, all others onwards. */
	p->to_end = dname_equal(v.next, zone);
	if (!p->to_end && dname_compare(p->set->owner, v.next) >= 0)
		return false;
	p->key_len = dname_key(p->set->owner, p->key);
	p->next_key_len = dname_key(v.next, p->next_key);
	return true;
}

static bool parse_nsec3(const uint8_t *zone, struct range_parsed *p)
{
	struct nsec3_view v;
	if (rdata_nsec3(p->rdata, &v) != OK || v.next_hash.len != NSEC3_HASH_SIZE)
		return false;
	if (!rdata_nsec3_owner(p->set->owner, p->key) ||
	    !dname_equal(dname_skip(p->set->owner, 1), zone))
		return false;
	p->key_len = NSEC3_HASH_SIZE;
	p->next_key_len = NSEC3_HASH_SIZE;
	memcpy(p->next_key, v.next_hash.at, NSEC3_HASH_SIZE);
	p->to_end = memcmp(p->key, p->next_key, NSEC3_HASH_SIZE) >= 0;
	p->params.algorithm = v.algorithm;
	p->params.iterations = v.iterations;
	p->params.salt_len = (uint8_t)v.salt.len;
	if (v.salt.len > 0)
		memcpy(p->params.salt, v.salt.at, v.salt.len);
	return true;
}

bool range_parse(const uint8_t *zone, const struct rrset *set, struct range_parsed *p)
{
	REQUIRE(set->type == TYPE_NSEC || set->type == TYPE_NSEC3);
	memset(&p->params, 0, sizeof(p->params));
	p->set = set;
	/* One name, one record: which of several is true cannot be told. */
	struct rrset_iter it = rrset_records(set);
	if (set->rr_count != 1 || !rrset_next(&it, &p->rdata))
		return false;
	return set->type == TYPE_NSEC ? parse_nsec(zone, p) : parse_nsec3(zone, p);
}

static bool key_is_before(struct span a, struct span b)
{
	int order = memcmp(a.at, b.at, MIN(a.len, b.len));
	return order != 0 ? order < 0 : a.len < b.len;
}

bool range_begins_inside(const struct range_parsed *p, struct span key)
{
	return p->to_end || key_is_before(key, span_of(p->next_key, p->next_key_len));
}

bool range_same_params(const struct ranges_nsec3_params *a, const struct ranges_nsec3_params *b)
{
	return a->algorithm == b->algorithm && a->iterations == b->iterations &&
	       span_equal(span_of(a->salt, a->salt_len), span_of(b->salt, b->salt_len));
}

bool range_nsec_holds(struct span rdata, struct span owner, struct span key, const uint8_t *zone)
{
	struct nsec_view v;
	if (rdata_nsec(rdata, &v) != OK)
		return false;
	if (span_equal(owner, key) || dname_equal(v.next, zone))
		return true;
	uint8_t next[DNAME_KEY_MAX];
	return key_is_before(key, span_of(next, dname_key(v.next, next)));
}

bool range_nsec3_holds(struct span rdata, struct span owner, struct span hash)
{
	struct nsec3_view v;
	if (rdata_nsec3(rdata, &v) != OK)
		return false;
	if (span_equal(owner, hash))
		return true;
	bool behind = memcmp(owner.at, hash.at, NSEC3_HASH_SIZE) < 0;
	bool before = memcmp(hash.at, v.next_hash.at, NSEC3_HASH_SIZE) < 0;
	bool wraps = memcmp(owner.at, v.next_hash.at, NSEC3_HASH_SIZE) >= 0;
	return wraps ? behind || before : behind && before;
}
