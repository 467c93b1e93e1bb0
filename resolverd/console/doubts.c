#include "console/doubts.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "machine/sandbox.h"
#include "net/udp.h"

enum { LINE_MAX_BYTES = 512 };

/* What was seen AT_US is still a reason to doubt. */
static bool is_recent(uint64_t at_us, uint64_t mono_us)
{
	return at_us != 0 && mono_us < at_us + DOUBTS_RECENT_MS * 1000ULL;
}

static void tell_trust(const struct doubts *d, uint64_t mono_us,
		       void (*tell)(void *context, const char *text), void *context)
{
	bool not_yet_valid = false, anchor_mismatch = false;

	for (unsigned i = 0; i < d->worker_count; i++) {
		struct worker_figures f;
		worker_read_figures(d->workers[i], &f);
		not_yet_valid |= is_recent(f.not_yet_valid_us, mono_us);
		anchor_mismatch |= is_recent(f.anchor_mismatch_us, mono_us);
	}
	if (not_yet_valid)
		tell(context, "signatures of the root were not valid yet: is the system's clock "
			      "right?");
	if (anchor_mismatch)
		tell(context, "no key of an anchored zone matched its trust anchor: root hints and "
			      "anchors may belong to different trees");
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

static void tell_log(void (*tell)(void *context, const char *text), void *context)
{
	char line[LINE_MAX_BYTES];
	struct log_view log;

	log_read(&log);
	if (!log.stands_still && log.error == 0)
		return;
	(void)snprintf(line, sizeof(line),
		       "lines of the log are not taken (%s): %llu were dropped since the start",
		       log.error ? strerrordesc_np(log.error) : "whoever reads it stands still",
		       (unsigned long long)log.dropped);
	tell(context, line);
}

static void tell_families(struct families *f, void (*tell)(void *context, const char *text),
			  void *context)
{
	char line[LINE_MAX_BYTES];
	for (uint8_t family = 4; family <= 6; family += 2) {
		if (!families_is_lost(f, family))
			continue;
		(void)snprintf(
			line, sizeof(line),
			"IPv%u leads nowhere: servers in several networks are silent over it, "
			"and others are asked first",
			family);
		tell(context, line);
	}
}

void doubts_read(const struct doubts *d, void (*tell)(void *context, const char *text),
		 void *context)
{
	char line[LINE_MAX_BYTES];
	struct disk_status disk;
	struct now now = {.mono_us = loop_epoch_read().mono_us};

	disk_read_status(d->disk, &disk);
	if (disk.state != DISK_OFF && disk.state != DISK_GOOD) {
		(void)snprintf(line, sizeof(line), "the cache is not kept on disk: %s",
			       disk.reason);
		tell(context, line);
	}
	listen_doubts(d->listen, tell, context);
	http_doubts(d->http, tell, context);
	if (!udp_has_route(4) && !udp_has_route(6))
		tell(context, "there is no route to the public internet, over IPv4 or IPv6");
	tell_families(d->families, tell, context);
	tell_trust(d, now.mono_us, tell, context);
	tell_allowances(d->allowances, tell, context);
	if (throttle_is_full(d->throttle, now))
		tell(context,
		     "questions failed because of a zone's rate limit: too many were in line "
		     "for it already");
	strippers_doubts(d->strippers, now.mono_us, tell, context);
	tell_log(tell, context);
	if (sandbox_refused() > 0)
		tell(context, "the sandbox refused system calls: an attack, or a mistake in it; "
			      "the log names them");
}
