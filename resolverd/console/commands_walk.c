#include "console/commands_walk.h"

#include <stdlib.h>

enum {
	ENTRIES_PER_STEP = 128, /* make a reply of some 60 kB */
	BUCKETS_STEPS_MAX = 32, /* with nothing to find: some 8,000 buckets, about a millisecond */
	CAPACITY_MIN = 256,
};

static void forget_list(struct commands_walk *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->list[i]);
	w->count = 0;
}

static bool make_room(struct commands_walk *w)
{
	size_t capacity = MAX(2 * w->capacity, (size_t)CAPACITY_MIN);
	struct entry **list;

	if (w->count < w->capacity)
		return true;
	list = reallocarray(w->list, capacity, sizeof(*list));
	if (!list)
		return false;
	w->list = list;
	w->capacity = capacity;
	return true;
}

static bool gather(void *context, const struct entry *e)
{
	struct commands_walk *w = context;

	if (w->no_memory || !w->wants(w->context, e))
		return true;
	struct entry *copy = make_room(w) ? malloc(e->size_bytes) : NULL;
	w->no_memory = !copy;
	if (!copy)
		return true;
	memcpy(copy, e, e->size_bytes);
	w->list[w->count++] = copy;
	return true;
}

bool commands_walk_step(struct commands_walk *w)
{
	forget_list(w);
	for (int i = 0; !w->ended && i < BUCKETS_STEPS_MAX && w->count < ENTRIES_PER_STEP; i++)
		w->ended = !cache_walk_some(w->commands->cache, &w->at, gather, w);
	return !w->no_memory;
}

unsigned commands_walk_percent(const struct commands_walk *w)
{
	return w->ended ? 100 : cache_cursor_percent(w->commands->cache, &w->at);
}

void commands_walk_deinit(struct commands_walk *w)
{
	forget_list(w);
	free(w->list);
}
