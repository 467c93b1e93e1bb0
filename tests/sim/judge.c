#include "sim/judge.h"

#include <stdio.h>

#include "dns/rdata.h"
#include "dns/rrset.h"
#include "sim/secure.h"
#include "sim/sim.h"

enum { TOLD_MAX = 96, HOPS_MAX = 32, ARENA_BYTES = 1 << 20, ITERATIONS_MAX = 50 };

enum standing {
	STANDING_GENUINE, /* as it was signed */
	STANDING_MADE,	  /* a CNAME made from a DNAME, which is genuine if that is */
	STANDING_FREE,	  /* nobody can tell */
	STANDING_FORGED,
	STANDING_UNKNOWN,
};

struct told { /* one RRset of the answer */
	struct rrset set;
	enum section section;
	enum standing standing;
	bool is_on_chain;
};

struct trial {
	struct sim *s;
	const struct stub *c;
	const struct message *m;
	uint16_t rcode;
	bool is_ad, is_proven; /* ... by what it rests on: then it says so */
	struct arena arena;
	struct told told[TOLD_MAX];
	unsigned count;
	const char *problem;
	char *detail;
};

static void guilty(struct trial *t, const char *problem, const uint8_t *owner, uint16_t type,
		   const char *why)
{
	char name[DNAME_TEXT_MAX], type_name[TYPE_TEXT_SIZE];
	if (t->problem)
		return;
	t->problem = problem;
	snprintf(t->detail, JUDGE_DETAIL_MAX, "%.200s %s: %s%s", dname_text(owner, name),
		 type_text(type, type_name), why, t->is_ad ? " (AD)" : "");
}

/* ---- what the tree says ---------------------------------------------------------------------- */

/* Zones that are made to cost dear: how far a validator goes there is its own affair. */
static bool is_unknown(const struct zone *z)
{
	for (; z; z = z->parent)
		if (z->security && (z->security->trap || z->security->iterations > ITERATIONS_MAX))
			return true;
	return false;
}

static bool is_unchecked(const struct settings *settings, const uint8_t *name)
{
	for (size_t i = 0; i < settings->negative_anchor_count; i++)
		if (dname_is_within(name, settings->negative_anchors[i]))
			return true;
	return false;
}

/* Whatever Z is made to say of (NAME, TYPE) cannot be told from a lie, or need not be (RFC 7646). Below
 * a DNAME there is nothing that could be delegated (RFC 6672 §2.4). */
static bool is_free(const struct trial *t, const struct zone *z, const uint8_t *name, uint16_t type)
{
	struct lookup found;
	if (is_unchecked(&t->s->settings, name) || z->unreachable ||
	    secure_verdict(z) == SIM_INSECURE)
		return true;
	zone_lookup(z, name, type, &found);
	return found.found != FOUND_DNAME && secure_says_nothing(z, name);
}

static bool set_holds(const struct span *list, const struct span one)
{
	struct rrset_iter it = {*list};
	struct span each;
	while (rrset_next(&it, &each))
		if (each.len == one.len && memcmp(each.at, one.at, one.len) == 0)
			return true;
	return false;
}

/* TOLD_S may be told of what is signed with TTL_S. */
static bool ttl_fits(const struct trial *t, uint32_t ttl_s, uint32_t told_s)
{
	return told_s <= MAX(ttl_s, t->s->settings.min_ttl_s);
}

/* SIG is the true key's and expires about now: what it covers is told for no longer, or when it has expired,
 * for a minute at a time (resolverd.yaml(5)); and with AD only if it came so just now. */
static bool is_aged(const struct trial *t, struct span sig, uint32_t told_s)
{
	enum { EXPIRED_TTL_S = 60 };
	uint32_t end_s = liar_aged(t->s, sig);
	int32_t left_s = (int32_t)(end_s - (uint32_t)sim_now(t->s).unix_s);
	bool is_stale = t->c->ede == EDE_STALE_ANSWER || t->c->ede == EDE_STALE_NXDOMAIN;
	if (end_s == 0)
		return false;
	if (left_s >= 0)
		return is_stale || told_s <= (uint32_t)left_s;
	return is_stale ? !t->is_ad : told_s <= EXPIRED_TTL_S;
}

