#include "dns/builder.h"

#include "base/require.h"
#include "dns/fold.h"
#include "dns/rdata.h"

/*
 * Compression. name_offsets is a hash table of the places where label runs start: buckets of
 * BUCKET_SLOTS offsets, 0 for free, chosen by a hash over the folded suffix. A name is looked up
 * from its last label to its first, and the search ends at the first suffix that is not known, so a
 * name costs one pass over its bytes and at most BUCKET_SLOTS looks per label: nobody's choice of
 * names makes it dearer. Two places are the same suffix if their first labels agree and what
 * follows is the same place; a full bucket only costs compression.
 *
 * Offsets at or behind b->len are what is left of a record that did not fit; they are dropped when
 * it is rolled back.
 */
enum {
	BUCKET_SLOTS = 4,
	BUCKETS = BUILDER_NAMES_MAX / BUCKET_SLOTS,
	POINTER_MAX = 0x3fff, /* RFC 1035 §4.1.4: 14 bits of offset */
	RECORD_FIXED_SIZE = 10,
};

static_assert(BUCKETS * BUCKET_SLOTS == BUILDER_NAMES_MAX, "the table is all buckets");

static void store_u16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

void builder_init(struct builder *b, uint8_t *wire, size_t size, uint16_t id, uint16_t flags)
{
	REQUIRE(size >= MESSAGE_HEADER_SIZE); /* else what is behind the buffer is overwritten */
	*b = (struct builder){.wire = wire, .size = size, .len = MESSAGE_HEADER_SIZE};
	memset(wire, 0, MESSAGE_HEADER_SIZE);
	store_u16(wire, id);
	store_u16(wire + 2, flags);
}

void builder_set_flags(struct builder *b, uint16_t flags)
{
	store_u16(b->wire + 2, flags);
}

struct span builder_finish(struct builder *b)
{
	for (size_t i = 0; i < ARRAY_LEN(b->counts); i++)
		store_u16(b->wire + 4 + 2 * i, b->counts[i]);
	return span_of(b->wire, b->len);
}

/* A writer over the free bytes; builder_commit() keeps what it wrote. */
static struct writer builder_writer(struct builder *b)
{
	size_t size = MIN(b->size, MESSAGE_MAX);
	return writer_of(b->wire + b->len, size > b->len ? size - b->len : 0);
}

static bool builder_commit(struct builder *b, const struct writer *w)
{
	if (!w->failed) {
		b->len = (size_t)(w->at - b->wire);
		return true;
	}
	for (size_t i = 0; i < BUILDER_NAMES_MAX; i++) {
		if (b->name_offsets[i] >= b->len) {
			b->name_offsets[i] = 0;
			b->name_count--;
		}
	}
	return false;
}

/* FNV-1a, carried on from the labels behind. No key: a collision costs nothing but compression. */
static uint32_t label_hash(uint32_t hash, const uint8_t *label)
{
	for (unsigned i = 0; i <= label[0]; i++)
		hash = (hash ^ fold_byte(label[i])) * 16777619u;
	return hash;
}

static uint16_t *bucket_of(struct builder *b, uint32_t hash)
{
	size_t bucket = (hash ^ hash >> 15) % BUCKETS;
	return b->name_offsets + bucket * BUCKET_SLOTS;
}

/* Where the run behind the label at OFFSET begins, a pointer followed; 0 for the root. */
static uint16_t next_run(const struct builder *b, uint16_t offset)
{
	const uint8_t *at = b->wire + offset + 1 + b->wire[offset];
	if (at[0] >= 0xc0)
		return (uint16_t)((at[0] & 0x3f) << 8 | at[1]);
	return at[0] ? (uint16_t)(at - b->wire) : 0;
}

/* The place of LABEL followed by the run at SUFFIX (0: the root), or 0 if not known. */
static uint16_t find_run(struct builder *b, uint32_t hash, const uint8_t *label, uint16_t suffix)
{
	const uint16_t *bucket = bucket_of(b, hash);
	for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
		uint16_t offset = bucket[i];
		if (offset && b->wire[offset] == label[0] &&
		    fold_equal(b->wire + offset, label, 1u + label[0]) &&
		    next_run(b, offset) == suffix)
			return offset;
	}
	return 0;
}

static void remember_run(struct builder *b, uint32_t hash, size_t offset)
{
	uint16_t *bucket = bucket_of(b, hash);
	if (offset > POINTER_MAX)
		return;
	for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
		if (bucket[i] == 0) {
			bucket[i] = (uint16_t)offset;
			b->name_count++;
			return;
		}
	}
}

