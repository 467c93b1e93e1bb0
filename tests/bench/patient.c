/*
 * patient ADDRESS PORT WARM_S SECONDS NAMES CACHE GAP_MS... - clients of low-TTL names.
 *
 * For each GAP_MS a group of NAMES names (dbN.hot.com, see flaky.c), each asked at random times that
 * far apart on average (Poisson), for WARM_S + SECONDS; what is asked in the first WARM_S does not
 * count, nor does a name's first question. With CACHE 1 each name has a cache in front that keeps answers for their TTL, a second at
 * least. Prints for each group a JSON object: latency, failures, and age of answers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
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
	SOCKETS = 32,
	IDS = 65536,
	GROUPS_MAX = 16,
	GROUP_NAMES = 1000,
	PATIENCE_US = 2000000, /* CoreDNS's */
	TTL_MS = 5000,
	SLACK_MS = 200, /* of the age: a tenth to count in, the way here */
};

struct asked {
	uint64_t at_us;
	uint32_t name;
	bool open, counts;
};

struct group {
	double next_us, mean_us;
	uint64_t asked, failed, servfail, over_5ms, over_1s, answered, old, oldest_ms, age_sum_ms;
	uint32_t *latencies_us;
	size_t count, capacity;
};

struct cached {
	uint64_t until_us, made_tenths;
};

struct patient {
	int fds[SOCKETS];
	unsigned names, group_count;
	bool cache;
	uint64_t start_us, warm_us, end_us;
	struct group groups[GROUPS_MAX];
	struct cached *cached;
	struct asked asked[IDS];
	uint16_t next_id;
	unsigned short dice[3];
};

