#pragma once
/*
 * The daemon as its own client: does it answer? A worker that hangs, a socket that is gone or a
 * firewall rule shows here, whatever counters say.
 */
#include "base/endpoint.h"

/* Ask ADDRESS for `. NS` over UDP or TCP and wait for the answer, half a second at most. Any reply
 * but SERVFAIL will do. Not on a worker's thread. */
bool selfcheck(const struct endpoint *address, bool tcp);
