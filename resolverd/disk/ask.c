/* A look-up by who can wait for a moment, but for no longer: whoever is late keeps what is left. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "disk/private.h"

struct asked {
	struct disk_job job;
	uint8_t name[DNAME_MAX];
	struct now now;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* lock */
	unsigned references;
	bool done;
	struct entry *entries[DISK_NAME_ENTRIES_MAX];
	size_t count;
};

/* Lock held, and released. */
static void release(struct asked *a)
{
	bool last = --a->references == 0;
	pthread_mutex_unlock(&a->lock);
	if (!last)
		return;
	for (size_t i = 0; i < a->count; i++)
		free(a->entries[i]);
	pthread_cond_destroy(&a->wake);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* On the reader thread, which alone touches the list until it is done. */
static bool keep_entry(void *context, const struct entry *e)
{
	struct asked *a = context;
	struct entry *copy = malloc(e->size_bytes);
	if (!copy)
		return false;
	memcpy(copy, e, e->size_bytes);
	a->entries[a->count++] = copy;
	return a->count < ARRAY_LEN(a->entries);
}

static void run_asked(struct disk_job *job, struct disk_reader *reader)
{
	struct asked *a = CONTAINER_OF(job, struct asked, job);
	if (reader)
		(void)disk_load_name(reader, a->name, a->now, keep_entry, a);
	pthread_mutex_lock(&a->lock);
	a->done = true;
	pthread_cond_signal(&a->wake);
	release(a);
}

static struct asked *asked_new(const struct disk_load *what)
{
	pthread_condattr_t monotonic;
	struct asked *a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->job.run = run_asked;
	a->references = 2;
	a->now = what->now;
	dname_copy(what->name, a->name);
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&a->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return a;
}

enum err disk_ask_name(struct disk *d, const struct disk_load *what)
{
	struct timespec until = disk_after_ms(DISK_ASK_MS);
	struct asked *a = asked_new(what);
	if (!a)
		return ERR_NO_MEMORY;
	enum err err = disk_post(d, &a->job);
	bool expired = err != OK;
	pthread_mutex_lock(&a->lock);
	if (err != OK)
		a->references--;
	while (!a->done && !expired)
		expired = pthread_cond_timedwait(&a->wake, &a->lock, &until) == ETIMEDOUT;
	for (size_t i = 0; a->done && i < a->count; i++)
		if (!what->fn(what->context, a->entries[i]))
			break;
	if (err == OK && !a->done)
		err = ERR_BUSY;
	release(a);
	return err;
}
