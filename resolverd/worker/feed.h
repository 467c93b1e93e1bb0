#pragma once
/*
 * What workers tell an operator who watches: questions (a sample), failures, and records that have
 * changed. Nothing is told, and next to nothing spent, while nobody watches.
 *
 * Each worker has a ring that it alone writes and the main thread alone reads, without locks. A
 * worker never waits: what finds no room is counted. Of questions only every so-many-th is told, by
 * a random step; the main thread lengthens the step while a ring fills faster than it is read.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/endpoint.h"
#include "base/err.h"
#include "base/now.h"
#include "resolve/resolver.h"

enum {
	FEED_EVENTS = 512, /* of 800 bytes: read every FEED_DRAIN_MS, so 10,000 a second */
	FEED_DRAIN_MS = 50,
	FEED_TEXT_MAX = 256,
};

enum feed_kind {
	FEED_QUESTION = 1,
	FEED_FAILURE = 2,
	FEED_CHANGE = 4,
};

struct feed_event {
	enum feed_kind kind;
	struct now at;
	uint8_t name[DNAME_MAX]; /* lower case */
	uint16_t type;
	struct endpoint client; /* family 0: none */
	uint32_t weight;	/* FEED_QUESTION: how many it stands for */
	bool hit;		/* FEED_QUESTION: answered at once */
	bool refresh;		/* FEED_FAILURE: nobody asked */
	uint16_t rcode, ede;	/* FEED_FAILURE */
	uint32_t took_ms;	/* FEED_FAILURE */
	/* FEED_FAILURE: why; FEED_CHANGE: what it was, and is. */
	char text[FEED_TEXT_MAX], fresh[FEED_TEXT_MAX];
};

struct feed {			 /* one worker writes, the main thread reads */
	_Atomic unsigned wanted; /* FEED_... of all who watch; the main thread writes */
	_Atomic uint32_t step;	 /* between two questions that are told; the same */
	_Atomic(struct feed_event *) ring;
	uint32_t to_skip, chance; /* the worker's */
	_Alignas(64) _Atomic uint64_t written;
	_Atomic uint64_t dropped; /* for want of room */
	_Alignas(64) _Atomic uint64_t taken;
};

/* ---- workers ---- */

/* Somebody wants to know. One relaxed read. */
static inline bool feed_wants(const struct feed *f, enum feed_kind kind)
{
	return atomic_load_explicit(&f->wanted, memory_order_relaxed) & kind;
}

/* A question has come, HIT: it was answered at once. Most are left out. */
void feed_question(struct feed *f, struct span packet, const struct endpoint *client, bool hit,
		   struct now now);
/* A question has ended: told if it failed. */
void feed_failure(struct feed *f, const struct trace_report *report, struct now now);
void feed_change(struct feed *f, const struct prefetch_change *change, struct now now);

void feed_deinit(struct feed *f);

/* ---- the main thread ---- */

struct feed_watcher { /* inside its owner */
	struct feed_watcher *next;
	unsigned wants; /* FEED_... */
	void (*take)(void *context, const struct feed_event *e);
	void *context;
	uint64_t dropped; /* by workers, since it joined */
};

struct feeds { /* zero-initialised: nobody watches */
	struct feed *const *list;
	const unsigned *count;
	struct feed_watcher *first;
};

/* Tell W from now on. ERR_NO_MEMORY. */
MUST_USE enum err feeds_join(struct feeds *f, struct feed_watcher *w);
void feeds_leave(struct feeds *f, struct feed_watcher *w);
/* Give what has come to all who watch. */
void feeds_drain(struct feeds *f);
