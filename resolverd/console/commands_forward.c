#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/zone.h"
#include "console/commands_words.h"

/* ---- list ---- */

static json_t *zone_json(const struct commands *c, const struct settings_zone *z)
{
	json_t *servers = json_array(), *only = json_array();

	for (size_t i = 0; i < z->server_count; i++)
		words_append(&servers, words_endpoint(&z->servers[i]));
	for (size_t i = 0; i < z->only_count; i++)
		words_append(&only, words_text(z->only[i], strlen(z->only[i])));
	return json_pack("{s:o, s:s, s:o, s:s, s:I, s:o, s:b, s:b, s:b}", "name",
			 words_name(z->name), "kind", z->forward ? "forward" : "stub", "servers",
			 servers, "transport", z->tcp ? "tcp" : "udp", "rate_limit",
			 (json_int_t)z->rate_limit, "only", only, "fallback", z->fallback,
			 "insecure", z->insecure, "added",
			 forwards_find(c->forwards, z->name) != NULL);
}

void commands_forward_list(void *context, struct call *call)
{
	const struct commands *c = context;
	const struct settings *s = &(*c->snapshot)->settings;
	json_t *zones = json_array(), *removed = json_array();

	for (size_t i = 0; i < s->zone_count; i++)
		words_append(&zones, zone_json(c, &s->zones[i]));
	for (size_t i = 0; i < c->forwards->count; i++)
		if (c->forwards->list[i].removed)
			words_append(&removed, words_name(c->forwards->list[i].zone.name));
	call_reply(call, json_pack("{s:o, s:o}", "zones", zones, "removed", removed));
}

/* ---- add ---- */

/* What the call says of a parameter that may be true or false; NULL: nothing. */
static const char *bool_word(const struct call *call, const char *name)
{
	return !call_has(call, name) ? NULL : call_bool(call, name) ? "true" : "false";
}

/* The parameter that FAULT's member stands for is invalid. */
static void answer_fault(struct call *call, const struct zone_fault *fault)
{
	char name[sizeof(fault->member)];
	size_t len = strcspn(fault->member, "[");

	memcpy(name, fault->member, len);
	name[len] = '\0';
	for (char *c = name; *c; c++)
		*c = (char)(*c == '-' ? '_' : *c);
	call_invalid(call, name);
}

/* The zone as the configuration would have it, defaults too. False: the call has been answered. */
static bool read_zone(const struct commands *c, struct call *call, struct settings_zone *z)
{
	const char *servers[SETTINGS_ZONE_SERVERS_MAX + 1];
	struct zone_words words = {.forward = true,
				   .name = call_string(call, "name"),
				   .transport = call_string(call, "transport"),
				   .fallback = bool_word(call, "fallback"),
				   .insecure = bool_word(call, "insecure"),
				   .servers = servers};
	struct zone_fault fault;
	char rate[32];
	size_t count = MIN(call_count(call, "servers"), ARRAY_LEN(servers));

	for (; words.servers_count < count; words.servers_count++)
		servers[words.servers_count] = call_item(call, "servers", words.servers_count);
	if (call_has(call, "rate_limit")) {
		(void)snprintf(rate, sizeof(rate), "%" PRId64, call_int(call, "rate_limit", 0));
		words.rate_limit = rate;
	}
	if (zone_read(&words, (*c->snapshot)->settings.upstream_port, NULL, z, &fault) == OK)
		return true;
	answer_fault(call, &fault);
	return false;
}

/* FRESH in effect, and forget what is cached below NAME: it came from elsewhere. */
static void use(const struct commands *c, struct call *call, const struct forwards *fresh,
		const uint8_t *name)
{
	char text[DNAME_TEXT_MAX];
	struct flushed flushed;
	enum err err = c->set_forwards(c->forwards_context, fresh);

	if (err != OK) {
		call_error(call, "Failed", json_pack("{s:s}", "reason", err_text(err)));
		return;
	}
	commands_flush(c, name, 0, true, call_now(call), &flushed);
	const struct forward_change *change = forwards_find(c->forwards, name);
	log_notice("forward zones changed until the daemon ends name=%s now=%s",
		   dname_text(name, text),
		   !change	     ? "as configured"
		   : change->removed ? "removed"
				     : "added");
	call_reply(call, commands_flushed(&flushed));
}

void commands_forward_add(void *context, struct call *call)
{
	const struct commands *c = context;
	struct settings_zone zone;
	struct forwards fresh = *c->forwards;

	if (!read_zone(c, call, &zone))
		return;
	enum err err = forwards_add(&fresh, &zone);
	if (err != OK)
		call_error(call, "Refused",
			   json_pack("{s:s}", "reason",
				     "too many forward zones were changed at run time"));
	else
		use(c, call, &fresh, zone.name);
}

void commands_forward_remove(void *context, struct call *call)
{
	const struct commands *c = context;
	struct forwards fresh = *c->forwards;
	uint8_t name[DNAME_MAX];

	if (!words_read_name(call, name))
		return;
	enum err err = forwards_remove(&fresh, &(*c->snapshot)->config->settings, name);
	if (err == ERR_NOT_FOUND)
		call_error(call, "NotFound", json_pack("{s:o}", "what", words_name(name)));
	else if (err != OK)
		call_error(call, "Failed", json_pack("{s:s}", "reason", err_text(err)));
	else
		use(c, call, &fresh, name);
}

void commands_forward_reset(void *context, struct call *call)
{
	const struct commands *c = context;
	const struct forwards none = {0}, before = *c->forwards;
	struct flushed flushed = {0};
	uint64_t removed = 0;

	enum err err = c->set_forwards(c->forwards_context, &none);
	if (err != OK) {
		call_error(call, "Failed", json_pack("{s:s}", "reason", err_text(err)));
		return;
	}
	for (size_t i = 0; i < before.count; i++) {
		commands_flush(c, before.list[i].zone.name, 0, true, call_now(call), &flushed);
		removed += flushed.removed;
	}
	flushed.removed = removed;
	log_notice("forward zones are as configured again changes=%zu", before.count);
	call_reply(call, commands_flushed(&flushed));
}
