#pragma once
/*
 * Timer heap: a binary min-heap of nodes that live inside their owners. O(log n) to add, move and
 * remove; equal keys come out in no particular order. One thread.
 */
#include <stdint.h>

#include "base/err.h"

struct heap_node {
	uint64_t key;  /* e.g. a deadline in milliseconds */
	size_t index1; /* position + 1; 0: not in a heap */
};

struct heap {
	struct heap_node **nodes;
	size_t count;
	size_t capacity;
};

void heap_init(struct heap *h);
void heap_deinit(struct heap *h); /* frees the table, not the nodes */

/* Make room for CAPACITY nodes, so that heap_set() cannot fail up to then. ERR_NO_MEMORY. */
MUST_USE enum err heap_reserve(struct heap *h, size_t capacity);

/* Insert NODE with KEY, or move it to KEY if it is in already. ERR_NO_MEMORY. */
MUST_USE enum err heap_set(struct heap *h, struct heap_node *node, uint64_t key);

/* Take NODE out; nothing happens if it is not in. */
void heap_remove(struct heap *h, struct heap_node *node);

/* The node with the smallest key, left in place; NULL if empty. */
struct heap_node *heap_min(const struct heap *h);
