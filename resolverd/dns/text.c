#include "dns/text.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/require.h"
#include "base/spare.h"
#include "dns/rdata.h"

enum {
	TEXT_TTL_S = 3600,	     /* for records that give none; they are configuration */
	TEXT_BLANKS_MAX = 100000000, /* lines without a record; ends a read that stalls */
	/* What libldns takes for a short record, but for buffers of 64 kB, which it looks at; below what
	 * malloc() has of the system for itself alone, and gives back at once (M_MMAP_THRESHOLD). */
	TEXT_MEMORY = 32 * 1024,
	RECORD_FACTOR = 8, /* of a long one's bytes, for its fields, each as data and as text */
};

/* libldns does not bear an allocation that fails (base/spare.h), be it for a record of few bytes. */
static bool has_memory(size_t len)
{
	return spare_is_there(TEXT_MEMORY + RECORD_FACTOR * len);
}

static enum err copy_rr(const ldns_rr *rr, struct arena *arena, struct text_record *out)
{
	const ldns_rdf *owner = ldns_rr_owner(rr);
	size_t owner_len;

	if (!owner ||
	    dname_view(span_of(ldns_rdf_data(owner), ldns_rdf_size(owner)), &owner_len) != OK)
		return ERR_MALFORMED;
	dname_copy(ldns_rdf_data(owner), out->owner);
	out->type = (uint16_t)ldns_rr_get_type(rr);
	out->rclass = (uint16_t)ldns_rr_get_class(rr);
	out->ttl_s = ldns_rr_ttl(rr);

	ldns_buffer *buffer = ldns_buffer_new(LDNS_MAX_PACKETLEN);
	if (!buffer)
		return ERR_NO_MEMORY;
	enum err err = ERR_MALFORMED;
	if (ldns_rr_rdata2buffer_wire(buffer, rr) == LDNS_STATUS_OK) {
		struct span rdata =
			span_of(ldns_buffer_begin(buffer), ldns_buffer_position(buffer));
		out->rdata = arena_copy(arena, rdata);
		if (!out->rdata.at)
			err = ERR_NO_MEMORY;
		else if (rdata_is_valid(out->type, out->rdata))
			err = OK;
	}
	ldns_buffer_free(buffer);
	return err;
}

enum err text_parse_record(const char *line, struct arena *arena, struct text_record *out)
{
	ldns_rr *rr = NULL;

	if (!has_memory(strlen(line)))
		return ERR_NO_MEMORY;
	ldns_status status = ldns_rr_new_frm_str(&rr, line, TEXT_TTL_S, NULL, NULL);
	if (status != LDNS_STATUS_OK || !rr)
		return status == LDNS_STATUS_MEM_ERR ? ERR_NO_MEMORY : ERR_MALFORMED;
	enum err err = copy_rr(rr, arena, out);
	ldns_rr_free(rr);
	return err;
}

/* Hand one record to FN, with an arena of its own. */
static enum err deliver(const ldns_rr *rr, text_record_fn *fn, void *context)
{
	struct arena arena;
	struct text_record record;

	arena_init(&arena, (size_t)2 * UINT16_MAX);
	enum err err = copy_rr(rr, &arena, &record);
	if (!err)
		err = fn(context, &record);
	arena_deinit(&arena);
	return err;
}

/* What stands between the records of a zone file. */
struct zone_state {
	uint32_t ttl_s;
	ldns_rdf *origin, *previous;
};

/* Read up to the end or the first error. */
static enum err read_records(FILE *file, struct zone_state *state, text_record_fn *fn,
			     void *context, int *line)
{
	unsigned records = 0, blanks = 0;

	while (!feof(file)) {
		ldns_rr *rr = NULL;
		enum err err;
		if (!has_memory(0))
			return ERR_NO_MEMORY;
		switch ((int)ldns_rr_new_frm_fp_l(&rr, file, &state->ttl_s, &state->origin,
						  &state->previous, line)) {
		case LDNS_STATUS_OK:
			err = ++records > TEXT_RECORDS_MAX ? ERR_LIMIT : deliver(rr, fn, context);
			ldns_rr_free(rr);
			if (err)
				return err;
			break;
		case LDNS_STATUS_SYNTAX_EMPTY:
		case LDNS_STATUS_SYNTAX_TTL:
		case LDNS_STATUS_SYNTAX_ORIGIN:
			if (++blanks > TEXT_BLANKS_MAX)
				return ERR_LIMIT;
			break;
		case LDNS_STATUS_MEM_ERR:
			return ERR_NO_MEMORY;
		default: /* $INCLUDE too: files are named in the configuration only */
			return ERR_MALFORMED;
		}
		if (ferror(file))
			return ERR_SYSTEM;
	}
	return OK;
}

