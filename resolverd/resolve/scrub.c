#include "resolve/scrub.h"

#include "dns/rdata.h"

/* What one call of scrub_reply() works with. */
struct scrub {
	const struct scrub_input *in;
	const struct message *m;
	struct arena *arena;
	struct reply *out;
	const uint8_t *name; /* where the chain stands */
	bool is_broken;	     /* ... as what comes next makes no sense */
};

/* Whether the sender may speak about NAME. */
static bool in_bailiwick(const struct scrub *s, const uint8_t *name)
{
	return s->in->forward || dname_is_within(name, s->in->zone);
}

static enum err gather(struct scrub *s, enum section section, const uint8_t *owner, uint16_t type,
		       struct rrset *out)
{
	enum err err = rrset_gather(s->m, section, owner, type, s->arena, out);
	/* RFC 2181 §10.1: there is one. Where a name's own servers tell two any will do. */
	if (err == OK && type == TYPE_CNAME && s->out->alias_count == 0)
		rrset_keep_first(out);
	if (err == OK || err == ERR_NOT_FOUND || err == ERR_NO_MEMORY)
		return err;
	return ERR_MALFORMED; /* over a limit, or damaged */
}

static enum err push_set(struct scrub *s, const struct rrset *set)
{
	for (uint32_t i = 0; i < s->out->set_count; i++)
		if (set->type == TYPE_DNAME && s->out->sets[i].type == TYPE_DNAME &&
		    dname_equal(s->out->sets[i].owner, set->owner))
			return OK; /* a DNAME may redirect twice in one chain: it stands there once */
	if (s->out->set_count == ARRAY_LEN(s->out->sets))
		return ERR_LIMIT;
	s->out->sets[s->out->set_count++] = *set;
	return OK;
}

/* The owner of the deepest DNAME in the answer section that lies strictly above the chain's name. */
static bool find_dname(struct scrub *s, uint8_t owner[static DNAME_MAX])
{
	struct record_iter it = record_iter_of(s->m);
	struct record rec;
	unsigned best = 0;
	bool found = false;
	while (record_next(&it, &rec) && rec.section == SECTION_ANSWER) {
		uint8_t name[DNAME_MAX];
		if (rec.type != TYPE_DNAME || rec.rclass != CLASS_IN)
			continue;
		message_name(s->m, rec.owner_offset, name);
		if (!dname_is_below(s->name, name) || !in_bailiwick(s, name))
			continue;
		if (!found || dname_label_count(name) > best) {
			best = dname_label_count(name);
			dname_copy(name, owner);
			found = true;
		}
	}
	return found;
}

static enum err single_rdata(const struct rrset *set, struct span *out)
{
	struct rrset_iter it = rrset_records(set);
	if (set->rr_count != 1 || !rrset_next(&it, out))
		return ERR_MALFORMED; /* RFC 2181 §10.1: singletons */
	return OK;
}

enum err scrub_make_cname(const uint8_t *name, const struct rrset *dname, struct arena *arena,
			  struct rrset *out)
{
	struct span target;
	uint8_t made[DNAME_MAX];
	enum err err = single_rdata(dname, &target);
	if (err == OK)
		err = dname_replace_suffix(name, dname->owner, target.at, made);
	if (err != OK)
		return err;
	struct span rdata = span_of(made, dname_len(made));
	return rrset_from_rdatas(name, TYPE_CNAME, dname->ttl_s, &rdata, 1, arena, out);
}

/* Follow a DNAME: the set itself and the CNAME it stands for, made here, so that an unsigned one from
 * the wire is never believed. ERR_NO_SPACE: YXDOMAIN. */
static enum err follow_dname(struct scrub *s, const uint8_t *owner)
{
	struct rrset dname, cname;
	struct span target;
	enum err err = gather(s, SECTION_ANSWER, owner, TYPE_DNAME, &dname);
	if (err == OK)
		err = single_rdata(&dname, &target);
	if (err == OK)
		err = push_set(s, &dname);
	if (err != OK)
		return err == ERR_NOT_FOUND ? ERR_MALFORMED : err;
	err = scrub_make_cname(s->name, &dname, s->arena, &cname);
	if (err == OK)
		err = push_set(s, &cname);
	if (err != OK)
		return err;
	struct rrset_iter it = rrset_records(&cname);
	if (!rrset_next(&it, &target))
		return ERR_MALFORMED;
	s->name = target.at;
	return OK;
}

