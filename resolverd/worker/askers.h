#pragma once
/*
 * Who waits for an answer of one worker: the way back to each client, under a token that the core keeps. A token is used once, so that one that is long gone finds nobody.
 *
 * Where all places are taken, shares decide whose query gives way to whose (base/shares.h).
 */
#include "base/err.h"
#include "base/shares.h"
#include "net/tcp.h"
#include "net/udp.h"

enum {
	/* Each waits for 1.8 s at most, so this bounds a worker at 9,000 misses a second, which is
	 * more than it can resolve; 2 MB of memory. */
	ASKERS_MAX = 16384,
};

enum asker_kind { ASKER_NONE, ASKER_UDP, ASKER_TCP };

struct asker {
	enum asker_kind kind;
	uint32_t generation;
	uint64_t since_us;	 /* now.mono_us when it asked */
	uint32_t next, previous; /* free ones, or those of one connection; plus one */
	struct shares_member share;
	struct udp_path path;	  /* ASKER_UDP */
	struct tcp_handle handle; /* ASKER_TCP */
};

struct askers { /* one worker */
	struct asker *slots;
	uint32_t *first_of;  /* by slot of the connection: its first client, plus one */
	uint32_t free_first; /* plus one */
	struct shares shares;
};

/* For at most CONNECTIONS TCP connections. ERR_NO_MEMORY. */
MUST_USE enum err askers_init(struct askers *c, unsigned connections);
void askers_deinit(struct askers *c);

static inline bool askers_is_full(const struct askers *c)
{
	return !c->free_first;
}
/* C is full: the token of the client that must be taken for one more of HOLDER to find room. False: none
 * must, HOLDER has its share. */
bool askers_victim(const struct askers *c, const struct shares_holder *holder, uint64_t *token);

/* A token for a new client of HOLDER, who has asked NOW. C is not full. */
uint64_t askers_add_udp(struct askers *c, const struct udp_path *path,
			const struct shares_holder *holder, struct now now);
uint64_t askers_add_tcp(struct askers *c, struct tcp_handle handle,
			const struct shares_holder *holder, struct now now);

/* The client of TOKEN, who is forgotten by this, into OUT; false if there is none (any more). */
bool askers_take(struct askers *c, uint64_t token, struct asker *out);

/* The token of the next client at or behind slot *FROM, 0 at first, who has come by SOCKET; false if
 * there is none. */
bool askers_of_socket(const struct askers *c, const struct udp_socket *socket, uint32_t *from,
		      uint64_t *token);
/* The token of any client of a connection; false if it has none. */
bool askers_of(const struct askers *c, struct tcp_handle handle, uint64_t *token);
