#pragma once
/*
 * Who is to be asked about a name that somebody else has just told of: what lies below a zone cut that
 * is known, or in a zone that the operator configured, is not for the zone above to tell.
 *
 * The end of an alias that is denied beside the alias itself: NODATA for www.lab, which leads to app.lab, is said
 * of app.lab. By RFC 1034 §4.3.2 the server has looked for it, and is in charge of it, as far as nothing is known
 * of a cut. But some look no further than the alias, or know of the end what its delegation needs, an address of
 * one family, and put their own SOA beneath. Believed, that denies what the end's own zone has; asked for each
 * time, the end costs good servers a packet for every AAAA of a balancer.
 *
 * So the end is asked for itself once in LIMIT_ALIAS_END_S. What comes is kept under its own name, as an answer
 * to that; a referral, as a cut. As long as the former is there, what is said beside aliases to it is believed; and
 * what was said stays for the case that nobody in charge answers for the end itself.
 * What is proven needs none of this, a forwarder tells of all zones, and where packets are counted the first word
 * counts.
 *
 * Aliases that differ by type. By RFC 1034 §3.6.2 a name has one alias for all types, and so one that is cached
 * answers all of them. Some balancers tell one for A and another for AAAA, or data for one of them: then whoever
 * asks for A while the alias of AAAA is cached is led to where there is no A.
 *
 * What has been told for the type itself, be it expired, tells which it is: if it says otherwise than the cached
 * alias, the servers are asked. If nothing was told yet, the cached alias is followed, and only where it leads to
 * a denial the question begins anew, once, with the name itself; for A with the whole chain, as no A at the end of
 * an alias is rare. Then it is known for this type, and costs no packet more. While no answer comes to that, and
 * in the time of a doubtful one, the denial holds that the alias has led to. An alias that is proven speaks for
 * all types, and a forwarder answers from a cache of its own.
 */
#include "resolve/query.h"

/* The deepest zone cut strictly below ZONE, at or above NAME (lower case), whose delegation is in
 * memory: a suffix of NAME. NULL: none is known. */
const uint8_t *cut_below(const struct query *q, const uint8_t *name, const uint8_t *zone);
/* Keep PACKED as the delegation of NAME, told now. It ends at EXPIRES_MS to the millisecond: rounding would
 * add up from zone to zone. False: it is not kept. */
bool cut_store(struct query *q, const uint8_t *name, struct span packed, int64_t expires_ms);
/* NAME (any case), to which an alias leads, is for others to tell than the servers that Q asks now. */
bool cut_is_elsewhere(const struct query *q, const uint8_t *name);
/* A zone cut below the zone that Q asks, at or above NAME (lower case), is known, be it that its delegation has
 * ended since. */
bool cut_has_been_below(const struct query *q, const uint8_t *name);
/* NAME (any case) lies below the zone that Q asks, and is known to be delegated itself. */
bool cut_is_known(const struct query *q, const uint8_t *name);
/* What Q asks for may stand beside an alias at NAME (lower case), which does not speak for it: NAME is known to be
 * the top of a zone, where SOA and NS are and an alias must not be (RFC 1034 §3.6.2). Who puts one there all the
 * same wants addresses, and services that go with them, to be found elsewhere, not his mail. */
bool cut_has_beside_alias(const struct query *q, const uint8_t *name);

/* --- the end of an alias --- */

/* Q's reply, of VERDICT, denies the end of an alias, and its sender is not known to be in charge of that: what it
 * says of the end is set aside. */
bool cut_end_is_doubtful(struct query *q, enum verdict verdict);
/* The leg of the end begins: if nobody answers, what was set aside is told. */
void cut_end_begin_leg(struct query *q);
/* Q's leg, of VERDICT, is done: note if it has denied an alias' end that was asked for itself. */
void cut_end_note(struct query *q, enum verdict verdict);
/* Q has its answer, which is good: keep what was noted. */
void cut_end_keep(struct query *q);

/* --- an alias of another type --- */

/* E is a cached alias of the name of Q's leg: it does not lead Q's type, as is known. */
bool cut_alias_is_other(const struct query *q, const struct entry *e);
/* Q follows E. */
void cut_alias_note(struct query *q, const struct entry *e);
/* Q has come to its end. True: it begins anew, since that is a denial to which such an alias has led. */
bool cut_alias_begin_anew(struct query *q);
/* Q fails. True: it has the answer that it had before. */
bool cut_alias_fall_back(struct query *q);
