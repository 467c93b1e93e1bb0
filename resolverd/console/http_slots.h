#pragma once
/*
 * The connections of one HTTP address. There are HTTP_SLOTS of them, and when they are taken who holds
 * most gives way to who holds less (base/shares.h), so that nobody who fills them keeps the probes of
 * others out: a load balancer would drop the machine, and a kubelet restart the pod. Who holds as much
 * as anybody gives up its own oldest, so that nobody keeps itself out with what it has left behind.
 *
 * Each lives for HTTP_REQUEST_MS in all, however often a byte trickles in or is taken, and whether its
 * client is still there or not.
 *
 * The library's thread comes and goes; another one looks at the time. A connection is ended by
 * shutting its socket down: the library sees that, and closes it.
 */
#include <pthread.h>

#include "base/shares.h"

enum {
	HTTP_SLOTS = 64, /* scrapers and probes come by ones */
	/* Where the connections stand that were just ended: the library takes eleven in a row, and twice
	 * before it closes the first of them. */
	HTTP_SLOTS_SPARE = 32,
	HTTP_SLOTS_ALL = HTTP_SLOTS + HTTP_SLOTS_SPARE,
	/* A scraper far away needs a second for all of /metrics; Prometheus gives up after 10. */
	HTTP_REQUEST_MS = 10000,
};

struct http_slot {
	int fd; /* -1: free */
	uint64_t since_us;
	struct shares_member share; /* of no account: its end has begun */
};

struct http_slots {
	pthread_mutex_t lock; /* on all that follows */
	struct shares shares;
	struct http_slot list[HTTP_SLOTS_ALL];
	unsigned count;
	uint64_t refused; /* connections, for the sake of newer ones */
};

/* ERR_NO_MEMORY. */
MUST_USE enum err http_slots_init(struct http_slots *s);
void http_slots_deinit(struct http_slots *s);

/* May CLIENT have one more? Another's may be ended for it. */
bool http_slots_admit(struct http_slots *s, const struct endpoint *client);
/* FD is CLIENT's connection, begun at MONO_US; NULL if there is no slot, or FD is none: then it has no
 * time limit but the library's. */
struct http_slot *http_slots_take(struct http_slots *s, int fd, const struct endpoint *client,
				  uint64_t mono_us);
/* SLOT's socket is about to be closed. NULL is fine. */
void http_slots_leave(struct http_slots *s, struct http_slot *slot);
/* End those whose time is over at MONO_US. */
void http_slots_expire(struct http_slots *s, uint64_t mono_us);
uint64_t http_slots_refused(struct http_slots *s);