/* The set has a signature that claims to be from above its owner. */
static bool is_signed_above(const struct rrset *set)
{
	struct rrset_iter it = rrset_sigs(set);
	struct span rdata;
	struct rrsig_view sig;
	while (rrset_next(&it, &rdata))
		if (rdata_rrsig(rdata, &sig) == OK && dname_is_below(set->owner, sig.signer))
			return true;
	return false;
}

/* DS of a name that is known to be delegated is asked for, and the server has answered as the zone below
 * would, whose data is the alias (RFC 4035 §3.1.4.1). One that the zone above has signed is its own. */
static bool is_of_child(const struct scrub *s, const struct rrset *cname)
{
	const struct scrub_input *in = s->in;
	return in->qtype == TYPE_DS && s->out->alias_count == 0 && in->is_delegated &&
	       in->is_delegated(in->context, s->name) && !is_signed_above(cname);
}

static enum err follow_cname(struct scrub *s)
{
	struct rrset cname;
	struct span target;
	enum err err = gather(s, SECTION_ANSWER, s->name, TYPE_CNAME, &cname);
	if (err == OK && is_of_child(s, &cname)) {
		s->out->of_child = true;
		return ERR_NOT_FOUND;
	}
	if (err == OK)
		err = single_rdata(&cname, &target);
	if (err == OK)
		err = push_set(s, &cname);
	if (err == OK)
		s->name = target.at;
	return err;
}

/* One step along the chain. OK: moved; ERR_EXISTS: the data asked for stands here; ERR_NOT_FOUND:
 * the chain ends here without data. */
static enum err chain_step(struct scrub *s)
{
	struct rrset set;
	uint8_t owner[DNAME_MAX];
	enum err err;
	if (find_dname(s, owner)) { /* first: nothing else exists below it (RFC 6672 §2.4) */
		err = follow_dname(s, owner);
		return err == OK && s->in->qtype == TYPE_CNAME ? ERR_EXISTS : err;
	}
	err = gather(s, SECTION_ANSWER, s->name, s->in->qtype, &set);
	if (err == OK) {
		err = push_set(s, &set);
		return err == OK ? ERR_EXISTS : err;
	}
	if (err != ERR_NOT_FOUND || s->in->qtype == TYPE_CNAME)
		return err;
	return follow_cname(s);
}

/* The owner of an NS set in the authority section strictly below the zone, at or above NAME. */
static bool find_cut(const struct scrub *s, const uint8_t *name, uint8_t owner[static DNAME_MAX])
{
	struct record_iter it = record_iter_of(s->m);
	struct record rec;
	while (record_next(&it, &rec)) {
		if (rec.section != SECTION_AUTHORITY || rec.type != TYPE_NS ||
		    rec.rclass != CLASS_IN)
			continue;
		message_name(s->m, rec.owner_offset, owner);
		if (dname_is_below(owner, s->in->zone) && dname_is_within(name, owner))
			return true;
	}
	return false;
}

/* The chain's name, to which an alias has led, lies below a cut that the question's name is not below
 * of: what is told of it here may be anything that its parent has left of it. A chain that comes to
 * the top of the zone itself leads back to the parent where DS is asked for (RFC 4035 §3.1.4.1). */
static bool is_behind_cut(const struct scrub *s)
{
	const struct scrub_input *in = s->in;
	const uint8_t *name = s->name;
	uint8_t owner[DNAME_MAX];
	if (in->is_elsewhere && in->is_elsewhere(in->context, name))
		return true;
	if (in->forward)
		return false;
	if (in->qtype == TYPE_DS && name[0] != 0) {
		if (dname_equal(name, in->zone))
			return true;
		name = dname_skip(name, 1);
	}
	return find_cut(s, name, owner) && !dname_is_within(in->qname, owner);
}

/* The chain's name is the sender's to tell of, and what he tells makes sense. */
static bool may_tell(const struct scrub *s)
{
	bool is_alias = s->out->alias_count > 0;
	return !s->is_broken && in_bailiwick(s, s->name) && !(is_alias && is_behind_cut(s));
}

