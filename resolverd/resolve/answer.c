#include "resolve/answer.h"

#include "base/cursor.h"

enum {
	QUESTION_TAIL = 4, /* type and class behind the question's name */
	RECORD_FIXED = 10, /* type, class, TTL, length */
	TTL_BACK = 6,	   /* a record's TTL stands this far before its RDATA */
	/* Header words of a rendered answer besides its TTL offsets: cache/entry.h. */
	TABLE_WORDS = 6,
	/* NXDOMAIN that is proven holds for all types of a name. */
	TYPE_OF_NXDOMAIN = 0,
};

/* ---- into the cache -------------------------------------------------------------------------- */

static enum err put(const struct entry_parts *parts, const struct cache_since *to, struct now now,
		    struct arena *scratch)
{
	size_t size = entry_size(parts);
	if (size > ENTRY_MAX)
		return ERR_LIMIT;
	void *bytes = arena_alloc(scratch, size);
	if (!bytes)
		return ERR_NO_MEMORY;
	return cache_put_since(to, entry_make(parts, bytes), now);
}

/* The same for what clients are told as good. Ranks decide between what stands beside each other in replies
 * (RFC 2181 §5.4.1); of two answers to the same question that were accepted the later is better, as where a
 * zone is signed no more, or the public tree has answered for a forwarder that is back. */
static enum err put_newest(const struct entry_parts *parts, const struct cache_since *to,
			   struct now now, struct arena *scratch)
{
	enum err err = put(parts, to, now, scratch);
	if (err != ERR_EXISTS || parts->rank < RANK_FORWARDED || parts->verdict == VERDICT_BOGUS)
		return err;
	(void)cache_remove(to->cache, parts->kind, parts->name, parts->type);
	return put(parts, to, now, scratch);
}

static struct entry_parts rrset_parts(const struct rrset *set)
{
	return (struct entry_parts){
		.kind = ENTRY_RRSET,
		.name = set->owner,
		.type = set->type,
		.ttl_s = set->ttl_s,
		.ede = EDE_NONE,
		.rr_count = set->rr_count,
		.sig_count = set->sig_count,
		.payload = {set->rdata, set->sigs},
	};
}

void answer_store_rrset(const struct rrset *set, enum rank rank, enum verdict verdict,
			uint8_t flags, const struct cache_since *to, struct now now,
			struct arena *scratch)
{
	struct entry_parts parts = rrset_parts(set);
	REQUIRE(verdict != VERDICT_SECURE && rank != RANK_SECURE);
	parts.fetched_ms = now.cache_ms;
	parts.rank = rank;
	parts.verdict = verdict;
	parts.flags = flags;
	/* What the cache does not take is asked again. */
	(void)!put(&parts, to, now, scratch);
}

void answer_store_proven(const struct proven *set, const struct cache_since *to, struct now now,
			 struct arena *scratch)
{
	struct entry_parts parts = rrset_parts(&set->set);
	parts.fetched_ms = now.cache_ms;
	parts.rank = RANK_SECURE;
	parts.verdict = VERDICT_SECURE;
	parts.flags = ENTRY_AUTHENTIC;
	(void)!put(&parts, to, now, scratch);
}

enum err answer_proven(const struct answer *a, const struct rrset *set, struct proven *out)
{
	return a->verdict == VERDICT_SECURE ? proven_again(set, out) : ERR_NOT_FOUND;
}

enum err answer_proven_entry(const struct entry *e, struct now now, struct arena *arena,
			     struct proven *out)
{
	struct rrset set;
	if (e->kind != ENTRY_RRSET || e->verdict != VERDICT_SECURE || !entry_is_fresh(e, now))
		return ERR_NOT_FOUND;
	entry_rrset(e, &set);
	set.ttl_s = entry_ttl_left_s(e, now);
	enum err err = rrset_copy(&set, arena, &set);
	return err ? err : proven_again(&set, out);
}

static bool is_proof(uint16_t type)
{
	return type == TYPE_NSEC || type == TYPE_NSEC3;
}

/* DO clients are told more than others. */
static bool has_dnssec(const struct answer *a)
{
	for (uint32_t i = 0; i < a->answer_count; i++) {
		if (a->answer[i].sig_count > 0)
			return true;
	}
	for (uint32_t i = 0; i < a->authority_count; i++) {
		if (a->authority[i].sig_count > 0 || is_proof(a->authority[i].type))
			return true;
	}
	return false;
}

