#pragma once
/*
 * Fair shares of a pool that strangers fill: whose the things are that are held of it, and who gives
 * way. Everything held belongs to an account, and there is an account for each client prefix that holds
 * anything. The rule is max-min fairness by weight:
 *
 *   - while there is room anybody takes what he wants;
 *   - when there is none, the account that holds most for its weight gives way to one that would still
 *     hold less for its own, with what it has not used for longest.
 *
 * So a client that holds no more than an equal share of a pool is never refused anything because another
 * was greedy, and nothing is set aside that somebody could use.
 *
 * A prefix is an IPv4 address or the /64 of an IPv6 one: that is what a single machine owns, and what is
 * longer it could choose as it likes. In networks that are trusted nobody plays that game, and a /64 is
 * a whole subnet of nodes there: each address counts by itself, and weighs as many strangers, since a
 * cluster's DNS is one address for thousands.
 *
 * Memory is bounded by the size of the pool. Accounts are found by a keyed hash, as strangers choose the
 * addresses.
 */
#include <sys/queue.h>

#include "base/endpoint.h"
#include "base/hash.h"
#include "base/heap.h"

enum { SHARES_TRUSTED_WEIGHT = 16, SHARES_PREFIX_BITS = 64 };

struct shares_holder {		/* a value */
	struct endpoint prefix; /* port 0; family 0: nobody in particular */
	uint32_t weight;
};

/* As whom CLIENT counts; IS_TRUSTED: its network is. */
struct shares_holder shares_holder_of(const struct endpoint *client, bool is_trusted);

struct shares_account;

struct shares_member { /* inside of what is held; zero-initialised: not held */
	TAILQ_ENTRY(shares_member) in_account;
	struct shares_account *account; /* NULL: not held */
};
TAILQ_HEAD(shares_list, shares_member);

struct shares { /* one thread */
	struct hash_key key;
	struct shares_account *accounts; /* as many as the pool has places; free ones are chained */
	struct shares_account **buckets, *free_first;
	uint32_t bucket_mask;
	struct heap by_load; /* who holds most for his weight comes first */
};

/* Of a pool of CAPACITY places. ERR_NO_MEMORY. */
MUST_USE enum err shares_init(struct shares *s, uint32_t capacity);
/* Members are forgotten as they are. */
void shares_deinit(struct shares *s);

/* M, which is not held, now is, by HOLDER. There are fewer than CAPACITY. */
void shares_join(struct shares *s, struct shares_member *m, const struct shares_holder *holder);
/* M is held no more; nothing happens if it is not. */
void shares_leave(struct shares *s, struct shares_member *m);
/* M has just been used: others of its account go first. */
void shares_touch(struct shares_member *m);
/* Whose M, which is held, is. */
const struct shares_holder *shares_holder(const struct shares_member *m);
/* How many HOLDER holds. */
uint32_t shares_held(const struct shares *s, const struct shares_holder *holder);
/* With one more, A would still hold less for its weight than B does. */
bool shares_is_lighter(const struct shares *s, const struct shares_holder *a,
		       const struct shares_holder *b);

/* A's account holds more than twice as much for its weight as B's: less may be chance. */
bool shares_outweighs(const struct shares_member *a, const struct shares_member *b);

/* There is no room for one more of HOLDER: the member that gives way to it, or NULL if all others would
 * hold less than HOLDER then. HOLDER NULL: of whoever holds most. */
struct shares_member *shares_victim(const struct shares *s, const struct shares_holder *holder);
/* HOLDER's own that was not used for longest, or NULL. */
struct shares_member *shares_oldest(const struct shares *s, const struct shares_holder *holder);
