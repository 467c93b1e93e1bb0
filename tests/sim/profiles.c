/*
 * The kinds of runs: random worlds of three moods, and small worlds made by hand for one attack or
 * one promise each.
 */
#include "resolve/limits.h"
#include "sim/attacks.h"
#include "sim/balancers.h"
#include "sim/bricks.h"
#include "sim/family.h"
#include "sim/greedy.h"
#include "sim/habits.h"
#include "sim/oracle.h"
#include "sim/reasons.h"
#include "sim/rests.h"
#include "sim/rollover.h"
#include "sim/shortage.h"
#include "sim/sim.h"

enum {
	QUESTIONS = 45,
	NXNS_SERVERS = 135,
	CROWD = 3000,
	CROWD_SENDS = 8,
	FLOOD = 150,
	FLOOD_NAMES = 8
};

static const uint64_t second_us = 1000000;

/* ---- random worlds --------------------------------------------------------------------------- */

static void build_mood(struct sim *s, enum mood mood)
{
	s->world.mood = mood;
	generate_world(s);
	generate_questions(s, QUESTIONS);
}

/* Two workers over one cache, and a clock that is set while they work. */
static void build_workers(struct sim *s)
{
	s->settings.dnssec = prng_percent(&s->dice, 50);
	s->life.worker_count = 2;
	build_mood(s, prng_percent(&s->dice, 60) ? MOOD_HEALTHY : MOOD_ROUGH);
	if (prng_percent(&s->dice, 50))
		life_plan_clock(s);
}

/* Restarts in the middle of it all. */
static void build_restart(struct sim *s)
{
	s->settings.dnssec = prng_percent(&s->dice, 50);
	s->life.worker_count = prng_between(&s->dice, 1, 2);
	build_mood(s, prng_percent(&s->dice, 60) ? MOOD_HEALTHY : MOOD_ROUGH);
	life_plan_restarts(s, prng_between(&s->dice, 1, 3));
}

static void build_healthy(struct sim *s)
{
	build_mood(s, MOOD_HEALTHY);
}

static void build_rough(struct sim *s)
{
	build_mood(s, MOOD_ROUGH);
}

enum {
	FEW_BYTES = 64 << 10,
	FULL_BYTES = 400 << 10, /* of 4 MB that would be needed */
	FULL_FAT = 200,
	FULL_GOOD = 100,
	FAT_SERVERS = 300,
	FAT_ZONES = 4,
};

static const char *const fat_apex[FAT_ZONES] = {"f.com.", "f.f.com.", "f.f.f.com.", "f.f.f.f.com."};

static void build_hostile(struct sim *s)
{
	/* Every other run so little that questions have to give way to each other. */
	s->question_bytes = s->seed % 2 == 0 ? 0 : FEW_BYTES << s->seed % 5;
	build_mood(s, MOOD_HOSTILE);
}

static void build_signed(struct sim *s)
{
	s->settings.dnssec = true;
	build_mood(s, MOOD_HEALTHY);
}

static void build_bogus(struct sim *s)
{
	s->with_flaws = true;
	build_signed(s);
}

/* A zone rolls its keys as it should: nobody may notice. */
static void build_rollover(struct sim *s)
{
	s->settings.dnssec = true;
	s->world.mood = MOOD_HEALTHY;
	generate_world(s);
	rollover_plan(s);
	generate_questions(s, QUESTIONS);
}

static void build_signed_rough(struct sim *s)
{
	s->settings.dnssec = true;
	s->with_flaws = true;
	build_mood(s, prng_percent(&s->dice, 50) ? MOOD_ROUGH : MOOD_HOSTILE);
}

/* Somebody forges ICMP messages about every server that is asked: nobody fails for it. */
static void build_icmp(struct sim *s)
{
	s->settings.dnssec = prng_percent(&s->dice, 50);
	s->net.forges_hints = true;
	build_mood(s, MOOD_HEALTHY);
}

static void finish_icmp(struct sim *s)
{
	if (s->net.sent > 0 && metrics_get(&s->metrics, METRIC_upstream_hints_total) == 0)
		sim_fail(s, "there were hints", "%llu packets", (unsigned long long)s->net.sent);
}

/* ---- attacks --------------------------------------------------------------------------------- */

/* NXNSAttack: a referral to 135 servers whose names lie in a victim's zone, without addresses. */
static void build_nxns(struct sim *s)
{
	struct world *w = &s->world;
	struct zone *com = brick_top(s), *victim = brick_zone(s, "victim.com.", com);
	struct zone *evil = brick_zone(s, "evil.com.", com);
	struct zone *sub = world_zone(w, world_name(w, "sub.evil.com."), evil);
	sub->unreachable = true;
	for (unsigned i = 0; i < NXNS_SERVERS; i++) {
		const uint8_t *ns = world_label(w, victim->apex, "no%u", i);
		zone_add_name(w, evil, sub->apex, TYPE_NS, 300, ns);
	}
	zone_add_soa(w, sub, 300, 300);
	brick_finish(s, 3600, 3600);
	for (unsigned i = 0; i < 3; i++)
		stub_plan(s, 1000 + i * second_us, world_label(w, sub->apex, "x%u", i), TYPE_A);
}

