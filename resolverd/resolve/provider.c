#include "resolve/provider.h"

#include <stdlib.h>

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

/* ---- budgets --------------------------------------------------------------------------------- */

static int by_server(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct endpoint));
}
static_assert(offsetof(struct settings_budget, server) == 0, "compared from its start");

const struct settings_budget *provider_find_budget(const struct settings_budget *list, size_t count,
						   const struct endpoint *server)
{
	return count > 0 ? bsearch(server, list, count, sizeof(*list), by_server) : NULL;
}

/* Every server of a zone with a rate limit, in order, each once; how many. */
static size_t list_servers(const struct settings *s, struct settings_budget *list)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < s->zone_count; i++) {
		const struct settings_zone *z = &s->zones[i];
		for (size_t k = 0; z->rate_limit > 0 && k < z->server_count; k++)
			list[count++] = (struct settings_budget){
				z->servers[k], .counted_as = z->servers[k], .rate = z->rate_limit};
	}
	if (count > 0)
		qsort(list, count, sizeof(*list), by_server);
	for (size_t i = 0; i < count; i++) {
		if (kept > 0 && endpoint_equal(&list[kept - 1].server, &list[i].server))
			list[kept - 1].rate = MIN(list[kept - 1].rate, list[i].rate);
		else
			list[kept++] = list[i];
	}
	return kept;
}

/* The first of those that are found so far to be counted with INDEX; UP leads there. */
static size_t first_of(size_t *up, size_t index)
{
	while (up[index] != index) {
		up[index] = up[up[index]];
		index = up[index];
	}
	return index;
}

static void join(size_t *up, size_t a, size_t b)
{
	a = first_of(up, a);
	b = first_of(up, b);
	up[MAX(a, b)] = MIN(a, b);
}

/* Servers that Z names together are counted together, but for the provider's. */
static void join_zone(const struct settings_zone *z, const struct others *others,
		      const struct settings_budget *list, size_t count, size_t *up)
{
	const struct settings_budget *first = NULL;

	for (size_t k = 0; z->rate_limit > 0 && k < z->server_count; k++) {
		const struct settings_budget *b = provider_find_budget(list, count, &z->servers[k]);
		if (!b || provider_is_known(&b->server) || is_other(others, &b->server))
			continue;
		if (first)
			join(up, (size_t)(first - list), (size_t)(b - list));
		first = b;
	}
}

enum err provider_budgets(const struct settings *s, struct arena *arena,
			  const struct settings_budget **out, size_t *count)
{
	size_t most = 1;
	struct others others;

	for (size_t i = 0; i < s->zone_count; i++)
		most += s->zones[i].rate_limit > 0 ? s->zones[i].server_count : 0;
	struct settings_budget *list = arena_alloc(arena, most * sizeof(*list));
	size_t *up = arena_alloc(arena, most * sizeof(*up));
	if (!list || !up)
		return ERR_NO_MEMORY;
	gather_others(s, &others);
	*count = list_servers(s, list);
	for (size_t i = 0; i < *count; i++)
		up[i] = i;
	for (size_t i = 0; i < s->zone_count; i++)
		join_zone(&s->zones[i], &others, list, *count, up);
	for (size_t i = 0; i < *count; i++) {
		bool his = provider_is_known(&list[i].server) || is_other(&others, &list[i].server);
		list[i].counted_as = his ? known[0] : list[first_of(up, i)].server;
	}
	*out = list;
	return OK;
}
