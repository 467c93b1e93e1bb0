#include "console/exposition.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "console/http.h"
#include "machine/holdings.h"
#include "machine/sandbox.h"
#include "net/loop.h"

#define FIGURE(name, type, help) [EXPOSITION_##name] = {#name, #type, help},
static const struct {
	const char *name, *type, *help;
} figures[] = {EXPOSITION_LIST(FIGURE)};
#undef FIGURE
static_assert(ARRAY_LEN(figures) == EXPOSITION_COUNT, "each figure has its words");

#define COUNTER(name, help) {"disk_" #name "_total", help},
static const struct {
	const char *name, *help;
} disk_counters[] = {DISK_COUNTER_LIST(COUNTER)};
#undef COUNTER

/* Its one argument is the allowance's name. */
#define ALLOWANCE_METRIC "%s_allowance_exceeded_total"

static void read_disk(struct disk *disk, uint64_t out[static EXPOSITION_COUNT],
		      uint64_t counters[static ARRAY_LEN(disk_counters)])
{
	struct disk_status s;
	size_t i = 0;

	disk_read_status(disk, &s);
	out[EXPOSITION_disk_up] = s.state == DISK_GOOD;
	out[EXPOSITION_disk_used_bytes] = s.used_bytes;
	out[EXPOSITION_disk_limit_bytes] = s.limit_bytes;
	out[EXPOSITION_disk_entries] = s.entries;
	out[EXPOSITION_disk_pending_entries] = s.pending_entries;
	out[EXPOSITION_disk_pending_bytes] = s.pending_bytes;
#define COUNTER(name, help) counters[i++] = s.name;
	DISK_COUNTER_LIST(COUNTER)
#undef COUNTER
}

static void read_figures(const struct exposition *e, uint64_t mono_us,
			 uint64_t out[static EXPOSITION_COUNT])
{
	struct cache_stats cache;
	struct log_view log;

	log_read(&log);
	out[EXPOSITION_memory_limit_bytes] = e->holdings ? e->holdings->limit_bytes : 0;
	out[EXPOSITION_memory_resident_bytes] = holdings_resident();
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
	out[EXPOSITION_log_waiting_bytes] = log.waiting_bytes;
	out[EXPOSITION_log_dropped_total] = log.dropped;
	out[EXPOSITION_shares_http_total] = http_refused(e->http);
	out[EXPOSITION_sandbox_refused_total] = sandbox_refused();
	out[EXPOSITION_listen_addresses] = e->listen ? listen_count_served(e->listen) : 0;
	out[EXPOSITION_workers] = e->worker_count;
	out[EXPOSITION_start_time_seconds] = (uint64_t)e->started_unix_s;
	for (unsigned i = 0; i < e->worker_count; i++) {
		struct worker_figures f;
		worker_read_figures(e->workers[i], &f);
		out[EXPOSITION_workers_turning] += worker_is_turning(e->workers[i], mono_us);
		out[EXPOSITION_open_queries] += f.open_queries;
		out[EXPOSITION_open_sends] += f.open_sends;
		out[EXPOSITION_waiting_clients] += f.waiting_clients;
		out[EXPOSITION_prefetch_kept_names] += f.kept_names;
		out[EXPOSITION_prefetch_waiting] += f.waiting_refreshes;
	}
}

static void write_one(FILE *out, const char *name, const char *type, const char *help,
		      uint64_t value)
{
	fprintf(out, "# HELP resolverd_%s %s\n# TYPE resolverd_%s %s\nresolverd_%s %" PRIu64 "\n",
		name, help, name, type, name, value);
}

static void write_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP resolverd_%s %s\n# TYPE resolverd_%s %s\n", name, help, name, type);
}

/* Microseconds in seconds, without trailing zeros. */
static void write_seconds(FILE *out, uint64_t us)
{
	unsigned digits = 6;
	uint64_t part = us % 1000000;
	for (; digits > 0 && part % 10 == 0; digits--)
		part /= 10;
	fprintf(out, "%" PRIu64, us / 1000000);
	if (digits > 0)
		fprintf(out, ".%0*" PRIu64, (int)digits, part);
}

static void write_amount(FILE *out, enum histogram_unit unit, uint64_t amount)
{
	switch (unit) {
	case HISTOGRAM_MICROSECONDS:
		write_seconds(out, amount);
		return;
	case HISTOGRAM_BYTES:
		fprintf(out, "%" PRIu64, amount);
		return;
	}
}

