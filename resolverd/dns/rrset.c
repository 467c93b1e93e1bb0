#include "dns/rrset.h"

#include "base/require.h"
#include "dns/rdata.h"

enum {
	EXPANDED_MAX = 2 * DNAME_MAX + 20
}; /* SOA, the longest of those whose names are compressed */

/* RDATAs on their way into a packed list, in canonical order and none twice. 8 kB, meant for the
 * stack. */
struct gathered {
	uint16_t type;
	unsigned count, max;
	struct span items[RRSET_RECORDS_MAX];
};

static void gathered_init(struct gathered *g, uint16_t type, unsigned max)
{
	REQUIRE(max <= ARRAY_LEN(g->items));
	g->type = type;
	g->count = 0;
	g->max = max;
}

/* Where RDATA belongs among those that are there, in canonical order (RFC 4034 §6.3). False: it is there
 * already (RFC 2181 §5). */
static bool gathered_place(const struct gathered *g, struct span rdata, unsigned *out)
{
	unsigned low = 0, high = g->count;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		int order = rdata_compare(g->type, rdata, g->items[middle]);
		if (order == 0)
			return false;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	*out = low;
	return true;
}

static void gathered_insert(struct gathered *g, unsigned at, struct span rdata)
{
	memmove(g->items + at + 1, g->items + at, (g->count - at) * sizeof(g->items[0]));
	g->items[at] = rdata;
	g->count++;
}

/* Packed into ARENA. ERR_LIMIT, ERR_NO_MEMORY. */
static enum err gathered_pack(const struct gathered *g, struct arena *arena, struct span *out)
{
	size_t total = 0;
	for (unsigned i = 0; i < g->count; i++)
		total += sizeof(uint16_t) + g->items[i].len;
	if (total > RRSET_BYTES_MAX)
		return ERR_LIMIT;
	uint8_t *at = arena_alloc(arena, total);
	if (!at)
		return ERR_NO_MEMORY;
	*out = span_of(at, total);
	for (unsigned i = 0; i < g->count; i++) {
		uint16_t len = (uint16_t)g->items[i].len;
		memcpy(at, &len, sizeof(len));
		if (len > 0)
			memcpy(at + sizeof(len), g->items[i].at, len);
		at += sizeof(len) + len;
	}
	return OK;
}

static bool type_has_packed_names(uint16_t type)
{
	for (const enum rdata_field *f = type_info(type)->layout; *f != RDATA_END; f++) {
		if (*f == RDATA_NAME)
			return true;
	}
	return false;
}

/*
 * The RDATA of R, which holds names, expanded: into ROOM, or into ARENA if that is too small, as it is
 * for nothing that has compressed names in it. 500 records of two octets may stand for as many names of
 * 255: what is there twice must not take memory first.
 */
static enum err expand(const struct message *m, const struct record *r,
		       uint8_t room[static EXPANDED_MAX], struct arena *arena, struct span *out)
{
	size_t len = message_rdata_len(m, r);
	uint8_t *at = len <= EXPANDED_MAX ? room : arena_alloc(arena, len);
	if (!at)
		return ERR_NO_MEMORY;
	if (message_rdata(m, r, at, len, &len) != OK)
		return ERR_MALFORMED; /* longer than RDATA can be */
	*out = span_of(at, len);
	return OK;
}

/* Add the RDATA of R unless it is there: borrowed from the message, or expanded into ARENA. */
static enum err gathered_add(struct gathered *g, const struct message *m, const struct record *r,
			     struct arena *arena)
{
	uint8_t room[EXPANDED_MAX];
	struct span rdata = span_of(m->wire.at + r->rdata_offset, r->rdata_len);
	unsigned at;
	if (type_has_packed_names(r->type)) {
		enum err err = expand(m, r, room, arena, &rdata);
		if (err)
			return err;
	}
	if (!gathered_place(g, rdata, &at))
		return OK;
	if (g->count == g->max)
		return ERR_LIMIT;
	if (rdata.at == room) {
		rdata = arena_copy(arena, rdata);
		if (!rdata.at)
			return ERR_NO_MEMORY;
	}
	gathered_insert(g, at, rdata);
	return OK;
}

static bool record_covers(const struct message *m, const struct record *r, uint16_t type)
{
	if (r->type != TYPE_RRSIG || r->rdata_len < 2)
		return false;
	const uint8_t *covered = m->wire.at + r->rdata_offset;
	return (uint16_t)(covered[0] << 8 | covered[1]) == type;
}

static enum err owner_copy(const struct message *m, const struct record *r, struct arena *arena,
			   struct rrset *out)
{
	uint8_t name[DNAME_MAX];
	struct span copy = arena_copy(arena, span_of(name, message_name(m, r->owner_offset, name)));
	out->owner = copy.at;
	return copy.at ? OK : ERR_NO_MEMORY;
}

