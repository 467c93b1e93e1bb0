#pragma once
/*
 * Newest knowledge wins: nobody is told data older than what somebody was told before.
 *
 * What a question comes to is what is known from then on, whether it may be kept or not: a TTL of 0, a
 * denial that has no SOA or one without time, an answer too large for the cache or for which there was no
 * memory change the world as much as one that is stored. So there is one place through which every answer
 * passes that was accepted, the end of its question, and there goes, from memory and from disk, whatever the
 * cache says otherwise of the names that servers have just told of: data fresh or expired, denials, aliases
 * that are none any more, remembered failures, denial ranges. What says the same stays, for it was
 * confirmed: a forwarder whose cache is about to ask anew tells its data with a TTL of 0.
 *
 * Only what a client is told as good outdates. What is bogus, unproven, set aside by the flip guard, or a
 * mere failure does not, so a forger gains no more than by having his answer stored. Nor does the rest of a
 * chain that stands in somebody else's reply say anything of its own name, unless that was asked for
 * itself; and what is no word about the name (answer->no_store) is none here either.
 */
#include "resolve/query.h"

/* A leg of Q's chain begins with the next set of its answer, and was told by servers. */
void outdate_begin_leg(struct query *q);
/* Q has its answer, which is good: what is older goes. STORED: the answer is kept as well, so that whoever
 * reads the disk finds the later of the two; else it must go from there though memory knows nothing of it. */
void outdate_older(struct query *q, bool stored);