static void write_histogram(FILE *out, const struct histogram_view *h)
{
	uint64_t count = h->up_to[h->bound_count];

	write_head(out, h->name, "histogram", h->help);
	for (size_t i = 0; i < h->bound_count; i++) {
		fprintf(out, "resolverd_%s_bucket{le=\"", h->name);
		write_amount(out, h->unit, h->bounds[i]);
		fprintf(out, "\"} %" PRIu64 "\n", h->up_to[i]);
	}
	fprintf(out, "resolverd_%s_bucket{le=\"+Inf\"} %" PRIu64 "\nresolverd_%s_sum ", h->name,
		count, h->name);
	write_amount(out, h->unit, h->sum);
	fprintf(out, "\nresolverd_%s_count %" PRIu64 "\n", h->name, count);
}

/* TEXT, which has no line breaks, as a label's value. */
static void write_text(FILE *out, const char *text)
{
	for (const char *at = text; *at; at++)
		fprintf(out, *at == '\\' || *at == '"' ? "\\%c" : "%c", *at);
}

/* What is not printable is '\ddd' in names' text, whose backslashes are doubled. */
static void write_label(FILE *out, struct span key)
{
	char text[DNAME_TEXT_MAX];

	write_text(out, dname_text(key.at, text));
}

static void write_family(FILE *out, const struct family_view *f)
{
	write_head(out, f->name, "counter", f->help);
	for (size_t i = 0; i < f->key_count; i++) {
		fprintf(out, "resolverd_%s{%s=\"", f->name, f->label);
		write_label(out, f->keys[i]);
		fprintf(out, "\"} %" PRIu64 "\n", f->values[i]);
	}
	fprintf(out, "resolverd_%s{%s=\"other\"} %" PRIu64 "\n", f->name, f->label, f->other);
}

static void write_allowances(struct allowances *a, FILE *out)
{
	struct allowances_view v;
	char name[64];

	allowances_read(a, &v);
	for (size_t k = 0; k < ALLOWANCE_COUNT; k++) {
		enum allowance which = (enum allowance)k;
		(void)snprintf(name, sizeof(name), ALLOWANCE_METRIC, allowance_name(which));
		write_head(out, name, "counter", allowance_help(which));
		for (size_t i = 0; i < v.link_count; i++) {
			fprintf(out, "resolverd_%s{interface=\"", name);
			write_text(out, v.links[i].name);
			fprintf(out, "\"} %" PRIu64 "\n", v.links[i].dropped[k]);
		}
		fprintf(out, "resolverd_%s{interface=\"other\"} %" PRIu64 "\n", name, v.gone[k]);
	}
}

static const struct {
	const char *name, *type, *help;
} account_figures[] = {
	{"memory_account_used_bytes", "gauge", "what an account of memory holds"},
	{"memory_account_limit_bytes", "gauge", "what it may hold"},
	{"memory_account_most_bytes", "gauge", "the most that it has held"},
	{"memory_account_shed_total", "counter", "how often something had to give way in it"},
};

static void write_accounts(const struct ledger *l, FILE *out)
{
	for (size_t k = 0; k < ARRAY_LEN(account_figures); k++) {
		write_head(out, account_figures[k].name, account_figures[k].type,
			   account_figures[k].help);
		for (size_t i = 0; i < LEDGER_COUNT; i++) {
			struct ledger_view v = ledger_read(l, (enum ledger_account)i);
			const uint64_t values[] = {v.used_bytes, v.limit_bytes, v.most_bytes,
						   v.shed};
			static_assert(ARRAY_LEN(values) == ARRAY_LEN(account_figures), "each");
			fprintf(out, "resolverd_%s{account=\"%s\"} %" PRIu64 "\n",
				account_figures[k].name, v.name, values[k]);
		}
	}
}

static void write_lists(const struct exposition *e, FILE *out)
{
	const struct metrics *list[CONFIG_WORKERS_MAX];
	struct histogram_view histogram;
	struct family_view family;

	for (unsigned w = 0; w < e->worker_count; w++)
		list[w] = worker_metrics(e->workers[w]);
	for (size_t i = 0; i < HISTOGRAM_COUNT; i++) {
		metrics_read_histogram(list, e->worker_count, (enum histogram)i, &histogram);
		write_histogram(out, &histogram);
	}
	for (size_t i = 0; i < FAMILY_COUNT; i++) {
		metrics_read_family(list, e->worker_count, (enum family)i, &family);
		write_family(out, &family);
	}
	write_allowances(e->allowances, out);
	if (e->holdings)
		write_accounts(&e->holdings->ledger, out);
}