static void finish_nxns(struct sim *s)
{
	uint64_t at_victim = s->world.zones[2]->hosts[0]->received;
	if (at_victim > 3 * 2 * LIMIT_NS_LOOKUPS + 3)
		sim_fail(s, "NXNSAttack: few look-ups reach the victim",
			 "%llu packets for 3 questions", (unsigned long long)at_victim);
}

/* Seventeen aliases, each in another zone than the one before. */
static void build_chain(struct sim *s)
{
	struct world *w = &s->world;
	struct zone *com = brick_top(s);
	struct zone *zones[2] = {brick_zone(s, "one.com.", com), brick_zone(s, "two.com.", com)};
	const unsigned length = prng_between(&s->dice, 2, 17);
	for (unsigned i = 0; i < length; i++)
		zone_add_name(w, zones[i % 2], world_label(w, zones[i % 2]->apex, "c%u", i),
			      TYPE_CNAME, 300,
			      world_label(w, zones[(i + 1) % 2]->apex, "c%u", i + 1));
	brick_a(s, zones[length % 2], world_label(w, zones[length % 2]->apex, "c%u", length), 300);
	brick_finish(s, 3600, 3600);
	brick_ask(s, 1000, "c0.one.com.");
	brick_ask(s, 5 * second_us, "C0.one.com.");
}

/* TsuNAME: each zone's only server has its name in the other one. */
static void build_cycle(struct sim *s)
{
	struct world *w = &s->world;
	struct zone *com = brick_top(s);
	struct zone *a = world_zone(w, world_name(w, "a.com."), com);
	struct zone *b = world_zone(w, world_name(w, "b.com."), com);
	a->unreachable = b->unreachable = true;
	zone_add_name(w, com, a->apex, TYPE_NS, 300, world_name(w, "ns.b.com."));
	zone_add_name(w, com, b->apex, TYPE_NS, 300, world_name(w, "ns.a.com."));
	zone_add_soa(w, a, 300, 300);
	zone_add_soa(w, b, 300, 300);
	brick_finish(s, 3600, 3600);
	for (unsigned i = 0; i < 200; i++)
		stub_plan(s, 1000 + i * 20000, world_label(w, a->apex, "x%u", i), TYPE_A);
}

static void finish_cycle(struct sim *s)
{
	if (s->net.sent > 200)
		sim_fail(s, "TsuNAME: a loop is remembered",
			 "%llu packets for 200 questions in 4 s", (unsigned long long)s->net.sent);
}

/* Deep delegations to more servers than a message of 64 kB should name, and a dead one at their end: the
 * questions that wait there keep to their memory, and take nothing from others. */
static void build_full(struct sim *s)
{
	struct world *w = &s->world;
	struct zone *com = brick_top(s), *good = brick_zone(s, "good.com.", com), *fat = com;
	for (unsigned depth = 0; depth < FAT_ZONES; depth++) {
		fat = brick_zone(s, fat_apex[depth], fat);
		for (unsigned i = 0; i < FAT_SERVERS; i++)
			zone_add_name(w, fat->parent, fat->apex, TYPE_NS, 300,
				      world_label(w, fat->apex, "%060u", i));
	}
	fat->hosts[0]->quirks.dead = fat->unreachable = true;
	s->question_bytes = FULL_BYTES;
	for (unsigned i = 0; i < FULL_GOOD; i++)
		brick_a(s, good, world_label(w, good->apex, "n%u", i), 300);
	brick_finish(s, 3600, 3600);
	for (unsigned i = 0; i < FULL_FAT; i++)
		stub_plan(s, 1000 + i * 20000, world_label(w, fat->apex, "x%u", i), TYPE_A);
	for (unsigned i = 0; i < FULL_GOOD; i++)
		stub_plan(s, 5000 + i * 40000, world_label(w, good->apex, "n%u", i), TYPE_A);
}

static void finish_full(struct sim *s)
{
	if (metrics_get(&s->metrics, METRIC_questions_shed_total) == 0)
		sim_fail(s, "there is more than fits", "no question gave way");
	for (unsigned i = FULL_FAT; i < s->stubs.count; i++)
		if (s->stubs.list[i]->rcode != RCODE_NOERROR)
			sim_fail(s, "who takes little is answered", "%s", s->stubs.list[i]->reason);
}

