#include "worker/strippers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

struct stripper {
	uint8_t zone[DNAME_MAX]; /* a forward zone */
	uint8_t name[DNAME_MAX]; /* for which the last signature was missing */
	struct endpoint server;	 /* that left it out */
	uint64_t at_us;		 /* of the last note; 0: free */
	uint64_t told_us;	 /* in the log; 0: never */
	unsigned row;		 /* replies without, since the last one with signatures */
};

struct strippers {
	pthread_mutex_t lock; /* of all below */
	struct stripper list[STRIPPERS_MAX];
};

enum err strippers_new(struct strippers **out)
{
	struct strippers *s = calloc(1, sizeof(*s));

	if (!s)
		return ERR_NO_MEMORY;
	REQUIRE(pthread_mutex_init(&s->lock, NULL) == 0);
	*out = s;
	return OK;
}

void strippers_free(struct strippers *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Lock held. */
static struct stripper *find(struct strippers *s, const uint8_t *zone)
{
	struct stripper *oldest = s->list;

	for (size_t i = 0; i < STRIPPERS_MAX; i++) {
		struct stripper *z = &s->list[i];
		if (z->at_us > 0 && dname_equal(z->zone, zone))
			return z;
		if (z->at_us < oldest->at_us)
			oldest = z;
	}
	*oldest = (struct stripper){0};
	dname_copy(zone, oldest->zone);
	return oldest;
}

static void log_stripper(const struct stripper *z)
{
	char zone[DNAME_TEXT_MAX], name[DNAME_TEXT_MAX], server[ENDPOINT_TEXT_SIZE];

	log_warning("forward zone without signatures zone=%s server=%s name=%s: signed names fail; "
		    "have the server pass DNSSEC on, or mark the zone \"insecure: true\"",
		    dname_text(z->zone, zone), endpoint_text(&z->server, server),
		    dname_text(z->name, name));
}

void strippers_note(void *strippers, const struct resolver_forwarded *f, struct now now)
{
	struct strippers *s = strippers;

	pthread_mutex_lock(&s->lock);
	struct stripper *z = find(s, f->zone);
	z->at_us = now.mono_us;
	if (f->has_signatures) {
		z->row = 0;
	} else {
		z->row++;
		z->server = *f->server;
		dname_copy(f->name, z->name);
	}
	bool told =
		z->told_us > 0 && now.mono_us < z->told_us + STRIPPERS_TOLD_EVERY_S * 1000000ULL;
	if (z->row >= STRIPPERS_ROW && !told) {
		z->told_us = now.mono_us;
		log_stripper(z);
	}
	pthread_mutex_unlock(&s->lock);
}

static void tell_stripper(const struct stripper *z, void (*tell)(void *context, const char *text),
			  void *context)
{
	char zone[DNAME_TEXT_MAX], name[DNAME_TEXT_MAX], server[ENDPOINT_TEXT_SIZE];
	char line[2 * DNAME_TEXT_MAX + 256];

	(void)snprintf(line, sizeof(line),
		       "forward zone %s: %s leaves signatures out, as for %s, so signed names "
		       "fail: have it pass DNSSEC on, or mark the zone \"insecure: true\"",
		       dname_text(z->zone, zone), endpoint_text(&z->server, server),
		       dname_text(z->name, name));
	tell(context, line);
}

void strippers_doubts(struct strippers *s, uint64_t mono_us,
		      void (*tell)(void *context, const char *text), void *context)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < STRIPPERS_MAX; i++) {
		const struct stripper *z = &s->list[i];
		if (z->row >= STRIPPERS_ROW && mono_us < z->at_us + STRIPPERS_RECENT_MS * 1000ULL)
			tell_stripper(z, tell, context);
	}
	pthread_mutex_unlock(&s->lock);
}
