#include "sim/liar_rules.h"

#include "base/cursor.h"
#include "dns/rdata.h"
#include "sim/secure.h"
#include "sim/sim.h"

enum { DAY_S = 86400, YEAR_S = 365 * DAY_S, RDATA_MAX = 600 };
enum {
	TAG_AT = 16,
	LABELS_AT = 3,
	TTL_AT = 4,
	EXPIRATION_AT = 8,
	INCEPTION_AT = 12,
	SIGNER_AT = 18
};

/* ---- what there is to choose from ------------------------------------------------------------ */

static struct span keep(struct draft *d, struct span bytes)
{
	struct span out = arena_copy(&d->s->world.arena, bytes);
	REQUIRE(out.at);
	return out;
}

/* A set of the lie's kind, or any; NULL if there is none. */
static struct piece *pick(struct draft *d)
{
	unsigned fitting = 0;
	for (unsigned i = 0; i < d->count; i++)
		fitting += d->pieces[i].type == d->kind;
	unsigned drawn = prng_below(&d->dice, fitting ? fitting : d->count);
	for (unsigned i = 0; i < d->count; i++)
		if ((!fitting || d->pieces[i].type == d->kind) && drawn-- == 0)
			return &d->pieces[i];
	return NULL;
}

static struct piece *push(struct draft *d, enum section section, const uint8_t *owner,
			  uint16_t type)
{
	if (d->count == PIECES_MAX)
		return NULL;
	struct piece *p = &d->pieces[d->count++];
	*p = (struct piece){
		.section = section, .owner = owner, .type = type, .ttl_s = 300, .sig_ttl_s = 300};
	return p;
}

static void push_rdata(struct piece *p, struct span rdata)
{
	if (p && p->rdata_count < PIECE_RDATAS)
		p->rdatas[p->rdata_count++] = rdata;
}

/* SET as Z has it, with its signatures. */
static void push_set(struct draft *d, enum section section, const struct zone *z, struct rrset *set)
{
	struct piece *p = push(d, section, set->owner, set->type);
	struct rrset_iter it;
	struct span rdata;
	if (!p)
		return;
	secure_sign(&d->s->world, z, set);
	p->ttl_s = p->sig_ttl_s = set->ttl_s;
	for (it = rrset_records(set); rrset_next(&it, &rdata);)
		push_rdata(p, rdata);
	for (it = rrset_sigs(set); rrset_next(&it, &rdata) && p->sig_count < PIECE_SIGS;)
		p->sigs[p->sig_count++] = rdata;
}

static const struct zone *some_signed_zone(struct draft *d)
{
	const struct world *w = &d->s->world;
	const struct zone *z = w->zones[prng_below(&d->dice, w->zone_count)];
	return z->security ? z : w->zones[0];
}

/* The signed zone that OWNER's records are of. */
static const struct zone *zone_of(const struct draft *d, const uint8_t *owner, uint16_t type)
{
	const struct zone *z = world_zone_for(&d->s->world, owner, type);
	while (!z->security)
		z = z->parent;
	return z;
}

static const uint8_t *some_name(struct draft *d)
{
	struct world *w = &d->s->world;
	switch (prng_below(&d->dice, 5)) {
	case 0:
		return w->hosts[prng_below(&d->dice, w->host_count)]->name;
	case 1:
		return w->zones[prng_below(&d->dice, w->zone_count)]->apex;
	default:
		return w->names[prng_below(&d->dice, w->name_count)];
	}
}

/* What was asked for, or a name around it; now and then any. */
static const uint8_t *near_name(struct draft *d)
{
	struct world *w = &d->s->world;
	const uint8_t *qname = keep(d, span_of(d->qname, dname_len(d->qname))).at;
	unsigned labels = dname_label_count(qname), choice = prng_below(&d->dice, 10);
	if (choice < 5 || labels == 0)
		return qname;
	const uint8_t *above = dname_skip(qname, 1 + prng_below(&d->dice, labels));
	if (choice < 7)
		return above;
	if (choice < 8)
		return world_label(w, above, prng_percent(&d->dice, 50) ? "*" : "evil");
	return some_name(d);
}

