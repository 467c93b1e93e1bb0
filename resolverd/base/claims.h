#pragma once
/*
 * Which of several threads does what: one for each thing, found by the hash of its name and type. A table
 * of claims without locks, in which each runs out by itself, so nobody depends on whoever made it.
 *
 * A claim finds a place or not. One that finds none is denied to nobody, nor is one of two that were made
 * at the same moment: then two threads do the same, which costs what it costs and breaks nothing.
 *
 * Time is a number of 32 bits that all count alike, in seconds or milliseconds, and that may wrap.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

enum {
	CLAIMS_BUCKETS = 8192, /* six times as many as names kept by default; twice the questions */
	CLAIMS_WAYS = 8,       /* one line of a processor's cache */
	CLAIMS_OWNERS_MAX = 256,
};

struct claims { /* half a megabyte; any thread */
	struct hash_key key;
	_Atomic uint32_t owners; /* handed out */
	uint32_t longest;	 /* that a claim may last: what ends later has ended long ago */
	_Alignas(64) _Atomic uint64_t places[CLAIMS_BUCKETS][CLAIMS_WAYS];
};

/* Empty. C is zeroed, and no other thread knows it yet. */
void claims_init(struct claims *c, uint32_t longest);
/* A number for somebody who will claim. */
uint8_t claims_owner(struct claims *c);
/* The hash of NAME (LEN octets, lower case) and TYPE, the same for all threads. */
uint64_t claims_hash(const struct claims *c, const uint8_t *name, size_t len, uint16_t type);

/* OWNER has HASH, up to and with UNTIL. False if somebody else has it at NOW. Once more renews it. What
 * whoever had it before did until he released it can be seen. */
bool claims_take(struct claims *c, uint64_t hash, uint8_t owner, uint32_t until, uint32_t now);
/* OWNER has it no more. */
void claims_release(struct claims *c, uint64_t hash, uint8_t owner);
/* Somebody has it at NOW. */
bool claims_is_taken(const struct claims *c, uint64_t hash, uint32_t now);
