#pragma once
/*
 * The directory of what outlives the daemon (cache.path): made where only its last part is missing,
 * so that who names a directory of his own need not know beforehand that it has to be there.
 *
 * Longer paths are not made: what is missing there is rather a disk that is not mounted yet, and a
 * cache written below its mount point would be hidden once it is.
 */
#include "config/config.h"

/* Make CONFIG's directory unless it is there, for the account that the daemon will have. What
 * cannot be made is left to the cache on disk, which says so and tries again. Before the sandbox,
 * which takes the powers for it. */
void state_path_make(const struct config *config);
