#include "anchors/scopes.h"

#include <stdlib.h>

#include "base/cursor.h"
#include "base/hash.h"
#include "base/log.h"
#include "dnssec/anchor.h"

enum {
	SCOPES_MAX = 2000,     /* with more, one change is a change of everything */
	CHANGES_MAX = 16,      /* the same with more changes: each walks the whole cache */
	BYTES_MAX = 16 * 1024, /* of a zone's settings: servers and patterns */
	RECORD_MAX = 8 + DNAME_MAX,
};
static const char blob_name[] = "configuration";
static const uint8_t root[] = {0};

struct scope {
	uint64_t hash; /* of the settings that hold at and below NAME */
	uint8_t name[DNAME_MAX];
};

struct scopes { /* main thread */
	struct scopes_parts parts;
	bool waits;	    /* the disk has not come yet: it is left alone */
	bool known;	    /* LIST is what the caches' contents were learned under */
	struct scope *list; /* sorted */
	size_t count;
};

/* ---- what there is ---- */

static int compare(const void *a, const void *b)
{
	const struct scope *x = a, *y = b;
	int order = dname_compare(x->name, y->name);

	if (order != 0)
		return order;
	return (x->hash > y->hash) - (x->hash < y->hash);
}

static uint64_t hash_of(struct span bytes)
{
	static const struct hash_key key = {"configuration"}; /* the same in every process */

	return hash_bytes(&key, bytes);
}

static void add(struct scope *list, size_t *count, const uint8_t *name, const struct writer *w)
{
	struct scope *scope = &list[(*count)++];

	dname_lower(name, scope->name);
	/* What is cut off would not be seen to change. */
	REQUIRE(!w->failed);
	scope->hash = hash_of(writer_span(w));
}

static void write_endpoint(struct writer *w, const struct endpoint *e)
{
	writer_u8(w, e->family);
	writer_u16(w, e->port);
	writer_bytes(w, span_of(e->addr, sizeof(e->addr)));
}

static void add_root(struct scope *list, size_t *count, const struct settings *s)
{
	uint8_t room[64 * 1024];
	struct writer w = writer_of(room, sizeof(room));

	writer_u8(&w, 'r');
	writer_u8(&w, s->dnssec);
	writer_u8(&w, s->accept_sha1);
	writer_u16(&w, s->upstream_port);
	for (size_t i = 0; i < s->hints.count; i++) {
		const struct delegation_server *server = &s->hints.servers[i];
		writer_bytes(&w, span_of(server->name, dname_len(server->name)));
		for (size_t k = 0; k < server->address_count; k++)
			write_endpoint(&w, &server->addresses[k]);
	}
	add(list, count, root, &w);
}
static_assert(8 + DELEGATION_SERVERS_MAX * (DNAME_MAX + DELEGATION_ADDRESSES_MAX * 19) < 64 * 1024,
	      "all hints fit");

static void add_zone(struct scope *list, size_t *count, const struct settings_zone *z)
{
	uint8_t room[BYTES_MAX];
	struct writer w = writer_of(room, sizeof(room));

	writer_u8(&w, 'z');
	writer_u8(&w, z->forward);
	writer_u8(&w, z->fallback);
	writer_u8(&w, z->insecure);
	for (size_t i = 0; i < z->server_count; i++)
		write_endpoint(&w, &z->servers[i]);
	for (size_t i = 0; i < z->only_count; i++)
		writer_bytes(&w, span_of(z->only[i], strlen(z->only[i]) + 1));
	add(list, count, z->name, &w);
}

static void add_key(struct scope *list, size_t *count, const struct anchor *a,
		    const struct anchor_key *key)
{
	uint8_t room[sizeof(key->rdata) + 2];
	struct writer w = writer_of(room, sizeof(room));

	writer_u8(&w, 'k');
	writer_u8(&w, key->is_ds);
	writer_bytes(&w, span_of(key->rdata, key->rdata_len));
	add(list, count, a->zone, &w);
}

static size_t count_scopes(const struct settings *s, const struct config *c)
{
	size_t count = 1 + s->zone_count + s->negative_anchor_count;

	for (size_t i = 0; i < c->settings.anchor_count; i++)
		count += c->settings.anchors[i].key_count;
	return count;
}

