#pragma once
/*
 * How many things each client address holds, for limits per client. Bounded by the number of things
 * there may be in all; keyed by a secret, since strangers choose the addresses.
 *
 * IPv6 addresses count by themselves and not by /64: the nodes and pods of one subnet share it, and
 * whoever may ask at all is named by the access list; the limit on the whole bounds the rest.
 */
#include "base/endpoint.h"
#include "base/err.h"
#include "base/hash.h"

struct tally_entry;

struct tally { /* one thread */
	struct hash_key key;
	struct tally_entry *entries; /* capacity of them; free ones are chained */
	uint32_t *buckets;	     /* first entry of each chain, plus one */
	uint32_t bucket_mask;
	uint32_t free_first; /* plus one */
};

/* Room for CAPACITY addresses at once. ERR_NO_MEMORY. */
MUST_USE enum err tally_init(struct tally *t, uint32_t capacity);
void tally_deinit(struct tally *t);

/* One more for the address of CLIENT (its port does not count). ERR_LIMIT if it holds LIMIT or more
 * already, or if there is no room. */
MUST_USE enum err tally_add(struct tally *t, const struct endpoint *client, uint32_t limit);
/* One less; it was added before. */
void tally_remove(struct tally *t, const struct endpoint *client);
