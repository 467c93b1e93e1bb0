#include "unit/cache_unit.h"

#include <stdio.h>

#include "cache/ranges.h"
#include "dns/types.h"

enum { MEMORY = 8 << 20, ARENA_CAP = 1 << 20, TTL_MS = 60000, HASH_LEN = 20 };

static struct arena arena;

static struct ranges *new_ranges(size_t memory_bytes)
{
	struct ranges *r;
	assert_int_equal(ranges_new(memory_bytes, &r), OK);
	arena_init(&arena, ARENA_CAP);
	return r;
}

static void free_ranges(struct ranges *r)
{
	arena_deinit(&arena);
	ranges_free(r);
}

/* A packed RRSIG of SIGNER without a signature, over a set of TYPE whose owner has LABELS; its length. */
static uint16_t write_sig(const struct unit_name *signer, uint16_t type, unsigned labels,
			  uint8_t *out)
{
	uint16_t len = (uint16_t)(18 + signer->len + 1);
	memset(out, 0, sizeof(len) + len);
	memcpy(out, &len, sizeof(len));
	out += sizeof(len);
	out[0] = (uint8_t)(type >> 8);
	out[1] = (uint8_t)type;
	out[2] = 13;
	out[3] = (uint8_t)labels;
	memcpy(out + 18, signer->wire, signer->len);
	return (uint16_t)(sizeof(len) + len);
}

static void put_rdata(struct ranges *r, const char *zone, const struct unit_name *owner,
		      uint16_t type, struct span rdata, int64_t expires_ms, int64_t at_ms)
{
	uint8_t packed[512], sig[64 + DNAME_MAX];
	uint16_t len = (uint16_t)rdata.len;
	struct unit_name signer = unit_name(zone);
	memcpy(packed, &len, sizeof(len));
	memcpy(packed + sizeof(len), rdata.at, rdata.len);
	uint16_t sig_len = write_sig(&signer, type, dname_label_count(owner->wire), sig);
	struct rrset set = {.owner = owner->wire,
			    .type = type,
			    .rclass = CLASS_IN,
			    .ttl_s = 60,
			    .rr_count = 1,
			    .sig_count = 1,
			    .rdata = span_of(packed, sizeof(len) + len),
			    .sigs = span_of(sig, sig_len)};
	struct proven proven;
	assert_int_equal(proven_again(&set, &proven), OK);
	ranges_put(r, &proven, unit_now(expires_ms).cache_ms, unit_now(at_ms));
}

static void put_nsec(struct ranges *r, const char *zone, const char *owner, const char *next,
		     int64_t expires_ms, int64_t at_ms)
{
	static const uint8_t bitmap[] = {0, 1, 0x40}; /* A */
	uint8_t rdata[DNAME_MAX + sizeof(bitmap)];
	struct unit_name o = unit_name(owner), n = unit_name(next);
	memcpy(rdata, n.wire, n.len);
	memcpy(rdata + n.len, bitmap, sizeof(bitmap));
	put_rdata(r, zone, &o, TYPE_NSEC, span_of(rdata, n.len + sizeof(bitmap)), expires_ms,
		  at_ms);
}

/* Owner of the NSEC found, as text; "-" if none. */
static const char *find_nsec(struct ranges *r, const char *zone, const char *name, int64_t at_ms)
{
	static char text[DNAME_TEXT_MAX];
	struct proven proven;
	enum err err = ranges_find_nsec(r, unit_name(zone).wire, unit_name(name).wire,
					unit_now(at_ms), &arena, &proven);
	if (err == ERR_NOT_FOUND)
		return "-";
	assert_int_equal(err, OK);
	const struct rrset set = proven.set;
	assert_int_equal(set.type, TYPE_NSEC);
	assert_int_equal(set.rr_count, 1);
	assert_int_equal(set.sig_count, 1);
	assert_true(dname_equal(proven.signer, unit_name(zone).wire));
	assert_false(proven_is_expanded(&proven));
	return dname_text(set.owner, text);
}

