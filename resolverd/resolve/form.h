#pragma once
/*
 * In what form a question goes to a server: with an OPT record and options (a cookie, for the most part),
 * with a bare one, or without EDNS; and how large a reply it takes. Servers there are that answer FORMERR to
 * an option, or to OPT, be it that their own OPT comes with it (or NOTIMP, BADVERS); and ways on which what
 * is large, or new, is dropped without a word.
 *
 * Who says FORMERR is asked in the next plainer form: no options, then no EDNS. For that he must have said it
 * twice, each time to another port, id and letters. What helped is remembered for the address
 * (INFRA_QUIRK_TTL_MS). Whoever was silent once is asked for small replies and without options, who was so
 * twice without EDNS; what helped then is remembered for INFRA_SUSPECT_MS only, as it may have been chance,
 * and for longer the second time.
 *
 * What a forger gains. A plainer form gives up the cookie, 64 bits, and nothing else: letters, port and id
 * stay, and where signatures must be (zone_context.signed_data) there is no way without EDNS. So a server
 * that is known to send cookies is asked with one all the same, but for a question to which it has said
 * FORMERR in a way that is believed: with its cookie, over TCP, or so often in a row as habit.h asks.
 * Where no cookie is known there is none to be given up: who has forged a FORMERR, at 32 bits and the
 * letters, could as well have forged the answer, and the next one costs him as much again.
 *
 * Loss he cannot forge. Where packets are counted replies stay as large as ever: what is lost there was
 * most often one too many, and TCP costs five.
 */
#include "resolve/query.h"

/* The form of S, which is about to leave; KNOWN is what is known of its server. */
void form_set(const struct query *q, struct send *s, const struct infra_server *known);
/* M says that the form of its question is not known. */
bool form_is_disliked(const struct message *m, enum edns_status status, const struct edns *edns);
/* Such is the reply to S. True: a plainer form is next. */
bool form_goes_on(struct query *q, const struct send *s);
/* Such is a reply to S, be it believed or not. */
void form_hear(struct query *q, const struct send *s);
/* Another is the reply to S; IS_CUT: it is truncated, or should be. */
void form_learn(struct query *q, const struct send *s, bool is_cut);
/* S, over TCP, was not answered, nor refused. True: the same once more without EDNS, as nothing else comes
 * through over UDP either. */
bool form_tries_tcp(struct query *q, const struct send *s);
/* A reply without EDNS is of no use to Q, be it that the server of S is thought to know no other. */
void form_insist(struct query *q, const struct server *server);