/* ---- records that nobody signed -------------------------------------------------------------- */

static void write_bitmap(struct draft *d, struct writer *out)
{
	static const uint8_t lists[][5] = {
		{TYPE_NS, TYPE_RRSIG, TYPE_NSEC}, /* a delegation without DS */
		{TYPE_NS},
		{TYPE_RRSIG, TYPE_NSEC},
		{TYPE_RRSIG},
		{TYPE_A, TYPE_RRSIG, TYPE_NSEC},
		{TYPE_CNAME, TYPE_RRSIG, TYPE_NSEC},
		{TYPE_NS, TYPE_SOA, TYPE_RRSIG, TYPE_NSEC},
	};
	const uint8_t *types =
		lists[prng_percent(&d->dice, 50) ? prng_below(&d->dice, 2)
						 : prng_below(&d->dice, ARRAY_LEN(lists))];
	uint8_t bits[32] = {0}, len = 0;
	for (unsigned i = 0; i < 5 && types[i]; i++) {
		bits[types[i] / 8] |= (uint8_t)(0x80 >> (types[i] & 7));
		len = MAX(len, (uint8_t)(types[i] / 8 + 1));
	}
	writer_u8(out, 0);
	writer_u8(out, len);
	writer_bytes(out, span_of(bits, len));
}

static void write_nsec(struct draft *d, const uint8_t *owner, struct writer *out)
{
	struct world *w = &d->s->world;
	const uint8_t *apex = zone_of(d, owner, d->qtype)->apex, *next = apex;
	unsigned choice = prng_below(&d->dice, 4);
	if (choice == 1)
		next = world_label(w, owner, "0");
	if (choice == 2)
		next = owner;
	if (choice == 3)
		next = world_label(w, apex, "zzz");
	writer_bytes(out, span_of(next, dname_len(next)));
	write_bitmap(d, out);
}

static void add_one(uint8_t hash[static 20], uint8_t step)
{
	for (unsigned i = 20; i-- > 0;) {
		hash[i] = (uint8_t)(hash[i] + step);
		if (step == 1 ? hash[i] != 0 : hash[i] != 0xff)
			return;
	}
}

/* An NSEC3 that matches OWNER, or covers it. */
static const uint8_t *write_nsec3(struct draft *d, const uint8_t *owner, struct writer *out)
{
	struct world *w = &d->s->world;
	const struct zone *z = zone_of(d, owner, d->qtype);
	uint8_t hash[20], next[20];
	secure_hash(z, owner, hash);
	memcpy(next, hash, sizeof(next));
	if (prng_percent(&d->dice, 40))
		add_one(hash, 0xff);
	if (prng_percent(&d->dice, 90))
		add_one(next, 1);
	bool is_salted = prng_percent(&d->dice, 50) || z->security->nsec3;
	if (!is_salted) {
		uint8_t name[DNAME_MAX];
		REQUIRE(EVP_Digest(name, dname_lower(owner, name), hash, NULL, EVP_sha1(), NULL) ==
			1);
		memcpy(next, hash, sizeof(next));
		add_one(next, 1);
	}
	writer_u8(out, 1);
	writer_u8(out, prng_percent(&d->dice, 50) ? NSEC3_OPT_OUT : 0);
	writer_u16(out, is_salted ? z->security->iterations : 0);
	writer_u8(out, is_salted ? sizeof(z->security->salt) : 0);
	if (is_salted)
		writer_bytes(out, span_of(z->security->salt, sizeof(z->security->salt)));
	writer_u8(out, 20);
	writer_bytes(out, span_of(next, 20));
	write_bitmap(d, out);
	return secure_hashed_owner(w, z->apex, hash);
}

static void write_soa(struct draft *d, const uint8_t *owner, struct writer *out)
{
	static const uint32_t numbers[] = {7, 7200, 3600, 1209600, 86400};
	const uint8_t *mname = world_label(&d->s->world, owner, "evil");
	writer_bytes(out, span_of(mname, dname_len(mname)));
	writer_bytes(out, span_of(mname, dname_len(mname)));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		writer_u32(out, numbers[i]);
}

static const struct signer_key *stranger(struct draft *d)
{
	return keyring_own(d->s->keyring, KEYRING_OWN, false);
}

