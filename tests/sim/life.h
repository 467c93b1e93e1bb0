#pragma once
/*
 * The resolver's lives: what a daemon makes at its start, and what it leaves behind at its end. One to
 * four workers share one cache and what belongs to it. Where something outlives them it is the real disk
 * tier, in a directory of its own, and the real way back from there (worker/warm.h).
 *
 * Between two lives nobody is there: who asks gets nothing. The wall clock may be set at any time,
 * which a living resolver must not feel but in signatures, and finds in its next life.
 */
#include "resolve/asking.h"
#include "resolve/prefetch_shared.h"
#include "resolve/resolver.h"
#include "resolve/throttle.h"
#include "worker/warm.h"

struct sim;

enum { LIFE_WORKERS_MAX = 4, LIFE_DIR_MAX = 64 };

struct worker {
	struct resolver *resolver;
	struct cache_reader *reader;
	struct warm_reader *warm; /* NULL: nothing outlives */
	struct sim *sim;
	unsigned number;
};

struct life {
	struct worker workers[LIFE_WORKERS_MAX];
	unsigned worker_count; /* 0 before the first life counts as 1 */
	struct cache *cache;
	struct infra *infra;
	struct ranges *ranges; /* NULL: no aggressive use of denials */
	struct prefetch_shared *prefetch;
	struct asking_shared *asking;
	struct throttle throttle;

	bool persists;
	char dir[LIFE_DIR_MAX]; /* made by the first life; "": not yet */
	struct warm *warm;
	bool loads_late;    /* what is popular takes its time to come from disk */
	unsigned disk_mood; /* per cent of look-ups on disk that cannot be told at once */

	unsigned number; /* from 1 */
	bool is_down;
	int64_t wall_shift_s;	/* of the wall clock, as it stands */
	int64_t cache_shift_ms; /* of the scale of expiries: the wall clock's when this life began */
	/* What caches are told to forget may live on for so long: clocks were set back. */
	uint64_t slack_us;
	struct resolver_stats most; /* of lives that are over: the most_... fields */
};

void life_begin(struct sim *s);
/* What was popular before comes back from disk, if life NUMBER has not ended. */
void life_load(struct sim *s, uint64_t number);
/* What a look-up on disk has brought. */
struct sim_event;
void life_recalled(struct sim *s, const struct sim_event *e);
/* In good order: what waits for the disk is written. */
void life_end(struct sim *s);
/* After the last one: the directory goes. */
void life_forget(struct sim *s);

/* Figures of all workers: sums, and the most of any life. */
void life_read_stats(const struct sim *s, struct resolver_stats *out);
/* Every worker has finished a batch. */
void life_pass(struct sim *s);
/* The worker that wakes up first, and when, in milliseconds of mono time. */
unsigned life_deadline(const struct sim *s, uint64_t *at_ms);

/* The wall clock is set some time, by up to five hours. */
void life_plan_clock(struct sim *s);
/* COUNT restarts at random times around the questions, clients being planned; the wall clock is set
 * before some of them, and at other times. Something outlives from now on. */
void life_plan_restarts(struct sim *s, unsigned count);
/* A restart that takes DOWN_US. */
void life_plan_restart(struct sim *s, uint64_t at_us, uint64_t down_us);
