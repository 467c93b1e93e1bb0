/*
 * Any bytes as the options of an OPT record; what was read is then said back, and the size that
 * was promised is the size that comes out.
 */
#include "dns/edns.h"
#include "base/cursor.h"
#include "dns/cookie.h"

/* A query whose OPT record has the TTL field and options of INPUT. */
static struct span message_around(struct span input, uint8_t *out, size_t size)
{
	struct reader r = reader_of(input);
	struct writer w = writer_of(out, size);

	for (unsigned i = 0; i < 5; i++)
		writer_u16(&w, 0);
	writer_u16(&w, 1); /* additional */
	writer_u8(&w, 0);
	writer_u16(&w, TYPE_OPT);
	writer_u16(&w, reader_u16(&r));
	writer_u32(&w, reader_u32(&r));
	writer_u16(&w, (uint16_t)reader_left(&r));
	writer_bytes(&w, reader_bytes(&r, reader_left(&r)));
	return w.failed || r.failed ? (struct span){0} : writer_span(&w);
}

static void say_back(const struct edns *edns, struct span text)
{
	uint8_t cookie[40], wire[1024];
	struct builder b;
	struct message m;
	struct edns again;

	memcpy(cookie, edns->client_cookie, 8);
	memcpy(cookie + 8, edns->server_cookie, edns->server_cookie_len);
	const struct edns_reply reply = {
		.size = edns->size,
		.rcode = (uint16_t)(edns->extended_rcode << 4),
		.dnssec_ok = edns->dnssec_ok,
		.ede = edns->ede,
		.ede2 = EDE_NONE,
		.ede_text = text,
		.cookie = span_of(cookie, edns->client_cookie_len + edns->server_cookie_len),
		.keepalive = edns->keepalive,
		.keepalive_100ms = edns->keepalive_100ms,
	};
	builder_init(&b, wire, sizeof(wire), 1, 0);
	REQUIRE(edns_write(&b, &reply));
	struct span out = builder_finish(&b);
	REQUIRE(out.len == MESSAGE_HEADER_SIZE + edns_size(&reply));
	REQUIRE(message_view(out, &m) == OK);
	REQUIRE(edns_view(&m, &again) == EDNS_OK);
	REQUIRE(again.ede == edns->ede && again.size == edns->size);
	REQUIRE(again.dnssec_ok == edns->dnssec_ok && again.keepalive == edns->keepalive);
	REQUIRE(again.extended_rcode == edns->extended_rcode);
	REQUIRE(again.client_cookie_len == edns->client_cookie_len);
	REQUIRE(again.server_cookie_len == edns->server_cookie_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t wire[MESSAGE_MAX];
	const struct hash_key secret = {{0}};
	const struct endpoint client = endpoint_of(span_of("\x7f\0\0\1", 4), 53);
	struct message m;
	struct edns edns;

	struct span message = message_around(span_of(data, size), wire, sizeof(wire));
	if (!message.at || message_view(message, &m) != OK)
		return 0;
	if (edns_view(&m, &edns) != EDNS_OK)
		return 0;
	REQUIRE(edns.size >= EDNS_SIZE_MIN && edns.version == 0);
	struct span server_cookie = span_of(edns.server_cookie, edns.server_cookie_len);
	(void)cookie_check_server(&secret, edns.client_cookie, server_cookie, &client, 0);
	say_back(&edns, span_of(data, size));
	return 0;
}
