#pragma once
/*
 * Cursors over bytes with a sticky error: read or write a run of fields, test once at the end.
 * A failed read yields zero and an empty span, never garbage; a failed write writes nothing more.
 * All integers are big-endian (network order).
 */
#include "base/require.h"
#include "base/span.h"

struct reader {
	const uint8_t *at; /* next byte */
	const uint8_t *end;
	bool failed; /* sticky */
};

static inline struct reader reader_of(struct span bytes)
{
	/* Not even nothing may be added to NULL. */
	return (struct reader){.at = bytes.at, .end = bytes.len ? bytes.at + bytes.len : bytes.at};
}

static inline size_t reader_left(const struct reader *r)
{
	return r->failed ? 0 : (size_t)(r->end - r->at);
}

/* The next LEN bytes (borrowed), or an empty span and a failed reader. */
static inline struct span reader_bytes(struct reader *r, size_t len)
{
	if (reader_left(r) < len) {
		r->failed = true;
		return (struct span){0};
	}
	struct span out = span_of(r->at, len);
	r->at += len;
	return out;
}

static inline uint8_t reader_u8(struct reader *r)
{
	struct span s = reader_bytes(r, 1);
	return s.at ? s.at[0] : 0;
}

static inline uint16_t reader_u16(struct reader *r)
{
	struct span s = reader_bytes(r, 2);
	return s.at ? (uint16_t)(s.at[0] << 8 | s.at[1]) : 0;
}

static inline uint32_t reader_u32(struct reader *r)
{
	struct span s = reader_bytes(r, 4);
	return s.at ? (uint32_t)s.at[0] << 24 | (uint32_t)s.at[1] << 16 | (uint32_t)s.at[2] << 8 |
			       s.at[3]
		    : 0;
}

struct writer {
	uint8_t *at; /* next byte */
	uint8_t *end;
	uint8_t *start;
	bool failed; /* sticky */
};

static inline struct writer writer_of(uint8_t *buffer, size_t size_bytes)
{
	return (struct writer){.at = buffer, .end = buffer + size_bytes, .start = buffer};
}

static inline size_t writer_len(const struct writer *w)
{
	return (size_t)(w->at - w->start);
}

static inline size_t writer_left(const struct writer *w)
{
	return w->failed ? 0 : (size_t)(w->end - w->at);
}

static inline struct span writer_span(const struct writer *w)
{
	return span_of(w->start, writer_len(w));
}

/* Room for LEN bytes to be filled by the caller, or NULL and a failed writer. */
static inline uint8_t *writer_reserve(struct writer *w, size_t len)
{
	if (writer_left(w) < len) {
		w->failed = true;
		return NULL;
	}
	uint8_t *out = w->at;
	w->at += len;
	return out;
}

static inline void writer_bytes(struct writer *w, struct span bytes)
{
	uint8_t *out = writer_reserve(w, bytes.len);
	REQUIRE(bytes.at || bytes.len == 0);
	if (out && bytes.len > 0)
		memcpy(out, bytes.at, bytes.len);
}

static inline void writer_u8(struct writer *w, uint8_t value)
{
	uint8_t *out = writer_reserve(w, 1);
	if (out)
		out[0] = value;
}

static inline void writer_u16(struct writer *w, uint16_t value)
{
	uint8_t *out = writer_reserve(w, 2);
	if (out) {
		out[0] = (uint8_t)(value >> 8);
		out[1] = (uint8_t)value;
	}
}

static inline void writer_u32(struct writer *w, uint32_t value)
{
	uint8_t *out = writer_reserve(w, 4);
	if (out) {
		out[0] = (uint8_t)(value >> 24);
		out[1] = (uint8_t)(value >> 16);
		out[2] = (uint8_t)(value >> 8);
		out[3] = (uint8_t)value;
	}
}
