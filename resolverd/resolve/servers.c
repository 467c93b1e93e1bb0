#include "resolve/servers.h"

#include "dns/rdata.h"
#include "resolve/appeal.h"
#include "resolve/family.h"
#include "resolve/recall.h"
#include "resolve/upstream.h"

enum {
	BAND_US = 10000,	 /* servers within this (and 30 %) of the fastest count as equal */
	ASTRAY_US = 10000000,	 /* the way there leads nowhere, by what was seen lately */
	DENIER_US = 50000000,	 /* whoever said what is to be confirmed: if there is nobody else */
	PROBE_MS = 300,		 /* a server that is thought dead is asked again after this long */
	PROBE_COUNTED_MS = 3000, /* and one that counts packets, which may take 6 s to answer */
	EXPLORE_PERMILLE = 20,	 /* now and then a server whose speed is unknown or was worse */
	EXPLORE_REFRESH_PERMILLE = 100, /* rather at the expense of refreshes than of clients */
	GLUE_LOOKS_MAX = 100,		/* names looked at for a parent's glue, some disk reads */
	GLUE_AFTER_MS = 500, /* a look-up of addresses that takes longer may lead nowhere */
};

/* Why E must not be asked for the zone. What the operator has named is his to know; the root's own
 * word for its servers counts as his hints as far as it agrees with them. */
static enum askable check_address(const struct query *q, const struct endpoint *e)
{
	bool named =
		q->zone.configured || (q->zone.name[0] == 0 && askable_is_hint(q->settings, e));
	if (named)
		return endpoint_is_unusable(e) ? ASKABLE_UNUSABLE : ASKABLE_YES;
	return askable_check(q->settings, q->resolver->own_addresses, e);
}

static void refuse(struct query *q, const struct endpoint *e, enum askable why)
{
	struct zone_context *z = &q->zone;
	metrics_add(q->resolver->metrics, METRIC_upstream_addresses_refused_total, 1);
	if (z->refused != ASKABLE_YES)
		return; /* one of them is enough to tell */
	z->refused = why;
	z->refused_one = *e;
	query_note(q, (struct trace_step){
			      .kind = TRACE_REFUSED, .code = why, .name = z->name, .server = e});
}

/* What routes lead to the world says nothing of a configured server, which may be next door: the
 * system tells at once if there is none to it. */
static bool family_usable(const struct query *q, const struct endpoint *e)
{
	const struct resolver *r = q->resolver;
	bool near = q->zone.configured != NULL;
	return e->family == 4 ? q->settings->ipv4 && (near || r->has_ipv4)
			      : q->settings->ipv6 && (near || r->has_ipv6);
}

/* The only way in which an address comes to be asked. */
static void add_server(struct query *q, const struct endpoint *address, const uint8_t *ns_name)
{
	struct zone_context *z = &q->zone;
	struct endpoint e = *address;
	if (!z->configured)
		e.port = q->settings->upstream_port;
	enum askable askable = check_address(q, &e);
	if (askable != ASKABLE_YES) {
		refuse(q, &e, askable);
		return;
	}
	if (z->server_count == SERVERS_MAX)
		return;
	if (!family_usable(q, &e)) {
		z->unroutable4 |= e.family == 4;
		z->unroutable6 |= e.family == 6;
		return;
	}
	for (unsigned i = 0; i < z->server_count; i++)
		if (endpoint_equal(&z->servers[i].address, &e))
			return; /* many names, one address: asked once */
	struct server *s = &z->servers[z->server_count++];
	*s = (struct server){
		.address = e,
		.ns_name = ns_name,
		.bad = appeal_knows(q, &e),
		.budget = settings_budget_of(q->settings, &e),
	};
	z->counted |= s->budget != NULL;
}

