/*
 * Bytes become NSEC and NSEC3 RRsets with signatures, a zone and a name; every proof is asked of
 * them. Whatever they are: nothing outside the zone is denied, nor is its apex, no encloser lies
 * outside of it, and the budget is kept.
 *
 *   zone, name, type (2 bytes), then sets: flags (1), owner, length (1), RDATA
 *   flags: 1 NSEC3, 2 owner below the zone, 4 no signature, 8 signature of fewer labels
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "dns/rdata.h"
#include "dnssec/denial.h"

enum { SETS_MAX = DENIAL_SETS_MAX + 4, BUDGET = 300 };

struct fuzz_set {
	uint8_t owner[DNAME_MAX];
	uint8_t rdata[2 + 255];
	uint8_t sig[2 + 18 + DNAME_MAX + 1];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_name(struct reader *r, uint8_t out[static DNAME_MAX])
{
	size_t len;
	if (r->failed || dname_view(span_of(r->at, reader_left(r)), &len) != OK)
		return false;
	memcpy(out, reader_bytes(r, len).at, len);
	return true;
}

/* OWNER, as far as it fits below ZONE. */
static void put_below(uint8_t owner[static DNAME_MAX], const uint8_t *zone)
{
	size_t len = dname_len(owner), zone_len = dname_len(zone);
	if (len - 1 + zone_len <= DNAME_MAX)
		memcpy(owner + len - 1, zone, zone_len);
}

static uint16_t write_sig(const struct rrset *set, const uint8_t *zone, int labels_off,
			  uint8_t *out, size_t size)
{
	struct writer w = writer_of(out, size);
	unsigned labels = dname_label_count(set->owner) - (dname_is_wildcard(set->owner) ? 1 : 0);
	writer_u16(&w, set->type);
	writer_u8(&w, 13);
	writer_u8(&w, (uint8_t)((int)labels + labels_off));
	for (int i = 0; i < 7; i++)
		writer_u16(&w, 0);
	writer_bytes(&w, span_of(zone, dname_len(zone)));
	writer_u8(&w, 0);
	REQUIRE(!w.failed);
	return (uint16_t)writer_len(&w);
}

static bool read_set(struct reader *r, const uint8_t *zone, struct fuzz_set *f, struct proven *out)
{
	uint8_t flags = reader_u8(r);
	if (!read_name(r, f->owner))
		return false;
	struct span rdata = reader_bytes(r, reader_u8(r));
	uint16_t len = (uint16_t)rdata.len;
	if (r->failed)
		return false;
	if (flags & 2)
		put_below(f->owner, zone);
	memcpy(f->rdata, &len, sizeof(len));
	memcpy(f->rdata + sizeof(len), rdata.at, len);
	struct rrset set = {.owner = f->owner,
			    .type = flags & 1 ? TYPE_NSEC3 : TYPE_NSEC,
			    .rclass = CLASS_IN,
			    .rr_count = 1,
			    .rdata = span_of(f->rdata, sizeof(len) + len)};
	/* 4: another zone's */
	len = write_sig(&set, flags & 4 ? (const uint8_t *)"\1z" : zone, flags & 8 ? -1 : 0,
			f->sig + sizeof(len), sizeof(f->sig) - sizeof(len));
	memcpy(f->sig, &len, sizeof(len));
	set.sigs = span_of(f->sig, sizeof(len) + len);
	set.sig_count = 1;
	REQUIRE(proven_again(&set, out) == OK);
	return true;
}

static void check_all(const struct denial_records *d, const uint8_t *qname, uint16_t qtype)
{
	bool is_inside = dname_is_within(qname, d->zone);
	unsigned labels = dname_label_count(qname);
	enum denial_result nxdomain = denial_nxdomain(d, qname);
	enum denial_result nodata = denial_nodata(d, qname, qtype);
	enum denial_result no_ds = denial_no_ds(d, qname);
	REQUIRE(is_inside ||
		(nxdomain == DENIAL_NONE && nodata == DENIAL_NONE && no_ds == DENIAL_NONE));
	REQUIRE(nxdomain != DENIAL_PROVEN || dname_is_below(qname, d->zone));
	REQUIRE(no_ds != DENIAL_PROVEN || dname_is_below(qname, d->zone));
	for (unsigned i = 0; i <= labels + 1; i++) {
		enum denial_result got = denial_wildcard(d, qname, i);
		REQUIRE(got != DENIAL_PROVEN || (is_inside && i < labels));
	}
	unsigned encloser = denial_closest_encloser(d, qname);
	REQUIRE(encloser == DENIAL_ENCLOSER_UNKNOWN ||
		(is_inside && encloser <= labels && encloser >= dname_label_count(d->zone)));
	REQUIRE(d->budget->hashes_left <= BUDGET);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t zone[DNAME_MAX], qname[DNAME_MAX];
	struct reader r = reader_of(span_of(data, size));
	if (!read_name(&r, zone) || !read_name(&r, qname))
		return 0;
	uint16_t qtype = reader_u16(&r);
	struct fuzz_set *f = calloc(SETS_MAX, sizeof(*f));
	struct proven *sets = calloc(SETS_MAX, sizeof(*sets));
	struct denial_budget budget = {BUDGET};
	REQUIRE(f && sets);
	struct denial_records d = {zone, sets, 0, &budget, NULL};
	while (d.count < SETS_MAX && read_set(&r, zone, &f[d.count], &sets[d.count]))
		d.count++;
	check_all(&d, qname, qtype);
	put_below(qname, zone);
	budget.hashes_left = BUDGET;
	check_all(&d, qname, qtype);
	free(sets);
	free(f);
	return 0;
}
