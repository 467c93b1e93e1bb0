#include "resolve/throttle.h"

#include "base/require.h"

static size_t slot_of(const struct endpoint *server)
{
	const uint8_t *bytes = (const uint8_t *)server;
	uint32_t h = 2166136261u; /* FNV-1a: the operator chooses the servers, no key is needed */
	for (size_t i = 0; i < sizeof(*server); i++)
		h = (h ^ bytes[i]) * 16777619u;
	return h % THROTTLE_SLOTS;
}

struct throttle_limit throttle_limit_of(uint32_t rate, unsigned packets)
{
	REQUIRE(rate > 0);
	uint64_t even = MAX(rate - rate / 8, 1u);
	return (struct throttle_limit){.cost_us = packets * (uint64_t)1000000 / even,
				       .burst_us = (rate / 8) * (uint64_t)1000000 / even};
}

/* Of RATE, what is left of it. */
static struct throttle_limit limit_of(const struct throttle *t, uint32_t rate, unsigned packets)
{
	uint64_t left = (uint64_t)rate * throttle_share(t) / THROTTLE_WHOLE;
	return throttle_limit_of((uint32_t)MAX(left, (uint64_t)1), packets);
}

/* Let *ARRIVAL pass by COST_US, unless it would be more than MOST_US ahead of NOW before: false.
 * *AHEAD_US is how far it was. */
static bool advance(_Atomic uint64_t *arrival, uint64_t cost_us, uint64_t most_us, struct now now,
		    uint64_t *ahead_us)
{
	uint64_t old = atomic_load_explicit(arrival, memory_order_relaxed);
	for (;;) {
		uint64_t start = MAX(old, now.mono_us);
		*ahead_us = start - now.mono_us;
		if (*ahead_us > most_us)
			return false;
		if (atomic_compare_exchange_weak_explicit(arrival, &old, start + cost_us,
							  memory_order_relaxed,
							  memory_order_relaxed))
			return true;
	}
}

uint32_t throttle_pass(_Atomic uint64_t *arrival, const struct throttle_limit *limit,
		       struct now now)
{
	uint64_t ahead_us;
	if (advance(arrival, limit->cost_us, limit->burst_us, now, &ahead_us))
		return 0;
	return (uint32_t)((ahead_us - limit->burst_us) / 1000 + 1);
}

/* Once a second: many are refused then, by all workers. */
static void note_full(struct throttle *t, struct now now)
{
	uint64_t now_s = now.mono_us / 1000000;
	if (atomic_load_explicit(&t->refused_s, memory_order_relaxed) != now_s)
		atomic_store_explicit(&t->refused_s, now_s, memory_order_relaxed);
}

bool throttle_is_full(const struct throttle *t, struct now now)
{
	uint64_t at_s = atomic_load_explicit(&t->refused_s, memory_order_relaxed);
	return at_s > 0 && now.mono_us / 1000000 < at_s + THROTTLE_FULL_S;
}

static struct throttle_place place_of(const struct throttle_want *want)
{
	size_t slot = slot_of(&want->server);
	struct throttle_place place = {.server = (uint16_t)slot,
				       .packets = (uint16_t)want->packets};
	uint64_t hash = want->client;
	for (unsigned i = 0; i < THROTTLE_BOOKS; i++, hash /= THROTTLE_ACCOUNTS)
		place.accounts[i] = (uint16_t)((hash + slot) % THROTTLE_ACCOUNTS);
	return place;
}

/* How many places whoever has PLACE's accounts holds, at most. */
static uint32_t held_by(const struct throttle *t, const struct throttle_place *place)
{
	uint32_t held = UINT32_MAX;
	for (unsigned i = 0; i < THROTTLE_BOOKS; i++)
		held = MIN(held, atomic_load_explicit(&t->places_of[i][place->accounts[i]],
						      memory_order_relaxed));
	return held;
}

/* Nobody is in line, or WANT's client holds no more than is free for all, counting by weight, but for the
 * last quarter: a few who weigh much would leave nothing. */
static bool has_share(const struct throttle *t, const struct throttle_want *want,
		      const struct throttle_place *place, uint64_t all)
{
	uint64_t taken = atomic_load_explicit(&t->places[place->server], memory_order_relaxed);
	uint64_t held = held_by(t, place);
	uint64_t left = all > taken ? all - taken : 0;
	uint64_t weight = left * 4 > all ? want->weight : 1;
	return taken == 0 || held + want->packets <= left * weight;
}

uint32_t throttle_take(struct throttle *t, const struct throttle_want *want, uint32_t patience_ms,
		       struct now now, struct throttle_place *place)
{
	struct throttle_limit limit = limit_of(t, want->rate, want->packets);
	struct throttle_place own = place_of(want);
	_Atomic uint64_t *arrival = &t->arrival_us[own.server];
	uint64_t ahead_us, patience_us = patience_ms * UINT64_C(1000);
	uint64_t places = patience_us * want->packets / limit.cost_us;
	bool waits =
		atomic_load_explicit(arrival, memory_order_relaxed) > now.mono_us + limit.burst_us;
	if ((waits && !has_share(t, want, &own, places)) ||
	    !advance(arrival, limit.cost_us, limit.burst_us + patience_us, now, &ahead_us)) {
		note_full(t, now);
		return THROTTLE_NEVER;
	}
	if (ahead_us <= limit.burst_us)
		return 0;
	*place = own;
	atomic_fetch_add_explicit(&t->places[own.server], own.packets, memory_order_relaxed);
	for (unsigned i = 0; i < THROTTLE_BOOKS; i++)
		atomic_fetch_add_explicit(&t->places_of[i][own.accounts[i]], own.packets,
					  memory_order_relaxed);
	return (uint32_t)((ahead_us - limit.burst_us + 999) / 1000);
}

void throttle_leave(struct throttle *t, struct throttle_place *place)
{
	atomic_fetch_sub_explicit(&t->places[place->server], place->packets, memory_order_relaxed);
	for (unsigned i = 0; i < THROTTLE_BOOKS; i++)
		atomic_fetch_sub_explicit(&t->places_of[i][place->accounts[i]], place->packets,
					  memory_order_relaxed);
	place->packets = 0;
}

void throttle_lose(struct throttle *t, const struct throttle_want *want, struct now now)
{
	struct throttle_limit limit = limit_of(t, want->rate, THROTTLE_LOST_PACKETS - 1);
	uint64_t ahead_us, most_us = limit.burst_us + THROTTLE_PENALTY_MS * UINT64_C(1000);
	(void)advance(&t->arrival_us[slot_of(&want->server)], limit.cost_us, most_us, now,
		      &ahead_us);
}

uint32_t throttle_take_spare(struct throttle *t, const struct throttle_want *want, bool is_pressed,
			     struct now now)
{
	struct throttle_limit limit = limit_of(t, want->rate, want->packets);
	if (!is_pressed)
		limit.burst_us = 0;
	return throttle_pass(&t->arrival_us[slot_of(&want->server)], &limit, now);
}

void throttle_note_drops(struct throttle *t, bool any)
{
	uint32_t left = throttle_share(t);
	left = any ? MAX(left - left / 4, (uint32_t)THROTTLE_LEAST)
		   : MIN(left + THROTTLE_STEP, (uint32_t)THROTTLE_WHOLE);
	atomic_store_explicit(&t->cut, THROTTLE_WHOLE - left, memory_order_relaxed);
}

uint32_t throttle_share(const struct throttle *t)
{
	return THROTTLE_WHOLE - atomic_load_explicit(&t->cut, memory_order_relaxed);
}
