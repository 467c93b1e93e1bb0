/*
 * Random internets: a tree of zones on servers of all sorts, filled with all sorts of records, and
 * random questions about them.
 */
#include "base/cursor.h"
#include "sim/sim.h"

static const char *const words[] = {"www", "mail", "api", "db",	 "cdn", "static", "login", "shop",
				    "img", "blog", "dev", "vpn", "ftp", "chat",	  "Files", "QUEUE"};
static const uint32_t ttls_s[] = {0, 1, 5, 5, 30, 60, 300, 3600, 86400};
static const uint32_t long_ttls_s[] = {60, 300, 3600, 86400, 172800};

enum { GLUELESS_MAX = 2, BIG_TXT_RECORDS = 16, TARGETS_MAX = 512 };

struct plan { /* what is remembered while a world grows */
	struct sim *s;
	struct world *w;
	struct prng *dice;
	const uint8_t *targets[TARGETS_MAX]; /* names that aliases may point to */
	unsigned target_count;
};

static void remember(struct plan *p, const uint8_t *name, bool is_target)
{
	if (p->w->name_count < WORLD_NAMES_MAX)
		p->w->names[p->w->name_count++] = name;
	if (is_target && p->target_count < TARGETS_MAX)
		p->targets[p->target_count++] = name;
}

/* ---- the tree -------------------------------------------------------------------------------- */

static unsigned v6_count(struct plan *p)
{
	return prng_percent(p->dice, 40);
}

static void add_own_host(struct plan *p, struct zone *z, struct zone *home, unsigned index)
{
	const uint8_t *name = world_label(p->w, home->apex, home == z ? "ns%u" : "ns-z%u",
					  100 * p->w->zone_count + index);
	unsigned v4 = prng_percent(p->dice, 20) ? 2 : 1;
	struct host *h =
		world_host(p->w, name, home, v4, v6_count(p), PRNG_PICK(p->dice, long_ttls_s));
	if (v4 == 2 && prng_percent(p->dice, 50))
		h->glue_count = 1; /* the child knows more addresses than the parent */
	world_serve(h, z);
	remember(p, name, false);
}

/* A server in its own zone (with glue), one that others use too, or one whose name lies elsewhere
 * (without glue, unless it happens to be a sibling). */
static void add_host(struct plan *p, struct zone *z, unsigned index, bool must_glue)
{
	unsigned choice = prng_below(p->dice, 100);
	struct zone *other = p->w->zones[prng_between(p->dice, 1, MAX(1u, p->w->zone_count - 2))];
	bool may_share = z->parent->parent && other != z && other->parent &&
			 other->glueless_depth < GLUELESS_MAX;
	if (must_glue || choice < 55 || !may_share) {
		add_own_host(p, z, z, index);
	} else if (choice < 80 && other->hosts[0]->zone_count < HOST_ZONES_MAX) {
		world_serve(other->hosts[0], z);
		z->glueless_depth = MAX(z->glueless_depth, other->glueless_depth + 1);
	} else {
		add_own_host(p, z, other, index);
		z->glueless_depth = MAX(z->glueless_depth, other->glueless_depth + 1);
	}
}

static struct zone *add_zone(struct plan *p, const uint8_t *apex, struct zone *parent)
{
	struct zone *z = world_zone(p->w, apex, parent);
	unsigned count = prng_between(p->dice, 1, 3);
	bool must_glue = !parent->parent || prng_percent(p->dice, 50);
	z->glueless_depth = parent->glueless_depth;
	zone_add_soa(p->w, z, PRNG_PICK(p->dice, long_ttls_s), PRNG_PICK(p->dice, ttls_s));
	for (unsigned i = 0; i < count; i++)
		add_host(p, z, i, must_glue);
	remember(p, apex, false);
	return z;
}

static void add_root(struct plan *p)
{
	const uint8_t *top = world_name(p->w, "rootsrv.");
	struct zone *root = world_zone(p->w, world_name(p->w, "."), NULL);
	zone_add_soa(p->w, root, 86400, 3600);
	for (unsigned i = 0; i < 2; i++) {
		const uint8_t *name = world_label(p->w, top, "%c", 'a' + (int)i);
		world_serve(world_host(p->w, name, root, 1, v6_count(p), 518400), root);
	}
}

