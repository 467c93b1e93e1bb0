#include "resolve/local.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "dns/rdata.h"

enum {
	BUILTIN_TTL_S = 10800, /* RFC 6303 §3 */
	BUILTIN_ZONES_MAX = 128,
	RDATA_MAX = 2 * DNAME_MAX + 20, /* an SOA */
};

/* ---- making ---------------------------------------------------------------------------------- */

static int compare_sets(const void *a, const void *b)
{
	const struct rrset *x = a, *y = b;
	int order = dname_compare(x->owner, y->owner);
	return order ? order : (int)x->type - (int)y->type;
}

static enum err add_set(struct rrset *sets, size_t *count, const uint8_t *owner, uint16_t type,
			struct span rdata, struct arena *arena)
{
	enum err err =
		rrset_from_rdatas(owner, type, BUILTIN_TTL_S, &rdata, 1, arena, &sets[*count]);
	if (err == OK)
		*count += 1;
	return err == ERR_NO_MEMORY ? ERR_NO_MEMORY : OK;
}

static bool has_apex_set(const struct local_zone *z, const struct rrset *sets, size_t count,
			 uint16_t type)
{
	for (size_t i = 0; i < count; i++) {
		if (sets[i].type == type && dname_equal(sets[i].owner, z->name))
			return true;
	}
	return false;
}

/* RFC 6303 §3: `@ 10800 IN SOA @ nobody.invalid. 1 3600 1200 604800 10800` and `@ 10800 IN NS @`. */
static enum err add_apex(const struct local_zone *z, struct rrset *sets, size_t *count,
			 struct arena *arena)
{
	static const uint8_t nobody[] = "\6nobody\7invalid";
	struct span apex = arena_copy(arena, span_of(z->name, dname_len(z->name)));
	if (!apex.at)
		return ERR_NO_MEMORY;
	if (!has_apex_set(z, sets, *count, TYPE_SOA)) {
		uint8_t soa[RDATA_MAX];
		struct writer w = writer_of(soa, sizeof(soa));
		writer_bytes(&w, apex);
		writer_bytes(&w, span_of(nobody, sizeof(nobody)));
		writer_u32(&w, 1);
		writer_u32(&w, 3600);
		writer_u32(&w, 1200);
		writer_u32(&w, 604800);
		writer_u32(&w, BUILTIN_TTL_S);
		enum err err = add_set(sets, count, apex.at, TYPE_SOA, writer_span(&w), arena);
		if (err)
			return err;
	}
	if (has_apex_set(z, sets, *count, TYPE_NS))
		return OK;
	return add_set(sets, count, apex.at, TYPE_NS, apex, arena);
}

enum err local_zone_fill(struct local_zone *z, const struct rrset *sets, size_t count,
			 struct arena *arena)
{
	struct rrset *own = arena_alloc(arena, (count + 2) * sizeof(*own));
	size_t filled = 0;
	if (!own)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		if (rrset_copy(&sets[i], arena, &own[filled++]) != OK)
			return ERR_NO_MEMORY;
	}
	if (z->action == LOCAL_STATIC || z->action == LOCAL_NODATA) {
		enum err err = add_apex(z, own, &filled, arena);
		if (err)
			return err;
	}
	qsort(own, filled, sizeof(*own), compare_sets);
	z->sets = own;
	z->set_count = filled;
	return OK;
}

/* Zones that are empty but for their SOA and NS. */
static const struct {
	const char *name;
	enum local_action action;
} empty_zones[] = {
	{"invalid.", LOCAL_STATIC},	  /* RFC 6761 §6.4 */
	{"test.", LOCAL_STATIC},	  /* RFC 6761 §6.2 */
	{"onion.", LOCAL_STATIC},	  /* RFC 7686 §2 */
	{"alt.", LOCAL_STATIC},		  /* RFC 9476 */
	{"home.arpa.", LOCAL_STATIC},	  /* RFC 8375 §4 */
	{"service.arpa.", LOCAL_STATIC},  /* RFC 9665 */
	{"resolver.arpa.", LOCAL_NODATA}, /* RFC 9462: no designated resolvers */
	/* RFC 6303 §4.1 and §4.2 */
	{"10.in-addr.arpa.", LOCAL_STATIC},
	{"168.192.in-addr.arpa.", LOCAL_STATIC},
	{"0.in-addr.arpa.", LOCAL_STATIC},
	{"254.169.in-addr.arpa.", LOCAL_STATIC},
	{"2.0.192.in-addr.arpa.", LOCAL_STATIC},
	{"100.51.198.in-addr.arpa.", LOCAL_STATIC},
	{"113.0.203.in-addr.arpa.", LOCAL_STATIC},
	{"255.255.255.255.in-addr.arpa.", LOCAL_STATIC},
	/* RFC 6303 §4.3 to §4.6 */
	{"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.", LOCAL_STATIC},
	{"d.f.ip6.arpa.", LOCAL_STATIC},
	{"8.e.f.ip6.arpa.", LOCAL_STATIC},
	{"9.e.f.ip6.arpa.", LOCAL_STATIC},
	{"a.e.f.ip6.arpa.", LOCAL_STATIC},
	{"b.e.f.ip6.arpa.", LOCAL_STATIC},
	{"8.b.d.0.1.0.0.2.ip6.arpa.", LOCAL_STATIC},
};

