#include "base/metrics.h"

#include <string.h>

#include "base/require.h"

#define METRIC_NAME(name, help) [METRIC_##name] = #name,
#define METRIC_HELP(name, help) [METRIC_##name] = help,
static const char *const metric_names[] = {METRIC_LIST(METRIC_NAME)};
static const char *const metric_helps[] = {METRIC_LIST(METRIC_HELP)};
#undef METRIC_NAME
#undef METRIC_HELP

static_assert(ARRAY_LEN(metric_names) == METRIC_COUNT, "each metric has a name");
static_assert(ARRAY_LEN(metric_helps) == METRIC_COUNT, "each metric has a help text");

const char *metrics_name(enum metric which)
{
	REQUIRE((unsigned)which < METRIC_COUNT);
	return metric_names[which];
}

const char *metrics_help(enum metric which)
{
	REQUIRE((unsigned)which < METRIC_COUNT);
	return metric_helps[which];
}

/* ---- histograms ------------------------------------------------------------------------------ */

#define HISTOGRAM_BOUNDS(...)                                                                      \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define HISTOGRAM_SHAPE(name, unit, help, bounds) [HISTOGRAM_##name] = {#name, help, unit, bounds},
static const struct {
	const char *name, *help;
	enum histogram_unit unit;
	uint64_t bounds[HISTOGRAM_BOUNDS_MAX]; /* 0 ends */
} shapes[] = {HISTOGRAM_LIST(HISTOGRAM_SHAPE)};
#undef HISTOGRAM_SHAPE
#undef HISTOGRAM_BOUNDS
static_assert(ARRAY_LEN(shapes) == HISTOGRAM_COUNT, "each histogram has its bounds");

static void add(_Atomic uint64_t *cell, uint64_t n)
{
	uint64_t old = atomic_load_explicit(cell, memory_order_relaxed);
	atomic_store_explicit(cell, old + n, memory_order_relaxed);
}

static size_t bound_count(enum histogram which)
{
	size_t count = 0;
	while (count < HISTOGRAM_BOUNDS_MAX && shapes[which].bounds[count])
		count++;
	return count;
}

void metrics_observe(struct metrics *m, enum histogram which, uint64_t value)
{
	struct histogram_cells *h = &m->histogram[which];
	const uint64_t *bounds = shapes[which].bounds;
	size_t at = 0;
	while (at < HISTOGRAM_BOUNDS_MAX && bounds[at] && value > bounds[at])
		at++;
	add(&h->bucket[at], 1);
	add(&h->sum, value);
}

void metrics_read_histogram(const struct metrics *const *list, size_t count, enum histogram which,
			    struct histogram_view *out)
{
	REQUIRE((unsigned)which < HISTOGRAM_COUNT);
	*out = (struct histogram_view){.name = shapes[which].name,
				       .help = shapes[which].help,
				       .unit = shapes[which].unit,
				       .bounds = shapes[which].bounds,
				       .bound_count = bound_count(which)};
	for (size_t i = 0; i < count; i++) {
		const struct histogram_cells *h = &list[i]->histogram[which];
		for (size_t k = 0; k <= out->bound_count; k++)
			out->up_to[k] += atomic_load_explicit(&h->bucket[k], memory_order_relaxed);
		out->sum += atomic_load_explicit(&h->sum, memory_order_relaxed);
	}
	for (size_t k = 1; k <= out->bound_count; k++)
		out->up_to[k] += out->up_to[k - 1];
}

/* ---- families -------------------------------------------------------------------------------- */

#define FAMILY_WORDS(name, label, help) [FAMILY_##name] = {#name, #label, help},
static const struct {
	const char *name, *label, *help;
} families[] = {FAMILY_LIST(FAMILY_WORDS)};
#undef FAMILY_WORDS
static_assert(ARRAY_LEN(families) == FAMILY_COUNT, "each family has its words");

/* Where KEY is, or would be, among KEYS. */
static size_t find_key(const struct family_cells *f, size_t used, struct span key)
{
	size_t i = 0;
	while (i < used && !(f->key_len[i] == key.len && memcmp(f->key[i], key.at, key.len) == 0))
		i++;
	return i;
}

void metrics_count_key(struct metrics *m, enum family which, struct span key)
{
	struct family_cells *f = &m->family[which];
	uint32_t used = atomic_load_explicit(&f->used, memory_order_relaxed);
	REQUIRE(key.len <= FAMILY_KEY_SIZE);
	size_t at = key.len > 0 ? find_key(f, used, key) : FAMILY_KEYS_MAX;
	if (at == FAMILY_KEYS_MAX) {
		add(&f->other, 1);
		return;
	}
	if (at == used) {
		memcpy(f->key[at], key.at, key.len);
		f->key_len[at] = (uint8_t)key.len;
		atomic_store_explicit(&f->used, used + 1, memory_order_release);
	}
	add(&f->value[at], 1);
}

static void merge_key(struct family_view *v, struct span key, uint64_t value)
{
	size_t i = 0;
	while (i < v->key_count && !span_equal(v->keys[i], key))
		i++;
	if (i == FAMILY_KEYS_MAX) {
		v->other += value;
		return;
	}
	if (i == v->key_count)
		v->keys[v->key_count++] = key;
	v->values[i] += value;
}

void metrics_read_family(const struct metrics *const *list, size_t count, enum family which,
			 struct family_view *out)
{
	REQUIRE((unsigned)which < FAMILY_COUNT);
	*out = (struct family_view){.name = families[which].name,
				    .label = families[which].label,
				    .help = families[which].help};
	for (size_t i = 0; i < count; i++) {
		const struct family_cells *f = &list[i]->family[which];
		uint32_t used = atomic_load_explicit(&f->used, memory_order_acquire);
		for (size_t k = 0; k < used; k++)
			merge_key(out, span_of(f->key[k], f->key_len[k]),
				  atomic_load_explicit(&f->value[k], memory_order_relaxed));
		out->other += atomic_load_explicit(&f->other, memory_order_relaxed);
	}
}
