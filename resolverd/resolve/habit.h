#pragma once
/*
 * Servers with habits that look like a forger's: the question comes back in other letters than it was
 * asked in, cookies come from some of the machines behind one address only, names are known in small
 * letters only. TCP tells the one from the other, as nobody can forge there. Where a server has no TCP
 * there is another way, which costs a forger as much: the server is asked again, each time from another
 * port, with another id and other letters. A reply that lacks something is believed once so many in a row
 * have lacked the same that a forger must have guessed more than what is given up:
 *
 *   one for port and id (32 bits) and one more for each 32 bits given up: 1 for each letter (0x20), 64 for
 *   a cookie. So two replies where names have up to 32 letters, three up to 64, three for cookies.
 *
 * An error that comes without its question says nothing of letters, and is counted by itself: who has one
 * to give must not stand for the first of two in which a forger has the second.
 *
 * Any reply that lacks nothing answers the question, and the count is the question's own: a forger has to
 * succeed in a row, not one time after the other. What was so found is remembered for the server's address
 * (INFRA_QUIRK_TTL_MS); replies then lack those bits, as from any server known by TCP to have the habit.
 *
 * Letters: a server that fails or is silent for a question in mixed letters, and was not seen to answer
 * any such, is asked in small ones, as soon as no other is left that has not failed or lost a packet: where
 * it fails one of a zone, as this is a habit of software, and another only where TCP was needed and led
 * nowhere. It is not where packets are counted. What it says then is believed as above. The operator may
 * name zones and servers whose letters are left alone (resolution.no-0x20).
 */
#include "resolve/query.h"

enum habit {
	HABIT_NONE,
	HABIT_CASE, /* the question came back in other letters */
	HABIT_BARE, /* an error without the question: the same is given up, nothing is learned of letters */
	HABIT_COOKIE, /* no cookie from a server that is known to send them */
	HABIT_SMALL,  /* the question went in small letters, as a try */
};

/* The letters of a question to SERVER: small, as it is known to need that or the operator says so ... */
bool habit_is_small(const struct query *q, const struct server *server,
		    const struct infra_server *known);
/* ... or as a try. */
bool habit_tries_small(const struct query *q, const struct server *server,
		       const struct infra_server *known);
/* A reply over UDP to S matches but for HABIT: is it believed? If not, its server is to be asked again,
 * over TCP if *TCP. */
bool habit_believes(struct query *q, struct send *s, enum habit habit, bool *tcp);
/* SERVER has not accepted a cookie of its own (BADCOOKIE): *TCP as above. False: there is no way on. */
bool habit_retries_cookie(struct query *q, struct server *server, bool *tcp);
/* TCP has led nowhere. True: SERVER is asked over UDP again, for what it has said so far. */
bool habit_leaves_tcp(struct server *server);
/* REPLY is what M says, the reply to S, be it of use or not; DOUBTED: it is not believed yet. */
void habit_learn(struct query *q, const struct send *s, const struct message *m,
		 const struct reply *reply, bool doubted);
/* All servers are done with. True: one is to be asked in small letters. */
bool habit_begin_small(struct query *q);
