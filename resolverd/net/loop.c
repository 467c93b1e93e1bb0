#include "net/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
	/* Descriptors handled per wake-up. More wait in the kernel, in turn, so that timers and
	 * other threads' wishes are never starved by traffic. */
	LOOP_READY_MAX = 256,
	/* Timers handled per wake-up, for the same reason: a handler may set a timer that is due. */
	LOOP_TIMERS_MAX = 1024,
	/* A step of the wall clock that is more than what correcting it needs: those are of less than
	 * half a second, the kernel slews them (adjtime(3)), or a leap second. */
	LOOP_JUMP_MS = 1500,
	/* Every loop has something to do sooner: it, or the machine, stood still. */
	LOOP_STILL_MS = 10000,
};

struct loop_ready {
	size_t at, count; /* handled next; all */
	struct epoll_event events[LOOP_READY_MAX];
};

static uint64_t clock_us(clockid_t clock)
{
	struct timespec ts;

	REQUIRE(clock_gettime(clock, &ts) == 0);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

struct loop_epoch loop_epoch_read(void)
{
	return (struct loop_epoch){
		.cache_ms = (int64_t)(clock_us(CLOCK_REALTIME) / 1000),
		.mono_us = clock_us(CLOCK_MONOTONIC),
		.boot_us = clock_us(CLOCK_BOOTTIME),
	};
}

struct now loop_now_of(const struct loop_epoch *e, const struct loop_clocks *c)
{
	int64_t counted_ms = e->cache_ms + (int64_t)(c->boot_us - e->boot_us) / 1000;
	int64_t ahead_ms = atomic_load_explicit(e->ahead_ms, memory_order_relaxed);

	while (c->wall_ms - counted_ms - ahead_ms > LOOP_JUMP_MS)
		if (atomic_compare_exchange_weak_explicit(
			    e->ahead_ms, &ahead_ms, c->wall_ms - counted_ms, memory_order_relaxed,
			    memory_order_relaxed))
			ahead_ms = c->wall_ms - counted_ms;
	return (struct now){.mono_us = c->mono_us,
			    .cache_ms = counted_ms + ahead_ms,
			    .unix_s = c->wall_ms / 1000};
}

static void read_clocks(struct loop *l)
{
	struct loop_clocks c = {.mono_us = clock_us(CLOCK_MONOTONIC),
				.boot_us = clock_us(CLOCK_BOOTTIME),
				.wall_ms = (int64_t)(clock_us(CLOCK_REALTIME) / 1000)};
	uint64_t last_us = l->now.mono_us;

	l->now = loop_now_of(&l->epoch, &c);
	/* Both of what has been told are in it: time asleep, and steps of the wall clock. */
	int64_t lead_ms = l->now.cache_ms - (int64_t)(l->now.mono_us / 1000);
	bool is_late = last_us > 0 && l->now.mono_us - last_us > LOOP_STILL_MS * UINT64_C(1000);
	if (UNLIKELY((last_us > 0 && lead_ms - l->lead_ms > LOOP_JUMP_MS) || is_late))
		l->breaks++;
	l->lead_ms = lead_ms;
}

uint64_t loop_awake_us(const struct loop *l)
{
	return clock_us(CLOCK_MONOTONIC) - l->now.mono_us;
}

static void handle_wake(void *context, unsigned ready)
{
	struct loop *l = context;
	uint64_t count;

	(void)ready;
	/* One read empties an eventfd; there is nothing to learn from it. */
	if (read(l->wake_fd, &count, sizeof(count)) < 0)
		REQUIRE(errno == EAGAIN || errno == EINTR);
}

enum err loop_init(struct loop *l, struct loop_epoch epoch)
{
	*l = (struct loop){.epoch = epoch};
	if (!l->epoch.ahead_ms)
		l->epoch.ahead_ms = &l->own_ahead_ms;
	heap_init(&l->timers);
	l->ready = calloc(1, sizeof(*l->ready));
	if (!l->ready || heap_reserve(&l->timers, LOOP_TIMERS_ROOM) != OK) {
		free(l->ready);
		return ERR_NO_MEMORY;
	}
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		goto free_ready;
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0)
		goto close_epoll;
	l->wake_watch = (struct loop_watch){.fn = handle_wake, .context = l};
	if (loop_watch(l, &l->wake_watch, l->wake_fd, LOOP_READ) != OK)
		goto close_wake;
	read_clocks(l);
	return OK;

close_wake:
	close(l->wake_fd);
close_epoll:
	close(l->epoll_fd);
free_ready:
	heap_deinit(&l->timers);
	free(l->ready);
	return ERR_SYSTEM;
}

void loop_deinit(struct loop *l)
{
	close(l->wake_fd);
	close(l->epoll_fd);
	free(l->ready);
	heap_deinit(&l->timers);
}

static uint32_t epoll_events(unsigned wanted)
{
	return (wanted & LOOP_READ ? EPOLLIN : 0U) | (wanted & LOOP_WRITE ? EPOLLOUT : 0U);
}

enum err loop_watch(struct loop *l, struct loop_watch *watch, int fd, unsigned wanted)
{
	struct epoll_event event = {.events = epoll_events(wanted), .data.ptr = watch};

	REQUIRE(!watch->watched && watch->fn);
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		return ERR_SYSTEM;
	watch->fd = fd;
	watch->wanted = wanted;
	watch->watched = true;
	watch->urgent = false;
	return OK;
}

