#include "cache/entry.h"

#include <stdlib.h>

#include "base/cursor.h"
#include "cache/delegation.h"
#include "dns/message.h"

enum {
	TEXT_MAX = 255,
	QUESTION_TAIL = 4,   /* type and class behind the question's name */
	RECORD_TTL_BACK = 6, /* a record's TTL starts this far before its RDATA */
	RECORD_FIXED = 10,   /* type, class, TTL, length */
};

/* RFC 2181 §8: a TTL has 31 bits. An expiry beyond the year 10889 is damage, and the bound keeps
 * every sum with a TTL far from overflow. */
static const uint32_t ttl_max_s = INT32_MAX;
static const int64_t expires_max_ms = INT64_C(1) << 48;

static size_t text_len(const struct entry_parts *parts)
{
	return parts->text ? strnlen(parts->text, TEXT_MAX) : 0;
}

size_t entry_size(const struct entry_parts *parts)
{
	return ENTRY_HEADER_SIZE + dname_len(parts->name) + text_len(parts) +
	       parts->payload[0].len + parts->payload[1].len;
}

struct entry *entry_make(const struct entry_parts *parts, void *out)
{
	size_t size = entry_size(parts);
	REQUIRE(size <= ENTRY_MAX && parts->kind < ENTRY_KIND_COUNT);
	struct entry *e = out;
	memset(e, 0, ENTRY_HEADER_SIZE);
	e->size_bytes = (uint32_t)size;
	e->ttl_s = MIN(parts->ttl_s, ttl_max_s);
	e->expires_ms = parts->fetched_ms + (int64_t)e->ttl_s * 1000;
	e->type = parts->type;
	e->ede = parts->ede;
	e->kind = (uint8_t)parts->kind;
	e->rank = (uint8_t)parts->rank;
	e->verdict = (uint8_t)parts->verdict;
	e->rcode = parts->rcode;
	e->text_len = (uint8_t)text_len(parts);
	e->flags = (uint8_t)(parts->flags | (e->text_len > 0 ? ENTRY_EXTENDED : 0));
	e->rr_count = parts->rr_count;
	e->sig_count = parts->sig_count;

	uint8_t lower[DNAME_MAX];
	e->name_len = (uint8_t)dname_lower(parts->name, lower);
	struct writer w = writer_of(e->bytes, size - ENTRY_HEADER_SIZE);
	writer_bytes(&w, span_of(lower, e->name_len));
	writer_bytes(&w, span_of(parts->text, e->text_len));
	writer_bytes(&w, parts->payload[0]);
	writer_bytes(&w, parts->payload[1]);
	REQUIRE(!w.failed && writer_left(&w) == 0);
	return e;
}

/* How many bytes COUNT packed records take at the start of LIST; false if they are not there. */
static bool packed_len(struct span list, unsigned count, size_t *len)
{
	struct rrset_iter it = {list};
	struct span rdata;
	for (unsigned i = 0; i < count; i++) {
		if (!rrset_next(&it, &rdata))
			return false;
	}
	*len = list.len - it.rest.len;
	return true;
}

void entry_rrset(const struct entry *e, struct rrset *out)
{
	REQUIRE(e->kind == ENTRY_RRSET);
	struct span payload = entry_payload(e);
	size_t rdata_len = payload.len;
	if (e->sig_count > 0)
		REQUIRE(packed_len(payload, e->rr_count, &rdata_len));
	*out = (struct rrset){
		.owner = entry_name(e),
		.type = e->type,
		.rclass = CLASS_IN,
		.ttl_s = e->ttl_s,
		.rr_count = e->rr_count,
		.sig_count = e->sig_count,
		.rdata = span_of(payload.at, rdata_len),
		.sigs = span_of(payload.at + rdata_len, payload.len - rdata_len),
	};
}

static uint16_t host_u16(struct reader *r)
{
	uint16_t value = 0;
	struct span s = reader_bytes(r, sizeof(value));
	if (s.at)
		memcpy(&value, s.at, sizeof(value));
	return value;
}

/* Size of the record that starts at BYTES, 0 if it does not fit. Its owner may be compressed. */
static size_t record_size(struct span bytes)
{
	struct reader r = reader_of(bytes);
	for (unsigned i = 0; i <= DNAME_LABELS_MAX; i++) {
		uint8_t len = reader_u8(&r);
		if (len == 0)
			break;
		if (len >= 0xc0) {
			reader_u8(&r);
			break;
		}
		reader_bytes(&r, len);
	}
	reader_bytes(&r, RECORD_FIXED - sizeof(uint16_t));
	reader_bytes(&r, reader_u16(&r));
	return r.failed ? 0 : (size_t)(r.at - bytes.at);
}

