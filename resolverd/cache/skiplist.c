#include "cache/skiplist.h"

#include "base/require.h"

enum { LEVEL_BITS = 2 };

uint8_t skiplist_levels(const struct hash_key *hash_key, struct span key)
{
	uint64_t bits = hash_bytes(hash_key, key);
	uint8_t levels = 1;
	while (levels < SKIPLIST_LEVELS && (bits & ((1U << LEVEL_BITS) - 1)) == 0) {
		levels++;
		bits >>= LEVEL_BITS;
	}
	return levels;
}

static int compare(struct span a, struct span b)
{
	int order = memcmp(a.at, b.at, MIN(a.len, b.len));
	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

/* The last node whose key is less than KEY (or equal to it, if AT_MOST); NULL: none. On the way,
 * for each level the pointer to what comes behind it. */
static struct skiplist_node *search(const struct skiplist *l, struct span key, bool at_most,
				    struct skiplist_node **behind[SKIPLIST_LEVELS])
{
	struct skiplist_node *at = NULL;
	for (int level = SKIPLIST_LEVELS - 1; level >= 0; level--) {
		struct skiplist_node *const *next = at ? &at->next[level] : &l->first[level];
		while (*next && compare((*next)->key, key) < (at_most ? 1 : 0)) {
			at = *next;
			next = &at->next[level];
		}
		behind[level] = (struct skiplist_node **)next;
	}
	return at;
}

void skiplist_insert(struct skiplist *l, struct skiplist_node *node)
{
	struct skiplist_node **behind[SKIPLIST_LEVELS];
	search(l, node->key, false, behind);
	for (size_t level = 0; level < node->level_count; level++) {
		node->next[level] = *behind[level];
		*behind[level] = node;
	}
	l->count++;
}

void skiplist_remove(struct skiplist *l, struct skiplist_node *node)
{
	struct skiplist_node **behind[SKIPLIST_LEVELS];
	search(l, node->key, false, behind);
	REQUIRE(*behind[0] == node);
	for (size_t level = 0; level < node->level_count; level++)
		*behind[level] = node->next[level];
	l->count--;
}

struct skiplist_node *skiplist_floor(const struct skiplist *l, struct span key)
{
	struct skiplist_node **behind[SKIPLIST_LEVELS];
	return search(l, key, true, behind);
}

struct skiplist_node *skiplist_last(const struct skiplist *l)
{
	struct skiplist_node *at = NULL;
	for (int level = SKIPLIST_LEVELS - 1; level >= 0; level--) {
		struct skiplist_node *next = at ? at->next[level] : l->first[level];
		while (next) {
			at = next;
			next = at->next[level];
		}
	}
	return at;
}
