#pragma once
/*
 * What a slower tier knows and memory does not (resolver_recall_fn). Where it can be told at once it is
 * as if memory had known. Else it has been asked for, and comes as an event: a question waits for that
 * as long as a near server takes to answer, once for its whole client query, and then goes on to ask
 * servers. Whatever comes first is taken; what comes when the question is over is nobody's any more.
 */
#include "resolve/query.h"

/* Of NAME (lower case), if that can be told at once: is it in the cache now? *LATER: it cannot. */
bool recall_at_once(const struct resolver *r, const uint8_t *name, bool *later);

/* The same of the name of Q's leg, at most once for each: RECALL_LATER means that Q waits. */
enum recall recall_leg(struct query *q);

/* For a question that is not open yet: RECALL_LATER wants recall_wait() with *TOKEN as soon as it is. */
enum recall recall_begin(struct resolver *r, const uint8_t *name, uint64_t *token);
void recall_wait(struct query *q, uint64_t token);
/* WHAT was said of the name of Q's leg. */
void recall_note(struct query *q, enum recall what);

/* Q is not to run on yet. */
bool recall_is_waited_for(struct query *q);
/* Until when Q waits (mono); UINT64_MAX: it does not. */
uint64_t recall_end_ms(const struct query *q);
/* Q's next leg begins. */
void recall_next_leg(struct query *q);
/* Q is over. */
void recall_forget(struct query *q);

/* EV_RECALLED */
void recall_event(struct resolver *r, const struct event *ev);
