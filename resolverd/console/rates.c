#include "console/rates.h"

#include "base/require.h"

void rates_add(struct rates *r, struct now now, const uint64_t totals[static METRIC_COUNT])
{
	r->samples[r->next] = (struct rates_sample){
		.mono_us = now.mono_us,
		.queries = totals[METRIC_queries_udp_total] + totals[METRIC_queries_tcp_total],
		.hits = totals[METRIC_cache_hits_total],
		.misses = totals[METRIC_cache_misses_total],
		.servfails = totals[METRIC_answers_servfail_total],
	};
	r->next = (r->next + 1) % RATES_SAMPLES;
	r->count = MIN(r->count + 1, (unsigned)RATES_SAMPLES);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

struct rates_view rates_read(const struct rates *r)
{
	struct rates_view view = {0};

	if (r->count < 2)
		return view;
	const struct rates_sample *last =
		&r->samples[(r->next + RATES_SAMPLES - 1) % RATES_SAMPLES];
	const struct rates_sample *first =
		&r->samples[(r->next + RATES_SAMPLES - r->count) % RATES_SAMPLES];
	uint64_t queries = last->queries - first->queries, hits = last->hits - first->hits;
	if (last->mono_us > first->mono_us)
		view.queries_per_s =
			1e6 * (double)queries / (double)(last->mono_us - first->mono_us);
	view.hit_percent = percent(hits, hits + last->misses - first->misses);
	view.servfail_percent = percent(last->servfails - first->servfails, queries);
	return view;
}
