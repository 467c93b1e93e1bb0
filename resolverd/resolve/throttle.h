#pragma once
/*
 * Packet rate limits of forward and stub zones (the provider's resolver drops what passes 1024
 * packets per second and interface). One for all workers, lock-free: for each server the virtual
 * arrival time of the generic cell rate algorithm. It is the server that counts, so zones that are
 * forwarded to the same one share its allowance. Servers are found by a hash of their address, so
 * limits outlive a reload; two in one slot share it, which errs on the safe side.
 *
 * A packet that is lost there was one too many: others on the same interface send too, and nobody
 * tells how many. Each loss is charged like several packets, so that half a percent of losses, which
 * is the network's, costs a twentieth of the rate, and a quarter of all packets lost two thirds.
 *
 * The line for a server has as many places as leave in the time that a client would wait, and nobody may
 * hold more of them, by weight, than are left free: one client alone gets half of a line, two get a
 * third each, and there is always room for one who has none: of the last quarter weights say nothing.
 * Which client is which the caller says by a keyed hash. Each has an account in each of two books, of
 * which the one counts that says less: somebody else's places are taken for a client's own only if he
 * shares both, which of 17 million pairs one does.
 *
 * Where the network card tells of the drops (net/allowance.h), all rates follow that too, up and down:
 * what is left of the allowance then is ours, whoever has the rest.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/now.h"

enum {
	THROTTLE_SLOTS = 256,
	THROTTLE_BOOKS = 2,
	THROTTLE_ACCOUNTS = 4096, /* of clients in line, at all servers, in each book */
	/* A TCP exchange costs handshake, query, acknowledgement and close. */
	THROTTLE_TCP_PACKETS = 5,
	THROTTLE_NEVER = UINT32_MAX,
	THROTTLE_LOST_PACKETS = 10,
	/* Losses never charge ahead for longer: the rate comes back within a second of the last. */
	THROTTLE_PENALTY_MS = 1000,
	/* Of each rate, in parts of THROTTLE_WHOLE: with drops a quarter of what is left goes; without
	 * any, one part in 32 of the whole comes back. Never less than a quarter stays: if others take
	 * all, our standing still would not help anybody. */
	THROTTLE_WHOLE = 1024,
	THROTTLE_LEAST = THROTTLE_WHOLE / 4,
	THROTTLE_STEP = THROTTLE_WHOLE / 32,
	THROTTLE_FULL_S = 60, /* whoever asks once a minute whether all is well learns of it */
};

struct throttle { /* zero-initialised; any thread */
	_Atomic uint64_t arrival_us[THROTTLE_SLOTS];
	_Atomic uint32_t places[THROTTLE_SLOTS]; /* that are taken, in packets */
	_Atomic uint32_t places_of[THROTTLE_BOOKS][THROTTLE_ACCOUNTS]; /* of these, by client */
	_Atomic uint32_t cut;	    /* parts that are taken from every rate */
	_Atomic uint64_t refused_s; /* when somebody last got THROTTLE_NEVER; 0: nobody yet */
};

struct throttle_want {
	struct endpoint server; /* settings_counted_as() */
	uint32_t rate;		/* packets a second; not 0 */
	unsigned packets;
	uint64_t client; /* a hash of who wants it, for whom it would wait in line */
	uint32_t weight; /* of the client; not 0 */
};

struct throttle_place {		  /* in line */
	uint16_t server, packets; /* no packets: none */
	uint16_t accounts[THROTTLE_BOOKS];
};

/*
 * Take a place in the line for WANT's packets: returns how many milliseconds later it is their turn,
 * 0: now. They are counted already, so that those who wait need not try again and again, and go in
 * the order in which they came; who does not send then has wasted them. *PLACE is to be given back by
 * throttle_leave() then. THROTTLE_NEVER, and nothing counted, if the line is longer than PATIENCE_MS, or
 * the client has its share of it. In no second do more than the rate leave: an eighth of it may go in a
 * burst, the rest evenly.
 */
uint32_t throttle_take(struct throttle *t, const struct throttle_want *want, uint32_t patience_ms,
		       struct now now, struct throttle_place *place);
/* PLACE's time has come, or it is given up. */
void throttle_leave(struct throttle *t, struct throttle_place *place);
/* THROTTLE_NEVER was somebody's answer in the last THROTTLE_FULL_S seconds. */
bool throttle_is_full(const struct throttle *t, struct now now);
/* For what can wait: it has no place in the line, and the burst is left to others, unless it
 * IS_PRESSED.
 * 0: go, counted; or the milliseconds after which to ask again. */
uint32_t throttle_take_spare(struct throttle *t, const struct throttle_want *want, bool is_pressed,
			     struct now now);
/* A packet of WANT's had no answer in time. */
void throttle_lose(struct throttle *t, const struct throttle_want *want, struct now now);

/* Every few seconds, where it is known, from one thread: were packets dropped by the allowance that the
 * servers of rate-limited zones share with the rest of the machine? */
void throttle_note_drops(struct throttle *t, bool any);
/* What is left of every rate, in parts of THROTTLE_WHOLE. */
uint32_t throttle_share(const struct throttle *t);

/* One bucket by itself. */
struct throttle_limit {
	uint64_t cost_us, burst_us;
};
/* RATE a second, an eighth of it in a burst; each time PACKETS are taken. RATE is at least 1. */
struct throttle_limit throttle_limit_of(uint32_t rate, unsigned packets);
/* As throttle_take_spare(), with *ARRIVAL_US as the bucket's state. */
uint32_t throttle_pass(_Atomic uint64_t *arrival_us, const struct throttle_limit *limit,
		       struct now now);
