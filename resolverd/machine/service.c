#include "machine/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

/* It listens all the time; if it does not, nothing is gained by waiting for it. */
enum { BARRIER_US = 2 * 1000 * 1000 };

void service_ready(const char *status)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void service_reloading(struct now now)
{
	/* Type=notify-reload wants to know when the reload began. */
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now.mono_us);
}

int service_sockets(unsigned *count, char ***names)
{
	*names = NULL;
	int found = sd_listen_fds_with_names(1, names);

	*count = found > 0 ? (unsigned)found : 0;
	return SD_LISTEN_FDS_START;
}

void service_free_names(char **names, unsigned count)
{
	for (unsigned i = 0; names && i < count; i++)
		free(names[i]);
	free(names);
}

unsigned service_keeps(void)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment */
	const char *text = getenv("FDSTORE");

	return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

bool service_keep(int fd, const char *name)
{
	char text[128];

	/* Without FDPOLL=0 it would give up a socket on which an error waits to be read. */
	(void)snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	return sd_pid_notify_with_fds(0, 0, text, &fd, 1) > 0;
}

void service_give_up(const char *name)
{
	(void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

void service_barrier(void)
{
	(void)sd_notify_barrier(0, BARRIER_US);
}

void service_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

uint64_t service_watchdog_us(void)
{
	uint64_t limit_us;

	/* Twice as often as it has to be: one may come late. */
	return sd_watchdog_enabled(0, &limit_us) > 0 ? limit_us / 2 : 0;
}

void service_alive(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}