/* Addresses of NAME in ANSWER (a finished look-up or a cache entry): true if there was one. */
static bool add_addresses(struct query *q, const struct answer *a, const uint8_t *ns_name)
{
	unsigned before = q->zone.server_count, taken = 0;
	for (uint32_t i = 0; i < a->answer_count; i++) {
		const struct rrset *set = &a->answer[i];
		struct rrset_iter it = rrset_records(set);
		struct span rdata;
		if (set->type != TYPE_A && set->type != TYPE_AAAA)
			continue;
		while (taken < DELEGATION_ADDRESSES_MAX && rrset_next(&it, &rdata)) {
			struct endpoint e = endpoint_of(rdata, 53);
			add_server(q, &e, ns_name);
			taken++;
		}
	}
	return q->zone.server_count > before;
}

/* What the cache holds of the addresses of N; marks the families that need no asking. */
static void take_cached(struct query *q, struct ns_name *n, uint16_t type, bool *asked)
{
	struct arena *turn = &q->resolver->turn_arena;
	struct answer *a = arena_alloc(turn, sizeof(*a));
	uint8_t name[DNAME_MAX];
	size_t len = dname_lower(n->name, name);
	const struct entry *e = answer_find(q->resolver->client_context.reader, name, len, type,
					    q->settings->dnssec, q->resolver->now);
	if (!a || !e || !entry_is_fresh(e, q->resolver->now) || e->verdict == VERDICT_BOGUS)
		return;
	if (e->verdict == VERDICT_UNCHECKED && q->settings->dnssec)
		return;
	if (answer_from_entry(e, name, type, q->resolver->now, turn, a) != OK)
		return;
	*asked = true;
	add_addresses(q, a, n->name);
}

/* Room for SIZE bytes of names, until the next zone. NULL: no memory. */
static uint8_t *names_room(struct query *q, size_t size)
{
	if (size > q->server_names.size) {
		/* Twice as much each time, so that all that were too small are no more than the last. */
		size_t room = MAX(size, 2 * q->server_names.size);
		q->server_names.at = arena_alloc(&q->arena, room);
		q->server_names.size = q->server_names.at ? room : 0;
	}
	return q->server_names.at;
}

/* D's names lie in memory of the turn: copy them. False: no memory. */
static bool keep_names(struct query *q, struct delegation *d)
{
	size_t size = 0;
	for (unsigned i = 0; i < d->count; i++)
		size += dname_len(d->servers[i].name);
	uint8_t *at = names_room(q, size);
	for (unsigned i = 0; at && i < d->count; i++) {
		size_t len = dname_len(d->servers[i].name);
		memcpy(at, d->servers[i].name, len);
		d->servers[i].name = at;
		at += len;
	}
	return at != NULL;
}

static void fill_from_delegation(struct query *q, const struct delegation *told)
{
	struct zone_context *z = &q->zone;
	struct delegation d = *told;
	if (d.count > 0 && !keep_names(q, &d))
		return;
	for (unsigned i = 0; i < d.count; i++) {
		const struct delegation_server *ds = &d.servers[i];
		bool usable = ds->address_count > 0 && !(ds->doubtful && q->settings->harden_glue);
		for (unsigned k = 0; usable && k < ds->address_count; k++)
			add_server(q, &ds->addresses[k], ds->name);
		struct ns_name *n = &z->ns_names[z->ns_name_count++];
		*n = (struct ns_name){.name = ds->name,
				      .in_zone = dname_is_within(ds->name, z->name),
				      .has_glue = usable};
		for (unsigned k = 0; n->in_zone && usable && k < ds->address_count; k++) {
			n->asked_a |= ds->addresses[k].family == 4;
			n->asked_aaaa |= ds->addresses[k].family == 6;
		}
		if (n->has_glue)
			continue; /* looked up only if the glue turns out to be wrong */
		take_cached(q, n, TYPE_A, &n->asked_a);
		take_cached(q, n, TYPE_AAAA, &n->asked_aaaa);
	}
}