/* Runs of them: FIRST to LAST below SUFFIX. */
static const struct {
	unsigned first, last;
	const char *suffix;
} empty_runs[] = {
	{16, 31, "172.in-addr.arpa."},	/* RFC 6303 §4.1 */
	{64, 127, "100.in-addr.arpa."}, /* RFC 7793 */
};

/* Zones with data. */
static const struct {
	const char *zone, *owner;
	uint16_t type;
	const char *rdata;
	size_t rdata_len;
} builtin_data[] = {
	/* RFC 6761 §6.3: localhost and everything below it. */
	{"localhost.", "localhost.", TYPE_A, "\177\0\0\1", 4},
	{"localhost.", "localhost.", TYPE_AAAA, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16},
	{"localhost.", "*.localhost.", TYPE_A, "\177\0\0\1", 4},
	{"localhost.", "*.localhost.", TYPE_AAAA, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16},
	/* RFC 6303 §4.2, §4.3 */
	{"127.in-addr.arpa.", "1.0.0.127.in-addr.arpa.", TYPE_PTR, "\11localhost", 11},
	{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
	 "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.", TYPE_PTR,
	 "\11localhost", 11},
};

static enum err add_builtin(struct local_zone *zones, size_t *count, const char *name,
			    enum local_action action, struct arena *arena)
{
	struct local_zone *z = &zones[*count];
	struct rrset sets[ARRAY_LEN(builtin_data)];
	uint8_t owners[ARRAY_LEN(builtin_data)][DNAME_MAX];
	size_t len, set_count = 0;

	REQUIRE(*count < BUILTIN_ZONES_MAX);
	z->action = action;
	z->builtin = true;
	REQUIRE(dname_parse(name, z->name, &len) == OK);
	for (size_t i = 0; i < ARRAY_LEN(builtin_data); i++) {
		if (strcmp(builtin_data[i].zone, name) != 0)
			continue;
		REQUIRE(dname_parse(builtin_data[i].owner, owners[i], &len) == OK);
		enum err err =
			add_set(sets, &set_count, owners[i], builtin_data[i].type,
				span_of(builtin_data[i].rdata, builtin_data[i].rdata_len), arena);
		if (err)
			return err;
	}
	*count += 1;
	return local_zone_fill(z, sets, set_count, arena);
}

enum err local_builtin_zones(struct arena *arena, const struct local_zone **out, size_t *count)
{
	struct local_zone *zones = arena_alloc(arena, BUILTIN_ZONES_MAX * sizeof(*zones));
	size_t filled = 0;
	enum err err = zones ? OK : ERR_NO_MEMORY;

