#pragma once
/*
 * Words of the configuration as values. Each function takes the whole word and returns false for
 * anything that is not exactly of its form.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "config/config.h"
#include "dns/dname.h"

/* "true", "yes", "on"; "false", "no", "off". */
bool config_value_bool(const char *word, bool *out);

/* Digits, MIN to MAX. */
bool config_value_number(const char *word, uint64_t min, uint64_t max, uint64_t *out);

/* Bytes: digits, with K, M, G or T (powers of 1024) behind them. */
bool config_value_size(const char *word, uint64_t *out_bytes);

/* Milliseconds: digits, which are seconds unless ms, s, m, h or d stands behind them. */
bool config_value_time(const char *word, uint64_t *out_ms);

/* A name with at least one character, in lower case. */
bool config_value_name(const char *word, uint8_t out[static DNAME_MAX]);

/* An address that can be written to or bound to, with a port from 1. */
bool config_value_endpoint(const char *word, uint16_t default_port, struct endpoint *out);

/* The name of an interface, with a port from 1 or without. It need not be there. */
bool config_value_interface(const char *word, uint16_t default_port, struct config_interface *out);

/* The directory that a service manager made for us and named in the environment (STATE_DIRECTORY,
 * RUNTIME_DIRECTORY of systemd.exec(5)); STANDARD if there is none, or several. Lives as long as
 * the environment. */
const char *config_value_directory(const char *variable, const char *standard);
