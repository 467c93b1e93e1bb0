#include "worker/allotment.h"

#include "base/require.h"
#include "net/pool.h"

enum {
	/* Files, the log, what libraries open, and operators' connections. */
	SPARE = 64,
	PER_WORKER = 4,	 /* epoll, eventfd and the like */
	PER_ADDRESS = 2, /* UDP and TCP */
	PARTS = 8,
	SERVERS_PARTS = 3,
	POOL_PARTS = 1,
};

struct allotment allotment_of(const struct allotment_needs *needs)
{
	uint64_t fixed = SPARE + (uint64_t)needs->workers *
					 (PER_WORKER + PER_ADDRESS * (uint64_t)needs->addresses);
	uint64_t all =
		needs->descriptors > fixed ? (needs->descriptors - fixed) / needs->workers : 0;
	uint64_t pool = MIN(all * POOL_PARTS / PARTS, (uint64_t)POOL_CONNECTIONS);
	uint64_t servers = MIN(all * SERVERS_PARTS / PARTS, (uint64_t)ALLOTMENT_SERVERS_MAX);
	uint64_t clients = MIN(all - pool - servers, (uint64_t)ALLOTMENT_CLIENTS_MAX);

	return (struct allotment){
		.clients = (unsigned)MAX(clients, (uint64_t)ALLOTMENT_MIN),
		.servers = (unsigned)MAX(servers, (uint64_t)ALLOTMENT_MIN),
		.few = clients < ALLOTMENT_MIN || servers < ALLOTMENT_MIN,
	};
}
