#pragma once
/*
 * Servers that leave questions for DS unanswered, though they answer others: home routers, and firewalls
 * before forwarders. All forms are tried (form.h), and TCP. Silence proves nothing: data whose DS cannot be
 * had is not insecure but a failure (SERVFAIL), or whoever drops packets could switch validation off. But
 * who fails need not wait for it: that a server was so is remembered for INFRA_SUSPECT_MS, and then one
 * packet is waited for as long as another server's, not for as long as a client has. A reply ends it, and
 * so does that server's silence to all else: it is down, and may be up again any time. Not where packets
 * are counted, as replies may be late there by seconds.
 */
#include "resolve/query.h"

/* Q asks for DS, and has lost enough over UDP that TCP may pass. */
bool no_ds_wants_tcp(const struct query *q, const struct server *server);
/* Nothing but late replies may yet come to Q. */
void no_ds_learn(struct query *q);
/* The server of S has replied. */
void no_ds_hear(struct query *q, const struct send *s);
/* Is it in vain that Q waits on? Then the trouble says so. */
bool no_ds_gives_up(struct query *q);
