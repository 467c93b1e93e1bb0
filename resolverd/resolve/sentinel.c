#include "resolve/sentinel.h"

#include "dns/fold.h"
#include "dns/types.h"

enum { TAG_DIGITS = 5 };

/* LABEL, its length in front, is PREFIX in any case and five digits of a key tag, into *TAG. */
static bool read_label(const uint8_t *label, const char *prefix, uint16_t *tag)
{
	size_t prefix_len = strlen(prefix);
	uint32_t value = 0;
	if (label[0] != prefix_len + TAG_DIGITS)
		return false;
	for (size_t i = 0; i < prefix_len; i++)
		if (fold_byte(label[1 + i]) != (uint8_t)prefix[i])
			return false;
	for (size_t i = 0; i < TAG_DIGITS; i++) {
		uint8_t digit = label[1 + prefix_len + i];
		if (digit < '0' || digit > '9')
			return false;
		value = 10 * value + (digit - '0');
	}
	*tag = (uint16_t)value;
	return value <= UINT16_MAX; /* RFC 8509 §2: what is no tag makes no sentinel */
}

static const struct anchor *find_root(const struct settings *s)
{
	for (size_t i = 0; i < s->anchor_count; i++)
		if (s->anchors[i].zone[0] == 0)
			return &s->anchors[i];
	return NULL;
}

static bool trusts_tag(const struct anchor *root, uint16_t tag)
{
	uint16_t tags[ANCHOR_KEYS_MAX];
	size_t count = anchor_tags(root, tags, ARRAY_LEN(tags));
	for (size_t i = 0; i < count; i++)
		if (tags[i] == tag)
			return true;
	return false;
}

bool sentinel_withholds(const struct settings *s, const uint8_t *qname, uint16_t qtype)
{
	const struct anchor *root = find_root(s);
	uint16_t tag;
	if (!s->dnssec || !root || (qtype != TYPE_A && qtype != TYPE_AAAA))
		return false;
	if (read_label(qname, "root-key-sentinel-is-ta-", &tag))
		return !trusts_tag(root, tag);
	if (read_label(qname, "root-key-sentinel-not-ta-", &tag))
		return trusts_tag(root, tag);
	return false;
}
