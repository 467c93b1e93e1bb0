#include "dns/message.h"

#include "base/cursor.h"
#include "base/require.h"
#include "dns/fold.h"
#include "dns/rdata.h"

enum {
	LABEL_LEN_MAX = 63,	 /* RFC 1035 §2.3.4 */
	POINTER_BITS = 0xc0,	 /* RFC 1035 §4.1.4 */
	POINTER_MAX = 0x3fff,	 /* same place: 14 bits of offset */
	POINTER_HIGH = 0x3f,	 /* of the first byte */
	RECORD_FIXED_SIZE = 10,	 /* type, class, TTL, RDLENGTH */
	QUESTION_FIXED_SIZE = 4, /* type, class */
	MEMO_FROM_SIZE = 4096,	 /* above this a message is checked with a run_memo */
};

static inline uint16_t load_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t load_u32(const uint8_t *at)
{
	return (uint32_t)load_u16(at) << 16 | load_u16(at + 2);
}

static inline size_t pointer_target(const uint8_t *at)
{
	return (size_t)(at[0] & POINTER_HIGH) << 8 | at[1];
}

/*
 * What is known of the runs of labels that pointers led to, by their offset: lets each be walked
 * once only. Without it a long message of pointers to one deep name costs a hundred times what it
 * should; for short ones it is not worth its 32 kB.
 */
struct run_memo {
	uint8_t len[POINTER_MAX + 1]; /* of the name that begins there, expanded; 0: not known */
	uint8_t pointers[POINTER_MAX + 1]; /* that are followed from there on */
};

struct name_walk {	   /* one name */
	unsigned total;	   /* bytes so far, with the root label */
	unsigned pointers; /* followed so far */
	uint16_t targets[MESSAGE_POINTERS_MAX];
	uint8_t totals[MESSAGE_POINTERS_MAX]; /* when the target was reached */
};

/* Note the jump to TARGET. False if there were too many. */
static bool walk_jump(struct name_walk *walk, size_t target)
{
	if (walk->pointers == MESSAGE_POINTERS_MAX)
		return false;
	walk->targets[walk->pointers] = (uint16_t)target;
	walk->totals[walk->pointers] = (uint8_t)walk->total;
	walk->pointers++;
	return true;
}

/* The walk came to its end, MORE pointers beyond what it followed itself. */
static enum err walk_finish(const struct name_walk *walk, struct run_memo *memo, unsigned more)
{
	unsigned pointers = walk->pointers + more;
	if (walk->total > DNAME_MAX || pointers > MESSAGE_POINTERS_MAX)
		return ERR_MALFORMED;
	for (unsigned i = 0; memo && i < walk->pointers; i++) {
		memo->len[walk->targets[i]] = (uint8_t)(walk->total - walk->totals[i] + 1);
		memo->pointers[walk->targets[i]] = (uint8_t)(pointers - i - 1);
	}
	return OK;
}

/*
 * Check the name at OFFSET, whose part in place must end before END; the length of that part goes
 * into LEN. MEMO may be NULL.
 *
 * A name is a run of labels, perhaps followed by a pointer to another run. That must start before
 * the run that points there, so there are no loops.
 */
static enum err name_check(struct span wire, struct run_memo *memo, size_t offset, size_t end,
			   size_t *len)
{
	struct name_walk walk; /* its arrays are filled as far as POINTERS says */
	size_t at = offset, run = offset;

	walk.total = 1;
	walk.pointers = 0;
	while (at < end) {
		uint8_t c = wire.at[at];
		if (c == 0) {
			if (walk.pointers == 0)
				*len = at + 1 - offset;
			return walk_finish(&walk, memo, 0);
		}
		if (c <= LABEL_LEN_MAX) {
			walk.total += 1u + c;
			if (walk.total > DNAME_MAX)
				return ERR_MALFORMED;
			at += 1u + c;
			continue;
		}
		if (c < POINTER_BITS || at + 1 >= end)
			return ERR_MALFORMED;
		if (walk.pointers == 0)
			*len = at + 2 - offset;
		at = pointer_target(wire.at + at);
		if (at >= run || at < MESSAGE_HEADER_SIZE || !walk_jump(&walk, at))
			return ERR_MALFORMED;
		if (memo && memo->len[at]) {
			walk.total += memo->len[at] - 1u;
			return walk_finish(&walk, memo, memo->pointers[at]);
		}
		run = at;
		end = wire.len;
	}
	return ERR_MALFORMED;
}

