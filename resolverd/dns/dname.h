#pragma once
/*
 * Domain names in uncompressed wire form (RFC 1035 §3.1): length-prefixed labels up to the root
 * label, at most 255 bytes and 63 per label. A `const uint8_t *dname` inside the project has always
 * been checked; bytes from outside pass dname_view() or the message view first.
 * Comparison folds ASCII case (RFC 4343); the letters' case is otherwise kept.
 */
#include "base/err.h"
#include "base/span.h"

enum { DNAME_MAX = 255, DNAME_TEXT_MAX = 1024, DNAME_LABELS_MAX = 127 };

/* Length in bytes with the root label: 1 to 255. */
size_t dname_len(const uint8_t *dname);

/* Labels without the root: "." is 0, "www.example." is 2. */
unsigned dname_label_count(const uint8_t *dname);

/* Check the uncompressed name at the start of BYTES. Its length into LEN. ERR_MALFORMED for
 * pointers, overlong labels or names, or missing bytes. */
MUST_USE enum err dname_view(struct span bytes, size_t *len);

/* Presentation form (RFC 1035 §5.1, RFC 4343 §2.1: \DDD and \X escapes) → wire. Relative names are
 * taken as absolute. ERR_MALFORMED. */
MUST_USE enum err dname_parse(const char *text, uint8_t out[static DNAME_MAX], size_t *len);

/* Wire → presentation with final dot; returns OUT. */
const char *dname_text(const uint8_t *dname, char out[static DNAME_TEXT_MAX]);

/* Equal but for ASCII case. */
bool dname_equal(const uint8_t *a, const uint8_t *b);

/* Canonical order (RFC 4034 §6.1): <0, 0, >0. */
int dname_compare(const uint8_t *a, const uint8_t *b);

/* CHILD equals PARENT or lies below it. Everything lies below the root. */
bool dname_is_within(const uint8_t *child, const uint8_t *parent);

/* CHILD lies strictly below PARENT. */
bool dname_is_below(const uint8_t *child, const uint8_t *parent);

/* The name without its first COUNT labels (borrowed, inside DNAME). COUNT <= label count. */
const uint8_t *dname_skip(const uint8_t *dname, unsigned count);

/* How many labels A and B have in common, counted from the root. */
unsigned dname_common_labels(const uint8_t *a, const uint8_t *b);

/* Copy with ASCII letters folded; returns the length. OUT may equal DNAME. */
size_t dname_lower(const uint8_t *dname, uint8_t out[static DNAME_MAX]);

/* Copy as it is; returns the length. */
size_t dname_copy(const uint8_t *dname, uint8_t out[static DNAME_MAX]);

/* Replace the suffix OLD of DNAME by NEW (DNAME redirection, RFC 6672 §2.2). ERR_NO_SPACE if the
 * result is longer than 255 bytes, ERR_NOT_FOUND if DNAME is not below OLD. */
MUST_USE enum err dname_replace_suffix(const uint8_t *dname, const uint8_t *old,
				       const uint8_t *new_suffix, uint8_t out[static DNAME_MAX]);

/* "*." + PARENT. ERR_NO_SPACE if too long. */
MUST_USE enum err dname_wildcard(const uint8_t *parent, uint8_t out[static DNAME_MAX]);
bool dname_is_wildcard(const uint8_t *dname);

/* A byte string whose memcmp order is the canonical order of names and in which every name below
 * X starts with the string of X: labels from the root down, lower case, each ended so that order is
 * kept (for ordered stores). At most DNAME_KEY_MAX bytes; returns its length. */
enum { DNAME_KEY_MAX = 512 };
size_t dname_key(const uint8_t *dname, uint8_t out[static DNAME_KEY_MAX]);
