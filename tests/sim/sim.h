#pragma once
/*
 * One run: a simulated internet, a resolver in its middle, clients around it, and one virtual
 * clock that jumps from event to event. A run is repeated exactly by its seed.
 *
 *   main.c      seeds, one after the other
 *   sim.c       the run: clock, events, actions, what must hold at the end
 *   profiles.c  what kinds of runs there are; random worlds come from generate.c
 *   world.c     zones and hosts          server.c, lies.c   what hosts answer
 *   habits.c    ... and how each does so that is not as others are
 *   net.c       loss, delay, addresses   client.c           who asks, when, and how
 *   oracle.c    the truth                check.c            answers compared with it
 *   life.c      workers, and restarts of all of them
 *   newest.c    names that change: nobody is told what is older
 *   traces.c    decision traces make sense
 *   judge.c     ... and judged by what was signed
 *   liar.c      who makes lies of true replies
 *   seeded.c    libcrypto's chance, so that keys repeat too
 */
#include "base/heap.h"
#include "resolve/resolver.h"
#include "sim/hot.h"
#include "sim/liar.h"
#include "sim/life.h"
#include "sim/net.h"
#include "sim/newest.h"
#include "sim/rollover.h"
#include "sim/secure.h"
#include "sim/stub.h"
#include "sim/world.h"

struct sim;

enum { SIM_WORKER_SHIFT = 62 };	 /* of a send's token on the network: its worker's number */
enum { SIM_LATE_US = 12000000 }; /* how late what was told before a change may yet be stored */

struct profile {
	const char *name;
	unsigned weight;	       /* how many of the seeds, relative to the others */
	void (*build)(struct sim *s);  /* the world, and what clients will ask */
	void (*finish)(struct sim *s); /* what must hold at the end besides; or NULL */
};

enum happening {
	HAPPEN_REPLY,
	HAPPEN_LOST,
	HAPPEN_ASK,
	HAPPEN_GONE,
	HAPPEN_REVOKE,
	HAPPEN_CHANGE,
	HAPPEN_OUTAGE,
	HAPPEN_ROLL,
	HAPPEN_DOWN,
	HAPPEN_UP,
	HAPPEN_LOAD,
	HAPPEN_CLOCK,
	HAPPEN_RECALL,
};

struct sim_event {
	struct heap_node node; /* key: microseconds of the run */
	enum happening kind;
	uint64_t
		token; /* of the send or the client; index of the zone or change; a step in seconds */
	struct endpoint peer;
	enum transport transport;
	enum loss loss;
	uint8_t *bytes;
	size_t len;
	unsigned life; /* in which it was asked for */
};

struct cost { /* CPU time of resolver_step(), if the program was asked for it */
	bool is_measured;
	uint64_t total_ns, longest_ns, steps;
};

struct sim {
	uint64_t seed;
	bool verbose;
	const struct profile *profile;
	struct prng dice;
	uint64_t now_us;   /* since the run began */
	uint64_t quiet_us; /* waited at the end for everything to come to rest */
	struct hot hot;
	struct heap events;
	struct world world;
	struct net net;
	struct stubs stubs;

	struct liar liar;
	struct newest *newest;	  /* names that change; NULL: none */
	struct rollover rollover; /* the one zone that rolls its keys */
	struct cost cost;

	bool with_flaws;	  /* some signed zones are bogus */
	struct keyring *keyring;  /* of the process */
	struct anchor anchors[2]; /* the root's, when it is signed, and another */
	struct settings settings;
	size_t memory_bytes;   /* of the cache; small ones evict */
	size_t question_bytes; /* of a worker's questions in progress; 0: as by default */
	bool has_ipv4, has_ipv6;
	struct metrics metrics;
	struct hash_key cookie_secret;
	struct life life;

	bool failed;
	char failure[600]; /* "invariant: details" of the first one broken */
};

/* Results over many runs, for the curious. */
struct sim_totals {
	uint64_t asked, hits, answered, servfails, sends, failed;
	uint64_t servfails_by_mood[3], answered_by_mood[3];
	uint64_t servfails_by_liar[LIAR_MODES], answered_by_liar[LIAR_MODES];
	struct cost cost;
	uint64_t signature_checks;
	unsigned most_checks, most_hashes; /* for one client query */
};

/* Run SEED to its end; false if an invariant broke (s->failure says which). */
bool sim_run(struct sim *s, struct sim_totals *totals);

/* The invariant WHAT is broken. Only the first one of a run counts. */
void sim_fail(struct sim *s, const char *what, const char *format, ...) PRINTF_LIKE(3, 4);
/* A line of the story, with the time, when --verbose was given. */
void sim_tell(struct sim *s, const char *format, ...) PRINTF_LIKE(2, 3);

/* The run's clock as the resolver sees it. */
struct now sim_now(const struct sim *s);
/* Put EVENT (filled but for its node) into the future. Takes EVENT.bytes. */
void sim_schedule(struct sim *s, uint64_t at_us, const struct sim_event *event);
/* Feed one event to WORKER's resolver and do what it wants. */
void sim_step(struct sim *s, unsigned worker, const struct event *event);

const struct profile *profile_by_name(const char *name);
const struct profile *profile_by_seed(uint64_t seed);

/* The world in words (tell.c). */
void tell_world(struct sim *s);
void tell_truth(struct sim *s, const struct stub *c);

/* A random internet of s->world.mood, and random clients for it (generate.c). */
void generate_world(struct sim *s);
void generate_questions(struct sim *s, unsigned count);
/* Some of its zones become forward and stub zones (configured.c). */
void generate_configured(struct sim *s);
/* Make Z a forward zone: its recursive server does it all, and is well. */
void configured_forward(struct sim *s, struct settings_zone *z);
/* The trust anchor of a signed root. */
void generate_anchors(struct sim *s);
/* Root hints out of the world's root zone. */
void generate_hints(struct sim *s);
