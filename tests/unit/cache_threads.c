/*
 * Readers, writers and flushes at once. Each entry's contents follow from its key, so that a reader
 * that is handed freed or half-written memory sees it; AddressSanitizer and ThreadSanitizer see more.
 */
#include "unit/cache_unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "cache/cache.h"

enum { READERS = 3, WRITERS = 2, KEYS = 3000, STEPS = 20000, BATCH = 16, STEADY_KEYS = 50 };

struct shared {
	struct cache *cache;
	atomic_uint writers_left;
	atomic_ullong hits;
};

struct worker {
	struct shared *shared;
	pthread_t thread;
	uint64_t seed;
	const char *failed; /* cmocka's asserts are for the main thread */
};

static struct unit_name key_name(unsigned key)
{
	char text[64];
	snprintf(text, sizeof(text), "host%u.example.", key);
	return unit_name(text);
}

static size_t key_len(unsigned key)
{
	return key * 7 % 200;
}

static bool put_key(struct cache *c, unsigned key, struct now now)
{
	struct unit_entry buffer;
	struct unit_name name = key_name(key);
	struct entry *e = unit_entry(&buffer, name.wire, TYPE_TXT, key_len(key), 1 + key, now);
	enum err err = cache_put(c, e, now);
	/* Other threads may hold up what has been evicted. */
	return err == OK || err == ERR_NO_MEMORY;
}

static void *write_entries(void *context)
{
	struct worker *w = context;
	struct rng rng;
	rng_init_seeded(&rng, w->seed);
	for (unsigned i = 0; i < STEPS && !w->failed; i++) {
		unsigned key = STEADY_KEYS + rng_below(&rng, KEYS - STEADY_KEYS);
		if (rng_below(&rng, 20) == 0) {
			struct unit_name name = key_name(key);
			cache_remove(w->shared->cache, ENTRY_RRSET, name.wire, TYPE_TXT);
		} else if (!put_key(w->shared->cache, key, unit_now(i))) {
			w->failed = "a put failed";
		}
	}
	atomic_fetch_sub(&w->shared->writers_left, 1);
	return NULL;
}

static const char *check_entry(const struct entry *e, unsigned key)
{
	struct unit_name name = key_name(key);
	if (!span_equal(span_of(entry_name(e), e->name_len), span_of(name.wire, name.len)))
		return "another name's entry";
	if (e->ttl_s != 1 + key)
		return "another entry's TTL";
	if (entry_payload(e).len != 3 + key_len(key) || !entry_is_valid(e, e->size_bytes))
		return "damaged";
	return NULL;
}

static void *read_entries(void *context)
{
	struct worker *w = context;
	struct cache_reader *r;
	struct rng rng;
	uint64_t hits = 0;
	rng_init_seeded(&rng, w->seed);
	if (cache_reader_new(w->shared->cache, &r) != OK) {
		w->failed = "no reader";
		return NULL;
	}
	while (atomic_load(&w->shared->writers_left) > 0 && !w->failed) {
		const struct entry *found[BATCH];
		unsigned keys[BATCH];
		for (unsigned i = 0; i < BATCH; i++) {
			keys[i] = rng_below(&rng, rng_below(&rng, 4) == 0 ? STEADY_KEYS : KEYS);
			struct unit_name name = key_name(keys[i]);
			found[i] = cache_find(r, ENTRY_RRSET, name.wire, name.len, TYPE_TXT);
		}
		/* Whatever has happened to them since, all are still there. */
		for (unsigned i = 0; i < BATCH && !w->failed; i++) {
			if (found[i])
				w->failed = check_entry(found[i], keys[i]);
			hits += found[i] != NULL;
		}
		cache_reader_pass(r);
		if (rng_below(&rng, 50) == 0) {
			cache_reader_idle(r);
			sched_yield();
			cache_reader_wake(r);
		}
	}
	cache_reader_free(r);
	atomic_fetch_add(&w->shared->hits, hits);
	return NULL;
}

/* Names that nobody removes, in a cache with room for all, are found whatever others do: while
 * buckets are split, too. */
static void *read_steady(void *context)
{
	struct worker *w = context;
	struct cache_reader *r;
	struct rng rng;
	rng_init_seeded(&rng, w->seed);
	if (cache_reader_new(w->shared->cache, &r) != OK) {
		w->failed = "no reader";
		return NULL;
	}
	while (atomic_load(&w->shared->writers_left) > 0 && !w->failed) {
		struct unit_name name = key_name(rng_below(&rng, STEADY_KEYS));
		if (!cache_find(r, ENTRY_RRSET, name.wire, name.len, TYPE_TXT))
			w->failed = "a name that was there all the time was not found";
		cache_reader_pass(r);
	}
	cache_reader_free(r);
	return NULL;
}

static bool count_entry(void *context, const struct entry *e)
{
	(void)e;
	++*(uint64_t *)context;
	return true;
}

static void start(struct worker *w, struct shared *shared, uint64_t seed, void *(*run)(void *))
{
	*w = (struct worker){.shared = shared, .seed = seed};
	assert_int_equal(pthread_create(&w->thread, NULL, run, w), 0);
}

static void join(struct worker *w)
{
	assert_int_equal(pthread_join(w->thread, NULL), 0);
	if (w->failed)
		fail_msg("%s", w->failed);
}

static void run(size_t memory_bytes, void *(*read)(void *), bool flush)
{
	struct shared shared = {.writers_left = WRITERS};
	struct cache_settings settings = {.memory_bytes = memory_bytes};
	struct worker readers[READERS], writers[WRITERS];
	struct cache_stats stats;
	uint64_t walked = 0;
	assert_int_equal(cache_new(&settings, &shared.cache), OK);
	for (unsigned key = 0; key < STEADY_KEYS; key++)
		assert_true(put_key(shared.cache, key, unit_now(0)));
	for (unsigned i = 0; i < READERS; i++)
		start(&readers[i], &shared, 100 + i, read);
	for (unsigned i = 0; i < WRITERS; i++)
		start(&writers[i], &shared, 200 + i, write_entries);
	while (atomic_load(&shared.writers_left) > 0) {
		cache_read_stats(shared.cache, &stats);
		assert_true(stats.used_bytes <= stats.limit_bytes);
		cache_walk(shared.cache, count_entry, &walked);
		if (flush)
			cache_flush_all(shared.cache);
		usleep(2000);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		join(&writers[i]);
	for (unsigned i = 0; i < READERS; i++)
		join(&readers[i]);
	assert_true(walked > 0);
	assert_true(read != read_entries || atomic_load(&shared.hits) > 0);
	cache_free(shared.cache);
}

static void test_with_eviction_and_flush(void **state)
{
	(void)state;
	run(256 << 10, read_entries, true);
}

static void test_with_eviction(void **state)
{
	(void)state;
	run(4 * CACHE_MEMORY_MIN, read_entries, false);
}

static void test_without_eviction(void **state)
{
	(void)state;
	run(32 << 20, read_steady, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_eviction_and_flush),
		cmocka_unit_test(test_with_eviction),
		cmocka_unit_test(test_without_eviction),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