/* Every server of the zone refuses. */
static void build_refused(struct sim *s)
{
	struct world *w = &s->world;
	struct zone *z = brick_zone(s, "refused.com.", brick_top(s));
	s->world.mood = MOOD_ROUGH;
	brick_a(s, z, world_label(w, z->apex, "www"), 60);
	for (unsigned i = 1; i < 6; i++)
		world_serve(world_host(w, world_label(w, z->apex, "ns%u", i), z, 1, 0, 3600), z);
	for (unsigned i = 0; i < z->host_count; i++)
		z->hosts[i]->quirks.lame =
			(enum lame_mode)prng_between(&s->dice, LAME_REFUSED, LAME_EMPTY);
	brick_finish(s, 3600, 3600);
	brick_ask(s, 1000, "www.refused.com.");
}

static void finish_refused(struct sim *s)
{
	const struct zone *z = s->world.zones[2];
	const struct stub *c = s->stubs.list[0];
	for (unsigned i = 0; i < z->host_count; i++)
		if (z->hosts[i]->received > 4) /* once in small letters */
			sim_fail(s, "a server that refuses is not asked again", "%llu packets",
				 (unsigned long long)z->hosts[i]->received);
	if (c->rcode != RCODE_SERVFAIL)
		sim_fail(s, "all refused is SERVFAIL", "rcode %u", c->rcode);
}

/* ---- promises -------------------------------------------------------------------------------- */

/* Thousands of equal questions at once become one upstream. */
static void build_crowd(struct sim *s)
{
	struct world *w = &s->world;
	struct zone *z = brick_zone(s, "busy.com.", brick_top(s));
	brick_a(s, z, world_label(w, z->apex, "www"), 5);
	brick_finish(s, 3600, 3600);
	static_assert((unsigned)CROWD <= (unsigned)LIMIT_WAITERS, "all of them may wait");
	for (unsigned i = 0; i < CROWD; i++)
		stub_plan(s, 1000 + i * 4, world_name(w, "www.busy.com."), TYPE_A);
}

static void finish_crowd(struct sim *s)
{
	if (s->world.zones[2]->hosts[0]->received > 2 || s->net.sent > CROWD_SENDS)
		sim_fail(s, "equal questions are asked once",
			 "%llu packets, %llu at the last server", (unsigned long long)s->net.sent,
			 (unsigned long long)s->world.zones[2]->hosts[0]->received);
}

/* RFC 8198: a flood of random names below a signed zone asks once per gap between its names. */
static void build_flood(struct sim *s)
{
	struct world *w = &s->world;
	struct zone *com = brick_top(s), *z = brick_zone(s, "flood.com.", com);
	struct secure_options o = {
		.algorithm = 15, .with_ds = true, .nsec3 = prng_percent(&s->dice, 50)};
	for (unsigned i = 0; i < FLOOD_NAMES; i++)
		brick_a(s, z, world_label(w, z->apex, "n%u", 37 * i), 3600);
	o.unix_s = sim_now(s).unix_s;
	s->settings.dnssec = s->settings.aggressive_nsec = true;
	for (unsigned i = 0; i < w->zone_count; i++)
		secure_zone(w, s->keyring, w->zones[i], &o);
	brick_finish(s, 3600, 3600);
	for (unsigned i = 0; i < FLOOD; i++)
		stub_plan(s, 1000 + i * 30000,
			  world_label(w, z->apex, "n%u", 1000 + prng_below(&s->dice, 1000000)),
			  TYPE_A);
}

static void finish_flood(struct sim *s)
{
	/* Names and the apex make the gaps; DNSKEY and minimising add a few. */
	if (s->world.zones[2]->hosts[0]->received > 2 * FLOOD_NAMES + 10)
		sim_fail(s, "a flood of names asks once per gap", "%llu packets for %u names",
			 (unsigned long long)s->world.zones[2]->hosts[0]->received, FLOOD);
}

/* Clients of four workers ask for the same names, new ones, at about the same time: each is asked for
 * once, but for what the cut and the clock make of it. Or one worker has become deaf in the middle of it:
 * nobody waits for it for long. */
enum { SHARED_NAMES = 20, SHARED_CLIENTS = 12, SHARED_WORKERS = 4 };

