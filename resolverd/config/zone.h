#pragma once
/*
 * A forward or stub zone from words, whoever gives them: the configuration file or an operator at
 * run time. What is not given has the same default on both ways.
 */
#include "base/arena.h"
#include "base/err.h"
#include "resolve/settings.h"

struct zone_words { /* what is not given is NULL, a list with count 0 */
	bool forward;
	const char *name, *transport, *rate_limit, *fallback, *insecure;
	const char **servers, **only;
	unsigned servers_count, only_count;
};

struct zone_fault {
	char member[32]; /* "rate-limit", "servers[1]"; "" for the zone itself */
	char what[256];	 /* what is wrong with it */
};

/* WORDS, which are borrowed until it returns, as the zone OUT; servers without a port are asked at
 * PORT, the list of patterns is in ARENA. ERR_MALFORMED with FAULT written, or ERR_NO_MEMORY. */
MUST_USE enum err zone_read(const struct zone_words *words, uint16_t port, struct arena *arena,
			    struct settings_zone *out, struct zone_fault *fault);
