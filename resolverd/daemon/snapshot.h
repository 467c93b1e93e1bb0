#pragma once
/*
 * A configuration that is in use: counted by who uses it and freed by whoever is last to let go.
 * Workers hold one each, and older ones for as long as a query that began with them goes on.
 */
#include <stdatomic.h>

#include "daemon/config.h"
#include "daemon/negative.h"

struct snapshot {		     /* any thread */
	const struct config *config; /* immutable */
	struct settings settings;    /* CONFIG's, with the trust anchors as they stand now */
	struct arena arena;	     /* of negative anchors added at run time, with their index */
	struct anchor *anchors;	     /* what settings.anchors points to; NULL: CONFIG's own */
	struct snapshot *base;	     /* whose CONFIG it is; NULL: this one's */
	_Atomic unsigned users;
};

/* Take CONFIG over for one user. NULL if memory is out: CONFIG is freed then. */
struct snapshot *snapshot_new(struct config *config);
/* The configuration of S with a copy of these trust anchors, and NEGATIVE beside its own negative
 * ones, for one user. NULL if memory is out. */
struct snapshot *snapshot_with_anchors(struct snapshot *s, const struct anchor *anchors,
				       size_t count, const struct negative *negative);
struct snapshot *snapshot_use(struct snapshot *s);
void snapshot_release(struct snapshot *s); /* NULL is fine */
