#pragma once
/*
 * The legs of an alias chain: what the cache says of a leg's name, what is kept of a leg once it has
 * been validated, and how it is appended to the answer.
 */
#include "resolve/query.h"

/* State QUERY_LEG: what does the cache know? If nothing, go on to QUERY_CUT. */
enum step leg_step(struct query *q);
/* A fresh answer to Q's leg, which its servers are being asked for, stands in the cache. */
bool leg_is_known(const struct query *q);
/*
 * An alias that the cache holds has led Q to where there is no way on. What its own servers say now may
 * lead elsewhere, or tell of the target too: once in a question it begins again with the name that was
 * asked for, and takes no alias from the cache. False: that would be nothing new.
 */
bool leg_begin_anew(struct query *q);
/* The DNAME in the cache that, as it is validated, redirects NAME too (RFC 6672 §3.4), or NULL. */
const struct entry *leg_find_dname(const struct query *q, const uint8_t *name);
/* Q's verdict is VERDICT at best. */
void leg_weaken(struct query *q, enum verdict verdict);
/* REPLY is what will be validated; CACHED: it came from an unchecked entry, not from a server. */
void leg_check(struct query *q, struct reply *reply, bool cached);
/* What A says, which the cache holds, as if it had been told in OUT now. It has one set at most. */
void leg_reply_of(const struct answer *a, struct reply *out);
/* What a referral said, and the cache kept, is not enough: ask the leg's servers. */
enum step leg_ask_in_full(struct query *q);
/* The leg's sets have been validated with VERDICT: append them and go on. */
enum step leg_checked(struct query *q, enum verdict verdict);
