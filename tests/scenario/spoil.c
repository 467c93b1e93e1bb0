#include "scenario/scene.h"

enum {
	TRAILING_SIZE = 7,
	RECORD_FIXED_SIZE = 10,	 /* type, class, TTL, RDLENGTH */
	QUESTION_CLASS_BACK = 2, /* from where the records begin */
	CLASS_BACK = 8,		 /* from where RDATA begins */
	COUNTS_AT = 4,		 /* in the header, two bytes each, the questions' first */
};

static void store_u16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static struct message view(uint8_t *wire, size_t len)
{
	struct message m;
	REQUIRE(message_view(span_of(wire, len), &m) == OK);
	return m;
}

/* Call the first record one of TYPE. */
static void mistype(uint8_t *wire, size_t len, uint16_t type)
{
	struct message m = view(wire, len);
	struct record_iter it = record_iter_of(&m);
	struct record rec;
	REQUIRE(record_next(&it, &rec));
	store_u16(wire + rec.rdata_offset - RECORD_FIXED_SIZE, type);
}

/* All records but OPT are of CLASS. */
static void reclass(uint8_t *wire, size_t len, uint16_t rclass)
{
	struct message m = view(wire, len);
	struct record_iter it = record_iter_of(&m);
	struct record rec;
	while (record_next(&it, &rec))
		if (rec.type != TYPE_OPT)
			store_u16(wire + rec.rdata_offset - CLASS_BACK, rclass);
}

static void miscount(uint8_t *wire, enum section section, int by)
{
	uint8_t *at = wire + COUNTS_AT + 2 * (1 + (size_t)section);
	store_u16(at, (uint16_t)((at[0] << 8 | at[1]) + by));
}

struct span scene_spoil(const struct scene_spoils *how, uint16_t qtype, struct span packet,
			uint8_t *wire, size_t size_bytes)
{
	size_t len = packet.len;
	if (how->mistyped)
		mistype(wire, len, qtype);
	if (how->rclass)
		reclass(wire, len, how->rclass);
	if (how->question_class) {
		struct message m = view(wire, len);
		store_u16(wire + m.records_offset - QUESTION_CLASS_BACK, how->question_class);
	}
	for (unsigned section = 0; section < SECTION_COUNT; section++)
		miscount(wire, (enum section)section, how->miscounts[section]);
	if (how->trailing) {
		REQUIRE(len + TRAILING_SIZE <= size_bytes);
		memset(wire + len, 0xa5, TRAILING_SIZE);
		len += TRAILING_SIZE;
	}
	return span_of(wire, len);
}
