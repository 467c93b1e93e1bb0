#pragma once
/*
 * Root key sentinel (RFC 8509): names by which a client finds out which of the root's keys we trust.
 * Such a name is resolved like any other; the answer is withheld, as SERVFAIL, where the name's
 * first label says what is not so:
 *
 *   root-key-sentinel-is-ta-NNNNN    the key with tag NNNNN is a trust anchor
 *   root-key-sentinel-not-ta-NNNNN   it is not
 */
#include "resolve/settings.h"

enum {
	SENTINEL_IS_LENGTH = sizeof("root-key-sentinel-is-ta-NNNNN") - 1,
	SENTINEL_NOT_LENGTH = sizeof("root-key-sentinel-not-ta-NNNNN") - 1,
};

/* The first label of QNAME is as long as a sentinel's: what nearly every name is spared to have
 * looked at. */
static inline bool sentinel_is_possible(const uint8_t *qname)
{
	return qname[0] == SENTINEL_IS_LENGTH || qname[0] == SENTINEL_NOT_LENGTH;
}

/* RFC 8509 §2.2: the secure answer to (QNAME in any case, QTYPE), asked for with CD=0, is withheld.
 * Never without a trust anchor of the root. */
bool sentinel_withholds(const struct settings *s, const uint8_t *qname, uint16_t qtype);
