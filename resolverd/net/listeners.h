#pragma once
/*
 * Who listens on an address, in whatever process, as far as the network namespace reaches: asked of
 * the kernel's socket diagnosis, which needs no privilege.
 */
#include "base/endpoint.h"
#include "net/netlink.h"

/* Does any socket, UDP or TCP, receive what is new for LOCAL (address and port)? Connections and
 * sockets that are bound to all addresses do not count. ERR_SYSTEM with errno, ERR_BUSY, ERR_LIMIT:
 * it is not known. */
MUST_USE enum err listeners_look(struct netlink *n, const struct endpoint *local, bool *found);

/* Is MESSAGE, a reply to that, about a socket that is bound to LOCAL? */
bool listeners_is_bound(const struct nlmsghdr *message, const struct endpoint *local);
