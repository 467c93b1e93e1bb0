#pragma once
/*
 * What servers there are: each has some habits of those that are found in the field, drawn for it, and
 * some that make it of no use; but of each zone one tells what it knows to who asks in the right way. So
 * there is an invariant: a name that one honest reachable server tells is told. The first times may be
 * too short for all that has to be found out on the way from the root, in 1.8 s; but not the last two.
 */
#include "dns/edns.h"
#include "sim/server.h"

struct sim;

/* A random world, its servers with habits. */
void habits_build(struct sim *s);
void habits_finish(struct sim *s);

/* --- for server.c --- */

enum { HABITS_COOKIE_SIZE = 16 };

/* M ends with an OPT record that has options. */
bool habits_has_options(const struct message *m);
/* The host of QUERY knows names in such letters. If not: what it says, or nothing. */
bool habits_knows_letters(const struct server_query *query);
bool habits_tells_error(const struct server_query *query, uint16_t *rcode);
/* The cookie that goes with the reply to who sent EDNS, into OUT; its length, or 0. */
size_t habits_cookie(struct prng *dice, const struct host *host, const struct edns *edns,
		     uint8_t out[static HABITS_COOKIE_SIZE]);
/* REPLY as it arrives. False: it does not. */
bool habits_pass(const struct server_query *query, struct server_reply *reply);
