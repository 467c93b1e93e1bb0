#pragma once
/*
 * Has a name's data changed? This is what the failover of a database looks like from here.
 */
#include "resolve/answer.h"

/* The same rcode and the same records along the whole chain; TTLs and signatures do not count. */
bool prefetch_same_data(const struct answer *a, const struct answer *b);

/* One line of log: "record changed: name=... type=... old="..." new="..."". */
void prefetch_tell_change(const struct answer *old, const struct answer *now);
