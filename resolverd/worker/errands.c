#include "worker/errands.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/require.h"

struct errand *errand_new(enum errand_kind kind, const uint8_t *name, size_t name_len)
{
	REQUIRE(name_len <= DNAME_MAX);
	struct errand *e = calloc(1, sizeof(*e) + name_len);

	if (!e)
		return NULL;
	e->kind = kind;
	e->fd = -1;
	e->name_len = (uint8_t)name_len;
	if (name_len > 0)
		memcpy(e->name, name, name_len);
	return e;
}

void errand_free(struct errand *e)
{
	if (e->tracing)
		tracing_refuse(e->tracing);
	if (e->fd >= 0)
		close(e->fd);
	free(e);
}

void errands_post(struct errands *list, struct errand *e)
{
	e->next = atomic_load_explicit(&list->posted, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&list->posted, &e->next, e,
						      memory_order_release, memory_order_relaxed))
		;
}

/* What was posted, in the order of that: none older is left. */
static void take_over(struct errands *list)
{
	struct errand *e = atomic_exchange_explicit(&list->posted, NULL, memory_order_acquire);

	while (e) {
		struct errand *next = e->next;
		e->next = list->taken;
		list->taken = e;
		e = next;
	}
}

struct errand *errands_take(struct errands *list)
{
	if (!list->taken)
		take_over(list);
	struct errand *first = list->taken;
	if (first)
		list->taken = first->next;
	return first;
}

void errands_deinit(struct errands *list)
{
	struct errand *e;

	while ((e = errands_take(list)))
		errand_free(e);
}
