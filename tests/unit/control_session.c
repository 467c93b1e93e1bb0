/*
 * The control protocol: what a client sends against what it gets, in one piece and in pieces of
 * every size.
 */
#include "unit/base_unit.h"

#include <stdio.h>

#include "control/frame.h"
#include "control/session.h"

/* ---- a service for tests ---- */

struct service_state {
	unsigned pulls, freed, touched;
};

static void verb_echo(void *context, struct call *call)
{
	(void)context;
	call_reply(call, json_pack("{s:s, s:I, s:b}", "text", call_string(call, "text"), "number",
				   (json_int_t)call_int(call, "number", -1), "flag",
				   call_bool(call, "flag")));
}

static void verb_touch(void *context, struct call *call)
{
	((struct service_state *)context)->touched++;
	call_reply(call, json_object());
}

static void verb_fail(void *context, struct call *call)
{
	(void)context;
	call_error(call, "Failed", json_pack("{s:s}", "reason", "as asked"));
}

static void verb_no_memory(void *context, struct call *call)
{
	(void)context;
	call_reply(call, NULL);
}

static enum pull pull_count(void *state, struct now now, json_t **out, uint64_t *wake_us)
{
	struct service_state *s = state;

	if (s->pulls == 1 && now.mono_us < 1000) {
		*wake_us = 1000;
		return PULL_WAIT;
	}
	*out = json_pack("{s:i}", "n", (int)++s->pulls);
	return s->pulls < 3 ? PULL_MORE : PULL_LAST;
}

static void free_count(void *state)
{
	((struct service_state *)state)->freed++;
}

static void verb_count(void *context, struct call *call)
{
	struct call_stream stream = {.pull = pull_count, .free = free_count, .state = context};

	if (call_wants_more(call))
		call_stream(call, &stream);
	else
		call_invalid(call, "more");
}

static const struct verb verbs[] = {
	{"Echo",
	 verb_echo,
	 false,
	 {{"text", VERB_STRING, false}, {"number", VERB_INT, true}, {"flag", VERB_BOOL, true}}},
	{"Touch", verb_touch, true, {{0}}},
	{"Fail", verb_fail, false, {{0}}},
	{"NoMemory", verb_no_memory, false, {{0}}},
	{"Count", verb_count, false, {{0}}},
};

static const struct now start = {.mono_us = 100};

static struct session *open_session(enum session_access access, struct service_state *state,
				    struct session_service *service)
{
	struct session *s;

	*service = (struct session_service){.vendor = "v",
					    .product = "p",
					    .version = "1",
					    .url = "u",
					    .verbs = verbs,
					    .verb_count = ARRAY_LEN(verbs),
					    .context = state};
	REQUIRE(session_new(service, access, &s) == OK);
	return s;
}

/* Let S say all that it has to say at NOW, each reply with '|' behind it, behind what OUT holds. */
static void drain(struct session *s, struct now now, char *out, size_t size)
{
	size_t len = strlen(out);

	for (;;) {
		struct span bytes = session_output(s);
		if (bytes.len == 0 && session_wake_us(s) > now.mono_us)
			break;
		if (bytes.len == 0) {
			session_tick(s, now);
			continue;
		}
		size_t n = MIN(bytes.len, (size_t)7);
		for (size_t i = 0; i < n; i++) {
			REQUIRE(len + 1 < size);
			out[len++] = bytes.at[i] ? (char)bytes.at[i] : '|';
		}
		out[len] = '\0';
		session_sent(s, now, n);
	}
}

/* Feed INPUT, '|' standing for NUL, in pieces of STEP bytes. */
static void feed(struct session *s, const char *input, size_t step, char *out, size_t size)
{
	size_t len = strlen(input);
	char copy[4096];

	REQUIRE(len < sizeof(copy));
	for (size_t i = 0; i < len; i++)
		copy[i] = input[i] == '|' ? '\0' : input[i];
	for (size_t at = 0; at < len && !session_has_ended(s); at += step) {
		REQUIRE(session_wants_input(s));
		session_take(s, start, span_of(copy + at, MIN(step, len - at)));
		drain(s, start, out, size);
	}
}