static void begin_zone(struct query *q, const uint8_t *name, const struct settings_zone *configured)
{
	struct zone_context *z = &q->zone;
	upstream_cancel_all(q);
	*z = (struct zone_context){.configured = configured,
				   .expires_ms = INT64_MAX,
				   .ready = true,
				   .since_ms = now_mono_ms(q->resolver->now)};
	dname_lower(name, z->name);
	z->signed_data = q->plain_zone && dname_equal(q->plain_zone, z->name);
	q->turn_ms = 0;
	line_leave(q);
	q->minimize.active = false;
	q->minimize.labels = 0;
}

static void use_configured(struct query *q, const struct settings_zone *zone)
{
	begin_zone(q, zone->name, zone);
	for (unsigned i = 0; i < zone->server_count; i++)
		add_server(q, &zone->servers[i], NULL);
}

void servers_note_zone(struct query *q, enum trace_source source)
{
	query_note(q, (struct trace_step){.kind = TRACE_ZONE,
					  .code = source,
					  .name = q->zone.name,
					  .value = q->zone.server_count});
}

void servers_use_delegation(struct query *q, const uint8_t *name, const struct delegation *d,
			    int64_t expires_ms)
{
	begin_zone(q, name, NULL);
	q->zone.expires_ms = expires_ms;
	q->zone.delegation = delegation_fingerprint(d, &q->resolver->table_key);
	q->zone.told_ms = q->resolver->now.cache_ms;
	fill_from_delegation(q, d);
}

/* The delegation of NAME (lower case) as it is cached and holds, or NULL; *LATER if none is in memory
 * and the slower tier cannot tell at once. */
static const struct entry *find_delegation(struct resolver *r, const uint8_t *name, bool *later)
{
	struct cache_reader *reader = r->client_context.reader;
	size_t len = dname_len(name);
	const struct entry *e = cache_find(reader, ENTRY_DELEGATION, name, len, 0);
	*later = false;
	if (!e && recall_at_once(r, name, later))
		e = cache_find(reader, ENTRY_DELEGATION, name, len, 0);
	return e && entry_is_fresh(e, r->now) ? e : NULL;
}

/* ... unpacked into memory of the turn. A refresh asks the parent again before it ends, so that no client
 * waits for that, and a zone that has moved is found where it is now. */
static struct delegation *cached_delegation(struct query *q, const uint8_t *name,
					    int64_t *expires_ms, int64_t *told_ms, bool *later)
{
	struct arena *turn = &q->resolver->turn_arena;
	const struct entry *e = find_delegation(q->resolver, name, later);
	if (!e || (q->refresh && entry_ends_soon(e, q->resolver->now)))
		return NULL;
	struct delegation *d = arena_alloc(turn, sizeof(*d));
	struct span packed = arena_copy(turn, entry_payload(e));
	if (!d || !packed.at || delegation_unpack(packed, d) != OK)
		return NULL;
	*expires_ms = e->expires_ms;
	*told_ms = entry_fetched_ms(e);
	return d;
}

/* The glue for NS_NAME in all delegations around it: one further down may name other servers, to which
 * nothing leads, and must not hide what stands above it. */
static void add_glue_of(struct query *q, const uint8_t *ns_name, unsigned *left)
{
	uint8_t lower[DNAME_MAX];
	dname_lower(ns_name, lower);
	for (const uint8_t *at = lower; at[0] != 0 && *left > 0; at = dname_skip(at, 1)) {
		bool later; /* whoever asked for the server's address has had it fetched */
		const struct entry *e = find_delegation(q->resolver, at, &later);
		struct delegation d;
		(*left)--;
		if (!e || delegation_unpack(entry_payload(e), &d) != OK)
			continue;
		for (unsigned k = 0; k < d.count; k++)
			for (unsigned n = 0; dname_equal(d.servers[k].name, lower) &&
					     n < d.servers[k].address_count;
			     n++)
				add_server(q, &d.servers[k].addresses[n], ns_name);
	}
}

