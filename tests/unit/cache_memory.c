#include "unit/cache_unit.h"

#include <stdio.h>

#include "cache/cache.h"

static struct unit_entry buffer;

static struct cache *new_cache(size_t memory_bytes)
{
	struct cache *c;
	struct cache_settings settings = {.memory_bytes = memory_bytes};
	assert_int_equal(cache_new(&settings, &c), OK);
	return c;
}

static struct cache_reader *new_reader(struct cache *c)
{
	struct cache_reader *r;
	assert_int_equal(cache_reader_new(c, &r), OK);
	return r;
}

static size_t used_bytes(struct cache *c)
{
	struct cache_stats stats;
	cache_read_stats(c, &stats);
	assert_true(stats.used_bytes <= stats.limit_bytes);
	return stats.used_bytes;
}

static const struct entry *find(struct cache_reader *r, const char *name, uint16_t type)
{
	struct unit_name n = unit_name(name);
	return cache_find(r, ENTRY_RRSET, n.wire, n.len, type);
}

/* "NUMBER.example." with labels above it on demand. */
static struct unit_name numbered(unsigned number, const char *prefix)
{
	char text[64];
	snprintf(text, sizeof(text), "%s%u.example.", prefix, number);
	return unit_name(text);
}

/* ---- against a model ---- */

enum { KEYS = 600, STEPS = 60000, SIZES_MAX = 256 };

struct model_key { /* what the cache may hold for a key: this or nothing */
	bool put;
	uint32_t stamp; /* the value that was put last, in the TTL */
};

struct model {
	struct cache *cache;
	struct cache_reader *reader;
	struct rng rng;
	struct model_key keys[KEYS];
	int64_t time_ms;
};

static struct unit_name model_name(unsigned key)
{
	return numbered(key / 3, key / 3 % 2 ? "www.x" : "");
}

static uint16_t model_type(unsigned key)
{
	return (uint16_t)(65280 + key % 3); /* RFC 6895 §3.1: private use */
}

static void model_put(struct model *m)
{
	unsigned key = rng_below(&m->rng, KEYS);
	struct now now = unit_now(m->time_ms);
	struct unit_name name = model_name(key);
	uint32_t ttl_s = 1 + rng_below(&m->rng, 1000);
	size_t size = rng_below(&m->rng, 10) == 0 ? rng_below(&m->rng, SIZES_MAX) : 4;
	struct entry *e = unit_entry(&buffer, name.wire, model_type(key), size, ttl_s, now);
	assert_int_equal(cache_put(m->cache, e, now), OK);
	m->keys[key] = (struct model_key){.put = true, .stamp = ttl_s};
	const struct entry *got =
		cache_find(m->reader, ENTRY_RRSET, name.wire, name.len, model_type(key));
	assert_non_null(got);
	assert_int_equal(got->ttl_s, ttl_s);
}

static void model_find(struct model *m)
{
	unsigned key = rng_below(&m->rng, KEYS);
	struct unit_name name = model_name(key);
	const struct entry *e =
		cache_find(m->reader, ENTRY_RRSET, name.wire, name.len, model_type(key));
	if (!e)
		return;
	assert_true(m->keys[key].put);
	assert_int_equal(e->ttl_s, m->keys[key].stamp);
	assert_int_equal(e->type, model_type(key));
	assert_true(entry_is_valid(e, e->size_bytes));
	assert_null(cache_find(m->reader, ENTRY_ANSWER, name.wire, name.len, model_type(key)));
}

static void model_remove(struct model *m)
{
	unsigned key = rng_below(&m->rng, KEYS);
	struct unit_name name = model_name(key);
	if (cache_remove(m->cache, ENTRY_RRSET, name.wire, model_type(key)))
		assert_true(m->keys[key].put);
	m->keys[key].put = false;
}