#define CALL(method, rest) "{\"method\":\"io.resolverd." method "\"" rest "}|"
#define ERROR(name, rest) "{\"error\":\"org.varlink.service." name "\",\"parameters\":{" rest "}}|"

static const struct {
	const char *why;
	enum session_access access;
	const char *input, *output;
	bool ends;
} exchanges[] = {
	{"a call and its reply", SESSION_MAY_READ, CALL("Echo", ",\"parameters\":{\"text\":\"a\"}"),
	 "{\"parameters\":{\"text\":\"a\",\"number\":-1,\"flag\":false}}|", false},
	{"all parameters", SESSION_MAY_READ,
	 CALL("Echo", ",\"parameters\":{\"flag\":true,\"text\":\"\",\"number\":7}"),
	 "{\"parameters\":{\"text\":\"\",\"number\":7,\"flag\":true}}|", false},
	{"an optional parameter may be null", SESSION_MAY_READ,
	 CALL("Echo", ",\"parameters\":{\"text\":\"a\",\"number\":null}"),
	 "{\"parameters\":{\"text\":\"a\",\"number\":-1,\"flag\":false}}|", false},
	{"two calls in one piece are answered in order", SESSION_MAY_CHANGE,
	 CALL("Touch", "") CALL("Fail", ""),
	 "{\"parameters\":{}}|"
	 "{\"error\":\"io.resolverd.Failed\",\"parameters\":{\"reason\":\"as asked\"}}|",
	 false},
	{"parameters may be null", SESSION_MAY_CHANGE, CALL("Touch", ",\"parameters\":null"),
	 "{\"parameters\":{}}|", false},
	{"oneway: no reply", SESSION_MAY_CHANGE,
	 CALL("Touch", ",\"oneway\":true") CALL("Touch", ""), "{\"parameters\":{}}|", false},
	{"a stream waits in its midst", SESSION_MAY_READ, CALL("Count", ",\"more\":true"),
	 "{\"parameters\":{\"n\":1},\"continues\":true}|", false},

	{"parameter missing", SESSION_MAY_READ, CALL("Echo", ""),
	 ERROR("InvalidParameter", "\"parameter\":\"text\""), false},
	{"parameter of the wrong kind", SESSION_MAY_READ,
	 CALL("Echo", ",\"parameters\":{\"text\":1}"),
	 ERROR("InvalidParameter", "\"parameter\":\"text\""), false},
	{"a needed parameter is null", SESSION_MAY_READ,
	 CALL("Echo", ",\"parameters\":{\"text\":null}"),
	 ERROR("InvalidParameter", "\"parameter\":\"text\""), false},
	{"a real is no int", SESSION_MAY_READ,
	 CALL("Echo", ",\"parameters\":{\"text\":\"a\",\"number\":1.5}"),
	 ERROR("InvalidParameter", "\"parameter\":\"number\""), false},
	{"unknown parameter", SESSION_MAY_READ,
	 CALL("Echo", ",\"parameters\":{\"text\":\"a\",\"txet\":\"b\"}"),
	 ERROR("InvalidParameter", "\"parameter\":\"txet\""), false},
	{"a verb's own complaint", SESSION_MAY_READ, CALL("Count", ""),
	 ERROR("InvalidParameter", "\"parameter\":\"more\""), false},
	{"no such verb", SESSION_MAY_CHANGE, CALL("Nothing", ""),
	 ERROR("MethodNotFound", "\"method\":\"io.resolverd.Nothing\""), false},
	{"no such interface", SESSION_MAY_CHANGE, "{\"method\":\"a.b.C\"}|",
	 ERROR("InterfaceNotFound", "\"interface\":\"a.b\""), false},
	{"no interface at all", SESSION_MAY_CHANGE, "{\"method\":\"Echo\"}|",
	 ERROR("InterfaceNotFound", "\"interface\":\"Echo\""), false},
	{"a reader may not change", SESSION_MAY_READ, CALL("Touch", ""),
	 ERROR("PermissionDenied", ""), false},
	{"a stranger may not even read", SESSION_MAY_NOTHING,
	 CALL("Echo", ",\"parameters\":{\"text\":\"a\"}"), ERROR("PermissionDenied", ""), false},
	{"but ask who this is", SESSION_MAY_NOTHING,
	 "{\"method\":\"org.varlink.service.GetInfo\"}|",
	 "{\"parameters\":{\"vendor\":\"v\",\"product\":\"p\",\"version\":\"1\",\"url\":\"u\","
	 "\"interfaces\":[\"org.varlink.service\",\"io.resolverd\"]}}|",
	 false},
	{"an unknown description", SESSION_MAY_NOTHING,
	 "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
	 "\"parameters\":{\"interface\":\"a.b\"}}|",
	 ERROR("InterfaceNotFound", "\"interface\":\"a.b\""), false},
	{"a description of nothing", SESSION_MAY_NOTHING,
	 "{\"method\":\"org.varlink.service.GetInterfaceDescription\"}|",
	 ERROR("InvalidParameter", "\"parameter\":\"interface\""), false},

	{"no JSON ends it", SESSION_MAY_CHANGE, "nonsense|", "", true},
	{"nothing ends it", SESSION_MAY_CHANGE, "|", "", true},
	{"a list is no call", SESSION_MAY_CHANGE, "[]|", "", true},
	{"no method", SESSION_MAY_CHANGE, "{}|", "", true},
	{"method is no string", SESSION_MAY_CHANGE, "{\"method\":1}|", "", true},
	{"a key twice", SESSION_MAY_CHANGE,
	 "{\"method\":\"io.resolverd.Touch\",\"method\":\"io.resolverd.Touch\"}|", "", true},
	{"parameters are no object", SESSION_MAY_CHANGE, CALL("Touch", ",\"parameters\":[]"), "",
	 true},
	{"more is no flag", SESSION_MAY_CHANGE, CALL("Touch", ",\"more\":1"), "", true},
	{"something behind the call", SESSION_MAY_CHANGE, "{\"method\":\"io.resolverd.Touch\"}x|",
	 "", true},
	{"not UTF-8", SESSION_MAY_CHANGE, "{\"method\":\"\xff\"}|", "", true},
	{"memory is out", SESSION_MAY_CHANGE, CALL("NoMemory", ""), "", true},
	{"what comes behind the end is not looked at", SESSION_MAY_CHANGE, "x|" CALL("Touch", ""),
	 "", true},
};

