#include "resolve/trace.h"

#include <stdlib.h>

#include "resolve/limits.h"

/*
 * A step is a head of fixed size, then what its `parts` name: the value, a name, an address, a text.
 */
enum {
	PART_VALUE = 1,
	PART_NAME = 2,
	PART_SERVER = 4,
	PART_TEXT = 8,
	HEAD_SIZE = 11,
	ADDRESS4_SIZE = 1 + 2 + 4,
	ADDRESS6_SIZE = 1 + 2 + 4 + 16,
	TEXT_MAX = 200,
	STEP_MAX = HEAD_SIZE + 4 + 1 + DNAME_MAX + ADDRESS6_SIZE + 1 + TEXT_MAX,
	FIRST_BYTES = 512, /* most answers need no more */
};

void trace_begin(struct trace *t, uint64_t mono_us)
{
	*t = (struct trace){.on = true, .began_us = mono_us};
}

void trace_deinit(struct trace *t)
{
	free(t->bytes);
	*t = (struct trace){0};
}

static bool make_room(struct trace *t, size_t size)
{
	size_t capacity = t->capacity > 0 ? t->capacity : FIRST_BYTES;
	if (t->len + size <= t->capacity)
		return true;
	while (capacity < t->len + size)
		capacity *= 2;
	if (capacity > LIMIT_TRACE_BYTES)
		return false;
	uint8_t *bytes = realloc(t->bytes, capacity);
	if (!bytes)
		return false;
	t->bytes = bytes;
	t->capacity = (uint32_t)capacity;
	return true;
}

static void write_server(struct writer *w, const struct endpoint *e)
{
	writer_u8(w, e->family);
	writer_u16(w, e->port);
	if (e->family == 6)
		writer_u32(w, e->scope_id);
	writer_bytes(w, span_of(e->addr, e->family == 4 ? 4 : 16));
}

static void write_step(struct writer *w, const struct trace_step *s, uint32_t at_us)
{
	size_t text_len = MIN(s->text.len, (size_t)TEXT_MAX);
	unsigned parts = (s->value ? PART_VALUE : 0u) | (s->name ? PART_NAME : 0u) |
			 (s->server ? PART_SERVER : 0u) | (text_len > 0 ? PART_TEXT : 0u);
	writer_u8(w, (uint8_t)s->kind);
	writer_u8(w, (uint8_t)parts);
	writer_u8(w, s->question);
	writer_u8(w, s->number);
	writer_u8(w, (uint8_t)s->code);
	writer_u16(w, s->type);
	writer_u32(w, at_us);
	if (s->value)
		writer_u32(w, s->value);
	if (s->name)
		writer_bytes(w, span_of(s->name, dname_len(s->name)));
	if (s->server)
		write_server(w, s->server);
	if (text_len > 0) {
		writer_u8(w, (uint8_t)text_len);
		writer_bytes(w, span_of(s->text.at, text_len));
	}
}

void trace_add(struct trace *t, uint64_t mono_us, const struct trace_step *step)
{
	uint8_t room[STEP_MAX];
	struct writer w = writer_of(room, sizeof(room));
	if (!t->on)
		return;
	write_step(&w, step, (uint32_t)MIN(mono_us - t->began_us, (uint64_t)UINT32_MAX));
	REQUIRE(!w.failed);
	/* Once one is missing, all that follow are: what is there has no holes. */
	if (t->lost > 0 || !make_room(t, writer_len(&w))) {
		t->lost = (uint16_t)MIN(t->lost + 1, UINT16_MAX);
		return;
	}
	memcpy(t->bytes + t->len, room, writer_len(&w));
	t->len += (uint32_t)writer_len(&w);
}

struct trace_reader trace_reader_of(struct span bytes)
{
	return (struct trace_reader){.in = reader_of(bytes)};
}

static const uint8_t *read_name(struct reader *in)
{
	struct span rest = span_of(in->at, reader_left(in));
	size_t len = 0;
	while (len < rest.len && rest.at[len] != 0)
		len += 1u + rest.at[len];
	return reader_bytes(in, len + 1).at;
}

static void read_server(struct reader *in, struct endpoint *out)
{
	uint8_t family = reader_u8(in);
	uint16_t port = reader_u16(in);
	uint32_t scope_id = family == 6 ? reader_u32(in) : 0;
	*out = endpoint_of(reader_bytes(in, family == 4 ? 4 : 16), port);
	out->scope_id = scope_id;
}

bool trace_next(struct trace_reader *r, struct trace_step *out)
{
	struct reader *in = &r->in;
	*out = (struct trace_step){.kind = reader_u8(in)};
	unsigned parts = reader_u8(in);
	out->question = reader_u8(in);
	out->number = reader_u8(in);
	out->code = reader_u8(in);
	out->type = reader_u16(in);
	out->at_us = reader_u32(in);
	if (parts & PART_VALUE)
		out->value = reader_u32(in);
	if (parts & PART_NAME)
		out->name = read_name(in);
	if (parts & PART_SERVER) {
		read_server(in, &r->server);
		out->server = &r->server;
	}
	if (parts & PART_TEXT)
		out->text = reader_bytes(in, reader_u8(in));
	return !in->failed && out->kind < TRACE_KIND_COUNT;
}
