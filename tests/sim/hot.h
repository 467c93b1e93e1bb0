#pragma once
/*
 * The profiles about prefetching: builders, and what is checked as the run goes on.
 */
#include <stdbool.h>
#include <stdint.h>

struct sim;
struct stub;

enum { HOT_RATE_MAX = 1000 };

struct hot { /* of one run; zero in others */
	uint64_t outage_from_us, outage_until_us;
	enum { OUTAGE_SILENT, OUTAGE_REFUSES, OUTAGE_DENIES } outage; /* how servers go away */
	uint64_t end_us;
	uint64_t follow_until_us; /* so long clients come back when their copy has run out */
	bool overloaded;	  /* more names than the rate allows: waiting is allowed */
	uint64_t sent;		  /* refreshes so far, and the times of the last ones */
	uint64_t sent_us[HOT_RATE_MAX];
	uint64_t asked, stale;
	/* the packets to the forwarder that counts them, and the times of the last ones */
	struct host *counting;
	uint64_t counted, counted_us[HOT_RATE_MAX];
	uint64_t patience_us; /* no miss takes longer; 0: unknown */
};

void build_hot(struct sim *s);
void build_hot_outage(struct sim *s);
void build_hot_downstream(struct sim *s);
void build_hot_budget(struct sim *s);
void build_hot_attack(struct sim *s);
void build_hot_signed(struct sim *s);
void build_hot_flip(struct sim *s);
void build_hot_dying(struct sim *s);
void build_hot_crowd(struct sim *s);
void build_hot_restart(struct sim *s);
void build_hot_forward(struct sim *s);

struct host;

/* HOST goes away, or begins to refuse, or is back. */
void hot_turn(struct sim *s, struct host *host);
/* Is this run one of them? */
bool hot_is_watched(const struct sim *s);

/* A packet is on its way to HOST. */
void hot_counts(struct sim *s, const struct host *host, bool tcp);
/* C has just asked; C has its answer; the resolver has made a step; the run is over. */
void asked_hot(struct sim *s, const struct stub *c);
void answered_hot(struct sim *s, const struct stub *c);
void stepped_hot(struct sim *s);
void finish_hot(struct sim *s);