/* The last resort where what name servers' zones say of their addresses led nowhere, or takes too
 * long: the glue that their parents hold (RFC 1034 §5.3.3). It reaches servers and answers nobody. */
static void add_parent_glue(struct query *q)
{
	struct zone_context *z = &q->zone;
	unsigned left = GLUE_LOOKS_MAX;
	if (z->glue_tried)
		return;
	z->glue_tried = true;
	for (unsigned i = 0; i < z->ns_name_count; i++)
		add_glue_of(q, z->ns_names[i].name, &left);
}

enum err servers_find_cut(struct query *q)
{
	const struct settings *settings = q->settings;
	const struct settings_zone *zone = q->fallen_from
						   ? settings_zone_around(settings, q->fallen_from)
						   : settings_zone_for(settings, q->name, q->qtype);
	const uint8_t *name = q->name;
	unsigned stop = zone ? dname_label_count(zone->name) : 0;
	unsigned labels = dname_label_count(name);
	if (zone && zone->forward) {
		use_configured(q, zone);
		servers_note_zone(q, TRACE_SOURCE_FORWARD);
		return OK;
	}
	if (q->qtype == TYPE_DS && labels > 0) { /* DS lives on the parent's side of the cut */
		name = dname_skip(name, 1);
		labels--;
	}
	for (;; name = dname_skip(name, 1), labels--) {
		int64_t expires_ms, told_ms;
		bool later = false;
		struct delegation *d = NULL;
		if (!q->from_root && !appeal_ignores(q, name) && (!zone || labels > stop))
			d = cached_delegation(q, name, &expires_ms, &told_ms, &later);
		if (later && recall_leg(q) == RECALL_LATER)
			return ERR_BUSY;
		if (d) {
			servers_use_delegation(q, name, d, expires_ms);
			q->zone.told_ms = told_ms;
			servers_note_zone(q, TRACE_SOURCE_CACHE);
			return OK;
		}
		if (zone && labels == stop) {
			use_configured(q, zone);
			servers_note_zone(q, TRACE_SOURCE_STUB);
			return OK;
		}
		if (labels == 0)
			break;
	}
	if (settings->hints.count == 0) {
		query_trouble(q, EDE_NO_REACHABLE_AUTHORITY, "no root hints are configured");
		return ERR_NOT_FOUND;
	}
	servers_use_delegation(q, (const uint8_t *)"", &settings->hints, INT64_MAX);
	q->zone.from_hints = true;
	servers_note_zone(q, TRACE_SOURCE_HINTS);
	return OK;
}

bool servers_are_counted(const struct query *q)
{
	return q->zone.counted;
}

/* How often one server may be asked the same question. */
static unsigned sends_max(const struct query *q)
{
	return servers_are_counted(q) ? LIMIT_SENDS_PER_COUNTED : LIMIT_SENDS_PER_SERVER;
}