/* One for all of them. */
static void melt(struct scope *list, size_t *count)
{
	struct scope all = {
		.hash = hash_of(span_of((const uint8_t *)list, *count * sizeof(*list)))};

	list[0] = all;
	*count = 1;
}

/* The scopes of S, sorted; free() them. NULL: no memory. */
static struct scope *list_scopes(const struct settings *s, const struct config *c, size_t *count)
{
	struct scope *list = calloc(count_scopes(s, c), sizeof(*list));
	uint8_t negative;
	struct writer w = writer_of(&negative, 1);

	writer_u8(&w, 'n');
	*count = 0;
	if (!list)
		return NULL;
	add_root(list, count, s);
	for (size_t i = 0; i < s->zone_count; i++)
		add_zone(list, count, &s->zones[i]);
	for (size_t i = 0; i < s->negative_anchor_count; i++)
		add(list, count, s->negative_anchors[i], &w);
	for (size_t i = 0; i < c->settings.anchor_count; i++)
		for (size_t k = 0; k < c->settings.anchors[i].key_count; k++)
			add_key(list, count, &c->settings.anchors[i],
				&c->settings.anchors[i].keys[k]);
	qsort(list, *count, sizeof(*list), compare);
	if (*count > SCOPES_MAX)
		melt(list, count);
	return list;
}

/* ---- what changed ---- */

/* The disk does not wait: until its next commit the old configuration is what it remembers. */
static void flush(struct scopes *s, const uint8_t *name, struct now now)
{
	struct flush told = {.subtree = true, .by_change = true, .at_us = now.mono_us};
	uint8_t zone[DNAME_MAX];
	uint16_t zone_type;

	/* Denials of the zone around NAME could answer for it (RFC 8198). */
	if (ranges_zone(s->parts.ranges, name, now, zone, &zone_type) > 0)
		ranges_flush_zone(s->parts.ranges, zone);
	cache_flush(s->parts.cache, name, 0, true);
	ranges_flush(s->parts.ranges, name);
	if (!s->waits)
		disk_flush_begin(s->parts.disk, name, 0, true);
	cache_flush(s->parts.cache, name, 0, true);
	dname_copy(name, told.name);
	flushes_add(s->parts.flushes, &told);
}

static void flush_changed(struct scopes *s, const uint8_t *name, struct now now)
{
	char text[DNAME_TEXT_MAX];

	log_notice("configuration changed, cache flushed at and below name=%s",
		   dname_text(name, text));
	flush(s, name, now);
}

/* It may be that there is nothing. */
static void flush_unknown(struct scopes *s, struct now now)
{
	struct disk_status status;

	disk_read_status(s->parts.disk, &status);
	if (status.entries > 0)
		log_notice("cache flushed: it is not known under which configuration it was "
			   "learned");
	flush(s, root, now);
}

/* The names at which A and B differ, into OUT; CHANGES_MAX + 1 if there are more. */
static size_t differences(const struct scope *a, size_t a_count, const struct scope *b,
			  size_t b_count, const uint8_t *out[static CHANGES_MAX + 1])
{
	size_t i = 0, k = 0, found = 0;

	while ((i < a_count || k < b_count) && found <= CHANGES_MAX) {
		int order = i == a_count ? 1 : k == b_count ? -1 : compare(&a[i], &b[k]);
		const uint8_t *name = order <= 0 ? a[i].name : b[k].name;
		i += order <= 0;
		k += order >= 0;
		if (order != 0 && (found == 0 || !dname_equal(out[found - 1], name)))
			out[found++] = name;
	}
	return found;
}

static void flush_differences(struct scopes *s, const struct scope *fresh, size_t count,
			      struct now now)
{
	const uint8_t *names[CHANGES_MAX + 1];
	size_t found = differences(s->list, s->count, fresh, count, names);

	if (found > CHANGES_MAX) {
		names[0] = root;
		found = 1;
	}
	for (size_t i = 0; i < found; i++) {
		flush_changed(s, names[i], now);
		if (names[i][0] == 0)
			return; /* sorted: the root comes first, and all is below it */
	}
}

/* ---- over a restart ---- */

