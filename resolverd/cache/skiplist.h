#pragma once
/*
 * An ordered list of nodes by a key of bytes, in memcmp order, that is searched in O(log n) steps.
 * The nodes belong to the caller. How high a node stands is drawn from a keyed hash of its key, so
 * that nobody outside can choose keys that make the list slow. The caller has the lock.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/span.h"

enum { SKIPLIST_LEVELS = 10 }; /* a quarter of each level goes on: enough for a million nodes */

struct skiplist_node {
	struct span key; /* inside the node's owner */
	uint8_t level_count;
	struct skiplist_node **next; /* level_count of them */
};

struct skiplist {
	struct skiplist_node *first[SKIPLIST_LEVELS];
	size_t count;
};

/* How many levels a node with KEY gets: the room that its next[] needs. */
uint8_t skiplist_levels(const struct hash_key *hash_key, struct span key);

/* Insert NODE, whose key is not there yet. */
void skiplist_insert(struct skiplist *l, struct skiplist_node *node);
/* Take NODE out, which is in. */
void skiplist_remove(struct skiplist *l, struct skiplist_node *node);

/* The last node whose key is at most KEY; NULL if all are greater. */
struct skiplist_node *skiplist_floor(const struct skiplist *l, struct span key);
/* The last node of all; NULL if there is none. */
struct skiplist_node *skiplist_last(const struct skiplist *l);

static inline struct skiplist_node *skiplist_next(const struct skiplist_node *node)
{
	return node->next[0];
}
