#pragma once
/*
 * A view of a DNS message in place: nothing is copied or allocated. message_view() checks the whole
 * message once (every name, count and length), so that iterating afterwards cannot fail.
 *
 * Compression pointers may only point backwards, before the name that holds them, and at most
 * MESSAGE_POINTERS_MAX of them are followed for one name.
 */
#include "base/err.h"
#include "base/span.h"
#include "dns/dname.h"
#include "dns/types.h"

enum {
	MESSAGE_HEADER_SIZE = 12,
	MESSAGE_MAX = 65535,
	MESSAGE_POINTERS_MAX = 128, /* a name has up to 127 labels; a pointer each is plenty */
	MESSAGE_RECORDS_MAX = 8192, /* 64 kB hold 5,957 of the smallest records (11 bytes) */
	MESSAGE_UNFIT_MAX = 8,	    /* a server's slip; who sends more sends rubbish */
};

enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL, SECTION_COUNT };

struct message {
	struct span wire;
	uint16_t id;
	uint16_t flags; /* second header word as it stands */
	uint16_t question_count;
	uint16_t counts[SECTION_COUNT];
	uint16_t qname_offset;	 /* of the first question; 0 without */
	uint16_t qname_len;	 /* as it stands on the wire (with pointer if compressed) */
	uint16_t qtype, qclass;	 /* of the first question */
	uint16_t records_offset; /* first byte behind the question section */
	uint16_t opt_offset;	 /* of the OPT record's owner; 0: none */
	uint16_t opt_count;	 /* OPT records in the additional section */
	uint16_t unfit
		[MESSAGE_UNFIT_MAX]; /* owners of records whose RDATA is not what their type says */
	uint8_t unfit_count;
	bool has_tsig;
	bool checked; /* by message_view(): records may be walked */
};

struct record {
	uint16_t owner_offset; /* into the message */
	uint16_t type, rclass;
	uint32_t ttl_s; /* as it stands; values with the top bit set are 0 (RFC 2181 §8) */
	uint16_t rdata_offset, rdata_len;
	uint8_t section; /* enum section */
};

struct record_iter {
	const struct message *message;
	size_t offset;
	unsigned section, left; /* left in this section */
};

/* Header and question only: enough for a query's fast path. ERR_MALFORMED if shorter than a header,
 * if the question does not parse, or if there are several (RFC 9619). OUT is usable for an error
 * reply (id, flags) whenever at least 12 bytes were there. */
MUST_USE enum err message_view_question(struct span wire, struct message *out);

/* The whole message: all names, lengths and counts agree, embedded names of known types parse
 * within their RDATA, nothing follows the last record. ERR_MALFORMED, or ERR_LIMIT. As above for
 * OUT on error. */
MUST_USE enum err message_view(struct span wire, struct message *out);
/* The same for replies of servers, some of which are not as they should be: bytes behind the last record are cut
 * off, and MESSAGE_UNFIT_MAX records whose RDATA is not what their type says (AAAA of four octets) are passed
 * over, as if they had not been there. (What clients send is as it should be, or FORMERR.) */
MUST_USE enum err message_view_reply(struct span wire, struct message *out);

/* First record of the message (all sections in turn). */
struct record_iter record_iter_of(const struct message *m);
/* The next record that is what its type says, false at the end. */
bool record_next(struct record_iter *it, struct record *out);

/* Name at OFFSET, decompressed, case kept; its length. The offset must come from a checked view. */
size_t message_name(const struct message *m, size_t offset, uint8_t out[static DNAME_MAX]);

/* Compare the name at OFFSET to DNAME without copying, ASCII case folded / exact. */
bool message_name_equal(const struct message *m, size_t offset, const uint8_t *dname);
bool message_name_equal_case(const struct message *m, size_t offset, const uint8_t *dname);

/* Bytes that message_rdata() will write for R. */
size_t message_rdata_len(const struct message *m, const struct record *r);

/* RDATA of R with every embedded name expanded, case kept, into OUT; its length into LEN.
 * ERR_NO_SPACE if it does not fit (65535 is always enough or the record is refused), or
 * is not what its type says. */
MUST_USE enum err message_rdata(const struct message *m, const struct record *r, uint8_t *out,
				size_t size_bytes, size_t *len);

/* M is longer than LIMIT_BYTES: how many bytes of it, from its start, are the most that fit in whole
 * RRsets (with their signatures; RFC 2181 §9). The records in them go into COUNTS, zeros before. Of
 * one that is not longer the last RRset goes all the same. */
size_t message_cut(const struct message *m, size_t limit_bytes,
		   uint16_t counts[static SECTION_COUNT]);

static inline uint8_t message_opcode(const struct message *m)
{
	return (uint8_t)((m->flags & FLAG_OPCODE_MASK) >> FLAG_OPCODE_SHIFT);
}

static inline uint8_t message_rcode(const struct message *m)
{
	return (uint8_t)(m->flags & FLAG_RCODE_MASK);
}
