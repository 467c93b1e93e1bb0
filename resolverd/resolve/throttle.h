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
