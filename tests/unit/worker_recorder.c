#include "unit/base_unit.h"

#include <pthread.h>
#include <stdio.h>

#include "dns/types.h"
#include "worker/recorder.h"
#include "worker/tracing.h"

/* A report of the name "nNUMBER." */
struct made {
	struct trace_report report;
	uint8_t name[DNAME_MAX], steps[600];
};

static const struct trace_report *make(struct made *m, unsigned number)
{
	char text[16];
	size_t len;
	(void)snprintf(text, sizeof(text), "n%u", number);
	REQUIRE(dname_parse(text, m->name, &len) == OK);
	memset(m->steps, (int)number, sizeof(m->steps));
	m->report = (struct trace_report){.name = m->name,
					  .type = TYPE_A,
					  .took_us = number,
					  .verdict = VERDICT_INSECURE,
					  .ede = EDE_NONE,
					  .steps = span_of(m->steps, number % sizeof(m->steps))};
	return &m->report;
}

static struct recorder *new_recorder(size_t size_bytes)
{
	struct recorder *r;
	struct recorder_settings settings = {.slow_ms = 500};
	REQUIRE(recorder_new(size_bytes, &r) == OK);
	recorder_configure(r, &settings);
	return r;
}

struct seen {
	unsigned count[RECORDER_KIND_COUNT];
	uint64_t first[RECORDER_KIND_COUNT], last[RECORDER_KIND_COUNT]; /* took_us */
	struct trace_report report; /* the last one's; its pointers are gone */
	char text[256];
	enum recorder_kind kind;
};

static bool look(void *context, enum recorder_kind kind, const struct trace_report *report)
{
	struct seen *seen = context;
	struct made m;
	const struct trace_report *wanted = make(&m, (unsigned)report->took_us % 500000);
	assert_true(dname_equal(report->name, wanted->name));
	assert_true(span_equal(report->steps, wanted->steps));
	if (seen->count[kind]++ == 0)
		seen->first[kind] = report->took_us;
	else
		assert_true(report->took_us > seen->last[kind]);
	seen->last[kind] = report->took_us;
	seen->report = *report;
	seen->kind = kind;
	(void)snprintf(seen->text, sizeof(seen->text), "%s", report->text ? report->text : "-");
	return true;
}

static struct seen walk(struct recorder *r)
{
	struct seen seen = {0};
	recorder_walk(r, look, &seen);
	return seen;
}

/* What is of which kind, and what is not worth keeping. */
static void test_kinds(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint16_t rcode;
		enum verdict verdict;
		uint8_t told;
		uint64_t took_us;
		bool refresh, kept;
		enum recorder_kind kind;
	} cases[] = {
		{"an answer", RCODE_NOERROR, VERDICT_SECURE, 0, 7, false, true, RECORDER_OTHER},
		{"a denial", RCODE_NXDOMAIN, VERDICT_INSECURE, 0, 7, false, true, RECORDER_OTHER},
		{"SERVFAIL", RCODE_SERVFAIL, VERDICT_INDETERMINATE, 0, 7, false, true,
		 RECORDER_FAILED},
		{"bogus data", RCODE_NOERROR, VERDICT_BOGUS, 0, 7, false, true, RECORDER_FAILED},
		{"clients were told something else", RCODE_NOERROR, VERDICT_SECURE,
		 TRACE_TOLD_STALE, 7, false, true, RECORDER_FAILED},
		{"slow", RCODE_NOERROR, VERDICT_SECURE, 0, 500007, false, true, RECORDER_SLOW},
		{"slow and failed", RCODE_SERVFAIL, VERDICT_INDETERMINATE, 0, 500007, false, true,
		 RECORDER_FAILED},
		{"a refresh that went well", RCODE_NOERROR, VERDICT_SECURE, 0, 7, true, false,
		 RECORDER_OTHER},
		{"a refresh that failed", RCODE_SERVFAIL, VERDICT_INDETERMINATE, 0, 7, true, true,
		 RECORDER_FAILED},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct recorder *r = new_recorder(64 * 1024);
		struct made m;
		(void)make(&m, 7);
		m.report.rcode = cases[i].rcode;
		m.report.verdict = cases[i].verdict;
		m.report.told = cases[i].told;
		m.report.took_us = cases[i].took_us;
		m.report.refresh = cases[i].refresh;
		recorder_take(r, &m.report);
		struct seen seen = walk(r);
		unsigned all = seen.count[0] + seen.count[1] + seen.count[2];
		CHECK(cases[i].why, all == cases[i].kept);
		CHECK(cases[i].why, !cases[i].kept || seen.kind == cases[i].kind);
		recorder_free(r);
	}
}

/* However many others come, failures stay. */
static void test_failures_stay(void **state)
{
	(void)state;
	struct recorder *r = new_recorder(64 * 1024);
	struct made m;
	for (unsigned i = 1; i < 3000; i++) {
		(void)make(&m, i);
		m.report.rcode = i % 200 == 0 ? RCODE_SERVFAIL : RCODE_NOERROR;
		m.report.text = i % 200 == 0 ? "no answer" : NULL;
		recorder_take(r, &m.report);
	}
	struct seen seen = walk(r);
	assert_int_equal(seen.count[RECORDER_FAILED], 14);
	assert_int_equal(seen.first[RECORDER_FAILED], 200);
	assert_in_range(seen.count[RECORDER_OTHER], 10, 100);
	assert_int_equal(seen.last[RECORDER_OTHER], 2999);
	recorder_free(r);
}

