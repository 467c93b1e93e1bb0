#pragma once
/*
 * What is in effect, key by key, as one would write it into the file: the configuration with what was
 * laid over it at run time (forward zones, anchors, the query log's filter). Every key that can be
 * given is told, whether it was or not, and a list by its entries; the unit test holds both.
 *
 * An entry of a list of zones comes as its name under the list's key, then each of its own keys as
 * "forward-zones[corp.example.].servers".
 */
#include "config/snapshot.h"

/* KEY with one VALUE; "none" where nothing is set. Both are the callee's for the call only. */
typedef void config_show_fn(void *context, const char *key, const char *value);

void config_show(const struct snapshot *s, config_show_fn *tell, void *context);
