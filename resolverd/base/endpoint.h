#pragma once
/*
 * An IP address with a port, as a value that can be compared and hashed bytewise.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/span.h"

struct endpoint {
	uint8_t family; /* 4, 6; 0: none */
	uint8_t pad;
	uint16_t port;	   /* host order */
	uint32_t scope_id; /* of IPv6 link-local addresses */
	uint8_t addr[16];  /* IPv4 in the first 4, the rest zero */
};

enum { ENDPOINT_TEXT_SIZE = 72 };

/* From 4 or 16 address bytes. Other lengths give family 0. */
struct endpoint endpoint_of(struct span address, uint16_t port);

/* Parse "192.0.2.1", "192.0.2.1:53", "[2001:db8::1]:53", "2001:db8::1", "fe80::1%eth0";
 * DEFAULT_PORT if none is given. ERR_MALFORMED. */
MUST_USE enum err endpoint_parse(const char *text, uint16_t default_port, struct endpoint *out);

/* "192.0.2.1:53" or "[2001:db8::1]:53" into OUT; returns OUT. */
const char *endpoint_text(const struct endpoint *e, char out[static ENDPOINT_TEXT_SIZE]);

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

/* To and from the system's form. Returns the length used; 0 for an unknown family. */
socklen_t endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *out);
struct endpoint endpoint_from_sockaddr(const struct sockaddr *sa);

/* 127.0.0.0/8 and ::1 (also as ::ffff:127.x). */
bool endpoint_is_loopback(const struct endpoint *e);

/* Unspecified (0.0.0.0/8, ::), multicast, 255.255.255.255, or IPv4-mapped: no name server lives
 * there. */
bool endpoint_is_unusable(const struct endpoint *e);

/* A prefix such as 10.0.0.0/8. */
struct endpoint_prefix {
	uint8_t family; /* 4 or 6 */
	uint8_t bits;
	uint8_t addr[16];
};

/* "10.0.0.0/8", "2001:db8::/32", or a plain address (all bits). Host bits must be zero.
 * ERR_MALFORMED. */
MUST_USE enum err endpoint_prefix_parse(const char *text, struct endpoint_prefix *out);
bool endpoint_prefix_covers(const struct endpoint_prefix *p, const struct endpoint *e);
