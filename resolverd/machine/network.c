#include "machine/network.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "machine/service.h"
#include "net/udp.h"

static void tell_workers(struct network *n)
{
	for (unsigned i = 0; i < n->worker_count; i++)
		worker_set_routes(n->workers[i], n->route4, n->route6);
}

static void follow_route(uint8_t family, bool *route)
{
	bool now = udp_has_route(family);

	if (now == *route)
		return;
	*route = now;
	log_notice("network change family=ipv%u usable=%s", family, now ? "true" : "false");
}

/* Link-local ones come and go with every pod of a node, and lead nowhere else. */
static bool is_of_the_way(const struct endpoint *e)
{
	static const struct endpoint_prefix local[] = {
		{.family = 4, .bits = 16, .addr = {169, 254}},
		{.family = 6, .bits = 10, .addr = {0xfe, 0x80}},
	};
	for (size_t i = 0; i < ARRAY_LEN(local); i++)
		if (endpoint_prefix_covers(&local[i], e))
			return false;
	return true;
}

struct own_look {
	struct own_addresses *own;
	uint32_t count;
	uint64_t marks; /* of the addresses that a way may begin at, in whatever order */
};

static void begin_own(void *context)
{
	struct own_look *look = context;

	look->count = 0;
	look->marks = 0;
}

static void note_own(void *context, const struct monitor_address *address)
{
	struct own_look *look = context;

	own_addresses_put(look->own, look->count++, &address->address);
	if (is_of_the_way(&address->address))
		look->marks += own_addresses_mark(&address->address);
}

static bool follow_own(struct network *n)
{
	struct own_look look = {.own = n->own};

	if (monitor_addresses(&n->monitor, begin_own, note_own, &look) != OK)
		return false;
	own_addresses_end(n->own, look.count);
	/* Another address, most often, means another way to the world. */
	if (n->marks != 0 && n->marks != look.marks)
		infra_network_changed(n->infra);
	n->marks = look.marks;
	return true;
}

void network_follow(struct network *n)
{
	follow_route(4, &n->route4);
	follow_route(6, &n->route6);
	tell_workers(n);
	(void)follow_own(n); /* else with the next change, or when it is looked anyway */
	size_t before = listen_count_served(n->listen);
	bool complete = !n->node_local || node_local_look(n->node_local);
	complete &= listen_follow(n->listen, (*n->snapshot)->config, &n->monitor);
	if (!complete)
		monitor_look_soon(&n->monitor);
	size_t after = listen_count_served(n->listen);
	if ((before == 0) != (after == 0))
		service_ready(after > 0 ? "serving" : "waiting for an address to listen at");
}

static void handle_change(void *context)
{
	network_follow(context);
}

bool network_open(struct network *n, struct loop *loop, const struct network_parts *parts)
{
	const struct config *c = (*parts->snapshot)->config;

	*n = (struct network){.listen = parts->listen,
			      .snapshot = parts->snapshot,
			      .workers = parts->workers,
			      .worker_count = c->workers,
			      .own = parts->own,
			      .infra = parts->infra,
			      .route4 = udp_has_route(4),
			      .route6 = udp_has_route(6)};
	if (monitor_open(&n->monitor, loop, handle_change, n) != OK)
		log_warning("network is looked at every %d s only reason=\"%s\"",
			    MONITOR_POLL_MS / 1000, strerrordesc_np(errno));
	log_info("network ipv4=%s ipv6=%s", n->route4 ? "yes" : "no", n->route6 ? "yes" : "no");
	tell_workers(n);
	(void)follow_own(n);
	return listen_begin(n->listen, c, &n->monitor, n->workers, n->worker_count);
}

void network_close(struct network *n)
{
	monitor_close(&n->monitor);
}