	for (size_t i = 0; i < ARRAY_LEN(empty_zones) && err == OK; i++)
		err = add_builtin(zones, &filled, empty_zones[i].name, empty_zones[i].action,
				  arena);
	for (size_t i = 0; i < ARRAY_LEN(empty_runs); i++) {
		for (unsigned n = empty_runs[i].first; n <= empty_runs[i].last && err == OK; n++) {
			char name[64];
			snprintf(name, sizeof(name), "%u.%s", n, empty_runs[i].suffix);
			err = add_builtin(zones, &filled, name, LOCAL_STATIC, arena);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(builtin_data) && err == OK; i++) {
		if (i == 0 || strcmp(builtin_data[i].zone, builtin_data[i - 1].zone) != 0)
			err = add_builtin(zones, &filled, builtin_data[i].zone, LOCAL_STATIC,
					  arena);
	}
	*out = zones;
	*count = err == OK ? filled : 0;
	return err;
}

/* ---- looking up ------------------------------------------------------------------------------ */

/* The first set whose owner is NAME or comes after it. Names below NAME follow it directly. */
static size_t seek(const struct local_zone *z, const uint8_t *name)
{
	size_t low = 0, high = z->set_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (dname_compare(z->sets[middle].owner, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* NAME owns data or lies above a name that does (RFC 8020: an empty non-terminal). */
static bool exists(const struct local_zone *z, const uint8_t *name)
{
	size_t at = seek(z, name);
	return at < z->set_count && dname_is_within(z->sets[at].owner, name);
}

/* RFC 4592 §3.3: the wildcard of NAME's closest encloser, into WILDCARD, if there is one. */
static bool find_wildcard(const struct local_zone *z, const uint8_t *name,
			  uint8_t wildcard[static DNAME_MAX])
{
	if (dname_equal(name, z->name))
		return false;
	const uint8_t *encloser = dname_skip(name, 1);
	while (!dname_equal(encloser, z->name) && !exists(z, encloser))
		encloser = dname_skip(encloser, 1);
	return dname_wildcard(encloser, wildcard) == OK && exists(z, wildcard);
}

static void add_answer(struct answer *out, const struct rrset *set, const uint8_t *owner)
{
	if (out->answer_count == ANSWER_SETS_MAX)
		return; /* ANY, for a name with more types than anybody needs */
	struct rrset *own = &out->answer[out->answer_count++];
	*own = *set;
	own->owner = owner;
	out->ttl_s = MIN(out->ttl_s, set->ttl_s);
}

/* NODATA or NXDOMAIN: the SOA, if the zone has one. */
static void deny(const struct local_zone *z, struct answer *out, uint8_t rcode)
{
	out->rcode = rcode;
	for (size_t i = seek(z, z->name);
	     i < z->set_count && dname_equal(z->sets[i].owner, z->name); i++) {
		struct soa_view soa;
		struct span rdata;
		struct rrset_iter it = rrset_records(&z->sets[i]);
		if (z->sets[i].type != TYPE_SOA || !rrset_next(&it, &rdata) ||
		    rdata_soa(rdata, &soa) != OK)
			continue;
		struct rrset *own = &out->authority[out->authority_count++];
		*own = z->sets[i];
		own->ttl_s = MIN(own->ttl_s, soa.minimum_s); /* RFC 2308 §3 */
		out->ttl_s = MIN(out->ttl_s, own->ttl_s);
		return;
	}
}

/* The sets of DATA_OWNER that answer QTYPE, told as NAME's. Returns the CNAME if there are none but
 * there is one. */
static const struct rrset *collect(const struct local_zone *z, const uint8_t *data_owner,
				   const uint8_t *name, uint16_t qtype, struct answer *out)
{
	const struct rrset *cname = NULL;
	uint32_t before = out->answer_count;
	for (size_t i = seek(z, data_owner); i < z->set_count; i++) {
		const struct rrset *set = &z->sets[i];
		if (!dname_equal(set->owner, data_owner))
			break;
		if (set->type == qtype || qtype == TYPE_ANY)
			add_answer(out, set, name);
		else if (set->type == TYPE_CNAME)
			cname = set;
	}
	return out->answer_count == before ? cname : NULL;
}

static __attribute__((noinline)) void answer_from_zone(const struct local_zone *z,
						       const uint8_t *qname, uint16_t qtype,
						       struct answer *out)
{
	const uint8_t *name = qname;
	uint8_t wildcard[DNAME_MAX];

	for (unsigned hops = 0; hops < LIMIT_ALIASES; hops++) {
		const uint8_t *data_owner = name;
		bool found = exists(z, name);
		if (!found && find_wildcard(z, name, wildcard)) {
			data_owner = wildcard;
			found = true;
		}
		if (!found && z->action == LOCAL_TRANSPARENT && hops > 0)
			return; /* the target is the public tree's */
		if (!found) {
			deny(z, out, z->action == LOCAL_NODATA ? RCODE_NOERROR : RCODE_NXDOMAIN);
			return;
		}
		uint32_t before = out->answer_count;
		const struct rrset *cname = collect(z, data_owner, name, qtype, out);
		if (!cname) {
			if (out->answer_count == before)
				deny(z, out, RCODE_NOERROR);
			return;
		}
		add_answer(out, cname, name);
		struct rrset_iter it = rrset_records(cname);
		struct span target;
		if (!rrset_next(&it, &target) || !dname_is_within(target.at, z->name))
			return;
		name = target.at;
	}
}

static bool owns_data(const struct local_zone *z, const uint8_t *name)
{
	size_t at = seek(z, name);
	return at < z->set_count && dname_equal(z->sets[at].owner, name);
}

/* For transparent zones, where an empty non-terminal is not ours to deny. */
static __attribute__((noinline)) bool has_data(const struct local_zone *z, const uint8_t *name)
{
	uint8_t wildcard[DNAME_MAX];
	if (exists(z, name))
		return owns_data(z, name);
	return find_wildcard(z, name, wildcard) && owns_data(z, wildcard);
}

static void begin_answer(const uint8_t *qname, uint16_t qtype, struct answer *out)
{
	*out = (struct answer){
		.qname = qname,
		.qtype = qtype,
		.verdict = VERDICT_INSECURE,
		.rank = RANK_ANSWER,
		.ede = EDE_NONE,
		.ttl_s = BUILTIN_TTL_S,
		.no_store = true,
		.local = true,
	};
}

enum local_result local_find(const struct settings *s, const uint8_t *qname, uint16_t qtype,
			     struct answer *out)
{
	unsigned labels = SETTINGS_ANY_DEPTH;
	const struct local_zone *z;

	/* From the deepest zone upwards; each is decided, but a transparent one without data. */
	while ((z = settings_local_zone(s, qname, qtype, &labels)) != NULL) {
		switch (z->action) {
		case LOCAL_REFUSE:
			begin_answer(qname, qtype, out);
			out->rcode = RCODE_REFUSED;
			out->ede = EDE_BLOCKED;
			out->text = "refused by a local zone";
			out->local = false; /* no data is told */
			return LOCAL_REFUSED;
		case LOCAL_STATIC:
		case LOCAL_NODATA:
			break;
		case LOCAL_TRANSPARENT:
			if (has_data(z, qname))
				break;
			continue;
		}
		begin_answer(qname, qtype, out);
		answer_from_zone(z, qname, qtype, out);
		return LOCAL_ANSWER;
	}
	return LOCAL_MISS;
}