/* RDATA of TYPE that is in no zone. */
static struct span lie_rdata(struct draft *d, uint16_t type, const uint8_t *owner)
{
	uint8_t bytes[RDATA_MAX], ds[SIGNER_DS_MAX];
	struct writer out = writer_of(bytes, sizeof(bytes));
	const uint8_t *name;
	switch (type) {
	case TYPE_MX:
		writer_u16(&out, 10);
		/* fall through */
	case TYPE_NS:
	case TYPE_CNAME:
	case TYPE_DNAME:
		name = some_name(d);
		writer_bytes(&out, span_of(name, dname_len(name)));
		break;
	case TYPE_AAAA:
		writer_u32(&out, 0x20010db8);
		writer_u32(&out, 0);
		writer_u32(&out, 0);
		writer_u32(&out, 0x66006600);
		break;
	case TYPE_SOA:
		write_soa(d, owner, &out);
		break;
	case TYPE_DS:
		writer_bytes(&out, span_of(ds, signer_ds(stranger(d), owner, 2, ds)));
		break;
	case TYPE_DNSKEY:
		writer_bytes(&out, signer_dnskey(stranger(d)));
		break;
	case TYPE_NSEC:
		write_nsec(d, owner, &out);
		break;
	case TYPE_NSEC3:
		write_nsec3(d, owner, &out);
		break;
	case TYPE_TXT:
		writer_u8(&out, 3);
		/* fall through */
	default:
		writer_bytes(&out, span_of(world_poison, type == TYPE_TXT ? 3 : 4));
	}
	REQUIRE(!out.failed);
	return keep(d, writer_span(&out));
}

/* ---- signatures ------------------------------------------------------------------------------ */

struct hand { /* who signs, and what he says of it */
	const struct signer_key *key;
	const uint8_t *signer;
	uint16_t tag;
	int64_t from_s, until_s; /* seconds from now */
};

static bool write_signature(struct draft *d, const struct piece *p, const struct hand *h,
			    struct span *out)
{
	uint8_t rdata[SIGNER_RDATA_MAX];
	struct rrset set;
	const struct zone *root = d->s->world.zones[0];
	uint32_t now_s = (uint32_t)root->security->unix_s;
	if (p->rdata_count == 0 ||
	    rrset_from_rdatas(p->owner, p->type, p->ttl_s, p->rdatas, p->rdata_count,
			      &d->s->world.arena, &set) != OK)
		return false;
	struct signature signature = {.signer = h->signer,
				      .original_ttl_s = p->ttl_s,
				      .inception = now_s + (uint32_t)h->from_s,
				      .expiration = now_s + (uint32_t)h->until_s,
				      .labels = signer_labels(p->owner)};
	size_t len = secure_sign_as(root, h->key, &set, &signature, rdata);
	rdata[TAG_AT] = (uint8_t)(h->tag >> 8);
	rdata[TAG_AT + 1] = (uint8_t)h->tag;
	*out = keep(d, span_of(rdata, len));
	return true;
}

static void sign(struct draft *d, struct piece *p, const struct hand *h)
{
	if (!p || !write_signature(d, p, h, &p->sigs[0]))
		return;
	p->sig_count = 1;
	p->sig_ttl_s = p->ttl_s;
}

static const struct signer_key *key_of(const struct zone *z, uint16_t type)
{
	return type == TYPE_DNSKEY ? z->security->ksk : z->security->zsk;
}

/* By a stranger, in the name of the zone. */
static struct hand forging(struct draft *d, const struct piece *p)
{
	const struct zone *z = zone_of(d, p->owner, p->type);
	return (struct hand){.key = stranger(d),
			     .signer = z->apex,
			     .tag = key_of(z, p->type)->tag,
			     .from_s = -DAY_S,
			     .until_s = 60 * DAY_S};
}

enum relation { RELATION_SIBLING, RELATION_CHILD, RELATION_PARENT };

