#include "anchors/flushes.h"

#include "base/require.h"

void flushes_add(struct flushes *f, const struct flush *flush)
{
	struct flush *place = &f->list[f->count++ % FLUSHES_MAX];

	*place = *flush;
	(void)dname_lower(flush->name, place->name);
}

const struct flush *flushes_find(const struct flushes *f, const uint8_t *name, uint16_t type)
{
	size_t kept = MIN(f->count, (size_t)FLUSHES_MAX);

	for (size_t i = 1; i <= kept; i++) {
		const struct flush *flush = &f->list[(f->count - i) % FLUSHES_MAX];
		bool covers = flush->subtree ? dname_is_within(name, flush->name)
					     : dname_equal(name, flush->name);
		if (covers && (flush->type == 0 || flush->type == type))
			return flush;
	}
	return NULL;
}
