#include "config/builtin.h"

#include "base/embed.h"

EMBED(builtin_root_hints, "etc/root.hints");
EMBED(builtin_trust_anchors, "etc/trust-anchors");
