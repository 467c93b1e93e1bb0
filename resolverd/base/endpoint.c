#include "base/endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/require.h"

static_assert(sizeof(struct endpoint) == 24, "no padding: endpoints are compared bytewise");

struct endpoint endpoint_of(struct span address, uint16_t port)
{
	struct endpoint e = {.port = port};
	if (address.len != 4 && address.len != 16)
		return e;
	e.family = address.len == 4 ? 4 : 6;
	memcpy(e.addr, address.at, address.len);
	return e;
}

/* Decimal number up to MAX, digits only, the whole of TEXT. */
static bool parse_number(const char *text, uint32_t max, uint32_t *out)
{
	uint64_t value = 0;
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 10 || text[digits] != '\0')
		return false;
	for (size_t i = 0; i < digits; i++)
		value = 10 * value + (uint64_t)(text[i] - '0');
	if (value > max)
		return false;
	*out = (uint32_t)value;
	return true;
}

/* RFC 4007 §11: an interface's name or its number behind the '%'. */
static bool parse_scope(const char *text, uint32_t *out)
{
	if (parse_number(text, UINT32_MAX, out))
		return *out > 0;
	*out = if_nametoindex(text);
	return *out > 0;
}

/* An address without port; cuts TEXT at its scope. */
static bool parse_address(char *text, struct endpoint *out)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*out = endpoint_of(span_of(&v4, sizeof(v4)), out->port);
		return true;
	}
	uint32_t scope_id = 0;
	char *percent = strchr(text, '%');
	if (percent) {
		*percent = '\0';
		if (!parse_scope(percent + 1, &scope_id))
			return false;
	}
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return false;
	*out = endpoint_of(span_of(&v6, sizeof(v6)), out->port);
	out->scope_id = scope_id;
	return true;
}

enum err endpoint_parse(const char *text, uint16_t default_port, struct endpoint *out)
{
	char copy[ENDPOINT_TEXT_SIZE];
	char *address = copy, *port = NULL;
	size_t len = strlen(text);

	if (len >= sizeof(copy))
		return ERR_MALFORMED;
	memcpy(copy, text, len + 1);

	if (copy[0] == '[') { /* RFC 3986 §3.2.2 */
		char *close = strchr(copy, ']');
		if (!close || (close[1] != '\0' && close[1] != ':'))
			return ERR_MALFORMED;
		if (!memchr(copy, ':', (size_t)(close - copy)))
			return ERR_MALFORMED; /* brackets are for IPv6 */
		*close = '\0';
		address = copy + 1;
		port = close[1] == ':' ? close + 2 : NULL;
	} else {
		char *colon = strchr(copy, ':');
		if (colon && !strchr(colon + 1, ':')) { /* two colons or more: bare IPv6 */
			*colon = '\0';
			port = colon + 1;
		}
	}

	uint32_t number = default_port;
	if (port && !parse_number(port, UINT16_MAX, &number))
		return ERR_MALFORMED;
	struct endpoint e = {.port = (uint16_t)number};
	if (!parse_address(address, &e))
		return ERR_MALFORMED;
	*out = e;
	return OK;
}

const char *endpoint_text(const struct endpoint *e, char out[static ENDPOINT_TEXT_SIZE])
{
	char address[INET6_ADDRSTRLEN];

	if (e->family == 4) {
		inet_ntop(AF_INET, e->addr, address, sizeof(address));
		snprintf(out, ENDPOINT_TEXT_SIZE, "%s:%u", address, e->port);
	} else if (e->family == 6) {
		inet_ntop(AF_INET6, e->addr, address, sizeof(address));
		if (e->scope_id)
			snprintf(out, ENDPOINT_TEXT_SIZE, "[%s%%%u]:%u", address, e->scope_id,
				 e->port);
		else
			snprintf(out, ENDPOINT_TEXT_SIZE, "[%s]:%u", address, e->port);
	} else {
		snprintf(out, ENDPOINT_TEXT_SIZE, "none");
	}
	return out;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

socklen_t endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *out)
{
	if (e->family == 4) {
		struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(e->port)};
		memcpy(&sin.sin_addr, e->addr, sizeof(sin.sin_addr));
		memcpy(out, &sin, sizeof(sin));
		return sizeof(sin);
	}
	if (e->family == 6) {
		struct sockaddr_in6 sin6 = {
			.sin6_family = AF_INET6,
			.sin6_port = htons(e->port),
			.sin6_scope_id = e->scope_id,
		};
		memcpy(&sin6.sin6_addr, e->addr, sizeof(sin6.sin6_addr));
		memcpy(out, &sin6, sizeof(sin6));
		return sizeof(sin6);
	}
	return 0;
}

