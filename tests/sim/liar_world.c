/*
 * Small worlds for the liar: a root, two zones below it, and below one of them a signed zone, one
 * without DS, and one that is not signed at all, below which there may be one that has a trust anchor of
 * its own, with aliases, wildcards and DNAMEs between them. Much of
 * it is always the same, so that signatures are made once (memo.h); what changes is how existence is
 * denied, who serves what, who lies, and what is asked.
 */
#include "sim/bricks.h"
#include "sim/liar.h"
#include "sim/sim.h"

enum { TTL_S = 60, MIN_TTL_S = 100, QUESTIONS_MAX = 5, RESTART_MAX_US = 4000000 };

static const char *const names[] = {
	"www.lab.",	     "www.lab.",
	"zoo.lab.",	     "alias.lab.",
	"cross.lab.",	     "toplain.lab.",
	"tofar.lab.",	     "any.wild.lab.",
	"a.b.wild.lab.",     "host.wild.lab.",
	"no.host.wild.lab.", "no.ent.wild.lab.",
	"any.walias.lab.",   "app.dn.lab.",
	"x.dnin.lab.",	     "ent.lab.",
	"x.ent.lab.",	     "no.lab.",
	"no.www.lab.",	     "lab.",
	"sub.lab.",	     "app.sub.lab.",
	"app.sub.lab.",	     "no.sub.lab.",
	"any.w.sub.lab.",    "alias.sub.lab.",
	"zoo.dn.sub.lab.",   "plain.lab.",
	"host.plain.lab.",   "alias.plain.lab.",
	"isle.lab.",	     "www.isle.lab.",
	"cay.plain.lab.",    "www.cay.plain.lab.",
	"no.cay.plain.lab.", "far.",
	"www.far.",	     "alias.far.",
	"no.far.",	     "nothing.",
	"ns.lab.",
};

static void sign_zone(struct sim *s, struct zone *z, unsigned pair, bool with_ds)
{
	struct secure_options o = {
		.with_ds = with_ds, .own_keys = pair, .algorithm = 8, .unix_s = sim_now(s).unix_s};
	bool may_vary = dname_label_count(z->apex) > 0;
	o.nsec3 = may_vary && prng_percent(&s->dice, 55);
	o.opt_out = o.nsec3 && prng_percent(&s->dice, 35);
	secure_zone(&s->world, s->keyring, z, &o);
	z->security->salt[0] = (uint8_t)pair;
}

static void second_server(struct sim *s, struct zone *z, struct zone *home, const char *label)
{
	struct world *w = &s->world;
	world_serve(world_host(w, world_label(w, home->apex, "%s", label), home, 1, 0, 3600), z);
}

static void address(struct sim *s, struct zone *z, const char *name, uint8_t last)
{
	const uint8_t bytes[4] = {10, 9, (uint8_t)dname_label_count(z->apex), last};
	zone_add(&s->world, z, world_name(&s->world, name), TYPE_A, TTL_S, span_of(bytes, 4));
}

static void alias(struct sim *s, struct zone *z, const char *name, uint16_t type, const char *to)
{
	zone_add_name(&s->world, z, world_name(&s->world, name), type, TTL_S,
		      world_name(&s->world, to));
}

static void fill_lab(struct sim *s, struct zone *lab)
{
	static const uint8_t text[] = {3, 'l', 'a', 'b'};
	address(s, lab, "www.lab.", 1);
	address(s, lab, "www.lab.", 2);
	address(s, lab, "zoo.lab.", 3);
	address(s, lab, "x.ent.lab.", 4);
	address(s, lab, "*.wild.lab.", 5);
	address(s, lab, "host.wild.lab.", 6);
	address(s, lab, "x.ent.wild.lab.", 7);
	zone_add(&s->world, lab, world_name(&s->world, "www.lab."), TYPE_TXT, TTL_S,
		 span_of(text, sizeof(text)));
	alias(s, lab, "alias.lab.", TYPE_CNAME, "www.lab.");
	alias(s, lab, "cross.lab.", TYPE_CNAME, "app.sub.lab.");
	alias(s, lab, "toplain.lab.", TYPE_CNAME, "host.plain.lab.");
	alias(s, lab, "tofar.lab.", TYPE_CNAME, "www.far.");
	alias(s, lab, "*.walias.lab.", TYPE_CNAME, "zoo.lab.");
	alias(s, lab, "dn.lab.", TYPE_DNAME, "sub.lab.");
	alias(s, lab, "dnin.lab.", TYPE_DNAME, "ent.lab.");
}

