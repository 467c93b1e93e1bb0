#include "control/interface.h"

#include "base/embed.h"

EMBED(interface_text, "resolverd/control/io.resolverd.varlink");
EMBED(interface_service_text, "resolverd/control/org.varlink.service.varlink");
