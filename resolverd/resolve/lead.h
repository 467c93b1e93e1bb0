#pragma once
/*
 * Stale chains, hop by hop. An alias that has expired, and whose servers are silent or fail, is the best that
 * is known of its name; its target is another name, whose servers may well be there. So before an expired
 * chain is told, its target is asked for, and what comes takes the place of the chain's end in the cache. That
 * is as old as the alias then, and no older than what somebody was told.
 *
 * Clients wait for that at the target's question: LIMIT_LEAD_MS, for LIMIT_LEADS targets of the chain one
 * after the other, then they are told what there is.
 */
#include "resolve/query.h"

/* Of the expired chain that answers (NAME, QTYPE), the question for what the alias at FROM leads to, in
 * progress or opened; what it brings will end the chain. NULL: there is no such chain or alias, or no room. */
struct query *lead_from(struct resolver *r, const uint8_t *name, uint16_t qtype,
			const uint8_t *from);
/* T has its answer: it ends the chains that lead to it, if it is good. */
void lead_end(struct query *t);
