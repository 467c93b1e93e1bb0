#pragma once
/*
 * The configuration file (YAML, resolverd.yaml(5)) as one immutable value: what the core is told
 * (struct settings) and what the daemon itself needs. Everything has a default; an empty file is a
 * working resolver on loopback.
 *
 * Nothing is guessed and nothing is skipped: an unknown key, a value of the wrong kind, a bad
 * address, name, size or record ends the reading with one line that names file, line and key. Keys
 * of features that are not there yet are taken, and named in not_in_effect if they ask for
 * something.
 *
 *   config.c          shape: which keys there are, lists and values (libcyaml)
 *   config_source.c   the file and where each key stands in it
 *   config_build.c    from words to settings
 *   config_zones.c    the same for zones, hints and anchors
 *   config_value.c    words: numbers, sizes, times, names
 */
#include "base/arena.h"
#include "base/endpoint.h"
#include "base/err.h"
#include "base/log.h"
#include "resolve/settings.h"

enum {
	CONFIG_FILE_MAX = 4 * 1024 * 1024,    /* bytes; a hundred thousand local records */
	CONFIG_ARENA_MAX = 512 * 1024 * 1024, /* of that, in settings, with room to spare */
	CONFIG_LISTEN_MAX = 32,
	CONFIG_WORKERS_MAX = 256, /* no machine in sight has use for more */
	CONFIG_LINE_MAX = 1024,
	CONFIG_LATER_MAX = 16,
};

struct config { /* immutable; in its own arena */
	struct arena arena;
	struct settings settings;
	struct endpoint listen[CONFIG_LISTEN_MAX];
	size_t listen_count;
	unsigned workers;
	size_t memory_bytes;	   /* of the cache */
	bool ipv4_auto, ipv6_auto; /* asked only if the machine has a route */
	enum log_level log_level;
	bool log_queries;
	const char *not_in_effect[CONFIG_LATER_MAX]; /* keys, static texts */
	size_t not_in_effect_count;
};

struct config_error {
	char line[CONFIG_LINE_MAX]; /* "FILE:LINE: KEY: what is wrong", without newline */
};

/* Read the file PATH; NULL means no file: all defaults. The caller frees OUT. On any error ERROR
 * says what is wrong, and OUT is untouched: ERR_MALFORMED for what the operator has to correct,
 * ERR_NO_MEMORY. */
MUST_USE enum err config_load(const char *path, struct config **out, struct config_error *error);
/* The same from memory; NAME stands for the file in messages. */
MUST_USE enum err config_load_text(const char *name, struct span text, struct config **out,
				   struct config_error *error);
void config_free(struct config *c);