/* One RRset, owned by the question. */
static bool is_plain(const struct answer *a)
{
	return a->rcode == RCODE_NOERROR && a->answer_count == 1 && a->answer[0].type == a->qtype &&
	       a->answer[0].rclass == CLASS_IN && dname_equal(a->answer[0].owner, a->qname);
}

/* Most bytes that SET takes in a message. */
static size_t size_bound(const struct rrset *set)
{
	size_t records = (size_t)set->rr_count + set->sig_count;
	return set->rdata.len + set->sigs.len + records * (dname_len(set->owner) + RECORD_FIXED);
}

struct rendering {
	struct span table, body;
};

/* Render A's sections behind its question. ERR_NO_SPACE if they make no message. */
static enum err render_message(const struct answer *a, bool with_dnssec, struct arena *scratch,
			       struct span *out)
{
	size_t size = MESSAGE_HEADER_SIZE + DNAME_MAX + QUESTION_TAIL;
	for (uint32_t i = 0; i < a->answer_count; i++)
		size += size_bound(&a->answer[i]);
	for (uint32_t i = 0; i < a->authority_count; i++)
		size += size_bound(&a->authority[i]);
	size = MIN(size, MESSAGE_MAX);
	uint8_t *wire = arena_alloc(scratch, size);
	if (!wire)
		return ERR_NO_MEMORY;

	struct builder b;
	builder_init(&b, wire, size, 0, FLAG_QR);
	if (!builder_question(&b, a->qname, a->qtype, CLASS_IN))
		return ERR_NO_SPACE;
	for (uint32_t i = 0; i < a->answer_count; i++) {
		const struct rrset *set = &a->answer[i];
		if (!builder_rrset(&b, SECTION_ANSWER, set, set->ttl_s, 0, with_dnssec))
			return ERR_NO_SPACE;
	}
	for (uint32_t i = 0; i < a->authority_count; i++) {
		const struct rrset *set = &a->authority[i];
		if (is_proof(set->type) && !with_dnssec)
			continue;
		if (!builder_rrset(&b, SECTION_AUTHORITY, set, set->ttl_s, 0, with_dnssec))
			return ERR_NO_SPACE;
	}
	*out = builder_finish(&b);
	return OK;
}

/* The longest run of addresses that may be rotated: records of one set that are of one size, which
 * they are if the owner is a pointer in each. */
struct rotation {
	size_t offset, size;
	uint16_t count;
	uint16_t type;
};

static void rotation_add(struct rotation *best, struct rotation *run, const struct record *r,
			 size_t end)
{
	size_t size = end - r->owner_offset;
	bool is_address = r->type == TYPE_A || r->type == TYPE_AAAA;
	bool goes_on = run->type == r->type && run->size == size &&
		       run->offset + run->count * run->size == r->owner_offset;
	if (goes_on && is_address)
		run->count++;
	else
		*run = (struct rotation){r->owner_offset, size, is_address ? 1 : 0, r->type};
	if (run->count > 1 && run->count > best->count)
		*best = *run;
}

/* The tables of cache/entry.h for the message in WIRE, and its body. */
static enum err render_tables(struct span wire, struct arena *scratch, struct rendering *out)
{
	struct message m;
	enum err err = message_view(wire, &m);
	if (err) /* the builder's own work: nothing that we could not read ourselves is kept */
		return err;
	size_t records = (size_t)m.counts[SECTION_ANSWER] + m.counts[SECTION_AUTHORITY];
	uint16_t *table = arena_alloc(scratch, (records + TABLE_WORDS) * sizeof(*table));
	if (!table)
		return ERR_NO_MEMORY;

	struct rotation best = {0}, run = {0};
	struct record_iter it = record_iter_of(&m);
	struct record r;
	size_t at = 0;
	for (unsigned section = 0; section < SECTION_COUNT; section++)
		table[at++] = m.counts[section];
	table[at++] = (uint16_t)records;
	while (record_next(&it, &r)) {
		table[at++] = (uint16_t)(r.rdata_offset - TTL_BACK - m.records_offset);
		rotation_add(&best, &run, &r, (size_t)r.rdata_offset + r.rdata_len);
	}
	table[at++] = (uint16_t)(best.count ? best.offset - m.records_offset : 0);
	table[at++] = best.count;
	REQUIRE(at == records + TABLE_WORDS); /* else what is behind it is overwritten */
	out->table = span_of(table, at * sizeof(*table));
	out->body = span_of(wire.at + m.records_offset, wire.len - m.records_offset);
	return OK;
}