static bool count_one(void *context, const struct entry *e)
{
	assert_true(entry_is_valid(e, e->size_bytes));
	++*(uint64_t *)context;
	return true;
}

static void model_flush(struct model *m)
{
	unsigned key = rng_below(&m->rng, KEYS);
	bool subtree = rng_below(&m->rng, 2);
	uint16_t type = rng_below(&m->rng, 2) ? 0 : model_type(key);
	struct unit_name name = model_name(key);
	if (subtree && rng_below(&m->rng, 4) == 0)
		name = unit_name("EXAMPLE.");
	uint64_t before = 0, after = 0;
	cache_walk(m->cache, count_one, &before);
	uint64_t removed = cache_flush(m->cache, name.wire, type, subtree);
	cache_walk(m->cache, count_one, &after);
	assert_int_equal(before - after, removed);
	for (unsigned i = 0; i < KEYS; i++) {
		struct unit_name other = model_name(i);
		bool hit = subtree ? dname_is_within(other.wire, name.wire)
				   : dname_equal(other.wire, name.wire);
		if (hit && (type == 0 || type == model_type(i)))
			m->keys[i].put = false;
	}
}

static void check_model_count(struct model *m)
{
	struct cache_stats stats;
	uint64_t walked = 0;
	unsigned expected = 0;
	cache_read_stats(m->cache, &stats);
	cache_walk(m->cache, count_one, &walked);
	assert_int_equal(walked, stats.entries);
	for (unsigned i = 0; i < KEYS; i++)
		expected += m->keys[i].put;
	assert_true(stats.entries <= expected);
	if (stats.evictions == 0)
		assert_int_equal(stats.entries, expected);
}

static void run_model(size_t memory_bytes, uint64_t seed)
{
	static struct model m;
	memset(&m, 0, sizeof(m));
	m.cache = new_cache(memory_bytes);
	m.reader = new_reader(m.cache);
	rng_init_seeded(&m.rng, seed);
	for (unsigned step = 0; step < STEPS; step++) {
		uint32_t choice = rng_below(&m.rng, 1000);
		m.time_ms += rng_below(&m.rng, 20);
		if (choice < 500)
			model_find(&m);
		else if (choice < 950)
			model_put(&m);
		else if (choice < 998)
			model_remove(&m);
		else
			model_flush(&m);
		used_bytes(m.cache);
		cache_reader_pass(m.reader);
		if (step % 500 == 0)
			check_model_count(&m);
	}
	assert_true(cache_flush_all(m.cache) > 0);
	cache_reader_free(m.reader);
	cache_free(m.cache);
}

static void test_model_without_eviction(void **state)
{
	(void)state;
	run_model(16 << 20, 11);
}

static void test_model_with_eviction(void **state)
{
	(void)state;
	run_model(CACHE_MEMORY_MIN, 12);
	run_model(CACHE_MEMORY_MIN + 5000, 13);
}

/* ---- who gives way to whom ---- */

