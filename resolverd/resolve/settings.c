#include "resolve/settings.h"

#include "dns/fold.h"
#include "dns/types.h"
#include "resolve/limits.h"
#include "resolve/provider.h"

/*
 * Names are found in a hash table that holds every configured name and all names above it. A lookup
 * walks from the root downwards and ends at the first name that is not there, so that a name which
 * nothing is configured for, which is nearly every name, costs one look.
 */
struct index_node {
	const uint8_t *name; /* NULL: a free slot */
	uint32_t hash;
	bool insecure; /* nothing at or below is validated */
	const struct local_zone *local;
	const struct settings_zone *zone;
};

/* A network of the access list or of those that are trusted, as words that are compared under a mask;
 * the first byte is the lowest. The longest that holds a client decides. */
struct index_access {
	uint64_t net[2], mask[2];
	uint8_t bits;
	uint8_t standing; /* SETTINGS_ALLOWED, SETTINGS_TRUSTED: of the clients there */
	bool is_rule;	  /* of the access list, which says more than that it is trusted */
};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "first bytes are taken from words");

enum { FAMILY_IPV4, FAMILY_IPV6, FAMILY_COUNT };

enum { FILTER_BITS = 256 };

struct settings_index {
	struct index_node root;
	const struct settings_budget *budgets; /* by server: provider_budgets() */
	size_t budget_count;
	uint64_t filter[FILTER_BITS / 64]; /* top-level labels that may be there */
	struct index_node *slots;	   /* at most half of them used */
	uint32_t slot_mask;
	struct index_access *access[FAMILY_COUNT]; /* longest prefix first */
	size_t access_count[FAMILY_COUNT];
	/* Where to begin among them: the first that can match an address, by its first byte. */
	uint32_t access_from[FAMILY_COUNT][UINT8_MAX + 1];
};

/* ---- walking --------------------------------------------------------------------------------- */

struct walk { /* from the root down to NAME, over the names that the index knows */
	const struct settings_index *index;
	const uint8_t *name;
	uint8_t starts[DNAME_LABELS_MAX];
	unsigned left;	/* labels of NAME below the node that was returned last */
	unsigned depth; /* labels of that node */
	uint32_t hash;
};

static uint32_t hash_label(uint32_t hash, const uint8_t *label)
{
	for (unsigned i = 0; i <= label[0]; i++)
		hash = (hash ^ fold_byte(label[i])) * 16777619u;
	return hash ^ hash >> 15;
}

/* Where the filter keeps top-level LABEL: nearly every query's is not in it, and goes no further. */
static inline unsigned filter_bit(const uint8_t *label)
{
	unsigned len = label[0];
	return (len * 37u + fold_byte(label[1]) * 5u + fold_byte(label[len]) * 3u) % FILTER_BITS;
}

static inline bool filter_has(const struct settings_index *x, const uint8_t *label)
{
	unsigned bit = filter_bit(label);
	return x->filter[bit / 64] >> bit % 64 & 1;
}

/* The slot of NAME, or the free one where it belongs. */
static struct index_node *find_slot(const struct settings_index *x, const uint8_t *name,
				    uint32_t hash)
{
	for (uint32_t i = hash;; i++) {
		struct index_node *n = &x->slots[i & x->slot_mask];
		if (!n->name || (n->hash == hash && dname_equal(n->name, name)))
			return n;
	}
}

static const struct index_node *walk_begin(struct walk *w, const struct settings *s,
					   const uint8_t *name)
{
	REQUIRE(s->index); /* settings_finish() was not called */
	w->index = s->index;
	w->name = name;
	w->left = 0;
	w->depth = 0;
	w->hash = 0;
	for (unsigned at = 0; name[at]; at += 1u + name[at])
		w->starts[w->left++] = (uint8_t)at;
	return &s->index->root;
}

static const struct index_node *walk_down(struct walk *w)
{
	if (w->left == 0)
		return NULL;
	const uint8_t *name = w->name + w->starts[--w->left];
	w->depth++;
	w->hash = hash_label(w->hash, name);
	const struct index_node *n = find_slot(w->index, name, w->hash);
	return n->name ? n : NULL;
}

