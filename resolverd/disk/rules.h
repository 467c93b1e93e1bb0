#pragma once
/*
 * Flushes as rules: "what NAME covers and was put before generation G is gone".
 *
 * A flush must hold at once and durably, while deleting a large subtree takes its time. So a flush
 * raises the generation, which every record carries, and adds a rule, which is written with the
 * next commit; readers pass over what a rule covers, the collector removes it in steps and then the
 * rule. For a single name that is all one commit.
 *
 * A rendered answer to another question may hold what was flushed, for its aliases lead there; no
 * order of keys finds those. So the latest flushes are also remembered, in a log, and such an answer
 * is passed over if it was put before a flush that it passes through. The log is bounded: of answers
 * older than what has fallen out of it, all with records are passed over.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "disk/record.h"

/* When more are unfinished (a disk that cannot be written to), they become one that covers
 * everything: rather too much is flushed than too little. */
enum { DISK_RULES_MAX = 32 };

enum {
	DISK_LOG_MAX = 256, /* 65 kB; looked through only for answers with aliases */
	DISK_LOG_BYTES_MAX = 4 + DISK_LOG_MAX * (4 + 1 + DNAME_MAX),
};

struct disk_flushed {
	uint32_t generation;
	bool subtree;
	uint8_t name[DNAME_MAX];
};

struct disk_rule {
	uint32_t generation; /* records of a smaller one are covered */
	uint16_t type;	     /* 0: all */
	bool subtree;
	bool durable; /* it stands in the file */
	uint8_t name[DNAME_MAX];
	struct disk_key start,
		position; /* keys covered begin with start; collected up to position */
};

struct disk_rules {
	pthread_mutex_t lock;
	atomic_uint generation; /* of records put now */
	atomic_uint count;
	/* lock */
	struct disk_rule at[DISK_RULES_MAX];
	struct disk_flushed log[DISK_LOG_MAX]; /* oldest first, each name once */
	unsigned log_count;
	uint32_t log_floor; /* answers with records of a smaller generation are hidden */
};

void disk_rules_init(struct disk_rules *r);
void disk_rules_deinit(struct disk_rules *r);

/* Add a rule with a new generation. A copy goes to OUT. */
void disk_rules_add(struct disk_rules *r, const uint8_t *name, uint16_t type, bool subtree,
		    struct disk_rule *out);
/* One that stood in the file, unless it is here already. */
void disk_rules_restore(struct disk_rules *r, const struct disk_rule *rule);
/* The file is another one: nothing is durable, everything must be collected again. */
void disk_rules_restart(struct disk_rules *r, uint32_t generation);

/* Whether RULE covers KEY, whatever its generation. */
bool disk_rule_covers(const struct disk_rule *rule, struct span key);
/* Whether a record of KEY and GENERATION has been flushed. */
bool disk_rules_hide(struct disk_rules *r, struct span key, uint32_t generation);

/* Whether E, a record of GENERATION, holds what was flushed under other names than its own. */
bool disk_rules_hide_entry(struct disk_rules *r, const struct entry *e, uint32_t generation);

/* The log as bytes, for a blob; and what such a blob says taken in, as older than what is known. */
size_t disk_rules_write_log(struct disk_rules *r, uint8_t out[static DISK_LOG_BYTES_MAX]);
void disk_rules_read_log(struct disk_rules *r, struct span saved);

/* Copy rule INDEX; false if there is none. */
bool disk_rules_get(struct disk_rules *r, unsigned index, struct disk_rule *out);
/* The rule of this generation stands in the file and is collected up to POSITION; or FINISHED:
 * forget it. */
void disk_rules_commit(struct disk_rules *r, const struct disk_rule *rule, bool finished);

/* As records. */
enum { DISK_RULE_RECORD_MAX = sizeof(struct disk_record) + 4 + DNAME_MAX };
size_t disk_rule_encode(const struct disk_rule *rule, uint8_t out[static DISK_RULE_RECORD_MAX]);
MUST_USE enum err disk_rule_decode(struct span record, struct disk_rule *out);
