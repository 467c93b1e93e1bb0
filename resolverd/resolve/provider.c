#include "resolve/provider.h"

static const struct endpoint known[] = {
	{.family = 4, .port = 53, .addr = {169, 254, 169, 253}},
	{.family = 6, .port = 53, .addr = {0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x53}},
};

static bool same_address(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family &&
	       memcmp(a->addr, b->addr, a->family == 4 ? 4 : sizeof(a->addr)) == 0;
}

bool provider_is_known(const struct endpoint *e)
{
	return same_address(e, &known[0]) || same_address(e, &known[1]);
}

/* Addresses that stand beside a known one, each once: a VPC has one, so more than a few are a
 * mistake, and counted by themselves. */
enum { OTHERS_MAX = 8 };
struct others {
	struct endpoint list[OTHERS_MAX];
	size_t count;
};

static bool is_other(const struct others *o, const struct endpoint *e)
{
	for (size_t i = 0; i < o->count; i++)
		if (same_address(&o->list[i], e))
			return true;
	return false;
}

static bool has_known(const struct settings_zone *z)
{
	for (size_t i = 0; i < z->server_count; i++)
		if (provider_is_known(&z->servers[i]))
			return true;
	return false;
}

static bool has_other(const struct settings_zone *z, const struct others *o)
{
	for (size_t i = 0; i < z->server_count; i++)
		if (is_other(o, &z->servers[i]))
			return true;
	return false;
}

static void gather_others(const struct settings *s, struct others *o)
{
	o->count = 0;
	for (size_t i = 0; i < s->zone_count; i++) {
		const struct settings_zone *z = &s->zones[i];
		for (size_t k = 0; has_known(z) && k < z->server_count; k++)
			if (!provider_is_known(&z->servers[k]) && !is_other(o, &z->servers[k]) &&
			    o->count < OTHERS_MAX)
				o->list[o->count++] = z->servers[k];
	}
}

static struct endpoint lowest_server(const struct settings_zone *z)
{
	struct endpoint lowest = z->servers[0];

	for (size_t i = 1; i < z->server_count; i++)
		if (memcmp(&z->servers[i], &lowest, sizeof(lowest)) < 0)
			lowest = z->servers[i];
	return lowest;
}

enum err provider_count_as(const struct settings *s, struct arena *arena,
			   const struct endpoint **out)
{
	struct endpoint *list = arena_alloc(arena, (s->zone_count + 1) * sizeof(*list));
	struct others others;

	if (!list)
		return ERR_NO_MEMORY;
	gather_others(s, &others);
	for (size_t i = 0; i < s->zone_count; i++) {
		const struct settings_zone *z = &s->zones[i];
		bool his = has_known(z) || has_other(z, &others);
		list[i] = his ? known[0] : lowest_server(z);
	}
	*out = list;
	return OK;
}
