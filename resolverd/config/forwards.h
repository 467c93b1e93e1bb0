#pragma once
/*
 * Forward zones that the operator changes at run time: added ones, and ones of the configuration that
 * are left out. They are laid over the configuration and outlive its reload, but not the daemon. A
 * zone that is added takes the place of the configuration's zone of that name.
 */
#include "resolve/settings.h"

enum { FORWARDS_MAX = 32 }; /* people change them by hand */

struct forward_change {
	struct settings_zone zone; /* name only, where REMOVED; no `only` patterns */
	bool removed;
};

struct forwards { /* main thread; zero-initialised is empty */
	struct forward_change list[FORWARDS_MAX];
	size_t count;
};

/* Add ZONE, or put it in the place of an earlier change. ERR_LIMIT if there are too many. */
MUST_USE enum err forwards_add(struct forwards *f, const struct settings_zone *zone);
/* Take back what was added as NAME (lower case), or else leave out CONFIGURED's zone of that name.
 * ERR_NOT_FOUND if there is neither, ERR_LIMIT. */
MUST_USE enum err forwards_remove(struct forwards *f, const struct settings *configured,
				  const uint8_t *name);
/* The change that was made to the zone NAME, or NULL. */
const struct forward_change *forwards_find(const struct forwards *f, const uint8_t *name);

/* The zones of S as they are with these changes, the list in ARENA. ERR_NO_MEMORY. S is not finished
 * afterwards (settings_finish()). */
MUST_USE enum err forwards_apply(const struct forwards *f, struct settings *s, struct arena *arena);
