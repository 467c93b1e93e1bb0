#include "sim/check.h"

#include <stdio.h>

#include "base/cursor.h"
#include "dns/edns.h"
#include "dns/rdata.h"
#include "dns/text.h"
#include "resolve/limits.h"
#include "sim/judge.h"
#include "sim/oracle.h"
#include "sim/reasons.h"
#include "sim/sim.h"

struct checked { /* one answer being looked at */
	struct sim *s;
	struct stub *c;
	struct message m;
	uint16_t rcode;	     /* extended */
	const char *problem; /* first thing that was wrong; NULL */
	char detail[JUDGE_DETAIL_MAX];
};

static void wrong(struct checked *x, const char *problem, const char *detail)
{
	if (x->problem)
		return;
	x->problem = problem;
	snprintf(x->detail, sizeof(x->detail), "%s", detail);
}

static void wrong_record(struct checked *x, const char *problem, const uint8_t *owner,
			 uint16_t type, struct span rdata, uint32_t ttl_s)
{
	char name[DNAME_TEXT_MAX], type_name[TYPE_TEXT_SIZE], line[400];
	static const char hex[] = "0123456789abcdef";
	char bytes[65];
	size_t n = MIN(rdata.len, (size_t)32);
	for (size_t i = 0; i < n; i++) {
		bytes[2 * i] = hex[rdata.at[i] >> 4];
		bytes[2 * i + 1] = hex[rdata.at[i] & 15];
	}
	bytes[2 * n] = 0;
	snprintf(line, sizeof(line), "%.200s %u %s %s", dname_text(owner, name), ttl_s,
		 type_text(type, type_name), bytes);
	wrong(x, problem, line);
}

static size_t size_limit(const struct stub *c)
{
	if (c->transport == TRANSPORT_TCP)
		return MESSAGE_MAX;
	return c->has_edns ? MIN(MAX(c->edns_size, EDNS_SIZE_MIN), EDNS_SIZE_OURS) : EDNS_SIZE_MIN;
}

static void check_header(struct checked *x)
{
	const struct stub *c = x->c;
	const struct message *m = &x->m;
	char text[64];
	snprintf(text, sizeof(text), "flags %04x id %04x questions %u", m->flags, m->id,
		 m->question_count);
	if (m->id != c->id || !(m->flags & FLAG_QR))
		wrong(x, "id is echoed and QR set", text);
	if (!(m->flags & FLAG_RA) != (c->odd == ODD_STRANGER) && c->odd == ODD_NOT)
		wrong(x, "RA is set", text);
	if (!(m->flags & FLAG_RD) != !c->recursion_desired)
		wrong(x, "RD is echoed", text);
	if ((m->flags & FLAG_AD) &&
	    (!x->s->settings.dnssec || !(c->dnssec_ok || c->wants_ad) || c->checking_disabled))
		wrong(x, "AD is for those who asked for validation (RFC 6840 5.8)", text);
	if (!(m->flags & FLAG_CD) != !c->checking_disabled && c->odd == ODD_NOT)
		wrong(x, "CD is echoed (RFC 4035 3.2.2)", text);
	if ((m->flags & FLAG_TC) && c->transport == TRANSPORT_TCP)
		wrong(x, "no TC over TCP", text);
	if (x->s->failed || c->odd != ODD_NOT)
		return;
	if (m->question_count != 1 || m->qtype != c->qtype || m->qclass != c->qclass ||
	    !message_name_equal_case(m, m->qname_offset, c->qname))
		wrong(x, "the question is echoed letter by letter", text);
}

static void check_edns(struct checked *x)
{
	struct edns edns;
	char text[64];
	enum edns_status status = edns_view(&x->m, &edns);
	snprintf(text, sizeof(text), "status %d, asked with %d", (int)status, x->c->has_edns);
	x->rcode = message_rcode(&x->m);
	if (status != EDNS_ABSENT)
		x->rcode |= (uint16_t)(edns.extended_rcode << 4);
	if (status != EDNS_ABSENT && status != EDNS_OK)
		wrong(x, "the reply's OPT is well-formed", text);
	if (x->c->odd != ODD_NOT)
		return;
	if ((status != EDNS_ABSENT) != x->c->has_edns)
		wrong(x, "OPT exactly when asked with OPT (RFC 6891 6.1.1)", text);
	if (status == EDNS_OK && edns.dnssec_ok != x->c->dnssec_ok)
		wrong(x, "DO is copied (RFC 3225)", text);
	if (x->c->has_edns && x->c->has_cookie &&
	    (edns.client_cookie_len != 8 || edns.server_cookie_len != 16))
		wrong(x, "a cookie is answered (RFC 9018)", text);
}

