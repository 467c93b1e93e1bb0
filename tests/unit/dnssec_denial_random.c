/*
 * Denial against an oracle. Small random zones, a parent with its children, are denied as a name
 * server would: every such proof must be accepted. Then any random handful of the denial records of
 * all the zones: whatever is accepted must be true.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "dnssec/crypto.h"
#include "dnssec/denial.h"
#include "unit/dnssec_text.h"

enum {
	WORLDS = 1500,
	QUESTIONS = 30,
	NODES_MAX = 12,
	CHAIN_MAX = 48, /* nodes and the empty non-terminals above them */
	TYPES_MAX = 4,
	ZONES = 3,
	ARENA_BYTES = 8 << 20,
	HASHES = 1000,
};

struct node {
	const uint8_t *name;
	unsigned type_count;
	uint16_t types[TYPES_MAX];
	bool is_cut, has_ds, is_dname;
};

struct link { /* of the chain of denial */
	const uint8_t *name;
	const struct node *node; /* NULL: an empty non-terminal */
	uint8_t hash[20];
	struct rrset set;
};

struct zone {
	uint64_t seed; /* of its world */
	const uint8_t *apex;
	unsigned node_count;
	struct node nodes[NODES_MAX];
	bool is_nsec3, opt_out;
	uint16_t iterations;
	uint8_t salt[4];
	size_t salt_len;
	unsigned link_count;
	struct link links[CHAIN_MAX];
};

struct world {
	struct rng rng;
	struct arena arena;
	struct zone zones[ZONES]; /* a parent and two of its children */
};

/* Names. */

static const uint8_t *name_below(struct world *w, const uint8_t *parent, unsigned depth)
{
	/* A nul, a wildcard, both cases, and what stands on either side of them in the order. */
	static const uint8_t letters[] = {0, '*', '+', 'A', 'b', 'c'};
	uint8_t *name = arena_alloc(&w->arena, DNAME_MAX);
	REQUIRE(name);
	for (unsigned i = 0; i < depth; i++) {
		name[2 * i] = 1;
		name[2 * i + 1] = letters[rng_below(&w->rng, ARRAY_LEN(letters))];
	}
	dname_copy(parent, name + 2 * depth);
	return name;
}

/* RFC 4592 §4.2 leaves open what NS at a wildcard means. */
static const uint8_t *cut_below(struct world *w, const uint8_t *parent, unsigned depth)
{
	const uint8_t *name = name_below(w, parent, depth);
	while (dname_is_wildcard(name))
		name = name_below(w, parent, depth);
	return name;
}

/* Zones. */

static struct node *find_node(struct zone *z, const uint8_t *name)
{
	for (unsigned i = 0; i < z->node_count; i++) {
		if (dname_equal(z->nodes[i].name, name))
			return &z->nodes[i];
	}
	return NULL;
}

static bool node_has(const struct node *n, uint16_t type)
{
	for (unsigned i = 0; i < n->type_count; i++) {
		if (n->types[i] == type)
			return true;
	}
	return false;
}

static void node_add(struct node *n, uint16_t type)
{
	REQUIRE(n->type_count < TYPES_MAX);
	n->types[n->type_count++] = type;
}

static void fill_node(struct world *w, struct node *n)
{
	switch (rng_below(&w->rng, dname_is_wildcard(n->name) ? 4 : 8)) {
	case 0:
		node_add(n, TYPE_CNAME);
		break;
	case 1:
		node_add(n, 257);
		break;
	case 2:
	case 3:
	case 4:
		node_add(n, TYPE_A);
		node_add(n, TYPE_TXT);
		break;
	case 5:
		n->is_dname = true;
		node_add(n, TYPE_DNAME);
		break;
	default:
		n->is_cut = true;
		node_add(n, TYPE_NS);
		n->has_ds = rng_below(&w->rng, 2);
		if (n->has_ds)
			node_add(n, TYPE_DS);
	}
}

/* Below NAME's owner there is none of the zone's data. */
static bool ends_zone(const struct zone *z, const struct node *n)
{
	return n->is_dname || (n->is_cut && !dname_equal(n->name, z->apex));
}

static const struct node *end_above(const struct zone *z, const uint8_t *name)
{
	for (unsigned i = 0; i < z->node_count; i++) {
		if (ends_zone(z, &z->nodes[i]) && dname_is_below(name, z->nodes[i].name))
			return &z->nodes[i];
	}
	return NULL;
}

