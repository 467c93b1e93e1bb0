#pragma once
/*
 * Clients that want more than there is, and those beside them: a client that was not extravagant does not
 * fail because another was.
 */
struct sim;

void build_greedy(struct sim *s);
void finish_greedy(struct sim *s);
