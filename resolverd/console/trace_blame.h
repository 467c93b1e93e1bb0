#pragma once
/*
 * Reading a trace step by step: which packet went where, and what each server did to be blamed for.
 */
#include "console/trace_words.h"
#include "resolve/limits.h"

struct trace_packet {
	struct endpoint server;
	uint32_t at_us;
	uint8_t question;
	bool tcp;
};

struct trace_culprit { /* a server in a zone */
	struct endpoint server;
	uint8_t zone[DNAME_MAX];
	unsigned sent, answered, timeouts, lost, tcp_timeouts, tcp_lost, truncated, wrong, lame,
		broken;
	unsigned errors;
	uint16_t rcode; /* of the last error */
};

enum { TRACE_CULPRITS_MAX = 32, TRACE_QUESTIONS_MAX = UINT8_MAX + 1, TRACE_PACKETS_MAX = 256 };

struct trace_blame { /* some 20 kB */
	struct trace_packet packets[TRACE_PACKETS_MAX];
	struct {
		uint8_t depth;
		uint8_t zone[DNAME_MAX]; /* whose servers it asks now */
	} questions[TRACE_QUESTIONS_MAX];
	struct trace_culprit culprits[TRACE_CULPRITS_MAX];
	size_t culprit_count;
	unsigned throttled;
	uint64_t throttled_ms;
	bool throttled_out; /* sent nowhere: the line was too long */
	bool by_prefetch;   /* by the limit of refreshes only */
	bool no_room;	    /* our own sockets ran short */
	struct span limit;  /* the last one's words */
};

void trace_blame_begin(struct trace_blame *b);
void trace_blame_read(struct trace_blame *b, const struct trace_step *step);
/* For trace_words_blame(). */
void trace_blame_tell(const struct trace_blame *b, const struct trace_report *report,
		      trace_words_fn *say, void *context);
/* A TRACE_THROTTLED step in words. */
void trace_blame_throttled(const struct trace_step *step, char *out, size_t size);