static void add_zones(struct plan *p)
{
	static const char *const tops[] = {"com", "net", "org", "io"};
	struct world *w = p->w;
	add_root(p);
	unsigned top_count = prng_between(p->dice, 2, ARRAY_LEN(tops));
	for (unsigned i = 0; i < top_count; i++)
		add_zone(p, world_label(w, w->zones[0]->apex, "%s", tops[i]), w->zones[0]);
	unsigned second_count = prng_between(p->dice, 3, 7);
	for (unsigned i = 0; i < second_count; i++) {
		struct zone *top = w->zones[1 + prng_below(p->dice, top_count)];
		add_zone(p, world_label(w, top->apex, "z%u", i), top);
	}
	for (unsigned i = prng_below(p->dice, 5); i > 0; i--) {
		unsigned first = 1 + top_count;
		struct zone *parent = w->zones[prng_between(p->dice, first, w->zone_count - 1)];
		const uint8_t *under = parent->apex;
		if (prng_percent(p->dice, 40)) /* an empty non-terminal between the cuts */
			under = world_label(w, under, "gap%u", i);
		add_zone(p, world_label(w, under, "sub%u", i), parent);
	}
}

/* ---- what stands in a zone ------------------------------------------------------------------- */

static void add_random_bytes(struct plan *p, struct zone *z, const uint8_t *owner, uint16_t type,
			     uint32_t ttl_s, size_t len)
{
	uint8_t bytes[256];
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)prng_u64(p->dice);
	if (type == TYPE_TXT)
		bytes[0] = (uint8_t)(len - 1);
	zone_add(p->w, z, owner, type, ttl_s, span_of(bytes, len));
}

static const uint8_t *random_target(struct plan *p)
{
	if (!p->target_count || prng_percent(p->dice, 5))
		return p->w->zones[prng_below(p->dice, p->w->zone_count)]->apex;
	return p->targets[prng_below(p->dice, p->target_count)];
}

static void add_named(struct plan *p, struct zone *z, const uint8_t *owner, uint16_t type,
		      uint32_t ttl_s)
{
	uint8_t rdata[6 + DNAME_MAX];
	struct writer out = writer_of(rdata, sizeof(rdata));
	const uint8_t *target = random_target(p);
	for (unsigned i = type == TYPE_SRV ? 3 : 1; i > 0; i--)
		writer_u16(&out, (uint16_t)prng_below(p->dice, 100));
	writer_bytes(&out, span_of(target, dname_len(target)));
	zone_add(p->w, z, owner, type, ttl_s, writer_span(&out));
}

static void add_addresses(struct plan *p, struct zone *z, const uint8_t *owner)
{
	uint32_t ttl_s = PRNG_PICK(p->dice, ttls_s);
	for (unsigned i = prng_percent(p->dice, 70) ? 1 : prng_between(p->dice, 2, 8); i > 0; i--)
		add_random_bytes(p, z, owner, TYPE_A, ttl_s, 4);
	if (prng_percent(p->dice, 40))
		add_random_bytes(p, z, owner, TYPE_AAAA, ttl_s, 16);
}

static void add_others(struct plan *p, struct zone *z, const uint8_t *owner)
{
	uint32_t ttl_s = PRNG_PICK(p->dice, ttls_s);
	unsigned records =
		prng_percent(p->dice, 15) ? BIG_TXT_RECORDS : prng_between(p->dice, 1, 2);
	if (prng_percent(p->dice, 30))
		for (unsigned i = 0; i < records; i++)
			add_random_bytes(p, z, owner, TYPE_TXT, ttl_s, records > 2 ? 200 : 20);
	if (prng_percent(p->dice, 25))
		add_named(p, z, owner, TYPE_MX, ttl_s);
	if (prng_percent(p->dice, 15))
		add_named(p, z, owner, TYPE_SRV, ttl_s);
	if (prng_percent(p->dice, 20))
		add_random_bytes(p, z, owner, 65280, ttl_s, prng_below(p->dice, 40));
}

