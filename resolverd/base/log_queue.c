#include "base/log_queue.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/ring.h"

enum {
	LINE_MAX_BYTES = 1024, /* what the log makes, with room for the end */
	COMMON_BYTES = LOG_QUEUE_BYTES / 4 * 3,
	FLOWS_BYTES =
		LOG_QUEUE_BYTES / 2, /* with no more than this waiting, lines are taken again */
	STANDS_STILL_S = 5,	     /* in one write */
	CLOSE_STEP_MS = 2,
};

/* Part of the log's sink, and file scope like it. */
static struct {
	_Atomic bool open;
	pthread_mutex_t lock; /* of all below; never held while writing */
	pthread_cond_t filled;
	struct ring ring; /* of struct record */
	log_sink_fn *sink;
	void *context;
	bool sleeps;	     /* the thread waits for FILLED */
	bool full;	     /* lines are dropped until it flows again */
	bool closing, ended; /* no line comes any more; the thread is at its end */
	bool has_thread;
	uint32_t writes_since_s; /* the thread is in a write; 0: it is not */
	int error;		 /* of the last write */
	uint64_t dropped, told;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};

struct record {
	uint8_t level;
	char line[LINE_MAX_BYTES];
};

struct batch { /* the thread's: lines that go into one write */
	size_t lines, len;
	enum log_level level; /* of the only one, for a sink */
	char text[LOG_QUEUE_BATCH];
};

static uint32_t second(void)
{
	struct timespec ts = {0};
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec + 1; /* never 0 */
}

/* ---- in ---- */

/* Lock held. False: there is no room. */
static bool push(enum log_level level, const char *line)
{
	struct record r = {.level = (uint8_t)level};
	size_t len = MIN(strlen(line), sizeof(r.line));

	memcpy(r.line, line, len);
	len += offsetof(struct record, line);
	return ring_fits(&queue.ring, len) && ring_push(&queue.ring, span_of((uint8_t *)&r, len));
}

/* Lock held. Once it flows again, say what is missing. */
static void settle(void)
{
	char line[LINE_MAX_BYTES];

	if (!queue.full || ring_used_bytes(&queue.ring) > FLOWS_BYTES)
		return;
	queue.full = false;
	(void)snprintf(line, sizeof(line),
		       "lines of the log are missing here count=%llu: nobody took them in time",
		       (unsigned long long)(queue.dropped - queue.told));
	queue.told = queue.dropped;
	if (log_get_level() >= LOG_LEVEL_WARNING)
		(void)!push(LOG_LEVEL_WARNING, line); /* half of the room is free */
}

void log_queue_put(enum log_level level, const char *line, bool common)
{
	pthread_mutex_lock(&queue.lock);
	bool taken =
		!common || (!queue.full && ring_used_bytes(&queue.ring) < (size_t)COMMON_BYTES);
	taken = taken && push(level, line);
	if (!taken) {
		queue.full = true;
		queue.dropped++;
	} else if (queue.sleeps) {
		queue.sleeps = false;
		pthread_cond_signal(&queue.filled);
	}
	pthread_mutex_unlock(&queue.lock);
}

/* ---- out ---- */

/* Lock held. The oldest lines, as many as go into one write; a sink takes them one by one. */
static void take(struct batch *b)
{
	struct ring_walk walk;
	struct span record;

	b->lines = b->len = 0;
	while (walk = (struct ring_walk){0}, ring_next(&queue.ring, &walk, &record)) {
		size_t len = record.len - offsetof(struct record, line);
		if (b->len + len + 1 > sizeof(b->text) || (queue.sink && b->lines > 0))
			break;
		b->level = (enum log_level)record.at[0];
		memcpy(b->text + b->len, record.at + offsetof(struct record, line), len);
		b->len += len;
		b->text[b->len++] = queue.sink ? '\0' : '\n';
		b->lines++;
		ring_pop(&queue.ring);
	}
}

/* All of it to stderr, however long that takes. 0, or why not. */
static int write_all(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, text, len);
		if (n < 0 && errno == EAGAIN) { /* somebody else's flag on what we share */
			struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
			(void)poll(&p, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return errno;
		}
		text += MAX(n, 0);
		len -= (size_t)MAX(n, 0);
	}
	return 0;
}

static void *write_lines(void *unused)
{
	static struct batch batch; /* there is one such thread */

	(void)unused;
	(void)pthread_setname_np(pthread_self(), "log");
	(void)pthread_detach(pthread_self()); /* the process may have to end without it */
	pthread_mutex_lock(&queue.lock);
	for (;;) {
		while (queue.ring.count == 0 && !queue.closing) {
			queue.sleeps = true;
			pthread_cond_wait(&queue.filled, &queue.lock);
		}
		if (queue.ring.count == 0)
			break;
		take(&batch);
		queue.writes_since_s = second();
		pthread_mutex_unlock(&queue.lock);
		int error = 0;
		if (queue.sink)
			queue.sink(queue.context, batch.level, batch.text);
		else
			error = write_all(batch.text, batch.len);
		pthread_mutex_lock(&queue.lock);
		queue.writes_since_s = 0;
		queue.error = error;
		queue.dropped += error ? batch.lines : 0;
		settle();
	}
	queue.ended = true;
	pthread_mutex_unlock(&queue.lock);
	return NULL;
}

/* ---- life ---- */

enum err log_queue_open(log_sink_fn *sink, void *context)
{
	enum err err = ring_init(&queue.ring, LOG_QUEUE_BYTES);

	if (err != OK)
		return err;
	queue.sink = sink;
	queue.context = context;
	atomic_store_explicit(&queue.open, true, memory_order_release);
	return OK;
}

bool log_queue_is_open(void)
{
	return atomic_load_explicit(&queue.open, memory_order_acquire);
}

enum err log_queue_start(void)
{
	pthread_t thread;

	if (!queue.has_thread)
		queue.has_thread = pthread_create(&thread, NULL, write_lines, NULL) == 0;
	return queue.has_thread ? OK : ERR_SYSTEM;
}

/* The lock may be broken, if what ends the process has happened under it: it is tried, not waited for.
 * True: the thread has ended. */
static bool ask_to_end(void)
{
	if (pthread_mutex_trylock(&queue.lock) != 0)
		return false;
	queue.closing = true;
	pthread_cond_signal(&queue.filled);
	bool ended = queue.ended;
	pthread_mutex_unlock(&queue.lock);
	return ended;
}

void log_queue_close(unsigned most_ms)
{
	const struct timespec step = {.tv_nsec = CLOSE_STEP_MS * 1000000L};

	if (!log_queue_is_open() || log_queue_start() != OK)
		return;
	for (unsigned ms = 0; !ask_to_end(); ms += CLOSE_STEP_MS) {
		if (ms >= most_ms)
			return; /* it may stand in a write for ever: the process ends without it */
		(void)nanosleep(&step, NULL);
	}
}

void log_queue_read(struct log_view *out)
{
	*out = (struct log_view){0};
	if (!log_queue_is_open())
		return;
	pthread_mutex_lock(&queue.lock);
	out->waiting_bytes = ring_used_bytes(&queue.ring);
	out->dropped = queue.dropped;
	out->error = queue.error;
	out->stands_still = queue.full || (queue.writes_since_s > 0 &&
					   second() - queue.writes_since_s >= STANDS_STILL_S);
	pthread_mutex_unlock(&queue.lock);
}