static void check_oddity(struct checked *x)
{
	static const struct {
		enum oddity odd;
		uint16_t wanted[3];
	} rows[] = {
		{ODD_OPCODE, {RCODE_NOTIMP, RCODE_NOTIMP, RCODE_NOTIMP}},
		{ODD_NO_QUESTION, {RCODE_FORMERR, RCODE_FORMERR, RCODE_FORMERR}},
		{ODD_TWO_QUESTIONS, {RCODE_FORMERR, RCODE_FORMERR, RCODE_FORMERR}},
		{ODD_CLASS, {RCODE_REFUSED, RCODE_NOTIMP, RCODE_REFUSED}},
		{ODD_TRANSFER, {RCODE_REFUSED, RCODE_NOTIMP, RCODE_REFUSED}},
		{ODD_TWO_OPTS, {RCODE_FORMERR, RCODE_FORMERR, RCODE_FORMERR}},
		{ODD_BADVERS, {RCODE_BADVERS, RCODE_BADVERS, RCODE_BADVERS}},
		{ODD_STRANGER, {RCODE_REFUSED, RCODE_REFUSED, RCODE_REFUSED}},
	};
	char text[64];
	snprintf(text, sizeof(text), "oddity %d got rcode %u, %u answers", (int)x->c->odd, x->rcode,
		 x->m.counts[0]);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const uint16_t *w = rows[i].wanted;
		if (rows[i].odd != x->c->odd)
			continue;
		if ((x->rcode != w[0] && x->rcode != w[1] && x->rcode != w[2]) || x->m.counts[0])
			wrong(x, "odd questions get the right error", text);
		return;
	}
	wrong(x, "what is no question gets no answer", text);
}

/* The resolver denies it itself, with an SOA of its own: no such name is in the forward zone. */
static bool is_filtered(const struct checked *x)
{
	uint8_t name[DNAME_MAX];
	dname_lower(x->c->qname, name);
	const struct settings_zone *z = settings_zone_for(&x->s->settings, name, x->c->qtype);
	return z && !settings_zone_only_allows(z, name);
}

/* Any record that is not in a liar's hands must be what a zone says, in every section. */
static void check_truth(struct checked *x)
{
	struct record_iter it = record_iter_of(&x->m);
	struct record r;
	uint8_t owner[DNAME_MAX], rdata[65535];
	const struct world *w = &x->s->world;
	uint32_t min_s = x->s->settings.min_ttl_s; /* so long all may be kept */
	while (record_next(&it, &r)) {
		size_t len;
		if (r.type == TYPE_OPT)
			continue;
		message_name(&x->m, r.owner_offset, owner);
		REQUIRE(message_rdata(&x->m, &r, rdata, sizeof(rdata), &len) == OK);
		struct span bytes = span_of(rdata, len);
		bool is_proof = r.type == TYPE_RRSIG || r.type == TYPE_NSEC || r.type == TYPE_NSEC3;
		if (is_proof && !x->c->dnssec_ok && x->c->qtype != r.type)
			wrong_record(x, "no DNSSEC records without DO", owner, r.type, bytes,
				     r.ttl_s);
		if (is_proof)
			continue;
		if (x->c->qtype == TYPE_ANY && r.type == TYPE_HINFO)
			continue; /* RFC 8482 §4.2 */
		if (r.type == TYPE_SOA && is_filtered(x))
			continue;
		if (oracle_is_tainted(w, owner))
			continue;
		if (r.type == TYPE_A && len == 4 && memcmp(rdata, world_poison, 4) == 0)
			wrong_record(x, "poison is never believed", owner, r.type, bytes, r.ttl_s);
		else if (!oracle_holds(w, owner, r.type, r.ttl_s > min_s ? r.ttl_s : 0, bytes))
			wrong_record(x, "every record is the zone's, its TTL no longer", owner,
				     r.type, bytes, r.ttl_s);
	}
}

