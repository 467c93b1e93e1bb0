#pragma once
/*
 * A configuration that is in use: counted by who uses it and freed by whoever is last to let go.
 * Workers hold one each, and older ones for as long as a query that began with them goes on.
 */
#include <stdatomic.h>

#include "daemon/config.h"

struct snapshot {	       /* any thread */
	struct config *config; /* immutable */
	_Atomic unsigned users;
};

/* Take CONFIG over for one user. NULL if memory is out: CONFIG is freed then. */
struct snapshot *snapshot_new(struct config *config);
struct snapshot *snapshot_use(struct snapshot *s);
void snapshot_release(struct snapshot *s); /* NULL is fine */