/* ---- lookups --------------------------------------------------------------------------------- */

const struct settings_zone *settings_zone_for(const struct settings *s, const uint8_t *name,
					      uint16_t qtype)
{
	const struct settings_zone *best = NULL;
	struct walk w;
	for (const struct index_node *n = walk_begin(&w, s, name); n; n = walk_down(&w)) {
		/* RFC 4035 §3.1.4.1: DS is the parent's; the root has none. */
		bool is_parents = qtype == TYPE_DS && w.left == 0 && w.depth > 0;
		if (n->zone && !is_parents)
			best = n->zone;
	}
	return best;
}

const struct settings_zone *settings_zone_around(const struct settings *s,
						 const struct settings_zone *z)
{
	return z->name[0] ? settings_zone_for(s, dname_skip(z->name, 1), TYPE_A) : NULL;
}

const struct settings_budget *settings_budget_of(const struct settings *s,
						 const struct endpoint *server)
{
	REQUIRE(s->index);
	return provider_find_budget(s->index->budgets, s->index->budget_count, server);
}

/* LABEL (its length before it) matches PATTERN, in which "*" stands for any run of characters and "?"
 * for one. Only the last "*" is ever gone back to, so that the work is at most the product of the
 * lengths. */
static bool label_matches(const char *pattern, size_t pattern_len, const uint8_t *label)
{
	const uint8_t *text = label + 1, *end = text + label[0], *resume = NULL;
	const char *last = pattern + pattern_len, *star = NULL;
	while (text < end) {
		if (pattern < last && *pattern == '*') {
			star = pattern++;
			resume = text;
		} else if (pattern < last &&
			   (*pattern == '?' || fold_byte((uint8_t)*pattern) == fold_byte(*text))) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (pattern < last && *pattern == '*')
		pattern++;
	return pattern == last;
}

/* The first LABELS labels of NAME have the shape of PATTERN: label by label, but for a first "*" of
 * its own, which is any number of labels from one, as in a wildcard's name (RFC 4592 §3.3.1). */
static bool shape_matches(const char *pattern, const uint8_t *name, unsigned labels)
{
	unsigned wanted = 1;
	for (const char *c = pattern; *c; c++)
		wanted += *c == '.';
	bool is_wildcard = pattern[0] == '*' && (pattern[1] == '.' || !pattern[1]);
	if (labels < wanted || (labels > wanted && !is_wildcard))
		return false;
	for (name = dname_skip(name, labels - wanted);; name += 1u + name[0]) {
		size_t len = strcspn(pattern, ".");
		if (!label_matches(pattern, len, name))
			return false;
		if (!pattern[len])
			return true;
		pattern += len + 1;
	}
}

bool settings_zone_only_allows(const struct settings_zone *z, const uint8_t *name)
{
	if (z->only_count == 0)
		return true;
	unsigned labels = dname_label_count(name), of_zone = dname_label_count(z->name);
	if (labels <= of_zone)
		return true;
	for (unsigned i = 0; i < z->only_count; i++) {
		if (shape_matches(z->only[i], name, labels - of_zone))
			return true;
	}
	return false;
}

bool settings_may_be_local(const struct settings *s, const uint8_t *name)
{
	const struct settings_index *x = s->index;
	const uint8_t *last = name;
	REQUIRE(x);
	for (const uint8_t *at = name; *at; at += 1u + *at)
		last = at;
	return x->root.local || !last[0] || filter_has(x, last);
}

const struct local_zone *settings_local_zone(const struct settings *s, const uint8_t *name,
					     uint16_t qtype, unsigned *labels)
{
	const struct local_zone *best = NULL;
	unsigned best_depth = 0;
	struct walk w;
	for (const struct index_node *n = walk_begin(&w, s, name); n && w.depth < *labels;
	     n = walk_down(&w)) {
		bool is_parents = qtype == TYPE_DS && w.left == 0;
		bool has_zone = n->zone && !is_parents;
		if (has_zone)
			best = NULL;
		if (!n->local || (is_parents && w.depth > 1) || (n->local->builtin && has_zone))
			continue;
		best = n->local;
		best_depth = w.depth;
	}
	*labels = best_depth;
	return best;
}

bool settings_is_insecure(const struct settings *s, const uint8_t *name)
{
	struct walk w;
	for (const struct index_node *n = walk_begin(&w, s, name); n; n = walk_down(&w)) {
		if (n->insecure)
			return true;
	}
	return false;
}

bool settings_is_no_case(const struct settings *s, const uint8_t *name,
			 const struct endpoint *server)
{
	for (size_t i = 0; i < s->no_case_server_count; i++)
		if (endpoint_prefix_covers(&s->no_case_servers[i], server))
			return true;
	for (size_t i = 0; i < s->no_case_zone_count; i++)
		if (dname_is_within(name, s->no_case_zones[i]))
			return true;
	return false;
}

/* The address as words; an IPv4 one that came in over an IPv6 socket is one of IPv4. */
static unsigned address_words(const struct endpoint *e, uint64_t words[2])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	words[0] = words[1] = 0;
	if (e->family == 6 && memcmp(e->addr, mapped, sizeof(mapped)) != 0) {
		memcpy(words, e->addr, 16);
		return FAMILY_IPV6;
	}
	memcpy(words, e->family == 6 ? e->addr + sizeof(mapped) : e->addr, 4);
	return FAMILY_IPV4;
}

