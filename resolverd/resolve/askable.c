#include "resolve/askable.h"

/* Not of the world, by the registries of special-purpose addresses (RFC 6890). What endpoint.c calls
 * unusable stands there. Documentation networks, where nobody lives, are left out. */
static const struct endpoint_prefix internal[] = {
	{.family = 4, .bits = 8, .addr = {10}},		/* RFC 1918 */
	{.family = 4, .bits = 12, .addr = {172, 16}},	/* RFC 1918 */
	{.family = 4, .bits = 16, .addr = {192, 168}},	/* RFC 1918 */
	{.family = 4, .bits = 10, .addr = {100, 64}},	/* RFC 6598: pods of large clusters */
	{.family = 4, .bits = 8, .addr = {127}},	/* RFC 1122 */
	{.family = 4, .bits = 16, .addr = {169, 254}},	/* RFC 3927: the cloud's services */
	{.family = 4, .bits = 24, .addr = {192, 0, 0}}, /* RFC 6890: protocol assignments */
	{.family = 4,
	 .bits = 15,
	 .addr = {198, 18}},			 /* RFC 2544: pods, where 100.64/10 is used up */
	{.family = 4, .bits = 4, .addr = {240}}, /* RFC 1112, with broadcast */
	{.family = 6, .bits = 96},		 /* RFC 4291: ::1, and what was IPv4-compatible */
	{.family = 6, .bits = 48, .addr = {0, 0x64, 0xff, 0x9b, 0, 1}}, /* RFC 8215: local NAT64 */
	{.family = 6, .bits = 64, .addr = {1}},				/* RFC 6666: discarded */
	{.family = 6, .bits = 7, .addr = {0xfc}}, /* RFC 4193, fd00:ec2::/32 of AWS among them */
	{.family = 6, .bits = 10, .addr = {0xfe, 0x80}}, /* RFC 4291 §2.5.6 */
	{.family = 6, .bits = 10, .addr = {0xfe, 0xc0}}, /* RFC 3879: what was site-local */
};

/* Where an IPv6 address has an IPv4 address inside, which whoever translates it or unpacks a tunnel
 * would send to. */
static const struct {
	struct endpoint_prefix prefix;
	unsigned at;
	bool inverted;
} embedded[] = {
	{{.family = 6, .bits = 96, .addr = {[10] = 0xff, [11] = 0xff}},
	 12,
	 false}, /* RFC 4291 §2.5.5.2 */
	{{.family = 6, .bits = 96, .addr = {0, 0x64, 0xff, 0x9b}}, 12, false}, /* RFC 6052: NAT64 */
	{{.family = 6, .bits = 16, .addr = {0x20, 0x02}}, 2, false},	       /* RFC 3056: 6to4 */
	{{.family = 6, .bits = 32, .addr = {0x20, 0x01}}, 4, false}, /* RFC 4380: Teredo's server */
	{{.family = 6, .bits = 32, .addr = {0x20, 0x01}}, 12, true}, /* ... and its client */
};

/* RFC 5214 §6.1: ISATAP, in every prefix. */
static bool is_isatap(const struct endpoint *e)
{
	static const uint8_t mark[3] = {0x00, 0x5e, 0xfe};
	return e->family == 6 && (e->addr[8] & 0xfc) == 0 && memcmp(e->addr + 9, mark, 3) == 0;
}

static struct endpoint inner(const struct endpoint *e, unsigned at, bool inverted)
{
	uint8_t bytes[4];
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = inverted ? (uint8_t)~e->addr[at + i] : e->addr[at + i];
	return endpoint_of(span_of(bytes, sizeof(bytes)), e->port);
}

/* ---- own addresses --------------------------------------------------------------------------- */

