/*
 * forward-zones, stub-zones and local-zones: what is asked of servers of the operator's choice
 * (zone.c reads each of them), and what is answered from here.
 */
#include <stdio.h>
#include <stdlib.h>

#include "config/raw.h"
#include "config/value.h"
#include "dns/text.h"
#include "dns/types.h"
#include "resolve/local.h"

enum {
	RECORDS_MAX = 100000, /* of one local zone */
	RECORD_TEXT_MAX = 65536 * 4 + 2 * DNAME_TEXT_MAX,
};

/* ---- forward and stub zones ---- */

struct zone_place {	  /* where the words of one zone stand */
	const char *list; /* "forward-zones" */
	size_t index;
};

static enum err refuse_zone(struct config_build *b, const struct zone_place *at, const char *member,
			    const char *what)
{
	char key[CONFIG_KEY_MAX];

	return config_refuse(b, config_key(key, at->list, at->index, member), "%s", what);
}

static enum err read_zone(struct config_build *b, const struct zone_place *at,
			  const struct zone_words *words, struct settings_zone *z)
{
	struct zone_fault fault;
	struct arena *arena = &b->config->arena;
	enum err err = zone_read(words, b->config->settings.upstream_port, arena, z, &fault);

	return err == ERR_MALFORMED
		       ? refuse_zone(b, at, fault.member[0] ? fault.member : NULL, fault.what)
		       : err;
}

static int compare_zone_names(const void *a, const void *b)
{
	const struct settings_zone *const *x = a, *const *y = b;

	return dname_compare((*x)->name, (*y)->name);
}

/* One name, one zone: two would leave it open who is asked. */
static enum err check_zone_names(struct config_build *b, const struct settings_zone *zones,
				 size_t count)
{
	const struct settings_zone **sorted = calloc(count + 1, sizeof(struct settings_zone *));
	enum err err = sorted ? OK : ERR_NO_MEMORY;
	char text[DNAME_TEXT_MAX];

	if (!sorted)
		return err;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &zones[i];
	qsort(sorted, count, sizeof(*sorted), compare_zone_names);
	for (size_t i = 1; i < count && err == OK; i++)
		if (dname_equal(sorted[i - 1]->name, sorted[i]->name))
			err = config_refuse(b, sorted[i]->forward ? "forward-zones" : "stub-zones",
					    "%.200s is given twice",
					    dname_text(sorted[i]->name, text));
	free(sorted);
	return err;
}

static enum err build_zones(struct config_build *b, const struct raw_config *raw)
{
	size_t forward_count = raw->forward_zones_count;
	size_t count = forward_count + raw->stub_zones_count;
	struct settings_zone *zones = arena_alloc(&b->config->arena, (count + 1) * sizeof(*zones));

	if (!zones)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		bool forward = i < forward_count;
		struct zone_place at = {.list = forward ? "forward-zones" : "stub-zones",
					.index = forward ? i : i - forward_count};
		struct zone_words words =
			forward ? raw->forward_zones[i] : raw->stub_zones[at.index];
		words.forward = forward;
		enum err err = read_zone(b, &at, &words, &zones[i]);
		if (err != OK)
			return err;
	}
	b->config->settings.zones = zones;
	b->config->settings.zone_count = count;
	return check_zone_names(b, zones, count);
}

/* ---- local zones ---- */

/* LINE with its owner made absolute: "www", "@" and "www.example." all stand below ZONE. */
static bool complete_owner(const char *line, const char *zone, char *out, size_t size)
{
	size_t skip = strspn(line, " \t");
	size_t len = strcspn(line + skip, " \t");
	const char *owner = line + skip, *rest = owner + len;
	int written;

	if (len == 0)
		return false;
	if (len == 1 && *owner == '@')
		written = snprintf(out, size, "%s%s", zone, rest);
	else if (owner[len - 1] == '.')
		written = snprintf(out, size, "%s", owner);
	else
		written = snprintf(out, size, "%.*s.%s%s", (int)len, owner,
				   strcmp(zone, ".") == 0 ? "" : zone, rest);
	return written >= 0 && (size_t)written < size;
}

static int compare_records(const void *a, const void *b)
{
	const struct text_record *x = a, *y = b;
	int order = dname_compare(x->owner, y->owner);

	return order != 0 ? order : (int)x->type - (int)y->type;
}

/* The records of one local zone, sorted by owner and type; free() them. */
static enum err read_records(struct config_build *b, const struct zone_place *at,
			     const struct raw_local_zone *raw, const uint8_t *zone,
			     struct text_record **out)
{
	struct text_record *records = calloc(raw->records_count + 1, sizeof(*records));
	char *line = malloc(RECORD_TEXT_MAX), key[CONFIG_KEY_MAX], member[32];
	char zone_text[DNAME_TEXT_MAX];
	enum err err = records && line ? OK : ERR_NO_MEMORY;