static void drop_occluded(struct zone *z)
{
	for (unsigned i = 0; i < z->node_count;) {
		if (end_above(z, z->nodes[i].name))
			z->nodes[i] = z->nodes[--z->node_count];
		else
			i++;
	}
}

static void add_node(struct world *w, struct zone *z, const uint8_t *name, bool is_cut)
{
	if (find_node(z, name))
		return;
	struct node *n = &z->nodes[z->node_count++];
	*n = (struct node){.name = name, .is_cut = is_cut};
	if (!is_cut) {
		fill_node(w, n);
		return;
	}
	node_add(n, TYPE_NS);
	n->has_ds = rng_below(&w->rng, 2);
	if (n->has_ds)
		node_add(n, TYPE_DS);
}

static void build_nodes(struct world *w, struct zone *z, const uint8_t *apex)
{
	z->apex = apex;
	z->nodes[0] = (struct node){.name = apex, .type_count = 2, .types = {TYPE_NS, TYPE_SOA}};
	z->node_count = 1;
	if (rng_below(&w->rng, 16) == 0 && z != &w->zones[0]) {
		z->nodes[0].is_dname = true;
		node_add(&z->nodes[0], TYPE_DNAME);
	}
	for (unsigned i = rng_below(&w->rng, NODES_MAX - ZONES); i > 0; i--)
		add_node(w, z, name_below(w, apex, 1 + rng_below(&w->rng, 3)), false);
}

static int by_name(const void *a, const void *b)
{
	return dname_compare(((const struct link *)a)->name, ((const struct link *)b)->name);
}

static int by_hash(const void *a, const void *b)
{
	return memcmp(((const struct link *)a)->hash, ((const struct link *)b)->hash, 20);
}

static struct link *find_link(struct zone *z, const uint8_t *name)
{
	for (unsigned i = 0; i < z->link_count; i++) {
		if (dname_equal(z->links[i].name, name))
			return &z->links[i];
	}
	return NULL;
}

static void hash_of(const struct zone *z, const uint8_t *name, uint8_t out[static 20])
{
	REQUIRE(crypto_nsec3_hash(name, 1, z->iterations, span_of(z->salt, z->salt_len), out) ==
		OK);
}

static void add_link(struct zone *z, const uint8_t *name, const struct node *node)
{
	struct link *l = find_link(z, name);
	if (l) {
		l->node = l->node ? l->node : node;
		return;
	}
	REQUIRE(z->link_count < CHAIN_MAX);
	z->links[z->link_count++] = (struct link){.name = name, .node = node};
	if (z->is_nsec3)
		hash_of(z, name, z->links[z->link_count - 1].hash);
}

/* The bitmap of a link; TYPE_NSEC for NSEC. */
static size_t write_bitmap(const struct link *l, bool is_nsec3, uint8_t out[static 64])
{
	uint8_t bits[2][33] = {{0}};
	size_t len = 0;
	uint16_t types[TYPES_MAX + 2];
	unsigned count = 0;
	for (; l->node && count < l->node->type_count; count++)
		types[count] = l->node->types[count];
	if (!is_nsec3)
		types[count++] = TYPE_NSEC;
	if (l->node && (!l->node->is_cut || l->node->has_ds || !is_nsec3))
		types[count++] = TYPE_RRSIG;
	for (unsigned i = 0; i < count; i++)
		bits[types[i] >> 8][(types[i] & 255) / 8] |= (uint8_t)(0x80 >> types[i] % 8);
	for (uint8_t window = 0; window < 2; window++) {
		uint8_t last = 32;
		while (last > 0 && bits[window][last - 1] == 0)
			last--;
		if (last == 0)
			continue;
		out[len++] = window;
		out[len++] = last;
		memcpy(out + len, bits[window], last);
		len += last;
	}
	return len;
}

static void write_base32hex(const uint8_t hash[static 20], bool upper, uint8_t out[static 32])
{
	for (unsigned i = 0; i < 32; i++) {
		unsigned bit = i * 5, pair = (unsigned)hash[bit / 8] << 8;
		if (bit / 8 + 1 < 20)
			pair |= hash[bit / 8 + 1];
		out[i] = (uint8_t)(upper ? "0123456789ABCDEFGHIJKLMNOPQRSTUV"
					 : "0123456789abcdefghijklmnopqrstuv")[pair >> (11 -
											bit % 8) &
									       31];
	}
}