/* Not keyed: nobody gains by finding an address that is taken for ours. */
uint64_t own_addresses_mark(const struct endpoint *e)
{
	uint64_t words[2];
	memcpy(words, e->addr, sizeof(words));
	uint64_t h = (words[0] ^ e->family) * UINT64_C(0x9e3779b97f4a7c15);
	h = (h ^ h >> 32 ^ words[1]) * UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

void own_addresses_put(struct own_addresses *own, uint32_t index, const struct endpoint *e)
{
	if (index < OWN_ADDRESSES_MAX)
		atomic_store_explicit(&own->marks[index], own_addresses_mark(e),
				      memory_order_relaxed);
}

void own_addresses_end(struct own_addresses *own, uint32_t count)
{
	atomic_store_explicit(&own->count, MIN(count, (uint32_t)OWN_ADDRESSES_MAX),
			      memory_order_release);
}

static bool is_own(const struct own_addresses *own, const struct endpoint *e)
{
	uint32_t count = own ? atomic_load_explicit(&own->count, memory_order_acquire) : 0;
	uint64_t mark = own_addresses_mark(e);
	for (uint32_t i = 0; i < count; i++)
		if (atomic_load_explicit(&own->marks[i], memory_order_relaxed) == mark)
			return true;
	return false;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* What the operator says of E, into *OUT; false: nothing. */
static bool ask_operator(const struct settings *s, const struct endpoint *e, enum askable *out)
{
	const struct access_rule *best = NULL;
	for (size_t i = 0; i < s->ask_count; i++) {
		const struct access_rule *rule = &s->ask[i];
		if (endpoint_prefix_covers(&rule->prefix, e) &&
		    (!best || rule->prefix.bits > best->prefix.bits))
			best = rule;
	}
	if (best)
		*out = best->allow ? ASKABLE_YES : ASKABLE_FORBIDDEN;
	return best;
}

/* E as it stands, whatever is inside. */
static enum askable check_plain(const struct settings *s, const struct own_addresses *own,
				const struct endpoint *e)
{
	enum askable said;
	if (e->family != 6 && endpoint_is_unusable(e))
		return ASKABLE_UNUSABLE;
	if (ask_operator(s, e, &said))
		return said;
	for (size_t i = 0; i < ARRAY_LEN(internal); i++)
		if (endpoint_prefix_covers(&internal[i], e))
			return ASKABLE_INTERNAL;
	return is_own(own, e) ? ASKABLE_OWN : ASKABLE_YES;
}

enum askable askable_check(const struct settings *s, const struct own_addresses *own,
			   const struct endpoint *e)
{
	enum askable said;
	if (endpoint_is_unusable(e))
		return ASKABLE_UNUSABLE;
	if (ask_operator(s, e, &said))
		return said;
	said = check_plain(s, own, e);
	for (size_t i = 0; said == ASKABLE_YES && i < ARRAY_LEN(embedded); i++) {
		struct endpoint v4 = inner(e, embedded[i].at, embedded[i].inverted);
		if (endpoint_prefix_covers(&embedded[i].prefix, e))
			said = check_plain(s, own, &v4);
	}
	if (said == ASKABLE_YES && is_isatap(e)) {
		struct endpoint v4 = inner(e, 12, false);
		said = check_plain(s, own, &v4);
	}
	return said;
}

bool askable_is_hint(const struct settings *s, const struct endpoint *e)
{
	for (unsigned i = 0; i < s->hints.count; i++) {
		const struct delegation_server *d = &s->hints.servers[i];
		for (unsigned k = 0; k < d->address_count; k++)
			if (d->addresses[k].family == e->family &&
			    memcmp(d->addresses[k].addr, e->addr, sizeof(e->addr)) == 0)
				return true;
	}
	return false;
}

const char *askable_text(enum askable a)
{
	static const char *const words[ASKABLE_COUNT] = {
		[ASKABLE_YES] = "an address of the world",
		[ASKABLE_UNUSABLE] = "nobody's address",
		[ASKABLE_INTERNAL] = "an internal address",
		[ASKABLE_OWN] = "an address of this machine",
		[ASKABLE_FORBIDDEN] = "an address that do-not-query names",
	};
	return words[a];
}