static enum err check_tables(struct answer_view *v)
{
	REQUIRE(v->ttl_offsets || v->ttl_count == 0);
	for (size_t i = 0; i < v->ttl_count; i++) {
		uint16_t offset;
		memcpy(&offset, v->ttl_offsets + i * sizeof(offset), sizeof(offset));
		if (offset + sizeof(uint32_t) > v->body.len)
			return ERR_MALFORMED;
	}
	if (v->rotate_count == 0) {
		v->rotate_offset = 0;
		return OK;
	}
	if (v->rotate_offset >= v->body.len)
		return ERR_MALFORMED;
	size_t left = v->body.len - v->rotate_offset;
	size_t size = record_size(span_of(v->body.at + v->rotate_offset, left));
	if (size == 0 || size * v->rotate_count > left)
		return ERR_MALFORMED;
	v->rotate_size = (uint16_t)size;
	return OK;
}

enum err entry_answer(const struct entry *e, struct answer_view *out)
{
	struct reader r = reader_of(entry_payload(e));
	for (size_t i = 0; i < ARRAY_LEN(out->counts); i++)
		out->counts[i] = host_u16(&r);
	out->ttl_count = host_u16(&r);
	out->ttl_offsets = reader_bytes(&r, out->ttl_count * sizeof(uint16_t)).at;
	out->rotate_offset = host_u16(&r);
	out->rotate_count = host_u16(&r);
	out->rotate_size = 0;
	out->body = reader_bytes(&r, reader_left(&r));
	if (r.failed || out->body.len > MESSAGE_MAX)
		return ERR_MALFORMED;
	return check_tables(out);
}

static bool rrset_entry_is_valid(const struct entry *e)
{
	if (e->rr_count < 1 || e->rr_count > RRSET_RECORDS_MAX || e->sig_count > RRSET_SIGS_MAX)
		return false;
	struct span payload = entry_payload(e);
	size_t records, sigs;
	if (!packed_len(payload, e->rr_count, &records))
		return false;
	struct span rest = span_of(payload.at + records, payload.len - records);
	if (!packed_len(rest, e->sig_count, &sigs) || sigs != rest.len)
		return false;
	struct rrset set;
	entry_rrset(e, &set);
	return rrset_is_valid(&set);
}

/* Each offset in V's table is where one of M's records has its TTL, in ascending order, and the
 * records to rotate are addresses of one size. */
static bool tables_fit(const struct answer_view *v, const struct message *m)
{
	size_t next = 0, rotated = 0;
	size_t body_offset = m->records_offset;
	struct record_iter it = record_iter_of(m);
	struct record record;
	while (record_next(&it, &record)) {
		uint16_t ttl;
		size_t owner = record.owner_offset - body_offset;
		if (next < v->ttl_count) {
			memcpy(&ttl, v->ttl_offsets + next * sizeof(ttl), sizeof(ttl));
			if (ttl + body_offset + RECORD_TTL_BACK == record.rdata_offset)
				next++;
		}
		if (rotated >= v->rotate_count ||
		    owner != v->rotate_offset + rotated * v->rotate_size)
			continue;
		if (record.type != TYPE_A && record.type != TYPE_AAAA)
			return false;
		if (record.rdata_offset + record.rdata_len - record.owner_offset != v->rotate_size)
			return false;
		rotated++;
	}
	return next == v->ttl_count && rotated == v->rotate_count;
}

/* The message as it would be sent, into a buffer of the caller's; its length. */
static size_t render(const struct entry *e, const struct answer_view *v, struct writer *w)
{
	writer_u16(w, 0);
	writer_u16(w, FLAG_QR);
	writer_u16(w, 1);
	for (size_t i = 0; i < ARRAY_LEN(v->counts); i++)
		writer_u16(w, v->counts[i]);
	writer_bytes(w, span_of(entry_name(e), e->name_len));
	writer_u16(w, e->type);
	writer_u16(w, CLASS_IN);
	writer_bytes(w, v->body);
	return w->failed ? 0 : writer_len(w);
}

