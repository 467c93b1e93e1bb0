#pragma once
/*
 * Whom strangers may send us to. Anybody can delegate a zone of his to any address, and would have us
 * ask the machine's own services, its neighbours, and whatever the cloud offers to nobody else: its
 * metadata service, its resolver, which drops what is too many. So an address that came with a referral
 * or from a look-up is asked only if it is one of the world's.
 *
 * Not asked are what no name server of the world can have (RFC 6890 and the registries behind it), what
 * hides such an IPv4 address inside of an IPv6 one, for a translator or a tunnel to find, and the
 * machine's own addresses. What the operator says of an address goes before that (resolution.do-query,
 * resolution.do-not-query), the longest prefix first; what he names himself, servers of forward and
 * stub zones and root hints, is asked where he named it: askable_check() is not for those.
 */
#include <stdatomic.h>

#include "base/endpoint.h"
#include "resolve/settings.h"

enum askable {
	ASKABLE_YES,
	ASKABLE_UNUSABLE,  /* nobody's address: endpoint_is_unusable() */
	ASKABLE_INTERNAL,  /* of a network that is not the world's */
	ASKABLE_OWN,	   /* this machine's */
	ASKABLE_FORBIDDEN, /* resolution.do-not-query */
	ASKABLE_COUNT
};

/* Of more addresses than these the machine's others are taken for strangers'. */
enum { OWN_ADDRESSES_MAX = 512 };

/* The machine's addresses, as marks of 64 bits: one thread writes, any may read. Between the two a
 * reader may see some of the old and some of the new, for a moment. Zero-initialised: none known. */
struct own_addresses {
	_Atomic uint32_t count;
	_Atomic uint64_t marks[OWN_ADDRESSES_MAX];
};

/* What E is known by. */
uint64_t own_addresses_mark(const struct endpoint *e);
/* The machine has E too, which is number INDEX, from 0. What is beyond OWN_ADDRESSES_MAX is left out. */
void own_addresses_put(struct own_addresses *own, uint32_t index, const struct endpoint *e);
/* There are COUNT now. */
void own_addresses_end(struct own_addresses *own, uint32_t count);

/* May E be asked, if a stranger says so? OWN: NULL: none known. Ports do not matter. */
enum askable askable_check(const struct settings *s, const struct own_addresses *own,
			   const struct endpoint *e);
/* E is at an address of a root hint. */
bool askable_is_hint(const struct settings *s, const struct endpoint *e);
/* "an internal address", and so on: what it is that is not asked. */
const char *askable_text(enum askable a);
