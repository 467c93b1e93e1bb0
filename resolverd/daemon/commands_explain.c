#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "daemon/commands_words.h"
#include "resolve/answer.h"
#include "resolve/limits.h"

/*
 * The same places are looked at, in the same order, as when a client asks: the configuration, the
 * cache alias by alias, then the zone cut and its servers. Only the cache's own words for a failure
 * name who failed; the rest of the story is how things stand now.
 */
struct explain {
	const struct commands *c;
	const struct settings *settings;
	struct now now;
	uint8_t name[DNAME_MAX]; /* of the present hop, lower case */
	uint16_t type;
	char summary[1024];
	json_t *story, *chain, *failure, *servers;
	uint8_t zone[DNAME_MAX]; /* the cut, if it has been found */
	bool has_zone;
	bool only_known; /* say nothing of servers that were never asked */
};

/* "www.example.org. AAAA" */
enum { QUESTION_TEXT_MAX = DNAME_TEXT_MAX + TYPE_TEXT_SIZE + 1 };
static const char *question_text(const uint8_t *name, uint16_t type,
				 char out[static QUESTION_TEXT_MAX])
{
	char text[DNAME_TEXT_MAX], word[TYPE_TEXT_SIZE];

	(void)snprintf(out, QUESTION_TEXT_MAX, "%s %s", dname_text(name, text),
		       type_text(type, word));
	return out;
}

