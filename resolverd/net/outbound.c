#include "net/outbound.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"

enum {
	SCRATCH_SIZE = 65536,
	HEADER_SIZE = 12,
	CONTROL_SIZE = 64,
	EARLY_MAX = 4096,  /* more than a receive buffer holds */
	ATTENTION_MAX = 8, /* losses told at a time: each may begin something */
};

struct outbound_query {
	TAILQ_ENTRY(outbound_query) in_order; /* in queries, or in doomed */
	struct outbound_query *next;	      /* in its bucket */
	struct outbound *outbound;
	uint64_t token;
	uint64_t since_us;
	struct endpoint peer;
	bool doomed;
	enum loss loss; /* of one that is doomed */
	bool tcp;
	bool hinted;		  /* that nobody is there */
	struct loop_watch watch;  /* UDP */
	struct pool_query pooled; /* TCP */
};

/* ---- tokens ---- */

/* Tokens are our own numbers, so that spreading them is all that is needed. */
static struct outbound_query **bucket_of(const struct outbound *o, uint64_t token)
{
	return &o->buckets[(token * 0x9e3779b97f4a7c15ULL >> 32) & o->bucket_mask];
}

static struct outbound_query *find(const struct outbound *o, uint64_t token)
{
	struct outbound_query *q = *bucket_of(o, token);

	while (q && q->token != token)
		q = q->next;
	return q;
}

static struct outbound_query *add_query(struct outbound *o, uint64_t token,
					const struct outbound_packet *packet)
{
	struct outbound_query *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->outbound = o;
	q->token = token;
	q->since_us = o->loop->now.mono_us;
	q->peer = packet->peer;
	q->tcp = packet->tcp;
	q->next = *bucket_of(o, token);
	*bucket_of(o, token) = q;
	if (TAILQ_EMPTY(&o->queries))
		loop_timer_set(o->loop, &o->tick, q->since_us + OUTBOUND_TICK_MS * 1000);
	TAILQ_INSERT_TAIL(&o->queries, q, in_order);
	return q;
}

static void remove_query(struct outbound_query *q)
{
	struct outbound *o = q->outbound;
	struct outbound_query **link = bucket_of(o, q->token);

	while (*link != q)
		link = &(*link)->next;
	*link = q->next;
	TAILQ_REMOVE(q->doomed ? &o->doomed : &o->queries, q, in_order);
	if (q->tcp)
		pool_cancel(&o->pool, &q->pooled);
	if (q->watch.watched) {
		loop_close(o->loop, &q->watch);
		o->udp_count--;
	}
	free(q);
}

/* Q will have no reply: report that from the loop. */
static void doom(struct outbound_query *q, enum loss loss)
{
	struct outbound *o = q->outbound;

	if (q->doomed)
		return;
	q->doomed = true;
	q->loss = loss;
	TAILQ_REMOVE(&o->queries, q, in_order);
	TAILQ_INSERT_TAIL(&o->doomed, q, in_order);
	loop_timer_set(o->loop, &o->attention, o->loop->now.mono_us);
}

static void lose(struct outbound_query *q, enum loss loss)
{
	struct outbound *o = q->outbound;
	uint64_t token = q->token;

	remove_query(q);
	o->lost_count++;
	o->settings.lost(o->settings.context, token, loss);
}

static void handle_attention(void *context)
{
	struct outbound *o = context;
	struct outbound_query *q;

	/* Who hears of a loss may send again and lose again; budgets upstairs end that. */
	for (unsigned i = 0; i < ATTENTION_MAX && (q = TAILQ_FIRST(&o->doomed)); i++)
		lose(q, q->loss);
	if (!TAILQ_EMPTY(&o->doomed))
		loop_timer_set(o->loop, &o->attention, o->loop->now.mono_us);
}

/* ---- UDP ---- */

/* Bind to an unpredictable port (RFC 5452 §9.2). The system's own choice is the last resort: it is
 * random too, but from a smaller range. */
static void bind_random(struct outbound *o, int fd, int family)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} local = {.any.sa_family = (sa_family_t)family};
	socklen_t len = family == AF_INET ? sizeof(local.v4) : sizeof(local.v6);

	for (unsigned i = 0; i < OUTBOUND_PORT_TRIES; i++) {
		uint32_t port = OUTBOUND_PORT_MIN + rng_below(&o->rng, 65536 - OUTBOUND_PORT_MIN);
		if (family == AF_INET)
			local.v4.sin_port = htons((uint16_t)port);
		else
			local.v6.sin6_port = htons((uint16_t)port);
		if (bind(fd, &local.any, len) == 0)
			return;
	}
}