static void test_ranks(void **state)
{
	(void)state;
	enum { FRESH_MS = 0, EXPIRED_MS = 61000 };
	static const struct {
		const char *why;
		enum rank old_rank;
		enum verdict old_verdict;
		int64_t after_ms;
		enum rank new_rank;
		enum verdict new_verdict;
		enum err want;
	} cases[] = {
#define U VERDICT_UNCHECKED
#define I VERDICT_INSECURE
#define S VERDICT_SECURE
#define B VERDICT_BOGUS
		{"RFC 2181 §5.4.1: glue gives way to an answer", RANK_GLUE, U, FRESH_MS,
		 RANK_ANSWER, I, OK},
		{"RFC 2181 §5.4.1: an answer stands against glue", RANK_ANSWER, I, FRESH_MS,
		 RANK_GLUE, U, ERR_EXISTS},
		{"RFC 2181 §5.4.1: ... against a referral", RANK_ANSWER, I, FRESH_MS, RANK_REFERRAL,
		 U, ERR_EXISTS},
		{"RFC 2181 §5.4.1: ... against a forwarder", RANK_ANSWER, I, FRESH_MS,
		 RANK_FORWARDED, I, ERR_EXISTS},
		{"RFC 2181 §5.4.1: a referral stands against glue", RANK_REFERRAL, U, FRESH_MS,
		 RANK_GLUE, U, ERR_EXISTS},
		{"RFC 2181 §5.4.1: equal rank replaces", RANK_ANSWER, I, FRESH_MS, RANK_ANSWER, I,
		 OK},
		{"RFC 4035 §4.3: validated data stands", RANK_SECURE, S, FRESH_MS, RANK_ANSWER, I,
		 ERR_EXISTS},
		{"RFC 4035 §4.3: and replaces all other", RANK_ANSWER, I, FRESH_MS, RANK_SECURE, S,
		 OK},
		{"what has expired has no rank", RANK_SECURE, S, EXPIRED_MS, RANK_GLUE, U, OK},
		{"RFC 4035 §4.7: bogus data displaces no good data", RANK_GLUE, I, FRESH_MS,
		 RANK_ANSWER, B, ERR_EXISTS},
		{"... but what has expired", RANK_ANSWER, I, EXPIRED_MS, RANK_ANSWER, B, OK},
		{"RFC 4035 §4.7: bogus data gives way to any other", RANK_SECURE, B, FRESH_MS,
		 RANK_GLUE, U, OK},
		{"bogus data among itself goes by rank", RANK_ANSWER, B, FRESH_MS, RANK_GLUE, B,
		 ERR_EXISTS},
		{"bogus data among itself goes by rank", RANK_ANSWER, B, FRESH_MS, RANK_ANSWER, B,
		 OK},
#undef U
#undef I
#undef S
#undef B
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cache *c = new_cache(CACHE_MEMORY_MIN);
		struct cache_reader *r = new_reader(c);
		struct unit_name name = unit_name("www.example.");
		struct now now = unit_now(0);
		struct entry *e = unit_entry(&buffer, name.wire, TYPE_TXT, 4, 60, now);
		e->rank = (uint8_t)cases[i].old_rank;
		e->verdict = (uint8_t)cases[i].old_verdict;
		assert_int_equal(cache_put(c, e, now), OK);
		now = unit_now(cases[i].after_ms);
		e = unit_entry(&buffer, name.wire, TYPE_TXT, 5, 61, now);
		e->rank = (uint8_t)cases[i].new_rank;
		e->verdict = (uint8_t)cases[i].new_verdict;
		CHECK(cases[i].why, cache_put(c, e, now) == cases[i].want);
		CHECK(cases[i].why,
		      find(r, "www.example.", TYPE_TXT)->ttl_s == (cases[i].want == OK ? 61 : 60));
		cache_reader_free(r);
		cache_free(c);
	}
}

static void test_popularity_is_carried_over(void **state)
{
	(void)state;
	struct cache *c = new_cache(CACHE_MEMORY_MIN);
	struct cache_reader *r = new_reader(c);
	struct unit_name name = unit_name("www.example.");
	struct entry *e = unit_entry(&buffer, name.wire, TYPE_TXT, 4, 60, unit_now(0));
	e->hits = 7;
	e->last_hit_s = 1700000000;
	e->gap_ms = 250;
	assert_int_equal(cache_put(c, e, unit_now(0)), OK);
	e = unit_entry(&buffer, name.wire, TYPE_TXT, 30, 5, unit_now(100000));
	assert_int_equal(cache_put(c, e, unit_now(100000)), OK);
	const struct entry *got = find(r, "www.example.", TYPE_TXT);
	assert_int_equal(got->ttl_s, 5);
	assert_int_equal(got->hits, 7);
	assert_int_equal(got->last_hit_s, 1700000000);
	assert_int_equal(got->gap_ms, 250);
	cache_reader_free(r);
	cache_free(c);
}

