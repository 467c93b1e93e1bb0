#pragma once
/*
 * Reading LMDB's pages (file format 1, as in LMDB 0.9) without trusting them.
 *
 * LMDB follows whatever offsets and page numbers it finds in its memory map: one damaged page, or a
 * file that somebody truncated, ends the process. Here every page is fetched with pread() and every
 * offset is checked before it is followed, so damage and I/O errors come back as errors. Nothing is
 * written, no lock taken: whoever holds a view sees to it that the writer does not reuse its pages
 * (disk_publish()).
 *
 * The little there is of the format: two meta pages, the one with the larger transaction id counts;
 * from it hang a tree of free pages and the tree of data. A page is a header of 16 bytes, offsets
 * of its nodes in key order, free space, and the nodes, filled from the end. A node is 8 bytes, key
 * and value, or instead of a large value the number of the first of its overflow pages.
 */
#include "base/err.h"
#include "base/span.h"
#include "disk/io.h"

enum {
	DISK_PAGE_MIN = 512,
	DISK_PAGE_MAX = 32768, /* LMDB's own bound */
	DISK_PAGE_HEAD = 16,
	DISK_NODE_HEAD = 8,
	DISK_DEPTH_MAX = 16, /* with two keys a page, the fewest there may be: 65,536 pages; real
				pages hold dozens and a full terabyte is 8 deep */
	DISK_PAGE_META = 8,
	DISK_PAGE_BRANCH = 1,
	DISK_PAGE_LEAF = 2,
	DISK_PAGE_OVERFLOW = 4,
	DISK_NODE_BIG = 1, /* the value stands in overflow pages */
};

#define DISK_NO_PAGE UINT64_MAX

struct disk_tree { /* struct MDB_db in the file */
	uint32_t pad;
	uint16_t flags, depth;
	uint64_t branch_pages, leaf_pages, overflow_pages, entries;
	uint64_t root; /* DISK_NO_PAGE: empty */
};
static_assert(sizeof(struct disk_tree) == 48, "as it stands in the file");

struct disk_view { /* a committed state of the file; immutable */
	const struct disk_io *io;
	int fd;
	bool resident; /* only pages in memory are read: ERR_BUSY for others, in all that follows */
	uint32_t page_bytes;
	uint64_t page_count; /* pages at and beyond were never used */
	uint64_t txn_id;
	struct disk_tree free_tree, main_tree;
};

/*
 * The latest committed state of FD. ERR_NOT_FOUND: the file is empty. ERR_UNSUPPORTED: another
 * version of LMDB's format. ERR_CORRUPT: not such a file, damaged, or shorter than its pages.
 * ERR_SYSTEM: cannot be read.
 */
MUST_USE enum err disk_view_read(const struct disk_io *io, int fd, struct disk_view *out);

/* One page into PAGE (page_bytes) with its header checked: its own number, FLAGS, and that its
 * table of offsets lies inside. ERR_CORRUPT, ERR_SYSTEM. */
MUST_USE enum err disk_page_read(const struct disk_view *v, uint64_t number, unsigned flags,
				 uint8_t *page);
uint16_t disk_page_flags(const uint8_t *page);
unsigned disk_page_node_count(const uint8_t *page);
unsigned disk_page_upper(const uint8_t *page); /* the free space ends here */

struct disk_node {	     /* borrowed from its page */
	size_t offset, size; /* in the page */
	struct span key;
	uint64_t child;	      /* branch: page */
	size_t value_size;    /* leaf */
	const uint8_t *value; /* NULL: in overflow pages from .child on */
};
/* Node INDEX of a page of V. Inside the page, or ERR_CORRUPT. */
MUST_USE enum err disk_page_node(const struct disk_view *v, const uint8_t *page, unsigned index,
				 struct disk_node *out);
/* Overflow pages for a value. */
uint64_t disk_page_overflow_count(const struct disk_view *v, size_t value_size);

/* A place in the main tree of a view. One thread; may be used for one view after the other. */
struct disk_cursor {
	const struct disk_view *view;
	uint8_t page[DISK_PAGE_MAX]; /* the leaf */
	uint8_t branch[DISK_PAGE_MAX];
	struct {
		uint64_t number;
		unsigned index, count;
	} at[DISK_DEPTH_MAX];
	unsigned depth;
	struct disk_node node; /* where it stands */
};

/* Go to the first key at or behind KEY. ERR_NOT_FOUND: none. ERR_CORRUPT, ERR_SYSTEM. */
MUST_USE enum err disk_cursor_seek(struct disk_cursor *c, const struct disk_view *v,
				   struct span key);
MUST_USE enum err disk_cursor_next(struct disk_cursor *c);
/* The first LEN bytes of the value into OUT; ERR_CORRUPT if it is shorter. */
MUST_USE enum err disk_cursor_value(const struct disk_cursor *c, uint8_t *out, size_t len);
