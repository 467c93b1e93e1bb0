#include "dns/rdata.h"

#include "base/cursor.h"
#include "base/require.h"
#include "dns/fold.h"

static ptrdiff_t name_len(struct span rest)
{
	size_t len;
	return dname_view(rest, &len) == OK ? (ptrdiff_t)len : RDATA_FIELD_MISSING;
}

static ptrdiff_t fixed_len(struct span rest, size_t len)
{
	return rest.len >= len ? (ptrdiff_t)len : RDATA_FIELD_MISSING;
}

ptrdiff_t rdata_field_len(enum rdata_field f, struct span rest)
{
	switch (f) {
	case RDATA_END:
		return 0;
	case RDATA_1:
		return fixed_len(rest, 1);
	case RDATA_2:
		return fixed_len(rest, 2);
	case RDATA_4:
		return fixed_len(rest, 4);
	case RDATA_6:
		return fixed_len(rest, 6);
	case RDATA_16:
		return fixed_len(rest, 16);
	case RDATA_STRING:
		return rest.len > 0 ? fixed_len(rest, 1u + rest.at[0]) : RDATA_FIELD_MISSING;
	case RDATA_NAME:
	case RDATA_NAME_PLAIN:
	case RDATA_NAME_AS_IS:
		return name_len(rest);
	case RDATA_REST:
		return (ptrdiff_t)rest.len;
	}
	return RDATA_FIELD_MISSING;
}

static bool field_is_name(enum rdata_field f)
{
	return f == RDATA_NAME || f == RDATA_NAME_PLAIN || f == RDATA_NAME_AS_IS;
}

/* RFC 4034 §6.2 (3), RFC 6840 §5.1. */
static bool field_is_folded(enum rdata_field f)
{
	return f == RDATA_NAME || f == RDATA_NAME_PLAIN;
}

static struct span span_skip(struct span s, size_t len)
{
	return span_of(s.at + len, s.len - len);
}

bool rdata_is_valid(uint16_t type, struct span rdata)
{
	const enum rdata_field *field = type_info(type)->layout;

	for (; *field != RDATA_END; field++) {
		ptrdiff_t len = rdata_field_len(*field, rdata);
		if (len < 0)
			return false;
		rdata = span_skip(rdata, (size_t)len);
	}
	return rdata.len == 0;
}

void rdata_canonical(uint16_t type, struct span rdata, uint8_t *out)
{
	const enum rdata_field *field = type_info(type)->layout;

	if (rdata.len > 0)
		memmove(out, rdata.at, rdata.len);
	for (; *field != RDATA_END; field++) {
		ptrdiff_t len = rdata_field_len(*field, rdata);
		if (len < 0)
			return; /* not TYPE's layout: bytes as they are */
		if (field_is_folded(*field))
			fold_copy(rdata.at, out, (size_t)len);
		rdata = span_skip(rdata, (size_t)len);
		out += len;
	}
}