/* How long the whole answer may be kept: the smallest TTL; negative ones need their SOA. */
static void note_freshness(struct checked *x, const struct oracle *o)
{
	struct record_iter it = record_iter_of(&x->m);
	struct record r;
	uint32_t ttl_s = UINT32_MAX;
	bool has_soa = false, has_final = false;
	while (record_next(&it, &r)) {
		if (r.section == SECTION_ADDITIONAL)
			continue;
		has_soa |= r.section == SECTION_AUTHORITY && r.type == TYPE_SOA;
		has_final |= r.section == SECTION_ANSWER && r.type == x->c->qtype;
		if (r.section == SECTION_ANSWER || r.type == TYPE_SOA)
			ttl_s = MIN(ttl_s, r.ttl_s);
	}
	if (x->s->settings.dnssec && o->verdict == SIM_BOGUS && ttl_s != UINT32_MAX &&
	    ttl_s > LIMIT_BOGUS_S)
		wrong(x, "bogus data is kept for a short time (RFC 4035 4.7)", "");
	x->c->ends_soon = ttl_s <= 1;
	if (ttl_s != UINT32_MAX && (has_soa || has_final))
		x->c->fresh_until_us = x->s->now_us + (uint64_t)ttl_s * 1000000;
}

static unsigned count_of(const struct rrset *set)
{
	return set ? set->rr_count : 1;
}

/* The answer section holds exactly the oracle's sets, in the order of the chain. */
static void check_sets(struct checked *x, const struct oracle *o)
{
	struct record_iter it = record_iter_of(&x->m);
	struct record r;
	unsigned total = 0, set = 0, in_set = 0, set_sigs[ORACLE_SETS_MAX] = {0};
	char text[400], name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE];
	while (record_next(&it, &r) && r.section == SECTION_ANSWER) {
		if (r.type == TYPE_RRSIG && x->c->dnssec_ok) { /* behind the set it covers */
			set_sigs[MIN(set, ORACLE_SETS_MAX - 1u)]++;
			continue;
		}
		if (set < o->set_count && in_set == count_of(o->sets[set].set)) {
			set++;
			in_set = 0;
		}
		if (set == o->set_count || r.type != o->sets[set].type ||
		    !message_name_equal(&x->m, r.owner_offset, o->sets[set].owner)) {
			uint8_t owner[DNAME_MAX];
			message_name(&x->m, r.owner_offset, owner);
			snprintf(text, sizeof(text),
				 "record %u is %.200s %s, expected set %u of %u", total,
				 dname_text(owner, name), type_text(r.type, type), set,
				 o->set_count);
			wrong(x, "the answer is the oracle's", text);
			return;
		}
		if (r.ttl_s > MAX(o->sets[set].ttl_s, x->s->settings.min_ttl_s))
			wrong(x, "no TTL longer than the zone's",
			      dname_text(o->sets[set].owner, name));
		in_set++;
		total++;
	}
	unsigned wanted = 0;
	for (unsigned i = 0; i < o->set_count; i++)
		wanted += count_of(o->sets[i].set);
	if (total != wanted) {
		snprintf(text, sizeof(text), "%u records, expected %u in %u sets", total, wanted,
			 o->set_count);
		wrong(x, "the answer is the oracle's", text);
	}
	for (unsigned i = 0; i < o->set_count && x->c->dnssec_ok && o->verdict == SIM_SECURE; i++)
		if (o->sets[i].set && !set_sigs[i])
			wrong(x, "secure records come with signatures",
			      dname_text(o->sets[i].owner, name));
}

/* Secure data says AD to those who asked, nothing else does; bogus data is not told. */
static void check_verdict(struct checked *x, const struct oracle *o)
{
	const struct stub *c = x->c;
	bool is_ad = x->m.flags & FLAG_AD;
	bool is_secure = o->verdict == SIM_SECURE && !o->tainted;
	if (!x->s->settings.dnssec || c->checking_disabled || c->truncated || c->qtype == TYPE_ANY)
		return;
	if (o->verdict == SIM_BOGUS)
		wrong(x, "bogus data is not told", "");
	if (is_ad && !is_secure)
		wrong(x, "AD is for secure data only",
		      o->verdict == SIM_INSECURE ? "insecure" : "tainted");
	if (!is_ad && is_secure && (c->dnssec_ok || c->wants_ad))
		wrong(x, "AD is set on secure data", "");
}

/* Clients are told no SOA where a server of the zone tells none. */
static bool has_mute_server(const struct zone *z)
{
	for (unsigned i = 0; i < z->host_count; i++)
		if (z->hosts[i]->quirks.mute)
			return !z->security;
	return false;
}