enum err rrset_gather(const struct message *m, enum section section, const uint8_t *owner,
		      uint16_t type, struct arena *arena, struct rrset *out)
{
	struct gathered records, sigs;
	struct rrset set = {.type = type, .rclass = CLASS_IN, .ttl_s = UINT32_MAX};
	struct record_iter it = record_iter_of(m);
	struct record r;
	enum err err;

	gathered_init(&records, type, RRSET_RECORDS_MAX);
	gathered_init(&sigs, TYPE_RRSIG, RRSET_SIGS_MAX);
	while (record_next(&it, &r) && r.section <= section) {
		bool is_sig = r.type != type;
		if (r.section != section || (is_sig && !record_covers(m, &r, type)) ||
		    r.rclass != CLASS_IN || !message_name_equal(m, r.owner_offset, owner))
			continue;
		if (!is_sig && !set.owner) {
			err = owner_copy(m, &r, arena, &set);
			if (err)
				return err;
		}
		err = gathered_add(is_sig ? &sigs : &records, m, &r, arena);
		if (err)
			return err;
		set.ttl_s = MIN(set.ttl_s, r.ttl_s);
	}
	if (records.count == 0)
		return ERR_NOT_FOUND;

	err = gathered_pack(&records, arena, &set.rdata);
	if (err)
		return err;
	err = gathered_pack(&sigs, arena, &set.sigs);
	if (err)
		return err;
	set.rr_count = (uint16_t)records.count;
	set.sig_count = (uint16_t)sigs.count;
	*out = set;
	return OK;
}

/* What an RRset is made from. NOLINTNEXTLINE(readability-function-size) */
enum err rrset_from_rdatas(const uint8_t *owner, uint16_t type, uint32_t ttl_s,
			   const struct span *rdatas, size_t count, struct arena *arena,
			   struct rrset *out)
{
	struct gathered records;
	struct rrset set = {.owner = owner, .type = type, .rclass = CLASS_IN, .ttl_s = ttl_s};
	unsigned at;

	gathered_init(&records, type, RRSET_RECORDS_MAX);
	if (count == 0)
		return ERR_NOT_FOUND;
	if (count > records.max)
		return ERR_LIMIT;
	for (size_t i = 0; i < count; i++) {
		if (rdatas[i].len > UINT16_MAX || !rdata_is_valid(type, rdatas[i]))
			return ERR_MALFORMED;
		if (gathered_place(&records, rdatas[i], &at))
			gathered_insert(&records, at, rdatas[i]);
	}
	enum err err = gathered_pack(&records, arena, &set.rdata);
	if (err)
		return err;
	set.rr_count = (uint16_t)records.count;
	*out = set;
	return OK;
}

enum err rrset_copy(const struct rrset *s, struct arena *arena, struct rrset *out)
{
	struct rrset set = *s;
	set.owner = arena_copy(arena, span_of(s->owner, dname_len(s->owner))).at;
	set.rdata = arena_copy(arena, s->rdata);
	set.sigs = arena_copy(arena, s->sigs);
	if (!set.owner || !set.rdata.at || !set.sigs.at)
		return ERR_NO_MEMORY;
	*out = set;
	return OK;
}

void rrset_keep_first(struct rrset *s)
{
	struct rrset_iter it = rrset_records(s);
	struct span rdata;
	REQUIRE(rrset_next(&it, &rdata));
	s->rdata.len -= it.rest.len;
	s->rr_count = 1;
}

/* LIST is COUNT valid RDATAs of TYPE and nothing else; if they are signatures, they cover COVERED. */
static bool list_is_valid(struct span list, unsigned count, uint16_t type, uint16_t covered)
{
	struct rrset_iter it = {list};
	struct span rdata;

	for (unsigned i = 0; i < count; i++) {
		if (!rrset_next(&it, &rdata) || !rdata_is_valid(type, rdata))
			return false;
		if (covered && (uint16_t)(rdata.at[0] << 8 | rdata.at[1]) != covered)
			return false;
	}
	return it.rest.len == 0;
}

bool rrset_is_valid(const struct rrset *s)
{
	if (s->rr_count == 0 || s->rr_count > RRSET_RECORDS_MAX || s->sig_count > RRSET_SIGS_MAX)
		return false;
	if (s->rdata.len > RRSET_BYTES_MAX || s->sigs.len > RRSET_BYTES_MAX)
		return false;
	return list_is_valid(s->rdata, s->rr_count, s->type, 0) &&
	       list_is_valid(s->sigs, s->sig_count, TYPE_RRSIG, s->type);
}

bool rrset_same_data(const struct rrset *a, const struct rrset *b)
{
	struct rrset_iter a_it = rrset_records(a), b_it = rrset_records(b);
	struct span a_rdata, b_rdata;

	if (a->type != b->type || a->rr_count != b->rr_count)
		return false;
	while (rrset_next(&a_it, &a_rdata)) {
		if (!rrset_next(&b_it, &b_rdata) || rdata_compare(a->type, a_rdata, b_rdata) != 0)
			return false;
	}
	return true;
}
