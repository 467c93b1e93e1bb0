#include <stdlib.h>

#include "scenario/scene.h"

enum { FILLER_MAX = 4096 }; /* bytes of one entry that takes memory away */

/* ---- a slower tier, which keeps what it is told to ------------------------------------------- */

static bool is_at(const struct entry *e, enum entry_kind kind, const uint8_t *name, uint16_t type)
{
	return e->kind == kind && e->type == type && e->name_len == dname_len(name) &&
	       memcmp(entry_name(e), name, e->name_len) == 0;
}

static void let_go(struct scene_disk *d, unsigned i)
{
	free(d->kept[i]);
	d->kept[i] = d->kept[--d->count];
}

static void on_remove(void *context, enum entry_kind kind, const uint8_t *name, uint16_t type,
		      bool seen)
{
	struct scene_disk *d = context;
	(void)seen;
	for (unsigned i = d->count; i > 0; i--)
		if (is_at(d->kept[i - 1], kind, name, type))
			let_go(d, i - 1);
}

static void on_put(void *context, const struct entry *e, struct now now)
{
	struct scene_disk *d = context;
	(void)now;
	on_remove(d, (enum entry_kind)e->kind, entry_name(e), e->type, true);
	REQUIRE(d->count < SCENE_DISK_MAX);
	struct entry *copy = malloc(e->size_bytes);
	REQUIRE(copy);
	d->kept[d->count++] = memcpy(copy, e, e->size_bytes);
}

enum recall scene_recall(void *context, const uint8_t *name, uint64_t token, struct now now)
{
	struct scene *s = context;
	bool found = false;
	(void)token;
	if (s->disk.hangs)
		return RECALL_UNKNOWN;
	for (unsigned i = 0; i < s->disk.count; i++) {
		const struct entry *e = s->disk.kept[i];
		if (is_at(e, (enum entry_kind)e->kind, name, e->type))
			found |= cache_restore(s->cache, e, now) == OK;
	}
	return found ? RECALL_FOUND : RECALL_NOTHING;
}

void scene_disk_init(struct scene *s)
{
	s->disk.sink = (struct cache_sink){.put = on_put, .remove = on_remove, .context = &s->disk};
}

void scene_disk_end(struct scene *s)
{
	while (s->disk.count > 0)
		let_go(&s->disk, s->disk.count - 1);
}

void scene_forget(struct scene *s)
{
	(void)cache_flush_all(s->cache);
	cache_reader_pass(s->reader);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* An entry of SIZE_BYTES comes and goes again; but a reader may still look at it. */
static bool take_away(struct scene *s, size_t size_bytes)
{
	static const uint8_t name[] = "\6filler";
	static uint8_t payload[FILLER_MAX];
	static _Alignas(8) uint8_t room[FILLER_MAX];
	struct entry_parts parts = {.kind = ENTRY_FAILURE,
				    .name = name,
				    .type = TYPE_A,
				    .ttl_s = 1,
				    .fetched_ms = scene_unix_ms(s),
				    .rank = RANK_ANSWER,
				    .verdict = VERDICT_INSECURE,
				    .ede = EDE_NONE};
	parts.payload[0] = span_of(payload, size_bytes - entry_size(&parts));
	struct now now = {.cache_ms = scene_unix_ms(s)};
	if (cache_put(s->cache, entry_make(&parts, room), now) != OK)
		return false;
	(void)cache_remove(s->cache, ENTRY_FAILURE, name, TYPE_A);
	return true;
}

void scene_starve(struct scene *s)
{
	REQUIRE(!s->hog && cache_reader_new(s->cache, &s->hog) == OK);
	for (size_t size = FILLER_MAX; size >= 64; size /= 2)
		while (take_away(s, size))
			;
}

void scene_feed(struct scene *s)
{
	REQUIRE(s->hog);
	cache_reader_free(s->hog);
	s->hog = NULL;
}
