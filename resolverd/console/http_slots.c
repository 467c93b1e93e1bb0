#include "console/http_slots.h"

#include <sys/socket.h>

enum err http_slots_init(struct http_slots *s)
{
	*s = (struct http_slots){0};
	for (size_t i = 0; i < HTTP_SLOTS_ALL; i++)
		s->list[i].fd = -1;
	enum err err = shares_init(&s->shares, HTTP_SLOTS_ALL);
	if (err == OK)
		REQUIRE(pthread_mutex_init(&s->lock, NULL) == 0);
	return err;
}

void http_slots_deinit(struct http_slots *s)
{
	pthread_mutex_destroy(&s->lock);
	shares_deinit(&s->shares);
}

/* Probes and scrapers are the operator's: each address counts by itself, and all weigh the same. */
static struct shares_holder holder_of(const struct endpoint *client)
{
	return shares_holder_of(client, true);
}

/* The library's thread wakes, finds the end and closes it. */
static void end(struct http_slots *s, struct http_slot *slot)
{
	shares_leave(&s->shares, &slot->share);
	(void)shutdown(slot->fd, SHUT_RDWR);
}

bool http_slots_admit(struct http_slots *s, const struct endpoint *client)
{
	struct shares_holder holder = holder_of(client);

	pthread_mutex_lock(&s->lock);
	bool full = s->count >= HTTP_SLOTS;
	struct shares_member *victim = full ? shares_victim(&s->shares, &holder) : NULL;
	/* Its own are most likely dead: the library keeps what has sent half a request and is gone. */
	if (full && !victim)
		victim = shares_oldest(&s->shares, &holder);
	if (victim)
		end(s, CONTAINER_OF(victim, struct http_slot, share));
	bool admitted = !full || (victim && s->count < HTTP_SLOTS_ALL);
	s->refused += full;
	pthread_mutex_unlock(&s->lock);
	return admitted;
}

struct http_slot *http_slots_take(struct http_slots *s, int fd, const struct endpoint *client,
				  uint64_t mono_us)
{
	struct shares_holder holder = holder_of(client);
	struct http_slot *slot = NULL;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; fd >= 0 && i < HTTP_SLOTS_ALL && !slot; i++)
		if (s->list[i].fd < 0)
			slot = &s->list[i];
	if (slot) {
		slot->fd = fd;
		slot->since_us = mono_us;
		shares_join(&s->shares, &slot->share, &holder);
		s->count++;
	}
	pthread_mutex_unlock(&s->lock);
	return slot;
}

void http_slots_leave(struct http_slots *s, struct http_slot *slot)
{
	if (!slot)
		return;
	pthread_mutex_lock(&s->lock);
	shares_leave(&s->shares, &slot->share);
	slot->fd = -1;
	s->count--;
	pthread_mutex_unlock(&s->lock);
}

void http_slots_expire(struct http_slots *s, uint64_t mono_us)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < HTTP_SLOTS_ALL; i++) {
		struct http_slot *slot = &s->list[i];
		if (slot->fd >= 0 && mono_us >= slot->since_us + HTTP_REQUEST_MS * 1000ull)
			end(s, slot);
	}
	pthread_mutex_unlock(&s->lock);
}

uint64_t http_slots_refused(struct http_slots *s)
{
	pthread_mutex_lock(&s->lock);
	uint64_t refused = s->refused;
	pthread_mutex_unlock(&s->lock);
	return refused;
}
