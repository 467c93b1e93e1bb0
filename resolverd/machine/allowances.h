#pragma once
/*
 * What the network cards drop because an allowance of the cloud is exceeded (net/allowance.h): read
 * every few seconds, told in the log, in /metrics, by /readyz and status. Drops at link-local
 * services, of which the provider's resolver is one, cut the rate limits of forward zones
 * (resolve/throttle.h) until there are no more.
 */
#include <pthread.h>

#include "net/allowance.h"
#include "net/loop.h"
#include "resolve/throttle.h"

enum {
	/* Reading costs the driver a question to the card; a cut lasts until the next one. */
	ALLOWANCES_PERIOD_MS = 5000,
	ALLOWANCES_SCAN_PERIODS = 12, /* a card that was attached is found within a minute */
	/* One line a minute for each card and allowance; and what has been dropped for as long is a
	 * reason to worry. */
	ALLOWANCES_TELL_MS = 60000,
};

struct allowances_view { /* a value */
	struct allowances_link {
		char name[IF_NAMESIZE];
		uint64_t dropped[ALLOWANCE_COUNT];
		bool recent[ALLOWANCE_COUNT]; /* some within ALLOWANCES_TELL_MS */
	} links[ALLOWANCE_LINKS_MAX];
	size_t link_count;
	uint64_t gone[ALLOWANCE_COUNT]; /* of cards that are no longer there */
	unsigned rate_percent;		/* what is left of all rate limits */
};

struct allowances { /* main thread, but for what LOCK guards */
	struct loop *loop;
	struct throttle *throttle;
	struct loop_timer timer;
	struct allowance_reader reader;
	unsigned periods;
	bool open;
	pthread_mutex_t lock;
	struct allowances_view view; /* LOCK */
};

/* Begin to read. Where that is not possible it is told, and there is nothing to see. */
void allowances_open(struct allowances *a, struct loop *loop, struct throttle *throttle);
void allowances_close(struct allowances *a);

/* As it was at the last reading. From any thread, while A is open. */
void allowances_read(struct allowances *a, struct allowances_view *out);
