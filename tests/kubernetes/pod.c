/* pod RATE FILE: what a pod does all day. Looks up one line of FILE after the other by getaddrinfo(3),
 * RATE lines a second, and begins anew at its end, until SIGTERM or SIGINT.
 *
 * A line is "FAMILY NAME WANTED": FAMILY is 4, 6 or 0 for both; WANTED is an address that must be
 * among those found, "-" for any, or "none" where the name must be said not to exist. A name or an
 * answer that is not as it should be is told at once in a line "fail ...". The last line is
 * "asked=N failed=N slow=N slowest_ms=N"; slow is what took more than a second. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	/* A lookup may take ten seconds (two tries of five); others must not wait for it. */
	THREAD_COUNT = 16,
	LINES_MAX = 20000,
	SLOW_MS = 1000,
};

struct line {
	int family;
	char name[256];
	char wanted[64];
};

static struct line *lines;
static long line_count;
static double interval_s;
static _Atomic long next_line, asked, failed, slow, slowest_ms;
static volatile sig_atomic_t ending;

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void end(int signal)
{
	(void)signal;
	ending = 1;
}

/* Is WANTED among the addresses of LIST? */
static int found(const struct addrinfo *list, const char *wanted)
{
	for (; list; list = list->ai_next) {
		char text[INET6_ADDRSTRLEN];
		if (!getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof text, NULL, 0,
				 NI_NUMERICHOST) &&
		    !strcmp(text, wanted))
			return 1;
	}
	return 0;
}

static const char *complaint(const struct line *line, int status, const struct addrinfo *list)
{
	int denied = status == EAI_NONAME;
#ifdef EAI_NODATA
	denied = denied || status == EAI_NODATA;
#endif
	if (!strcmp(line->wanted, "none"))
		return denied ? NULL : status ? gai_strerror(status) : "found";
	if (status)
		return gai_strerror(status);
	return !strcmp(line->wanted, "-") || found(list, line->wanted) ? NULL : "wrong address";
}

static void look_up(const struct line *line)
{
	const struct addrinfo hints = {
		.ai_family = line->family == 4	 ? AF_INET
			     : line->family == 6 ? AF_INET6
						 : AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *list = NULL;
	double begin = now_s();
	int status = getaddrinfo(line->name, "443", &hints, &list);
	long took_ms = (long)((now_s() - begin) * 1000);
	const char *wrong = complaint(line, status, list);
	if (!status)
		freeaddrinfo(list);
	asked++;
	if (took_ms > SLOW_MS) {
		slow++;
		printf("slow %s took_ms=%ld ended=%.2f\n", line->name, took_ms, now_s());
	}
	for (long most = slowest_ms; took_ms > most;)
		if (atomic_compare_exchange_weak(&slowest_ms, &most, took_ms))
			break;
	if (wrong) {
		failed++;
		printf("fail %s (family %d): %s, took_ms=%ld ended=%.2f\n", line->name,
		       line->family, wrong, took_ms, now_s());
	}
}

/* Thread N of THREAD_COUNT has every THREAD_COUNT-th moment. Who is late leaves moments out. */
static void *run(void *argument)
{
	double mine = interval_s * THREAD_COUNT;
	double due = now_s() + interval_s * (double)(size_t)argument;
	while (!ending) {
		double wait = due - now_s();
		if (wait > 0) {
			usleep((useconds_t)((wait < 0.1 ? wait : 0.1) * 1e6) + 1);
			continue;
		}
		look_up(&lines[next_line++ % line_count]);
		while (due <= now_s())
			due += mine;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	FILE *file = argc == 3 ? fopen(argv[2], "r") : NULL;
	if (!file || atof(argv[1]) <= 0) {
		fprintf(stderr, "usage: pod RATE FILE\n");
		return 64;
	}
	interval_s = 1 / atof(argv[1]);
	lines = calloc(LINES_MAX, sizeof *lines);
	while (lines && line_count < LINES_MAX) {
		struct line *line = &lines[line_count];
		if (fscanf(file, "%d %255s %63s", &line->family, line->name, line->wanted) != 3)
			break;
		line_count++;
	}
	fclose(file);
	if (!line_count)
		return 65;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, end);
	signal(SIGINT, end);
	pthread_t threads[THREAD_COUNT];
	for (size_t i = 0; i < THREAD_COUNT; i++)
		if (pthread_create(&threads[i], NULL, run, (void *)i))
			return 71;
	for (size_t i = 0; i < THREAD_COUNT; i++)
		pthread_join(threads[i], NULL);
	printf("asked=%ld failed=%ld slow=%ld slowest_ms=%ld\n", (long)asked, (long)failed,
	       (long)slow, (long)slowest_ms);
	return failed != 0;
}
