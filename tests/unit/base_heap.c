#include "unit/base_unit.h"

#include "base/heap.h"
#include "base/rng.h"

enum { NODES = 300, STEPS = 50000 };

/* The model: the smallest key of the nodes that are in. */
static uint64_t model_min(const bool *in, const uint64_t *keys, unsigned *count)
{
	uint64_t min = UINT64_MAX;
	*count = 0;
	for (unsigned i = 0; i < NODES; i++) {
		if (in[i]) {
			min = MIN(min, keys[i]);
			*count += 1;
		}
	}
	return min;
}

static void check_against_model(const struct heap *h, const bool *in, const uint64_t *keys)
{
	unsigned count;
	uint64_t min = model_min(in, keys, &count);
	assert_int_equal(h->count, count);
	if (count == 0)
		assert_null(heap_min(h));
	else
		assert_int_equal(heap_min(h)->key, min);
}

static void test_random_steps(void **state)
{
	(void)state;
	static struct heap_node nodes[NODES];
	static bool in[NODES];
	static uint64_t keys[NODES];
	struct heap h;
	struct rng rng;

	heap_init(&h);
	rng_init_seeded(&rng, 42);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = rng_below(&rng, NODES);
		if (rng_below(&rng, 3) == 0) {
			heap_remove(&h, &nodes[i]);
			in[i] = false;
		} else {
			keys[i] = rng_below(&rng, 1000); /* few values: equal keys happen */
			assert_int_equal(heap_set(&h, &nodes[i], keys[i]), OK);
			in[i] = true;
		}
		assert_int_equal(nodes[i].index1 > 0, in[i]);
		check_against_model(&h, in, keys);
	}

	uint64_t last = 0;
	for (struct heap_node *min; (min = heap_min(&h)); heap_remove(&h, min)) {
		assert_true(min->key >= last);
		last = min->key;
	}
	assert_int_equal(h.count, 0);
	heap_deinit(&h);
}

static void test_empty(void **state)
{
	(void)state;
	struct heap h;
	struct heap_node node = {0};
	heap_init(&h);
	assert_null(heap_min(&h));
	heap_remove(&h, &node); /* not in: nothing happens */
	assert_int_equal(heap_set(&h, &node, UINT64_MAX), OK);
	assert_ptr_equal(heap_min(&h), &node);
	heap_remove(&h, &node);
	assert_int_equal(node.index1, 0);
	assert_null(heap_min(&h));
	heap_deinit(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_steps),
		cmocka_unit_test(test_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
