#include "sim/liar.h"

#include <stdlib.h>

#include "dns/edns.h"
#include "sim/liar_rules.h"
#include "sim/sim.h"

/*
 * The rules. A lie is one or two of them, applied one after the other to the replies to one or all
 * kinds of questions (enum asked); each chooses by chance a set of the lie's kind, or any if there is
 * none, and a run has up to three lies. What is not tried: lies that need a key of the zone itself,
 * changes of letters' case, names and RDATA that are malformed (tests/fuzz has those), forgeries from
 * off the path (the hostile profile), and lies that depend on time.
 */
static const struct rule {
	const char *what;
	void (*apply)(struct draft *d);
	unsigned weight;
} rules[] = {
	{"a set vanishes with its signatures", rule_drop_set, 3},
	{"a set's signatures vanish", rule_drop_signatures, 6},
	{"a set vanishes, its signatures stay", rule_drop_data, 1},
	{"a record of a set vanishes", rule_drop_record, 1},
	{"a set gets one record more", rule_add_record, 3},
	{"a set's records are others, its signatures stay", rule_replace, 6},
	{"a set's records are others, its signatures vanish", rule_replace_unsigned, 8},
	{"two sets exchange their records, or their places", rule_swap, 1},
	{"a set stands there twice, or in two sections", rule_duplicate, 2},
	{"a set moves to another section", rule_other_section, 3},
	{"a set has another owner: an ancestor, a sibling, a wildcard, what was asked",
	 rule_other_owner, 4},
	{"a set or its signatures have another TTL", rule_other_ttl, 2},
	{"a set is signed by a stranger's key, with the tag and name of the true one",
	 rule_sign_stranger, 5},
	{"a set is signed by a sibling zone's key, as itself or in the true one's name",
	 rule_sign_sibling, 2},
	{"a set is signed by a child zone's key, likewise", rule_sign_child, 2},
	{"a set is signed by a parent zone's key, in the true one's name", rule_sign_parent, 2},
	{"a stranger's signature stands beside the true ones", rule_sign_besides, 2},
	{"a set is what it was last year, with the signature that it had", rule_old_data, 3},
	{"a set has the signature that it had last year", rule_old_signature, 2},
	{"a set has a signature of the true key that expires about now", rule_dying_signature, 1},
	{"a signature's signer is another zone: parent, child, sibling, the set's own owner",
	 rule_wrong_signer, 2},
	{"a signature's labels are more or fewer", rule_wrong_labels, 2},
	{"a set bears the signatures of another", rule_lend_signature, 1},
	{"a signature's tag, algorithm, times, TTL or type are others", rule_wrong_field, 2},
	{"a set is made up and has no signature", rule_invent_unsigned, 6},
	{"a set is made up and signed as by a stranger", rule_invent_forged, 5},
	{"a set that some zone did sign stands where it does not belong", rule_replay, 5},
	{"a denial of the other type is made up: NSEC3 where there are NSEC, and vice versa",
	 rule_other_denial, 6},
	{"a denial of the zone's type is made up", rule_same_denial, 5},
	{"a wildcard's set answers where it must not, with its signature and the proof for another "
	 "name",
	 rule_expand, 4},
	{"all is replaced by the true denial of something else", rule_deny, 4},
	{"the rcode, AA or TC is another", rule_rcode, 2},
	{"all is gone, or all but the root's NS", rule_empty, 1},
	{"all is replaced by a referral to the liar, with no, false or forged DS", rule_refer, 3},
	{"OPT is gone", rule_no_opt, 1},
};

/* For the harmless modes: what is right is known, whatever servers do. */
static const struct rule gossip = {"servers tell of other zones", rule_gossip, 1},
			 emptiness = {"a server has nothing", rule_empty, 1};

static const struct rule *rule_of(const struct sim *s, unsigned index)
{
	if (s->liar.mode == LIAR_GOSSIP)
		return &gossip;
	return s->liar.mode == LIAR_EMPTY ? &emptiness : &rules[index];
}

/* ---- plans ----------------------------------------------------------------------------------- */

/* By weight; of the ones that make things up, or of all. */
static unsigned random_rule(struct prng *d, bool is_made_up)
{
	unsigned total = 0, at = 0;
	while (is_made_up && rules[at].apply != rule_invent_unsigned)
		at++;
	for (size_t i = at; i < ARRAY_LEN(rules); i++)
		total += rules[i].weight;
	unsigned drawn = prng_below(d, total);
	while (drawn >= rules[at].weight)
		drawn -= rules[at++].weight;
	return at;
}

