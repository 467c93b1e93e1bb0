#pragma once
/*
 * Clients of one worker whose queries wait for an answer: the way back for each, under a token that
 * the core keeps. A token is used once, so that one that is long gone finds nobody.
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
	CLIENTS_MAX = 16384,
};

enum client_kind { CLIENT_NONE, CLIENT_UDP, CLIENT_TCP };

struct client {
	enum client_kind kind;
	uint32_t generation;
	uint64_t since_us;	 /* now.mono_us when it asked */
	uint32_t next, previous; /* free ones, or those of one connection; plus one */
	struct shares_member share;
	struct udp_path path;	  /* CLIENT_UDP */
	struct tcp_handle handle; /* CLIENT_TCP */
};

struct clients { /* one worker */
	struct client *slots;
	uint32_t *first_of;  /* by slot of the connection: its first client, plus one */
	uint32_t free_first; /* plus one */
	struct shares shares;
};

/* For at most CONNECTIONS TCP connections. ERR_NO_MEMORY. */
MUST_USE enum err clients_init(struct clients *c, unsigned connections);
void clients_deinit(struct clients *c);

static inline bool clients_is_full(const struct clients *c)
{
	return !c->free_first;
}
/* C is full: the token of the client that must be taken for one more of HOLDER to find room. False: none
 * must, HOLDER has its share. */
bool clients_victim(const struct clients *c, const struct shares_holder *holder, uint64_t *token);

/* A token for a new client of HOLDER, who has asked NOW. C is not full. */
uint64_t clients_add_udp(struct clients *c, const struct udp_path *path,
			 const struct shares_holder *holder, struct now now);
uint64_t clients_add_tcp(struct clients *c, struct tcp_handle handle,
			 const struct shares_holder *holder, struct now now);

/* The client of TOKEN, who is forgotten by this, into OUT; false if there is none (any more). */
bool clients_take(struct clients *c, uint64_t token, struct client *out);

/* The token of the next client at or behind slot *FROM, 0 at first, who has come by SOCKET; false if
 * there is none. */
bool clients_of_socket(const struct clients *c, const struct udp_socket *socket, uint32_t *from,
		       uint64_t *token);
/* The token of any client of a connection; false if it has none. */
bool clients_of(const struct clients *c, struct tcp_handle handle, uint64_t *token);
