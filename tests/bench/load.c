/*
 * Load for the benchmark: asks a name server for names of the pattern n0.ZONE, n1.ZONE, ... over
 * UDP or TCP and prints as JSON what came of it. It keeps WINDOW questions under way on each of
 * CONNECTIONS sockets, or sends at a steady RATE if one is given. A question whose answer is lost
 * is given up after five seconds, never repeated. Cheap enough to share a machine of two cores with
 * the server.
 *
 * usage: load [-b SOURCE] [-k] udp|tcp ADDRESS ZONE FIRST NAMES COUNT CONNECTIONS WINDOW
 *             [RATE [STRIDE]]
 *
 * -k, with udp: the kernel stamps each answer as it arrives, and what is told too is until then
 * ("arrived") and how long the answer then waited for this program ("unread"), which on a machine
 * that is busy is no doing of the server's.
 *
 * COUNT questions are asked, for NAMES names from FIRST on in turn, each STRIDE (1) after the last.
 * A "%u" in ZONE becomes the number of the question modulo 300, so that questions spread over many
 * zones.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	CONNECTIONS_MAX = 1024,
	WINDOW_MAX = 1024,
	BATCH = 64,
	QUERY_SIZE = 300,
	REPLY_SIZE = 4096,
	STREAM_SIZE = 1 << 16,
	HEADER_SIZE = 12,
	CONTROL_SIZE = 64, /* a stamp */
	LENGTH_SIZE = 2,   /* before each message over TCP */
	PORT = 53,
	ZONES = 300,
	GIVE_UP_US = 5000000,
};

struct slot {		       /* one question under way; its index is the message id */
	uint64_t sent_us;      /* 0: free */
	uint64_t sent_wall_us; /* on the clock of the kernel's stamps; 0: they are not wanted */
};

struct times { /* of the answers, in the order of arrival */
	uint32_t *latency_us;
	uint32_t *arrived_us, *unread_us; /* its two parts, by the kernel's stamps */
};

struct connection {
	int fd;
	struct slot slot[WINDOW_MAX];
	uint16_t free[WINDOW_MAX];
	uint16_t free_count;
	uint8_t *stream; /* TCP: what has been read of messages */
	size_t stream_len;
};

struct load {
	bool tcp, stamped;
	struct sockaddr_in source, server;
	const char *zone;
	uint64_t first, names, count, stride;
	uint32_t connection_count, window;
	double rate; /* questions a second; 0: as fast as answers come */

	struct connection *connections;
	struct pollfd polled[CONNECTIONS_MAX];
	uint64_t begin_us, asked, answered, failed, lost;
	struct times times;
};

static uint64_t microseconds(struct timespec ts)
{
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t read_clock(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return microseconds(ts);
}

static uint64_t clock_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* One label after another of dotted TEXT. Returns the bytes written. */
static size_t put_name(uint8_t *out, const char *text)
{
	size_t at = 0;

	while (*text) {
		size_t len = strcspn(text, ".");
		out[at++] = (uint8_t)len;
		memcpy(out + at, text, len);
		at += len;
		text += len + (text[len] == '.');
	}
	out[at++] = 0;
	return at;
}

/* A question with id ID for the name of NUMBER. Returns its length. */
static size_t put_query(const struct load *load, uint8_t *out, uint16_t id, uint64_t number)
{
	static const uint8_t end[] = {0, 1, 0, 1, /* A, IN; OPT: */ 0, 0, 41, 4, 208, 0, 0,
				      0, 0, 0, 0};
	char zone[160], name[200];

	memset(out, 0, HEADER_SIZE);
	out[0] = (uint8_t)(id >> 8);
	out[1] = (uint8_t)id;
	out[2] = 1;  /* RD */
	out[5] = 1;  /* a question */
	out[11] = 1; /* OPT */
	const char *spread = strstr(load->zone, "%u");
	if (spread)
		(void)snprintf(zone, sizeof(zone), "%.*s%u%s", (int)(spread - load->zone),
			       load->zone, (unsigned int)(number % ZONES), spread + 2);
	else
		(void)snprintf(zone, sizeof(zone), "%s", load->zone);
	uint64_t label = spread ? number / ZONES : number;
	(void)snprintf(name, sizeof(name), "n%llu.%s", (unsigned long long)label, zone);
	size_t len = HEADER_SIZE + put_name(out + HEADER_SIZE, name);
	memcpy(out + len, end, sizeof(end));
	return len + sizeof(end);
}

static void open_connection(const struct load *load, struct connection *c)
{
	int size_bytes = 4 << 20, one = 1;

	c->fd = socket(AF_INET, (load->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
	    bind(c->fd, (const struct sockaddr *)&load->source, sizeof(load->source)) ||
	    connect(c->fd, (const struct sockaddr *)&load->server, sizeof(load->server)))
		err(1, "connect");
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK))
		err(1, "fcntl");
	if (load->tcp) {
		(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c->stream = calloc(1, STREAM_SIZE);
		if (!c->stream)
			err(1, "calloc");
	} else {
		(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size_bytes, sizeof(size_bytes));
		if (load->stamped &&
		    setsockopt(c->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)))
			err(1, "SO_TIMESTAMPNS");
	}
	for (uint32_t i = 0; i < load->window; i++)
		c->free[c->free_count++] = (uint16_t)i;
}

