#include "unit/base_unit.h"

#include <pthread.h>

#include "worker/errands.h"

static void post(struct errands *list, enum errand_kind kind, uint16_t number)
{
	static const uint8_t name[] = {1, 'a', 0};
	struct errand *e = errand_new(kind, name, sizeof(name));

	REQUIRE(e);
	e->type = number;
	errands_post(list, e);
}

static uint16_t take(struct errands *list, enum errand_kind kind)
{
	struct errand *e = errands_take(list);
	uint16_t number = 0;

	assert_non_null(e);
	assert_int_equal(e->kind, kind);
	assert_int_equal(e->name_len, 3);
	number = e->type;
	errand_free(e);
	return number;
}

static void test_order(void **state)
{
	(void)state;
	struct errands list = {0};

	assert_false(errands_wait(&list));
	assert_null(errands_take(&list));
	post(&list, ERRAND_REFRESH, 1);
	post(&list, ERRAND_KEEP, 2);
	assert_true(errands_wait(&list));
	assert_int_equal(take(&list, ERRAND_REFRESH), 1);
	post(&list, ERRAND_REFRESH, 3); /* behind what was taken over before */
	assert_int_equal(take(&list, ERRAND_KEEP), 2);
	assert_true(errands_wait(&list));
	assert_int_equal(take(&list, ERRAND_REFRESH), 3);
	assert_false(errands_wait(&list));
	post(&list, ERRAND_KEEP, 4);
	post(&list, ERRAND_KEEP, 5);
	assert_int_equal(take(&list, ERRAND_KEEP), 4);
	post(&list, ERRAND_KEEP, 6);
	errands_deinit(&list); /* some taken over, some not */
	assert_false(errands_wait(&list));
}

/* Who waits for the outcome of an errand that nobody will do is told. */
static void test_left_behind(void **state)
{
	(void)state;
	struct errands list = {0};
	struct errand *e = errand_new(ERRAND_TRACE, NULL, 0);
	struct tracing *t = tracing_new();

	REQUIRE(e && t);
	e->tracing = tracing_use(t);
	errands_post(&list, e);
	assert_int_equal(tracing_look(t), TRACING_OPEN);
	errands_deinit(&list);
	assert_int_equal(tracing_look(t), TRACING_REFUSED);
	tracing_release(t);
}

enum { POSTERS = 3, POSTS = 5000 };

struct poster {
	struct errands *list;
	uint8_t number;
	pthread_t thread;
};

static void *post_many(void *context)
{
	const struct poster *p = context;

	for (uint16_t i = 1; i <= POSTS; i++) {
		struct errand *e = errand_new(ERRAND_REFRESH, &p->number, 1);
		REQUIRE(e);
		e->type = i;
		errands_post(p->list, e);
	}
	return NULL;
}

/* None is lost, and each thread's come in the order in which it posted them. */
static void test_threads(void **state)
{
	(void)state;
	struct errands list = {0};
	struct poster posters[POSTERS];
	uint16_t last[POSTERS] = {0};

	for (uint8_t i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){.list = &list, .number = i};
		REQUIRE(pthread_create(&posters[i].thread, NULL, post_many, &posters[i]) == 0);
	}
	for (unsigned taken = 0; taken < POSTERS * POSTS;) {
		struct errand *e = errands_take(&list);
		if (!e)
			continue;
		assert_int_equal(e->type, last[e->name[0]] + 1);
		last[e->name[0]] = e->type;
		errand_free(e);
		taken++;
	}
	for (unsigned i = 0; i < POSTERS; i++)
		REQUIRE(pthread_join(posters[i].thread, NULL) == 0);
	assert_false(errands_wait(&list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_left_behind),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