static const struct zone *related(struct draft *d, const struct zone *z, enum relation relation)
{
	const struct world *w = &d->s->world;
	unsigned first = prng_below(&d->dice, w->zone_count);
	for (unsigned i = 0; i < w->zone_count; i++) {
		const struct zone *o = w->zones[(first + i) % w->zone_count];
		bool fits = relation == RELATION_PARENT	 ? o == z->parent
			    : relation == RELATION_CHILD ? o->parent == z
							 : o->parent == z->parent && o != z;
		if (fits && o->security)
			return o;
	}
	return NULL;
}

/* A relative signs, in his own name or in the zone's. What a zone's own key signs within the zone is
 * no lie, and what a parent's key says in the parent's name may as well be delegated elsewhere. */
static void sign_as_relative(struct draft *d, enum relation relation)
{
	struct piece *p = pick(d);
	const struct zone *z = p ? zone_of(d, p->owner, p->type) : NULL;
	const struct zone *o = z ? related(d, z, relation) : NULL;
	if (!o)
		return;
	struct hand h = forging(d, p);
	bool in_own_name = relation != RELATION_PARENT && prng_percent(&d->dice, 50);
	h.key = key_of(o, p->type);
	if (in_own_name) {
		h.signer = o->apex;
		h.tag = h.key->tag;
	}
	if (prng_percent(&d->dice, 50) && p->rdata_count)
		p->rdatas[0] = lie_rdata(d, p->type, p->owner);
	sign(d, p, &h);
}

void rule_sign_sibling(struct draft *d)
{
	sign_as_relative(d, RELATION_SIBLING);
}

void rule_sign_child(struct draft *d)
{
	sign_as_relative(d, RELATION_CHILD);
}

void rule_sign_parent(struct draft *d)
{
	sign_as_relative(d, RELATION_PARENT);
}

void rule_sign_stranger(struct draft *d)
{
	struct piece *p = pick(d);
	if (!p)
		return;
	struct hand h = forging(d, p);
	sign(d, p, &h);
}

void rule_sign_besides(struct draft *d)
{
	struct piece *p = pick(d);
	if (!p || p->sig_count == PIECE_SIGS)
		return;
	struct hand h = forging(d, p);
	struct span sig;
	if (!write_signature(d, p, &h, &sig))
		return;
	p->sigs[p->sig_count++] = sig;
	if (prng_percent(&d->dice, 50)) {
		p->sigs[p->sig_count - 1] = p->sigs[0];
		p->sigs[0] = sig;
	}
}

/* The true key's, from last year. */
static void sign_long_ago(struct draft *d, struct piece *p)
{
	struct hand h = forging(d, p);
	h.key = key_of(zone_of(d, p->owner, p->type), p->type);
	h.until_s = -(int64_t)prng_between(&d->dice, 2, 300) * DAY_S;
	h.from_s = h.until_s - 30 * DAY_S;
	sign(d, p, &h);
}

void rule_old_data(struct draft *d)
{
	struct piece *p = pick(d);
	if (!p || !p->rdata_count)
		return;
	p->rdatas[0] = lie_rdata(d, p->type, p->owner);
	sign_long_ago(d, p);
}

void rule_old_signature(struct draft *d)
{
	struct piece *p = pick(d);
	if (p)
		sign_long_ago(d, p);
}

/* P has the records of SET, and its one signature. */
static bool is_true(const struct piece *p, const struct rrset *set)
{
	struct rrset_iter it = rrset_records(set);
	struct span rdata;
	bool is_same = p->sig_count == 1 && set->sig_count == 1 && p->ttl_s == set->ttl_s &&
		       p->rdata_count == set->rr_count && set->sigs.len == p->sigs[0].len + 2 &&
		       memcmp(set->sigs.at + 2, p->sigs[0].at, p->sigs[0].len) == 0;
	while (is_same && rrset_next(&it, &rdata)) {
		bool is_there = false;
		for (unsigned i = 0; i < p->rdata_count; i++)
			is_there |= rdata_compare(p->type, p->rdatas[i], rdata) == 0;
		is_same = is_there;
	}
	return is_same;
}

