#include "daemon/exposition.h"

#include <inttypes.h>

#define FIGURE(name, type, help) [EXPOSITION_##name] = {#name, #type, help},
static const struct {
	const char *name, *type, *help;
} figures[] = {EXPOSITION_LIST(FIGURE)};
#undef FIGURE
static_assert(ARRAY_LEN(figures) == EXPOSITION_COUNT, "each figure has its words");

static void read_figures(const struct exposition *e, uint64_t mono_us,
			 uint64_t out[static EXPOSITION_COUNT])
{
	struct cache_stats cache;

	cache_read_stats(e->cache, &cache);
	out[EXPOSITION_cache_used_bytes] = cache.used_bytes;
	out[EXPOSITION_cache_limit_bytes] = cache.limit_bytes;
	out[EXPOSITION_cache_entries] = cache.entries;
	out[EXPOSITION_cache_inserts_total] = cache.inserts;
	out[EXPOSITION_cache_replacements_total] = cache.replacements;
	out[EXPOSITION_cache_evictions_total] = cache.evictions;
	out[EXPOSITION_cache_expired_evictions_total] = cache.expired_evictions;
	out[EXPOSITION_cache_rejected_total] = cache.rejected;
	out[EXPOSITION_denial_used_bytes] = ranges_used_bytes(e->ranges);
	out[EXPOSITION_workers] = e->worker_count;
	out[EXPOSITION_start_time_seconds] = (uint64_t)e->started_unix_s;
	for (unsigned i = 0; i < e->worker_count; i++) {
		struct worker_figures f;
		worker_read_figures(e->workers[i], &f);
		out[EXPOSITION_workers_turning] += worker_is_turning(e->workers[i], mono_us);
		out[EXPOSITION_open_queries] += f.open_queries;
		out[EXPOSITION_open_sends] += f.open_sends;
		out[EXPOSITION_waiting_clients] += f.waiting_clients;
	}
}

static void write_one(FILE *out, const char *name, const char *type, const char *help,
		      uint64_t value)
{
	fprintf(out, "# HELP resolverd_%s %s\n# TYPE resolverd_%s %s\nresolverd_%s %" PRIu64 "\n",
		name, help, name, type, name, value);
}

void exposition_write(const struct exposition *e, uint64_t mono_us, FILE *out)
{
	uint64_t values[EXPOSITION_COUNT] = {0};

	for (size_t i = 0; i < METRIC_COUNT; i++) {
		uint64_t total = 0;
		for (unsigned w = 0; w < e->worker_count; w++)
			total += metrics_get(worker_metrics(e->workers[w]), (enum metric)i);
		write_one(out, metrics_name((enum metric)i), "counter",
			  metrics_help((enum metric)i), total);
	}
	read_figures(e, mono_us, values);
	for (size_t i = 0; i < EXPOSITION_COUNT; i++)
		write_one(out, figures[i].name, figures[i].type, figures[i].help, values[i]);
	fputs("# HELP resolverd_build_info the version, as a label\n"
	      "# TYPE resolverd_build_info gauge\n"
	      "resolverd_build_info{version=\"" RESOLVERD_VERSION "\"} 1\n",
	      out);
}

void exposition_write_markdown(FILE *out)
{
	fputs("# Metrics\n"
	      "\n"
	      "What `/metrics` tells Prometheus. Written by `make docs` from the lists in\n"
	      "`resolverd/base/metrics.h` and `resolverd/daemon/exposition.h`; a test holds it "
	      "so.\n"
	      "\n"
	      "| metric | type | what it is |\n"
	      "|---|---|---|\n",
	      out);
	for (size_t i = 0; i < METRIC_COUNT; i++)
		fprintf(out, "| `resolverd_%s` | counter | %s |\n", metrics_name((enum metric)i),
			metrics_help((enum metric)i));
	for (size_t i = 0; i < EXPOSITION_COUNT; i++)
		fprintf(out, "| `resolverd_%s` | %s | %s |\n", figures[i].name, figures[i].type,
			figures[i].help);
	fputs("| `resolverd_build_info{version}` | gauge | always 1; the version is the label |\n",
	      out);
}