static void keep(struct scopes *s)
{
	size_t size = (s->count + 1) * RECORD_MAX; /* none of them is no failure of malloc's */
	uint8_t *bytes = s->waits ? NULL : malloc(size);

	if (!bytes)
		return; /* the old one stays, and differs */
	struct writer w = writer_of(bytes, size);
	for (size_t i = 0; i < s->count; i++) {
		writer_u32(&w, (uint32_t)(s->list[i].hash >> 32));
		writer_u32(&w, (uint32_t)s->list[i].hash);
		writer_bytes(&w, span_of(s->list[i].name, dname_len(s->list[i].name)));
	}
	if (disk_put_blob(s->parts.disk, blob_name, writer_span(&w)) != OK)
		log_debug("configuration of the cache not kept");
	free(bytes);
}
static_assert(SCOPES_MAX * RECORD_MAX <= DISK_BLOB_MAX, "all scopes fit into one blob");

static bool read_scope(struct reader *from, struct scope *out)
{
	size_t len;

	out->hash = (uint64_t)reader_u32(from) << 32;
	out->hash |= reader_u32(from);
	if (from->failed || dname_view(span_of(from->at, reader_left(from)), &len) != OK)
		return false;
	dname_lower(reader_bytes(from, len).at, out->name);
	return true;
}

/* What the disk's contents were learned under. */
static void recall(struct scopes *s)
{
	uint8_t *bytes = malloc(DISK_BLOB_MAX);
	struct scope *list = calloc(SCOPES_MAX, sizeof(*list));
	size_t count = 0;

	if (!bytes || !list) {
		free(bytes);
		free(list);
		return;
	}
	struct writer w = writer_of(bytes, DISK_BLOB_MAX);
	bool good = disk_recall_blob(s->parts.disk, blob_name, &w) == OK;
	struct reader from = reader_of(writer_span(&w));
	while (good && reader_left(&from) > 0)
		good = count < SCOPES_MAX && read_scope(&from, &list[count++]);
	free(bytes);
	if (!good) {
		free(list);
		return;
	}
	s->known = true;
	s->list = list;
	s->count = count;
}

/* ---- public ---- */

enum err scopes_new(const struct scopes_parts *parts, struct scopes **out)
{
	struct scopes *s = calloc(1, sizeof(*s));

	if (!s)
		return ERR_NO_MEMORY;
	s->parts = *parts;
	s->waits = !disk_is_opened(parts->disk);
	if (!s->waits)
		recall(s);
	*out = s;
	return OK;
}

void scopes_free(struct scopes *s)
{
	if (!s)
		return;
	free(s->list);
	free(s);
}

static bool is_same(const struct scopes *s, const struct scope *list, size_t count)
{
	size_t i = 0;

	if (!s->known || count != s->count)
		return false;
	while (i < count && compare(&s->list[i], &list[i]) == 0)
		i++;
	return i == count;
}

static void change(struct scopes *s, const struct settings *settings, const struct config *config,
		   bool flushed, struct now now)
{
	size_t count = 0;
	struct scope *fresh = list_scopes(settings, config, &count);

	if (fresh && is_same(s, fresh, count)) {
		free(fresh);
		return;
	}
	if (!fresh || !s->known)
		flush_unknown(s, now);
	else if (!flushed)
		flush_differences(s, fresh, count, now);
	free(s->list);
	s->known = fresh != NULL;
	s->list = fresh;
	s->count = count;
	if (s->known)
		keep(s);
}

void scopes_apply(struct scopes *s, const struct settings *settings, const struct config *config,
		  struct now now)
{
	change(s, settings, config, false, now);
}

void scopes_note(struct scopes *s, const struct settings *settings, const struct config *config,
		 struct now now)
{
	change(s, settings, config, true, now);
}

void scopes_take(struct scopes *s, struct now now)
{
	struct scope *present = s->list;
	size_t count = s->count;

	if (!s->waits)
		return;
	s->waits = false;
	s->known = false;
	s->list = NULL;
	s->count = 0;
	recall(s);
	if (!present || !s->known)
		flush_unknown(s, now);
	else if (!is_same(s, present, count))
		flush_differences(s, present, count, now);
	free(s->list);
	s->known = present != NULL;
	s->list = present;
	s->count = count;
	if (s->known)
		keep(s);
}
