#pragma once
/*
 * Standard input, output and error are open, whatever they were at the start. A descriptor of these
 * that is closed would be given to the next file or socket that is opened: what is printed then goes
 * into a cache file, or to a peer.
 */
#include "base/err.h"

/* Have /dev/null in the place of those that are closed. Before anything is opened. ERR_SYSTEM with
 * errno. */
MUST_USE enum err descriptors_take_standard(void);
