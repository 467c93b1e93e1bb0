#include "unit/net_unit.h"

#include <pthread.h>

struct counter {
	struct loop *loop;
	struct loop_watch watch;
	struct loop_timer timer;
	struct counter *victim; /* forgotten by the handler */
	unsigned calls, ready;
	uint64_t fired_us;
};

static void count_ready(void *context, unsigned ready)
{
	struct counter *c = context;
	uint8_t byte;

	c->calls++;
	c->ready |= ready;
	if (ready & LOOP_READ)
		(void)!read(c->watch.fd, &byte, 1);
	if (c->victim)
		loop_forget(c->loop, &c->victim->watch);
}

static void count_timer(void *context)
{
	struct counter *c = context;
	c->calls++;
	c->fired_us = c->loop->now.mono_us;
}

static void begin(struct loop *l)
{
	assert_int_equal(loop_init(l, loop_epoch_read()), OK);
}

static void test_timers(void **state)
{
	(void)state;
	struct loop l;
	struct counter a = {.loop = &l}, b = {.loop = &l}, never = {.loop = &l};

	begin(&l);
	a.timer = (struct loop_timer){.fn = count_timer, .context = &a};
	b.timer = (struct loop_timer){.fn = count_timer, .context = &b};
	never.timer = (struct loop_timer){.fn = count_timer, .context = &never};
	uint64_t start_us = l.now.mono_us;
	loop_timer_set(&l, &a.timer, start_us + 30000);
	loop_timer_set(&l, &b.timer, start_us + 10000);
	loop_timer_set(&l, &never.timer, start_us + 20000);
	loop_timer_clear(&l, &never.timer);
	loop_timer_set(&l, &b.timer, start_us + 15000); /* moved */
	assert_true(UNTIL(&l, a.calls));
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 1);
	assert_int_equal(never.calls, 0);
	assert_true(b.fired_us >= start_us + 15000 && a.fired_us >= start_us + 30000);
	loop_deinit(&l);
}