/* The chain has been at NAME before. */
static bool has_looped(const struct scrub *s)
{
	for (uint32_t i = 0; i < s->out->set_count; i++)
		if (s->out->sets[i].type == TYPE_CNAME &&
		    dname_equal(s->out->sets[i].owner, s->name))
			return true;
	return false;
}

/* Walk the chain as far as the sender may tell it. One that bites its tail ends there as an alias,
 * which the next leg refuses to follow (RFC 1034 §3.6.2: loops are an error). So does one that goes on
 * with what makes no sense: the next leg asks for that itself. */
static enum err walk_chain(struct scrub *s)
{
	struct reply *out = s->out;
	for (out->alias_count = 0; out->alias_count <= LIMIT_ALIASES; out->alias_count++) {
		uint32_t good = out->set_count;
		if (!may_tell(s) || has_looped(s))
			return ERR_NOT_FOUND;
		enum err err = chain_step(s);
		if (out->alias_count > 0 && (err == ERR_MALFORMED || err == ERR_LIMIT)) {
			out->set_count = good;
			s->is_broken = true;
			return ERR_NOT_FOUND;
		}
		if (err != OK)
			return err;
	}
	return ERR_LIMIT;
}

/* The authority section's SOA and denial records, as far as they belong to the asked zone. */
static enum err take_authority(struct scrub *s)
{
	struct reply *out = s->out;
	struct record_iter it = record_iter_of(s->m);
	struct record rec;
	while (record_next(&it, &rec)) {
		uint8_t owner[DNAME_MAX];
		if (rec.section != SECTION_AUTHORITY || rec.rclass != CLASS_IN)
			continue;
		if (rec.type != TYPE_SOA && rec.type != TYPE_NSEC && rec.type != TYPE_NSEC3)
			continue;
		message_name(s->m, rec.owner_offset, owner);
		if (!in_bailiwick(s, owner))
			continue;
		if (rec.type == TYPE_SOA && (out->has_soa || !dname_is_within(out->target, owner)))
			continue;
		bool known = false;
		for (uint32_t i = 0; i < out->authority_count && !known; i++)
			known = out->authority[i].type == rec.type &&
				dname_equal(out->authority[i].owner, owner);
		if (known)
			continue;
		if (out->authority_count == ARRAY_LEN(out->authority))
			break; /* an honest proof needs at most 8 */
		struct rrset *set = &out->authority[out->authority_count];
		enum err err = gather(s, SECTION_AUTHORITY, owner, rec.type, set);
		if (err == ERR_NO_MEMORY)
			return err;
		if (err != OK)
			continue;
		out->authority_count++;
		if (rec.type == TYPE_SOA)
			out->has_soa = true;
	}
	return OK;
}

static void read_soa(struct reply *out)
{
	out->negative_ttl_s = out->has_soa ? 0 : LIMIT_BARE_DENIAL_S;
	for (uint32_t i = 0; i < out->authority_count; i++) {
		struct span rdata;
		struct soa_view soa;
		struct rrset_iter it = rrset_records(&out->authority[i]);
		if (out->authority[i].type != TYPE_SOA)
			continue;
		if (!rrset_next(&it, &rdata) || rdata_soa(rdata, &soa) != OK)
			continue;
		out->negative_ttl_s = MIN(out->authority[i].ttl_s, soa.minimum_s);
	}
}

/* Glue of SERVER from the additional section. Addresses of names that the sender has no say in are
 * marked doubtful: settings decide whether they are better than none. */
static void take_glue(struct scrub *s, struct delegation_server *server)
{
	struct record_iter it = record_iter_of(s->m);
	struct record rec;
	if (s->in->forward)
		return;
	server->doubtful = !in_bailiwick(s, server->name);
	while (record_next(&it, &rec) && server->address_count < DELEGATION_ADDRESSES_MAX) {
		if (rec.section != SECTION_ADDITIONAL || rec.rclass != CLASS_IN)
			continue;
		if (rec.type != TYPE_A && rec.type != TYPE_AAAA)
			continue;
		if (!message_name_equal(s->m, rec.owner_offset, server->name))
			continue;
		struct endpoint e =
			endpoint_of(span_of(s->m->wire.at + rec.rdata_offset, rec.rdata_len), 53);
		if (e.family != 0 && !endpoint_is_unusable(&e))
			server->addresses[server->address_count++] = e;
	}
}

