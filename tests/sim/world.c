#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "dns/rdata.h"

const uint8_t world_poison[4] = {192, 0, 2, 66};

/* Addresses carry their index, so that a packet finds its host without a table: 198.51.0.0/16 and
 * 2001:db8::/32 (benchmarking and documentation, RFC 6890). */
enum { V4_FIRST = 198, V4_SECOND = 51 }; /* of the world: resolve/askable.h */

void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	arena_init(&w->arena, (size_t)64 << 20);
}

void world_deinit(struct world *w)
{
	arena_deinit(&w->arena);
}

void *world_alloc(struct world *w, size_t size_bytes)
{
	void *out = arena_alloc(&w->arena, size_bytes);
	REQUIRE(out);
	return out;
}

static const uint8_t *keep_name(struct world *w, const uint8_t *name)
{
	size_t len = dname_len(name);
	uint8_t *out = world_alloc(w, len);
	memcpy(out, name, len);
	return out;
}

const uint8_t *world_name(struct world *w, const char *text)
{
	uint8_t wire[DNAME_MAX];
	size_t len;
	REQUIRE(dname_parse(text, wire, &len) == OK);
	return keep_name(w, wire);
}

const uint8_t *world_label(struct world *w, const uint8_t *parent, const char *format, ...)
{
	char label[64];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(label, sizeof(label), format, args);
	va_end(args);
	size_t parent_len = dname_len(parent);
	REQUIRE(len > 0 && len < 64 && parent_len + (size_t)len + 1 <= DNAME_MAX);
	uint8_t *out = world_alloc(w, parent_len + (size_t)len + 1);
	out[0] = (uint8_t)len;
	memcpy(out + 1, label, (size_t)len);
	memcpy(out + 1 + len, parent, parent_len);
	return out;
}

struct zone *world_zone(struct world *w, const uint8_t *apex, struct zone *parent)
{
	REQUIRE(w->zone_count < WORLD_ZONES_MAX);
	struct zone *z = world_alloc(w, sizeof(*z));
	z->apex = apex;
	z->parent = parent;
	w->zones[w->zone_count++] = z;
	return z;
}

static void host_address(struct world *w, struct host *h, bool v4)
{
	REQUIRE(w->address_count < ARRAY_LEN(w->by_address));
	REQUIRE(h->address_count < HOST_ADDRESSES_MAX);
	unsigned index = w->address_count++;
	w->by_address[index] = h;
	uint8_t bytes[16] = {V4_FIRST, V4_SECOND, (uint8_t)(index >> 8), (uint8_t)index};
	if (!v4) {
		static const uint8_t prefix[4] = {0x20, 0x01, 0x0d, 0xb8};
		memset(bytes, 0, sizeof(bytes));
		memcpy(bytes, prefix, sizeof(prefix));
		bytes[4] = (uint8_t)(index >> 8); /* each in a network of its own */
		bytes[5] = (uint8_t)index;
		bytes[14] = (uint8_t)(index >> 8);
		bytes[15] = (uint8_t)index;
	}
	h->addresses[h->address_count++] = endpoint_of(span_of(bytes, v4 ? 4 : 16), 53);
}

struct host *world_host(struct world *w, const uint8_t *name, struct zone *home, unsigned v4,
			unsigned v6, uint32_t ttl_s)
{
	REQUIRE(w->host_count < WORLD_HOSTS_MAX);
	struct host *h = world_alloc(w, sizeof(*h));
	h->number = w->host_count;
	h->name = name;
	h->home = home;
	h->quirks.delay_us = 5000;
	h->quirks.follows_aliases = true;
	w->hosts[w->host_count++] = h;
	for (unsigned i = 0; i < v4; i++)
		host_address(w, h, true);
	for (unsigned i = 0; i < v6; i++)
		host_address(w, h, false);
	h->glue_count = h->address_count;
	for (unsigned i = 0; home && i < h->address_count; i++)
		zone_add_address(w, home, name, ttl_s, &h->addresses[i]);
	return h;
}

void world_serve(struct host *host, struct zone *zone)
{
	REQUIRE(zone->host_count < ZONE_HOSTS_MAX);
	for (unsigned i = 0; i < zone->host_count; i++)
		if (zone->hosts[i] == host)
			return;
	zone->hosts[zone->host_count++] = host;
	REQUIRE(host->zone_count < HOST_ZONES_MAX);
	host->zones[host->zone_count++] = zone;
}

struct host *world_host_at(const struct world *w, const struct endpoint *e)
{
	unsigned at = e->family == 4 ? 2 : 14;
	unsigned index = (unsigned)(e->addr[at] << 8 | e->addr[at + 1]);
	if (e->port != 53 || index >= w->address_count)
		return NULL;
	struct host *h = w->by_address[index];
	for (unsigned i = 0; i < h->address_count; i++)
		if (endpoint_equal(&h->addresses[i], e))
			return h;
	return NULL;
}

