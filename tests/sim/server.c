#include "sim/server.h"

#include <stdlib.h>

#include "dns/rdata.h"
#include "sim/habits.h"
#include "sim/lies.h"
#include "sim/newest.h"
#include "sim/secure.h"

enum { ALIASES_FOLLOWED = 20, PROOFS_MAX = 6, WIRE_SIZE = 65535, UDP_SIZE_MAX = 4096 };

struct work { /* one reply in the making */
	struct world *world;
	struct prng *dice;
	const struct server_query *query;
	struct builder b;
	uint16_t flags;
	uint8_t qname[DNAME_MAX]; /* moves along aliases */
	uint16_t qtype;
	bool truncated;
	bool dnssec_ok;
	struct proof proofs[PROOFS_MAX]; /* for the authority section, which comes later */
	unsigned proof_count;
};

/* The deepest zone of the host for the question; DS is the parent's affair where the host has it
 * (RFC 4035 §3.1.4.1). */
static const struct zone *zone_of_host(const struct host *h, const uint8_t *name, uint16_t type)
{
	const struct zone *best = NULL;
	for (unsigned i = 0; i < h->zone_count; i++) {
		const struct zone *z = h->zones[i];
		if (!dname_is_within(name, z->apex))
			continue;
		if (best && dname_len(z->apex) <= dname_len(best->apex))
			continue;
		if (type == TYPE_DS && best && dname_equal(name, z->apex))
			continue;
		best = z;
	}
	return best;
}

/* SET of Z (NULL: nobody signs it), signed for those who asked for that. */
static void put_set(struct work *x, enum section section, const struct zone *z, struct rrset *set,
		    uint32_t ttl_s)
{
	bool with_sigs = x->dnssec_ok && z && z->security;
	if (with_sigs)
		secure_sign(x->world, z, set);
	if (!builder_rrset(&x->b, section, set, ttl_s, prng_below(x->dice, 8), with_sigs) &&
	    section != SECTION_ADDITIONAL)
		x->truncated = true;
}

static void want_proof(struct work *x, const struct zone *z, enum proof_kind kind)
{
	if (x->dnssec_ok && z->security && x->proof_count < PROOFS_MAX)
		secure_prove(x->world, z, kind, x->qname, &x->proofs[x->proof_count++]);
}

static void put_proofs(struct work *x)
{
	for (unsigned i = 0; i < x->proof_count; i++)
		for (unsigned s = 0; s < x->proofs[i].count; s++)
			put_set(x, SECTION_AUTHORITY, x->proofs[i].zone, x->proofs[i].sets[s],
				x->proofs[i].sets[s]->ttl_s);
	x->proof_count = 0;
}

/* An answer or alias; one from a wildcard takes the question's name and the proof that it may. */
static void put_answer(struct work *x, const struct zone *z, struct rrset *set, bool from_wildcard)
{
	if (x->dnssec_ok && z->security)
		secure_sign(x->world, z, set);
	struct rrset copy = *set;
	if (from_wildcard)
		copy.owner = x->qname;
	put_set(x, SECTION_ANSWER, z, &copy, set->ttl_s);
}

/* Addresses of TARGET as this zone knows them: glue, or its own data. */
static bool put_addresses(struct work *x, const struct zone *z, const uint8_t *target)
{
	static const uint16_t types[] = {TYPE_A, TYPE_AAAA};
	const struct node *n = dname_is_within(target, z->apex) ? zone_node(z, target) : NULL;
	bool fits = true;
	for (size_t i = 0; n && i < ARRAY_LEN(types); i++) {
		const struct rrset *set = node_set(n, types[i]);
		if (set)
			fits &= builder_rrset(&x->b, SECTION_ADDITIONAL, set, set->ttl_s, 0, false);
	}
	return fits;
}

