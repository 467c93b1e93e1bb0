#include "resolve/validate.h"

#include "base/log.h"
#include "resolve/beside.h"
#include "resolve/blame.h"
#include "resolve/chain.h"
#include "resolve/cut.h"
#include "resolve/leg.h"
#include "resolve/servers.h"
#include "resolve/upstream.h"
#include "resolve/validate_denial.h"
#include "resolve/validate_set.h"
#include "resolve/verify.h"

enum { BOGUS_RETRIES = 2 }; /* other servers asked before data is called bogus */

/* Set INDEX was made from a DNAME before it: it needs no signature of its own (RFC 6672 §5.3.1), and
 * lives no longer than that, whose TTL is by now what was signed (§3.1). One that nobody signed redirects
 * nothing for which a trust anchor below it vouches. */
static enum security follow_dname(struct query *q, uint32_t index)
{
	struct reply *reply = q->reply;
	struct rrset *set = &reply->sets[index];
	for (uint32_t i = 0; i < index; i++) {
		const struct rrset *dname = &reply->sets[i];
		if (dname->type != TYPE_DNAME || !dname_is_below(set->owner, dname->owner))
			continue;
		set->ttl_s = MIN(set->ttl_s, dname->ttl_s);
		if (!q->set_checks[i].proven &&
		    !chain_may_sign(q, dname->owner, set->owner, q->qtype == TYPE_DS)) {
			blame_set(q, EDE_RRSIGS_MISSING, dname, set->owner,
				  "it redirects, without proof, a name below a trust anchor");
			return SECURITY_BOGUS;
		}
	}
	return SECURITY_SECURE;
}

/*
 * What comes behind set number INDEX - 1 of the chain, an alias, is V, and lies in ZONE: is it to be
 * used? Not if it is bad, nor if it lies in an unsigned zone other than the alias does: once that cut
 * is known, it is not for the servers of the zone above to tell (resolve/cut.h). A forwarder tells of
 * all zones.
 */
static bool is_usable(const struct query *q, uint32_t index, enum security v, const uint8_t *zone)
{
	if (index == 0 || q->reply->sets[index - 1].type != TYPE_CNAME)
		return true;
	if (v != SECURITY_INSECURE || query_is_forwarded(q))
		return !security_is_bad(v);
	while (--index > 0 && scrub_made_by_dname(q->reply, index))
		; /* its DNAME was checked in its stead */
	const uint8_t *before = q->set_checks[index].zone;
	return !zone || !before || dname_equal(zone, before);
}

/* Go on with the first COUNT sets of the chain, which are good, as an alias: its target is asked for
 * itself. What was NOTED before is what the trouble is. */
static void keep_alias(struct query *q, uint32_t count, const struct trouble *noted)
{
	struct reply *reply = q->reply;
	struct rrset_iter it = rrset_records(&reply->sets[count - 1]);
	struct span target;
	REQUIRE(rrset_next(&it, &target));
	reply->kind = REPLY_ALIAS;
	reply->rcode = RCODE_NOERROR;
	reply->target = target.at;
	reply->set_count = count;
	reply->alias_count = 0;
	for (uint32_t i = 0; i < count; i++)
		reply->alias_count += reply->sets[i].type == TYPE_CNAME;
	q->trouble = *noted;
}

static enum security check_set(struct query *q, uint32_t index, struct checked *memo)
{
	struct rrset *set = &q->reply->sets[index];
	if (scrub_made_by_dname(q->reply, index))
		return follow_dname(q, index);
	enum security v = validate_set(q, set, memo);
	return v == SECURITY_SECURE ? validate_denial_wildcard(q, set, memo) : v;
}

static enum security check_chain(struct query *q)
{
	struct reply *reply = q->reply;
	struct trouble noted = q->trouble;
	enum security all = SECURITY_SECURE;
	for (uint32_t i = 0; i < reply->set_count; i++) {
		struct checked *memo = &q->set_checks[i];
		enum security v = check_set(q, i, memo);
		if (v == SECURITY_PENDING)
			return v;
		if (!is_usable(q, i, v, memo->zone)) {
			keep_alias(q, i, &noted);
			return all;
		}
		if (security_is_bad(v))
			return v;
		if (v != SECURITY_SECURE)
			all = v;
	}
	return all;
}

