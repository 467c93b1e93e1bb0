/*
 * root-hints: where resolving begins. The NS records of the root and their addresses, from a zone file
 * or the one that is built in.
 */
#include <stdlib.h>

#include "config/builtin.h"
#include "config/file.h"
#include "config/raw.h"
#include "dns/text.h"
#include "dns/types.h"

struct hints { /* what has been read so far */
	struct arena *arena;
	struct delegation *out;
	enum err trouble;
};

/* An NS record of the root. More servers than a delegation holds are not needed. */
static enum err add_hint_server(struct hints *h, const struct text_record *r)
{
	struct delegation *d = h->out;

	if (d->count == DELEGATION_SERVERS_MAX)
		return OK;
	struct span name = arena_copy(h->arena, r->rdata);
	if (!name.at)
		return ERR_NO_MEMORY;
	d->servers[d->count++] = (struct delegation_server){.name = name.at};
	return OK;
}

static enum err add_server_record(void *context, const struct text_record *r)
{
	struct hints *h = context;

	if (r->type != TYPE_NS || dname_label_count(r->owner) > 0)
		return OK;
	return add_hint_server(h, r);
}

/* An address of one of the servers; others may stand in the file too. */
static enum err add_address_record(void *context, const struct text_record *r)
{
	struct hints *h = context;

	if (r->type != TYPE_A && r->type != TYPE_AAAA)
		return OK;
	for (size_t i = 0; i < h->out->count; i++) {
		struct delegation_server *s = &h->out->servers[i];
		if (dname_equal(s->name, r->owner) && s->address_count < DELEGATION_ADDRESSES_MAX)
			s->addresses[s->address_count++] = endpoint_of(r->rdata, 53);
	}
	return OK;
}

static bool has_address(const struct delegation *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->servers[i].address_count > 0)
			return true;
	return false;
}

/* Servers first, then their addresses: the file may have them in any order. */
static enum err read_hints(const char *zone, struct hints *h, int *line)
{
	text_record_fn *const passes[] = {add_server_record, add_address_record};

	for (size_t i = 0; i < ARRAY_LEN(passes); i++) {
		enum err err = text_read_zone_text(zone, passes[i], h, line);
		if (err != OK)
			return err;
	}
	return OK;
}

static enum err read_hints_file(struct config_build *b, const char *path, struct hints *h)
{
	struct span text;
	const char *why;
	int line = 0;
	enum err err = config_file_read(path, &text, &why);

	if (err == ERR_MALFORMED)
		return config_refuse(b, "root-hints", "%s cannot be read: %s", path, why);
	if (err != OK)
		return err;
	const char *zone = (const char *)text.at;
	bool whole = strlen(zone) == text.len;
	if (whole)
		err = read_hints(zone, h, &line);
	free((void *)(uintptr_t)text.at);
	if (!whole)
		return config_refuse(b, "root-hints", "%s is not a zone file", path);
	if (err != OK && err != ERR_NO_MEMORY)
		return config_refuse(b, "root-hints", "%s is not a zone file (its line %d)", path,
				     line);
	return err;
}

enum err config_hints_build(struct config_build *b, const struct raw_config *raw)
{
	struct settings *s = &b->config->settings;
	struct hints h = {.arena = &b->config->arena, .out = &s->hints};
	const char *path = raw->root_hints;
	int line;

	if (path && strcmp(path, "builtin") == 0)
		path = NULL;
	if (path) {
		b->config->hints_path =
			(const char *)arena_copy(h.arena, span_of(path, strlen(path) + 1)).at;
		if (!b->config->hints_path)
			return ERR_NO_MEMORY;
	}
	enum err err =
		path ? read_hints_file(b, path, &h) : read_hints(builtin_root_hints, &h, &line);
	if (err != OK)
		return path ? err : ERR_NO_MEMORY; /* what is built in has no other fault */
	if (!has_address(&s->hints))
		return config_refuse(b, "root-hints",
				     "%s has no NS records of the root with "
				     "addresses",
				     path ? path : "builtin");
	return OK;
}
