#include "dns/dname.h"

#include <stdio.h>

#include "base/require.h"
#include "dns/fold.h"

enum { LABEL_MAX = 63 };

size_t dname_len(const uint8_t *dname)
{
	const uint8_t *at = dname;
	while (*at)
		at += 1 + *at;
	return (size_t)(at - dname) + 1;
}

unsigned dname_label_count(const uint8_t *dname)
{
	unsigned count = 0;
	for (; *dname; dname += 1 + *dname)
		count++;
	return count;
}

enum err dname_view(struct span bytes, size_t *len)
{
	size_t limit = MIN(bytes.len, DNAME_MAX);
	for (size_t at = 0; at < limit; at += 1 + bytes.at[at]) {
		if (bytes.at[at] > LABEL_MAX)
			return ERR_MALFORMED; /* a pointer, or RFC 6891 §5's dead label types */
		if (bytes.at[at] == 0) {
			*len = at + 1;
			return OK;
		}
	}
	return ERR_MALFORMED;
}

/* One character of presentation form, perhaps escaped, from *TEXT; -1 if it is none. */
static int parse_char(const char **text)
{
	const uint8_t *at = (const uint8_t *)*text;
	if (at[0] <= ' ' || at[0] == 0x7f)
		return -1; /* must be written as \DDD */
	if (at[0] != '\\') {
		*text += 1;
		return at[0];
	}
	if (at[1] < '0' || at[1] > '9') {
		*text += 2;
		return at[1] < ' ' || at[1] >= 0x7f ? -1 : at[1];
	}
	int value = 0;
	for (int i = 1; i <= 3; i++) {
		if (at[i] < '0' || at[i] > '9')
			return -1;
		value = 10 * value + (at[i] - '0');
	}
	*text += 4;
	return value <= 255 ? value : -1;
}

enum err dname_parse(const char *text, uint8_t out[static DNAME_MAX], size_t *len)
{
	if (strcmp(text, ".") == 0) {
		out[0] = 0;
		*len = 1;
		return OK;
	}
	size_t at = 0;
	do {
		size_t label = at++; /* its length byte */
		while (*text != '.' && *text != '\0') {
			int c = parse_char(&text);
			/* One byte stays for the root label. */
			if (c < 0 || at >= DNAME_MAX - 1 || at - label > LABEL_MAX)
				return ERR_MALFORMED;
			out[at++] = (uint8_t)c;
		}
		if (at - label == 1)
			return ERR_MALFORMED; /* an empty label; or nothing at all */
		out[label] = (uint8_t)(at - label - 1);
		if (*text == '.')
			text++;
		if (*text != '\0' && at >= DNAME_MAX - 1)
			return ERR_MALFORMED;
	} while (*text != '\0');
	out[at] = 0;
	*len = at + 1;
	return OK;
}

const char *dname_text(const uint8_t *dname, char out[static DNAME_TEXT_MAX])
{
	/* 255 bytes have at most 250 of content at 4 characters each, and a dot per label. */
	static_assert(DNAME_TEXT_MAX > 250 * 4 + DNAME_LABELS_MAX / 25, "the longest name fits");
	char *to = out;

	if (*dname == 0)
		*to++ = '.';
	while (*dname) {
		const uint8_t *end = dname + 1 + *dname;
		for (dname++; dname < end; dname++) {
			if (*dname <= ' ' || *dname >= 0x7f) {
				to += snprintf(to, 5, "\\%03u", *dname);
				continue;
			}
			if (strchr(".\\\"();@$", *dname))
				*to++ = '\\';
			*to++ = (char)*dname;
		}
		*to++ = '.';
	}
	*to = '\0';
	return out;
}

bool dname_equal(const uint8_t *a, const uint8_t *b)
{
	size_t len = dname_len(a);
	return len == dname_len(b) && fold_equal(a, b, len);
}

/* Where each label of DNAME starts; the count of labels. */
static unsigned label_starts(const uint8_t *dname, uint8_t starts[static DNAME_LABELS_MAX])
{
	unsigned count = 0;
	for (unsigned at = 0; dname[at]; at += 1u + dname[at])
		starts[count++] = (uint8_t)at;
	return count;
}

/* RFC 4034 §6.1: labels are left-justified strings of folded bytes, absence sorts first. */
static int label_compare(const uint8_t *a, const uint8_t *b)
{
	size_t len = MIN(a[0], b[0]);
	int order = fold_compare(a + 1, b + 1, len);
	return order ? order : a[0] - b[0];
}