/* How long an answer from S is expected to take; UINT64_MAX if S is out of the question. */
static uint64_t expected_us(struct query *q, const struct server *s, bool *backed_off)
{
	struct infra_server known;
	*backed_off = false;
	if (q->only_family && s->address.family != q->only_family)
		return UINT64_MAX;
	if (s->bad || (s->use_tcp && s->tcp_failed) || s->sends >= sends_max(q))
		return UINT64_MAX;
	for (unsigned i = 0; i < q->open_count; i++)
		if (upstream_has_time(q->open[i]) && &q->zone.servers[q->open[i]->server] == s)
			return UINT64_MAX;
	infra_get(q->resolver->infra, &s->address, q->resolver->now, &known);
	uint64_t cost = known.known ? known.srtt_us : INFRA_RTT_UNKNOWN_US;
	*backed_off = known.backoff_until_ms > q->resolver->now.cache_ms;
	if (*backed_off) {
		uint64_t again_ms = s->last_sent_us / 1000 + PROBE_MS;
		if (s->sends > 0 && again_ms > now_mono_ms(q->resolver->now)) {
			q->retry_ms = q->retry_ms ? MIN(q->retry_ms, again_ms) : again_ms;
			return UINT64_MAX;
		}
		cost += ASTRAY_US;
	}
	if (s->use_tcp || (q->zone.configured && q->zone.configured->tcp)) {
		/* where TCP led nowhere lately it is the last to be tried */
		if (known.tcp_backoff_until_ms > q->resolver->now.cache_ms)
			cost += ASTRAY_US;
	}
	if (family_is_lost(q, &s->address))
		cost += ASTRAY_US;
	if ((q->confirming && endpoint_equal(&s->address, &q->denier)) ||
	    prefetch_avoids(q, &s->address))
		cost += DENIER_US;
	/* lost packets of this very question weigh most: go round all servers before coming back, but to
	 * the one that has half said it (habit.h) */
	if (s->habit_count == 0)
		cost += s->losses * 2000000ull + s->sends * 1000000ull;
	return cost + known.loss_permille * 500ull;
}

/* S told what is newest of the name that is refreshed, and nothing speaks against asking it first. */
static bool is_preferred(const struct query *q, const struct server *s, uint64_t cost_us, bool off)
{
	return q->kept && !q->confirming && cost_us != UINT64_MAX && !off && s->sends == 0 &&
	       prefetch_prefers(q, &s->address);
}

static int pick(struct query *q)
{
	struct resolver *r = q->resolver;
	q->retry_ms = 0;
	uint64_t cost[SERVERS_MAX], best = UINT64_MAX;
	unsigned count = q->zone.server_count, equal = 0;
	for (unsigned i = 0; i < count; i++) {
		bool off;
		cost[i] = expected_us(q, &q->zone.servers[i], &off);
		if (is_preferred(q, &q->zone.servers[i], cost[i], off))
			return (int)i;
		if (!q->zone.configured && cost[i] != UINT64_MAX && !q->zone.servers[i].small &&
		    infra_is_lame(r->infra, &q->zone.servers[i].address, q->zone.name, r->now))
			cost[i] += 100 * 1000000ull; /* only when all others are out */
		best = MIN(best, cost[i]);
	}
	if (best == UINT64_MAX)
		return -1;
	uint64_t band = best + best / 3 + BAND_US;
	uint32_t explore = q->budget->refresh ? EXPLORE_REFRESH_PERMILLE : EXPLORE_PERMILLE;
	if (best < INFRA_RTO_MAX_MS * 1000ull && rng_below(&r->rng, 1000) < explore)
		band = MAX(band, 2ull * INFRA_RTT_UNKNOWN_US);
	for (unsigned i = 0; i < count; i++)
		equal += cost[i] <= band;
	unsigned chosen = rng_below(&r->rng, equal);
	for (unsigned i = 0; i < count; i++)
		if (cost[i] <= band && chosen-- == 0)
			return (int)i;
	return -1;
}

/* Take in what look-ups of name servers have brought since. True if one is under way. */
static bool absorb(struct query *q, struct ns_name *n, uint16_t type, bool asked)
{
	const struct answer *a;
	if (!asked)
		return false;
	for (unsigned i = 0; i < q->dependency_count; i++) {
		struct dependency *d = &q->dependencies[i];
		if (d->type != type || !dname_equal(d->name, n->name))
			continue;
		if (d->pending)
			return true;
		a = d->answer;
		if (a && a->verdict != VERDICT_BOGUS)
			add_addresses(q, a, n->name);
		q->zone.inside_failed |= n->in_zone && (!a || a->rcode == RCODE_SERVFAIL);
		return false;
	}
	return false;
}