/* Where signatures are told, one of them at least is one that Z's signer has made. Those beside it may be
 * of algorithms that only others know. The old ones of a zone that rolls its keys are forgotten: of those
 * the judge knows nothing. */
static bool sigs_are_genuine(const struct trial *t, const struct zone *z, struct rrset *true_set,
			     const struct rrset *told)
{
	struct rrset_iter it = rrset_sigs(told);
	struct span sig;
	if (t->s->rollover.zone == z || told->sig_count == 0)
		return true;
	secure_sign(&t->s->world, z, true_set);
	while (rrset_next(&it, &sig)) {
		if (set_holds(&true_set->sigs, sig) || is_aged(t, sig, told->ttl_s))
			return true;
	}
	return false;
}

/* TRUE_SET of Z is what was told. */
static bool is_same(const struct trial *t, const struct zone *z, struct rrset *true_set,
		    const struct rrset *told)
{
	return true_set && secure_set_verdict(z, true_set) == SIM_SECURE &&
	       ttl_fits(t, true_set->ttl_s, told->ttl_s) && rrset_same_data(true_set, told) &&
	       sigs_are_genuine(t, z, true_set, told);
}

/* CNAME told where a DNAME of Z makes it. */
static bool is_made(const struct trial *t, const struct zone *z, const struct lookup *found,
		    const struct rrset *told)
{
	struct rrset_iter it = rrset_records(found->set), told_it = rrset_records(told);
	struct span suffix, target;
	uint8_t made[DNAME_MAX];
	return secure_set_verdict(z, found->set) == SIM_SECURE && rrset_next(&it, &suffix) &&
	       rrset_next(&told_it, &target) && told->rr_count == 1 && told->sig_count == 0 &&
	       ttl_fits(t, found->set->ttl_s, told->ttl_s) &&
	       dname_replace_suffix(told->owner, found->node->owner, suffix.at, made) == OK &&
	       dname_equal(made, target.at);
}

/* NSEC stand on both sides of a cut, and hashed names in no tree. */
static bool is_genuine_denial(const struct trial *t, const struct rrset *told)
{
	const struct world *w = &t->s->world;
	for (unsigned i = 0; i < w->zone_count; i++) {
		const struct zone *z = w->zones[i];
		if (!z->security || !dname_is_within(told->owner, z->apex))
			continue;
		for (size_t n = 0; told->type == TYPE_NSEC3 && n < z->security->hash_count; n++)
			if (dname_equal(z->security->hashes[n].set->owner, told->owner) &&
			    is_same(t, z, z->security->hashes[n].set, told))
				return true;
		if (told->type == TYPE_NSEC &&
		    is_same(t, z, node_set(zone_node(z, told->owner), TYPE_NSEC), told))
			return true;
	}
	return false;
}

/* OWNER is a hash below a secure zone's apex: then it is no name of which anything could be said. */
static bool is_hashed(const struct zone *z, const struct rrset *told)
{
	enum { HASH_LABEL = 32 };
	return told->type == TYPE_NSEC3 && told->owner[0] == HASH_LABEL &&
	       secure_verdict(z) == SIM_SECURE && dname_equal(dname_skip(told->owner, 1), z->apex);
}

