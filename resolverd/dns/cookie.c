#include "dns/cookie.h"

#include "base/cursor.h"
#include "base/require.h"

/* RFC 9018 §4: version, 3 reserved bytes, timestamp, hash. */
enum {
	COOKIE_VERSION = 1,
	COOKIE_HASH_OFFSET = 8,
	COOKIE_HASH_SIZE = 8,
	AGE_MAX_S = 60 * 60,   /* RFC 9018 §4.3: what it recommends */
	AGE_RENEW_S = 30 * 60, /* same place */
	AHEAD_MAX_S = 5 * 60,  /* clocks of servers that share a secret may differ this much */
};

static struct span endpoint_address(const struct endpoint *e)
{
	return span_of(e->addr, e->family == 4 ? 4 : 16);
}

static void store_hash(const struct hash_key *secret, struct span input,
		       uint8_t out[static COOKIE_HASH_SIZE])
{
	uint64_t hash = hash_bytes(secret, input);
	for (size_t i = 0; i < COOKIE_HASH_SIZE; i++)
		out[i] = (uint8_t)(hash >> (8 * i));
}

/* RFC 9018 §4.4: the hash over client cookie, the cookie's first 8 bytes and the address. */
static void cookie_hash(const struct hash_key *secret, const uint8_t *client_cookie,
			const uint8_t *head, const struct endpoint *client,
			uint8_t out[static COOKIE_HASH_SIZE])
{
	uint8_t input[COOKIE_CLIENT_SIZE + COOKIE_HASH_OFFSET + 16];
	struct writer w = writer_of(input, sizeof(input));

	writer_bytes(&w, span_of(client_cookie, COOKIE_CLIENT_SIZE));
	writer_bytes(&w, span_of(head, COOKIE_HASH_OFFSET));
	writer_bytes(&w, endpoint_address(client));
	REQUIRE(!w.failed);
	store_hash(secret, writer_span(&w), out);
}

void cookie_make_server(const struct hash_key *secret,
			const uint8_t client_cookie[static COOKIE_CLIENT_SIZE],
			const struct endpoint *client, int64_t unix_s,
			uint8_t out[static COOKIE_SERVER_SIZE])
{
	struct writer w = writer_of(out, COOKIE_HASH_OFFSET);

	writer_u32(&w, (uint32_t)COOKIE_VERSION << 24); /* and the reserved bytes */
	writer_u32(&w, (uint32_t)unix_s);
	cookie_hash(secret, client_cookie, out, client, out + COOKIE_HASH_OFFSET);
}

enum cookie_verdict cookie_check_server(const struct hash_key *secret,
					const uint8_t client_cookie[static COOKIE_CLIENT_SIZE],
					struct span server_cookie, const struct endpoint *client,
					int64_t unix_s)
{
	uint8_t expected[COOKIE_HASH_SIZE];

	if (server_cookie.len != COOKIE_SERVER_SIZE || server_cookie.at[0] != COOKIE_VERSION)
		return COOKIE_BAD;
	/* RFC 9018 §4.2: the reserved bytes are hashed as received, not required to be zero. */
	cookie_hash(secret, client_cookie, server_cookie.at, client, expected);
	if (!hash_equal_secret(expected, server_cookie.at + COOKIE_HASH_OFFSET, COOKIE_HASH_SIZE))
		return COOKIE_BAD;

	/* RFC 9018 §4.3: serial-number arithmetic (RFC 1982). */
	struct reader r = reader_of(span_of(server_cookie.at + 4, 4));
	int32_t age_s = (int32_t)((uint32_t)unix_s - reader_u32(&r));
	if (age_s > AGE_MAX_S || age_s < -AHEAD_MAX_S)
		return COOKIE_BAD;
	return age_s > AGE_RENEW_S ? COOKIE_RENEW : COOKIE_GOOD;
}

void cookie_make_client(const struct hash_key *secret, const struct endpoint *server,
			uint8_t out[static COOKIE_CLIENT_SIZE])
{
	static_assert((int)COOKIE_CLIENT_SIZE == (int)COOKIE_HASH_SIZE,
		      "a client cookie is one hash");
	/* The word in front keeps this apart from server cookies made with the same secret. */
	static const char purpose[] = "client cookie";
	uint8_t input[sizeof(purpose) + 16];
	struct writer w = writer_of(input, sizeof(input));

	writer_bytes(&w, span_of(purpose, sizeof(purpose)));
	writer_bytes(&w, endpoint_address(server));
	REQUIRE(!w.failed);
	store_hash(secret, writer_span(&w), out);
}
