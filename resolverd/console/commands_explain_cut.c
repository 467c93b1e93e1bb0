#include <stdio.h>

#include "console/commands_explain.h"
#include "resolve/answer.h"

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
		explain_say(x,
			    "Server %s does not serve %s (lame, or it refuses): left alone for a "
			    "minute "
			    "at most.",
			    text, dname_text(x->zone, zone));
	}
	if (!s.known && !x->only_known)
		explain_say(x, "Server %s has not been asked yet.", text);
	else if (!s.known)
		return;
	else if (s.backoff_until_ms > x->now.cache_ms)
		explain_say(
			x, "Server %s did not answer %u times in a row: left alone for another %s.",
			text, s.losses_in_row,
			words_time(s.backoff_until_ms - x->now.cache_ms, time));
	else if (s.losses_in_row > 0)
		explain_say(x,
			    "Server %s did not answer when it was asked last (%u lost in a row).",
			    text, s.losses_in_row);
	else
		explain_say(x,
			    "Server %s answers in %.1f ms (95 %% within %.1f ms), %u.%u %% lost.",
			    text, s.srtt_us / 1000.0, s.high_us / 1000.0, s.loss_permille / 10u,
			    s.loss_permille % 10u);
}

/* Addresses of a name server that did not come with the delegation. */
static unsigned tell_looked_up(struct explain *x, const uint8_t *name, json_t **addresses,
			       json_t **lame)
{
	static const uint16_t types[] = {TYPE_A, TYPE_AAAA};
	unsigned count = 0;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const struct entry *e = explain_look_up(x, ENTRY_RRSET, name, types[i]);
		const struct entry *failure = explain_look_up(x, ENTRY_FAILURE, name, types[i]);
		struct rrset set;
		struct span address;
		if (failure && !e)
			explain_tell_failure(x, failure);
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
		explain_say(x, "The name server %s has no address that is known.",
			    dname_text(name, text));
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
	char question[EXPLAIN_QUESTION_MAX], why[EXPLAIN_REASON_MAX];

	for (size_t i = 0; i < ARRAY_LEN(types) && x->settings->dnssec; i++) {
		const struct entry *e = answer_find(x->c->reader, x->zone, dname_len(x->zone),
						    types[i], false, x->now);
		const struct entry *failure = explain_look_up(x, ENTRY_FAILURE, x->zone, types[i]);
		if (failure)
			explain_tell_failure(x, failure);
		if (!e || !entry_is_fresh(e, x->now))
			continue;
		explain_question(x->zone, types[i], question);
		if (e->verdict == VERDICT_BOGUS)
			explain_say(x, "%s is bogus: %s.", question, explain_reason(e, why));
		else
			explain_say(x, "%s is cached: %s.", question, words_verdict(e->verdict));
	}
}

/* The zones whose validated keys are cached, from the anchor down to the cut. */
static void explain_trust(struct explain *x)
{
	unsigned labels = dname_label_count(x->zone);
	char line[512] = "", zone[DNAME_TEXT_MAX];
	size_t len = 0;

	for (unsigned skip = labels + 1; skip-- > 0 && len < sizeof(line);) {
		const uint8_t *name = dname_skip(x->zone, skip);
		const struct entry *e = explain_look_up(x, ENTRY_RRSET, name, TYPE_DNSKEY);
		if (!e || !entry_is_fresh(e, x->now) || e->verdict != VERDICT_SECURE)
			continue;
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%.200s",
					len > 0 ? " > " : "", dname_text(name, zone));
	}
	if (len > 0)
		explain_say(x, "Chain of trust, as far as its keys are cached: %s", line);
}

void explain_cut(struct explain *x)
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
		const struct entry *e = explain_look_up(x, ENTRY_DELEGATION, name, 0);
		if (!e || !entry_is_fresh(e, x->now) ||
		    delegation_unpack(entry_payload(e), &d) != OK)
			continue;
		dname_copy(name, x->zone);
		x->has_zone = true;
		explain_say(
			x,
			"The deepest zone cut known is %s, with %u name server%s, for another %s.",
			dname_text(name, zone), d.count, d.count == 1 ? "" : "s",
			explain_left(x, e, left));
		for (size_t i = 0; i < d.count; i++)
			tell_name_server(x, &d.servers[i]);
		explain_keys(x);
		if (x->settings->dnssec)
			explain_trust(x);
		return;
	}
	explain_say(x, "No zone cut is known: resolving begins at the root servers.");
	x->only_known = true;
	dname_copy(dname_skip(x->name, labels), x->zone);
	for (size_t i = 0; i < x->settings->hints.count; i++)
		tell_name_server(x, &x->settings->hints.servers[i]);
}