struct endpoint endpoint_from_sockaddr(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in sin;
		memcpy(&sin, sa, sizeof(sin));
		return endpoint_of(span_of(&sin.sin_addr, 4), ntohs(sin.sin_port));
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 sin6;
		memcpy(&sin6, sa, sizeof(sin6));
		struct endpoint e =
			endpoint_of(span_of(&sin6.sin6_addr, 16), ntohs(sin6.sin6_port));
		e.scope_id = sin6.sin6_scope_id;
		return e;
	}
	return (struct endpoint){0};
}

/* The IPv4 bytes inside ::ffff:0:0/96, or NULL. */
static const uint8_t *mapped_ipv4(const struct endpoint *e)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
	if (e->family != 6 || memcmp(e->addr, prefix, sizeof(prefix)) != 0)
		return NULL;
	return e->addr + sizeof(prefix);
}

bool endpoint_is_loopback(const struct endpoint *e)
{
	static const uint8_t v6_loopback[16] = {[15] = 1};
	if (e->family == 4)
		return e->addr[0] == 127;
	const uint8_t *mapped = mapped_ipv4(e);
	if (mapped)
		return mapped[0] == 127;
	return e->family == 6 && memcmp(e->addr, v6_loopback, sizeof(v6_loopback)) == 0;
}

bool endpoint_is_unusable(const struct endpoint *e)
{
	static const uint8_t zero[16];
	static const uint8_t broadcast[4] = {255, 255, 255, 255};
	if (e->family == 4)
		return e->addr[0] == 0 || (e->addr[0] & 0xf0) == 0xe0 ||
		       memcmp(e->addr, broadcast, sizeof(broadcast)) == 0;
	if (e->family == 6)
		return memcmp(e->addr, zero, sizeof(zero)) == 0 || e->addr[0] == 0xff ||
		       mapped_ipv4(e);
	return true;
}

/* The first BITS bits of A and B agree. */
static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8;
	if (memcmp(a, b, whole) != 0)
		return false;
	unsigned rest = bits % 8;
	return rest == 0 || (uint8_t)((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

enum err endpoint_prefix_parse(const char *text, struct endpoint_prefix *out)
{
	char copy[ENDPOINT_TEXT_SIZE];
	struct endpoint e = {0};
	size_t len = strlen(text);

	if (len >= sizeof(copy) || strchr(text, '%'))
		return ERR_MALFORMED;
	memcpy(copy, text, len + 1);
	char *slash = strchr(copy, '/');
	if (slash)
		*slash = '\0';
	if (!parse_address(copy, &e))
		return ERR_MALFORMED;

	uint32_t max = e.family == 4 ? 32 : 128;
	uint32_t bits = max;
	if (slash && !parse_number(slash + 1, max, &bits))
		return ERR_MALFORMED;

	struct endpoint_prefix p = {.family = e.family, .bits = (uint8_t)bits};
	for (unsigned i = 0; i < bits; i++)
		p.addr[i / 8] |= (uint8_t)(e.addr[i / 8] & (0x80 >> (i % 8)));
	if (memcmp(p.addr, e.addr, sizeof(p.addr)) != 0)
		return ERR_MALFORMED; /* host bits: most likely a slip of the pen */
	*out = p;
	return OK;
}

bool endpoint_prefix_covers(const struct endpoint_prefix *p, const struct endpoint *e)
{
	return p->family == e->family && bits_equal(p->addr, e->addr, p->bits);
}