static enum err take_delegation(struct scrub *s, const struct rrset *ns)
{
	struct reply *out = s->out;
	struct rrset_iter it = rrset_records(ns);
	struct span rdata;
	out->delegation.count = 0;
	while (out->delegation.count < DELEGATION_SERVERS_MAX && rrset_next(&it, &rdata)) {
		struct delegation_server *server =
			&out->delegation.servers[out->delegation.count++];
		*server = (struct delegation_server){.name = rdata.at};
		take_glue(s, server);
	}
	out->cut_ttl_s = ns->ttl_s;
	return OK;
}

static enum err take_referral(struct scrub *s, const uint8_t *owner)
{
	struct rrset ns;
	enum err err = gather(s, SECTION_AUTHORITY, owner, TYPE_NS, &ns);
	if (err != OK)
		return err;
	err = gather(s, SECTION_AUTHORITY, owner, TYPE_DS, &s->out->ds);
	if (err != OK && err != ERR_NOT_FOUND)
		return err;
	if (err == ERR_NOT_FOUND)
		s->out->ds = (struct rrset){0};
	s->out->kind = REPLY_REFERRAL;
	s->out->cut = ns.owner;
	return take_delegation(s, &ns);
}

/* DS of OWNER is asked for, and the zone above, whose data that is, answers by a referral to OWNER: what
 * goes with it, DS or the proof that there is none, is the answer (RFC 4035 §3.1.4). The zone below has
 * none to give. Without an SOA the proof's own TTL says how long it holds (RFC 9077). */
static enum err take_ds_of_referral(struct scrub *s, const uint8_t *owner)
{
	struct reply *out = s->out;
	struct rrset ds;
	enum err err = gather(s, SECTION_AUTHORITY, owner, TYPE_DS, &ds);
	if (err == OK)
		err = push_set(s, &ds);
	if (err != ERR_NOT_FOUND) {
		out->kind = REPLY_ANSWER;
		return err;
	}
	out->kind = REPLY_NODATA;
	out->doubtful = out->authority_count == 0;
	if (!out->doubtful)
		out->negative_ttl_s = UINT32_MAX;
	for (uint32_t i = 0; i < out->authority_count; i++)
		out->negative_ttl_s = MIN(out->negative_ttl_s, out->authority[i].ttl_s);
	return OK;
}

/* With NS and no SOA it is a referral (RFC 2308 §2.2), which a forwarder has no business to send. */
static bool has_ns(const struct scrub *s)
{
	struct record_iter it = record_iter_of(s->m);
	struct record rec;
	while (record_next(&it, &rec))
		if (rec.section == SECTION_AUTHORITY && rec.type == TYPE_NS)
			return true;
	return false;
}

/* The answer section tells of the name, but not what was asked for: servers that know addresses only
 * answer AAAA with A (like those of RFC 4074 §4). */
static bool has_other_data(const struct scrub *s)
{
	struct record_iter it = record_iter_of(s->m);
	struct record rec;
	while (record_next(&it, &rec) && rec.section == SECTION_ANSWER)
		if (rec.rclass == CLASS_IN && message_name_equal(s->m, rec.owner_offset, s->name))
			return true;
	return false;
}

static bool has_proof(const struct reply *r)
{
	for (uint32_t i = 0; i < r->authority_count; i++)
		if (r->authority[i].type != TYPE_SOA)
			return true;
	return false;
}

/* NXDOMAIN of a name that has data of another type in the same reply, and no proof: the name is there. */
static bool names_other_data(const struct scrub *s)
{
	const struct reply *out = s->out;
	return out->rcode == RCODE_NXDOMAIN && out->alias_count == 0 && !has_proof(out) &&
	       has_other_data(s);
}

/* The SOA speaks for a name that lies below CUT: it is that of the zone below. One from above the cut has no
 * say there: some servers put it into referrals. */
