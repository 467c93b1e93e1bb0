#pragma once
/*
 * The configuration file (YAML, resolverd.yaml(5)) as one immutable value: what the core is told
 * (struct settings) and what the daemon itself needs. Everything has a default; an empty file is a
 * working resolver on loopback.
 *
 * Nothing is guessed and nothing is skipped: an unknown key, a value of the wrong kind, a bad
 * address, name, size or record ends the reading with one line that names file, line and key.
 *
 *   config.c      shape: which keys there are, lists and values (libcyaml)
 *   raw.h         the same as the library fills it in
 *   file.c        files, itself and those that it names: regular ones of a bounded size
 *   source.c      the file and where each key stands in it
 *   build.c       from words to settings
 *   ask.c         the same for how servers are asked
 *   prefetch.c    the same for what is kept fresh
 *   console.c     the same for what the operator uses: control and metrics
 *   sandbox.c     the same for what is given up at the start
 *   node_local.c  the same for addresses that the daemon makes itself
 *   zones.c       the same for forward, stub (zone.c) and local zones
 *   hints.c       the same for the servers of the root, anchors.c for validation and its anchors
 *   memory.c      the ceiling of the process's memory, and the cache's part of it (shares.c), of what
 *                 there is (memory_available.c)
 *   show.c        the other way, key by key, with what was told at run time
 *   value.c       words: numbers, sizes, times, names
 *
 * What is told at run time stands beside it: forwards.h, negative.h; snapshot.h is all that is in effect.
 */
#include <sys/types.h>

#include "base/arena.h"
#include "base/endpoint.h"
#include "base/err.h"
#include "base/ledger.h"
#include "base/log.h"
#include "config/query_filter.h"
#include "resolve/settings.h"

enum {
	/* Bytes; a hundred thousand local records. Of root hints too: the whole root zone has half. */
	CONFIG_FILE_MAX = 4 * 1024 * 1024,
	CONFIG_ARENA_MAX = 512 * 1024 * 1024, /* of that, in settings, with room to spare */
	CONFIG_LISTEN_MAX = 32,		      /* entries of listen */
	CONFIG_NODE_LOCAL_MAX = 8,
	CONFIG_INTERFACE_SIZE = 16, /* IFNAMSIZ */
	CONFIG_METRICS_MAX = 8,	    /* addresses of HTTP, a thread each */
	CONFIG_WORKERS_MAX = 256,   /* no machine in sight has use for more */
	CONFIG_LINE_MAX = 1024,
	CONFIG_PATH_MAX = 1024, /* of a directory; file names of ours come behind it */
};

/* Who may use only those verbs of the control socket that change nothing: members of the socket's
 * group (who may all of them otherwise), or everybody. */
enum config_readonly { CONFIG_READONLY_NONE, CONFIG_READONLY_GROUP, CONFIG_READONLY_ALL };

/* An interface whose addresses are served, whatever they are at the time. */
struct config_interface {
	char name[CONFIG_INTERFACE_SIZE];
	uint16_t port;
};

/* Addresses that the daemon makes itself. */
struct config_node_local {
	char interface[CONFIG_INTERFACE_SIZE];
	struct endpoint addresses[CONFIG_NODE_LOCAL_MAX]; /* port 53; they stand in LISTEN too */
	size_t count;					  /* 0: off */
};

/* What is not as the operator may think, although it can be used. */
struct config_note {
	const char *line; /* "FILE:LINE: KEY: what it is" */
	const struct config_note *next;
};

struct config { /* immutable; in its own arena */
	struct arena arena;
	struct settings settings;
	struct endpoint listen[CONFIG_LISTEN_MAX];
	size_t listen_count;
	size_t listen_unnamed; /* how many of them, the first ones, are the default's */
	struct config_interface listen_interfaces[CONFIG_LISTEN_MAX];
	size_t listen_interface_count;
	struct config_node_local node_local;
	unsigned workers;
	const char *state_path;		    /* directory of what outlives the daemon */
	const char *hints_path;		    /* file of the root hints; NULL: the built-in ones */
	size_t memory_limit;		    /* of the process */
	bool memory_auto;		    /* what it is was found out */
	size_t memory_shares[LEDGER_COUNT]; /* of each account */
	size_t memory_bytes;		    /* of the cache: one of them */
	size_t disk_bytes;		    /* the same in STATE_PATH; 0: none */
	bool ipv4_auto, ipv6_auto;	    /* asked only if the machine has a route */
	enum log_level log_level;
	struct query_filter log_queries;
	bool sandbox;		  /* sandbox.h */
	const char *sandbox_user; /* account to be; NULL: the one that there is */
	uid_t sandbox_uid;	  /* of sandbox_user */
	gid_t sandbox_gid;
	const char *control_socket; /* path; NULL: none */
	const char *control_group;  /* name; NULL: the daemon's own */
	gid_t control_gid;	    /* of control_group */
	enum config_readonly control_readonly;
	struct endpoint metrics_listen[CONFIG_METRICS_MAX];
	size_t metrics_listen_count;
	struct config_interface metrics_interfaces[CONFIG_METRICS_MAX];
	size_t metrics_interface_count;
	struct endpoint metrics_health[CONFIG_METRICS_MAX];
	size_t metrics_health_count;
	size_t recorder_bytes; /* of all workers; 0: off */
	uint32_t recorder_slow_ms;
	bool recorder_redact;
	const struct config_note *notes; /* in the order of the file; NULL: none */
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