/* A DNAME node has nothing below it (RFC 6672 §2.4). */
static void add_dname(struct plan *p, struct zone *z)
{
	const uint8_t *owner = world_label(p->w, z->apex, "old");
	struct zone *other = p->w->zones[prng_below(p->dice, p->w->zone_count)];
	zone_add_name(p->w, z, owner, TYPE_DNAME, PRNG_PICK(p->dice, ttls_s), other->apex);
	for (unsigned i = 0; i < 3; i++)
		remember(p, world_label(p->w, owner, "%s", PRNG_PICK(p->dice, words)), true);
	remember(p, owner, false);
}

static void add_wildcard(struct plan *p, struct zone *z)
{
	bool at_apex = prng_percent(p->dice, 30);
	const uint8_t *encloser = at_apex ? z->apex : world_label(p->w, z->apex, "wild");
	const uint8_t *owner = world_label(p->w, encloser, "*");
	if (prng_percent(p->dice, 25)) {
		zone_add_name(p->w, z, owner, TYPE_CNAME, PRNG_PICK(p->dice, ttls_s),
			      random_target(p));
	} else {
		add_addresses(p, z, owner);
		add_others(p, z, owner);
	}
	for (unsigned i = 0; i < 2; i++)
		remember(p, world_label(p->w, encloser, "any%u", prng_below(p->dice, 100)), true);
	remember(p, world_label(p->w, world_label(p->w, encloser, "deep"), "er"), true);
	remember(p, owner, false);
}

static void fill_zone(struct plan *p, struct zone *z)
{
	unsigned first = prng_below(p->dice, ARRAY_LEN(words));
	unsigned count = z->parent && z->parent->parent ? prng_between(p->dice, 3, 8) : 1;
	for (unsigned i = 0; i < count; i++) {
		const char *word = words[(first + i) % ARRAY_LEN(words)];
		const uint8_t *owner = world_label(p->w, z->apex, "%s", word);
		if (prng_percent(p->dice, 15)) /* an empty non-terminal above */
			owner = world_label(p->w, world_label(p->w, z->apex, "ent"), "%s", word);
		if (prng_percent(p->dice, 30)) {
			zone_add_name(p->w, z, owner, TYPE_CNAME, PRNG_PICK(p->dice, ttls_s),
				      random_target(p));
		} else {
			add_addresses(p, z, owner);
			add_others(p, z, owner);
		}
		remember(p, owner, true);
	}
	if (!z->parent || !z->parent->parent)
		return;
	if (prng_percent(p->dice, 30))
		add_others(p, z, z->apex);
	if (prng_percent(p->dice, 40))
		add_addresses(p, z, z->apex);
	if (prng_percent(p->dice, 35))
		add_wildcard(p, z);
	if (prng_percent(p->dice, 20))
		add_dname(p, z);
}

/* Aliases that lead nowhere, or round in a circle. */
static void add_riddles(struct plan *p)
{
	struct world *w = p->w;
	struct zone *a = w->zones[w->zone_count - 1],
		    *b = w->zones[prng_between(p->dice, 1, w->zone_count - 1)];
	const uint8_t *x = world_label(w, a->apex, "loop-x"),
		      *y = world_label(w, b->apex, "loop-y");
	zone_add_name(w, a, x, TYPE_CNAME, 60, y);
	zone_add_name(w, b, y, TYPE_CNAME, 60, x);
	remember(p, x, false);
	const uint8_t *lost = world_label(w, a->apex, "lost");
	zone_add_name(w, a, lost, TYPE_NS, 300, world_label(w, w->zones[0]->apex, "nowhere"));
	remember(p, world_label(w, lost, "www"), true);
	remember(p, lost, false);
}

/* ---- who signs, and how well ----------------------------------------------------------------- */

static const uint8_t algorithms[] = {15, 15, 15, 15, 15, 13, 13, 13, 13, 8, 10, 14, 16, 5, 7};

