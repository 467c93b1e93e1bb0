#include "disk/check.h"

#include <stdlib.h>

enum {
	FIRST_DATA_PAGE = 2,
	WORD_BITS = 64,
};

struct check {
	const struct disk_view *view;
	uint64_t *used;	       /* a bit per page: referenced or free */
	uint64_t *leaves;      /* of the tree at hand, still to be looked at */
	uint8_t *pages;	       /* one per level of a tree */
	struct disk_tree seen; /* counts of the tree at hand */
	bool free_tree;	       /* the tree at hand is that of the free pages */
};

/* Take COUNT pages from FIRST on; they must exist and not be taken yet. */
static enum err claim(struct check *c, uint64_t first, uint64_t count)
{
	uint64_t pages = c->view->page_count;
	if (first < FIRST_DATA_PAGE || first >= pages || count > pages - first)
		return ERR_CORRUPT;
	for (uint64_t i = first; i < first + count; i++) {
		uint64_t bit = UINT64_C(1) << (i % WORD_BITS);
		if (c->used[i / WORD_BITS] & bit)
			return ERR_CORRUPT;
		c->used[i / WORD_BITS] |= bit;
	}
	return OK;
}

/* Free pages are kept as lists: a count, then page numbers in descending order. */
static enum err check_free_list(struct check *c, const uint64_t *list, size_t size)
{
	uint64_t count = size / sizeof(uint64_t);
	if (size % sizeof(uint64_t) != 0 || count == 0 || list[0] > count - 1)
		return ERR_CORRUPT;
	for (uint64_t i = 1; i <= list[0]; i++) {
		enum err err = i > 1 && list[i] >= list[i - 1] ? ERR_CORRUPT : claim(c, list[i], 1);
		if (err != OK)
			return err;
	}
	return OK;
}

static enum err check_free_record(struct check *c, const struct disk_node *node)
{
	if (node->key.len != sizeof(uint64_t) ||
	    node->value_size > c->view->page_count * sizeof(uint64_t) * 2)
		return ERR_CORRUPT;
	uint64_t *list = malloc(node->value_size + sizeof(uint64_t));
	if (!list)
		return ERR_NO_MEMORY;
	enum err err = OK;
	if (node->value) {
		memcpy(list, node->value, node->value_size);
	} else {
		uint64_t at = node->child * c->view->page_bytes + DISK_PAGE_HEAD;
		ssize_t n = c->view->io->pread(c->view->fd, list, node->value_size, (off_t)at);
		err = n < 0 ? ERR_SYSTEM : (size_t)n < node->value_size ? ERR_CORRUPT : OK;
	}
	if (err == OK)
		err = check_free_list(c, list, node->value_size);
	free(list);
	return err;
}

static enum err check_overflow(struct check *c, const struct disk_node *node)
{
	const struct disk_view *v = c->view;
	uint64_t count = disk_page_overflow_count(v, node->value_size);
	enum err err = claim(c, node->child, count);
	if (err != OK)
		return err;
	struct {
		uint64_t number;
		uint16_t pad, flags;
		uint32_t count;
	} head;
	static_assert(sizeof(head) == DISK_PAGE_HEAD, "as it stands in the file");
	ssize_t n = v->io->pread(v->fd, &head, sizeof(head), (off_t)(node->child * v->page_bytes));
	if (n < 0)
		return ERR_SYSTEM;
	bool valid = n == sizeof(head) && head.number == node->child &&
		     head.flags == DISK_PAGE_OVERFLOW && head.count == count;
	c->seen.overflow_pages += count;
	return valid ? OK : ERR_CORRUPT;
}

static enum err check_value(struct check *c, const struct disk_node *node)
{
	enum err err = node->value ? OK : check_overflow(c, node);
	c->seen.entries++;
	return err == OK && c->free_tree ? check_free_record(c, node) : err;
}

