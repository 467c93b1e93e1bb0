#pragma once
/*
 * The clients: each asks one question at a planned time, as the daemon would pass it on (first
 * resolver_answer_now(), then EV_QUERY), and gets at most one answer, which is checked at once.
 */
#include "resolve/resolver.h"

struct sim;

enum { STUBS_MAX = 4096 };

enum stub_state { STUB_PLANNED, STUB_WAITING, STUB_ANSWERED, STUB_IGNORED, STUB_GONE };

enum oddity { /* questions that are none */
	      ODD_NOT,
	      ODD_RESPONSE, /* QR set: ignored */
	      ODD_SHORT,    /* less than a header: ignored */
	      ODD_OPCODE,   /* NOTIMP */
	      ODD_NO_QUESTION,
	      ODD_TWO_QUESTIONS,
	      ODD_CLASS,
	      ODD_TRANSFER,
	      ODD_TWO_OPTS,
	      ODD_BADVERS,
	      ODD_STRANGER, /* not on the access list: REFUSED */
	      ODD_COUNT,
};

struct stub {
	uint64_t token;
	enum stub_state state;
	uint8_t qname[DNAME_MAX];
	uint16_t qtype, qclass, id;
	bool recursion_desired, checking_disabled, wants_ad, has_edns, dnssec_ok, has_cookie;
	uint16_t edns_size;
	enum oddity odd;
	enum transport transport;
	struct endpoint from;
	uint64_t asked_us, answered_us;
	uint64_t gone_after_us; /* closes the connection after so long; 0: stays */
	bool was_hit;		/* answered by resolver_answer_now() */
	uint8_t rcode;		/* of the answer */
	uint16_t ede;		/* EDE_NONE */
	char reason[256];	/* its words */
	bool reason_cut;	/* the reply had no room for another character */
	bool truncated;
	bool has_data;		 /* of the type that was asked for */
	uint64_t fresh_until_us; /* the answer may be kept so long */
	bool ends_soon;		 /* of which no more is left than a second, or less */
	uint64_t sends_before;	 /* the network's count when it asked */
};

struct stubs {
	struct stub *list[STUBS_MAX];
	unsigned count;
	uint64_t hits, asked;
	unsigned waiting;
	uint64_t last_us; /* when the last one asked */
};

/* Plan a question AT_US: over UDP, with RD and an EDNS size of 1232. The caller may change it before
 * the run begins. */
struct stub *stub_plan(struct sim *s, uint64_t at_us, const uint8_t *qname, uint16_t qtype);

/* The number of the worker that it asks. */
unsigned stub_worker(const struct sim *s, const struct stub *c);
/* Its time has come. */
void stub_ask(struct sim *s, struct stub *c);
/* The resolver is back: what was fresh still is, but for what is never kept on disk. */
void stub_restarted(struct sim *s);
/* The wall clock is another: memory does not feel it, but what is only on disk has the age that the
 * clock gives it (disk/disk.h). */
void stub_clock_set(struct sim *s);
/* It closes its connection. */
void stub_leave(struct sim *s, struct stub *c);
/* The resolver answers, or drops, the client of TOKEN. */
void stub_receive(struct sim *s, uint64_t token, struct span packet);
void stub_dropped(struct sim *s, uint64_t token);
/* Everybody was served? */
void stub_check_end(struct sim *s);