static void test_nsec(void **state)
{
	(void)state;
	/* RFC 4034 §6.1's example of canonical order is the zone; c.z.example. to the apex is last. */
	static const struct {
		const char *owner, *next;
	} zone[] = {
		{"example.", "a.example."},
		{"a.example.", "yljkjljk.a.example."},
		{"yljkjljk.a.example.", "Z.a.example."},
		{"Z.a.example.", "zABC.a.EXAMPLE."},
		{"z.example.", "c.z.example."},
		{"c.z.example.", "example."},
	};
	static const struct {
		const char *why, *name, *want;
	} cases[] = {
		{"RFC 4034 §4: the apex matches", "example.", "example."},
		{"RFC 4034 §6.1: before the first label", "0.example.", "example."},
		{"RFC 4034 §6.1: a wildcard sorts first", "*.example.", "example."},
		{"RFC 4034 §4: a name matches", "a.example.", "a.example."},
		{"RFC 4034 §6.1: case is folded", "A.eXample.", "a.example."},
		{"RFC 4034 §6.1: a child follows its parent", "b.a.example.", "a.example."},
		{"RFC 4034 §6.1: and its children", "x.yljkjljk.a.example.", "yljkjljk.a.example."},
		{"RFC 4034 §6.1: below Z", "x.z.a.example.", "z.a.example."},
		{"nothing known behind zABC.a", "zabc.a.example.", "-"},
		{"nothing known before z", "b.example.", "-"},
		{"RFC 4034 §6.1: between z and c.z", "a.z.example.", "z.example."},
		{"RFC 4034 §4.1.1: the last one holds to the end", "d.z.example.", "c.z.example."},
		{"RFC 4034 §4.1.1: the last one holds to the end", "zz.example.", "c.z.example."},
		{"RFC 4035 §5.4: outside the zone", "example.com.", "-"},
		{"RFC 4035 §5.4: above the zone", ".", "-"},
	};
	struct ranges *r = new_ranges(MEMORY);
	for (size_t i = 0; i < ARRAY_LEN(zone); i++)
		put_nsec(r, "EXAMPLE.", zone[(i + 3) % 6].owner, zone[(i + 3) % 6].next, TTL_MS, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = find_nsec(r, "example.", cases[i].name, 0);
		if (strcasecmp(got, cases[i].want) != 0)
			fail_msg("%s: %s: want %s, got %s", cases[i].why, cases[i].name,
				 cases[i].want, got);
	}
	free_ranges(r);
}

static void test_refused_nsec(void **state)
{
	(void)state;
	static const struct {
		const char *why, *owner, *next;
	} cases[] = {
		{"RFC 4035 §5.4: owner outside the zone", "example.com.", "example."},
		{"RFC 4035 §5.4: next outside the zone", "a.example.", "z.com."},
		{"RFC 4034 §4.1.1: next above the zone", "a.example.", "."},
		{"RFC 4034 §4.1.1: backwards", "b.example.", "a.example."},
		{"RFC 4034 §4.1.1: to itself", "b.example.", "b.example."},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ranges *r = new_ranges(MEMORY);
		size_t empty = ranges_used_bytes(r);
		put_nsec(r, "example.", cases[i].owner, cases[i].next, TTL_MS, 0);
		CHECK(cases[i].why, ranges_used_bytes(r) == empty);
		free_ranges(r);
	}
	struct ranges *r = new_ranges(MEMORY);
	size_t empty = ranges_used_bytes(r);
	struct unit_name owner = unit_name("a.example.");
	put_rdata(r, "example.", &owner, TYPE_NSEC, span_of("\1b\7example\0\0\0", 12), TTL_MS, 0);
	CHECK("RFC 4034 §4.1.2: a window of no bytes", ranges_used_bytes(r) == empty);
	put_nsec(r, "example.", "a.example.", "b.example.", 1000, 1000);
	CHECK("expired before it came", ranges_used_bytes(r) == empty);
	put_nsec(r, "example.", "example.", "example.", TTL_MS, 0);
	CHECK("RFC 4034 §4.1.1: a zone of its apex alone",
	      strcmp(find_nsec(r, "example.", "x.example.", 0), "-"));
	free_ranges(r);
}

