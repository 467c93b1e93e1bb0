#pragma once
/*
 * Whose packets are counted together. A budget belongs to the server that counts, and not to the zone
 * through which one comes there: as soon as one zone with a rate limit names a server, whatever is sent
 * to it is counted, be it for a zone without a limit or because a stranger's delegation names it too.
 *
 * The resolver of an Amazon VPC drops what passes 1024 packets
 * per second and network interface, at whichever of its addresses they arrive: 169.254.169.253,
 * fd00:ec2::253, and the base of the VPC's IPv4 range plus two. So forward zones that ask it at
 * different addresses share one allowance, as servers do that one zone names together.
 *
 * Two addresses are known. The third one cannot be told from any other private address, but servers
 * of one zone are there to answer alike, and nobody else knows what lives at the provider's: an address
 * that stands beside a known one in any zone is taken for another of his. An address of his that only
 * ever stands alone is counted by itself.
 */
#include "resolve/settings.h"

/* E is one of the two addresses that the resolver has in every VPC. Ports do not matter. */
bool provider_is_known(const struct endpoint *e);

/* The servers of S's zones that have a rate limit, in ARENA, each once and in order of memcmp():
 * counted as the provider if it is his, else as the lowest of those that zones name together, in
 * whatever order they are told, so that it outlives a reload. ERR_NO_MEMORY. */
MUST_USE enum err provider_budgets(const struct settings *s, struct arena *arena,
				   const struct settings_budget **out, size_t *count);
/* That of SERVER in a list so made, or NULL. */
const struct settings_budget *provider_find_budget(const struct settings_budget *list, size_t count,
						   const struct endpoint *server);