/* What A's entries have in common. */
static struct entry_parts answer_parts(const struct answer *a)
{
	/* A denial behind an alias is about another name; one without proof of the type that was asked
	 * for (beside.h). And DS is the parent's: its NXDOMAIN may be that of the public tree for a name
	 * that a forward or stub zone holds. */
	bool all_types = a->rcode == RCODE_NXDOMAIN && a->answer_count == 0 &&
			 a->verdict == VERDICT_SECURE && a->qtype != TYPE_DS;
	bool needs_proof = a->wildcard && has_dnssec(a);
	return (struct entry_parts){
		.name = a->qname,
		.type = all_types ? TYPE_OF_NXDOMAIN : a->qtype,
		.ttl_s = a->verdict == VERDICT_BOGUS ? MIN(a->ttl_s, LIMIT_BOGUS_S) : a->ttl_s,
		.fetched_ms = a->fetched_ms,
		.rank = a->rank,
		.verdict = a->verdict,
		.flags = (uint8_t)((a->verdict == VERDICT_SECURE ? ENTRY_AUTHENTIC : 0) |
				   (needs_proof ? ENTRY_WILDCARD : 0) |
				   (a->synthesised ? ENTRY_SYNTHESISED : 0)),
		.rcode = a->rcode,
		.ede = a->ede,
		.text = a->text,
	};
}

static enum err store_rendered(const struct answer *a, bool with_dnssec,
			       const struct cache_since *to, struct now now, struct arena *scratch)
{
	struct entry_parts parts = answer_parts(a);
	struct rendering rendering;
	struct span wire;
	enum err err = render_message(a, with_dnssec, scratch, &wire);
	if (err)
		return err;
	err = render_tables(wire, scratch, &rendering);
	if (err)
		return err;
	parts.kind = with_dnssec ? ENTRY_ANSWER_DO : ENTRY_ANSWER;
	if (!with_dnssec && has_dnssec(a))
		parts.flags |= ENTRY_HAS_SIGS;
	parts.payload[0] = rendering.table;
	parts.payload[1] = rendering.body;
	return put_newest(&parts, to, now, scratch);
}

static enum err store_plain(const struct answer *a, const struct cache_since *to, struct now now,
			    struct arena *scratch)
{
	struct entry_parts parts = answer_parts(a), set = rrset_parts(&a->answer[0]);
	parts.kind = ENTRY_RRSET;
	parts.rr_count = set.rr_count;
	parts.sig_count = set.sig_count;
	parts.payload[0] = set.payload[0];
	parts.payload[1] = set.payload[1];
	return put_newest(&parts, to, now, scratch);
}

/* A changed answer replaces the old one at once, also where it was of another kind. */
static void remove_others(const struct answer *a, const struct cache_since *to, unsigned stored)
{
	static const enum entry_kind kinds[] = {ENTRY_RRSET, ENTRY_ANSWER, ENTRY_ANSWER_DO};
	uint16_t type = answer_parts(a).type;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!(stored & 1u << kinds[i]))
			cache_remove(to->cache, kinds[i], a->qname, type);
	}
	if (type == TYPE_OF_NXDOMAIN) {
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
			cache_remove(to->cache, kinds[i], a->qname, a->qtype);
		return;
	}
	if (a->rcode == RCODE_NOERROR) {
		cache_remove(to->cache, ENTRY_ANSWER, a->qname, TYPE_OF_NXDOMAIN);
		cache_remove(to->cache, ENTRY_ANSWER_DO, a->qname, TYPE_OF_NXDOMAIN);
	}
}

bool answer_store(const struct answer *a, const struct cache_since *to, struct now now,
		  struct arena *scratch)
{
	if (a->no_store || a->ttl_s == 0 ||
	    (a->rcode != RCODE_NOERROR && a->rcode != RCODE_NXDOMAIN))
		return false;
	unsigned stored = 0;
	bool plain = is_plain(a);
	/* The plain form lacks only a wildcard's proof. */
	bool rendered = !plain || a->wildcard;