static void test_newer_ranges_win(void **state)
{
	(void)state;
	struct ranges *r = new_ranges(MEMORY);
	put_nsec(r, "example.", "a.example.", "b.example.", TTL_MS, 0);
	put_nsec(r, "example.", "b.example.", "c.example.", TTL_MS, 0);
	put_nsec(r, "example.", "c.example.", "d.example.", TTL_MS, 0);
	put_nsec(r, "example.", "a.example.", "c.example.", TTL_MS, 0); /* b is gone */
	assert_string_equal(find_nsec(r, "example.", "b.example.", 0), "a.example.");
	assert_string_equal(find_nsec(r, "example.", "bb.example.", 0), "a.example.");
	assert_string_equal(find_nsec(r, "example.", "c.example.", 0), "c.example.");
	put_nsec(r, "example.", "a.example.", "aa.example.", TTL_MS, 0); /* aa is new */
	put_nsec(r, "example.", "aa.example.", "c.example.", TTL_MS, 0);
	assert_string_equal(find_nsec(r, "example.", "aa.example.", 0), "aa.example.");
	assert_string_equal(find_nsec(r, "example.", "a0.example.", 0), "a.example.");
	free_ranges(r);
}

static void test_expiry(void **state)
{
	(void)state;
	struct ranges *r = new_ranges(MEMORY);
	uint8_t zone[DNAME_MAX];
	uint16_t type;
	struct proven proven;
	size_t empty = ranges_used_bytes(r);
	put_nsec(r, "example.", "a.example.", "c.example.", 10000, 0);
	put_nsec(r, "example.", "c.example.", "example.", 20000, 0);
	assert_int_equal(ranges_find_nsec(r, unit_name("example.").wire,
					  unit_name("b.example.").wire, unit_now(2500), &arena,
					  &proven),
			 OK);
	assert_int_equal(proven.set.ttl_s, 7);
	assert_string_equal(find_nsec(r, "example.", "b.example.", 9999), "a.example.");
	assert_string_equal(find_nsec(r, "example.", "b.example.", 10000), "-");
	assert_string_equal(find_nsec(r, "example.", "d.example.", 10000), "c.example.");
	assert_int_not_equal(ranges_zone(r, unit_name("x.example.").wire, unit_now(0), zone, &type),
			     0);
	assert_string_equal(find_nsec(r, "example.", "d.example.", 20000), "-");
	assert_int_equal(ranges_used_bytes(r), empty); /* with its last range the zone went */
	assert_int_equal(ranges_zone(r, unit_name("x.example.").wire, unit_now(0), zone, &type), 0);
	free_ranges(r);
}

static void test_zones_nest(void **state)
{
	(void)state;
	static const struct {
		const char *why, *name, *want;
	} cases[] = {
		{"the zone itself", "example.", "example."},
		{"below", "x.y.example.", "example."},
		{"the deepest one", "sub.Example.", "sub.example."},
		{"below the deepest one", "a.b.sub.example.", "sub.example."},
		{"labels end at dots", "xsub.example.", "example."},
		{"nothing but the root", "com.", "."},
		{"the root", ".", "."},
	};
	struct ranges *r = new_ranges(MEMORY);
	uint8_t zone[DNAME_MAX];
	uint16_t type;
	char text[DNAME_TEXT_MAX];
	assert_int_equal(ranges_zone(r, unit_name("a.").wire, unit_now(0), zone, &type), 0);
	put_nsec(r, ".", ".", "aaa.", TTL_MS, 0);
	put_nsec(r, "example.", "example.", "z.example.", TTL_MS, 0);
	put_nsec(r, "sub.example.", "sub.example.", "sub.example.", TTL_MS, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct unit_name name = unit_name(cases[i].name);
		size_t len = ranges_zone(r, name.wire, unit_now(0), zone, &type);
		CHECK(cases[i].why, len == unit_name(cases[i].want).len);
		CHECK(cases[i].why, strcmp(dname_text(zone, text), cases[i].want) == 0);
		CHECK(cases[i].why, type == TYPE_NSEC);
	}
	assert_int_equal(ranges_flush(r, unit_name("EXAMPLE.").wire), 2);
	assert_int_equal(ranges_zone(r, unit_name("a.sub.example.").wire, unit_now(0), zone, &type),
			 1);
	assert_int_equal(ranges_flush_zone(r, unit_name("sub.example.").wire), 0);
	assert_int_equal(ranges_flush(r, unit_name(".").wire), 1);
	assert_int_equal(ranges_zone(r, unit_name("a.sub.example.").wire, unit_now(0), zone, &type),
			 0);
	free_ranges(r);
}

