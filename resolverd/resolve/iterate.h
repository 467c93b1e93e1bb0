#pragma once
/*
 * The iterator: the states of a question and what a reply means for it.
 */
#include "resolve/query.h"

/* Run the function of q's state. */
enum step iterate_step(struct query *q);
/* A matched reply arrived for the open send S. */
void iterate_reply(struct query *q, struct send *s, const struct message *m);
