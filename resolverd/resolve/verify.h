#pragma once
/*
 * The signatures of one set, tried one after another within the limits of the client query (KeyTrap,
 * CVE-2023-50387), and within the worker's time.
 *
 * Validation is the one thing here that can take milliseconds, and everybody on the worker would wait
 * it out. So what one batch of replies brings works for LIMIT_STEP_WORK_US at most. Who would exceed
 * that waits for a turn, and goes on from where it stopped in a step of its own (EV_DEADLINE, due at
 * once), which works for LIMIT_TURN_WORK_US; those that cost least go first: an honest chain is done
 * before the first dear signature of an attack. There is no clock in the core: work is an estimate,
 * crypto_cost_us().
 */
#include "resolve/query.h"

/* KEYS, which are WHOLE or not, in Q's arena with their tags, which costs time. NULL: no memory. */
const struct keyset *verify_keyset(struct query *q, const struct proven *keys, bool whole);

/* Is there a signature on SET that MEMO's keys make good? OK and *OUT: CRYPTO_GOOD (then MEMO holds the
 * proof, and SET is what it proves: its TTL is cut to what the signature allows, and signatures that
 * cannot be good are gone), CRYPTO_MISMATCH if none even fits a key, or what is wrong with the last.
 * ERR_BUSY: wait for a turn, then go on with the same MEMO. ERR_LIMIT: the client query has used up its
 * checks, or its memory. */
MUST_USE enum err verify_set(struct query *q, struct rrset *set, struct checked *memo,
			     enum crypto_result *out);

/* May Q work for COST_US now? False: it is woken when its turn comes. */
bool verify_has_turn(struct query *q, unsigned cost_us);
/* Q, which runs, needs no turn to be woken. */
void verify_end_wait(struct query *q);
/* About what a look at a signature or a key takes, for a set of OWNER. */
unsigned verify_look_us(const uint8_t *owner);
/* Q has worked for so long. */
void verify_charge(struct query *q, unsigned cost_us);
/* How many NSEC3 hashes Q may compute now, having a turn. */
unsigned verify_hashes_now(const struct query *q);
/* ... and they were not enough: Q is woken when its next turn comes. False: memory is out. */
bool verify_pause(struct query *q);
/* Q has computed NSEC3 hashes; its budget had LEFT_BEFORE of them left before. */
void verify_charge_hashes(struct query *q, unsigned left_before);

/* A step begins, with r->now not yet set to NOW. IS_TURN: it is one for those who wait. */
void verify_begin_step(struct resolver *r, struct now now, bool is_turn);
/* Who is next of those who wait for a turn, to be woken and run; NULL: nobody, or time is up. */
struct query *verify_next(struct resolver *r);