static int compare(const struct check *c, struct span a, struct span b)
{
	if (c->free_tree && a.len == sizeof(uint64_t) && b.len == sizeof(uint64_t)) {
		uint64_t x, y;
		memcpy(&x, a.at, sizeof(x));
		memcpy(&y, b.at, sizeof(y));
		return (x > y) - (x < y);
	}
	int order = memcmp(a.at, b.at, MIN(a.len, b.len));
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Nodes lie between the free space and the end of the page, fill that room, and do not overlap;
 * keys ascend. LMDB moves nodes within their page, so it relies on all of this. */
static enum err check_nodes(const struct check *c, const uint8_t *page)
{
	uint64_t taken[DISK_PAGE_MAX / 2 / WORD_BITS] = {0}; /* a bit for each two bytes */
	const struct disk_view *v = c->view;
	unsigned count = disk_page_node_count(page);
	bool branch = disk_page_flags(page) == DISK_PAGE_BRANCH;
	size_t sum = 0;
	struct disk_node node, before = {0};
	for (unsigned i = 0; i < count; i++, before = node) {
		enum err err = disk_page_node(v, page, i, &node);
		if (err != OK)
			return err;
		for (size_t at = node.offset / 2; at < (node.offset + node.size) / 2; at++) {
			if (taken[at / WORD_BITS] >> (at % WORD_BITS) & 1)
				return ERR_CORRUPT;
			taken[at / WORD_BITS] |= UINT64_C(1) << (at % WORD_BITS);
		}
		sum += node.size;
		/* A branch's first key stands for everything before the second. */
		if (i > (branch ? 1U : 0U) && compare(c, before.key, node.key) >= 0)
			return ERR_CORRUPT;
	}
	return sum == v->page_bytes - disk_page_upper(page) ? OK : ERR_CORRUPT;
}

static enum err check_leaf(struct check *c, uint64_t number, uint8_t *page)
{
	enum err err = disk_page_read(c->view, number, DISK_PAGE_LEAF, page);
	if (err == OK)
		err = check_nodes(c, page);
	for (unsigned i = 0; err == OK && i < disk_page_node_count(page); i++) {
		struct disk_node node;
		err = disk_page_node(c->view, page, i, &node);
		if (err == OK)
			err = check_value(c, &node);
	}
	return err;
}

/* Claim a page of level LEVEL: a branch is read into its level's buffer, a leaf is noted. */
static enum err enter(struct check *c, const struct disk_tree *tree, unsigned level,
		      uint64_t number)
{
	enum err err = claim(c, number, 1);
	if (err != OK)
		return err;
	if (level + 1U == tree->depth) {
		c->leaves[number / WORD_BITS] |= UINT64_C(1) << (number % WORD_BITS);
		c->seen.leaf_pages++;
		return OK;
	}
	uint8_t *page = c->pages + (size_t)level * c->view->page_bytes;
	c->seen.branch_pages++;
	err = disk_page_read(c->view, number, DISK_PAGE_BRANCH, page);
	return err == OK ? check_nodes(c, page) : err;
}

/* All branches, depth first. Ends because no page can be entered twice. */
static enum err check_branches(struct check *c, const struct disk_tree *tree)
{
	unsigned next[DISK_DEPTH_MAX] = {0}; /* child to go to, per level */
	unsigned level = 0;
	enum err err = enter(c, tree, 0, tree->root);
	while (err == OK && tree->depth > 1) {
		const uint8_t *page = c->pages + (size_t)level * c->view->page_bytes;
		struct disk_node node;
		if (next[level] == disk_page_node_count(page)) {
			if (level == 0)
				return OK;
			level--;
			continue;
		}
		err = disk_page_node(c->view, page, next[level]++, &node);
		if (err == OK)
			err = enter(c, tree, level + 1, node.child);
		if (err == OK && level + 2U < tree->depth)
			next[++level] = 0;
	}
	return err;
}

static enum err check_leaves(struct check *c)
{
	uint64_t words = c->view->page_count / WORD_BITS + 1;
	for (uint64_t w = 0; w < words; w++) {
		while (c->leaves[w]) {
			unsigned bit = (unsigned)__builtin_ctzll(c->leaves[w]);
			c->leaves[w] &= c->leaves[w] - 1;
			enum err err = check_leaf(c, w * WORD_BITS + bit, c->pages);
			if (err != OK)
				return err;
		}
	}
	return OK;
}

static enum err check_tree(struct check *c, const struct disk_tree *tree)
{
	c->seen = (struct disk_tree){0};
	if (tree->root != DISK_NO_PAGE) {
		enum err err = check_branches(c, tree);
		if (err == OK)
			err = check_leaves(c);
		if (err != OK)
			return err;
	}
	bool agree = c->seen.branch_pages == tree->branch_pages &&
		     c->seen.leaf_pages == tree->leaf_pages &&
		     c->seen.overflow_pages == tree->overflow_pages &&
		     c->seen.entries == tree->entries;
	return agree ? OK : ERR_CORRUPT;
}

enum err disk_check(const struct disk_view *v)
{
	struct check c = {.view = v};
	size_t words = v->page_count / WORD_BITS + 1;
	enum err err = ERR_NO_MEMORY;
	c.used = calloc(words, sizeof(uint64_t));
	c.leaves = calloc(words, sizeof(uint64_t));
	c.pages = malloc((size_t)DISK_DEPTH_MAX * v->page_bytes);
	if (c.used && c.leaves && c.pages) {
		err = check_tree(&c, &v->main_tree);
		c.free_tree = true;
		if (err == OK)
			err = check_tree(&c, &v->free_tree);
	}
	free(c.pages);
	free(c.leaves);
	free(c.used);
	return err;
}