static bool answer_entry_is_valid(const struct entry *e)
{
	struct answer_view v;
	if (entry_answer(e, &v) != OK)
		return false;
	size_t size = MESSAGE_HEADER_SIZE + (size_t)e->name_len + QUESTION_TAIL + v.body.len;
	if (size > MESSAGE_MAX)
		return false;
	uint8_t *wire = malloc(size);
	if (!wire)
		return false;
	struct writer w = writer_of(wire, size);
	struct message m;
	bool valid = render(e, &v, &w) == size && message_view(writer_span(&w), &m) == OK &&
		     m.opt_count == 0 && tables_fit(&v, &m);
	free(wire);
	return valid;
}

static bool payload_is_valid(const struct entry *e)
{
	switch ((enum entry_kind)e->kind) {
	case ENTRY_RRSET:
		return rrset_entry_is_valid(e);
	case ENTRY_ANSWER:
	case ENTRY_ANSWER_DO:
		return answer_entry_is_valid(e);
	case ENTRY_DELEGATION: {
		struct delegation d;
		return delegation_unpack(entry_payload(e), &d) == OK && d.count > 0;
	}
	case ENTRY_FAILURE: /* the reason is in the text; whatever stands here is never read */
		return true;
	case ENTRY_KIND_COUNT:
		break;
	}
	return false;
}

/* The message that was rendered, but for its header's fields, in WIRE. */
static enum err restore_message(const struct entry *e, uint8_t wire[static MESSAGE_MAX],
				struct message *out)
{
	struct answer_view view;
	if (entry_answer(e, &view) != OK)
		return ERR_MALFORMED;
	struct writer w = writer_of(wire, MESSAGE_MAX);
	writer_u16(&w, 0);
	writer_u16(&w, FLAG_QR);
	writer_u16(&w, 1);
	for (size_t i = 0; i < ARRAY_LEN(view.counts); i++)
		writer_u16(&w, view.counts[i]);
	writer_bytes(&w, span_of(entry_name(e), e->name_len));
	writer_u16(&w, TYPE_ANY);
	writer_u16(&w, CLASS_IN);
	writer_bytes(&w, view.body);
	return w.failed ? ERR_MALFORMED : message_view(writer_span(&w), out);
}

static bool name_passes(const struct message *m, size_t offset, const uint8_t *name, bool subtree)
{
	uint8_t here[DNAME_MAX];
	if (!subtree)
		return message_name_equal(m, offset, name);
	message_name(m, offset, here);
	return dname_is_within(here, name);
}

bool entry_passes(const struct entry *e, const uint8_t *name, bool subtree)
{
	uint8_t wire[MESSAGE_MAX];
	struct message m;
	struct record r;
	if (e->kind != ENTRY_ANSWER && e->kind != ENTRY_ANSWER_DO)
		return false;
	if (restore_message(e, wire, &m) != OK)
		return true;
	struct record_iter it = record_iter_of(&m);
	while (record_next(&it, &r) && r.section == SECTION_ANSWER) {
		if (name_passes(&m, r.owner_offset, name, subtree))
			return true;
		/* A denial at the chain's end has no owner but the zone's. */
		if (r.type == TYPE_CNAME && name_passes(&m, r.rdata_offset, name, subtree))
			return true;
	}
	return false;
}

static bool name_is_valid(const struct entry *e)
{
	size_t len;
	if (dname_view(span_of(entry_name(e), e->name_len), &len) != OK || len != e->name_len)
		return false;
	uint8_t lower[DNAME_MAX];
	dname_lower(entry_name(e), lower);
	return memcmp(lower, entry_name(e), len) == 0;
}

bool entry_is_valid(const struct entry *e, size_t size_bytes)
{
	if (size_bytes < ENTRY_HEADER_SIZE || size_bytes > ENTRY_MAX || e->size_bytes != size_bytes)
		return false;
	if (size_bytes - ENTRY_HEADER_SIZE < (size_t)e->name_len + e->text_len)
		return false;
	if (e->kind >= ENTRY_KIND_COUNT || e->verdict > VERDICT_BOGUS)
		return false;
	if (e->rank < RANK_GLUE || e->rank > RANK_SECURE)
		return false;
	if (e->ttl_s > ttl_max_s || e->expires_ms < 0 || e->expires_ms > expires_max_ms)
		return false;
	return name_is_valid(e) && payload_is_valid(e);
}
