#include "disk/page.h"

#include <errno.h>

enum {
	META_MAGIC_AT = 16, /* behind the page's header */
	META_SIZE = 4 + 4 + 8 + 8 + 2 * 48 + 8 + 8,
	META_VERSION = 1,
	FREE_TREE_FLAGS = 0x08, /* MDB_INTEGERKEY; main tree: 0 */
	NOSUBDIR_FLAG = 0x4000, /* of the environment, which are kept in the free tree's */
	FIRST_DATA_PAGE = 2,
	PAGES_MAX_BITS = 40, /* 4 PB: keeps products with a page's size far from overflow */
};
static const uint32_t meta_magic = 0xBEEFC0DE;

struct meta { /* as it stands in the file */
	uint32_t magic, version;
	uint64_t address, map_bytes;
	struct disk_tree trees[2];
	uint64_t last_page, txn_id;
};
static_assert(sizeof(struct meta) == META_SIZE, "no padding");

static uint16_t load16(const uint8_t *at)
{
	uint16_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}

static uint32_t load32(const uint8_t *at)
{
	uint32_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}

static uint64_t load64(const uint8_t *at)
{
	uint64_t v;
	memcpy(&v, at, sizeof(v));
	return v;
}

typedef ssize_t pread_fn(int fd, void *out, size_t len, off_t offset);

/* All LEN bytes, or an error: a short read means that the file is shorter than its pages, or, where
 * only what is RESIDENT is read, that the rest is not. */
static enum err read_by(pread_fn *fn, int fd, uint64_t at, struct span out, bool resident)
{
	size_t done = 0;
	while (done < out.len) {
		ssize_t n = fn(fd, (uint8_t *)out.at + done, out.len - done, (off_t)(at + done));
		if (n < 0 && errno == EINTR)
			continue;
		/* Some file systems cannot tell. */
		if (n < 0 && resident && errno != EIO)
			return ERR_BUSY;
		if (n < 0)
			return ERR_SYSTEM;
		if (n == 0)
			return ERR_CORRUPT;
		done += (size_t)n;
	}
	return OK;
}

static enum err read_at(const struct disk_io *io, int fd, uint64_t at, struct span out)
{
	return read_by(io->pread, fd, at, out, false);
}

static enum err read_of(const struct disk_view *v, uint64_t at, struct span out)
{
	return v->resident ? read_by(v->io->pread_resident, v->fd, at, out, true)
			   : read_at(v->io, v->fd, at, out);
}

static bool page_bytes_are_valid(uint32_t bytes)
{
	return bytes >= DISK_PAGE_MIN && bytes <= DISK_PAGE_MAX && (bytes & (bytes - 1)) == 0;
}

static bool tree_is_valid(const struct disk_tree *t, unsigned flags, uint64_t page_count)
{
	if (t->flags != flags || t->depth > DISK_DEPTH_MAX)
		return false;
	if (t->root == DISK_NO_PAGE)
		return t->depth == 0;
	return t->depth > 0 && t->root >= FIRST_DATA_PAGE && t->root < page_count;
}

static enum err read_meta(const struct disk_io *io, int fd, uint64_t at, struct meta *out)
{
	uint8_t bytes[DISK_PAGE_HEAD + META_SIZE];
	enum err err = read_at(io, fd, at, span_of(bytes, sizeof(bytes)));
	if (err != OK)
		return err;
	memcpy(out, bytes + META_MAGIC_AT, sizeof(*out));
	if (disk_page_flags(bytes) != DISK_PAGE_META || out->magic != meta_magic)
		return ERR_CORRUPT;
	if (out->version != META_VERSION)
		return ERR_UNSUPPORTED;
	const struct disk_tree *t = out->trees;
	if (!page_bytes_are_valid(t[0].pad) || out->last_page >> PAGES_MAX_BITS)
		return ERR_CORRUPT;
	bool valid = tree_is_valid(&t[0], FREE_TREE_FLAGS | NOSUBDIR_FLAG, out->last_page + 1) &&
		     tree_is_valid(&t[1], 0, out->last_page + 1);
	return valid ? OK : ERR_CORRUPT;
}

