#pragma once
/*
 * The service manager (sd_notify(3)): when the daemon serves, reloads, stops. Says nothing to
 * nobody when not started by one.
 */
#include <stdbool.h>

#include "base/now.h"

/* Sockets are bound and workers run. STATUS is one line for `systemctl status`. */
void service_ready(const char *status);
void service_reloading(struct now now); /* service_ready() ends it */
void service_stopping(void);

/* How often service_alive() is wanted, in microseconds; 0: not at all. */
uint64_t service_watchdog_us(void);
void service_alive(void);

/* Sockets that the service manager holds for us (sd_listen_fds(3)): *COUNT descriptors from the one
 * returned on, and their *NAMES, or NULL. Asked once. */
int service_sockets(unsigned *count, char ***names);
void service_free_names(char **names, unsigned count);

/* How many descriptors of ours the service manager keeps beyond our end, for the next of us: what
 * FileDescriptorStoreMax= says, as it tells in $FDSTORE. 0: none. */
unsigned service_keeps(void);
/* Have it keep a duplicate of FD, and hand it to the next by NAME. False: it does not. */
bool service_keep(int fd, const char *name);
/* No longer. */
void service_give_up(const char *name);
/* Wait until it has heard all that it was told; not for long. */
void service_barrier(void);
