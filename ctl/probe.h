#pragma once
/*
 * resolverctl probe: the synthetic test. Each round asks every server the same question; names take
 * turns. Answers are matched by id, question and address; latency is from just before the question
 * is sent to when its answer is read.
 *
 *   probe.c       the command line, the clock, the rounds
 *   probe_net.c   one server: its sockets and the questions that are open
 *   probe_tell.c  figures, and the lines that are printed
 */
#include "base/endpoint.h"
#include "base/rng.h"
#include "ctl.h"
#include "dns/dname.h"

enum {
	PROBE_SOCKETS = 8,	  /* UDP, per server: its workers each get a share */
	PROBE_OPEN_MAX = 1 << 16, /* questions without an answer per server: one for each id */
	PROBE_MESSAGE_MAX = 65535,
	/* A histogram whose buckets grow by 1/32: percentiles are right to 3 %. */
	PROBE_BUCKETS_BITS = 5,
	PROBE_BUCKETS = 32 * (1 << PROBE_BUCKETS_BITS),
};

/* How a question ended. */
enum outcome {
	OUTCOME_ANSWER,	 /* NOERROR or NXDOMAIN */
	OUTCOME_ERROR,	 /* another rcode */
	OUTCOME_TIMEOUT, /* nothing came */
	OUTCOME_NETWORK, /* could not be sent, port closed, connection lost */
	OUTCOME_COUNT
};

struct figures { /* of one server and a stretch of time; zero-initialised is empty */
	uint64_t sent, outcomes[OUTCOME_COUNT];
	uint64_t nxdomain, truncated;
	uint64_t min_us, max_us, sum_us;
	uint32_t buckets[PROBE_BUCKETS]; /* of what was answered at all */
	uint64_t answered;
};

struct asked { /* a question, in the order of sending */
	uint64_t sent_us;
	uint16_t id, name;
	bool open;
};

struct probe_stream { /* a TCP connection */
	uint8_t *out, *in;
	size_t out_len, in_len;
};

struct probe;
struct probe_server {
	struct probe *probe;
	struct endpoint address;
	char text[ENDPOINT_TEXT_SIZE];
	int fds[PROBE_SOCKETS]; /* -1: closed; over TCP the first is the connection */
	unsigned next_fd;
	struct probe_stream stream;
	struct asked *ring;	/* PROBE_OPEN_MAX */
	uint32_t *by_id;	/* place in ring + 1; 0: none */
	uint64_t first, behind; /* open questions lie in [first, behind) of the ring */
	struct figures total, recent;
};

struct probe_name {
	uint8_t wire[DNAME_MAX];
	char text[DNAME_TEXT_MAX];
};

struct probe {
	struct invocation *in;
	struct probe_name *names;
	size_t name_count;
	uint16_t type;
	bool tcp;
	uint64_t timeout_us, slow_us, now_us, begin_us;
	struct rng rng;
	struct probe_server servers[CTL_SERVERS_MAX];
	size_t server_count;
	uint64_t lines_second; /* events printed in this second of now_us, and left out */
	unsigned lines, lines_left_out;
};

/* What became of a question. */
struct result {
	enum outcome outcome;
	uint16_t rcode, ede;
	bool truncated;
	uint64_t took_us;
	const char *reason; /* OUTCOME_NETWORK */
};

/* ---- probe_net.c ---- */

void server_open(struct probe_server *s, struct probe *p, const struct endpoint *address);
void server_close(struct probe_server *s);
/* Ask for NAME. What cannot be sent has ended by then. */
void server_ask(struct probe_server *s, size_t name);
/* Descriptor I (of PROBE_SOCKETS) is ready. */
void server_ready(struct probe_server *s, unsigned i);
/* There is something to be written to the connection. */
bool server_wants_write(const struct probe_server *s);
/* End what has been open too long. */
void server_expire(struct probe_server *s);
/* When that is to be called next; UINT64_MAX: nothing is open. */
uint64_t server_due_us(const struct probe_server *s);

/* ---- probe_tell.c ---- */

/* Count RESULT of the question A to S, and print it if it is a failure or an outlier. */
void tell_result(struct probe_server *s, const struct asked *a, const struct result *result);
/* The figures since the last report. */
void tell_report(struct probe *p);
void tell_summary(struct probe *p);
/* Failures so far, or nothing was answered at all. */
bool tell_failed(const struct probe *p);
