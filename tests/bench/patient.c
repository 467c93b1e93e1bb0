/*
 * patient ADDRESS PORT WARM_S SECONDS CACHE GAP_MS:NAMES[:PATTERN]... - clients of low-TTL names.
 *
 * For each of the last arguments a group of names, PATTERN with their number for "%u" (db%u.hot.com:
 * see flaky.c), each asked at random times GAP_MS apart on average (Poisson), for WARM_S + SECONDS.
 * What is asked in the first WARM_S does not count, nor does a name's first question, unless WARM_S
 * is 0. With CACHE 1 each name has a cache in front that keeps answers for their TTL, a second at
 * least; what it answers takes no time. Prints for each group a JSON object: latency, failures, age
 * of answers, and how long after a change of the data (which changes all the time) somebody first
 * saw it; and at last one with the latencies of each second, the first ones included.
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
	GROUP_NAMES = 10000,   /* as in flaky.c */
	PATIENCE_US = 2000000, /* CoreDNS's */
	TTL_MS = 5000,
	SLACK_MS = 200, /* of the age: a hundredth to count in, the way here */
	PATTERN_SIZE = 80,
	HISTOGRAM = 20000, /* hundredths of a second */
};

struct asked {
	uint64_t at_us;
	uint32_t name;
	bool open, known, counts; /* known: not a name's first question, or these count */
};

struct histogram {
	uint64_t total, bins[HISTOGRAM];
};

struct group {
	double next_us, mean_us;
	unsigned names;
	char pattern[PATTERN_SIZE];
	uint64_t asked, sent, failed, servfail, denied, over_5ms, over_1s, old;
	uint64_t last_old_us; /* when data older than its TTL came last; 0: never */
	struct histogram age, seen;
	uint32_t *latencies_us;
	size_t count, capacity;
};

struct cached {
	uint64_t until_us, made; /* until_us 0: never answered */
};

struct moment { /* a question and how long it took */
	uint32_t second, us;
};