/* How many questions may be sent on C now. */
static uint32_t allowed(const struct load *load, const struct connection *c, uint64_t now_us)
{
	uint64_t left = load->count - load->asked;

	if (load->rate > 0) {
		double due = (double)(now_us - load->begin_us) * load->rate / 1e6 + 1;
		uint64_t behind = due > (double)load->asked ? (uint64_t)due - load->asked : 0;
		left = left < behind ? left : behind;
	}
	left = left < c->free_count ? left : c->free_count;
	return (uint32_t)(left < BATCH ? left : BATCH);
}

static size_t ask_one(struct load *load, struct connection *c, uint8_t *out, uint64_t now_us)
{
	uint16_t id = c->free[--c->free_count];

	c->slot[id].sent_us = now_us;
	c->slot[id].sent_wall_us = load->stamped ? read_clock(CLOCK_REALTIME) : 0;
	return put_query(load, out, id, load->first + load->asked++ % load->names * load->stride);
}

static void send_udp(struct load *load, struct connection *c, uint32_t count, uint64_t now_us)
{
	static uint8_t packet[BATCH][QUERY_SIZE];
	struct iovec iov[BATCH];
	struct mmsghdr message[BATCH] = {0};

	for (uint32_t i = 0; i < count; i++) {
		iov[i] = (struct iovec){packet[i], ask_one(load, c, packet[i], now_us)};
		message[i].msg_hdr.msg_iov = &iov[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
	(void)sendmmsg(c->fd, message, count, 0); /* what it does not take is lost */
}

static void send_tcp(struct load *load, struct connection *c, uint32_t count, uint64_t now_us)
{
	static uint8_t bytes[BATCH * (LENGTH_SIZE + QUERY_SIZE)];
	size_t len = 0;

	for (uint32_t i = 0; i < count; i++) {
		size_t size = ask_one(load, c, bytes + len + LENGTH_SIZE, now_us);
		bytes[len] = (uint8_t)(size >> 8);
		bytes[len + 1] = (uint8_t)size;
		len += LENGTH_SIZE + size;
	}
	if (write(c->fd, bytes, len) != (ssize_t)len)
		errx(1, "the server does not take what the window allows");
}

/* An answer to what S says, which arrived at STAMP_US (0: the kernel does not say). */
static void note_times(struct load *load, const struct slot *s, uint64_t stamp_us)
{
	uint64_t i = load->answered++;
	uint32_t latency_us = (uint32_t)(clock_us() - s->sent_us), arrived_us = latency_us;

	load->times.latency_us[i] = latency_us;
	if (!load->stamped)
		return;
	if (stamp_us > s->sent_wall_us && stamp_us - s->sent_wall_us < latency_us)
		arrived_us = (uint32_t)(stamp_us - s->sent_wall_us);
	load->times.arrived_us[i] = arrived_us;
	load->times.unread_us[i] = latency_us - arrived_us;
}

static void take_reply(struct load *load, struct connection *c, struct iovec bytes,
		       uint64_t stamp_us)
{
	const uint8_t *reply = bytes.iov_base;
	size_t len = bytes.iov_len;
	uint16_t id = len >= HEADER_SIZE ? (uint16_t)(reply[0] << 8 | reply[1]) : UINT16_MAX;

	if (id >= load->window || !c->slot[id].sent_us)
		return;
	note_times(load, &c->slot[id], stamp_us);
	load->failed += (reply[3] & 15) != 0 || (reply[6] | reply[7]) == 0;
	c->slot[id].sent_us = 0;
	c->free[c->free_count++] = id;
}

/* When MESSAGE came, on the wall clock; 0: the kernel does not say. */
static uint64_t stamp_of(struct msghdr *message)
{
	struct timespec ts;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		return microseconds(ts);
	}
	return 0;
}

static void receive_udp(struct load *load, struct connection *c)
{
	static uint8_t packet[BATCH][REPLY_SIZE];
	static _Alignas(struct cmsghdr) uint8_t control[BATCH][CONTROL_SIZE];
	struct iovec iov[BATCH];
	struct mmsghdr message[BATCH] = {0};

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){packet[i], REPLY_SIZE};
		message[i].msg_hdr.msg_iov = &iov[i];
		message[i].msg_hdr.msg_iovlen = 1;
		message[i].msg_hdr.msg_control = load->stamped ? control[i] : NULL;
		message[i].msg_hdr.msg_controllen = load->stamped ? CONTROL_SIZE : 0;
	}
	int count = recvmmsg(c->fd, message, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++)
		take_reply(load, c, (struct iovec){packet[i], message[i].msg_len},
			   stamp_of(&message[i].msg_hdr));
}