/* ---- NSEC3 ---- */

static void base32hex(const uint8_t hash[static HASH_LEN], char out[33])
{
	for (size_t i = 0; i < 32; i++) {
		unsigned value = 0;
		for (size_t bit = i * 5; bit < i * 5 + 5; bit++)
			value = value << 1 | (hash[bit / 8] >> (7 - bit % 8) & 1U);
		out[i] = "0123456789ABCDEFGHIJKLMNOPQRSTUV"[value];
	}
	out[32] = '\0';
}

/* Hashes that begin with the given byte, the rest is the same for all. */
static void make_hash(uint8_t first, uint8_t out[static HASH_LEN])
{
	for (size_t i = 0; i < HASH_LEN; i++)
		out[i] = (uint8_t)(17 * i + 5);
	out[0] = first;
}

struct nsec3 {
	const char *zone;
	uint8_t algorithm, owner, next;
	uint16_t iterations;
	const char *salt;
	unsigned hash_len; /* 0: as it should be */
};

static void put_nsec3(struct ranges *r, const struct nsec3 *n)
{
	uint8_t rdata[128], owner[HASH_LEN], *at = rdata;
	char label[33], text[128];
	make_hash(n->owner, owner);
	base32hex(owner, label);
	snprintf(text, sizeof(text), "%s.%s", label, n->zone);
	*at++ = n->algorithm;
	*at++ = 0;
	*at++ = (uint8_t)(n->iterations >> 8);
	*at++ = (uint8_t)n->iterations;
	*at++ = (uint8_t)strlen(n->salt);
	at = mempcpy(at, n->salt, strlen(n->salt));
	*at++ = (uint8_t)(n->hash_len ? n->hash_len : HASH_LEN);
	make_hash(n->next, at);
	at += n->hash_len ? n->hash_len : HASH_LEN;
	at = mempcpy(at, "\0\1\x40", 3);
	struct unit_name name = unit_name(text);
	put_rdata(r, "example.", &name, TYPE_NSEC3, span_of(rdata, (size_t)(at - rdata)), TTL_MS,
		  0);
}

/* First byte of the hash whose record was found, -1 if none. */
static int find_nsec3(struct ranges *r, uint8_t first, int last_delta)
{
	struct proven proven;
	uint8_t hash[HASH_LEN], other[HASH_LEN];
	make_hash(first, hash);
	hash[HASH_LEN - 1] = (uint8_t)(hash[HASH_LEN - 1] + last_delta);
	if (ranges_find_nsec3(r, unit_name("example.").wire, hash, unit_now(0), &arena, &proven) !=
	    OK)
		return -1;
	for (int i = 0; i < 256; i++) {
		char label[33];
		make_hash((uint8_t)i, other);
		base32hex(other, label);
		if (strncasecmp(label, (const char *)proven.set.owner + 1, 32) == 0)
			return i;
	}
	return -2;
}

static void test_nsec3(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint8_t hash;
		int delta, want;
	} cases[] = {
		{"RFC 5155 §8.3: matches", 0x40, 0, 0x40},
		{"RFC 5155 §8.3: just behind it", 0x40, 1, 0x40},
		{"RFC 5155 §8.3: just before it", 0x40, -1, 0x10},
		{"RFC 5155 §8.3: within", 0x30, 0, 0x10},
		{"the next hash itself is another record's", 0x80, 0, -1},
		{"just before the next hash", 0x80, -1, 0x40},
		{"a gap in what is known", 0x90, 0, -1},
		{"RFC 5155 §3.1.7: the last matches", 0xf0, 0, 0xf0},
		{"RFC 5155 §3.1.7: the last goes to the end", 0xff, 0, 0xf0},
		{"RFC 5155 §3.1.7: and round to the first", 0x00, 0, 0xf0},
		{"RFC 5155 §3.1.7: up to the first", 0x10, -1, 0xf0},
		{"RFC 5155 §3.1.7: the first itself", 0x10, 0, 0x10},
	};
	struct ranges *r = new_ranges(MEMORY);
	put_nsec3(r, &(struct nsec3){"example.", 1, 0xf0, 0x10, 0, "", 0});
	put_nsec3(r, &(struct nsec3){"example.", 1, 0x10, 0x40, 0, "", 0});
	put_nsec3(r, &(struct nsec3){"EXAMPLE.", 1, 0x40, 0x80, 0, "", 0});
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int got = find_nsec3(r, cases[i].hash, cases[i].delta);
		if (got != cases[i].want)
			fail_msg("%s: want %d, got %d", cases[i].why, cases[i].want, got);
	}
	free_ranges(r);

	r = new_ranges(MEMORY);
	put_nsec3(r, &(struct nsec3){"example.", 1, 0x20, 0x20, 0, "", 0});
	for (int first = 0; first < 256; first++)
		assert_int_equal(find_nsec3(r, (uint8_t)first, 0),
				 0x20); /* the only one covers all */
	free_ranges(r);

	r = new_ranges(MEMORY);
	put_nsec3(r, &(struct nsec3){"example.", 1, 0x20, 0x30, 0, "", 0});
	assert_int_equal(find_nsec3(r, 0x00, 0),
			 -1); /* the last known one is not the last there is */
	assert_int_equal(find_nsec3(r, 0x40, 0), -1);
	free_ranges(r);
}

