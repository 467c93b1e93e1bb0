#pragma once
/*
 * The service manager (sd_notify(3)): when the daemon serves, reloads, stops. Says nothing to
 * nobody when not started by one.
 */
#include "base/now.h"

/* Sockets are bound and workers run. STATUS is one line for `systemctl status`. */
void service_ready(const char *status);
void service_reloading(struct now now); /* service_ready() ends it */
void service_stopping(void);

/* How often service_alive() is wanted, in microseconds; 0: not at all. */
uint64_t service_watchdog_us(void);
void service_alive(void);

/* Sockets that the service manager holds for us (sd_listen_fds(3)): *COUNT descriptors from the one
 * returned on. Asked once. */
int service_sockets(unsigned *count);