	if (plain && store_plain(a, to, now, scratch) == OK)
		stored |= 1u << ENTRY_RRSET;
	if (!plain && store_rendered(a, false, to, now, scratch) == OK)
		stored |= 1u << ENTRY_ANSWER;
	if (rendered && has_dnssec(a) && store_rendered(a, true, to, now, scratch) == OK)
		stored |= 1u << ENTRY_ANSWER_DO;
	/* Bogus data, and what a parent tells in passing, take no other's place. */
	if (stored && a->verdict != VERDICT_BOGUS && a->rank >= RANK_FORWARDED)
		remove_others(a, to, stored);
	return stored != 0;
}

/* ---- out of the cache ------------------------------------------------------------------------ */

struct finding {
	struct cache_reader *reader;
	struct now now;
	struct cache_name qname;
	bool with_sigs;
	const struct entry *best;
};

/* What E is worth: fresh ones before expired ones, then those that may answer (RFC 2181 §5.4.1). */
static unsigned worth(const struct finding *f, const struct entry *e)
{
	return (entry_is_fresh(e, f->now) ? 2 : 0) + (e->rank >= RANK_FORWARDED ? 1 : 0);
}

/* Note E; true if it ends the search. */
static bool note(struct finding *f, const struct entry *e)
{
	unsigned here = worth(f, e), best = f->best ? worth(f, f->best) : 0;
	if (!f->best || here > best || (here == best && e->expires_ms > f->best->expires_ms))
		f->best = e;
	return here == 3;
}

static bool note_rendered(struct finding *f, uint16_t type)
{
	const struct entry *e;
	if (f->with_sigs) {
		e = cache_find_of(f->reader, &f->qname, ENTRY_ANSWER_DO, type);
		if (e && note(f, e))
			return true;
	}
	e = cache_find_of(f->reader, &f->qname, ENTRY_ANSWER, type);
	return e && !(f->with_sigs && (e->flags & ENTRY_HAS_SIGS)) && note(f, e);
}

/* The search goes on behind RRSET, which did not end it; it may be NULL. */
static __attribute__((noinline)) const struct entry *find_more(struct finding *f,
							       const struct entry *rrset,
							       uint16_t qtype)
{
	if (rrset)
		note(f, rrset);
	if (note_rendered(f, qtype))
		return f->best;
	if (qtype != TYPE_DS) /* as in answer_parts() */
		note_rendered(f, TYPE_OF_NXDOMAIN);
	return f->best;
}

const struct entry *answer_find(struct cache_reader *r, const uint8_t *qname, size_t qname_len,
				uint16_t qtype, bool with_sigs, struct now now)
{
	struct cache_name name = cache_name(r, qname, qname_len);
	const struct entry *e = cache_find_of(r, &name, ENTRY_RRSET, qtype);
	if (e && with_sigs && (e->flags & ENTRY_WILDCARD))
		e = NULL; /* it lacks its proof */
	if (LIKELY(e && e->rank >= RANK_FORWARDED && entry_is_fresh(e, now)))
		return e;
	struct finding f = {.reader = r, .now = now, .qname = name, .with_sigs = with_sigs};
	return find_more(&f, e, qtype);
}

/* Seconds that are left of TTL_S, a record's in E; none too many, but one of what is fresh. */
static uint32_t ttl_left_s(const struct entry *e, struct now now, uint32_t ttl_s)
{
	int64_t age_ms = now.cache_ms - entry_fetched_ms(e);
	if (age_ms <= 0)
		return ttl_s;
	int64_t age_s = (age_ms + 999) / 1000;
	uint32_t least_s = MIN(ttl_s, entry_is_fresh(e, now) ? 1u : 0u);
	return age_s < ttl_s ? ttl_s - (uint32_t)age_s : least_s;
}

/* Put the body back behind its question. */
static enum err restore_message(const struct entry *e, const uint8_t *qname, uint16_t qtype,
				struct arena *arena, struct message *m)
{
	struct answer_view view;
	if (entry_answer(e, &view) != OK || dname_len(qname) != e->name_len)
		return ERR_CORRUPT;
	size_t size = MESSAGE_HEADER_SIZE + e->name_len + QUESTION_TAIL + view.body.len;
	uint8_t *wire = arena_alloc(arena, size);
	if (!wire)
		return ERR_NO_MEMORY;
	struct writer w = writer_of(wire, size);
	writer_u16(&w, 0);
	writer_u16(&w, FLAG_QR);
	writer_u16(&w, 1);
	for (unsigned section = 0; section < SECTION_COUNT; section++)
		writer_u16(&w, view.counts[section]);
	writer_bytes(&w, span_of(qname, e->name_len));
	writer_u16(&w, qtype);
	writer_u16(&w, CLASS_IN);
	writer_bytes(&w, view.body);
	if (w.failed)
		return ERR_CORRUPT;
	return message_view(writer_span(&w), m) == OK ? OK : ERR_CORRUPT;
}