void exposition_write(const struct exposition *e, uint64_t mono_us, FILE *out)
{
	uint64_t values[EXPOSITION_COUNT] = {0}, counters[ARRAY_LEN(disk_counters)];

	for (size_t i = 0; i < METRIC_COUNT; i++) {
		uint64_t total = 0;
		for (unsigned w = 0; w < e->worker_count; w++)
			total += metrics_get(worker_metrics(e->workers[w]), (enum metric)i);
		write_one(out, metrics_name((enum metric)i), "counter",
			  metrics_help((enum metric)i), total);
	}
	read_figures(e, mono_us, values);
	read_disk(e->disk, values, counters);
	for (size_t i = 0; i < ARRAY_LEN(counters); i++)
		write_one(out, disk_counters[i].name, "counter", disk_counters[i].help,
			  counters[i]);
	for (size_t i = 0; i < EXPOSITION_COUNT; i++)
		write_one(out, figures[i].name, figures[i].type, figures[i].help, values[i]);
	write_lists(e, out);
	fputs("# HELP resolverd_build_info the version, as a label\n"
	      "# TYPE resolverd_build_info gauge\n"
	      "resolverd_build_info{version=\"" RESOLVERD_VERSION "\"} 1\n",
	      out);
}

void exposition_counters(const struct exposition *e, exposition_counter_fn *fn, void *context)
{
	uint64_t values[EXPOSITION_COUNT] = {0}, counters[ARRAY_LEN(disk_counters)];

	read_figures(e, loop_epoch_read().mono_us, values);
	read_disk(e->disk, values, counters);
	for (size_t i = 0; i < ARRAY_LEN(counters); i++)
		fn(context, disk_counters[i].name, counters[i]);
	for (size_t i = 0; i < EXPOSITION_COUNT; i++)
		if (strcmp(figures[i].type, "counter") == 0)
			fn(context, figures[i].name, values[i]);
}

void exposition_write_markdown(FILE *out)
{
	fputs("# Metrics\n"
	      "\n"
	      "What `/metrics` tells Prometheus. Written by `make docs` from the lists in\n"
	      "`resolverd/base/metrics.h` and `resolverd/console/exposition.h`; a test holds it "
	      "so.\n"
	      "\n"
	      "| metric | type | what it is |\n"
	      "|---|---|---|\n",
	      out);
	for (size_t i = 0; i < METRIC_COUNT; i++)
		fprintf(out, "| `resolverd_%s` | counter | %s |\n", metrics_name((enum metric)i),
			metrics_help((enum metric)i));
	for (size_t i = 0; i < ARRAY_LEN(disk_counters); i++)
		fprintf(out, "| `resolverd_%s` | counter | %s |\n", disk_counters[i].name,
			disk_counters[i].help);
	for (size_t i = 0; i < EXPOSITION_COUNT; i++)
		fprintf(out, "| `resolverd_%s` | %s | %s |\n", figures[i].name, figures[i].type,
			figures[i].help);
	for (size_t i = 0; i < HISTOGRAM_COUNT; i++) {
		struct histogram_view h;
		metrics_read_histogram(NULL, 0, (enum histogram)i, &h);
		fprintf(out, "| `resolverd_%s` | histogram | %s |\n", h.name, h.help);
	}
	for (size_t i = 0; i < FAMILY_COUNT; i++) {
		struct family_view f;
		metrics_read_family(NULL, 0, (enum family)i, &f);
		fprintf(out, "| `resolverd_%s{%s}` | counter | %s |\n", f.name, f.label, f.help);
	}
	for (size_t i = 0; i < ALLOWANCE_COUNT; i++) {
		fputs("| `resolverd_", out);
		fprintf(out, ALLOWANCE_METRIC, allowance_name((enum allowance)i));
		fprintf(out, "{interface}` | counter | %s |\n", allowance_help((enum allowance)i));
	}
	for (size_t i = 0; i < ARRAY_LEN(account_figures); i++)
		fprintf(out, "| `resolverd_%s{account}` | %s | %s |\n", account_figures[i].name,
			account_figures[i].type, account_figures[i].help);
	fputs("| `resolverd_build_info{version}` | gauge | always 1; the version is the label |\n",
	      out);
}