/* Begin to look up one family of N. True if it is under way. */
static bool look_up(struct query *q, struct ns_name *n, uint16_t type, bool *asked)
{
	const struct answer *a;
	const struct resolver *r = q->resolver;
	bool usable = type == TYPE_A ? q->settings->ipv4 && r->has_ipv4
				     : q->settings->ipv6 && r->has_ipv6;
	if (*asked || !usable)
		return false;
	*asked = true;
	q->budget->ns_lookups++;
	enum err err = query_need(q, n->name, type, false, &a);
	if (err == OK)
		add_addresses(q, a, n->name);
	return err == ERR_BUSY;
}

enum ns_kind {		 /* of name servers, in the order in which they are worth looking up */
	       NS_BARE,	 /* without glue */
	       NS_GLUED, /* with glue that proved useless */
	       NS_INSIDE /* of the zone itself: its servers have to tell of each other */
};

static enum ns_kind kind_of(const struct ns_name *n)
{
	return n->in_zone ? NS_INSIDE : n->has_glue ? NS_GLUED : NS_BARE;
}

/* S has not answered for so long that it is left alone between tries. */
static bool is_down(const struct query *q, const struct server *s)
{
	struct infra_server known;
	infra_get(q->resolver->infra, &s->address, q->resolver->now, &known);
	return known.losses_in_row >= INFRA_LOSSES_DOWN;
}

/*
 * May servers of Q's zone be asked for the addresses of N, which is in it? Not if none of them serves the
 * zone, nor where all of them are down, or have failed in this too: that would be as many questions to
 * servers that do not answer as there are names, and each would be waited for. Whoever asks for an address
 * does not ask for others of that zone: they would ask for it. The root is known in full, and an appeal asks
 * whom it knows. Where nobody is known at all, as the glue is missing, the parent can tell: the question for
 * the address appeals to it (appeal.h).
 */
static bool may_ask_inside(const struct query *q, const struct ns_name *n)
{
	bool is_address = q->qtype == TYPE_A || q->qtype == TYPE_AAAA;
	bool serves = false, answers = false;
	for (unsigned i = 0; i < q->zone.server_count; i++) {
		const struct server *s = &q->zone.servers[i];
		serves |= !s->lame && !is_down(q, s);
		answers |= s->fails;
	}
	if (q->zone.inside_failed || q->zone.name[0] == 0 || q->appeal.open ||
	    (q->internal && is_address))
		return false;
	if (q->zone.server_count == 0)
		return !n->has_glue && q->zone.glue_tried;
	return serves && (n->has_glue || answers);
}

/* Begin to look up the next name server of KIND; true if something is under way now. */
static bool look_up_next(struct query *q, enum ns_kind kind)
{
	struct zone_context *z = &q->zone;
	unsigned start = z->ns_name_count > 0 ? rng_below(&q->resolver->rng, z->ns_name_count) : 0;
	for (unsigned i = 0; i < z->ns_name_count; i++) {
		struct ns_name *n = &z->ns_names[(start + i) % z->ns_name_count];
		if ((n->asked_a && n->asked_aaaa) || kind_of(n) != kind)
			continue;
		if (kind == NS_INSIDE && !may_ask_inside(q, n))
			continue;
		if (z->ns_lookups >= LIMIT_NS_LOOKUPS ||
		    q->budget->ns_lookups >= LIMIT_NS_LOOKUPS_TOTAL) {
			query_limit(q, EDE_NO_REACHABLE_AUTHORITY,
				    "limit of name server look-ups reached");
			return false;
		}
		z->ns_lookups++;
		unsigned before = z->server_count;
		bool busy = look_up(q, n, TYPE_A, &n->asked_a);
		busy |= look_up(q, n, TYPE_AAAA, &n->asked_aaaa);
		if (busy || z->server_count > before)
			return busy;
	}
	return false;
}

