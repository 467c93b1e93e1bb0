#pragma once
/*
 * The one representation of cached knowledge: a flat relocatable blob, the same bytes in the memory
 * tier and on disk. Immutable once stored, but for the counters that say so.
 *
 *   struct entry | owner name (lower case, wire) | text (why: EDE text) | payload
 *
 * Kinds and payloads:
 *   ENTRY_RRSET       one RRset: packed records, then packed signatures (dns/rrset.h). A plain
 *                     answer - one RRset whose owner is the question - is served from this alone.
 *   ENTRY_ANSWER      a rendered answer without DNSSEC records: chains, negative answers.
 *   ENTRY_ANSWER_DO   the same for clients that set DO. Exists only where it differs.
 *                     NXDOMAIN answers that are proven have type 0: they hold for all types of
 *                     the name.
 *   ENTRY_DELEGATION  a zone cut as its parent tells it: cache/delegation.h. Never served.
 *   ENTRY_FAILURE     resolution failed lately (RFC 9520); never displaces data. Its rcode is that
 *                     to tell: SERVFAIL, or what others said in the stead of who failed.
 */
#include "base/err.h"
#include "base/now.h"
#include "base/span.h"
#include "dns/dname.h"
#include "dns/rrset.h"

enum entry_kind {
	ENTRY_RRSET,
	ENTRY_ANSWER,
	ENTRY_ANSWER_DO,
	ENTRY_DELEGATION,
	ENTRY_FAILURE,
	ENTRY_KIND_COUNT
};

/* How far data may be trusted (RFC 2181 §5.4.1), lowest first. */
enum rank {
	RANK_GLUE = 1,	/* additional section of a referral */
	RANK_REFERRAL,	/* authority section of a referral */
	RANK_FORWARDED, /* answer of a forwarder */
	RANK_ANSWER,	/* answer section, authoritative */
	RANK_SECURE,	/* validated */
};

enum verdict {
	VERDICT_UNCHECKED, /* not validated yet: not served unless validation is off or CD is set */
	VERDICT_INDETERMINATE,
	VERDICT_INSECURE,
	VERDICT_SECURE,
	VERDICT_BOGUS,
};

enum {
	ENTRY_HAS_SIGS = 1, /* ENTRY_ANSWER: DO clients need the ENTRY_ANSWER_DO twin */
	ENTRY_WILDCARD =
		2, /* RRset synthesised from a wildcard: its proof is only in the answer, so
				the RRset alone must not be served to a DO client */
	ENTRY_SYNTHESISED = 4, /* made from cached denial (RFC 8198) */
	ENTRY_AUTHENTIC = 8,   /* AD may be set */
	ENTRY_AA_DATA = 16,    /* not used for serving; came from an authoritative server */
	ENTRY_EXTENDED = 32,   /* text holds a reason */
};

struct entry {		     /* immutable, but for the atomic-ish counters marked below */
	uint32_t size_bytes; /* all of it */
	uint32_t ttl_s;	     /* original, after min-ttl/max-ttl clamping */
	int64_t expires_ms;  /* cache_ms scale of struct now; fetched at expires_ms - ttl_s*1000 */
	uint16_t type;
	uint16_t ede; /* enum dns_ede; EDE_NONE */
	uint8_t kind, rank, verdict, flags;
	uint8_t rcode;
	uint8_t name_len;
	uint8_t text_len;
	uint8_t visited; /* eviction's mark: set by readers, cleared by the hand; relaxed */
	uint16_t rr_count, sig_count; /* ENTRY_RRSET */
	uint32_t hits;		      /* popularity: folded in by the prefetch engine */
	uint32_t last_hit_s;	      /* cache_ms / 1000 */
	uint32_t gap_ms;	      /* mean time between hits, smoothed */
	uint8_t bytes[];	      /* name, text, payload */
};