/* Be told of unreachable hosts and networks too, not of closed ports only, and of what came in fragments.
 * Kernels that do not know an option do without: then fewer hints are told, or no fragments. */
static void set_options(int fd, uint8_t family)
{
	socket_ignore_path_mtu(fd, family);
	if (family == 4) {
		(void)socket_set(fd, IPPROTO_IP, IP_RECVERR, 1);
		(void)socket_set(fd, IPPROTO_IP, IP_RECVFRAGSIZE, 1);
	} else {
		(void)socket_set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
		(void)socket_set(fd, IPPROTO_IPV6, IPV6_RECVFRAGSIZE, 1);
	}
}

static void handle_ready(void *context, unsigned ready);

/* Whoever guessed the port between bind() and connect() has been heard, whoever he is: what was there
 * before the question is no reply to it. */
static void drain_early(int fd)
{
	uint8_t byte;

	for (unsigned i = 0; i < EARLY_MAX; i++)
		if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) < 0 && errno == EAGAIN)
			return;
}

/* Whose doing it is that the system does not send. */
static enum loss loss_of(int error)
{
	return socket_is_shortage(error) ? LOSS_ROOM : LOSS_ROUTE;
}

/* A socket of its own for Q. ERR_SYSTEM or ERR_LIMIT, with q->loss. */
static enum err send_udp(struct outbound_query *q, struct span packet)
{
	struct outbound *o = q->outbound;
	struct sockaddr_storage address;
	socklen_t len = endpoint_to_sockaddr(&q->peer, &address);

	q->loss = len == 0 ? LOSS_ROUTE : LOSS_ROOM;
	if (len == 0 || o->udp_count >= o->settings.udp_sockets)
		return ERR_LIMIT;
	int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		q->loss = loss_of(errno);
		return ERR_SYSTEM;
	}
	set_options(fd, q->peer.family);
	bind_random(o, fd, address.ss_family);
	q->watch = (struct loop_watch){.fn = handle_ready, .context = q};
	bool connected = connect(fd, (struct sockaddr *)&address, len) == 0;
	if (connected)
		drain_early(fd);
	if (!connected || send(fd, packet.at, packet.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ||
	    loop_watch(o->loop, &q->watch, fd, LOOP_READ) != OK) {
		q->loss = loss_of(errno);
		close(fd);
		return ERR_SYSTEM;
	}
	o->udp_count++;
	return OK;
}

/* The size of the largest fragment is told of what came in several. */
static bool came_in_fragments(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVFRAGSIZE) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVFRAGSIZE))
			return true;
	return false;
}

/* One datagram. ERR_BUSY if none is there, ERR_CLOSED if an ICMP message says that none will come: that
 * it has been told so, the system forgets by telling. */
static enum err read_datagram(struct outbound_query *q)
{
	struct outbound *o = q->outbound;
	struct iovec piece = {.iov_base = o->scratch, .iov_len = SCRATCH_SIZE};
	uint8_t control[CONTROL_SIZE] __attribute__((aligned(8)));
	struct msghdr message = {.msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	ssize_t len = recvmsg(q->watch.fd, &message, MSG_DONTWAIT);