static void build_shared(struct sim *s)
{
	struct world *w = &s->world;
	struct zone *com = brick_top(s), *z = brick_zone(s, "shared.com.", com);
	s->life.worker_count = SHARED_WORKERS;
	s->net.is_deaf = prng_percent(&s->dice, 30);
	w->mood = s->net.is_deaf ? MOOD_ROUGH : MOOD_HEALTHY;
	z->hosts[0]->quirks.delay_us = prng_between(&s->dice, 1, 150) * 1000;
	for (unsigned i = 0; i < SHARED_NAMES; i++) {
		const uint8_t *name = world_label(w, z->apex, "n%u", i);
		brick_a(s, z, name, 60);
		for (unsigned k = 0; k < SHARED_CLIENTS; k++)
			stub_plan(s, (i + 1) * 3 * second_us + prng_below(&s->dice, 1000), name,
				  TYPE_A);
	}
	brick_finish(s, 3600, 3600);
}

static void finish_shared(struct sim *s)
{
	uint64_t received = s->world.zones[2]->hosts[0]->received;
	if (!s->net.is_deaf && received > SHARED_NAMES)
		sim_fail(s, "one question is asked once, by whatever worker", "%llu packets for %u",
			 (unsigned long long)received, SHARED_NAMES);
	for (unsigned i = 0; i < s->stubs.count && s->net.is_deaf; i++) {
		const struct stub *c = s->stubs.list[i];
		uint64_t took_us = c->answered_us - c->asked_us;
		if (stub_worker(s, c) != 0 && (c->rcode != RCODE_NOERROR || took_us > second_us))
			sim_fail(s, "nobody waits long for a worker that is stuck", "%llu us",
				 (unsigned long long)took_us);
	}
}

/* Ghost domains: the parent takes the delegation back, the child says its NS live for ever. */
static void build_ghost(struct sim *s)
{
	struct world *w = &s->world;
	static const uint16_t types[] = {TYPE_A, TYPE_NS, TYPE_A};
	const uint32_t data_ttl_s = 5, parent_ttl_s = 60, for_ever_s = 86400;
	struct zone *com = brick_top(s), *z = brick_zone(s, "ghost.com.", com);
	struct zone *sub = brick_zone(s, "sub.ghost.com.", z);
	for (unsigned i = 0; i < 4; i++) {
		brick_a(s, z, world_label(w, z->apex, "www%u", i), data_ttl_s);
		brick_a(s, sub, world_label(w, sub->apex, "www%u", i), data_ttl_s);
	}
	z->hosts[0]->quirks.authority_ns = true;
	zone_delegate(w, sub, for_ever_s, for_ever_s, true); /* the child's child outlives nobody */
	sub->host_count = 0;
	brick_finish(s, parent_ttl_s, for_ever_s);
	/* What was last heard before the delegation died lives on for its TTL. */
	z->limbo_until_us = (data_ttl_s + 2) * second_us;
	struct sim_event revoke = {.kind = HAPPEN_REVOKE, .token = 2};
	sim_schedule(s, 10 * second_us, &revoke);
	for (unsigned i = 1; i < 200; i++) {
		uint16_t type = PRNG_PICK(&s->dice, types);
		const uint8_t *apex = prng_percent(&s->dice, 50) ? z->apex : sub->apex;
		stub_plan(s, i * second_us,
			  type == TYPE_NS ? apex : world_label(w, apex, "www%u", i % 4), type);
	}
}

/* A liar next door tells stories about bank.com in every section; the bank is asked about before,
 * between and after. */
static void build_poison(struct sim *s)
{
	struct world *w = &s->world;
	s->world.mood = MOOD_HOSTILE;
	struct zone *com = brick_top(s), *bank = brick_zone(s, "bank.com.", com);
	struct zone *evil = brick_zone(s, "evil.com.", com);
	const uint8_t *www = world_label(w, bank->apex, "www");
	brick_a(s, bank, www, prng_percent(&s->dice, 50) ? 5 : 300);
	for (unsigned i = 0; i < 20; i++)
		brick_a(s, evil, world_label(w, evil->apex, "e%u", i), 1);
	zone_add_name(w, evil, world_label(w, evil->apex, "alias"), TYPE_CNAME, 5, www);
	evil->tainted = true;
	evil->hosts[0]->quirks.liar = true;
	bank->hosts[0]->quirks.spoofed = true;
	const uint8_t *const victims[] = {www, bank->apex, bank->hosts[0]->name, com->apex,
					  com->hosts[0]->name};
	memcpy(w->names, victims, sizeof(victims));
	w->name_count = ARRAY_LEN(victims);
	brick_finish(s, 300, 300);
	for (unsigned i = 0; i < 40; i++) {
		const uint8_t *lie = i % 5 == 4 ? world_name(w, "alias.evil.com.")
						: world_label(w, evil->apex, "e%u", i % 25);
		stub_plan(s, i * second_us * 3 + 1000, lie, TYPE_A);
		stub_plan(s, i * second_us * 3 + second_us,
			  w->names[prng_below(&s->dice, w->name_count)],
			  prng_percent(&s->dice, 30) ? TYPE_NS : TYPE_A);
	}
}

