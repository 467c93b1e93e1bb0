#include "net/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"

/* Addresses as the system takes them; smaller than sockaddr_storage, so that a batch stays in the
 * processor's cache. */
union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Room for one packet-info control message of either family. */
union packet_info {
	struct cmsghdr align;
	uint8_t v4[CMSG_SPACE(sizeof(struct in_pktinfo))];
	uint8_t v6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct udp_batch {
	const struct udp_socket *last; /* that received; NULL at first */
	unsigned used;		       /* entries it filled */
	struct mmsghdr in[UDP_BATCH], out[UDP_BATCH];
	struct iovec in_iov[UDP_BATCH], out_iov[UDP_BATCH];
	union socket_address peers[UDP_BATCH];
	union packet_info in_info[UDP_BATCH], out_info[UDP_BATCH];
	uint8_t answers[UDP_BATCH][UDP_ANSWER_MAX];
	uint8_t queries[UDP_BATCH][UDP_QUERY_MAX];
};

struct udp_work {
	struct udp_path path; /* no socket: it has been closed */
	size_t len;
	uint8_t query[UDP_WORK_QUERY_MAX];
};

static void handle_work(void *context);

enum err udp_server_init(struct udp_server *u, struct loop *loop,
			 const struct udp_settings *settings)
{
	struct udp_batch *b = calloc(1, sizeof(*b));

	*u = (struct udp_server){.loop = loop, .batch = b, .settings = *settings};
	u->work = calloc(UDP_WORK_ROOM, sizeof(*u->work));
	u->work_timer = (struct loop_timer){.fn = handle_work, .context = u};
	if (!b || !u->work) {
		udp_server_deinit(u);
		return ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < UDP_BATCH; i++) {
		b->in_iov[i] = (struct iovec){b->queries[i], UDP_QUERY_MAX};
		b->in[i].msg_hdr.msg_iov = &b->in_iov[i];
		b->in[i].msg_hdr.msg_iovlen = 1;
		b->in[i].msg_hdr.msg_name = &b->peers[i];
		b->out[i].msg_hdr.msg_iov = &b->out_iov[i];
		b->out[i].msg_hdr.msg_iovlen = 1;
	}
	return OK;
}

void udp_server_deinit(struct udp_server *u)
{
	loop_timer_clear(u->loop, &u->work_timer);
	free(u->work);
	free(u->batch);
	u->work = NULL;
	u->batch = NULL;
}

/* ---- work ---- */

/* The Ith in line. */
static struct udp_work *work_at(const struct udp_server *u, unsigned i)
{
	return &u->work[(u->work_first + i) % UDP_WORK_ROOM];
}

static void work_on_first(struct udp_server *u)
{
	const struct udp_work *w = work_at(u, 0);

	if (w->path.socket)
		u->settings.work(u->settings.context, span_of(w->query, w->len), &w->path);
	u->work_first = (u->work_first + 1) % UDP_WORK_ROOM;
	u->work_count--;
}

static void handle_work(void *context)
{
	struct udp_server *u = context;

	do {
		work_on_first(u);
	} while (u->work_count > 0 && loop_awake_us(u->loop) < LOOP_URGENT_US);
	if (u->work_count > 0)
		loop_timer_set(u->loop, &u->work_timer, u->loop->now.mono_us);
}

/* PACKET, which came along PATH, goes to the end of the line. */
static void put_off(struct udp_server *u, struct span packet, const struct udp_path *path)
{
	bool too_long = packet.len > UDP_WORK_QUERY_MAX;

	if (u->held && (too_long || u->work_count == UDP_WORK_ROOM)) {
		u->dropped_answers++;
		return;
	}
	if (too_long) {
		u->settings.work(u->settings.context, packet, path);
		return;
	}
	if (u->work_count == UDP_WORK_ROOM)
		work_on_first(u);
	if (u->work_count == 0)
		loop_timer_set(u->loop, &u->work_timer, u->loop->now.mono_us);
	struct udp_work *w = work_at(u, u->work_count++);
	w->path = *path;
	w->len = packet.len;
	memcpy(w->query, packet.at, packet.len);
}

void udp_hold(struct udp_server *u)
{
	REQUIRE(!u->held);
	u->held = true;
}

void udp_release(struct udp_server *u)
{
	u->held = false;
}

/* There is a place in line for whatever a batch brings. */
static bool has_room(const struct udp_server *u)
{
	return u->work_count + UDP_BATCH <= UDP_WORK_ROOM;
}

/* ---- sockets ---- */

static bool is_unspecified(const struct endpoint *e)
{
	static const uint8_t zero[16];

	return memcmp(e->addr, zero, sizeof(zero)) == 0;
}

/* What must be right before a client is served; false with errno. */
static bool set_options(int fd, uint8_t family, bool wildcard)
{
	/* More room is a wish: forced past the system's limit if we may, else up to it. */
	if (!socket_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_RECEIVE_BUFFER))
		(void)socket_set(fd, SOL_SOCKET, SO_RCVBUF, UDP_RECEIVE_BUFFER);
	socket_ignore_path_mtu(fd, family);
	if (family == 4)
		return !wildcard || socket_set(fd, IPPROTO_IP, IP_PKTINFO, 1);
	return !wildcard || socket_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

static void handle_ready(void *context, unsigned ready);

enum err udp_listen(struct udp_socket *s, struct udp_server *u, const struct endpoint *local,
		    int fd, enum socket_owner owner)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_to_sockaddr(local, &address);
	REQUIRE(len > 0);