static uint64_t now_us(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The age of data made at MADE (24 bits of tenths), as a client has it now. */
static void note_age(struct group *g, uint64_t made)
{
	uint64_t now = now_us(CLOCK_REALTIME) / 100000;
	uint64_t age_ms = ((now - made) & 0xffffff) * 100;
	g->answered++;
	g->age_sum_ms += age_ms;
	g->old += age_ms > TTL_MS + SLACK_MS;
	if (age_ms > g->oldest_ms)
		g->oldest_ms = age_ms;
}

static void note_latency(struct group *g, uint64_t us)
{
	if (g->count == g->capacity) {
		g->capacity = g->capacity ? 2 * g->capacity : 4096;
		g->latencies_us = realloc(g->latencies_us, g->capacity * sizeof(uint32_t));
		if (!g->latencies_us)
			die("memory");
	}
	g->latencies_us[g->count++] = (uint32_t)us;
	g->over_5ms += us > 5000;
	g->over_1s += us > 1000000;
}

static void close_asked(struct patient *p, struct asked *a, bool failed)
{
	struct group *g = &p->groups[a->name / GROUP_NAMES];
	uint64_t us = now_us(CLOCK_MONOTONIC) - a->at_us;
	a->open = false;
	if (!a->counts)
		return;
	g->failed += failed;
	note_latency(g, us < PATIENCE_US ? us : PATIENCE_US);
}

static void ask(struct patient *p, unsigned group)
{
	uint64_t now = now_us(CLOCK_MONOTONIC);
	uint32_t name = group * GROUP_NAMES + (uint32_t)(erand48(p->dice) * p->names);
	struct group *g = &p->groups[group];
	bool counts = now >= p->warm_us && p->cached[name].until_us > 0;
	g->asked += counts;
	if (p->cache && p->cached[name].until_us > now) {
		if (counts)
			note_age(g, p->cached[name].made_tenths);
		return;
	}
	struct asked *a = &p->asked[p->next_id];
	if (a->open)
		close_asked(p, a, true);
	*a = (struct asked){.at_us = now, .name = name, .open = true, .counts = counts};
	uint8_t wire[64] = {(uint8_t)(p->next_id >> 8), (uint8_t)p->next_id, 1, 0, 0, 1};
	int len = snprintf((char *)wire + 13, 20, "db%u", name);
	wire[12] = (uint8_t)len;
	memcpy(wire + 13 + len, "\3hot\3com\0\0\1\0\1", 13);
	(void)!send(p->fds[p->next_id % SOCKETS], wire, 26u + (size_t)len, MSG_DONTWAIT);
	p->next_id++;
}

/* The last record's TTL and data are the address's. */
static void take_reply(struct patient *p, const uint8_t *wire, size_t len)
{
	if (len < 12)
		return;
	struct asked *a = &p->asked[wire[0] << 8 | wire[1]];
	if (!a->open)
		return;
	struct group *g = &p->groups[a->name / GROUP_NAMES];
	bool good = (wire[3] & 15) == 0 && wire[7] >= 2 && len > 40;
	uint32_t name = a->name;
	bool counts = a->counts;
	close_asked(p, a, !good);
	g->servfail += counts && !good;
	if (!good)
		return;
	const uint8_t *rdata = wire + len - 4, *ttl = rdata - 6;
	uint64_t made = (uint64_t)rdata[1] << 16 | (uint64_t)rdata[2] << 8 | rdata[3];
	uint64_t ttl_s = (uint64_t)ttl[2] << 8 | ttl[3];
	if (counts)
		note_age(g, made);
	p->cached[name] = (struct cached){.until_us = now_us(CLOCK_MONOTONIC) +
						      (ttl_s > 1 ? ttl_s : 1) * 1000000,
					  .made_tenths = made};
}

static void give_up(struct patient *p, uint64_t patience_us)
{
	uint64_t now = now_us(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < IDS; i++)
		if (p->asked[i].open && now - p->asked[i].at_us > patience_us)
			close_asked(p, &p->asked[i], true);
}

static double gap_us(struct patient *p, const struct group *g)
{
	return -log(1 - erand48(p->dice)) * g->mean_us / p->names;
}

static void run(struct patient *p)
{
	struct pollfd fds[SOCKETS];
	uint8_t wire[1500];
	ssize_t len;
	uint64_t now, checked = 0;
	for (unsigned i = 0; i < SOCKETS; i++)
		fds[i] = (struct pollfd){.fd = p->fds[i], .events = POLLIN};
	while ((now = now_us(CLOCK_MONOTONIC)) < p->end_us + PATIENCE_US) {
		double next = (double)now + 100000;
		for (unsigned i = 0; i < p->group_count; i++) {
			struct group *g = &p->groups[i];
			while (g->next_us <= (double)now && now < p->end_us) {
				ask(p, i);
				g->next_us += gap_us(p, g);
			}
			next = fmin(next, now < p->end_us ? g->next_us : next);
		}
		double wait_us = fmax(next - (double)now, 0);
		struct timespec wait = {.tv_nsec = (long)(wait_us * 1000)};
		if (ppoll(fds, SOCKETS, &wait, NULL) < 0 && errno != EINTR)
			die("poll");
		for (unsigned i = 0; i < SOCKETS; i++)
			while ((fds[i].revents & POLLIN) &&
			       (len = recv(fds[i].fd, wire, sizeof(wire), MSG_DONTWAIT)) >= 0)
				take_reply(p, wire, (size_t)len);
		if (now - checked > 100000) {
			give_up(p, PATIENCE_US);
			checked = now;
		}
	}
	give_up(p, 0);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static double quantile_ms(const struct group *g, double q)
{
	return g->count ? g->latencies_us[(size_t)(q * (double)(g->count - 1))] / 1000.0 : 0;
}

static void print(struct patient *p)
{
	for (unsigned i = 0; i < p->group_count; i++) {
		struct group *g = &p->groups[i];
		qsort(g->latencies_us, g->count, sizeof(uint32_t), compare);
		printf("{\"gap_ms\": %.0f, \"asked\": %llu, \"sent\": %zu, \"p50_ms\": %.3f, "
		       "\"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f, "
		       "\"over_5ms\": %llu, \"over_1s\": %llu, \"failed\": %llu, "
		       "\"servfail\": %llu, \"answered\": %llu, \"old\": %llu, "
		       "\"oldest_ms\": %llu, \"mean_age_ms\": %.0f}\n",
		       g->mean_us / 1000, (unsigned long long)g->asked, g->count,
		       quantile_ms(g, 0.5), quantile_ms(g, 0.99), quantile_ms(g, 0.999),
		       quantile_ms(g, 1), (unsigned long long)g->over_5ms,
		       (unsigned long long)g->over_1s, (unsigned long long)g->failed,
		       (unsigned long long)g->servfail, (unsigned long long)g->answered,
		       (unsigned long long)g->old, (unsigned long long)g->oldest_ms,
		       g->answered ? (double)g->age_sum_ms / (double)g->answered : 0);
	}
}

int main(int argc, char **argv)
{
	static struct patient p;
	struct sockaddr_in a = {.sin_family = AF_INET};
	if (argc < 8 || argc - 7 > GROUPS_MAX || inet_pton(AF_INET, argv[1], &a.sin_addr) != 1) {
		fprintf(stderr,
			"usage: patient ADDRESS PORT WARM_S SECONDS NAMES CACHE GAP_MS...\n");
		return 64;
	}
	a.sin_port = htons((uint16_t)atoi(argv[2]));
	p.start_us = now_us(CLOCK_MONOTONIC);
	p.warm_us = p.start_us + (uint64_t)atoi(argv[3]) * 1000000;
	p.end_us = p.warm_us + (uint64_t)atoi(argv[4]) * 1000000;
	p.names = (unsigned)atoi(argv[5]);
	p.cache = atoi(argv[6]) != 0;
	p.dice[0] = 7;
	p.cached = calloc(GROUPS_MAX * GROUP_NAMES, sizeof(*p.cached));
	if (!p.cached || p.names == 0 || p.names > GROUP_NAMES)
		die("names");
	for (int i = 7; i < argc; i++)
		p.groups[p.group_count++] = (struct group){.next_us = (double)p.start_us,
							   .mean_us = atoi(argv[i]) * 1000.0};
	for (unsigned i = 0; i < SOCKETS; i++) {
		p.fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (p.fds[i] < 0 || connect(p.fds[i], (struct sockaddr *)&a, sizeof(a)))
			die("socket");
	}
	run(&p);
	print(&p);
	return 0;
}