static void test_exchanges(void **unused)
{
	static const size_t steps[] = {4096, 1, 3, 17};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(exchanges); i++) {
		for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
			struct service_state state = {0};
			struct session_service service;
			struct session *s = open_session(exchanges[i].access, &state, &service);
			char out[4096] = "";
			/* One that waits takes no more input meanwhile: whole pieces only. */
			feed(s, exchanges[i].input, steps[k], out, sizeof(out));
			if (strcmp(out, exchanges[i].output) != 0)
				fail_msg("%s: %s, wanted %s", exchanges[i].why, out,
					 exchanges[i].output);
			CHECK(exchanges[i].why, session_has_ended(s) == exchanges[i].ends);
			session_free(s);
		}
	}
}

static void test_oneway_is_done(void **unused)
{
	struct service_state state = {0};
	struct session_service service;
	struct session *s = open_session(SESSION_MAY_CHANGE, &state, &service);
	char out[4096] = "";

	(void)unused;
	feed(s, CALL("Touch", ",\"oneway\":true") CALL("Touch", ",\"oneway\":true"), 4096, out,
	     sizeof(out));
	assert_int_equal(state.touched, 2);
	assert_string_equal(out, "");
	session_free(s);
}

static void test_stream_goes_on(void **unused)
{
	struct service_state state = {0};
	struct session_service service;
	struct session *s = open_session(SESSION_MAY_READ, &state, &service);
	char out[4096] = "";

	(void)unused;
	feed(s, CALL("Count", ",\"more\":true") CALL("Fail", ""), 4096, out, sizeof(out));
	assert_int_equal(session_wake_us(s), 1000);
	assert_false(session_wants_input(s));
	out[0] = '\0';
	drain(s, (struct now){.mono_us = 1000}, out, sizeof(out));
	assert_string_equal(out,
			    "{\"parameters\":{\"n\":2},\"continues\":true}|"
			    "{\"parameters\":{\"n\":3}}|"
			    "{\"error\":\"io.resolverd.Failed\",\"parameters\":{\"reason\":\"as "
			    "asked\"}}|");
	assert_int_equal(state.freed, 1);
	assert_true(session_wants_input(s));
	session_free(s);
	assert_int_equal(state.freed, 1);
}