	*s = (struct udp_socket){.server = u, .wildcard = is_unspecified(local), .owner = owner};
	s->watch = (struct loop_watch){.fn = handle_ready, .context = s, .fd = -1};
	if (fd < 0)
		fd = socket_bound(local, SOCK_DGRAM);
	if (fd < 0)
		return ERR_SYSTEM;
	if (!set_options(fd, local->family, s->wildcard) || !socket_set_nonblocking(fd))
		goto close_socket;
	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		goto close_socket;
	s->local = endpoint_from_sockaddr((struct sockaddr *)&address);
	if (loop_watch(u->loop, &s->watch, fd, LOOP_READ) != OK)
		goto close_socket;
	loop_urge(u->loop, &s->watch);
	return OK;

close_socket:
	socket_abandon(fd);
	return ERR_SYSTEM;
}

void udp_count_drops(struct udp_socket *s)
{
	if (s->owner != SOCKET_HELD_SHARED && s->watch.watched)
		s->server->drops += socket_take_drops(s->watch.fd, &s->drops);
}

void udp_close(struct udp_socket *s)
{
	if (!s->watch.watched)
		return;
	udp_count_drops(s);
	for (unsigned i = 0; i < s->server->work_count; i++) {
		struct udp_work *w = work_at(s->server, i);
		if (w->path.socket == s)
			w->path.socket = NULL;
	}
	/* Not loop_close(): others have duplicates of an inherited one. */
	loop_forget(s->server->loop, &s->watch);
	close(s->watch.fd);
	s->server->batch->last = NULL;
}

/* ---- the way back ---- */

/* The address and interface at which the datagram arrived. */
static void read_packet_info(struct msghdr *message, struct udp_path *path)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(message);

	for (; c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(path->local, &info.ipi_spec_dst, sizeof(info.ipi_spec_dst));
			path->interface = (uint32_t)info.ipi_ifindex;
			path->has_local = true;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(path->local, &info.ipi6_addr, sizeof(info.ipi6_addr));
			path->interface = info.ipi6_ifindex;
			path->has_local = true;
		}
	}
}

/* The interface to answer by: the one asked for link-local addresses, which mean nothing without
 * it; else none, so that the routing table decides. */