static void PRINTF_LIKE(2, 3) say(struct explain *x, const char *format, ...)
{
	char line[2 * DNAME_TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	words_append(&x->story, words_text(line, strlen(line)));
}

static void PRINTF_LIKE(2, 3) sum_up(struct explain *x, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(x->summary, sizeof(x->summary), format, arguments);
	va_end(arguments);
}

/* "TEXT (EDE 22, No Reachable Authority)" of an entry. */
enum { REASON_MAX = 400 };
static const char *reason(const struct entry *e, char out[static REASON_MAX])
{
	struct span text = entry_text(e);

	if (e->ede == EDE_NONE && text.len == 0)
		(void)snprintf(out, REASON_MAX, "no reason was noted");
	else if (e->ede == EDE_NONE)
		(void)snprintf(out, REASON_MAX, "%.*s", (int)text.len, (const char *)text.at);
	else
		(void)snprintf(out, REASON_MAX, "%.*s%s(EDE %u, %s)", (int)text.len,
			       (const char *)text.at, text.len > 0 ? " " : "", e->ede,
			       ede_text(e->ede));
	return out;
}

static const char *left_text(const struct explain *x, const struct entry *e,
			     char out[static WORDS_TIME_SIZE])
{
	int64_t ms = e->expires_ms - x->now.cache_ms;

	return words_time(ms < 0 ? -ms : ms, out);
}

static const char *age_text(const struct explain *x, const struct entry *e,
			    char out[static WORDS_TIME_SIZE])
{
	return words_time(MAX(x->now.cache_ms - entry_fetched_ms(e), (int64_t)0), out);
}

static const struct entry *look_up(const struct explain *x, enum entry_kind kind,
				   const uint8_t *name, uint16_t type)
{
	return cache_find(x->c->reader, kind, name, dname_len(name), type);
}

/* ---- the configuration ---- */

/* True if the configuration alone decides. */
static bool explain_local(struct explain *x)
{
	unsigned labels = SETTINGS_ANY_DEPTH;
	const struct local_zone *z = settings_local_zone(x->settings, x->name, x->type, &labels);
	char zone[DNAME_TEXT_MAX], question[QUESTION_TEXT_MAX];

	if (!z)
		return false;
	dname_text(z->name, zone);
	question_text(x->name, x->type, question);
	switch (z->action) {
	case LOCAL_TRANSPARENT:
		say(x, "The local zone %s covers the name: its records come first.", zone);
		return false;
	case LOCAL_REFUSE:
		sum_up(x, "%s is refused: the local zone %s says so.", question, zone);
		return true;
	case LOCAL_STATIC:
	case LOCAL_NODATA:
		sum_up(x, "%s is answered from the %slocal zone %s; nobody is asked.", question,
		       z->builtin ? "built-in " : "", zone);
		return true;
	}
	return false;
}

static bool explain_forward(struct explain *x)
{
	const struct settings_zone *z = settings_zone_for(x->settings, x->name, x->type);
	char zone[DNAME_TEXT_MAX], question[QUESTION_TEXT_MAX];

	if (!z)
		return false;
	dname_text(z->name, zone);
	if (z->forward && !settings_zone_only_allows(z, x->name)) {
		sum_up(x,
		       "%s is answered as not existing: no \"only\" pattern of the forward zone %s "
		       "matches it, so nobody is asked.",
		       question_text(x->name, x->type, question), zone);
		return true;
	}
	say(x, "The %s zone %s of the configuration covers the name: %u servers, over %s%s.",
	    z->forward ? "forward" : "stub", zone, z->server_count, z->tcp ? "TCP" : "UDP",
	    z->fallback ? "; where they fail, the zone around it or the public tree" : "");
	if (z->rate_limit > 0)
		say(x, "At most %u packets a second are sent to the servers of %s.", z->rate_limit,
		    zone);
	return false;
}

static bool explain_rules(struct explain *x)
{
	if (explain_local(x) || explain_forward(x))
		return true;
	if (!x->settings->dnssec)
		say(x, "DNSSEC validation is off.");
	else if (settings_is_insecure(x->settings, x->name))
		say(x, "A negative trust anchor, or a zone marked insecure, covers the name: it is "
		       "not validated.");
	return false;
}

/* ---- the cache ---- */

static void sum_up_failure(struct explain *x, const struct entry *e)
{
	char question[QUESTION_TEXT_MAX], why[REASON_MAX], left[WORDS_TIME_SIZE];
	char age[WORDS_TIME_SIZE];

	question_text(x->name, x->type, question);
	if (entry_is_fresh(e, x->now))
		sum_up(x, "%s is answered SERVFAIL for another %s: %s.", question,
		       left_text(x, e, left), reason(e, why));
	else
		sum_up(x,
		       "%s failed %s ago: %s. That is no longer held against it: the next "
		       "question tries again.",
		       question, age_text(x, e, age), reason(e, why));
}

static void sum_up_fresh(struct explain *x, const struct entry *e)
{
	char question[QUESTION_TEXT_MAX], why[REASON_MAX], left[WORDS_TIME_SIZE];
	struct answer_view view = {0};
	bool empty = e->kind != ENTRY_RRSET && entry_answer(e, &view) == OK && !view.counts[0];

	question_text(x->name, x->type, question);
	left_text(x, e, left);
	if (e->verdict == VERDICT_BOGUS)
		sum_up(x, "%s is answered SERVFAIL for another %s, because its data is bogus: %s.",
		       question, left, reason(e, why));
	else if (e->verdict == VERDICT_UNCHECKED && x->settings->dnssec)
		sum_up(x, "%s is cached but not validated yet: the next question sees to that.",
		       question);
	else if (e->rcode == RCODE_NXDOMAIN)
		sum_up(x, "%s does not exist (NXDOMAIN, %s), says the cache for another %s.",
		       question, words_verdict(e->verdict), left);
	else if (empty)
		sum_up(x, "There are no such records (%s, %s), says the cache for another %s.",
		       question, words_verdict(e->verdict), left);
	else
		sum_up(x, "%s is answered from the cache for another %s (%s).", question, left,
		       words_verdict(e->verdict));
}

static void tell_entry(struct explain *x, const struct entry *e)
{
	char question[QUESTION_TEXT_MAX], age[WORDS_TIME_SIZE], left[WORDS_TIME_SIZE];
	char why[REASON_MAX];
	bool fresh = entry_is_fresh(e, x->now);

	say(x, "Cached: %s, fetched %s ago with a TTL of %u, %s %s%s; %s.",
	    question_text(entry_name(e), e->type ? e->type : x->type, question),
	    age_text(x, e, age), e->ttl_s, fresh ? "" : "expired ", left_text(x, e, left),
	    fresh ? " left" : " ago", words_verdict(e->verdict));
	if (e->ede != EDE_NONE || e->text_len > 0)
		say(x, "Noted with it: %s.", reason(e, why));
}

static void tell_failure(struct explain *x, const struct entry *e)
{
	char question[QUESTION_TEXT_MAX], age[WORDS_TIME_SIZE], left[WORDS_TIME_SIZE];
	char why[REASON_MAX];

	say(x, "Last failure: %s, %s ago: %s.", question_text(entry_name(e), e->type, question),
	    age_text(x, e, age), reason(e, why));
	if (entry_is_fresh(e, x->now))
		say(x, "It is remembered for another %s (RFC 9520); until then nobody is asked.",
		    left_text(x, e, left));
}

/* The alias at the present name that clients would be led along, or NULL. */
static const struct entry *find_alias(const struct explain *x)
{
	const struct entry *e = x->type != TYPE_CNAME && x->type != TYPE_DS
					? look_up(x, ENTRY_RRSET, x->name, TYPE_CNAME)
					: NULL;

	return e && entry_is_fresh(e, x->now) && e->rank >= RANK_FORWARDED ? e : NULL;
}

static void follow_alias(struct explain *x, const struct entry *e)
{
	char from[DNAME_TEXT_MAX], to[DNAME_TEXT_MAX], left[WORDS_TIME_SIZE];
	struct rrset set;
	struct span target;

	entry_rrset(e, &set);
	struct rrset_iter it = rrset_records(&set);
	if (!rrset_next(&it, &target))
		return;
	dname_text(x->name, from);
	(void)dname_lower(target.at, x->name);
	say(x, "%s is an alias of %s for another %s (%s).", from, dname_text(x->name, to),
	    left_text(x, e, left), words_verdict(e->verdict));
}

static void sum_up_expired(struct explain *x, const struct entry *e)
{
	char question[QUESTION_TEXT_MAX], left[WORDS_TIME_SIZE];

	sum_up(x, "The cached answer to %s expired %s ago: the next question asks the servers%s.",
	       question_text(x->name, x->type, question), left_text(x, e, left),
	       x->settings->stale_enabled ? ", and gets the old answer if they are slow" : "");
}

/* One name of the chain. True if an alias leads on. */
static bool explain_hop(struct explain *x)
{
	const struct entry *failure = look_up(x, ENTRY_FAILURE, x->name, x->type);
	const struct entry *e =
		answer_find(x->c->reader, x->name, dname_len(x->name), x->type, false, x->now);
	char question[QUESTION_TEXT_MAX];

	if (e && e->rank < RANK_FORWARDED)
		e = NULL; /* glue and the like answer nobody */
	bool fresh = e && entry_is_fresh(e, x->now);
	if (e) {
		words_append(&x->chain, words_entry(e, x->now));
		tell_entry(x, e);
	}
	if (failure && !fresh) {
		json_decref(x->failure);
		x->failure = words_entry(failure, x->now);
		tell_failure(x, failure);
	}
	const struct entry *alias = fresh ? NULL : find_alias(x);
	if (fresh)
		sum_up_fresh(x, e);
	else if (failure && (entry_is_fresh(failure, x->now) || (!e && !alias)))
		sum_up_failure(x, failure);
	else if (e)
		sum_up_expired(x, e);
	else if (!alias)
		sum_up(x, "Nothing is cached for %s: the next question asks the servers.",
		       question_text(x->name, x->type, question));
	if (!alias || (failure && entry_is_fresh(failure, x->now)))
		return false;
	words_append(&x->chain, words_entry(alias, x->now));
	follow_alias(x, alias);
	return true;
}

/* ---- the zone cut and its servers ---- */

static void tell_server(struct explain *x, const struct endpoint *address, json_t **addresses,
			json_t **lame)
{
	char text[ENDPOINT_TEXT_SIZE], zone[DNAME_TEXT_MAX], time[WORDS_TIME_SIZE];
	struct infra_server s;

	infra_get(x->c->infra, address, x->now, &s);
	words_append(addresses, words_upstream(address, &s, x->now));
	endpoint_text(address, text);
	if (infra_is_lame(x->c->infra, address, x->zone, x->now)) {
		words_append(lame, words_endpoint(address));
		say(x,
		    "Server %s does not serve %s (lame, or it refuses): left alone for a minute "
		    "at most.",
		    text, dname_text(x->zone, zone));
	}
	if (!s.known && !x->only_known)
		say(x, "Server %s has not been asked yet.", text);
	else if (!s.known)
		return;
	else if (s.backoff_until_ms > x->now.cache_ms)
		say(x, "Server %s did not answer %u times in a row: left alone for another %s.",
		    text, s.losses_in_row, words_time(s.backoff_until_ms - x->now.cache_ms, time));
	else if (s.losses_in_row > 0)
		say(x, "Server %s did not answer when it was asked last (%u lost in a row).", text,
		    s.losses_in_row);
	else
		say(x, "Server %s answers in %.1f ms (95 %% within %.1f ms), %u.%u %% lost.", text,
		    s.srtt_us / 1000.0, s.high_us / 1000.0, s.loss_permille / 10u,
		    s.loss_permille % 10u);
}

/* Addresses of a name server that did not come with the delegation. */
static unsigned tell_looked_up(struct explain *x, const uint8_t *name, json_t **addresses,
			       json_t **lame)
{
	static const uint16_t types[] = {TYPE_A, TYPE_AAAA};
	unsigned count = 0;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const struct entry *e = look_up(x, ENTRY_RRSET, name, types[i]);
		const struct entry *failure = look_up(x, ENTRY_FAILURE, name, types[i]);
		struct rrset set;
		struct span address;
		if (failure && !e)
			tell_failure(x, failure);
		if (!e)
			continue;
		entry_rrset(e, &set);
		struct rrset_iter it = rrset_records(&set);
		while (count < DELEGATION_ADDRESSES_MAX && rrset_next(&it, &address)) {
			struct endpoint server = endpoint_of(address, x->settings->upstream_port);
			tell_server(x, &server, addresses, lame);
			count++;
		}
	}
	return count;
}

