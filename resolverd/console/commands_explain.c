#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "console/commands_explain.h"
#include "resolve/answer.h"
#include "resolve/limits.h"
#include "resolve/search.h"

const char *explain_question(const uint8_t *name, uint16_t type,
			     char out[static EXPLAIN_QUESTION_MAX])
{
	char text[DNAME_TEXT_MAX], word[TYPE_TEXT_SIZE];

	(void)snprintf(out, EXPLAIN_QUESTION_MAX, "%s %s", dname_text(name, text),
		       type_text(type, word));
	return out;
}

void explain_say(struct explain *x, const char *format, ...)
{
	char line[2 * DNAME_TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	words_append(&x->story, words_text(line, strlen(line)));
}

void explain_sum_up(struct explain *x, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(x->summary, sizeof(x->summary), format, arguments);
	va_end(arguments);
}

const char *explain_reason(const struct entry *e, char out[static EXPLAIN_REASON_MAX])
{
	struct span text = entry_text(e);

	if (e->ede == EDE_NONE && text.len == 0)
		(void)snprintf(out, EXPLAIN_REASON_MAX, "no reason was noted");
	else if (e->ede == EDE_NONE)
		(void)snprintf(out, EXPLAIN_REASON_MAX, "%.*s", (int)text.len,
			       (const char *)text.at);
	else
		(void)snprintf(out, EXPLAIN_REASON_MAX, "%.*s%s(EDE %u, %s)", (int)text.len,
			       (const char *)text.at, text.len > 0 ? " " : "", e->ede,
			       ede_text(e->ede));
	return out;
}

const char *explain_left(const struct explain *x, const struct entry *e,
			 char out[static WORDS_TIME_SIZE])
{
	int64_t ms = e->expires_ms - x->now.cache_ms;

	return words_time(ms < 0 ? -ms : ms, out);
}

const char *explain_age(const struct explain *x, const struct entry *e,
			char out[static WORDS_TIME_SIZE])
{
	return words_time(MAX(x->now.cache_ms - entry_fetched_ms(e), (int64_t)0), out);
}

const struct entry *explain_look_up(const struct explain *x, enum entry_kind kind,
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
	char zone[DNAME_TEXT_MAX], question[EXPLAIN_QUESTION_MAX];

	if (!z)
		return false;
	dname_text(z->name, zone);
	explain_question(x->name, x->type, question);
	switch (z->action) {
	case LOCAL_TRANSPARENT:
		explain_say(x, "The local zone %s covers the name: its records come first.", zone);
		return false;
	case LOCAL_REFUSE:
		explain_sum_up(x, "%s is refused: the local zone %s says so.", question, zone);
		return true;
	case LOCAL_STATIC:
	case LOCAL_NODATA:
		explain_sum_up(x, "%s is answered from the %slocal zone %s; nobody is asked.",
			       question, z->builtin ? "built-in " : "", zone);
		return true;
	}
	return false;
}

static bool explain_forward(struct explain *x)
{
	const struct settings_zone *z = settings_zone_for(x->settings, x->name, x->type);
	char zone[DNAME_TEXT_MAX], question[EXPLAIN_QUESTION_MAX];

	if (!z)
		return false;
	dname_text(z->name, zone);
	if (z->forward && !settings_zone_only_allows(z, x->name)) {
		explain_sum_up(x,
			       "%s is answered as not existing: no \"only\" pattern of the forward "
			       "zone %s matches it, so nobody is asked.",
			       explain_question(x->name, x->type, question), zone);
		return true;
	}
	explain_say(x,
		    "The %s zone %s of the configuration covers the name: %u server%s, over %s%s.",
		    z->forward ? "forward" : "stub", zone, z->server_count,
		    z->server_count == 1 ? "" : "s", z->tcp ? "TCP" : "UDP",
		    z->fallback ? "; where they fail, the zone around it or the public tree" : "");
	if (z->rate_limit > 0)
		explain_say(x, "At most %u packets a second are sent there.", z->rate_limit);
	return false;
}

static bool explain_rules(struct explain *x)
{
	if (explain_local(x) || explain_forward(x))
		return true;
	if (!x->settings->dnssec)
		explain_say(x, "DNSSEC validation is off.");
	else if (settings_is_insecure(x->settings, x->name))
		explain_say(x, "A negative trust anchor, or a zone marked insecure, covers the "
			       "name: it is "
			       "not validated.");
	return false;
}

/* ---- the cache ---- */

static void sum_up_failure(struct explain *x, const struct entry *e)
{
	char question[EXPLAIN_QUESTION_MAX], why[EXPLAIN_REASON_MAX], left[WORDS_TIME_SIZE];
	char age[WORDS_TIME_SIZE], rcode[TYPE_TEXT_SIZE];

	explain_question(x->name, x->type, question);
	if (entry_is_fresh(e, x->now))
		explain_sum_up(x, "%s is answered %s for another %s: %s.", question,
			       rcode_text(e->rcode, rcode), explain_left(x, e, left),
			       explain_reason(e, why));
	else
		explain_sum_up(x,
			       "%s failed %s ago: %s. That is no longer held against it: the next "
			       "question tries again.",
			       question, explain_age(x, e, age), explain_reason(e, why));
}

static void sum_up_fresh(struct explain *x, const struct entry *e)
{
	char question[EXPLAIN_QUESTION_MAX], why[EXPLAIN_REASON_MAX], left[WORDS_TIME_SIZE];
	struct answer_view view = {0};
	bool empty = e->kind != ENTRY_RRSET && entry_answer(e, &view) == OK && !view.counts[0];

	explain_question(x->name, x->type, question);
	explain_left(x, e, left);
	if (e->verdict == VERDICT_BOGUS)
		explain_sum_up(
			x, "%s is answered SERVFAIL for another %s, because its data is bogus: %s.",
			question, left, explain_reason(e, why));
	else if (e->verdict == VERDICT_UNCHECKED && x->settings->dnssec)
		explain_sum_up(
			x, "%s is cached but not validated yet: the next question sees to that.",
			question);
	else if (e->rcode == RCODE_NXDOMAIN)
		explain_sum_up(x,
			       "%s does not exist (NXDOMAIN, %s), says the cache for another %s.",
			       question, words_verdict(e->verdict), left);
	else if (empty)
		explain_sum_up(x,
			       "There are no such records (%s, %s), says the cache for another %s.",
			       question, words_verdict(e->verdict), left);
	else
		explain_sum_up(x, "%s is answered from the cache for another %s (%s).", question,
			       left, words_verdict(e->verdict));
}

/* Whose word it is. */
static const char *rank_text(uint8_t rank)
{
	static const char *const words[] = {
		[RANK_GLUE] = "glue of a referral",
		[RANK_REFERRAL] = "part of a referral",
		[RANK_FORWARDED] = "the answer of a forwarder or of who claims no authority",
		[RANK_ANSWER] = "the answer of a server of its zone",
		[RANK_SECURE] = "validated data",
	};

	return rank < ARRAY_LEN(words) && words[rank] ? words[rank] : "of unknown origin";
}

static void tell_entry(struct explain *x, const struct entry *e)
{
	char question[EXPLAIN_QUESTION_MAX], age[WORDS_TIME_SIZE], left[WORDS_TIME_SIZE];
	char why[EXPLAIN_REASON_MAX];
	bool fresh = entry_is_fresh(e, x->now);

	explain_say(x, "Cached: %s, fetched %s ago with a TTL of %u, %s%s%s; %s, %s.",
		    explain_question(entry_name(e), e->type ? e->type : x->type, question),
		    explain_age(x, e, age), e->ttl_s, fresh ? "" : "expired ",
		    explain_left(x, e, left), fresh ? " left" : " ago", words_verdict(e->verdict),
		    rank_text(e->rank));
	if (e->ede != EDE_NONE || e->text_len > 0)
		explain_say(x, "Noted with it: %s.", explain_reason(e, why));
}

void explain_tell_failure(struct explain *x, const struct entry *e)
{
	char question[EXPLAIN_QUESTION_MAX], age[WORDS_TIME_SIZE], left[WORDS_TIME_SIZE];
	char why[EXPLAIN_REASON_MAX];

	explain_say(x, "Last failure: %s, %s ago: %s.",
		    explain_question(entry_name(e), e->type, question), explain_age(x, e, age),
		    explain_reason(e, why));
	if (entry_is_fresh(e, x->now))
		explain_say(
			x,
			"It is remembered for another %s (RFC 9520); until then nobody is asked.",
			explain_left(x, e, left));
}

static bool tell_on_disk(void *context, const struct entry *e)
{
	struct explain *x = context;
	char question[EXPLAIN_QUESTION_MAX], age[WORDS_TIME_SIZE], left[WORDS_TIME_SIZE];

	if (e->kind == ENTRY_DELEGATION || (e->type != x->type && e->type != 0))
		return true;
	explain_say(
		x,
		"On disk, and taken into memory by the next question: %s, fetched %s ago, %s%s%s, "
		"%s.",
		explain_question(entry_name(e), e->type ? e->type : x->type, question),
		explain_age(x, e, age), entry_is_fresh(e, x->now) ? "" : "expired ",
		explain_left(x, e, left), entry_is_fresh(e, x->now) ? " left" : " ago",
		words_verdict(e->verdict));
	return true;
}

/* The disk tier, where memory knows nothing. */
static void explain_disk(struct explain *x)
{
	const struct disk_load what = {
		.name = x->name, .now = x->now, .fn = tell_on_disk, .context = x};

	if (x->c->disk && disk_ask_name(x->c->disk, &what) == ERR_BUSY)
		explain_say(x, "The disk does not answer: what it knows cannot be told.");
}

/* The alias at the present name that clients would be led along, or NULL. */
static const struct entry *find_alias(const struct explain *x)
{
	const struct entry *e = x->type != TYPE_CNAME && x->type != TYPE_DS
					? explain_look_up(x, ENTRY_RRSET, x->name, TYPE_CNAME)
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
	explain_say(x, "%s is an alias of %s for another %s (%s).", from, dname_text(x->name, to),
		    explain_left(x, e, left), words_verdict(e->verdict));
}

static void sum_up_expired(struct explain *x, const struct entry *e)
{
	char question[EXPLAIN_QUESTION_MAX], left[WORDS_TIME_SIZE];

	explain_sum_up(
		x, "The cached answer to %s expired %s ago: the next question asks the servers%s.",
		explain_question(x->name, x->type, question), explain_left(x, e, left),
		x->settings->stale_enabled ? ", and gets the old answer if they are slow" : "");
}

/* One name of the chain. True if an alias leads on. */
static bool explain_hop(struct explain *x)
{
	const struct entry *failure = explain_look_up(x, ENTRY_FAILURE, x->name, x->type);
	const struct entry *e =
		answer_find(x->c->reader, x->name, dname_len(x->name), x->type, false, x->now);
	char question[EXPLAIN_QUESTION_MAX];

	if (e && e->rank < RANK_FORWARDED)
		e = NULL; /* glue and the like answer nobody */
	bool fresh = e && entry_is_fresh(e, x->now);
	if (e) {
		words_append(&x->chain, words_entry(e, x->now));
		tell_entry(x, e);
		explain_popularity(x, e);
	} else {
		explain_disk(x);
	}
	if (failure && !fresh) {
		json_decref(x->failure);
		x->failure = words_entry(failure, x->now);
		explain_tell_failure(x, failure);
	}
	const struct entry *alias = fresh ? NULL : find_alias(x);
	x->has_fresh = fresh && e->verdict != VERDICT_BOGUS;
	if (!fresh && !alias && explain_denial(x))
		return false;
	if (fresh)
		sum_up_fresh(x, e);
	else if (failure && (entry_is_fresh(failure, x->now) || (!e && !alias)))
		sum_up_failure(x, failure);
	else if (e)
		sum_up_expired(x, e);
	else if (!alias)
		explain_sum_up(x, "Nothing is cached for %s: the next question asks the servers.",
			       explain_question(x->name, x->type, question));
	if (!alias || (failure && entry_is_fresh(failure, x->now)))
		return false;
	words_append(&x->chain, words_entry(alias, x->now));
	follow_alias(x, alias);
	return true;
}

/* ---- the verb ---- */

static bool read_client(struct call *call, struct endpoint *out)
{
	const char *text = call_string(call, "client");

	if (!text || endpoint_parse(text, 53, out) == OK)
		return true;
	call_invalid(call, "client");
	return false;
}

static uint64_t refused_so_far(const struct commands *c)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < *c->worker_count; i++)
		total += metrics_get(worker_metrics(c->workers[i]), METRIC_queries_refused_total);
	return total;
}

