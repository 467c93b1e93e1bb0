#pragma once
/*
 * What the network cards of a cloud instance have dropped because an allowance was exceeded, as the
 * driver counts it (Amazon's ENA; "ethtool -S"). The one for link-local services is a thousand
 * packets a second of each interface, for the provider's resolver, instance metadata and time
 * together: whoever else on the machine is too fast takes our replies with him.
 *
 * Read by the ioctl of ethtool(8), which needs no privilege. Drivers without such counters are left
 * alone. Nothing that a driver says is believed to be of a certain size or shape.
 */
#include <net/if.h>

#include "base/err.h"
#include "base/span.h"

/* X(name, help): the driver's counter is NAME_allowance_exceeded. */
#define ALLOWANCE_LIST(X)                                                                          \
	X(linklocal, "packets to link-local services (DNS, metadata, time) dropped by the cloud")  \
	X(pps, "packets dropped because the instance sent or got too many")                        \
	X(conntrack, "packets dropped because the instance has too many tracked connections")      \
	X(bw_in, "packets dropped because the instance got too many bytes")                        \
	X(bw_out, "packets dropped because the instance sent too many bytes")

#define ALLOWANCE_ENUM(name, help) ALLOWANCE_##name,
enum allowance { ALLOWANCE_LIST(ALLOWANCE_ENUM) ALLOWANCE_COUNT };
#undef ALLOWANCE_ENUM

enum {
	ALLOWANCE_LINKS_MAX = 64,	 /* more than an instance can have */
	ALLOWANCE_INTERFACES_MAX = 4096, /* looked at in one go; a pod has one each */
	ALLOWANCE_STATISTICS_MAX = 8192, /* of one driver: some 30 for each of 128 queues */
	ALLOWANCE_STATISTIC_NAME = 32,	 /* bytes (ETH_GSTRING_LEN) */
	ALLOWANCE_ABSENT = UINT16_MAX,	 /* the driver has no such counter */
};

struct allowance_places { /* where in a driver's list each counter stands, or ALLOWANCE_ABSENT */
	uint16_t at[ALLOWANCE_COUNT];
};

struct allowance_link {
	char name[IF_NAMESIZE];
	uint32_t index;
	uint64_t counter[ALLOWANCE_COUNT]; /* the driver's; 0 if it has none */
	uint64_t risen[ALLOWANCE_COUNT];   /* between the last two readings */
	uint64_t dropped[ALLOWANCE_COUNT]; /* since the first one */
	struct {			   /* notes of whoever reads; zero at first */
		uint64_t told, told_us, risen_us;
	} notes[ALLOWANCE_COUNT];
};

struct allowance_reader { /* one thread */
	int fd;
	void *strings, *values; /* the ioctl's buffers */
	struct allowance_link links[ALLOWANCE_LINKS_MAX];
	size_t link_count;
	uint64_t gone[ALLOWANCE_COUNT]; /* dropped[] of links that are no longer there */
};

/* "linklocal", and its help text. */
const char *allowance_name(enum allowance which);
const char *allowance_help(enum allowance which);

/* ERR_NO_MEMORY or ERR_SYSTEM; nothing is left open then. */
MUST_USE enum err allowance_open(struct allowance_reader *r);
void allowance_close(struct allowance_reader *r);

/* Look which interfaces there are, for those that count. */
void allowance_scan(struct allowance_reader *r);
/* Read those that were found; whoever does not answer any more is gone. A link's first reading is
 * not a rise. */
void allowance_read(struct allowance_reader *r);

/* Find the counters among STRINGS, ALLOWANCE_STATISTIC_NAME bytes each. False: none is there. */
bool allowance_find(struct span strings, struct allowance_places *out);