static void sign_zone(struct plan *p, struct zone *z)
{
	struct prng *d = p->dice;
	unsigned depth = dname_label_count(z->apex);
	struct secure_options o = {.unix_s = sim_now(p->s).unix_s, .with_ds = prng_percent(d, 88)};
	if (depth > 0 && !prng_percent(d, depth == 1 ? 85 : 70))
		return;
	do
		o.algorithm = PRNG_PICK(d, algorithms);
	while (depth == 0 && o.algorithm < 8);
	o.unknown_digest = depth > 0 && prng_percent(d, 3);
	o.nsec3 = prng_percent(d, 45);
	o.opt_out = o.nsec3 && prng_percent(d, 40);
	if (depth > 1 && p->s->with_flaws && prng_percent(d, 40))
		o.flaw = (enum flaw)prng_between(d, FLAW_EXPIRED, FLAW_COUNT - 1);
	/* Proofs that are good for other names may be put to good use (RFC 8198). */
	if ((o.flaw == FLAW_OTHER_PROOF || o.flaw == FLAW_SIBLING_PROOF) &&
	    p->s->settings.aggressive_nsec)
		o.flaw = FLAW_NO_PROOF;
	secure_zone(p->w, p->s->keyring, z, &o);
	/* In an insecure zone a forged denial cannot be told from a true one. */
	if (secure_is_forged(z) && secure_verdict(z) != SIM_SECURE)
		z->security->flaw = FLAW_NONE;
}

static void add_anchor(struct sim *s, const struct zone *z)
{
	char anchor[200];
	secure_anchor_text(z, anchor, sizeof(anchor));
	REQUIRE(s->settings.anchor_count < ARRAY_LEN(s->anchors));
	REQUIRE(anchor_add_text(&s->anchors[s->settings.anchor_count++], anchor) == OK);
}

void generate_anchors(struct sim *s)
{
	s->settings.anchors = s->anchors;
	s->settings.anchor_count = 0;
	for (unsigned i = 0; i < s->world.zone_count; i++) {
		const struct zone *z = s->world.zones[i];
		if (!z->parent || (z->security && z->security->is_anchored))
			add_anchor(s, z);
	}
}

/* Zones come after those that they depend on. */
static void find_shaky(struct zone *z)
{
	z->shaky = z->parent && (z->parent->shaky || secure_is_forged(z->parent));
	for (unsigned i = 0; i < z->host_count; i++) {
		const struct zone *home = z->hosts[i]->home;
		z->shaky |= home != z && (home->shaky || secure_is_forged(home) ||
					  secure_verdict(home) == SIM_BOGUS);
	}
}

/* ---- what servers are like ------------------------------------------------------------------- */

static void quirks_healthy(struct plan *p, struct quirks *q)
{
	q->delay_us = prng_between(p->dice, 500, 15000);
	q->spread_us = prng_below(p->dice, 8000);
	q->follows_aliases = prng_percent(p->dice, 60);
	q->authority_ns = prng_percent(p->dice, 30);
	q->lowercase = prng_percent(p->dice, 10);
	q->truncates = prng_percent(p->dice, 4);
	q->duplicate_percent = prng_percent(p->dice, 10) ? 30 : 0;
	if (prng_percent(p->dice, 10))
		q->edns =
			(enum edns_mode)prng_between(p->dice, EDNS_MODE_FORMERR, EDNS_MODE_IGNORE);
}

static void quirks_rough(struct plan *p, struct quirks *q)
{
	struct prng *d = p->dice;
	q->loss_percent = (uint8_t)(prng_percent(d, 30) ? prng_below(d, 10) : 0);
	q->slow_percent = (uint8_t)(prng_percent(d, 10) ? prng_below(d, 10) : 0);
	q->servfail_percent = (uint8_t)(prng_percent(d, 8) ? 30 : 0);
	q->spread_us = prng_percent(d, 15) ? 300000 : q->spread_us;
	q->dead = prng_percent(d, 8);
	if (prng_percent(d, 5))
		q->edns = EDNS_MODE_DROP;
	if (prng_percent(d, 10))
		q->tcp = (enum tcp_mode)prng_between(d, TCP_MODE_REFUSED, TCP_MODE_CLOSES);
	if (prng_percent(d, 12))
		q->lame = (enum lame_mode)prng_between(d, LAME_REFUSED, LAME_HEARSAY);
	if (prng_percent(d, 20)) {
		q->nuisances = (uint8_t)prng_between(d, 1, 127);
		q->nuisance_percent = (uint8_t)prng_between(d, 10, 100);
	}
}