/* True if CLIENT (family 0: nobody in particular), SAID so by who asks, may not ask at all. */
static bool explain_client(struct explain *x, const struct endpoint *client, const char *said)
{
	uint64_t refused = refused_so_far(x->c);
	char question[EXPLAIN_QUESTION_MAX];

	if (client->family && !settings_allows(x->settings, client)) {
		explain_sum_up(x,
			       "%s is refused to %s: the access list of the configuration "
			       "(access.allow) does not let it ask.",
			       explain_question(x->asked, x->type, question), said);
		return true;
	}
	if (client->family)
		explain_say(x, "%s may ask: the access list lets it.", said);
	else if (refused > 0)
		explain_say(
			x,
			"%" PRIu64 " queries of clients whom the access list (access.allow) does "
			"not let ask were refused since the start: name the client to see whether "
			"it is one of them.",
			refused);
	return false;
}

/* A name that nobody meant. */
static void explain_search(struct explain *x)
{
	const uint8_t *suffix = search_suffix(x->settings, x->asked);
	char text[DNAME_TEXT_MAX];

	if (suffix)
		explain_say(
			x,
			"%s seems to have been appended by a client's search list (ndots): a dot "
			"at the end of the name, or a smaller ndots, saves the question.",
			dname_text(suffix, text));
}

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
			    .servers = json_array(),
			    .recent = json_array()};
	struct endpoint client = {0};

	if (!words_read_name(call, x.name) || !words_read_type(call, &x.type) ||
	    !read_client(call, &client)) {
		json_decref(x.story);
		json_decref(x.chain);
		json_decref(x.servers);
		json_decref(x.recent);
		return;
	}
	dname_copy(x.name, x.asked);
	bool decided =
		explain_client(&x, &client, call_string(call, "client")) || explain_rules(&x);
	for (int hop = 0; !decided && hop <= LIMIT_ALIASES && explain_hop(&x); hop++)
		decided = explain_rules(&x);
	explain_search(&x);
	explain_past(&x);
	if (!decided)
		explain_cut(&x);
	call_reply(call, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
				   words_name(x.asked), "type", words_type(x.type), "summary",
				   words_text(x.summary, strlen(x.summary)), "story", x.story,
				   "chain", x.chain, "failure", x.failure, "zone",
				   x.has_zone ? words_name(x.zone) : json_null(), "servers",
				   x.servers, "recent", x.recent));
}