static void receive_tcp(struct load *load, struct connection *c)
{
	ssize_t got = read(c->fd, c->stream + c->stream_len, STREAM_SIZE - c->stream_len);
	size_t at = 0;

	if (got <= 0)
		errx(1, "the server closed a connection");
	c->stream_len += (size_t)got;
	while (c->stream_len - at >= LENGTH_SIZE) {
		size_t size = (size_t)(c->stream[at] << 8 | c->stream[at + 1]);
		if (c->stream_len - at < LENGTH_SIZE + size)
			break;
		take_reply(load, c, (struct iovec){c->stream + at + LENGTH_SIZE, size}, 0);
		at += LENGTH_SIZE + size;
	}
	c->stream_len -= at;
	memmove(c->stream, c->stream + at, c->stream_len);
}

static void give_up_old(struct load *load, uint64_t now_us)
{
	for (uint32_t i = 0; i < load->connection_count; i++) {
		struct connection *c = &load->connections[i];
		for (uint32_t id = 0; id < load->window; id++) {
			if (!c->slot[id].sent_us || now_us - c->slot[id].sent_us < GIVE_UP_US)
				continue;
			c->slot[id].sent_us = 0;
			c->free[c->free_count++] = (uint16_t)id;
			load->lost++;
		}
	}
}