static enum standing standing_of(const struct trial *t, const struct told *x)
{
	const struct rrset *told = &x->set;
	bool is_denial = told->type == TYPE_NSEC || told->type == TYPE_NSEC3;
	bool is_for_ds = told->type == TYPE_CNAME && t->c->qtype == TYPE_DS; /* so the parent's */
	const struct zone *z =
		world_zone_for(&t->s->world, told->owner, is_for_ds ? TYPE_DS : told->type);
	struct lookup found;
	if (is_denial && is_genuine_denial(t, told))
		return STANDING_GENUINE;
	if (is_unknown(z))
		return STANDING_UNKNOWN;
	if (!is_hashed(z, told) && is_free(t, z, told->owner, told->type)) {
		zone_lookup(z, told->owner, told->type, &found);
		bool is_genuine = !is_denial && found.found == FOUND_ANSWER && found.set &&
				  is_same(t, z, found.set, told);
		return is_genuine ? STANDING_GENUINE : STANDING_FREE;
	}
	if (is_denial)
		return STANDING_FORGED;
	zone_lookup(z, told->owner, told->type, &found);
	if (found.found == FOUND_DNAME && told->type == TYPE_CNAME)
		return is_made(t, z, &found, told) ? STANDING_MADE : STANDING_FORGED;
	return found.found == FOUND_ANSWER && found.set && is_same(t, z, found.set, told)
		       ? STANDING_GENUINE
		       : STANDING_FORGED;
}

/* ---- what was told --------------------------------------------------------------------------- */

static struct told *find_told(struct trial *t, enum section section, const uint8_t *owner,
			      uint16_t type)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->told[i].section == section && t->told[i].set.type == type &&
		    dname_equal(t->told[i].set.owner, owner))
			return &t->told[i];
	return NULL;
}

/* Gather all sets; a signature without what it covers is told for its own sake only. */
static void gather(struct trial *t)
{
	struct record_iter it = record_iter_of(t->m);
	struct record r;
	bool wants_sigs = t->c->qtype == TYPE_RRSIG || t->c->qtype == TYPE_ANY;
	while (record_next(&it, &r)) {
		uint8_t name[DNAME_MAX];
		struct span owner = span_of(name, message_name(t->m, r.owner_offset, name));
		if (r.type == TYPE_OPT || r.type == TYPE_RRSIG ||
		    find_told(t, r.section, name, r.type) || t->count == TOLD_MAX)
			continue;
		struct told *x = &t->told[t->count++];
		owner = arena_copy(&t->arena, owner);
		REQUIRE(owner.at);
		REQUIRE(rrset_gather(t->m, r.section, owner.at, r.type, &t->arena, &x->set) == OK);
		x->section = r.section;
	}
	it = record_iter_of(t->m);
	while (record_next(&it, &r) && !wants_sigs) {
		uint8_t name[DNAME_MAX];
		const uint8_t *rdata = t->m->wire.at + r.rdata_offset;
		message_name(t->m, r.owner_offset, name);
		if (r.type == TYPE_RRSIG && t->count < TOLD_MAX &&
		    !find_told(t, r.section, name, (uint16_t)(rdata[0] << 8 | rdata[1])))
			guilty(t, "a signature comes with what it covers", name, r.type, "alone");
	}
}

static void judge_sets(struct trial *t)
{
	static const char *const sections[] = {"answer", "authority", "additional"};
	for (unsigned i = 0; i < t->count; i++) {
		struct told *x = &t->told[i];
		bool counts = x->section != SECTION_ADDITIONAL;
		if (t->c->qtype == TYPE_ANY && x->set.type == TYPE_HINFO)
			continue; /* RFC 8482 §4.2 */
		x->standing = standing_of(t, x);
		if (x->standing == STANDING_FORGED)
			guilty(t, "nothing is told that the owner of a secure zone did not sign",
			       x->set.owner, x->set.type, sections[x->section]);
		if (t->is_ad && counts && x->standing == STANDING_FREE)
			guilty(t, "AD is for answers that are authentic in whole (RFC 4035 3.2.3)",
			       x->set.owner, x->set.type, sections[x->section]);
		if (t->is_ad && counts && t->c->dnssec_ok && x->standing == STANDING_GENUINE &&
		    x->set.sig_count == 0)
			guilty(t, "what AD vouches for has its signatures (RFC 4035 3.2.1)",
			       x->set.owner, x->set.type, sections[x->section]);
	}
}