static void test_nsec3_params(void **state)
{
	(void)state;
	struct ranges *r = new_ranges(MEMORY);
	struct ranges_nsec3_params params;
	struct unit_name zone = unit_name("Example.");
	uint8_t found[DNAME_MAX];
	uint16_t type;
	assert_int_equal(ranges_nsec3_params(r, zone.wire, &params), ERR_NOT_FOUND);
	put_nsec3(r, &(struct nsec3){"example.", 1, 0x20, 0x30, 3, "salt", 0});
	put_nsec3(r, &(struct nsec3){"example.", 1, 0x50, 0x60, 3, "salt", 0});
	assert_int_equal(ranges_nsec3_params(r, zone.wire, &params), OK);
	assert_int_equal(params.algorithm, 1);
	assert_int_equal(params.iterations, 3);
	assert_int_equal(params.salt_len, 4);
	assert_memory_equal(params.salt, "salt", 4);
	assert_int_equal(find_nsec3(r, 0x21, 0), 0x20);

	/* RFC 5155 §4: another salt is another chain. */
	put_nsec3(r, &(struct nsec3){"example.", 1, 0x70, 0x80, 3, "pepper", 0});
	assert_int_equal(find_nsec3(r, 0x21, 0), -1);
	assert_int_equal(find_nsec3(r, 0x71, 0), 0x70);
	put_nsec3(r, &(struct nsec3){"example.", 1, 0x20, 0x30, 0, "pepper", 0});
	assert_int_equal(find_nsec3(r, 0x71, 0), -1);
	assert_int_equal(find_nsec3(r, 0x21, 0), 0x20);

	/* From NSEC3 to NSEC and back. */
	put_nsec(r, "example.", "example.", "b.example.", TTL_MS, 0);
	assert_int_equal(ranges_nsec3_params(r, zone.wire, &params), ERR_NOT_FOUND);
	assert_int_equal(find_nsec3(r, 0x21, 0), -1);
	assert_int_equal(ranges_zone(r, zone.wire, unit_now(0), found, &type), zone.len);
	assert_int_equal(type, TYPE_NSEC);
	put_nsec3(r, &(struct nsec3){"example.", 1, 0x20, 0x30, 0, "", 0});
	assert_string_equal(find_nsec(r, "example.", "a.example.", 0), "-");
	assert_int_equal(ranges_zone(r, zone.wire, unit_now(0), found, &type), zone.len);
	assert_int_equal(type, TYPE_NSEC3);
	free_ranges(r);
}

static void test_refused_nsec3(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		struct nsec3 nsec3;
	} cases[] = {
		{"RFC 5155 §3: one label above the zone", {"sub.example.", 1, 1, 2, 0, "", 0}},
		{"RFC 5155 §3: another zone", {"com.", 1, 1, 2, 0, "", 0}},
		{"RFC 5155 §3.1.7: a hash of another length", {"example.", 1, 1, 2, 0, "", 19}},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ranges *r = new_ranges(MEMORY);
		size_t empty = ranges_used_bytes(r);
		put_nsec3(r, &cases[i].nsec3);
		CHECK(cases[i].why, ranges_used_bytes(r) == empty);
		free_ranges(r);
	}
}

