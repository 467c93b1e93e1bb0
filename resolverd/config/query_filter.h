#pragma once
/*
 * Which client queries are logged, and its form as words, which is the same in the configuration
 * (log.queries) and on the command line (resolverctl log queries):
 *
 *   off, on            none, all (false and true are the same)
 *   client=PREFIX      those of these clients
 *   name=NAME          those for this name and all below it
 *   rcode=RCODE        those answered so; "none" means not at all
 *   slower=TIME        those that took longer
 *   sample=N           of what is left, every Nth of each worker
 *
 * Several of the latter go together: all of them must hold.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/err.h"
#include "dns/dname.h"

enum {
	QUERY_FILTER_ANY = -1,
	QUERY_FILTER_NONE = -2, /* as rcode: no answer at all */
	QUERY_FILTER_TEXT_MAX = DNAME_TEXT_MAX + ENDPOINT_TEXT_SIZE + 128,
	QUERY_FILTER_WORD_MAX = 80, /* of what is wrong, as told */
};

struct query_filter { /* a value; zero-initialised: no query is logged */
	bool on, has_client, has_name;
	int rcode; /* or QUERY_FILTER_... */
	uint32_t sample;
	uint32_t slower_ms;
	struct endpoint_prefix client;
	uint8_t name[DNAME_MAX];
};

struct query_event { /* one query, as it is logged */
	const struct endpoint *client;
	const uint8_t *name; /* NULL: it could not be parsed */
	int rcode;	     /* or QUERY_FILTER_NONE */
	uint64_t took_us;
};

/* TEXT into OUT; ERR_MALFORMED with the word that is wrong in WRONG, cut if it is long. */
MUST_USE enum err query_filter_parse(const char *text, struct query_filter *out,
				     char wrong[static QUERY_FILTER_WORD_MAX]);
/* The other way; returns OUT. */
const char *query_filter_text(const struct query_filter *f, char out[static QUERY_FILTER_TEXT_MAX]);

/* Whether E is to be logged. SEEN counts what passes all but the sampling; whoever asks keeps it. */
bool query_filter_wants(const struct query_filter *f, const struct query_event *e, uint32_t *seen);
