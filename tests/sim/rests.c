#include "sim/rests.h"

#include <limits.h>

#include "sim/bricks.h"

static const uint64_t second_us = 1000000;

/* ---- the rest of a chain --------------------------------------------------------------------- */

enum { LEFT_NAMES = 3, LEFT_OTHER = LEFT_NAMES / 2 };

/* What the servers of a zone above have left of this one, which lies elsewhere now: other addresses,
 * and of some names none, signed as OPTIONS say, if at all. Not of this world: nobody delegates it. */
static const struct zone *leave(struct sim *s, struct zone *parent, const uint8_t *apex,
				const struct secure_options *options, bool is_signed)
{
	struct world *w = &s->world;
	struct zone *z = world_zone(w, apex, parent);
	w->zone_count--;
	zone_add_soa(w, z, 3600, 60);
	zone_add_name(w, z, apex, TYPE_NS, 3600, world_label(w, parent->apex, "ns"));
	bool is_told = options->flaw < FLAW_FIRST_OF_DENIALS; /* else its records would be good */
	for (unsigned i = 0; is_told && i <= LEFT_OTHER; i++)
		brick_a(s, z, world_label(w, apex, "app%u", i), 60);
	if (is_signed)
		secure_zone(w, s->keyring, z, options);
	zone_seal(w, z);
	secure_seal(w, z);
	return z;
}

/* An alias of a signed zone leads into a zone below, and its server tells, in the same reply, what it
 * has left of that: unsigned, signed long ago or wrongly, or denied. The alias is good, and what it
 * leads to lives elsewhere: that is what clients are told, without a failure. */
void build_left_rest(struct sim *s)
{
	static const enum flaw flaws[] = {FLAW_EXPIRED,	 FLAW_SIGNATURE, FLAW_STRIPPED,
					  FLAW_STRANGER, FLAW_NO_PROOF,	 FLAW_OTHER_PROOF};
	struct world *w = &s->world;
	s->settings.dnssec = true;
	struct zone *com = brick_top(s), *lab = brick_zone(s, "lab.com.", com);
	struct zone *sub = brick_zone(s, "sub.lab.com.", lab);
	struct zone *zones[] = {com->parent, com, lab, sub};
	bool is_secure = prng_percent(&s->dice, 60);
	struct secure_options o = {.algorithm = 15, .with_ds = true, .unix_s = sim_now(s).unix_s};
	for (unsigned i = 0; i < ARRAY_LEN(zones) - !is_secure; i++) {
		o.nsec3 = prng_percent(&s->dice, 50);
		secure_zone(w, s->keyring, zones[i], &o);
	}
	o.with_ds = false;
	o.flaw = PRNG_PICK(&s->dice, flaws);
	lab->hosts[0]->quirks.left =
		leave(s, lab, sub->apex, &o, is_secure && prng_percent(&s->dice, 80));
	for (unsigned i = 0; i < LEFT_NAMES; i++) {
		const uint8_t *alias = world_label(w, lab->apex, "www%u", i);
		brick_a(s, sub, world_label(w, sub->apex, "app%u", i), 60);
		zone_add_name(w, lab, alias, TYPE_CNAME, 60, world_label(w, sub->apex, "app%u", i));
		stub_plan(s, 1000 + i * 50 * second_us, alias, TYPE_A)->dnssec_ok = true;
	}
	/* Some of it is right, and costs no question more: an alias inside the zone. */
	brick_a(s, lab, world_label(w, lab->apex, "node"), 60);
	zone_add_name(w, lab, world_label(w, lab->apex, "db"), TYPE_CNAME, 60,
		      world_label(w, lab->apex, "node"));
	brick_ask(s, 300 * second_us, "db.lab.com.");
	brick_finish(s, 3600, 3600);
}

/* The same where nothing is signed: once the cut is known it holds, over a restart too. */
void build_left_unsigned(struct sim *s)
{
	struct world *w = &s->world;
	const struct secure_options none = {0};
	struct zone *com = brick_top(s), *lab = brick_zone(s, "lab.com.", com);
	struct zone *sub = brick_zone(s, "sub.lab.com.", lab);
	lab->hosts[0]->quirks.left = leave(s, lab, sub->apex, &none, false);
	brick_a(s, sub, world_label(w, sub->apex, "ns0"), 60);
	brick_ask(s, 1000, "ns0.sub.lab.com.");
	for (unsigned i = 0; i < LEFT_NAMES; i++) {
		const uint8_t *alias = world_label(w, lab->apex, "www%u", i);
		brick_a(s, sub, world_label(w, sub->apex, "app%u", i), 60);
		zone_add_name(w, lab, alias, TYPE_CNAME, 60, world_label(w, sub->apex, "app%u", i));
		stub_plan(s, (30 + i * 50) * second_us, alias, TYPE_A);
	}
	if (prng_percent(&s->dice, 70))
		life_plan_restart(s, prng_between(&s->dice, 10, 120) * second_us, second_us);
	brick_finish(s, 3600, 3600);
}

