#include "daemon/snapshot.h"

#include <stdlib.h>

struct snapshot *snapshot_new(struct config *config)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (!s) {
		config_free(config);
		return NULL;
	}
	s->config = config;
	atomic_init(&s->users, 1);
	return s;
}

struct snapshot *snapshot_use(struct snapshot *s)
{
	atomic_fetch_add_explicit(&s->users, 1, memory_order_relaxed);
	return s;
}

void snapshot_release(struct snapshot *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->users, 1, memory_order_acq_rel) != 1)
		return;
	config_free(s->config);
	free(s);
}