/* Signed, below a zone that is not. */
static void build_cay(struct sim *s, struct zone *plain)
{
	struct zone *cay = brick_zone(s, "cay.plain.lab.", plain);
	if (s->liar.mode == LIAR_PATH && prng_percent(&s->dice, 50)) /* so there is no referral */
		world_serve(plain->hosts[0], cay);
	sign_zone(s, cay, 6, false);
	cay->security->is_anchored = prng_percent(&s->dice, 70);
	address(s, cay, "www.cay.plain.lab.", 16);
}

static void fill_others(struct sim *s, struct zone *sub, struct zone *plain, struct zone *isle,
			struct zone *far)
{
	address(s, sub, "app.sub.lab.", 11);
	address(s, sub, "*.w.sub.lab.", 12);
	alias(s, sub, "alias.sub.lab.", TYPE_CNAME, "www.lab.");
	alias(s, sub, "dn.sub.lab.", TYPE_DNAME, "lab.");
	address(s, plain, "host.plain.lab.", 13);
	alias(s, plain, "alias.plain.lab.", TYPE_CNAME, "www.lab.");
	address(s, isle, "www.isle.lab.", 14);
	address(s, far, "www.far.", 15);
	alias(s, far, "alias.far.", TYPE_CNAME, "app.sub.lab.");
}

static void build_zones(struct sim *s)
{
	struct world *w = &s->world;
	struct zone *root = brick_zone(s, ".", NULL), *lab = brick_zone(s, "lab.", root);
	struct zone *far = world_zone(w, world_name(w, "far."), root);
	struct zone *sub = brick_zone(s, "sub.lab.", lab),
		    *plain = brick_zone(s, "plain.lab.", lab);
	struct zone *isle = brick_zone(s, "isle.lab.", lab);
	zone_add_soa(w, far, 3600, 60);
	second_server(s, root, root, "b");
	second_server(s, lab, lab, "ns2");
	second_server(s, sub, sub, "ns2");
	second_server(s, plain, plain, "ns2");
	if (prng_percent(&s->dice, 50)) /* one server has both sides of the cut */
		world_serve(lab->hosts[0], sub);
	second_server(s, far, prng_percent(&s->dice, 50) ? sub : far, "nsa");
	second_server(s, far, far, "nsb");
	sign_zone(s, root, 1, true);
	sign_zone(s, lab, 2, true);
	sign_zone(s, far, 3, true);
	sign_zone(s, sub, 4, true);
	sign_zone(s, isle, 5, false);
	build_cay(s, plain);
	fill_lab(s, lab);
	fill_others(s, sub, plain, isle, far);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		w->names[w->name_count++] = world_name(w, names[i]);
	brick_finish(s, 3600, 3600);
}

/* Who lies, and how fast everybody is: which server is asked first is a matter of chance. */
static void choose_liars(struct sim *s)
{
	struct world *w = &s->world;
	enum liar_mode mode = s->liar.mode;
	unsigned bits = (unsigned)prng_u64(&s->dice);
	for (unsigned i = 0; i < w->host_count; i++) {
		w->hosts[i]->quirks.delay_us = prng_between(&s->dice, 500, 9000);
		w->hosts[i]->quirks.follows_aliases = prng_percent(&s->dice, 60);
		w->hosts[i]->dishonest = mode == LIAR_PATH || mode == LIAR_GOSSIP;
	}
	for (unsigned i = 0; i < w->zone_count; i++)
		if ((mode == LIAR_SERVER || mode == LIAR_EMPTY) && w->zones[i]->host_count > 1)
			w->zones[i]->hosts[bits >> i & 1]->dishonest = true;
}