/* ---- what follows from it -------------------------------------------------------------------- */

static const uint8_t *first_name(const struct rrset *set)
{
	struct rrset_iter it = rrset_records(set);
	struct span rdata;
	return rrset_next(&it, &rdata) ? rdata.at : NULL;
}

/* All records that prove KIND for NAME in Z stand in the authority section: there is one way only. */
static void judge_proof(struct trial *t, const struct zone *z, enum proof_kind kind,
			const uint8_t *name)
{
	struct proof proof;
	if (secure_proof_verdict(z, kind, name) != SIM_SECURE) {
		if (t->is_ad)
			guilty(t, "AD is for what is proven", name, t->c->qtype, "denial");
		t->is_proven = false;
		return;
	}
	if (!t->is_ad || !t->c->dnssec_ok || t->s->rollover.zone == z)
		return;
	secure_prove(&t->s->world, z, kind, name, &proof);
	for (unsigned i = 0; i < proof.count; i++)
		if (!find_told(t, SECTION_AUTHORITY, proof.sets[i]->owner, proof.sets[i]->type))
			guilty(t, "a secure denial carries its whole proof (RFC 4035 3.1.3)",
			       proof.sets[i]->owner, proof.sets[i]->type, "missing");
}

static void expect_rcode(struct trial *t, const uint8_t *name, uint8_t rcode)
{
	char text[40];
	snprintf(text, sizeof(text), "rcode %u, the zone says %u", t->rcode, rcode);
	if (t->rcode != rcode)
		guilty(t, "a secure zone is not belied", name, t->c->qtype, text);
}

/* Nothing may be told at NAME. */
static void expect_nothing(struct trial *t, const uint8_t *name)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->told[i].section == SECTION_ANSWER && dname_equal(t->told[i].set.owner, name))
			guilty(t, "a secure zone is not belied", name, t->told[i].set.type,
			       "there is none");
}

/* A set of TYPE at OWNER is told, and is part of what was asked for. */
static const struct told *expect_set(struct trial *t, const uint8_t *owner, uint16_t type)
{
	struct told *x = find_told(t, SECTION_ANSWER, owner, type);
	if (!x)
		guilty(t, "a secure zone is not belied", owner, type, "is kept from the client");
	else
		x->is_on_chain = true;
	return x;
}

/* Where nobody can tell a lie, the aliases that were told lead on. False: that was the end. */
static bool follow_free(struct trial *t, uint8_t name[static DNAME_MAX])
{
	struct told *alias = find_told(t, SECTION_ANSWER, name, TYPE_CNAME);
	struct told *x = find_told(t, SECTION_ANSWER, name, t->c->qtype);
	if (t->is_ad)
		guilty(t, "AD is for what is secure", name, t->c->qtype, "nobody can tell");
	if (x)
		x->is_on_chain = true;
	if (!alias || x || !first_name(&alias->set))
		return false;
	alias->is_on_chain = true;
	dname_copy(first_name(&alias->set), name);
	return true;
}

/* A DNAME stands above NAME. */
static bool follow_dname(struct trial *t, const struct lookup *found,
			 uint8_t name[static DNAME_MAX])
{
	uint8_t target[DNAME_MAX];
	expect_set(t, found->node->owner, TYPE_DNAME);
	if (dname_replace_suffix(name, found->node->owner, first_name(found->set), target) != OK) {
		expect_rcode(t, name, RCODE_YXDOMAIN);
		return false;
	}
	expect_set(t, name, TYPE_CNAME);
	dname_copy(target, name);
	return t->c->qtype != TYPE_CNAME;
}

