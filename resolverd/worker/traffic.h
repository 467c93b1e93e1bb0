#pragma once
/*
 * A worker's traffic: the network on one side, the core on the other. Queries and replies become
 * events, actions become packets, and the core's next deadline a timer of the loop. Here is whoever
 * waits for an answer, and the query log, which knows clients.
 */
#include "base/metrics.h"
#include "config/config.h"
#include "config/query_filter.h"
#include "net/outbound.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "resolve/resolver.h"
#include "worker/askers.h"
#include "worker/feed.h"

enum { TRAFFIC_LISTEN_MAX = ACCEPTOR_LISTENERS_MAX };

struct traffic_parts { /* borrowed; they outlive the traffic */
	struct loop *loop;
	struct resolver *resolver;
	struct metrics *metrics;
	struct feed *feed;
	unsigned tcp_connections; /* of clients, at most */
	unsigned udp_sockets;	  /* towards servers, at most */
	size_t input_bytes;	  /* of messages over TCP that have not come to their end */
	size_t output_bytes;	  /* of answers over TCP that are not read */
};

struct traffic { /* one worker */
	struct loop *loop;
	struct resolver *resolver;
	struct metrics *metrics;
	struct feed *feed;
	/* What is logged of queries, borrowed; NULL: nothing. Set by the owner. */
	const struct query_filter *log;
	uint32_t log_seen;
	struct askers askers;
	struct udp_server udp;
	struct udp_socket udp_sockets[TRAFFIC_LISTEN_MAX];
	size_t udp_socket_count; /* slots used so far; those that are not watched are free */
	struct tcp_server tcp;
	struct outbound outbound;
	struct loop_timer deadline;
	uint64_t deadline_ms; /* as it is set; UINT64_MAX: not */
	uint64_t counted_accepted, counted_rejected, counted_dropped; /* in the metrics */
	uint64_t counted_unfair;				      /* the same */
	uint64_t counted_udp_drops, counted_tcp_drops;		      /* the same */
};

/* ERR_NO_MEMORY or ERR_SYSTEM; T needs no traffic_deinit() then. */
MUST_USE enum err traffic_init(struct traffic *t, const struct traffic_parts *parts);
void traffic_deinit(struct traffic *t);

/* Serve ADDRESS over UDP or TCP on FD, which is bound to it and taken over. OWNER: whose it
 * is. ERR_SYSTEM with errno, or ERR_LIMIT; FD is closed then. */
MUST_USE enum err traffic_listen(struct traffic *t, const struct endpoint *address, bool tcp,
				 int fd, enum socket_owner owner);
/* Serve ADDRESS no more. Who waits for an answer over UDP from there gets none; connections stay. */
void traffic_unlisten(struct traffic *t, const struct endpoint *address, bool tcp);

/* Hand EVENT to the core and do what it wants done. */
void traffic_step(struct traffic *t, const struct event *event);

/* The loop goes to sleep: have it wake when the core wants that. */
void traffic_set_deadline(struct traffic *t);
/* Take no question any more but those that wait in sockets of ours, and those of connections that there
 * are. Again and again is fine. */
void traffic_drain(struct traffic *t);
/* None of those is on its way, or has an answer unwritten. */
bool traffic_is_drained(const struct traffic *t);
/* What it holds of that, and how often somebody had to go for want of it. */
struct traffic_memory {
	size_t input_bytes, output_bytes;
	uint64_t shed_input, shed_output;
};
struct traffic_memory traffic_memory(const struct traffic *t);
/* What the sockets have counted goes into the metrics. */
void traffic_count(struct traffic *t);
