#include "config/snapshot.h"

#include <stdlib.h>
#include <string.h>

struct snapshot *snapshot_new(struct config *config)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (!s) {
		config_free(config);
		return NULL;
	}
	s->config = config;
	s->settings = config->settings;
	s->queries = config->log_queries;
	atomic_init(&s->users, 1);
	return s;
}

/* Names of NEGATIVE behind those of the configuration. */
static enum err add_negative(struct snapshot *s, const struct negative *negative)
{
	struct settings *settings = &s->settings;
	size_t old_count = settings->negative_anchor_count;

	if (negative->count == 0)
		return OK;
	const uint8_t **names =
		arena_alloc(&s->arena, (old_count + negative->count) * sizeof(*names));
	if (!names)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < old_count; i++)
		names[i] = settings->negative_anchors[i];
	for (size_t i = 0; i < negative->count; i++) {
		const uint8_t *name = negative->list[i].name;
		names[old_count + i] = arena_copy(&s->arena, span_of(name, dname_len(name))).at;
		if (!names[old_count + i])
			return ERR_NO_MEMORY;
	}
	settings->negative_anchors = names;
	settings->negative_anchor_count = old_count + negative->count;
	return OK;
}

static enum err lay_over(struct snapshot *s, const struct snapshot_changes *changes)
{
	enum err err = add_negative(s, changes->negative);

	if (changes->negative->count == 0 && changes->forwards->count == 0)
		return err; /* the index of the configuration still holds */
	if (err == OK)
		err = forwards_apply(changes->forwards, &s->settings, &s->arena);
	return err == OK ? settings_finish(&s->settings, &s->arena) : err;
}

struct snapshot *snapshot_with_changes(struct snapshot *s, const struct snapshot_changes *changes)
{
	size_t count = changes->anchor_count;
	struct snapshot *fresh = calloc(1, sizeof(*fresh));
	struct anchor *copy = calloc(count + 1, sizeof(*copy));

	if (!fresh || !copy) {
		free(fresh);
		free(copy);
		return NULL;
	}
	if (count > 0)
		memcpy(copy, changes->anchors, count * sizeof(*copy));
	fresh->base = snapshot_use(s->base ? s->base : s);
	fresh->config = s->config;
	fresh->settings = s->config->settings;
	fresh->queries = changes->queries ? *changes->queries : s->config->log_queries;
	arena_init(&fresh->arena, CONFIG_ARENA_MAX);
	fresh->settings.anchors = fresh->anchors = copy;
	fresh->settings.anchor_count = count;
	atomic_init(&fresh->users, 1);
	if (lay_over(fresh, changes) != OK) {
		snapshot_release(fresh);
		return NULL;
	}
	return fresh;
}

struct snapshot *snapshot_use(struct snapshot *s)
{
	atomic_fetch_add_explicit(&s->users, 1, memory_order_relaxed);
	return s;
}

void snapshot_release(struct snapshot *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->users, 1, memory_order_acq_rel) != 1)
		return;
	if (s->base)
		snapshot_release(s->base); /* which has none itself */
	else
		config_free((struct config *)(uintptr_t)s->config);
	arena_deinit(&s->arena);
	free(s->anchors);
	free(s);
}
