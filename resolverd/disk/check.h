#pragma once
/*
 * Is the structure of an LMDB file sound enough to let LMDB write to it?
 *
 * Every page in use is looked at: nodes lie inside their page and do not overlap, keys ascend, each
 * page is referenced once and is not free as well, the counts agree with the meta page. What the
 * records hold is not checked here: they have checksums.
 */
#include "disk/page.h"

/*
 * Check all of V. Reads branches in tree order and leaves in file order, so it runs at the disk's
 * sequential speed; a second for 4 GB in the page cache. ERR_CORRUPT, ERR_SYSTEM (cannot be
 * read), ERR_NO_MEMORY.
 */
MUST_USE enum err disk_check(const struct disk_view *v);