/* ---- what stays in memory ---- */

enum { HOT_NAMES = 1000, ONE_SHOT_NAMES = 1000000, NAMES_PER_BATCH = 32 };

static void put_numbered(struct cache *c, unsigned number, const char *prefix, struct now now)
{
	struct unit_name name = numbered(number, prefix);
	assert_int_equal(cache_put(c, unit_entry(&buffer, name.wire, TYPE_TXT, 4, 3600, now), now),
			 OK);
}

/* A flood of names that are asked once, each hot name once for 500 of them. */
static void test_scan_resistance(void **state)
{
	(void)state;
	struct cache *c = new_cache(4 << 20);
	struct cache_reader *r = new_reader(c);
	uint64_t asked = 0, hits = 0;
	for (unsigned i = 0; i < HOT_NAMES; i++)
		put_numbered(c, i, "hot", unit_now(0));
	for (unsigned i = 0; i < ONE_SHOT_NAMES; i++) {
		struct now now = unit_now(i / 1000);
		put_numbered(c, i, "", now);
		if (i % NAMES_PER_BATCH == 0)
			cache_reader_pass(r);
		if (i % 2 == 1)
			continue;
		unsigned hot = i / 2 % HOT_NAMES;
		struct unit_name name = numbered(hot, "hot");
		asked++;
		if (cache_find(r, ENTRY_RRSET, name.wire, name.len, TYPE_TXT))
			hits++;
		else
			put_numbered(c, hot, "hot", now);
	}
	used_bytes(c);
	struct cache_stats stats;
	cache_read_stats(c, &stats);
	assert_true(stats.evictions > ONE_SHOT_NAMES - 60000);
	assert_int_equal(stats.rejected, 0);
	assert_true(hits * 100 >= asked * 99);
	cache_reader_free(r);
	cache_free(c);
}

static void test_expired_entries_go_first(void **state)
{
	(void)state;
	enum { OLD = 300, FRESH = 2000 };
	struct cache *c = new_cache(CACHE_MEMORY_MIN);
	struct cache_reader *r = new_reader(c);
	unsigned i, kept = 0;
	for (i = 0; i < OLD; i++) {
		struct unit_name name = numbered(i, "keep");
		assert_int_equal(
			cache_put(c,
				  unit_entry(&buffer, name.wire, TYPE_TXT, 4, 86400, unit_now(0)),
				  unit_now(0)),
			OK);
	}
	/* Each expires at once; they are newer, so that without preference the old ones would go. */
	for (i = 0; i < FRESH; i++) {
		struct unit_name name = numbered(i, "gone");
		struct entry *e =
			unit_entry(&buffer, name.wire, TYPE_TXT, 4, 1, unit_now(2000 * i));
		assert_int_equal(cache_put(c, e, unit_now(2000 * i)), OK);
		cache_reader_pass(r);
	}
	for (i = 0; i < OLD; i++) {
		struct unit_name name = numbered(i, "keep");
		kept += cache_find(r, ENTRY_RRSET, name.wire, name.len, TYPE_TXT) != NULL;
	}
	struct cache_stats stats;
	cache_read_stats(c, &stats);
	assert_true(stats.evictions > 500);
	assert_true(stats.expired_evictions * 10 >= stats.evictions * 8);
	assert_true(kept * 10 >= OLD * 7);
	cache_reader_free(r);
	cache_free(c);
}

