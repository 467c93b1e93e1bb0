#include "probe.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dns/types.h"

enum {
	RATE = 10,	   /* rounds a second */
	TIMEOUT_MS = 2000, /* CoreDNS's patience */
	SLOW_MS = 250,
	INTERVAL_MS = 10 * 1000,
	DNS_PORT = 53,
	ROUNDS_AT_ONCE = 256, /* after a pause: what is older is not made up for */
};

static uint64_t read_clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- the command line ---- */

static void read_names(struct probe *p)
{
	const struct invocation *in = p->in;
	size_t len;

	p->names = calloc(in->argument_count, sizeof(*p->names));
	if (!p->names)
		die_no_memory();
	for (size_t i = 0; i < in->argument_count; i++) {
		if (dname_parse(in->arguments[i], p->names[i].wire, &len) != OK)
			die_usage("not a name", in->arguments[i]);
		dname_text(p->names[i].wire, p->names[i].text);
	}
	p->name_count = in->argument_count;
	p->type = TYPE_A;
	if (in->type && !type_parse(in->type, &p->type))
		die_usage("not a type", in->type);
}

static void read_servers(struct probe *p)
{
	struct invocation *in = p->in;
	struct endpoint address;

	if (in->server_count == 0)
		in->servers[in->server_count++] = "127.0.0.1";
	p->server_count = in->server_count;
	for (size_t i = 0; i < p->server_count; i++) {
		if (endpoint_parse(in->servers[i], DNS_PORT, &address) != OK)
			die_usage("not an address", in->servers[i]);
		server_open(&p->servers[i], p, &address);
	}
}

/* ---- the rounds ---- */

struct schedule {
	uint64_t gap_us, next_us, end_us, report_us, interval_us;
	uint64_t left; /* rounds */
	size_t name;
};

static bool is_asking(const struct schedule *s, uint64_t now_us)
{
	return s->left > 0 && now_us < s->end_us;
}

static void ask_round(struct probe *p, struct schedule *s)
{
	for (size_t i = 0; i < p->server_count; i++)
		server_ask(&p->servers[i], s->name);
	s->name = (s->name + 1) % p->name_count;
	s->left--;
	s->next_us += s->gap_us;
}

/* When the next question is to be asked, or one that is open is over; UINT64_MAX: there is none. */
static uint64_t question_due_us(const struct probe *p, const struct schedule *s)
{
	uint64_t due_us = is_asking(s, p->now_us) ? MIN(s->next_us, s->end_us) : UINT64_MAX;

	for (size_t i = 0; i < p->server_count; i++)
		due_us = MIN(due_us, server_due_us(&p->servers[i]));
	return due_us;
}

static void wait_until(struct probe *p, uint64_t due_us)
{
	struct pollfd list[CTL_SERVERS_MAX * PROBE_SOCKETS];
	struct timespec pause = {0};
	size_t count = 0;

	for (size_t i = 0; i < p->server_count; i++)
		for (unsigned k = 0; k < PROBE_SOCKETS; k++)
			list[count++] = (struct pollfd){
				.fd = p->servers[i].fds[k],
				.events = (short)(POLLIN |
						  (k == 0 && server_wants_write(&p->servers[i])
							   ? POLLOUT
							   : 0))};
	if (due_us > p->now_us) {
		pause.tv_sec = (time_t)((due_us - p->now_us) / 1000000);
		pause.tv_nsec = (long)((due_us - p->now_us) % 1000000) * 1000;
	}
	int ready = ppoll(list, count, &pause, NULL);
	p->now_us = read_clock_us();
	for (size_t i = 0; ready > 0 && i < count; i++)
		if (list[i].revents)
			server_ready(&p->servers[i / PROBE_SOCKETS], (unsigned)(i % PROBE_SOCKETS));
}

static void run_rounds(struct probe *p, struct schedule *s)
{
	uint64_t due_us;

	while (!live_interrupted()) {
		p->now_us = read_clock_us();
		if (p->now_us > s->next_us + ROUNDS_AT_ONCE * s->gap_us)
			s->next_us = p->now_us; /* stopped meanwhile, or too fast for us */
		while (is_asking(s, p->now_us) && s->next_us <= p->now_us)
			ask_round(p, s);
		for (size_t i = 0; i < p->server_count; i++)
			server_expire(&p->servers[i]);
		if (p->now_us >= s->report_us) {
			tell_report(p);
			s->report_us += s->interval_us;
		}
		due_us = question_due_us(p, s);
		if (due_us == UINT64_MAX)
			return;
		wait_until(p, MIN(due_us, s->report_us));
		if (ferror(stdout))
			return;
	}
}

int probe_run(struct invocation *in, const struct command *command)
{
	struct probe *p = calloc(1, sizeof(*p));
	int64_t rate = in->given & OPTION_RATE ? in->rate : RATE;
	int64_t interval_ms = in->given & OPTION_INTERVAL ? in->interval_ms : INTERVAL_MS;

	(void)command;
	if (!p)
		die_no_memory();
	p->in = in;
	p->tcp = in->given & OPTION_TCP;
	p->timeout_us = (uint64_t)(in->given & OPTION_TIMEOUT ? in->timeout_ms : TIMEOUT_MS) * 1000;
	p->slow_us = (uint64_t)(in->given & OPTION_SLOW ? in->slow_ms : SLOW_MS) * 1000;
	rng_init(&p->rng);
	read_names(p);
	read_servers(p);
	live_catch_signals();
	p->now_us = p->begin_us = read_clock_us();
	struct schedule s = {
		.gap_us = MAX(1000000 / (uint64_t)rate, (uint64_t)1),
		.next_us = p->begin_us,
		.end_us = in->given & OPTION_FOR ? p->begin_us + (uint64_t)in->for_ms * 1000
						 : UINT64_MAX,
		.interval_us = (uint64_t)interval_ms * 1000,
		.report_us = p->begin_us + (uint64_t)interval_ms * 1000,
		.left = in->given & OPTION_COUNT ? (uint64_t)in->count : UINT64_MAX,
	};
	run_rounds(p, &s);
	tell_summary(p);
	int status = tell_failed(p) ? CTL_FAILED : EXIT_SUCCESS;
	for (size_t i = 0; i < p->server_count; i++)
		server_close(&p->servers[i]);
	free(p->names);
	free(p);
	return status;
}
