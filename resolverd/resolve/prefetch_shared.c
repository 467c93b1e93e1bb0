#include "resolve/prefetch_shared.h"

#include <stdlib.h>
#include <string.h>

enum err prefetch_shared_new(struct prefetch_shared **out)
{
	struct prefetch_shared *s = aligned_alloc(_Alignof(struct prefetch_shared), sizeof(*s));
	if (!s)
		return ERR_NO_MEMORY;
	memset(s, 0, sizeof(*s));
	claims_init(&s->claims, INT32_MAX);
	*out = s;
	return OK;
}

void prefetch_shared_free(struct prefetch_shared *s)
{
	free(s);
}