static void make_nsec(struct world *w, struct zone *z, unsigned i)
{
	uint8_t rdata[DNAME_MAX + 64];
	struct link *l = &z->links[i];
	size_t len = dname_copy(z->links[(i + 1) % z->link_count].name, rdata);
	len += write_bitmap(l, false, rdata + len);
	struct span span = span_of(rdata, len);
	REQUIRE(rrset_from_rdatas(l->name, TYPE_NSEC, 300, &span, 1, &w->arena, &l->set) == OK);
}

static void make_nsec3(struct world *w, struct zone *z, unsigned i)
{
	uint8_t rdata[128], *owner = arena_alloc(&w->arena, DNAME_MAX);
	struct link *l = &z->links[i];
	struct writer out = writer_of(rdata, sizeof(rdata));
	REQUIRE(owner);
	owner[0] = 32;
	write_base32hex(l->hash, rng_below(&w->rng, 2), owner + 1);
	dname_copy(z->apex, owner + 33);
	writer_u8(&out, 1);
	writer_u8(&out, z->opt_out);
	writer_u16(&out, z->iterations);
	writer_u8(&out, (uint8_t)z->salt_len);
	writer_bytes(&out, span_of(z->salt, z->salt_len));
	writer_u8(&out, 20);
	writer_bytes(&out, span_of(z->links[(i + 1) % z->link_count].hash, 20));
	size_t len = writer_len(&out);
	len += write_bitmap(l, true, rdata + len);
	struct span span = span_of(rdata, len);
	REQUIRE(rrset_from_rdatas(owner, TYPE_NSEC3, 300, &span, 1, &w->arena, &l->set) == OK);
}

static void build_chain(struct world *w, struct zone *z)
{
	z->is_nsec3 = rng_below(&w->rng, 2);
	z->opt_out = z->is_nsec3 && rng_below(&w->rng, 2);
	z->iterations = (uint16_t)rng_below(&w->rng, 3);
	z->salt_len = rng_below(&w->rng, 5);
	rng_bytes(&w->rng, z->salt, z->salt_len);
	z->link_count = 0;
	for (unsigned i = 0; i < z->node_count; i++) {
		const struct node *n = &z->nodes[i];
		if (z->opt_out && n->is_cut && !n->has_ds && rng_below(&w->rng, 4) > 0)
			continue;
		add_link(z, n->name, n);
		for (const uint8_t *up = n->name; z->is_nsec3 && dname_is_below(up, z->apex);) {
			up = dname_skip(up, 1);
			add_link(z, up, find_node(z, up));
		}
	}
	qsort(z->links, z->link_count, sizeof(z->links[0]), z->is_nsec3 ? by_hash : by_name);
	for (unsigned i = 0; i < z->link_count; i++) {
		if (z->is_nsec3)
			make_nsec3(w, z, i);
		else
			make_nsec(w, z, i);
		sign_in_place(&w->arena, &z->links[i].set, z->apex, 0);
	}
}

static void build_world(struct world *w, uint64_t seed)
{
	rng_init_seeded(&w->rng, seed);
	arena_init(&w->arena, ARENA_BYTES);
	const uint8_t *apex = parse_name(&w->arena, rng_below(&w->rng, 2) ? "." : "b.c.");
	const uint8_t *one = cut_below(w, apex, 1), *two = cut_below(w, apex, 2);
	build_nodes(w, &w->zones[0], apex);
	add_node(w, &w->zones[0], one, true);
	add_node(w, &w->zones[0], two, true);
	build_nodes(w, &w->zones[1], one);
	build_nodes(w, &w->zones[2], two);
	for (unsigned i = 0; i < ZONES; i++) {
		w->zones[i].seed = seed;
		drop_occluded(&w->zones[i]);
		build_chain(w, &w->zones[i]);
	}
}

/* The truth. */

enum truth {
	OUTSIDE,
	REFERRAL,
	REDIRECTED,
	ANSWER,
	NO_DATA,
	NAME_ERROR,
	WILD_ANSWER,
	WILD_NO_DATA
};

static bool exists(struct zone *z, const uint8_t *name)
{
	for (unsigned i = 0; i < z->node_count; i++) {
		if (dname_is_within(z->nodes[i].name, name))
			return true;
	}
	return false;
}