/* The keys of a zone at the end of a chain that one server tells in full: it is their own zone's DS
 * that vouches for them, not that of the name that was asked for. */
static void build_aliased_keys(struct sim *s)
{
	struct world *w = &s->world;
	struct settings_zone *forward = world_alloc(w, sizeof(*forward));
	s->settings.dnssec = true;
	struct zone *top = brick_zone(s, ".", NULL), *com = brick_zone(s, "com.", top);
	struct zone *ali = brick_zone(s, "ali.com.", com), *keys = brick_zone(s, "keys.com.", com);
	struct zone *zones[] = {top, com, ali, keys};
	bool is_bogus = prng_percent(&s->dice, 70), is_plain = prng_percent(&s->dice, 50);
	for (unsigned i = 0; i < ARRAY_LEN(zones); i++) {
		struct secure_options o = {.algorithm = 15,
					   .with_ds = zones[i] != ali || !is_plain,
					   .flaw = zones[i] == keys && is_bogus ? FLAW_DS
										: FLAW_NONE,
					   .unix_s = sim_now(s).unix_s};
		secure_zone(w, s->keyring, zones[i], &o);
	}
	const uint8_t *alias = world_label(w, ali->apex, "k");
	zone_add_name(w, ali, alias, TYPE_CNAME, 60, keys->apex);
	configured_forward(s, forward);
	dname_lower(com->apex, forward->name);
	s->settings.zones = forward;
	s->settings.zone_count = 1;
	brick_finish(s, 3600, 3600);
	for (unsigned i = 0; i < 3; i++) {
		stub_plan(s, 1000 + i * second_us, alias, TYPE_DNSKEY)->has_edns = true;
		stub_plan(s, second_us / 2 + i * second_us, keys->apex, TYPE_DNSKEY);
	}
}

/* Behind a forwarder lies an unsigned zone whose signatures bear the name of its parent, which is
 * signed: nothing but the parent's word about its DS tells that it is unsigned. An alias of the
 * parent's leads there, which makes neither it nor what is denied below it insecure. */
static void build_stray_signer(struct sim *s)
{
	struct world *w = &s->world;
	struct settings_zone *forward = world_alloc(w, sizeof(*forward));
	s->settings.dnssec = true;
	struct zone *com = brick_top(s), *up = brick_zone(s, "up.com.", com);
	struct zone *sub = brick_zone(s, "sub.up.com.", up);
	struct zone *zones[] = {com->parent, com, up, sub};
	bool is_unknown = prng_percent(&s->dice, 50);
	enum flaw flaw = prng_percent(&s->dice, 30) ? FLAW_NO_PROOF : FLAW_NONE;
	for (unsigned i = 0; i < ARRAY_LEN(zones); i++) {
		bool is_sub = zones[i] == sub;
		struct secure_options o = {.algorithm = 15,
					   .with_ds = !is_sub || is_unknown,
					   .unknown_digest = is_sub && is_unknown,
					   .nsec3 = prng_percent(&s->dice, 50),
					   .flaw = is_sub	    ? FLAW_SIGNER
						   : zones[i] == up ? flaw
								    : FLAW_NONE,
					   .unix_s = sim_now(s).unix_s};
		secure_zone(w, s->keyring, zones[i], &o);
	}
	brick_a(s, sub, world_label(w, sub->apex, "www"), 60);
	zone_add_name(w, up, world_label(w, up->apex, "alias"), TYPE_CNAME, 60,
		      world_label(w, sub->apex, "www"));
	configured_forward(s, forward);
	dname_lower(up->apex, forward->name);
	s->settings.zones = forward;
	s->settings.zone_count = 1;
	brick_finish(s, 3600, 3600);
	for (unsigned i = 0; i < 3; i++) {
		brick_ask(s, 1000 + i * 100 * second_us, "www.sub.up.com.");
		brick_ask(s, 1000 + i * 90 * second_us, "no.sub.up.com.");
		brick_ask(s, 1000 + i * 70 * second_us, "no.alias.up.com.");
		stub_plan(s, 1000 + i * 70 * second_us, world_name(w, "alias.up.com."), TYPE_DS);
		stub_plan(s, 1000 + i * 80 * second_us, sub->apex, TYPE_MX)->dnssec_ok = true;
	}
}

/* Addresses come without signatures, which is bogus also below an alias that leads to an unsigned zone,
 * and though the server that tells the alias tells in the same reply that its target has no DS. */