/* Only of what is true: else it would be no lie. */
void rule_dying_signature(struct draft *d)
{
	static const int64_t left_s[] = {-3000, -60, -1, 0, 3, 20, 40};
	struct liar *l = &d->s->liar;
	struct piece *p = pick(d);
	const struct zone *z = p ? zone_of(d, p->owner, p->type) : NULL;
	struct lookup found;
	if (!p || l->aged_count == AGED_MAX)
		return;
	zone_lookup(z, p->owner, p->type, &found);
	if (found.found != FOUND_ANSWER || found.wildcard || !is_true(p, found.set))
		return;
	struct hand h = forging(d, p);
	h.key = key_of(z, p->type);
	h.from_s = -30 * DAY_S;
	h.until_s = PRNG_PICK(&d->dice, left_s);
	sign(d, p, &h);
	l->aged[l->aged_count++] = (struct aged){
		.rdata = p->sigs[0], .expiration = (uint32_t)(z->security->unix_s + h.until_s)};
}

/* ---- signatures that are spoilt -------------------------------------------------------------- */

/* A copy of the first signature of some set that may be changed; NULL if there is none. */
static uint8_t *spoil(struct draft *d, struct piece **piece)
{
	struct piece *p = pick(d);
	if (!p || !p->sig_count)
		return NULL;
	p->sigs[0] = keep(d, p->sigs[0]);
	*piece = p;
	return (uint8_t *)p->sigs[0].at;
}

void rule_wrong_signer(struct draft *d)
{
	struct piece *p;
	uint8_t *sig = spoil(d, &p), rdata[SIGNER_RDATA_MAX];
	if (!sig)
		return;
	struct writer out = writer_of(rdata, sizeof(rdata));
	const struct world *w = &d->s->world;
	const struct zone *z = w->zones[prng_below(&d->dice, w->zone_count)];
	uint8_t signer[DNAME_MAX];
	dname_lower(prng_percent(&d->dice, 25) ? p->owner : z->apex, signer);
	size_t rest = SIGNER_AT + dname_len(sig + SIGNER_AT);
	writer_bytes(&out, span_of(sig, SIGNER_AT));
	writer_bytes(&out, span_of(signer, dname_len(signer)));
	writer_bytes(&out, span_of(sig + rest, p->sigs[0].len - rest));
	REQUIRE(!out.failed);
	if (z->security && prng_percent(&d->dice, 50)) { /* and its tag */
		uint16_t tag = key_of(z, p->type)->tag;
		rdata[TAG_AT] = (uint8_t)(tag >> 8);
		rdata[TAG_AT + 1] = (uint8_t)tag;
	}
	p->sigs[0] = keep(d, writer_span(&out));
}

void rule_wrong_labels(struct draft *d)
{
	struct piece *p;
	uint8_t *sig = spoil(d, &p);
	if (sig)
		sig[LABELS_AT] = (uint8_t)(sig[LABELS_AT] + (prng_percent(&d->dice, 70) ? -1 : 1));
}

void rule_wrong_field(struct draft *d)
{
	static const uint8_t fields[] = {1, 2, TTL_AT, EXPIRATION_AT, INCEPTION_AT, TAG_AT};
	struct piece *p;
	uint8_t *sig = spoil(d, &p);
	if (sig)
		sig[PRNG_PICK(&d->dice, fields)] ^= (uint8_t)(1u << prng_below(&d->dice, 4));
}

void rule_lend_signature(struct draft *d)
{
	struct piece *to = pick(d);
	const struct piece *from = d->count ? &d->pieces[prng_below(&d->dice, d->count)] : NULL;
	if (!to || !from->sig_count)
		return;
	memcpy(to->sigs, from->sigs, sizeof(to->sigs));
	to->sig_count = from->sig_count;
}

/* ---- sets that change ------------------------------------------------------------------------ */

void rule_drop_set(struct draft *d)
{
	struct piece *p = pick(d);
	if (p)
		*p = d->pieces[--d->count];
}

void rule_drop_signatures(struct draft *d)
{
	struct piece *p = pick(d);
	if (p)
		p->sig_count = 0;
}

void rule_drop_data(struct draft *d)
{
	struct piece *p = pick(d);
	if (p)
		p->rdata_count = 0;
}

void rule_drop_record(struct draft *d)
{
	struct piece *p = pick(d);
	if (p && p->rdata_count > 1)
		p->rdata_count--;
}