/* A reader that never passes costs puts, not the ceiling, and what it holds stays. */
static void test_slow_reader(void **state)
{
	(void)state;
	enum { NAMES = 5000 };
	struct cache *c = new_cache(CACHE_MEMORY_MIN);
	struct cache_reader *slow = new_reader(c);
	put_numbered(c, 0, "held", unit_now(0));
	const struct entry *held = find(slow, "held0.example.", TYPE_TXT);
	assert_non_null(held);
	assert_int_equal(cache_flush_all(c), 1);
	assert_null(find(slow, "held0.example.", TYPE_TXT));
	unsigned refused = 0;
	for (unsigned i = 0; i < NAMES; i++) {
		struct unit_name name = numbered(i, "");
		struct entry *e = unit_entry(&buffer, name.wire, TYPE_TXT, 4, 60, unit_now(0));
		enum err err = cache_put(c, e, unit_now(0));
		assert_true(err == OK || err == ERR_NO_MEMORY);
		refused += err != OK;
		used_bytes(c);
	}
	assert_true(refused > 0);
	struct unit_name name = numbered(0, "held");
	assert_memory_equal(entry_name(held), name.wire, name.len);
	assert_true(entry_is_valid(held, held->size_bytes));

	cache_reader_idle(slow); /* asleep, it holds up nobody */
	for (unsigned i = 0; i < NAMES; i++)
		put_numbered(c, i, "", unit_now(0));
	cache_reader_wake(slow);
	assert_non_null(find(slow, "4999.example.", TYPE_TXT));
	used_bytes(c);
	cache_reader_free(slow);
	cache_free(c);
}

static void test_flush_gives_memory_back(void **state)
{
	(void)state;
	struct cache *c = new_cache(64 << 20);
	struct cache_reader *r = new_reader(c);
	for (unsigned i = 0; i < 50000; i++)
		put_numbered(c, i, "", unit_now(0));
	size_t full = used_bytes(c);
	cache_reader_pass(r);
	cache_reader_idle(r);
	assert_int_equal(cache_flush_all(c), 50000);
	assert_true(used_bytes(c) < full / 2); /* nodes stay for the next ones */
	struct cache_stats stats;
	cache_read_stats(c, &stats);
	assert_int_equal(stats.entries, 0);
	cache_reader_free(r);
	cache_free(c);
}

static void test_limits(void **state)
{
	(void)state;
	struct cache *c;
	struct cache_settings settings = {.memory_bytes = CACHE_MEMORY_MIN - 1};
	assert_int_equal(cache_new(&settings, &c), ERR_LIMIT);

	/* An entry larger than a sixteenth of a shard. */
	c = new_cache(CACHE_MEMORY_MIN);
	static _Alignas(8) uint8_t large[16384];
	static uint8_t payload[8192];
	struct unit_name name = unit_name("large.example.");
	struct entry_parts parts = {.kind = ENTRY_FAILURE,
				    .name = name.wire,
				    .type = TYPE_A,
				    .rank = RANK_ANSWER,
				    .fetched_ms = unit_start_ms,
				    .payload = {span_of(payload, sizeof(payload))}};
	assert_int_equal(cache_put(c, entry_make(&parts, large), unit_now(0)), ERR_LIMIT);
	parts.payload[0].len = 4096;
	assert_int_equal(cache_put(c, entry_make(&parts, large), unit_now(0)), OK);
	cache_free(c);
}

/* Large entries in a cache full of small ones, up to the largest of all, and back. */
static void test_sizes_change(void **state)
{
	(void)state;
	struct cache *c = new_cache(4 << 20);
	struct rng rng;
	static uint8_t payload[ENTRY_MAX];
	static _Alignas(8) uint8_t bytes[ENTRY_MAX];
	rng_init_seeded(&rng, 5);
	for (unsigned i = 0; i < 60000; i++)
		put_numbered(c, i, "", unit_now(0));
	for (unsigned i = 0; i < 300; i++) {
		struct unit_name name = numbered(i, "large");
		struct entry_parts p = {.kind = ENTRY_FAILURE,
					.name = name.wire,
					.type = TYPE_A,
					.rank = RANK_ANSWER,
					.ttl_s = 60,
					.fetched_ms = unit_start_ms};
		p.payload[0] = span_of(payload, rng_below(&rng, 120000));
		struct entry *e = entry_make(&p, bytes);
		assert_int_equal(cache_put(c, e, unit_now(0)), OK);
		used_bytes(c);
	}
	for (unsigned i = 0; i < 60000; i++)
		put_numbered(c, i, "again", unit_now(0));
	used_bytes(c);
	cache_free(c);
}

