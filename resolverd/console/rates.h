#pragma once
/*
 * How fast counters grow: a ring of samples, one a second, of the sums over all workers.
 */
#include "base/metrics.h"
#include "base/now.h"

enum { RATES_SAMPLES = 11 }; /* ten seconds lie between the first and the last */

struct rates_sample {
	uint64_t mono_us;
	uint64_t queries, hits, misses, servfails;
};

struct rates { /* main thread; zero-initialised is empty */
	struct rates_sample samples[RATES_SAMPLES];
	unsigned next, count;
};

struct rates_view { /* over the time that the samples span */
	double queries_per_s;
	double hit_percent, servfail_percent; /* of the answers; 0 if there were none */
};

/* Add a sample; TOTALS is the sum over all workers. Call it about once a second. */
void rates_add(struct rates *r, struct now now, const uint64_t totals[static METRIC_COUNT]);
struct rates_view rates_read(const struct rates *r);
