#pragma once
/*
 * Decision traces: what was done for one client query, step by step, as bytes that nobody reads
 * unless asked to. All questions opened on behalf of one client query write into one trace, each
 * under a number of its own, so that it reads as a tree and in the order of time.
 *
 * Writing costs a bounds check and a few copies; nothing is formatted but the words that a failure
 * has anyway. A trace is bounded (LIMIT_TRACE_BYTES): what comes later is counted only.
 */
#include "base/cursor.h"
#include "base/endpoint.h"
#include "base/loss.h"
#include "cache/entry.h"

/* Each kind, and which fields of a step it fills. All have `question`, whose step it is, and
 * `at_us`. */
enum trace_kind {
	TRACE_QUESTION, /* it begins: name, type; number: who needs it (itself: nobody) */
	TRACE_NEEDS,	/* it waits for name, type, which is resolved on behalf of somebody else */
	TRACE_GOT,	/* ... and here is the answer: as TRACE_END, with name and type */
	TRACE_ALIAS,	/* it goes on with name */
	TRACE_CACHE,	/* the cache decided: code: enum trace_cache; value: milliseconds since that
			    was fetched */
	TRACE_ZONE,	/* servers of the zone name are asked from here on: code: enum trace_source;
			    value: how many addresses are known */
	TRACE_REFUSED,	/* of that zone an address, server, that is not asked: code: enum askable */
	TRACE_SEND, /* a packet: number, server, code: TRACE_TCP...; name, type: what is asked where
			    that is not the question itself (RFC 9156) */
	TRACE_REPLY, /* to packet number: code: enum trace_reply; type: rcode; value: bytes; name: the
			    zone referred to, or the alias' target */
	TRACE_TIMEOUT, /* packet number was not answered in time; value: milliseconds it had */
	TRACE_LOST,    /* packet number cannot be answered: code: enum loss */
	TRACE_WRONG,   /* a reply to packet number that was not believed: code: enum trace_wrong */
	TRACE_THROTTLED, /* held back: value: milliseconds; code: enum trace_throttle */
	TRACE_LIMIT,	 /* a limit was reached: text */
	TRACE_CHECK, /* the set name, type was validated: code: enum verdict; text: if bogus, why */
	TRACE_DENIAL,	 /* the denial of name was validated: the same */
	TRACE_ELSEWHERE, /* bogus data: asked for once more before that is believed */
	TRACE_APPEAL,	 /* no server of the zone name is of use: its parent is asked once more */
	TRACE_PATIENCE,	 /* a client could wait no longer: code: enum trace_told */
	TRACE_END,	 /* it ends: type: rcode; code: enum verdict; value: EDE; text */
	TRACE_KIND_COUNT
};

enum trace_cache {
	TRACE_CACHE_ANSWER,
	TRACE_CACHE_ALIAS,
	TRACE_CACHE_UNCHECKED, /* came with a referral, and is validated now */
	TRACE_CACHE_MADE,      /* from denials that are cached (RFC 8198) */
	TRACE_CACHE_FAILURE,   /* RFC 9520 */
};
enum trace_source {
	TRACE_SOURCE_CACHE,
	TRACE_SOURCE_REFERRAL,
	TRACE_SOURCE_HINTS,
	TRACE_SOURCE_FORWARD,
	TRACE_SOURCE_STUB
};
enum { TRACE_TCP = 1, TRACE_HEDGE = 2, TRACE_PLAIN = 4 /* without EDNS */ };
enum trace_reply {
	TRACE_REPLY_ANSWER,
	TRACE_REPLY_ALIAS,
	TRACE_REPLY_NODATA,
	TRACE_REPLY_NXDOMAIN,
	TRACE_REPLY_REFERRAL,
	TRACE_REPLY_LAME,
	TRACE_REPLY_ERROR,
	TRACE_REPLY_TOO_LONG,
	TRACE_REPLY_BROKEN,
	TRACE_REPLY_TRUNCATED, /* asked again over TCP */
	TRACE_REPLY_COOKIE,    /* BADCOOKIE: asked again over TCP */
	TRACE_REPLY_NO_EDNS,   /* asked again in a plainer form */
	TRACE_REPLY_FRAGMENTS, /* asked again over TCP */
	TRACE_REPLY_LARGE,     /* larger than we take: asked again over TCP */
	TRACE_REPLY_COUNT
};
enum trace_wrong {
	TRACE_WRONG_MALFORMED,
	TRACE_WRONG_MISMATCH,
	TRACE_WRONG_CASE,
	TRACE_WRONG_COOKIE
};
enum trace_throttle {
	TRACE_THROTTLE_ZONE,
	TRACE_THROTTLE_PREFETCH,
	TRACE_THROTTLE_ROOM,  /* no socket or connection was free */
	TRACE_THROTTLE_WORKER /* another worker asks already */
};
enum trace_told { TRACE_TOLD_STALE = 1, TRACE_TOLD_SERVFAIL = 2 };

struct trace_step { /* as written, and as read; what a kind does not fill is zero */
	enum trace_kind kind;
	uint8_t question, number;
	unsigned code; /* of the kind's enum; below 256 */
	uint16_t type;
	uint32_t value;
	uint32_t at_us; /* since the first step; filled in by trace_add() */
	const uint8_t *name;
	const struct endpoint *server;
	struct span text;
};

struct trace { /* zero-initialised is off */
	bool on;
	uint8_t questions, packets; /* numbers given so far */
	uint16_t lost;		    /* steps that did not fit */
	uint8_t *bytes;
	uint32_t len, capacity;
	uint64_t began_us; /* mono */
};

/* Begin to write. */
void trace_begin(struct trace *t, uint64_t mono_us);
void trace_deinit(struct trace *t);
/* Append a copy of STEP; nothing if T is off. */
void trace_add(struct trace *t, uint64_t mono_us, const struct trace_step *step);

struct trace_reader {
	struct reader in;
	struct endpoint server; /* what the last step's server points to */
};
struct trace_reader trace_reader_of(struct span bytes);
/* The next step, borrowed from the bytes and R; false at the end. */
bool trace_next(struct trace_reader *r, struct trace_step *out);

/* A question has ended, or a client could not wait for that: told to whoever keeps traces. Borrowed for
 * the call. */
struct trace_report {
	const uint8_t *name; /* lower case */
	uint16_t type;
	int64_t ended_ms; /* cache_ms */
	uint64_t took_us;
	uint16_t rcode, ede;
	enum verdict verdict;
	const char *text;	/* NULL: none */
	struct endpoint client; /* who asked first; family 0: nobody */
	unsigned clients;	/* how many asked */
	unsigned packets;	/* sent upstream, sub-questions included */
	uint8_t question;	/* its number in the trace */
	uint8_t told;		/* TRACE_TOLD_...: what clients got before it ended */
	bool refresh;		/* nobody asked */
	bool watched;		/* an operator asked */
	bool unfinished;	/* a client had to be told this while the work goes on */
	struct span steps;
	uint16_t lost; /* steps that are missing at the end */
};
typedef void trace_report_fn(void *context, const struct trace_report *report);
