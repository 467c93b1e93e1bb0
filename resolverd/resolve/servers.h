#pragma once
/*
 * The zone whose servers are asked, and which of them next.
 *
 * The cut is the deepest delegation in the cache; a configured forward zone wins over anything
 * inferred below it, a stub zone is where its subtree begins. Delegations come from parents only.
 * Servers are tried in order of their expected time to answer, at random among those that are about
 * as fast; name servers without glue have their addresses looked up, one name at a time.
 */
#include "resolve/query.h"

/* Fill q->zone from the cache and the settings for the leg's name. */
MUST_USE enum err servers_find_cut(struct query *q);
/* The server to ask now, or -1: then *WAITING says whether addresses are being looked up. */
int servers_choose(struct query *q, bool *waiting);
/* What server INDEX needs when its first answer is lost: the time-out, then TCP at its slowest. */
uint32_t servers_bad_case_ms(struct query *q, unsigned index);
/* The servers of Q's zone count packets and drop what is too many: spare them. */
bool servers_are_counted(const struct query *q);
/* Each that is known has lost a packet or a connection of this question, or is, or was lately, of no use. */
bool servers_none_is_well(const struct query *q);
/* None of the servers of Q's zone has answered for a while, nor this question. */
bool servers_seem_dead(const struct query *q);
/* A client, or another question, joins one that has nobody left to ask: give each server one more
 * chance. */
void servers_allow_probe(struct query *q);
/* Ask the servers of D, the delegation of NAME that ends at EXPIRES_MS, from now on. */
void servers_use_delegation(struct query *q, const uint8_t *name, const struct delegation *d,
			    int64_t expires_ms);
/* For the trace: the servers of q->zone are asked from here on, known from SOURCE. */
void servers_note_zone(struct query *q, enum trace_source source);
