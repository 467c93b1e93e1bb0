#include <stdlib.h>

#include "anchors/flushes.h"
#include "console/commands_words.h"

enum {
	/* Of one name: some ten types in a few kinds are much. Each is up to 128 kB. */
	SHOW_ENTRIES_MAX = 128,
};

/* ---- show ---- */

struct show { /* copies, made under a shard's lock and told of without */
	const uint8_t *name;
	uint16_t type;
	struct entry *entries[SHOW_ENTRIES_MAX];
	size_t count;
	bool truncated;
};

static void show_add(struct show *s, const struct entry *e)
{
	struct entry *copy = s->count < SHOW_ENTRIES_MAX ? malloc(e->size_bytes) : NULL;

	if (!copy) {
		s->truncated = true;
		return;
	}
	memcpy(copy, e, e->size_bytes);
	s->entries[s->count++] = copy;
}

static bool show_visit(void *context, const struct entry *e)
{
	struct show *s = context;

	if (span_equal(span_of(entry_name(e), e->name_len), span_of(s->name, dname_len(s->name))))
		show_add(s, e);
	return !s->truncated;
}

/* All kinds of one type, and what holds for all types. */
static void show_type(const struct commands *c, struct show *s)
{
	size_t len = dname_len(s->name);

	for (enum entry_kind kind = 0; kind < ENTRY_KIND_COUNT; kind++) {
		const struct entry *e = cache_find(c->reader, kind, s->name, len, s->type);
		if (e)
			show_add(s, e);
		e = cache_find(c->reader, kind, s->name, len, 0);
		if (e)
			show_add(s, e);
	}
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

void commands_cache_show(void *context, struct call *call)
{
	const struct commands *c = context;
	uint8_t name[DNAME_MAX];
	struct show *s = calloc(1, sizeof(*s));
	json_t *entries = json_array();

	if (!s) {
		json_decref(entries);
		call_reply(call, NULL);
		return;
	}
	s->name = name;
	if (!words_read_name(call, name) || !words_read_type(call, &s->type)) {
		json_decref(entries);
		goto free_show;
	}
	if (s->type)
		show_type(c, s);
	else
		cache_walk(c->cache, show_visit, s);
	qsort(s->entries, s->count, sizeof(s->entries[0]), compare_entries);
	for (size_t i = 0; i < s->count; i++) {
		words_append(&entries, words_entry(s->entries[i], call_now(call)));
		free(s->entries[i]);
	}
	call_reply(call, json_pack("{s:o, s:o, s:b}", "name", words_name(name), "entries", entries,
				   "truncated", s->truncated));
free_show:
	free(s);
}

/* ---- flush ---- */

/* Memory before, for what is there must not be written any more, and after, for what a worker has
 * just read from disk. */
static void flush_tiers(const struct commands *c, const uint8_t *name, uint16_t type, bool subtree,
			struct flushed *out)
{
	static const char checking[] =
		"the cache file is still being checked after the start; the flush is written after "
		"that, and lost only if the daemon is killed before";
	struct disk_status status;

	out->removed = cache_flush(c->cache, name, type, subtree);
	out->not_on_disk[0] = '\0';
	if (disk_flush(c->disk, name, type, subtree) != OK) {
		disk_read_status(c->disk, &status);
		(void)snprintf(out->not_on_disk, sizeof(out->not_on_disk), "%s",
			       status.checking && status.state != DISK_HUNG ? checking
			       : status.reason[0]			    ? status.reason
						  : "the disk takes too long");
		log_warning("flush is not durable on disk yet: state=%s reason=\"%s\"",
			    disk_state_text(status.state), out->not_on_disk);
	}
	out->removed += cache_flush(c->cache, name, type, subtree);
}

static void note_flush(const struct commands *c, const uint8_t *name, uint16_t type, bool subtree,
		       struct now now)
{
	struct flush flush = {.type = type, .subtree = subtree, .at_us = now.mono_us};

	dname_copy(name, flush.name);
	flushes_add(c->flushes, &flush);
}

json_t *commands_flushed(const struct flushed *f)
{
	return json_pack("{s:I, s:o}", "removed", (json_int_t)f->removed, "not_on_disk",
			 f->not_on_disk[0] ? words_text(f->not_on_disk, strlen(f->not_on_disk))
					   : json_null());
}

void commands_flush(const struct commands *c, const uint8_t *name, uint16_t type, bool subtree,
		    struct now now, struct flushed *out)
{
	uint8_t zone[DNAME_MAX];
	uint16_t zone_type;
	size_t denials = 0;

	/* Denials of the zone around NAME could answer for it again (RFC 8198). */
	if (ranges_zone(c->ranges, name, now, zone, &zone_type) > 0)
		denials += ranges_flush_zone(c->ranges, zone);
	if (subtree)
		denials += ranges_flush(c->ranges, name);
	note_flush(c, name, type, subtree, now);
	flush_tiers(c, name, type, subtree, out);
	out->removed += denials;
}

void commands_cache_flush(void *context, struct call *call)
{
	static const uint8_t root[] = {0};
	const struct commands *c = context;
	uint8_t name[DNAME_MAX];
	uint16_t type = 0;
	bool all = call_bool(call, "all"), subtree = call_bool(call, "subtree");
	struct flushed flushed;

	if (all == (call_string(call, "name") != NULL) ||
	    (all && (subtree || call_string(call, "type")))) {
		call_invalid(call, all ? "all" : "name");
		return;
	}
	if (!all && (!words_read_name(call, name) || !words_read_type(call, &type)))
		return;
	if (call_wants_more(call) && (all || subtree)) {
		log_notice("cache flush what=%s type=%s subtree=yes",
			   all ? "everything" : call_string(call, "name"),
			   call_string(call, "type") ? call_string(call, "type") : "all");
		commands_flush_stream(c, call, all ? root : name, type);
		return;
	}
	if (all) {
		size_t denials = ranges_flush(c->ranges, root);
		note_flush(c, root, 0, true, call_now(call));
		flush_tiers(c, root, 0, true, &flushed);
		flushed.removed += denials;
	} else {
		commands_flush(c, name, type, subtree, call_now(call), &flushed);
	}
	log_notice("cache flushed what=%s type=%s subtree=%s removed=%llu",
		   all ? "everything" : call_string(call, "name"),
		   call_string(call, "type") ? call_string(call, "type") : "all",
		   subtree ? "yes" : "no", (unsigned long long)flushed.removed);
	call_reply(call, commands_flush_json(&flushed, 100));
}

void commands_cache_stats(void *context, struct call *call)
{
	call_reply(call, json_pack("{s:o}", "cache", words_cache(context)));
}
