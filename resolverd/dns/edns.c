#include "dns/edns.h"

#include "base/require.h"

enum {
	OPT_FIXED_SIZE = 11, /* root owner, type, class, TTL, RDLENGTH */
	OPTION_HEADER_SIZE = 4,
	EDE_CODE_SIZE = 2,
	EDNS_VERSION = 0,
	FLAG_DO = 0x8000,
	COOKIE_CLIENT_LEN = 8,
	COOKIE_SERVER_MIN = 8,
	COOKIE_SERVER_MAX = 32,
};

/* RFC 7873 §5.2.2: 8 bytes, or 16 to 40; anything else is FORMERR. */
static bool cookie_view(struct span value, struct edns *out)
{
	if (value.len < COOKIE_CLIENT_LEN)
		return false;
	size_t server_len = value.len - COOKIE_CLIENT_LEN;
	if (server_len > COOKIE_SERVER_MAX || (server_len > 0 && server_len < COOKIE_SERVER_MIN))
		return false;
	if (out->client_cookie_len > 0)
		return true; /* RFC 7873 §5.2: only the first one counts */
	memcpy(out->client_cookie, value.at, COOKIE_CLIENT_LEN);
	memcpy(out->server_cookie, value.at + COOKIE_CLIENT_LEN, server_len);
	out->client_cookie_len = COOKIE_CLIENT_LEN;
	out->server_cookie_len = (uint8_t)server_len;
	return true;
}

/* RFC 7828 §3.1: nothing, or a timeout. */
static bool keepalive_view(struct span value, struct edns *out)
{
	struct reader r = reader_of(value);
	if (value.len != 0 && value.len != 2)
		return false;
	out->keepalive = true;
	out->keepalive_100ms = value.len ? reader_u16(&r) : 0;
	return true;
}

/* RFC 8914 §2. One that is too short for its code says nothing. */
static void ede_view(struct span value, struct edns *out)
{
	struct reader r = reader_of(value);
	uint16_t code = reader_u16(&r);
	if (!r.failed && out->ede == EDE_NONE)
		out->ede = code;
}

/* False if the option breaks its own rules. */
static bool option_view(uint16_t code, struct span value, struct edns *out)
{
	switch (code) {
	case EDNS_OPTION_COOKIE:
		return cookie_view(value, out);
	case EDNS_OPTION_KEEPALIVE:
		return keepalive_view(value, out);
	case EDNS_OPTION_EDE:
		ede_view(value, out);
		return true;
	case EDNS_OPTION_NSID:
		out->nsid = true;
		return true;
	case EDNS_OPTION_PADDING:
		out->padding = true;
		return true;
	default:
		return true; /* RFC 6891 §6.1.2: unknown options are ignored */
	}
}

static enum edns_status options_view(struct reader *options, struct edns *out)
{
	enum edns_status status = EDNS_OK;
	unsigned count = 0;
	while (reader_left(options) > 0) {
		uint16_t code = reader_u16(options);
		uint16_t len = reader_u16(options);
		struct span value = reader_bytes(options, len);
		if (options->failed || ++count > EDNS_OPTIONS_MAX)
			return EDNS_FORMERR;
		if (!option_view(code, value, out))
			status = EDNS_FORMERR;
	}
	return status;
}

enum edns_status edns_view(const struct message *m, struct edns *out)
{
	*out = (struct edns){.size = EDNS_SIZE_MIN, .ede = EDE_NONE};
	if (m->opt_count == 0)
		return EDNS_ABSENT;

	/* Nothing but memory that is not the message's would be read: our own caller's fault, and no
	 * packet's, as message_view() checks all of them alike. */
	REQUIRE(m->checked && m->opt_offset < m->wire.len);
	struct reader r =
		reader_of(span_of(m->wire.at + m->opt_offset, m->wire.len - m->opt_offset));
	if (reader_u8(&r) != 0)
		return EDNS_FORMERR; /* RFC 6891 §6.1.2: the owner is the root */
	reader_u16(&r);		     /* type */
	uint16_t size = reader_u16(&r);
	out->size = MAX(size, EDNS_SIZE_MIN); /* RFC 6891 §6.2.3 */
	out->extended_rcode = reader_u8(&r);
	out->version = reader_u8(&r);
	out->dnssec_ok = (reader_u16(&r) & FLAG_DO) != 0;
	uint16_t len = reader_u16(&r);
	struct reader options = reader_of(reader_bytes(&r, len));
	if (r.failed)
		return EDNS_FORMERR;
	enum edns_status status = EDNS_BADVERS; /* RFC 6891 §6.1.3 */
	if (out->version <= EDNS_VERSION)	/* else what its options mean we cannot know */
		status = options_view(&options, out);
	return m->opt_count > 1 ? EDNS_FORMERR : status; /* RFC 6891 §6.1.1 */
}