/* Behind a forwarder there are no referrals; what it says is a lie, or may have become one. */
static void forward_some(struct sim *s)
{
	struct settings_zone *forward = world_alloc(&s->world, sizeof(*forward));
	configured_forward(s, forward);
	dname_lower(world_name(&s->world, prng_percent(&s->dice, 50) ? "." : "lab."),
		    forward->name);
	forward->fallback = false;
	s->settings.zones = forward;
	s->settings.zone_count = 1;
}

static void ask(struct sim *s, uint64_t at_us)
{
	static const uint16_t types[] = {TYPE_A,     TYPE_A,	TYPE_A,	     TYPE_A,	TYPE_A,
					 TYPE_A,     TYPE_A,	TYPE_AAAA,   TYPE_AAAA, TYPE_TXT,
					 TYPE_DS,    TYPE_DS,	TYPE_DNSKEY, TYPE_NS,	TYPE_SOA,
					 TYPE_CNAME, TYPE_DNAME};
	struct prng *d = &s->dice;
	const uint8_t *name = world_name(&s->world, PRNG_PICK(d, names));
	uint16_t type = PRNG_PICK(d, types);
	if (s->stubs.count > 0 && prng_percent(d, 35)) {
		const struct stub *before = s->stubs.list[prng_below(d, s->stubs.count)];
		name = before->qname;
		type = prng_percent(d, 60) ? before->qtype : type;
	}
	struct stub *c = stub_plan(s, at_us, name, type);
	c->dnssec_ok = prng_percent(d, 65);
	c->wants_ad = prng_percent(d, 80);
	c->checking_disabled = prng_percent(d, 10);
	c->transport = prng_percent(d, 20) ? TRANSPORT_TCP : TRANSPORT_UDP;
	c->recursion_desired = !prng_percent(d, 4);
}

void build_lies(struct sim *s)
{
	static const enum liar_mode modes[] = {LIAR_PATH,   LIAR_PATH,	 LIAR_PATH,   LIAR_PATH,
					       LIAR_SERVER, LIAR_SERVER, LIAR_GOSSIP, LIAR_EMPTY};
	static const uint64_t gaps_us[] = {0, 1000, 30000, 300000, 3000000, 70000000};
	struct prng *d = &s->dice;
	uint64_t at_us = 1000;
	s->settings.dnssec = true;
	s->settings.aggressive_nsec = prng_percent(d, 50);
	s->settings.minimization = (enum minimization)prng_below(d, 3);
	s->settings.prime = prng_percent(d, 25);
	s->settings.min_ttl_s = prng_percent(d, 15) ? MIN_TTL_S : 0;
	s->has_ipv6 = false;
	s->memory_bytes = (size_t)1 << 19;
	s->liar.mode = prng_percent(d, 2) ? LIAR_NONE : PRNG_PICK(d, modes);
	s->world.mood = liar_is_harmless(s) ? MOOD_HEALTHY : MOOD_HOSTILE;
	build_zones(s);
	if (s->liar.mode == LIAR_PATH && prng_percent(d, 15))
		forward_some(s);
	choose_liars(s);
	s->life.worker_count = prng_percent(d, 10) ? 2 : 1;
	for (unsigned i = prng_between(d, 2, QUESTIONS_MAX); i > 0; i--) {
		ask(s, at_us);
		at_us += PRNG_PICK(d, gaps_us);
	}
	liar_plan(s);
}

void build_liar(struct sim *s)
{
	build_lies(s);
	if (prng_percent(&s->dice, 1))
		life_plan_restart(s, prng_below(&s->dice, RESTART_MAX_US), 1000);
}