static void build_aliased_ds(struct sim *s)
{
	struct world *w = &s->world;
	s->settings.dnssec = true;
	struct zone *com = brick_top(s), *up = brick_zone(s, "up.com.", com);
	struct zone *sub = world_zone(w, world_name(w, "sub.up.com."), up);
	struct zone *zones[] = {com->parent, com, up};
	const uint8_t *alias = world_label(w, up->apex, "alias");
	const uint8_t *target = world_label(w, sub->apex, "www");
	for (unsigned i = 0; i < ARRAY_LEN(zones); i++) {
		struct secure_options o = {.algorithm = 15,
					   .with_ds = true,
					   .nsec3 = prng_percent(&s->dice, 50),
					   .unix_s = sim_now(s).unix_s};
		secure_zone(w, s->keyring, zones[i], &o);
	}
	up->security->strips_addresses = true;
	zone_add_soa(w, sub, 3600, 60);
	world_serve(up->hosts[0], sub);
	up->hosts[0]->quirks.follows_aliases = true;
	zone_add_name(w, up, alias, TYPE_CNAME, 60, target);
	brick_a(s, up, world_label(w, alias, "below"), 60);
	brick_a(s, sub, target, 60);
	brick_finish(s, 3600, 3600);
	for (unsigned i = 0; i < 4; i++) {
		brick_ask(s, 1000 + prng_below(&s->dice, 100000), "below.alias.up.com.");
		brick_ask(s, 1000 + prng_below(&s->dice, 100000), "alias.up.com.");
		stub_plan(s, prng_below(&s->dice, 200000), alias, TYPE_DS)->dnssec_ok = true;
	}
}

/* Somebody asks for the DS of an unsigned zone while it is being looked for on behalf of others: a
 * referral's proof will do for them, but not for him. */
static void build_joined_ds(struct sim *s)
{
	struct world *w = &s->world;
	s->settings.dnssec = true;
	struct zone *com = brick_top(s), *z = brick_zone(s, "plain.com.", com);
	struct secure_options o = {.algorithm = 15,
				   .with_ds = true,
				   .nsec3 = prng_percent(&s->dice, 50),
				   .unix_s = sim_now(s).unix_s};
	o.opt_out = o.nsec3 && prng_percent(&s->dice, 50);
	secure_zone(w, s->keyring, com->parent, &o);
	secure_zone(w, s->keyring, com, &o);
	brick_a(s, z, world_label(w, z->apex, "www"), 60);
	brick_finish(s, 3600, 3600);
	for (unsigned i = 0; i < 20; i++) {
		uint64_t at_us = 1000 + i * 4000 * second_us; /* when all is forgotten */
		brick_ask(s, at_us, "www.plain.com.");
		stub_plan(s, at_us + prng_below(&s->dice, 120000), z->apex, TYPE_DS)->dnssec_ok =
			prng_percent(&s->dice, 50);
	}
}

/* The wall clock is wrong when the daemon begins: nothing validates, and it says why; then it is
 * set. */
enum { DAY_S = 86400, CLOCK_SET_S = 100, FORGOTTEN_S = 62 };

static void build_wrong_clock(struct sim *s)
{
	struct world *w = &s->world;
	static const int64_t wrong_s[] = {-30 * DAY_S, -20000 * DAY_S, 90 * DAY_S};
	s->settings.dnssec = true;
	s->world.mood = MOOD_ROUGH; /* failing is allowed, at first */
	struct zone *com = brick_top(s), *z = brick_zone(s, "well.com.", com);
	for (unsigned i = 0; i < w->zone_count; i++) {
		struct secure_options o = {
			.algorithm = 15, .with_ds = true, .unix_s = sim_now(s).unix_s};
		secure_zone(w, s->keyring, w->zones[i], &o);
	}
	brick_a(s, z, world_label(w, z->apex, "www"), 5);
	brick_finish(s, 3600, 3600);
	s->life.wall_shift_s = PRNG_PICK(&s->dice, wrong_s);
	struct sim_event set = {.kind = HAPPEN_CLOCK, .token = (uint64_t)-s->life.wall_shift_s};
	sim_schedule(s, CLOCK_SET_S * second_us, &set);
	for (unsigned i = 1; i < 20; i++) {
		struct stub *c =
			stub_plan(s, i * 10 * second_us, world_name(w, "www.well.com."), TYPE_A);
		c->dnssec_ok = true;
	}
}

static void finish_wrong_clock(struct sim *s)
{
	bool is_behind = s->life.cache_shift_ms < 0;
	uint16_t ede = is_behind ? EDE_SIGNATURE_NOT_YET_VALID : EDE_SIGNATURE_EXPIRED;
	for (unsigned i = 0; i < s->stubs.count; i++) {
		const struct stub *c = s->stubs.list[i];
		bool is_set = c->asked_us >= (CLOCK_SET_S + FORGOTTEN_S) * second_us;
		if (c->asked_us < CLOCK_SET_S * second_us &&
		    (c->rcode != RCODE_SERVFAIL || c->ede != ede))
			sim_fail(s, "a wrong clock shows in the extended error",
				 "client %llu: rcode %u, %u", (unsigned long long)c->token,
				 c->rcode, c->ede);
		if (is_set && c->rcode != RCODE_NOERROR)
			sim_fail(s, "all is well soon after the clock is set",
				 "client %llu: rcode %u", (unsigned long long)c->token, c->rcode);
	}
	if (is_behind != (metrics_get(&s->metrics, METRIC_dnssec_root_not_yet_valid_total) > 0))
		sim_fail(s, "the operator is told that the clock is behind", "%d", is_behind);
}