static void test_stream_is_abandoned(void **unused)
{
	struct service_state state = {0};
	struct session_service service;
	struct session *s = open_session(SESSION_MAY_READ, &state, &service);
	char out[4096] = "";

	(void)unused;
	feed(s, CALL("Count", ",\"more\":true"), 4096, out, sizeof(out));
	session_free(s);
	assert_int_equal(state.freed, 1);
}

/* Nothing is worked ahead for a client that does not read. */
static void test_one_call_at_a_time(void **unused)
{
	struct service_state state = {0};
	struct session_service service;
	struct session *s = open_session(SESSION_MAY_CHANGE, &state, &service);
	char input[] = CALL("Touch", "") CALL("Touch", "");

	(void)unused;
	for (char *c = input; *c; c++)
		*c = *c == '|' ? '\0' : *c;
	session_take(s, start, span_of(input, sizeof(input) - 1));
	assert_int_equal(state.touched, 1);
	session_tick(s, start);
	assert_int_equal(state.touched, 1);
	session_sent(s, start, session_output(s).len);
	assert_int_equal(state.touched, 2);
	session_free(s);
}

static void test_endless_message(void **unused)
{
	struct service_state state = {0};
	struct session_service service;
	struct session *s = open_session(SESSION_MAY_CHANGE, &state, &service);
	static const char spaces[1024] = {[0 ... 1023] = ' '};
	size_t taken = 0;

	(void)unused;
	for (; taken < 2 * SESSION_MESSAGE_MAX && !session_has_ended(s); taken += sizeof(spaces))
		session_take(s, start, span_of(spaces, sizeof(spaces)));
	assert_true(session_has_ended(s));
	assert_int_equal(taken, SESSION_MESSAGE_MAX + sizeof(spaces));
	session_free(s);
}

static void test_deep_json(void **unused)
{
	struct service_state state = {0};
	struct session_service service;
	struct session *s = open_session(SESSION_MAY_CHANGE, &state, &service);
	static char deep[60001];

	(void)unused;
	memset(deep, '[', sizeof(deep) - 1);
	session_take(s, start, span_of(deep, sizeof(deep)));
	assert_true(session_has_ended(s));
	session_free(s);
}

static void test_frames(void **unused)
{
	struct frame_buffer f = {0};
	struct span message;

	(void)unused;
	assert_false(frame_next(&f, &message));
	assert_int_equal(frame_push(&f, span_of("a\0\0bc", 5), 5), OK);
	assert_int_equal(frame_push(&f, span_of("d", 1), 5), ERR_LIMIT);
	assert_true(frame_next(&f, &message) && message.len == 1 && message.at[0] == 'a');
	assert_true(frame_next(&f, &message) && message.len == 0);
	assert_false(frame_next(&f, &message) || frame_is_ready(&f));
	assert_int_equal(frame_push(&f, span_of("d\0", 2), 4), OK);
	assert_true(frame_is_ready(&f));
	assert_true(frame_next(&f, &message) && span_equal(message, span_of("bcd", 3)));
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(frame_push(&f, span_of("xyz\0", 4), 1 << 20), OK);
		assert_true(frame_next(&f, &message) && message.len == 3);
	}
	assert_true(f.capacity <= 4096);
	frame_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchanges),
		cmocka_unit_test(test_oneway_is_done),
		cmocka_unit_test(test_stream_goes_on),
		cmocka_unit_test(test_stream_is_abandoned),
		cmocka_unit_test(test_one_call_at_a_time),
		cmocka_unit_test(test_endless_message),
		cmocka_unit_test(test_deep_json),
		cmocka_unit_test(test_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