/* What the denial at the end of a chain that is ALL is worth, if Q's reply is one. */
static enum security check_end(struct query *q, enum security all)
{
	struct reply *reply = q->reply;
	struct trouble noted = q->trouble;
	const uint8_t *zone;
	enum security v = validate_denial(q, &zone);
	if (v == SECURITY_SECURE)
		return all;
	if (v == SECURITY_PENDING || is_usable(q, reply->set_count, v, zone))
		return v;
	keep_alias(q, reply->set_count, &noted);
	return all;
}

static bool has_other_server(const struct query *q)
{
	for (unsigned i = 0; i < q->zone.server_count; i++)
		if (i != q->reply_server && !q->zone.servers[i].bad &&
		    q->zone.servers[i].sends < LIMIT_SENDS_PER_SERVER)
			return true;
	for (unsigned i = 0; i < q->zone.ns_name_count; i++) {
		const struct ns_name *n = &q->zone.ns_names[i];
		if (!n->asked_a && !n->asked_aaaa && !n->in_zone &&
		    q->zone.ns_lookups < LIMIT_NS_LOOKUPS)
			return true;
	}
	return false;
}

/* Q's reply lacks signatures, and says nothing by that. */
static void blame_edns(struct query *q)
{
	const struct reply *reply = q->reply;
	blame_note(q, EDE_DNSSEC_INDETERMINATE,
		   &(struct blame){.owner = reply->target,
				   .type = q->qtype,
				   .server = blame_server(q),
				   .zone = q->zone.name,
				   .why = "answered without EDNS, so without signatures"});
}

static bool has_signatures(const struct reply *reply)
{
	bool any = false;
	for (uint32_t i = 0; i < reply->set_count; i++)
		any |= reply->sets[i].sig_count > 0;
	for (uint32_t i = 0; i < reply->authority_count; i++)
		any |= reply->authority[i].sig_count > 0;
	return any;
}

/* Somebody may want to know whether a forwarder passes signatures on. PROVEN: the reply was secure. */
static void tell_forwarded(const struct query *q, bool proven)
{
	const struct resolver *r = q->resolver;
	const struct endpoint *server = blame_server(q);
	if (!r->forwarded || !query_is_forwarded(q) || !server)
		return;
	if (!proven && has_signatures(q->reply))
		return; /* something else is wrong with it */
	const struct resolver_forwarded f = {.zone = q->zone.configured->name,
					     .name = q->name,
					     .server = server,
					     .has_signatures = proven};
	r->forwarded(r->forwarded_context, &f, r->now);
}

/* What came is bogus, but before that a name above the leg's was denied: if that is proven neither does
 * the leg's name exist (RFC 8020). True: that is checked now. */
static bool tries_denial(struct query *q)
{
	struct reply *denial = q->minimize.denial;
	if (!denial || q->minimize.is_tried)
		return false;
	q->bogus_reply = q->reply;
	q->bogus_why = q->trouble;
	denial->target = q->name;
	q->minimize.is_tried = true;
	leg_check(q, denial, false);
	return true;
}

static enum step conclude_unproven(struct query *q)
{
	if (leg_begin_anew(q))
		return STEP_AGAIN;
	tell_forwarded(q, false);
	q->answer.unproven = true;
	query_remark(q);
	return leg_checked(q, VERDICT_BOGUS);
}

enum step validate_conclude_bogus(struct query *q)
{
	if (q->reply->unsigned_ok) /* nobody has sent signatures: that shows nothing to be bad */
		return conclude_unproven(q);
	if (tries_denial(q) || leg_begin_anew(q))
		return STEP_AGAIN;
	tell_forwarded(q, false);
	metrics_add(q->resolver->metrics, METRIC_dnssec_bogus_total, 1);
	if (q->trouble.ede == EDE_NONE)
		q->trouble.ede = EDE_DNSSEC_BOGUS;
	query_remark(q);
	return leg_checked(q, VERDICT_BOGUS);
}

