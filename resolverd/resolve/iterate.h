#pragma once
/*
 * The iterator: the states of a question and what a reply means for it.
 */
#include "resolve/query.h"

/* Run the function of q's state. */
enum step iterate_step(struct query *q);
/* A matched reply arrived for the open send S. */
void iterate_reply(struct query *q, struct send *s, const struct message *m);
/* Until when others may contradict what came now, and Q does not quite believe: a client that has waited since
 * the question was opened still gets it. Mono. */
uint64_t iterate_doubt_end_ms(const struct query *q);