/* A handler closes a neighbour whose event is in the same batch. */
static void test_forget_in_batch(void **state)
{
	(void)state;
	struct loop l;
	struct counter c[2];
	int pipes[2][2];

	begin(&l);
	for (int i = 0; i < 2; i++) {
		REQUIRE(pipe(pipes[i]) == 0 && write(pipes[i][1], "x", 1) == 1);
		c[i] = (struct counter){.loop = &l, .victim = &c[1 - i]};
		c[i].watch = (struct loop_watch){.fn = count_ready, .context = &c[i]};
		assert_int_equal(loop_watch(&l, &c[i].watch, pipes[i][0], LOOP_READ), OK);
	}
	unit_turn(&l);
	assert_int_equal(c[0].calls + c[1].calls, 1);
	for (int i = 0; i < 2; i++) {
		loop_forget(&l, &c[i].watch); /* twice does no harm */
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	loop_deinit(&l);
}

enum { SLOW = 5 };

struct turn { /* what was done in it, in order: s, u or t */
	struct loop *loop;
	struct loop_watch slow[SLOW], urgent;
	struct loop_timer timers[SLOW];
	char done[4 * SLOW + 1];
	unsigned count;
	bool forgets;
	uint64_t urgent_us; /* now, at the last look */
};

static void work_long(struct turn *t, char what)
{
	t->done[t->count++] = what;
	while (loop_awake_us(t->loop) < 2 * LOOP_URGENT_US)
		;
}

static void handle_slow(void *context, unsigned ready)
{
	(void)ready;
	work_long(context, 's');
}

static void handle_late(void *context)
{
	work_long(context, 't');
}

static void handle_urgent(void *context, unsigned ready)
{
	struct turn *t = context;

	assert_int_equal(ready, LOOP_READ);
	assert_true(t->loop->now.mono_us > t->urgent_us);
	t->urgent_us = t->loop->now.mono_us;
	t->done[t->count++] = 'u';
	if (t->forgets)
		loop_forget(t->loop, &t->urgent);
}

/* What is urgent is looked at between any two handlers that take long, ready or not. */
static void test_urgent(void **state)
{
	(void)state;
	for (int forgets = 0; forgets < 2; forgets++) {
		struct loop l;
		struct turn t = {.loop = &l, .forgets = forgets};
		int quiet[2], ready[SLOW][2];

		begin(&l);
		REQUIRE(pipe(quiet) == 0);
		t.urgent = (struct loop_watch){.fn = handle_urgent, .context = &t};
		assert_int_equal(loop_watch(&l, &t.urgent, quiet[0], LOOP_READ), OK);
		loop_urge(&l, &t.urgent);
		for (int i = 0; i < SLOW; i++) {
			REQUIRE(pipe(ready[i]) == 0 && write(ready[i][1], "x", 1) == 1);
			t.slow[i] = (struct loop_watch){.fn = handle_slow, .context = &t};
			assert_int_equal(loop_watch(&l, &t.slow[i], ready[i][0], LOOP_READ), OK);
			t.timers[i] = (struct loop_timer){.fn = handle_late, .context = &t};
			loop_timer_set(&l, &t.timers[i], l.now.mono_us);
		}
		unit_turn(&l);
		/* Between watches and timers too, where time goes on. */
		assert_string_equal(t.done, forgets ? "sussssttttt" : "sususususututututut");
		for (int i = 0; i < SLOW; i++) {
			close(ready[i][0]);
			close(ready[i][1]);
		}
		close(quiet[0]);
		close(quiet[1]);
		loop_deinit(&l);
	}
}

static void test_wanted(void **state)
{
	(void)state;
	struct loop l;
	struct counter c = {.loop = &l};
	int pair[2];

	begin(&l);
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	c.watch = (struct loop_watch){.fn = count_ready, .context = &c};
	assert_int_equal(loop_watch(&l, &c.watch, pair[0], 0), OK);
	REQUIRE(write(pair[1], "x", 1) == 1);
	assert_false(UNTIL_MS(&l, c.calls, 20));
	loop_want(&l, &c.watch, LOOP_WRITE);
	assert_true(UNTIL(&l, c.calls));
	assert_int_equal(c.ready, LOOP_WRITE);
	loop_want(&l, &c.watch, LOOP_READ);
	c.ready = 0;
	assert_true(UNTIL(&l, c.ready == LOOP_READ));
	close(pair[1]);
	assert_true(UNTIL(&l, c.ready & LOOP_FAILED));
	loop_forget(&l, &c.watch);
	close(pair[0]);
	loop_deinit(&l);
}

static void *stop_loop(void *context)
{
	loop_wake(context);
	loop_stop(context);
	return NULL;
}

static void test_stop_from_thread(void **state)
{
	(void)state;
	struct loop l;
	pthread_t thread;

	begin(&l);
	REQUIRE(pthread_create(&thread, NULL, stop_loop, &l) == 0);
	while (!loop_stopped(&l))
		unit_turn(&l); /* sleeps without end but for the wake-up */
	REQUIRE(pthread_join(thread, NULL) == 0);
	loop_deinit(&l);
}

static void test_clocks(void **state)
{
	(void)state;
	struct loop_epoch epoch = loop_epoch_read();
	struct loop a, b;

	assert_int_equal(loop_init(&a, epoch), OK);
	assert_int_equal(loop_init(&b, epoch), OK);
	assert_true(a.now.cache_ms >= epoch.cache_ms && a.now.cache_ms < epoch.cache_ms + 5000);
	assert_true(b.now.mono_us >= a.now.mono_us && b.now.cache_ms >= a.now.cache_ms);
	assert_in_range(a.now.unix_s, epoch.cache_ms / 1000, epoch.cache_ms / 1000 + 5);
	loop_deinit(&a);
	loop_deinit(&b);
}

/* Seconds that the clocks went on, one after the other, and by how much cache_ms did. */
static const struct {
	const char *why;
	double mono_s, boot_s, wall_s, cache_s;
} clock_steps[] = {
	{"time passes", 5, 5, 5, 5},
	{"asleep for an hour: what is cached ages", 0.001, 3600, 3600, 3600},
	{"memory kept for an hour, and restored: no clock counted, but the wall clock is set", 1, 1,
	 3601, 3601},
	{"a leap second", 10, 10, 9, 10},
	{"the clock is slewed", 10, 10, 10.4, 10},
	{"set back by an hour: nothing is revived", 1, 1, -3599, 1},
	{"time passes", 10, 10, 10, 10},
	{"and set right again: nothing is wiped", 1, 1, 3601, 1},
	{"set ahead: better expired too early than too late", 1, 1, 61, 61},
	{"two seconds ahead", 1, 1, 3, 3},
};

static void test_clock_steps(void **state)
{
	(void)state;
	_Atomic int64_t ahead_ms = 0;
	struct loop_epoch epoch = {.cache_ms = 1700000000000,
				   .mono_us = 1000000,
				   .boot_us = 5000000,
				   .ahead_ms = &ahead_ms};
	struct loop_clocks c = {.mono_us = 1000000, .boot_us = 5000000, .wall_ms = 1700000000000};
	struct now now, before = loop_now_of(&epoch, &c);
	for (size_t i = 0; i < ARRAY_LEN(clock_steps); i++, before = now) {
		c.mono_us += (uint64_t)(clock_steps[i].mono_s * 1e6);
		c.boot_us += (uint64_t)(clock_steps[i].boot_s * 1e6);
		c.wall_ms += (int64_t)(clock_steps[i].wall_s * 1e3);
		now = loop_now_of(&epoch, &c);
		int64_t off_ms =
			now.cache_ms - before.cache_ms - (int64_t)(clock_steps[i].cache_s * 1e3);
		/* What was slewed, and the leap second, come along with the next step. */
		if (off_ms < -1100 || off_ms > 1100)
			fail_msg("%s: off by %lld ms", clock_steps[i].why, (long long)off_ms);
		assert_true(now.cache_ms >= before.cache_ms);
		assert_int_equal(now.mono_us, c.mono_us);
		assert_int_equal(now.unix_s, c.wall_ms / 1000);
	}
}

/* All threads go by one: who has not looked at the clock since is not behind. */
static void test_clock_shared(void **state)
{
	(void)state;
	_Atomic int64_t ahead_ms = 0;
	struct loop_epoch epoch = {.cache_ms = 1700000000000, .ahead_ms = &ahead_ms};
	struct loop_clocks early = {.wall_ms = 1700000000000}, late = early;
	late.wall_ms += 3600000;
	assert_int_equal(loop_now_of(&epoch, &late).cache_ms, 1700003600000);
	assert_int_equal(loop_now_of(&epoch, &early).cache_ms, 1700003600000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_steps), cmocka_unit_test(test_clock_shared),
		cmocka_unit_test(test_timers),	    cmocka_unit_test(test_forget_in_batch),
		cmocka_unit_test(test_wanted),	    cmocka_unit_test(test_stop_from_thread),
		cmocka_unit_test(test_clocks),	    cmocka_unit_test(test_urgent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
