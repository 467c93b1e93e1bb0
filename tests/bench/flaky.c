/*
 * flaky [OPTION...] ADDRESS... - a bad authoritative server for measurements, on port 53 of each
 * address.
 *
 *	-d MS		replies take so long (10)
 *	-l PERMILLE	of UDP packets that are lost (5)
 *	-s PERMILLE	of replies that take 6 s (20)
 *	-t SECONDS	TTL of what hot.com holds (5)
 *	-r PACKETS	a second that are let in, as at a cloud provider's resolver; the rest is
 *			dropped unseen (all)
 *
 * It is the root, and holds everything itself: dbN.hot.com is an alias for iN.hot.com, whose address
 * is the time when the reply was made, in hundredths of a second, its last 24 bits behind 10.0.0.0/8:
 * so the client sees how old an answer is. nN.hot.com has such an address without an alias. Below
 * internal. it is such a provider: instances, ip-*.REGION.compute.internal, have an address (TTL
 * 60), nothing else exists. On SIGUSR1 a line is printed: packets that came, packets dropped by -r,
 * and the queries so far for each group of names in hot.com.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	ADDRESSES_MAX = 4,
	CONNECTIONS_MAX = 200,
	PENDING_MAX = 65536, /* of each kind; a power of two */
	SLOW_US = 6000000,
	INSTANCE_TTL_S = 60,
	LONG_TTL_S = 86400,
	GROUPS = 16,
	GROUP_NAMES = 10000,
	RATE_MAX = 65536,
	MESSAGE_MAX = 512,
};

struct pending { /* a reply on its way */
	uint64_t due_us;
	struct sockaddr_in peer;
	int fd;
	bool tcp;
	uint16_t len;
	uint8_t wire[MESSAGE_MAX];
};

struct queue { /* replies of one delay leave in the order they came */
	struct pending *slots;
	unsigned first, count;
};

struct connection {
	uint8_t wire[MESSAGE_MAX + 2];
	size_t len;
};

struct server {
	char **addresses;
	unsigned address_count;
	struct pollfd fds[2 * ADDRESSES_MAX + CONNECTIONS_MAX];
	unsigned fd_count;
	struct connection connections[CONNECTIONS_MAX];
	struct queue fast, slow;
	unsigned delay_us, loss_permille, slow_permille, ttl_s;
	unsigned rate, let_in; /* packets a second, 0: no limit; those let in so far, modulo rate */
	uint64_t let_in_us[RATE_MAX]; /* when the last RATE packets were let in */
	uint64_t came, dropped, counts[GROUPS];
	unsigned short dice[3];
};

static volatile sig_atomic_t asked_for_counts;

