#include "config/forwards.h"

const struct forward_change *forwards_find(const struct forwards *f, const uint8_t *name)
{
	for (size_t i = 0; i < f->count; i++)
		if (dname_equal(f->list[i].zone.name, name))
			return &f->list[i];
	return NULL;
}

/* The place of NAME's change, a new one if there is none yet; NULL: no room. */
static struct forward_change *place_of(struct forwards *f, const uint8_t *name)
{
	struct forward_change *change = (struct forward_change *)(uintptr_t)forwards_find(f, name);

	if (!change && f->count < FORWARDS_MAX)
		change = &f->list[f->count++];
	return change;
}

enum err forwards_add(struct forwards *f, const struct settings_zone *zone)
{
	struct forward_change *change = place_of(f, zone->name);

	if (!change)
		return ERR_LIMIT;
	*change = (struct forward_change){.zone = *zone};
	return OK;
}

static bool is_configured(const struct settings *s, const uint8_t *name)
{
	for (size_t i = 0; i < s->zone_count; i++)
		if (dname_equal(s->zones[i].name, name))
			return true;
	return false;
}

enum err forwards_remove(struct forwards *f, const struct settings *configured, const uint8_t *name)
{
	const struct forward_change *found = forwards_find(f, name);

	if (found && found->removed)
		return ERR_NOT_FOUND;
	if (found) {
		f->list[found - f->list] = f->list[--f->count];
		return OK;
	}
	if (!is_configured(configured, name))
		return ERR_NOT_FOUND;
	struct forward_change *change = place_of(f, name);
	if (!change)
		return ERR_LIMIT;
	*change = (struct forward_change){.removed = true};
	dname_copy(name, change->zone.name);
	return OK;
}

enum err forwards_apply(const struct forwards *f, struct settings *s, struct arena *arena)
{
	size_t count = 0;

	if (f->count == 0)
		return OK;
	struct settings_zone *zones =
		arena_alloc(arena, (s->zone_count + f->count) * sizeof(*zones));
	if (!zones)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < s->zone_count; i++)
		if (!forwards_find(f, s->zones[i].name))
			zones[count++] = s->zones[i];
	for (size_t i = 0; i < f->count; i++)
		if (!f->list[i].removed)
			zones[count++] = f->list[i].zone;
	s->zones = zones;
	s->zone_count = count;
	return OK;
}
