#pragma once
/*
 * Where the state of trust anchors (anchors/anchors.h) outlives the daemon: in the cache file, as a
 * blob, and where there is none ("disk: off"), it cannot be written to now, or that is more than a
 * blob holds (hundreds of zones), in the file "anchors" of the state directory.
 *
 * The file goes before the blob: it is there only if it is newer, for it is removed as soon as the
 * blob is durable. So a file that an earlier version, or a time without the cache file, left behind
 * is taken over once, at the start.
 *
 * The file is written beside its place and renamed, so that it is whole at any time. One that is
 * damaged is moved aside to "anchors.damaged". While another daemon has the cache file, its state is
 * left alone and ours stays in memory; so it does where nothing can be written to, or the disk hangs. That
 * is logged once.
 */
#include "base/err.h"
#include "base/span.h"
#include "disk/disk.h"
#include "dnssec/anchor.h"
#include "resolve/settings.h"

struct anchor_store; /* main thread */

enum { ANCHOR_STORE_MAX = SETTINGS_ANCHORS_MAX * ANCHOR_TEXT_MAX };

/* DIRECTORY is copied, DISK (NULL or off: the file only) borrowed. ERR_NO_MEMORY. */
MUST_USE enum err anchor_store_new(const char *directory, struct disk *disk,
				   struct anchor_store **out);
void anchor_store_free(struct anchor_store *s); /* NULL is fine */

/* What was kept, into TEXT; *LEN is 0 if there is nothing or it cannot be read. ERR_MALFORMED if it
 * is damaged, ERR_NO_MEMORY. */
MUST_USE enum err anchor_store_read(struct anchor_store *s, char text[static ANCHOR_STORE_MAX],
				    size_t *len);
/* What was read makes sense: if it came from the file, it is taken over. */
void anchor_store_accept(struct anchor_store *s, struct span text);
/* It does not, or was ERR_MALFORMED: put it out of the way, and say so. */
void anchor_store_reject(struct anchor_store *s);

/* The disk did not answer at anchor_store_new(): nothing is read or written. When it has come
 * (disk_is_opened()), there may be something to read. */
void anchor_store_take(struct anchor_store *s);

/* Keep TEXT: when this returns true, it survives a loss of power. Waits for the disk, up to
 * DISK_FLUSH_WAIT_S. */
MUST_USE bool anchor_store_write(struct anchor_store *s, struct span text);
