#pragma once
/*
 * A delegation that leads nowhere is not the last word: the parent may have changed its mind since, or
 * one of its servers may have told what is not so. Before a question fails as no server of a zone has an
 * address, answers, or serves it, the zone's parent is asked once more, and not those of its servers that
 * gave this very delegation.
 *
 * Zones that are dead stay so for long, and many names lie in them: a question appeals LIMIT_APPEALS
 * times, and against a delegation that is cached all questions together once in LIMIT_APPEAL_S.
 */
#include "resolve/query.h"

/* No server of Q's zone is of use; SPENT: all have been tried, else they are silent so far. True: Q is to
 * go on, with the zone's parent. */
bool appeal_begin(struct query *q, bool spent);
/* Delegations of NAME, a name in lower case, do not count now. */
bool appeal_ignores(const struct query *q, const uint8_t *name);
/* The server at E has told already what the appeal is against. */
bool appeal_knows(const struct query *q, const struct endpoint *e);
/* The server number INDEX has sent a referral. True: it says the same as before, and Q does not go on
 * with that. */
bool appeal_hear(struct query *q, unsigned index, const struct reply *reply);
/* The parent has nothing better to say. True: Q is to go on, with the delegation as it was. */
bool appeal_lose(struct query *q);
