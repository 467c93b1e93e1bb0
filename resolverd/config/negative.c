#include "config/negative.h"

static struct negative_anchor *find(struct negative *n, const uint8_t *name)
{
	for (size_t i = 0; i < n->count; i++)
		if (dname_equal(n->list[i].name, name))
			return &n->list[i];
	return NULL;
}

enum err negative_add(struct negative *n, const uint8_t *name, uint64_t until_us)
{
	struct negative_anchor *anchor = find(n, name);

	if (!anchor) {
		if (n->count == NEGATIVE_ADDED_MAX)
			return ERR_LIMIT;
		anchor = &n->list[n->count++];
		dname_copy(name, anchor->name);
	}
	anchor->until_us = until_us;
	return OK;
}

bool negative_remove(struct negative *n, const uint8_t *name)
{
	struct negative_anchor *anchor = find(n, name);

	if (!anchor)
		return false;
	*anchor = n->list[--n->count];
	return true;
}

bool negative_expire(struct negative *n, struct now now, uint8_t out[static DNAME_MAX])
{
	for (size_t i = 0; i < n->count; i++) {
		if (n->list[i].until_us > now.mono_us)
			continue;
		dname_copy(n->list[i].name, out);
		n->list[i] = n->list[--n->count];
		return true;
	}
	return false;
}
