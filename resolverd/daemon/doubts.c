#include "daemon/doubts.h"

#include <stdio.h>

#include "daemon/sandbox.h"
#include "net/udp.h"

enum { LINE_MAX_BYTES = 512 };

static bool has_counted(const struct doubts *d, enum metric which)
{
	for (unsigned i = 0; i < d->worker_count; i++)
		if (metrics_get(worker_metrics(d->workers[i]), which) > 0)
			return true;
	return false;
}

static void tell_allowances(struct allowances *a, void (*tell)(void *context, const char *text),
			    void *context)
{
	char line[LINE_MAX_BYTES];
	struct allowances_view v;

	allowances_read(a, &v);
	for (size_t i = 0; i < v.link_count; i++) {
		for (size_t k = 0; k < ALLOWANCE_COUNT; k++) {
			if (!v.links[i].recent[k])
				continue;
			int len = snprintf(line, sizeof(line),
					   "%s: packets are dropped, allowance of the instance "
					   "exceeded (%s)",
					   v.links[i].name, allowance_name((enum allowance)k));
			if (k == ALLOWANCE_linklocal)
				(void)snprintf(line + len, sizeof(line) - (size_t)len,
					       "; rate limits of zones are at %u %%",
					       v.rate_percent);
			tell(context, line);
		}
	}
}

void doubts_read(const struct doubts *d, void (*tell)(void *context, const char *text),
		 void *context)
{
	char line[LINE_MAX_BYTES];
	struct disk_status disk;

	disk_read_status(d->disk, &disk);
	if (disk.state != DISK_OFF && disk.state != DISK_GOOD) {
		(void)snprintf(line, sizeof(line), "the cache is not kept on disk: %s",
			       disk.reason);
		tell(context, line);
	}
	listen_doubts(d->listen, tell, context);
	if (!udp_has_route(4) && !udp_has_route(6))
		tell(context, "there is no route to the public internet, over IPv4 or IPv6");
	if (has_counted(d, METRIC_dnssec_root_not_yet_valid_total))
		tell(context, "signatures of the root were not valid yet: is the system's clock "
			      "right?");
	if (has_counted(d, METRIC_dnssec_anchor_mismatch_total))
		tell(context, "no key of an anchored zone matched its trust anchor: root hints and "
			      "anchors may belong to different trees");
	tell_allowances(d->allowances, tell, context);
	if (throttle_is_full(d->throttle, (struct now){.mono_us = loop_epoch_read().mono_us}))
		tell(context,
		     "questions failed because of a zone's rate limit: too many were in line "
		     "for it already");
	if (sandbox_refused() > 0)
		tell(context, "the sandbox refused system calls: an attack, or a mistake in it; "
			      "the log names them");
}