static void put_referral(struct work *x, const struct zone *z, struct rrset *ns)
{
	put_set(x, SECTION_AUTHORITY, NULL, ns, ns->ttl_s);
	struct rrset *ds = node_set(zone_node(z, ns->owner), TYPE_DS);
	if (ds && x->dnssec_ok) {
		put_set(x, SECTION_AUTHORITY, z, ds, ds->ttl_s);
	} else if (x->dnssec_ok && z->security && x->proof_count < PROOFS_MAX) {
		secure_prove(x->world, z, PROOF_NO_DS, ns->owner, &x->proofs[x->proof_count++]);
	}
	put_proofs(x);
	if (x->query->host->quirks.liar)
		lies_add(x->world, x->dice, &x->b, SECTION_AUTHORITY);
	struct rrset_iter it = rrset_records(ns);
	struct span rdata;
	while (rrset_next(&it, &rdata))
		if (!put_addresses(x, z, rdata.at) && dname_is_within(rdata.at, ns->owner))
			x->truncated = true; /* RFC 9471: in-domain glue is not optional */
}

static void put_soa(struct work *x, const struct zone *z)
{
	struct rrset *set = node_set(zone_node(z, z->apex), TYPE_SOA);
	struct soa_view soa;
	struct rrset_iter it = rrset_records(set);
	struct span rdata;
	REQUIRE(rrset_next(&it, &rdata) && rdata_soa(rdata, &soa) == OK);
	if (!x->query->host->quirks.omits_soa)
		put_set(x, SECTION_AUTHORITY, z, set, MIN(set->ttl_s, soa.minimum_s));
	put_proofs(x);
}

/* The DNAME and the CNAME made from it (RFC 6672 §3.1); false if the name grows too long. */
static bool put_dname(struct work *x, const struct zone *z, struct rrset *set)
{
	uint8_t target[DNAME_MAX];
	struct rrset_iter it = rrset_records(set);
	struct span rdata;
	put_set(x, SECTION_ANSWER, z, set, set->ttl_s);
	if (!rrset_next(&it, &rdata) ||
	    dname_replace_suffix(x->qname, set->owner, rdata.at, target) != OK) {
		x->flags |= RCODE_YXDOMAIN;
		return false;
	}
	if (!builder_record(&x->b, SECTION_ANSWER, x->qname, TYPE_CNAME, CLASS_IN, set->ttl_s,
			    span_of(target, dname_len(target))))
		x->truncated = true;
	dname_copy(target, x->qname);
	return true;
}

static void put_found(struct work *x, const struct zone *z, const struct lookup *found)
{
	if (found->set) {
		put_answer(x, z, found->set, found->wildcard);
	} else { /* ANY: everything at the node */
		for (unsigned i = 0; i < found->node->set_count; i++)
			put_answer(x, z, &found->node->sets[i], found->wildcard);
	}
	if (found->wildcard)
		want_proof(x, z, PROOF_WILDCARD);
	put_proofs(x);
	if (x->query->host->quirks.authority_ns) {
		struct rrset *ns = node_set(zone_node(z, z->apex), TYPE_NS);
		if (ns && !builder_rrset(&x->b, SECTION_AUTHORITY, ns, ns->ttl_s, 0, false))
			return; /* optional, RFC 2181 §9: no TC for it */
	}
}

/* The balancer knows addresses of the name, and says nothing of what it does not know. */
static bool deny_mutely(struct work *x, const struct zone *z)
{
	static const uint16_t types[] = {TYPE_A, TYPE_AAAA};
	if (!x->query->host->quirks.mute || z->security)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct lookup found;
		zone_lookup(z, x->qname, types[i], &found);
		if (found.found != FOUND_ANSWER)
			continue;
		x->flags &= (uint16_t)~FLAG_AA;
		return true;
	}
	return false;
}

/* Deny what is there, with good records that prove other things. False: not this question. */
static bool deny_falsely(struct work *x, const struct zone *z, const struct lookup *found)
{
	static const uint16_t spared[] = {TYPE_DNSKEY, TYPE_DS, TYPE_NS, TYPE_SOA};
	bool has = found->found == FOUND_ANSWER || found->found == FOUND_CNAME;
	if (!has || !secure_is_forged(z) || x->proof_count == PROOFS_MAX)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(spared); i++)
		if (x->qtype == spared[i])
			return false;
	struct proof *proof = &x->proofs[x->proof_count++];
	if (z->security->flaw == FLAW_FALSE_NXDOMAIN) {
		x->flags |= RCODE_NXDOMAIN;
		secure_prove(x->world, z, PROOF_NXDOMAIN, world_label(x->world, z->apex, "!"),
			     proof);
	} else {
		secure_prove(x->world, z, PROOF_NODATA, z->apex, proof);
	}
	put_soa(x, z);
	return true;
}

