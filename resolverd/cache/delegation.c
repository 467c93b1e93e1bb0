#include "cache/delegation.h"

#include "base/cursor.h"

enum { PORT_DNS = 53, DOUBTFUL = 0x80 };

static size_t address_size(uint8_t family)
{
	return family == 4 ? 4 : family == 6 ? 16 : 0;
}

enum err delegation_pack(const struct delegation *d, struct arena *arena, struct span *out)
{
	REQUIRE(d->count <= DELEGATION_SERVERS_MAX);
	size_t size = 0;
	for (size_t i = 0; i < d->count; i++) {
		const struct delegation_server *server = &d->servers[i];
		REQUIRE(server->address_count <= DELEGATION_ADDRESSES_MAX);
		size += 1 + dname_len(server->name);
		for (size_t k = 0; k < server->address_count; k++)
			size += 1 + address_size(server->addresses[k].family);
	}
	uint8_t *bytes = arena_alloc(arena, MAX(size, 1));
	if (!bytes)
		return ERR_NO_MEMORY;
	struct writer w = writer_of(bytes, size);
	for (size_t i = 0; i < d->count; i++) {
		const struct delegation_server *server = &d->servers[i];
		writer_u8(&w, (uint8_t)(server->address_count | (server->doubtful ? DOUBTFUL : 0)));
		writer_bytes(&w, span_of(server->name, dname_len(server->name)));
		for (size_t k = 0; k < server->address_count; k++) {
			const struct endpoint *address = &server->addresses[k];
			REQUIRE(address_size(address->family) > 0);
			writer_u8(&w, address->family);
			writer_bytes(&w, span_of(address->addr, address_size(address->family)));
		}
	}
	REQUIRE(!w.failed && writer_len(&w) == size);
	*out = span_of(bytes, size);
	return OK;
}

static enum err unpack_server(struct reader *r, struct delegation_server *out)
{
	uint8_t first = reader_u8(r);
	out->doubtful = (first & DOUBTFUL) != 0;
	out->address_count = (uint8_t)(first & ~DOUBTFUL);
	if (r->failed || out->address_count > DELEGATION_ADDRESSES_MAX)
		return ERR_MALFORMED;
	size_t len;
	if (dname_view(span_of(r->at, reader_left(r)), &len) != OK)
		return ERR_MALFORMED;
	out->name = reader_bytes(r, len).at;
	for (size_t k = 0; k < out->address_count; k++) {
		size_t size = address_size(reader_u8(r));
		struct span address = reader_bytes(r, size);
		if (r->failed || size == 0)
			return ERR_MALFORMED;
		out->addresses[k] = endpoint_of(address, PORT_DNS);
	}
	return OK;
}

enum err delegation_unpack(struct span packed, struct delegation *out)
{
	struct reader r = reader_of(packed);
	out->count = 0;
	while (reader_left(&r) > 0) {
		if (out->count == DELEGATION_SERVERS_MAX)
			return ERR_MALFORMED;
		if (unpack_server(&r, &out->servers[out->count]) != OK)
			return ERR_MALFORMED;
		out->count++;
	}
	return OK;
}

static uint64_t hash_server(const struct delegation_server *s, const struct endpoint *address,
			    const struct hash_key *key)
{
	uint8_t bytes[DNAME_MAX + 1 + sizeof(address->addr)] = {0};
	size_t len = dname_lower(s->name, bytes);
	if (address) {
		bytes[len] = address->family;
		memcpy(bytes + len + 1, address->addr, address_size(address->family));
		len += 1 + address_size(address->family);
	}
	return hash_bytes(key, span_of(bytes, len));
}

uint64_t delegation_fingerprint(const struct delegation *d, const struct hash_key *key)
{
	uint64_t sum = d->count; /* so that the order does not matter */
	for (unsigned i = 0; i < d->count; i++) {
		const struct delegation_server *s = &d->servers[i];
		sum += hash_server(s, NULL, key);
		for (unsigned k = 0; k < s->address_count; k++)
			sum += hash_server(s, &s->addresses[k], key);
	}
	return sum;
}
