#pragma once
/*
 * Errands: what other threads have a worker do. Any thread posts, without a lock and without waiting;
 * the worker takes them in the order in which they were posted, between two batches. Whoever posts
 * wakes the worker's loop.
 */
#include <stdatomic.h>

#include "base/endpoint.h"
#include "base/hash.h"
#include "cache/entry.h"
#include "net/socket.h"
#include "worker/tracing.h"

enum errand_kind {
	ERRAND_REFRESH, /* ask NAME and TYPE anew, whatever the cache holds */
	ERRAND_KEEP,  /* NAME, TYPE and ENTRY are in the cache: keep that fresh if it is worth it */
	ERRAND_TRACE, /* ask TRACING, which the errand owns */
	ERRAND_LISTEN,	 /* serve ADDRESS over TCP or UDP on FD, which the errand owns */
	ERRAND_UNLISTEN, /* serve ADDRESS over TCP or UDP no more */
	ERRAND_SECRET,	 /* make cookies with SECRET */
};

struct errand {
	struct errand *next; /* here only */
	enum errand_kind kind;
	enum entry_kind entry;
	uint16_t type;
	uint8_t name_len;
	struct tracing *tracing;
	struct hash_key secret;
	struct endpoint address;
	bool tcp;
	enum socket_owner owner;
	int fd; /* -1: none */
	uint8_t name[];
};

struct errands {			 /* zero-initialised is empty */
	_Atomic(struct errand *) posted; /* any thread adds; newest first */
	struct errand *taken;		 /* the worker; oldest first */
};

/* With a copy of the NAME_LEN bytes of NAME (or 0, NULL), else zero, and no descriptor. NULL if
 * memory is out. */
struct errand *errand_new(enum errand_kind kind, const uint8_t *name, size_t name_len);
/* What it owns goes with it, undone. */
void errand_free(struct errand *e);

/* From any thread. Takes E over. */
void errands_post(struct errands *list, struct errand *e);

/* The worker: something waits to be taken. */
static inline bool errands_wait(const struct errands *list)
{
	return list->taken || atomic_load_explicit(&list->posted, memory_order_relaxed);
}

/* The worker: the oldest, for errand_free(); NULL: there is none. */
struct errand *errands_take(struct errands *list);
/* The worker has ended: free what is left. */
void errands_deinit(struct errands *list);