/* ---- bounds, and a large zone against a plain model ---- */

enum { MODEL_NAMES = 4000 };

/* Even numbers exist; each is followed by the next one that does. */
static void put_number(struct ranges *r, unsigned number)
{
	char owner[64], next[64];
	snprintf(owner, sizeof(owner), "n%06u.example.", number);
	snprintf(next, sizeof(next), "n%06u.example.", number + 2);
	put_nsec(r, "example.", owner, next, TTL_MS, 0);
}

static void test_model(void **state)
{
	(void)state;
	static bool there[MODEL_NAMES];
	struct ranges *r = new_ranges(MEMORY);
	struct rng rng;
	rng_init_seeded(&rng, 21);
	for (unsigned step = 0; step < 20000; step++) {
		unsigned number = rng_below(&rng, MODEL_NAMES);
		if (rng_below(&rng, 3) == 0) {
			put_number(r, number & ~1U);
			there[number & ~1U] = true;
			continue;
		}
		char name[64], want[64];
		snprintf(name, sizeof(name), "n%06u.example.", number);
		snprintf(want, sizeof(want), "n%06u.example.", number & ~1U);
		assert_string_equal(find_nsec(r, "example.", name, 0),
				    there[number & ~1U] ? want : "-");
		if (step % 1000 == 0)
			arena_deinit(&arena);
	}
	free_ranges(r);
}

static void test_memory_is_bounded(void **state)
{
	(void)state;
	enum { SMALL = 256 * 1024, ZONES = 5000 };
	struct ranges *r = new_ranges(SMALL);
	char zone[64], next[80];
	uint8_t found[DNAME_MAX];
	uint16_t type;
	unsigned kept = 0;
	for (unsigned i = 0; i < ZONES; i++) {
		snprintf(zone, sizeof(zone), "z%u.", i);
		snprintf(next, sizeof(next), "m.z%u.", i);
		put_nsec(r, zone, zone, next, TTL_MS + ZONES, i);
		assert_true(ranges_used_bytes(r) <= SMALL);
		assert_string_equal(find_nsec(r, zone, zone, i), zone);
		if (i > 0)
			assert_string_equal(find_nsec(r, "z0.", "z0.", i),
					    "z0."); /* in use: it stays */
	}
	for (unsigned i = 0; i < ZONES; i++) {
		snprintf(zone, sizeof(zone), "z%u.", i);
		kept += ranges_zone(r, unit_name(zone).wire, unit_now(ZONES), found, &type) > 0;
	}
	assert_in_range(kept, 100, ZONES / 4);

	/* One zone larger than the memory: it goes round in itself. */
	for (unsigned i = 0; i < 10000; i += 2) {
		put_number(r, i);
		assert_true(ranges_used_bytes(r) <= SMALL);
	}
	assert_string_equal(find_nsec(r, "example.", "n009999.example.", 0), "n009998.example.");
	free_ranges(r);

	assert_int_equal(ranges_new(RANGES_MEMORY_MIN - 1, &r), ERR_LIMIT);
	r = new_ranges(RANGES_MEMORY_MIN);
	put_number(r, 0);
	assert_string_equal(find_nsec(r, "example.", "n000001.example.", 0), "n000000.example.");
	free_ranges(r);
}

static void test_zone_is_bounded(void **state)
{
	(void)state;
	struct ranges *r = new_ranges(256 << 20);
	for (unsigned i = 0; i < RANGES_PER_ZONE_MAX; i++)
		put_number(r, 2 * i);
	size_t full = ranges_used_bytes(r);
	for (unsigned i = 0; i < 1000; i++)
		put_number(r, 2 * (RANGES_PER_ZONE_MAX + i));
	assert_true(ranges_used_bytes(r) <= full + full / 100);
	assert_string_equal(find_nsec(r, "example.", "n201999.example.", 0), "n201998.example.");
	free_ranges(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nsec),
		cmocka_unit_test(test_refused_nsec),
		cmocka_unit_test(test_newer_ranges_win),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_zones_nest),
		cmocka_unit_test(test_nsec3),
		cmocka_unit_test(test_nsec3_params),
		cmocka_unit_test(test_refused_nsec3),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_zone_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
