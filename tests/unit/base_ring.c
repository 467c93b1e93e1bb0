#include "unit/base_unit.h"

#include "base/ring.h"
#include "base/rng.h"

enum { MODEL_MAX = 4096 };

struct model { /* what should be in, oldest first: the records' serial numbers and lengths */
	uint32_t serial[MODEL_MAX];
	size_t len[MODEL_MAX];
	size_t first, end;
};

static void fill(uint8_t *record, size_t len, uint32_t serial)
{
	for (size_t i = 0; i < len; i++)
		record[i] = (uint8_t)(serial * 31 + i);
}

/* The ring holds the youngest records of the model, and says which those are. */
static void check_content(const struct ring *r, struct model *m)
{
	struct ring_walk walk = {0};
	struct span record;
	uint8_t wanted[512];
	assert_true(r->count <= m->end - m->first);
	m->first = m->end - r->count;
	for (size_t i = m->first; i < m->end; i++) {
		assert_true(ring_next(r, &walk, &record));
		assert_int_equal(record.len, m->len[i]);
		assert_int_equal((uintptr_t)record.at % RING_ALIGN, 0);
		fill(wanted, record.len, m->serial[i]);
		assert_true(span_equal(record, span_of(wanted, record.len)));
	}
	assert_false(ring_next(r, &walk, &record));
}

static void test_against_model(void **state)
{
	(void)state;
	static struct model m;
	struct rng rng;
	rng_init_seeded(&rng, 7);
	for (size_t size = 16; size < 3000; size = size * 5 / 3) {
		struct ring r;
		size_t room = size / RING_ALIGN * RING_ALIGN;
		assert_int_equal(ring_init(&r, size), OK);
		m = (struct model){0};
		for (uint32_t i = 0; i < 1000; i++) {
			uint8_t record[512];
			size_t len = rng_below(&rng, (uint32_t)MIN(size, sizeof(record)));
			size_t before = r.count, need = (len + 15) / RING_ALIGN * RING_ALIGN;
			fill(record, len, i);
			bool fits = ring_fits(&r, len);
			bool pushed = ring_push(&r, span_of(record, len));
			assert_true(ring_used_bytes(&r) <= room);
			assert_int_equal(fits, pushed && r.count == before + 1);
			assert_int_equal(pushed, need <= room);
			if (pushed) {
				m.serial[m.end] = i;
				m.len[m.end++] = len;
			} else {
				assert_int_equal(r.count, before);
			}
			if (rng_below(&rng, 10) == 0)
				ring_pop(&r);
			check_content(&r, &m);
		}
		ring_deinit(&r);
	}
}

/* No more is thrown away than the new record needs: equal ones fill the ring to the last byte. */
static void test_room_is_used(void **state)
{
	(void)state;
	struct ring r;
	uint8_t record[24] = {0};
	assert_int_equal(ring_init(&r, 10 * (sizeof(record) + RING_OVERHEAD)), OK);
	for (unsigned i = 0; i < 35; i++) {
		assert_true(ring_push(&r, span_of(record, sizeof(record))));
		assert_int_equal(r.count, MIN(i + 1, 10));
	}
	ring_deinit(&r);
}

static void test_nothing(void **state)
{
	(void)state;
	struct ring r;
	struct ring_walk walk = {0};
	struct span record;
	assert_int_equal(ring_init(&r, 7), OK);
	assert_false(ring_push(&r, span_of("", 0)));
	assert_false(ring_next(&r, &walk, &record));
	ring_pop(&r);
	ring_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_room_is_used),
		cmocka_unit_test(test_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