void world_swap(struct change *c)
{
	struct rrset now = *c->set;
	*c->set = c->other;
	c->other = now;
}

static bool is_reached(const struct zone *z)
{
	for (; z; z = z->parent)
		if (z->revoked)
			return false;
	return true;
}

struct zone *world_zone_for(const struct world *w, const uint8_t *name, uint16_t type)
{
	struct zone *best = NULL;
	size_t best_len = 0;
	for (unsigned i = 0; i < w->zone_count; i++) {
		struct zone *z = w->zones[i];
		size_t len = dname_len(z->apex);
		if (len <= best_len || !dname_is_within(name, z->apex) || !is_reached(z))
			continue;
		if (type == TYPE_DS && z->parent && dname_equal(name, z->apex))
			continue;
		best = z;
		best_len = len;
	}
	REQUIRE(best); /* the root encloses everything */
	return best;
}

/* ---- filling a zone -------------------------------------------------------------------------- */

void zone_add(struct world *w, struct zone *z, const uint8_t *owner, uint16_t type, uint32_t ttl_s,
	      struct span rdata)
{
	REQUIRE(!z->nodes);
	if (z->rr_count == z->rr_capacity) {
		size_t capacity = z->rr_capacity ? 2 * z->rr_capacity : 32;
		struct rr *rrs = world_alloc(w, capacity * sizeof(*rrs));
		if (z->rr_count)
			memcpy(rrs, z->rrs, z->rr_count * sizeof(*rrs));
		z->rrs = rrs;
		z->rr_capacity = capacity;
	}
	uint8_t *bytes = world_alloc(w, rdata.len + 1);
	if (rdata.len)
		memcpy(bytes, rdata.at, rdata.len);
	z->rrs[z->rr_count++] = (struct rr){owner, type, ttl_s, span_of(bytes, rdata.len)};
}

void zone_add_name(struct world *w, struct zone *z, const uint8_t *owner, uint16_t type,
		   uint32_t ttl_s, const uint8_t *target)
{
	zone_add(w, z, owner, type, ttl_s, span_of(target, dname_len(target)));
}

void zone_add_address(struct world *w, struct zone *z, const uint8_t *owner, uint32_t ttl_s,
		      const struct endpoint *e)
{
	bool v4 = e->family == 4;
	zone_add(w, z, owner, v4 ? TYPE_A : TYPE_AAAA, ttl_s, span_of(e->addr, v4 ? 4 : 16));
}

void zone_add_soa(struct world *w, struct zone *z, uint32_t ttl_s, uint32_t minimum_s)
{
	uint8_t rdata[2 * DNAME_MAX + 20];
	struct writer out = writer_of(rdata, sizeof(rdata));
	const uint8_t *mname = world_label(w, z->apex, "ns");
	const uint8_t *rname = world_label(w, z->apex, "hostmaster");
	writer_bytes(&out, span_of(mname, dname_len(mname)));
	writer_bytes(&out, span_of(rname, dname_len(rname)));
	writer_u32(&out, 1);
	writer_u32(&out, 7200);
	writer_u32(&out, 3600);
	writer_u32(&out, 1209600);
	writer_u32(&out, minimum_s);
	zone_add(w, z, z->apex, TYPE_SOA, ttl_s, writer_span(&out));
}

void zone_delegate(struct world *w, struct zone *z, uint32_t parent_ttl_s, uint32_t child_ttl_s,
		   bool sibling_glue)
{
	for (unsigned i = 0; i < z->host_count; i++) {
		const struct host *h = z->hosts[i];
		zone_add_name(w, z, z->apex, TYPE_NS, child_ttl_s, h->name);
		if (!z->parent)
			continue;
		zone_add_name(w, z->parent, z->apex, TYPE_NS, parent_ttl_s, h->name);
		bool below = dname_is_within(h->name, z->apex);
		bool beside = dname_is_within(h->name, z->parent->apex) && h->home != z->parent;
		if (!below && !(beside && sibling_glue))
			continue;
		for (unsigned a = 0; a < h->glue_count; a++)
			zone_add_address(w, z->parent, h->name, parent_ttl_s, &h->addresses[a]);
	}
}

static int compare_rrs(const void *a, const void *b)
{
	const struct rr *x = a, *y = b;
	int order = dname_compare(x->owner, y->owner);
	return order ? order : x->type - y->type;
}