static void quirks_hostile(struct plan *p, struct quirks *q)
{
	struct prng *d = p->dice;
	q->spoofed = prng_percent(d, 30);
	if (prng_percent(d, 20))
		q->loss_percent = (uint8_t)prng_between(d, 10, 60);
}

/* A zone is in a liar's hands if one of its servers is, or the name of one, or its parent. */
static bool is_tainted_now(const struct zone *z)
{
	bool tainted = z->parent && z->parent->tainted;
	for (unsigned i = 0; i < z->host_count; i++)
		tainted |= z->hosts[i]->quirks.liar ||
			   (z->hosts[i]->home && z->hosts[i]->home->tainted);
	return tainted;
}

static void spread_taint(struct world *w)
{
	bool changed = true;
	for (unsigned round = 0; changed && round < WORLD_ZONES_MAX; round++) {
		changed = false;
		for (unsigned i = 0; i < w->zone_count; i++) {
			bool tainted = is_tainted_now(w->zones[i]);
			changed |= tainted != w->zones[i]->tainted;
			w->zones[i]->tainted = tainted;
		}
	}
}

static void add_liars(struct plan *p)
{
	struct world *w = p->w;
	for (unsigned n = prng_between(p->dice, 1, 2); n > 0; n--) {
		struct zone *z = w->zones[prng_below(p->dice, w->zone_count)];
		if (!z->parent || !z->parent->parent)
			continue;
		for (unsigned i = 0; i < z->host_count; i++)
			z->hosts[i]->quirks.liar = true;
	}
	/* A liar who got hold of a top-level domain by serving it too is an honest man there. */
	for (unsigned i = 0; i < w->zone_count; i++)
		for (unsigned h = 0; h < w->zones[i]->host_count; h++)
			if (!w->zones[i]->parent || !w->zones[i]->parent->parent)
				w->zones[i]->hosts[h]->quirks.liar = false;
	spread_taint(w);
}

/* By dice of their own, so that all else about the world is as it is without them. */
static void add_balancers(struct plan *p)
{
	struct prng dice = {.state = p->s->seed ^ 0xba1a9ce5};
	for (unsigned i = 0; i < p->w->host_count; i++) {
		struct quirks *q = &p->w->hosts[i]->quirks;
		q->mute = prng_percent(&dice, 12);
		q->forgets_aa = q->mute && prng_percent(&dice, 60);
	}
}

static void add_quirks(struct plan *p)
{
	struct world *w = p->w;
	add_balancers(p);
	for (unsigned i = 0; i < w->host_count; i++) {
		struct quirks *q = &w->hosts[i]->quirks;
		quirks_healthy(p, q);
		if (w->mood != MOOD_HEALTHY)
			quirks_rough(p, q);
		if (w->mood == MOOD_HOSTILE)
			quirks_hostile(p, q);
		if (p->s->settings.dnssec) /* without EDNS there is no validating */
			q->edns = EDNS_MODE_FULL;
	}
	/* In a rough world the first server of each zone is well. */
	for (unsigned i = 0; w->mood == MOOD_ROUGH && i < w->zone_count; i++) {
		struct quirks *q = &w->zones[i]->hosts[0]->quirks;
		q->dead = false;
		q->lame = LAME_NOT;
		q->slow_percent = q->servfail_percent = 0;
		q->tcp = TCP_MODE_OK;
	}
	if (w->mood == MOOD_HOSTILE && prng_percent(p->dice, 70))
		add_liars(p);
}

