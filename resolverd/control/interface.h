#pragma once
/*
 * The description of our Varlink interface: the file io.resolverd.varlink beside this one, as it is
 * told to clients by org.varlink.service.GetInterfaceDescription. It is the protocol's
 * specification; the daemon's table of verbs is checked against it by tests/unit/control_interface.c.
 */
#include <stddef.h>

#define INTERFACE_NAME "io.resolverd"

extern const char interface_text[];
extern const size_t interface_text_bytes; /* without the NUL */

/* The same of the interface that every Varlink service has, org.varlink.service. */
#define INTERFACE_SERVICE_NAME "org.varlink.service"
extern const char interface_service_text[];
extern const size_t interface_service_text_bytes; /* without the NUL */