/* RRs [first, end) are one RRset: pack it. Glue may have been added twice; sorting drops that. */
static void seal_set(struct world *w, const struct rr *first, const struct rr *end,
		     struct rrset *out)
{
	struct span rdatas[RRSET_RECORDS_MAX];
	size_t count = 0;
	uint32_t ttl_s = first->ttl_s;
	for (const struct rr *rr = first; rr < end; rr++) {
		REQUIRE(count < ARRAY_LEN(rdatas));
		rdatas[count++] = rr->rdata;
		ttl_s = MIN(ttl_s, rr->ttl_s);
	}
	REQUIRE(rrset_from_rdatas(first->owner, first->type, ttl_s, rdatas, count, &w->arena,
				  out) == OK);
}

void zone_seal(struct world *w, struct zone *z)
{
	qsort(z->rrs, z->rr_count, sizeof(*z->rrs), compare_rrs);
	z->nodes = world_alloc(w, (z->rr_count + 1) * sizeof(*z->nodes));
	struct rrset *sets = world_alloc(w, (z->rr_count + 1) * sizeof(*sets));
	const struct rr *rr = z->rrs, *end = z->rrs + z->rr_count;
	while (rr < end) {
		struct node *node = z->node_count ? &z->nodes[z->node_count - 1] : NULL;
		if (!node || !dname_equal(node->owner, rr->owner)) {
			node = &z->nodes[z->node_count++];
			*node = (struct node){.owner = rr->owner, .sets = sets};
		}
		const struct rr *next = rr + 1;
		while (next < end && compare_rrs(next, rr) == 0)
			next++;
		seal_set(w, rr, next, sets++);
		node->set_count++;
		rr = next;
	}
}

/* ---- reading a zone -------------------------------------------------------------------------- */

/* Index of the first node that is not before NAME. */
static size_t node_position(const struct zone *z, const uint8_t *name)
{
	size_t low = 0, high = z->node_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (dname_compare(z->nodes[middle].owner, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct node *zone_node(const struct zone *z, const uint8_t *name)
{
	size_t at = node_position(z, name);
	if (at == z->node_count || z->nodes[at].hidden || !dname_equal(z->nodes[at].owner, name))
		return NULL;
	return &z->nodes[at];
}

bool zone_has_name(const struct zone *z, const uint8_t *name)
{
	size_t at = node_position(z, name);
	for (; at < z->node_count && dname_is_within(z->nodes[at].owner, name); at++)
		if (!z->nodes[at].hidden)
			return true;
	return false;
}

struct rrset *node_set(const struct node *n, uint16_t type)
{
	if (n && type == TYPE_NSEC)
		return n->nsec;
	for (unsigned i = 0; n && i < n->set_count; i++)
		if (n->sets[i].type == type)
			return &n->sets[i];
	return NULL;
}

static void lookup_at_node(const struct node *n, uint16_t type, struct lookup *out)
{
	out->node = n;
	out->set = node_set(n, type);
	out->found = FOUND_ANSWER;
	if (out->set || type == TYPE_ANY)
		return;
	out->set = node_set(n, TYPE_CNAME);
	if (out->set) {
		out->found = FOUND_CNAME;
		return;
	}
	out->found = FOUND_NODATA;
	out->node = NULL;
}

static void lookup_wildcard(const struct zone *z, const uint8_t *encloser, uint16_t type,
			    struct lookup *out)
{
	uint8_t wildcard[DNAME_MAX];
	const struct node *n = NULL;
	if (dname_wildcard(encloser, wildcard) == OK)
		n = zone_node(z, wildcard);
	if (!n) {
		out->found = FOUND_NXDOMAIN;
		return;
	}
	lookup_at_node(n, type, out);
	out->wildcard = true;
}

void zone_lookup(const struct zone *z, const uint8_t *name, uint16_t type, struct lookup *out)
{
	*out = (struct lookup){.found = FOUND_NODATA};
	unsigned apex_labels = dname_label_count(z->apex), labels = dname_label_count(name);
	const uint8_t *encloser = z->apex;
	for (unsigned i = apex_labels; i <= labels; i++) {
		const uint8_t *here = dname_skip(name, labels - i);
		const struct node *n = zone_node(z, here);
		if (!n && !zone_has_name(z, here)) {
			lookup_wildcard(z, encloser, type, out);
			return;
		}
		encloser = here;
		if (i > apex_labels && (out->set = node_set(n, TYPE_NS)) != NULL &&
		    !(i == labels && type == TYPE_DS)) {
			out->found = FOUND_REFERRAL;
			out->node = n;
			return;
		}
		if (i < labels && (out->set = node_set(n, TYPE_DNAME)) != NULL) {
			out->found = FOUND_DNAME;
			out->node = n;
			return;
		}
		if (i == labels && n)
			lookup_at_node(n, type, out);
	}
}