unsigned settings_standing(const struct settings *s, const struct endpoint *client)
{
	REQUIRE(s->index);
	if (client->family != 4 && client->family != 6)
		return 0;
	uint64_t words[2];
	unsigned family = address_words(client, words);
	const struct index_access *access = s->index->access[family];
	size_t first = s->index->access_from[family][words[0] & UINT8_MAX];
	for (size_t i = first; i < s->index->access_count[family]; i++) {
		const struct index_access *a = &access[i];
		if (((words[0] ^ a->net[0]) & a->mask[0]) == 0 &&
		    ((words[1] ^ a->net[1]) & a->mask[1]) == 0)
			return a->standing;
	}
	return 0;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* The node of NAME; nodes of the names above it are made on the way. */
static struct index_node *index_name(struct settings_index *x, const uint8_t *name)
{
	uint32_t hash = 0;
	struct index_node *n = &x->root;
	for (unsigned skip = dname_label_count(name); skip-- > 0;) {
		const uint8_t *at = dname_skip(name, skip);
		hash = hash_label(hash, at);
		n = find_slot(x, at, hash);
		n->name = at;
		n->hash = hash;
		if (dname_skip(at, 1)[0] == 0)
			x->filter[filter_bit(at) / 64] |= UINT64_C(1) << filter_bit(at) % 64;
	}
	return n;
}

static void index_names(struct settings_index *x, const struct settings *s)
{
	for (size_t i = 0; i < s->zone_count; i++) {
		struct index_node *n = index_name(x, s->zones[i].name);
		n->zone = &s->zones[i];
		n->insecure = n->insecure || s->zones[i].insecure;
	}
	for (size_t i = 0; i < s->local_zone_count; i++) {
		struct index_node *n = index_name(x, s->local_zones[i].name);
		if (!n->local || n->local->builtin)
			n->local = &s->local_zones[i];
	}
	for (size_t i = 0; i < s->negative_anchor_count; i++)
		index_name(x, s->negative_anchors[i])->insecure = true;
}

static size_t label_total(const struct settings *s)
{
	size_t total = 0;
	for (size_t i = 0; i < s->zone_count; i++)
		total += dname_label_count(s->zones[i].name);
	for (size_t i = 0; i < s->local_zone_count; i++)
		total += dname_label_count(s->local_zones[i].name);
	for (size_t i = 0; i < s->negative_anchor_count; i++)
		total += dname_label_count(s->negative_anchors[i]);
	return total;
}

static struct index_access access_of(const struct access_rule *rule)
{
	struct index_access a = {.bits = rule->prefix.bits,
				 .standing = rule->allow ? SETTINGS_ALLOWED : 0,
				 .is_rule = true};
	uint8_t mask[16] = {0};
	REQUIRE(rule->prefix.bits <= 128);
	for (unsigned bit = 0; bit < rule->prefix.bits; bit++)
		mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	memcpy(a.net, rule->prefix.addr, sizeof(a.net));
	memcpy(a.mask, mask, sizeof(a.mask));
	return a;
}

/* Longer prefixes come first; of two equal rules the one that denies does. */
static bool access_is_before(const struct index_access *a, const struct index_access *b)
{
	return a->bits != b->bits ? a->bits > b->bits : a->standing < b->standing;
}

/* A is, or holds, the network of B. */
static bool access_holds(const struct index_access *a, const struct index_access *b)
{
	return a->bits <= b->bits && ((a->net[0] ^ b->net[0]) & a->mask[0]) == 0 &&
	       ((a->net[1] ^ b->net[1]) & a->mask[1]) == 0;
}

static void insert_access(struct settings_index *x, unsigned family, struct index_access rule)
{
	struct index_access *list = x->access[family];
	size_t at = x->access_count[family]++;
	for (; at > 0 && access_is_before(&rule, &list[at - 1]); at--)
		list[at] = list[at - 1];
	list[at] = rule;
}

/* TRUSTED has a place of its own unless the access list names the same network; what it holds is trusted
 * too. */
static void insert_trusted(struct settings_index *x, unsigned family, struct index_access trusted)
{
	struct index_access *list = x->access[family];
	bool known = false;
	trusted.standing = 0;
	trusted.is_rule = false;
	for (size_t i = x->access_count[family]; i > 0; i--) {
		struct index_access *a = &list[i - 1];
		if (a->is_rule && access_holds(a, &trusted)) /* at last the first that does */
			trusted.standing = a->standing & SETTINGS_ALLOWED;
		if (!access_holds(&trusted, a))
			continue;
		a->standing |= SETTINGS_TRUSTED;
		known |= a->bits == trusted.bits;
	}
	trusted.standing |= SETTINGS_TRUSTED;
	if (!known)
		insert_access(x, family, trusted);
}

static void index_first_bytes(struct settings_index *x, unsigned family)
{
	const struct index_access *list = x->access[family];
	for (unsigned byte = 0; byte <= UINT8_MAX; byte++) {
		uint32_t i = 0;
		while (i < x->access_count[family] &&
		       ((list[i].net[0] ^ byte) & list[i].mask[0] & UINT8_MAX) != 0)
			i++;
		x->access_from[family][byte] = i;
	}
}

static enum err index_access_rules(struct settings_index *x, const struct settings *s,
				   struct arena *arena)
{
	for (unsigned family = 0; family < FAMILY_COUNT; family++) {
		size_t most = s->access_count + s->trusted_count + 1;
		x->access[family] = arena_alloc(arena, most * sizeof(struct index_access));
		if (!x->access[family])
			return ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < s->access_count; i++) {
		unsigned family = s->access[i].prefix.family == 6 ? FAMILY_IPV6 : FAMILY_IPV4;
		insert_access(x, family, access_of(&s->access[i]));
	}
	for (size_t i = 0; i < s->trusted_count; i++) {
		unsigned family = s->trusted[i].prefix.family == 6 ? FAMILY_IPV6 : FAMILY_IPV4;
		insert_trusted(x, family, access_of(&s->trusted[i]));
	}
	for (unsigned family = 0; family < FAMILY_COUNT; family++)
		index_first_bytes(x, family);
	return OK;
}

static void finish_prefetch(struct prefetch_settings *p)
{
	p->min_hits_min = p->all.min_hits;
	p->window_min_s = p->all.window_s;
	for (size_t i = 0; i < p->zone_count; i++) {
		p->min_hits_min = MIN(p->min_hits_min, p->zones[i].min_hits);
		p->window_min_s = MIN(p->window_min_s, p->zones[i].window_s);
		REQUIRE(i == 0 || dname_compare(p->zones[i - 1].name, p->zones[i].name) < 0);
	}
}

enum err settings_finish(struct settings *s, struct arena *arena)
{
	struct settings_index *x = arena_alloc(arena, sizeof(*x));
	if (!x)
		return ERR_NO_MEMORY;
	finish_prefetch(&s->prefetch);
	size_t slot_count = 4, labels = label_total(s);
	while (slot_count < 2 * labels)
		slot_count *= 2;
	REQUIRE(slot_count <= UINT32_MAX);
	x->slot_mask = (uint32_t)(slot_count - 1);
	x->slots = arena_alloc(arena, slot_count * sizeof(*x->slots));
	if (!x->slots)
		return ERR_NO_MEMORY;
	index_names(x, s);
	enum err err = index_access_rules(x, s, arena);
	if (err == OK)
		err = provider_budgets(s, arena, &x->budgets, &x->budget_count);
	if (err == OK)
		s->index = x;
	return err;
}

/* ---- defaults -------------------------------------------------------------------------------- */

/* Who may ask by default: what the word "loopback" stands for, then what "private" does. */
enum { LOOPBACK_COUNT = 2 };
static const struct access_rule access_default[] = {
	{{.family = 4, .bits = 8, .addr = {127}}, true},
	{{.family = 6, .bits = 128, .addr = {[15] = 1}}, true},
	{{.family = 4, .bits = 8, .addr = {10}}, true}, /* RFC 1918 */
	{{.family = 4, .bits = 12, .addr = {172, 16}}, true},
	{{.family = 4, .bits = 16, .addr = {192, 168}}, true},
	{{.family = 4, .bits = 10, .addr = {100, 64}}, true}, /* RFC 6598: pods of large clusters */
	{{.family = 4, .bits = 16, .addr = {169, 254}}, true}, /* RFC 3927: node-local DNS caches */
	{{.family = 6, .bits = 7, .addr = {0xfc}}, true},      /* RFC 4193 */
	{{.family = 6, .bits = 10, .addr = {0xfe, 0x80}}, true}, /* RFC 4291 §2.5.6 */
};
static_assert(ARRAY_LEN(access_default) - LOOPBACK_COUNT <= SETTINGS_ACCESS_WORD_MAX,
	      "a word fits");

size_t settings_access_word(const char *word, bool allow, struct access_rule *out, size_t max)
{
	bool loopback = strcmp(word, "loopback") == 0;
	if (!loopback && strcmp(word, "private") != 0)
		return 0;
	size_t first = loopback ? 0 : LOOPBACK_COUNT;
	size_t end = loopback ? LOOPBACK_COUNT : ARRAY_LEN(access_default);
	if (end - first > max)
		return 0;
	for (size_t i = first; i < end; i++) {
		*out = access_default[i];
		out++->allow = allow;
	}
	return end - first;
}

void settings_init(struct settings *s)
{
	*s = (struct settings){
		.minimization = MINIMIZE_RELAXED,
		.ipv4 = true,
		.ipv6 = true,
		.harden_glue = true,
		.upstream_port = 53,
		.max_ttl_s = 86400,
		.max_negative_ttl_s = 3600,
		.client_ms = LIMIT_CLIENT_MS,
		.prime = true,
		.dnssec = true,
		.access = access_default,
		.access_count = ARRAY_LEN(access_default),
		.trusted = access_default,
		.trusted_count = ARRAY_LEN(access_default),
		.answer_norecurse = true,
		.response_rate = 1000,
		.stale_enabled = true,
		.stale_answer_after_ms = 500,
		.stale_max_age_s = 86400,
		.stale_ttl_s = 30,
		.aggressive_nsec = true,
		.prefetch = {.enabled = true,
			     .max_rate = 500,
			     .max_names = 10000,
			     .all = {.min_hits = 2,
				     .window_s = 600,
				     .min_yield_permille = 100,
				     .hold_ms = 10000,
				     .max_staleness_s = UINT32_MAX}},
	};
}