struct patient {
	int fds[SOCKETS];
	unsigned group_count;
	bool cache;
	uint64_t start_us, warm_us, end_us;
	struct group groups[GROUPS_MAX];
	struct cached *cached;
	struct asked asked[IDS];
	struct moment *moments;
	size_t moment_count, moment_capacity;
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

/* ---- counting -------------------------------------------------------------------------------- */

static void count_in(struct histogram *h, uint64_t hundredths)
{
	h->bins[hundredths < HISTOGRAM ? hundredths : HISTOGRAM - 1]++;
	h->total++;
}

static uint64_t histogram_ms(const struct histogram *h, double q)
{
	uint64_t wanted = (uint64_t)(q * (double)h->total), sum = 0;
	for (unsigned i = 0; i < HISTOGRAM; i++) {
		sum += h->bins[i];
		if (sum > wanted || (sum > 0 && sum == h->total))
			return 10ULL * i;
	}
	return 0;
}

/* Data made at MADE (24 bits of hundredths) reached a client now, who had BEFORE until now (0: none).
 * What was changed at any time in between is seen for the first time. */
static void note_age(struct group *g, uint64_t made, uint64_t before)
{
	uint64_t now = now_us(CLOCK_REALTIME) / 10000, age = (now - made) & 0xffffff;
	uint64_t newer = (made - before) & 0xffffff;
	count_in(&g->age, age);
	if (10 * age > TTL_MS + SLACK_MS) {
		g->old++;
		g->last_old_us = now_us(CLOCK_MONOTONIC);
	}
	if (before == 0 || newer > HISTOGRAM)
		return; /* nothing, or older than what was here before */
	for (uint64_t i = 0; i < newer; i++)
		count_in(&g->seen, age + i);
}

static void *grown(void *items, size_t *capacity, size_t size)
{
	*capacity = *capacity ? 2 * *capacity : 4096;
	items = realloc(items, *capacity * size);
	if (!items)
		die("memory");
	return items;
}

static void note_latency(struct group *g, uint64_t us)
{
	if (g->count == g->capacity)
		g->latencies_us = grown(g->latencies_us, &g->capacity, sizeof(uint32_t));
	g->latencies_us[g->count++] = (uint32_t)us;
	g->over_5ms += us > 5000;
	g->over_1s += us > 1000000;
}

static void note_moment(struct patient *p, uint64_t at_us, uint64_t us)
{
	if (p->moment_count == p->moment_capacity)
		p->moments = grown(p->moments, &p->moment_capacity, sizeof(*p->moments));
	p->moments[p->moment_count++] = (struct moment){
		.second = (uint32_t)((at_us - p->start_us) / 1000000), .us = (uint32_t)us};
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void close_asked(struct patient *p, struct asked *a, bool failed)
{
	struct group *g = &p->groups[a->name / GROUP_NAMES];
	uint64_t us = now_us(CLOCK_MONOTONIC) - a->at_us;
	us = us < PATIENCE_US ? us : PATIENCE_US;
	a->open = false;
	if (a->known)
		note_moment(p, a->at_us, us);
	if (!a->counts)
		return;
	g->failed += failed;
	note_latency(g, us);
}

/* The question for the name of NUMBER in G. Returns its length. */
static size_t put_question(const struct group *g, uint32_t number, uint16_t id, uint8_t *wire)
{
	static const uint8_t type_and_class[] = {0, 0, 1, 0, 1};
	const char *split = strstr(g->pattern, "%u");
	char text[PATTERN_SIZE + 12];
	size_t len = 12;
	(void)snprintf(text, sizeof(text), "%.*s%u%s", (int)(split - g->pattern), g->pattern,
		       number, split + 2);
	memset(wire, 0, 12);
	wire[0] = (uint8_t)(id >> 8);
	wire[1] = (uint8_t)id;
	wire[2] = 1; /* RD */
	wire[5] = 1;
	for (const char *at = text; *at;) {
		size_t label = strcspn(at, ".");
		wire[len++] = (uint8_t)label;
		memcpy(wire + len, at, label);
		len += label;
		at += label + (at[label] == '.');
	}
	memcpy(wire + len, type_and_class, sizeof(type_and_class));
	return len + sizeof(type_and_class);
}

static void ask(struct patient *p, unsigned group)
{
	struct group *g = &p->groups[group];
	uint64_t now = now_us(CLOCK_MONOTONIC);
	uint32_t name = group * GROUP_NAMES + (uint32_t)(erand48(p->dice) * g->names);
	const struct cached *cached = &p->cached[name];
	bool known = p->warm_us == p->start_us || cached->until_us > 0;
	bool counts = known && now >= p->warm_us;
	g->asked += counts;
	if (p->cache && cached->until_us > now) {
		note_moment(p, now, 0);
		if (counts) {
			note_latency(g, 0);
			note_age(g, cached->made, cached->made);
		}
		return;
	}
	struct asked *a = &p->asked[p->next_id];
	if (a->open)
		close_asked(p, a, true);
	*a = (struct asked){
		.at_us = now, .name = name, .open = true, .known = known, .counts = counts};
	g->sent += counts;
	uint8_t wire[PATTERN_SIZE + 40];
	size_t len = put_question(g, name, p->next_id, wire);
	(void)!send(p->fds[p->next_id % SOCKETS], wire, len, MSG_DONTWAIT);
	p->next_id++;
}

/* The last record is the address's. */
static void take_reply(struct patient *p, const uint8_t *wire, size_t len)
{
	if (len < 12)
		return;
	struct asked *a = &p->asked[wire[0] << 8 | wire[1]];
	if (!a->open)
		return;
	struct group *g = &p->groups[a->name / GROUP_NAMES];
	unsigned rcode = wire[3] & 15;
	bool good = rcode == 0 && wire[7] >= 1 && len > 40 && wire[len - 13] == 1;
	bool denied = rcode == 3;
	struct cached *cached = &p->cached[a->name];
	bool counts = a->counts;
	close_asked(p, a, !good && !denied);
	g->servfail += counts && !good && !denied;
	g->denied += counts && denied;
	if (!good)
		return;
	const uint8_t *rdata = wire + len - 4, *ttl = rdata - 6;
	uint64_t made = (uint64_t)rdata[1] << 16 | (uint64_t)rdata[2] << 8 | rdata[3];
	uint64_t ttl_s = (uint64_t)ttl[2] << 8 | ttl[3];
	if (counts)
		note_age(g, made, cached->made);
	*cached = (struct cached){.until_us = now_us(CLOCK_MONOTONIC) +
					      (ttl_s > 1 ? ttl_s : 1) * 1000000,
				  .made = made};
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
	return -log(1 - erand48(p->dice)) * g->mean_us / g->names;
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

/* ---- the figures ----------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static int compare_moments(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;
	int order = compare(&x->second, &y->second);
	return order ? order : compare(&x->us, &y->us);
}

static double quantile_ms(const struct group *g, double q)
{
	return g->count ? g->latencies_us[(size_t)(q * (double)(g->count - 1))] / 1000.0 : 0;
}

static void print_group(const struct patient *p, struct group *g)
{
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {{"asked", g->asked},
		      {"sent", g->sent},
		      {"failed", g->failed},
		      {"servfail", g->servfail},
		      {"denied", g->denied},
		      {"over_5ms", g->over_5ms},
		      {"over_1s", g->over_1s},
		      {"answered", g->age.total},
		      {"old", g->old},
		      {"last_old_ms", g->last_old_us ? (g->last_old_us - p->warm_us) / 1000 : 0},
		      {"age_p50_ms", histogram_ms(&g->age, 0.5)},
		      {"age_p99_ms", histogram_ms(&g->age, 0.99)},
		      {"oldest_ms", histogram_ms(&g->age, 1)},
		      {"seen_p50_ms", histogram_ms(&g->seen, 0.5)},
		      {"seen_p99_ms", histogram_ms(&g->seen, 0.99)},
		      {"seen_max_ms", histogram_ms(&g->seen, 1)}};
	qsort(g->latencies_us, g->count, sizeof(uint32_t), compare);
	printf("{\"gap_ms\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, "
	       "\"max_ms\": %.3f",
	       g->mean_us / 1000, quantile_ms(g, 0.5), quantile_ms(g, 0.99), quantile_ms(g, 0.999),
	       quantile_ms(g, 1));
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		printf(", \"%s\": %llu", counts[i].name, (unsigned long long)counts[i].value);
	puts("}");
}

/* For each second its number, the median, the 99th percentile and the worst, in microseconds. */
static void print_moments(struct patient *p)
{
	const struct moment *m = p->moments;
	if (p->moment_count > 0)
		qsort(p->moments, p->moment_count, sizeof(*m), compare_moments);
	printf("{\"seconds\": [");
	for (size_t i = 0, end; i < p->moment_count; i = end) {
		for (end = i; end < p->moment_count && m[end].second == m[i].second;)
			end++;
		size_t last = end - i - 1;
		printf("%s[%u, %u, %u, %u]", i ? ", " : "", m[i].second, m[i + last / 2].us,
		       m[i + last * 99 / 100].us, m[end - 1].us);
	}
	puts("]}");
}

/* "GAP_MS:NAMES[:PATTERN]" */
static bool read_group(struct group *g, char *text)
{
	char *names = strchr(text, ':'), *pattern = names ? strchr(names + 1, ':') : NULL;
	g->mean_us = atof(text) * 1000;
	g->names = names ? (unsigned)atoi(names + 1) : 0;
	(void)snprintf(g->pattern, sizeof(g->pattern), "%s",
		       pattern ? pattern + 1 : "db%u.hot.com");
	return g->mean_us > 0 && g->names > 0 && g->names <= GROUP_NAMES &&
	       strstr(g->pattern, "%u");
}

int main(int argc, char **argv)
{
	static struct patient p;
	struct sockaddr_in a = {.sin_family = AF_INET};
	bool good = argc >= 7 && argc - 6 <= GROUPS_MAX &&
		    inet_pton(AF_INET, argv[1], &a.sin_addr) == 1;
	for (int i = 6; good && i < argc; i++)
		good = read_group(&p.groups[p.group_count++], argv[i]);
	if (!good) {
		fprintf(stderr, "usage: patient ADDRESS PORT WARM_S SECONDS CACHE "
				"GAP_MS:NAMES[:PATTERN]...\n");
		return 64;
	}
	a.sin_port = htons((uint16_t)atoi(argv[2]));
	p.start_us = now_us(CLOCK_MONOTONIC);
	p.warm_us = p.start_us + (uint64_t)atoi(argv[3]) * 1000000;
	p.end_us = p.warm_us + (uint64_t)atoi(argv[4]) * 1000000;
	p.cache = atoi(argv[5]) != 0;
	p.dice[0] = 7;
	p.cached = calloc(GROUPS_MAX * GROUP_NAMES, sizeof(*p.cached));
	if (!p.cached)
		die("memory");
	for (unsigned i = 0; i < p.group_count; i++)
		p.groups[i].next_us = (double)p.start_us;
	for (unsigned i = 0; i < SOCKETS; i++) {
		p.fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (p.fds[i] < 0 || connect(p.fds[i], (struct sockaddr *)&a, sizeof(a)))
			die("socket");
	}
	run(&p);
	for (unsigned i = 0; i < p.group_count; i++)
		print_group(&p, &p.groups[i]);
	print_moments(&p);
	return 0;
}
