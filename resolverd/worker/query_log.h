#pragma once
/*
 * The query log: one line for each client query that the operator's filter lets through, written
 * when it is answered. It holds clients' addresses and names, so it is off by default.
 */
#include "base/span.h"
#include "config/query_filter.h"

struct query_record {
	const struct endpoint *client;
	bool tcp, hit;	     /* HIT: answered at once */
	struct span message; /* the query or the answer: whichever is at hand for the question */
	struct span answer;  /* empty: none */
	uint64_t took_us;
};

/* SEEN as for query_filter_wants(). */
void query_log(const struct query_filter *filter, const struct query_record *r, uint32_t *seen);