void rule_add_record(struct draft *d)
{
	struct piece *p = pick(d);
	if (p)
		push_rdata(p, lie_rdata(d, p->type, p->owner));
}

static struct piece *replace(struct draft *d)
{
	struct piece *p = pick(d);
	if (!p || !p->rdata_count)
		return NULL;
	p->rdatas[0] = lie_rdata(d, p->type, p->owner);
	p->rdata_count = 1;
	return p;
}

void rule_replace(struct draft *d)
{
	(void)replace(d);
}

void rule_replace_unsigned(struct draft *d)
{
	struct piece *p = replace(d);
	if (p)
		p->sig_count = 0;
}

void rule_swap(struct draft *d)
{
	struct piece *a = pick(d);
	struct piece *b = d->count ? &d->pieces[prng_below(&d->dice, d->count)] : NULL;
	if (!a || a == b)
		return;
	struct piece old = *a;
	if (a->type != b->type || prng_percent(&d->dice, 50)) {
		*a = *b;
		*b = old;
		return;
	}
	memcpy(a->rdatas, b->rdatas, sizeof(old.rdatas));
	memcpy(b->rdatas, old.rdatas, sizeof(old.rdatas));
	a->rdata_count = b->rdata_count;
	b->rdata_count = old.rdata_count;
}

void rule_duplicate(struct draft *d)
{
	struct piece *p = pick(d);
	if (!p || d->count == PIECES_MAX)
		return;
	d->pieces[d->count] = *p;
	d->pieces[d->count++].section = (enum section)prng_below(&d->dice, SECTION_COUNT);
}

void rule_other_section(struct draft *d)
{
	struct piece *p = pick(d);
	if (p)
		p->section =
			(enum section)((p->section + prng_between(&d->dice, 1, 2)) % SECTION_COUNT);
}

void rule_other_owner(struct draft *d)
{
	struct piece *p = pick(d);
	if (p)
		p->owner = near_name(d);
}

void rule_other_ttl(struct draft *d)
{
	static const uint32_t ttls_s[] = {0, 1, 3600, 86400, 604800, 0x7fffffff, 0x80000000};
	struct piece *p = pick(d);
	unsigned what = prng_below(&d->dice, 3);
	uint32_t ttl_s = PRNG_PICK(&d->dice, ttls_s);
	if (p && what != 1)
		p->ttl_s = ttl_s;
	if (p && what != 2)
		p->sig_ttl_s = ttl_s;
}

/* ---- sets that are added --------------------------------------------------------------------- */

static struct piece *invent(struct draft *d, uint16_t type)
{
	static const uint16_t types[] = {TYPE_A,    TYPE_CNAME, TYPE_DNAME, TYPE_NS,	TYPE_SOA,
					 TYPE_NSEC, TYPE_NSEC3, TYPE_DS,    TYPE_DNSKEY};
	const uint8_t *owner = near_name(d);
	uint8_t rdata[RDATA_MAX];
	struct writer out = writer_of(rdata, sizeof(rdata));
	if (!type)
		type = d->kind ? d->kind : PRNG_PICK(&d->dice, types);
	bool is_for_authority = type == TYPE_SOA || type == TYPE_NSEC || type == TYPE_NSEC3 ||
				(type == TYPE_DS && d->qtype != TYPE_DS) ||
				(type == TYPE_NS && d->qtype != TYPE_NS);
	enum section section = is_for_authority ? SECTION_AUTHORITY : SECTION_ANSWER;
	if (prng_percent(&d->dice, 10))
		section = (enum section)prng_below(&d->dice, SECTION_COUNT);
	if (type == TYPE_NSEC3) {
		const uint8_t *hashed = write_nsec3(d, owner, &out);
		struct piece *p = push(d, section, hashed, type);
		push_rdata(p, keep(d, writer_span(&out)));
		return p;
	}
	if (type == TYPE_DNAME && dname_label_count(owner) > 1 && prng_percent(&d->dice, 70))
		owner = dname_skip(owner, 1);
	struct piece *p = push(d, section, owner, type);
	push_rdata(p, lie_rdata(d, type, owner));
	return p;
}