/* Length of what MAX bytes can hold of TEXT: never cut inside a UTF-8 sequence. */
static size_t text_len(struct span text, size_t max)
{
	size_t len = MIN(text.len, max);
	if (len == text.len)
		return len;
	while (len > 0 && (text.at[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static void write_option(struct writer *w, uint16_t code, size_t len)
{
	writer_u16(w, code);
	writer_u16(w, (uint16_t)len);
}

static void write_ede(struct writer *w, uint16_t ede, struct span text)
{
	if (ede == EDE_NONE)
		return;
	text.len = text_len(text, EDNS_EDE_TEXT_MAX);
	write_option(w, EDNS_OPTION_EDE, EDE_CODE_SIZE + text.len);
	writer_u16(w, ede);
	writer_bytes(w, text);
}

static void write_options(struct writer *w, const struct edns_reply *reply)
{
	/* It counts what stands in REPLY; more would tell servers what lies behind it. */
	REQUIRE(reply->key_tag_count <= EDNS_KEY_TAGS_MAX);
	if (reply->nsid.len > 0) {
		write_option(w, EDNS_OPTION_NSID, reply->nsid.len);
		writer_bytes(w, reply->nsid);
	}
	if (reply->cookie.len > 0) {
		write_option(w, EDNS_OPTION_COOKIE, reply->cookie.len);
		writer_bytes(w, reply->cookie);
	}
	if (reply->keepalive_empty) {
		write_option(w, EDNS_OPTION_KEEPALIVE, 0);
	} else if (reply->keepalive) {
		write_option(w, EDNS_OPTION_KEEPALIVE, 2);
		writer_u16(w, reply->keepalive_100ms);
	}
	if (reply->key_tag_count > 0) {
		write_option(w, EDNS_OPTION_KEY_TAG, (size_t)2 * reply->key_tag_count);
		for (unsigned i = 0; i < reply->key_tag_count; i++)
			writer_u16(w, reply->key_tags[i]);
	}
	write_ede(w, reply->ede, reply->ede_text);
	write_ede(w, reply->ede2, (struct span){0});
}

size_t edns_size(const struct edns_reply *reply)
{
	size_t size = OPT_FIXED_SIZE;
	if (reply->nsid.len > 0)
		size += OPTION_HEADER_SIZE + reply->nsid.len;
	if (reply->cookie.len > 0)
		size += OPTION_HEADER_SIZE + reply->cookie.len;
	if (reply->keepalive_empty)
		size += OPTION_HEADER_SIZE;
	else if (reply->keepalive)
		size += OPTION_HEADER_SIZE + 2;
	if (reply->key_tag_count > 0)
		size += OPTION_HEADER_SIZE + (size_t)2 * reply->key_tag_count;
	if (reply->ede != EDE_NONE)
		size += OPTION_HEADER_SIZE + EDE_CODE_SIZE +
			text_len(reply->ede_text, EDNS_EDE_TEXT_MAX);
	if (reply->ede2 != EDE_NONE)
		size += OPTION_HEADER_SIZE + EDE_CODE_SIZE;
	return size;
}

/* The text is shortened to what ROOM_BYTES hold besides SIZE, the size of REPLY as it is. */
static void shorten_text(struct edns_reply *reply, size_t size, size_t room_bytes)
{
	size_t told = text_len(reply->ede_text, EDNS_EDE_TEXT_MAX);
	size_t rest = size - told;
	reply->ede_text.len =
		text_len(reply->ede_text, room_bytes > rest ? MIN(room_bytes - rest, told) : 0);
}

size_t edns_fit(struct edns_reply *reply, size_t room_bytes)
{
	size_t size = edns_size(reply);
	for (unsigned step = 0; size > room_bytes && step < 5; step++) {
		if (step == 0)
			reply->nsid = (struct span){0};
		else if (step == 1)
			shorten_text(reply, size, room_bytes);
		else if (step == 2)
			reply->ede2 = EDE_NONE;
		else if (step == 3)
			reply->ede = EDE_NONE;
		else
			reply->keepalive = reply->keepalive_empty = false;
		size = edns_size(reply);
	}
	return size;
}

size_t edns_render(const struct edns_reply *reply, uint8_t *out, size_t size_bytes)
{
	struct writer w = writer_of(out, size_bytes);

	writer_u8(&w, 0); /* owner: the root */
	writer_u16(&w, TYPE_OPT);
	writer_u16(&w, reply->size);
	writer_u8(&w, (uint8_t)(reply->rcode >> 4));
	writer_u8(&w, EDNS_VERSION);
	writer_u16(&w, reply->dnssec_ok ? FLAG_DO : 0);
	uint8_t *rdata_len = writer_reserve(&w, 2);
	write_options(&w, reply);
	size_t len = w.failed ? 0 : (size_t)(w.at - rdata_len) - 2;
	if (w.failed || len > UINT16_MAX)
		return 0;
	rdata_len[0] = (uint8_t)(len >> 8);
	rdata_len[1] = (uint8_t)len;
	return writer_len(&w);
}

bool edns_write(struct builder *b, const struct edns_reply *reply)
{
	size_t size = MIN(b->size, MESSAGE_MAX);
	if (size < b->len)
		return false;
	size_t len = edns_render(reply, b->wire + b->len, size - b->len);
	if (len == 0)
		return false;
	b->len += len;
	b->counts[1 + SECTION_ADDITIONAL]++;
	return true;
}