struct entry_parts { /* what entry_make() puts together */
	enum entry_kind kind;
	const uint8_t *name; /* any case */
	uint16_t type;
	uint32_t ttl_s;
	int64_t fetched_ms;
	enum rank rank;
	enum verdict verdict;
	uint8_t flags, rcode;
	uint16_t ede;
	const char *text; /* NULL or the reason's words, cut at 255 bytes */
	uint16_t rr_count, sig_count;
	struct span payload[2]; /* concatenated */
};

enum {
	ENTRY_MAX = 128 * 1024,
	/* The name begins right behind the last counter; sizeof() would round up to the next 8. */
	ENTRY_HEADER_SIZE = offsetof(struct entry, bytes),
};
static_assert(ENTRY_HEADER_SIZE == 44,
	      "the header is part of the disk format and of each name's price");

/* Size of the entry that PARTS make. */
size_t entry_size(const struct entry_parts *parts);
/* Build it into OUT (aligned to 8, at least entry_size() bytes). */
struct entry *entry_make(const struct entry_parts *parts, void *out);

static inline const uint8_t *entry_name(const struct entry *e)
{
	return e->bytes;
}
static inline struct span entry_text(const struct entry *e)
{
	return span_of(e->bytes + e->name_len, e->text_len);
}
static inline struct span entry_payload(const struct entry *e)
{
	size_t skip = (size_t)e->name_len + e->text_len;
	return span_of(e->bytes + skip, e->size_bytes - ENTRY_HEADER_SIZE - skip);
}
static inline int64_t entry_fetched_ms(const struct entry *e)
{
	return e->expires_ms - (int64_t)e->ttl_s * 1000;
}
static inline bool entry_is_fresh(const struct entry *e, struct now now)
{
	return now.cache_ms < e->expires_ms;
}
/* In the last tenth of its life, when what hot names need is asked for again. */
static inline bool entry_ends_soon(const struct entry *e, struct now now)
{
	return (e->expires_ms - now.cache_ms) * 10 <= (int64_t)e->ttl_s * 1000;
}
/* Whole seconds left, 0 if expired. What is fresh has one at least: 0 would forbid to keep it, and bring
 * whoever keeps answers back at once. So at worst it lives a second too long there. */
static inline uint32_t entry_ttl_left_s(const struct entry *e, struct now now)
{
	int64_t left_ms = e->expires_ms - now.cache_ms;
	if (left_ms <= 0)
		return 0;
	uint32_t left_s = (uint32_t)(left_ms / 1000);
	return left_s + (left_s == 0);
}

/* The RRset of an ENTRY_RRSET, borrowed; owner in lower case, ttl_s the original. */
void entry_rrset(const struct entry *e, struct rrset *out);

/* Every length inside agrees and the payload is well-formed for its kind: for bytes from disk. */
bool entry_is_valid(const struct entry *e, size_t size_bytes);

/*
 * Payload of ENTRY_ANSWER and ENTRY_ANSWER_DO:
 *   u16 counts[3] (answer, authority, additional), u16 ttl_count, u16 ttl_offsets[ttl_count],
 *   u16 rotate_offset, u16 rotate_count: a run of equal-sized A or AAAA records that may be rotated
 *   (0: none), then the body: what follows the question in a message whose question starts at byte
 *   12. Offsets count from the start of the body. Host order in the tables; the body is wire.
 */
struct answer_view {
	uint16_t counts[3];
	uint16_t ttl_count;
	const uint8_t *ttl_offsets; /* u16 each, unaligned */
	uint16_t rotate_offset, rotate_count, rotate_size;
	struct span body;
};
MUST_USE enum err entry_answer(const struct entry *e, struct answer_view *out);

/* E is a rendered answer whose alias chain passes through NAME, or, with SUBTREE, through any name
 * at or below it: it holds what NAME says, under another name. One that does not parse does. */
bool entry_passes(const struct entry *e, const uint8_t *name, bool subtree);
