#include "net/allowance.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static_assert(ALLOWANCE_STATISTIC_NAME == ETH_GSTRING_LEN, "as the system has it");

enum {
	/* The system writes as many as there are, whatever it said before and whatever is asked for:
	 * a driver's queues may have become more in between, but hardly twice as many. */
	ROOM = 2 * ALLOWANCE_STATISTICS_MAX,
};

#define ALLOWANCE_WORDS(name, help) [ALLOWANCE_##name] = {#name, help, #name "_allowance_exceeded"},
static const struct {
	const char *name, *help, *statistic;
} words[] = {ALLOWANCE_LIST(ALLOWANCE_WORDS)};
#undef ALLOWANCE_WORDS
static_assert(ARRAY_LEN(words) == ALLOWANCE_COUNT, "each allowance has its words");

const char *allowance_name(enum allowance which)
{
	REQUIRE((unsigned)which < ALLOWANCE_COUNT);
	return words[which].name;
}

const char *allowance_help(enum allowance which)
{
	REQUIRE((unsigned)which < ALLOWANCE_COUNT);
	return words[which].help;
}

/* ---- what a driver says ---- */

bool allowance_find(struct span strings, struct allowance_places *out)
{
	size_t count = MIN(strings.len / ALLOWANCE_STATISTIC_NAME, ALLOWANCE_STATISTICS_MAX);
	bool found = false;

	for (size_t k = 0; k < ALLOWANCE_COUNT; k++)
		out->at[k] = ALLOWANCE_ABSENT;
	for (size_t i = 0; i < count; i++) {
		const char *at = (const char *)strings.at + i * ALLOWANCE_STATISTIC_NAME;
		for (size_t k = 0; k < ALLOWANCE_COUNT; k++) {
			if (out->at[k] != ALLOWANCE_ABSENT ||
			    strncmp(at, words[k].statistic, ALLOWANCE_STATISTIC_NAME) != 0)
				continue;
			out->at[k] = (uint16_t)i;
			found = true;
		}
	}
	return found;
}

static bool ask(const struct allowance_reader *r, const char *interface, void *request)
{
	struct ifreq wanted = {.ifr_data = request};

	memcpy(wanted.ifr_name, interface, sizeof(wanted.ifr_name));
	return ioctl(r->fd, SIOCETHTOOL, &wanted) == 0;
}

/* How many statistics INTERFACE has; 0 also if they are too many. */
static uint32_t count_statistics(const struct allowance_reader *r, const char *interface)
{
	union {
		struct ethtool_sset_info info;
		uint32_t room[(sizeof(struct ethtool_sset_info) + sizeof(uint32_t)) /
			      sizeof(uint32_t)];
	} request = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_STATS}};
	uint32_t count;

	if (!ask(r, interface, &request) || request.info.sset_mask == 0)
		return 0;
	memcpy(&count, request.info.data, sizeof(count));
	return count <= ALLOWANCE_STATISTICS_MAX ? count : 0;
}

/* Where INTERFACE's counters are, and of how many statistics. */
static bool find_places(const struct allowance_reader *r, const char *interface,
			struct allowance_places *out, uint32_t *count)
{
	struct ethtool_gstrings *request = r->strings;

	*count = count_statistics(r, interface);
	if (*count == 0)
		return false;
	*request = (struct ethtool_gstrings){
		.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_STATS, .len = *count};
	return ask(r, interface, request) && request->len == *count &&
	       allowance_find(span_of(request->data, (size_t)*count * ALLOWANCE_STATISTIC_NAME),
			      out);
}

static bool read_counters(const struct allowance_reader *r, const char *interface,
			  uint64_t out[static ALLOWANCE_COUNT])
{
	struct ethtool_stats *request = r->values;
	struct allowance_places places;
	uint32_t count;

	/* Every time anew: what stands where may have changed with the driver's queues. */
	if (!find_places(r, interface, &places, &count))
		return false;
	*request = (struct ethtool_stats){.cmd = ETHTOOL_GSTATS, .n_stats = count};
	if (!ask(r, interface, request) || request->n_stats != count)
		return false;
	for (size_t k = 0; k < ALLOWANCE_COUNT; k++)
		out[k] = places.at[k] == ALLOWANCE_ABSENT ? 0 : request->data[places.at[k]];
	return true;
}

