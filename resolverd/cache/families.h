#pragma once
/*
 * Whether an address family leads anywhere. A machine may have an IPv6 address and a route from a router
 * whose provider has none: what is sent there is lost without a word, and each server is found to be
 * silent by itself, at the expense of some question. So what was lost is counted for the family too.
 *
 * A family is thought to be lost when servers in several networks have been silent, one after the other,
 * none of that family has answered since, and one of the other family has. It takes FAMILIES_SILENT of
 * them, or FAMILIES_SILENT_NEW where the family has not answered since the network last changed. Any reply
 * ends it. So dead servers condemn no family that works: where there is traffic one of the others answers
 * in between, and where there is none, the next reply takes it back. An outage of everything is none of
 * a family. What follows from it is an order of servers, and nothing more (resolve/family.h).
 *
 * Shared by all workers; a reply of a family that is well takes no lock.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/endpoint.h"
#include "base/now.h"

enum {
	FAMILIES_SILENT = 4,
	FAMILIES_SILENT_NEW = 2,
	FAMILIES_ROW_MS = 60 * 1000, /* what was lost longer ago says nothing of now */
	/* One worker finds out whether it still is so, and waits twice as long each time. */
	FAMILIES_PROBE_MIN_MS = 1000,
	FAMILIES_PROBE_MAX_MS = 30 * 1000,
};

struct way {						       /* to the servers of one family */
	_Atomic bool has_answered;			       /* since the network last changed */
	_Atomic int64_t replied_ms, silent_since_ms, probe_ms; /* cache_ms */
	_Atomic uint32_t silent_count;
	/* under the lock */
	bool told;			  /* that it is lost */
	uint32_t times;			  /* ... so often */
	uint64_t silent[FAMILIES_SILENT]; /* networks */
	int64_t probe_gap_ms;
};

struct families {
	pthread_mutex_t lock;
	struct way each[2]; /* IPv4, IPv6 */
};

void families_init(struct families *f);
void families_deinit(struct families *f);
/* A server at E, of the world's, has answered. True, for one caller: its family had been told to be lost. */
bool families_reply(struct families *f, const struct endpoint *e, struct now now);
/* ... has not. 0, or its family is thought to be lost, for the so manieth time; *FOUND, for one caller: as is
 * told now. */
uint32_t families_loss(struct families *f, const struct endpoint *e, struct now now, bool *found);
/* FAMILY, 4 or 6, is thought to be lost. */
bool families_is_lost(struct families *f, uint8_t family);
/* ... and the caller is to try whether it is. */
bool families_may_probe(struct families *f, uint8_t family, struct now now);
/* Other routes, other ways: nothing is known. */
void families_forget(struct families *f);
