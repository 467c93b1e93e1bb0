#include "unit/base_unit.h"

#include "dns/types.h"
#include "resolve/limits.h"
#include "resolve/trace.h"

static const uint8_t name[] = "\3www\7example";

static struct endpoint address(const char *text)
{
	struct endpoint e;
	REQUIRE(endpoint_parse(text, 53, &e) == OK);
	return e;
}

static bool same_step(const struct trace_step *a, const struct trace_step *b)
{
	bool same_name = a->name && b->name ? dname_equal(a->name, b->name) : a->name == b->name;
	bool same_server = a->server && b->server ? endpoint_equal(a->server, b->server)
						  : a->server == b->server;
	return a->kind == b->kind && a->question == b->question && a->number == b->number &&
	       a->code == b->code && a->type == b->type && a->value == b->value && same_name &&
	       same_server && span_equal(a->text, b->text);
}

/* What is written is read: every part there, and each alone. */
static void test_round_trip(void **state)
{
	(void)state;
	struct endpoint four = address("192.0.2.1:5353"), six = address("[2001:db8::1]:53");
	struct endpoint local = six;
	local.scope_id = 7;
	const struct {
		const char *why;
		struct trace_step step;
	} steps[] = {
		{"nothing but a kind", {.kind = TRACE_ELSEWHERE}},
		{"small fields",
		 {.kind = TRACE_REPLY, .question = 3, .number = 255, .code = 9, .type = 65535}},
		{"a value", {.kind = TRACE_REPLY, .value = UINT32_MAX}},
		{"a name", {.kind = TRACE_ALIAS, .name = name}},
		{"the root", {.kind = TRACE_ZONE, .name = (const uint8_t *)""}},
		{"IPv4", {.kind = TRACE_SEND, .server = &four}},
		{"IPv6", {.kind = TRACE_SEND, .server = &six}},
		{"IPv6 of a link", {.kind = TRACE_SEND, .server = &local}},
		{"a text", {.kind = TRACE_LIMIT, .text = span_of("why", 3)}},
		{"everything", {TRACE_END, 1, 2, 3, 4, 5, 0, name, &six, span_of("words", 5)}},
	};
	struct trace t;
	struct trace_step got;
	trace_begin(&t, 1000);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		trace_add(&t, 1000 + i * 10, &steps[i].step);
	struct trace_reader r = trace_reader_of(span_of(t.bytes, t.len));
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		CHECK(steps[i].why, trace_next(&r, &got));
		CHECK(steps[i].why, same_step(&got, &steps[i].step));
		CHECK(steps[i].why, got.at_us == i * 10);
	}
	assert_false(trace_next(&r, &got));
	assert_int_equal(reader_left(&r.in), 0);
	trace_deinit(&t);
}

/* What is too much is counted, and what is there has no holes. */
static void test_limit(void **state)
{
	(void)state;
	struct trace t;
	struct trace_step step = {.kind = TRACE_ALIAS, .name = name}, got;
	unsigned count = 0;
	trace_begin(&t, 0);
	for (unsigned i = 0; i < 100000; i++)
		trace_add(&t, i, &step);
	assert_true(t.len <= LIMIT_TRACE_BYTES && t.len > LIMIT_TRACE_BYTES - 64);
	assert_int_equal(t.lost, UINT16_MAX);
	step.name = NULL;
	trace_add(&t, 0, &step); /* would fit */
	struct trace_reader r = trace_reader_of(span_of(t.bytes, t.len));
	while (trace_next(&r, &got))
		assert_int_equal(got.at_us, count++);
	assert_int_equal(reader_left(&r.in), 0);
	trace_deinit(&t);
}

static void test_off(void **state)
{
	(void)state;
	struct trace t = {0};
	trace_add(&t, 0, &(struct trace_step){.kind = TRACE_END});
	assert_int_equal(t.len, 0);
	assert_null(t.bytes);
	trace_deinit(&t);
}

/* A long text is cut; bytes that were cut are read as far as they go. */
static void test_cut(void **state)
{
	(void)state;
	char text[300];
	struct trace t;
	struct trace_step got;
	memset(text, 'x', sizeof(text));
	trace_begin(&t, 0);
	trace_add(&t, 0,
		  &(struct trace_step){
			  .kind = TRACE_LIMIT, .name = name, .text = span_of(text, sizeof(text))});
	struct unit_guard guard = unit_guard_new(t.len);
	for (uint32_t len = 0; len <= t.len; len++) {
		struct trace_reader r =
			trace_reader_of(unit_guard_put(&guard, span_of(t.bytes, len)));
		assert_int_equal(trace_next(&r, &got), len == t.len);
	}
	assert_int_equal(got.text.len, 200);
	unit_guard_free(&guard);
	trace_deinit(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
