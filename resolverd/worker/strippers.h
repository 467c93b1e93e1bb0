#pragma once
/*
 * Forward zones whose servers leave signatures out (DNSSEC is stripped on the way, or they do not know
 * it): every name below that should be signed fails, and why is not to be seen from one of them. Whether
 * a reply has signatures is told by the workers, of replies that were validated or should have been; a
 * zone is in doubt when several in a row had none though their zones are signed.
 */
#include "resolve/resolver.h"

enum {
	STRIPPERS_MAX = 32, /* zones that are watched; the one told of longest ago makes room */
	/* In a row: a zone that is broken itself, behind a good forwarder, is asked for among others. */
	STRIPPERS_ROW = 3,
	/* What validation stumbled over is asked for anew at least once a minute (bogus data is kept no
	 * longer) wherever anybody asks for signed names: after five without, it is over. */
	STRIPPERS_RECENT_MS = 300000,
	STRIPPERS_TOLD_EVERY_S = 3600, /* in the log */
};

struct strippers;

MUST_USE enum err strippers_new(struct strippers **out);
void strippers_free(struct strippers *s);

/* As the resolver wants it; STRIPPERS is the context. From any thread. */
resolver_forwarded_fn strippers_note;

/* A line for each zone that is in doubt. From any thread. S may be NULL. */
void strippers_doubts(struct strippers *s, uint64_t mono_us,
		      void (*tell)(void *context, const char *text), void *context);