static void check_denial(struct checked *x, const struct oracle *o)
{
	struct record_iter it = record_iter_of(&x->m);
	struct record r;
	bool found = false, proven = false;
	while (record_next(&it, &r)) {
		proven |= r.section == SECTION_AUTHORITY &&
			  (r.type == TYPE_NSEC || r.type == TYPE_NSEC3);
		if (r.section != SECTION_AUTHORITY || r.type != TYPE_SOA)
			continue;
		found = true;
		if (!message_name_equal(&x->m, r.owner_offset, o->last->apex))
			wrong(x, "the SOA of a denial is its zone's", "");
	}
	if (!found && !(o->rcode == RCODE_NOERROR && has_mute_server(o->last)))
		wrong(x, "a denial carries its SOA (RFC 2308)", "");
	if (!proven && o->verdict == SIM_SECURE && x->c->dnssec_ok && x->s->settings.dnssec)
		wrong(x, "a secure denial carries its proof", "");
}

/* The bytes that the answer section needs at least, names compressed to two bytes. */
static size_t least_size(const struct stub *c, const struct oracle *o)
{
	size_t size = MESSAGE_HEADER_SIZE + dname_len(c->qname) + 4;
	for (unsigned i = 0; i < o->set_count; i++) {
		struct span rdata = o->sets[i].set ? o->sets[i].set->rdata : (struct span){0};
		size += rdata.len + count_of(o->sets[i].set) * (size_t)10 +
			dname_len(o->sets[i].owner);
	}
	return size;
}

/* However well the servers are. */
static bool is_hard(const struct sim *s, const struct stub *c, const struct oracle *o)
{
	bool is_bogus = s->settings.dnssec && !c->checking_disabled && o->verdict == SIM_BOGUS;
	return is_bogus || o->shaky || o->tainted || o->dangling ||
	       o->aliases > LIMIT_ALIASES - 2 || o->zones_passed > 8 || o->rcode == RCODE_YXDOMAIN;
}

static bool may_fail(const struct checked *x, const struct oracle *o)
{
	return x->s->world.mood != MOOD_HEALTHY || is_hard(x->s, x->c, o);
}

bool check_can_tell(const struct sim *s, const struct stub *c)
{
	struct oracle o;
	oracle_ask(&s->world, c->qname, c->qtype, &o);
	return c->odd == ODD_NOT && c->recursion_desired && !is_hard(s, c, &o);
}

/* The chain ends where its zone denies, truly or not, what rests on an opt-out span. */
static void allow_denial(const struct checked *x, struct oracle *o)
{
	struct record_iter it = record_iter_of(&x->m);
	struct record r;
	unsigned told = 0, wanted = 0;
	while (record_next(&it, &r))
		told += r.section == SECTION_ANSWER && r.type != TYPE_RRSIG;
	for (unsigned i = 0; i < o->denied_at; i++)
		wanted += count_of(o->sets[i].set);
	if (!o->denier || x->rcode != RCODE_NOERROR || told != wanted)
		return;
	o->rcode = RCODE_NOERROR;
	o->set_count = o->denied_at;
	o->last = o->denier;
	o->verdict = MAX(o->verdict, SIM_INSECURE);
}

/* Where packets are lost and nobody lies, no data that is good is called bogus for it, unless by a clock
 * that is wrong. */
static void check_blame(struct checked *x, const struct oracle *o)
{
	uint16_t ede = x->c->ede;
	bool is_blamed =
		ede == EDE_DNSSEC_BOGUS || (ede >= EDE_DNSKEY_MISSING && ede <= EDE_NSEC_MISSING);
	if (strstr(x->c->reason, "(limit)")) /* ours, of what is done for one question */
		return;
	if (is_blamed && o->verdict != SIM_BOGUS && x->s->world.mood != MOOD_HOSTILE && !o->shaky &&
	    !o->tainted && !o->dangling)
		wrong(x, "what is called bogus is bogus", x->c->reason);
}

static void check_content(struct checked *x)
{
	struct oracle o;
	const struct stub *c = x->c;
	char text[80];
	oracle_ask(&x->s->world, c->qname, c->qtype, &o);
	snprintf(text, sizeof(text), "rcode %u, the zones say %u", x->rcode, o.rcode);
	if (x->rcode == RCODE_SERVFAIL) {
		if (!may_fail(x, &o) && c->recursion_desired)
			wrong(x, "no SERVFAIL in a healthy world", text);
		check_blame(x, &o);
		return;
	}
	if (!c->recursion_desired && x->rcode == RCODE_REFUSED)
		return; /* not in the cache */
	if (o.tainted || (o.dangling && x->rcode == RCODE_NOERROR))
		return;
	if (c->checking_disabled && o.shaky)
		return;		  /* wants forgeries unchecked */
	if (c->qtype == TYPE_ANY) /* RFC 8482: little or nothing; what there is has been checked */
		return;
	allow_denial(x, &o);
	check_verdict(x, &o);
	if (x->rcode != o.rcode) {
		wrong(x, "the rcode is the oracle's", text);
		return;
	}
	if (c->truncated) {
		if (!c->dnssec_ok && least_size(c, &o) + 120 < size_limit(c))
			wrong(x, "TC only when the answer does not fit", text);
		return;
	}
	check_sets(x, &o);
	bool is_denial = o.rcode == RCODE_NXDOMAIN || o.set_count == 0 ||
			 o.sets[o.set_count - 1].type != c->qtype;
	if (is_denial && o.rcode != RCODE_YXDOMAIN && x->s->world.mood == MOOD_HEALTHY)
		check_denial(x, &o);
	if (!(o.wildcard && x->s->settings.dnssec)) /* the proof beside it may die sooner, unseen */
		note_freshness(x, &o);
}