	if (len < 0 && errno == EINTR)
		return OK;
	if (len < 0)
		return errno == EAGAIN ? ERR_BUSY : ERR_CLOSED;
	struct outbound_reply reply = {
		.token = q->token,
		.packet = span_of(o->scratch, (size_t)len),
		.peer = q->peer,
		.fragmented = came_in_fragments(&message),
	};
	o->settings.reply(o->settings.context, &reply);
	return OK;
}

/* The system keeps the ICMP messages too, and reports their being there until they are taken. */
static void take_errors(struct outbound_query *q)
{
	uint8_t quoted[HEADER_SIZE];
	struct iovec piece = {.iov_base = quoted, .iov_len = sizeof(quoted)};
	struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

	for (unsigned i = 0; i < OUTBOUND_READS_PER_TURN; i++)
		if (recvmsg(q->watch.fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
}

static void tell_hint(struct outbound_query *q)
{
	struct outbound *o = q->outbound;

	if (q->hinted)
		return;
	q->hinted = true;
	o->settings.lost(o->settings.context, q->token, LOSS_HINT);
}

static void handle_ready(void *context, unsigned ready)
{
	struct outbound_query *q = context;
	struct outbound *o = q->outbound;
	uint64_t token = q->token;
	enum err err = OK;
	bool hint = ready & LOOP_FAILED;

	if (hint)
		take_errors(q);
	for (unsigned i = 0; i < OUTBOUND_READS_PER_TURN && err != ERR_BUSY; i++) {
		err = read_datagram(q);
		if (find(o, token) != q)
			return; /* cancelled by whoever got the reply */
		hint |= err == ERR_CLOSED;
	}
	if (hint)
		tell_hint(q);
}

/* ---- TCP ---- */

static struct outbound_query *query_of(struct pool_query *pooled)
{
	return (struct outbound_query *)(void *)((uint8_t *)pooled -
						 offsetof(struct outbound_query, pooled));
}

static void handle_pool_reply(void *context, struct pool_query *pooled, struct span message)
{
	struct outbound *o = context;
	struct outbound_query *q = query_of(pooled);
	struct outbound_reply reply = {
		.token = q->token, .packet = message, .peer = q->peer, .tcp = true};

	o->settings.reply(o->settings.context, &reply);
}

static void handle_pool_lost(void *context, struct pool_query *pooled, enum loss loss)
{
	(void)context;
	lose(query_of(pooled), loss);
}

static enum err send_tcp(struct outbound_query *q, const struct outbound_packet *packet)
{
	const struct pool_target target = {.server = packet->peer, .zone = packet->zone};
	enum err err = pool_send(&q->outbound->pool, &q->pooled, packet->bytes, &target);

	q->loss = err == ERR_SYSTEM ? LOSS_ROUTE : LOSS_ROOM;
	return err;
}

/* ---- both ---- */

void outbound_send(struct outbound *o, uint64_t token, const struct outbound_packet *packet)
{
	REQUIRE(!find(o, token) && packet->bytes.len >= HEADER_SIZE);
	struct outbound_query *q = add_query(o, token, packet);
	if (!q) {
		o->lost_count++; /* the sender's own deadline has to notice */
		return;
	}
	enum err err = packet->tcp ? send_tcp(q, packet) : send_udp(q, packet->bytes);
	if (err != OK)
		doom(q, q->loss);
}

void outbound_cancel(struct outbound *o, uint64_t token)
{
	struct outbound_query *q = find(o, token);

	if (q)
		remove_query(q);
}

static void handle_tick(void *context)
{
	struct outbound *o = context;
	struct outbound_query *q;
	uint64_t now_us = o->loop->now.mono_us;

	while ((q = TAILQ_FIRST(&o->queries)) &&
	       now_us - q->since_us >= OUTBOUND_FORGOTTEN_MS * 1000ULL)
		doom(q, LOSS_TIMEOUT);
	if (q)
		loop_timer_set(o->loop, &o->tick, now_us + OUTBOUND_TICK_MS * 1000);
}

void outbound_renew(struct outbound *o)
{
	rng_renew(&o->rng);
}

enum err outbound_init(struct outbound *o, struct loop *loop, const struct rng *rng,
		       const struct outbound_settings *settings)
{
	size_t buckets = 16;

	while (buckets < 2 * (size_t)settings->udp_sockets)
		buckets *= 2;
	*o = (struct outbound){.loop = loop, .settings = *settings, .rng = *rng};
	o->bucket_mask = buckets - 1;
	o->tick = (struct loop_timer){.fn = handle_tick, .context = o};
	o->attention = (struct loop_timer){.fn = handle_attention, .context = o};
	TAILQ_INIT(&o->queries);
	TAILQ_INIT(&o->doomed);
	o->buckets = calloc(buckets, sizeof(struct outbound_query *));
	if (!o->buckets)
		return ERR_NO_MEMORY;
	o->scratch = malloc(SCRATCH_SIZE);
	if (!o->scratch)
		goto free_buckets;
	if (pool_init(&o->pool, loop, handle_pool_reply, handle_pool_lost, o) != OK)
		goto free_scratch;
	if (settings->input_bytes > 0)
		o->pool.unread_limit = settings->input_bytes;
	return OK;

free_scratch:
	free(o->scratch);
free_buckets:
	free(o->buckets);
	return ERR_NO_MEMORY;
}

void outbound_deinit(struct outbound *o)
{
	struct outbound_query *q;

	while ((q = TAILQ_FIRST(&o->queries)) || (q = TAILQ_FIRST(&o->doomed)))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not follow TAILQ_REMOVE */
		remove_query(q);
	pool_deinit(&o->pool);
	loop_timer_clear(o->loop, &o->tick);
	loop_timer_clear(o->loop, &o->attention);
	free(o->scratch);
	free(o->buckets);
	*o = (struct outbound){0};
}