void rule_invent_unsigned(struct draft *d)
{
	(void)invent(d, 0);
}

static void invent_forged(struct draft *d, uint16_t type)
{
	struct piece *p = invent(d, type);
	if (!p)
		return;
	struct hand h = forging(d, p);
	if (type == TYPE_NSEC3) /* its owner's zone is that of what was hashed */
		h.signer = dname_skip(p->owner, 1);
	sign(d, p, &h);
}

void rule_invent_forged(struct draft *d)
{
	invent_forged(d, 0);
}

void rule_other_denial(struct draft *d)
{
	const struct zone *z = zone_of(d, d->qname, d->qtype);
	invent_forged(d, z->security->nsec3 ? TYPE_NSEC : TYPE_NSEC3);
}

void rule_same_denial(struct draft *d)
{
	const struct zone *z = zone_of(d, d->qname, d->qtype);
	invent_forged(d, z->security->nsec3 ? TYPE_NSEC3 : TYPE_NSEC);
}

void rule_replay(struct draft *d)
{
	const struct zone *z =
		prng_percent(&d->dice, 50) ? some_signed_zone(d) : zone_of(d, d->qname, d->qtype);
	const struct security *x = z->security;
	enum section section = (enum section)prng_below(&d->dice, 2);
	const struct node *n = &z->nodes[prng_below(&d->dice, (unsigned)z->node_count)];
	if (prng_percent(&d->dice, 50) && x->hash_count)
		push_set(d, section, z,
			 x->hashes[prng_below(&d->dice, (unsigned)x->hash_count)].set);
	else if (prng_percent(&d->dice, 50) && n->nsec)
		push_set(d, section, z, n->nsec);
	else if (world_zone_for(&d->s->world, n->owner, n->sets[0].type) == z)
		push_set(d, section, z, &n->sets[prng_below(&d->dice, n->set_count)]);
}

static const struct node *some_wildcard(struct draft *d, const struct zone *z)
{
	size_t first = prng_below(&d->dice, (unsigned)z->node_count);
	for (size_t i = 0; i < z->node_count; i++) {
		const struct node *n = &z->nodes[(first + i) % z->node_count];
		if (dname_is_wildcard(n->owner) && n->set_count > 0)
			return n;
	}
	return NULL;
}

/* ---- replies of another kind ----------------------------------------------------------------- */

static void push_proof(struct draft *d, const struct zone *z, enum proof_kind kind,
		       const uint8_t *name)
{
	struct proof proof;
	secure_prove(&d->s->world, z, kind, name, &proof);
	for (unsigned i = 0; i < proof.count; i++)
		push_set(d, SECTION_AUTHORITY, z, proof.sets[i]);
}

void rule_expand(struct draft *d)
{
	const struct zone *z = zone_of(d, d->qname, d->qtype);
	const struct node *n = some_wildcard(d, z);
	if (!n)
		return;
	if (prng_percent(&d->dice, 60))
		d->count = 0;
	unsigned before = d->count;
	push_set(d, SECTION_ANSWER, z, &n->sets[0]);
	if (d->count > before)
		d->pieces[before].owner = near_name(d);
	if (prng_percent(&d->dice, 60))
		push_proof(d, z, PROOF_WILDCARD,
			   world_label(&d->s->world, dname_skip(n->owner, 1), "any"));
}

void rule_deny(struct draft *d)
{
	static const enum proof_kind kinds[] = {PROOF_NXDOMAIN, PROOF_NODATA, PROOF_WILDCARD_NODATA,
						PROOF_NO_DS};
	struct world *w = &d->s->world;
	const struct zone *z = zone_of(d, d->qname, d->qtype);
	enum proof_kind kind = PRNG_PICK(&d->dice, kinds);
	unsigned choice = prng_below(&d->dice, 3);
	const uint8_t *name =
		choice == 0   ? z->apex
		: choice == 1 ? world_label(w, z->apex, "evil")
			      : z->nodes[prng_below(&d->dice, (unsigned)z->node_count)].owner;
	d->count = 0;
	d->flags = (uint16_t)((d->flags & ~FLAG_RCODE_MASK) | FLAG_AA |
			      (kind == PROOF_NXDOMAIN ? RCODE_NXDOMAIN : RCODE_NOERROR));
	push_set(d, SECTION_AUTHORITY, z, node_set(zone_node(z, z->apex), TYPE_SOA));
	if (!dname_equal(name, z->apex) || kind == PROOF_NODATA)
		push_proof(d, z, kind, name);
}