/* ---- links ---- */

enum err allowance_open(struct allowance_reader *r)
{
	*r = (struct allowance_reader){.fd = -1};
	r->strings = calloc(1, sizeof(struct ethtool_gstrings) + ROOM * ALLOWANCE_STATISTIC_NAME);
	r->values = calloc(1, sizeof(struct ethtool_stats) + ROOM * sizeof(uint64_t));
	if (!r->strings || !r->values) {
		allowance_close(r);
		return ERR_NO_MEMORY;
	}
	r->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (r->fd < 0)
		r->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (r->fd < 0) {
		allowance_close(r);
		return ERR_SYSTEM;
	}
	return OK;
}

void allowance_close(struct allowance_reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	free(r->strings);
	free(r->values);
	*r = (struct allowance_reader){.fd = -1};
}

static bool is_the(const struct allowance_link *link, const struct if_nameindex *interface)
{
	return link->index == interface->if_index && strcmp(link->name, interface->if_name) == 0;
}

/* Forget those of the links that are not KEPT. */
static void forget(struct allowance_reader *r, const bool kept[static ALLOWANCE_LINKS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < r->link_count; i++) {
		for (size_t k = 0; k < ALLOWANCE_COUNT && !kept[i]; k++)
			r->gone[k] += r->links[i].dropped[k];
		if (kept[i])
			r->links[count++] = r->links[i];
	}
	r->link_count = count;
}

static void forget_missing(struct allowance_reader *r, const struct if_nameindex *list,
			   size_t count)
{
	bool kept[ALLOWANCE_LINKS_MAX] = {false};

	for (size_t k = 0; k < r->link_count; k++)
		for (size_t i = 0; i < count; i++)
			kept[k] |= is_the(&r->links[k], &list[i]);
	forget(r, kept);
}

static void consider(struct allowance_reader *r, const struct if_nameindex *interface)
{
	struct allowance_link fresh = {.index = interface->if_index};

	for (size_t i = 0; i < r->link_count; i++)
		if (is_the(&r->links[i], interface))
			return;
	strncpy(fresh.name, interface->if_name, sizeof(fresh.name) - 1);
	if (r->link_count < ALLOWANCE_LINKS_MAX && read_counters(r, fresh.name, fresh.counter))
		r->links[r->link_count++] = fresh;
}

void allowance_scan(struct allowance_reader *r)
{
	struct if_nameindex *list = if_nameindex();
	size_t count = 0;

	if (!list)
		return;
	while (count < ALLOWANCE_INTERFACES_MAX && list[count].if_index != 0)
		count++;
	forget_missing(r, list, count);
	for (size_t i = 0; i < count; i++)
		consider(r, &list[i]);
	if_freenameindex(list);
}

static void take(struct allowance_link *link, const uint64_t fresh[static ALLOWANCE_COUNT])
{
	for (size_t k = 0; k < ALLOWANCE_COUNT; k++) {
		/* A driver that is loaded anew begins at 0. */
		uint64_t old = link->counter[k] <= fresh[k] ? link->counter[k] : 0;
		link->risen[k] = fresh[k] - old;
		link->dropped[k] += link->risen[k];
		link->counter[k] = fresh[k];
	}
}

void allowance_read(struct allowance_reader *r)
{
	uint64_t fresh[ALLOWANCE_COUNT];
	bool kept[ALLOWANCE_LINKS_MAX] = {false};

	for (size_t i = 0; i < r->link_count; i++) {
		kept[i] = read_counters(r, r->links[i].name, fresh);
		if (kept[i])
			take(&r->links[i], fresh);
	}
	forget(r, kept);
}
