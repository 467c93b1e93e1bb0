#pragma once
/*
 * What an upstream reply says, with everything taken out that its sender has no say in (bailiwick).
 * A pure function over a checked message: no cache, no state.
 *
 * Taken: the chain of CNAME and DNAME from the question as far as it stays inside the asked zone, above cuts
 * that are known or that the reply itself tells of, and makes sense; and the RRset at its end; of the
 * authority section the SOA and the denial records of the asked zone, or a referral strictly below it; of the
 * additional section only glue for that referral, and only names inside the asked zone. Data told without
 * authority beside a referral to the zone that they lie in are not taken: the referral is. Nor is an alias at
 * a name that is known to be delegated, where DS is asked for: it is of the zone below; and a referral to
 * that name answers with its DS or its proof. An SOA from above its cut does not make a referral a denial. Of
 * two aliases of the question's name one is taken. Of the zone's own NS set beside an authoritative answer only
 * the TTL is taken. Everything else is ignored (RFC 2181 §5.4.1, RFC 5452 §6).
 */
#include "base/arena.h"
#include "cache/delegation.h"
#include "dns/message.h"
#include "dns/rrset.h"
#include "resolve/answer.h"

enum reply_kind {
	REPLY_ANSWER, /* the chain ends in the data asked for, which an rcode of NXDOMAIN belies */
	REPLY_ALIAS,  /* the chain leads to TARGET, which must be asked for elsewhere */
	REPLY_NODATA, /* TARGET exists without data of the type */
	REPLY_NXDOMAIN, /* TARGET does not exist */
	REPLY_REFERRAL, /* to servers of CUT */
	REPLY_LAME,	/* the server does not serve the zone */
	REPLY_ERROR,	/* an rcode that says nothing about the name */
	REPLY_TOO_LONG, /* DNAME substitution overflowed: YXDOMAIN (RFC 6672 §2.2) */
	REPLY_BROKEN,	/* contradicts itself, or passes the limits on sets */
};

struct scrub_input {
	const struct message *message; /* checked; its question matches */
	const uint8_t *qname;	       /* as asked, lower case */
	uint16_t qtype;
	const uint8_t *zone; /* the cut, forward or stub zone whose servers were asked */
	bool forward;	     /* recursive upstream: chains may cross zones, AA is not expected */
	bool priming; /* qname is the root, type NS: additional addresses are glue (RFC 9609) */
	/* An alias leads to NAME, which others than the sender tell of, as the caller knows; NULL: he
	 * knows nothing. */
	bool (*is_elsewhere)(const void *context, const uint8_t *name);
	/* NAME is known to be delegated by the zone asked; NULL as above. */
	bool (*is_delegated)(const void *context, const uint8_t *name);
	const void *context; /* of both */
};

struct reply {
	enum reply_kind kind;
	uint8_t rcode;
	bool authoritative;
	/* A denial for which neither an SOA nor a proof speaks: by a balancer without members, a
	 * secondary that has lost its zone, a server that knows addresses only. */
	bool doubtful;
	/* Of a lame one: it says nothing at all, neither of whose the name is nor of any other. */
	bool mute;
	bool of_child; /* of the doubtful: DS was answered with what the zone below has, which is left out */
	bool unsigned_ok;      /* lack of signatures says nothing: asked or answered without EDNS */
	const uint8_t *target; /* end of the chain; qname if there is no alias */
	unsigned alias_count;  /* hops taken in this reply */
	struct rrset sets[ANSWER_SETS_MAX]; /* the chain and its end, in order */
	uint32_t set_count;
	struct rrset authority[ANSWER_AUTHORITY_MAX]; /* SOA, NSEC and NSEC3 sets with signatures */
	uint32_t authority_count;
	bool has_soa;
	uint32_t negative_ttl_s; /* min(SOA TTL, SOA minimum), RFC 2308 §5; without: our limit */
	const uint8_t *cut;	 /* REPLY_REFERRAL; also set for priming (the root) */
	uint32_t cut_ttl_s;
	uint32_t zone_ns_ttl_s; /* of the asked zone's own NS set; UINT32_MAX: not told */
	struct delegation delegation;
	struct rrset ds; /* rr_count 0: none */
};

/* Fill OUT (sets live in ARENA). ERR_NO_MEMORY only; nonsense is REPLY_BROKEN. */
MUST_USE enum err scrub_reply(const struct scrub_input *in, struct arena *arena, struct reply *out);

/* A copy of R in ARENA, with its sets and target, for who goes on with it: what only a referral or
 * priming has, and is done with at once, is left out. NULL: no memory. */
struct reply *scrub_keep(const struct reply *r, struct arena *arena);

/* The CNAME of NAME that DNAME, one record whose owner is above NAME, stands for (RFC 6672 §3.1), into
 * OUT; its memory is ARENA's. ERR_NO_SPACE: the substitution overflows; ERR_MALFORMED: more than one. */
MUST_USE enum err scrub_make_cname(const uint8_t *name, const struct rrset *dname,
				   struct arena *arena, struct rrset *out);

/* Set INDEX of R's chain is a CNAME that was made from a DNAME before it, and so is unsigned. */
bool scrub_made_by_dname(const struct reply *r, uint32_t index);