/* The first byte behind the checked name at AT. */
static inline size_t name_end(const uint8_t *wire, size_t at)
{
	while (wire[at] > 0 && wire[at] <= LABEL_LEN_MAX)
		at += 1u + wire[at];
	return at + (wire[at] ? 2 : 1);
}

/* RDATA from AT to END is what TYPE's layout says, to the last byte. */
static enum err rdata_check(struct span wire, struct run_memo *memo, uint16_t type, size_t at,
			    size_t end)
{
	const enum rdata_field *field = type_info(type)->layout;

	for (; *field != RDATA_END; field++) {
		if (*field == RDATA_NAME) {
			size_t len;
			enum err err = name_check(wire, memo, at, end, &len);
			if (err)
				return err;
			at += len;
			continue;
		}
		ptrdiff_t len = rdata_field_len(*field, span_of(wire.at + at, end - at));
		if (len < 0)
			return ERR_MALFORMED;
		at += (size_t)len;
	}
	return at == end ? OK : ERR_MALFORMED;
}

static enum err header_view(struct span wire, struct message *out)
{
	*out = (struct message){.wire = wire};
	if (wire.len < MESSAGE_HEADER_SIZE)
		return ERR_MALFORMED;
	out->id = load_u16(wire.at);
	out->flags = load_u16(wire.at + 2);
	out->question_count = load_u16(wire.at + 4);
	for (size_t i = 0; i < SECTION_COUNT; i++)
		out->counts[i] = load_u16(wire.at + 6 + 2 * i);
	out->records_offset = MESSAGE_HEADER_SIZE;
	return wire.len > MESSAGE_MAX ? ERR_MALFORMED : OK;
}

enum err message_view_question(struct span wire, struct message *out)
{
	enum err err = header_view(wire, out);
	if (err || out->question_count == 0)
		return err;
	if (out->question_count > 1)
		return ERR_MALFORMED; /* RFC 9619 §4 */

	/* A pointer would have nothing to point to yet, so an uncompressed name it must be. */
	struct span rest = span_of(wire.at + MESSAGE_HEADER_SIZE, wire.len - MESSAGE_HEADER_SIZE);
	size_t len;
	err = dname_view(rest, &len);
	if (err)
		return err;
	if (rest.len - len < QUESTION_FIXED_SIZE)
		return ERR_MALFORMED;
	out->qname_offset = MESSAGE_HEADER_SIZE;
	out->qname_len = (uint16_t)len;
	out->qtype = load_u16(rest.at + len);
	out->qclass = load_u16(rest.at + len + 2);
	out->records_offset = (uint16_t)(MESSAGE_HEADER_SIZE + len + QUESTION_FIXED_SIZE);
	return OK;
}

/* Note what OPT and TSIG records mean for the message. */
static enum err pseudo_check(struct message *m, unsigned section, uint16_t type, size_t offset)
{
	if (type == TYPE_OPT) {
		if (section != SECTION_ADDITIONAL)
			return ERR_MALFORMED; /* RFC 6891 §6.1.1 */
		if (m->opt_count++ == 0)
			m->opt_offset = (uint16_t)offset;
	}
	if (type == TYPE_TSIG && section == SECTION_ADDITIONAL)
		m->has_tsig = true;
	return OK;
}

/* The record at OFFSET is not what its type says. */
static enum err pass_over(struct message *m, size_t offset)
{
	if (m->unfit_count == ARRAY_LEN(m->unfit))
		return ERR_MALFORMED;
	m->unfit[m->unfit_count++] = (uint16_t)offset;
	return OK;
}

static bool is_unfit(const struct message *m, uint16_t offset)
{
	for (unsigned i = 0; i < m->unfit_count; i++)
		if (m->unfit[i] == offset)
			return true;
	return false;
}

