/*
 * To be preloaded: the network card of an Amazon instance in the place of one interface. The file
 * that ALLOWANCE_FILE names says which one, and what its driver counts: "INTERFACE" in the first line,
 * "STATISTIC VALUE" in the others. It is read with every question, so that a test can change it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATISTICS_MAX = 16 };

struct card {
	char interface[IF_NAMESIZE];
	char names[STATISTICS_MAX][ETH_GSTRING_LEN];
	uint64_t values[STATISTICS_MAX];
	uint32_t count;
};

static int read_card(struct card *c)
{
	const char *path = getenv("ALLOWANCE_FILE");
	FILE *file = path ? fopen(path, "r") : NULL;
	unsigned long long value;

	memset(c, 0, sizeof(*c));
	if (!file)
		return 0;
	if (fscanf(file, "%15s", c->interface) != 1)
		c->interface[0] = '\0';
	while (c->count < STATISTICS_MAX &&
	       fscanf(file, "%31s %llu", c->names[c->count], &value) == 2)
		c->values[c->count++] = value;
	fclose(file);
	return c->interface[0] != '\0';
}

static int answer(const struct card *c, void *request)
{
	struct ethtool_sset_info *info = request;
	struct ethtool_gstrings *strings = request;
	struct ethtool_stats *stats = request;

	switch (info->cmd) { /* all begin with it */
	case ETHTOOL_GSSET_INFO:
		memcpy(info->data, &c->count, sizeof(c->count));
		return 0;
	case ETHTOOL_GSTRINGS:
		strings->len = c->count;
		memcpy(strings->data, c->names, c->count * sizeof(c->names[0]));
		return 0;
	case ETHTOOL_GSTATS:
		stats->n_stats = c->count;
		memcpy(stats->data, c->values, c->count * sizeof(c->values[0]));
		return 0;
	default:
		errno = EOPNOTSUPP;
		return -1;
	}
}

int ioctl(int fd, unsigned long what, ...)
{
	int (*real)(int, unsigned long, ...) =
		(int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	va_list arguments;
	struct card card;

	va_start(arguments, what);
	void *argument = va_arg(arguments, void *);
	va_end(arguments);
	if (what == SIOCETHTOOL && read_card(&card) &&
	    strcmp(((struct ifreq *)argument)->ifr_name, card.interface) == 0)
		return answer(&card, ((struct ifreq *)argument)->ifr_data);
	return real(fd, what, argument);
}
