/*
 * Zones that the operator has told us about: some of a random world's zones are reached through a
 * forwarder or as stub zones.
 */
#include "sim/sim.h"

void configured_forward(struct sim *s, struct settings_zone *z)
{
	struct host *h =
		world_host(&s->world, world_name(&s->world, "forwarder.test."), NULL, 1, 0, 0);
	h->quirks = (struct quirks){.is_recursive = true,
				    .follows_aliases = true,
				    .delay_us = prng_between(&s->dice, 500, 15000),
				    .truncates = prng_percent(&s->dice, 5)};
	z->forward = true;
	z->fallback = prng_percent(&s->dice, 20);
	z->tcp = prng_percent(&s->dice, 20);
	z->servers[z->server_count++] = h->addresses[0];
}

/* Some zones that the operator has told us about. */
void generate_configured(struct sim *s)
{
	struct world *w = &s->world;
	struct settings *o = &s->settings;
	struct settings_zone *zones = world_alloc(w, 2 * sizeof(*zones));
	for (unsigned i = prng_between(&s->dice, 1, 2); i > 0; i--) {
		const struct zone *z = w->zones[prng_between(&s->dice, 1, w->zone_count - 1)];
		struct settings_zone *out = &zones[o->zone_count];
		if (o->zone_count && dname_equal(zones[0].name, z->apex))
			continue;
		dname_lower(z->apex, out->name);
		o->zone_count++;
		if (prng_percent(&s->dice, 50)) {
			configured_forward(s, out);
			continue;
		}
		for (unsigned h = 0; h < z->host_count; h++)
			for (unsigned a = 0; a < z->hosts[h]->address_count &&
					     out->server_count < SETTINGS_ZONE_SERVERS_MAX;
			     a++)
				out->servers[out->server_count++] = z->hosts[h]->addresses[a];
	}
	o->zones = zones;
}
