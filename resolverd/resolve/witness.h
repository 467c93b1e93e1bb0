#pragma once
/*
 * Servers that say nothing: NOERROR without authority, and no record at all. Balancers, which know addresses
 * of one family, say so of every other type of their names: it is NODATA. But so do servers that do not
 * serve the zone, and of those it would deny what is there.
 *
 * What tells the one from the other is the name itself. When the zone's other servers have had their time and
 * nobody has said anything better, one that said nothing is asked for another type: for A, or for AAAA where A
 * is the question. If it has data, or denies that with authority and an SOA, it knows the name, and what it did
 * not say is that there is nothing. That the cache, or another server, has data of the name says nothing of
 * this one. Who forges both replies could have claimed authority in one.
 */
#include "resolve/query.h"

enum witness {
	WITNESS_LAME,	/* it does not serve the zone, as far as can be seen */
	WITNESS_KNOWS,	/* q->doubtful_reply, which it might have sent too, is a denial */
	WITNESS_REFERS, /* others serve the name, whatever its type */
};

/* Is server INDEX, which has said nothing, worth it? Not for the address of a name server or for keys, of
 * which a denial tells no more than a failure; nor for DS of a zone that the operator has configured, as its
 * parent's servers must not be asked for other types; and once only. */
bool witness_may_ask(const struct query *q, unsigned index);
/* Server INDEX has said nothing; PLAIN: without EDNS. */
void witness_note(struct query *q, unsigned index, bool plain);
/* All servers are done with. True: Q is to go on, as one of those that said nothing is asked. */
bool witness_begin(struct query *q);
/* It is: go on with that, until its reply comes or is not to be had. */
enum step witness_step(struct query *q);
/* The type that it is asked for. */
uint16_t witness_type(const struct query *q);
/* Server INDEX is asked for that. */
bool witness_is_asked(const struct query *q, unsigned index);
/* REPLY came to it. */
enum witness witness_hear(struct query *q, unsigned index, const struct reply *reply);
/* Somebody knows better: who said nothing does not serve the zone. */
void witness_blame(struct query *q);
