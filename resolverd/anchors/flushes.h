#pragma once
/*
 * The last flushes, by an operator or by a change of the configuration, so that `explain` can say why nothing
 * is cached.
 */
#include "base/now.h"
#include "dns/dname.h"

enum { FLUSHES_MAX = 32 };

struct flush {
	uint8_t name[DNAME_MAX]; /* lower case */
	uint16_t type;		 /* 0: all */
	bool subtree;
	bool by_change; /* of the configuration; else an operator's */
	uint64_t at_us; /* mono */
};

struct flushes { /* main thread; zero-initialised is empty */
	struct flush list[FLUSHES_MAX];
	size_t count; /* in all */
};

/* FLUSH, with its NAME in any case. */
void flushes_add(struct flushes *f, const struct flush *flush);
/* The last one that took NAME and TYPE; NULL if none is remembered. */
const struct flush *flushes_find(const struct flushes *f, const uint8_t *name, uint16_t type);