/* Append DNAME: the labels that are new, then a pointer to the rest or the root. */
static void write_name(struct builder *b, struct writer *w, const uint8_t *dname)
{
	uint8_t starts[DNAME_LABELS_MAX];
	uint32_t hashes[DNAME_LABELS_MAX];
	unsigned count = 0;
	for (unsigned at = 0; dname[at]; at += 1u + dname[at])
		starts[count++] = (uint8_t)at;

	/* The longest known suffix begins at label FRESH; the labels before it are new. */
	unsigned fresh = count;
	uint16_t known = 0;
	uint32_t hash = 2166136261u;
	bool searching = true;
	for (unsigned i = count; i-- > 0;) {
		hash = hashes[i] = label_hash(hash, dname + starts[i]);
		uint16_t found = searching ? find_run(b, hash, dname + starts[i], known) : 0;
		searching = found != 0;
		if (found) {
			known = found;
			fresh = i;
		}
	}

	size_t base = (size_t)(w->at - b->wire);
	size_t fresh_len = fresh < count ? starts[fresh] : dname_len(dname) - 1;
	writer_bytes(w, span_of(dname, fresh_len));
	if (known)
		writer_u16(w, (uint16_t)(0xc000 | known));
	else
		writer_u8(w, 0);
	if (w->failed)
		return;
	for (unsigned i = 0; i < fresh; i++)
		remember_run(b, hashes[i], base + starts[i]);
}

bool builder_question(struct builder *b, const uint8_t *qname, uint16_t qtype, uint16_t qclass)
{
	if (b->counts[1] > 0 || b->counts[2] > 0 || b->counts[3] > 0)
		b->broken = true;
	if (b->broken)
		return false;
	struct writer w = builder_writer(b);
	write_name(b, &w, qname);
	writer_u16(&w, qtype);
	writer_u16(&w, qclass);
	if (!builder_commit(b, &w))
		return false;
	b->counts[0]++;
	return true;
}

static void write_rdata(struct builder *b, struct writer *w, uint16_t type, struct span rdata)
{
	const struct type_info *info = type_info(type);
	const enum rdata_field *field = info->layout;

	if (!info->compress) {
		writer_bytes(w, rdata);
		return;
	}
	for (; *field != RDATA_END; field++) {
		ptrdiff_t len = rdata_field_len(*field, rdata);
		if (len < 0) {
			b->broken = w->failed = true;
			return;
		}
		if (*field == RDATA_NAME)
			write_name(b, w, rdata.at);
		else
			writer_bytes(w, span_of(rdata.at, (size_t)len));
		rdata = span_of(rdata.at + len, rdata.len - (size_t)len);
	}
	if (rdata.len > 0)
		b->broken = w->failed = true;
}

struct record_head { /* what the records of a set share */
	const uint8_t *owner;
	uint16_t type, rclass;
	uint32_t ttl_s;
};

static void write_record(struct builder *b, struct writer *w, const struct record_head *head,
			 struct span rdata)
{
	if (rdata.len > UINT16_MAX) {
		b->broken = w->failed = true;
		return;
	}
	write_name(b, w, head->owner);
	writer_u16(w, head->type);
	writer_u16(w, head->rclass);
	writer_u32(w, head->ttl_s);
	uint8_t *rdata_len = writer_reserve(w, 2);
	write_rdata(b, w, head->type, rdata);
	if (!w->failed)
		store_u16(rdata_len, (uint16_t)(w->at - rdata_len - 2));
}

/* SECTION's count, or NULL; later sections must be empty still. */
static uint16_t *section_count(struct builder *b, enum section section)
{
	if ((unsigned)section >= SECTION_COUNT)
		b->broken = true;
	for (unsigned later = (unsigned)section + 1; later < SECTION_COUNT; later++)
		b->broken = b->broken || b->counts[1 + later] > 0;
	return b->broken ? NULL : &b->counts[1 + section];
}

/* The fields of one record. NOLINTNEXTLINE(readability-function-size) */
bool builder_record(struct builder *b, enum section section, const uint8_t *owner, uint16_t type,
		    uint16_t rclass, uint32_t ttl_s, struct span rdata)
{
	const struct record_head head = {owner, type, rclass, ttl_s};
	uint16_t *count = section_count(b, section);
	if (!count)
		return false;
	struct writer w = builder_writer(b);

	write_record(b, &w, &head, rdata);
	if (!builder_commit(b, &w))
		return false;
	*count += 1;
	return true;
}

/* The records of SET from number FROM up to, not including, number END. */
static void write_records(struct builder *b, struct writer *w, const struct record_head *head,
			  struct rrset_iter it, unsigned from, unsigned end)
{
	struct span rdata;
	for (unsigned i = 0; i < end && !w->failed && rrset_next(&it, &rdata); i++) {
		if (i >= from)
			write_record(b, w, head, rdata);
	}
}

bool builder_rrset(struct builder *b, enum section section, const struct rrset *set, uint32_t ttl_s,
		   unsigned first, bool with_sigs)
{
	struct record_head head = {set->owner, set->type, set->rclass, ttl_s};
	uint16_t *count = section_count(b, section);
	if (!count)
		return false;
	struct writer w = builder_writer(b);

	first = set->rr_count ? first % set->rr_count : 0;
	write_records(b, &w, &head, rrset_records(set), first, set->rr_count);
	write_records(b, &w, &head, rrset_records(set), 0, first);
	if (with_sigs) {
		head.type = TYPE_RRSIG;
		write_records(b, &w, &head, rrset_sigs(set), 0, set->sig_count);
	}
	if (!builder_commit(b, &w))
		return false;
	*count = (uint16_t)(*count + set->rr_count + (with_sigs ? set->sig_count : 0));
	return true;
}
