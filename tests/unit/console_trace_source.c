#include "unit/base_unit.h"

#include <stdio.h>

#include "console/trace_source.h"

/* Each letter is a step of the question itself, in lower case one of a sub-question: S a packet to
 * the next server (10.0.0.1, 10.0.0.2...), A an answer to the last packet, C an alias, D a denial,
 * R a referral, L lame, N the chain goes on with another name, H the cache has it. */
static const struct {
	const char *why, *steps, *want;
} cases[] = {
	{"nothing was recorded", "", ""},
	{"nobody answered", "SS", ""},
	{"the server that answered, not who referred to it", "SRSRSA", "10.0.0.3:53"},
	{"nor who is lame", "SLSA", "10.0.0.2:53"},
	{"a denial is an answer", "SRSD", "10.0.0.2:53"},
	{"servers of keys and addresses do not count", "SAsa", "10.0.0.1:53"},
	{"whoever was asked for a shorter name first does not", "SDSA", "10.0.0.2:53"},
	{"an alias and its target", "SCNSA", "10.0.0.1:53, 10.0.0.2:53"},
	{"a chain in one reply", "SCNN", "10.0.0.1:53"},
	{"the target is cached", "SCNH", "10.0.0.1:53, the cache"},
	{"the alias is cached", "HNSA", "the cache, 10.0.0.1:53"},
	{"all is", "H", "the cache"},
	{"a chain that is cached is told once", "HNHNH", "the cache"},
	{"of long chains the last is told", "SCNSCNSCNSCNSCNSA",
	 "10.0.0.1:53, 10.0.0.2:53, 10.0.0.3:53, 10.0.0.6:53"},
};

static struct trace_step step_of(char letter, struct endpoint *server, uint8_t *packets)
{
	static const uint8_t name[] = {1, 'a', 0};
	struct trace_step s = {.question = letter >= 'a', .kind = TRACE_REPLY};
	s.number = (uint8_t)(*packets - 1);
	switch (letter & ~0x20) {
	case 'S':
		s.kind = TRACE_SEND;
		s.number = (*packets)++;
		s.server = server;
		server->addr[3]++;
		break;
	case 'A':
		s.code = TRACE_REPLY_ANSWER;
		break;
	case 'C':
		s.code = TRACE_REPLY_ALIAS;
		break;
	case 'D':
		s.code = TRACE_REPLY_NODATA;
		break;
	case 'R':
		s.code = TRACE_REPLY_REFERRAL;
		break;
	case 'L':
		s.code = TRACE_REPLY_LAME;
		break;
	case 'N':
		s.kind = TRACE_ALIAS;
		s.name = name;
		break;
	default:
		s.kind = TRACE_CACHE;
		break;
	}
	return s;
}

static void test_sources(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct endpoint server = {.family = 4, .port = 53, .addr = {10, 0, 0, 0}};
		char text[TRACE_SOURCES_TEXT];
		struct trace_sources sources;
		struct trace trace;
		uint8_t packets = 0;
		trace_begin(&trace, 0);
		for (const char *at = cases[i].steps; *at; at++) {
			struct trace_step step = step_of(*at, &server, &packets);
			trace_add(&trace, 0, &step);
		}
		struct trace_report report = {.steps = span_of(trace.bytes, trace.len)};
		trace_source_read(&report, &sources);
		trace_source_list(&sources, text);
		if (strcmp(text, cases[i].want) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", cases[i].why, text, cases[i].want);
		trace_deinit(&trace);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sources)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