static bool soa_speaks_below(const struct reply *r, const uint8_t *cut)
{
	for (uint32_t i = 0; i < r->authority_count; i++)
		if (r->authority[i].type == TYPE_SOA)
			return dname_is_within(r->authority[i].owner, cut);
	return false;
}

/* The reply refers to the zone OWNER below; a denial from there may name that zone's servers too. */
static bool refers(const struct scrub *s, uint8_t owner[static DNAME_MAX])
{
	const struct reply *out = s->out;
	if (s->in->forward || !find_cut(s, out->target, owner))
		return false;
	bool is_ds = s->in->qtype == TYPE_DS && dname_equal(owner, s->in->qname);
	return !out->has_soa || !(is_ds || soa_speaks_below(out, owner));
}

/* The chain has ended without the data asked for: what does the rest of the message say? */
static enum err classify_end(struct scrub *s)
{
	struct reply *out = s->out;
	uint8_t owner[DNAME_MAX];
	bool at_start = out->alias_count == 0, is_bare = out->authority_count == 0;
	if (!may_tell(s) || has_looped(s)) {
		out->kind = REPLY_ALIAS;
		return OK;
	}
	if (names_other_data(s)) {
		out->rcode = RCODE_NOERROR;
		out->kind = REPLY_NODATA;
		out->doubtful = is_bare;
		return OK;
	}
	if (out->rcode ==
	    RCODE_NXDOMAIN) { /* of whose zone, if it is bare and not the question's? */
		out->kind = at_start || s->in->forward || !is_bare ? REPLY_NXDOMAIN : REPLY_ALIAS;
		out->doubtful = at_start && is_bare;
		return OK;
	}
	if (refers(s, owner)) {
		if (at_start && s->in->qtype == TYPE_DS && dname_equal(owner, s->in->qname))
			return take_ds_of_referral(s, owner);
		if (at_start)
			return take_referral(s, owner);
		out->kind = REPLY_ALIAS;
		return OK;
	}
	if (out->has_soa) {
		out->kind = REPLY_NODATA;
		return OK;
	}
	bool is_denial = (s->in->forward ? !has_ns(s) : out->authoritative) || has_other_data(s);
	out->doubtful = at_start && is_denial && is_bare; /* RFC 2308 §2.2: NODATA type 3 */
	out->kind = !at_start ? REPLY_ALIAS : is_denial ? REPLY_NODATA : REPLY_LAME;
	out->mute = out->kind == REPLY_LAME && is_bare && !has_ns(s) &&
		    s->m->counts[SECTION_ANSWER] == 0;
	return OK;
}

/* How long the zone itself means its NS set to be kept, beside whatever it answers. */
static void read_zone_ns(struct scrub *s)
{
	struct record_iter it = record_iter_of(s->m);
	struct record rec;
	if (s->in->forward || !s->out->authoritative)
		return;
	while (record_next(&it, &rec))
		if ((rec.section == SECTION_ANSWER || rec.section == SECTION_AUTHORITY) &&
		    rec.type == TYPE_NS && rec.rclass == CLASS_IN &&
		    message_name_equal(s->m, rec.owner_offset, s->in->zone))
			s->out->zone_ns_ttl_s = MIN(s->out->zone_ns_ttl_s, rec.ttl_s);
}

static enum err take_priming(struct scrub *s)
{
	struct reply *out = s->out;
	if (out->kind != REPLY_ANSWER || out->set_count != 1)
		return OK;
	out->cut = out->sets[0].owner;
	return take_delegation(s, &out->sets[0]);
}

/* The answer or the authority section tells of another class than was asked for. */
static bool has_other_class(const struct message *m)
{
	struct record_iter it = record_iter_of(m);
	struct record rec;
	while (record_next(&it, &rec) && rec.section != SECTION_ADDITIONAL)
		if (rec.rclass != CLASS_IN)
			return true;
	return false;
}

/* Data without authority beside a referral to the zone that it lies in: it is left over from somewhere,
 * or made up, and that zone's own servers have to tell (RFC 1034 §4.3.2). One that holds that zone too has
 * authority. */