static void on_usr1(int number)
{
	(void)number;
	asked_for_counts = 1;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_us(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static bool chance(struct server *s, unsigned permille)
{
	return erand48(s->dice) * 1000 < permille;
}

/* ---- messages ---------------------------------------------------------------------------------- */

struct out {
	uint8_t *at;
	size_t len;
};

static void put(struct out *o, const void *bytes, size_t len)
{
	if (o->len + len > MESSAGE_MAX)
		abort();
	memcpy(o->at + o->len, bytes, len);
	o->len += len;
}

static void put_u16(struct out *o, unsigned v)
{
	put(o, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

/* "\3a.b" style names come as wire; a record with RDATA of LEN bytes. */
static void put_record(struct out *o, const void *owner, size_t owner_len, unsigned type,
		       uint32_t ttl_s, const void *rdata, size_t len)
{
	put(o, owner, owner_len);
	put_u16(o, type);
	put_u16(o, 1);
	put_u16(o, ttl_s >> 16);
	put_u16(o, ttl_s & 0xffff);
	put_u16(o, (unsigned)len);
	put(o, rdata, len);
}

/* The number in the first label of NAME behind PREFIX, when hot.com follows; -1 if not. */
static long name_number(const uint8_t *name, const char *prefix)
{
	char label[64] = "", *end;
	size_t skip = strlen(prefix), len = name[0];
	if (len <= skip || len > 20)
		return -1;
	memcpy(label, name + 1, len);
	if (strncasecmp(label, prefix, skip) != 0 ||
	    strcasecmp((const char *)name + 1 + len, "\3hot\3com") != 0)
		return -1;
	long number = strtol(label + skip, &end, 10);
	return *end ? -1 : number;
}

static void put_address(const struct server *s, struct out *o, const void *owner, size_t owner_len)
{
	uint64_t hundredths = now_us(CLOCK_REALTIME) / 10000;
	const uint8_t rdata[4] = {10, (uint8_t)(hundredths >> 16), (uint8_t)(hundredths >> 8),
				  (uint8_t)hundredths};
	put_record(o, owner, owner_len, 1, s->ttl_s, rdata, sizeof(rdata));
}

/* NS set of the root: aN.ns, and their addresses. */
static void put_servers(const struct server *s, struct out *o, uint8_t *counts)
{
	for (unsigned i = 0; i < s->address_count; i++) {
		uint8_t name[] = {2, 'a', (uint8_t)('0' + i), 2, 'n', 's', 0};
		put_record(o, "", 1, 2, LONG_TTL_S, name, sizeof(name));
	}
	counts[1] = (uint8_t)s->address_count;
}

static void put_soa(struct out *o, const void *owner, size_t owner_len)
{
	static const uint8_t soa[] = {0, 0, 0,	 0, 0, 1,  0,	0, 14, 16, 0,
				      0, 3, 132, 0, 9, 58, 128, 0, 0,  0,  60};
	put_record(o, owner, owner_len, 6, 60, soa, sizeof(soa));
	o->at[9] = 1;
}

/* NAME, at 12 in the message, below internal. or that itself. */
static void put_internal(struct out *o, const uint8_t *name, unsigned type)
{
	const uint8_t *starts[128], *at = name;
	unsigned count = 0;
	for (; *at; at += 1 + *at)
		starts[count++] = at;
	if (count == 4 && name[0] > 3 && strncasecmp((const char *)name + 1, "ip-", 3) == 0) {
		if (type == 1) {
			put_record(o, "\300\14", 2, 1, INSTANCE_TTL_S, "\12\0\0\1", 4);
			o->at[7] = 1;
			return;
		}
	} else if (count > 2) {
		o->at[3] |= 3; /* NXDOMAIN */
	}
	size_t zone = 12 + (size_t)(starts[count > 2 ? count - 2 : 0] - name);
	put_soa(o, (uint8_t[]){0xc0, (uint8_t)zone}, 2);
}

static void put_hot(const struct server *s, struct out *o, long alias, unsigned type)
{
	uint8_t target[40];
	if (alias < 0) {
		put_address(s, o, "\300\14", 2);
		o->at[7] = 1;
		return;
	}
	int text = snprintf((char *)target + 1, 24, "i%ld", alias);
	size_t len = (size_t)text + 10;
	target[0] = (uint8_t)text;
	memcpy(target + 1 + text, "\3hot\3com", 9);
	put_record(o, "\300\14", 2, 5, s->ttl_s, target, len);
	o->at[7] = 1;
	if (type == 1) {
		put_address(s, o, target, len);
		o->at[7] = 2;
	}
}

/* Counted if it is one of those that are measured. */
static void put_answer(struct server *s, struct out *o, const uint8_t *name, unsigned type)
{
	long number = name_number(name, "db"), instance = name_number(name, "i");
	if (instance < 0)
		instance = name_number(name, "n");
	unsigned server = (unsigned)(name[2] - '0');
	if (number >= 0 || instance >= 0)
		s->counts[(number >= 0 ? number : instance) / GROUP_NAMES % GROUPS]++;
	if (number >= 0 || (instance >= 0 && type == 1)) {
		put_hot(s, o, number, type);
	} else if (name[0] == 2 && name[1] == 'a' && server < s->address_count && name[3] == 2 &&
		   type == 1) {
		struct in_addr a;
		inet_pton(AF_INET, s->addresses[server], &a);
		put_record(o, "\300\14", 2, 1, LONG_TTL_S, &a, 4);
		o->at[7] = 1;
	} else if (name[0] == 0 && type == 2) {
		put_servers(s, o, o->at + 6);
	} else {
		put_soa(o, "", 1);
	}
}

/* The length of the reply; 0 if there is nothing to say. */
static size_t answer(struct server *s, const uint8_t *query, size_t len, uint8_t *wire)
{
	struct out o = {.at = wire};
	size_t end = 12, last = 12;
	if (len < 17 || len > MESSAGE_MAX || (query[2] & 0x80))
		return 0;
	while (end < len && query[end]) {
		last = end;
		end += 1u + query[end];
	}
	if (end + 5 > len)
		return 0;
	unsigned type = (unsigned)(query[end + 1] << 8 | query[end + 2]);
	put(&o, query, end + 5);
	wire[2] = 0x84; /* QR, AA */
	wire[3] = 0;
	memset(wire + 4, 0, 8);
	wire[5] = 1;
	if (strcasecmp((const char *)query + last, "\10internal") == 0) {
		wire[2] = 0x80;
		wire[3] = 0x80; /* RA */
		put_internal(&o, query + 12, type);
	} else {
		put_answer(s, &o, query + 12, type);
	}
	return o.len;
}

/* May one more packet in? Never more than the rate in any second. */
static bool let_in(struct server *s)
{
	uint64_t now = now_us(CLOCK_MONOTONIC);
	s->came++;
	if (s->rate == 0)
		return true;
	if (s->let_in_us[s->let_in] > 0 && now - s->let_in_us[s->let_in] < 1000000) {
		s->dropped++;
		return false;
	}
	s->let_in_us[s->let_in] = now;
	s->let_in = (s->let_in + 1) % s->rate;
	return true;
}

/* ---- replies under way ------------------------------------------------------------------------- */

static void reply_later(struct server *s, const struct pending *p)
{
	struct queue *q = chance(s, s->slow_permille) ? &s->slow : &s->fast;
	if (q->count == PENDING_MAX)
		return;
	struct pending *slot = &q->slots[(q->first + q->count++) % PENDING_MAX];
	*slot = *p;
	slot->due_us = now_us(CLOCK_MONOTONIC) + (q == &s->slow ? SLOW_US : s->delay_us);
}

static void send_due(struct queue *q)
{
	uint64_t now = now_us(CLOCK_MONOTONIC);
	while (q->count > 0 && q->slots[q->first].due_us <= now) {
		struct pending *p = &q->slots[q->first];
		q->first = (q->first + 1) % PENDING_MAX;
		q->count--;
		uint8_t framed[MESSAGE_MAX + 2] = {(uint8_t)(p->len >> 8), (uint8_t)p->len};
		memcpy(framed + 2, p->wire, p->len);
		if (p->tcp)
			(void)!send(p->fd, framed, p->len + 2u, MSG_NOSIGNAL);
		else
			(void)!sendto(p->fd, p->wire, p->len, 0, (struct sockaddr *)&p->peer,
				      sizeof(p->peer));
	}
}

static int wait_ms(const struct server *s)
{
	const struct queue *const queues[] = {&s->fast, &s->slow};
	uint64_t now = now_us(CLOCK_MONOTONIC), next = now + 1000000;
	for (unsigned i = 0; i < 2; i++)
		if (queues[i]->count > 0 && queues[i]->slots[queues[i]->first].due_us < next)
			next = queues[i]->slots[queues[i]->first].due_us;
	return next > now ? (int)((next - now + 999) / 1000) : 0;
}

/* ---- sockets ----------------------------------------------------------------------------------- */

static void read_udp(struct server *s, int fd)
{
	uint8_t query[MESSAGE_MAX];
	struct pending p = {.fd = fd};
	socklen_t size = sizeof(p.peer);
	ssize_t len;
	while ((len = recvfrom(fd, query, sizeof(query), MSG_DONTWAIT, (struct sockaddr *)&p.peer,
			       &size)) > 0) {
		p.len = let_in(s) ? (uint16_t)answer(s, query, (size_t)len, p.wire) : 0;
		if (p.len > 0 && !chance(s, s->loss_permille))
			reply_later(s, &p);
		size = sizeof(p.peer);
	}
}

/* Returns false when the connection is over. Late replies to one that is gone may reach a newer
 * one; its id will not fit. */
static bool read_tcp(struct server *s, int fd, struct connection *c)
{
	ssize_t len = recv(fd, c->wire + c->len, sizeof(c->wire) - c->len, MSG_DONTWAIT);
	if (len <= 0)
		return len < 0 && errno == EAGAIN;
	c->len += (size_t)len;
	while (c->len >= 2) {
		size_t size = (size_t)(c->wire[0] << 8 | c->wire[1]);
		if (size > MESSAGE_MAX)
			return false;
		if (c->len < size + 2)
			break;
		struct pending p = {.fd = fd, .tcp = true};
		p.len = (uint16_t)answer(s, c->wire + 2, size, p.wire);
		if (p.len > 0)
			reply_later(s, &p);
		c->len -= size + 2;
		memmove(c->wire, c->wire + size + 2, c->len);
	}
	return true;
}

static void accept_tcp(struct server *s, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	unsigned fixed = 2 * s->address_count;
	if (fd < 0)
		return;
	if (s->fd_count == fixed + CONNECTIONS_MAX) {
		close(fd);
		return;
	}
	s->connections[s->fd_count - fixed].len = 0;
	s->fds[s->fd_count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void listen_on(struct server *s, const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(53)};
	const int types[] = {SOCK_DGRAM, SOCK_STREAM};
	const int on = 1, room = 4 << 20;
	if (inet_pton(AF_INET, text, &a.sin_addr) != 1)
		die(text);
	for (unsigned i = 0; i < 2; i++) {
		int fd = socket(AF_INET, types[i] | SOCK_CLOEXEC, 0);
		if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
		    bind(fd, (struct sockaddr *)&a, sizeof(a)))
			die(text);
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
		if (types[i] == SOCK_STREAM && listen(fd, 100))
			die("listen");
		s->fds[s->fd_count++] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
}

static void serve(struct server *s)
{
	unsigned fixed = 2 * s->address_count;
	if (poll(s->fds, s->fd_count, wait_ms(s)) < 0 && errno != EINTR)
		die("poll");
	send_due(&s->fast);
	send_due(&s->slow);
	for (unsigned i = 0; i < s->fd_count; i++) {
		if (!s->fds[i].revents)
			continue;
		if (i < fixed && i % 2 == 0) {
			read_udp(s, s->fds[i].fd);
		} else if (i < fixed) {
			accept_tcp(s, s->fds[i].fd);
		} else if (!read_tcp(s, s->fds[i].fd, &s->connections[i - fixed])) {
			close(s->fds[i].fd);
			s->fds[i] = s->fds[--s->fd_count];
			s->connections[i - fixed] = s->connections[s->fd_count - fixed];
		}
	}
}

static void print_counts(const struct server *s)
{
	printf("%llu %llu", (unsigned long long)s->came, (unsigned long long)s->dropped);
	for (unsigned i = 0; i < GROUPS; i++)
		printf(" %llu", (unsigned long long)s->counts[i]);
	putchar('\n');
	fflush(stdout);
}

/* False if they make no sense. */
static bool read_options(struct server *s, int argc, char **argv)
{
	int option;
	while ((option = getopt(argc, argv, "d:l:s:t:r:")) != -1) {
		unsigned number = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;
		if (option == 'd')
			s->delay_us = number * 1000;
		else if (option == 'l')
			s->loss_permille = number;
		else if (option == 's')
			s->slow_permille = number;
		else if (option == 't')
			s->ttl_s = number;
		else if (option == 'r')
			s->rate = number;
		else
			return false;
	}
	s->addresses = argv + optind;
	s->address_count = (unsigned)(argc - optind);
	return s->address_count >= 1 && s->address_count <= ADDRESSES_MAX && s->rate <= RATE_MAX;
}

int main(int argc, char **argv)
{
	static struct server s = {
		.delay_us = 10000, .loss_permille = 5, .slow_permille = 20, .ttl_s = 5};
	struct sigaction usr1 = {.sa_handler = on_usr1};
	if (!read_options(&s, argc, argv)) {
		fprintf(stderr, "usage: flaky [-d MS] [-l PERMILLE] [-s PERMILLE] [-t SECONDS] "
				"[-r PACKETS] ADDRESS...\n");
		return 64;
	}
	sigaction(SIGUSR1, &usr1, NULL);
	s.dice[0] = 42;
	s.fast.slots = calloc(PENDING_MAX, sizeof(struct pending));
	s.slow.slots = calloc(PENDING_MAX, sizeof(struct pending));
	if (!s.fast.slots || !s.slow.slots)
		die("memory");
	for (unsigned i = 0; i < s.address_count; i++)
		listen_on(&s, s.addresses[i]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		serve(&s);
		if (asked_for_counts) {
			asked_for_counts = 0;
			print_counts(&s);
		}
	}
}
