#include "base/heap.h"

#include <stdlib.h>

#include "base/require.h"

enum { HEAP_CAPACITY_MIN = 64 };

void heap_init(struct heap *h)
{
	*h = (struct heap){0};
}

void heap_deinit(struct heap *h)
{
	free(h->nodes);
	heap_init(h);
}

static void heap_place(struct heap *h, struct heap_node *node, size_t index)
{
	h->nodes[index] = node;
	node->index1 = index + 1;
}

/* Let NODE, which may stand in the hole at INDEX, rise to where its parent is not larger. */
static void heap_rise(struct heap *h, struct heap_node *node, size_t index)
{
	while (index > 0) {
		size_t parent = (index - 1) / 2;
		if (h->nodes[parent]->key <= node->key)
			break;
		heap_place(h, h->nodes[parent], index);
		index = parent;
	}
	heap_place(h, node, index);
}

/* Let NODE sink from the hole at INDEX to where no child is smaller. */
static void heap_sink(struct heap *h, struct heap_node *node, size_t index)
{
	for (;;) {
		size_t child = 2 * index + 1;
		if (child >= h->count)
			break;
		if (child + 1 < h->count && h->nodes[child + 1]->key < h->nodes[child]->key)
			child++;
		if (node->key <= h->nodes[child]->key)
			break;
		heap_place(h, h->nodes[child], index);
		index = child;
	}
	heap_place(h, node, index);
}

static void heap_settle(struct heap *h, struct heap_node *node, size_t index)
{
	if (index > 0 && node->key < h->nodes[(index - 1) / 2]->key)
		heap_rise(h, node, index);
	else
		heap_sink(h, node, index);
}

enum err heap_reserve(struct heap *h, size_t capacity)
{
	if (capacity <= h->capacity)
		return OK;
	struct heap_node **nodes = reallocarray(h->nodes, capacity, sizeof(*nodes));
	if (!nodes)
		return ERR_NO_MEMORY;
	h->nodes = nodes;
	h->capacity = capacity;
	return OK;
}

enum err heap_set(struct heap *h, struct heap_node *node, uint64_t key)
{
	if (node->index1 > 0) {
		REQUIRE(node->index1 <= h->count && h->nodes[node->index1 - 1] == node);
		node->key = key;
		heap_settle(h, node, node->index1 - 1);
		return OK;
	}
	if (h->count == h->capacity) {
		enum err err = heap_reserve(h, h->capacity ? 2 * h->capacity : HEAP_CAPACITY_MIN);
		if (err)
			return err;
	}
	node->key = key;
	heap_rise(h, node, h->count++);
	return OK;
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	if (node->index1 == 0)
		return;
	REQUIRE(node->index1 <= h->count && h->nodes[node->index1 - 1] == node);

	size_t hole = node->index1 - 1;
	struct heap_node *last = h->nodes[--h->count];
	node->index1 = 0;
	if (last != node)
		heap_settle(h, last, hole);
}

struct heap_node *heap_min(const struct heap *h)
{
	return h->count ? h->nodes[0] : NULL;
}