/* ---- loss, and signatures -------------------------------------------------------------------- */

/* A server whose every second packet is lost is also asked without EDNS, and so without signatures:
 * nothing is bogus for that (check_blame()). */
static void build_lossy_signed(struct sim *s)
{
	struct world *w = &s->world;
	s->settings.dnssec = true;
	s->world.mood = MOOD_ROUGH;
	struct zone *com = brick_top(s), *z = brick_zone(s, "lossy.com.", com);
	for (unsigned i = 0; i < w->zone_count; i++) {
		struct secure_options o = {
			.algorithm = 15, .with_ds = true, .unix_s = sim_now(s).unix_s};
		secure_zone(w, s->keyring, w->zones[i], &o);
	}
	z->hosts[0]->quirks.loss_percent = 50;
	for (unsigned i = 0; i < 40; i++) {
		brick_a(s, z, world_label(w, z->apex, "n%u", i), 60);
		struct stub *c = stub_plan(s, (i + 1) * 2 * second_us,
					   world_label(w, z->apex, "n%u", i), TYPE_A);
		c->has_edns = true;
		c->edns_size = 1232;
	}
	brick_finish(s, 3600, 3600);
}

static void finish_lossy_signed(struct sim *s)
{
	unsigned answered = 0;
	for (unsigned i = 0; i < s->stubs.count; i++)
		answered += s->stubs.list[i]->rcode == RCODE_NOERROR;
	if (answered < s->stubs.count / 2)
		sim_fail(s, "half the packets are enough for most", "%u of %zu", answered,
			 (size_t)s->stubs.count);
}

/* ---- EDNS that fails for a while ------------------------------------------------------------- */

enum { SPELL_FROM_S = 10, SPELL_NAMES = 50 };

/* Servers of a signed zone, or a middlebox before them, do not take EDNS for some seconds: they drop
 * such questions, ignore OPT, or answer FORMERR or NOTIMP. Names are asked before, meanwhile, after. */
static void build_edns_spell(struct sim *s)
{
	static const enum edns_mode modes[] = {EDNS_MODE_FORMERR, EDNS_MODE_NOTIMP,
					       EDNS_MODE_IGNORE, EDNS_MODE_DROP};
	struct world *w = &s->world;
	s->settings.dnssec = true;
	s->world.mood = MOOD_ROUGH;
	struct zone *com = brick_top(s), *z = brick_zone(s, "spell.com.", com);
	if (prng_percent(&s->dice, 50))
		world_serve(world_host(w, world_label(w, z->apex, "ns2"), z, 1, 0, 3600), z);
	for (unsigned i = 0; i < w->zone_count; i++) {
		struct secure_options o = {.algorithm = 15,
					   .with_ds = true,
					   .nsec3 = prng_percent(&s->dice, 30),
					   .unix_s = sim_now(s).unix_s};
		secure_zone(w, s->keyring, w->zones[i], &o);
	}
	uint64_t until_us = (SPELL_FROM_S + prng_between(&s->dice, 2, 15)) * second_us;
	enum edns_mode mode = modes[prng_below(&s->dice, ARRAY_LEN(modes))];
	bool udp = prng_percent(&s->dice, 60);
	for (unsigned i = 0; i < z->host_count; i++) {
		struct quirks *q = &z->hosts[i]->quirks;
		q->edns = mode;
		q->edns_from_us = prng_percent(&s->dice, 30) ? 0 : SPELL_FROM_S * second_us;
		q->edns_until_us = until_us;
		q->edns_udp = udp;
	}
	for (unsigned i = 0; i < SPELL_NAMES; i++) {
		const uint8_t *name = world_label(w, z->apex, "n%u", i);
		if (i % 3 != 0) /* the others do not exist */
			brick_a(s, z, name, 60);
		struct stub *c = stub_plan(s, (i + 1) * second_us, name, TYPE_A);
		c->has_edns = true;
		c->edns_size = 1232;
	}
	brick_finish(s, 3600, 3600);
}

/* Nobody fails after it, but for what RFC 9520 has remembered; nor meanwhile, where the servers take
 * EDNS over TCP. Where packets are lost for it, the first may wait too long for one server after the
 * other. */
