#include "resolve/endorsed.h"

#include "base/cursor.h"
#include "dns/rdata.h"

enum { TYPE_BACK = 4, CLASS_AND_TTL = 6 }; /* a record's type stands so far before its TTL */

/* SIG ends at NOW at the soonest. Times are modulo 2^32 (RFC 4034 §3.1.5). */
static bool is_valid(struct span sig, struct now now)
{
	struct rrsig_view view;
	return rdata_rrsig(sig, &view) == OK &&
	       (int32_t)(view.expiration - (uint32_t)now.unix_s) >= 0;
}

static bool set_is_endorsed(const struct entry *e, struct now now)
{
	struct rrset set;
	struct span sig;
	entry_rrset(e, &set);
	struct rrset_iter it = rrset_sigs(&set);
	while (rrset_next(&it, &sig))
		if (!is_valid(sig, now))
			return false;
	return set.sig_count > 0;
}

static bool message_is_endorsed(const struct entry *e, struct now now)
{
	struct answer_view v;
	bool is_signed = false;
	if (entry_answer(e, &v) != OK)
		return false;
	for (size_t i = 0; i < v.ttl_count; i++) {
		uint16_t offset;
		memcpy(&offset, v.ttl_offsets + i * sizeof(offset), sizeof(offset));
		struct reader r = reader_of(v.body);
		reader_bytes(&r, (size_t)offset - MIN((size_t)offset, (size_t)TYPE_BACK));
		if (reader_u16(&r) != TYPE_RRSIG)
			continue;
		reader_bytes(&r, CLASS_AND_TTL);
		struct span sig = reader_bytes(&r, reader_u16(&r));
		is_signed = true;
		if (r.failed || !is_valid(sig, now))
			return false;
	}
	return is_signed;
}

bool endorsed_still(struct cache_reader *r, const struct entry *e, struct now now)
{
	if (e->kind == ENTRY_RRSET)
		return set_is_endorsed(e, now);
	if (e->kind == ENTRY_ANSWER) { /* its twin was made of the same, at the same time */
		const struct entry *twin =
			cache_find(r, ENTRY_ANSWER_DO, entry_name(e), e->name_len, e->type);
		if (!twin || twin->verdict != VERDICT_SECURE ||
		    entry_fetched_ms(twin) != entry_fetched_ms(e))
			return false;
		e = twin;
	}
	return message_is_endorsed(e, now);
}