static void tell_name_server(struct explain *x, const struct delegation_server *server)
{
	json_t *addresses = json_array(), *lame = json_array();
	uint8_t name[DNAME_MAX];
	char text[DNAME_TEXT_MAX];
	unsigned count = server->address_count;

	(void)dname_lower(server->name, name);
	for (size_t i = 0; i < server->address_count; i++) {
		struct endpoint address = server->addresses[i];
		address.port = x->settings->upstream_port;
		tell_server(x, &address, &addresses, &lame);
	}
	if (count == 0)
		count = tell_looked_up(x, name, &addresses, &lame);
	if (count == 0)
		say(x, "No address is known of the name server %s.", dname_text(name, text));
	words_append(&x->servers, json_pack("{s:o, s:o, s:o}", "name", words_name(name),
					    "addresses", addresses, "lame", lame));
}

static void explain_configured(struct explain *x, const struct settings_zone *z)
{
	json_t *addresses = json_array(), *lame = json_array();

	dname_copy(z->name, x->zone);
	x->has_zone = true;
	for (size_t i = 0; i < z->server_count; i++)
		tell_server(x, &z->servers[i], &addresses, &lame);
	words_append(&x->servers, json_pack("{s:o, s:o, s:o}", "name", words_name(z->name),
					    "addresses", addresses, "lame", lame));
}