static void test_flush_by_type_and_tree(void **state)
{
	(void)state;
	static const struct {
		const char *why, *name;
		uint16_t type;
		bool subtree;
		uint64_t want;
	} cases[] = {
		{"one name and type, with the NXDOMAIN of it", "www.Example.", TYPE_A, false, 2},
		{"one name, any type", "www.example.", 0, false, 4},
		{"one type below a name", "example.", TYPE_A, true, 3},
		{"all below a name", "example.", 0, true, 5},
		{"labels end at dots", "ample.", 0, true, 0},
		{"all", ".", 0, true, 6},
		{"the name alone, not what is below", "example.", 0, false, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cache *c = new_cache(CACHE_MEMORY_MIN);
		static const struct {
			const char *name;
			uint16_t type;
			uint8_t kind;
		} entries[] = {
			{"www.example.", TYPE_A, ENTRY_FAILURE},
			{"www.example.", 0, ENTRY_FAILURE},
			{"www.example.", TYPE_AAAA, ENTRY_FAILURE},
			{"www.example.", TYPE_TXT, ENTRY_RRSET},
			{"a.www.example.", TYPE_A, ENTRY_FAILURE},
			{"other.", TYPE_A, ENTRY_FAILURE},
		};
		for (size_t k = 0; k < ARRAY_LEN(entries); k++) {
			struct unit_name name = unit_name(entries[k].name);
			struct entry *e =
				unit_entry(&buffer, name.wire, entries[k].type, 4, 60, unit_now(0));
			e->kind = entries[k].kind;
			assert_int_equal(cache_put(c, e, unit_now(0)), OK);
		}
		struct unit_name name = unit_name(cases[i].name);
		CHECK(cases[i].why,
		      cache_flush(c, name.wire, cases[i].type, cases[i].subtree) == cases[i].want);
		cache_free(c);
	}
}

static bool stop_at_ten(void *context, const struct entry *e)
{
	(void)e;
	return ++*(unsigned *)context < 10;
}

static bool count_entry(void *context, const struct entry *e)
{
	(void)e;
	++*(unsigned *)context;
	return true;
}

/* In steps, a walk sees and a flush removes all there is, and the end is a hundred per cent. */
static void test_steps(void **state)
{
	static const uint8_t root[] = {0};
	struct cache *c = new_cache(16 << 20);
	struct cache_cursor walk = {0}, flush = {0};
	unsigned seen = 0, percent = 0;
	uint64_t removed = 0;
	bool more = true;

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		put_numbered(c, i, "", unit_now(0));
	while (more) {
		more = cache_walk_some(c, &walk, count_entry, &seen);
		assert_true(cache_cursor_percent(c, &walk) >= percent);
		percent = cache_cursor_percent(c, &walk);
	}
	assert_int_equal(percent, 100);
	assert_int_equal(seen, 5000);
	assert_false(cache_walk_some(c, &walk, count_entry, &seen));
	while (cache_flush_some(c, &flush, root, 0, true, &removed))
		;
	assert_int_equal(removed, 5000);
	cache_free(c);
}

static void test_walk_stops(void **state)
{
	(void)state;
	struct cache *c = new_cache(16 << 20);
	unsigned seen = 0;
	for (unsigned i = 0; i < 100; i++)
		put_numbered(c, i, "", unit_now(0));
	cache_walk(c, stop_at_ten, &seen);
	assert_int_equal(seen, 10);
	cache_free(c);
}

/* ---- who is told ---- */

struct told {
	struct cache_sink sink;
	unsigned puts, removals, unseen;
	uint32_t ttl_s, hits; /* of the last put */
	uint16_t type;	      /* of the last removal */
};

static void tell_put(void *context, const struct entry *e, struct now now)
{
	struct told *t = context;
	(void)now;
	t->puts++;
	t->ttl_s = e->ttl_s;
	t->hits = e->hits;
}

static void tell_removal(void *context, enum entry_kind kind, const uint8_t *name, uint16_t type,
			 bool seen)
{
	struct told *t = context;
	(void)kind;
	(void)name;
	t->removals++;
	t->unseen += !seen;
	t->type = type;
}

static struct entry *ranked(const struct unit_name *name, enum rank rank, uint32_t ttl_s)
{
	struct entry *e = unit_entry(&buffer, name->wire, TYPE_A, 4, ttl_s, unit_now(0));
	e->rank = (uint8_t)rank;
	return e;
}

static void test_sink(void **state)
{
	(void)state;
	struct told t = {0};
	struct cache *c;
	struct cache_settings settings = {.memory_bytes = 1 << 20, .sink = &t.sink};
	struct unit_name name = unit_name("www.example."), other = unit_name("other.");
	t.sink = (struct cache_sink){.put = tell_put, .remove = tell_removal, .context = &t};
	assert_int_equal(cache_new(&settings, &c), OK);
	struct cache_reader *r = new_reader(c);

	assert_int_equal(cache_put(c, ranked(&name, RANK_ANSWER, 60), unit_now(0)), OK);
	((struct entry *)(uintptr_t)find(r, "www.example.", TYPE_A))->hits = 7;
	assert_int_equal(cache_put(c, ranked(&name, RANK_ANSWER, 61), unit_now(0)), OK);
	assert_int_equal(t.puts, 2);
	assert_int_equal(t.ttl_s, 61);
	assert_int_equal(t.hits, 7); /* as it is stored, popularity and all */
	assert_int_equal(cache_put(c, ranked(&name, RANK_GLUE, 62), unit_now(0)), ERR_EXISTS);
	assert_int_equal(t.puts, 2); /* what is not taken is not told */

	/* What comes from where the sink keeps it gives way to all that is there. */
	assert_int_equal(cache_restore(c, ranked(&name, RANK_SECURE, 63), unit_now(0)), ERR_EXISTS);
	assert_int_equal(cache_restore(c, ranked(&name, RANK_SECURE, 63), unit_now(100 * 1000)),
			 ERR_EXISTS);
	assert_int_equal(cache_restore(c, ranked(&other, RANK_ANSWER, 64), unit_now(0)), OK);
	assert_int_equal(find(r, "other.", TYPE_A)->ttl_s, 64);
	assert_int_equal(t.puts, 2);

	assert_true(cache_remove(c, ENTRY_RRSET, name.wire, TYPE_A));
	assert_false(cache_remove(c, ENTRY_RRSET, name.wire, TYPE_A));
	assert_int_equal(t.removals, 1);
	assert_int_equal(t.type, TYPE_A);
	assert_int_equal(t.unseen, 0);
	/* What only the sink may know of is out of date there too. */
	assert_false(cache_remove_below(c, ENTRY_RRSET, name.wire, TYPE_A));
	assert_int_equal(t.removals, 2);
	assert_int_equal(t.unseen, 1);
	assert_int_equal(cache_flush(c, other.wire, TYPE_A, false), 1);
	assert_int_equal(t.removals, 2); /* flushes are for each tier itself */
	cache_reader_free(r);
	cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model_without_eviction),
		cmocka_unit_test(test_model_with_eviction),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_popularity_is_carried_over),
		cmocka_unit_test(test_scan_resistance),
		cmocka_unit_test(test_expired_entries_go_first),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_flush_gives_memory_back),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_sizes_change),
		cmocka_unit_test(test_flush_by_type_and_tree),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_walk_stops),
		cmocka_unit_test(test_sink),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
