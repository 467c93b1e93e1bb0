#pragma once
/*
 * Message builder with name compression (RFC 1035 §4.1.4; only names of RFC 1035 types are
 * compressed in RDATA, RFC 3597 §4). Writes into the caller's buffer; a record or set that does not
 * fit is rolled back whole and reported, so the caller decides about TC.
 */
#include "base/cursor.h"
#include "dns/message.h"
#include "dns/rrset.h"

/* Offsets remembered for compression: bounds the work and memory per message. */
enum { BUILDER_NAMES_MAX = 256 };

struct builder {
	uint8_t *wire;
	size_t len;
	size_t size; /* nothing is written past this; may be lowered or raised by the caller */
	uint16_t counts[4];			  /* question, answer, authority, additional */
	uint16_t name_offsets[BUILDER_NAMES_MAX]; /* where label sequences start, below 0x4000 */
	uint16_t name_count;
	/* Sticky: records were not what their type says, or sections went backwards. Our own bug,
	 * and what was built so far is no use to anybody; builder_init() sets it back. */
	bool broken;
};

/* Begin a message with ID and FLAGS. SIZE must be at least 12. */
void builder_init(struct builder *b, uint8_t *wire, size_t size, uint16_t id, uint16_t flags);

MUST_USE bool builder_question(struct builder *b, const uint8_t *qname, uint16_t qtype,
			       uint16_t qclass);

/* One record; false and no change if it does not fit, or B is broken. Sections must not go backwards. */
MUST_USE bool builder_record(struct builder *b, enum section section, const uint8_t *owner,
			     uint16_t type, uint16_t rclass, uint32_t ttl_s, struct span rdata);

/* A whole RRset, beginning at record FIRST (modulo the count, for round robin), with its signatures
 * if WITH_SIGS. All or nothing. TTL_S goes on every record. */
MUST_USE bool builder_rrset(struct builder *b, enum section section, const struct rrset *set,
			    uint32_t ttl_s, unsigned first, bool with_sigs);

/* The finished message; header counts are filled in. */
struct span builder_finish(struct builder *b);

/* Change the flags word. */
void builder_set_flags(struct builder *b, uint16_t flags);
