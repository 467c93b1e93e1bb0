#include "resolve/prefetch_change.h"

#include <stdio.h>

#include "base/endpoint.h"
#include "base/log.h"
#include "dns/text.h"
#include "dns/types.h"

bool prefetch_same_data_from(const struct answer *a, const struct answer *b, uint32_t first)
{
	if (a->rcode != b->rcode || a->answer_count + first != b->answer_count)
		return false;
	for (uint32_t i = 0; i < a->answer_count; i++) {
		const struct rrset *x = &a->answer[i], *y = &b->answer[first + i];
		if (!dname_equal(x->owner, y->owner) || !rrset_same_data(x, y))
			return false;
	}
	return true;
}

bool prefetch_same_data(const struct answer *a, const struct answer *b)
{
	return prefetch_same_data_from(a, b, 0);
}

/* A's chain in words, "CNAME a.example. A 192.0.2.1" or "NXDOMAIN", into OUT; returns OUT. */
static const char *data_text(const struct answer *a, char out[static PREFETCH_DATA_TEXT_SIZE])
{
	char type[TYPE_TEXT_SIZE], rdata[PREFETCH_DATA_TEXT_SIZE];
	size_t at = 0;
	if (a->answer_count == 0) {
		snprintf(out, PREFETCH_DATA_TEXT_SIZE, "%s",
			 a->rcode == RCODE_NXDOMAIN ? "NXDOMAIN" : "NODATA");
		return out;
	}
	out[0] = '\0';
	for (uint32_t i = 0; i < a->answer_count; i++) {
		const struct rrset *set = &a->answer[i];
		struct rrset_iter it = rrset_records(set);
		struct span record;
		while (rrset_next(&it, &record) && at < PREFETCH_DATA_TEXT_SIZE - 1) {
			int len = snprintf(out + at, PREFETCH_DATA_TEXT_SIZE - at, "%s%s %s",
					   at > 0 ? " " : "", type_text(set->type, type),
					   text_rdata(set->type, record, rdata, sizeof(rdata)));
			at += len > 0 ? (size_t)len : 0;
		}
	}
	return out;
}

bool prefetch_has_data(const struct answer *a)
{
	for (uint32_t i = 0; a->rcode == RCODE_NOERROR && i < a->answer_count; i++)
		if (a->answer[i].type == a->qtype)
			return true;
	return false;
}

void prefetch_tell_doubt(const struct answer *kept, const struct answer *now,
			 const struct endpoint *server)
{
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE], address[ENDPOINT_TEXT_SIZE];
	char was[PREFETCH_DATA_TEXT_SIZE], is[PREFETCH_DATA_TEXT_SIZE];
	log_info("record denied: name=%s type=%s kept=\"%s\" told=\"%s\" server=%s",
		 dname_text(now->qname, name), type_text(now->qtype, type), data_text(kept, was),
		 data_text(now, is), endpoint_text(server, address));
}

void prefetch_describe_change(const struct answer *old, const struct answer *now,
			      struct prefetch_change *out)
{
	out->name = now->qname;
	out->type = now->qtype;
	data_text(old, out->old);
	data_text(now, out->fresh);
}

void prefetch_log_change(const struct prefetch_change *change, const struct rotation *rotation)
{
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE];

	dname_text(change->name, name);
	type_text(change->type, type);
	if (rotation->held_back > 0)
		log_always(LOG_LEVEL_INFO,
			   "record kept rotating: name=%s type=%s changes=%u seconds=%u", name,
			   type, rotation->held_back, rotation->seconds);
	if (rotation->tell)
		log_always(LOG_LEVEL_INFO, "record changed: name=%s type=%s old=\"%s\" new=\"%s\"",
			   name, type, change->old, change->fresh);
	if (rotation->begins)
		log_always(LOG_LEVEL_INFO,
			   "record rotates: name=%s type=%s: further changes are only counted, but "
			   "for addresses that were not there lately",
			   name, type);
}
