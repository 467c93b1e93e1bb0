#pragma once
/*
 * Is this answer right? Form, header and size first, then each record against the zones, then the
 * whole against the oracle.
 */
#include "dns/message.h"
#include "sim/stub.h"

/* Everything about PACKET, C's answer. Fills C's rcode, truncated and fresh_until_us. */
void check_answer(struct sim *s, struct stub *c, struct span packet);
/* C's question has an answer that servers can tell, if they are well. */
bool check_can_tell(const struct sim *s, const struct stub *c);
