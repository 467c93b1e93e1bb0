#pragma once
/*
 * Packet rate limits of forward and stub zones (the provider's resolver drops what passes 1024
 * packets per second and interface). One for all workers, lock-free: per zone the virtual arrival
 * time of the generic cell rate algorithm. Zones are found by a hash of their name, so limits
 * outlive a reload; two zones in one slot share it, which errs on the safe side.
 */
#include <stdatomic.h>
#include <stdint.h>

#include "base/now.h"

enum {
	THROTTLE_SLOTS = 256,
	/* A TCP exchange costs handshake, query, acknowledgement and close. */
	THROTTLE_TCP_PACKETS = 5,
};

struct throttle { /* zero-initialised; any thread */
	_Atomic uint64_t arrival_us[THROTTLE_SLOTS];
};

/*
 * May PACKETS leave for ZONE (lower-case wire name) now, at RATE packets per second (0: no limit)?
 * Returns 0 and counts them, or the milliseconds to wait. In no second do more than RATE leave: an
 * eighth of it may go in a burst, the rest evenly.
 */
uint32_t throttle_take(struct throttle *t, const uint8_t *zone, uint32_t rate, unsigned packets,
		       struct now now);
/* The same for what can wait: the burst is left to others. */
uint32_t throttle_take_spare(struct throttle *t, const uint8_t *zone, uint32_t rate,
			     unsigned packets, struct now now);

/* One bucket by itself. */
struct throttle_limit {
	uint64_t cost_us, burst_us;
};
/* RATE a second, an eighth of it in a burst; each time PACKETS are taken. RATE is at least 1. */
struct throttle_limit throttle_limit_of(uint32_t rate, unsigned packets);
/* As throttle_take(), with *ARRIVAL_US as the bucket's state. */
uint32_t throttle_pass(_Atomic uint64_t *arrival_us, const struct throttle_limit *limit,
		       struct now now);