void rule_rcode(struct draft *d)
{
	static const uint16_t rcodes[] = {RCODE_NXDOMAIN, RCODE_NOERROR, RCODE_SERVFAIL,
					  RCODE_REFUSED};
	switch (prng_below(&d->dice, 4)) {
	case 0:
		d->flags ^= FLAG_AA;
		break;
	case 1:
		d->flags ^= FLAG_TC;
		break;
	default:
		d->flags = (uint16_t)((d->flags & ~FLAG_RCODE_MASK) | PRNG_PICK(&d->dice, rcodes));
	}
}

void rule_empty(struct draft *d)
{
	const struct zone *root = d->s->world.zones[0];
	d->count = 0;
	d->flags = (uint16_t)((d->flags & ~FLAG_RCODE_MASK) | FLAG_AA);
	if (prng_percent(&d->dice, 30))
		push_set(d, SECTION_AUTHORITY, root,
			 node_set(zone_node(root, root->apex), TYPE_NS));
}

void rule_refer(struct draft *d)
{
	const struct zone *z = zone_of(d, d->qname, d->qtype);
	const uint8_t *cut = keep(d, span_of(d->qname, dname_len(d->qname))).at;
	unsigned below = dname_label_count(cut) - dname_label_count(z->apex);
	if (below == 0)
		return;
	cut = dname_skip(cut, prng_below(&d->dice, below));
	const uint8_t *ns = world_label(&d->s->world, cut, "ns");
	d->count = 0;
	d->flags &= (uint16_t) ~(FLAG_AA | FLAG_RCODE_MASK);
	push_rdata(push(d, SECTION_AUTHORITY, cut, TYPE_NS), span_of(ns, dname_len(ns)));
	switch (prng_below(&d->dice, 4)) {
	case 0:
		break;
	case 1:
		push_proof(d, z, PROOF_NO_DS, cut);
		break;
	case 2:
		invent_forged(d, TYPE_DS);
		break;
	case 3:
		invent_forged(d, prng_percent(&d->dice, 50) ? TYPE_NSEC : TYPE_NSEC3);
		break;
	}
	static const uint8_t internal[4] = {169, 254, 169, 253};
	const struct endpoint *e = &d->host->addresses[0];
	unsigned where = prng_below(&d->dice, 4); /* himself, what is near us, or both */
	if (where != 0)
		push_rdata(push(d, SECTION_ADDITIONAL, ns, TYPE_A), span_of(e->addr, 4));
	if (where <= 1)
		push_rdata(push(d, SECTION_ADDITIONAL, ns, TYPE_A), span_of(internal, 4));
}

void rule_no_opt(struct draft *d)
{
	d->has_opt = false;
}

static bool serves(const struct host *h, const struct zone *z)
{
	for (unsigned i = 0; i < h->zone_count; i++)
		if (h->zones[i] == z)
			return true;
	return false;
}

void rule_gossip(struct draft *d)
{
	const struct zone *asked = NULL;
	for (unsigned i = 0; i < d->count; i++) {
		const struct piece *p = &d->pieces[i];
		const struct zone *z = world_zone_for(&d->s->world, p->owner, p->type);
		if (i == 0)
			asked = z;
		if (p->section != SECTION_ANSWER || p->type != TYPE_CNAME || !p->rdata_count ||
		    z != asked)
			continue;
		const uint8_t *target = p->rdatas[0].at;
		if (serves(d->host, world_zone_for(&d->s->world, target, d->qtype)))
			continue;
		while (d->count > i + 1) /* what the server knows in earnest goes */
			d->count--;
		struct piece *tail = push(d, SECTION_ANSWER, target, d->qtype);
		push_rdata(tail, lie_rdata(d, d->qtype, target));
		if (prng_percent(&d->dice, 50))
			sign_long_ago(d, tail);
		return;
	}
}