/* ... of the first kind that has one. True if something is under way. */
static bool look_up_any(struct query *q)
{
	unsigned before = q->zone.server_count;
	for (unsigned kind = NS_BARE; kind <= NS_INSIDE; kind++) {
		if (look_up_next(q, (enum ns_kind)kind))
			return true;
		if (q->zone.server_count > before)
			return false;
	}
	return false;
}

uint32_t servers_bad_case_ms(struct query *q, unsigned index)
{
	struct infra_server known;
	infra_get(q->resolver->infra, &q->zone.servers[index].address, q->resolver->now, &known);
	return infra_rto_ms(&known) + (2 * known.high_us + known.rttvar_us) / 1000;
}

void servers_allow_probe(struct query *q)
{
	uint64_t now_ms = now_mono_ms(q->resolver->now);
	uint64_t rest_ms = servers_are_counted(q) ? PROBE_COUNTED_MS : PROBE_MS;
	for (unsigned i = 0; i < q->zone.server_count; i++) {
		struct server *s = &q->zone.servers[i];
		bool rested = s->last_sent_us / 1000 + rest_ms <= now_ms;
		if (!s->bad && rested && s->sends >= sends_max(q))
			s->sends = (uint8_t)(sends_max(q) - 1);
	}
	query_wake(q);
}

static bool all_have_lost(const struct query *q)
{
	for (unsigned i = 0; i < q->zone.server_count; i++)
		if (q->zone.servers[i].losses == 0)
			return false;
	return true;
}

static bool is_well(const struct query *q, const struct server *s)
{
	struct resolver *r = q->resolver;
	return s->losses == 0 && !s->bad && !s->tcp_lost && !s->tcp_failed &&
	       (q->zone.configured || !infra_is_lame(r->infra, &s->address, q->zone.name, r->now));
}

bool servers_none_is_well(const struct query *q)
{
	for (unsigned i = 0; i < q->zone.server_count; i++)
		if (is_well(q, &q->zone.servers[i]))
			return false;
	return true;
}

bool servers_seem_dead(const struct query *q)
{
	for (unsigned i = 0; i < q->zone.server_count; i++)
		if (!is_down(q, &q->zone.servers[i]))
			return false;
	return q->zone.server_count > 0 && all_have_lost(q);
}

/* Addresses are being looked up for so long that other ways are worth a try; else wake up then. */
static bool waits_long(struct query *q)
{
	uint64_t at_ms = q->zone.since_ms + GLUE_AFTER_MS;
	if (q->zone.glue_tried || now_mono_ms(q->resolver->now) >= at_ms)
		return true;
	q->retry_ms = q->retry_ms ? MIN(q->retry_ms, at_ms) : at_ms;
	return false;
}

int servers_choose(struct query *q, bool *waiting)
{
	struct zone_context *z = &q->zone;
	*waiting = false;
	for (unsigned i = 0; i < z->ns_name_count; i++) {
		struct ns_name *n = &z->ns_names[i];
		*waiting |= absorb(q, n, TYPE_A, n->asked_a);
		*waiting |= absorb(q, n, TYPE_AAAA, n->asked_aaaa);
	}
	int index = pick(q);
	for (unsigned tries = 0; index < 0 && !*waiting && tries < NS_NAMES_MAX; tries++) {
		unsigned before = z->server_count;
		*waiting = look_up_any(q);
		if (!*waiting && z->server_count == before)
			break;
		index = pick(q);
	}
	if (index < 0 && (!*waiting || waits_long(q))) {
		add_parent_glue(q);
		index = pick(q);
	}
	if (index < 0 && !*waiting && z->server_count == 0) {
		*waiting = look_up_next(q, NS_INSIDE);
		index = pick(q);
	}
	/* Meanwhile: the one without glue may be the one alive, or the other address of one with. */
	if (index >= 0 && !*waiting && servers_none_is_well(q) && !look_up_next(q, NS_BARE) &&
	    all_have_lost(q))
		(void)look_up_next(q, NS_INSIDE);
	return index;
}