static void run(struct load *load)
{
	uint64_t swept_us = load->begin_us = clock_us();

	while (load->answered + load->lost < load->count) {
		uint64_t now_us = clock_us();
		for (uint32_t i = 0; i < load->connection_count; i++) {
			struct connection *c = &load->connections[i];
			uint32_t count = allowed(load, c, now_us);
			if (count)
				(load->tcp ? send_tcp : send_udp)(load, c, count, now_us);
		}
		if (poll(load->polled, load->connection_count, 1) < 0)
			err(1, "poll");
		for (uint32_t i = 0; i < load->connection_count; i++) {
			if (load->polled[i].revents)
				(load->tcp ? receive_tcp : receive_udp)(load,
									&load->connections[i]);
		}
		if (now_us - swept_us > GIVE_UP_US / 10) {
			give_up_old(load, now_us);
			swept_us = now_us;
		}
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Quantiles of US, which is sorted for that, as members whose names begin with PREFIX. */
static void report_quantiles(const struct load *load, const char *prefix, uint32_t *us)
{
	static const struct {
		const char *name;
		double share;
	} quantile[] = {
		{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1.0},
	};

	qsort(us, load->answered, sizeof(*us), compare);
	for (size_t i = 0; i < sizeof(quantile) / sizeof(*quantile); i++) {
		uint64_t at = (uint64_t)(quantile[i].share * (double)load->answered);
		at = at < load->answered ? at : load->answered - 1;
		printf(", \"%s%s_ms\": %.3f", prefix, quantile[i].name,
		       load->answered ? us[at] / 1e3 : 0.0);
	}
}

static void report(struct load *load)
{
	double seconds = (double)(clock_us() - load->begin_us) / 1e6;

	uint64_t over_5ms = load->lost;
	for (uint64_t i = 0; i < load->answered; i++)
		over_5ms += load->times.latency_us[i] > 5000;
	printf("{\"asked\": %llu, \"answered\": %llu, \"failed\": %llu, \"lost\": %llu, "
	       "\"over_5ms\": %llu, \"seconds\": %.3f",
	       (unsigned long long)load->asked, (unsigned long long)load->answered,
	       (unsigned long long)load->failed, (unsigned long long)load->lost,
	       (unsigned long long)over_5ms, seconds);
	report_quantiles(load, "", load->times.latency_us);
	if (load->stamped) {
		report_quantiles(load, "arrived_", load->times.arrived_us);
		report_quantiles(load, "unread_", load->times.unread_us);
	}
	printf("}\n");
}

static uint64_t number(const char *text, uint64_t min, uint64_t max)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (*end || value < min || value > max)
		errx(64, "%s is not a number from %llu to %llu", text, (unsigned long long)min,
		     (unsigned long long)max);
	return value;
}

static _Noreturn void usage(void)
{
	errx(64, "usage: load [-b SOURCE] [-k] udp|tcp ADDRESS ZONE FIRST NAMES COUNT "
		 "CONNECTIONS WINDOW [RATE [STRIDE]]");
}

static uint32_t *new_times(uint64_t count)
{
	uint32_t *us = calloc(count, sizeof(*us));

	if (!us)
		err(1, "calloc");
	return us;
}

int main(int argc, char **argv)
{
	struct load load = {.source = {.sin_family = AF_INET},
			    .server = {.sin_family = AF_INET, .sin_port = htons(PORT)}};

	for (int option; (option = getopt(argc, argv, "+b:k")) != -1;) {
		if (option == 'k')
			load.stamped = true;
		else if (option != 'b')
			usage();
		else if (inet_pton(AF_INET, optarg, &load.source.sin_addr) != 1)
			errx(64, "%s is not an IPv4 address", optarg);
	}
	argc -= optind - 1;
	argv += optind - 1;
	if (argc < 9 || argc > 11)
		usage();
	load.tcp = strcmp(argv[1], "tcp") == 0;
	if (inet_pton(AF_INET, argv[2], &load.server.sin_addr) != 1)
		errx(64, "%s is not an IPv4 address", argv[2]);
	load.zone = argv[3];
	load.first = number(argv[4], 0, UINT32_MAX);
	load.names = number(argv[5], 1, UINT32_MAX);
	load.count = number(argv[6], 1, 1u << 28);
	load.connection_count = (uint32_t)number(argv[7], 1, CONNECTIONS_MAX);
	load.window = (uint32_t)number(argv[8], 1, WINDOW_MAX);
	load.rate = argc >= 10 ? (double)number(argv[9], 0, 10000000) : 0;

	load.stride = argc == 11 ? number(argv[10], 1, UINT32_MAX) : 1;

	load.connections = calloc(load.connection_count, sizeof(*load.connections));
	if (!load.connections)
		err(1, "calloc");
	load.times =
		(struct times){new_times(load.count), new_times(load.count), new_times(load.count)};
	for (uint32_t i = 0; i < load.connection_count; i++) {
		open_connection(&load, &load.connections[i]);
		load.polled[i] = (struct pollfd){.fd = load.connections[i].fd, .events = POLLIN};
	}
	run(&load);
	report(&load);
	for (uint32_t i = 0; i < load.connection_count; i++) {
		(void)close(load.connections[i].fd);
		free(load.connections[i].stream);
	}
	free(load.connections);
	free(load.times.latency_us);
	free(load.times.arrived_us);
	free(load.times.unread_us);
	return 0;
}