/* Check the record at *OFFSET and move behind it. */
static enum err record_check(struct message *m, struct run_memo *memo, unsigned section,
			     size_t *offset)
{
	struct span wire = m->wire;
	size_t owner_len, start = *offset;
	enum err err = name_check(wire, memo, start, wire.len, &owner_len);
	if (err)
		return err;

	size_t at = start + owner_len;
	if (wire.len - at < RECORD_FIXED_SIZE)
		return ERR_MALFORMED;
	uint16_t type = load_u16(wire.at + at);
	uint16_t rdata_len = load_u16(wire.at + at + 8);
	at += RECORD_FIXED_SIZE;
	if (wire.len - at < rdata_len)
		return ERR_MALFORMED;
	err = pseudo_check(m, section, type, start);
	if (err)
		return err;
	*offset = at + rdata_len;
	return rdata_check(wire, memo, type, at, *offset) == OK ? OK : pass_over(m, start);
}

/* Every record; what follows the last one is left to the caller: *END is there. */
static enum err records_check(struct message *m, struct run_memo *memo, size_t *end)
{
	size_t offset = m->records_offset;

	for (unsigned section = 0; section < SECTION_COUNT; section++) {
		for (unsigned i = 0; i < m->counts[section]; i++) {
			enum err err = record_check(m, memo, section, &offset);
			if (err)
				return err;
		}
	}
	*end = offset;
	return OK;
}

/* Apart, so that only long messages pay for the room on the stack. */
static __attribute__((noinline)) enum err records_check_long(struct message *m, size_t *end)
{
	struct run_memo memo;
	memset(memo.len, 0, sizeof(memo.len));
	return records_check(m, &memo, end);
}

/* All but the bytes behind the last record, which begin at *END. */
static enum err records_view(struct span wire, struct message *out, size_t *end)
{
	enum err err = message_view_question(wire, out);
	if (err)
		return err;
	if (out->counts[0] + out->counts[1] + out->counts[2] > MESSAGE_RECORDS_MAX)
		return ERR_LIMIT;
	return wire.len > MEMO_FROM_SIZE ? records_check_long(out, end)
					 : records_check(out, NULL, end);
}

enum err message_view(struct span wire, struct message *out)
{
	size_t end = 0;
	enum err err = records_view(wire, out, &end);
	if (err == OK && (end != wire.len || out->unfit_count > 0))
		err = ERR_MALFORMED;
	out->checked = !err;
	return err;
}

enum err message_view_reply(struct span wire, struct message *out)
{
	size_t end = 0;
	enum err err = records_view(wire, out, &end);
	if (err == OK)
		out->wire.len = end;
	out->checked = !err;
	return err;
}

struct record_iter record_iter_of(const struct message *m)
{
	REQUIRE(m->checked); /* records are read without looking where they end */
	return (struct record_iter){
		.message = m,
		.offset = m->records_offset,
		.section = SECTION_ANSWER,
		.left = m->counts[SECTION_ANSWER],
	};
}

static inline bool record_take(struct record_iter *it, struct record *out)
{
	while (it->left == 0) {
		if (it->section + 1 >= SECTION_COUNT)
			return false;
		it->left = it->message->counts[++it->section];
	}
	it->left--;

	const uint8_t *wire = it->message->wire.at;
	size_t at = name_end(wire, it->offset);
	uint32_t ttl_s = load_u32(wire + at + 4);
	*out = (struct record){
		.owner_offset = (uint16_t)it->offset,
		.type = load_u16(wire + at),
		.rclass = load_u16(wire + at + 2),
		.ttl_s = ttl_s > INT32_MAX ? 0 : ttl_s, /* RFC 2181 §8 */
		.rdata_offset = (uint16_t)(at + RECORD_FIXED_SIZE),
		.rdata_len = load_u16(wire + at + 8),
		.section = (uint8_t)it->section,
	};
	it->offset = at + RECORD_FIXED_SIZE + out->rdata_len;
	return true;
}

bool record_next(struct record_iter *it, struct record *out)
{
	do {
		if (!record_take(it, out))
			return false;
	} while (UNLIKELY(it->message->unfit_count > 0) &&
		 is_unfit(it->message, out->owner_offset));
	return true;
}

/* The label at *AT of a checked name, pointers followed; *AT moves behind it. Ends with the empty
 * label. The REQUIREs catch an offset that no view has checked: behind it memory would be read that
 * is not the message's, or for ever. */
static inline struct span name_label(struct span wire, size_t *at)
{
	REQUIRE(*at < wire.len);
	while (wire.at[*at] >= POINTER_BITS) {
		size_t target = pointer_target(wire.at + *at);
		REQUIRE(target < *at);
		*at = target;
	}
	struct span label = span_of(wire.at + *at, 1u + wire.at[*at]);
	*at += label.len;
	return label;
}