void generate_hints(struct sim *s)
{
	const struct zone *root = s->world.zones[0];
	struct delegation *d = &s->settings.hints;
	memset(d, 0, sizeof(*d));
	for (unsigned i = 0; i < root->host_count && i < DELEGATION_SERVERS_MAX; i++) {
		struct delegation_server *server = &d->servers[d->count++];
		server->name = root->hosts[i]->name;
		server->address_count = (uint8_t)root->hosts[i]->address_count;
		memcpy(server->addresses, root->hosts[i]->addresses,
		       sizeof(root->hosts[i]->addresses));
	}
}

void generate_world(struct sim *s)
{
	struct plan p = {.s = s, .w = &s->world, .dice = &s->dice};
	struct world *w = &s->world;
	s->settings.minimization = (enum minimization)prng_below(p.dice, 3);
	s->settings.prime = prng_percent(p.dice, 70);
	s->has_ipv6 = prng_percent(p.dice, 70);
	s->memory_bytes = prng_percent(p.dice, 10) ? (size_t)1 << 19 : (size_t)4 << 20;
	s->net.late_replies = prng_percent(p.dice, 20);
	s->settings.aggressive_nsec = s->settings.dnssec && prng_percent(p.dice, 60);
	add_zones(&p);
	for (unsigned i = 0; i < w->zone_count; i++)
		fill_zone(&p, w->zones[i]);
	if (prng_percent(p.dice, 30))
		add_riddles(&p);
	for (unsigned i = 0; i < w->zone_count; i++)
		zone_delegate(w, w->zones[i], PRNG_PICK(p.dice, long_ttls_s),
			      PRNG_PICK(p.dice, long_ttls_s), prng_percent(p.dice, 50));
	for (unsigned i = 0; s->settings.dnssec && i < w->zone_count; i++)
		sign_zone(&p, w->zones[i]);
	if (s->settings.dnssec)
		generate_anchors(s);
	for (unsigned i = 0; i < w->zone_count; i++) {
		zone_seal(w, w->zones[i]);
		secure_seal(w, w->zones[i]);
	}
	for (unsigned i = 0; s->settings.dnssec && i < w->zone_count; i++)
		find_shaky(w->zones[i]);
	add_quirks(&p);
	if (prng_percent(p.dice, 25))
		generate_configured(s);
	generate_hints(s);
}

/* ---- questions ------------------------------------------------------------------------------- */

static const uint8_t *random_question(struct sim *s)
{
	struct prng *d = &s->dice;
	const uint8_t *name = s->world.names[prng_below(d, s->world.name_count)];
	unsigned choice = prng_below(d, 100);
	if (dname_len(name) > DNAME_MAX - 20)
		return name;
	if (choice < 12)
		return world_label(&s->world, name, "no%u", prng_below(d, 30));
	if (choice < 15)
		return world_label(&s->world, world_label(&s->world, name, "b"), "a");
	if (choice < 20 && dname_label_count(name) > 1)
		return dname_skip(name, 1);
	return name;
}

static void mix_case(struct prng *d, uint8_t *name)
{
	for (uint8_t *at = name; *at; at += *at + 1)
		for (unsigned i = 1; i <= *at; i++)
			if ((at[i] | 0x20) >= 'a' && (at[i] | 0x20) <= 'z' && prng_percent(d, 50))
				at[i] ^= 0x20;
}

static void make_odd(struct prng *d, struct stub *c)
{
	c->odd = (enum oddity)prng_between(d, ODD_RESPONSE, ODD_COUNT - 1);
	if (c->odd == ODD_CLASS)
		c->qclass = CLASS_HS;
	if (c->odd == ODD_TRANSFER)
		c->qtype = TYPE_AXFR;
	if (c->odd == ODD_TWO_OPTS || c->odd == ODD_BADVERS)
		c->has_edns = true;
	c->has_cookie = false;
}

