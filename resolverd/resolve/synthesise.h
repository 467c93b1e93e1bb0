#pragma once
/*
 * Answers made from cached, validated denial records (RFC 8198): NXDOMAIN and NODATA from NSEC and
 * NSEC3, and answers from cached wildcards. So a flood of random names below a signed zone costs one
 * upstream query per gap.
 */
#include "resolve/query.h"

/* The answer to Q's leg (in Q's arena), if it can be made so; else NULL. Never across the boundary of a
 * forward or stub zone, or of a zone to which a delegation is known. */
struct answer *synthesise_answer(struct query *q);

/* The same for who only wants to know, as `explain`: nobody is charged, and the disk is not read. The
 * answer to (NAME, TYPE), NAME lower case, in ARENA. READER is the caller's, awake. */
struct synthesise_view {
	struct ranges *ranges;
	struct cache_reader *reader;
	const struct settings *settings;
	struct now now;
};
struct answer *synthesise_look(const struct synthesise_view *v, const uint8_t *name, uint16_t type,
			       struct arena *arena);