size_t message_name(const struct message *m, size_t offset, uint8_t out[static DNAME_MAX])
{
	size_t len = 0;
	struct span label;
	do {
		label = name_label(m->wire, &offset);
		REQUIRE(len + label.len <= DNAME_MAX && offset <= m->wire.len);
		memcpy(out + len, label.at, label.len);
		len += label.len;
	} while (label.len > 1);
	return len;
}

bool message_name_equal(const struct message *m, size_t offset, const uint8_t *dname)
{
	struct span label;
	do {
		label = name_label(m->wire, &offset);
		if (label.at[0] != dname[0] || !fold_equal(label.at, dname, label.len))
			return false;
		dname += label.len;
	} while (label.len > 1);
	return true;
}

bool message_name_equal_case(const struct message *m, size_t offset, const uint8_t *dname)
{
	struct span label;
	do {
		label = name_label(m->wire, &offset);
		if (label.at[0] != dname[0] || memcmp(label.at, dname, label.len) != 0)
			return false;
		dname += label.len;
	} while (label.len > 1);
	return true;
}

/* Write the RDATA of R, expanded, to OUT. */
static void rdata_expand(const struct message *m, const struct record *r, struct writer *out)
{
	size_t at = r->rdata_offset, end = at + r->rdata_len;
	const enum rdata_field *field = type_info(r->type)->layout;

	for (; *field != RDATA_END; field++) {
		if (*field == RDATA_NAME) {
			uint8_t name[DNAME_MAX];
			writer_bytes(out, span_of(name, message_name(m, at, name)));
			at = name_end(m->wire.at, at);
			continue;
		}
		ptrdiff_t len = rdata_field_len(*field, span_of(m->wire.at + at, end - at));
		if (len < 0) { /* no view has checked it; the caller's writer tells */
			out->failed = true;
			return;
		}
		writer_bytes(out, span_of(m->wire.at + at, (size_t)len));
		at += (size_t)len;
	}
}

size_t message_rdata_len(const struct message *m, const struct record *r)
{
	size_t at = r->rdata_offset, end = at + r->rdata_len, total = r->rdata_len;
	const enum rdata_field *field = type_info(r->type)->layout;

	for (; *field != RDATA_END; field++) {
		if (*field == RDATA_NAME) {
			uint8_t name[DNAME_MAX];
			size_t next = name_end(m->wire.at, at);
			total = total + message_name(m, at, name) - (next - at);
			at = next;
			continue;
		}
		ptrdiff_t len = rdata_field_len(*field, span_of(m->wire.at + at, end - at));
		if (len < 0)
			break; /* message_rdata() says so */
		at += (size_t)len;
	}
	return total;
}

enum err message_rdata(const struct message *m, const struct record *r, uint8_t *out,
		       size_t size_bytes, size_t *len)
{
	/* Expanded names may make RDATA longer than its length field can say. */
	struct writer w = writer_of(out, MIN(size_bytes, UINT16_MAX));
	rdata_expand(m, r, &w);
	if (w.failed)
		return ERR_NO_SPACE;
	*len = writer_len(&w);
	return OK;
}

/* Does R begin another RRset than the one of OWNER and TYPE? Signatures belong to what they cover. */
static bool begins_set(const struct message *m, const struct record *r, const struct record *last,
		       const uint8_t *owner)
{
	if (r->section != last->section || !message_name_equal(m, r->owner_offset, owner))
		return true;
	return r->type != last->type && r->type != TYPE_RRSIG;
}

size_t message_cut(const struct message *m, size_t limit_bytes,
		   uint16_t counts[static SECTION_COUNT])
{
	uint16_t seen[SECTION_COUNT] = {0};
	uint8_t owner[DNAME_MAX] = {0};
	struct record r, last = {.section = SECTION_COUNT};
	struct record_iter it = record_iter_of(m);
	size_t cut = m->records_offset;

	while (record_next(&it, &r)) {
		if (begins_set(m, &r, &last, owner)) {
			cut = r.owner_offset;
			memcpy(counts, seen, sizeof(seen));
			message_name(m, r.owner_offset, owner);
		}
		if ((size_t)r.rdata_offset + r.rdata_len > limit_bytes)
			break;
		seen[r.section]++;
		last = r;
	}
	return cut;
}
