/*
 * forward-zones, stub-zones and local-zones: what is asked of servers of the operator's choice, and
 * what is answered from here.
 */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/config_raw.h"
#include "daemon/config_value.h"
#include "dns/text.h"
#include "dns/types.h"
#include "resolve/local.h"
#include "resolve/provider.h"

enum {
	PROVIDER_RATE = 900,  /* it drops what is above 1024, and others send too */
	RECORDS_MAX = 100000, /* of one local zone */
	RECORD_TEXT_MAX = 65536 * 4 + 2 * DNAME_TEXT_MAX,
};

/* ---- forward and stub zones ---- */

/* NAME lies below N.SUFFIX, N from FIRST to LAST. */
static bool is_within_numbered(const uint8_t *name, unsigned first, unsigned last,
			       const char *suffix)
{
	uint8_t zone[DNAME_MAX];

	for (unsigned i = first; i <= last; i++) {
		char text[32];
		(void)snprintf(text, sizeof(text), "%u.%s", i, suffix);
		if (config_value_name(text, zone) && dname_is_within(name, zone))
			return true;
	}
	return false;
}

/* Zones that exist inside one network only and so cannot be signed from the root down: what a
 * server there says is not validated unless "insecure" says otherwise. */
static bool is_private_zone(const uint8_t *name)
{
	static const char *const suffixes[] = {
		"internal.",
		"local.",
		"home.arpa.",
		/* RFC 6762 appendix G: what networks call themselves; the root denies them. */
		"corp.",
		"home.",
		"intranet.",
		"lan.",
		"private.",
		"10.in-addr.arpa.",
		"168.192.in-addr.arpa.",
		"254.169.in-addr.arpa.",
		"d.f.ip6.arpa.",
		"8.e.f.ip6.arpa.",
		"9.e.f.ip6.arpa.",
		"a.e.f.ip6.arpa.",
		"b.e.f.ip6.arpa.",
	};
	uint8_t suffix[DNAME_MAX];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (config_value_name(suffixes[i], suffix) && dname_is_within(name, suffix))
			return true;
	return is_within_numbered(name, 16, 31, "172.in-addr.arpa.") || /* 172.16.0.0/12 */
	       is_within_numbered(name, 64, 127, "100.in-addr.arpa."); /* RFC 6598: 100.64.0.0/10 */
}

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

static enum err read_servers(struct config_build *b, const struct zone_place *at,
			     const struct raw_zone *raw, struct settings_zone *z)
{
	char key[CONFIG_KEY_MAX], member[32];

	if (raw->servers_count == 0)
		return refuse_zone(b, at, "servers", "at least one address is expected");
	if (raw->servers_count > SETTINGS_ZONE_SERVERS_MAX)
		return refuse_zone(b, at, "servers", "too many addresses");
	for (size_t i = 0; i < raw->servers_count; i++) {
		struct endpoint *e = &z->servers[i];
		(void)snprintf(member, sizeof(member), "servers[%zu]", i);
		config_key(key, at->list, at->index, member);
		if (!config_value_endpoint(raw->servers[i], b->config->settings.upstream_port, e))
			return config_refuse(b, key, "\"%s\" is not an address", raw->servers[i]);
		if (endpoint_is_unusable(e))
			return config_refuse(b, key, "\"%s\": no server can be there",
					     raw->servers[i]);
	}
	z->server_count = (uint8_t)raw->servers_count;
	return OK;
}

static enum err read_only(struct config_build *b, const struct zone_place *at,
			  const struct raw_zone *raw, struct settings_zone *z)
{
	if (raw->only_count > SETTINGS_ONLY_MAX)
		return refuse_zone(b, at, "only", "too many patterns");
	for (size_t i = 0; i < raw->only_count; i++) {
		size_t len = strlen(raw->only[i]);
		if (len == 0 || len > DNAME_MAX)
			return refuse_zone(b, at, "only", "a pattern is empty or too long");
		struct span copy = arena_copy(&b->config->arena, span_of(raw->only[i], len + 1));
		if (!copy.at)
			return ERR_NO_MEMORY;
		for (char *c = (char *)(uintptr_t)copy.at; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
		z->only[i] = (const char *)copy.at;
	}
	z->only_count = (uint8_t)raw->only_count;
	return OK;
}

static uint32_t default_rate(const struct settings_zone *z)
{
	for (size_t i = 0; i < z->server_count; i++)
		if (provider_is_known(&z->servers[i]))
			return PROVIDER_RATE;
	return 0;
}

static enum err read_transport(struct config_build *b, const struct zone_place *at,
			       const struct raw_zone *raw, struct settings_zone *z)
{
	uint64_t rate = default_rate(z);

	if (raw->transport && strcmp(raw->transport, "udp") != 0 &&
	    strcmp(raw->transport, "tcp") != 0)
		return refuse_zone(b, at, "transport", "udp or tcp is expected");
	z->tcp = raw->transport && strcmp(raw->transport, "tcp") == 0;
	if (raw->rate_limit && !config_value_number(raw->rate_limit, 0, UINT32_MAX, &rate))
		return refuse_zone(b, at, "rate-limit", "a number of packets is expected");
	z->rate_limit = (uint32_t)rate;
	return OK;
}

static enum err read_zone(struct config_build *b, const struct zone_place *at,
			  const struct raw_zone *raw, struct settings_zone *z)
{
	char key[CONFIG_KEY_MAX];

	z->forward = strcmp(at->list, "forward-zones") == 0;
	if (!raw->name)
		return refuse_zone(b, at, NULL, "the name is missing");
	if (!config_value_name(raw->name, z->name))
		return config_refuse(b, config_key(key, at->list, at->index, "name"),
				     "\"%s\" is not a name", raw->name);
	z->insecure = is_private_zone(z->name);
	enum err err = read_servers(b, at, raw, z);
	if (err == OK)
		err = read_transport(b, at, raw, z);
	if (err == OK)
		err = read_only(b, at, raw, z);
	if (err == OK)
		err = config_read_bool(b, config_key(key, at->list, at->index, "fallback"),
				       raw->fallback, &z->fallback);
	if (err == OK)
		err = config_read_bool(b, config_key(key, at->list, at->index, "insecure"),
				       raw->insecure, &z->insecure);
	return err;
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
		const struct raw_zone *words =
			forward ? &raw->forward_zones[i] : &raw->stub_zones[at.index];
		enum err err = read_zone(b, &at, words, &zones[i]);
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