/* What a recursive server cannot resolve. */
static bool give_up(struct work *x)
{
	x->flags = (uint16_t)((x->flags & ~FLAG_RCODE_MASK) | RCODE_SERVFAIL);
	x->proof_count = 0;
	return true;
}

/* Step by step along the aliases; true when the reply is complete. */
static bool answer_step(struct work *x, unsigned hop)
{
	bool is_recursive = x->query->host->quirks.is_recursive;
	const struct zone *left = x->query->host->quirks.left;
	const struct zone *z = is_recursive ? world_zone_for(x->world, x->qname, x->qtype)
					    : zone_of_host(x->query->host, x->qname, x->qtype);
	if (left && hop > 0 && dname_is_within(x->qname, left->apex))
		z = left;
	struct lookup found;
	if (!z) {
		if (hop == 0)
			x->flags = (uint16_t)((x->flags & ~FLAG_AA) | RCODE_REFUSED);
		return true;
	}
	zone_lookup(z, x->qname, x->qtype, &found);
	if (is_recursive &&
	    (z->unreachable || found.found == FOUND_REFERRAL || hop == ALIASES_FOLLOWED - 1))
		return give_up(x);
	if (deny_falsely(x, z, &found))
		return true;
	switch (found.found) {
	case FOUND_ANSWER:
		put_found(x, z, &found);
		if (x->query->host->quirks.forgets_aa && !z->security)
			x->flags &= (uint16_t)~FLAG_AA;
		return true;
	case FOUND_REFERRAL:
		if (hop == 0)
			x->flags &= (uint16_t)~FLAG_AA;
		put_referral(x, z, found.set);
		return true;
	case FOUND_NXDOMAIN:
		x->flags |= RCODE_NXDOMAIN;
		want_proof(x, z, PROOF_NXDOMAIN);
		put_soa(x, z);
		return true;
	case FOUND_NODATA:
		if (deny_mutely(x, z))
			return true;
		if (x->query->host->quirks.denies_types)
			x->flags |= RCODE_NXDOMAIN;
		want_proof(x, z, found.wildcard ? PROOF_WILDCARD_NODATA : PROOF_NODATA);
		put_soa(x, z);
		return true;
	case FOUND_CNAME: {
		put_answer(x, z, found.set, found.wildcard);
		if (found.wildcard)
			want_proof(x, z, PROOF_WILDCARD);
		struct rrset_iter it = rrset_records(found.set);
		struct span rdata;
		REQUIRE(rrset_next(&it, &rdata));
		dname_copy(rdata.at, x->qname);
		if (x->query->host->quirks.ends != ENDS_TOLD && x->qtype != TYPE_CNAME) {
			if (x->query->host->quirks.ends == ENDS_NXDOMAIN)
				x->flags |= RCODE_NXDOMAIN;
			put_soa(x, z);
			return true;
		}
		return !x->query->host->quirks.follows_aliases;
	}
	case FOUND_DNAME:
		return !put_dname(x, z, found.set) || !x->query->host->quirks.follows_aliases;
	}
	return true;
}

static bool is_lame_for(const struct host *h, const struct message *m)
{
	if (h->quirks.lame == LAME_NOT)
		return false;
	return !h->quirks.lame_for ||
	       zone_of_host(h, m->wire.at + m->qname_offset, m->qtype) == h->quirks.lame_for;
}

static void answer_lamely(struct work *x)
{
	const struct world *w = x->world;
	if (x->query->host->quirks.lame != LAME_BARE)
		x->flags &= (uint16_t)~FLAG_AA;
	switch (x->query->host->quirks.lame) {
	case LAME_NOT:
	case LAME_REFUSED:
		x->flags |= RCODE_REFUSED;
		return;
	case LAME_NOTIMP:
		x->flags |= RCODE_NOTIMP;
		return;
	case LAME_SERVFAIL:
		x->flags |= RCODE_SERVFAIL;
		return;
	case LAME_EMPTY:
	case LAME_BARE:
	case LAME_HEARSAY: /* see answer_body() */
		return;
	case LAME_DENIES:
		x->flags |= RCODE_NXDOMAIN;
		put_soa(x, zone_of_host(x->query->host, x->qname, x->qtype));
		return;
	case LAME_UPWARD:
		put_referral(x, w->zones[0],
			     node_set(zone_node(w->zones[0], w->zones[0]->apex), TYPE_NS));
		return;
	}
}

