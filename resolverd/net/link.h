#pragma once
/*
 * Links of our own and addresses on links, by rtnetlink. What is made here bears a mark (a link its
 * alias, an address its protocol, which Linux knows from 5.18), so that it is found again by whoever
 * comes after a crash, or by another instance, and so that what an administrator made is never taken
 * for ours. All of it but looking needs CAP_NET_ADMIN.
 */
#include "base/endpoint.h"
#include "net/netlink.h"

enum {
	LINK_NAME_SIZE = 16,	    /* IFNAMSIZ */
	LINK_ADDRESSES_MAX = 32,    /* looked for at a time */
	LINK_ADDRESS_PROTOCOL = 53, /* IFA_PROTO of ours; "proto 53" for ip-address(8) */
};
#define LINK_ALIAS "made by resolverd" /* IFLA_IFALIAS of ours */

struct link {
	uint32_t index;
	bool up;
	bool ours; /* it bears our mark */
};

struct link_addresses {
	const struct endpoint *wanted; /* the caller's; their ports do not matter */
	size_t count;		       /* of them; at most LINK_ADDRESSES_MAX */
	uint32_t there, ours;	       /* of them, a bit for each; ours bear our mark */
	unsigned others; /* less IPv6 link-local ones, which the kernel makes itself */
};

/* The link called NAME. ERR_NOT_FOUND; ERR_SYSTEM with errno. */
MUST_USE enum err link_find(struct netlink *n, const char *name, struct link *out);
/* Make a link called NAME on which nothing but addresses can be: a dummy or, where the kernel has
 * none, a bridge without ports. It is up. ERR_SYSTEM with errno. */
MUST_USE enum err link_make(struct netlink *n, const char *name);
MUST_USE enum err link_remove(struct netlink *n, uint32_t index);

/* Look which addresses are on link INDEX. ERR_SYSTEM with errno, ERR_BUSY, ERR_LIMIT. */
MUST_USE enum err link_look(struct netlink *n, uint32_t index, struct link_addresses *a);
/* One address, as a host (/32, /128), without duplicate detection: it is the same on every node.
 * ERR_SYSTEM with errno: EPERM, EEXIST, EADDRNOTAVAIL (not there to be removed). */
MUST_USE enum err link_add_address(struct netlink *n, uint32_t index,
				   const struct endpoint *address);
MUST_USE enum err link_remove_address(struct netlink *n, uint32_t index,
				      const struct endpoint *address);

/* Count in A what MESSAGE, a reply to link_look() for INDEX, tells; what is malformed is passed
 * over. */
void link_take_address(struct link_addresses *a, uint32_t index, const struct nlmsghdr *message);