static void vary(struct sim *s, struct stub *c)
{
	static const uint16_t sizes[] = {512, 600, 1232, 1232, 4096};
	struct prng *d = &s->dice;
	if (prng_percent(d, 30))
		mix_case(d, c->qname);
	c->transport = prng_percent(d, 20) ? TRANSPORT_TCP : TRANSPORT_UDP;
	c->has_edns = prng_percent(d, 70);
	c->edns_size = PRNG_PICK(d, sizes);
	c->dnssec_ok = c->has_edns && prng_percent(d, s->settings.dnssec ? 60 : 20);
	c->wants_ad = !c->dnssec_ok && prng_percent(d, 20);
	c->has_cookie = c->has_edns && prng_percent(d, 20);
	c->checking_disabled = prng_percent(d, 5);
	c->recursion_desired = !prng_percent(d, 5);
	c->gone_after_us = prng_percent(d, 4) ? prng_below(d, 200000) + 1 : 0;
	if (prng_percent(d, 4))
		make_odd(d, c);
}

static uint64_t random_gap_us(struct prng *d)
{
	unsigned choice = prng_below(d, 100);
	if (choice < 55)
		return prng_below(d, 50000);
	if (choice < 80)
		return prng_below(d, 3000000);
	if (choice < 95)
		return prng_below(d, 120000000);
	return (uint64_t)prng_below(d, 100000) * 1000000;
}

/* Some address set that changes while clients go on asking: before, soon after, and when every cache
 * must have heard of it. */
static void plan_change(struct sim *s, uint64_t at_us)
{
	static const uint32_t after_s[] = {0, 1, 3, 14, 20, 60, 100, 310, 700};
	struct world *w = &s->world;
	struct prng *d = &s->dice;
	const struct zone *z = w->zones[prng_below(d, w->zone_count)];
	const struct node *n = &z->nodes[prng_below(d, (unsigned)z->node_count)];
	struct rrset *set = node_set(n, TYPE_A);
	bool is_own = dname_equal(world_zone_for(w, n->owner, TYPE_A)->apex, z->apex);
	if (!set || !is_own || set->ttl_s > 300 || w->change_count == WORLD_CHANGES_MAX)
		return;
	for (unsigned i = 0; i < w->host_count; i++) /* servers stay where they are */
		if (dname_equal(w->hosts[i]->name, n->owner))
			return;
	struct change *c = &w->changes[w->change_count];
	uint8_t address[4] = {10, 77, (uint8_t)prng_u64(d), (uint8_t)prng_u64(d)};
	struct span rdata = span_of(address, sizeof(address));
	c->node = n;
	c->set = set;
	REQUIRE(rrset_from_rdatas(set->owner, TYPE_A, set->ttl_s, &rdata, 1, &w->arena,
				  &c->other) == OK);
	struct sim_event change = {.kind = HAPPEN_CHANGE, .token = w->change_count++};
	sim_schedule(s, at_us + 500000, &change);
	for (size_t i = 0; i < ARRAY_LEN(after_s); i++)
		stub_plan(s, at_us + (uint64_t)after_s[i] * 1000000, n->owner, TYPE_A);
}

void generate_questions(struct sim *s, unsigned count)
{
	static const uint16_t types[] = {TYPE_A,     TYPE_A,	 TYPE_A,      TYPE_A,  TYPE_A,
					 TYPE_AAAA,  TYPE_AAAA,	 TYPE_TXT,    TYPE_MX, TYPE_NS,
					 TYPE_SOA,   TYPE_CNAME, TYPE_SRV,    TYPE_DS, TYPE_ANY,
					 TYPE_DNAME, TYPE_HTTPS, TYPE_DNSKEY, 65280};
	struct prng *d = &s->dice;
	uint64_t at_us = 1000;
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *name = random_question(s);
		uint16_t type = PRNG_PICK(d, types);
		unsigned burst = prng_percent(d, 5) ? prng_between(d, 2, 10) : 1;
		if (i > 0 && prng_percent(d, 35)) { /* somebody asks the same again */
			const struct stub *before = s->stubs.list[prng_below(d, s->stubs.count)];
			name = before->qname;
			type = before->odd == ODD_TRANSFER ? TYPE_A : before->qtype;
		}
		at_us += random_gap_us(d);
		if (i % 12 == 5)
			plan_change(s, at_us);
		for (unsigned b = 0; b < burst; b++)
			vary(s,
			     stub_plan(s, at_us + (uint64_t)b * prng_below(d, 2000), name, type));
	}
}
