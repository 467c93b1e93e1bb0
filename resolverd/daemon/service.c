#include "daemon/service.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>

void service_ready(const char *status)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void service_reloading(struct now now)
{
	/* Type=notify-reload wants to know when the reload began. */
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now.mono_us);
}

int service_sockets(unsigned *count)
{
	int found = sd_listen_fds(1);

	*count = found > 0 ? (unsigned)found : 0;
	return SD_LISTEN_FDS_START;
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
