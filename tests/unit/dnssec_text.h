#pragma once
/*
 * Records from presentation form, for the tests of dnssec/. What does not parse fails the test.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "dns/proven.h"
#include "dns/text.h"

enum { LINES_MAX = 32 };

static inline struct text_record parse_line(struct arena *arena, const char *line)
{
	struct text_record record;
	if (text_parse_record(line, arena, &record) != OK)
		require_failed(__FILE__, __LINE__, line);
	return record;
}

static inline const uint8_t *parse_name(struct arena *arena, const char *text)
{
	size_t len;
	uint8_t *name = arena_alloc(arena, DNAME_MAX);
	REQUIRE(name && dname_parse(text, name, &len) == OK);
	return name;
}

/* One RRset from LINES, separated by newlines. */
static inline struct rrset parse_set(struct arena *arena, const char *lines)
{
	struct span rdatas[LINES_MAX];
	struct rrset set;
	struct text_record record = {0};
	size_t count = 0;
	char *copy = strdup(lines), *rest = copy;
	REQUIRE(copy);
	for (char *line; count < LINES_MAX && (line = strsep(&rest, "\n"));) {
		record = parse_line(arena, line);
		rdatas[count++] = record.rdata;
	}
	free(copy);
	struct span owner = arena_copy(arena, span_of(record.owner, dname_len(record.owner)));
	REQUIRE(owner.at && rrset_from_rdatas(owner.at, record.type, record.ttl_s, rdatas, count,
					      arena, &set) == OK);
	return set;
}

/* Put the RRSIG RDATA behind those that SET has. */
static inline void add_signature(struct arena *arena, struct rrset *set, struct span rdata)
{
	uint16_t len = (uint16_t)rdata.len;
	uint8_t *sigs = arena_alloc(arena, set->sigs.len + sizeof(len) + len);
	REQUIRE(sigs);
	if (set->sigs.len > 0)
		memcpy(sigs, set->sigs.at, set->sigs.len);
	memcpy(sigs + set->sigs.len, &len, sizeof(len));
	memcpy(sigs + set->sigs.len + sizeof(len), rdata.at, len);
	set->sigs = span_of(sigs, set->sigs.len + sizeof(len) + len);
	set->sig_count++;
}

/* An RRSIG as the signer of SET would make it, but for the signature; LABELS_OFF shifts the labels it
 * claims. */
static inline void sign_in_place(struct arena *arena, struct rrset *set, const uint8_t *signer,
				 int labels_off)
{
	uint8_t sig[18 + DNAME_MAX + 1];
	struct writer w = writer_of(sig, sizeof(sig));
	unsigned labels = dname_label_count(set->owner) - (dname_is_wildcard(set->owner) ? 1 : 0);
	writer_u16(&w, set->type);
	writer_u8(&w, 13);
	writer_u8(&w, (uint8_t)((int)labels + labels_off));
	for (int i = 0; i < 7; i++)
		writer_u16(&w, 0);
	writer_bytes(&w, span_of(signer, dname_len(signer)));
	writer_u8(&w, 0);
	REQUIRE(!w.failed);
	add_signature(arena, set, writer_span(&w));
}

/* SET as if its first signature had been verified. */
static inline struct proven as_proven(const struct rrset *set)
{
	struct proven proven;
	REQUIRE(proven_again(set, &proven) == OK);
	return proven;
}
