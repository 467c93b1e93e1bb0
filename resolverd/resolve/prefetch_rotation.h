#pragma once
/*
 * Which changes of a name's data are worth a line of the log. A database that fails over changes
 * seldom, and each time is told. A name that spreads load has other addresses with every refresh: when
 * that shows, it is told once, and from then on only how often it was, at intervals of an hour, later
 * of up to a day. What is told of such a name all the same is an address that was not there lately, as
 * of an instance that was replaced; where new ones are the rule, as in a pool of hundreds, they are
 * not. A name that has kept its data for half an hour begins anew.
 *
 * Names are told apart by a keyed hash. The table is of fixed size: the name whose last change is
 * longest ago makes room.
 */
#include "resolve/answer.h"

enum {
	ROTATION_NAMES = 2048, /* 650 kB, of which only what is used is touched */
	/* Records of a name that are remembered, the youngest; of one answer no more than these. */
	ROTATION_RECORDS = 64,
	ROTATION_QUIET_S = 1800,
	/* Changes that are told of a name at once, and how soon another one may be: flapping by
	 * hand or by health checks is below that, load balancing above. */
	ROTATION_TOLD_MAX = 4,
	ROTATION_TOLD_EVERY_S = 900,
	ROTATION_SUM_MIN_S = 3600,
	ROTATION_SUM_MAX_S = 86400,
	/* Of the last 32 changes, those with an address that was not known: with more, it tells nothing. */
	ROTATION_NEW_MAX = 3,
};

struct rotations; /* one thread */

/* ERR_NO_MEMORY. */
MUST_USE enum err rotations_new(struct rotations **out);
void rotations_free(struct rotations *t);

struct rotation {
	bool rotates; /* such changes are the rule */
	bool tell;    /* this change */
	bool begins;  /* ... and that further ones are only counted */
	/* How many have been, without a line, in how long; 0: not to be told now. */
	uint32_t held_back, seconds;
};
/* The data of the name with this HASH has changed from OLD to NOW. */
void rotation_note(struct rotations *t, uint64_t hash, const struct answer *old,
		   const struct answer *now, struct now at, struct rotation *out);
