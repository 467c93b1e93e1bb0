#pragma once
/*
 * Response rate limiting: how many answers go over UDP to one network of strangers in a second. Who asks
 * with somebody else's address has us send that one answers 28 times the size of his questions; past the
 * rate what goes there is no larger than what came, and says that TCP will do (TC), which nobody can ask
 * for in another's name. A client that is real loses a round trip and nothing else.
 *
 * Networks are IPv4 /24 and IPv6 /56, as who is flooded suffers for his neighbours too. Not counted are
 * networks that are trusted, who has shown a server cookie of ours (RFC 7873), and TCP: none of them is
 * forged.
 *
 * A table of fixed size, of times to come (generic cell rate algorithm), found by a keyed hash without a
 * look at what else is there: two networks that share a cell share its rate. Each worker has one, so what
 * comes in by many sockets may be as many times the rate.
 */
#include "base/endpoint.h"
#include "base/require.h"
#include "base/rng.h"
#include "base/span.h"

enum {
	LIMITER_BITS = 13, /* 64 kB a worker */
	LIMITER_CELLS = 1 << LIMITER_BITS,
	LIMITER_BURST_US = 1000000, /* a second's worth may come at once */
};

struct limiter {	       /* one thread */
	uint64_t mask, factor; /* secret */
	uint64_t free_us[LIMITER_CELLS];
};

/* R becomes the limiter's secret. */
void limiter_init(struct limiter *l, struct rng *r);

static inline uint64_t *limiter_cell(struct limiter *l, const struct endpoint *e)
{
	static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "first bytes are the lowest");
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool is_mapped = e->family == 6 && memcmp(e->addr, mapped, sizeof(mapped)) == 0;
	uint64_t word;
	memcpy(&word, e->addr + (is_mapped ? sizeof(mapped) - 4 : 0), sizeof(word));
	if (is_mapped)
		word >>= 32;
	/* Without its last byte, which tells of the family then. */
	word = e->family == 4 || is_mapped ? word & 0xffffff
					   : (word & UINT64_MAX >> 8) | UINT64_C(6) << 56;
	return &l->free_us[((word ^ l->mask) * l->factor) >> (64 - LIMITER_BITS)];
}

/* One more answer to CLIENT at NOW_US, of at most RATE (not 0) a second: whether it is too many. */
static inline bool limiter_is_over(struct limiter *l, const struct endpoint *client, uint32_t rate,
				   uint64_t now_us)
{
	uint64_t *at = limiter_cell(l, client), start_us = MAX(*at, now_us);
	if (start_us - now_us > LIMITER_BURST_US)
		return true;
	*at = start_us + 1000000 / rate;
	return false;
}