void loop_want(struct loop *l, struct loop_watch *watch, unsigned wanted)
{
	struct epoll_event event = {.events = epoll_events(wanted), .data.ptr = watch};

	if (!watch->watched || watch->wanted == wanted)
		return;
	/* Changing a registration that exists allocates nothing and cannot fail. */
	REQUIRE(epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) == 0);
	watch->wanted = wanted;
}

void loop_urge(struct loop *l, struct loop_watch *watch)
{
	REQUIRE(watch->watched && !watch->urgent);
	watch->urgent = true;
	LIST_INSERT_HEAD(&l->urgent, watch, among_urgent);
}

/* WATCH may stand in the batch that is being handled. */
static void forget_ready(struct loop *l, struct loop_watch *watch)
{
	watch->watched = false;
	if (watch->urgent)
		LIST_REMOVE(watch, among_urgent);
	watch->urgent = false;
	for (size_t i = l->ready->at; i < l->ready->count; i++)
		if (l->ready->events[i].data.ptr == watch)
			l->ready->events[i].data.ptr = NULL;
}

void loop_forget(struct loop *l, struct loop_watch *watch)
{
	if (!watch->watched)
		return;
	REQUIRE(epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL) == 0);
	forget_ready(l, watch);
}

void loop_close(struct loop *l, struct loop_watch *watch)
{
	if (!watch->watched)
		return;
	close(watch->fd);
	forget_ready(l, watch);
}

void loop_timer_set(struct loop *l, struct loop_timer *timer, uint64_t mono_us)
{
	REQUIRE(timer->fn);
	REQUIRE(heap_set(&l->timers, &timer->node, mono_us) == OK);
}

void loop_timer_clear(struct loop *l, struct loop_timer *timer)
{
	heap_remove(&l->timers, &timer->node);
}

/* How long epoll may sleep, in milliseconds, rounded up so that a timer is due on waking. Counted
 * from the last wake-up: handling a batch takes less than epoll's own precision. */
static int sleep_ms(const struct loop *l)
{
	const struct heap_node *first = heap_min(&l->timers);

	if (!first)
		return -1;
	if (first->key <= l->now.mono_us)
		return 0;
	return (int)MIN((first->key - l->now.mono_us + 999) / 1000, (uint64_t)INT_MAX);
}

void loop_wait(struct loop *l)
{
	int timeout_ms = loop_stopped(l) ? 0 : sleep_ms(l);
	int count = epoll_wait(l->epoll_fd, l->ready->events, LOOP_READY_MAX, timeout_ms);

	REQUIRE(count >= 0 || errno == EINTR);
	l->ready->count = count > 0 ? (size_t)count : 0;
	read_clocks(l);
}

void loop_breathe(struct loop *l)
{
	struct loop_watch *watch, *next;

	if (LIKELY(loop_awake_us(l) < LOOP_URGENT_US))
		return;
	read_clocks(l);
	for (watch = LIST_FIRST(&l->urgent); watch; watch = next) {
		next = LIST_NEXT(watch, among_urgent); /* a handler may forget itself */
		if (watch->wanted & LOOP_READ)
			watch->fn(watch->context, LOOP_READ);
	}
}

static void dispatch_watches(struct loop *l)
{
	struct loop_ready *ready = l->ready;

	for (ready->at = 0; ready->at < ready->count;) {
		if (ready->at > 0)
			loop_breathe(l); /* may forget what stands here */
		const struct epoll_event *event = &ready->events[ready->at++];
		struct loop_watch *watch = event->data.ptr;
		uint32_t events = event->events;
		unsigned what = 0;

		if (!watch)
			continue;
		if (events & EPOLLIN)
			what |= LOOP_READ;
		if (events & EPOLLOUT)
			what |= LOOP_WRITE;
		if (events & (EPOLLERR | EPOLLHUP))
			what |= LOOP_FAILED;
		watch->fn(watch->context, what);
	}
	ready->at = ready->count = 0;
}

/* The first timer that is due; NULL: none is. */
static struct loop_timer *due_timer(const struct loop *l)
{
	struct heap_node *first = heap_min(&l->timers);

	return first && first->key <= l->now.mono_us ? (struct loop_timer *)(void *)first : NULL;
}

static void dispatch_timers(struct loop *l)
{
	for (unsigned i = 0; i < LOOP_TIMERS_MAX && due_timer(l); i++) {
		loop_breathe(l); /* may clear it */
		struct loop_timer *timer = due_timer(l);
		if (!timer)
			return;
		heap_remove(&l->timers, &timer->node);
		timer->fn(timer->context);
	}
}

void loop_dispatch(struct loop *l)
{
	dispatch_watches(l);
	dispatch_timers(l);
}

void loop_wake(struct loop *l)
{
	uint64_t one = 1;

	/* EAGAIN means that the counter is full: it is awake. */
	if (write(l->wake_fd, &one, sizeof(one)) < 0)
		REQUIRE(errno == EAGAIN || errno == EINTR);
}

void loop_stop(struct loop *l)
{
	atomic_store_explicit(&l->stopped, true, memory_order_release);
	loop_wake(l);
}

bool loop_stopped(const struct loop *l)
{
	return atomic_load_explicit(&l->stopped, memory_order_acquire);
}

static_assert(offsetof(struct loop_timer, node) == 0, "a heap node is its timer");