/* The deepest ancestor-or-self of NAME that exists; NAME lies in the zone. */
static const uint8_t *encloser_of(struct zone *z, const uint8_t *name)
{
	while (!exists(z, name))
		name = dname_skip(name, 1);
	return name;
}

static bool node_answers(const struct node *n, uint16_t qtype)
{
	return node_has(n, qtype) || node_has(n, TYPE_CNAME);
}

static enum truth truth_of(struct zone *z, const uint8_t *qname, uint16_t qtype)
{
	if (!dname_is_within(qname, z->apex))
		return OUTSIDE;
	if (qtype == TYPE_DS && dname_equal(qname, z->apex) && dname_len(qname) > 1)
		return OUTSIDE; /* the parent knows */
	const struct node *end = end_above(z, qname), *n = find_node(z, qname);
	if (end)
		return end->is_dname ? REDIRECTED : REFERRAL;
	if (n && n->is_cut && qtype != TYPE_DS)
		return REFERRAL;
	if (n)
		return node_answers(n, qtype) ? ANSWER : NO_DATA;
	if (exists(z, qname))
		return NO_DATA;
	uint8_t wildcard[DNAME_MAX];
	REQUIRE(dname_wildcard(encloser_of(z, qname), wildcard) == OK);
	n = find_node(z, wildcard);
	if (n)
		return node_answers(n, qtype) ? WILD_ANSWER : WILD_NO_DATA;
	return exists(z, wildcard) ? WILD_NO_DATA : NAME_ERROR;
}

/* An opt-out span may hold NAME: it has no record, nor does what would end the zone above it. */
static bool may_hide(struct zone *z, const uint8_t *name)
{
	if (!z->opt_out || !dname_is_within(name, z->apex) || find_link(z, name))
		return false;
	for (unsigned i = 0; i < z->link_count; i++) {
		const struct link *l = &z->links[i];
		if (l->node && ends_zone(z, l->node) && dname_is_below(name, l->name))
			return false;
	}
	return true;
}

/* What a name server would send. */

struct answer {
	struct proven sets[DENIAL_SETS_MAX];
	size_t count;
	bool next_closer_used; /* by its NSEC3 */
};

static bool link_covers(const struct zone *z, unsigned i, const uint8_t *name)
{
	const struct link *l = &z->links[i], *next = &z->links[(i + 1) % z->link_count];
	uint8_t hash[20];
	if (!z->is_nsec3)
		return dname_compare(l->name, name) < 0 &&
		       (i + 1 == z->link_count || dname_compare(name, next->name) < 0);
	hash_of(z, name, hash);
	if (i + 1 == z->link_count)
		return memcmp(hash, l->hash, 20) > 0 || memcmp(hash, next->hash, 20) < 0;
	return memcmp(hash, l->hash, 20) > 0 && memcmp(hash, next->hash, 20) < 0;
}

static void send_link(struct answer *a, const struct link *l)
{
	for (size_t i = 0; i < a->count; i++) {
		if (a->sets[i].set.owner == l->set.owner)
			return;
	}
	a->sets[a->count++] = as_proven(&l->set);
}

static void send_cover(struct answer *a, struct zone *z, const uint8_t *name)
{
	for (unsigned i = 0; i < z->link_count; i++) {
		if (link_covers(z, i, name)) {
			send_link(a, &z->links[i]);
			return;
		}
	}
	REQUIRE(find_link(z, name));
}

static void send_match_or_cover(struct answer *a, struct zone *z, const uint8_t *name)
{
	const struct link *l = find_link(z, name);
	if (l)
		send_link(a, l);
	else
		send_cover(a, z, name);
}

/* RFC 5155 §7.2.1. Returns the closest provable encloser. */
static const uint8_t *send_encloser(struct answer *a, struct zone *z, const uint8_t *qname)
{
	const uint8_t *name = qname, *next_closer = NULL;
	for (; !find_link(z, name); name = dname_skip(name, 1))
		next_closer = name;
	send_link(a, find_link(z, name));
	if (next_closer) {
		send_cover(a, z, next_closer);
		a->next_closer_used = true;
	}
	return name;
}

