#pragma once
/*
 * QNAME minimisation (RFC 9156): the servers of a zone are shown one label more than they serve, and
 * the full question only where nothing lies between.
 */
#include "resolve/query.h"

/* Decide what the servers of q->zone are asked now: a minimised question or the full one. */
void minimize_question(struct query *q);
/* REPLY, no referral, came to a minimised question. False if it says all there is to say of the full
 * question too; else Q goes on asking. */
bool minimize_reply(struct query *q, const struct reply *reply);
