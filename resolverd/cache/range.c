#include "cache/range.h"

#include "dns/rdata.h"

enum { HASH_LABEL_LEN = 32 }; /* 20 bytes in base32hex */

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

static int base32hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'v' ? c - 'a' + 10 : -1;
}

/* RFC 5155 §3.3: the hash in base32hex without padding, 8 letters for 5 bytes. */
static bool decode_hash(const uint8_t *label, uint8_t out[static RANGE_HASH_LEN])
{
	if (label[0] != HASH_LABEL_LEN)
		return false;
	uint32_t bits = 0;
	unsigned bit_count = 0;
	size_t len = 0;
	for (size_t i = 1; i <= HASH_LABEL_LEN; i++) {
		int value = base32hex_value(label[i]);
		if (value < 0)
			return false;
		bits = bits << 5 | (uint32_t)value;
		bit_count += 5;
		if (bit_count >= 8) {
			bit_count -= 8;
			out[len++] = (uint8_t)(bits >> bit_count);
		}
	}
	return true;
}

static bool parse_nsec3(const uint8_t *zone, struct range_parsed *p)
{
	struct nsec3_view v;
	if (rdata_nsec3(p->rdata, &v) != OK || v.next_hash.len != RANGE_HASH_LEN)
		return false;
	if (!decode_hash(p->set->owner, p->key) || !dname_equal(dname_skip(p->set->owner, 1), zone))
		return false;
	p->key_len = RANGE_HASH_LEN;
	p->next_key_len = RANGE_HASH_LEN;
	memcpy(p->next_key, v.next_hash.at, RANGE_HASH_LEN);
	p->to_end = memcmp(p->key, p->next_key, RANGE_HASH_LEN) >= 0;
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
	bool behind = memcmp(owner.at, hash.at, RANGE_HASH_LEN) < 0;
	bool before = memcmp(hash.at, v.next_hash.at, RANGE_HASH_LEN) < 0;
	bool wraps = memcmp(owner.at, v.next_hash.at, RANGE_HASH_LEN) >= 0;
	return wraps ? behind || before : behind && before;
}
