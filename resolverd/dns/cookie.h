#pragma once
/*
 * DNS cookies (RFC 7873) in the interoperable form of RFC 9018: version 1, timestamp, SipHash-2-4
 * over client cookie, version, reserved, timestamp and client address.
 */
#include "base/endpoint.h"
#include "base/hash.h"

enum { COOKIE_CLIENT_SIZE = 8, COOKIE_SERVER_SIZE = 16 };

enum cookie_verdict {
	COOKIE_BAD, /* not ours, forged, or out of time */
	COOKIE_GOOD,
	COOKIE_RENEW, /* good, but older than half an hour: send a fresh one (RFC 9018 §4.3) */
};

/* Our server cookie for CLIENT_COOKIE from CLIENT (the port does not count) at UNIX_S. */
void cookie_make_server(const struct hash_key *secret,
			const uint8_t client_cookie[static COOKIE_CLIENT_SIZE],
			const struct endpoint *client, int64_t unix_s,
			uint8_t out[static COOKIE_SERVER_SIZE]);

/* Check a server cookie that a client sent back: valid for one hour, and 5 minutes into the future. */
enum cookie_verdict cookie_check_server(const struct hash_key *secret,
					const uint8_t client_cookie[static COOKIE_CLIENT_SIZE],
					struct span server_cookie, const struct endpoint *client,
					int64_t unix_s);

/* Our client cookie towards SERVER: differs per server, stable for the life of SECRET. */
void cookie_make_client(const struct hash_key *secret, const struct endpoint *server,
			uint8_t out[static COOKIE_CLIENT_SIZE]);