	dname_text(zone, zone_text);
	for (size_t i = 0; err == OK && i < raw->records_count; i++) {
		struct text_record *r = &records[i];
		(void)snprintf(member, sizeof(member), "records[%zu]", i);
		config_key(key, at->list, at->index, member);
		err = ERR_MALFORMED;
		if (complete_owner(raw->records[i], zone_text, line, RECORD_TEXT_MAX))
			err = text_parse_record(line, &b->config->arena, r);
		if (err == ERR_NO_MEMORY)
			break;
		if (err != OK || r->rclass != CLASS_IN)
			err = config_refuse(b, key, "\"%s\" is not a record", raw->records[i]);
		else if (!dname_is_within(r->owner, zone))
			err = config_refuse(b, key, "\"%s\" is outside of the zone",
					    raw->records[i]);
	}
	free(line);
	if (err == OK)
		qsort(records, raw->records_count, sizeof(*records), compare_records);
	if (err == OK)
		*out = records;
	else
		free(records);
	return err;
}

/* The RRset of records[FIRST] and those that follow it with the same owner and type. Returns how
 * many there were, 0 on failure. */
static size_t gather_set(const struct text_record *records, size_t first, size_t count,
			 struct arena *arena, struct rrset *out)
{
	const struct text_record *r = &records[first];
	struct span rdatas[RRSET_RECORDS_MAX];
	uint32_t ttl_s = r->ttl_s;
	size_t n = 0;

	while (first + n < count && compare_records(&records[first + n], r) == 0) {
		if (n == RRSET_RECORDS_MAX)
			return 0;
		rdatas[n] = records[first + n].rdata;
		ttl_s = MIN(ttl_s, records[first + n].ttl_s);
		n++;
	}
	struct span owner = arena_copy(arena, span_of(r->owner, dname_len(r->owner)));
	if (!owner.at || rrset_from_rdatas(owner.at, r->type, ttl_s, rdatas, n, arena, out) != OK)
		return 0;
	return n;
}

static enum err fill_local_zone(struct config_build *b, const struct zone_place *at,
				const struct raw_local_zone *raw, struct local_zone *z)
{
	struct text_record *records;
	enum err err = read_records(b, at, raw, z->name, &records);

	if (err != OK)
		return err;
	struct rrset *sets = calloc(raw->records_count + 1, sizeof(*sets));
	size_t set_count = 0;
	if (!sets)
		err = ERR_NO_MEMORY;
	for (size_t i = 0, n; err == OK && i < raw->records_count; i += n) {
		n = gather_set(records, i, raw->records_count, &b->config->arena,
			       &sets[set_count++]);
		if (n == 0)
			err = refuse_zone(b, at, "records",
					  "too many records of one name and type");
	}
	if (err == OK)
		err = local_zone_fill(z, sets, set_count, &b->config->arena);
	free(sets);
	free(records);
	return err;
}

static enum err read_local_zone(struct config_build *b, const struct zone_place *at,
				const struct raw_local_zone *raw, struct local_zone *z)
{
	static const struct {
		const char *word;
		enum local_action action;
	} actions[] = {{"static", LOCAL_STATIC},
		       {"refuse", LOCAL_REFUSE},
		       {"transparent", LOCAL_TRANSPARENT}};
	const char *word = raw->action ? raw->action : "static";
	size_t i = 0;

	if (!raw->name || !config_value_name(raw->name, z->name))
		return refuse_zone(b, at, raw->name ? "name" : NULL, "a name is expected");
	while (i < ARRAY_LEN(actions) && strcmp(word, actions[i].word) != 0)
		i++;
	if (i == ARRAY_LEN(actions))
		return refuse_zone(b, at, "action", "static, refuse or transparent is expected");
	z->action = actions[i].action;
	if (z->action == LOCAL_REFUSE && raw->records_count > 0)
		return refuse_zone(b, at, "records", "a zone that is refused has none");
	if (raw->records_count > RECORDS_MAX)
		return refuse_zone(b, at, "records", "too many records");
	return fill_local_zone(b, at, raw, z);
}

static enum err build_local_zones(struct config_build *b, const struct raw_config *raw)
{
	struct settings *s = &b->config->settings;
	const struct local_zone *builtin = NULL;
	size_t builtin_count = 0, count = raw->local_zones_count;
	bool special = true;
	enum err err = config_read_bool(b, "special-zones", raw->special_zones, &special);

	if (err == OK && special)
		err = local_builtin_zones(&b->config->arena, &builtin, &builtin_count);
	if (err != OK)
		return err;
	struct local_zone *zones =
		arena_alloc(&b->config->arena, (count + builtin_count + 1) * sizeof(*zones));
	if (!zones)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		struct zone_place at = {.list = "local-zones", .index = i};
		err = read_local_zone(b, &at, &raw->local_zones[i], &zones[i]);
		if (err != OK)
			return err;
	}
	if (builtin_count > 0)
		memcpy(zones + count, builtin, builtin_count * sizeof(*zones));
	s->local_zones = zones;
	s->local_zone_count = count + builtin_count;
	return OK;
}

enum err config_zones_build(struct config_build *b, const struct raw_config *raw)
{
	enum err err = build_zones(b, raw);

	return err == OK ? build_local_zones(b, raw) : err;
}
