#pragma once
/*
 * Why data is bogus, or insecure where it should not be, in words for the reply itself (RFC 8914):
 * always the record, the server whose reply held it, what is wrong, and the zone, in one form,
 *
 *   www.example. A from 192.0.2.1:53: signature expired (zone example.)
 *
 * so that it can be read by people and taken apart by programs.
 */
#include "base/endpoint.h"
#include "dns/rrset.h"
#include "dnssec/crypto.h"

struct query;

enum {
	BLAME_TEXT_SIZE = 224,
	/* Longer names are shown without their middle. */
	BLAME_NAME_MAX = 44,
};

struct blame { /* all borrowed, one call */
	const uint8_t *owner;
	uint16_t type;
	const struct endpoint *server; /* NULL, or without a family: the cache held it */
	bool unanswered;	       /* nobody sent it */
	const char *why;
	const uint8_t *zone;
};

/* The words for B into OUT; returns OUT. */
const char *blame_text(const struct blame *b, char out[static BLAME_TEXT_SIZE]);

/* Note B, with the extended error EDE, as what is wrong with Q. */
void blame_note(struct query *q, uint16_t ede, const struct blame *b);
/* The server that sent the reply which Q is checking; NULL: it came from the cache. */
const struct endpoint *blame_server(const struct query *q);

/* SET, of the reply that Q is checking, is not as ZONE has to have it: WHY. */
void blame_set(struct query *q, uint16_t ede, const struct rrset *set, const uint8_t *zone,
	       const char *why);
/* Nor is that reply's denial. */
void blame_denial(struct query *q, uint16_t ede, const uint8_t *zone, const char *why);
/* Nor are SET's signatures: RESULT is what came of the last. */
void blame_signature(struct query *q, const struct rrset *set, const uint8_t *zone,
		     enum crypto_result result);