/* The sets of one section, in order. */
struct harvest {
	struct rrset *sets;
	uint32_t *count, max;
};

static bool is_harvested(const struct harvest *h, const struct message *m, const struct record *r)
{
	for (uint32_t i = 0; i < *h->count; i++) {
		if (h->sets[i].type == r->type &&
		    message_name_equal(m, r->owner_offset, h->sets[i].owner))
			return true;
	}
	return false;
}

static enum err harvest_record(struct harvest *h, const struct message *m, const struct record *r,
			       struct arena *arena)
{
	uint8_t owner[DNAME_MAX];
	if (is_harvested(h, m, r))
		return OK;
	if (*h->count == h->max)
		return ERR_CORRUPT;
	message_name(m, r->owner_offset, owner);
	enum err err = rrset_gather(m, r->section, owner, r->type, arena, &h->sets[*h->count]);
	if (err)
		return err == ERR_NO_MEMORY ? err : ERR_CORRUPT;
	*h->count += 1;
	return OK;
}

static enum err harvest_message(const struct message *m, struct arena *arena, struct answer *out)
{
	struct harvest answer = {out->answer, &out->answer_count, ANSWER_SETS_MAX};
	struct harvest authority = {out->authority, &out->authority_count, ANSWER_AUTHORITY_MAX};
	struct record_iter it = record_iter_of(m);
	struct record r;
	while (record_next(&it, &r)) {
		bool in_answer = r.section == SECTION_ANSWER;
		/* Signatures come with what they cover, unless they are what was asked for. */
		if (r.type == TYPE_RRSIG && !(in_answer && out->qtype == TYPE_RRSIG))
			continue;
		enum err err = harvest_record(in_answer ? &answer : &authority, m, &r, arena);
		if (err)
			return err;
	}
	return OK;
}

static enum err harvest_rrset(const struct entry *e, struct arena *arena, struct answer *out)
{
	struct rrset set;
	entry_rrset(e, &set);
	enum err err = rrset_copy(&set, arena, &out->answer[0]);
	if (err == OK)
		out->answer_count = 1;
	return err;
}

static enum err copy_text(const struct entry *e, struct arena *arena, struct answer *out)
{
	struct span text = entry_text(e);
	if (text.len == 0)
		return OK;
	char *copy = arena_alloc(arena, text.len + 1);
	if (!copy)
		return ERR_NO_MEMORY;
	memcpy(copy, text.at, text.len);
	out->text = copy;
	return OK;
}

enum err answer_from_entry(const struct entry *e, const uint8_t *qname, uint16_t qtype,
			   struct now now, struct arena *arena, struct answer *out)
{
	struct message m;
	REQUIRE(e->kind != ENTRY_DELEGATION); /* referrals are nobody's answer: wrong data */
	*out = (struct answer){
		.qtype = qtype,
		.rcode = e->rcode,
		.verdict = e->verdict,
		.rank = e->rank,
		.ede = e->ede,
		.ttl_s = entry_ttl_left_s(e, now),
		.fetched_ms = entry_fetched_ms(e),
		.wildcard = (e->flags & ENTRY_WILDCARD) != 0,
		.stale = !entry_is_fresh(e, now),
		.from_cache = true,
		.synthesised = (e->flags & ENTRY_SYNTHESISED) != 0,
	};
	out->qname = arena_copy(arena, span_of(qname, dname_len(qname))).at;
	enum err err = out->qname ? copy_text(e, arena, out) : ERR_NO_MEMORY;
	if (err || e->kind == ENTRY_FAILURE)
		return err;

	if (e->kind == ENTRY_RRSET) {
		err = harvest_rrset(e, arena, out);
	} else {
		err = restore_message(e, out->qname, qtype, arena, &m);
		if (err == OK)
			err = harvest_message(&m, arena, out);
	}
	for (uint32_t i = 0; i < out->answer_count; i++)
		out->answer[i].ttl_s = ttl_left_s(e, now, out->answer[i].ttl_s);
	for (uint32_t i = 0; i < out->authority_count; i++)
		out->authority[i].ttl_s = ttl_left_s(e, now, out->authority[i].ttl_s);
	return err;
}