static enum err read_zone(FILE *file, text_record_fn *fn, void *context, int *line)
{
	struct zone_state state = {.ttl_s = TEXT_TTL_S};

	*line = 1;
	if (!has_memory(0))
		return ERR_NO_MEMORY;
	state.origin = ldns_dname_new_frm_str(".");
	if (!state.origin)
		return ERR_NO_MEMORY;
	enum err err = read_records(file, &state, fn, context, line);
	ldns_rdf_deep_free(state.origin);
	ldns_rdf_deep_free(state.previous);
	return err;
}

enum err text_read_zone_text(const char *zone, text_record_fn *fn, void *context, int *line)
{
	size_t len = strlen(zone);
	*line = 0;
	if (len == 0)
		return OK;
	/* Opened for reading only: the text is not written to. */
	FILE *file = fmemopen((void *)(uintptr_t)zone, len, "r");
	if (!file)
		return ERR_NO_MEMORY;
	enum err err = read_zone(file, fn, context, line);
	fclose(file);
	return err;
}

/* Text that is cut with "..." where the room ends. */
struct text_out {
	char *at, *end; /* END: the last byte, kept for the terminator */
	bool cut;
};

static void text_add(struct text_out *out, const char *text)
{
	size_t len = strlen(text), room = (size_t)(out->end - out->at);
	if (len > room) {
		len = room;
		out->cut = true;
	}
	memcpy(out->at, text, len);
	out->at += len;
}

/* RFC 3597 §5. */
static void text_add_unknown(struct text_out *out, struct span rdata)
{
	char piece[24];
	snprintf(piece, sizeof(piece), "\\# %zu", rdata.len);
	text_add(out, piece);
	for (size_t i = 0; i < rdata.len && !out->cut; i++) {
		snprintf(piece, sizeof(piece), "%s%02x", i == 0 ? " " : "", rdata.at[i]);
		text_add(out, piece);
	}
}

/* An ldns record from RDATA, or NULL. The caller frees. */
static ldns_rr *rr_of_rdata(uint16_t type, struct span rdata)
{
	enum { HEAD_SIZE = 11 }; /* root owner, type, class, TTL, RDLENGTH */
	uint8_t *wire = malloc(HEAD_SIZE + rdata.len);
	ldns_rr *rr = NULL;
	size_t pos = 0;

	if (!wire || !has_memory(rdata.len)) {
		free(wire);
		return NULL;
	}
	struct writer w = writer_of(wire, HEAD_SIZE + rdata.len);
	writer_u8(&w, 0);
	writer_u16(&w, type);
	writer_u16(&w, LDNS_RR_CLASS_IN);
	writer_u32(&w, 0);
	writer_u16(&w, (uint16_t)rdata.len);
	writer_bytes(&w, rdata);
	if (ldns_wire2rr(&rr, wire, writer_len(&w), &pos, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK)
		rr = NULL;
	free(wire);
	return rr;
}

static void text_add_fields(struct text_out *out, const ldns_rr *rr)
{
	/* Field by field: ldns_rr2str() adds comments to keys. */
	for (size_t i = 0; i < ldns_rr_rd_count(rr) && !out->cut; i++) {
		char *text = ldns_rdf2str(ldns_rr_rdf(rr, i));
		if (i > 0)
			text_add(out, " ");
		text_add(out, text ? text : "?");
		free(text);
	}
}

const char *text_rdata(uint16_t type, struct span rdata, char *out, size_t size_bytes)
{
	REQUIRE(size_bytes > 3 && rdata.len <= UINT16_MAX);
	struct text_out to = {.at = out, .end = out + size_bytes - 1};

	ldns_rr *rr = NULL;
	if (type_info(type)->name && !type_is_meta(type) && rdata.len > 0 &&
	    rdata_is_valid(type, rdata))
		rr = rr_of_rdata(type, rdata);
	if (rr) {
		text_add_fields(&to, rr);
		ldns_rr_free(rr);
	} else {
		text_add_unknown(&to, rdata);
	}
	if (to.cut)
		memcpy(to.at - 3, "...", 3);
	*to.at = '\0';
	return out;
}
