#pragma once
/*
 * ASCII case folding of runs of bytes (RFC 4343 §3), eight at a time. The length bytes of a name
 * are at most 63 and letters begin at 65, so a whole name can be folded or compared as one run,
 * without looking at where its labels are.
 */
#include "base/span.h"

static inline uint8_t fold_byte(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Fold the capitals among 8 bytes. */
static inline uint64_t fold_word(uint64_t x)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t low7 = x & (0x7f * ones);
	uint64_t above_z = low7 + (0x7f - 'Z') * ones;
	uint64_t from_a = low7 + (0x80 - 'A') * ones;
	uint64_t upper = (from_a ^ above_z) & ~x & (0x80 * ones);
	return x | upper >> 2;
}

static inline uint64_t fold_load(const uint8_t *at)
{
	uint64_t x;
	memcpy(&x, at, sizeof(x));
	return x;
}

/* LEN bytes of A and B are equal but for case. */
static inline bool fold_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (; len >= 8; len -= 8, a += 8, b += 8) {
		if (fold_word(fold_load(a)) != fold_word(fold_load(b)))
			return false;
	}
	for (; len > 0; len--, a++, b++) {
		if (fold_byte(*a) != fold_byte(*b))
			return false;
	}
	return true;
}

/* Order of LEN folded bytes of A and B, as memcmp. */
static inline int fold_compare(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int difference = fold_byte(a[i]) - fold_byte(b[i]);
		if (difference)
			return difference;
	}
	return 0;
}

/* LEN folded bytes of FROM to OUT, which may be the same place. What is left behind the last whole
 * word goes with the word that ends there: folding twice is folding once. */
static inline void fold_copy(const uint8_t *from, uint8_t *out, size_t len)
{
	uint64_t x;
	if (len < sizeof(x)) {
		for (size_t i = 0; i < len; i++)
			out[i] = fold_byte(from[i]);
		return;
	}
	for (size_t i = 0; i + sizeof(x) <= len; i += sizeof(x)) {
		x = fold_word(fold_load(from + i));
		memcpy(out + i, &x, sizeof(x));
	}
	x = fold_word(fold_load(from + len - sizeof(x)));
	memcpy(out + len - sizeof(x), &x, sizeof(x));
}
