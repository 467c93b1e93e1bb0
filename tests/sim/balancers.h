#pragma once
/*
 * Balancers in unsigned zones, which say NXDOMAIN when they are asked for the family that a name has no address
 * of, and that or NODATA beside aliases whose ends they have not looked for. Clients ask for both families in any order, at any
 * time: the address that a name has is told to everybody who asks for it.
 */
#include "sim/sim.h"

void build_balancers(struct sim *s);
void finish_balancers(struct sim *s);