void finish_left_rest(struct sim *s)
{
	const struct stub *db = s->stubs.list[LEFT_NAMES];
	if (s->net.sent != db->sends_before + 1)
		sim_fail(s, "the rest of a chain inside its zone is used", "%llu packets",
			 (unsigned long long)(s->net.sent - db->sends_before));
}

/* Two of a zone's three servers have lost it, and deny all without an SOA: what the third has is told,
 * signed or not. */
void build_bare(struct sim *s)
{
	static const uint16_t types[] = {TYPE_A, TYPE_AAAA, TYPE_MX, TYPE_TXT};
	struct world *w = &s->world;
	s->settings.dnssec = prng_percent(&s->dice, 70);
	struct zone *com = brick_top(s), *lab = brick_zone(s, "lab.com.", com);
	struct zone *sub = brick_zone(s, "sub.lab.com.", lab);
	struct zone *zones[] = {com->parent, com, lab, sub};
	for (unsigned i = 0; s->settings.dnssec && i < ARRAY_LEN(zones); i++) {
		struct secure_options o = {.algorithm = 15,
					   .with_ds = true,
					   .nsec3 = prng_percent(&s->dice, 50),
					   .unix_s = sim_now(s).unix_s};
		if (zones[i] != sub || prng_percent(&s->dice, 50))
			secure_zone(w, s->keyring, zones[i], &o);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct host *h =
			world_host(w, world_label(w, lab->apex, "lost%u", i), lab, 1, 0, 3600);
		h->quirks.lame = LAME_BARE;
		world_serve(h, lab);
	}
	brick_a(s, lab, world_label(w, lab->apex, "www"), 60);
	brick_a(s, sub, world_label(w, sub->apex, "www"), 60);
	zone_add_name(w, lab, world_label(w, lab->apex, "alias"), TYPE_CNAME, 60,
		      world_label(w, sub->apex, "www"));
	static const char *const names[] = {"www.lab.com.", "no.lab.com.", "alias.lab.com.",
					    "www.sub.lab.com.", "no.sub.lab.com."};
	for (unsigned i = 0; i < ARRAY_LEN(names) * ARRAY_LEN(types); i++)
		stub_plan(s, 1000 + i * 20 * second_us, world_name(w, PRNG_PICK(&s->dice, names)),
			  PRNG_PICK(&s->dice, types))
			->dnssec_ok = true;
	brick_finish(s, 3600, 3600);
}

/* Denials of a signed zone come with their proof, but without an SOA: they are secure, and kept for
 * LIMIT_BARE_DENIAL_S. Where the proof is wrong, that is what is kept. */
void build_omitted_soa(struct sim *s)
{
	static const unsigned at_s[] = {1, 5, 7};
	struct world *w = &s->world;
	s->settings.dnssec = true;
	s->settings.aggressive_nsec = false;
	s->world.mood = MOOD_ROUGH; /* the denials lack their SOA */
	struct zone *com = brick_top(s), *lab = brick_zone(s, "lab.com.", com);
	struct zone *zones[] = {com->parent, com, lab};
	for (unsigned i = 0; i < ARRAY_LEN(zones); i++) {
		struct secure_options o = {.algorithm = 15,
					   .with_ds = true,
					   .nsec3 = prng_percent(&s->dice, 50),
					   .unix_s = sim_now(s).unix_s};
		if (zones[i] == lab && prng_percent(&s->dice, 30))
			o.flaw = FLAW_OTHER_PROOF;
		secure_zone(w, s->keyring, zones[i], &o);
	}
	lab->hosts[0]->quirks.omits_soa = true;
	brick_a(s, lab, world_label(w, lab->apex, "www"), 60);
	for (unsigned i = 0; i < ARRAY_LEN(at_s); i++) {
		stub_plan(s, at_s[i] * second_us, world_name(w, "no.lab.com."), TYPE_A)->dnssec_ok =
			true;
		stub_plan(s, at_s[i] * second_us, world_name(w, "www.lab.com."), TYPE_AAAA)
			->dnssec_ok = true;
	}
	brick_finish(s, 3600, 3600);
}

void finish_omitted_soa(struct sim *s)
{
	bool is_bogus = s->world.zones[2]->security->flaw != FLAW_NONE;
	for (unsigned i = 0; i < s->stubs.count; i++) {
		const struct stub *c = s->stubs.list[i];
		unsigned wanted = is_bogus ? RCODE_SERVFAIL
				  : i % 2  ? RCODE_NOERROR
					   : RCODE_NXDOMAIN;
		if (c->was_hit != (i / 2 == 1) || c->rcode != wanted)
			sim_fail(s, "a denial without an SOA is kept for some seconds",
				 "client %u: rcode %u%s", i + 1, c->rcode,
				 c->was_hit ? ", hit" : "");
	}
}

/* A DNAME that is validated answers for all names below it; nobody else's does. Each question's packets
 * are counted from one client to the next. */