/* Left-justified byte strings: memcmp, then the shorter one first. */
static int bytes_compare(struct span a, struct span b)
{
	size_t len = MIN(a.len, b.len);
	int order = len > 0 ? memcmp(a.at, b.at, len) : 0;
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

int rdata_compare(uint16_t type, struct span a, struct span b)
{
	/* Field by field: strings and names tell their own length at the front, so two that differ
	 * in length differ in a byte that both have, and the order is that of the whole. */
	const enum rdata_field *field = type_info(type)->layout;

	for (; *field != RDATA_END && *field != RDATA_REST; field++) {
		ptrdiff_t a_len = rdata_field_len(*field, a), b_len = rdata_field_len(*field, b);
		if (a_len < 0 || b_len < 0)
			break; /* not TYPE's layout: bytes as they are */
		size_t len = (size_t)MIN(a_len, b_len);
		int order = field_is_folded(*field) ? fold_compare(a.at, b.at, len)
						    : memcmp(a.at, b.at, len);
		if (order)
			return order;
		REQUIRE(a_len == b_len);
		a = span_skip(a, len);
		b = span_skip(b, len);
	}
	return bytes_compare(a, b);
}

const uint8_t *rdata_name(uint16_t type, struct span rdata)
{
	const enum rdata_field *field = type_info(type)->layout;

	for (; *field != RDATA_END; field++) {
		ptrdiff_t len = rdata_field_len(*field, rdata);
		if (len < 0)
			return NULL;
		if (field_is_name(*field))
			return rdata.at;
		rdata = span_skip(rdata, (size_t)len);
	}
	return NULL;
}

/* The uncompressed name next in R; NULL and a failed reader if there is none. */
static const uint8_t *reader_name(struct reader *r)
{
	size_t len;
	if (r->failed || dname_view(span_of(r->at, reader_left(r)), &len) != OK) {
		r->failed = true;
		return NULL;
	}
	return reader_bytes(r, len).at;
}

static struct span reader_rest(struct reader *r)
{
	return reader_bytes(r, reader_left(r));
}

static struct span reader_string(struct reader *r)
{
	uint8_t len = reader_u8(r);
	return reader_bytes(r, len);
}

enum err rdata_soa(struct span rdata, struct soa_view *out)
{
	struct reader r = reader_of(rdata);
	struct soa_view v;

	v.mname = reader_name(&r);
	v.rname = reader_name(&r);
	v.serial = reader_u32(&r);
	v.refresh_s = reader_u32(&r);
	v.retry_s = reader_u32(&r);
	v.expire_s = reader_u32(&r);
	v.minimum_s = reader_u32(&r);
	if (r.failed || reader_left(&r) > 0)
		return ERR_MALFORMED;
	*out = v;
	return OK;
}

enum err rdata_rrsig(struct span rdata, struct rrsig_view *out)
{
	struct reader r = reader_of(rdata);
	struct rrsig_view v;

	v.type_covered = reader_u16(&r);
	v.algorithm = reader_u8(&r);
	v.labels = reader_u8(&r);
	v.original_ttl_s = reader_u32(&r);
	v.expiration = reader_u32(&r);
	v.inception = reader_u32(&r);
	v.key_tag = reader_u16(&r);
	v.signer = reader_name(&r);
	v.signature = reader_rest(&r);
	if (r.failed)
		return ERR_MALFORMED;
	*out = v;
	return OK;
}

enum err rdata_ds(struct span rdata, struct ds_view *out)
{
	struct reader r = reader_of(rdata);
	struct ds_view v;

	v.key_tag = reader_u16(&r);
	v.algorithm = reader_u8(&r);
	v.digest_type = reader_u8(&r);
	v.digest = reader_rest(&r);
	if (r.failed)
		return ERR_MALFORMED;
	*out = v;
	return OK;
}

enum err rdata_dnskey(struct span rdata, struct dnskey_view *out)
{
	struct reader r = reader_of(rdata);
	struct dnskey_view v;

	v.flags = reader_u16(&r);
	v.protocol = reader_u8(&r);
	v.algorithm = reader_u8(&r);
	v.key = reader_rest(&r);
	if (r.failed)
		return ERR_MALFORMED;
	*out = v;
	return OK;
}

uint16_t rdata_dnskey_tag(struct span rdata)
{
	enum { ALGORITHM_OFFSET = 3, RSAMD5 = 1, KEY_OFFSET = 4, RSAMD5_KEY_MIN = 3 };

	if (rdata.len > ALGORITHM_OFFSET && rdata.at[ALGORITHM_OFFSET] == RSAMD5) {
		/* Appendix B.1: the middle of the modulus' last three bytes. */
		if (rdata.len < KEY_OFFSET + RSAMD5_KEY_MIN)
			return 0;
		const uint8_t *tail = rdata.at + rdata.len - RSAMD5_KEY_MIN;
		return (uint16_t)(tail[0] << 8 | tail[1]);
	}
	uint32_t sum = 0;
	for (size_t i = 0; i < rdata.len; i++)
		sum += i & 1 ? rdata.at[i] : (uint32_t)rdata.at[i] << 8;
	sum += sum >> 16 & 0xffff;
	return (uint16_t)sum;
}

enum { WINDOW_HEADER_SIZE = 2, WINDOW_BYTES_MAX = 32 };

/* RFC 4034 §4.1.2: windows in ascending order, each with 1 to 32 bytes. */
static bool bitmap_is_valid(struct span bitmap)
{
	int last_window = -1;
	while (bitmap.len > 0) {
		if (bitmap.len < WINDOW_HEADER_SIZE || bitmap.at[0] <= last_window)
			return false;
		last_window = bitmap.at[0];
		size_t len = bitmap.at[1];
		if (len == 0 || len > WINDOW_BYTES_MAX || bitmap.len - WINDOW_HEADER_SIZE < len)
			return false;
		bitmap = span_skip(bitmap, WINDOW_HEADER_SIZE + len);
	}
	return true;
}

bool rdata_bitmap_has(struct span bitmap, uint16_t type)
{
	uint8_t window = (uint8_t)(type >> 8), bit = (uint8_t)type;

	while (bitmap.len >= WINDOW_HEADER_SIZE) {
		size_t len = bitmap.at[1];
		if (bitmap.len - WINDOW_HEADER_SIZE < len || bitmap.at[0] > window)
			return false;
		if (bitmap.at[0] == window)
			return bit / 8u < len &&
			       (bitmap.at[WINDOW_HEADER_SIZE + bit / 8u] & 0x80 >> bit % 8u) != 0;
		bitmap = span_skip(bitmap, WINDOW_HEADER_SIZE + len);
	}
	return false;
}

enum err rdata_nsec(struct span rdata, struct nsec_view *out)
{
	struct reader r = reader_of(rdata);
	struct nsec_view v;

	v.next = reader_name(&r);
	v.bitmap = reader_rest(&r);
	if (r.failed || !bitmap_is_valid(v.bitmap))
		return ERR_MALFORMED;
	*out = v;
	return OK;
}

enum err rdata_nsec3(struct span rdata, struct nsec3_view *out)
{
	struct reader r = reader_of(rdata);
	struct nsec3_view v;

	v.algorithm = reader_u8(&r);
	v.flags = reader_u8(&r);
	v.iterations = reader_u16(&r);
	v.salt = reader_string(&r);
	v.next_hash = reader_string(&r);
	v.bitmap = reader_rest(&r);
	/* RFC 5155 §3.2: the hash is 1 to 255 bytes long. */
	if (r.failed || v.next_hash.len == 0 || !bitmap_is_valid(v.bitmap))
		return ERR_MALFORMED;
	*out = v;
	return OK;
}

static int base32hex_value(uint8_t letter)
{
	if (letter >= '0' && letter <= '9')
		return letter - '0';
	if (letter >= 'a' && letter <= 'v')
		return letter - 'a' + 10;
	if (letter >= 'A' && letter <= 'V')
		return letter - 'A' + 10;
	return -1;
}

bool rdata_nsec3_owner(const uint8_t *owner, uint8_t out[static NSEC3_HASH_SIZE])
{
	uint32_t bits = 0;
	unsigned bit_count = 0;
	size_t done = 0;

	if (owner[0] != NSEC3_LABEL_LEN)
		return false;
	for (size_t i = 1; i <= NSEC3_LABEL_LEN; i++) {
		int value = base32hex_value(owner[i]);
		if (value < 0)
			return false;
		bits = bits << 5 | (uint32_t)value;
		bit_count += 5;
		if (bit_count >= 8) {
			bit_count -= 8;
			out[done++] = (uint8_t)(bits >> bit_count);
		}
	}
	return true;
}