static uint32_t answer_interface(const struct udp_path *path)
{
	bool link_local = path->peer.family == 6
				  ? path->local[0] == 0xfe && (path->local[1] & 0xc0) == 0x80
				  : path->local[0] == 169 && path->local[1] == 254;

	return link_local ? path->interface : 0;
}

/* Say in MESSAGE which address the answer leaves from; INFO is its memory. */
static void write_packet_info(struct msghdr *message, const struct udp_path *path,
			      union packet_info *info)
{
	if (!path->has_local) {
		message->msg_control = NULL;
		message->msg_controllen = 0;
		return;
	}
	memset(info, 0, sizeof(*info));
	message->msg_control = info;
	if (path->peer.family == 4) {
		struct in_pktinfo local = {.ipi_ifindex = (int)answer_interface(path)};
		memcpy(&local.ipi_spec_dst, path->local, sizeof(local.ipi_spec_dst));
		message->msg_controllen = sizeof(info->v4);
		struct cmsghdr *c = CMSG_FIRSTHDR(message);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(local));
		memcpy(CMSG_DATA(c), &local, sizeof(local));
		return;
	}
	struct in6_pktinfo local = {.ipi6_ifindex = answer_interface(path)};
	memcpy(&local.ipi6_addr, path->local, sizeof(local.ipi6_addr));
	message->msg_controllen = sizeof(info->v6);
	struct cmsghdr *c = CMSG_FIRSTHDR(message);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(local));
	memcpy(CMSG_DATA(c), &local, sizeof(local));
}

/* ---- batches ---- */

/* Up to UDP_BATCH datagrams; how many came. */
static unsigned receive_batch(struct udp_socket *s)
{
	struct udp_batch *b = s->server->batch;

	/* The system overwrites these with what came. */
	if (b->last != s)
		b->used = UDP_BATCH;
	for (size_t i = 0; i < b->used; i++) {
		struct msghdr *m = &b->in[i].msg_hdr;
		m->msg_namelen = sizeof(b->peers[i]);
		m->msg_control = s->wildcard ? &b->in_info[i] : NULL;
		m->msg_controllen = s->wildcard ? sizeof(b->in_info[i]) : 0;
	}
	int count = recvmmsg(s->watch.fd, b->in, UDP_BATCH, MSG_DONTWAIT, NULL);
	b->last = s;
	b->used = count > 0 ? (unsigned)count : 0;
	/* An error is either that nothing is there, or an ICMP message about an earlier answer. */
	return b->used;
}

/* Hand datagram I to the handler; its answer becomes out[COUNT]. Whether there is one. */
static bool answer_one(struct udp_socket *s, size_t i, size_t count)
{
	struct udp_server *u = s->server;
	struct udp_batch *b = u->batch;
	struct msghdr *in = &b->in[i].msg_hdr, *out = &b->out[count].msg_hdr;
	struct udp_path path = {.socket = s, .peer = endpoint_from_sockaddr(&b->peers[i].any)};

	/* Port 0 cannot be answered; a loop of two servers begins at no other sign. */
	if (in->msg_flags & MSG_TRUNC || path.peer.family == 0 || path.peer.port == 0)
		return false;
	if (s->wildcard)
		read_packet_info(in, &path);
	struct span packet = span_of(b->queries[i], b->in[i].msg_len);
	ptrdiff_t len = u->settings.handler(u->settings.context, packet, &path, b->answers[count],
					    UDP_ANSWER_MAX);
	REQUIRE(len <= UDP_ANSWER_MAX);
	if (len == UDP_LATER)
		put_off(u, packet, &path);
	if (len <= 0)
		return false;
	b->out_iov[count] = (struct iovec){b->answers[count], (size_t)len};
	out->msg_name = in->msg_name;
	out->msg_namelen = in->msg_namelen;
	write_packet_info(out, &path, &b->out_info[count]);
	return true;
}

