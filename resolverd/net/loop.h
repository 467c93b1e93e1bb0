#pragma once
/*
 * Event loop of one thread: descriptors, timers, a wake-up from other threads, and the clocks. It
 * is the only reader of clocks in the project: they are read once per wake-up, and everybody is
 * handed the same struct now until the next one, or until what is urgent is looked at.
 *
 *   while (!loop_stopped(l)) {
 *           loop_wait(l);       // sleeps until a descriptor is ready or a timer is due
 *           loop_dispatch(l);   // calls the handlers
 *   }
 *
 * What is urgent is looked at again and again while the rest is being handled (loop_urge()), so that it
 * waits for one handler and not for all of a turn. A handler that finds much to do does a part of it, and
 * sets a timer for the rest.
 *
 * The caller stands between the two calls, so that it can say when it sleeps. Watches and timers
 * live inside their owners; the loop allocates nothing once it is made. A handler
 * may forget any watch or timer, its own included.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/heap.h"
#include "base/now.h"

enum {
	LOOP_READ = 1,	/* there is something to read, or to accept */
	LOOP_WRITE = 2, /* there is room to write */
	LOOP_FAILED = 4 /* error or hang-up; reported whether asked for or not */
};

/* More are set only while there is memory for them: a lost deadline would hang a client for good. */
enum { LOOP_TIMERS_ROOM = 1024 };

/* What is urgent waits about so long while there is much else to do. */
enum { LOOP_URGENT_US = 500 };

struct loop;

/* READY: LOOP_READ, LOOP_WRITE and LOOP_FAILED, or'ed. */
typedef void loop_watch_fn(void *context, unsigned ready);
typedef void loop_timer_fn(void *context);

struct loop_watch { /* inside its owner; the loop's thread */
	loop_watch_fn *fn;
	void *context;
	int fd;
	unsigned wanted; /* LOOP_READ and LOOP_WRITE */
	bool watched;
	bool urgent;
	LIST_ENTRY(loop_watch) among_urgent;
};

struct loop_timer {	       /* inside its owner; the loop's thread */
	struct heap_node node; /* key: mono_us */
	loop_timer_fn *fn;
	void *context;
};

/* The scale of now.cache_ms: taken once per process, so that all threads agree about it. */
struct loop_epoch {
	int64_t cache_ms;
	uint64_t mono_us, boot_us;
	/* By how much the wall clock has been set ahead since, as far as that was heeded; of all threads.
	 * NULL: each loop by itself. */
	_Atomic int64_t *ahead_ms;
};

/* The system's clocks as they were read. */
struct loop_clocks {
	uint64_t mono_us, boot_us;
	int64_t wall_ms;
};
/* What they mean. Moves *E->ahead_ms, which is not NULL, if the wall clock was set ahead. Any thread. */
struct now loop_now_of(const struct loop_epoch *e, const struct loop_clocks *c);

struct loop_ready;

struct loop { /* one thread, but for the two atomics */
	struct now now;
	struct loop_epoch epoch;
	_Atomic int64_t own_ahead_ms;
	/* How often time has passed that this machine did not count, or only the kernel did: it was
	 * suspended, its memory restored, or its wall clock set. Who needs to be alone with what he
	 * knows, keys and random numbers, looks whether it rose. */
	uint32_t breaks;
	int64_t lead_ms; /* of cache_ms before mono_us, at the last look */
	int epoll_fd;
	int wake_fd;
	struct loop_watch wake_watch;
	struct heap timers;
	LIST_HEAD(, loop_watch) urgent;
	struct loop_ready *ready; /* what the last loop_wait() brought */
	_Atomic bool stopped;
};

/* The scale of cache_ms, from the wall clock as it stands now. */
struct loop_epoch loop_epoch_read(void);
/* How long ago L woke up last: for figures, now and then, as it costs a look at the clock. */
uint64_t loop_awake_us(const struct loop *l);

/* ERR_SYSTEM or ERR_NO_MEMORY. */
MUST_USE enum err loop_init(struct loop *l, struct loop_epoch epoch);
/* Watches and timers that are still in are simply forgotten. */
void loop_deinit(struct loop *l);

/* Report FD's readiness to WATCH, whose fn and context are set. WATCH is not watched yet.
 * ERR_SYSTEM (as when descriptors or memory run out). */
MUST_USE enum err loop_watch(struct loop *l, struct loop_watch *watch, int fd, unsigned wanted);
/* Ask for other events; nothing happens if they are the same or WATCH is not watched. */
void loop_want(struct loop *l, struct loop_watch *watch, unsigned wanted);
/* WATCH, which is watched, is urgent: its handler is called with LOOP_READ once LOOP_URGENT_US have passed
 * since it was last due to be, between any two other handlers, and there may be nothing to read. */
void loop_urge(struct loop *l, struct loop_watch *watch);
/* Before closing the descriptor. Nothing happens if WATCH is not watched. */
void loop_forget(struct loop *l, struct loop_watch *watch);
/* The same and close the descriptor, of which there is no duplicate: a system call less, since closing
 * alone takes it out of epoll. */
void loop_close(struct loop *l, struct loop_watch *watch);

/* Call TIMER once at MONO_US (or as soon after as the loop runs); moves it if it is set already.
 * fn and context are set. A loop has a few timers for each part of the daemon, and one for each socket
 * that accepts: there is room for LOOP_TIMERS_ROOM from the start. */
void loop_timer_set(struct loop *l, struct loop_timer *timer, uint64_t mono_us);
void loop_timer_clear(struct loop *l, struct loop_timer *timer);

/* Sleep until something happens, then read the clocks into l->now. */
void loop_wait(struct loop *l);
/* Handle what happened: ready descriptors, then due timers. */
void loop_dispatch(struct loop *l);
/* Between two pieces of work of a caller that has many: look at what is urgent, if it is time. */
void loop_breathe(struct loop *l);

/* From any thread: make loop_wait() return soon. */
void loop_wake(struct loop *l);
/* From any thread: loop_wait() returns and loop_stopped() is true from then on. */
void loop_stop(struct loop *l);
bool loop_stopped(const struct loop *l);
