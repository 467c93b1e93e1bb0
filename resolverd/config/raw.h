#pragma once
/*
 * The configuration as words: what libcyaml fills in and build.c reads. A word that is not
 * given is NULL; a list that is not given or empty is NULL with count 0 (config_source_is_list() tells
 * which). For the files of its room only.
 */
#include "config/config.h"
#include "config/source.h"
#include "config/zone.h"

struct raw_local_zone {
	char *name, *action;
	char **records;
	unsigned records_count;
};

struct raw_prefetch_rule { /* of all names, or a zone's */
	char *min_hits, *window, *remaining, *min_yield, *hold, *max_staleness, *flip_guard;
};

struct raw_prefetch_zone {
	char *name;
	struct raw_prefetch_rule rule;
};

struct raw_config {
	char **listen;
	unsigned listen_count;
	char *workers, *identity, *version, *root_hints, *special_zones, *answer_non_recursive;
	struct {
		char **allow, **deny, **trusted, *response_rate;
		unsigned allow_count, deny_count, trusted_count;
	} access;
	struct {
		char *interface;
		char **addresses;
		unsigned addresses_count;
	} node_local;
	struct {
		char *socket, *group, *readonly;
	} control;
	struct {
		char **listen, **health;
		unsigned listen_count, health_count;
	} metrics;
	struct {
		char *limit;
	} memory;
	struct {
		char *path, *memory, *disk, *min_ttl, *max_ttl, *max_negative_ttl;
	} cache;
	struct {
		char *enabled, *aggressive_nsec, *accept_sha1;
		char *auto_anchors;
		char *anchors_word; /* if trust-anchors is a word, else the list: */
		char **anchors, **negative_anchors;
		unsigned anchors_count, negative_anchors_count;
	} dnssec;
	struct {
		char *qname_minimization, *ipv4, *ipv6, *query_loopback, *port, *prime;
		char *harden_glue, *client_timeout;
		char **do_query, **do_not_query, **no_case;
		unsigned do_query_count, do_not_query_count, no_case_count;
	} resolution;
	struct zone_words *forward_zones, *stub_zones;
	struct raw_local_zone *local_zones;
	unsigned forward_zones_count, stub_zones_count, local_zones_count;
	struct {
		char *enabled, *max_rate, *max_names, *ttl_spread;
		struct raw_prefetch_rule rule;
		struct raw_prefetch_zone *zones;
		unsigned zones_count;
	} prefetch;
	struct {
		char *enabled, *answer_after, *max_age, *ttl;
	} serve_stale;
	struct {
		char *level, *queries;
	} log;
	struct {
		char *enabled, *user;
	} sandbox;
	struct {
		char *memory, *slow, *redact;
	} recorder;
};

struct config_build { /* what the builders work on */
	struct config *config;
	const struct config_source *source;
	struct config_error *error;
	struct config_note *last_note; /* of CONFIG's; NULL: none yet */
};

enum { CONFIG_KEY_MAX = 160 };

/* Fill B->config from RAW. ERR_MALFORMED with the error written, or ERR_NO_MEMORY. */
MUST_USE enum err config_build(struct config_build *b, const struct raw_config *raw);
/* Control and metrics: console.c. */
MUST_USE enum err config_console_build(struct config_build *b, const struct raw_config *raw);
/* Addresses that the daemon makes itself: node_local.c. After "listen". */
MUST_USE enum err config_node_local_build(struct config_build *b, const struct raw_config *raw);
/* What is given up at the start: sandbox.c. */
MUST_USE enum err config_sandbox_build(struct config_build *b, const struct raw_config *raw);
/* Forward, stub and local zones: zones.c. */
MUST_USE enum err config_zones_build(struct config_build *b, const struct raw_config *raw);
/* Servers of the root: hints.c. */
MUST_USE enum err config_hints_build(struct config_build *b, const struct raw_config *raw);
/* Addresses that strangers may have us ask, and whom in which letters: ask.c. */
MUST_USE enum err config_ask_build(struct config_build *b, const struct raw_config *raw);
/* Validation and its trust anchors: anchors.c. */
MUST_USE enum err config_anchors_build(struct config_build *b, const struct raw_config *raw);

/* The memory of the process: memory.c. After workers and recorder. */
MUST_USE enum err config_memory_build(struct config_build *b, const struct raw_config *raw);
/* prefetch.c. */
MUST_USE enum err config_prefetch_build(struct config_build *b, const struct raw_config *raw);

/* Write the error: KEY, and what is wrong with it. Always ERR_MALFORMED. */
enum err config_refuse(struct config_build *b, const char *key, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* Note WHAT is not as it seems at KEY, which is used all the same. ERR_NO_MEMORY. */
MUST_USE enum err config_remark(struct config_build *b, const char *key, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* "KEY[INDEX]" or, with MEMBER, "KEY[INDEX].MEMBER" into OUT; returns OUT. */
const char *config_key(char out[static CONFIG_KEY_MAX], const char *key, size_t index,
		       const char *member);
/* true or false at KEY into OUT, which keeps its value if WORD is NULL. */
MUST_USE enum err config_read_bool(struct config_build *b, const char *key, const char *word,
				   bool *out);
