#pragma once
/*
 * Shortages that somebody makes: more questions for zones whose servers are silent than the machine has
 * sockets for, over UDP and over TCP. Beside them innocents ask for names that nobody has asked for
 * before: each is answered, and nothing of it is held against the servers of their zones.
 */
#include "sim/sim.h"

void build_short_udp(struct sim *s);
void finish_short_udp(struct sim *s);
void build_short_tcp(struct sim *s);
void finish_short_tcp(struct sim *s);