static void finish_edns_spell(struct sim *s)
{
	const struct quirks *q = &s->world.zones[2]->hosts[0]->quirks;
	unsigned failed = 0, allowed = q->edns == EDNS_MODE_DROP ? 1 : 0;
	for (unsigned i = 0; i < s->stubs.count; i++) {
		const struct stub *c = s->stubs.list[i];
		bool is_after = c->asked_us >= q->edns_until_us + 2 * second_us;
		failed += c->rcode == RCODE_SERVFAIL && (is_after || q->edns_udp);
	}
	if (failed > allowed)
		sim_fail(s, "RFC 6891 §7: EDNS comes back at once",
			 "%u failed, mode %d until %llu ms%s", failed, (int)q->edns,
			 (unsigned long long)(q->edns_until_us / 1000),
			 q->edns_udp ? ", over UDP only" : "");
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct profile profiles[] = {
	{"healthy", 30, build_healthy, NULL},
	{"rough", 30, build_rough, NULL},
	{"hostile", 30, build_hostile, NULL},
	{"signed", 3, build_signed, NULL},
	{"bogus", 3, build_bogus, NULL},
	{"signed-rough", 3, build_signed_rough, NULL},
	{"workers", 4, build_workers, NULL},
	{"restart", 4, build_restart, NULL},
	{"nxns", 1, build_nxns, finish_nxns},
	{"chain", 1, build_chain, NULL},
	{"cycle", 1, build_cycle, finish_cycle},
	{"full", 1, build_full, finish_full},
	{"refused", 1, build_refused, finish_refused},
	{"crowd", 1, build_crowd, finish_crowd},
	{"shared", 2, build_shared, finish_shared},
	{"greedy", 1, build_greedy, finish_greedy},
	{"flood", 1, build_flood, finish_flood},
	{"ghost", 2, build_ghost, NULL},
	{"poison", 3, build_poison, NULL},
	{"newest", 3, build_newest, finish_newest},
	{"rollover", 3, build_rollover, NULL},
	{"aliased-keys", 1, build_aliased_keys, NULL},
	{"joined-ds", 1, build_joined_ds, NULL},
	{"stray-signer", 1, build_stray_signer, NULL},
	{"aliased-ds", 1, build_aliased_ds, NULL},
	{"wrong-clock", 1, build_wrong_clock, finish_wrong_clock},
	{"lossy-signed", 1, build_lossy_signed, finish_lossy_signed},
	{"habits", 12, habits_build, habits_finish},
	{"edns-spell", 2, build_edns_spell, finish_edns_spell},
	{"left-rest", 1, build_left_rest, finish_left_rest},
	{"left-unsigned", 1, build_left_unsigned, NULL},
	{"bare", 1, build_bare, NULL},
	{"omitted-soa", 1, build_omitted_soa, finish_omitted_soa},
	{"redirected", 1, build_redirected, finish_redirected},
	{"reasons", 1, build_reasons, finish_reasons},
	{"keytrap", 1, build_keytrap, finish_attack},
	{"tag-search", 1, build_tag_search, finish_tag_search},
	{"nsec3-flood", 1, build_nsec3_flood, finish_attack},
	{"ds-flood", 1, build_ds_flood, finish_attack},
	{"icmp", 2, build_icmp, finish_icmp},
	{"balancers", 2, build_balancers, finish_balancers},
	{"lost-family", 1, build_lost_family, finish_lost_family},
	{"short-udp", 1, build_short_udp, finish_short_udp},
	{"short-tcp", 1, build_short_tcp, finish_short_tcp},
	{"liar", 8, build_liar, NULL},
	{"hot", 2, build_hot, finish_hot},
	{"hot-outage", 1, build_hot_outage, finish_hot},
	{"hot-downstream", 1, build_hot_downstream, finish_hot},
	{"hot-budget", 1, build_hot_budget, finish_hot},
	{"hot-attack", 1, build_hot_attack, finish_hot},
	{"hot-signed", 1, build_hot_signed, finish_hot},
	{"hot-flip", 1, build_hot_flip, finish_hot},
	{"hot-dying", 1, build_hot_dying, finish_hot},
	{"hot-crowd", 1, build_hot_crowd, finish_hot},
	{"hot-restart", 2, build_hot_restart, finish_hot},
	{"hot-forward", 1, build_hot_forward, finish_hot},
};

const struct profile *profile_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	return NULL;
}

const struct profile *profile_by_seed(uint64_t seed)
{
	unsigned total = 0;
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
		total += profiles[i].weight;
	unsigned at = (unsigned)(seed % total);
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
		if (at < profiles[i].weight)
			return &profiles[i];
		at -= profiles[i].weight;
	}
	return &profiles[0];
}
