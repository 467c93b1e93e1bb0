#pragma once
/*
 * Packets to and from upstream: builds queries, keeps their timers (upstream.c), matches replies
 * (upstream_reply.c).
 *
 * A send is a slot with a token. Its reply must come from the address asked, with the id, the
 * question in the letters' case as sent (0x20) and our cookie; what does not match is waited out, and
 * after LIMIT_MISMATCHES the question goes to the same server over TCP (RFC 5452 §9, RFC 7873 §5.3).
 */
#include "resolve/query.h"

/* Send the leg's present question to server INDEX. False: could not (limit, memory, throttle). */
bool upstream_send(struct query *q, unsigned index);
void upstream_cancel(struct query *q, struct send *s);
void upstream_cancel_all(struct query *q);
/* There is no room of ours for Q's next packet: it tries again a little later, LIMIT_STARVINGS times. */
void upstream_starve(struct query *q);
/* S gives way to another question's. */
void upstream_yield(struct send *s);
/* S is not waited for any more, or not alone, but its reply is still welcome. */
bool upstream_is_late(const struct send *s);
/* The time of S is not over: its server is not asked the same meanwhile, be it that others are. */
bool upstream_has_time(const struct send *s);
/* There is one whose reply is waited for. */
bool upstream_has_live(const struct query *q);
/* The last reply of server INDEX lacks signatures that are needed, as it was asked or answered without
 * EDNS: from now on all servers of Q's zone are asked with it, over TCP where nothing is in between, this
 * one at once; for the second time, others. */
void upstream_ask_signed(struct query *q, unsigned index);
/* EV_REPLY and EV_LOST. */
void upstream_event(struct resolver *r, const struct event *ev);
/* There is no route to servers of FAMILY any more: what was sent to them is lost, and who waits asks
 * others at once. */
void upstream_family_lost(struct resolver *r, uint8_t family);
/* Retransmission and hedging times of Q's sends have come. */
void upstream_deadline(struct query *q);
/* Earliest such time, UINT64_MAX if none. */
uint64_t upstream_next_ms(const struct query *q);

/* EV_REPLY for the open send S: match it, or wait it out. */
void upstream_reply(struct resolver *r, struct send *s, const struct event *ev);
