#pragma once
/*
 * A configuration that is in use: counted by who uses it and freed by whoever is last to let go.
 * Workers hold one each, and older ones for as long as a query that began with them goes on.
 */
#include <stdatomic.h>

#include "config/config.h"
#include "config/forwards.h"
#include "config/negative.h"

struct snapshot {		     /* any thread */
	const struct config *config; /* immutable */
	struct settings settings;    /* CONFIG's, with the trust anchors as they stand now */
	struct query_filter queries; /* CONFIG's, or what was asked for since */
	struct arena arena;	     /* of what was changed at run time, with its index */
	struct anchor *anchors;	     /* what settings.anchors points to; NULL: CONFIG's own */
	struct snapshot *base;	     /* whose CONFIG it is; NULL: this one's */
	_Atomic unsigned users;
};

/* Take CONFIG over for one user. NULL if memory is out: CONFIG is freed then. */
struct snapshot *snapshot_new(struct config *config);
/* What is laid over the configuration at run time. */
struct snapshot_changes {
	const struct anchor *anchors;
	size_t anchor_count;
	const struct negative *negative; /* beside those of the configuration */
	const struct forwards *forwards;
	const struct query_filter *queries; /* instead of that of the configuration; or NULL */
};
/* The configuration of S with copies of these, for one user. NULL if memory is out. */
struct snapshot *snapshot_with_changes(struct snapshot *s, const struct snapshot_changes *changes);
struct snapshot *snapshot_use(struct snapshot *s);
void snapshot_release(struct snapshot *s); /* NULL is fine */