/* Unless better comes, it stays with what has come and with what is wrong with that. */
static enum step ask_again(struct query *q)
{
	q->bogus_reply = q->reply;
	q->bogus_why = q->trouble;
	query_note(q, (struct trace_step){.kind = TRACE_ELSEWHERE});
	q->reply = NULL;
	q->state = QUERY_ASK;
	return STEP_AGAIN;
}

/* While it was found out that the reply is bad, a cut below the zone asked has come to be known: what
 * lies there is for its own servers to tell, whatever those above have left of it. */
static bool has_deeper_cut(const struct query *q)
{
	const uint8_t *name = q->name;
	if (q->reply_cached || q->from_root || query_is_forwarded(q))
		return false;
	if (q->qtype == TYPE_DS && name[0] != 0)
		name = dname_skip(name, 1); /* DS is the parent's data */
	return dname_is_within(name, q->zone.name) && cut_below(q, name, q->zone.name);
}

/* What came is bogus, or UNPROVEN. Ask elsewhere before anything is called bogus; with EDNS, if the
 * reply came without it. */
static enum step on_bogus(struct query *q, bool unproven)
{
	char text[DNAME_TEXT_MAX];
	log_debug("bogus name=%s type=%u reason=\"%s\"", dname_text(q->name, text), q->qtype,
		  q->trouble.text);
	bool worth_it = q->budget->signature_checks < LIMIT_SIGNATURE_CHECKS &&
			q->budget->failed_checks < LIMIT_FAILED_CHECKS &&
			q->budget->denial.hashes_left > 0;
	if (q->reply_cached && worth_it)
		return leg_ask_in_full(q);
	if (q->reply->unsigned_ok && !q->reply_cached) {
		blame_edns(q);
		upstream_ask_signed(q, q->reply_server);
		return ask_again(q);
	}
	if (worth_it && q->bogus_retries < BOGUS_RETRIES && has_deeper_cut(q)) {
		q->bogus_retries++;
		query_note(q, (struct trace_step){.kind = TRACE_ELSEWHERE});
		return leg_ask_in_full(q);
	}
	if (unproven) /* by whatever server */
		return conclude_unproven(q);
	if (!worth_it || q->bogus_retries >= BOGUS_RETRIES || !has_other_server(q) ||
	    q->reply_cached)
		return validate_conclude_bogus(q);
	q->bogus_retries++;
	q->zone.servers[q->reply_server].bad = true;
	return ask_again(q);
}

/* PROVEN tells of the place where it stands: an NSEC that was expanded from a wildcard does not, though its
 * zone has signed it, and proves nothing (RFC 4592 §4.7). */
static bool is_in_place(const struct proven *proven)
{
	bool is_denial = proven->set.type == TYPE_NSEC || proven->set.type == TYPE_NSEC3;
	return !(is_denial && proven_is_expanded(proven));
}

/*
 * What goes with the leg's sets, which are WHOLE: to clients, into the cache, and into the proof that a
 * name is or is no delegation (chain.c). Only sets that were checked, of which each is as good as the
 * whole; all else stood in the reply without saying anything. In a bogus leg it stays, for who sets CD.
 */
static void keep_checked(struct query *q, enum security whole)
{
	struct reply *reply = q->reply;
	uint32_t count = reply->authority_count;
	bool had_soa = reply->has_soa;
	reply->authority_count = 0;
	reply->has_soa = false;
	for (uint32_t i = 0; i < count; i++) {
		const struct rrset set = reply->authority[i];
		const struct checked memo = q->authority_checks[i];
		bool good = memo.proven ? is_in_place(memo.proven)
					: memo.security == SECURITY_INSECURE &&
						  whole == SECURITY_INSECURE;
		if (!good)
			continue;
		reply->has_soa |= set.type == TYPE_SOA;
		reply->authority[reply->authority_count] = set;
		q->authority_checks[reply->authority_count++] = memo;
	}
	if (had_soa && !reply->has_soa && whole == SECURITY_SECURE)
		reply->negative_ttl_s = 0; /* nobody in the right place has said it */
}

