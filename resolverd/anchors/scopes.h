#pragma once
/*
 * What of the configuration decides which answers are right, and for which names: validation and
 * trust anchors, negative anchors, forward and stub zones, root hints. When it changes, what was
 * learned under the old one is flushed there, and nowhere else: by a reload or a command, and over
 * a restart too, for the disk remembers under which configuration its entries were learned.
 *
 * What is not known, or would not fit, counts as changed: then everything is flushed. A disk that does not
 * answer at the start is looked at when it does (scopes_take()), before anything is read from it.
 */
#include "anchors/flushes.h"
#include "cache/cache.h"
#include "cache/ranges.h"
#include "config/config.h"
#include "disk/disk.h"

struct scopes; /* main thread */

/* All borrowed. ERR_NO_MEMORY. */
struct scopes_parts {
	struct cache *cache;
	struct ranges *ranges;
	struct disk *disk;
	struct flushes *flushes; /* what is flushed is told here */
};
MUST_USE enum err scopes_new(const struct scopes_parts *parts, struct scopes **out);
void scopes_free(struct scopes *s); /* NULL is fine */

/* The disk, which was not there at scopes_new(), has come (disk_is_opened()): flush from it what was
 * learned under another configuration than the present one. */
void scopes_take(struct scopes *s, struct now now);

/* SETTINGS are in effect from now on, with the trust anchors that CONFIG names: their rollovers
 * (RFC 5011) change nothing of what is cached. */
void scopes_apply(struct scopes *s, const struct settings *settings, const struct config *config,
		  struct now now);
/* The same, but the caller flushes what has changed. */
void scopes_note(struct scopes *s, const struct settings *settings, const struct config *config,
		 struct now now);