static void send_proof(struct answer *a, struct zone *z, const uint8_t *qname, enum truth truth)
{
	uint8_t wildcard[DNAME_MAX];
	a->count = 0;
	a->next_closer_used = false;
	if (z->is_nsec3)
		send_encloser(a, z, qname);
	else
		send_match_or_cover(a, z, qname);
	if (truth == NO_DATA || truth == WILD_ANSWER)
		return;
	REQUIRE(dname_wildcard(encloser_of(z, qname), wildcard) == OK);
	send_match_or_cover(a, z, wildcard);
}

/* The checks. */

static const uint16_t qtypes[] = {TYPE_A,  TYPE_CNAME, TYPE_DS,	   TYPE_NS,
				  TYPE_MX, 257,	       TYPE_DNAME, TYPE_SOA};

static void complain(const struct zone *z, const char *what, const uint8_t *qname, uint16_t qtype,
		     int truth, int got)
{
	char name[DNAME_TEXT_MAX];
	print_error("zone %s, %s, opt-out %d:\n", dname_text(z->apex, name),
		    z->is_nsec3 ? "NSEC3" : "NSEC", z->opt_out);
	for (unsigned i = 0; i < z->node_count; i++) {
		print_error("\t%s", dname_text(z->nodes[i].name, name));
		for (unsigned j = 0; j < z->nodes[i].type_count; j++)
			print_error(" %u", z->nodes[i].types[j]);
		print_error("\n");
	}
	fail_msg("seed %llu: %s: %s type %u: truth %d, got %d", (unsigned long long)z->seed, what,
		 dname_text(qname, name), qtype, truth, got);
}

static void check_accepted(struct zone *z, const uint8_t *qname, uint16_t qtype)
{
	struct answer a;
	struct denial_budget budget = {HASHES};
	enum truth truth = truth_of(z, qname, qtype);
	const uint8_t *encloser = truth == OUTSIDE ? z->apex : encloser_of(z, qname);
	enum denial_result got = DENIAL_NONE;
	/* An encloser that an opt-out span hides cannot be proven, only what lies above. */
	if (z->is_nsec3 && !find_link(z, encloser) && truth != NO_DATA)
		return;
	if (truth != NO_DATA && truth != WILD_NO_DATA && truth != NAME_ERROR &&
	    truth != WILD_ANSWER)
		return;
	send_proof(&a, z, qname, truth);
	struct denial_records d = {z->apex, a.sets, a.count, &budget, NULL};
	if (truth == NO_DATA || truth == WILD_NO_DATA)
		got = denial_nodata(&d, qname, qtype);
	if (truth == NAME_ERROR)
		got = denial_nxdomain(&d, qname);
	if (truth == WILD_ANSWER)
		got = denial_wildcard(&d, qname, dname_label_count(encloser));
	if (got != (z->opt_out && a.next_closer_used ? DENIAL_OPT_OUT : DENIAL_PROVEN))
		complain(z, "refused", qname, qtype, (int)truth, (int)got);
	const struct node *n = find_node(z, qname);
	if (qtype == TYPE_DS && n && n->is_cut && !n->has_ds) {
		got = denial_no_ds(&d, qname);
		if (got != (a.next_closer_used ? DENIAL_OPT_OUT : DENIAL_PROVEN))
			complain(z, "no DS refused", qname, qtype, (int)truth, (int)got);
	}
}

static struct denial_records random_records(struct world *w, struct answer *a, struct zone *z,
					    struct denial_budget *budget)
{
	unsigned percent = 10 + rng_below(&w->rng, 91);
	a->count = 0;
	for (unsigned i = 0; i < ZONES; i++) {
		for (unsigned j = 0; j < w->zones[i].link_count; j++) {
			if (a->count < DENIAL_SETS_MAX && rng_below(&w->rng, 100) < percent)
				a->sets[a->count++] = as_proven(&w->zones[i].links[j].set);
		}
	}
	for (size_t i = a->count; i > 1; i--) {
		size_t other = rng_below(&w->rng, (uint32_t)i);
		struct proven swap = a->sets[i - 1];
		a->sets[i - 1] = a->sets[other];
		a->sets[other] = swap;
	}
	*budget = (struct denial_budget){HASHES};
	return (struct denial_records){z->apex, a->sets, a->count, budget, NULL};
}

static bool is_true(struct zone *z, const uint8_t *name, enum denial_result got, bool proven)
{
	return got == DENIAL_NONE || (got == DENIAL_PROVEN && proven) ||
	       (got == DENIAL_OPT_OUT && may_hide(z, name));
}

