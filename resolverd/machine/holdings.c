#include "machine/holdings.h"

#include <stdio.h>
#include <unistd.h>

void holdings_init(struct holdings *h, const struct config *config)
{
	*h = (struct holdings){.limit_bytes = config->memory_limit};
	for (size_t i = 0; i < LEDGER_COUNT; i++)
		ledger_set_limit(&h->ledger, (enum ledger_account)i, config->memory_shares[i]);
	ledger_tell(&h->ledger, LEDGER_recorder, &h->told[LEDGER_recorder], config->recorder_bytes);
}

static void tell(struct holdings *h, enum ledger_account which, size_t used, uint64_t shed)
{
	ledger_tell(&h->ledger, which, &h->told[which], used);
	ledger_note_shed(&h->ledger, which, shed - h->told_shed[which]);
	h->told_shed[which] = shed;
}

void holdings_tick(struct holdings *h, const struct holdings_parts *parts)
{
	struct cache_stats cache;
	struct disk_status disk;
	struct log_view log;

	cache_read_stats(parts->cache, &cache);
	tell(h, LEDGER_cache, cache.used_bytes + ranges_used_bytes(parts->ranges),
	     cache.evictions - cache.expired_evictions);
	disk_read_status(parts->disk, &disk);
	tell(h, LEDGER_disk, disk.pending_bytes, disk.dropped);
	log_read(&log);
	tell(h, LEDGER_log, log.waiting_bytes, log.dropped);
}

size_t holdings_resident(void)
{
	unsigned long long pages = 0, of_files = 0;
	long page_size = sysconf(_SC_PAGESIZE);
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	/* NOLINTNEXTLINE(cert-err34-c): the kernel writes it */
	if (fscanf(file, "%*u %llu %llu", &pages, &of_files) != 2)
		pages = of_files = 0;
	(void)fclose(file);
	return (size_t)(pages - MIN(pages, of_files)) * (size_t)page_size;
}