static void plan_lie(struct sim *s, struct lie *lie)
{
	static const unsigned asked[] = {
		ASKED_CLIENTS, ASKED_CLIENTS,	ASKED_CLIENTS, ASKED_CLIENTS, ASKED_CLIENTS,
		ASKED_DS,      ASKED_DS,	ASKED_DS,      ASKED_DNSKEY,  ASKED_NS,
		ASKED_ADDRESS, ASKED_MINIMISED, ASKED_ALL,     ASKED_ALL};
	static const uint16_t kinds[] = {0,	     0,		0,	   TYPE_A,	TYPE_A,
					 TYPE_SOA,   TYPE_NS,	TYPE_DS,   TYPE_DNSKEY, TYPE_DNAME,
					 TYPE_CNAME, TYPE_NSEC, TYPE_NSEC3};
	struct prng *d = &s->dice;
	bool is_second = lie != s->liar.lies; /* what he says of keys may bear out the first one */
	bool is_about_keys = is_second && prng_percent(d, 70);
	lie->asked = is_about_keys ? ASKED_DS : PRNG_PICK(d, asked);
	lie->kind = PRNG_PICK(d, kinds);
	lie->rule_count = prng_percent(d, 60) ? 1 : RULES_MAX;
	for (unsigned i = 0; i < lie->rule_count; i++)
		lie->rules[i] = random_rule(d, is_about_keys && i == 0);
	lie->percent = prng_percent(d, 80) ? 100 : 50;
	lie->seed = prng_u64(d);
}

void liar_tell(struct sim *s)
{
	static const char *const modes[] = {"nobody", "the path", "a server of each zone", "gossip",
					    "emptiness"};
	char type[TYPE_TEXT_SIZE];
	const struct liar *l = &s->liar;
	if (l->lie_count == 0)
		return;
	sim_tell(s, "who lies: %s", modes[l->mode]);
	for (unsigned i = 0; i < l->lie_count; i++) {
		const struct lie *lie = &l->lies[i];
		sim_tell(s, "  of %u%% of replies of kinds %02x, records %s:", lie->percent,
			 lie->asked, lie->kind ? type_text(lie->kind, type) : "any");
		for (unsigned k = 0; k < lie->rule_count; k++)
			sim_tell(s, "    %s", rule_of(s, lie->rules[k])->what);
	}
}

void liar_plan(struct sim *s)
{
	struct liar *l = &s->liar;
	if (liar_is_harmless(s))
		l->lie_count = l->mode != LIAR_NONE;
	else
		l->lie_count = prng_percent(&s->dice, 25) ? 1 : prng_between(&s->dice, 2, LIES_MAX);
	for (unsigned i = 0; i < l->lie_count; i++)
		plan_lie(s, &l->lies[i]);
	if (l->lie_count == 1 && liar_is_harmless(s))
		l->lies[0] =
			(struct lie){.asked = l->mode == LIAR_GOSSIP ? ASKED_CLIENTS : ASKED_ALL,
				     .rule_count = 1,
				     .percent = 100,
				     .seed = l->lies[0].seed};
}

bool liar_is_harmless(const struct sim *s)
{
	return s->liar.mode != LIAR_PATH && s->liar.mode != LIAR_SERVER;
}

uint32_t liar_aged(const struct sim *s, struct span sig)
{
	for (unsigned i = 0; i < s->liar.aged_count; i++) {
		const struct aged *a = &s->liar.aged[i];
		if (a->rdata.len == sig.len && memcmp(a->rdata.at, sig.at, sig.len) == 0)
			return a->expiration;
	}
	return 0;
}

/* ---- replies --------------------------------------------------------------------------------- */

static unsigned asked_for(const struct sim *s, const struct draft *d)
{
	const struct world *w = &s->world;
	if (d->qtype == TYPE_DS)
		return ASKED_DS;
	if (d->qtype == TYPE_DNSKEY)
		return ASKED_DNSKEY;
	for (unsigned i = 0; i < s->stubs.count; i++)
		if (s->stubs.list[i]->qtype == d->qtype &&
		    dname_equal(s->stubs.list[i]->qname, d->qname))
			return ASKED_CLIENTS;
	if (d->qtype == TYPE_NS)
		return ASKED_NS;
	for (unsigned i = 0; i < w->host_count; i++)
		if (dname_equal(w->hosts[i]->name, d->qname))
			return ASKED_ADDRESS;
	for (unsigned i = 0; i < w->name_count; i++) /* targets of aliases */
		if (dname_equal(w->names[i], d->qname))
			return ASKED_CLIENTS;
	return ASKED_MINIMISED;
}

static struct piece *piece_for(struct draft *d, const struct record *r, const uint8_t *owner,
			       uint16_t type)
{
	for (unsigned i = 0; i < d->count; i++)
		if (d->pieces[i].section == r->section && d->pieces[i].type == type &&
		    dname_equal(d->pieces[i].owner, owner))
			return &d->pieces[i];
	if (d->count == PIECES_MAX)
		return NULL;
	struct piece *p = &d->pieces[d->count++];
	struct span name = arena_copy(&d->s->world.arena, span_of(owner, dname_len(owner)));
	REQUIRE(name.at);
	*p = (struct piece){.section = r->section, .owner = name.at, .type = type};
	return p;
}