/* What the cache knows of the zone's keys, if that stands in the way. */
static void explain_keys(struct explain *x)
{
	static const uint16_t types[] = {TYPE_DS, TYPE_DNSKEY};
	char question[QUESTION_TEXT_MAX], why[REASON_MAX];

	for (size_t i = 0; i < ARRAY_LEN(types) && x->settings->dnssec; i++) {
		const struct entry *e = answer_find(x->c->reader, x->zone, dname_len(x->zone),
						    types[i], false, x->now);
		const struct entry *failure = look_up(x, ENTRY_FAILURE, x->zone, types[i]);
		if (failure)
			tell_failure(x, failure);
		if (!e || !entry_is_fresh(e, x->now))
			continue;
		question_text(x->zone, types[i], question);
		if (e->verdict == VERDICT_BOGUS)
			say(x, "%s is bogus: %s.", question, reason(e, why));
		else
			say(x, "%s is cached: %s.", question, words_verdict(e->verdict));
	}
}

static void explain_cut(struct explain *x)
{
	const struct settings_zone *z = settings_zone_for(x->settings, x->name, x->type);
	char zone[DNAME_TEXT_MAX], left[WORDS_TIME_SIZE];
	unsigned labels = dname_label_count(x->name);
	struct delegation d = {0};

	if (z) {
		explain_configured(x, z);
		return;
	}
	/* A DS set belongs to the parent's side of the cut. */
	for (unsigned skip = x->type == TYPE_DS && labels > 0; skip <= labels; skip++) {
		const uint8_t *name = dname_skip(x->name, skip);
		const struct entry *e = look_up(x, ENTRY_DELEGATION, name, 0);
		if (!e || !entry_is_fresh(e, x->now) ||
		    delegation_unpack(entry_payload(e), &d) != OK)
			continue;
		dname_copy(name, x->zone);
		x->has_zone = true;
		say(x, "The deepest zone cut known is %s, with %u name servers, for another %s.",
		    dname_text(name, zone), d.count, left_text(x, e, left));
		for (size_t i = 0; i < d.count; i++)
			tell_name_server(x, &d.servers[i]);
		explain_keys(x);
		return;
	}
	say(x, "No zone cut is known: resolving begins at the root servers.");
	x->only_known = true;
	dname_copy(dname_skip(x->name, labels), x->zone);
	for (size_t i = 0; i < x->settings->hints.count; i++)
		tell_name_server(x, &x->settings->hints.servers[i]);
}

/* ---- the verb ---- */

void commands_explain(void *context, struct call *call)
{
	const struct commands *c = context;
	struct explain x = {.c = c,
			    .settings = &(*c->snapshot)->settings,
			    .now = call_now(call),
			    .type = TYPE_A,
			    .story = json_array(),
			    .chain = json_array(),
			    .failure = json_null(),
			    .servers = json_array()};
	uint8_t name[DNAME_MAX];

	if (!words_read_name(call, x.name) || !words_read_type(call, &x.type)) {
		json_decref(x.story);
		json_decref(x.chain);
		json_decref(x.servers);
		return;
	}
	dname_copy(x.name, name);
	bool decided = explain_rules(&x);
	for (int hop = 0; !decided && hop <= LIMIT_ALIASES && explain_hop(&x); hop++)
		decided = explain_rules(&x);
	if (!decided)
		explain_cut(&x);
	call_reply(call,
		   json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", words_name(name),
			     "type", words_type(x.type), "summary",
			     words_text(x.summary, strlen(x.summary)), "story", x.story, "chain",
			     x.chain, "failure", x.failure, "zone",
			     x.has_zone ? words_name(x.zone) : json_null(), "servers", x.servers));
}