/* Send out[0] to out[COUNT - 1]; what the system refuses is dropped, one by one. */
static void send_batch(struct udp_socket *s, unsigned count)
{
	struct udp_server *u = s->server;
	unsigned sent = 0;

	while (sent < count) {
		int n = sendmmsg(s->watch.fd, u->batch->out + sent, count - sent, MSG_DONTWAIT);
		if (n > 0) {
			sent += (unsigned)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS) { /* the queue is full: shed the rest */
			u->dropped_answers += count - sent;
			return;
		}
		/* This one cannot go (no route, forbidden by a filter), or reports an older one's
		 * ICMP error; the rest may. */
		u->dropped_answers++;
		sent++;
	}
}

/* COUNT answers were sent: since the loop woke up, which may have been for an earlier batch. */
static void sample_batch(const struct udp_server *u, unsigned count)
{
	uint64_t us = loop_awake_us(u->loop);

	for (unsigned i = 0; u->settings.metrics && i < count; i++) {
		metrics_observe(u->settings.metrics, HISTOGRAM_hit_latency_seconds, us);
		metrics_observe(u->settings.metrics, HISTOGRAM_udp_answer_bytes,
				u->batch->out_iov[i].iov_len);
	}
}

/* Answer what is there, up to a batch; how many datagrams that were. */
static unsigned serve_batch(struct udp_socket *s)
{
	if (UNLIKELY(s->server->held) && !has_room(s->server))
		return 0;
	unsigned received = receive_batch(s), answers = 0;

	for (unsigned i = 0; i < received; i++)
		if (answer_one(s, i, answers))
			answers++;
	send_batch(s, answers);
	if (answers > 0 && UNLIKELY(s->server->batches++ % UDP_BATCHES_PER_SAMPLE == 0))
		sample_batch(s->server, answers);
	return received;
}

static void handle_ready(void *context, unsigned ready)
{
	(void)ready;
	for (unsigned turn = 0; turn < UDP_BATCHES_PER_TURN; turn++)
		if (serve_batch(context) < UDP_BATCH)
			return;
}

static void answer_what_came(struct udp_socket *s)
{
	if (!s->left && !s->wildcard)
		socket_leave(s->watch.fd, &s->local);
	s->left = true;
	for (unsigned turn = 0; turn < UDP_BATCHES_AT_END; turn++)
		if (serve_batch(s) < UDP_BATCH)
			return;
}

void udp_drain(struct udp_socket *s)
{
	if (!s->watch.watched)
		return;
	if (s->owner == SOCKET_OURS)
		answer_what_came(s);
	else
		loop_want(s->server->loop, &s->watch, 0);
	while (s->server->work_count > 0)
		work_on_first(s->server);
}

void udp_send(const struct udp_path *path, struct span packet)
{
	struct sockaddr_storage peer;
	union packet_info info;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)packet.at, .iov_len = packet.len};
	struct msghdr message = {
		.msg_name = &peer,
		.msg_namelen = endpoint_to_sockaddr(&path->peer, &peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};

	write_packet_info(&message, path, &info);
	/* An ICMP error of an earlier answer may be reported here instead: try once more. */
	for (unsigned attempt = 0; attempt < 2; attempt++)
		if (sendmsg(path->socket->watch.fd, &message, MSG_DONTWAIT) >= 0)
			return;
	path->socket->server->dropped_answers++;
}

bool udp_has_route(uint8_t family)
{
	/* Root servers' addresses (A and M): anything public would do, nothing is sent. */
	static const char *const public_address[] = {"198.41.0.4:53", "[2001:dc3::35]:53"};
	struct endpoint e;
	struct sockaddr_storage address;

	REQUIRE(endpoint_parse(public_address[family == 6], 53, &e) == OK);
	socklen_t len = endpoint_to_sockaddr(&e, &address);
	int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool reachable = connect(fd, (struct sockaddr *)&address, len) == 0;
	close(fd);
	return reachable;
}