int dname_compare(const uint8_t *a, const uint8_t *b)
{
	uint8_t a_starts[DNAME_LABELS_MAX], b_starts[DNAME_LABELS_MAX];
	unsigned a_count = label_starts(a, a_starts), b_count = label_starts(b, b_starts);
	unsigned common = MIN(a_count, b_count);

	for (unsigned i = 1; i <= common; i++) {
		int order = label_compare(a + a_starts[a_count - i], b + b_starts[b_count - i]);
		if (order)
			return order;
	}
	return (int)a_count - (int)b_count;
}

/* CHILD's last part that is as long as PARENT, if it begins at a label; else NULL. */
static const uint8_t *tail_of_length(const uint8_t *child, size_t parent_len)
{
	size_t left = dname_len(child);
	while (left > parent_len) {
		size_t step = 1u + *child;
		child += step;
		left -= step;
	}
	return left == parent_len ? child : NULL;
}

bool dname_is_within(const uint8_t *child, const uint8_t *parent)
{
	size_t len = dname_len(parent);
	const uint8_t *tail = tail_of_length(child, len);
	return tail && fold_equal(tail, parent, len);
}

bool dname_is_below(const uint8_t *child, const uint8_t *parent)
{
	size_t len = dname_len(parent);
	const uint8_t *tail = tail_of_length(child, len);
	return tail && tail != child && fold_equal(tail, parent, len);
}

const uint8_t *dname_skip(const uint8_t *dname, unsigned count)
{
	for (; count > 0; count--) {
		REQUIRE(*dname);
		dname += 1 + *dname;
	}
	return dname;
}

unsigned dname_common_labels(const uint8_t *a, const uint8_t *b)
{
	uint8_t a_starts[DNAME_LABELS_MAX], b_starts[DNAME_LABELS_MAX];
	unsigned a_count = label_starts(a, a_starts), b_count = label_starts(b, b_starts);
	unsigned common = 0;

	while (common < a_count && common < b_count) {
		const uint8_t *a_label = a + a_starts[a_count - common - 1];
		const uint8_t *b_label = b + b_starts[b_count - common - 1];
		if (!fold_equal(a_label, b_label, 1u + MIN(*a_label, *b_label)))
			break;
		common++;
	}
	return common;
}

size_t dname_lower(const uint8_t *dname, uint8_t out[static DNAME_MAX])
{
	size_t len = dname_len(dname);
	fold_copy(dname, out, len);
	return len;
}

size_t dname_copy(const uint8_t *dname, uint8_t out[static DNAME_MAX])
{
	size_t len = dname_len(dname);
	memmove(out, dname, len);
	return len;
}

enum err dname_replace_suffix(const uint8_t *dname, const uint8_t *old, const uint8_t *new_suffix,
			      uint8_t out[static DNAME_MAX])
{
	if (!dname_is_below(dname, old))
		return ERR_NOT_FOUND;
	size_t prefix_len = dname_len(dname) - dname_len(old);
	size_t suffix_len = dname_len(new_suffix);
	/* RFC 6672 §2.2: a result that is too long is YXDOMAIN, for the caller to say. */
	if (prefix_len + suffix_len > DNAME_MAX)
		return ERR_NO_SPACE;
	memmove(out, dname, prefix_len);
	memcpy(out + prefix_len, new_suffix, suffix_len);
	return OK;
}

enum err dname_wildcard(const uint8_t *parent, uint8_t out[static DNAME_MAX])
{
	size_t len = dname_len(parent);
	if (len + 2 > DNAME_MAX)
		return ERR_NO_SPACE;
	memmove(out + 2, parent, len);
	out[0] = 1;
	out[1] = '*';
	return OK;
}

bool dname_is_wildcard(const uint8_t *dname)
{
	return dname[0] == 1 && dname[1] == '*';
}

size_t dname_key(const uint8_t *dname, uint8_t out[static DNAME_KEY_MAX])
{
	/* Each label ends with a zero, which sorts before all content: content's own 0 and 1 become
	 * 1 1 and 1 2. At worst 250 bytes of content double: 500, and one end for each label. */
	static_assert(DNAME_KEY_MAX >= 2 * 250 + 4, "the worst name has 4 labels of zeros");
	uint8_t starts[DNAME_LABELS_MAX];
	unsigned count = label_starts(dname, starts);
	uint8_t *to = out;

	while (count-- > 0) {
		const uint8_t *label = dname + starts[count];
		for (unsigned i = 1; i <= label[0]; i++) {
			uint8_t c = fold_byte(label[i]);
			if (c <= 1)
				*to++ = 1;
			*to++ = c <= 1 ? (uint8_t)(c + 1) : c;
		}
		*to++ = 0;
	}
	return (size_t)(to - out);
}