/* One step of the chain through what is secure; false at its end. NAME moves on. */
static bool follow(struct trial *t, const struct zone *z, uint8_t name[static DNAME_MAX])
{
	struct lookup found;
	const struct told *alias;
	zone_lookup(z, name, t->c->qtype, &found);
	switch (found.found) {
	case FOUND_REFERRAL: /* a cut without a zone behind it */
		t->is_proven = false;
		return false;
	case FOUND_DNAME:
		return follow_dname(t, &found, name);
	case FOUND_NXDOMAIN:
		expect_rcode(t, name, RCODE_NXDOMAIN);
		expect_nothing(t, name);
		judge_proof(t, z, PROOF_NXDOMAIN, name);
		return false;
	case FOUND_NODATA:
		expect_rcode(t, name, RCODE_NOERROR);
		expect_nothing(t, name);
		judge_proof(t, z, found.wildcard ? PROOF_WILDCARD_NODATA : PROOF_NODATA, name);
		return false;
	case FOUND_ANSWER:
		expect_rcode(t, name, RCODE_NOERROR);
		expect_set(t, name, t->c->qtype);
		break;
	case FOUND_CNAME:
		break;
	}
	if (found.wildcard)
		judge_proof(t, z, PROOF_WILDCARD, name);
	if (found.found == FOUND_ANSWER)
		return false;
	alias = expect_set(t, name, TYPE_CNAME);
	if (!alias || !first_name(&alias->set))
		return false;
	dname_copy(first_name(&alias->set), name);
	return true;
}

/* The chain led through nothing but what is secure, to its end. */
static void judge_secure(struct trial *t)
{
	bool is_whole = t->is_proven;
	for (unsigned i = 0; i < t->count; i++) {
		const struct told *x = &t->told[i];
		if (x->section == SECTION_ANSWER && !x->is_on_chain)
			guilty(t, "nothing rides along in an answer", x->set.owner, x->set.type,
			       "unasked for");
		is_whole &= x->standing == STANDING_GENUINE || x->standing == STANDING_MADE ||
			    x->section == SECTION_ADDITIONAL;
	}
	if (is_whole && !t->is_ad && (t->c->dnssec_ok || t->c->wants_ad))
		guilty(t, "no secure name is told as insecure", t->c->qname, t->c->qtype, "no AD");
}

static void judge_chain(struct trial *t)
{
	uint8_t name[DNAME_MAX];
	bool is_free_somewhere = false;
	dname_copy(t->c->qname, name);
	t->is_proven = true;
	for (unsigned hop = 0; !t->problem; hop++) {
		const struct zone *z = world_zone_for(&t->s->world, name, t->c->qtype);
		if (hop == HOPS_MAX || is_unknown(z) || secure_verdict(z) == SIM_BOGUS ||
		    secure_is_forged(z))
			return; /* of bogus zones the oracle knows more (check.c) */
		bool is_here = is_free(t, z, name, t->c->qtype);
		is_free_somewhere |= is_here;
		if (!(is_here ? follow_free(t, name) : follow(t, z, name)))
			break;
	}
	if (!is_free_somewhere)
		judge_secure(t);
}

const char *judge_answer(struct sim *s, const struct stub *c, const struct message *m,
			 uint16_t rcode, char detail[static JUDGE_DETAIL_MAX])
{
	struct trial t = {.s = s, .c = c, .m = m, .rcode = rcode, .detail = detail};
	if (!s->settings.dnssec || c->checking_disabled)
		return NULL;
	t.is_ad = m->flags & FLAG_AD;
	arena_init(&t.arena, ARENA_BYTES);
	gather(&t);
	judge_sets(&t);
	bool is_told =
		rcode != RCODE_SERVFAIL && !c->truncated && c->qtype != TYPE_ANY &&
		(c->recursion_desired || (rcode != RCODE_REFUSED && m->counts[SECTION_ANSWER] > 0));
	if (is_told)
		judge_chain(&t);
	arena_deinit(&t.arena);
	return t.problem;
}