static void check_expansion(const struct denial_records *d, struct zone *z, const uint8_t *qname,
			    unsigned labels)
{
	unsigned count = dname_label_count(qname);
	enum denial_result got = denial_wildcard(d, qname, labels);
	if (got == DENIAL_NONE)
		return;
	if (labels >= count || labels < dname_label_count(z->apex) ||
	    !dname_is_within(qname, z->apex)) {
		complain(z, "expansion without a next closer name", qname, 0, 0, (int)got);
		return;
	}
	const uint8_t *next_closer = dname_skip(qname, count - labels - 1);
	enum truth truth = truth_of(z, next_closer, TYPE_A);
	bool proven = truth == NAME_ERROR || truth == WILD_ANSWER || truth == WILD_NO_DATA;
	/* NSEC3 records of a wildcard answer do not show the encloser. Its RRSIG does: nothing
	 * below a cut or DNAME is signed. */
	if (z->is_nsec3 && (truth == REFERRAL || truth == REDIRECTED) && end_above(z, next_closer))
		return;
	if (!is_true(z, next_closer, got, proven))
		complain(z, "expansion accepted", qname, 0, (int)truth, (int)got);
}

static void check_encloser(const struct denial_records *d, struct zone *z, const uint8_t *qname)
{
	unsigned count = dname_label_count(qname), labels = denial_closest_encloser(d, qname);
	if (labels == DENIAL_ENCLOSER_UNKNOWN)
		return;
	if (labels > count || !dname_is_within(qname, z->apex) ||
	    !exists(z, dname_skip(qname, count - labels)))
		complain(z, "encloser", qname, 0, 0, (int)labels);
	if (labels == count)
		return;
	const uint8_t *next_closer = dname_skip(qname, count - labels - 1);
	if (exists(z, next_closer) && !may_hide(z, next_closer))
		complain(z, "encloser too far up", qname, 0, 0, (int)labels);
}

static void check_true(struct world *w, struct zone *z, const uint8_t *qname, uint16_t qtype)
{
	struct answer a;
	struct denial_budget budget;
	struct denial_records d = random_records(w, &a, z, &budget);
	enum truth truth = truth_of(z, qname, qtype);
	enum denial_result got = denial_nxdomain(&d, qname);
	if (!is_true(z, qname, got, truth == NAME_ERROR) ||
	    (got != DENIAL_NONE && truth == WILD_ANSWER))
		complain(z, "NXDOMAIN accepted", qname, qtype, (int)truth, (int)got);
	got = denial_nodata(&d, qname, qtype);
	if (!is_true(z, qname, got, truth == NO_DATA || truth == WILD_NO_DATA))
		complain(z, "NODATA accepted", qname, qtype, (int)truth, (int)got);
	const struct node *n = find_node(z, qname);
	got = denial_no_ds(&d, qname);
	if (!is_true(z, qname, got, n && n->is_cut && !n->has_ds))
		complain(z, "no DS accepted", qname, TYPE_DS, (int)truth, (int)got);
	for (unsigned labels = 0; labels <= dname_label_count(qname) + 1; labels++)
		check_expansion(&d, z, qname, labels);
	check_encloser(&d, z, qname);
}

static void run_world(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	REQUIRE(w);
	build_world(w, seed);
	for (unsigned i = 0; i < QUESTIONS; i++) {
		struct zone *of = &w->zones[rng_below(&w->rng, ZONES)];
		const uint8_t *qname = name_below(w, of->apex, rng_below(&w->rng, 5));
		uint16_t qtype = qtypes[rng_below(&w->rng, ARRAY_LEN(qtypes))];
		for (unsigned j = 0; j < ZONES; j++) {
			check_accepted(&w->zones[j], qname, qtype);
			check_true(w, &w->zones[j], qname, qtype);
		}
	}
	arena_deinit(&w->arena);
	free(w);
}

static void test_worlds(void **state)
{
	(void)state;
	const char *first = getenv("FIRST"), *count = getenv("WORLDS");
	uint64_t at = first ? strtoull(first, NULL, 10) : 1;
	uint64_t end = at + (count ? strtoull(count, NULL, 10) : WORLDS);
	for (; at < end; at++)
		run_world(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_worlds)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