static void test_fields(void **state)
{
	(void)state;
	struct recorder *r = new_recorder(64 * 1024);
	struct recorder_settings redacted = {.slow_ms = 500, .redact = true};
	struct made m;
	char text[400];
	memset(text, 'x', sizeof(text));
	text[399] = '\0';
	(void)make(&m, 5);
	REQUIRE(endpoint_parse("192.0.2.7:99", 0, &m.report.client) == OK);
	m.report.text = text;
	m.report.ede = EDE_NETWORK_ERROR;
	m.report.packets = 12;
	recorder_take(r, &m.report);
	struct seen seen = walk(r);
	assert_true(endpoint_equal(&seen.report.client, &m.report.client));
	assert_int_equal(seen.report.ede, EDE_NETWORK_ERROR);
	assert_int_equal(seen.report.packets, 12);
	assert_int_equal(strlen(seen.text), 255);
	struct recorder_copy *copy = recorder_copy(&m.report);
	assert_true(dname_equal(copy->report.name, m.name) && copy->report.name != m.name);
	assert_true(span_equal(copy->report.steps, m.report.steps));
	free(copy);
	recorder_configure(r, &redacted);
	m.report.took_us = 6;
	(void)make(&m, 6);
	REQUIRE(endpoint_parse("192.0.2.7:99", 0, &m.report.client) == OK);
	recorder_take(r, &m.report);
	seen = walk(r);
	assert_int_equal(seen.report.client.family, 0);
	recorder_free(r);
}

static void test_off(void **state)
{
	(void)state;
	struct recorder *r = new_recorder(0);
	struct made m;
	recorder_take(r, make(&m, 1));
	recorder_settle(r);
	assert_int_equal(walk(r).count[RECORDER_OTHER], 0);
	recorder_free(r);
}

/* --- two threads ---------------------------------------------------------------------------- */

static struct made late;

/* The worker goes on while somebody reads. */
static bool look_and_take(void *context, enum recorder_kind kind, const struct trace_report *report)
{
	struct recorder *r = context;
	(void)kind;
	(void)report;
	recorder_take(r, make(&late, 2)); /* as the worker would: it does not wait for us */
	return true;
}

static void test_reader_does_not_hold_up(void **state)
{
	(void)state;
	struct recorder *r = new_recorder(64 * 1024);
	struct made m;
	recorder_take(r, make(&m, 1));
	recorder_walk(r, look_and_take, r);
	assert_int_equal(walk(r).count[RECORDER_OTHER], 1);
	recorder_settle(r);
	struct seen seen = walk(r);
	assert_int_equal(seen.count[RECORDER_OTHER], 2);
	assert_int_equal(seen.last[RECORDER_OTHER], 2);
	recorder_free(r);
}

enum { TAKES = 20000 };
static void *work(void *context)
{
	struct recorder *r = context;
	struct made m;
	for (unsigned i = 1; i <= TAKES; i++) {
		recorder_take(r, make(&m, i));
		recorder_settle(r);
	}
	return NULL;
}

static void test_threads(void **state)
{
	(void)state;
	struct recorder *r = new_recorder(64 * 1024);
	pthread_t worker;
	REQUIRE(pthread_create(&worker, NULL, work, r) == 0);
	for (unsigned i = 0; i < 300; i++)
		(void)walk(r);
	REQUIRE(pthread_join(worker, NULL) == 0);
	recorder_settle(r);
	assert_int_equal(walk(r).last[RECORDER_OTHER], TAKES);
	recorder_free(r);
}

/* --- requests ------------------------------------------------------------------------------- */

static struct tracing *ask(struct tracing_desk *desk, unsigned number)
{
	struct tracing *t = tracing_new();
	struct made m;
	REQUIRE(t);
	dname_copy(make(&m, number)->name, t->name);
	t->type = TYPE_A;
	tracing_begin(desk, tracing_use(t), (struct now){.mono_us = 1});
	return t;
}

static void test_tracing(void **state)
{
	(void)state;
	struct tracing_desk desk = {0};
	struct now now = {.mono_us = 1};
	struct made m;
	struct tracing *one = ask(&desk, 1), *two = ask(&desk, 2), *same = ask(&desk, 1);
	assert_int_equal(tracing_look(one), TRACING_OPEN);
	tracing_report(&desk, make(&m, 1));
	assert_int_equal(tracing_look(one), TRACING_DONE);
	assert_int_equal(tracing_look(same), TRACING_DONE);
	assert_int_equal(tracing_look(two), TRACING_OPEN);
	assert_true(dname_equal(one->result->report.name, m.name));
	tracing_expire(&desk, now);
	assert_int_equal(tracing_look(two), TRACING_OPEN);
	now.mono_us += TRACING_PATIENCE_MS * 1000ull;
	tracing_expire(&desk, now);
	assert_int_equal(tracing_look(two), TRACING_REFUSED);
	tracing_release(one);
	tracing_release(two);
	tracing_release(same);
	tracing_close(&desk);
}

static void test_too_many(void **state)
{
	(void)state;
	struct tracing_desk desk = {0};
	struct tracing *list[TRACING_OPEN_MAX + 5];
	unsigned refused = 0;
	for (unsigned i = 0; i < ARRAY_LEN(list); i++)
		list[i] = ask(&desk, i);
	for (unsigned i = 0; i < ARRAY_LEN(list); i++)
		refused += tracing_look(list[i]) == TRACING_REFUSED;
	assert_int_equal(refused, 5);
	tracing_release(list[0]); /* who asked may go at any time */
	tracing_close(&desk);
	for (unsigned i = 1; i < ARRAY_LEN(list); i++) {
		assert_int_equal(tracing_look(list[i]), TRACING_REFUSED);
		tracing_release(list[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_failures_stay),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_reader_does_not_hold_up),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_tracing),
		cmocka_unit_test(test_too_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
