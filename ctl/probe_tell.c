#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dns/types.h"
#include "probe.h"

enum { LINES_PER_SECOND = 20 }; /* of failures and outliers: what a person can read */

/* ---- figures ---- */

static unsigned bucket_of(uint64_t us)
{
	unsigned steps = 1 << PROBE_BUCKETS_BITS, exponent = 0;

	while ((us >> exponent) >= 2 * steps)
		exponent++;
	size_t bucket = exponent * steps + (us >> exponent);
	return (unsigned)MIN(bucket, (size_t)PROBE_BUCKETS - 1);
}

/* The largest that falls into BUCKET. */
static uint64_t bucket_top_us(unsigned bucket)
{
	unsigned steps = 1 << PROBE_BUCKETS_BITS;
	unsigned exponent = bucket < 2 * steps ? 0 : bucket / steps - 1;

	return ((uint64_t)(bucket - exponent * steps + 1) << exponent) - 1;
}

static void count_latency(struct figures *f, uint64_t us)
{
	f->min_us = f->answered == 0 ? us : MIN(f->min_us, us);
	f->max_us = MAX(f->max_us, us);
	f->sum_us += us;
	f->buckets[bucket_of(us)]++;
	f->answered++;
}

static void count(struct figures *f, const struct result *r)
{
	f->outcomes[r->outcome]++;
	if (r->outcome != OUTCOME_ANSWER && r->outcome != OUTCOME_ERROR)
		return;
	f->truncated += r->truncated;
	f->nxdomain += r->rcode == RCODE_NXDOMAIN;
	count_latency(f, r->took_us);
}

/* PERMILLE of the answers took at most so long. */
static double percentile_ms(const struct figures *f, unsigned permille)
{
	uint64_t rank = (f->answered * permille + 999) / 1000, seen = 0;

	for (unsigned i = 0; i < PROBE_BUCKETS && f->answered > 0; i++) {
		seen += f->buckets[i];
		if (seen >= rank && f->buckets[i] > 0)
			return (double)MIN(MAX(bucket_top_us(i), f->min_us), f->max_us) / 1000;
	}
	return 0;
}

static uint64_t failures(const struct figures *f)
{
	return f->outcomes[OUTCOME_ERROR] + f->outcomes[OUTCOME_TIMEOUT] +
	       f->outcomes[OUTCOME_NETWORK];
}

bool tell_failed(const struct probe *p)
{
	for (size_t i = 0; i < p->server_count; i++)
		if (failures(&p->servers[i].total) > 0 || p->servers[i].total.answered == 0)
			return true;
	return false;
}

/* ---- lines ---- */

static void print_object(json_t *object)
{
	if (!object || json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6)) != 0)
		die_no_memory();
	json_decref(object);
	putchar('\n');
	(void)fflush(stdout);
}

enum { CLOCK_SIZE = 40 };
static const char *clock_text(char out[static CLOCK_SIZE])
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	size_t len = strftime(out, CLOCK_SIZE, "%H:%M:%S", &tm);
	(void)snprintf(out + len, CLOCK_SIZE - len, ".%03d", (int)(now.tv_nsec / 1000000));
	return out;
}

/* "SERVFAIL (EDE 22, No Reachable Authority)", "no answer", "Connection refused". */
enum { WORDS_SIZE = 128 };
static const char *result_words(const struct result *r, char out[static WORDS_SIZE])
{
	char rcode[TYPE_TEXT_SIZE];

	switch (r->outcome) {
	case OUTCOME_ANSWER:
	case OUTCOME_ERROR:
		if (r->ede == EDE_NONE)
			(void)snprintf(out, WORDS_SIZE, "%s", rcode_text(r->rcode, rcode));
		else
			(void)snprintf(out, WORDS_SIZE, "%s (EDE %u, %s)",
				       rcode_text(r->rcode, rcode), r->ede, ede_text(r->ede));
		break;
	case OUTCOME_TIMEOUT:
		(void)snprintf(out, WORDS_SIZE, "no answer");
		break;
	case OUTCOME_NETWORK:
	case OUTCOME_COUNT:
		(void)snprintf(out, WORDS_SIZE, "%s", r->reason);
		break;
	}
	return out;
}

static void print_event(const struct probe_server *s, const struct asked *a, const struct result *r)
{
	const struct probe *p = s->probe;
	bool slow = r->outcome == OUTCOME_ANSWER;
	char words[WORDS_SIZE], time[CLOCK_SIZE], type[TYPE_TEXT_SIZE];
	double ms = (double)r->took_us / 1000;

	result_words(r, words);
	type_text(p->type, type);
	if (p->in->json) {
		print_object(json_pack("{s:s, s:s, s:s, s:s, s:s, s:f}", "event",
				       slow ? "slow" : "failure", "server", s->text, "name",
				       p->names[a->name].text, "type", type, "result", words,
				       "took_ms", ms));
		return;
	}
	printf("%s %s%s%s: %s %s: %s after %.1f ms\n", clock_text(time),
	       colour_on(p->in, slow ? COLOUR_YELLOW : COLOUR_RED), s->text, colour_off(p->in),
	       p->names[a->name].text, type, words, ms);
	(void)fflush(stdout);
}

