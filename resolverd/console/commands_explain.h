#pragma once
/*
 * Inside of `explain`: the same places are looked at, in the same order, as when a client asks - the
 * configuration, the cache alias by alias (commands_explain.c), denials that zones have proven
 * (commands_explain_denial.c), then the zone cut and its servers (commands_explain_cut.c). That is how things stand now. What happened before is in the flight
 * recorder (commands_explain_past.c).
 */
#include "console/commands_words.h"

struct explain {
	const struct commands *c;
	const struct settings *settings;
	struct now now;
	uint8_t asked[DNAME_MAX]; /* what was asked about */
	uint8_t name[DNAME_MAX];  /* of the present hop, lower case */
	uint16_t type;
	char summary[1024];
	bool has_fresh; /* the summary tells of an answer that holds */
	json_t *story, *chain, *failure, *servers, *recent;
	uint8_t zone[DNAME_MAX]; /* the cut, if it has been found */
	bool has_zone;
	bool only_known; /* say nothing of servers that were never asked */
};

void explain_say(struct explain *x, const char *format, ...) PRINTF_LIKE(2, 3);
void explain_sum_up(struct explain *x, const char *format, ...) PRINTF_LIKE(2, 3);

/* "www.example.org. AAAA" */
enum { EXPLAIN_QUESTION_MAX = DNAME_TEXT_MAX + TYPE_TEXT_SIZE + 1 };
const char *explain_question(const uint8_t *name, uint16_t type,
			     char out[static EXPLAIN_QUESTION_MAX]);
/* "TEXT (EDE 22, No Reachable Authority)" of an entry. */
enum { EXPLAIN_REASON_MAX = 400 };
const char *explain_reason(const struct entry *e, char out[static EXPLAIN_REASON_MAX]);
/* How long until E expires, or since. */
const char *explain_left(const struct explain *x, const struct entry *e,
			 char out[static WORDS_TIME_SIZE]);
const char *explain_age(const struct explain *x, const struct entry *e,
			char out[static WORDS_TIME_SIZE]);
const struct entry *explain_look_up(const struct explain *x, enum entry_kind kind,
				    const uint8_t *name, uint16_t type);
/* E is a remembered failure. */
void explain_tell_failure(struct explain *x, const struct entry *e);

/* The zone cut around the present name, its servers and its keys. */
void explain_cut(struct explain *x);
/* True if what zones have proven denies the present name, or answers it (RFC 8198): it is summed up. */
bool explain_denial(struct explain *x);
/* What the flight recorder has of the name that was asked about, and who flushed it. */
void explain_past(struct explain *x);
/* E answers: how popular it is, and when it is fetched anew. */
void explain_popularity(struct explain *x, const struct entry *e);