static void answer_body(struct work *x)
{
	const struct host *h = x->query->host;
	bool is_lame = is_lame_for(h, x->query->message),
	     is_hearsay = h->quirks.lame == LAME_HEARSAY;
	if (is_lame && !is_hearsay) {
		answer_lamely(x);
		return;
	}
	if (h->quirks.servfail_percent && prng_percent(x->dice, h->quirks.servfail_percent)) {
		x->flags = (uint16_t)((x->flags & ~FLAG_AA) | RCODE_SERVFAIL);
		return;
	}
	if (h->quirks.truncates && !x->query->tcp) {
		x->truncated = true;
		return;
	}
	if (h->quirks.newest &&
	    newest_answer(h->quirks.newest, x->qname, x->qtype, x->query->now_us, &x->b, &x->flags))
		return;
	for (unsigned hop = 0; hop < ALIASES_FOLLOWED && !x->truncated; hop++)
		if (answer_step(x, hop))
			break;
	put_proofs(x);		   /* of a chain that goes on elsewhere */
	if (is_lame && is_hearsay) /* a recursive server that tells what it has heard */
		x->flags = (uint16_t)((x->flags & ~FLAG_AA) | FLAG_RA);
	if (h->quirks.liar && !x->truncated) {
		static const enum section sections[] = {SECTION_ANSWER, SECTION_AUTHORITY,
							SECTION_ADDITIONAL};
		enum section from = x->b.counts[3]   ? SECTION_ADDITIONAL
				    : x->b.counts[2] ? SECTION_AUTHORITY
						     : SECTION_ANSWER;
		for (size_t i = from; i < ARRAY_LEN(sections); i++)
			lies_add(x->world, x->dice, &x->b, sections[i]);
	}
}

static enum edns_mode edns_mode(const struct server_query *query)
{
	const struct quirks *q = &query->host->quirks;
	bool is_now = q->edns_until_us == 0 ||
		      (query->now_us >= q->edns_from_us && query->now_us < q->edns_until_us);
	return is_now && !(q->edns_udp && query->tcp) ? q->edns : EDNS_MODE_FULL;
}

/* The error that X's host has for the form of the question; RCODE_NOERROR: none. */
static uint16_t form_error(const struct work *x)
{
	const struct message *m = x->query->message;
	enum edns_mode mode = edns_mode(x->query);
	uint16_t rcode = RCODE_NOERROR;
	if (m->opt_offset && mode == EDNS_MODE_NOTIMP)
		return RCODE_NOTIMP;
	if ((m->opt_offset && mode == EDNS_MODE_FORMERR) ||
	    (mode == EDNS_MODE_OPTIONS && habits_has_options(m)))
		return RCODE_FORMERR;
	if (!habits_knows_letters(x->query))
		(void)habits_tells_error(x->query, &rcode);
	return rcode;
}

static bool has_opt(const struct work *x, uint16_t error)
{
	enum edns_mode mode = edns_mode(x->query);
	bool knows = mode == EDNS_MODE_FULL || mode == EDNS_MODE_OPTIONS;
	if (error == RCODE_FORMERR)
		knows = x->query->host->quirks.error_opt;
	return x->query->message->opt_offset && knows;
}

static void put_question(struct work *x)
{
	const struct message *m = x->query->message;
	message_name(m, m->qname_offset, x->qname);
	if (x->query->host->quirks.lowercase)
		dname_lower(x->qname, x->qname);
	x->qtype = m->qtype;
	REQUIRE(builder_question(&x->b, x->qname, m->qtype, m->qclass));
}