enum err disk_view_read(const struct disk_io *io, int fd, struct disk_view *out)
{
	struct stat st;
	struct meta metas[2];
	if (io->fstat(fd, &st) != 0)
		return ERR_SYSTEM;
	if (st.st_size == 0)
		return ERR_NOT_FOUND;
	enum err err = read_meta(io, fd, 0, &metas[0]);
	if (err == OK)
		err = read_meta(io, fd, metas[0].trees[0].pad, &metas[1]);
	if (err != OK)
		return err;
	if (metas[0].trees[0].pad != metas[1].trees[0].pad)
		return ERR_CORRUPT;
	const struct meta *m = &metas[metas[1].txn_id > metas[0].txn_id];
	*out = (struct disk_view){
		.io = io,
		.fd = fd,
		.page_bytes = m->trees[0].pad,
		.page_count = m->last_page + 1,
		.txn_id = m->txn_id,
		.free_tree = m->trees[0],
		.main_tree = m->trees[1],
	};
	return (uint64_t)st.st_size >= out->page_count * out->page_bytes ? OK : ERR_CORRUPT;
}

uint16_t disk_page_flags(const uint8_t *page)
{
	return load16(page + 10);
}

unsigned disk_page_node_count(const uint8_t *page)
{
	return (load16(page + 12) - (unsigned)DISK_PAGE_HEAD) / 2;
}

unsigned disk_page_upper(const uint8_t *page)
{
	return load16(page + 14);
}

enum err disk_page_read(const struct disk_view *v, uint64_t number, unsigned flags, uint8_t *page)
{
	if (number < FIRST_DATA_PAGE || number >= v->page_count)
		return ERR_CORRUPT;
	enum err err = read_of(v, number * v->page_bytes, span_of(page, v->page_bytes));
	if (err != OK)
		return err;
	if (load64(page) != number || disk_page_flags(page) != flags)
		return ERR_CORRUPT;
	unsigned lower = load16(page + 12), upper = disk_page_upper(page);
	bool valid = lower >= DISK_PAGE_HEAD && lower % 2 == 0 && lower <= upper &&
		     upper <= v->page_bytes;
	/* LMDB keeps two keys in a branch and one in a leaf at least, and asserts that they are
	 * there. */
	unsigned fewest = flags == DISK_PAGE_BRANCH ? 2 : 1;
	return valid && disk_page_node_count(page) >= fewest ? OK : ERR_CORRUPT;
}

enum err disk_page_node(const struct disk_view *v, const uint8_t *page, unsigned index,
			struct disk_node *out)
{
	REQUIRE(index < disk_page_node_count(page));
	size_t at = load16(page + DISK_PAGE_HEAD + 2 * (size_t)index);
	if (at < disk_page_upper(page) || at % 2 != 0 || at + DISK_NODE_HEAD > v->page_bytes)
		return ERR_CORRUPT;
	uint32_t low = load32(page + at);
	unsigned flags = load16(page + at + 4);
	size_t key_len = load16(page + at + 6);
	size_t left = v->page_bytes - at - DISK_NODE_HEAD;
	*out = (struct disk_node){.offset = at,
				  .key = span_of(page + at + DISK_NODE_HEAD, key_len)};
	if (key_len > left)
		return ERR_CORRUPT;
	const uint8_t *behind = page + at + DISK_NODE_HEAD + key_len;
	out->size = DISK_NODE_HEAD + key_len;
	if (disk_page_flags(page) == DISK_PAGE_BRANCH) {
		/* The field of the flags holds the number's upper bits. */
		out->child = low | (uint64_t)flags << 32;
	} else if (flags == DISK_NODE_BIG) {
		if (left - key_len < sizeof(uint64_t))
			return ERR_CORRUPT;
		out->value_size = low;
		out->child = load64(behind);
		out->size += sizeof(uint64_t);
	} else {
		if (flags != 0 || low > left - key_len)
			return ERR_CORRUPT;
		out->value_size = low;
		out->value = behind;
		out->size += low;
	}
	out->size += out->size % 2;
	return out->size <= v->page_bytes - at ? OK : ERR_CORRUPT;
}

uint64_t disk_page_overflow_count(const struct disk_view *v, size_t value_size)
{
	return (DISK_PAGE_HEAD - 1 + (uint64_t)value_size) / v->page_bytes + 1;
}

