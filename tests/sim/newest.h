#pragma once
/*
 * Names that change while clients ask: to another address, kept or with a TTL of 0, to denials with an SOA, with
 * one that holds for no time, or with none; while their server is well, and before it goes away for a while.
 * Nobody is told what is older than what somebody was told before, but for what was in flight then; and in the
 * end all is told as it is.
 */
#include "dns/builder.h"

struct sim;
struct stub;
struct newest;
struct message;

void build_newest(struct sim *s);
void finish_newest(struct sim *s);

/* What the server says of NAME at NOW_US, into B, with the flags in *FLAGS. False: nothing of its own. */
bool newest_answer(const struct newest *n, const uint8_t *name, uint16_t type, uint64_t now_us,
		   struct builder *b, uint16_t *flags);
/* It is away. */
bool newest_is_silent(const struct newest *n, uint64_t now_us);
/* What C asked for is such a name: M, with RCODE, is judged here, and by nobody else. */
bool newest_judges(struct sim *s, const struct stub *c, const struct message *m, uint16_t rcode);