static bool is_beside_referral(const struct scrub *s, uint8_t cut[static DNAME_MAX])
{
	const struct scrub_input *in = s->in;
	const uint8_t *name = in->qname;
	if (in->forward || s->out->authoritative || s->out->rcode != RCODE_NOERROR)
		return false;
	if (in->qtype == TYPE_DS && name[0] != 0)
		name = dname_skip(name, 1); /* DS is the parent's data */
	return s->m->counts[SECTION_ANSWER] > 0 && find_cut(s, name, cut);
}

/* The zone below has spoken in place of that above: all that says is that there is a cut. */
static void take_nothing(struct reply *out)
{
	out->kind = REPLY_NODATA;
	out->rcode = RCODE_NOERROR;
	out->doubtful = true;
	out->negative_ttl_s = LIMIT_BARE_DENIAL_S;
}

static enum err scrub_chain(struct scrub *s)
{
	struct reply *out = s->out;
	uint8_t cut[DNAME_MAX];
	enum err err;
	if (is_beside_referral(s, cut)) {
		err = take_authority(s);
		return err == OK ? take_referral(s, cut) : err;
	}
	err = walk_chain(s);
	out->target = s->name;
	if (err == ERR_NO_SPACE) {
		out->kind = REPLY_TOO_LONG;
		return OK;
	}
	if (err != ERR_EXISTS && err != ERR_NOT_FOUND)
		return err;
	bool found = err == ERR_EXISTS;
	if (found && out->alias_count > 0 && out->rcode == RCODE_NXDOMAIN) {
		out->set_count--; /* the end of the chain is denied beside its data: neither counts */
		out->kind = REPLY_ALIAS;
		return OK;
	}
	if (out->of_child) {
		take_nothing(out);
		return OK;
	}
	err = take_authority(s);
	if (err != OK)
		return err;
	read_soa(out);
	read_zone_ns(s);
	if (!found)
		return classify_end(s);
	out->kind = REPLY_ANSWER;
	return s->in->priming && out->rcode == RCODE_NOERROR ? take_priming(s) : OK;
}

enum err scrub_reply(const struct scrub_input *in, struct arena *arena, struct reply *out)
{
	*out = (struct reply){
		.rcode = message_rcode(in->message),
		.authoritative = (in->message->flags & FLAG_AA) != 0,
		.target = in->qname,
		.kind = REPLY_ERROR,
		.zone_ns_ttl_s = UINT32_MAX,
	};
	if (out->rcode == RCODE_YXDOMAIN)
		out->rcode = RCODE_NOERROR; /* the chain itself will tell (RFC 6672 §2.2) */
	if (out->rcode != RCODE_NOERROR && out->rcode != RCODE_NXDOMAIN)
		return OK;
	struct scrub s = {
		.in = in, .m = in->message, .arena = arena, .out = out, .name = in->qname};
	enum err err = scrub_chain(&s);
	if (err == ERR_NO_MEMORY)
		return err;
	/* Records of another class say nothing; that there is nothing else is no denial. */
	bool is_void = (out->doubtful || out->mute) && has_other_class(s.m);
	if (err != OK || is_void) {
		out->kind = REPLY_BROKEN;
		out->doubtful = out->mute = false;
	}
	return OK;
}

struct reply *scrub_keep(const struct reply *r, struct arena *arena)
{
	struct reply *out = arena_alloc(arena, sizeof(*out));
	enum err err = OK;
	if (!out)
		return NULL;
	*out = *r;
	out->cut = NULL;
	out->delegation = (struct delegation){0};
	out->ds = (struct rrset){0};
	out->target = arena_copy(arena, span_of(r->target, dname_len(r->target))).at;
	for (uint32_t i = 0; i < r->set_count && err == OK; i++)
		err = rrset_copy(&r->sets[i], arena, &out->sets[i]);
	for (uint32_t i = 0; i < r->authority_count && err == OK; i++)
		err = rrset_copy(&r->authority[i], arena, &out->authority[i]);
	return err == OK && out->target ? out : NULL;
}

bool scrub_made_by_dname(const struct reply *r, uint32_t index)
{
	const struct rrset *set = &r->sets[index];
	if (set->type != TYPE_CNAME || set->sig_count > 0)
		return false;
	for (uint32_t i = 0; i < index; i++)
		if (r->sets[i].type == TYPE_DNAME && dname_is_below(set->owner, r->sets[i].owner))
			return true;
	return false;
}
