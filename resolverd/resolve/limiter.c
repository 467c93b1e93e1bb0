#include "resolve/limiter.h"

void limiter_init(struct limiter *l, struct rng *r)
{
	memset(l->free_us, 0, sizeof(l->free_us));
	rng_bytes(r, (uint8_t *)&l->mask, sizeof(l->mask));
	rng_bytes(r, (uint8_t *)&l->factor, sizeof(l->factor));
	l->factor |= 1; /* odd: no two words become one */
}
