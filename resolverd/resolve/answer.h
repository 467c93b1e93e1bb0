#pragma once
/*
 * A finished answer: what resolving a question came to, as RRsets in the query's arena; and its way
 * into the cache (rendered once) and out of it again.
 */
#include "base/arena.h"
#include "base/endpoint.h"
#include "base/now.h"
#include "cache/cache.h"
#include "dns/builder.h"
#include "dns/proven.h"
#include "resolve/limits.h"

enum {
	ANSWER_SETS_MAX =
		2 * LIMIT_ALIASES + 2, /* a DNAME and its CNAME for each hop, and the end */
	ANSWER_AUTHORITY_MAX = 16, /* SOA, and at most three NSEC or NSEC3 for each of a few hops */
};

struct answer {		      /* everything borrowed from an arena that outlives it */
	const uint8_t *qname; /* lower case */
	uint16_t qtype;
	uint8_t rcode;	      /* NOERROR, NXDOMAIN, SERVFAIL, REFUSED */
	enum verdict verdict; /* of the whole chain: the weakest link */
	enum rank rank;
	uint16_t ede;		/* EDE_NONE */
	const char *text;	/* words for the EDE; NULL */
	struct endpoint source; /* who sent the last set of it; no family: the cache held it */
	uint32_t ttl_s;		/* smallest of all sets, clamped to the settings; 0: not cached */
	int64_t fetched_ms;
	struct rrset answer[ANSWER_SETS_MAX]; /* the chain in order */
	uint32_t answer_count;
	struct rrset authority
		[ANSWER_AUTHORITY_MAX]; /* SOA of a negative answer, proofs (NSEC, NSEC3) */
	uint32_t authority_count;
	bool wildcard;	 /* an answer set was expanded from a wildcard: authority holds its proof */
	bool stale;	 /* came from expired data: TTLs are the stale TTL */
	bool from_cache; /* taken from the cache whole: nothing new to store */
	bool synthesised; /* made from cached denial records (RFC 8198) */
	bool no_store; /* no word about the name: not kept, and told only where nothing better is */
	bool unproven; /* "bogus" for want of keys that nobody told: not bad, but failed */
	bool local;    /* local data: told with AA */
};

/* The answer to (QNAME, QTYPE) before anything is known of it. */
static inline struct answer answer_of_nothing(const uint8_t *qname, uint16_t qtype)
{
	return (struct answer){.qname = qname,
			       .qtype = qtype,
			       .verdict = VERDICT_SECURE,
			       .rank = RANK_SECURE,
			       .ede = EDE_NONE,
			       .ttl_s = UINT32_MAX};
}

/*
 * Put A into the cache, unless that was flushed since its question began. A plain answer (one RRset
 * owned by the question, NOERROR, no proof needed) becomes an ENTRY_RRSET only; anything else is
 * rendered into an ENTRY_ANSWER (without DNSSEC records) and, where signatures or proofs exist, an
 * ENTRY_ANSWER_DO. NXDOMAIN is stored under type
 * 0 when it is proven and concerns the question itself (no alias hop before it). A bogus answer is stored
 * with its data (for CD clients) for at most LIMIT_BOGUS_S. Answers that do not fit ENTRY_MAX are
 * not cached. SCRATCH holds the rendering. Returns whether it is there now.
 */
bool answer_store(const struct answer *a, const struct cache_since *to, struct now now,
		  struct arena *scratch);

/* One RRset as an ENTRY_RRSET under its owner's name. VERDICT is not VERDICT_SECURE. */
void answer_store_rrset(const struct rrset *set, enum rank rank, enum verdict verdict,
			uint8_t flags, const struct cache_since *to, struct now now,
			struct arena *scratch);

/* The same for what is secure. */
void answer_store_proven(const struct proven *set, const struct cache_since *to, struct now now,
			 struct arena *scratch);

/* SET, one of A's, was validated when A was. ERR_NOT_FOUND if A is not secure or SET has no signature. */
MUST_USE enum err answer_proven(const struct answer *a, const struct rrset *set,
				struct proven *out);

/* The set of E copied into ARENA, its TTL what is left. ERR_NOT_FOUND unless E is one set that was
 * validated and is fresh, ERR_NO_MEMORY. */
MUST_USE enum err answer_proven_entry(const struct entry *e, struct now now, struct arena *arena,
				      struct proven *out);

/* The cached entry that answers (QNAME lower case, QTYPE), fresh or expired, or NULL: the RRset
 * itself, a rendered answer, or an NXDOMAIN of the name. WITH_SIGS: for a DO client. A fresh one is
 * preferred over an expired one, then one whose rank lets it answer; if the caller serves clients, it
 * must look at the rank (RANK_FORWARDED at least). ENTRY_FAILURE is not considered. */
const struct entry *answer_find(struct cache_reader *r, const uint8_t *qname, size_t qname_len,
				uint16_t qtype, bool with_sigs, struct now now);

/* Rebuild a struct answer from an entry (for aliases, and for the core's own questions): RRsets are
 * parsed back into ARENA with TTLs that are left. ERR_CORRUPT, ERR_NO_MEMORY. */
MUST_USE enum err answer_from_entry(const struct entry *e, const uint8_t *qname, uint16_t qtype,
				    struct now now, struct arena *arena, struct answer *out);