static int compare(struct span a, struct span b)
{
	int order = memcmp(a.at, b.at, MIN(a.len, b.len));
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* How many of PAGE's keys from FIRST on sort before KEY, or up to it with EQUAL, plus FIRST. */
static enum err count_before(const struct disk_cursor *c, const uint8_t *page, struct span key,
			     bool equal, unsigned *out)
{
	bool branch = disk_page_flags(page) == DISK_PAGE_BRANCH;
	/* A branch's first key is not looked at: it stands for everything below. */
	unsigned low = branch ? 1 : 0, high = disk_page_node_count(page);
	while (low < high) {
		unsigned middle = (low + high) / 2;
		struct disk_node node;
		enum err err = disk_page_node(c->view, page, middle, &node);
		if (err != OK)
			return err;
		int order = compare(node.key, key);
		if (order < 0 || (equal && order == 0))
			low = middle + 1;
		else
			high = middle;
	}
	*out = low;
	return OK;
}

/* Read page NUMBER as level C->depth and add it to the path. */
static enum err push(struct disk_cursor *c, uint64_t number)
{
	if (c->depth >= c->view->main_tree.depth)
		return ERR_CORRUPT;
	bool leaf = c->depth + 1U == c->view->main_tree.depth;
	uint8_t *page = leaf ? c->page : c->branch;
	enum err err =
		disk_page_read(c->view, number, leaf ? DISK_PAGE_LEAF : DISK_PAGE_BRANCH, page);
	if (err != OK)
		return err;
	c->at[c->depth].number = number;
	c->at[c->depth].index = 0;
	c->at[c->depth].count = disk_page_node_count(page);
	c->depth++;
	return OK;
}

static bool at_leaf(const struct disk_cursor *c)
{
	return c->depth == c->view->main_tree.depth;
}

/* From the branch in C->branch down to the first leaf below its chosen child. */
static enum err descend_first(struct disk_cursor *c)
{
	while (!at_leaf(c)) {
		struct disk_node node;
		enum err err = disk_page_node(c->view, c->branch, c->at[c->depth - 1].index, &node);
		if (err == OK)
			err = push(c, node.child);
		if (err != OK)
			return err;
	}
	return OK;
}

/* To the first node of the next leaf. */
static enum err next_leaf(struct disk_cursor *c)
{
	c->depth--;
	while (c->depth > 0 && c->at[c->depth - 1].index + 1 >= c->at[c->depth - 1].count)
		c->depth--;
	if (c->depth == 0)
		return ERR_NOT_FOUND;
	unsigned index = c->at[c->depth - 1].index + 1;
	c->depth--;
	enum err err = push(c, c->at[c->depth].number);
	if (err != OK)
		return err;
	if (index >= c->at[c->depth - 1].count)
		return ERR_CORRUPT; /* no longer what it was */
	c->at[c->depth - 1].index = index;
	return descend_first(c);
}

static enum err show(struct disk_cursor *c)
{
	if (c->at[c->depth - 1].index >= c->at[c->depth - 1].count) {
		enum err err = next_leaf(c);
		if (err != OK)
			return err;
	}
	return disk_page_node(c->view, c->page, c->at[c->depth - 1].index, &c->node);
}

enum err disk_cursor_seek(struct disk_cursor *c, const struct disk_view *v, struct span key)
{
	c->view = v;
	c->depth = 0;
	if (v->main_tree.root == DISK_NO_PAGE)
		return ERR_NOT_FOUND;
	enum err err = push(c, v->main_tree.root);
	while (err == OK && !at_leaf(c)) {
		unsigned before;
		struct disk_node node;
		err = count_before(c, c->branch, key, true, &before);
		if (err == OK) {
			c->at[c->depth - 1].index = before - 1;
			err = disk_page_node(v, c->branch, before - 1, &node);
		}
		if (err == OK)
			err = push(c, node.child);
	}
	if (err == OK)
		err = count_before(c, c->page, key, false, &c->at[c->depth - 1].index);
	return err == OK ? show(c) : err;
}

enum err disk_cursor_next(struct disk_cursor *c)
{
	REQUIRE(c->depth > 0);
	c->at[c->depth - 1].index++;
	return show(c);
}

enum err disk_cursor_value(const struct disk_cursor *c, uint8_t *out, size_t len)
{
	const struct disk_node *n = &c->node;
	if (n->value_size < len)
		return ERR_CORRUPT;
	if (n->value) {
		memcpy(out, n->value, len);
		return OK;
	}
	const struct disk_view *v = c->view;
	uint64_t pages = disk_page_overflow_count(v, n->value_size);
	if (n->child < FIRST_DATA_PAGE || n->child >= v->page_count ||
	    pages > v->page_count - n->child)
		return ERR_CORRUPT;
	return read_of(v, n->child * v->page_bytes + DISK_PAGE_HEAD, span_of(out, len));
}
