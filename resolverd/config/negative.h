#pragma once
/*
 * Negative trust anchors that the operator adds at run time (RFC 7646): names below which nothing is
 * validated, each for a limited time. They are laid over those of the configuration and outlive its
 * reload, but not the daemon.
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/now.h"
#include "dns/dname.h"

enum {
	NEGATIVE_ADDED_MAX = 64, /* people add them by hand, one outage at a time */
	NEGATIVE_SECONDS_DEFAULT = 3600,
	NEGATIVE_SECONDS_MAX = 7 * 86400, /* RFC 7646 §2: a week is the most that is sane */
};

struct negative_anchor {
	uint8_t name[DNAME_MAX]; /* lower case */
	uint64_t until_us;	 /* now.mono_us */
};

struct negative { /* main thread; zero-initialised is empty */
	struct negative_anchor list[NEGATIVE_ADDED_MAX];
	size_t count;
};

/* Add NAME (lower case) or set its time anew. ERR_LIMIT if there are too many. */
MUST_USE enum err negative_add(struct negative *n, const uint8_t *name, uint64_t until_us);
/* False if NAME is not there. */
bool negative_remove(struct negative *n, const uint8_t *name);
/* Take one whose time is over away, its name into OUT; false if there is none. */
bool negative_expire(struct negative *n, struct now now, uint8_t out[static DNAME_MAX]);
