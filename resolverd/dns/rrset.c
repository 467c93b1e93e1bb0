#include "dns/rrset.h"

#include <stdlib.h>

#include "base/require.h"
#include "dns/rdata.h"

/* RDATAs on their way into a packed list. 8 kB, meant for the stack. */
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

static int compare_items(const void *a, const void *b, void *type)
{
	return rdata_compare(*(const uint16_t *)type, *(const struct span *)a,
			     *(const struct span *)b);
}

/* Sort and drop what is there twice. RFC 4034 §6.3, RFC 2181 §5. */
static void gathered_sort(struct gathered *g)
{
	if (g->count < 2)
		return;
	qsort_r(g->items, g->count, sizeof(g->items[0]), compare_items, &g->type);
	unsigned kept = 1;
	for (unsigned i = 1; i < g->count; i++) {
		if (rdata_compare(g->type, g->items[kept - 1], g->items[i]) != 0)
			g->items[kept++] = g->items[i];
	}
	g->count = kept;
}

/* Sorted, without duplicates, packed into ARENA. ERR_LIMIT, ERR_NO_MEMORY. */
static enum err gathered_pack(struct gathered *g, struct arena *arena, struct span *out)
{
	gathered_sort(g);

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

/* Add the RDATA of R: borrowed from the message, or expanded into ARENA if it holds names. */
static enum err gathered_add(struct gathered *g, const struct message *m, const struct record *r,
			     struct arena *arena)
{
	if (g->count == g->max)
		return ERR_LIMIT;
	struct span rdata = span_of(m->wire.at + r->rdata_offset, r->rdata_len);
	if (type_has_packed_names(r->type)) {
		size_t len = message_rdata_len(m, r);
		uint8_t *expanded = arena_alloc(arena, len);
		if (!expanded)
			return ERR_NO_MEMORY;
		enum err err = message_rdata(m, r, expanded, len, &len);
		if (err)
			return ERR_MALFORMED; /* longer than RDATA can be */
		rdata = span_of(expanded, len);
	}
	g->items[g->count++] = rdata;
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

	gathered_init(&records, type, RRSET_RECORDS_MAX);
	if (count == 0)
		return ERR_NOT_FOUND;
	if (count > records.max)
		return ERR_LIMIT;
	for (size_t i = 0; i < count; i++) {
		if (rdatas[i].len > UINT16_MAX || !rdata_is_valid(type, rdatas[i]))
			return ERR_MALFORMED;
		records.items[records.count++] = rdatas[i];
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
