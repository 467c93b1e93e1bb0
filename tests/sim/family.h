#pragma once
/*
 * A network in which one address family leads nowhere though there is a route: sixty zones that nobody has
 * asked for yet, each with servers of both families. The answers come about as fast as if there were no
 * such family.
 */
#include "sim/sim.h"

void build_lost_family(struct sim *s);
void finish_lost_family(struct sim *s);