static const struct redirected {
	const char *why, *name;
	uint16_t type;
	unsigned packets; /* for it; UINT_MAX: as many as it takes */
} redirected[] = {
	{"RFC 6672 §3.4: whoever comes first asks for it", "a.old.com.", TYPE_A, UINT_MAX},
	{"RFC 6672 §3.4: the next one's target only is asked for", "b.old.com.", TYPE_A, 1},
	{"RFC 6672 §3.4: however deep, of whatever type", "x.y.z.old.com.", TYPE_MX, 1},
	{"RFC 6672 §3.4: the alias itself", "c.old.com.", TYPE_CNAME, 0},
	{"RFC 6672 §3.4: what is known of the target", "a.old.com.", TYPE_AAAA, 1},
	{"RFC 6672 §2.4: not its owner", "old.com.", TYPE_MX, 1},
	{"A forward zone below it wins", "a.private.old.com.", TYPE_A, 1},
	{"RFC 6672 §2.2: a long target", "a.long.lab.com.", TYPE_A, UINT_MAX},
	{"RFC 6672 §2.2: too long with the next name", NULL, TYPE_A, 0},
	{"RFC 6672 §3.4: what is not signed", "a.bare.com.", TYPE_A, UINT_MAX},
	{"RFC 6672 §3.4: is asked for each time", "b.bare.com.", TYPE_A, 1},
	{"RFC 7646: not below a negative trust anchor", "a.nta.old.com.", TYPE_A, 2},
	{"it lives for its TTL", "d.old.com.", TYPE_A, 2},
};

static const uint8_t *long_label(struct sim *s, const uint8_t *parent)
{
	return world_label(&s->world, parent, "%063d", 0);
}

void build_redirected(struct sim *s)
{
	struct world *w = &s->world;
	struct settings_zone *forward = world_alloc(w, sizeof(*forward));
	s->settings.dnssec = true;
	struct zone *com = brick_top(s), *lab = brick_zone(s, "lab.com.", com);
	struct zone *old = brick_zone(s, "old.com.", com), *bare = brick_zone(s, "bare.com.", com);
	struct zone *zones[] = {com->parent, com, lab, old};
	for (unsigned i = 0; i < ARRAY_LEN(zones); i++) {
		struct secure_options o = {.algorithm = 15,
					   .with_ds = true,
					   .nsec3 = prng_percent(&s->dice, 50),
					   .unix_s = sim_now(s).unix_s};
		secure_zone(w, s->keyring, zones[i], &o);
	}
	zone_add_name(w, old, old->apex, TYPE_DNAME, 600, lab->apex);
	zone_add_name(w, bare, bare->apex, TYPE_DNAME, 600, lab->apex);
	zone_add_name(w, lab, world_name(w, "long.lab.com."), TYPE_DNAME, 600,
		      long_label(s, long_label(s, long_label(s, lab->apex))));
	for (unsigned i = 0; i < 4; i++)
		brick_a(s, lab, world_label(w, lab->apex, "%c", 'a' + i), 600);
	old->hosts[0]->quirks.follows_aliases = bare->hosts[0]->quirks.follows_aliases = false;
	configured_forward(s, forward);
	dname_lower(world_name(w, "private.old.com."), forward->name);
	forward->fallback = forward->tcp = false;
	world_host_at(w, &forward->servers[0])->quirks.truncates = false;
	s->settings.zones = forward;
	s->settings.zone_count = 1;
	const uint8_t **negative = world_alloc(w, sizeof(*negative));
	negative[0] = world_name(w, "nta.old.com.");
	s->settings.negative_anchors = negative;
	s->settings.negative_anchor_count = 1;
	s->settings.minimization = MINIMIZE_OFF;
	s->settings.aggressive_nsec = false;
	const uint8_t *too_long = long_label(s, world_name(w, "long.lab.com."));
	for (unsigned i = 0; i < ARRAY_LEN(redirected); i++) {
		const char *name = redirected[i].name;
		bool is_last = i == ARRAY_LEN(redirected) - 1;
		struct stub *c =
			stub_plan(s, 1000 + (is_last ? 700 : i) * second_us,
				  name ? world_name(w, name) : too_long, redirected[i].type);
		c->dnssec_ok = !dname_is_within(c->qname, negative[0]);
	}
	brick_finish(s, 3600, 3600);
}

void finish_redirected(struct sim *s)
{
	for (unsigned i = 0; i < ARRAY_LEN(redirected); i++) {
		bool is_last = i == ARRAY_LEN(redirected) - 1;
		uint64_t next = is_last ? s->net.sent : s->stubs.list[i + 1]->sends_before;
		uint64_t sent = next - s->stubs.list[i]->sends_before;
		if (redirected[i].packets != UINT_MAX && sent != redirected[i].packets)
			sim_fail(s, redirected[i].why, "%llu packets", (unsigned long long)sent);
	}
}
