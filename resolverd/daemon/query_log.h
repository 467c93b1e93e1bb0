#pragma once
/*
 * The query log: one line for each client query, if the operator asks for it. It holds clients'
 * addresses and names, so it is off by default.
 */
#include "base/endpoint.h"
#include "base/span.h"

/* PACKET came from CLIENT over TRANSPORT ("udp", "tcp"). */
void query_log(struct span packet, const struct endpoint *client, const char *transport);