/* The reply that a willing server gives, EDNS as its mode has it. */
static void answer_plainly(struct work *x, const struct edns *edns, struct server_reply *out)
{
	const struct message *m = x->query->message;
	const struct quirks *q = &x->query->host->quirks;
	uint8_t cookie[HABITS_COOKIE_SIZE];
	uint16_t error = form_error(x);
	bool with_opt = has_opt(x, error);
	x->dnssec_ok = with_opt && edns->dnssec_ok;
	struct edns_reply opt = {
		.size = 1232, .dnssec_ok = edns->dnssec_ok, .ede = EDE_NONE, .ede2 = EDE_NONE};
	if (error == RCODE_NOERROR)
		opt.cookie = span_of(cookie, habits_cookie(x->dice, x->query->host, edns, cookie));
	size_t limit = WIRE_SIZE;
	if (!x->query->tcp)
		limit = with_opt ? MIN(MAX(edns->size, EDNS_SIZE_MIN), UDP_SIZE_MAX)
				 : EDNS_SIZE_MIN;

	out->wire = malloc(WIRE_SIZE);
	REQUIRE(out->wire);
	x->flags = (uint16_t)(FLAG_QR | FLAG_AA | (m->flags & (FLAG_RD | FLAG_CD)));
	builder_init(&x->b, out->wire, limit - (with_opt ? edns_size(&opt) : 0), m->id, x->flags);
	if (q->is_recursive)
		x->flags = (uint16_t)((x->flags & ~FLAG_AA) | FLAG_RA);
	if (error == RCODE_NOERROR || !q->error_bare)
		put_question(x);
	if (error != RCODE_NOERROR)
		x->flags = (uint16_t)((x->flags & ~FLAG_AA) | error);
	else
		answer_body(x);
	x->b.size = limit;
	REQUIRE(!with_opt || edns_write(&x->b, &opt));
	builder_set_flags(&x->b, (uint16_t)(x->flags | (x->truncated ? FLAG_TC : 0)));
	out->len = builder_finish(&x->b).len;
}

static void add_unasked(struct work *x, const struct server_reply *right,
			struct server_replies *out)
{
	const struct quirks *q = &x->query->host->quirks;
	if (x->query->tcp)
		return;
	if (q->spoofed && prng_percent(x->dice, 60))
		for (unsigned n = prng_between(x->dice, 1, 3); n > 0; n--)
			out->count += lies_forge(x->dice, x->query->host, x->query->message,
						 &out->list[out->count]);
	if (q->nuisances && prng_percent(x->dice, q->nuisance_percent)) {
		enum nuisance kind;
		do
			kind = (enum nuisance)(1u << prng_below(x->dice, 7));
		while (!(q->nuisances & kind));
		lies_nuisance(x->dice, kind, x->query->message, right, &out->list[out->count++]);
	}
}

/* By the letters of the question. */
static bool is_muted(const struct server_query *query)
{
	uint16_t rcode;
	return !habits_knows_letters(query) && !habits_tells_error(query, &rcode);
}

void server_answer(struct world *w, struct prng *dice, const struct server_query *query,
		   struct server_replies *out)
{
	const struct message *m = query->message;
	struct quirks *q = &query->host->quirks;
	struct work x = {.world = w, .dice = dice, .query = query};
	struct server_reply right = {0};
	struct edns edns;
	query->host->received++;
	out->count = 0;
	bool is_away = q->newest && newest_is_silent(q->newest, query->now_us);
	bool is_lost = q->dead || is_away || (!query->tcp && prng_percent(dice, q->loss_percent));
	if (is_lost || edns_view(m, &edns) == EDNS_FORMERR ||
	    (m->opt_offset && edns_mode(query) == EDNS_MODE_DROP) || is_muted(query)) {
		if (q->spoofed && !query->tcp)
			out->count += lies_forge(dice, query->host, m, &out->list[0]);
		return;
	}
	answer_plainly(&x, &edns, &right);
	add_unasked(&x, &right, out);
	if (!habits_pass(query, &right)) {
		free(right.wire);
		return;
	}
	out->list[out->count++] = right;
	if (!query->tcp && prng_percent(dice, q->duplicate_percent)) {
		struct server_reply *again = &out->list[out->count++];
		*again = right;
		again->wire = malloc(right.len);
		REQUIRE(again->wire);
		memcpy(again->wire, right.wire, right.len);
	}
}