static void read_draft(struct draft *d, const struct message *m)
{
	struct record_iter it = record_iter_of(m);
	struct record r;
	d->flags = m->flags;
	d->has_opt = m->opt_offset;
	while (record_next(&it, &r)) {
		uint8_t owner[DNAME_MAX], rdata[2048];
		size_t len;
		if (r.type == TYPE_OPT || message_rdata(m, &r, rdata, sizeof(rdata), &len) != OK)
			continue;
		message_name(m, r.owner_offset, owner);
		bool is_sig = r.type == TYPE_RRSIG;
		uint16_t type = is_sig ? (uint16_t)(rdata[0] << 8 | rdata[1]) : r.type;
		struct piece *p = piece_for(d, &r, owner, type);
		struct span bytes = arena_copy(&d->s->world.arena, span_of(rdata, len));
		REQUIRE(bytes.at);
		if (p && is_sig && p->sig_count < PIECE_SIGS) {
			p->sigs[p->sig_count++] = bytes;
			p->sig_ttl_s = r.ttl_s;
		} else if (p && !is_sig && p->rdata_count < PIECE_RDATAS) {
			p->rdatas[p->rdata_count++] = bytes;
			p->ttl_s = r.ttl_s;
		}
	}
}

/* What does not fit is left out: he says that this was all. */
static void write_piece(struct builder *b, const struct piece *p)
{
	bool fits = true;
	for (unsigned i = 0; i < p->rdata_count; i++)
		fits &= builder_record(b, p->section, p->owner, p->type, CLASS_IN, p->ttl_s,
				       p->rdatas[i]);
	for (unsigned i = 0; i < p->sig_count; i++)
		fits &= builder_record(b, p->section, p->owner, TYPE_RRSIG, CLASS_IN, p->sig_ttl_s,
				       p->sigs[i]);
	(void)fits;
}

static void write_draft(const struct draft *d, const struct message *query,
			struct server_reply *reply)
{
	enum { WIRE_SIZE = 4096 };
	struct edns_reply opt = {
		.size = 1232, .dnssec_ok = true, .ede = EDE_NONE, .ede2 = EDE_NONE};
	struct builder b;
	uint8_t *wire = malloc(WIRE_SIZE);
	REQUIRE(wire);
	builder_init(&b, wire, WIRE_SIZE - edns_size(&opt), query->id, d->flags);
	REQUIRE(builder_question(&b, d->qname, query->qtype, query->qclass));
	for (enum section section = SECTION_ANSWER; section < SECTION_COUNT; section++)
		for (unsigned i = 0; i < d->count; i++)
			if (d->pieces[i].section == section)
				write_piece(&b, &d->pieces[i]);
	b.size = WIRE_SIZE;
	REQUIRE(!d->has_opt || edns_write(&b, &opt));
	free(reply->wire);
	reply->wire = wire;
	reply->len = builder_finish(&b).len;
}

static void tell_draft(const struct draft *d)
{
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE];
	sim_tell(d->s, "  a lie: %s %s, flags %04x", dname_text(d->qname, name),
		 type_text(d->qtype, type), d->flags);
	for (unsigned i = 0; i < d->count; i++) {
		const struct piece *p = &d->pieces[i];
		sim_tell(d->s, "    %u: %s %u %s, %u records, %u signatures", p->section,
			 dname_text(p->owner, name), p->ttl_s, type_text(p->type, type),
			 p->rdata_count, p->sig_count);
	}
}

void liar_bend(struct sim *s, const struct host *host, const struct message *query,
	       struct server_reply *reply)
{
	struct message m;
	struct draft d = {.s = s, .host = host, .qtype = query->qtype};
	bool is_bent = false;
	if (!host->dishonest || message_view(span_of(reply->wire, reply->len), &m) != OK)
		return;
	message_name(query, query->qname_offset, d.qname);
	unsigned asked = asked_for(s, &d);
	read_draft(&d, &m);
	for (unsigned i = 0; i < s->liar.lie_count; i++) {
		const struct lie *lie = &s->liar.lies[i];
		if (!(lie->asked & asked) || !prng_percent(&s->dice, lie->percent))
			continue;
		d.dice.state = lie->seed;
		d.kind = lie->kind;
		for (unsigned k = 0; k < lie->rule_count; k++)
			rule_of(s, lie->rules[k])->apply(&d);
		is_bent = true;
	}
	if (!is_bent)
		return;
	s->liar.told++;
	write_draft(&d, query, reply);
	if (s->verbose)
		tell_draft(&d);
}