/* Q's reply says NXDOMAIN beside the data that was asked for: it is no answer. Another server's may be. */
static enum step give_up_contradiction(struct query *q)
{
	char address[ENDPOINT_TEXT_SIZE], name[DNAME_TEXT_MAX];
	struct server *server = &q->zone.servers[q->reply_server];
	query_trouble(q, EDE_INVALID_DATA, "%s says NXDOMAIN of %.150s beside its data",
		      endpoint_text(&server->address, address), dname_text(q->name, name));
	query_note(q, (struct trace_step){.kind = TRACE_ELSEWHERE});
	server->bad = server->fails = true;
	q->reply = NULL;
	q->state = QUERY_ASK;
	return STEP_AGAIN;
}

/* The leg is VERDICT. Nobody signs the header, so unless what stands below it is proven an NXDOMAIN there has
 * to agree with that, and with what is known. A name that has data of other types lacks this one (beside.h).
 * Said of an alias' end (RFC 6604 §3) it may come from a server that has not looked for it: the end is asked
 * for itself, but where packets are counted. Who asks for an alias alone has it, and goes on from it: of its
 * end it is said there too (RFC 6604 §2), and one that a DNAME stands for is there (RFC 6672 §3.2). */
static enum step conclude(struct query *q, enum verdict verdict)
{
	struct reply *reply = q->reply;
	uint32_t count = reply->set_count;
	const struct trouble noted = q->trouble;
	if (cut_end_is_doubtful(q, verdict))
		keep_alias(q, count, &noted);
	if (q->reply_cached || reply->rcode != RCODE_NXDOMAIN || verdict == VERDICT_SECURE)
		return leg_checked(q, verdict);
	if (reply->kind == REPLY_ANSWER && q->qtype != TYPE_CNAME)
		return give_up_contradiction(q);
	if (reply->kind == REPLY_NXDOMAIN && count > 0 && !servers_are_counted(q))
		keep_alias(q, count, &noted);
	if (reply->kind == REPLY_NXDOMAIN && count == 0 && q->qtype != TYPE_DS &&
	    beside_has_data(q->resolver, q->name, q->qtype))
		reply->kind = REPLY_NODATA;
	return leg_checked(q, verdict);
}

enum step validate_step(struct query *q)
{
	const struct settings *settings = q->settings;
	struct metrics *metrics = q->resolver->metrics;
	const struct endpoint *source = blame_server(q);
	q->answer.source = source ? *source : (struct endpoint){0};
	verify_end_wait(q);
	if (!settings->dnssec)
		return conclude(q, VERDICT_INDETERMINATE);
	/* The rest of a chain in the same reply goes with its first name: who can forge what is
	 * behind the alias could as well forge the alias. It is kept for this answer only. */
	if (settings_is_insecure(settings, q->name) ||
	    (q->zone.configured && q->zone.configured->insecure))
		return conclude(q, VERDICT_INSECURE);
	enum security v = check_chain(q);
	if (v != SECURITY_PENDING && !security_is_bad(v))
		v = check_end(q, v);
	if (v == SECURITY_PENDING)
		return STEP_WAIT;
	if (q->minimize.is_tried && q->reply == q->minimize.denial && v != SECURITY_SECURE) {
		q->reply = q->bogus_reply;
		q->trouble = q->bogus_why;
		return validate_conclude_bogus(q);
	}
	if (security_is_bad(v))
		return on_bogus(q, v == SECURITY_UNPROVEN);
	if (v == SECURITY_SECURE)
		tell_forwarded(q, true);
	keep_checked(q, v);
	metrics_add(metrics,
		    v == SECURITY_SECURE ? METRIC_dnssec_secure_total
					 : METRIC_dnssec_insecure_total,
		    1);
	return conclude(q, security_verdict(v));
}
