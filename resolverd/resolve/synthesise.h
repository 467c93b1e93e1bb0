#pragma once
/*
 * Answers made from cached, validated denial records (RFC 8198): NXDOMAIN and NODATA from NSEC and
 * NSEC3, and answers from cached wildcards. So a flood of random names below a signed zone costs one
 * upstream query per gap.
 */
#include "resolve/query.h"

/* Can the leg of Q be answered so? True and OUT (in Q's arena). Never across the
 * boundary of a forward or stub zone. */
bool synthesise_answer(struct query *q, struct answer *out);