static void tell_answer(const struct checked *x)
{
	char rcode[TYPE_TEXT_SIZE], ede[8] = "";
	if (!x->s->verbose)
		return;
	if (x->c->ede != EDE_NONE)
		snprintf(ede, sizeof(ede), "%u ", x->c->ede);
	sim_tell(x->s, "client %llu gets %s%s%s, %u/%u/%u records, %zu bytes %s%s",
		 (unsigned long long)x->c->token, rcode_text(x->rcode, rcode),
		 x->c->truncated ? " truncated" : "", x->c->was_hit ? " (hit)" : "", x->m.counts[0],
		 x->m.counts[1], x->m.counts[2], x->m.wire.len, ede, x->c->reason);
}

static void check_as_judge(struct checked *x)
{
	char detail[JUDGE_DETAIL_MAX];
	if (is_filtered(x))
		return;
	const char *problem = judge_answer(x->s, x->c, &x->m, x->rcode, detail);
	if (problem)
		wrong(x, problem, detail);
}

/* Where anybody may lie about anything, only the judge knows what may be told. */
static void check_now(struct checked *x)
{
	if (liar_is_harmless(x->s)) {
		check_truth(x);
		check_content(x);
	}
	check_as_judge(x);
}

/* What was taken away or changed lives on in caches for a while: then the old truth is as good. */
static void check_either_truth(struct checked *x)
{
	struct world *w = &x->s->world;
	struct zone *limbo = NULL;
	check_now(x);
	for (unsigned i = 0; i < w->zone_count; i++)
		if (w->zones[i]->revoked && x->s->now_us <= w->zones[i]->limbo_until_us)
			limbo = w->zones[i];
	if (x->problem && limbo) {
		x->problem = NULL;
		limbo->revoked = false;
		check_now(x);
		limbo->revoked = true;
	}
	for (unsigned i = 0; x->problem && i < w->change_count; i++) {
		if (x->s->now_us > w->changes[i].limbo_until_us)
			continue;
		x->problem = NULL;
		world_swap(&w->changes[i]);
		check_now(x);
		world_swap(&w->changes[i]);
	}
}

static bool has_data(const struct message *m)
{
	struct record_iter it = record_iter_of(m);
	struct record rec;
	while (record_next(&it, &rec) && rec.section == SECTION_ANSWER)
		if (rec.type == m->qtype)
			return true;
	return false;
}

void check_answer(struct sim *s, struct stub *c, struct span packet)
{
	struct checked x = {.s = s, .c = c};
	char name[DNAME_TEXT_MAX], type[TYPE_TEXT_SIZE];
	if (message_view(packet, &x.m) != OK) {
		sim_fail(s, "answers are well-formed", "client %llu, %zu bytes",
			 (unsigned long long)c->token, packet.len);
		return;
	}
	c->truncated = x.m.flags & FLAG_TC;
	c->has_data = has_data(&x.m);
	if (packet.len > size_limit(c))
		wrong(&x, "answers fit the client", "");
	check_header(&x);
	check_edns(&x);
	c->rcode = (uint8_t)x.rcode;
	reasons_note(&x.m, c);
	tell_answer(&x);
	if (reasons_check(c))
		wrong(&x, "an extended error names record, server and zone", reasons_check(c));
	if (c->odd != ODD_NOT)
		check_oddity(&x);
	else if (!newest_judges(s, c, &x.m, x.rcode))
		check_either_truth(&x);
	if (x.problem)
		tell_truth(s, c);
	if (x.problem)
		sim_fail(s, x.problem, "client %llu (%s %s): %s", (unsigned long long)c->token,
			 dname_text(c->qname, name), type_text(c->qtype, type), x.detail);
}