static void tell_left_out(struct probe *p)
{
	if (p->lines_left_out > 0 && p->in->json)
		print_object(json_pack("{s:s, s:i}", "event", "left-out", "count",
				       (int)p->lines_left_out));
	else if (p->lines_left_out > 0)
		printf("... and %u more like these\n", p->lines_left_out);
	p->lines = p->lines_left_out = 0;
}

/* Room for one more line in this second. */
static bool may_print(struct probe *p)
{
	uint64_t second = (p->now_us - p->begin_us) / 1000000;

	if (second != p->lines_second) {
		tell_left_out(p);
		p->lines_second = second;
	}
	if (p->lines < LINES_PER_SECOND)
		return ++p->lines > 0;
	p->lines_left_out++;
	return false;
}

void tell_result(struct probe_server *s, const struct asked *a, const struct result *r)
{
	struct probe *p = s->probe;

	count(&s->total, r);
	count(&s->recent, r);
	if ((r->outcome != OUTCOME_ANSWER || r->took_us >= p->slow_us) && may_print(p))
		print_event(s, a, r);
}

/* ---- reports ---- */

static json_t *figures_json(const struct probe_server *s, const struct figures *f)
{
	return json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
		"server", s->text, "sent", (json_int_t)f->sent, "answers",
		(json_int_t)f->outcomes[OUTCOME_ANSWER], "nxdomain", (json_int_t)f->nxdomain,
		"truncated", (json_int_t)f->truncated, "errors",
		(json_int_t)f->outcomes[OUTCOME_ERROR], "timeouts",
		(json_int_t)f->outcomes[OUTCOME_TIMEOUT], "network_errors",
		(json_int_t)f->outcomes[OUTCOME_NETWORK], "min_ms", (double)f->min_us / 1000,
		"mean_ms", f->answered > 0 ? (double)f->sum_us / 1000 / (double)f->answered : 0.0,
		"p50_ms", percentile_ms(f, 500), "p95_ms", percentile_ms(f, 950), "p99_ms",
		percentile_ms(f, 990), "p999_ms", percentile_ms(f, 999), "max_ms",
		(double)f->max_us / 1000);
}

static void report_json(const struct probe *p, const char *event, bool total)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->server_count; i++) {
		const struct probe_server *s = &p->servers[i];
		if (json_array_append_new(list, figures_json(s, total ? &s->total : &s->recent)) !=
		    0)
			die_no_memory();
	}
	print_object(json_pack("{s:s, s:f, s:o}", "event", event, "elapsed_s",
			       (double)(p->now_us - p->begin_us) / 1000000, "servers", list));
}

static void add_row(struct table *t, const struct probe_server *s, const struct figures *f)
{
	static const unsigned permille[] = {500, 950, 990, 999};

	table_add(t, "%s", s->text);
	table_add(t, "%" PRIu64, f->sent);
	table_add(t, "%" PRIu64, f->outcomes[OUTCOME_ANSWER]);
	table_add(t, "%" PRIu64, f->outcomes[OUTCOME_ERROR]);
	table_add(t, "%" PRIu64, f->outcomes[OUTCOME_TIMEOUT]);
	table_add(t, "%" PRIu64, f->outcomes[OUTCOME_NETWORK]);
	table_add(t, "%.2f", (double)f->min_us / 1000);
	for (size_t i = 0; i < ARRAY_LEN(permille); i++)
		table_add(t, "%.2f", percentile_ms(f, permille[i]));
	table_add(t, "%.2f", (double)f->max_us / 1000);
}

static void report(struct probe *p, bool total)
{
	static const char *const titles[] = {"server",	 ">asked",   ">answers", ">errors",
					     ">timeout", ">network", ">min ms",	 ">50 %",
					     ">95 %",	 ">99 %",    ">99.9 %",	 ">max ms"};
	struct table t = {0};

	table_begin(&t, titles, ARRAY_LEN(titles));
	for (size_t i = 0; i < p->server_count; i++) {
		const struct probe_server *s = &p->servers[i];
		add_row(&t, s, total ? &s->total : &s->recent);
	}
	table_end(&t, p->in);
	(void)fflush(stdout);
}

void tell_report(struct probe *p)
{
	if (p->in->json)
		report_json(p, "report", false);
	else
		report(p, false);
	for (size_t i = 0; i < p->server_count; i++)
		p->servers[i].recent = (struct figures){0};
}

void tell_summary(struct probe *p)
{
	tell_left_out(p);
	if (p->in->json) {
		report_json(p, "summary", true);
		return;
	}
	printf("%s%zu %s over %s for %.1f s:%s\n", colour_on(p->in, COLOUR_BOLD), p->name_count,
	       p->name_count == 1 ? "name" : "names", p->tcp ? "TCP" : "UDP",
	       (double)(p->now_us - p->begin_us) / 1000000, colour_off(p->in));
	report(p, true);
}
