#include "disk/lookup.h"

#include <time.h>

#include "disk/private.h"

void disk_lookups_init(struct disk_lookups *l)
{
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&l->wake, NULL);
	pthread_cond_init(&l->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	l->last = &l->first;
}

void disk_lookups_deinit(struct disk_lookups *l)
{
	pthread_cond_destroy(&l->wake);
	pthread_cond_destroy(&l->ended);
	pthread_mutex_destroy(&l->lock);
}

/* Lock held. */
static struct disk_job *take_job(struct disk_lookups *l)
{
	struct disk_job *job = l->first;
	if (!job)
		return NULL;
	l->first = job->next;
	if (!l->first)
		l->last = &l->first;
	l->waiting--;
	return job;
}

static void run_job(struct disk_lookup_thread *t, struct disk_job *job)
{
	struct disk *d = t->disk;
	bool old = t->since_us - job->posted_us > DISK_JOB_MS * INT64_C(1000);
	disk_count(&d->counters.lookups_expired, old);
	job->run(job, old ? NULL : t->reader);
}

static void *lookup_main(void *context)
{
	struct disk_lookup_thread *t = context;
	struct disk_lookups *l = &t->disk->lookups;
	struct disk_job *job;
	(void)pthread_setname_np(pthread_self(), "disk/read");
	pthread_mutex_lock(&l->lock);
	for (;;) {
		while (!l->stop && !l->first) {
			l->idle++;
			pthread_cond_wait(&l->wake, &l->lock);
			l->idle--;
		}
		if (l->stop)
			break;
		job = take_job(l);
		t->since_us = t->disk->io->mono_us();
		pthread_mutex_unlock(&l->lock);
		run_job(t, job);
		pthread_mutex_lock(&l->lock);
		t->since_us = 0;
	}
	t->ended = true;
	pthread_cond_signal(&l->ended);
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* One thread more, where there is work for it. Lock held, so none is without its reader. */
static enum err add_thread(struct disk *d)
{
	struct disk_lookups *l = &d->lookups;
	struct disk_lookup_thread *t = &l->threads[l->thread_count];
	*t = (struct disk_lookup_thread){.disk = d};
	enum err err = disk_reader_new(d, &t->reader);
	if (err != OK)
		return err;
	if (pthread_create(&t->thread, NULL, lookup_main, t) != 0) {
		disk_reader_free(t->reader);
		return ERR_NO_MEMORY;
	}
	l->thread_count++;
	return OK;
}

/* Lock held. */
static int64_t slowest_us(const struct disk_lookups *l, int64_t now_us)
{
	int64_t slowest = 0;
	for (unsigned i = 0; i < l->thread_count; i++)
		if (l->threads[i].since_us != 0)
			slowest = MAX(slowest, now_us - l->threads[i].since_us);
	return slowest;
}

int64_t disk_lookups_slowest_us(struct disk *d)
{
	struct disk_lookups *l = &d->lookups;
	pthread_mutex_lock(&l->lock);
	int64_t slowest = slowest_us(l, d->io->mono_us());
	pthread_mutex_unlock(&l->lock);
	return slowest;
}

/* Lock held. */
static enum err add_job(struct disk *d, struct disk_job *job)
{
	struct disk_lookups *l = &d->lookups;
	job->posted_us = d->io->mono_us();
	job->next = NULL;
	if (slowest_us(l, job->posted_us) > DISK_HANG_MS * INT64_C(1000))
		return ERR_BUSY;
	if (l->waiting == DISK_LOOKUP_QUEUE)
		return ERR_LIMIT;
	if (l->waiting >= l->idle && l->thread_count < DISK_LOOKUP_THREADS) {
		enum err err = add_thread(d);
		if (err != OK && l->thread_count == 0)
			return err;
	}
	*l->last = job;
	l->last = &job->next;
	l->waiting++;
	pthread_cond_signal(&l->wake);
	return OK;
}

enum err disk_post(struct disk *d, struct disk_job *job)
{
	struct disk_lookups *l = &d->lookups;
	if (!d->path)
		return ERR_CLOSED;
	pthread_mutex_lock(&l->lock);
	enum err err = l->stop ? ERR_CLOSED : add_job(d, job);
	pthread_mutex_unlock(&l->lock);
	disk_count(&d->counters.lookups, err == OK);
	disk_count(&d->counters.lookups_dropped, err == ERR_LIMIT);
	disk_count(&d->counters.lookups_refused, err == ERR_BUSY);
	return err;
}

/* T has been told to end. False: it has not by UNTIL. */
static bool join(struct disk_lookups *l, struct disk_lookup_thread *t, const struct timespec *until)
{
	pthread_mutex_lock(&l->lock);
	for (int error = 0; !t->ended && error == 0;)
		error = pthread_cond_timedwait(&l->ended, &l->lock, until);
	bool ended = t->ended;
	pthread_mutex_unlock(&l->lock);
	if (ended)
		pthread_join(t->thread, NULL);
	return ended;
}

enum err disk_lookups_stop(struct disk *d, const struct timespec *until)
{
	struct disk_lookups *l = &d->lookups;
	struct disk_job *job;
	enum err err = OK;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_broadcast(&l->wake);
	pthread_mutex_unlock(&l->lock);
	for (unsigned i = 0; i < l->thread_count; i++) {
		struct disk_lookup_thread *t = &l->threads[i];
		if (!t->reader)
			continue; /* ended at the last try */
		if (!join(l, t, until)) {
			err = ERR_BUSY;
			continue;
		}
		disk_reader_free(t->reader);
		t->reader = NULL;
	}
	/* Nobody adds any more. */
	while ((job = take_job(l)))
		job->run(job, NULL);
	return err;
}
