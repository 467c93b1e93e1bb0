#pragma once
/*
 * How long the reply to a send is waited for. There are three times: after the first another server is
 * asked beside it (hedging), after the second it counts as lost, and until the third its reply is still
 * as good as any. UDP and TCP differ in the figures only: a server that is silent over TCP, as there is
 * something in between that lets none pass, must cost a client no more than one that has lost a packet.
 */
#include "resolve/query.h"

/* Set the times of S, which is about to leave; KNOWN is what is known of its server. */
void patience_set(struct query *q, struct send *s, const struct infra_server *known);
/* Until when the reply of S, which is late, is welcome (mono). */
uint64_t patience_late_end_ms(const struct send *s);
