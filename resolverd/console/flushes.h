#pragma once
/*
 * The last flushes by an operator, so that `explain` can say why nothing is cached.
 */
#include "base/now.h"
#include "dns/dname.h"

enum { FLUSHES_MAX = 32 };

struct flush {
	uint8_t name[DNAME_MAX]; /* lower case */
	uint16_t type;		 /* 0: all */
	bool subtree;
	uint64_t at_us; /* mono */
};

struct flushes { /* main thread; zero-initialised is empty */
	struct flush list[FLUSHES_MAX];
	size_t count; /* in all */
};

void flushes_add(struct flushes *f, const uint8_t *name, uint16_t type, bool subtree,
		 struct now now);
/* The last one that took NAME and TYPE; NULL if none is remembered. */
const struct flush *flushes_find(const struct flushes *f, const uint8_t *name, uint16_t type);
