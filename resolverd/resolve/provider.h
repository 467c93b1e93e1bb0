#pragma once
/*
 * Whose packets are counted together. The resolver of an Amazon VPC drops what passes 1024 packets
 * per second and network interface, at whichever of its addresses they arrive: 169.254.169.253,
 * fd00:ec2::253, and the base of the VPC's IPv4 range plus two. So forward zones that ask it at
 * different addresses share one allowance, as zones do that ask the same server.
 *
 * Two addresses are known. The third one cannot be told from any other private address, but servers
 * of one zone are there to answer alike, and nobody else knows what lives at the provider's: an address
 * that stands beside a known one in any zone is taken for another of his. An address of his that only
 * ever stands alone is counted by itself.
 */
#include "resolve/settings.h"

/* E is one of the two addresses that the resolver has in every VPC. Ports do not matter. */
bool provider_is_known(const struct endpoint *e);

/* For each of S's zones the server as which its packets are counted, in ARENA. A zone that asks the
 * provider: he; else the lowest of the zone's, in whatever order they are told. ERR_NO_MEMORY. */
MUST_USE enum err provider_count_as(const struct settings *s, struct arena *arena,
				    const struct endpoint **out);
