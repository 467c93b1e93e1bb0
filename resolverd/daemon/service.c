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

void service_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}
