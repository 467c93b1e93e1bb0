#pragma once
/*
 * An address family that leads nowhere (cache/families.h), as questions meet it: servers of the other one
 * are asked first, and who waits for servers of this one when it is found out asks others at once. Servers
 * that have no other address are asked as before, so a name is never lost by it. A question of our own, for
 * the root's SOA, is sent that way now and then to see whether it still is so: no client waits for it.
 *
 * Configured servers have no part in this: they may be next door, where other routes lead.
 */
#include "resolve/query.h"

/* What came of S, over UDP. */
void family_note_reply(struct query *q, const struct send *s);
void family_note_loss(struct query *q, const struct send *s);
/* E of Q's zone is of a family that leads nowhere. The one who asks for that is to try it now and then. */
bool family_is_lost(struct query *q, const struct endpoint *e);
/* Open the question that tries. No question runs. */
void family_probe(struct resolver *r);
/* Q, which is such a question, may send another packet. */
bool family_probe_goes_on(const struct query *q);
/* Somebody else asks what Q asks, which may be such a question: it is one like any other from now on. */
void family_probe_shared(struct query *q);
