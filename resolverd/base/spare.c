#include "base/spare.h"

#include <stdlib.h>

bool spare_is_there(size_t size_bytes)
{
	/* The compiler knows malloc(), and would take what is freed unused for had. */
	void *volatile tried = malloc(size_bytes);

	if (!tried)
		return false;
	free(tried);
	return true;
}
